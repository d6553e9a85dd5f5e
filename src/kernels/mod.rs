//! The mathematics of one model, behind one interface with several implementations.
//!
//! The model is one to eight recurrent layers -> Dense(K), with an embedding before them for tokens. For a
//! row with input vectors x_0 .. x_{L-1} of size F, from h = c = 0:
//!
//! ```text
//! LSTM   z = weight_ih x_t + weight_hh h + bias           [4H], gates in the order i f g o
//!        i,f,o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o)     g = tanh(z_g)
//!        c = f * c + i * g                                    h = o * tanh(c)
//! GRU    a = weight_ih x_t + bias                         [3H], gates in the order r z n
//!        b = weight_hh h + recurrent_bias                 [3H]
//!        r,z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)         n = tanh(a_n + r * b_n)
//!        h = (1 - z) * n + z * h
//! ```
//!
//! A bidirectional layer has a second set of weights that reads x_{L-1} .. x_0. Each layer but the last
//! hands h_t on as the next one's x_t, the last one h_{L-1}; both directions side by side, the reverse one
//! at t with what it has when it has read x_t, so that its last is that of x_0.
//!
//! ```text
//! output = dense.weight h_{L-1} + dense.bias              [K], a row of length 0 has h = 0
//! loss   = mean over the rows of a batch of  weight * (loss of the row)
//!          + sum over the penalised arrays of  l1 * sum |w| + l2 * sum w^2
//! ```
//!
//! Dropout multiplies x_t by a mask of its row, and h by a mask of its row and gate, before the
//! weights; a mask is the same at every time step, and each direction of each layer has its own
//! ([`Masks`]). A GRU's z * h is without mask.
//!
//! An [`Engine`] holds the parameters and the optimizer's state, knows the examples, and is asked
//! for steps and predictions by row number, so each engine keeps the data where it is fastest.
//! Engines return *logits*, the raw outputs; losses ([`Loss`]) and metrics are computed from them in one
//! place, [`crate::spec`], for all engines alike. The libtorch engine is the reference: every other
//! must pass its tests. [`supports`] says what an engine cannot do; what it does not refuse there, it
//! does.

#[allow(clippy::needless_range_loop, reason = "kernels index several arrays by one number")]
mod fused;
mod libtorch;
mod settings;
pub mod signals;

pub use fused::InstructionSet;
#[doc(hidden)]
pub use fused::micro;
pub use libtorch::{
    CudaDevice, LossSurface, cuda_devices, is_about_memory, libtorch_version, start_libtorch,
    trim_memory,
};

pub use settings::{Masks, Penalties, Settings, Step};

use crate::spec::{Clip, Input, Loss, Objective, Penalty, Shape, UpdateRule};
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// Arrays of f32 in the order of [`Shape::parameters`], each row-major.
pub type Arrays = Vec<Vec<f32>>;

/// Everything that a run's next step depends on, apart from the data.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The weights.
    pub parameters: Arrays,
    /// What the optimizer keeps of earlier gradients: [`UpdateRule::moments`] lists of arrays.
    pub moments: Vec<Arrays>,
    /// Updates made so far.
    pub step: u64,
}

impl State {
    /// The state before the first update.
    pub fn new(parameters: Arrays, optimizer: &UpdateRule) -> Self {
        let zeros: Arrays = parameters.iter().map(|array| vec![0.0; array.len()]).collect();
        Self { parameters, moments: vec![zeros; optimizer.moments()], step: 0 }
    }
}

/// The examples of one split.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'d> {
    /// The sequences.
    pub sequences: Sequences<'d>,
    /// One target a row: the number of its class (0 or 1 of two), or the number that is predicted.
    pub labels: &'d [f32],
}

/// Sequences of one split, row after row.
#[derive(Debug, Clone, Copy)]
pub enum Sequences<'d> {
    /// Rows of token ids; row r is `tokens[offsets[r]..offsets[r + 1]]`. Masked steps are left out,
    /// so rows may differ in length.
    Tokens {
        /// All rows, one after the other.
        tokens: &'d [i32],
        /// N + 1 positions in `tokens`.
        offsets: &'d [u64],
    },
    /// `[N, T, F]`, row-major.
    Features {
        /// The values.
        values: &'d [f32],
        /// T
        steps: usize,
        /// F
        features: usize,
    },
}

impl Examples<'_> {
    /// N
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether the split has no rows.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The number of time steps of a row.
    pub fn steps(&self, row: u32) -> usize {
        match self.sequences {
            Sequences::Tokens { offsets, .. } => {
                (offsets[row as usize + 1] - offsets[row as usize]) as usize
            }
            Sequences::Features { steps, .. } => steps,
        }
    }
}

