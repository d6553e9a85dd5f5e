//! Writes down what a run tells while it is trained: records first, then TensorBoard's files.

use super::control::RunControl;
use super::curves::Curves;
use super::peak_memory::PeakMemory;
use super::protocol::{Alone, Report, Task};
use super::record::{EvaluationTimingLine, HistogramLine, RunFolder, TimingLine, wall_clock};
use super::resume::{Logs, truncate_to_checkpoint, unfit};
use crate::config::NoiseScaleSection;
use crate::error::UserError;
use crate::events::{Histogram, SessionEnd};
use crate::files::{self, Mark};
use crate::kernels::{Arrays, Engine};
use crate::probe::{self, NoiseLine};
use crate::spec::Shape;
use crate::spec::UpdateRule;
use crate::train::{
    Callback, EpochMetrics, EpochTimes, Evaluation, Outcome, Pause, Position, Progress, Spent,
    StepMetrics, TrainingLength,
};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Listens to one training.
pub(super) struct Recorder<'r> {
    logs: Logs,
    curves: Curves,
    peak_memory: &'r PeakMemory,
    emit: &'r mut dyn FnMut(Report),
    control: &'r RunControl,
    histograms: bool,
    alone: Option<Alone>,
    noise: Option<NoiseProbe>,
    /// When the last checkpoint was saved, or the session began.
    saved: Instant,
}

/// The time between two checkpoints, which is what a run loses whose worker is killed.
const CHECKPOINTS: Duration = Duration::from_secs(1);

/// Whether a checkpoint is due after this number of epochs, so long after the last one. After the first epoch it
/// always is: a run with more epochs and no checkpoint is damaged.
fn is_checkpoint_due(epochs: u64, since_last: Duration) -> bool {
    epochs == 1 || since_last >= CHECKPOINTS
}

/// How the gradient's noise is measured in a run.
struct NoiseProbe {
    section: NoiseScaleSection,
    optimizer: UpdateRule,
    /// After how many steps.
    checkpoints: BTreeSet<u64>,
    /// After how many steps it was measured.
    measured: BTreeSet<u64>,
    /// Training rows.
    rows: usize,
}

impl NoiseProbe {
    /// Whether it is still to be measured after this step; where the training ends too, unless it is to
    /// be measured before the first step alone.
    fn is_due(&self, step: u64, ends: bool) -> bool {
        let is_end = ends && self.checkpoints.len() > 1;
        (is_end || self.checkpoints.contains(&step)) && !self.measured.contains(&step)
    }
}

impl<'r> Recorder<'r> {
    /// Takes back what was recorded after the last checkpoint, and draws the curves of what
    /// remains, of a run on `rows` training rows.
    pub(super) fn resume(
        task: &Task,
        folder: &RunFolder,
        (rows, position): (usize, &Position),
        peak_memory: &'r PeakMemory,
        emit: &'r mut dyn FnMut(Report),
        control: &'r RunControl,
    ) -> Result<Self> {
        if let Some(why) = unfit(folder, position)? {
            // The study looks before it starts a run: this one was damaged since.
            return Err(UserError::new(
                why,
                "repeat the same command with `--retry-failed`: the run begins anew",
            )
            .into());
        }
        truncate_to_checkpoint(folder, position)?;
        let logs = Logs::open(folder)?;
        let curves = redraw_event_files(task, folder)?;
        let histograms = task.logging.histograms;
        let measured: BTreeSet<u64> = folder.noise()?.iter().map(|line| line.step).collect();
        let noise = task.probe.noise_scale.map(|section| {
            let train = &task.definition.arm.train;
            let length = TrainingLength::new(&task.definition.arm, rows);
            let checkpoints = probe::checkpoints(&section, &length);
            let optimizer = train.optimizer.rule();
            NoiseProbe { section, optimizer, checkpoints, measured, rows }
        });
        let (alone, saved) = (task.alone, Instant::now());
        Ok(Self { logs, curves, peak_memory, emit, control, histograms, alone, noise, saved })
    }

