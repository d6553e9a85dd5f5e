//! Writes down what a run tells while it is trained: records first, then TensorBoard's files.

use super::protocol::{Report, TimingLine};
use super::record::{RunFolder, wall_clock};
use crate::error::UserError;
use crate::events::EventWriter;
use crate::files;
use crate::train::{Callback, EpochMetrics, EpochTimes, Metrics, Progress};
use anyhow::Result;
use std::path::Path;
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
    /// Takes back what was recorded after the last checkpoint, which ended `epochs` epochs, and
    /// draws the curves of what remains.
    pub(super) fn resume(
        folder: &'r RunFolder,
        epochs: u64,
        resolved: &str,
        peak_memory: &'r dyn Fn() -> Result<u64>,
        tell: &'r mut dyn FnMut(Report),
        stop: &'r AtomicBool,
    ) -> Result<Self> {
        files::keep_lines(&folder.metrics_log(), epochs as usize)?;
        files::keep_lines(&folder.timing_log(), epochs as usize)?;
        let (metrics, timing) = (folder.metrics()?, folder.timing()?);
        if metrics.len() as u64 != epochs || timing.len() as u64 != epochs {
            return Err(UserError::new(
                format!(
                    "{}: the checkpoint stands after {epochs} epochs, and the records of only {} are there",
                    folder.path().display(),
                    metrics.len().min(timing.len())
                ),
                "remove the folder of this run to train it anew",
            )
            .into());
        }
        let begun = timing.first().map_or_else(wall_clock, |line| line.wall_time);
        let mut curves = Curves::begin(folder.path(), begun, resolved)?;
        for (metrics, timing) in metrics.iter().zip(&timing) {
            curves.draw(metrics, timing)?;
        }
        Ok(Self { folder, curves, peak_memory, tell, stop })
    }
}

impl Callback for Recorder<'_> {
    fn on_progress(&mut self, progress: &Progress) -> Result<()> {
        (self.tell)(Report::Progress(*progress));
        Ok(())
    }

    fn on_epoch_end(&mut self, metrics: &EpochMetrics, times: &EpochTimes) -> Result<()> {
        let timing = TimingLine {
            epoch: metrics.epoch,
            wall_time: wall_clock(),
            train_seconds: times.train_seconds,
            validation_seconds: times.validation_seconds,
            examples_per_second: times.examples_per_second,
            peak_memory: (self.peak_memory)()?,
        };
        files::append_line(&self.folder.metrics_log(), metrics)?;
        files::append_line(&self.folder.timing_log(), &timing)?;
        self.curves.draw(metrics, &timing)?;
        (self.tell)(Report::Epoch(*metrics, timing));
        Ok(())
    }

    fn should_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The event files of one run, with Keras's tags: the step of a point is its 0-based epoch.
struct Curves {
    train: EventWriter,
    validation: EventWriter,
}

impl Curves {
    fn begin(folder: &Path, begun: f64, resolved: &str) -> Result<Self> {
        let mut train = EventWriter::replace(&folder.join("train"), begun)?;
        train.text("resolved_study", &format!("```yaml\n{resolved}\n```"), 0, begun)?;
        Ok(Self { train, validation: EventWriter::replace(&folder.join("validation"), begun)? })
    }

    fn draw(&mut self, metrics: &EpochMetrics, timing: &TimingLine) -> Result<()> {
        let (epoch, at) = (metrics.epoch as i64, timing.wall_time);
        let train = [
            ("epoch_loss", metrics.train.loss),
            ("epoch_accuracy", metrics.train.accuracy),
            ("epoch_learning_rate", metrics.learning_rate),
            ("epoch_examples_per_second", timing.examples_per_second),
        ];
        self.train.scalars(&train, epoch, at)?;
        self.validation.scalars(&measured(&metrics.validation), epoch, at)
    }
}

/// Draws the one point of the test split.
pub(super) fn draw_test(folder: &RunFolder, test: &Metrics, epochs: u64) -> Result<()> {
    let now = wall_clock();
    let mut writer = EventWriter::replace(&folder.path().join("test"), now)?;
    writer.scalars(&measured(test), epochs.saturating_sub(1) as i64, now)
}

fn measured(metrics: &Metrics) -> [(&'static str, f64); 2] {
    [("epoch_loss", metrics.loss), ("epoch_accuracy", metrics.accuracy)]
}
