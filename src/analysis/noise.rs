//! The gradient noise scale: how many examples a gradient must be averaged over before its noise is
//! as small as itself.

pub use crate::stats::NoiseScale;

use serde::Serialize;

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
