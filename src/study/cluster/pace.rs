//! How far a worker is with its runs, and how fast: said beside that it lives, for people who look.

use super::members::{Presence, Standing};
use crate::study::Observer;
use crate::study::exec::Job;
use crate::study::plan::Plan;
use crate::study::protocol::RunEnd;
use crate::study::record::TimingLine;
use crate::study::run::Run;
use crate::train::{EpochMetrics, Progress};
use std::collections::BTreeMap;
use std::time::Instant;

/// When this worker first heard of a run, and how far it was.
#[derive(Debug)]
pub(super) struct Begun {
    at: Instant,
    examples: u64,
}

/// Listens to the runs of a worker, and passes on what it hears.
pub(super) struct Pace<'p> {
    pub(super) plan: &'p Plan,
    pub(super) presence: &'p Presence,
    pub(super) begun: &'p mut BTreeMap<String, Begun>,
    pub(super) observer: &'p mut dyn Observer,
}

impl Pace<'_> {
    fn reached(&mut self, run: &Run, examples: u64, examples_per_second: f64) {
        let all_examples = self.plan.training_length(&run.arm).examples();
        let examples = examples.min(all_examples);
        let now = Instant::now();
        let begun = self.begun.entry(run.id()).or_insert(Begun { at: now, examples });
        let worked = examples.saturating_sub(begun.examples);
        let seconds = (now - begun.at).as_secs_f64();
        let left = (all_examples - examples) as f64;
        let seconds_left = seconds_left(left, (worked as f64, seconds), examples_per_second);
        let run = run.id();
        let epochs = examples / (self.plan.data.facts.train.examples as u64).max(1);
        self.presence.set_standing(Standing {
            run,
            epochs,
            examples,
            all_examples,
            examples_per_second,
            seconds_left,
        });
    }
}

/// Seconds for the `left` rows, by how long the `worked` rows took here; at first by the speed of training.
fn seconds_left(left: f64, (worked, seconds): (f64, f64), examples_per_second: f64) -> f64 {
    match worked > 0.0 && seconds > 1.0 {
        true => left * seconds / worked,
        false => left / examples_per_second.max(1e-9),
    }
}

impl Observer for Pace<'_> {
    fn on_progress(&mut self, run: &Run, progress: &Progress) {
        let rows = self.plan.data.facts.train.examples as u64;
        let in_epoch = (progress.batch * run.arm.batch_size as u64).min(rows);
        self.reached(run, progress.epoch * rows + in_epoch, progress.examples_per_second);
        self.observer.on_progress(run, progress);
    }

    fn on_epoch(&mut self, run: &Run, metrics: &EpochMetrics, timing: &TimingLine) {
        self.reached(run, metrics.examples, timing.examples_per_second);
        self.observer.on_epoch(run, metrics, timing);
    }

    fn on_run_end(&mut self, run: &Run, end: &RunEnd) {
        self.begun.remove(&run.id());
        self.observer.on_run_end(run, end);
    }

    fn on_measured(&mut self, job: &Job, end: &RunEnd) {
        self.observer.on_measured(job, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_rows_so_far_or_of_training_alone_at_first() {
        for (left, so_far, speed, wanted) in [
            (300.0, (100.0, 20.0), 50.0, 60.0),
            (300.0, (0.0, 20.0), 50.0, 6.0),
            (300.0, (100.0, 0.5), 50.0, 6.0),
            (0.0, (0.0, 0.0), 0.0, 0.0),
        ] {
            let found = seconds_left(left, so_far, speed);
            assert!((found - wanted).abs() < 1e-9, "{found} s, not {wanted} s");
        }
    }
}
