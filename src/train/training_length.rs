//! How long a run is, in steps, examples and epochs.
//!
//! N training rows in batches of B make `ceil(N / B)` steps an epoch, the last of them with what is
//! left. A budget ends a run at the first step at which it is spent; the epoch in which that happens
//! may be a part of one.

use super::Position;
use crate::config::{Arm, EvaluateEvery};

/// The length of a run on a training split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingLength {
    rows: u64,
    batch_size: u64,
    budget: Budget,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Budget {
    Epochs(u64),
    Steps(u64),
    Examples(u64),
}

impl TrainingLength {
    /// The length of an arm's runs on `rows` training rows.
    pub fn new(arm: &Arm, rows: usize) -> Self {
        let train = &arm.train;
        let budget = match (train.steps, train.examples, train.steps_of) {
            (Some(steps), ..) => Budget::Steps(steps),
            (None, Some(examples), _) => Budget::Examples(examples),
            (None, None, Some(other)) => {
                let steps_per_epoch = (rows as u64).div_ceil(u64::from(other.batch_size));
                Budget::Steps(other.epochs * steps_per_epoch)
            }
            (None, None, None) => Budget::Epochs(train.epochs.unwrap_or_default()),
        };
        Self { rows: rows as u64, batch_size: arm.batch_size as u64, budget }
    }

    /// Steps of a whole epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.rows.div_ceil(self.batch_size)
    }

    /// Steps of the whole run, unless it is stopped early.
    pub fn steps(&self) -> u64 {
        match self.budget {
            Budget::Epochs(epochs) => epochs * self.steps_per_epoch(),
            Budget::Steps(steps) => steps,
            Budget::Examples(examples) => self.steps_of(examples),
        }
    }

    /// Epochs of the whole run, the last of which may be a part.
    pub fn epochs(&self) -> u64 {
        self.steps().div_ceil(self.steps_per_epoch().max(1))
    }

    /// Training rows of the whole run.
    pub fn examples(&self) -> u64 {
        self.examples_of(self.steps())
    }

    /// How often the validation split is measured in the whole run, the ends of epochs included; an
    /// upper bound, since both may fall together.
    pub fn measurements(&self, every: Option<EvaluateEvery>) -> u64 {
        self.epochs() + self.due(every, self.steps())
    }

    /// Whether the validation split is to be measured after this step, counted from 1.
    pub(super) fn is_due(&self, every: Option<EvaluateEvery>, step: u64) -> bool {
        step > 0 && self.due(every, step) > self.due(every, step - 1)
    }

    /// How many measurements were due by the end of this step.
    fn due(&self, every: Option<EvaluateEvery>, step: u64) -> u64 {
        match every {
            Some(EvaluateEvery::Steps(steps)) => step / steps,
            Some(EvaluateEvery::Examples(rows)) => self.examples_of(step) / rows,
            None => 0,
        }
    }

    /// Training rows that so many steps see.
    fn examples_of(&self, steps: u64) -> u64 {
        let whole = self.steps_per_epoch().max(1);
        steps / whole * self.rows + (steps % whole) * self.batch_size
    }

    /// The first number of steps that sees at least so many rows.
    pub fn steps_of(&self, examples: u64) -> u64 {
        let (epochs, rest) = (examples / self.rows.max(1), examples % self.rows.max(1));
        epochs * self.steps_per_epoch() + rest.div_ceil(self.batch_size)
    }

    pub(super) fn is_exhausted(&self, position: &Position) -> bool {
        position.stopped_early || position.step >= self.steps()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, Study};

    fn training_length(budget: Budget) -> TrainingLength {
        TrainingLength { rows: 22, batch_size: 4, budget }
    }

    #[test]
    fn a_budget_is_the_same_in_epochs_steps_and_examples() {
        for budget in [Budget::Epochs(3), Budget::Steps(18), Budget::Examples(66)] {
            let length = training_length(budget);
            assert_eq!((length.steps(), length.epochs(), length.examples()), (18, 3, 66));
        }
    }

    #[test]
    fn measurements_within_epochs_come_at_the_first_step_that_has_seen_enough() {
        let due = |every| -> Vec<u64> {
            let length = training_length(Budget::Epochs(2));
            (0..=length.steps()).filter(|step| length.is_due(Some(every), *step)).collect()
        };
        // Rows seen: 4, 8, 12, 16, 20, 22, 26, 30, 34, 38, 42, 44.
        assert_eq!(due(EvaluateEvery::Examples(10)), [3, 5, 8, 11]);
        assert_eq!(due(EvaluateEvery::Examples(3)), (1..12).collect::<Vec<u64>>());
        assert_eq!(due(EvaluateEvery::Steps(5)), [5, 10]);
        let every = Some(EvaluateEvery::Examples(10));
        assert_eq!(training_length(Budget::Epochs(2)).measurements(every), 2 + 4);
    }

    #[test]
    fn a_budget_may_be_the_number_of_steps_of_another_batch_size() {
        let text = "study: { arms: [{ batch_size: 16, steps_of: { batch_size: 4, epochs: 3 } }] }\n\
                    data: { arrays: { path: a.npz } }\n";
        let source = Source { name: "f".into(), text: text.into(), overrides: vec![] };
        let study = Study::from_source(&source, "f").unwrap();
        let length = TrainingLength::new(&study.arms[0], 22);
        assert_eq!((length.steps(), length.epochs()), (18, 9));
    }

    #[test]
    fn a_budget_may_end_within_an_epoch() {
        let steps = training_length(Budget::Steps(8));
        assert_eq!((steps.epochs(), steps.examples()), (2, 30));
        let examples = training_length(Budget::Examples(25));
        assert_eq!((examples.steps(), examples.epochs(), examples.examples()), (7, 2, 26));
    }
}
