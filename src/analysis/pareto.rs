//! What a score costs: the arms that no other one beats in both.
//!
//! An arm is on the front of a cost when no other is at least as good on validation and cheaper,
//! or as cheap and better. These are means: neighbours on a front may well be equal.

use super::{ArmFinding, Comparison, TargetFinding};
use serde::Serialize;

/// What is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Price {
    /// Of a run, on this machine.
    Seconds,
    /// Updates of a run.
    Steps,
    /// Training rows of a run.
    Examples,
    /// Peak memory of a run, in bytes.
    Memory,
    /// Until the target was reached, of an arm all of whose runs did.
    SecondsToTarget,
}

impl Price {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Seconds, Self::SecondsToTarget, Self::Steps, Self::Examples, Self::Memory];

    /// What an arm costs.
    pub fn of(self, arm: &ArmFinding, target: Option<&TargetFinding>) -> Option<f64> {
        match self {
            Self::Seconds => arm.seconds.map(|seconds| seconds.mean),
            Self::Steps => arm.steps.map(|steps| steps.mean),
            Self::Examples => arm.examples.map(|examples| examples.mean),
            Self::Memory => arm.memory.map(|memory| memory.mean).filter(|bytes| *bytes > 0.0),
            Self::SecondsToTarget => {
                let of_arm = target?.of(arm);
                of_arm.seconds.filter(|_| of_arm.reached == of_arm.runs).map(|found| found.mean)
            }
        }
    }
}

/// The arms that are worth their price.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Front {
    /// In what.
    pub price: Price,
    /// From the cheapest to the best.
    pub arms: Vec<String>,
    /// Their places in the comparison.
    #[serde(skip)]
    pub places: Vec<usize>,
}

/// The front of each price on which the arms differ.
pub fn fronts(comparison: &Comparison, target: Option<&TargetFinding>) -> Vec<Front> {
    Price::ALL.into_iter().filter_map(|price| front(comparison, target, price)).collect()
}

fn front(comparison: &Comparison, target: Option<&TargetFinding>, price: Price) -> Option<Front> {
    let point = |arm: &'_ ArmFinding| {
        let competes = arm.competes();
        let score = arm.validation.filter(|_| competes)?.summary.mean;
        Some((arm.place, price.of(arm, target)?, score))
    };
    let mut points: Vec<(usize, f64, f64)> = comparison.arms.iter().filter_map(point).collect();
    points.sort_by(|a, b| a.1.total_cmp(&b.1).then(b.2.total_cmp(&a.2)));
    let (first, last) = (points.first()?.1, points.last()?.1);
    if first.total_cmp(&last).is_eq() {
        return None;
    }
    let mut highest = f64::NEG_INFINITY;
    points.retain(|(_, _, score)| {
        let better = *score > highest;
        highest = highest.max(*score);
        better
    });
    let places: Vec<usize> = points.into_iter().map(|(place, ..)| place).collect();
    let arms = places.iter().map(|place| comparison.arms[*place].name.clone()).collect();
    Some(Front { price, arms, places })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use super::*;
    use crate::analysis::{Target, compare, target};
    use crate::stats::summarise;
    use crate::stats::tests::generator;

    #[test]
    fn what_is_dearer_and_no_better_is_not_on_the_front() {
        // Seconds and steps fall with the batch size.
        let study = results(vec![
            arm(16, &[0.82, 0.82]),
            arm(32, &[0.85, 0.85]),
            arm(64, &[0.80, 0.80]),
            arm(128, &[0.81, 0.81]),
        ]);
        let found = fronts(&compare(&study), None);
        let prices: Vec<Price> = found.iter().map(|front| front.price).collect();
        assert_eq!(prices, [Price::Seconds, Price::Steps], "all cost the same rows and memory");
        assert_eq!(found[0].arms, ["batch-128", "batch-32"]);
    }

    #[test]
    fn the_time_to_a_target_counts_for_arms_all_of_whose_runs_reach_it() {
        let study = results(vec![arm(16, &[0.82; 2]), arm(32, &[0.85; 2]), arm(64, &[0.80; 2])]);
        let comparison = compare(&study);
        let mut found = target(&study, &comparison, Target::of_accuracy(0.7), &mut generator(1));
        for (arm, (reached, seconds)) in found.arms.iter_mut().zip([(2, 3.0), (2, 2.0), (1, 1.0)]) {
            (arm.runs, arm.reached, arm.seconds) = (2, reached, summarise(&[seconds; 2]));
        }
        let fronts = fronts(&comparison, Some(&found));
        let to_target = fronts.iter().find(|front| front.price == Price::SecondsToTarget).unwrap();
        // A run of the fastest arm missed the target; the slowest arm has a worse score than the next.
        assert_eq!(to_target.arms, ["batch-32"]);
    }
}
