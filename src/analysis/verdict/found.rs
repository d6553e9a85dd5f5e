//! What the comparison with the best arm found, in sentences.

use super::{LEAST_SEEDS, Outcome};
use crate::analysis::words::{accuracy, label, labels, list, points, points_range, signed_points};
use crate::analysis::{ArmFinding, Comparison, Role};
use crate::format::counted;
use crate::stats::Standing;

/// Arms that one line of the terminal names.
const NAMED: usize = 4;

/// `batch size 128: -0.63 (95 % interval -3.10 to +1.90, 3 seeds)`
fn difference(arm: &ArmFinding) -> String {
    let Some(difference) = arm.difference else { return label(arm) };
    let summary = difference.estimate.summary;
    let mean = signed_points(summary.mean);
    let seeds = counted(summary.count, "seed");
    match difference.estimate.interval {
        Some(interval) => {
            let ends = points_range(interval);
            format!("{}: {mean} (95 % interval {ends}, {seeds})", label(arm))
        }
        None => format!("{}: {mean} (one seed, so no interval)", label(arm)),
    }
}

fn differences(arms: &[&ArmFinding]) -> String {
    let mut said: Vec<String> = arms.iter().take(NAMED).map(|arm| difference(arm)).collect();
    if arms.len() > NAMED {
        said.push(format!("{} more (see the report)", arms.len() - NAMED));
    }
    said.join("; ")
}

/// The best arm, and how the others stand to it.
pub(super) fn found(comparison: &Comparison, outcome: Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(best) = comparison.best() else {
        lines.push("No arm can be compared.".into());
        lines.extend(left_out(comparison));
        return lines;
    };
    if outcome == Outcome::TooFewSeeds {
        return left_out(comparison);
    }
    let others = comparison.arms.iter().filter(|arm| arm.role == Role::Candidate).count();
    if let Some(estimate) = &best.validation {
        lines.push(match outcome {
            Outcome::OneArm | Outcome::NotSettled if others == 0 => {
                format!("Validation accuracy of {}: {}.", label(best), accuracy(estimate))
            }
            _ => format!(
                "Most accurate on validation: {}, with {}.",
                label(best),
                accuracy(estimate)
            ),
        });
    }
    let margin = points(comparison.margin);
    let mut say = |standing, what: String| {
        let arms = comparison.standing(standing);
        if !arms.is_empty() {
            let from = "in percentage points from it, seed by seed";
            lines.push(format!("{what}, {from}: {}.", differences(&arms)));
        }
    };
    say(Standing::Within, format!("Within the margin of {margin} (one-sided 95 %)"));
    say(Standing::Beyond, format!("Worse by more than the margin of {margin}"));
    say(Standing::Open, format!("Not settled for the margin of {margin}"));
    lines.extend(left_out(comparison));
    lines
}

/// The arms that are not compared, and why.
pub(super) fn left_out(comparison: &Comparison) -> Vec<String> {
    let of_role = |role| -> Vec<&ArmFinding> {
        comparison.arms.iter().filter(|arm| arm.role == role).collect()
    };
    let mut lines = Vec::new();
    let diverged = of_role(Role::Diverged);
    if !diverged.is_empty() {
        let runs = |arm: &&ArmFinding| {
            format!("{} ({} of {} runs)", label(arm), arm.diverged, arm.planned)
        };
        let said: Vec<String> = diverged.iter().map(runs).collect();
        let they_are = if said.len() == 1 { "it is" } else { "they are" };
        lines.push(format!("Diverged, so not to be used as {they_are}: {}.", list(&said)));
    }
    let apart = of_role(Role::Apart);
    if !apart.is_empty() {
        lines.push(format!(
            "Not compared, since too few of the seeds that the others have are finished in it: {}.",
            labels(&apart)
        ));
    }
    let unfinished = of_role(Role::Unfinished);
    if !unfinished.is_empty() {
        lines.push(format!("Not compared, for want of finished runs: {}.", labels(&unfinished)));
    }
    let left = |arm: &ArmFinding| arm.planned.saturating_sub(arm.finished + arm.diverged);
    let left: usize = comparison.arms.iter().map(left).sum();
    if left > 0 {
        let runs = if left == 1 { "1 run is".into() } else { format!("{left} runs are") };
        let seeds: Vec<String> = comparison.seeds.iter().map(u64::to_string).collect();
        lines.push(match seeds.len() < LEAST_SEEDS {
            true => format!("{runs} not finished."),
            false => format!(
                "{runs} not finished; arms were compared on the seeds that those compared have \
                 finished: {}.",
                list(&seeds)
            ),
        });
    }
    lines
}
