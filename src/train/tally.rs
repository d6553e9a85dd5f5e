//! Running sums over the rows of an unfinished epoch.

use crate::spec::{Task, predicted_class};
use serde::{Deserialize, Serialize};

/// Running sums over the rows of an unfinished epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    loss: f64,
    /// Rows that were classified rightly; 0 where numbers are predicted.
    correct: u64,
    rows: u64,
    /// K a row, in the order in which rows were trained; saved beside the sums.
    #[serde(skip)]
    pub(super) logits: Vec<f32>,
}

impl Tally {
    /// Adds a step: its logits, `width` a row, its targets, and its loss.
    pub(super) fn add(
        &mut self,
        (logits, width): (&[f32], usize),
        task: Task,
        targets: impl Iterator<Item = f32>,
        loss: f64,
    ) {
        let rows = logits.len() / width;
        self.loss += loss * rows as f64;
        if task != Task::Regression {
            let right = |(z, y): &(&[f32], f32)| predicted_class(z) == *y as usize;
            self.correct += logits.chunks_exact(width).zip(targets).filter(right).count() as u64;
        }
        self.rows += rows as u64;
        self.logits.extend(logits);
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The mean of the steps' losses, each weighted by its rows, as Keras reports it.
    pub fn loss(&self) -> f64 {
        self.loss / self.rows as f64
    }

    /// The share of right answers; `None` where numbers are predicted.
    pub fn accuracy(&self, task: Task) -> Option<f64> {
        (task != Task::Regression).then(|| self.correct as f64 / self.rows as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_weighs_the_losses_of_steps_by_their_rows() {
        let mut tally = Tally::default();
        let mut add = |logits: &[f32], labels: &[f32], loss| {
            tally.add((logits, 1), Task::Binary, labels.iter().copied(), loss);
        };
        add(&[1.0, -1.0, 2.0], &[1.0, 0.0, 0.0], 0.5);
        add(&[1.0], &[1.0], 0.1);
        assert!((tally.loss() - (0.5 * 3.0 + 0.1) / 4.0).abs() < 1e-12);
        assert_eq!(tally.accuracy(Task::Binary), Some(0.75));
        assert_eq!((tally.rows(), tally.logits.len()), (4, 4));
    }
}
