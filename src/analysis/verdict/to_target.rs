//! The verdict of a study whose runs end at a target: not how accurate they become, but what it
//! takes them.

use super::Outcome;
use super::advice::{configuration, cost};
use super::found::left_out;
use super::speed::{against_the_smallest, rivals};
use crate::analysis::words::{critical_batch, list};
use crate::analysis::{
    ArmFinding, ArmTarget, Comparison, Results, RunResults, TargetFinding, reach,
};
use crate::format::{count, duration};

/// Of the arms all of whose runs are finished and reach the target, the one that takes the least
/// time. An arm of which a run diverged is none.
pub(super) fn fastest<'c>(
    comparison: &'c Comparison,
    target: &TargetFinding,
) -> Option<&'c ArmFinding> {
    let seconds = |arm: &ArmFinding| {
        let found = reaching(target, arm).and_then(|of| of.seconds);
        found.map_or(f64::INFINITY, |seconds| seconds.mean)
    };
    let all = comparison.arms.iter().filter(|arm| reaching(target, arm).is_some());
    all.min_by(|a, b| seconds(a).total_cmp(&seconds(b)))
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
    let Some(arm) = recommended else {
        return "No batch size has reached the target in all of its runs: let them finish, set an \
                easier target or train longer."
            .into();
    };
    let mean = |arm: &ArmFinding| reaching(target, arm)?.seconds.map(|seconds| seconds.mean);
    let seconds =
        mean(arm).map_or("?".into(), duration) + &against_the_smallest(comparison, arm, mean);
    let (chosen, wanted) = (configuration(results, arm), target.target.words());
    let cost = cost(comparison, arm);
    match outcome {
        Outcome::OneArm => format!(
            "{chosen} reaches {wanted} in {seconds} on average. There is nothing to compare it with: \
             add arms with other batch sizes. {cost}"
        ),
        Outcome::OneSeed => format!(
            "Not settled: with one seed, chance and batch size cannot be told apart. For now use \
             {chosen}, which reached {wanted} in the least time, {seconds}; five seeds are a \
             beginning (`study.seeds: 5`). {cost}"
        ),
        _ => format!(
            "Use {chosen}: it reaches {wanted} in the least time, {seconds} on average{}. {cost}",
            slower(results, comparison, target, arm)
        ),
    }
}

/// The arms that are not shown to take longer than the fastest one.
fn slower(
    results: &Results,
    comparison: &Comparison,
    target: &TargetFinding,
    fastest: &ArmFinding,
) -> String {
    let seconds = |run: &RunResults| Some(reach(&run.curve, &target.target)?.reached()?.seconds);
    let all_reach = |arm: &ArmFinding| reaching(target, arm).is_some();
    let rivals = rivals(results, comparison, fastest, all_reach, seconds);
    match rivals.is_empty() {
        true => String::new(),
        false => format!(", but is not shown to be faster than {}", list(&rivals)),
    }
}