/// The parts into which the examples are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Weights are fitted to these.
    Train,
    /// Measured after each epoch.
    Validation,
    /// Measured once, after training.
    Test,
}

/// The examples of all splits.
#[derive(Debug, Clone, Copy)]
pub struct Splits<'d> {
    /// See [`Split::Train`].
    pub train: Examples<'d>,
    /// See [`Split::Validation`].
    pub validation: Examples<'d>,
    /// See [`Split::Test`]; may be empty.
    pub test: Examples<'d>,
}

impl<'d> Splits<'d> {
    /// The same with an empty test split.
    pub fn without_test(self) -> Self {
        let sequences = match self.test.sequences {
            Sequences::Tokens { .. } => Sequences::Tokens { tokens: &[], offsets: &[0] },
            Sequences::Features { steps, features, .. } => {
                Sequences::Features { values: &[], steps, features }
            }
        };
        Self { test: Examples { sequences, labels: &[] }, ..self }
    }

    /// One split by name.
    pub fn get(&self, split: Split) -> Examples<'d> {
        match split {
            Split::Train => self.train,
            Split::Validation => self.validation,
            Split::Test => self.test,
        }
    }
}

/// What the training steps since the last question computed, step after step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Computed {
    /// Before each update, K a row, row after row in the order in which they were given.
    pub logits: Vec<f32>,
    /// The penalty of each step, before its update.
    pub penalties: Vec<f64>,
    /// The norm of each step's gradient over all parameters together, penalties included, before it
    /// was clipped.
    pub gradient_norms: Vec<f32>,
}

/// One implementation of the model's mathematics, holding one run's state.
pub trait Engine {
    /// Replaces weights and optimizer state.
    fn set_state(&mut self, state: &State) -> Result<()>;

    /// Weights and optimizer state; setting them again continues bit for bit.
    fn state(&self) -> Result<State>;

    /// One step on rows of the training split: forward, backward, update. May return before the
    /// device has finished; what was computed waits until [`Engine::take_computed`].
    fn train_step(&mut self, step: &Step<'_>) -> Result<()>;

    /// What the training steps since the last call computed.
    fn take_computed(&mut self) -> Result<Computed>;

    /// The K logits of each of these rows of a split, with the weights as they are and nothing dropped.
    fn predict(&mut self, split: Split, rows: &[u32]) -> Result<Vec<f32>>;

    /// The gradient of the mean loss of these rows of the training split, with the weights as they
    /// are: rows count by their labels as in a step, nothing is dropped, penalised, clipped or
    /// updated.
    fn gradient(&mut self, rows: &[u32]) -> Result<Arrays>;

    /// The penalty of the weights as they are.
    fn penalty(&self) -> Result<f64>;

    /// Threads to share a step among from now on. No result depends on them; an engine may have no
    /// use for them.
    fn set_threads(&mut self, _threads: usize) -> Result<()> {
        Ok(())
    }

    /// Rows whose gradients are computed at a time: what [`Settings::micro_batch`] asked for, or
    /// less after the memory did not suffice. `None`: the whole batch.
    fn micro_batch(&self) -> Option<usize>;
}

/// Where an engine works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// The processor.
    Cpu,
    /// The GPU with this number.
    Cuda(usize),
}

/// Where an engine works, and with what. No result depends on threads or instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The processor or a GPU.
    pub device: Device,
    /// Threads that the engine `fused` shares a step among.
    pub threads: usize,
    /// What the engine `fused` computes with.
    pub instructions: InstructionSet,
}

impl From<Device> for Place {
    /// One thread, and the best instructions that the processor has.
    fn from(device: Device) -> Self {
        Self { device, threads: 1, instructions: InstructionSet::best() }
    }
}

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// Autograd with oneDNN or cuDNN: the reference.
    Libtorch,
    /// Forward, backward and update in one, with the same bits on the processor and on a GPU.
    Fused,
}

