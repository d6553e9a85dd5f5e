//! Records -> one row an arm.

use super::folder::StudyFolder;
use super::plan::{Plan, Run};
use super::protocol::RunEnd;
use super::record::{Record, Status};
use crate::config::Arm;
use crate::stats::{self, Summary};
use anyhow::Result;

/// What the runs of one arm came to.
#[derive(Debug, Clone)]
pub struct ArmSummary {
    /// The name of the arm.
    pub name: String,
    /// Examples per step.
    pub batch_size: usize,
    /// Runs that finished.
    pub finished: usize,
    /// Runs planned.
    pub planned: usize,
    /// Updates of one run.
    pub steps: u64,
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
}

/// A run that diverged or failed, and how.
pub type Failure = (Run, RunEnd);

/// Reads the records of all runs of a plan.
pub(super) fn summarise(plan: &Plan, folder: &StudyFolder) -> Result<Vec<ArmSummary>> {
    plan.study.arms.iter().map(|arm| summarise_arm(plan, folder, arm)).collect()
}

fn summarise_arm(plan: &Plan, folder: &StudyFolder, arm: &Arm) -> Result<ArmSummary> {
    let (mut validation, mut test) = (Vec::new(), Vec::new());
    let (mut seconds, mut rates) = (Vec::new(), Vec::new());
    let mut peak_memory = 0;
    let runs: Vec<&Run> = plan.runs.iter().filter(|run| run.arm.name == arm.name).collect();
    for run in &runs {
        let files = folder.run(run);
        let Some(record) = files.record()?.filter(|record| record.status == Status::Finished)
        else {
            continue;
        };
        let metrics = files.metrics()?;
        let restored = arm.train.early_stopping.as_ref().is_some_and(|s| s.restore_best_weights);
        let best = record.result.as_ref().and_then(|result| result.best_epoch);
        let best = best.filter(|_| restored);
        let taken = best.map_or(metrics.last(), |epoch| metrics.get(epoch as usize));
        validation.extend(taken.map(|line| line.validation.accuracy));
        test.extend(record.test().map(|metrics| metrics.accuracy));
        let timing = files.timing()?;
        let training: f64 = timing.iter().map(|line| line.train_seconds).sum();
        let measuring: f64 = timing.iter().map(|line| line.validation_seconds).sum();
        let rows = metrics.last().map_or(0, |line| line.examples) as f64;
        seconds.push(training + measuring);
        rates.push(rows / training.max(1e-9));
        let most = timing.iter().map(|line| line.peak_memory).max();
        peak_memory = peak_memory.max(most.unwrap_or(0));
    }
    Ok(ArmSummary {
        name: arm.name.clone(),
        batch_size: arm.batch_size,
        finished: validation.len(),
        planned: runs.len(),
        steps: plan.course(arm).steps(),
        validation_accuracy: stats::summarise(&validation),
        test_accuracy: stats::summarise(&test),
        seconds: stats::summarise(&seconds),
        examples_per_second: stats::summarise(&rates),
        peak_memory,
    })
}

/// Runs that diverged or failed: those of this session as they ended, even if that could not be
/// recorded, and those of earlier sessions from their records.
pub(super) fn failures<'r>(
    plan: &Plan,
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
    for run in plan.runs.iter().filter(|run| !in_this_session.contains(&run.id())) {
        if let Some(Record { status: Status::Diverged { step }, .. }) = folder.run(run).record()? {
            failures.push((run.clone(), RunEnd::Diverged { step }));
        }
    }
    Ok(failures)
}
