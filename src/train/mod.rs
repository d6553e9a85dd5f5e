//! One run: one arm with one seed, from its first weights (or its checkpoint) to its end.
//!
//! Epoch by epoch: the seed's permutation of the training rows is cut into batches, the last one as
//! short as it comes out; each batch is one step; then the validation split is measured, the epoch
//! is recorded and, where it is time for one, a checkpoint saved, in this order, so that a crash between the
//! two repeats epochs instead of losing them. Train metrics are means over the rows *while* training, as in Keras.
//! With `evaluate_every` the validation split is measured within epochs too. The run ends when its
//! budget is spent, a target is reached or early stopping says so, and then the test split is
//! measured.

mod checkpoint;
mod dropout;
mod epoch;
mod evaluate;
mod schedule;
mod settings;
mod tally;
mod training_length;
mod watch;

pub use checkpoint::{Position, load as load_checkpoint};
pub use dropout::Dropout;
pub use evaluate::{EVALUATED_TOGETHER, logits, logits_of, measure};
pub use schedule::{learning_rate, warmup_steps};
pub use settings::{objective, settings};
pub use tally::Tally;
pub use training_length::TrainingLength;
pub use watch::{monitored, watched};

use crate::config::Arm;
use crate::files::Mark;
use crate::kernels::{Arrays, Engine, Examples, Split, Splits, State};
use crate::model;
use crate::spec::{Metrics, Objective, Shape};
use anyhow::{Context, Result};
use epoch::{Early, finish_epoch, train_epoch};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

/// Everything that defines a run, and where it saves how far it has come.
#[derive(Clone, Copy)]
pub struct Job<'r> {
    /// The configuration.
    pub arm: &'r Arm,
    /// Fixes the first weights, each epoch's permutation and what is dropped.
    pub seed: u64,
    /// The sizes of the model.
    pub shape: Shape,
    /// The examples.
    pub splits: Splits<'r>,
    /// What is minimised; see [`objective()`].
    pub objective: &'r Objective,
    /// Every how many steps one is reported; 0 for never.
    pub every_steps: u64,
    /// The file in which the run saves how far it has come.
    pub checkpoint: &'r Path,
    /// The file for the weights of the best epoch, when they will be restored.
    pub best: &'r Path,
}

impl Job<'_> {
    /// As [`measure`].
    fn measure(&self, logits: &[f32], examples: &Examples<'_>, penalty: f64) -> Option<Metrics> {
        measure(self.objective, &self.arm.train.metrics, logits, examples, penalty)
    }

    fn training_length(&self) -> TrainingLength {
        TrainingLength::new(self.arm, self.splits.train.len())
    }
}

/// What is recorded of one epoch: the same bits whenever it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// 0-based.
    pub epoch: u64,
    /// Updates made so far.
    pub step: u64,
    /// Training rows seen so far.
    pub examples: u64,
    /// Of the epoch's last step.
    pub learning_rate: f64,
    /// Means over the rows while training.
    pub train: Metrics,
    /// After the epoch.
    pub validation: Metrics,
}

/// What is recorded of one step: the same bits whenever it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// 1-based.
    pub step: u64,
    /// Its epoch, 0-based.
    pub epoch: u64,
    /// Training rows seen so far, those of this step included.
    pub examples: u64,
    /// Of this step.
    pub learning_rate: f64,
    /// Mean over the rows of the batch, before the update, with weights of labels and penalties.
    pub loss: f64,
    /// The norm of the gradient over all parameters, before it was clipped.
    pub gradient_norm: f64,
}

/// What is recorded of the validation split within an epoch: the same bits whenever it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Updates made so far.
    pub step: u64,
    /// The epoch in which they stand, 0-based.
    pub epoch: u64,
    /// Training rows seen so far.
    pub examples: u64,
    /// After these updates.
    pub validation: Metrics,
}

/// What was spent since an epoch began. Its seconds cannot repeat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    /// On training steps.
    pub train_seconds: f64,
    /// On the validation split.
    pub validation_seconds: f64,
    /// Training steps.
    pub steps: u64,
    /// Measurements of the whole validation split.
    pub evaluations: u64,
}

/// What else is known at the end of an epoch, and cannot repeat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochTimes {
    /// Over the whole epoch.
    pub spent: Spent,
    /// Training rows a second.
    pub examples_per_second: f64,
    /// Rows whose gradients were computed at a time, when that was less than the batch.
    pub micro_batch: Option<usize>,
}

/// Where a run is, between two epochs' ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// 0-based.
    pub epoch: u64,
    /// Batches done of this epoch.
    pub batch: u64,
    /// Mean over the rows of this epoch so far.
    pub loss: f64,
    /// Mean over the rows of this epoch so far; absent where numbers are predicted.
    pub accuracy: Option<f64>,
    /// Training rows a second in this epoch so far.
    pub examples_per_second: f64,
}

/// A moment in which a run stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Epochs that are done; 0 before the first step.
    pub epochs: u64,
    /// Updates made so far.
    pub step: u64,
    /// Training rows seen so far.
    pub examples: u64,
    /// Whether the training ends here: its budget is spent, or it was stopped early.
    pub ends: bool,
}