impl EngineKind {
    /// The name, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Libtorch => "libtorch",
            Self::Fused => "fused",
        }
    }

    /// The version of its arithmetic, raised when the order of its sums changes: runs of different
    /// versions differ in the last digits, so none goes on under another. Version 2 of `fused`
    /// (2026-11-26) adds the gradients of states panel by panel, those of weights from the last row
    /// on, and the squares of the norm in blocks.
    pub fn arithmetic(self) -> u32 {
        match self {
            Self::Libtorch => 1,
            Self::Fused => 2,
        }
    }

    /// The fastest one that can train this model on the processor. Without vector instructions the fused
    /// engine would have to emulate each multiplication, so there it is libtorch.
    pub fn best_for_processor(shape: &Shape) -> Self {
        let emulates = cfg!(target_arch = "x86_64") && !InstructionSet::Avx2.is_available();
        match supports(Self::Fused, shape, Device::Cpu) {
            Ok(()) if !emulates => Self::Fused,
            _ => Self::Libtorch,
        }
    }

    /// The fastest one that can train this model on these GPUs: the fused engine where it was tested on
    /// their architecture, else libtorch.
    pub fn best_for_gpus(gpus: &[CudaDevice], shape: &Shape) -> Self {
        let is_proven = !gpus.is_empty() && gpus.iter().all(is_proven);
        match supports(Self::Fused, shape, Device::Cuda(0)) {
            Ok(()) if is_proven => Self::Fused,
            _ => Self::Libtorch,
        }
    }
}

/// Whether an engine can train this model on this device.
///
/// # Errors
/// Says why it cannot, as the end of a sentence about it.
pub fn supports(kind: EngineKind, shape: &Shape, device: Device) -> Result<(), String> {
    match (kind, device, shape.lstm()) {
        (EngineKind::Libtorch, ..) | (EngineKind::Fused, Device::Cpu, Some(_)) => Ok(()),
        (EngineKind::Fused, Device::Cuda(_), _) => fused::cuda::serves(shape),
        (EngineKind::Fused, Device::Cpu, None) => {
            let title = shape.layers.title();
            Err(format!("computes one LSTM in one direction, and the model has {title}"))
        }
    }
}

/// Makes an engine, or says why it cannot serve.
pub fn engine<'d>(
    kind: EngineKind,
    place: Place,
    shape: Shape,
    splits: Splits<'d>,
    settings: Settings,
) -> Result<Box<dyn Engine + 'd>> {
    if let Err(reason) = supports(kind, &shape, place.device) {
        bail!("the engine `{}` {reason}", kind.name());
    }
    match kind {
        EngineKind::Libtorch => {
            Ok(Box::new(libtorch::Libtorch::new(place.device, shape, splits, settings)?))
        }
        EngineKind::Fused => match place.device {
            Device::Cpu => Ok(Box::new(fused::Fused::new(place, shape, splits, settings)?)),
            Device::Cuda(index) => {
                Ok(Box::new(fused::cuda::FusedCuda::new(index, shape, splits, settings)?))
            }
        },
    }
}

/// The GPUs that the engine `fused` can use, of which libtorch need know nothing; none without a driver.
///
/// # Errors
/// Says why a driver that is there cannot be used.
pub fn driver_devices() -> Result<Vec<CudaDevice>> {
    fused::cuda::devices()
}

/// Whether the engine `fused` was tested on GPUs of this architecture.
pub fn is_proven(gpu: &CudaDevice) -> bool {
    gpu.architecture.is_some_and(fused::cuda::is_proven)
}

/// What a run's memory depends on, beside its model.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Moments that its optimizer keeps for each parameter.
    pub moments: usize,
    /// Rows that are computed together: those of a batch, or of a part of an evaluation.
    pub rows_together: usize,
    /// Rows of all splits.
    pub examples: usize,
    /// Time steps of the longest row.
    pub longest: usize,
}

/// The most memory in bytes that a run of the engine `fused` takes on a GPU. With less memory it computes
/// smaller parts of a batch at a time.
pub fn memory_on_gpu(shape: &Shape, load: &Workload) -> u64 {
    fused::cuda::most_needed(shape, load)
}

/// The most memory in bytes that was held on a GPU since an engine was last made for it: with the engine
/// `fused` by this thread, with libtorch by this process. `None` for the processor, where an engine works in
/// the process's own memory.
pub fn peak_device_memory(device: Device) -> Result<Option<u64>> {
    match (device, fused::cuda::peak_memory()) {
        (Device::Cpu, _) => Ok(None),
        (Device::Cuda(_), Some(peak)) => Ok(Some(peak)),
        (Device::Cuda(_), None) => libtorch::peak_device_memory(device),
    }
}

/// The engine `fused` on the first GPU of a driver: for tests, whose library is an emulated GPU.
#[doc(hidden)]
pub fn engine_on_driver<'d>(
    library: &std::path::Path,
    shape: Shape,
    splits: Splits<'d>,
    settings: Settings,
) -> Result<Box<dyn Engine + 'd>> {
    Ok(Box::new(fused::cuda::FusedCuda::on_driver(library, shape, splits, settings)?))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Once;

    /// libtorch takes its settings once a process.
    pub(crate) fn start_libtorch_once() {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| assert!(super::start_libtorch().is_ok()));
    }
}
