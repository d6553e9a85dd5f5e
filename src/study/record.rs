//! The folder of one run and its records, which are the truth: everything else is drawn from them.
//!
//! ```text
//! record.json                   what defines the run, how it stands, its test metrics
//! metrics.jsonl                 one line an epoch, the same bits whenever it is repeated
//! evaluations.jsonl             one line for each measurement within an epoch, if asked for; the same bits
//! steps.jsonl                   one line every few steps, the same bits whenever it is repeated
//! histograms.jsonl              one line an epoch and parameter, if asked for
//! noise.jsonl                   one line for each measurement of the gradient's noise, if asked for
//! second_moment.safetensors     Adam's, of a finished run whose sharpness is asked for
//! sharpness.json                how sharp its minimum is, if asked for
//! line.json                     what lies between it and the minimum of another arm, if asked for
//! timing.jsonl                  one line an epoch: times and memory
//! evaluation_timing.jsonl       one line for each measurement within an epoch: times
//! checkpoint/state.safetensors  while it is unfinished
//! best/weights.safetensors      of the best epoch so far, if they will be restored
//! weights.safetensors           when it is finished
//! test_predictions.csv          when it is finished: what it says of each row of the test split
//! train/, validation/, test/    TensorBoard's event files
//! ```
//!
//! Damage is seen when a file is read. `record.json`, `sharpness.json`, `line.json` and each line of the
//! two timing logs hold their own checksums; the record of a finished run holds those of its other files
//! ([`Record::checksums`]), and a checkpoint those of its logs up to it. Runs of earlier versions have
//! none and are read as they are.

use crate::config::Arm;
use crate::events::Histogram;
use crate::files;
use crate::kernels::EngineKind;
use crate::probe::{LineRecord, NoiseLine, SharpnessRecord};
use crate::spec::{Metrics, Shape};
use crate::train::{EpochMetrics, Evaluation, StepMetrics};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything that the results of a run depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The configuration.
    pub arm: Arm,
    /// The seed.
    pub seed: u64,
    /// The sizes of the model.
    pub model: Shape,
    /// The hash of the file that the first weights are read from.
    pub first_weights: Option<String>,
    /// The hash of the prepared data.
    pub data: String,
    /// The engine that serves.
    pub engine: EngineKind,
    /// The version of its arithmetic: with another one the last digits differ.
    #[serde(default = "first_arithmetic", skip_serializing_if = "is_first_arithmetic")]
    pub arithmetic: u32,
    /// The version of libtorch, whose arithmetic may change from one to the next.
    pub libtorch: String,
    /// `cpu` or `cuda`: results repeat to the bit on the same kind of device. Those of `fused` do on all, and
    /// are the processor's.
    pub device: String,
}

/// What records say that were written before there was a second one.
fn first_arithmetic() -> u32 {
    1
}

fn is_first_arithmetic(version: &u32) -> bool {
    *version == first_arithmetic()
}

impl Definition {
    /// A short name for all of it: two runs with the same one give the same bits.
    pub fn identity(&self) -> Result<String> {
        Ok(blake3::hash(&serde_json::to_vec(self)?).to_hex()[..16].to_owned())
    }
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being trained, or interrupted; the same command goes on with it.
    Running,
    /// All epochs are done. Never run again.
    Finished,
    /// The loss of this step was not finite. Never run again: it would diverge again.
    Diverged {
        /// The first such step, counted from 1.
        step: u64,
    },
    /// An error ended it; tried again from its checkpoint when the user asks for it.
    Failed {
        /// The reason.
        message: String,
    },
}

/// `record.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// How the run stands.
    pub status: Status,
    /// What came of it; absent until it is finished.
    pub result: Option<RunResult>,
    /// The hash of the definition.
    pub identity: String,
    /// What defines the run.
    pub definition: Definition,
    /// Of the files of a finished run, by their names; empty in records of earlier versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<String, String>,
}

/// What came of a finished run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// With the weights that the run ended with; absent for an empty test split.
    pub test: Option<Metrics>,
    /// Epochs that were begun.
    pub epochs: u64,
    /// The epoch that early stopping calls the best, 0-based.
    pub best_epoch: Option<u64>,
    /// Whether early stopping or a target ended the run before its budget was spent.
    pub stopped_early: bool,
    /// Whether it reached the target of `stop_at`; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached_target: Option<bool>,
    /// Rows whose gradients were computed at a time in the end, when that was less than the batch.
    pub micro_batch: Option<usize>,
}

