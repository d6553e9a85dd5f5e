//! The loop with an engine that only remembers.

use super::*;
use crate::config::{EarlyStopping, Plateau, Schedule, TrainSection};
use crate::kernels::{Computed, Examples, Input, Sequences, Step};
use std::cell::Cell;

/// An engine whose one weight remembers the order of all rows it was trained on, and the rates.
struct Fake {
    state: State,
    computed: Computed,
}

impl Engine for Fake {
    fn set_state(&mut self, state: &State) -> Result<()> {
        self.state = state.clone();
        Ok(())
    }
    fn state(&self) -> Result<State> {
        Ok(self.state.clone())
    }
    fn train_step(&mut self, step: &Step<'_>) -> Result<()> {
        let weight = &mut self.state.parameters[4][0];
        for row in step.rows {
            *weight = 0.9 * *weight + 0.01 * *row as f32 + step.lr as f32;
            self.computed.logits.push(*weight);
        }
        self.computed.penalties.push(0.0);
        self.computed.gradient_norms.push(*weight);
        self.state.step += 1;
        Ok(())
    }
    fn take_computed(&mut self) -> Result<Computed> {
        Ok(std::mem::take(&mut self.computed))
    }
    fn predict(&mut self, _: Split, rows: &[u32]) -> Result<Vec<f32>> {
        Ok(vec![self.state.parameters[4][0]; rows.len()])
    }
    fn gradient(&mut self, _: &[u32]) -> Result<Arrays> {
        Ok(self.state.parameters.clone())
    }
    fn penalty(&self) -> Result<f64> {
        Ok(0.0)
    }
    fn micro_batch(&self) -> Option<usize> {
        None
    }
}

/// Collects what is recorded, and asks for a stop at the `patience`-th question.
#[derive(Default)]
struct Listener {
    epochs: Vec<EpochMetrics>,
    steps: Vec<StepMetrics>,
    patience: Cell<u32>,
}

impl Callback for Listener {
    fn on_steps(&mut self, steps: &[StepMetrics]) -> Result<()> {
        self.steps.extend(steps);
        Ok(())
    }
    fn on_epoch_end(&mut self, metrics: &EpochMetrics, _: &EpochTimes) -> Result<()> {
        self.epochs.push(*metrics);
        Ok(())
    }
    fn should_stop(&self) -> bool {
        self.patience.set(self.patience.get().saturating_sub(1));
        self.patience.get() == 0
    }
}

/// What sessions left behind that each ended at their patience.
struct Sessions {
    listener: Listener,
    outcomes: Vec<Outcome>,
    positions: Vec<Position>,
}

/// Trains 22 rows in batches of 4.
fn sessions(train: TrainSection, patiences: &[u32]) -> Sessions {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, best) = (folder.path().join("state"), folder.path().join("best"));
    let labels: Vec<f32> = (0..22).map(|row| (row % 2) as f32).collect();
    let sequences = Sequences::Features { values: &[0.0; 22], steps: 1, features: 1 };
    let examples = Examples { sequences, labels: &labels };
    let splits = Splits { train: examples, validation: examples, test: examples };
    let shape = Shape { input: Input::Features(1), units: 1 };
    let arm = Arm { name: "a".to_owned(), batch_size: 4, model: Default::default(), train };
    let job = Job {
        arm: &arm,
        seed: 1,
        shape,
        splits,
        label_weights: [1.0; 2],
        every_steps: 1,
        checkpoint: &checkpoint,
        best: &best,
    };
    let optimizer = optimizer(&arm.train.optimizer);
    let mut listener = Listener::default();
    let (mut outcomes, mut positions) = (Vec::new(), Vec::new());
    for patience in patiences {
        let state = State::new(vec![], &optimizer);
        let mut engine = Fake { state, computed: Computed::default() };
        listener.patience.set(*patience);
        let from = load_checkpoint(&checkpoint, &shape, optimizer.moments()).unwrap();
        let outcome = super::train(&job, from, &mut engine, &mut listener).unwrap();
        outcomes.push(outcome);
        positions.push(load_checkpoint(&checkpoint, &shape, 2).unwrap().unwrap().1);
    }
    Sessions { listener, outcomes, positions }
}

fn epochs(epochs: u64) -> TrainSection {
    TrainSection { epochs: Some(epochs), ..TrainSection::default() }
}

