//! What is held equal between batch sizes, and each run at its best.

use super::{Scale, arm, whole};
use crate::analysis::{AtBest, Axis, BudgetFinding, Comparison, Flip, flips};
use crate::format::{duration, list};

/// `12,800 examples`
pub(in crate::report) fn amount(axis: Axis, amount: f64) -> String {
    match axis {
        Axis::Examples => format!("{} examples", whole(amount)),
        Axis::Steps => format!("{} steps", whole(amount)),
        Axis::Seconds => duration(amount),
    }
}

/// `equal epochs`
pub(in crate::report) fn equal(axis: Axis) -> &'static str {
    match axis {
        Axis::Examples => "equal epochs",
        Axis::Steps => "equal steps",
        Axis::Seconds => "equal time",
    }
}

/// How the answer depends on what is held equal; nothing for one budget alone.
pub(super) fn budgets(found: &[BudgetFinding], scale: Scale) -> Vec<String> {
    if found.len() < 2 {
        return Vec::new();
    }
    let mut said: Vec<String> = found.iter().filter_map(|found| budget(found, scale)).collect();
    if found.iter().filter(|found| found.compares()).count() < 2 {
        return said;
    }
    let flips: Vec<String> = flips(found).iter().map(|of| flip(of, scale)).collect();
    said.push(match flips.is_empty() {
        true => "The ranking does not significantly reverse between equal epochs, steps and time."
            .into(),
        false => format!("The answer depends on what is held equal: {}.", flips.join("; ")),
    });
    said
}

fn budget(found: &BudgetFinding, scale: Scale) -> Option<String> {
    let what = format!("With {} ({})", equal(found.axis), amount(found.axis, found.amount));
    if !found.compares() {
        return Some(format!(
            "{what} no comparison: {} not yet measured (`train.evaluate_every` measures earlier).",
            list(&found.unread)
        ));
    }
    let best = best_and_last(&found.comparison, scale)?;
    let unread = match found.unread.is_empty() {
        true => String::new(),
        false => format!("; {} not yet measured", list(&found.unread)),
    };
    Some(format!("{what} {best}{unread}."))
}

/// `32 is most accurate, 256 least: -0.75 points (-1.2 to -0.3)`, with the bounds that decide.
fn best_and_last(comparison: &Comparison, scale: Scale) -> Option<String> {
    let (best, last) = (comparison.best()?, comparison.last()?);
    let least = if scale.is_accuracy() { "least" } else { "worst" };
    let bounds = last.from_best.map(|ends| format!(" ({})", scale.signed_range(ends)));
    let found =
        scale.difference(last.difference?.estimate.summary.mean) + &bounds.unwrap_or_default();
    Some(format!("{} is {}, {} {least}: {found}", arm(best), scale.best(), arm(last)))
}

fn flip(flip: &Flip, scale: Scale) -> String {
    let ahead: Vec<String> = flip.ahead.iter().map(|axis| equal(*axis).to_owned()).collect();
    format!(
        "{} is best with {}, but {}{} behind with {}",
        arm(flip.arm),
        list(&ahead),
        scale.signed(flip.difference).trim_start_matches(['-', '+']),
        scale.unit(),
        equal(flip.behind)
    )
}

/// Which is the best with each run at its best.
pub(super) fn at_best(found: &AtBest, scale: Scale) -> Option<String> {
    Some(format!(
        "At each run's best epoch by {} {}.",
        scale.on("validation"),
        best_and_last(&found.comparison, scale)?
    ))
}
