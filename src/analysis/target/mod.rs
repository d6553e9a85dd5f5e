//! What it takes to reach a target: steps, examples and seconds against batch size.

mod reach;

pub use reach::{Cost, Reach, Target, reach};

use super::groups::is_budget;
use super::trade_off::{NoTradeOff, Observation, Observed, TradeOff, fit};
use super::{ArmFinding, ArmResults, Comparison, Point, Results};
use crate::stats::{Summary, best_trial, summarise};
use rand::Rng;
use serde::Serialize;
use std::collections::BTreeMap;

/// The runs of an arm and a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmTarget {
    /// The arm.
    pub name: String,
    /// Examples per step.
    pub batch_size: usize,
    /// Finished runs.
    pub runs: usize,
    /// Of them, those that reached the target.
    pub reached: usize,
    /// Of those, the ones that had reached it when they were measured for the first time.
    pub at_first: usize,
    /// Of the runs that reached it.
    pub steps: Option<Summary>,
    /// Of the runs that reached it.
    pub examples: Option<Summary>,
    /// Of the runs that reached it.
    pub seconds: Option<Summary>,
}

/// The largest batch that reaches a target with what every run was given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct InBudget {
    /// Training rows that every run has seen.
    pub examples: f64,
    /// By the curve.
    pub batch_size: f64,
}

/// All arms and a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetFinding {
    /// What is to be reached.
    #[serde(flatten)]
    pub target: Target,
    /// In the order of the file.
    pub arms: Vec<ArmTarget>,
    /// The curve through them.
    pub trade_off: Option<TradeOff>,
    /// Why there is none.
    pub no_trade_off: Option<NoTradeOff>,
    /// Whether batch sizes had several learning rates, of which the curve takes the one with the fewest
    /// steps.
    pub of_several_rates: bool,
    /// The batch size that reaches the target in the least time: the curve's steps with the seconds
    /// that a step took.
    pub fastest: Option<usize>,
    /// By the curve, where that lies near the batch sizes that were tried and runs do not end at the
    /// target.
    pub in_budget: Option<InBudget>,
}

impl TargetFinding {
    /// What it takes an arm that was compared.
    pub fn of(&self, arm: &ArmFinding) -> &ArmTarget {
        &self.arms[arm.place]
    }
}

/// A target that most runs of every candidate reach: each candidate's mean of its runs' best scores, the
/// lowest of these means, less the margin. `None` when there is no candidate with a curve.
pub fn default_target(results: &Results, comparison: &Comparison) -> Option<Target> {
    let highest = |arm: &ArmResults| {
        let top = |curve: &[Point]| curve.iter().map(|point| point.score).reduce(f64::max);
        let tops: Vec<f64> = arm.runs.values().filter_map(|run| top(&run.curve)).collect();
        summarise(&tops).map(|summary| summary.mean)
    };
    let candidates = results.arms.iter().zip(&comparison.arms).filter(|(_, arm)| arm.competes());
    let lowest = candidates.filter_map(|(arm, _)| highest(arm)).reduce(f64::min)?;
    Some(Target::of_score(results.score, lowest - results.margin))
}

/// What each arm takes to a target, and the curve through them.
pub fn target(
    results: &Results,
    comparison: &Comparison,
    target: Target,
    rng: &mut impl Rng,
) -> TargetFinding {
    let arms = results.arms.iter().map(|arm| arm_target(arm, &target)).collect();
    let places = comparable(results, comparison, &target);
    let candidates = comparison.arms.iter().filter(|arm| arm.competes()).count();
    let of_several_rates = places.as_ref().is_ok_and(|places| places.len() < candidates);
    let fitted = places.and_then(|places| fit(&observations(results, &places, &target), rng));
    let (trade_off, no_trade_off) = match fitted {
        Ok(trade_off) => (Some(trade_off), None),
        Err(reason) => (None, Some(reason)),
    };
    let fastest = trade_off.as_ref().and_then(|curve| fastest(curve, comparison));
    let in_budget = trade_off.as_ref().and_then(|curve| in_budget(curve, results, comparison));
    TargetFinding { target, arms, trade_off, no_trade_off, of_several_rates, fastest, in_budget }
}

fn arm_target(arm: &ArmResults, target: &Target) -> ArmTarget {
    let reaches: Vec<Reach> =
        arm.runs.values().filter_map(|run| reach(&run.curve, target)).collect();
    let costs: Vec<Cost> = reaches.iter().filter_map(|reach| reach.reached()).collect();
    let all = |of: fn(&Cost) -> f64| summarise(&costs.iter().map(of).collect::<Vec<_>>());
    ArmTarget {
        name: arm.name.clone(),
        batch_size: arm.batch_size,
        runs: reaches.len(),
        reached: costs.len(),
        at_first: reaches.iter().filter(|reach| matches!(reach, Reach::Before(_))).count(),
        steps: all(|cost| cost.steps),
        examples: all(|cost| cost.examples),
        seconds: all(|cost| cost.seconds),
    }
}