impl Record {
    /// A record of a run that is not finished.
    pub fn new(status: Status, definition: Definition) -> Result<Self> {
        let (result, checksums) = (None, BTreeMap::new());
        Ok(Self { status, result, identity: definition.identity()?, definition, checksums })
    }

    /// The test metrics, if the run is finished and there is a test split.
    pub fn test(&self) -> Option<Metrics> {
        self.result.as_ref().and_then(|result| result.test)
    }
}

/// One line of `histograms.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistogramLine {
    /// 0-based.
    pub epoch: u64,
    /// As in the weights file.
    pub parameter: String,
    /// Of its values after the epoch.
    pub histogram: Histogram,
}

/// One line of `evaluation_timing.jsonl`: what cannot repeat of the same measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EvaluationTimingLine {
    /// Updates made so far.
    pub step: u64,
    /// When it was recorded, in seconds since 1970.
    pub wall_time: f64,
    /// Seconds spent on training steps since the epoch began, as those of [`TimingLine`].
    pub train_seconds: f64,
    /// Seconds spent on the validation split since the epoch began, as those of [`TimingLine`].
    pub validation_seconds: f64,
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
    /// Seconds spent on the validation split, within the epoch too.
    pub validation_seconds: f64,
    /// Training rows a second, however many runs share the GPU.
    pub examples_per_second: f64,
    /// How many runs shared the GPU, when that was more than one: both seconds are then what the epoch
    /// would take alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<usize>,
    /// The most memory so far in bytes: of the process on CPU, of the device on CUDA.
    pub peak_memory: u64,
    /// Rows whose gradients were computed at a time, when that was less than the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<usize>,
}

/// The paths of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    /// The record, where it was read for good.
    known: Option<Arc<Option<Record>>>,
}

