//! The event files of one run, with Keras's tags.
//!
//! The step of an `epoch_...` point is its 0-based epoch, that of a `step_...` point the number of
//! updates. Everything is drawn from the records, and drawn again when a run goes on.

use super::protocol::{Task, TimingLine};
use super::record::{RunFolder, wall_clock};
use crate::config::Metric;
use crate::events::EventWriter;
use crate::train::{EpochMetrics, Metrics, StepMetrics};
use anyhow::Result;
use std::path::Path;

/// Draws a run that is being trained.
pub(super) struct Curves {
    train: EventWriter,
    validation: EventWriter,
    /// What is drawn beside the loss.
    metrics: Vec<Metric>,
}

impl Curves {
    /// Replaces the event files of earlier sessions.
    pub(super) fn begin(task: &Task, folder: &Path, begun: f64) -> Result<Self> {
        let mut train = EventWriter::replace(&folder.join("train"), begun)?;
        let text = format!("```yaml\n{}\n```", task.resolved);
        train.text("resolved_study", &text, 0, begun)?;
        let validation = EventWriter::replace(&folder.join("validation"), begun)?;
        Ok(Self { train, validation, metrics: task.metrics.clone() })
    }

    /// Adds the points of an epoch.
    pub(super) fn draw_epoch(&mut self, metrics: &EpochMetrics, timing: &TimingLine) -> Result<()> {
        let (epoch, at) = (metrics.epoch as i64, timing.wall_time);
        let mut train = measured(&metrics.train, &self.metrics);
        train.push(("epoch_learning_rate", metrics.learning_rate));
        train.push(("epoch_examples", metrics.examples as f64));
        train.push(("epoch_examples_per_second", timing.examples_per_second));
        self.train.scalars(&train, epoch, at)?;
        self.validation.scalars(&measured(&metrics.validation, &self.metrics), epoch, at)
    }

    /// Adds the points of a step.
    pub(super) fn draw_step(&mut self, step: &StepMetrics, at: f64) -> Result<()> {
        let points = [
            ("step_loss", step.loss),
            ("step_gradient_norm", step.gradient_norm),
            ("step_learning_rate", step.learning_rate),
            ("step_examples", step.examples as f64),
        ];
        self.train.scalars(&points, step.step as i64, at)
    }
}

/// Draws the one point of the test split.
pub(super) fn draw_test(
    folder: &RunFolder,
    test: &Metrics,
    metrics: &[Metric],
    epochs: u64,
) -> Result<()> {
    let now = wall_clock();
    let mut writer = EventWriter::replace(&folder.path().join("test"), now)?;
    writer.scalars(&measured(test, metrics), epochs.saturating_sub(1) as i64, now)
}

fn measured(found: &Metrics, wanted: &[Metric]) -> Vec<(&'static str, f64)> {
    let point = |metric: &Metric| match metric {
        Metric::Accuracy => Some(("epoch_accuracy", found.accuracy)),
        Metric::Auc => found.auc.map(|auc| ("epoch_auc", auc)),
        Metric::Precision => Some(("epoch_precision", found.precision)),
        Metric::Recall => Some(("epoch_recall", found.recall)),
        Metric::F1 => Some(("epoch_f1", found.f1)),
        Metric::Brier => Some(("epoch_brier", found.brier)),
        Metric::CalibrationError => Some(("epoch_calibration_error", found.calibration_error)),
    };
    let loss = [("epoch_loss", found.loss)].into_iter();
    loss.chain(wanted.iter().filter_map(point)).collect()
}
