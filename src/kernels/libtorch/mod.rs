//! The reference engine: libtorch's autograd over oneDNN's layers on CPU and cuDNN's on CUDA.
//!
//! Batches are time-major `[T, B, F]`. Rows are aligned at their first step and a batch is trimmed
//! to its longest row; a row's state is read at its own last step. Steps after that are computed
//! and thrown away, which gives the same numbers as a mask that holds the state, without packed
//! sequences, which libtorch's oneDNN and persistent cuDNN paths do not serve.
//!
//! torch's LSTM has two bias vectors, whose sum moves at double rate under Adam; the second is fixed at 0
//! here. Those of a GRU are two parameters, as in Keras and torch: the reset gate acts on one of them.

mod batch;
mod forward;
mod loss;
mod memory;
mod recurrent;
mod shim;
mod surface;
mod update;

pub use self::surface::LossSurface;

use self::batch::Resident;
use self::forward::{Weights, no_biases};
pub use self::memory::is_about_memory;
use self::memory::is_out_of_memory;
use self::recurrent::DeviceMasks;
use self::shim::SubnormalsFlushed;
use super::{
    Arrays, Computed, Device, Engine, Penalty, Settings, Shape, Split, Splits, State, Step,
};
use crate::spec::Param;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tch::{Kind, Reduction, Tensor};

/// Prepares libtorch in this process: one thread, exact arithmetic, CUDA visible. Call it first.
/// Gives the reason why CUDA cannot be used although there is a driver for it.
pub fn start_libtorch() -> Result<Option<String>> {
    shim::keep_memory();
    let cuda = shim::load_cuda();
    tch::set_num_threads(1);
    tch::set_num_interop_threads(1);
    shim::set_exact()?;
    Ok(cuda)
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
    /// Its compute capability, 90 for sm_90; `None` where only libtorch was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<u32>,
}

/// The GPUs that libtorch can use; none without a driver or with a CPU-only libtorch.
pub fn cuda_devices() -> Result<Vec<CudaDevice>> {
    let count = if tch::Cuda::is_available() { tch::Cuda::device_count().max(0) } else { 0 };
    (0..count as usize)
        .map(|index| {
            let (name, memory) = shim::cuda_describe(index)?;
            Ok(CudaDevice { index, name, memory, architecture: None })
        })
        .collect()
}

/// The most memory in bytes that a GPU held since an engine was last made for it; `None` for the
/// processor, where an engine works in the process's own memory.
pub(super) fn peak_device_memory(device: Device) -> Result<Option<u64>> {
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
    /// One list a moment of the optimizer.
    moments: Vec<Vec<Tensor>>,
    /// Updates made so far.
    updates: u64,
    /// The same as the one f32 that libtorch's fused Adam reads.
    step: Tensor,
    /// torch's second bias vectors of LSTMs, which stay 0.
    no_biases: Vec<Tensor>,
    settings: Settings,
    /// The parameters that are penalised, by their index.
    penalised: Vec<(usize, Penalty)>,
    /// Rows that are predicted at a time, at most: fewer after the memory did not suffice.
    predicted_together: usize,
    /// What training steps computed since it was last taken.
    computed: Computed,
    /// The same of later steps, still on the device.
    waiting: Waiting,
}

/// Results of training steps that are still on the device, one of each a step.
#[derive(Default)]
struct Waiting {
    logits: Vec<Tensor>,
    penalties: Vec<Tensor>,
    norms: Vec<Tensor>,
}

impl<'d> Libtorch<'d> {
    pub(super) fn new(
        device: Device,
        shape: Shape,
        splits: Splits<'d>,
        settings: Settings,
    ) -> Result<Self> {
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
        let parameters = shape.parameters();
        let zeros: Arrays =
            parameters.iter().map(|parameter| vec![0.0; parameter.count()]).collect();
        let penalties = parameters.iter().map(|parameter| settings.penalty_on(parameter));
        let penalised = penalties.enumerate().filter(|(_, penalty)| !penalty.is_none()).collect();
        let optimizer = settings.optimizer;
        let mut engine = Self {
            shape,
            device,
            splits,
            resident: Resident::new(device, &splits)?,
            parameters: Vec::new(),
            moments: Vec::new(),
            updates: 0,
            step: Tensor::new(),
            no_biases: no_biases(&shape, Kind::Float, device)?,
            settings,
            penalised,
            predicted_together: usize::MAX,
            computed: Computed::default(),
            waiting: Waiting::default(),
        };
        engine.set_state(&State::new(zeros, &optimizer))?;
        Ok(engine)
    }

