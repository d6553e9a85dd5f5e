//! The verdict of a study whose runs end at a target: not how accurate they become, but what it
//! takes them.

use super::Outcome;
use super::advice::{configuration, cost, too_few_seeds};
use super::choice::{Choice, against_the_smallest};
use super::found::left_out;
use crate::analysis::words::{critical_batch, list};
use crate::analysis::{ArmFinding, ArmTarget, Comparison, Results, TargetFinding};
use crate::format::{count, duration};

/// Of the arms all of whose runs are finished and reach the target, the one to use. An arm of which a
/// run diverged is none.
pub(super) fn recommended<'c>(
    results: &Results,
    comparison: &'c Comparison,
    target: &TargetFinding,
) -> Option<&'c ArmFinding> {
    choice(results, target).of(&all_reach(comparison, target))
}

fn choice<'r>(results: &'r Results, target: &'r TargetFinding) -> Choice<'r> {
    Choice { results, until: Some(&target.target) }
}

fn all_reach<'c>(comparison: &'c Comparison, target: &TargetFinding) -> Vec<&'c ArmFinding> {
    comparison.arms.iter().filter(|arm| reaching(target, arm).is_some()).collect()
}

/// What an arm takes to the target; `None` unless all of its runs are finished and reached it.
pub(super) fn reaching<'t>(target: &'t TargetFinding, arm: &ArmFinding) -> Option<&'t ArmTarget> {
    target.arm(&arm.name).filter(|of| of.reached == arm.planned)
}

/// What it takes to the target that the file declares.
pub(super) fn found(comparison: &Comparison, target: &TargetFinding) -> Vec<String> {
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
    let steps: Vec<String> = target.arms.iter().filter(|arm| arm.runs > 0).map(reached).collect();
    let mut said = vec![format!(
        "All runs were to end at {}. Steps to it, on average: {}.",
        target.target.words(),
        list(&steps)
    )];
    if let Some(curve) = &target.trade_off {
        said.push(match curve.straddled {
            true => critical_batch(curve),
            false => {
                "These runs do not tell from which batch size on doubling it saves few steps: try \
                 smaller and larger ones, or more seeds."
                    .into()
            }
        });
    }
    said.extend(left_out(comparison));
    said
}

/// What to use, as far as the seeds tell.
pub(super) fn advice(
    results: &Results,
    comparison: &Comparison,
    target: &TargetFinding,
    outcome: Outcome,
    recommended: Option<&ArmFinding>,
) -> String {
    if outcome == Outcome::TooFewSeeds {
        return too_few_seeds(comparison);
    }
    let Some(arm) = recommended else {
        return "No batch size has reached the target in all of its runs: let them finish, set an \
                easier target or train longer."
            .into();
    };
    let mean = |arm: &ArmFinding| reaching(target, arm)?.seconds.map(|seconds| seconds.mean);
    let seconds =
        mean(arm).map_or("?".into(), duration) + &against_the_smallest(comparison, arm, mean);
    let (chosen, wanted) = (configuration(results, arm), target.target.words());
    let (cost, how) = (cost(results, comparison, arm), results.objective.reaches());
    match outcome {
        Outcome::OneArm => format!(
            "{chosen} reaches {wanted} in {seconds} on average. There is nothing to compare it with: \
             add arms with other batch sizes. {cost}"
        ),
        _ => format!(
            "Use {chosen}: it reaches {wanted} {how} {seconds} on average{}. {cost}",
            choice(results, target).beside(arm, &all_reach(comparison, target))
        ),
    }
}
