//! The learning rates that were tried for an arm, and the one that was taken.

use super::{ArmResults, Reach, RunResults, Target, reach};
use crate::stats::{Edge, Trial};
use serde::Serialize;

/// All of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tuning {
    /// The arm.
    pub arm: String,
    /// Examples per step.
    pub batch_size: usize,
    /// In ascending order of their learning rates.
    pub trials: Vec<Trial>,
    /// The best on average.
    pub chosen: f64,
    /// Set when that lies at an end of the rates that were tried.
    pub edge: Option<Edge>,
}

impl ArmResults {
    /// Its runs of these seeds as a trial of its learning rate, by their steps to the target if there is
    /// one.
    pub(super) fn as_trial(&self, seeds: &[u64], target: Option<&Target>) -> Trial {
        let runs = || seeds.iter().filter_map(|seed| self.runs.get(seed));
        let steps = |run: &RunResults| {
            target.and_then(|target| reach(&run.curve, target)).and_then(Reach::reached)
        };
        Trial {
            learning_rate: self.learning_rate,
            validation: runs().map(|run| run.validation).collect(),
            steps_to_target: match target {
                Some(_) => runs().map(|run| steps(run).map(|cost| cost.steps)).collect(),
                None => Vec::new(),
            },
            diverged: self.diverged.len(),
        }
    }
}