    /// Seconds of training steps and of evaluations that are recorded.
    fn seconds(&self, spent: &Spent) -> [f64; 2] {
        match &self.alone {
            None => [spent.train_seconds, spent.validation_seconds],
            Some(alone) => alone.seconds(spent),
        }
    }

    /// Draws how the training ended, and makes its logs last; a run that was stopped has not ended.
    pub(super) fn end(&mut self, outcome: &Outcome) -> Result<()> {
        self.logs.sync()?;
        match outcome {
            Outcome::Finished(_) => self.curves.end(SessionEnd::Success),
            Outcome::Diverged { .. } => self.curves.end(SessionEnd::Failure),
            Outcome::Stopped => Ok(()),
        }
    }
}

/// The curves of what is recorded.
fn redraw_event_files(task: &Task, folder: &RunFolder) -> Result<Curves> {
    let (metrics, timing) = (folder.metrics()?, folder.timing()?);
    let begun = timing.first().map_or_else(wall_clock, |line| line.wall_time);
    let end_of = |epoch: u64| timing.get(epoch as usize).map_or(begun, |line| line.wall_time);
    let mut curves = Curves::begin(task, folder.path(), begun)?;
    let times = folder.evaluation_timing()?;
    let mut evaluations = folder.evaluations()?.into_iter().zip(times).peekable();
    for (metrics, timing) in metrics.iter().zip(&timing) {
        while let Some((found, times)) =
            evaluations.next_if(|(found, _)| found.epoch <= metrics.epoch)
        {
            curves.draw_evaluation(&found, times.wall_time)?;
        }
        curves.draw_epoch(metrics, timing)?;
    }
    for (found, times) in evaluations {
        curves.draw_evaluation(&found, times.wall_time)?;
    }
    for step in folder.steps()? {
        curves.draw_step(&step, end_of(step.epoch))?;
    }
    for line in folder.histograms()? {
        curves.draw_histogram(&line, end_of(line.epoch))?;
    }
    for line in folder.noise()? {
        let at = line.epochs.checked_sub(1).map_or(begun, end_of);
        curves.draw_noise(&line, at)?;
    }
    Ok(curves)
}

