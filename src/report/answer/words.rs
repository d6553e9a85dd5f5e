//! Arms and how they stand, in a few words: the same ones on the page, in `verdict.md` and in the terminal.

use super::has_no_answer;
use crate::analysis::{ArmFinding, Comparison, Findings, Outcome};
use crate::format::{count, list_first_few};
use crate::report::words::{self, Scale};
use crate::spec::StudyObjective;
use crate::stats::Interval;

/// `32`, or the name of an arm that has one of its own.
pub(in crate::report) fn short(arm: &ArmFinding) -> String {
    match words::own_name(&arm.name, arm.batch_size) {
        None => count(arm.batch_size as u64),
        Some(name) => name.to_owned(),
    }
}

/// The same with at most so many letters.
pub(in crate::report) fn cut(name: &str, letters: usize) -> String {
    let is_long = |name: &str| name.chars().count() > letters;
    // What all have in common tells them apart the least.
    let name = if is_long(name) { name.strip_prefix("batch-").unwrap_or(name) } else { name };
    match is_long(name) {
        // Names often differ at their ends.
        true => {
            let (all, last) = (name.chars().count(), letters / 2 - 1);
            let first = name.chars().take(letters - 1 - last);
            first.chain(['…']).chain(name.chars().skip(all - last)).collect()
        }
        false => name.to_owned(),
    }
}

/// `batch size 32`, or `small (batch size 32)`.
pub(in crate::report) fn long(arm: &ArmFinding) -> String {
    let size = format!("batch size {}", count(arm.batch_size as u64));
    words::named(&arm.name, arm.batch_size, size)
}

/// `32`, `32 and 64`, `32, 64 and 2 more`
pub(in crate::report) fn names(arms: &[&ArmFinding]) -> String {
    const NAMED: usize = 3;
    let names: Vec<String> = arms.iter().map(|arm| short(arm)).collect();
    list_first_few(&names, NAMED)
}

/// The place of the arm that the headline says to use: where there is no clear winner or nothing can be relied
/// on, none.
pub(in crate::report) fn to_use(findings: &Findings) -> Option<usize> {
    if has_no_answer(findings) {
        return None;
    }
    let no_winner = findings.verdict.outcome == Outcome::Undecided
        && findings.comparison.equivalent().is_empty();
    findings.verdict.place.filter(|_| !no_winner)
}

/// How an arm came out: `out`; with its seeds where some are missing, or others have more: `out (6 seeds)`,
/// `undecided (3 of 5 seeds)`.
pub(in crate::report) fn standing(comparison: &Comparison, arm: &ArmFinding) -> String {
    let result = result(comparison, arm);
    let most = comparison.arms.iter().map(|arm| arm.finished).max().unwrap_or_default();
    let seeds = match arm.finished {
        finished if finished != arm.planned => format!("{finished} of {}", arm.planned),
        finished if finished < most => finished.to_string(),
        _ => return result.to_owned(),
    };
    let noun = if result.ends_with("seeds") { "" } else { " seeds" };
    format!("{result} ({seeds}{noun})")
}

/// The same in one or two words.
pub(in crate::report) fn result(comparison: &Comparison, arm: &ArmFinding) -> &'static str {
    let scale = Scale::from(comparison);
    match comparison.has_too_few_seeds() && arm.finished > 0 && arm.diverged == 0 {
        true => "too few seeds",
        false if comparison.is_best(arm) && is_tied(comparison) => match scale.falls() {
            true => "equal lowest mean",
            false => "equal highest mean",
        },
        false => words::result(arm, scale),
    }
}

/// Whether another arm has the same mean as the best, to the last digit.
pub(in crate::report) fn is_tied(comparison: &Comparison) -> bool {
    let mean = |arm: &ArmFinding| Some(arm.difference?.estimate.summary.mean);
    comparison.arms.iter().filter_map(mean).any(|mean| mean.abs() < 1e-12)
}

/// `-0.20 (-0.45, +0.10)`: from the best, with the bounds that decide, in points with so many decimals if
/// it is one of points; `best` for itself.
pub(in crate::report) fn from_best(
    comparison: &Comparison,
    arm: &ArmFinding,
    decimals: usize,
) -> String {
    if comparison.has_too_few_seeds() {
        return "-".into();
    }
    if comparison.is_best(arm) {
        return "best".into();
    }
    let Some(difference) = &arm.difference else { return "-".into() };
    let scale = Scale::from(comparison);
    let signed = |value: f64| scale.bound_to(scale.natural(value), decimals);
    let mean = scale.signed_to(difference.estimate.summary.mean, decimals);
    match arm.from_best.map(|ends| scale.natural_ends(ends)) {
        Some(Interval { low, high }) => format!("{mean} ({}, {})", signed(low), signed(high)),
        None => mean,
    }
}

/// `20 % ...`, `none is ...`
pub(super) fn less(objective: StudyObjective) -> &'static str {
    match objective {
        StudyObjective::Time => "faster",
        StudyObjective::Memory => "lighter on memory",
        StudyObjective::Examples => "quicker in examples",
        StudyObjective::LargestBatch => "larger",
    }
}

/// `32 may be ...`
pub(super) fn as_good(objective: StudyObjective) -> &'static str {
    match objective {
        StudyObjective::Time => "as fast",
        StudyObjective::Memory => "as light on memory",
        StudyObjective::Examples => "as quick in examples",
        StudyObjective::LargestBatch => "as large",
    }
}

/// `it is ...`
pub(super) fn first(objective: StudyObjective) -> &'static str {
    match objective {
        StudyObjective::Time => "the fastest",
        StudyObjective::Memory => "the lightest on memory",
        StudyObjective::Examples => "the one with the fewest examples",
        StudyObjective::LargestBatch => "the largest",
    }
}

/// What an arm takes on average, as it is judged by.
pub(super) fn price(objective: StudyObjective, arm: &ArmFinding) -> Option<f64> {
    match objective {
        StudyObjective::Time => arm.seconds.map(|seconds| seconds.mean),
        StudyObjective::Memory => arm.memory.map(|memory| memory.mean),
        StudyObjective::Examples => arm.examples.map(|examples| examples.mean),
        StudyObjective::LargestBatch => None,
    }
}

/// `8`, `1.9`: how many times as many.
pub(super) fn times(ratio: f64) -> String {
    if ratio < 9.5 { format!("{ratio:.1}") } else { format!("{ratio:.0}") }
        .trim_end_matches(".0")
        .to_owned()
}
