//! Scores of the arms that one failed seed does not move: interquartile means.
//!
//! They describe and decide nothing: who is the best and who is within the margin rests on means of
//! differences, pair by pair. They are computed after everything else, so that nothing else that
//! resamples depends on them.

use super::{CONFIDENCE, Comparison, Results};
use crate::stats::iqm;
use rand::Rng;

const REPLICATES: usize = 2000;

/// Adds them to the comparison of the arms at these places.
pub(super) fn add_interquartile_means(
    comparison: &mut Comparison,
    places: &[usize],
    results: &Results,
    rng: &mut impl Rng,
) {
    for (found, place) in comparison.arms.iter_mut().zip(places) {
        let arm = &results.arms[*place];
        let validation: Vec<f64> = arm.runs.values().map(|run| run.validation).collect();
        let test: Vec<f64> = arm.runs.values().filter_map(|run| run.test).collect();
        found.validation_iqm = iqm(&validation, CONFIDENCE, REPLICATES, rng);
        found.test_iqm = iqm(&test, CONFIDENCE, REPLICATES, rng);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use crate::analysis::analyse;
    use crate::stats::tests::{generator, near};

    #[test]
    fn arms_of_five_seeds_have_one_on_each_split_and_those_of_fewer_have_none() {
        let one_failed = [0.80, 0.82, 0.30, 0.81, 0.83];
        let study = results(vec![arm(32, &one_failed), arm(64, &[0.8, 0.81, 0.82])]);
        let found = analyse(&study, &mut generator(1)).comparison.arms;
        near(found[0].validation_iqm.unwrap().value, 0.81, 1e-12);
        near(found[0].test_iqm.unwrap().value, 0.80, 1e-12);
        assert!(found[1].validation_iqm.is_none() && found[1].test_iqm.is_none());
    }
}
