//! How long a run is, in steps, examples and epochs.
//!
//! N training rows in batches of B make `ceil(N / B)` steps an epoch, the last of them with what is
//! left. A budget ends a run at the first step at which it is spent; the epoch in which that happens
//! may be a part of one.

use super::Position;
use crate::config::Arm;

/// The length of a run on a training split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
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

impl Course {
    /// The course of an arm's runs on `rows` training rows.
    pub fn new(arm: &Arm, rows: usize) -> Self {
        let train = &arm.train;
        let budget = match (train.steps, train.examples) {
            (Some(steps), _) => Budget::Steps(steps),
            (None, Some(examples)) => Budget::Examples(examples),
            (None, None) => Budget::Epochs(train.epochs.unwrap_or_default()),
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
        let (steps, whole) = (self.steps(), self.steps_per_epoch().max(1));
        steps / whole * self.rows + (steps % whole) * self.batch_size
    }

    /// The first number of steps that sees at least so many rows.
    pub(super) fn steps_of(&self, examples: u64) -> u64 {
        let (epochs, rest) = (examples / self.rows.max(1), examples % self.rows.max(1));
        epochs * self.steps_per_epoch() + rest.div_ceil(self.batch_size)
    }

    pub(super) fn is_over(&self, position: &Position) -> bool {
        position.stopped_early || position.step >= self.steps()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(budget: Budget) -> Course {
        Course { rows: 22, batch_size: 4, budget }
    }

    #[test]
    fn a_budget_is_the_same_in_epochs_steps_and_examples() {
        for budget in [Budget::Epochs(3), Budget::Steps(18), Budget::Examples(66)] {
            let course = course(budget);
            assert_eq!((course.steps(), course.epochs(), course.examples()), (18, 3, 66));
        }
    }

    #[test]
    fn a_budget_may_end_within_an_epoch() {
        let steps = course(Budget::Steps(8));
        assert_eq!((steps.epochs(), steps.examples()), (2, 30));
        let examples = course(Budget::Examples(25));
        assert_eq!((examples.steps(), examples.epochs(), examples.examples()), (7, 2, 26));
    }
}