#[track_caller]
fn trained(outcome: &Outcome) -> &Trained {
    match outcome {
        Outcome::Finished(trained) => trained,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stop_saves_in_the_middle_of_an_epoch_and_training_goes_on_to_the_same_numbers() {
    let undisturbed = sessions(epochs(3), &[u32::MAX]);
    assert!(trained(&undisturbed.outcomes[0]).test.is_some());
    let recorded = &undisturbed.listener.epochs;
    assert_eq!(recorded.len(), 3);
    assert_eq!((recorded[2].step, recorded[2].examples), (18, 66));

    let disturbed = sessions(epochs(3), &[3, 9, u32::MAX]);
    assert_eq!(disturbed.outcomes[..2], [Outcome::Stopped, Outcome::Stopped]);
    let [first, second, _] = &disturbed.positions[..] else { panic!() };
    assert_eq!((first.epoch, first.batch, first.step, first.examples), (0, 3, 3, 12));
    assert_eq!(second.epoch, 1);
    assert!((1..6).contains(&second.batch), "batch {}", second.batch);
    assert_eq!(&disturbed.listener.epochs, recorded);
    assert_eq!(disturbed.listener.steps, undisturbed.listener.steps);
    assert_eq!(disturbed.outcomes[2], undisturbed.outcomes[0]);
}

#[test]
fn a_budget_in_steps_or_examples_ends_within_an_epoch_and_measures_it() {
    let steps = TrainSection { steps: Some(8), ..TrainSection::default() };
    let examples = TrainSection { examples: Some(29), ..TrainSection::default() };
    for train in [steps, examples] {
        let done = sessions(train, &[u32::MAX]);
        let last = done.listener.epochs[1];
        assert_eq!((last.epoch, last.step, last.examples), (1, 8, 30));
        assert_eq!(trained(&done.outcomes[0]).epochs, 2);
    }
    // The epochs before are those of a longer run.
    let whole = sessions(epochs(3), &[u32::MAX]);
    let part = sessions(TrainSection { steps: Some(8), ..TrainSection::default() }, &[u32::MAX]);
    assert_eq!(part.listener.epochs[0], whole.listener.epochs[0]);
    assert_eq!(part.listener.steps[..], whole.listener.steps[..8]);
}

#[test]
fn early_stopping_ends_a_run_takes_the_best_weights_and_survives_a_stop() {
    // The fake's weight grows towards its fixed point, and so does the validation loss.
    let stopping =
        EarlyStopping { patience: 2, restore_best_weights: true, ..EarlyStopping::default() };
    let train = TrainSection { early_stopping: Some(stopping), ..epochs(9) };
    let done = sessions(train.clone(), &[u32::MAX]);
    let losses: Vec<f64> = done.listener.epochs.iter().map(|e| e.validation.loss).collect();
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    let end = trained(&done.outcomes[0]);
    assert!(end.stopped_early && end.epochs < 9, "{losses:?}");
    assert_eq!(end.best_epoch, Some(best as u64));
    assert_eq!(end.epochs, best as u64 + 3);
    let test = end.test.unwrap().loss;
    assert_eq!(test.to_bits(), losses[best].to_bits(), "the test is not of the best weights");

    let disturbed = sessions(train, &[8, 8, u32::MAX]);
    assert_eq!(disturbed.outcomes[2], done.outcomes[0]);
    assert_eq!(disturbed.listener.epochs, done.listener.epochs);
}

#[test]
fn a_plateau_cuts_the_rate_and_remembers_it_over_a_stop() {
    let plateau = Plateau { patience: 0, factor: 0.5, ..Plateau::default() };
    let train = TrainSection { schedule: Schedule::Plateau(plateau), ..epochs(6) };
    let done = sessions(train.clone(), &[u32::MAX]);
    let rates: Vec<f64> = done.listener.epochs.iter().map(|e| e.learning_rate).collect();
    assert!(rates[0] > rates[5], "{rates:?}");
    let disturbed = sessions(train, &[15, 4, u32::MAX]);
    assert_eq!(disturbed.listener.epochs, done.listener.epochs);
}

#[test]
fn every_few_steps_one_is_reported_with_what_it_has_seen() {
    let steps = sessions(epochs(1), &[u32::MAX]).listener.steps;
    let seen: Vec<_> = steps.iter().map(|step| (step.step, step.examples)).collect();
    assert_eq!(seen, [(1, 4), (2, 8), (3, 12), (4, 16), (5, 20), (6, 22)]);
}
