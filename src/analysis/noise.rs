//! The gradient noise scale: how many examples a gradient must be averaged over before its noise is
//! as small as itself.

use crate::stats::Interval;
use serde::Serialize;

/// tr(Sigma) / |G|^2, as far as the data bound it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NoiseScale {
    /// In examples; `None` when |G|^2 cannot be told from 0.
    pub value: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
    /// What it is at least, when there is no value.
    pub at_least: Option<f64>,
}

/// Measured with the weights of one moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NoisePoint {
    /// Updates so far.
    pub step: u64,
    /// Training rows so far.
    pub examples: u64,
    /// Of the gradient itself.
    pub plain: NoiseScale,
    /// Of the gradient divided by Adam's root of the second moment; `None` for other optimizers and
    /// before the first step.
    pub adam: Option<NoiseScale>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseRun {
    /// Its arm.
    pub arm: String,
    /// Examples per step.
    pub batch_size: usize,
    /// Its seed.
    pub seed: u64,
    /// In the order of the run.
    pub points: Vec<NoisePoint>,
}
