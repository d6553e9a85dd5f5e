//! The parts of the gap from the runs of its five arms.

use super::{
    Decomposition, GapArm, NoDecomposition, OddSeed, Part, Parts, Remainder, is_better,
    is_immaterial, is_worse,
};
use crate::analysis::estimate::Term;
use crate::analysis::{ArmResults, Budget, CONFIDENCE, Estimate, Rate, Results, RunResults, Split};
use crate::stats::{
    Summary, least_errors_to_margin, odd_one_out, seeds_needed, seeds_to_settle, side,
};

/// The chance, for each of the two sides, with which the number of seeds that is named settles it.
const POWER: f64 = 0.9;

/// Takes the gap apart; `None` when the study asks for no pair, and the reason when its arms do not
/// suffice yet.
pub fn decompose(results: &Results) -> Option<Result<Decomposition, NoDecomposition>> {
    let [small, large] = results.decompose?;
    Some(of_pair(results, small, large))
}

fn of_pair(
    results: &Results,
    small: usize,
    large: usize,
) -> Result<Decomposition, NoDecomposition> {
    let arms = [
        find(results, small, Rate::Given, Budget::Epochs)?,
        find(results, large, Rate::Given, Budget::Epochs)?,
        find(results, small, Rate::Tuned, Budget::Epochs)?,
        find(results, large, Rate::Tuned, Budget::Epochs)?,
        find(results, large, Rate::Tuned, Budget::Steps)?,
    ];
    if let Some(wild) = arms.iter().find(|arm| !arm.diverged.is_empty()) {
        return Err(NoDecomposition::Diverged(wild.name.clone()));
    }
    let has = |seed: &&u64| arms.iter().all(|arm| arm.runs.contains_key(seed));
    let seeds: Vec<u64> = arms[0].runs.keys().filter(has).copied().collect();
    let runs: Vec<[&RunResults; 5]> =
        seeds.iter().map(|seed| arms.map(|arm| &arm.runs[seed])).collect();
    taken_apart(results, arms, seeds, &runs).ok_or(NoDecomposition::NoCommonSeed)
}

/// `None` without a seed.
fn taken_apart(
    results: &Results,
    arms: [&ArmResults; 5],
    seeds: Vec<u64>,
    runs: &[[&RunResults; 5]],
) -> Option<Decomposition> {
    let validation = parts(results, Split::Validation, runs)?;
    let has_test = runs.iter().flatten().all(|run| run.test.is_some());
    let test = if has_test { Some(parts(results, Split::Test, runs)?) } else { None };
    let split = if has_test { Split::Test } else { Split::Validation };
    let best = parts_at_best(results, runs)?;
    let overfitting = overfitting(results, runs)?;
    let summary = test.unwrap_or(validation).residual.estimate.summary;
    let at_best = &best.residual.estimate.summary;
    let remainder = remainder(&summary, at_best, &overfitting, results.margin);
    let (seeds_needed, rows_needed) = match remainder {
        Remainder::Open => {
            (seeds_that_settle(&summary, results.margin), rows_that_let(&summary, results.margin))
        }
        _ => (None, None),
    };
    let [a0, a1, a2, a3, a4] = std::array::from_fn(|at| gap_arm(results, arms[at], runs, at));
    Some(Decomposition {
        small: arms[0].batch_size,
        large: arms[1].batch_size,
        arms: [a0?, a1?, a2?, a3?, a4?],
        odd_seed: odd_seed(split, arms, &seeds, runs),
        seeds,
        validation,
        best,
        overfitting,
        test,
        remainder,
        seeds_needed,
        rows_needed,
    })
}

fn seeds_that_settle(residual: &Summary, margin: f64) -> Option<usize> {
    seeds_needed(residual, margin, residual.mean.abs() - margin, CONFIDENCE, POWER)
}

/// Where seeds would settle it if it were not for the rows: how many rows leave it to the seeds. With
/// fewer, no number of seeds shows a part of 0 to be smaller than the margin, or the part that was seen
/// to lie on its side of it.
fn rows_that_let(residual: &Summary, margin: f64) -> Option<usize> {
    let noise = residual.rows?;
    let alone = residual.over_seeds();
    let settles =
        |found: &Summary, by: f64| seeds_to_settle(found, by, CONFIDENCE, POWER).is_some();
    let distances = [margin, (residual.mean.abs() - margin).abs()];
    let in_the_way =
        distances.into_iter().find(|by| !settles(residual, *by) && settles(&alone, *by))?;
    let errors = noise.error * least_errors_to_margin(CONFIDENCE, POWER) / in_the_way;
    let rows = (noise.rows as f64 * errors.powi(2)).ceil() as usize;
    (rows > noise.rows).then_some(rows)
}

fn gap_arm(
    results: &Results,
    arm: &ArmResults,
    runs: &[[&RunResults; 5]],
    at: usize,
) -> Option<GapArm> {
    let of = |split| {
        results.estimate(split, &runs.iter().map(|runs| [(1.0, runs[at])]).collect::<Vec<_>>())
    };
    Some(GapArm {
        name: arm.name.clone(),
        batch_size: arm.batch_size,
        learning_rate: arm.learning_rate,
        updates: runs.iter().map(|runs| runs[at].steps as f64).sum::<f64>() / runs.len() as f64,
        validation: of(Split::Validation)?,
        test: of(Split::Test),
    })
}

