//! What was measured beside accuracy, as plain numbers.

use crate::analysis::{NoisePoint, NoiseRun};
use crate::probe::NoiseLine;
use crate::study::{Run, RunFolder};
use anyhow::Result;

/// The noise of a run's gradients; `None` if it was not measured.
pub(super) fn noise(run: &Run, files: &RunFolder) -> Result<Option<NoiseRun>> {
    let point = |line: &NoiseLine| NoisePoint {
        step: line.step,
        examples: line.examples,
        plain: line.plain.scale,
        adam: line.adam.map(|adam| adam.scale),
    };
    let points: Vec<NoisePoint> = files.noise()?.iter().map(point).collect();
    let (arm, batch_size) = (run.arm.name.clone(), run.arm.batch_size);
    Ok((!points.is_empty()).then_some(NoiseRun { arm, batch_size, seed: run.seed, points }))
}
