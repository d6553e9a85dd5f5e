//! The gap between a small and a large batch, taken apart.
//!
//! With the same learning rate and the same number of epochs a large batch differs from a small one
//! in three ways: the rate may suit it less, it makes fewer updates, and its gradients are less
//! noisy. Five arms with common seeds tell them apart (S small, L large):
//!
//! ```text
//! a0   S, the file's rate, the file's budget      a0'  S, tuned rate, the file's budget
//! a1   L, the file's rate, the file's budget      a2   L, tuned rate, the file's budget
//!                                                 a3   L, tuned rate, as many updates as S
//! total          = a0  - a1
//! learning rate  = (a2 - a1) - (a0' - a0)
//! updates        = a3  - a2
//! residual       = a0' - a3
//! ```
//!
//! Each is small minus large, so a positive part is accuracy that the large batch lacks, and total =
//! learning rate + updates + residual for every seed. The rates were chosen with seeds of their own.
//! a3 sees the data L / S times as often and may overfit, which would count as residual; so the parts
//! are given at each run's best measurement too (on validation, where the longer run has more looks).

use super::compare::Estimate;
use super::{ArmResults, Budget, CONFIDENCE, Rate, Results, RunResults};
use crate::stats::{Interval, crossed_interval, equivalence_p, seeds_to_settle};
use rand::Rng;
use serde::Serialize;

const REPLICATES: usize = 1000;
/// The chance, for each of the two sides, with which the number of seeds that is named settles it.
const POWER: f64 = 0.9;

/// One part of the gap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Part {
    /// Small minus large, paired by seed.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Of the t test that it is 0.
    pub p: Option<f64>,
    /// The 95 % interval for other seeds and other examples too; for the test split.
    pub for_other_examples: Option<Interval>,
}

/// The gap and its parts on one split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Parts {
    /// At the file's learning rate and budget.
    pub total: Part,
    /// What tuning the learning rate gives the large batch more than the small one.
    pub learning_rate: Part,
    /// What as many updates give the large batch.
    pub updates: Part,
    /// What remains: the batch size itself.
    pub residual: Part,
}

impl Parts {
    /// With their names, in the order of the sum: total first.
    pub fn named(&self) -> [(&'static str, &Part); 4] {
        [
            ("total", &self.total),
            ("learning rate", &self.learning_rate),
            ("updates", &self.updates),
            ("residual", &self.residual),
        ]
    }
}

/// What remains of the gap with tuned rates and equal updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// Shown to be smaller than the margin, either way.
    Immaterial,
    /// The large batch is worse by more than the margin.
    LargeWorse,
    /// The large batch is better by more than the margin.
    LargeBetter,
    /// Neither is shown.
    Open,
}

/// The gap between two batch sizes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decomposition {
    /// The small batch size.
    pub small: usize,
    /// The large one.
    pub large: usize,
    /// The arms a0, a1, a0', a2, a3.
    pub arms: [String; 5],
    /// The seeds that all of them have.
    pub seeds: Vec<u64>,
    /// On validation.
    pub validation: Parts,
    /// On validation, each run at its best measurement: what overfitting at the end hides.
    pub best: Parts,
    /// On the test split.
    pub test: Option<Parts>,
    /// What is left, on the test split if there is one.
    pub remainder: Remainder,
    /// How many seeds would settle it, when it is open.
    pub seeds_needed: Option<usize>,
}

impl Decomposition {
    /// On the test split if there is one, which had no say in the learning rates.
    pub fn parts(&self) -> &Parts {
        self.test.as_ref().unwrap_or(&self.validation)
    }

