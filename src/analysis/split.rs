//! Which examples a score is about.
//!
//! The best arm is chosen on validation; scores are reported on the test split, which had no say
//! in it, or on validation where a study has no test split. All runs of a study have the same splits.

use super::{Results, RunResults};
use crate::format::count;
use serde::Serialize;
use std::fmt;

/// The examples on which finished runs were measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// On which learning rates and the best arm were chosen.
    Validation,
    /// Measured once, at the end of a run.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

/// How many examples the splits have; `None` for a split that is empty or not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Examples {
    /// Of the training split.
    pub train: Option<usize>,
    /// Of the validation split.
    pub validation: Option<usize>,
    /// Of the test split.
    pub test: Option<usize>,
}

impl Examples {
    /// So many training rows as passes over the training split.
    pub fn epochs(&self, examples: f64) -> Option<f64> {
        self.train.map(|rows| examples / rows as f64)
    }

    /// `["15,000", "5,000", "none"]`: training, validation, test.
    pub fn texts(&self) -> [String; 3] {
        let text = |n: Option<usize>| n.map_or("none".into(), |n| count(n as u64));
        [self.train, self.validation, self.test].map(text)
    }
}

/// What rows of the splits share with each other, as windows of one series do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedSteps {
    /// Time steps of a row.
    pub steps: usize,
    /// Rows that a window spans, where neighbouring rows share steps.
    pub span: Option<usize>,
    /// Rows of the validation split that are in the training split.
    pub validation: InTraining,
    /// Rows of the test split that are in the training split.
    pub test: InTraining,
    /// Pairs of equal test rows, each row with itself too; 0 where that is not known.
    pub test_pairs: usize,
}

/// How many rows of a split are in the training split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InTraining {
    /// Those that equal a training row.
    pub repeated: usize,
    /// Those that share at least half of their steps with a training row.
    pub overlapping: usize,
    /// The most steps that one of these shares.
    pub most_steps: usize,
}

/// A split that has no example of some classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassesMissing {
    /// The split.
    pub split: Split,
    /// The classes.
    pub classes: Vec<String>,
    /// The one of two that all rows have.
    pub alone: Option<String>,
}

impl SharedSteps {
    /// Neighbouring test rows that count as one: 1 where rows share nothing. `None` where rows share
    /// steps and it is not known which.
    pub(super) fn block(&self) -> Option<usize> {
        match (self.span, self.validation.overlapping + self.test.overlapping) {
            (Some(span), _) => Some(span),
            (None, 0) => Some(1),
            (None, _) => None,
        }
    }

    /// How many rows equal a test row, itself counted, in the mean over these test rows: 1 where all differ.
    /// A model gives equal rows the same output, so that n rows tell of others as n / `copies` do: the
    /// design effect of clusters that are all alike, sum of m^2 / n for clusters of m rows (Kish 1965).
    pub(super) fn copies(&self, rows: usize) -> f64 {
        (self.test_pairs as f64 / rows.max(1) as f64).max(1.0)
    }

    /// The number of independent rows that tell as much as these `rows` test rows; `None` where that is not
    /// known, as for `block`.
    pub(super) fn independent(&self, rows: usize) -> Option<usize> {
        let block = self.block()?;
        // Blocks of windows hold equal neighbours already.
        let each = if block > 1 { block as f64 } else { self.copies(rows) };
        Some(((rows as f64 / each).floor() as usize).max(1))
    }
}

impl Results {
    /// The split of the scores that are reported.
    pub fn reported_split(&self) -> Split {
        let mut runs = self.arms.iter().flat_map(|arm| arm.runs.values());
        match runs.all(|run| run.test.is_some()) {
            true => Split::Test,
            false => Split::Validation,
        }
    }

    /// The spread that rounding alone gives a sum of scores on a split, of whose weights these are the
    /// squares, added up, where each is counted in steps of 1 / n. 0 where n is not known.
    pub(super) fn rounding_sd(&self, split: Split, squares: f64) -> f64 {
        let examples = match split {
            Split::Validation => self.examples.validation,
            Split::Test => self.examples.test,
        };
        let steps = examples.filter(|_| self.score.counts_rows);
        steps.map_or(0.0, |n| (squares / 12.0).sqrt() / n as f64)
    }
}

impl RunResults {
    /// On a split; `None` for a test split that there is not.
    pub(super) fn score(&self, split: Split) -> Option<f64> {
        match split {
            Split::Validation => Some(self.validation),
            Split::Test => self.test,
        }
    }

    /// Training rows a second; `None` where no time was measured.
    pub(super) fn examples_per_second(&self) -> Option<f64> {
        (self.train_seconds > 0.0).then(|| self.examples as f64 / self.train_seconds)
    }

    /// On the split that is reported.
    pub fn reported_score(&self) -> f64 {
        self.test.unwrap_or(self.validation)
    }
}