impl RunFolder {
    /// The folder of a run; it need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), known: None }
    }

    /// The same folder with its record as it is now: whoever reads many files of many runs need not read it
    /// again for each.
    ///
    /// # Errors
    /// As [`RunFolder::record`].
    pub(super) fn with_record(mut self) -> Result<Self> {
        self.known = Some(Arc::new(self.record()?));
        Ok(self)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where an unfinished run keeps how far it has come.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint/state.safetensors")
    }

    /// Where a finished run keeps its weights.
    pub fn weights(&self) -> PathBuf {
        self.path.join("weights.safetensors")
    }

    pub(super) fn metrics_log(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// The weights of the best epoch so far, if they will be restored.
    pub fn best(&self) -> PathBuf {
        self.path.join("best/weights.safetensors")
    }

    /// What a finished run says of each row of the test split.
    pub fn test_predictions(&self) -> PathBuf {
        self.path.join("test_predictions.csv")
    }

    pub(super) fn steps_log(&self) -> PathBuf {
        self.path.join("steps.jsonl")
    }

    pub(super) fn timing_log(&self) -> PathBuf {
        self.path.join("timing.jsonl")
    }

    pub(super) fn evaluations_log(&self) -> PathBuf {
        self.path.join("evaluations.jsonl")
    }

    pub(super) fn evaluation_timing_log(&self) -> PathBuf {
        self.path.join("evaluation_timing.jsonl")
    }

    pub(super) fn record_file(&self) -> PathBuf {
        self.path.join("record.json")
    }

    /// The record, if the run was ever started.
    ///
    /// # Errors
    /// A [`UserError`](crate::error::UserError) with the way to repeat the run where the record is damaged;
    /// plain ones where it is no file or may not be read. So for all readers of this folder.
    pub fn record(&self) -> Result<Option<Record>> {
        match &self.known {
            Some(known) => Ok(Option::clone(known)),
            None => self.told(files::read_sealed_json(&self.record_file())),
        }
    }

    /// Replaces the record.
    pub fn write_record(&self, record: &Record) -> Result<()> {
        files::write_sealed_json(&self.record_file(), record)
    }

    /// Refuses folders that are links.
    pub(super) fn refuse_links(&self) -> Result<()> {
        let folders = ["", "checkpoint", "best", "train", "validation", "test"];
        folders.iter().try_for_each(|folder| files::refuse_link(&self.path.join(folder)))
    }

    /// Waits until no other process trains this run, and keeps others from it.
    pub(super) fn lock(&self) -> Result<File> {
        self.refuse_links()?;
        let path = self.path.join(".lock");
        let lock = files::open_lock(&path).and_then(|file| file.lock().map(|()| file));
        lock.with_context(|| format!("cannot lock {}", path.display()))
    }

    /// Takes everything back that an unfinished run has recorded, so that it begins anew.
    pub(super) fn begin_anew(&self) -> Result<()> {
        // The checkpoint first: without it, whatever the logs hold counts for nothing.
        self.remove_checkpoint();
        self.remove_best();
        for log in self.logs() {
            files::clear(&log)?;
        }
        files::clear(&self.timing_log())?;
        files::clear(&self.evaluation_timing_log())
    }

    /// Removes what a run that ended needs no more; what cannot be removed does no harm.
    pub(super) fn remove_checkpoint(&self) {
        fs::remove_dir_all(self.path.join("checkpoint")).ok();
    }

    /// Removes the weights of the best epoch of a run that leaves no weights.
    pub(super) fn remove_best(&self) {
        fs::remove_dir_all(self.path.join("best")).ok();
    }

    /// How many epochs are recorded so far, whatever is said of them.
    pub(super) fn epochs(&self) -> Result<u64> {
        Ok(files::mark(&self.metrics_log(), None)?.lines)
    }

    /// The epochs recorded so far.
    pub fn metrics(&self) -> Result<Vec<EpochMetrics>> {
        self.log(&self.metrics_log())
    }

    /// The steps recorded so far.
    pub fn steps(&self) -> Result<Vec<StepMetrics>> {
        self.log(&self.steps_log())
    }

    pub(super) fn histograms_log(&self) -> PathBuf {
        self.path.join("histograms.jsonl")
    }

    /// The histograms recorded so far.
    pub fn histograms(&self) -> Result<Vec<HistogramLine>> {
        self.log(&self.histograms_log())
    }

    pub(super) fn noise_log(&self) -> PathBuf {
        self.path.join("noise.jsonl")
    }

    /// The measurements of the gradient's noise recorded so far.
    pub fn noise(&self) -> Result<Vec<NoiseLine>> {
        self.log(&self.noise_log())
    }

    /// Adam's second moment at the end of a run.
    pub(super) fn second_moment(&self) -> PathBuf {
        self.path.join("second_moment.safetensors")
    }

    /// How sharp its minimum is, if that was measured.
    pub fn sharpness(&self) -> Result<Option<SharpnessRecord>> {
        self.told(files::read_sealed_json(&self.path.join("sharpness.json")))
    }

    pub(super) fn write_sharpness(&self, record: &SharpnessRecord) -> Result<()> {
        files::write_sealed_json(&self.path.join("sharpness.json"), record)
    }

    /// What lies between it and another run's minimum, if that was measured.
    pub fn line(&self) -> Result<Option<LineRecord>> {
        self.told(files::read_sealed_json(&self.path.join("line.json")))
    }

    pub(super) fn write_line(&self, record: &LineRecord) -> Result<()> {
        files::write_sealed_json(&self.path.join("line.json"), record)
    }

    /// The measurements within epochs recorded so far.
    pub fn evaluations(&self) -> Result<Vec<Evaluation>> {
        self.log(&self.evaluations_log())
    }

    /// Their times.
    pub fn evaluation_timing(&self) -> Result<Vec<EvaluationTimingLine>> {
        self.times(&self.evaluation_timing_log(), &self.evaluations_log(), |line| line.step)
    }

    /// Times and memory of the epochs recorded so far.
    pub fn timing(&self) -> Result<Vec<TimingLine>> {
        self.times(&self.timing_log(), &self.metrics_log(), |line| line.epoch)
    }
}

/// Seconds since 1970: the one place where the program asks for the time of day.
#[expect(clippy::disallowed_methods, reason = "this is the place that the lint points to")]
pub fn wall_clock() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0.0, |elapsed| elapsed.as_secs_f64())
}
