//! What to use, and what it costs.

use super::choice::{Choice, against_the_smallest};
use super::to_target::reaching;
use super::{LEAST_SEEDS, Outcome, Role, accurate_enough};
use crate::analysis::groups::{is_budget, is_off};
use crate::analysis::words::{accuracy, label, list, points};
use crate::analysis::{ArmFinding, Comparison, Objective, Results, TargetFinding};
use crate::format::{bytes, count, counted, duration};
use crate::stats::{Standing, Summary};

/// The arm to use and why, or what would tell.
pub(super) fn advice(
    results: &Results,
    comparison: &Comparison,
    target: Option<&TargetFinding>,
    outcome: Outcome,
    recommended: Option<&ArmFinding>,
) -> String {
    if outcome == Outcome::TooFewSeeds {
        return too_few_seeds(comparison);
    }
    let Some(arm) = recommended else { return nothing_to_use(comparison).into() };
    let (margin, objective) = (points(comparison.margin), results.objective);
    let chosen = configuration(results, arm);
    let cost = cost(results, comparison, arm) + &to_target(comparison, target, arm);
    let beside = || Choice { results, until: None }.beside(arm, &accurate_enough(comparison));
    let is_best = arm.role == Role::Best;
    match outcome {
        // What is to be used for a target is told in `to_target`.
        Outcome::NothingToCompare | Outcome::OneArm | Outcome::TooFewSeeds | Outcome::ToTarget => {
            format!("There is nothing to compare it with: add arms with other batch sizes. {cost}")
        }
        Outcome::NoMaterialDifference => format!(
            "The choice makes no difference of more than {margin} percentage points here, so choose \
             for {}: use {chosen}{}. {cost}",
            objective.wanted(),
            beside()
        ),
        Outcome::Settled if !comparison.arms.iter().any(|arm| arm.role == Role::Candidate) => {
            format!("Use {chosen}: runs of every other arm diverged. {cost}")
        }
        Outcome::Settled if is_best => format!(
            "Use {chosen}: {} comes within {margin} percentage points{}. {cost}",
            objective.nothing_better(),
            beside()
        ),
        Outcome::Settled => format!(
            "Use {chosen}: {} that is not worse than the best by more than {margin} percentage \
             points{}. {cost}",
            objective.superlative(),
            beside()
        ),
        Outcome::NotSettled => {
            let why = match is_best {
                true => "the most accurate so far".to_owned(),
                false => format!("{} of those within the margin", objective.superlative()),
            };
            format!("{}For now use {chosen}, {why}. {cost}", more(comparison))
        }
    }
}

/// How far a study has come that has too few seeds in common.
pub(super) fn too_few_seeds(comparison: &Comparison) -> String {
    let sum = |of: fn(&ArmFinding) -> usize| comparison.arms.iter().map(of).sum::<usize>();
    let (planned, finished) = (sum(|arm| arm.planned), sum(|arm| arm.finished));
    let takes = format!("It takes at least {LEAST_SEEDS} finished seeds in each arm");
    match planned > finished + sum(|arm| arm.diverged) {
        true => format!(
            "{} of {} finished: no comparison yet. {takes}; the same `batchscope run` goes on with the \
             others, and with `--retry-failed` with those that failed.",
            count(finished as u64),
            counted(planned, "run")
        ),
        false => format!(
            "No comparison with {}: chance and batch size cannot be told apart. {takes}, and five are a \
             beginning: `--set study.seeds=5` adds them.",
            counted(comparison.seeds.len(), "seed")
        ),
    }
}

fn nothing_to_use(comparison: &Comparison) -> &'static str {
    let is_to_come = |arm: &ArmFinding| arm.planned > arm.finished + arm.diverged;
    match comparison.arms.iter().any(is_to_come) {
        true => {
            "There is nothing to use yet: the same `batchscope run` goes on with what is not finished \
             (`--retry-failed`: with what failed too)."
        }
        false => {
            "There is nothing to use: give the arms lower learning rates. What diverged would diverge \
             again and is not repeated, so name the arms otherwise or give another folder with `--out`."
        }
    }
}

/// How many more seeds would settle all that is open; `None` where nothing is, or where no feasible
/// number would.
pub(super) fn more_seeds(comparison: &Comparison) -> Option<usize> {
    let open = comparison.standing(Standing::Open);
    let needed: Option<Vec<usize>> = open.iter().map(|arm| arm.seeds_needed).collect();
    needed?.into_iter().max().map(|needed| needed - comparison.seeds.len())
}

fn more(comparison: &Comparison) -> String {
    if comparison.standing(Standing::Open).is_empty() {
        return String::new();
    }
    let seen = comparison.seeds.len();
    let rough = if seen < 5 { "roughly " } else { "" };
    match more_seeds(comparison) {
        Some(more) => {
            let all = seen + more;
            format!(
                "Not settled: with about {} in all (`--set study.seeds={all}` adds them), an arm that \
                 is truly as good as the best would be shown to be so in 80 of 100 studies, judged \
                 {rough}by the spread over {seen}. ",
                counted(all, "seed")
            )
        }
        None => "Not settled, and no feasible number of seeds would settle it: the spread is too \
                 large for the margin, or the difference lies on it. "
            .into(),
    }
}

/// `batch size 32 with learning rate 0.001`, and what else sets the arm apart.
pub(super) fn configuration(results: &Results, arm: &ArmFinding) -> String {
    let settings = results.arms.iter().find(|of| of.name == arm.name).map(|of| &of.settings);
    let set: Vec<String> = settings
        .into_iter()
        .flatten()
        .filter(|(path, value)| !is_budget(path) && !is_off(value))
        .map(|(path, value)| format!("{path} = {value}"))
        .collect();
    let rate = format!("learning rate {}", arm.learning_rate);
    let with: Vec<String> = [rate].into_iter().chain(set).collect();
    format!("{} with {}", label(arm), list(&with))
}

/// What it takes to the accuracy to which all arms come.
fn to_target(comparison: &Comparison, target: Option<&TargetFinding>, arm: &ArmFinding) -> String {
    let mean = |arm: &ArmFinding| reaching(target?, arm)?.seconds.map(|seconds| seconds.mean);
    match (target, mean(arm)) {
        (Some(target), Some(seconds)) => format!(
            " It comes to {} after {}{}.",
            target.target.words(),
            duration(seconds),
            against_the_smallest(comparison, arm, mean)
        ),
        _ => String::new(),
    }
}

pub(super) fn cost(results: &Results, comparison: &Comparison, arm: &ArmFinding) -> String {
    let mean = |arm: &ArmFinding| arm.seconds.map(|seconds| seconds.mean);
    let seconds =
        mean(arm).map_or("?".into(), duration) + &against_the_smallest(comparison, arm, mean);
    let rounded =
        |found: Option<Summary>| found.map_or("?".into(), |found| count(found.mean.round() as u64));
    let (steps, memory) = (rounded(arm.steps), bytes(arm.peak_memory));
    let examples = match results.objective {
        Objective::Examples => format!(", {} examples", rounded(arm.examples)),
        _ => String::new(),
    };
    let test = arm.test.map(|test| format!(" Test accuracy {}.", accuracy(&test)));
    format!(
        "A run of it takes {seconds}, {steps} steps{examples} and {memory}.{}",
        test.unwrap_or_default()
    )
}
