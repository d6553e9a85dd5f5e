//! The parts of the gap from the runs of its five arms.

use super::{
    Decomposition, GapArm, OddSeed, Part, Parts, Remainder, is_better, is_immaterial, is_worse,
};
use crate::analysis::{ArmResults, Budget, CONFIDENCE, Estimate, Rate, Results, RunResults, Split};
use crate::stats::{Summary, crossed_interval, odd_one_out, seeds_to_settle, side};
use rand::Rng;

const REPLICATES: usize = 1000;
/// The chance, for each of the two sides, with which the number of seeds that is named settles it.
const POWER: f64 = 0.9;

/// Takes the gap apart; `None` when the study asks for no pair, and the reason when its arms do not
/// suffice yet.
pub fn decompose(results: &Results, rng: &mut impl Rng) -> Option<Result<Decomposition, String>> {
    let [small, large] = results.decompose?;
    Some(of_pair(results, small, large, rng))
}

fn of_pair(
    results: &Results,
    small: usize,
    large: usize,
    rng: &mut impl Rng,
) -> Result<Decomposition, String> {
    let arms = [
        find(results, small, Rate::Given, Budget::Epochs)?,
        find(results, large, Rate::Given, Budget::Epochs)?,
        find(results, small, Rate::Tuned, Budget::Epochs)?,
        find(results, large, Rate::Tuned, Budget::Epochs)?,
        find(results, large, Rate::Tuned, Budget::Steps)?,
    ];
    if let Some(wild) = arms.iter().find(|arm| !arm.diverged.is_empty()) {
        return Err(format!("runs of `{}` diverged", wild.name));
    }
    let has = |seed: &&u64| arms.iter().all(|arm| arm.runs.contains_key(seed));
    let seeds: Vec<u64> = arms[0].runs.keys().filter(has).copied().collect();
    let runs: Vec<[&RunResults; 5]> =
        seeds.iter().map(|seed| arms.map(|arm| &arm.runs[seed])).collect();
    taken_apart(results, arms, seeds, &runs, rng)
        .ok_or_else(|| "no seed has finished runs of all five arms yet".into())
}

/// `None` without a seed.
fn taken_apart(
    results: &Results,
    arms: [&ArmResults; 5],
    seeds: Vec<u64>,
    runs: &[[&RunResults; 5]],
    rng: &mut impl Rng,
) -> Option<Decomposition> {
    let rounding = |split| move |accuracies| results.rounding_sd(split, accuracies);
    let on_validation: Vec<[f64; 5]> = runs.iter().map(|of| of.map(|run| run.validation)).collect();
    let validation = parts(&on_validation, rounding(Split::Validation))?;
    let best_of =
        |run: &RunResults| run.curve.iter().map(|p| p.accuracy).fold(run.validation, f64::max);
    let at_best: Vec<[f64; 5]> = runs.iter().map(|runs| runs.map(best_of)).collect();
    let best = parts(&at_best, rounding(Split::Validation))?;
    let on_test: Option<Vec<[f64; 5]>> = runs.iter().map(|runs| tests(*runs)).collect();
    let mut test = on_test.as_ref().and_then(|values| parts(values, rounding(Split::Test)));
    if let Some(test) = &mut test {
        add_other_examples(test, runs, rng);
    }
    let residual = |arms: &[f64; 5]| part_of(arms, &SIGNS[3]);
    let lost = on_validation.iter().zip(&at_best).map(|(end, best)| residual(end) - residual(best));
    let overfitting =
        Estimate::of(&lost.collect::<Vec<_>>(), results.rounding_sd(Split::Validation, 4))?;
    let summary = test.unwrap_or(validation).residual.estimate.summary;
    let at_best = &best.residual.estimate.summary;
    let remainder = remainder(&summary, at_best, &overfitting, results.margin);
    let seeds_needed = match (remainder, summary.sd) {
        (Remainder::Open, Some(sd)) => seeds_to_settle(sd, results.margin, CONFIDENCE, POWER)
            .map(|needed| needed.max(summary.count + 1)),
        _ => None,
    };
    let [a0, a1, a2, a3, a4] = std::array::from_fn(|at| gap_arm(results, arms[at], runs, at));
    Some(Decomposition {
        small: arms[0].batch_size,
        large: arms[1].batch_size,
        arms: [a0?, a1?, a2?, a3?, a4?],
        odd_seed: odd_seed(arms, &seeds, on_test.as_ref().unwrap_or(&on_validation)),
        seeds,
        validation,
        best,
        overfitting,
        test,
        remainder,
        seeds_needed,
    })
}

