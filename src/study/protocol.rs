//! What the study and its workers say to each other: one JSON value a line, on the worker's standard
//! input and output.

use crate::config::Arm;
use crate::kernels::{CudaDevice, Device, EngineKind, Shape};
use crate::train::{Metrics, Progress};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// To a worker. The end of its input means: stop, save, and exit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Train this run, or go on with it.
    Train(Box<Task>),
    /// Time a few steps of this run and measure their memory; nothing is kept.
    Probe(Box<Task>),
    /// Save the run that is being trained and end it.
    Stop,
}

/// A run as a worker needs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) arm: Arm,
    pub(super) seed: u64,
    pub(super) shape: Shape,
    pub(super) engine: EngineKind,
    pub(super) device: Device,
    /// The prepared examples.
    pub(super) dataset: PathBuf,
    /// The folder of the run.
    pub(super) folder: PathBuf,
    /// The resolved study, for TensorBoard's text page.
    pub(super) resolved: String,
}

/// From a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    Hello(Hello),
    Progress(Progress),
    Epoch(MetricsLine, TimingLine),
    Ended(WorkerEnd),
    Probed(Probe),
}

/// What a worker says of itself at first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of libtorch.
    pub libtorch: String,
    /// The GPUs that libtorch can use.
    pub cuda: Vec<CudaDevice>,
}

/// How a task ended, as the worker knows it. The record in the run's folder is already written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WorkerEnd {
    Finished,
    Diverged { step: u64 },
    Failed { message: String },
    Stopped,
}

/// Measured on a few steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Probe {
    /// Of one training step.
    pub(super) seconds_per_step: f64,
    /// Of one validation row.
    pub(super) seconds_per_validation_row: f64,
    /// In bytes: of the process on CPU, of the device on CUDA.
    pub(super) peak_memory: u64,
}

/// One line of `metrics.jsonl`: one epoch, repeatable to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MetricsLine {
    /// 0-based.
    pub epoch: u64,
    /// Updates made so far.
    pub step: u64,
    /// Training rows seen so far.
    pub examples: u64,
    /// Of this epoch.
    pub learning_rate: f64,
    /// Means over the rows while training.
    pub train: Metrics,
    /// After the epoch.
    pub validation: Metrics,
}

/// One line of `timing.jsonl`: what cannot repeat of the same epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimingLine {
    /// 0-based.
    pub epoch: u64,
    /// When the epoch was recorded, in seconds since 1970.
    pub wall_time: f64,
    /// Seconds spent on training steps.
    pub train_seconds: f64,
    /// Seconds spent on the validation split.
    pub validation_seconds: f64,
    /// Training rows a second.
    pub examples_per_second: f64,
    /// The most memory so far in bytes: of the process on CPU, of the device on CUDA.
    pub peak_memory: u64,
}
