//! What the finished runs of a study decide, for whoever chooses what runs next.

use super::gather;
use crate::analysis::{ArmResults, Comparison, Role, compare, groups};
use crate::rng::{Purpose, stream};
use crate::stats::Standing;
use crate::study::{Decision, Look, StudyStatus};
use anyhow::Result;
use std::path::Path;

/// Fewer seeds in common decide nothing.
const LEAST_SEEDS: usize = 3;

/// Decides from the records in a study's folder: of the first seeds alone, and between the arms that are
/// not out. The same records decide the same. `sequential` says that seeds are added until it is settled.
pub fn decide(folder: &Path, sequential: bool, look: Look<'_>) -> Result<Decision> {
    let status = StudyStatus::read(folder)?;
    let mut results = gather::results(folder, &status)?;
    results.arms.iter_mut().for_each(|arm| keep_first(arm, look.seeds));
    let Some(main) = groups(&results).into_iter().next() else { return Ok(Decision::default()) };
    let is_left = |place: &usize| !look.out.contains(&results.arms[*place].name);
    let left: Vec<usize> = main.places.into_iter().filter(is_left).collect();
    let mut rng = stream(0, Purpose::Report, 0);
    Ok(of(&compare(&results.of(&left), &mut rng), sequential))
}

/// The runs of the first seeds.
fn keep_first(arm: &mut ArmResults, seeds: u64) {
    arm.runs.retain(|seed, _| *seed < seeds);
    arm.diverged.retain(|seed| *seed < seeds);
}

/// Bounds that hold however often one looks are not there yet: `sequential` changes nothing.
fn of(comparison: &Comparison, _sequential: bool) -> Decision {
    let common_seeds = comparison.seeds.len();
    let diverged = comparison.arms.iter().filter(|arm| arm.role == Role::Diverged);
    // Such an arm is never recommended.
    let mut out: Vec<String> = diverged.map(|arm| arm.name.clone()).collect();
    let nothing_is_left = comparison.arms.iter().all(|arm| arm.role == Role::Diverged);
    if common_seeds < LEAST_SEEDS {
        return Decision { settled: nothing_is_left, out, common_seeds, expected_seeds: None };
    }
    out.extend(comparison.standing(Standing::Beyond).into_iter().map(|arm| arm.name.clone()));
    let open = comparison.standing(Standing::Open);
    let needed: Option<Vec<usize>> = open.iter().map(|arm| arm.seeds_needed).collect();
    let expected_seeds = needed.map(|all| all.into_iter().fold(common_seeds, usize::max));
    Decision { settled: open.is_empty(), out, common_seeds, expected_seeds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Results;
    use crate::analysis::tests::{arm, results};

    fn decided(results: &Results) -> Decision {
        of(&compare(results, &mut stream(0, Purpose::Report, 0)), true)
    }

    #[test]
    fn an_arm_that_is_shown_to_be_worse_is_out_and_equal_ones_are_settled() {
        let quiet = [0.8, 0.801, 0.799, 0.8];
        let worse = [0.7, 0.702, 0.699, 0.701];
        let found = decided(&results(vec![arm(32, &quiet), arm(128, &quiet), arm(256, &worse)]));
        let expected = Decision {
            settled: true,
            out: vec!["batch-256".into()],
            common_seeds: 4,
            expected_seeds: Some(4),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn noisy_arms_need_more_seeds_than_there_are() {
        let found =
            decided(&results(vec![arm(32, &[0.8, 0.82, 0.81]), arm(64, &[0.81, 0.8, 0.82])]));
        assert!(!found.settled && found.out.is_empty() && found.expected_seeds > Some(3));
    }

    #[test]
    fn two_seeds_decide_nothing_and_an_arm_that_diverged_gets_no_more() {
        let mut diverged = arm(256, &[]);
        diverged.diverged = vec![0, 1];
        let found = decided(&results(vec![arm(32, &[0.8, 0.8]), arm(64, &[0.5, 0.5]), diverged]));
        let out = vec!["batch-256".to_owned()];
        assert_eq!(found, Decision { settled: false, out, common_seeds: 2, expected_seeds: None });
    }

    #[test]
    fn only_the_first_seeds_count() {
        let mut arm = arm(32, &[0.8, 0.8, 0.7]);
        arm.diverged = vec![1, 3];
        keep_first(&mut arm, 2);
        assert_eq!((arm.runs.len(), arm.diverged), (2, vec![1]));
    }
}