    /// `test` or `validation`.
    pub fn split(&self) -> &'static str {
        if self.test.is_some() { "test" } else { "validation" }
    }
}

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
    if runs.is_empty() {
        return Err("no seed has finished runs of all five arms yet".into());
    }
    let least_sd = |split: usize| {
        results.examples[split].map_or(0.0, |rows| (2.0f64 / 12.0).sqrt() / rows.max(1) as f64)
    };
    let on_validation = runs.iter().map(|runs| runs.map(|run| run.validation)).collect::<Vec<_>>();
    let validation = parts(&on_validation, least_sd(1)).ok_or("there are no runs")?;
    let best_of =
        |run: &RunResults| run.curve.iter().map(|p| p.accuracy).fold(run.validation, f64::max);
    let at_best = runs.iter().map(|runs| runs.map(best_of)).collect::<Vec<_>>();
    let best = parts(&at_best, least_sd(1)).ok_or("there are no runs")?;
    let on_test: Option<Vec<[f64; 5]>> = runs.iter().map(|runs| tests(*runs)).collect();
    let mut test = on_test.and_then(|values| parts(&values, least_sd(2)));
    if let Some(test) = &mut test {
        add_other_examples(test, &runs, rng);
    }
    let summary = test.unwrap_or(validation).residual.estimate.summary;
    let remainder = remainder(&summary, results.margin);
    let seeds_needed = match (remainder, summary.sd) {
        (Remainder::Open, Some(sd)) => seeds_to_settle(sd, results.margin, CONFIDENCE, POWER)
            .map(|needed| needed.max(summary.count + 1)),
        _ => None,
    };
    Ok(Decomposition {
        small,
        large,
        arms: arms.map(|arm| arm.name.clone()),
        seeds,
        validation,
        best,
        test,
        remainder,
        seeds_needed,
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

fn parts(accuracies: &[[f64; 5]], least_sd: f64) -> Option<Parts> {
    let part = |signs: &[i8; 5]| {
        let of_seed = |arms: &[f64; 5]| -> f64 {
            arms.iter().zip(signs).map(|(accuracy, sign)| f64::from(*sign) * accuracy).sum()
        };
        let values: Vec<f64> = accuracies.iter().map(of_seed).collect();
        let estimate = Estimate::of(&values, least_sd)?;
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

/// Equivalence by two one-sided tests, or one bound beyond the margin.
fn remainder(residual: &crate::stats::Summary, margin: f64) -> Remainder {
    let low = residual.lower_bound(CONFIDENCE);
    let high = residual.upper_bound(CONFIDENCE);
    match (equivalence_p(residual, margin), low, high) {
        (Some(p), ..) if p < 1.0 - CONFIDENCE => Remainder::Immaterial,
        (_, Some(low), _) if low > margin => Remainder::LargeWorse,
        (_, _, Some(high)) if high < -margin => Remainder::LargeBetter,
        _ => Remainder::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use super::*;
    use crate::stats::tests::{generator, near, normals};

    /// The five arms with these accuracies on every seed, and the same noise for a seed in all.
    fn study(accuracies: [f64; 5], noise: f64, own: f64) -> Results {
        let mut rng = generator(7);
        let common = normals(&mut rng, 8, 0.0, noise);
        let kinds = [
            (32, Rate::Given, Budget::Epochs),
            (256, Rate::Given, Budget::Epochs),
            (32, Rate::Tuned, Budget::Epochs),
            (256, Rate::Tuned, Budget::Epochs),
            (256, Rate::Tuned, Budget::Steps),
        ];
        let mut arms = Vec::new();
        for (index, (size, rate, budget)) in kinds.into_iter().enumerate() {
            let own = normals(&mut rng, 8, 0.0, own);
            let values: Vec<f64> =
                common.iter().zip(&own).map(|(a, b)| accuracies[index] + a + b).collect();
            arms.push(ArmResults { name: format!("a{index}"), rate, budget, ..arm(size, &values) });
        }
        Results { decompose: Some([32, 256]), ..results(arms) }
    }

    fn found(accuracies: [f64; 5]) -> Decomposition {
        decompose(&study(accuracies, 0.02, 5e-4), &mut generator(1)).unwrap().unwrap()
    }

    fn means(parts: &Parts) -> [f64; 4] {
        parts.named().map(|(_, part)| part.estimate.summary.mean)
    }

    #[test]
    fn a_planted_deficit_is_found_in_its_part_with_its_sign() {
        // Too few updates alone: 3 points are lacking until the large batch makes as many.
        let updates = found([0.85, 0.82, 0.85, 0.82, 0.85]);
        for (mean, planted) in means(updates.parts()).into_iter().zip([0.03, 0.0, 0.03, 0.0]) {
            near(mean, planted, 1e-3);
        }
        assert_eq!(updates.remainder, Remainder::Immaterial);
        // The rate alone: tuning gives the large batch 3 points, and the small one 1.
        let rate = found([0.84, 0.82, 0.85, 0.85, 0.85]);
        for (mean, planted) in means(rate.parts()).into_iter().zip([0.02, 0.02, 0.0, 0.0]) {
            near(mean, planted, 1e-3);
        }
        // The batch size itself, both ways.
        let worse = found([0.85, 0.80, 0.85, 0.80, 0.80]);
        near(means(worse.parts())[3], 0.05, 1e-3);
        assert_eq!(worse.remainder, Remainder::LargeWorse);
        let better = found([0.80, 0.85, 0.80, 0.85, 0.85]);
        near(means(better.parts())[3], -0.05, 1e-3);
        assert_eq!(better.remainder, Remainder::LargeBetter);
    }

    #[test]
    fn the_parts_add_up_to_the_total_on_both_splits() {
        let found = found([0.81, 0.79, 0.84, 0.83, 0.835]);
        for parts in [&found.validation, found.test.as_ref().unwrap()] {
            let [total, rate, updates, residual] = means(parts);
            near(total, rate + updates + residual, 1e-12);
        }
        assert_eq!((found.small, found.large, found.seeds.len()), (32, 256, 8));
    }

    #[test]
    fn what_common_noise_does_to_all_arms_cancels_and_own_noise_leaves_it_open() {
        let wide = study([0.85; 5], 0.02, 0.02);
        let found = decompose(&wide, &mut generator(1)).unwrap().unwrap();
        assert_eq!(found.remainder, Remainder::Open);
        assert!(found.seeds_needed.unwrap() > 8);
        let narrow = study([0.85; 5], 0.05, 5e-4);
        let found = decompose(&narrow, &mut generator(1)).unwrap().unwrap();
        assert_eq!(found.remainder, Remainder::Immaterial);
    }

    #[test]
    fn a_missing_arm_is_named() {
        let mut study = study([0.85; 5], 0.02, 0.0);
        study.arms.pop();
        let reason = decompose(&study, &mut generator(1)).unwrap().unwrap_err();
        assert_eq!(
            reason,
            "there is no arm with batch size 256, a tuned learning rate and equal steps"
        );
        study.decompose = None;
        assert!(decompose(&study, &mut generator(1)).is_none());
    }
}
