//! How sharp the minimum is in which a run ended, and what lies between two of them.

use crate::analysis::{ArmResults, Results};
use crate::spec::MetricInfo;
use crate::stats::summarise;
use serde::Serialize;

/// Measures of sharpness at one point, of the training loss on a fixed part of the training split,
/// with nothing dropped and without penalties.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sharpness {
    /// The loss itself.
    pub loss: f64,
    /// The largest eigenvalue of the Hessian.
    pub top_eigenvalue: f64,
    /// The trace of the Hessian.
    pub trace: f64,
    /// The standard error of the trace, which is a mean over random vectors.
    pub trace_se: f64,
    /// The largest rise of the loss within a ball (SAM, one step).
    pub ball: f64,
    /// The same where each weight moves in proportion to its size (ASAM, one step).
    pub adaptive: f64,
    /// Keskar's: 100 times the largest rise in a box around the weights, over 1 + loss.
    pub keskar: f64,
    /// The learning rate times the largest eigenvalue of the Hessian as Adam sees it, over 38: near 1
    /// where curvature limits the steps. `None` for other optimizers.
    pub edge_of_stability: Option<f64>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SharpnessRun {
    /// Its arm.
    pub arm: String,
    /// Examples per step.
    pub batch_size: usize,
    /// Its learning rate before the schedule.
    pub learning_rate: f64,
    /// Its seed.
    pub seed: u64,
    /// On the test split; validation where there is none.
    pub score: f64,
    /// Where it ended.
    pub sharpness: Sharpness,
}

/// The runs of an arm that were measured.
#[derive(Debug, Clone)]
pub struct MeasuredArm<'r> {
    /// The arm.
    pub arm: &'r ArmResults,
    /// At least one.
    pub runs: Vec<&'r SharpnessRun>,
}

impl Results {
    /// The arms of which runs were measured, in the order of the file.
    pub fn measured_arms(&self) -> impl Iterator<Item = MeasuredArm<'_>> {
        self.arms.iter().filter_map(|arm| {
            let is_its = |run: &&SharpnessRun| run.arm == arm.name;
            let runs: Vec<&SharpnessRun> = self.sharpness.iter().filter(is_its).collect();
            (!runs.is_empty()).then_some(MeasuredArm { arm, runs })
        })
    }
}

impl MeasuredArm<'_> {
    /// The mean of a measure over the runs that have it.
    pub fn mean(&self, of: impl Fn(&SharpnessRun) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.runs.iter().filter_map(|run| of(run)).collect();
        summarise(&values).map(|found| found.mean)
    }
}

/// A point (1 - a) small + a large between two solutions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LinePoint {
    /// 0 at the small batch's solution, 1 at the large one's.
    pub alpha: f64,
    /// Loss, and the line's metric turned, on a part of the training split.
    pub train: [f64; 2],
    /// On the validation split.
    pub validation: [f64; 2],
}

/// The line between the solutions of two arms that began with the same weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// The arm at 0.
    pub small: String,
    /// The arm at 1.
    pub large: String,
    /// The seed of both.
    pub seed: u64,
    /// The metric that was measured beside the loss: accuracy, or RMSE where numbers are predicted.
    #[serde(skip)]
    pub metric: &'static MetricInfo,
    /// In ascending order of alpha.
    pub points: Vec<LinePoint>,
}
