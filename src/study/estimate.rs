//! What a study will cost, from a few timed steps of each arm on this machine.

use super::plan::{Plan, Run};
use super::pool::Pool;
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
        let seconds = training + course.epochs() as f64 * validation + test;
        estimates.push(Estimate { seconds, memory: probe.peak_memory });
    }
    Ok(estimates)
}

impl Plan {
    /// Seconds of the whole study with the workers' start, when `parallel` runs are trained at a
    /// time.
    pub fn total_seconds(
        &self,
        estimates: &[Estimate],
        parallel: usize,
        start_up: Duration,
    ) -> f64 {
        let one_seed: f64 = estimates.iter().map(|estimate| estimate.seconds).sum();
        let longest = estimates.iter().map(|estimate| estimate.seconds).fold(0.0, f64::max);
        let training = (one_seed * self.study.seeds.len() as f64 / parallel as f64).max(longest);
        start_up.as_secs_f64() + training
    }

    /// Bytes on disk at the most: the weights of every run, checkpoints of those in training
    /// (weights and two moments), and some room for records and event files.
    pub fn disk_bytes(&self, parallel: usize) -> u64 {
        const RECORDS_AND_EVENTS: u64 = 64 * 1024;
        let sizes = self.study.arms.iter().map(|arm| self.shape(arm).parameter_count());
        let weights = 4 * sizes.max().unwrap_or(0) as u64;
        let runs = self.runs.len() as u64;
        runs * (weights + RECORDS_AND_EVENTS) + parallel as u64 * 3 * weights
    }
}
