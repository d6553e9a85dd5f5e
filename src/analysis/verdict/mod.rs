//! Which arm to use, how sure that is, and what to beware of, as facts; `report` puts them into words.
//!
//! The rule: of the arms that are equivalent to the best, use the one whose runs take the least time,
//! or the least of what the study's objective names instead. It is settled when no arm that is not
//! out is shown to take less. Where no arm is equivalent yet,
//! the one with the highest mean is named, provisionally.

mod cautions;
mod choice;
mod decision;
mod peaks;
#[cfg(test)]
mod tests;
mod to_target;

pub use cautions::{Caution, Guessing, OtherRows, Seen, Strays};
pub use choice::Rival;
pub use decision::{Decision, decide};
pub use peaks::Peak;

use super::{ArmFinding, Comparison, Confounder, Results, Role, TargetFinding};
use crate::spec::StudyObjective;
use crate::stats::Standing;
use cautions::cautions;
use choice::Choice;
use serde::Serialize;

/// More seeds than this are no advice.
const MOST_SEEDS: usize = 100;
/// Nor is more time than a day, in seconds of runs.
const MOST_SECONDS: f64 = 86_400.0;

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
    /// Every other arm is out.
    ClearlyBetter,
    /// All arms are equivalent.
    NoDifference,
    /// Some are, and what is not decided cannot change the recommendation.
    Decided,
    /// What is not decided can.
    Undecided,
    /// All runs end at one target, so that what it takes to get there is compared.
    ToTarget,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// In one word.
    pub outcome: Outcome,
    /// The place in the comparison of the arm to use.
    #[serde(skip)]
    pub place: Option<usize>,
    /// The arm to use, provisionally if that is not settled.
    pub recommended: Option<String>,
    /// Whether no number of further seeds can change the recommendation.
    pub settled: bool,
    /// What counted among the arms that are good enough.
    pub objective: StudyObjective,
    /// Arms that take as much as the recommended one, to within the measurement.
    pub rivals: Vec<Rival>,
    /// What would settle it, where a feasible number of seeds would.
    pub more: Option<MoreSeeds>,
    /// What to beware of, the most important first.
    pub cautions: Vec<Caution>,
}

/// Seeds that would settle a study, in 80 of 100 studies whose arms are truly equal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MoreSeeds {
    /// In all.
    pub seeds: usize,
    /// Of them, those that are not there yet.
    pub more: usize,
    /// Time of their runs, one after the other, in the arms that are not out.
    pub seconds: f64,
}

/// What arms that were compared show; `target` is what it takes them to reach one.
pub fn verdict(
    results: &Results,
    comparison: &Comparison,
    target: Option<&TargetFinding>,
    audit: &[Confounder],
) -> Verdict {
    let to_target = target.filter(|_| results.declared_target.is_some());
    let choice = Choice { results, until: to_target.map(|found| &found.target) };
    let equivalent = comparison.equivalent();
    let outcome = outcome(comparison, choice, to_target.is_some());
    let compared = !matches!(outcome, Outcome::TooFewSeeds | Outcome::NothingToCompare);
    let among = match to_target {
        Some(target) => to_target::all_reach(comparison, target),
        None if equivalent.is_empty() => comparison.best().into_iter().collect(),
        None => equivalent,
    };
    let recommended = choice.of(&among).filter(|_| compared);
    let settled =
        matches!(outcome, Outcome::ClearlyBetter | Outcome::NoDifference | Outcome::Decided);
    // What is not shown to be as good may take as little, and is named too.
    let besides = if settled { remaining(comparison) } else { among };
    Verdict {
        outcome,
        place: recommended.map(|arm| arm.place),
        recommended: recommended.map(|arm| arm.name.clone()),
        settled,
        objective: results.objective,
        rivals: recommended.map(|arm| choice.rivals(arm, &besides)).unwrap_or_default(),
        more: (outcome == Outcome::Undecided).then(|| more(comparison, choice)).flatten(),
        cautions: cautions(results, comparison, recommended, audit),
    }
}

fn outcome(comparison: &Comparison, choice: Choice, to_target: bool) -> Outcome {
    if comparison.best.is_none() {
        return Outcome::NothingToCompare;
    }
    let of = |wanted| comparison.arms.iter().filter(|arm| arm.standing == Some(wanted)).count();
    let out = of(Standing::Out);
    match comparison.arms.len() {
        1 => Outcome::OneArm,
        _ if comparison.is_one_left() => Outcome::OneArm,
        _ if comparison.has_too_few_seeds() => Outcome::TooFewSeeds,
        _ if to_target => Outcome::ToTarget,
        _ if !is_settled(comparison, choice) => Outcome::Undecided,
        arms if of(Standing::Equivalent) == 1 && out + 1 == arms => Outcome::ClearlyBetter,
        arms if of(Standing::Equivalent) == arms => Outcome::NoDifference,
        _ => Outcome::Decided,
    }
}

/// Whether the recommendation is settled: all arms can be compared, and of those that are not out none is shown to
/// take less than the one that is to be used, which is equivalent to the best. What takes as much, to within the
/// measurement, does not keep it open: a few milliseconds would decide then. An arm of which some runs
/// diverged might do well with a lower rate; no seed of this study tells that.
fn is_settled(comparison: &Comparison, choice: Choice) -> bool {
    let all = comparison.arms.iter().all(|arm| match arm.role {
        Role::Best | Role::Candidate | Role::Diverged => true,
        Role::Apart => arm.standing == Some(Standing::Out),
        Role::Unfinished => false,
    });
    let Some(cheapest) = choice.of(&remaining(comparison)).filter(|_| all) else { return false };
    let chosen = choice.of(&comparison.equivalent());
    chosen.is_some_and(|arm| choice.is_no_dearer(arm, cheapest))
}

/// Arms that are not out.
fn remaining(comparison: &Comparison) -> Vec<&ArmFinding> {
    let may = |arm: &&ArmFinding| arm.competes() && arm.standing != Some(Standing::Out);
    comparison.arms.iter().filter(may).collect()
}

/// The seeds that would show the arm that takes the least to be equivalent.
fn more(comparison: &Comparison, choice: Choice) -> Option<MoreSeeds> {
    let remaining = remaining(comparison);
    let seeds = choice.of(&remaining)?.seeds_needed?;
    let more = seeds.checked_sub(comparison.seeds.len()).filter(|more| *more > 0)?;
    let seconds = |arm: &&ArmFinding| arm.seconds.map_or(0.0, |seconds| seconds.mean);
    let seconds = more as f64 * remaining.iter().map(seconds).sum::<f64>();
    let feasible = seeds <= MOST_SEEDS && seconds <= MOST_SECONDS;
    feasible.then_some(MoreSeeds { seeds, more, seconds })
}
