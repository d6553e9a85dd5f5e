//! `batchscope check FILE.yaml`: is it right, what would run, and what would it cost?

use super::diagnostics::Output;
use super::progress::Progress;
use super::{ExperimentArgs, cache, diagnostics, format, tables};
use crate::config::Schedule;
use crate::data::Facts;
use crate::spec::Optimizer;
use crate::study::{Estimate, Plan, Pool, RunCount, estimate, prepare};
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
    /// Of these, with those that find learning rates: runs that the folder does not hold yet.
    unfinished: usize,
    /// Of the unfinished runs.
    seconds: f64,
    /// Of the unfinished runs, for workers that train one run at a time at this machine's speed.
    worker_hours: f64,
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
    let mut study = args.study()?;
    let folder = args.folder(&study)?;
    diagnostics::print_warnings(&study.take_finished(&folder)?);
    let mut pool = args.pool()?;
    let mut progress = Progress::new(output);
    let plan = prepare(&study, &cache(&folder), &pool, &mut progress)?;
    progress.stage("timing a few steps of each arm");
    let estimates = estimate(&plan, &mut pool)?;
    progress.finish();
    diagnostics::print_warnings(&plan.warnings());
    let parallel = pool.parallel(&plan, plan.runs.len());
    let left = plan.unfinished(&folder)?;
    let cost = Cost { plan: &plan, estimates: &estimates, folder: &folder, pool: &pool, left };
    let curves = tables::without_curves(&plan);
    let text = format!(
        "{}{}\n\n{}\n\n{} {} on disk in {}; time and memory are estimated from a few steps on \
         this machine{}{}",
        tables::headline(&plan, &pool, parallel)?,
        curves.map_or(String::new(), |line| format!("\n{line}")),
        tables::costs(&plan, &estimates),
        cost.time()?,
        format::bytes(plan.disk_bytes(parallel)),
        folder.display(),
        if plan.study.tuned.is_empty() { "" } else { MORE },
        cost.of_workers(),
    );
    output.answer(&cost.document(parallel), &text)?;
    Ok(ExitCode::SUCCESS)
}

/// What a study takes beyond what its folder holds already.
struct Cost<'p> {
    plan: &'p Plan,
    estimates: &'p [Estimate],
    folder: &'p Path,
    pool: &'p Pool,
    /// Runs of each arm that are not finished.
    left: Vec<RunCount>,
}

impl<'p> Cost<'p> {
    /// Seconds of runs of each arm, of a study that trains some at a time.
    fn seconds(&self, plan: &Plan, runs: &[RunCount], parallel: usize) -> f64 {
        plan.seconds_of(runs, self.estimates, parallel, self.pool.start_up())
    }

    /// Of what is left of the study here.
    fn seconds_left(&self) -> f64 {
        let parallel = self.pool.parallel(self.plan, self.plan.runs.len());
        self.seconds(self.plan, &self.left, parallel)
    }

    /// Of the same, for workers that train one run at a time at this machine's speed.
    fn worker_hours(&self) -> f64 {
        self.seconds(self.plan, &self.left, 1) / 3600.0
    }

    /// The time, with the runs that it is for where some are finished.
    fn time(&self) -> Result<String> {
        let planned = all(&self.plan.planned());
        let left = all(&self.left);
        let time = format::duration(self.seconds_left());
        let first = self.plan.study.seeds.len();
        let begin = match planned - left {
            0 => format!("about {time}"),
            _ if left == 0 => return Ok("all runs are finished, nothing is left to train;".into()),
            finished => {
                format!("{finished} of {planned} runs are finished; about {time} for the others")
            }
        };
        let Some(most) = self.plan.at_most() else {
            return Ok(if left == planned {
                format!("{begin} in all and")
            } else {
                begin + " and"
            });
        };
        let parallel = self.pool.parallel(&most, most.runs.len());
        let seconds = self.seconds(&most, &most.unfinished(self.folder)?, parallel);
        Ok(format!(
            "{begin} for the {first} seeds to begin with, at most about {} for {}, and",
            format::duration(seconds),
            most.study.seeds.len()
        ))
    }

    /// What to ask a scheduler for, where something is left.
    fn of_workers(&self) -> String {
        let hours = self.worker_hours();
        match hours > 0.0 {
            true => format!(
                "\nwith `batchscope work`: about {} worker-hours, where each worker trains one run at a time at \
                 this machine's speed",
                hours_in_words(hours)
            ),
            false => String::new(),
        }
    }

    fn document(&self, parallel: usize) -> Document<'p> {
        let plan = self.plan;
        Document {
            study: &plan.study.name,
            folder: self.folder,
            device: plan.device_kind(),
            parallel,
            runs: plan.runs.len(),
            tuning_runs: plan.study.arms.iter().map(|arm| plan.tuning_runs(arm)).sum(),
            data: &plan.data.facts,
            arms: arms(plan, self.estimates),
            unfinished: all(&self.left),
            seconds: self.seconds_left(),
            worker_hours: self.worker_hours(),
            disk_bytes: plan.disk_bytes(parallel),
            warnings: plan.warnings(),
        }
    }
}

/// Two digits, or whole hours where there are more.
fn hours_in_words(hours: f64) -> String {
    match hours {
        hours if hours >= 99.5 => format::count(hours.round() as u64),
        hours if hours >= 9.95 => format!("{hours:.0}"),
        hours if hours >= 0.095 => format!("{hours:.1}"),
        hours if hours >= 0.0095 => format!("{hours:.2}"),
        _ => "0.01".into(),
    }
}

fn all(runs: &[RunCount]) -> usize {
    runs.iter().map(|of| of.report + of.tuning).sum()
}

const MORE: &str = "; tuning may try more learning rates, which are not included";

fn arms<'p>(plan: &'p Plan, estimates: &[Estimate]) -> Vec<Arm<'p>> {
    let arms = plan.study.arms.iter().zip(estimates).map(|(arm, estimate)| {
        let length = plan.training_length(arm);
        Arm {
            name: &arm.name,
            batch_size: arm.batch_size,
            optimizer: &arm.train.optimizer,
            tuning_runs: plan.tuning_runs(arm),
            schedule: &arm.train.schedule,
            parameters: plan.shape(arm).parameter_count(),
            epochs: length.epochs(),
            steps_per_epoch: length.steps_per_epoch(),
            steps: length.steps(),
            seconds: estimate.seconds,
            memory: estimate.memory,
        }
    });
    arms.collect()
}
