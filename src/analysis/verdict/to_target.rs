//! A study whose runs end at a target: not how good they become, but what it takes them.

use crate::analysis::{ArmFinding, Comparison, TargetFinding};

/// The arms all of whose runs are finished and reach the target. An arm of which a run diverged is none.
pub(super) fn all_reach<'c>(
    comparison: &'c Comparison,
    target: &TargetFinding,
) -> Vec<&'c ArmFinding> {
    comparison.arms.iter().filter(|arm| target.of(arm).reached == arm.planned).collect()
}
