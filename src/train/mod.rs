//! One run: one arm with one seed, from its first weights (or its checkpoint) to its last epoch.
//!
//! Epoch by epoch: the seed's permutation of the training rows is cut into batches, the last one as
//! short as it comes out; each batch is one step; then the validation split is measured, the epoch
//! is recorded and the checkpoint saved, in this order, so that a crash between the two repeats the
//! epoch instead of losing it. Train metrics are means over the rows *while* training, as in Keras.

mod checkpoint;
mod evaluate;
mod metrics;
mod schedule;

pub use checkpoint::{Position, load as load_checkpoint, save_weights};
pub use evaluate::{Measured, evaluate};
pub use metrics::{Metrics, Tally};
pub use schedule::learning_rate;

use crate::config::Arm;
use crate::kernels::{AdamUpdate, Engine, Shape, Split, Splits, State};
use crate::{model, rng};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};

/// Everything that defines a run.
#[derive(Clone, Copy)]
pub struct Job<'r> {
    /// The configuration.
    pub arm: &'r Arm,
    /// Fixes the first weights and each epoch's permutation.
    pub seed: u64,
    /// The sizes of the model.
    pub shape: Shape,
    /// The examples.
    pub splits: Splits<'r>,
    /// Where the run saves how far it has come.
    pub checkpoint: &'r Path,
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
    /// Of this epoch.
    pub learning_rate: f64,
    /// Means over the rows while training.
    pub train: Metrics,
    /// After the epoch.
    pub validation: Metrics,
}

/// What else is known at the end of an epoch, and cannot repeat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochTimes {
    /// Seconds spent on training steps.
    pub train_seconds: f64,
    /// Seconds spent on the validation split.
    pub validation_seconds: f64,
    /// Training rows a second.
    pub examples_per_second: f64,
}

/// Where a run is, between two epochs' ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// 0-based.
    pub epoch: u64,
    /// Batches done of this epoch.
    pub batch: u64,
    /// Means over the rows of this epoch so far.
    pub metrics: Metrics,
    /// Training rows a second in this epoch so far.
    pub examples_per_second: f64,
}

/// What the trainer tells while it works. Each hook does nothing unless it is given.
pub trait Callback {
    /// About ten times a second.
    fn on_progress(&mut self, _progress: &Progress) -> Result<()> {
        Ok(())
    }
    /// After an epoch is measured, before its checkpoint is saved.
    fn on_epoch_end(&mut self, _metrics: &EpochMetrics, _times: &EpochTimes) -> Result<()> {
        Ok(())
    }
    /// Asked between steps: true saves a checkpoint and ends the training.
    fn should_stop(&self) -> bool {
        false
    }
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All epochs are done; the test split was measured if it has rows.
    Finished {
        /// With the weights of the last epoch.
        test: Option<Metrics>,
        /// The weights of the last epoch.
        state: State,
    },
    /// The loss of this step was not finite; steps count from 1.
    Diverged {
        /// The first such step.
        step: u64,
    },
    /// Stopped on request after a checkpoint.
    Stopped,
}

/// Why an epoch ended early.
enum Early {
    Diverged { step: u64 },
    Stopped,
}

/// Trains one run to its end, or as far as it may, from where `checkpoint` left it.
pub fn train(
    job: &Job<'_>,
    checkpoint: Option<(State, Position)>,
    engine: &mut dyn Engine,
    callback: &mut dyn Callback,
) -> Result<Outcome> {
    let first = || (State::new(model::keras(&job.shape, job.seed)), Position::default());
    let (state, mut position) = checkpoint.unwrap_or_else(first);
    engine.set_state(&state)?;
    while position.epoch < job.arm.epochs {
        let early = match train_epoch(job, engine, callback, &mut position)? {
            Some(early) => Some(early),
            None => finish_epoch(job, engine, callback, &mut position)?,
        };
        match early {
            None => {}
            Some(Early::Diverged { step }) => return Ok(Outcome::Diverged { step }),
            Some(Early::Stopped) => {
                save(job, engine, &position)?;
                return Ok(Outcome::Stopped);
            }
        }
    }
    match evaluate(engine, Split::Test, &job.splits.test, &|| callback.should_stop())? {
        Measured::Metrics(Some(test)) if !test.loss.is_finite() => {
            Ok(Outcome::Diverged { step: position.step })
        }
        Measured::Metrics(test) => Ok(Outcome::Finished { test, state: engine.state()? }),
        Measured::Stopped => Ok(Outcome::Stopped),
    }
}

