//! What the study and its workers say to each other: one line of JSON each, on the worker's standard
//! input and output. A line is `[lane, order]` or `[lane, report]`: a worker does one thing at a time in
//! each of its lanes (`lanes`).

use super::record::{Definition, TimingLine};
use super::run::Stage;
use crate::config::{Logging, ProbeSection};
use crate::kernels::{CudaDevice, Place};
use crate::spec::Metric;
use crate::train::{EpochMetrics, Progress, Spent};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// To a lane of a worker. The end of the worker's input means: stop, save, and exit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Train this run, or go on with it.
    Train(Box<Task>),
    /// Time a few steps of this run and measure their memory; nothing is kept.
    Time(Box<Task>),
    /// Measure the solution of this run, which is finished.
    Measure(Box<Task>, Measure),
    /// Share the steps of the run that is being trained among so many threads from now on.
    Threads(usize),
    /// Save the run that is being trained and end it.
    Stop,
}

/// A run as a worker needs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) definition: Definition,
    /// What the run is for.
    pub(super) stage: Stage,
    pub(super) place: Place,
    /// The prepared examples.
    pub(super) dataset: PathBuf,
    /// The folder of the run.
    pub(super) folder: PathBuf,
    /// The name of the study's folder, for TensorBoard's table of hyperparameters.
    pub(super) study: String,
    /// The resolved study, for TensorBoard's text page.
    pub(super) resolved: String,
    /// What is drawn beside the loss.
    pub(super) metrics: Vec<Metric>,
    /// What is written down between the ends of epochs.
    pub(super) logging: Logging,
    /// What is measured beside accuracy.
    pub(super) probe: ProbeSection,
    /// What it would take of its GPU alone, where it shares it with other runs.
    pub(super) alone: Option<Alone>,
}

/// What a run takes of a GPU that it has for itself. Measured seconds of a run that shares its GPU depend on
/// the other runs, so they say nothing of its arm: its steps and evaluations are counted, and a few of each
/// were timed before, when nothing else was trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Alone {
    /// How many runs share the GPU.
    pub(super) sharing: usize,
    /// Of one training step.
    pub(super) seconds_per_step: f64,
    /// Of the whole validation split.
    pub(super) seconds_per_evaluation: f64,
}

impl Alone {
    /// Seconds of training steps and of evaluations.
    pub(super) fn seconds(&self, spent: &Spent) -> [f64; 2] {
        let (steps, evaluations) = (spent.steps as f64, spent.evaluations as f64);
        [steps * self.seconds_per_step, evaluations * self.seconds_per_evaluation]
    }
}

/// What is measured of a finished run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// How sharp the minimum is.
    Sharpness,
    /// What lies between its solution and that of another run, of which this is the id and the folder.
    Line(String, PathBuf),
}

/// From a lane of a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// At first, in lane 0.
    MachineInfo(MachineInfo),
    Progress(Progress),
    Epoch(Box<EpochMetrics>, TimingLine),
    Ended(RunEnd),
    /// The disk takes no more: the run stopped as it is saved, and the study is to stop too.
    NoRoom(NoRoom),
    Timed(StepTimes),
}

/// What a worker says of itself at first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineInfo {
    /// The version of libtorch.
    pub libtorch: String,
    /// The GPUs that libtorch can use.
    pub cuda: Vec<CudaDevice>,
    /// Why it can use none, although there is an NVIDIA driver.
    pub cuda_trouble: Option<String>,
    /// The GPUs that the engine `fused` can use.
    pub gpus: Vec<CudaDevice>,
    /// Why it can use none, although there is an NVIDIA driver.
    pub gpu_trouble: Option<String>,
}

/// How a run ended; its record says so too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// All epochs are done.
    Finished,
    /// The loss of this step was not finite.
    Diverged {
        /// Counted from 1.
        step: u64,
    },
    /// An error, or the end of the worker.
    Failed {
        /// The reason.
        message: String,
    },
    /// Stopped on request, after a checkpoint.
    Stopped,
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Diverged { step } => write!(f, "diverged: the loss of step {step} is not finite"),
            Self::Failed { message } => write!(f, "failed: {message}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// Why a run could not be written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NoRoom {
    /// Which file, and what the system says.
    pub(super) message: String,
    /// What to do about it.
    pub(super) hint: String,
}

/// Measured on a few steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct StepTimes {
    /// Of one training step.
    pub(super) seconds_per_step: f64,
    /// Of one validation row.
    pub(super) seconds_per_validation_row: f64,
    /// Of what an epoch writes: its records and a checkpoint.
    pub(super) seconds_per_epoch: f64,
    /// In bytes: of the process on CPU, of the device on CUDA.
    pub(super) peak_memory: u64,
}
