//! What it takes to a target, and up to which batch size larger batches save steps.

use super::{Scale, ci, whole};
use crate::analysis::{
    ArmFinding, ArmTarget, Findings, NoTradeOff, Target, TargetFinding, TradeOff,
};

/// `84.0 % on validation`, `RMSE 12.3 on validation`, `val_loss 0.35`
pub(in crate::report) fn target(target: &Target, scale: Scale) -> String {
    let turned = if target.falls { -target.value } else { target.value };
    match target.is_score {
        true if scale.is_accuracy() => format!("{} on validation", scale.value(turned)),
        true => format!("{} {} on validation", scale.title(), scale.value(turned)),
        false => format!("{} {}", target.metric, target.value),
    }
}

/// `5 of 5`, `5 of 5, 1 before the first measurement`
pub(in crate::report) fn reached(arm: &ArmTarget) -> String {
    let reached = format!("{} of {}", arm.reached, arm.runs);
    match arm.at_first {
        0 => reached,
        first => format!("{reached}, {first} before the first measurement"),
    }
}

/// How an arm came out where runs end at a target.
pub(in crate::report) fn to_target(
    findings: &Findings,
    target: &TargetFinding,
    arm: &ArmFinding,
) -> &'static str {
    let verdict = &findings.verdict;
    match verdict.place == Some(arm.place) {
        _ if arm.finished < arm.planned => "unfinished",
        true => "recommended",
        false if target.of(arm).reached < arm.planned => "not in all runs",
        false if verdict.rivals.iter().any(|rival| rival.place == arm.place) => "may be as good",
        false => "takes more",
    }
}

/// What the critical batch size means.
pub(in crate::report) fn critical_batch(curve: &TradeOff) -> String {
    let range = curve
        .interval
        .map_or(String::new(), |ends| ci(&format!("{} to {}", whole(ends.low), whole(ends.high))));
    format!(
        "Critical batch size {}{range}: up to it doubling the batch nearly halves the steps, beyond it \
         saves few.",
        whole(curve.critical)
    )
}

/// Why no curve was fitted.
pub(in crate::report) fn no_trade_off(reason: &NoTradeOff) -> String {
    match reason {
        NoTradeOff::Setting(path) => format!("the arms differ in {path} too"),
        NoTradeOff::Twins => "two arms have the same batch size and learning rate".into(),
        NoTradeOff::NoCommonSeed => "no seed has runs of all arms".into(),
        NoTradeOff::BatchSizes(found) => format!(
            "it takes three batch sizes whose runs pass the target between two measurements, and there \
             are {found}"
        ),
        NoTradeOff::NotConverged => "the fit did not converge".into(),
    }
}