/// The candidates through which one curve can go: one a batch size, with nothing else between them but
/// the learning rate and the budget. Of several rates the one that suits its batch size best: a curve
/// through rates that suit some sizes better than others would show that.
fn comparable(
    results: &Results,
    comparison: &Comparison,
    target: &Target,
) -> Result<Vec<usize>, NoTradeOff> {
    let places: Vec<usize> =
        (0..results.arms.len()).filter(|place| comparison.arms[*place].competes()).collect();
    let arms: Vec<&ArmResults> = places.iter().map(|place| &results.arms[*place]).collect();
    let other = |path: &&String| !is_budget(path);
    let differs = arms.first().and_then(|first| {
        let unequal = |path: &&String| {
            arms.iter().any(|arm| arm.settings.get(*path) != first.settings.get(*path))
        };
        let paths = arms.iter().flat_map(|arm| arm.settings.keys());
        paths.filter(other).find(unequal)
    });
    if let Some(path) = differs {
        return Err(NoTradeOff::Setting(path.clone()));
    }
    let mut of_size: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in places {
        of_size.entry(results.arms[place].batch_size).or_default().push(place);
    }
    of_size.into_values().map(|places| best_rate(results, comparison, target, places)).collect()
}

/// Of arms of one batch size the one whose learning rate takes it to the target in the fewest steps.
fn best_rate(
    results: &Results,
    comparison: &Comparison,
    target: &Target,
    mut places: Vec<usize>,
) -> Result<usize, NoTradeOff> {
    let rate = |place: &usize| results.arms[*place].learning_rate;
    places.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    if places.windows(2).any(|pair| rate(&pair[0]).to_bits() == rate(&pair[1]).to_bits()) {
        return Err(NoTradeOff::Twins);
    }
    let trial = |place: &usize| results.arms[*place].as_trial(&comparison.seeds, Some(target));
    let best = best_trial(&places.iter().map(trial).collect::<Vec<_>>());
    best.map(|(at, _)| places[at]).ok_or(NoTradeOff::NoCommonSeed)
}

fn observations(results: &Results, places: &[usize], target: &Target) -> Vec<Observation> {
    let arms = places.iter().map(|place| &results.arms[*place]);
    let of_arm = |arm: &ArmResults| -> Vec<Observation> {
        let observed = |(seed, curve): (u64, &[Point])| {
            let observed = match reach(curve, target)? {
                Reach::At(cost) => Observed::At(cost.steps),
                Reach::Before(cost) => Observed::AtMost(cost.steps),
                Reach::Never(cost) => Observed::MoreThan(cost.steps),
            };
            Some(Observation { seed, batch_size: arm.batch_size as f64, steps: observed })
        };
        let runs = arm.runs.iter().map(|(seed, run)| (*seed, run.curve.as_slice()));
        runs.filter_map(observed).collect()
    };
    arms.flat_map(of_arm).collect()
}

/// argmin over the candidates of S(B) x the measured seconds of a step.
fn fastest(curve: &TradeOff, comparison: &Comparison) -> Option<usize> {
    let seconds = |arm: &ArmFinding| {
        let step = arm.seconds_per_step.filter(|_| arm.competes())?;
        Some((arm.batch_size, curve.steps(arm.batch_size as f64) * step.mean))
    };
    let all = comparison.arms.iter().filter_map(seconds);
    all.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(batch_size, _)| batch_size)
}

