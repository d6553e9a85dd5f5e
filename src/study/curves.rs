//! The event files of one run.
//!
//! `train/` and `validation/` hold Keras's tags; the step of an `epoch_...` point is its 0-based
//! epoch, that of a `step_...` point the number of updates, that of an `examples_...` point the number
//! of training rows seen. The folder of the run itself holds what belongs to neither split: its
//! session in the HPARAMS tab, the resolved study, the learning rate, examples, throughput, gradient
//! norms, noise scales and histograms. Everything is drawn from the records, and drawn again when a
//! run goes on. Of tuning runs nothing is drawn, nor of any run where curves of arms alone are wanted.

use super::hyperparameters::differing;
use super::protocol::Task;
use super::record::{HistogramLine, RunFolder, TimingLine, wall_clock};
use super::run::Stage;
use crate::config::{CurvesOf, Source, Study};
use crate::events::{EventWriter, Hyperparameter, SessionEnd, has_events};
use crate::probe::NoiseLine;
use crate::spec::{Metric, Metrics};
use crate::train::{EpochMetrics, Evaluation, StepMetrics};
use anyhow::Result;
use std::path::Path;

/// Draws a run that is being trained.
pub(super) struct Curves {
    run: EventWriter,
    train: EventWriter,
    validation: EventWriter,
    /// What is drawn beside the loss.
    metrics: Vec<Metric>,
}

/// The columns of the HPARAMS tab that tell the arms of the study apart.
fn columns(task: &Task) -> Result<Vec<(String, Hyperparameter)>> {
    let (name, text) = ("study.yaml".to_owned(), task.resolved.clone());
    let study = Study::from_source(&Source { name, text, overrides: Vec::new() }, "study")?;
    differing(&task.definition.arm, &study.arms)
}

impl Curves {
    /// Replaces the event files of earlier sessions.
    pub(super) fn begin(task: &Task, folder: &Path, begun: f64) -> Result<Self> {
        let metrics = task.metrics.clone();
        if task.stage == Stage::Tuning || task.logging.curves == CurvesOf::Arms {
            let [run, train, validation] =
                ["", "train", "validation"].map(|split| EventWriter::none(&folder.join(split)));
            return Ok(Self { run: run?, train: train?, validation: validation?, metrics });
        }
        let mut run = EventWriter::replace(folder, begun)?;
        // Studies that are looked at together may have arms of the same name.
        let group = format!("{}/{}", task.study, task.definition.arm.name);
        run.hparams_session(&group, &columns(task)?, begun)?;
        run.text("resolved_study", &format!("```yaml\n{}\n```", task.resolved), 0, begun)?;
        let train = EventWriter::replace(&folder.join("train"), begun)?;
        let validation = EventWriter::replace(&folder.join("validation"), begun)?;
        Ok(Self { run, train, validation, metrics })
    }

    /// Adds the points of an epoch.
    pub(super) fn draw_epoch(&mut self, metrics: &EpochMetrics, timing: &TimingLine) -> Result<()> {
        let (epoch, at) = (metrics.epoch as i64, timing.wall_time);
        let mut run = vec![
            ("epoch_learning_rate", metrics.learning_rate),
            ("epoch_examples", metrics.examples as f64),
        ];
        if timing.sharing.is_none() {
            // Beside other runs it says nothing of the arm.
            run.push(("epoch_examples_per_second", timing.examples_per_second));
        }
        self.run.scalars(&run, epoch, at)?;
        self.train.scalars(&measured(&metrics.train, &self.metrics), epoch, at)?;
        self.validation.scalars(&measured(&metrics.validation, &self.metrics), epoch, at)?;
        self.draw_against_examples(&metrics.validation, metrics.examples, at)
    }

    /// Adds the points of a measurement within an epoch.
    pub(super) fn draw_evaluation(&mut self, found: &Evaluation, at: f64) -> Result<()> {
        self.draw_against_examples(&found.validation, found.examples, at)
    }

    fn draw_against_examples(&mut self, found: &Metrics, examples: u64, at: f64) -> Result<()> {
        let mut points = vec![("examples_loss".to_owned(), found.loss)];
        // One chart beside the loss: the score's.
        let score = self.metrics.first().and_then(|metric| Some((metric, found.get(*metric)?)));
        points.extend(score.map(|(metric, value)| (format!("examples_{}", metric.name()), value)));
        self.validation.scalars(&points, examples as i64, at)
    }

    /// Adds the points of a step.
    pub(super) fn draw_step(&mut self, step: &StepMetrics, at: f64) -> Result<()> {
        let points = [
            ("step_gradient_norm", step.gradient_norm),
            ("step_learning_rate", step.learning_rate),
            ("step_examples", step.examples as f64),
        ];
        self.run.scalars(&points, step.step as i64, at)?;
        self.train.scalars(&[("step_loss", step.loss)], step.step as i64, at)
    }

    /// Adds how noisy gradients were found to be; not where the data cannot bound it.
    pub(super) fn draw_noise(&mut self, found: &NoiseLine, at: f64) -> Result<()> {
        let tags = ["examples_noise_scale", "examples_noise_scale_adam"];
        let scales = [Some(&found.plain), found.adam.as_ref()].map(|noise| noise?.scale.value);
        let points = tags.into_iter().zip(scales).filter_map(|(tag, scale)| Some((tag, scale?)));
        self.run.scalars(&points.collect::<Vec<_>>(), found.examples as i64, at)
    }

    /// Adds a histogram of one parameter after an epoch.
    pub(super) fn draw_histogram(&mut self, line: &HistogramLine, at: f64) -> Result<()> {
        let tag = format!("weights/{}", line.parameter);
        self.run.histogram(&tag, &line.histogram, line.epoch as i64, at)
    }

    /// Says in the HPARAMS tab how the run ended.
    pub(super) fn end(&mut self, end: SessionEnd) -> Result<()> {
        self.run.hparams_session_end(end, wall_clock())
    }
}

/// Draws the one point of the test split, of a run whose curves are drawn.
pub(super) fn draw_test(
    folder: &RunFolder,
    test: &Metrics,
    metrics: &[Metric],
    epochs: u64,
) -> Result<()> {
    if !has_events(&folder.path().join("validation"))? {
        return Ok(());
    }
    let now = wall_clock();
    let mut writer = EventWriter::replace(&folder.path().join("test"), now)?;
    writer.scalars(&measured(test, metrics), epochs.saturating_sub(1) as i64, now)
}

fn measured(found: &Metrics, wanted: &[Metric]) -> Vec<(String, f64)> {
    let point = |metric: &Metric| Some((format!("epoch_{}", metric.name()), found.get(*metric)?));
    let loss = [("epoch_loss".to_owned(), found.loss)].into_iter();
    loss.chain(wanted.iter().filter_map(point)).collect()
}
