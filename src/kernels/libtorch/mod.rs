//! The reference engine: libtorch's autograd over oneDNN's LSTM on CPU and cuDNN's on CUDA.
//!
//! Batches are time-major `[T, B, F]`. Rows are aligned at their first step and a batch is trimmed
//! to its longest row; a row's state is read at its own last step. Steps after that are computed
//! and thrown away, which gives the same numbers as a mask that holds the state, without packed
//! sequences, which libtorch's oneDNN and persistent cuDNN paths do not serve.
//!
//! torch has two bias vectors, whose sum moves at double rate under Adam; the second is fixed at 0
//! here.

mod batch;
mod shim;

use self::batch::Resident;
use self::shim::{Coefficients, SubnormalsFlushed};
use super::{AdamUpdate, Arrays, Device, Engine, Input, Shape, Split, Splits, State};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tch::{Kind, Reduction, Tensor};

/// Prepares libtorch in this process: one thread, exact arithmetic, CUDA visible. Call it first.
/// Gives the reason why CUDA cannot be used although there is a driver for it.
pub fn start_libtorch() -> Result<Option<String>> {
    let cuda = shim::load_cuda();
    tch::set_num_threads(1);
    tch::set_num_interop_threads(1);
    shim::set_exact()?;
    Ok(cuda.err().map(|error| error.to_string()))
}

/// Gives freed memory back to the system, so that the next measurement of a peak begins low.
pub fn trim_memory() {
    shim::trim_memory();
}

/// The version of libtorch that this program was built against.
pub fn libtorch_version() -> String {
    shim::libtorch_version()
}

/// A GPU that libtorch can use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CudaDevice {
    /// Its number, as in `cuda:N`.
    pub index: usize,
    /// Its marketing name.
    pub name: String,
    /// Its memory in bytes.
    pub memory: u64,
}

/// The GPUs that libtorch can use; none without a driver or with a CPU-only libtorch.
pub fn cuda_devices() -> Result<Vec<CudaDevice>> {
    let count = if tch::Cuda::is_available() { tch::Cuda::device_count().max(0) } else { 0 };
    (0..count as usize)
        .map(|index| {
            let (name, memory) = shim::cuda_describe(index)?;
            Ok(CudaDevice { index, name, memory })
        })
        .collect()
}

/// The most memory in bytes that a GPU held since an engine was last made for it; `None` for the
/// processor, where an engine works in the process's own memory.
pub fn peak_device_memory(device: Device) -> Result<Option<u64>> {
    match device {
        Device::Cpu => Ok(None),
        Device::Cuda(index) => shim::cuda_peak(index, false).map(Some),
    }
}

/// One run's parameters, optimizer state and data on one device.
pub(super) struct Libtorch<'d> {
    shape: Shape,
    device: tch::Device,
    splits: Splits<'d>,
    resident: Resident,
    /// In the order of [`Shape::parameters`].
    parameters: Vec<Tensor>,
    first_moment: Vec<Tensor>,
    second_moment: Vec<Tensor>,
    /// Updates made so far, as the one f32 that libtorch's fused Adam reads.
    step: Tensor,
    /// torch's second bias vector, which stays 0.
    no_bias: Tensor,
    /// Logits of training steps that were not taken yet, one tensor a step.
    logits: Vec<Tensor>,
}

impl<'d> Libtorch<'d> {
    pub(super) fn new(device: Device, shape: Shape, splits: Splits<'d>) -> Result<Self> {
        let device = match device {
            Device::Cpu => tch::Device::Cpu,
            Device::Cuda(index) => {
                ensure!(tch::Cuda::is_available(), "libtorch sees no CUDA device");
                let device = tch::Device::Cuda(index);
                // libtorch's allocator knows a GPU, and its peak, from the first tensor on.
                Tensor::f_zeros([1], (Kind::Float, device)).map(drop)?;
                shim::cuda_peak(index, true)?;
                device
            }
        };
        let zeros: Arrays =
            shape.parameters().iter().map(|(_, dims)| vec![0.0; dims.iter().product()]).collect();
        let mut engine = Self {
            shape,
            device,
            splits,
            resident: Resident::new(device, &splits)?,
            parameters: Vec::new(),
            first_moment: Vec::new(),
            second_moment: Vec::new(),
            step: Tensor::new(),
            no_bias: Tensor::f_zeros([4 * shape.units as i64], (Kind::Float, device))?,
            logits: Vec::new(),
        };
        engine.set_state(&State::new(zeros))?;
        Ok(engine)
    }

    /// The four tensors of the LSTM, as torch's own `nn.LSTM` orders them.
    fn lstm_weights(&self) -> [&Tensor; 4] {
        let at = self.parameters.len() - 5;
        [&self.parameters[at], &self.parameters[at + 1], &self.parameters[at + 2], &self.no_bias]
    }

