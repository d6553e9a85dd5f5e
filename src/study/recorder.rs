//! Writes down what a run tells while it is trained: records first, then TensorBoard's files.

use super::curves::Curves;
use super::protocol::{Report, Task, TimingLine};
use super::record::{RunFolder, wall_clock};
use crate::error::UserError;
use crate::files;
use crate::train::{Callback, EpochMetrics, EpochTimes, Position, Progress, StepMetrics};
use anyhow::Result;
use std::sync::atomic::{AtomicBool, Ordering};

/// Listens to one training.
pub(super) struct Recorder<'r> {
    folder: &'r RunFolder,
    curves: Curves,
    peak_memory: &'r dyn Fn() -> Result<u64>,
    tell: &'r mut dyn FnMut(Report),
    stop: &'r AtomicBool,
}

impl<'r> Recorder<'r> {
    /// Takes back what was recorded after the last checkpoint, and draws the curves of what
    /// remains.
    pub(super) fn resume(
        task: &Task,
        folder: &'r RunFolder,
        position: &Position,
        peak_memory: &'r dyn Fn() -> Result<u64>,
        tell: &'r mut dyn FnMut(Report),
        stop: &'r AtomicBool,
    ) -> Result<Self> {
        take_back(folder, position)?;
        let (metrics, timing) = (folder.metrics()?, folder.timing()?);
        let begun = timing.first().map_or_else(wall_clock, |line| line.wall_time);
        let mut curves = Curves::begin(task, folder.path(), begun)?;
        for (metrics, timing) in metrics.iter().zip(&timing) {
            curves.draw_epoch(metrics, timing)?;
        }
        for step in folder.steps()? {
            let at = timing.get(step.epoch as usize).map_or(begun, |line| line.wall_time);
            curves.draw_step(&step, at)?;
        }
        Ok(Self { folder, curves, peak_memory, tell, stop })
    }
}

/// Removes the lines of epochs and steps after this position.
fn take_back(folder: &RunFolder, position: &Position) -> Result<()> {
    let epochs = position.epoch as usize;
    files::keep_lines(&folder.metrics_log(), epochs)?;
    files::keep_lines(&folder.timing_log(), epochs)?;
    let steps = folder.steps()?;
    let kept = steps.iter().take_while(|line| line.step <= position.step).count();
    files::keep_lines(&folder.steps_log(), kept)?;
    let found = folder.metrics()?.len().min(folder.timing()?.len());
    match found == epochs {
        true => Ok(()),
        false => Err(UserError::new(
            format!(
                "{}: the checkpoint stands after {epochs} epochs, and the records of only {found} \
                 are there",
                folder.path().display(),
            ),
            "remove the folder of this run to train it anew",
        )
        .into()),
    }
}

impl Callback for Recorder<'_> {
    fn on_progress(&mut self, progress: &Progress) -> Result<()> {
        (self.tell)(Report::Progress(*progress));
        Ok(())
    }

    fn on_steps(&mut self, steps: &[StepMetrics]) -> Result<()> {
        if !steps.is_empty() {
            files::append_lines(&self.folder.steps_log(), steps)?;
        }
        if self.should_stop() {
            // The checkpoint that follows must find these lines after a crash, too.
            files::sync(&self.folder.steps_log())?;
        }
        let now = wall_clock();
        steps.iter().try_for_each(|step| self.curves.draw_step(step, now))
    }

    fn on_epoch_end(&mut self, metrics: &EpochMetrics, times: &EpochTimes) -> Result<()> {
        let timing = TimingLine {
            epoch: metrics.epoch,
            wall_time: wall_clock(),
            train_seconds: times.train_seconds,
            validation_seconds: times.validation_seconds,
            examples_per_second: times.examples_per_second,
            peak_memory: (self.peak_memory)()?,
            micro_batch: times.micro_batch,
        };
        files::sync(&self.folder.steps_log())?;
        files::append_line(&self.folder.metrics_log(), metrics)?;
        files::append_line(&self.folder.timing_log(), &timing)?;
        self.curves.draw_epoch(metrics, &timing)?;
        (self.tell)(Report::Epoch(*metrics, timing));
        Ok(())
    }

    fn should_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
