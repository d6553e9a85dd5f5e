//! `batchscope check FILE.yaml`: is it right, what would run, and what would it cost?

use super::diagnostics::Output;
use super::progress::Progress;
use super::{ExperimentArgs, cache, diagnostics, format, tables};
use crate::config::{Optimizer, Schedule};
use crate::data::Facts;
use crate::study::{Estimate, Plan, estimate, prepare};
use anyhow::Result;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'p> {
    study: &'p str,
    folder: &'p Path,
    device: &'static str,
    /// Runs trained at a time.
    parallel: usize,
    runs: usize,
    /// Runs before those, which find learning rates; more if rates beyond the first have to be tried.
    tuning_runs: usize,
    data: &'p Facts,
    arms: Vec<Arm<'p>>,
    /// Of the whole study.
    seconds: f64,
    disk_bytes: u64,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Arm<'p> {
    name: &'p str,
    batch_size: usize,
    /// Of an arm that is tuned, with the rate around which it is looked for.
    optimizer: &'p Optimizer,
    tuning_runs: usize,
    schedule: &'p Schedule,
    /// Of the model.
    parameters: usize,
    epochs: u64,
    steps_per_epoch: u64,
    steps: u64,
    /// Of one run.
    seconds: f64,
    /// Of one run, in bytes.
    memory: u64,
}

pub(super) fn check(args: &ExperimentArgs, output: Output) -> Result<ExitCode> {
    let study = args.study()?;
    let folder = args.folder(&study)?;
    let mut pool = args.pool()?;
    let mut progress = Progress::new(output);
    let plan = prepare(&study, &cache(&folder), &pool, &mut progress)?;
    progress.stage("timing a few steps of each arm");
    let estimates = estimate(&plan, &mut pool)?;
    progress.finish();
    diagnostics::print_warnings(&plan.warnings());
    let parallel = pool.parallel(&plan, plan.runs.len());
    let seconds = plan.total_seconds(&estimates, parallel, pool.start_up());
    let most = plan.at_most().map(|most| {
        let parallel = pool.parallel(&most, most.runs.len());
        let seconds = most.total_seconds(&estimates, parallel, pool.start_up());
        let (first, all) = (plan.study.seeds.len(), most.study.seeds.len());
        format!(
            "for the {first} seeds to begin with, at most about {} for {all},",
            format::duration(seconds)
        )
    });
    let text = format!(
        "{}\n\n{}\n\nabout {} {} and {} on disk in {}; time and memory are estimated \
         from a few steps of each arm, just now, on this machine{}",
        tables::headline(&plan, &pool, parallel),
        tables::costs(&plan, &estimates),
        format::duration(seconds),
        most.as_deref().unwrap_or("in all"),
        format::bytes(plan.disk_bytes(parallel)),
        folder.display(),
        if plan.study.tuned.is_empty() { "" } else { MORE },
    );
    output.answer(&document(&plan, &estimates, &folder, parallel, seconds), &text)?;
    Ok(ExitCode::SUCCESS)
}

const MORE: &str = "; learning rates beyond the first ones are not in it";

fn document<'p>(
    plan: &'p Plan,
    estimates: &[Estimate],
    folder: &'p Path,
    parallel: usize,
    seconds: f64,
) -> Document<'p> {
    let arms = plan.study.arms.iter().zip(estimates).map(|(arm, estimate)| {
        let course = plan.course(arm);
        Arm {
            name: &arm.name,
            batch_size: arm.batch_size,
            optimizer: &arm.train.optimizer,
            tuning_runs: plan.tuning_runs(arm),
            schedule: &arm.train.schedule,
            parameters: plan.shape(arm).parameter_count(),
            epochs: course.epochs(),
            steps_per_epoch: course.steps_per_epoch(),
            steps: course.steps(),
            seconds: estimate.seconds,
            memory: estimate.memory,
        }
    });
    Document {
        study: &plan.study.name,
        folder,
        device: plan.device_kind(),
        parallel,
        runs: plan.runs.len(),
        tuning_runs: plan.study.arms.iter().map(|arm| plan.tuning_runs(arm)).sum(),
        data: &plan.data.facts,
        arms: arms.collect(),
        seconds,
        disk_bytes: plan.disk_bytes(parallel),
        warnings: plan.warnings(),
    }
}
