//! Records -> one row an arm.

use super::protocol::RunEnd;
use super::record::{Record, RunFolder, Status, TimingLine};
use super::run::Run;
use crate::config::Arm;
use crate::spec::Metrics;
use crate::stats::{self, Summary};
use crate::train::EpochMetrics;
use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// What the runs of one arm came to.
#[derive(Debug, Clone, Serialize)]
pub struct ArmSummary {
    /// The name of the arm.
    pub name: String,
    /// Examples per step.
    pub batch_size: usize,
    /// Runs that finished.
    pub finished: usize,
    /// Runs planned.
    pub planned: usize,
    /// Updates of one run, over the finished runs.
    pub steps: Option<Summary>,
    /// The study's score after the last epoch, over the finished runs.
    pub validation_score: Option<Summary>,
    /// With the weights of the last epoch, over the finished runs.
    pub test_score: Option<Summary>,
    /// Seconds of one run.
    pub seconds: Option<Summary>,
    /// Training rows a second of one run.
    pub examples_per_second: Option<Summary>,
    /// The most memory that a run took, in bytes.
    pub peak_memory: u64,
    /// Whether the scores are those of each run's best epoch.
    pub restored: bool,
    /// The least number of rows whose gradients a run computed at a time because memory was short.
    pub micro_batch: Option<usize>,
}

/// A run that diverged or failed, and how.
pub type Failure = (Run, RunEnd);

/// Reads the records of all runs of a study in its folder.
pub(super) fn summarise(arms: &[Arm], runs: &[Run], folder: &Path) -> Result<Vec<ArmSummary>> {
    let of = |arm: &Arm| {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.arm.name == arm.name).collect();
        summarise_arm(arm, &runs, folder)
    };
    arms.iter().map(of).collect()
}

fn summarise_arm(arm: &Arm, runs: &[&Run], folder: &Path) -> Result<ArmSummary> {
    let read = |run: &&Run| -> Result<Option<FinishedRun>> {
        FinishedRun::read(&RunFolder::new(&folder.join(run.id())).with_record()?, arm)
    };
    let finished: Result<Vec<Option<FinishedRun>>> = runs.par_iter().map(read).collect();
    let finished: Vec<FinishedRun> = finished?.into_iter().flatten().collect();
    let of = |value: fn(&FinishedRun) -> f64| {
        stats::summarise(&finished.iter().map(value).collect::<Vec<_>>())
    };
    let scores = |value: fn(&FinishedRun) -> Option<f64>| {
        stats::summarise(&finished.iter().filter_map(value).collect::<Vec<_>>())
    };
    Ok(ArmSummary {
        name: arm.name.clone(),
        batch_size: arm.batch_size,
        finished: finished.len(),
        planned: runs.len(),
        steps: of(|run| run.last.step as f64),
        validation_score: scores(|run| run.validation_score),
        test_score: scores(|run| run.test_score),
        seconds: of(FinishedRun::seconds),
        examples_per_second: of(|run| run.last.examples as f64 / run.train_seconds().max(1e-9)),
        peak_memory: finished.iter().map(FinishedRun::peak_memory).max().unwrap_or(0),
        restored: arm.train.restores_best(),
        micro_batch: finished.iter().filter_map(|run| run.micro_batch).min(),
    })
}

/// What the records of a finished run hold.
#[derive(Debug, Clone)]
pub struct FinishedRun {
    /// The study's score of the weights that it ended with; `None` where that is not defined.
    pub validation_score: Option<f64>,
    /// The same on the test split; `None` without one, too.
    pub test_score: Option<f64>,
    /// The last epoch.
    pub last: EpochMetrics,
    /// Every epoch.
    pub epochs: Vec<EpochMetrics>,
    /// Times and memory of every epoch.
    pub timing: Vec<TimingLine>,
    /// Whether it got to the target at which it was to end; `None` without one.
    pub reached_target: Option<bool>,
    /// The rows whose gradients it computed at a time because memory was short.
    pub micro_batch: Option<usize>,
}

impl FinishedRun {
    /// Reads a run of this arm; `None` unless it is finished.
    ///
    /// # Errors
    /// As [`RunFolder::record`].
    pub fn read(files: &RunFolder, arm: &Arm) -> Result<Option<Self>> {
        let finished = |record: &Record| record.status == Status::Finished;
        let Some(record) = files.record()?.filter(finished) else { return Ok(None) };
        let epochs = files.metrics()?;
        let Some(last) = epochs.last().copied() else { return Ok(None) };
        let reached_target = record.result.as_ref().and_then(|result| result.reached_target);
        let best = record.result.as_ref().and_then(|result| result.best_epoch);
        let best =
            best.filter(|_| arm.train.restores_best()).and_then(|epoch| epochs.get(epoch as usize));
        let asked = arm.train.micro_batch.map_or(usize::MAX, |rows| rows as usize);
        let taken = record.result.as_ref().and_then(|result| result.micro_batch);
        let score = |found: &Metrics| found.get(arm.score()).filter(|score| score.is_finite());
        Ok(Some(Self {
            validation_score: score(&best.unwrap_or(&last).validation),
            test_score: record.test().and_then(|found| score(&found)),
            last,
            timing: files.timing()?,
            reached_target,
            micro_batch: taken.filter(|rows| *rows < asked),
            epochs,
        }))
    }

    /// Spent on training steps.
    pub fn train_seconds(&self) -> f64 {
        self.timing.iter().map(|line| line.train_seconds).sum()
    }

    /// Spent on training and validation.
    pub fn seconds(&self) -> f64 {
        let measuring: f64 = self.timing.iter().map(|line| line.validation_seconds).sum();
        self.train_seconds() + measuring
    }

    /// How many runs shared its GPU at most, this one included.
    pub fn sharing(&self) -> usize {
        self.timing.iter().filter_map(|line| line.sharing).max().unwrap_or(1)
    }

    /// In bytes.
    pub fn peak_memory(&self) -> u64 {
        self.timing.iter().map(|line| line.peak_memory).max().unwrap_or(0)
    }
}

/// Runs that diverged or failed: those of this session as they ended, even if that could not be
/// recorded, and those of earlier sessions from their records.
pub(super) fn failures_of<'r>(
    runs: impl Iterator<Item = &'r Run>,
    folder: &Path,
    ends: impl Iterator<Item = (&'r Run, &'r Option<RunEnd>)>,
) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    let mut in_this_session = BTreeSet::new();
    for (run, end) in ends {
        in_this_session.insert(run.id());
        if let Some(end @ (RunEnd::Diverged { .. } | RunEnd::Failed { .. })) = end {
            failures.push((run.clone(), end.clone()));
        }
    }
    for run in runs.filter(|run| !in_this_session.contains(&run.id())) {
        match RunFolder::new(&folder.join(run.id())).record()?.map(|record| record.status) {
            Some(Status::Diverged { step }) => {
                failures.push((run.clone(), RunEnd::Diverged { step }));
            }
            Some(Status::Failed { message }) => {
                failures.push((run.clone(), RunEnd::Failed { message }));
            }
            _ => {}
        }
    }
    Ok(failures)
}
