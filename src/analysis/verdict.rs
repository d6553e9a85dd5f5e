//! What was found, what to use, and what the study does not show, in sentences.
//!
//! The rule: of the best arm on validation and those shown to be within the margin of it, use the
//! one whose runs take the least time. What is not settled is called so, with the number of seeds
//! that would settle it.

use super::target::is_budget;
use super::words::{list, percent, percent_range, points, points_range, signed_points};
use super::{
    ArmFinding, Comparison, Confounder, Decomposition, Estimate, GroupFinding, Results, Role,
    Weight, gap, to_target,
};
use crate::format::{bytes, count, counted, duration};
use crate::stats::{Standing, binomial_se};
use serde::Serialize;

/// Arms that one line of the terminal names.
const NAMED: usize = 4;

/// What came out, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No arm has finished runs of which none diverged.
    NothingToCompare,
    /// One arm alone.
    OneArm,
    /// One seed in common: there is no spread to judge by.
    OneSeed,
    /// All arms are within the margin of the best.
    NoMaterialDifference,
    /// Each arm is within the margin of the best or beyond it.
    Settled,
    /// Some comparisons are open.
    NotSettled,
    /// All runs end at one accuracy, so that what it takes to get there is compared.
    ToTarget,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// In one word.
    pub outcome: Outcome,
    /// The arm to use, for now if it is not settled.
    pub recommended: Option<String>,
    /// How many more seeds would settle what is open, as far as it can be told.
    pub more_seeds: Option<usize>,
    /// Where the gap between two batch sizes comes from, if the study takes it apart.
    pub gap: Vec<String>,
    /// What was found, a sentence each.
    pub found: Vec<String>,
    /// What was found beside the comparison: learning rates, other budgets, the critical batch size.
    pub besides: Vec<String>,
    /// What to use.
    pub advice: String,
    /// What else than the batch size can be behind it, and what to beware of.
    pub cautions: Vec<String>,
    /// What the study cannot show.
    pub not_shown: String,
}

impl Verdict {
    /// A few lines for the terminal.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.gap.clone();
        lines.extend(self.found.clone());
        lines.push(self.advice.clone());
        lines.extend(self.cautions.first().cloned());
        lines
    }
}

/// Puts the comparison into words.
pub fn verdict(
    results: &Results,
    group: &GroupFinding,
    decomposition: Option<&Decomposition>,
    audit: &[Confounder],
) -> Verdict {
    let comparison = &group.comparison;
    let to_target = group.target.as_ref().filter(|_| results.declared_target.is_some());
    let outcome = match outcome(comparison) {
        Outcome::Settled | Outcome::NotSettled | Outcome::NoMaterialDifference
            if to_target.is_some() =>
        {
            Outcome::ToTarget
        }
        outcome => outcome,
    };
    let recommended = match to_target {
        Some(target) => to_target::fastest(comparison, target),
        None => recommended(comparison),
    };
    let more_seeds = comparison
        .standing(Standing::Open)
        .iter()
        .filter_map(|arm| Some(arm.seeds_needed? - arm.difference?.estimate.summary.count))
        .max()
        .filter(|_| outcome != Outcome::ToTarget);
    Verdict {
        outcome,
        recommended: recommended.map(|arm| arm.name.clone()),
        more_seeds,
        gap: decomposition.map(|found| gap::sentences(found, results.margin)).unwrap_or_default(),
        found: match to_target {
            Some(target) => to_target::found(target),
            None => found(comparison, outcome),
        },
        besides: Vec::new(),
        advice: match to_target {
            Some(target) => to_target::advice(results, target, recommended),
            None => advice(results, comparison, outcome, recommended),
        },
        cautions: cautions(results, comparison, recommended, audit),
        not_shown: not_shown(comparison, decomposition.is_some()),
    }
}

fn outcome(comparison: &Comparison) -> Outcome {
    let Some(_) = comparison.best else { return Outcome::NothingToCompare };
    let some = |standing| !comparison.standing(standing).is_empty();
    match comparison.seeds.len() {
        _ if comparison.arms.len() == 1 => Outcome::OneArm,
        1 => Outcome::OneSeed,
        _ if some(Standing::Open) || !all_compared(comparison) => Outcome::NotSettled,
        _ if some(Standing::Beyond) => Outcome::Settled,
        _ => Outcome::NoMaterialDifference,
    }
}

fn all_compared(comparison: &Comparison) -> bool {
    let compared = |arm: &ArmFinding| matches!(arm.role, Role::Best | Role::Candidate);
    comparison.arms.iter().all(compared)
}