    /// Puts the LSTM's weights one after the other in memory, as cuDNN wants them; without this it
    /// copies them in every step.
    fn flatten_for_cudnn(&self) -> Result<()> {
        const CUDNN_LSTM: i64 = 2;
        let _no_grad = tch::no_grad_guard();
        let (features, units) = (self.shape.features() as i64, self.shape.units as i64);
        let _buffer = Tensor::f_internal_cudnn_rnn_flatten_weight(
            &self.lstm_weights(),
            4,
            features,
            CUDNN_LSTM,
            units,
            0,
            1,
            false,
            false,
        )?;
        Ok(())
    }

    /// Logits `[B]` of these rows.
    fn forward(&self, split: Split, rows: &[u32]) -> Result<Tensor> {
        let examples = self.splits.get(split);
        let batch = self.resident.batch(split, &examples, rows)?;
        let inputs = match self.shape.input {
            Input::Tokens { .. } => {
                Tensor::f_embedding(&self.parameters[0], &batch.inputs, -1, false, false)?
            }
            Input::Features(_) => batch.inputs,
        };
        let (b, h) = (rows.len() as i64, self.shape.units as i64);
        let zero = Tensor::f_zeros([1, b, h], (Kind::Float, self.device))?;
        let training = split == Split::Train;
        let (outputs, last, _) = inputs.f_lstm(
            &[&zero, &zero],
            &self.lstm_weights(),
            true,
            1,
            0.0,
            training,
            false,
            false,
        )?;
        let state = match &batch.ends {
            None => last.f_reshape([b, h])?,
            Some(ends) => outputs.f_reshape([-1, h])?.f_index_select(0, ends)?,
        };
        let state = match &batch.not_empty {
            None => state,
            Some(not_empty) => state.f_mul(not_empty)?,
        };
        let [.., weight, bias] = &self.parameters[..] else {
            unreachable!("a model has a dense layer")
        };
        Ok(state.f_linear(weight, Some(bias))?.f_reshape([b])?)
    }

    fn upload(&self, arrays: &Arrays) -> Result<Vec<Tensor>> {
        let shapes = self.shape.parameters();
        ensure!(arrays.len() == shapes.len(), "the state holds another model's parameters");
        let pairs = arrays.iter().zip(shapes);
        pairs
            .map(|(array, (name, dims))| {
                let dims: Vec<i64> = dims.iter().map(|dim| *dim as i64).collect();
                let tensor = Tensor::f_from_slice(array)?.f_reshape(&dims);
                let tensor = tensor.with_context(|| format!("`{name}` has another size"))?;
                Ok(tensor.f_to_device(self.device)?)
            })
            .collect()
    }
}

impl Engine for Libtorch<'_> {
    fn set_state(&mut self, state: &State) -> Result<()> {
        self.parameters = self.upload(&state.parameters)?;
        self.first_moment = self.upload(&state.first_moment)?;
        self.second_moment = self.upload(&state.second_moment)?;
        self.step = Tensor::f_from_slice(&[state.step as f32])?.f_to_device(self.device)?;
        self.logits.clear();
        if self.device.is_cuda() {
            self.flatten_for_cudnn()?;
        }
        for parameter in &mut self.parameters {
            *parameter = parameter.f_set_requires_grad(true)?;
        }
        Ok(())
    }

    fn state(&self) -> Result<State> {
        Ok(State {
            parameters: download(&self.parameters)?,
            first_moment: download(&self.first_moment)?,
            second_moment: download(&self.second_moment)?,
            step: values(&self.step)?[0] as u64,
        })
    }

    fn train_step(&mut self, rows: &[u32], update: &AdamUpdate) -> Result<()> {
        let labels = self.resident.labels(&self.splits.train, rows)?;
        let _flushed = SubnormalsFlushed::enter();
        let logits = self.forward(Split::Train, rows)?;
        let loss = logits.f_binary_cross_entropy_with_logits::<Tensor>(
            &labels,
            None,
            None,
            Reduction::Mean,
        )?;
        let gradients = Tensor::f_run_backward(&[&loss], &self.parameters, false, false)?;
        self.step.f_add_scalar_(1.0).map(drop)?;
        let by = Coefficients {
            lr: update.lr,
            beta1: update.beta_1,
            beta2: update.beta_2,
            epsilon: update.epsilon,
        };
        shim::fused_adam(
            &self.parameters,
            &gradients,
            &self.first_moment,
            &self.second_moment,
            &self.step,
            &by,
        )?;
        self.logits.push(logits.f_detach()?);
        Ok(())
    }

    fn take_logits(&mut self) -> Result<Vec<f32>> {
        match self.logits.is_empty() {
            true => Ok(Vec::new()),
            false => values(&Tensor::f_cat(&std::mem::take(&mut self.logits), 0)?),
        }
    }

    fn predict(&mut self, split: Split, rows: &[u32]) -> Result<Vec<f32>> {
        let _no_grad = tch::no_grad_guard();
        let _flushed = SubnormalsFlushed::enter();
        values(&self.forward(split, rows)?)
    }
}

fn download(tensors: &[Tensor]) -> Result<Arrays> {
    tensors.iter().map(values).collect()
}

/// A tensor's values in row-major order.
fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut values = vec![0f32; flat.numel()];
    let count = values.len();
    flat.f_copy_data(&mut values, count)?;
    Ok(values)
}