fn gap_arm(
    results: &Results,
    arm: &ArmResults,
    runs: &[[&RunResults; 5]],
    at: usize,
) -> Option<GapArm> {
    let of = |split| {
        let values: Option<Vec<f64>> = runs.iter().map(|runs| runs[at].accuracy(split)).collect();
        Estimate::of(&values?, results.rounding_sd(split, 1))
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

fn odd_seed(arms: [&ArmResults; 5], seeds: &[u64], accuracies: &[[f64; 5]]) -> Option<OddSeed> {
    let gaps: Vec<f64> = accuracies.iter().map(|arms| part_of(arms, &SIGNS[0])).collect();
    let place = odd_one_out(&gaps)?;
    let without: Vec<[f64; 5]> = [&accuracies[..place], &accuracies[place + 1..]].concat();
    let distance = |arm: &usize| {
        let others = without.iter().map(|of| of[*arm]).sum::<f64>() / without.len() as f64;
        (accuracies[place][*arm] - others).abs()
    };
    let arm = if distance(&0) >= distance(&1) { 0 } else { 1 };
    let others = without.iter().map(|of| of[arm]);
    let gaps: Vec<f64> = without.iter().map(|arms| part_of(arms, &SIGNS[0])).collect();
    Some(OddSeed {
        seed: seeds[place],
        batch_size: arms[arm].batch_size,
        accuracy: accuracies[place][arm],
        others: [others.clone().fold(1.0, f64::min), others.fold(0.0, f64::max)],
        without: Estimate::of(&gaps, 0.0)?,
    })
}

/// The one arm of this kind.
fn find(
    results: &Results,
    batch_size: usize,
    rate: Rate,
    budget: Budget,
) -> Result<&ArmResults, String> {
    let is = |arm: &&ArmResults| {
        arm.batch_size == batch_size && arm.rate == rate && arm.budget == budget
    };
    let found: Vec<&ArmResults> = results.arms.iter().filter(is).collect();
    let rate = if rate == Rate::Tuned { "a tuned learning rate" } else { "the file's rate" };
    let budget = if budget == Budget::Steps { " and equal steps" } else { "" };
    let what = format!("with batch size {batch_size}, {rate}{budget}");
    match found[..] {
        [arm] => Ok(arm),
        [] => Err(format!("there is no arm {what}")),
        _ => Err(format!("there are {} arms {what}", found.len())),
    }
}

fn tests(runs: [&RunResults; 5]) -> Option<[f64; 5]> {
    let all: Vec<f64> = runs.iter().filter_map(|run| run.test).collect();
    all.try_into().ok()
}

/// How the accuracies of the five arms make each part: total, learning rate, updates, residual.
const SIGNS: [[i8; 5]; 4] =
    [[1, -1, 0, 0, 0], [1, -1, -1, 1, 0], [0, 0, 0, -1, 1], [0, 0, 1, 0, -1]];

fn part_of(arms: &[f64; 5], signs: &[i8; 5]) -> f64 {
    arms.iter().zip(signs).map(|(accuracy, sign)| f64::from(*sign) * accuracy).sum()
}

/// `rounding` is the spread that rounding gives a sum of so many accuracies.
fn parts(accuracies: &[[f64; 5]], rounding: impl Fn(usize) -> f64) -> Option<Parts> {
    let part = |signs: &[i8; 5]| {
        let values: Vec<f64> = accuracies.iter().map(|arms| part_of(arms, signs)).collect();
        let summed = signs.iter().filter(|sign| **sign != 0).count();
        let estimate = Estimate::of(&values, rounding(summed))?;
        let p = estimate.summary.p_value(0.0);
        Some(Part { estimate, p, for_other_examples: None })
    };
    let [total, learning_rate, updates, residual] = SIGNS.each_ref().map(part);
    Some(Parts {
        total: total?,
        learning_rate: learning_rate?,
        updates: updates?,
        residual: residual?,
    })
}

fn add_other_examples(parts: &mut Parts, runs: &[[&RunResults; 5]], rng: &mut impl Rng) {
    let of = |signs: &[i8; 5], runs: &[&RunResults; 5]| -> Vec<i8> {
        let rows = runs.iter().map(|run| run.correct.len()).min().unwrap_or(0);
        let row = |row: usize| {
            runs.iter().zip(signs).map(|(run, sign)| sign * i8::from(run.correct[row])).sum()
        };
        (0..rows).map(row).collect()
    };
    let places =
        [&mut parts.total, &mut parts.learning_rate, &mut parts.updates, &mut parts.residual];
    for (part, signs) in places.into_iter().zip(&SIGNS) {
        let values: Vec<Vec<i8>> = runs.iter().map(|runs| of(signs, runs)).collect();
        part.for_other_examples = crossed_interval(&values, CONFIDENCE, REPLICATES, rng);
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