/// Of the best and those within the margin, the one whose runs are the fastest.
fn recommended(comparison: &Comparison) -> Option<&ArmFinding> {
    let seconds = |arm: &ArmFinding| arm.seconds.map_or(f64::INFINITY, |seconds| seconds.mean);
    let within = comparison.standing(Standing::Within);
    comparison.best().into_iter().chain(within).min_by(|a, b| seconds(a).total_cmp(&seconds(b)))
}

/// `batch size 32` for an arm that has no name of its own, else `small (batch size 32)`.
pub(super) fn label(arm: &ArmFinding) -> String {
    let size = format!("batch size {}", count(arm.batch_size as u64));
    match arm.name == format!("batch-{}", arm.batch_size) {
        true => size,
        false => format!("{} ({size})", arm.name),
    }
}

fn labels(arms: &[&ArmFinding]) -> String {
    list(&arms.iter().map(|arm| label(arm)).collect::<Vec<_>>())
}

/// `72.6 % (95 % interval 71.0 to 74.2, 3 seeds)`
fn accuracy(estimate: &Estimate) -> String {
    let mean = percent(estimate.summary.mean);
    match estimate.interval {
        Some(interval) => format!(
            "{mean} (95 % interval {}, {})",
            percent_range(interval),
            counted(estimate.summary.count, "seed")
        ),
        None => format!("{mean} (one seed, so no interval)"),
    }
}

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

fn found(comparison: &Comparison, outcome: Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(best) = comparison.best() else {
        return vec![
            "No arm can be compared: none has finished runs without a diverged one.".into(),
        ];
    };
    if let Some(estimate) = &best.validation {
        lines.push(match outcome {
            Outcome::OneArm => {
                format!("Validation accuracy of {}: {}.", label(best), accuracy(estimate))
            }
            _ => format!(
                "Most accurate on validation: {}, with {}. The others minus it, in percentage \
                 points, seed by seed:",
                label(best),
                accuracy(estimate)
            ),
        });
    }
    let margin = points(comparison.margin);
    let mut say = |standing, what: String| {
        let arms = comparison.standing(standing);
        if !arms.is_empty() {
            lines.push(format!("{what} {}.", differences(&arms)));
        }
    };
    say(Standing::Within, format!("Within the margin of {margin}:"));
    say(Standing::Beyond, format!("Worse by more than the margin of {margin}:"));
    say(Standing::Open, format!("Not settled for the margin of {margin}:"));
    let of_role = |role| -> Vec<&ArmFinding> {
        comparison.arms.iter().filter(|arm| arm.role == role).collect()
    };
    let (wild, apart) = (of_role(Role::Diverged), of_role(Role::Apart));
    let unfinished: Vec<&ArmFinding> = of_role(Role::Unfinished).into_iter().chain(apart).collect();
    if !wild.is_empty() {
        let runs = |arm: &&ArmFinding| {
            format!("{} ({} of {} runs)", label(arm), arm.diverged, arm.planned)
        };
        let said: Vec<String> = wild.iter().map(runs).collect();
        lines.push(format!("Diverged, so not to be used as it is: {}.", list(&said)));
    }
    if !unfinished.is_empty() {
        lines.push(format!("Not compared, for want of finished runs: {}.", labels(&unfinished)));
    }
    lines
}

fn advice(
    results: &Results,
    comparison: &Comparison,
    outcome: Outcome,
    recommended: Option<&ArmFinding>,
) -> String {
    let Some(arm) = recommended else {
        return "Lower the learning rate of the arms that diverged, or let their runs finish."
            .into();
    };
    let margin = points(comparison.margin);
    let chosen = configuration(results, arm);
    let cost = cost(arm);
    let is_best = arm.role == Role::Best;
    match outcome {
        // What is to be used for a target is told in `to_target`.
        Outcome::NothingToCompare | Outcome::OneArm | Outcome::ToTarget => {
            format!("There is nothing to compare it with: add arms with other batch sizes. {cost}")
        }
        Outcome::OneSeed => format!(
            "Not settled: with one seed, chance and batch size cannot be told apart. For now use \
             {chosen}; five seeds are a beginning (`study.seeds: 5`). {cost}"
        ),
        Outcome::NoMaterialDifference => format!(
            "The choice makes no difference of more than {margin} percentage points here, so choose \
             for speed: use {chosen}. {cost}"
        ),
        Outcome::Settled if is_best => {
            format!("Use {chosen}: nothing faster comes within {margin} percentage points. {cost}")
        }
        Outcome::Settled => format!(
            "Use {chosen}: the fastest that is not worse than the best by more than {margin} \
             percentage points. {cost}"
        ),
        Outcome::NotSettled => {
            let why = match is_best {
                true => "the most accurate so far",
                false => "the fastest of those within the margin",
            };
            format!("{}For now use {chosen}, {why}. {cost}", more(comparison))
        }
    }
}

