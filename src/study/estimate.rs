//! What a study will cost, from a few timed steps of each arm on this machine.

use super::plan::{Plan, Run};
use super::pool::Pool;
use crate::config::Arm;
use anyhow::Result;
use std::time::Duration;

/// The cost of one arm.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// Seconds of one of its runs.
    pub seconds: f64,
    /// Peak memory of one of its runs in bytes: of a process on CPU, of the device on CUDA.
    pub memory: u64,
}

/// Times each arm in turn, on one worker that has the machine for itself.
pub fn estimate(plan: &Plan, pool: &mut Pool) -> Result<Vec<Estimate>> {
    let facts = &plan.data.facts;
    let mut estimates = Vec::new();
    for arm in &plan.study.arms {
        let run = Run { arm: arm.clone(), seed: 0 };
        let probe = pool.probe(plan, &run)?;
        let course = plan.course(arm);
        let training = course.steps() as f64 * probe.seconds_per_step;
        let rows = facts.validation.examples as f64;
        let validation = rows * probe.seconds_per_validation_row;
        let test = facts.test.examples as f64 * probe.seconds_per_validation_row;
        let measurements = course.measurements(arm.train.evaluate_every);
        let seconds = training + measurements as f64 * validation + test;
        estimates.push(Estimate { seconds, memory: probe.peak_memory });
    }
    Ok(estimates)
}

impl Plan {
    /// Seconds of the whole study with the workers' start, when `parallel` runs are trained at a
    /// time. Learning rates beyond those that are tried at first are not counted.
    pub fn total_seconds(
        &self,
        estimates: &[Estimate],
        parallel: usize,
        start_up: Duration,
    ) -> f64 {
        let one_seed: f64 = estimates.iter().map(|estimate| estimate.seconds).sum();
        let tuning = self
            .study
            .arms
            .iter()
            .zip(estimates)
            .map(|(arm, estimate)| self.study.tuning_runs(arm) as f64 * estimate.seconds);
        let tuning = tuning.sum::<f64>() / parallel as f64;
        let longest = estimates.iter().map(|estimate| estimate.seconds).fold(0.0, f64::max);
        let training = (one_seed * self.study.seeds.len() as f64 / parallel as f64).max(longest);
        start_up.as_secs_f64() + tuning + training
    }

    /// About how many bytes a study takes on disk: the weights of every run (twice if the best are
    /// kept), its records and event files, and checkpoints (weights and two moments) of those in
    /// training. Prepared data are not counted.
    pub fn disk_bytes(&self, parallel: usize) -> u64 {
        let weights = |arm: &Arm| 4 * self.shape(arm).parameter_count() as u64;
        let arms = self.study.arms.iter();
        let one_seed: u64 = arms.clone().map(|arm| self.run_bytes(arm, weights(arm))).sum();
        let largest = arms.map(weights).max().unwrap_or(0);
        let tuning = self.study.arms.iter().map(|arm| {
            // Their records alone are kept.
            self.study.tuning_runs(arm) as u64 * (self.run_bytes(arm, 0) / 2)
        });
        let tuning: u64 = tuning.sum();
        self.study.seeds.len() as u64 * one_seed + tuning + parallel as u64 * 3 * largest
    }

    /// Bytes of one finished run; sizes of lines and events were read off runs of the quickstart.
    fn run_bytes(&self, arm: &Arm, weights: u64) -> u64 {
        const ONCE: u64 = 16 * 1024;
        const EPOCH: u64 = 2000;
        const EVALUATION: u64 = 800;
        const RECORDED_STEP: u64 = 500;
        const TEST_ROW: u64 = 40;
        let course = self.course(arm);
        let logging = &self.study.experiment.train.logging;
        let steps = course.steps().checked_div(logging.every_steps).unwrap_or(0);
        let histograms = if logging.histograms { 6 * 2500 } else { 0 };
        let evaluations = course.measurements(arm.train.evaluate_every) - course.epochs();
        let restores = arm.train.early_stopping.as_ref().is_some_and(|s| s.restore_best_weights);
        let copies = if restores { 2 } else { 1 };
        let test = self.data.facts.test.examples as u64 * TEST_ROW;
        ONCE + copies * weights
            + course.epochs() * (EPOCH + histograms)
            + evaluations * EVALUATION
            + steps * RECORDED_STEP
            + test
    }
}
