//! p values that know that the data chose the best arm.
//!
//! Each pair of candidates might have been the one that is looked at, so Holm's correction is over all
//! pairs. Over the comparisons with the best alone, as if it had been named beforehand, some arm of six
//! equal ones is called different in 10 % of studies in place of 5.

use super::{ArmFinding, minus, runs_of};
use crate::analysis::{Results, RunResults, Split};
use crate::stats::holm;

/// Writes the corrected p values of the candidates' differences to the best.
pub(super) fn correct_for_choice(
    arms: &mut [ArmFinding],
    results: &Results,
    candidates: &[usize],
    seeds: &[u64],
    best: Option<usize>,
) {
    let Some(best) = candidates.iter().position(|candidate| Some(*candidate) == best) else {
        return;
    };
    let runs: Vec<Vec<&RunResults>> =
        candidates.iter().map(|arm| runs_of(&results.arms[*arm], seeds)).collect();
    for split in [Split::Validation, Split::Test] {
        let corrected = of_all_pairs(&runs, best, split, results);
        for (place, p) in candidates.iter().zip(corrected) {
            let arm = &mut arms[*place];
            let difference = match split {
                Split::Validation => &mut arm.difference,
                Split::Test => &mut arm.test_difference,
            };
            difference.iter_mut().for_each(|difference| difference.p_holm = p);
        }
    }
}

/// The p values of the candidates against the best one, corrected over all pairs of candidates.
fn of_all_pairs(
    runs: &[Vec<&RunResults>],
    best: usize,
    split: Split,
    results: &Results,
) -> Vec<Option<f64>> {
    let p = |a: usize, b: usize| {
        let pairs = runs[a].iter().zip(&runs[b]).map(|(a, b)| (*a, *b)).collect::<Vec<_>>();
        results.estimate(split, &minus(split, &pairs))?.summary.p_value(0.0)
    };
    let pairs = (0..runs.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    let (pairs, found): (Vec<(usize, usize)>, Vec<f64>) =
        pairs.filter_map(|(a, b)| Some(((a, b), p(a, b)?))).unzip();
    let corrected = holm(&found);
    let of = |arm: usize| {
        let is_it =
            |(a, b): &(usize, usize)| (*a == arm && *b == best) || (*b == arm && *a == best);
        pairs.iter().position(is_it).map(|place| corrected[place])
    };
    (0..runs.len()).map(of).collect()
}
