//! The learning rates that were tried for an arm, and the one that was taken.

use serde::Serialize;

/// One learning rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Before the schedule.
    pub learning_rate: f64,
    /// Validation accuracies of its finished runs, in the order of the tuning seeds.
    pub validation: Vec<f64>,
    /// Runs whose loss was not finite.
    pub diverged: usize,
}

/// A side of the rates that were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The smallest was the best: a smaller one may be better.
    Lowest,
    /// The largest was the best: a larger one may be better.
    Highest,
}

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
