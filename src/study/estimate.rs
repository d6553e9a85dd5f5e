//! What a study will cost, from a few timed steps of each arm on this machine.

use super::exec::Pool;
use super::plan::Plan;
use super::rates::read_undamaged;
use super::record::{RunFolder, Status};
use super::run::Run;
use crate::config::{Arm, CurvesOf, Sampling};
use crate::probe;
use anyhow::Result;
use std::path::Path;
use std::time::Duration;

/// The cost of one arm.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// Seconds of one of its runs, with what its epochs write.
    pub seconds: f64,
    /// Seconds of what `study.probe` measures of a run that is reported.
    pub measuring: f64,
    /// Peak memory of one of its runs in bytes: of a process on CPU, of the device on CUDA.
    pub memory: u64,
}

/// How many runs an arm has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunCount {
    /// That are reported.
    pub report: usize,
    /// That find its learning rate.
    pub tuning: usize,
}

/// Times each arm in turn, on one worker that has the machine for itself.
pub fn estimate(plan: &Plan, pool: &mut Pool) -> Result<Vec<Estimate>> {
    let facts = &plan.data.facts;
    let mut estimates = Vec::new();
    for arm in &plan.study.arms {
        let times = pool.time(plan, arm)?;
        let length = plan.training_length(arm);
        let training = length.steps() as f64 * times.seconds_per_step;
        let rows = facts.validation.examples as f64;
        let validation = rows * times.seconds_per_validation_row;
        let test = facts.test.examples as f64 * times.seconds_per_validation_row;
        let measurements = length.measurements(arm.train.evaluate_every);
        let writing = length.epochs() as f64 * times.seconds_per_epoch;
        let seconds = training + measurements as f64 * validation + test + writing;
        let per_row = times.seconds_per_step / arm.batch_size as f64;
        let measuring = per_row * rows_measured(plan, arm);
        estimates.push(Estimate { seconds, measuring, memory: times.peak_memory });
    }
    Ok(estimates)
}

/// Training rows whose steps take as long as the measurements of a run.
fn rows_measured(plan: &Plan, arm: &Arm) -> f64 {
    /// Gradients of one measurement of sharpness, and how much longer one takes in f64 than a step of
    /// the run's engine: read off `decompose` on 2026-11-24.
    const GRADIENTS: f64 = 110.0;
    const LONGER: f64 = 4.0;
    let probe = &plan.study.experiment.study.probe;
    let of_split = |rows: u32| f64::from(rows).min(plan.data.facts.train.examples as f64);
    let noise = probe.noise_scale.map_or(0.0, |section| {
        let checkpoints = probe::checkpoints(&section, &plan.training_length(arm)).len();
        checkpoints as f64 * of_split(section.rows)
    });
    let sharpness =
        probe.sharpness.map_or(0.0, |section| GRADIENTS * LONGER * of_split(section.rows));
    noise + sharpness
}

impl Plan {
    /// All its runs, for each arm.
    pub fn planned(&self) -> Vec<RunCount> {
        let of = |arm: &Arm| RunCount {
            report: self.study.seeds_of(&arm.name).count(),
            tuning: self.tuning_runs(arm),
        };
        self.study.arms.iter().map(of).collect()
    }

    /// Those of them that a folder does not hold finished or diverged, for each arm.
    ///
    /// # Errors
    /// Where the folder cannot be read. Damaged runs count as not finished.
    pub fn unfinished(&self, folder: &Path) -> Result<Vec<RunCount>> {
        let (tunings, tuning_runs) = read_undamaged(&self.study, folder)?;
        let settled = self.settled(&tunings);
        let is_over = |run: &Run| {
            let record = RunFolder::new(&folder.join(run.id())).record().ok().flatten();
            record.is_some_and(|record| {
                matches!(record.status, Status::Finished | Status::Diverged { .. })
                    && record.definition == settled.definition(run)
            })
        };
        let over = |runs: &[Run], arm: &Arm| {
            runs.iter().filter(|run| run.arm.name == arm.name && is_over(run)).count()
        };
        let left = |(arm, planned): (&Arm, RunCount)| RunCount {
            report: planned.report.saturating_sub(over(&settled.runs, arm)),
            tuning: planned.tuning.saturating_sub(over(&tuning_runs, arm)),
        };
        Ok(self.study.arms.iter().zip(self.planned()).map(left).collect())
    }