/// What the trainer tells while it works. Each hook does nothing unless it is given.
pub trait Callback {
    /// About ten times a second.
    fn on_progress(&mut self, _progress: &Progress) -> Result<()> {
        Ok(())
    }
    /// After steps whose losses were read together.
    fn on_steps(&mut self, _steps: &[StepMetrics]) -> Result<()> {
        Ok(())
    }
    /// After the validation split is measured within an epoch.
    fn on_evaluation(&mut self, _found: &Evaluation, _times: &Spent) -> Result<()> {
        Ok(())
    }
    /// After an epoch is measured, before a checkpoint is saved.
    fn on_epoch_end(&mut self, _metrics: &EpochMetrics, _times: &EpochTimes) -> Result<()> {
        Ok(())
    }
    /// Whether [`Callback::on_weights`] should be told.
    fn wants_weights(&self) -> bool {
        false
    }
    /// The weights after an epoch, after [`Callback::on_epoch_end`].
    fn on_weights(&mut self, _epoch: u64, _shape: &Shape, _weights: &Arrays) -> Result<()> {
        Ok(())
    }
    /// Whether the run should stand still after this step in the midst of an epoch.
    fn wants_pause(&self, _step: u64) -> bool {
        false
    }
    /// Before the first step, after each epoch before a checkpoint is saved, and where
    /// [`Callback::wants_pause`] says so: the engine as it stands, to be measured. What is measured must
    /// leave its state as it was. `Break` when a stop was asked for in the midst; then it is told again
    /// when the run goes on.
    fn on_pause(&mut self, _pause: &Pause, _engine: &mut dyn Engine) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }
    /// Threads that the engine may use from now on; asked between steps.
    fn threads(&self) -> Option<usize> {
        None
    }
    /// Whether to save a checkpoint after so many epochs; a stop saves one whatever this says.
    fn wants_checkpoint(&self, _epochs: u64) -> bool {
        true
    }
    /// What the run's logs hold, which must last from now on: a checkpoint that says so follows.
    fn logs(&mut self) -> Result<BTreeMap<String, Mark>> {
        Ok(BTreeMap::new())
    }
    /// Asked between steps: true saves a checkpoint and ends the training.
    fn should_stop(&self) -> bool {
        false
    }
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The budget is spent, a target is reached, or early stopping ended the run.
    Finished(Box<Trained>),
    /// The loss of this step was not finite; steps count from 1.
    Diverged {
        /// The first such step.
        step: u64,
    },
    /// Stopped on request after a checkpoint; while the test split was measured, the last one stands.
    Stopped,
}

/// What a finished run leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The weights: of the last epoch, or of the best one if they were restored.
    pub weights: Arrays,
    /// The logits of the test split with these weights, in the order of its rows.
    pub test_logits: Vec<f32>,
    /// The metrics of the test split; `None` when it has no rows.
    pub test: Option<Metrics>,
    /// Epochs that were begun.
    pub epochs: u64,
    /// The epoch that early stopping calls the best, 0-based.
    pub best_epoch: Option<u64>,
    /// Whether early stopping or a target ended the run before its budget was spent.
    pub stopped_early: bool,
    /// Whether the target of `stop_at` was reached.
    pub reached_target: bool,
}

/// Trains one run to its end, or as far as it may, from where `checkpoint` left it.
pub fn train(
    job: &Job<'_>,
    checkpoint: Option<(State, Position)>,
    engine: &mut dyn Engine,
    callback: &mut dyn Callback,
) -> Result<Outcome> {
    let (state, mut position) = match checkpoint {
        Some(found) => found,
        None => (first_state(job)?, Position::default()),
    };
    engine.set_state(&state)?;
    let first = Pause { epochs: 0, step: 0, examples: 0, ends: false };
    if position.step == 0 && callback.on_pause(&first, engine)?.is_break() {
        return stopped(job, engine, callback, position);
    }
    // A run that was stopped while its last epoch was measured has that still to do.
    while position.batch > 0 || !job.training_length().is_exhausted(&position) {
        let early = match train_epoch(job, engine, callback, &mut position)? {
            Some(early) => Some(early),
            None => finish_epoch(job, engine, callback, &mut position)?,
        };
        match early {
            None => {}
            Some(Early::Diverged { step }) => return Ok(Outcome::Diverged { step }),
            Some(Early::Stopped) => return stopped(job, engine, callback, position),
        }
    }
    finish(job, engine, callback, &position)
}

fn stopped(
    job: &Job<'_>,
    engine: &dyn Engine,
    callback: &mut dyn Callback,
    mut position: Position,
) -> Result<Outcome> {
    position.logs = callback.logs()?;
    checkpoint::save(job.checkpoint, &job.shape, &engine.state()?, &position)?;
    Ok(Outcome::Stopped)
}

fn first_state(job: &Job<'_>) -> Result<State> {
    let weights = model::first_weights(&job.arm.model.init, &job.shape, job.seed)?;
    Ok(State::new(weights, &job.arm.train.optimizer.rule()))
}

/// Takes the best weights if that was asked for, and measures the test split.
fn finish(
    job: &Job<'_>,
    engine: &mut dyn Engine,
    callback: &dyn Callback,
    position: &Position,
) -> Result<Outcome> {
    let best_epoch = position.best_epoch();
    if job.arm.train.restores_best() && best_epoch.is_some() {
        let weights = model::read_sealed_weights(job.best, &job.shape)
            .context("the weights of the best epoch cannot be used")?;
        engine.set_state(&State { parameters: weights, ..engine.state()? })?;
    }
    let examples = &job.splits.test;
    let stop = || callback.should_stop();
    let Some(test_logits) = logits(engine, Split::Test, examples, &stop)? else {
        return Ok(Outcome::Stopped);
    };
    let test = job.measure(&test_logits, examples, engine.penalty()?);
    if test.is_some_and(|test| !test.loss.is_finite()) {
        return Ok(Outcome::Diverged { step: position.step });
    }
    Ok(Outcome::Finished(Box::new(Trained {
        weights: engine.state()?.parameters,
        test_logits,
        test,
        epochs: position.epoch,
        best_epoch,
        stopped_early: position.stopped_early && position.step < job.training_length().steps(),
        reached_target: position.reached_target,
    })))
}

#[cfg(test)]
mod tests;