fn save(job: &Job<'_>, engine: &dyn Engine, position: &Position) -> Result<()> {
    checkpoint::save(job.checkpoint, &job.shape, &engine.state()?, position)
}

/// How long steps may wait for their losses to be read: reading them waits for the device.
const READ_EVERY: Duration = Duration::from_millis(100);

/// The training steps of one epoch, from where it stands.
fn train_epoch(
    job: &Job<'_>,
    engine: &mut dyn Engine,
    callback: &mut dyn Callback,
    position: &mut Position,
) -> Result<Option<Early>> {
    let order = rng::permutation(job.seed, position.epoch, job.splits.train.len());
    let batches: Vec<&[u32]> = order.chunks(job.arm.batch_size).collect();
    let update = adam_update(job.arm, position.epoch);
    let mut unread = position.batch as usize;
    let (mut clock, before) = (Instant::now(), position.seconds);
    let started = Instant::now();
    while position.batch < batches.len() as u64 {
        engine.train_step(batches[position.batch as usize], &update)?;
        position.batch += 1;
        position.step += 1;
        let stop = callback.should_stop();
        let is_last = position.batch == batches.len() as u64;
        if stop || is_last || clock.elapsed() >= READ_EVERY {
            let waiting = &batches[unread..position.batch as usize];
            let diverged = read_losses(job, engine, waiting, position)?;
            unread = position.batch as usize;
            position.seconds = before + started.elapsed().as_secs_f64();
            if diverged.is_some() {
                return Ok(diverged);
            }
            if stop && !is_last {
                return Ok(Some(Early::Stopped));
            }
            callback.on_progress(&progress(position))?;
            clock = Instant::now();
        }
    }
    Ok(None)
}

/// The update of this arm in this epoch.
pub fn adam_update(arm: &Arm, epoch: u64) -> AdamUpdate {
    let adam = &arm.optimizer;
    let lr = learning_rate(&arm.schedule, adam.lr, epoch);
    AdamUpdate { lr, beta_1: adam.beta_1, beta_2: adam.beta_2, epsilon: adam.epsilon }
}

/// Adds the losses of steps that wait to be read; tells of the first that is not finite.
fn read_losses(
    job: &Job<'_>,
    engine: &mut dyn Engine,
    waiting: &[&[u32]],
    position: &mut Position,
) -> Result<Option<Early>> {
    let mut logits = engine.take_logits()?.into_iter();
    for (index, rows) in waiting.iter().enumerate() {
        for (row, logit) in rows.iter().zip(logits.by_ref()) {
            position.tally.add(logit, job.splits.train.labels[*row as usize]);
        }
        if !position.tally.is_finite() {
            let step = position.step - (waiting.len() - 1 - index) as u64;
            return Ok(Some(Early::Diverged { step }));
        }
    }
    Ok(None)
}

fn progress(position: &Position) -> Progress {
    let metrics = position.tally.metrics();
    let examples_per_second = position.tally.rows() as f64 / position.seconds.max(1e-9);
    Progress { epoch: position.epoch, batch: position.batch, metrics, examples_per_second }
}