impl Callback for Recorder<'_> {
    fn on_progress(&mut self, progress: &Progress) -> Result<()> {
        (self.emit)(Report::Progress(*progress));
        Ok(())
    }

    fn on_steps(&mut self, steps: &[StepMetrics]) -> Result<()> {
        if !steps.is_empty() {
            self.logs.steps.append(steps)?;
        }
        let now = wall_clock();
        steps.iter().try_for_each(|step| self.curves.draw_step(step, now))
    }

    fn on_evaluation(&mut self, found: &Evaluation, spent: &Spent) -> Result<()> {
        let [train_seconds, validation_seconds] = self.seconds(spent);
        let (step, wall_time) = (found.step, wall_clock());
        let timing = EvaluationTimingLine { step, wall_time, train_seconds, validation_seconds };
        self.logs.evaluations.append(&[found])?;
        self.logs.evaluation_timing.append(&[files::seal(&timing)?])?;
        self.curves.draw_evaluation(found, timing.wall_time)
    }

    fn on_epoch_end(&mut self, metrics: &EpochMetrics, times: &EpochTimes) -> Result<()> {
        let [train_seconds, validation_seconds] = self.seconds(&times.spent);
        let timing = TimingLine {
            epoch: metrics.epoch,
            wall_time: wall_clock(),
            train_seconds,
            validation_seconds,
            examples_per_second: times.examples_per_second,
            sharing: self.alone.map(|alone| alone.sharing),
            peak_memory: self.peak_memory.get()?,
            micro_batch: times.micro_batch,
        };
        self.logs.metrics.append(&[metrics])?;
        self.logs.timing.append(&[files::seal(&timing)?])?;
        self.curves.draw_epoch(metrics, &timing)?;
        (self.emit)(Report::Epoch(Box::new(*metrics), timing));
        Ok(())
    }

    fn wants_weights(&self) -> bool {
        self.histograms
    }

    fn on_weights(&mut self, epoch: u64, shape: &Shape, weights: &Arrays) -> Result<()> {
        let mut lines = Vec::new();
        for (parameter, values) in shape.parameters().iter().zip(weights) {
            let Some(histogram) = Histogram::of(values) else { continue };
            lines.push(HistogramLine { epoch, parameter: parameter.path.clone(), histogram });
        }
        self.logs.histograms.append(&lines)?;
        let now = wall_clock();
        lines.iter().try_for_each(|line| self.curves.draw_histogram(line, now))
    }

    fn wants_pause(&self, step: u64) -> bool {
        self.noise.as_ref().is_some_and(|noise| noise.is_due(step, false))
    }

    fn on_pause(&mut self, pause: &Pause, engine: &mut dyn Engine) -> Result<ControlFlow<()>> {
        let Some(noise) = self.noise.as_ref() else { return Ok(ControlFlow::Continue(())) };
        if !noise.is_due(pause.step, pause.ends) {
            return Ok(ControlFlow::Continue(()));
        }
        let stop = || self.should_stop();
        let NoiseProbe { section, optimizer, rows, .. } = noise;
        let found = self
            .peak_memory
            .leave_out(|| probe::noise(engine, optimizer, section, *rows, &stop))?;
        let Some(probe::Noise { rows, plain, adam }) = found else {
            return Ok(match self.should_stop() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            });
        };
        let Pause { epochs, step, examples, .. } = *pause;
        if let Some(noise) = &mut self.noise {
            noise.measured.insert(step);
        }
        let line = NoiseLine { epochs, step, examples, rows, plain, adam };
        self.logs.noise.append(&[&line])?;
        self.curves.draw_noise(&line, wall_clock())?;
        Ok(ControlFlow::Continue(()))
    }

    fn wants_checkpoint(&self, epochs: u64) -> bool {
        is_checkpoint_due(epochs, self.saved.elapsed())
    }

    fn logs(&mut self) -> Result<BTreeMap<String, Mark>> {
        self.logs.sync()?;
        self.saved = Instant::now();
        Ok(self.logs.marks())
    }

    fn should_stop(&self) -> bool {
        self.control.stop.load(Ordering::Relaxed)
    }

    fn threads(&self) -> Option<usize> {
        Some(self.control.threads.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_after_the_first_epoch_and_then_once_a_second() {
        let due =
            |epochs, milliseconds| is_checkpoint_due(epochs, Duration::from_millis(milliseconds));
        assert_eq!([due(1, 0), due(2, 999), due(2, 1000), due(9, 5000)], [true, false, true, true]);
    }

    #[test]
    fn noise_is_measured_where_a_run_ends_unless_its_begin_alone_was_asked_for() {
        let due = |checkpoints: &[u64], measured: &[u64], step, ends| {
            let probe = NoiseProbe {
                section: NoiseScaleSection::default(),
                optimizer: UpdateRule::Sgd { momentum: 0.0, nesterov: false },
                checkpoints: checkpoints.iter().copied().collect(),
                measured: measured.iter().copied().collect(),
                rows: 9,
            };
            probe.is_due(step, ends)
        };
        assert!(due(&[0, 4, 20], &[0], 4, false) && !due(&[0, 4, 20], &[0], 7, false));
        assert!(due(&[0, 4, 20], &[0, 4], 7, true), "it ended before its budget was spent");
        assert!(!due(&[0, 4, 20], &[0, 4], 4, true), "measured already");
        assert!(due(&[0], &[], 0, false) && !due(&[0], &[0], 20, true));
    }
}