/// B_max = (E - Emin) / Smin for the examples E that every run of the candidates has seen.
fn in_budget(curve: &TradeOff, results: &Results, comparison: &Comparison) -> Option<InBudget> {
    let arms = || results.arms.iter().zip(&comparison.arms).filter(|(_, arm)| arm.competes());
    let seen = arms().flat_map(|(arm, _)| arm.runs.values()).map(|run| run.examples).min()?;
    let sizes = || arms().map(|(arm, _)| arm.batch_size as f64);
    let (smallest, largest) = (sizes().reduce(f64::min)?, sizes().reduce(f64::max)?);
    let batch_size = curve.largest_within(seen as f64);
    let near = curve.straddled && (smallest / 2.0..=2.0 * largest).contains(&batch_size);
    let found = InBudget { examples: seen as f64, batch_size };
    (near && results.declared_target.is_none()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, point, results};
    use super::reach::tests::curve;
    use super::*;
    use crate::analysis::compare;
    use crate::stats::tests::{generator, near};

    /// Arms whose runs reach 0.8 at the step S(B) = 50 + 6400 / B exactly: B_crit = 128.
    fn planted() -> Results {
        let of = |batch_size: usize| {
            let mut arm = arm(batch_size, &[0.85, 0.85, 0.85]);
            let steps = 50.0 + 6400.0 / batch_size as f64;
            for run in arm.runs.values_mut() {
                let point = |(at, score)| {
                    let point = point((steps * at) as u64, score);
                    let seconds = steps * at * batch_size as f64 / 1000.0;
                    Point { examples: point.step * batch_size as u64, seconds, ..point }
                };
                // Half of the steps at 0.7, twice as many at 1.0: 0.8 is a third of the way.
                run.curve = [(0.5, 0.7), (2.0, 1.0)].map(point).to_vec();
                run.train_seconds = run.steps as f64 * (0.01 + batch_size as f64 / 1000.0);
            }
            arm
        };
        results([16, 32, 64, 128, 256, 512].map(of).to_vec())
    }

    #[test]
    fn the_planted_critical_batch_size_is_found_and_the_fastest_one() {
        let study = planted();
        let comparison = compare(&study);
        let found = target(&study, &comparison, Target::of_accuracy(0.8), &mut generator(2));
        let curve = found.trade_off.unwrap();
        near(curve.critical, 128.0, 3.0);
        near(curve.smallest_steps, 50.0, 2.0);
        // T(B) = (50 + 6400 / B) (0.01 + B / 1000): least at sqrt(128 * 10) = 36.
        assert_eq!(found.fastest, Some(32));
        assert_eq!((found.arms[0].reached, found.arms[0].at_first), (3, 0));
        // E = 6400 + 50 B: 19,200 examples are enough for B = 256.
        let mut given = study.clone();
        given
            .arms
            .iter_mut()
            .flat_map(|arm| arm.runs.values_mut())
            .for_each(|r| r.examples = 19_200);
        let found = target(&given, &comparison, Target::of_accuracy(0.8), &mut generator(2));
        near(found.in_budget.unwrap().batch_size, 256.0, 8.0);
    }

    #[test]
    fn no_curve_goes_through_arms_that_differ_otherwise() {
        let mut study = planted();
        study.arms[1].batch_size = 16;
        let comparison = compare(&study);
        let found = target(&study, &comparison, Target::of_accuracy(0.8), &mut generator(2));
        assert_eq!(found.no_trade_off, Some(NoTradeOff::Twins));
        let mut study = planted();
        study.arms[1].settings.insert("train.epochs".into(), "3".into());
        assert!(
            target(&study, &comparison, Target::of_accuracy(0.8), &mut generator(2))
                .trade_off
                .is_some()
        );
        study.arms[1].settings.insert("train.schedule".into(), "constant".into());
        let found = target(&study, &comparison, Target::of_accuracy(0.8), &mut generator(2));
        assert_eq!(found.no_trade_off, Some(NoTradeOff::Setting("train.schedule".into())));
    }

    #[test]
    fn of_several_learning_rates_the_one_with_the_fewest_steps_stands_for_its_batch_size() {
        let mut study = planted();
        // At a higher rate each takes a fifth more steps.
        let mut slower = planted().arms;
        for arm in &mut slower {
            (arm.name, arm.learning_rate) = (format!("{}-high", arm.name), 1e-2);
            let points = arm.runs.values_mut().flat_map(|run| &mut run.curve);
            points.for_each(|point| point.step += point.step / 5);
        }
        let alone = compare(&study);
        let alone = target(&study, &alone, Target::of_accuracy(0.8), &mut generator(2));
        study.arms.splice(0..0, slower);
        let comparison = compare(&study);
        let found = target(&study, &comparison, Target::of_accuracy(0.8), &mut generator(2));
        assert_eq!((alone.of_several_rates, found.of_several_rates), (false, true));
        assert_eq!(found.trade_off, alone.trade_off);
    }

    #[test]
    fn the_default_target_is_one_that_all_arms_come_to() {
        let mut study = results(vec![arm(32, &[0.9, 0.9]), arm(64, &[0.8, 0.8])]);
        for (arm, top) in study.arms.iter_mut().zip([0.9, 0.8]) {
            arm.runs.values_mut().for_each(|run| run.curve = curve(&[0.5, top, 0.6]));
        }
        let comparison = compare(&study);
        near(default_target(&study, &comparison).unwrap().value, 0.795, 1e-12);
    }
}
