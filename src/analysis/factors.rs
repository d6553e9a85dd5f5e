//! What else was varied, and whether it matters more for some batch sizes.
//!
//! A factor is a setting with several values, each crossed with batch sizes: a schedule, dropout, a
//! penalty, the learning rate of a grid. For each value but the first, and seed by seed,
//!
//! ```text
//! d(B)         = score with the value - with the first one, at batch size B, all else equal
//! main effect  = mean of d over the batch sizes
//! interaction  = d(largest B) - d(smallest B)
//! ```
//!
//! Both get paired t intervals; the p values of all factors together are corrected by Holm's method.
//! Scores are those of the test split if all runs have them: nothing is chosen here. Then both are
//! meant for other test rows too.

use super::estimate::Term;
use super::groups::{are_alike_but_for, have_one_rate, is_budget};
use super::{ArmResults, Estimate, Rate, Results, Split};
use crate::stats::holm;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The path by which the learning rate is called.
const LEARNING_RATE: &str = "lr";

/// A difference in the score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Effect {
    /// Paired by seed.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Of the t test that it is 0.
    pub p: Option<f64>,
    /// With Holm's correction over all effects of the study.
    pub p_holm: Option<f64>,
    /// The smallest true difference that as many seeds tell from 0 in 80 % of studies.
    pub detectable: Option<f64>,
}

/// One value of a setting against the first one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Factor {
    /// The setting, by its path in the file.
    pub path: String,
    /// The value.
    pub value: String,
    /// The first one.
    pub reference: String,
    /// The batch sizes at which both were tried.
    pub batch_sizes: Vec<usize>,
    /// `test` or `validation`.
    pub split: Split,
    /// Over all batch sizes.
    pub main: Effect,
    /// How much more it is at the largest than at the smallest; `None` for one batch size.
    pub interaction: Option<Effect>,
}

/// All factors of a group of arms.
pub fn factors(results: &Results) -> Vec<Factor> {
    let fit = |arm: &&ArmResults| arm.diverged.is_empty() && !arm.runs.is_empty();
    let arms: Vec<&ArmResults> = results.arms.iter().filter(fit).collect();
    let paths: BTreeSet<&str> =
        arms.iter().flat_map(|arm| arm.settings.keys()).map(|p| p.as_str()).collect();
    let paths = paths.into_iter().filter(|path| !is_budget(path)).chain([LEARNING_RATE]);
    let mut found: Vec<Factor> = paths.flat_map(|path| of_path(results, &arms, path)).collect();
    let mut effects: Vec<&mut Effect> = found
        .iter_mut()
        .flat_map(|factor| [Some(&mut factor.main), factor.interaction.as_mut()])
        .flatten()
        .filter(|effect| effect.p.is_some())
        .collect();
    let p: Vec<f64> = effects.iter().filter_map(|effect| effect.p).collect();
    for (effect, corrected) in effects.iter_mut().zip(holm(&p)) {
        effect.p_holm = Some(corrected);
    }
    found
}

/// The values of a factor, each against the first.
fn of_path(results: &Results, arms: &[&ArmResults], path: &str) -> Vec<Factor> {
    let mut values: Vec<String> = Vec::new();
    for arm in arms {
        let value = value(arm, path);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let Some((reference, others)) = values.split_first() else { return Vec::new() };
    others.iter().filter_map(|value| against(results, arms, path, value, reference)).collect()
}

fn value(arm: &ArmResults, path: &str) -> String {
    match path {
        LEARNING_RATE => arm.learning_rate.to_string(),
        _ => arm.settings.get(path).cloned().unwrap_or_else(|| "none".into()),
    }
}

/// Whether two arms differ in nothing but this.
fn differ_in(a: &ArmResults, b: &ArmResults, path: &str) -> bool {
    let same_rate = path == LEARNING_RATE || have_one_rate(a, b);
    same_rate && are_alike_but_for(a, b, |key| key == path)
}

/// The pairs of arms by batch size.
type Pairs<'a> = BTreeMap<usize, Vec<(&'a ArmResults, &'a ArmResults)>>;

fn against<'a>(
    results: &Results,
    arms: &[&'a ArmResults],
    path: &str,
    with: &str,
    reference: &str,
) -> Option<Factor> {
    let of = |wanted: &str| -> Vec<&'a ArmResults> {
        arms.iter().copied().filter(|arm| value(arm, path) == wanted).collect()
    };
    let references = of(reference);
    if path == LEARNING_RATE && arms.iter().any(|arm| arm.rate == Rate::Tuned) {
        return None;
    }
    let mut pairs: Pairs<'_> = BTreeMap::new();
    for a in of(with) {
        for b in references.iter().copied().filter(|b| differ_in(a, b, path)) {
            pairs.entry(a.batch_size).or_default().push((a, b));
        }
    }
    let both = || pairs.values().flatten().flat_map(|(a, b)| [*a, *b]);
    let everywhere = |seed: &&u64| both().all(|arm| arm.runs.contains_key(seed));
    let seeds: Vec<u64> = both().next()?.runs.keys().filter(everywhere).copied().collect();
    let split = results.reported_split();
    // Each seed's mean of d over these pairs, times a weight.
    let at = |pairs: &Vec<(&'a ArmResults, &'a ArmResults)>, weight: f64, seed: &u64| {
        let weight = weight / pairs.len() as f64;
        let terms =
            pairs.iter().flat_map(|(a, b)| [(weight, &a.runs[seed]), (-weight, &b.runs[seed])]);
        terms.collect::<Vec<Term>>()
    };
    let share = 1.0 / pairs.len() as f64;
    let mean = |seed: &u64| pairs.values().flat_map(|p| at(p, share, seed)).collect();
    let main = effect(results, split, seeds.iter().map(mean).collect())?;
    let (smallest, largest) = (pairs.values().next()?, pairs.values().next_back()?);
    let more = |seed: &u64| [at(largest, 1.0, seed), at(smallest, -1.0, seed)].concat();
    let interaction = effect(results, split, seeds.iter().map(more).collect());
    Some(Factor {
        path: path.to_owned(),
        value: with.to_owned(),
        reference: reference.to_owned(),
        batch_sizes: pairs.keys().copied().collect(),
        split,
        main,
        interaction: interaction.filter(|_| pairs.len() > 1),
    })
}

