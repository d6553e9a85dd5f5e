//! What the runs so far decide, for whoever chooses what runs next: a pure function of results.

use super::choice::Choice;
use super::{MoreSeeds, is_settled, more};
use crate::analysis::compare::compare;
use crate::analysis::{ArmFinding, Results, Role, groups};
use crate::stats::Standing;

/// What the runs so far decide.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Whether no further seed can change the recommendation.
    pub settled: bool,
    /// The arm to use, by what is shown so far.
    pub recommended: Option<String>,
    /// Arms that cannot be the best, or of which a run diverged: they need no more seeds.
    pub out: Vec<String>,
    /// Seeds that the arms that are not out have in common.
    pub common_seeds: usize,
    /// What would settle it, where a feasible number of seeds would.
    pub more: Option<MoreSeeds>,
}

/// What the arms decide on which a verdict would rest. Arms of other groups are never out.
pub fn decide(results: &Results) -> Decision {
    let first = groups(results).into_iter().next().map(|group| group.places);
    let of_main = results.of(&first.unwrap_or_default());
    let comparison = compare(&of_main);
    let choice = Choice { results: &of_main, until: None };
    let enough = !comparison.has_too_few_seeds() && comparison.arms.len() > 1;
    let settled = enough && is_settled(&comparison, choice);
    let is_out =
        |arm: &&ArmFinding| arm.standing == Some(Standing::Out) || arm.role == Role::Diverged;
    let out = comparison.arms.iter().filter(is_out);
    let nothing_is_left =
        comparison.is_one_left() || comparison.arms.iter().all(|arm| arm.role == Role::Diverged);
    Decision {
        settled: settled || nothing_is_left,
        recommended: choice.of(&comparison.equivalent()).map(|arm| arm.name.clone()),
        out: out.map(|arm| arm.name.clone()).collect(),
        common_seeds: comparison.seeds.len(),
        more: (enough && !settled).then(|| more(&comparison, choice)).flatten(),
    }
}
