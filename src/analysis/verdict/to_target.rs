//! A study whose runs end at a target: not how accurate they become, but what it takes them.

use crate::analysis::{ArmFinding, ArmTarget, Comparison, TargetFinding};

/// The arms all of whose runs are finished and reach the target. An arm of which a run diverged is none.
pub(super) fn all_reach<'c>(
    comparison: &'c Comparison,
    target: &TargetFinding,
) -> Vec<&'c ArmFinding> {
    comparison.arms.iter().filter(|arm| reaching(target, arm).is_some()).collect()
}

/// What an arm takes to the target; `None` unless all of its runs are finished and reached it.
fn reaching<'t>(target: &'t TargetFinding, arm: &ArmFinding) -> Option<&'t ArmTarget> {
    target.arm(&arm.name).filter(|of| of.reached == arm.planned)
}