fn odd_seed(
    split: Split,
    arms: [&ArmResults; 5],
    seeds: &[u64],
    runs: &[[&RunResults; 5]],
) -> Option<OddSeed> {
    let of_arm =
        |arm: usize| -> Option<Vec<f64>> { runs.iter().map(|of| of[arm].score(split)).collect() };
    let scores = [of_arm(0)?, of_arm(1)?];
    let gaps: Vec<f64> = scores[0].iter().zip(&scores[1]).map(|(a, b)| a - b).collect();
    let place = odd_one_out(&gaps)?;
    let of = |arm: usize| {
        let mut others = scores[arm].clone();
        let own = others.remove(place);
        let mean = others.iter().sum::<f64>() / others.len() as f64;
        others.sort_by(f64::total_cmp);
        let odd = OddSeed {
            seed: seeds[place],
            batch_size: arms[arm].batch_size,
            score: own,
            others: [others[0], others[others.len() - 1]],
        };
        ((own - mean).abs(), odd)
    };
    let [(of_small, small), (of_large, large)] = [0, 1].map(of);
    Some(if of_small >= of_large { small } else { large })
}

/// The one arm of this kind.
fn find(
    results: &Results,
    batch_size: usize,
    rate: Rate,
    budget: Budget,
) -> Result<&ArmResults, NoDecomposition> {
    let is = |arm: &&ArmResults| {
        arm.batch_size == batch_size && arm.rate == rate && arm.budget == budget
    };
    let found: Vec<&ArmResults> = results.arms.iter().filter(is).collect();
    match found[..] {
        [arm] => Ok(arm),
        _ => Err(NoDecomposition::Arms { count: found.len(), batch_size, rate, budget }),
    }
}

/// How the scores of the five arms make each part: total, learning rate, updates, residual.
const SIGNS: [[f64; 5]; 4] = [
    [1.0, -1.0, 0.0, 0.0, 0.0],
    [1.0, -1.0, -1.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, -1.0, 1.0],
    [0.0, 0.0, 1.0, 0.0, -1.0],
];

fn parts(results: &Results, split: Split, runs: &[[&RunResults; 5]]) -> Option<Parts> {
    Parts::of(|signs| part(results, split, runs, signs))
}

fn part<'r>(
    results: &Results,
    split: Split,
    runs: &[[&'r RunResults; 5]],
    signs: &[f64; 5],
) -> Option<Part> {
    let terms = |of: &[&'r RunResults; 5]| -> Vec<Term<'r>> {
        let all = signs.iter().copied().zip(of.iter().copied());
        all.filter(|(sign, _)| sign.abs() > 0.0).collect()
    };
    results.estimate(split, &runs.iter().map(terms).collect::<Vec<_>>()).map(Part::from)
}

/// On validation, each run where it was best.
fn parts_at_best(results: &Results, runs: &[[&RunResults; 5]]) -> Option<Parts> {
    Parts::of(|signs| {
        let squares = signs.iter().map(|sign| sign * sign).sum();
        let values: Vec<f64> =
            runs.iter().map(|of| sum(of, signs, RunResults::best_validation)).collect();
        Estimate::of(&values, results.rounding_sd(Split::Validation, squares)).map(Part::from)
    })
}

/// How much of the residual was not there where each run was best.
fn overfitting(results: &Results, runs: &[[&RunResults; 5]]) -> Option<Estimate> {
    let lost = |run: &RunResults| run.validation - run.best_validation();
    let values: Vec<f64> = runs.iter().map(|of| sum(of, &SIGNS[3], lost)).collect();
    Estimate::of(&values, results.rounding_sd(Split::Validation, 4.0))
}

fn sum(runs: &[&RunResults; 5], signs: &[f64; 5], of: impl Fn(&RunResults) -> f64) -> f64 {
    runs.iter().zip(signs).map(|(run, sign)| sign * of(run)).sum()
}

impl Parts {
    fn of(part: impl Fn(&[f64; 5]) -> Option<Part>) -> Option<Self> {
        let [total, learning_rate, updates, residual] = SIGNS.each_ref().map(part);
        Some(Self {
            total: total?,
            learning_rate: learning_rate?,
            updates: updates?,
            residual: residual?,
        })
    }
}

impl From<Estimate> for Part {
    fn from(estimate: Estimate) -> Self {
        Self { estimate, p: estimate.summary.p_value(0.0) }
    }
}

/// Equivalence by two one-sided tests, or one bound beyond the margin, which must be beyond it at
/// the best measurements too; else overfitting must be shown before it is blamed.
pub(super) fn remainder(
    residual: &Summary,
    at_best: &Summary,
    overfitting: &Estimate,
    margin: f64,
) -> Remainder {
    let lost = side(overfitting.interval);
    match is_immaterial(residual, margin) {
        true => Remainder::Immaterial,
        _ if is_worse(residual, margin) && is_worse(at_best, margin) => Remainder::LargeWorse,
        _ if is_better(residual, margin) && is_better(at_best, margin) => Remainder::LargeBetter,
        _ if is_worse(residual, margin) && lost.is_gt() => Remainder::AtTheEndAlone,
        _ if is_better(residual, margin) && lost.is_lt() => Remainder::AtTheEndAlone,
        _ => Remainder::Open,
    }
}
