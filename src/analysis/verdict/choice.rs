//! Which arms are the fastest, and whether that is shown.

use crate::analysis::estimate::paired;
use crate::analysis::words::label;
use crate::analysis::{ArmFinding, Comparison, Estimate, Ratio, Results, RunResults};
use crate::format::duration;
use crate::stats::Interval;

/// Of these arms, those that are not shown to take longer than the fastest one, in words.
pub(super) fn rivals(
    results: &Results,
    comparison: &Comparison,
    fastest: &ArmFinding,
    others: impl Fn(&ArmFinding) -> bool,
    seconds: impl Fn(&RunResults) -> Option<f64>,
) -> Vec<String> {
    let arm = |name: &str| results.arms.iter().find(|arm| arm.name == name);
    let Some(of_fastest) = arm(&fastest.name) else { return Vec::new() };
    let log = |run: &RunResults| seconds(run).filter(|s| *s > 0.0).map(f64::ln);
    let rival = |found: &ArmFinding| {
        let may_be = found.name != fastest.name && found.diverged == 0 && others(found);
        let times = Estimate::of(&paired(arm(&found.name)?, of_fastest, log), 0.0);
        let Ratio { value, interval } = times.filter(|_| may_be)?.exp();
        let Interval { low, high } = interval.filter(|interval| interval.low <= 1.0)?;
        let named = label(found);
        Some(format!("{named} ({value:.2} times as long, 95 % interval {low:.2} to {high:.2})"))
    };
    comparison.arms.iter().filter_map(rival).collect()
}

/// ` (12.3 s with batch size 32)`: what the smallest batch size takes, for an arm that is another.
pub(super) fn against_the_smallest(
    comparison: &Comparison,
    arm: &ArmFinding,
    seconds: impl Fn(&ArmFinding) -> Option<f64>,
) -> String {
    let competing = comparison.arms.iter().filter(|other| other.competes());
    let smallest = competing.min_by_key(|other| other.batch_size);
    let told = smallest.filter(|smallest| smallest.batch_size < arm.batch_size).and_then(|of| {
        let [own, other] = [seconds(arm)?, seconds(of)?].map(duration);
        (own != other).then(|| format!(" ({other} with {})", label(of)))
    });
    told.unwrap_or_default()
}
