//! Records -> one row an arm.

use super::folder::StudyFolder;
use super::plan::{Plan, Run};
use super::record::Status;
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

/// A run that diverged or failed, and why.
pub type Failure = (Run, String);

/// Reads the records of all runs of a plan; also gives the runs that diverged or failed.
pub fn summarise(plan: &Plan, folder: &StudyFolder) -> Result<(Vec<ArmSummary>, Vec<Failure>)> {
    let mut failures = Vec::new();
    let mut arms = Vec::new();
    for arm in &plan.study.arms {
        let (mut validation, mut test) = (Vec::new(), Vec::new());
        let (mut seconds, mut rates) = (Vec::new(), Vec::new());
        let mut peak_memory = 0;
        let runs: Vec<&Run> = plan.runs.iter().filter(|run| run.arm.name == arm.name).collect();
        for run in &runs {
            let files = folder.run(run);
            let Some(record) = files.record()? else { continue };
            match record.status {
                Status::Finished => {}
                Status::Running => continue,
                Status::Diverged { step } => {
                    failures
                        .push(((*run).clone(), format!("the loss of step {step} is not finite")));
                    continue;
                }
                Status::Failed { message } => {
                    failures.push(((*run).clone(), message));
                    continue;
                }
            }
            validation.extend(files.metrics()?.last().map(|line| line.validation.accuracy));
            test.extend(record.test.map(|metrics| metrics.accuracy));
            let timing = files.timing()?;
            let training: f64 = timing.iter().map(|line| line.train_seconds).sum();
            let measuring: f64 = timing.iter().map(|line| line.validation_seconds).sum();
            let rows = plan.data.facts.train.examples as f64 * timing.len() as f64;
            seconds.push(training + measuring);
            rates.push(rows / training.max(1e-9));
            let most = timing.iter().map(|line| line.peak_memory).max();
            peak_memory = peak_memory.max(most.unwrap_or(0));
        }
        arms.push(ArmSummary {
            name: arm.name.clone(),
            batch_size: arm.batch_size,
            finished: validation.len(),
            planned: runs.len(),
            steps: plan.steps_per_epoch(arm) * arm.epochs,
            validation_accuracy: stats::summarise(&validation),
            test_accuracy: stats::summarise(&test),
            seconds: stats::summarise(&seconds),
            examples_per_second: stats::summarise(&rates),
            peak_memory,
        });
    }
    Ok((arms, failures))
}
