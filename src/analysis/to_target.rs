//! The verdict of a study whose runs end at a target: not how accurate they become, but what it
//! takes them.

use super::verdict::{configuration, cost};
use super::words::{critical_batch, list, percent};
use super::{ArmFinding, ArmTarget, Comparison, Results, TargetFinding};
use crate::format::{count, duration};

/// Of the arms all of whose runs reach the target, the one that takes the least time.
pub(super) fn fastest<'c>(
    comparison: &'c Comparison,
    target: &TargetFinding,
) -> Option<&'c ArmFinding> {
    let all = target.arms.iter().filter(|arm| arm.runs > 0 && arm.reached == arm.runs);
    let seconds = |arm: &&ArmTarget| arm.seconds.map_or(f64::INFINITY, |seconds| seconds.mean);
    let fastest = all.min_by(|a, b| seconds(a).total_cmp(&seconds(b)))?;
    comparison.arms.iter().find(|arm| arm.name == fastest.name)
}

/// What it takes to the target that the file declares.
pub(super) fn found(target: &TargetFinding) -> Vec<String> {
    let reached = |arm: &ArmTarget| match (arm.reached, arm.steps) {
        (reached, Some(steps)) if reached > 0 => {
            let steps = count(steps.mean.round() as u64);
            let missed = match arm.runs - reached {
                0 => String::new(),
                missed => format!(", {missed} of {} runs never", arm.runs),
            };
            format!("{steps} (batch size {}{missed})", count(arm.batch_size as u64))
        }
        _ => format!("never (batch size {})", count(arm.batch_size as u64)),
    };
    let steps: Vec<String> = target.arms.iter().map(reached).collect();
    let mut said = vec![format!(
        "All runs were to end at a validation accuracy of {}. Steps to it, on average: {}.",
        percent(target.target),
        list(&steps)
    )];
    if let Some(curve) = &target.trade_off {
        said.push(match curve.straddled {
            true => critical_batch(curve),
            false => {
                "The batch sizes that were tried lie on one side of the size at which doubling \
                      the batch stops to save steps: try smaller and larger ones."
                    .into()
            }
        });
    }
    said
}

pub(super) fn advice(
    results: &Results,
    target: &TargetFinding,
    recommended: Option<&ArmFinding>,
) -> String {
    let Some(arm) = recommended else {
        return "No batch size reached the target in all of its runs: lower the target or train \
                longer."
            .into();
    };
    let seconds = target.arms.iter().find(|of| of.name == arm.name).and_then(|of| of.seconds);
    let seconds = seconds.map_or("?".into(), |seconds| duration(seconds.mean));
    format!(
        "Use {}: it reaches {} in the least time, {seconds} on average. {}",
        configuration(results, arm),
        percent(target.target),
        cost(arm)
    )
}
