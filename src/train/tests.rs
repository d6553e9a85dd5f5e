//! The loop with an engine that only remembers.

use super::*;
use crate::config::{
    EarlyStopping, EvaluateEvery, Monitor, Plateau, Schedule, StopAt, TrainSection,
};
use crate::kernels::{Computed, Examples, Sequences, Step};
use crate::spec::{Input, Metric, Stack};
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
    evaluations: Vec<Evaluation>,
    patience: Cell<u32>,
    /// Epochs from one checkpoint to the next; each when it is 0.
    between: u64,
}

impl Callback for Listener {
    fn on_steps(&mut self, steps: &[StepMetrics]) -> Result<()> {
        self.steps.extend(steps);
        Ok(())
    }
    fn on_evaluation(&mut self, found: &Evaluation, _: &Spent) -> Result<()> {
        self.evaluations.push(*found);
        Ok(())
    }
    fn on_epoch_end(&mut self, metrics: &EpochMetrics, _: &EpochTimes) -> Result<()> {
        self.epochs.push(*metrics);
        Ok(())
    }
    fn wants_checkpoint(&self, epochs: u64) -> bool {
        epochs.checked_rem(self.between).is_none_or(|rest| rest == 1)
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
    sessions_of(Listener::default(), train, patiences)
}

fn sessions_of(mut listener: Listener, train: TrainSection, patiences: &[u32]) -> Sessions {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, best) = (folder.path().join("state"), folder.path().join("best"));
    let labels: Vec<f32> = (0..22).map(|row| (row % 2) as f32).collect();
    let sequences = Sequences::Features { values: &[0.0; 22], steps: 1, features: 1 };
    let examples = Examples { sequences, labels: &labels };
    let splits = Splits { train: examples, validation: examples, test: examples };
    let shape = Shape { input: Input::Features(1), layers: Stack::lstm(1), outputs: 1 };
    let arm = Arm { name: "a".to_owned(), batch_size: 4, model: Default::default(), train };
    let objective = Objective::binary();
    let job = Job {
        arm: &arm,
        seed: 1,
        shape,
        splits,
        objective: &objective,
        every_steps: 1,
        checkpoint: &checkpoint,
        best: &best,
    };
    let optimizer = arm.train.optimizer.rule();
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
fn checkpoints_are_saved_where_they_are_wanted_and_at_stops() {
    let sparing = |patiences: &[u32]| {
        let listener = Listener { between: 2, ..Listener::default() };
        sessions_of(listener, epochs(4), patiences)
    };
    let undisturbed = sparing(&[u32::MAX]);
    assert_eq!(undisturbed.positions[0].epoch, 3, "after the first epoch and the third");
    assert_eq!(undisturbed.listener.epochs, sessions(epochs(4), &[u32::MAX]).listener.epochs);
    // In the second epoch, which ends without one.
    let disturbed = sparing(&[10, u32::MAX]);
    assert_eq!(
        (disturbed.positions[0].epoch, disturbed.outcomes[0].clone()),
        (1, Outcome::Stopped)
    );
    assert!(disturbed.positions[0].batch > 0);
    assert_eq!(disturbed.listener.epochs, undisturbed.listener.epochs);
    assert_eq!(disturbed.outcomes[1], undisturbed.outcomes[0]);
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

fn evaluated(epochs: u64, every: EvaluateEvery, stop_at: Option<StopAt>) -> TrainSection {
    TrainSection {
        epochs: Some(epochs),
        evaluate_every: Some(every),
        stop_at,
        ..TrainSection::default()
    }
}

#[test]
fn validation_is_measured_within_epochs_without_changing_the_run() {
    let plain = sessions(epochs(2), &[u32::MAX]);
    let done = sessions(evaluated(2, EvaluateEvery::Examples(10), None), &[u32::MAX]);
    assert_eq!(done.outcomes, plain.outcomes);
    assert_eq!(done.listener.epochs, plain.listener.epochs);
    let points = |of: &Sessions| -> Vec<_> {
        of.listener.evaluations.iter().map(|e| (e.epoch, e.step, e.examples)).collect()
    };
    assert_eq!(points(&done), [(0, 3, 12), (0, 5, 20), (1, 8, 30), (1, 11, 42)]);
    // The end of an epoch is not measured twice.
    let whole = sessions(evaluated(2, EvaluateEvery::Steps(3), None), &[u32::MAX]);
    assert_eq!(points(&whole), [(0, 3, 12), (1, 9, 34)]);
}

#[test]
fn a_run_that_is_stopped_anywhere_measures_everything_once() {
    let train = evaluated(2, EvaluateEvery::Examples(10), None);
    let whole = sessions(train.clone(), &[u32::MAX]);
    for patience in 1..=22 {
        let disturbed = sessions(train.clone(), &[patience, u32::MAX]);
        assert_eq!(disturbed.outcomes.last(), whole.outcomes.last(), "{patience}");
        assert_eq!(disturbed.listener.epochs, whole.listener.epochs, "{patience}");
        assert_eq!(disturbed.listener.evaluations, whole.listener.evaluations, "{patience}");
        assert_eq!(disturbed.listener.steps, whole.listener.steps, "{patience}");
    }
}

#[test]
fn a_run_ends_at_the_first_measurement_that_reaches_its_target() {
    // The fake's validation loss grows with every step, and its Brier score too.
    let every = EvaluateEvery::Examples(10);
    let whole = sessions(evaluated(3, every, None), &[u32::MAX]);
    let third = whole.listener.evaluations[2];
    let recall = Monitor::val(Metric::Recall);
    assert!(third.validation.get(Metric::Recall) > Some(0.5), "the fake says yes to everything");
    let at = |monitor, value| Some(StopAt { monitor, value });
    let first = sessions(evaluated(3, every, at(recall, 0.5)), &[u32::MAX]);
    assert_eq!(first.listener.evaluations.len(), 1);

    // From above: nothing before is as low.
    let losses: Vec<f64> =
        whole.listener.evaluations.iter().map(|found| found.validation.loss).collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let place = losses.iter().position(|loss| *loss <= lowest).unwrap();
    let train = evaluated(3, every, at(Monitor::VAL_LOSS, lowest));
    let done = sessions(train.clone(), &[u32::MAX]);
    assert_eq!(done.listener.evaluations[..], whole.listener.evaluations[..=place]);
    let (last, end) = (done.listener.epochs.last().unwrap(), trained(&done.outcomes[0]));
    assert!(end.stopped_early && end.reached_target);
    let reached = whole.listener.evaluations[place];
    assert_eq!((last.step, last.examples), (reached.step, reached.examples));
    assert_eq!(last.validation, reached.validation);

    let disturbed = sessions(train, &[2, 3, 4, u32::MAX]);
    assert_eq!(disturbed.outcomes.last(), done.outcomes.last());
    assert_eq!(disturbed.listener.epochs, done.listener.epochs);
    assert_eq!(disturbed.listener.evaluations, done.listener.evaluations);

    let never = sessions(evaluated(3, every, at(Monitor::VAL_LOSS, lowest / 2.0)), &[u32::MAX]);
    let end = trained(&never.outcomes[0]);
    assert!(!end.stopped_early && !end.reached_target);
    assert_eq!(never.listener.epochs, whole.listener.epochs);
}