fn effect(results: &Results, split: Split, sums: Vec<Vec<Term>>) -> Option<Effect> {
    let estimate = results.estimate(split, &sums)?;
    let p = estimate.summary.p_value(0.0);
    Some(Effect { estimate, p, p_holm: None, detectable: estimate.detectable() })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use super::*;
    use crate::stats::tests::{generator, near, normals};
    use rand_chacha::ChaCha8Rng;

    /// Two schedules at three batch sizes: falling adds `main` everywhere and `more` at 256.
    fn study(main: f64, more: f64, rng: &mut ChaCha8Rng) -> Results {
        let seeds = normals(rng, 6, 0.8, 0.02);
        let mut arms = Vec::new();
        for size in [32, 64, 256] {
            for (schedule, adds) in [("constant", 0.0), ("falling", main)] {
                let adds = adds + if schedule == "falling" && size == 256 { more } else { 0.0 };
                let own = normals(rng, 6, 0.0, 0.002);
                let values: Vec<f64> = seeds.iter().zip(own).map(|(a, b)| a + b + adds).collect();
                let mut arm = arm(size, &values);
                arm.name = format!("{schedule}-{size}");
                arm.settings.insert("train.schedule".into(), schedule.into());
                arms.push(arm);
            }
        }
        results(arms)
    }

    #[test]
    fn planted_effects_are_found_where_they_were_planted() {
        let found = factors(&study(0.01, 0.03, &mut generator(1)));
        let [factor] = &found[..] else { panic!("{found:?}") };
        assert_eq!((factor.path.as_str(), factor.value.as_str()), ("train.schedule", "falling"));
        assert_eq!((&factor.batch_sizes[..], factor.split), (&[32, 64, 256][..], Split::Test));
        near(factor.main.estimate.summary.mean, 0.02, 2e-3);
        let more = factor.interaction.unwrap();
        near(more.estimate.summary.mean, 0.03, 4e-3);
        assert!(factor.main.p_holm.unwrap() < 0.001 && more.p_holm.unwrap() < 0.001);
        assert!(more.p_holm.unwrap() >= more.p.unwrap());
    }

    #[test]
    fn what_does_nothing_is_rarely_called_an_effect() {
        let mut rng = generator(2);
        let mut called = 0;
        for _ in 0..300 {
            let factor = factors(&study(0.0, 0.0, &mut rng)).remove(0);
            let least = |effect: Effect| effect.p_holm.unwrap();
            called +=
                usize::from(least(factor.main).min(least(factor.interaction.unwrap())) < 0.05);
        }
        assert!((3..28).contains(&called), "{called} of 300 are about 5 %");
    }

    #[test]
    fn one_batch_size_has_no_interaction_and_arms_that_differ_twice_are_no_pair() {
        let mut study = study(0.01, 0.0, &mut generator(3));
        study.arms.retain(|arm| arm.batch_size == 32);
        assert_eq!(factors(&study)[0].interaction, None);
        study.arms[1].learning_rate = 1e-2;
        assert!(factors(&study).is_empty());
        study.arms[1].settings.insert("train.schedule".into(), "constant".into());
        let found = factors(&study);
        assert_eq!((found.len(), found[0].path.as_str()), (1, "lr"));
    }
}