/// Measures the validation split, records the epoch and saves the checkpoint.
fn finish_epoch(
    job: &Job<'_>,
    engine: &mut dyn Engine,
    callback: &mut dyn Callback,
    position: &mut Position,
) -> Result<Option<Early>> {
    let started = Instant::now();
    let stop = || callback.should_stop();
    let validation = match evaluate(engine, Split::Validation, &job.splits.validation, &stop)? {
        Measured::Metrics(Some(metrics)) if metrics.loss.is_finite() => metrics,
        Measured::Metrics(_) => return Ok(Some(Early::Diverged { step: position.step })),
        Measured::Stopped => return Ok(Some(Early::Stopped)),
    };
    let rows = position.tally.rows();
    let metrics = EpochMetrics {
        epoch: position.epoch,
        step: position.step,
        examples: (position.epoch + 1) * rows,
        learning_rate: adam_update(job.arm, position.epoch).lr,
        train: position.tally.metrics(),
        validation,
    };
    let times = EpochTimes {
        train_seconds: position.seconds,
        validation_seconds: started.elapsed().as_secs_f64(),
        examples_per_second: rows as f64 / position.seconds.max(1e-9),
    };
    callback.on_epoch_end(&metrics, &times)?;
    *position = Position { epoch: position.epoch + 1, step: position.step, ..Position::default() };
    save(job, engine, position)?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Adam, Schedule};
    use crate::kernels::{Examples, Input, Sequences};
    use anyhow::Result;
    use std::cell::Cell;

    /// An engine whose one weight remembers the order of all rows it was trained on.
    struct Fake {
        state: State,
        logits: Vec<f32>,
    }

    impl Engine for Fake {
        fn set_state(&mut self, state: &State) -> Result<()> {
            self.state = state.clone();
            Ok(())
        }
        fn state(&self) -> Result<State> {
            Ok(self.state.clone())
        }
        fn train_step(&mut self, rows: &[u32], update: &AdamUpdate) -> Result<()> {
            let weight = &mut self.state.parameters[4][0];
            for row in rows {
                *weight = 0.9 * *weight + 0.01 * *row as f32 + update.lr as f32;
                self.logits.push(*weight);
            }
            self.state.step += 1;
            Ok(())
        }
        fn take_logits(&mut self) -> Result<Vec<f32>> {
            Ok(std::mem::take(&mut self.logits))
        }
        fn predict(&mut self, _: Split, rows: &[u32]) -> Result<Vec<f32>> {
            Ok(vec![self.state.parameters[4][0]; rows.len()])
        }
    }

    /// Collects what is recorded, and asks for a stop at the `patience`-th question.
    struct Listener {
        recorded: Vec<EpochMetrics>,
        patience: Cell<u32>,
    }

    impl Callback for Listener {
        fn on_epoch_end(&mut self, metrics: &EpochMetrics, _: &EpochTimes) -> Result<()> {
            self.recorded.push(*metrics);
            Ok(())
        }
        fn should_stop(&self) -> bool {
            self.patience.set(self.patience.get().saturating_sub(1));
            self.patience.get() == 0
        }
    }

    /// Trains 22 rows in batches of 4 for three epochs, in sessions that each stop at their patience.
    fn sessions(patiences: &[u32]) -> (Vec<EpochMetrics>, Vec<Outcome>, Vec<Position>) {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = folder.path().join("state.safetensors");
        let labels: Vec<f32> = (0..22).map(|row| (row % 2) as f32).collect();
        let sequences = Sequences::Features { values: &[0.0; 22], steps: 1, features: 1 };
        let examples = Examples { sequences, labels: &labels };
        let splits = Splits { train: examples, validation: examples, test: examples };
        let shape = Shape { input: Input::Features(1), units: 1 };
        let (name, optimizer) = ("a".to_owned(), Adam::default());
        let arm = Arm { name, batch_size: 4, epochs: 3, optimizer, schedule: Schedule::Constant };
        let job = Job { arm: &arm, seed: 1, shape, splits, checkpoint: &checkpoint };
        let (mut recorded, mut outcomes, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        for patience in patiences {
            let mut engine = Fake { state: State::new(vec![]), logits: Vec::new() };
            let mut listener = Listener { recorded, patience: Cell::new(*patience) };
            let from = load_checkpoint(&checkpoint, &shape).unwrap();
            outcomes.push(train(&job, from, &mut engine, &mut listener).unwrap());
            positions.push(load_checkpoint(&checkpoint, &shape).unwrap().unwrap().1);
            recorded = listener.recorded;
        }
        (recorded, outcomes, positions)
    }

    #[test]
    fn a_stop_saves_in_the_middle_of_an_epoch_and_training_goes_on_to_the_same_numbers() {
        let (undisturbed, outcomes, _) = sessions(&[u32::MAX]);
        assert!(matches!(outcomes[0], Outcome::Finished { test: Some(_), .. }));
        assert_eq!(undisturbed.len(), 3);
        assert_eq!((undisturbed[2].step, undisturbed[2].examples), (18, 66));

        let (recorded, disturbed, positions) = sessions(&[3, 9, u32::MAX]);
        assert_eq!(disturbed[..2], [Outcome::Stopped, Outcome::Stopped]);
        assert_eq!((positions[0].epoch, positions[0].batch, positions[0].step), (0, 3, 3));
        assert_eq!(positions[1].epoch, 1);
        assert!((1..6).contains(&positions[1].batch), "batch {}", positions[1].batch);
        assert_eq!(recorded, undisturbed);
        assert_eq!(disturbed[2], outcomes[0]);
    }
}
