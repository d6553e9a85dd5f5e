//! Records -> one row an arm.

use super::folder::StudyFolder;
use super::plan::Run;
use super::protocol::RunEnd;
use super::record::{RunFolder, Status};
use crate::config::Arm;
use crate::stats::{self, Summary};
use anyhow::Result;
use serde::Serialize;
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
    /// After the last epoch, over the finished runs.
    pub validation_accuracy: Option<Summary>,
    /// With the weights of the last epoch, over the finished runs.
    pub test_accuracy: Option<Summary>,
    /// Seconds of one run.
    pub seconds: Option<Summary>,
    /// Training rows a second of one run.
    pub examples_per_second: Option<Summary>,
    /// The most memory that a run took, in bytes.
    pub peak_memory: u64,
    /// Whether the accuracies are those of each run's best epoch.
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
    let (mut validation, mut test) = (Vec::new(), Vec::new());
    let (mut steps, mut seconds, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let (mut peak_memory, mut micro_batch) = (0, None);
    let restored = arm.train.early_stopping.as_ref().is_some_and(|s| s.restore_best_weights);
    for run in runs {
        let files = RunFolder::new(&folder.join(run.id()));
        let Some(record) = files.record()?.filter(|record| record.status == Status::Finished)
        else {
            continue;
        };
        let metrics = files.metrics()?;
        let Some(last) = metrics.last() else { continue };
        let best = record.result.as_ref().and_then(|result| result.best_epoch);
        let best = best.filter(|_| restored).and_then(|epoch| metrics.get(epoch as usize));
        validation.push(best.unwrap_or(last).validation.accuracy);
        test.extend(record.test().map(|metrics| metrics.accuracy));
        let taken = record.result.as_ref().and_then(|result| result.micro_batch);
        let asked = arm.train.micro_batch.map_or(usize::MAX, |rows| rows as usize);
        let smaller = taken.filter(|rows| *rows < asked);
        micro_batch = smaller.into_iter().chain(micro_batch).min();
        let timing = files.timing()?;
        let training: f64 = timing.iter().map(|line| line.train_seconds).sum();
        let measuring: f64 = timing.iter().map(|line| line.validation_seconds).sum();
        steps.push(last.step as f64);
        seconds.push(training + measuring);
        rates.push(last.examples as f64 / training.max(1e-9));
        let most = timing.iter().map(|line| line.peak_memory).max();
        peak_memory = peak_memory.max(most.unwrap_or(0));
    }
    Ok(ArmSummary {
        name: arm.name.clone(),
        batch_size: arm.batch_size,
        finished: validation.len(),
        planned: runs.len(),
        steps: stats::summarise(&steps),
        validation_accuracy: stats::summarise(&validation),
        test_accuracy: stats::summarise(&test),
        seconds: stats::summarise(&seconds),
        examples_per_second: stats::summarise(&rates),
        peak_memory,
        restored,
        micro_batch,
    })
}

/// Runs that diverged or failed: those of this session as they ended, even if that could not be
/// recorded, and those of earlier sessions from their records.
pub(super) fn failures<'r>(
    runs: impl Iterator<Item = &'r Run>,
    folder: &StudyFolder,
    ends: impl Iterator<Item = (&'r Run, &'r Option<RunEnd>)>,
) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    let mut in_this_session = Vec::new();
    for (run, end) in ends {
        in_this_session.push(run.id());
        if let Some(end @ (RunEnd::Diverged { .. } | RunEnd::Failed { .. })) = end {
            failures.push((run.clone(), end.clone()));
        }
    }
    for run in runs.filter(|run| !in_this_session.contains(&run.id())) {
        match folder.run(run).record()?.map(|record| record.status) {
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
