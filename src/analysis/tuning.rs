//! The learning rates that were tried for an arm, and the one that was taken.

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
