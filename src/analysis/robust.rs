//! Accuracies of the arms that one seed astray does not move: interquartile means.
//!
//! They describe and decide nothing: who is the best and who is within the margin rests on means of
//! differences, pair by pair. They are computed after everything else, so that nothing else that
//! resamples depends on them.

use super::{CONFIDENCE, Comparison, Results};
use crate::stats::iqm;
use rand::Rng;

const REPLICATES: usize = 2000;

/// Adds them to a comparison of arms of these results.
pub(super) fn add_interquartile_means(
    comparison: &mut Comparison,
    results: &Results,
    rng: &mut impl Rng,
) {
    for found in &mut comparison.arms {
        let Some(arm) = results.arms.iter().find(|arm| arm.name == found.name) else { continue };
        let validation: Vec<f64> = arm.runs.values().map(|run| run.validation).collect();
        let test: Vec<f64> = arm.runs.values().filter_map(|run| run.test).collect();
        found.validation_iqm = iqm(&validation, CONFIDENCE, REPLICATES, rng);
        found.test_iqm = iqm(&test, CONFIDENCE, REPLICATES, rng);
    }
}
