//! What was found, what to use, and what the study does not show, in sentences.
//!
//! The rule: of the best arm on validation and those shown to be within the margin of it, use the
//! one whose runs take the least time, or the least of what the study's objective names instead. What is
//! not settled is called so, with the number of seeds that would settle it.

mod about;
mod advice;
mod cautions;
mod choice;
mod found;
#[cfg(test)]
mod tests;
mod to_target;

use super::{ArmFinding, Comparison, GroupFinding, Objective, Results, Role};
use crate::stats::Standing;
use about::about;
use advice::{advice, more_seeds};
use cautions::{cautions, not_shown};
use choice::Choice;
use found::found;
use serde::Serialize;

/// What came out, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No arm has finished runs of which none diverged.
    NothingToCompare,
    /// One arm alone.
    OneArm,
    /// Too few seeds are finished in all arms: nothing is compared, and no arm is recommended.
    TooFewSeeds,
    /// All arms are within the margin of the best.
    NoMaterialDifference,
    /// Each arm is within the margin of the best, or beyond it, or diverged.
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
    /// What counted among the arms that are accurate enough.
    pub objective: Objective,
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
    /// On which data and how it was compared, and between which accuracies the batch sizes lie.
    pub about: Option<String>,
    /// What else than the batch size can be behind it, and what to beware of.
    pub cautions: Vec<String>,
    /// The place among them of what else than the batch size can be behind it.
    #[serde(skip)]
    pub confounders_at: usize,
    /// What the study cannot show.
    pub not_shown: String,
}

impl Verdict {
    /// A few lines for the terminal: what to do first.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.advice.clone()];
        lines.extend(self.gap.clone());
        lines.extend(self.found.clone());
        lines.extend(self.cautions.iter().take(2).cloned());
        lines
    }
}

/// With fewer seeds in common nothing is said of which arm is better: chance names the best of three
/// equal arms as surely.
const LEAST_SEEDS: usize = 3;

/// Puts the comparison into words. `gap`, `besides` and the confounders are left to who has words for
/// them.
pub fn verdict(results: &Results, group: &GroupFinding, taken_apart: bool) -> Verdict {
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
        _ if outcome == Outcome::TooFewSeeds => None,
        Some(target) => to_target::recommended(results, comparison, target),
        None => Choice { results, until: None }.of(&accurate_enough(comparison)),
    };
    let (cautions, confounders_at) = cautions(results, comparison, recommended);
    Verdict {
        outcome,
        recommended: recommended.map(|arm| arm.name.clone()),
        objective: results.objective,
        more_seeds: more_seeds(comparison)
            .filter(|_| !matches!(outcome, Outcome::ToTarget | Outcome::TooFewSeeds)),
        gap: Vec::new(),
        found: match to_target {
            Some(target) => to_target::found(comparison, target),
            None => found(comparison, outcome),
        },
        besides: Vec::new(),
        advice: match to_target {
            Some(target) => to_target::advice(results, comparison, target, outcome, recommended),
            None => advice(results, comparison, group.target.as_ref(), outcome, recommended),
        },
        about: about(results, comparison).filter(|_| outcome != Outcome::TooFewSeeds),
        cautions,
        confounders_at,
        not_shown: not_shown(comparison, taken_apart),
    }
}

fn outcome(comparison: &Comparison) -> Outcome {
    let Some(_) = comparison.best else { return Outcome::NothingToCompare };
    let some = |standing| !comparison.standing(standing).is_empty();
    match comparison.seeds.len() {
        _ if comparison.arms.len() == 1 => Outcome::OneArm,
        ..LEAST_SEEDS => Outcome::TooFewSeeds,
        _ if some(Standing::Open) || !all_compared(comparison) => Outcome::NotSettled,
        _ if some(Standing::Beyond) || diverged(comparison) => Outcome::Settled,
        _ => Outcome::NoMaterialDifference,
    }
}

/// An arm that diverged is out, whatever its other runs came to.
fn all_compared(comparison: &Comparison) -> bool {
    comparison.arms.iter().all(|arm| !matches!(arm.role, Role::Apart | Role::Unfinished))
}

fn diverged(comparison: &Comparison) -> bool {
    comparison.arms.iter().any(|arm| arm.role == Role::Diverged)
}

/// The best and those within the margin.
fn accurate_enough(comparison: &Comparison) -> Vec<&ArmFinding> {
    comparison.best().into_iter().chain(comparison.standing(Standing::Within)).collect()
}