    fn weights(&self) -> Weights<'_> {
        Weights {
            shape: self.shape,
            parameters: &self.parameters,
            no_biases: &self.no_biases,
            device: self.device,
        }
    }

    /// Logits `[B, K]` of these rows.
    fn forward(
        &self,
        split: Split,
        rows: &[u32],
        masks: Option<&[DeviceMasks]>,
        training: bool,
    ) -> Result<Tensor> {
        let in_reverse = self.shape.reads_in_reverse();
        let batch = self.resident.batch(split, &self.splits.get(split), rows, in_reverse)?;
        self.weights().logits(&batch, masks, training)
    }

    /// The gradient of the mean loss of these rows and their logits `[B, K]`, summed over
    /// micro-batches.
    fn gradients(&self, step: &Step<'_>) -> Result<(Vec<Tensor>, Tensor)> {
        let all = step.rows.len();
        let most = self.settings.micro_batch.unwrap_or(all).clamp(1, all);
        let mut sum: Vec<Tensor> = Vec::new();
        let mut logits = Vec::new();
        for (index, rows) in step.rows.chunks(most).enumerate() {
            let part = (index * most, rows.len());
            let upload = |masks| forward::upload(masks, &self.shape, part, self.device);
            let masks = step.masks.map(upload).transpose()?;
            let outputs = self.forward(Split::Train, rows, masks.as_deref(), true)?;
            let loss = self.mean_loss(&outputs, rows)?;
            let share = rows.len() as f64 / all as f64;
            let loss = if share < 1.0 { loss.f_mul_scalar(share)? } else { loss };
            let gradients = Tensor::f_run_backward(&[&loss], &self.parameters, false, false)?;
            match sum.is_empty() {
                true => sum = gradients,
                false => {
                    let mut pairs = sum.iter_mut().zip(&gradients);
                    pairs.try_for_each(|(sum, part)| sum.f_add_(part).map(drop))?;
                }
            }
            logits.push(outputs.f_detach()?);
        }
        Ok((sum, Tensor::f_cat(&logits, 0)?))
    }

    /// The mean of the weighted losses of these rows.
    fn mean_loss(&self, logits: &Tensor, rows: &[u32]) -> Result<Tensor> {
        let train = &self.splits.train;
        let targets = self.resident.labels(train, rows)?;
        let objective = &self.settings.objective;
        let weight = |row: &u32| objective.weight(train.labels[*row as usize]);
        let weights: Option<Vec<f32>> =
            (!objective.class_weights.is_empty()).then(|| rows.iter().map(weight).collect());
        let upload = |weights: Vec<f32>| Tensor::f_from_slice(&weights)?.f_to_device(self.device);
        let weights = weights.map(upload).transpose()?;
        loss::of(objective.loss, logits, &targets, weights.as_ref(), Reduction::Mean)
    }

    /// As [`Self::gradients`]; when the memory does not suffice, with half the rows at a time.
    fn gradients_that_fit(&mut self, step: &Step<'_>) -> Result<(Vec<Tensor>, Tensor)> {
        loop {
            let error = match self.gradients(step) {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let rows = step.rows.len().min(self.settings.micro_batch.unwrap_or(usize::MAX));
            if rows <= 1 || !is_out_of_memory(&error) {
                return Err(error);
            }
            self.settings.micro_batch = Some(rows.div_ceil(2));
            self.free_memory()?;
        }
    }

    /// Gives back what libtorch keeps of a GPU's memory for later.
    fn free_memory(&self) -> Result<()> {
        if self.device.is_cuda() { shim::cuda_empty_cache() } else { Ok(()) }
    }

    /// The logits of these rows, at most `most` rows at a time.
    fn predict_in_parts(&self, split: Split, rows: &[u32], most: usize) -> Result<Vec<f32>> {
        let of = |part| values(&self.forward(split, part, None, split == Split::Train)?);
        let parts = rows.chunks(most).map(of).collect::<Result<Vec<_>>>()?;
        Ok(parts.concat())
    }

    /// Takes what waits from the device.
    fn collect(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.logits.is_empty() {
            return Ok(());
        }
        let penalties = match waiting.penalties.is_empty() {
            true => vec![0.0; waiting.norms.len()],
            false => values(&Tensor::f_stack(&waiting.penalties, 0)?)?,
        };
        let computed = &mut self.computed;
        computed.logits.extend(values::<f32>(&Tensor::f_cat(&waiting.logits, 0)?)?);
        computed.penalties.extend(penalties);
        let norms = values::<f32>(&Tensor::f_stack(&waiting.norms, 0)?)?;
        computed.gradient_norms.extend(norms);
        Ok(())
    }

    fn penalty_tensor(&self) -> Result<Tensor> {
        let weights = |(index, penalty): &(usize, Penalty)| (&self.parameters[*index], *penalty);
        let penalised: Vec<_> = self.penalised.iter().map(weights).collect();
        update::penalty(&penalised)
    }

    fn upload(&self, arrays: &Arrays) -> Result<Vec<Tensor>> {
        let shapes = self.shape.parameters();
        ensure!(arrays.len() == shapes.len(), "the state holds another model's parameters");
        let pairs = arrays.iter().zip(shapes);
        pairs
            .map(|(array, Param { path, dims, .. })| {
                let dims: Vec<i64> = dims.iter().map(|dim| *dim as i64).collect();
                let tensor = Tensor::f_from_slice(array)?.f_reshape(&dims);
                let tensor = tensor.with_context(|| format!("`{path}` has another size"))?;
                Ok(tensor.f_to_device(self.device)?)
            })
            .collect()
    }
}

