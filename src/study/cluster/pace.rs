//! How far a worker is with its runs, and how fast: said beside that it lives, for people who look.

use super::members::{Standing, Voice};
use crate::study::additions::Looked;
use crate::study::exec::Job;
use crate::study::plan::Plan;
use crate::study::protocol::RunEnd;
use crate::study::record::TimingLine;
use crate::study::run::Run;
use crate::study::{Observer, Pending};
use crate::train::{EpochMetrics, Progress};
use std::collections::BTreeMap;
use std::time::Instant;

/// When this worker first heard of a run, and how far it was.
#[derive(Debug)]
struct Begun {
    at: Instant,
    examples: u64,
}

/// Listens to the runs of a worker, says how far they are, and passes on all that it hears.
pub(super) struct Pace<'p> {
    plan: &'p Plan,
    voice: Voice,
    begun: BTreeMap<String, Begun>,
    observer: &'p mut dyn Observer,
}

impl<'p> Pace<'p> {
    pub(super) fn new(plan: &'p Plan, voice: Voice, observer: &'p mut dyn Observer) -> Self {
        Self { plan, voice, begun: BTreeMap::new(), observer }
    }

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
        self.voice.set_standing(Standing {
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
    fn on_stage(&mut self, what: &str) {
        self.observer.on_stage(what);
    }

    fn on_plan(&mut self, plan: &Plan, pending: &Pending) {
        self.observer.on_plan(plan, pending);
    }

    fn on_more(&mut self, plan: &Plan, pending: &Pending) {
        self.observer.on_more(plan, pending);
    }

    fn on_look(&mut self, plan: &Plan, looked: &Looked) {
        self.observer.on_look(plan, looked);
    }

    fn on_tuning(&mut self, plan: &Plan, pending: &[Run], all: usize) {
        self.observer.on_tuning(plan, pending, all);
    }

    fn on_run_start(&mut self, run: &Run) {
        self.voice.begins(run.id());
        self.observer.on_run_start(run);
    }

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
        self.voice.ends(&run.id());
        self.observer.on_run_end(run, end);
    }

    fn on_measuring(&mut self, count: usize) {
        self.observer.on_measuring(count);
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