/// How many more seeds would settle what is open.
fn more(comparison: &Comparison) -> String {
    let open = comparison.standing(Standing::Open);
    if open.is_empty() {
        return String::new();
    }
    let seen = open.iter().filter_map(|arm| arm.difference).map(|d| d.estimate.summary.count);
    let seen = seen.min().unwrap_or(0);
    let rough = if seen < 5 { ", roughly" } else { "" };
    let needed: Option<Vec<usize>> = open
        .iter()
        .map(|arm| Some(arm.seeds_needed? - arm.difference?.estimate.summary.count))
        .collect();
    match needed.and_then(|needed| needed.into_iter().max()) {
        Some(more) => format!(
            "Not settled: about {} (judged{rough}, by the spread over {seen}). ",
            counted(more, "more seed") + " would settle it",
        ),
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
        .filter(|(path, _)| !is_budget(path))
        .map(|(path, value)| format!("{path} = {value}"))
        .collect();
    let rate = format!("learning rate {}", arm.learning_rate);
    let with: Vec<String> = [rate].into_iter().chain(set).collect();
    format!("{} with {}", label(arm), list(&with))
}

pub(super) fn cost(arm: &ArmFinding) -> String {
    let seconds = arm.seconds.map_or("?".into(), |seconds| duration(seconds.mean));
    let steps = arm.steps.map_or("?".into(), |steps| count(steps.mean.round() as u64));
    let memory = bytes(arm.peak_memory);
    let test = arm.test.map(|test| format!(" Test accuracy {}.", accuracy(&test)));
    format!("A run of it takes {seconds}, {steps} steps and {memory}.{}", test.unwrap_or_default())
}

/// The first one is what the terminal shows.
fn cautions(
    results: &Results,
    comparison: &Comparison,
    recommended: Option<&ArmFinding>,
    audit: &[Confounder],
) -> Vec<String> {
    let mut cautions = Vec::new();
    let confounders: Vec<&str> = audit
        .iter()
        .filter(|confounder| confounder.weight == Weight::Confounds)
        .map(|confounder| confounder.said.as_str())
        .collect();
    if !confounders.is_empty() {
        cautions.push(format!("Not the batch size alone: {}.", confounders.join("; ")));
    }
    if comparison.arms.iter().any(|arm| arm.finished < arm.planned) {
        let seeds: Vec<String> = comparison.seeds.iter().map(u64::to_string).collect();
        cautions.push(format!(
            "Not all runs are finished; the best arm was chosen on the seeds that all arms without \
             diverged runs have finished: {}.",
            list(&seeds)
        ));
    }
    let still = |arm: &&ArmFinding| {
        arm.validation.is_some_and(|v| v.summary.sd.is_some_and(|sd| sd <= 0.0))
    };
    if comparison.arms.iter().any(|arm| still(&arm)) {
        cautions.push(
            "Some arms have the same validation accuracy with every seed: intervals then rest on \
             how finely accuracy is counted on so many rows, not on a spread that was seen."
                .into(),
        );
    }
    if let (Some(test), Some(rows)) = (recommended.and_then(|arm| arm.test), results.examples[2]) {
        cautions.push(format!(
            "The test split has {} rows: which rows they happen to be is worth about {} percentage \
             points either way, however many seeds there are.",
            count(rows as u64),
            points((1.96 * binomial_se(test.summary.mean, rows) * 1e3).round() / 1e3)
        ));
    }
    if !results.earlier_margins.is_empty() {
        let earlier: Vec<String> = results.earlier_margins.iter().map(|m| points(*m)).collect();
        cautions.push(format!(
            "The margin was changed between sessions: {} percentage points before, {} now. A margin \
             that is chosen after the results proves nothing.",
            list(&earlier),
            points(results.margin)
        ));
    }
    cautions
}

fn not_shown(comparison: &Comparison, taken_apart: bool) -> String {
    let sizes = || comparison.arms.iter().map(|arm| arm.batch_size);
    let (smallest, largest) = (sizes().min().unwrap_or(0), sizes().max().unwrap_or(0));
    let sizes = match smallest == largest {
        true => format!("batch sizes other than {}", count(smallest as u64)),
        false => {
            format!("batch sizes outside {} to {}", count(smallest as u64), count(largest as u64))
        }
    };
    let source = match taken_apart {
        true => "",
        false => {
            "; whether a difference comes from the batch size itself or from the number of steps \
             that go with it"
        }
    };
    format!(
        "Other data, another split of these, other models and longer training; {sizes}; learning \
         rates that were not tried{source}. Seconds and memory are those of this machine with its \
         load."
    )
}