    /// Seconds of so many runs of each arm with the workers' start, when `parallel` runs are trained
    /// at a time.
    pub fn seconds_of(
        &self,
        runs: &[RunCount],
        estimates: &[Estimate],
        parallel: usize,
        start_up: Duration,
    ) -> f64 {
        let of_arm = |(runs, estimate): (&RunCount, &Estimate)| {
            let all = runs.report + runs.tuning;
            all as f64 * estimate.seconds + runs.report as f64 * estimate.measuring
        };
        let all: f64 = runs.iter().zip(estimates).map(of_arm).sum();
        match all > 0.0 {
            true => start_up.as_secs_f64() + spread(all, estimates, parallel),
            false => 0.0,
        }
    }

    /// Seconds of the runs that find learning rates, with as many rates as may have to be tried.
    pub fn tuning_seconds(&self, estimates: &[Estimate], parallel: usize) -> f64 {
        let more = self.study.tuning().map_or(0, |rule| match rule.sampling {
            Sampling::Grid => (rule.extend * rule.seeds) as usize,
            Sampling::QuasiRandom => 0,
        });
        let of_arm = |(arm, estimate): (&Arm, &Estimate)| match self.tuning_runs(arm) {
            0 => 0.0,
            runs => (runs + more) as f64 * estimate.seconds,
        };
        match self.study.arms.iter().zip(estimates).map(of_arm).sum() {
            0.0 => 0.0,
            all => spread(all, estimates, parallel),
        }
    }

    /// About how many bytes a study takes on disk: the weights of every run (twice if the best are
    /// kept) that is reported, the records and event files of all runs, and checkpoints (weights and
    /// two moments) of those in training. Prepared data are not counted.
    pub fn disk_bytes(&self, parallel: usize) -> u64 {
        let weights = |arm: &Arm| 4 * self.shape(arm).parameter_count() as u64;
        let arms = self.study.arms.iter();
        let of_arm = |arm: &Arm| {
            self.study.seeds_of(&arm.name).count() as u64 * self.report_bytes(arm, weights(arm))
                + self.tuning_runs(arm) as u64 * self.log_bytes(arm)
        };
        let all: u64 = arms.clone().map(of_arm).sum();
        let largest = arms.map(weights).max().unwrap_or(0);
        all + parallel as u64 * 3 * largest
    }

    /// Bytes of one finished run that is reported.
    fn report_bytes(&self, arm: &Arm, weights: u64) -> u64 {
        const TEST_ROW: u64 = 40;
        let measured = self.study.experiment.study.probe.sharpness.is_some();
        let copies = 1 + u64::from(arm.train.restores_best()) + u64::from(measured);
        self.log_bytes(arm) + copies * weights + self.data.facts.test.examples as u64 * TEST_ROW
    }

    /// Bytes of the records and event files of a run; sizes of lines and events were read off runs
    /// of the quickstart.
    fn log_bytes(&self, arm: &Arm) -> u64 {
        const ONCE: u64 = 16 * 1024;
        const EPOCH: u64 = 2000;
        const EVALUATION: u64 = 800;
        const RECORDED_STEP: u64 = 500;
        /// Of these bytes, those of event files: the others are records. Read off six runs of `decompose`,
        /// `watch_exercises` and `weather_forecast`: 0.37 to 0.48 (2026-11-27).
        const EVENTS: f64 = 0.4;
        let length = self.training_length(arm);
        let logging = &self.study.experiment.train.logging;
        let steps = length.steps().checked_div(logging.every_steps).unwrap_or(0);
        let histograms = if logging.histograms { 6 * 2500 } else { 0 };
        let evaluations = length.measurements(arm.train.evaluate_every) - length.epochs();
        let drawn = ONCE
            + length.epochs() * (EPOCH + histograms)
            + evaluations * EVALUATION
            + steps * RECORDED_STEP;
        match logging.curves {
            CurvesOf::Arms => (drawn as f64 * (1.0 - EVENTS)) as u64,
            CurvesOf::Auto | CurvesOf::Runs => drawn,
        }
    }
}

/// So many seconds of training on workers side by side; no run is shared among them.
fn spread(seconds: f64, estimates: &[Estimate], parallel: usize) -> f64 {
    let longest = estimates.iter().map(|estimate| estimate.seconds).fold(0.0, f64::max);
    (seconds / parallel as f64).max(longest)
}