impl Engine for Libtorch<'_> {
    fn set_state(&mut self, state: &State) -> Result<()> {
        ensure!(
            state.moments.len() == self.settings.optimizer.moments(),
            "the state belongs to another optimizer"
        );
        self.parameters = self.upload(&state.parameters)?;
        self.moments =
            state.moments.iter().map(|moment| self.upload(moment)).collect::<Result<_>>()?;
        self.updates = state.step;
        self.step = Tensor::f_from_slice(&[state.step as f32])?.f_to_device(self.device)?;
        (self.computed, self.waiting) = (Computed::default(), Waiting::default());
        self.weights().flatten()?;
        for parameter in &mut self.parameters {
            *parameter = parameter.f_set_requires_grad(true)?;
        }
        Ok(())
    }

    fn state(&self) -> Result<State> {
        Ok(State {
            parameters: download(&self.parameters)?,
            moments: self.moments.iter().map(|m| download(m)).collect::<Result<_>>()?,
            step: self.updates,
        })
    }

    fn train_step(&mut self, step: &Step<'_>) -> Result<()> {
        let _flushed = SubnormalsFlushed::enter();
        let (mut gradients, logits) = self.gradients_that_fit(step)?;
        if !self.penalised.is_empty() {
            self.waiting.penalties.push(self.penalty_tensor()?);
        }
        for (index, penalty) in &self.penalised {
            update::penalise(&mut gradients[*index], &self.parameters[*index], *penalty)?;
        }
        let norm = update::norm(&gradients)?;
        if let Some(clip) = self.settings.clip {
            update::clip(&mut gradients, &norm, clip)?;
        }
        self.updates += 1;
        self.step.f_add_scalar_(1.0).map(drop)?;
        update::update(
            &self.settings.optimizer,
            &self.parameters,
            &gradients,
            &self.moments,
            &self.step,
            self.updates,
            step.lr,
        )?;
        self.waiting.logits.push(logits);
        self.waiting.norms.push(norm);
        match self.device.is_cuda() {
            true => Ok(()),
            // Nothing is waited for on the processor, and small tensors that live for many steps
            // would lie between large ones that do not: twice the memory at batch size 1.
            false => self.collect(),
        }
    }

    fn take_computed(&mut self) -> Result<Computed> {
        self.collect()?;
        Ok(std::mem::take(&mut self.computed))
    }

    fn predict(&mut self, split: Split, rows: &[u32]) -> Result<Vec<f32>> {
        let _no_grad = tch::no_grad_guard();
        let _flushed = SubnormalsFlushed::enter();
        loop {
            let most = self.predicted_together.min(rows.len()).max(1);
            match self.predict_in_parts(split, rows, most) {
                Err(error) if most > 1 && is_out_of_memory(&error) => {
                    self.predicted_together = most.div_ceil(2);
                    self.free_memory()?;
                }
                found => return found,
            }
        }
    }

    fn gradient(&mut self, rows: &[u32]) -> Result<Arrays> {
        let _flushed = SubnormalsFlushed::enter();
        download(&self.gradients_that_fit(&Step { rows, lr: 0.0, masks: None })?.0)
    }

    fn penalty(&self) -> Result<f64> {
        Ok(values::<f64>(&self.penalty_tensor()?)?[0])
    }

    fn micro_batch(&self) -> Option<usize> {
        self.settings.micro_batch
    }
}

fn download(tensors: &[Tensor]) -> Result<Arrays> {
    tensors.iter().map(values).collect()
}

/// A tensor's values in row-major order; T must be the tensor's own type.
fn values<T: tch::kind::Element + Copy + Default>(tensor: &Tensor) -> Result<Vec<T>> {
    let flat = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut values = vec![T::default(); flat.numel()];
    let count = values.len();
    flat.f_copy_data(&mut values, count)?;
    Ok(values)
}
