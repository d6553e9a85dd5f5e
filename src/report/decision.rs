//! What the finished runs of a study decide, for whoever chooses what runs next.

use super::gather;
use crate::analysis::{self, ArmResults, Results};
use crate::study::{Decision, Look, StudyStatus};
use anyhow::Result;
use std::path::Path;

/// Decides from the records in a study's folder, of the first seeds alone. The same records decide the
/// same.
///
/// # Errors
/// Where the folder cannot be read.
pub fn decide(folder: &Path, look: Look<'_>) -> Result<Decision> {
    let status = StudyStatus::read(folder)?;
    let mut results = gather::results(folder, &status)?;
    results.arms.iter_mut().for_each(|arm| keep_first(arm, look.seeds));
    Ok(of(&results, look.out))
}

/// The runs of the first seeds.
fn keep_first(arm: &mut ArmResults, seeds: u64) {
    arm.runs.retain(|seed, _| *seed < seeds);
    arm.diverged.retain(|seed| *seed < seeds);
}

/// What results decide; arms that were out at an earlier look stay so.
fn of(results: &Results, out_before: &[String]) -> Decision {
    let found = analysis::decide(results);
    let mut out = out_before.to_vec();
    out.extend(found.out.into_iter().filter(|name| !out_before.contains(name)));
    Decision { settled: found.settled, out, expected_seeds: found.more.map(|more| more.seeds) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tests::{arm, results};

    #[test]
    fn an_arm_that_was_out_at_an_earlier_look_stays_so() {
        let quiet = [0.8, 0.801, 0.799, 0.8];
        let worse = [0.7, 0.702, 0.699, 0.701];
        let study = results(vec![arm(32, &quiet), arm(128, &quiet), arm(256, &worse)]);
        let out = ["batch-128", "batch-256"].map(String::from).to_vec();
        assert_eq!(of(&study, &out[..1]), Decision { settled: true, out, expected_seeds: None });
    }

    #[test]
    fn noisy_arms_need_more_seeds_than_there_are() {
        let [a, b] = [[0.8, 0.806, 0.803, 0.8], [0.803, 0.8, 0.806, 0.803]];
        let found = of(&results(vec![arm(32, &a), arm(64, &b)]), &[]);
        assert!(
            !found.settled && found.out.is_empty() && found.expected_seeds > Some(4),
            "{found:?}"
        );
    }

    #[test]
    fn two_seeds_decide_nothing_and_an_arm_that_diverged_gets_no_more() {
        let mut diverged = arm(256, &[]);
        diverged.diverged = vec![0, 1];
        let study = results(vec![arm(32, &[0.8, 0.8]), arm(64, &[0.5, 0.5]), diverged]);
        let out = vec!["batch-256".to_owned()];
        assert_eq!(of(&study, &[]), Decision { settled: false, out, expected_seeds: None });
    }

    #[test]
    fn only_the_first_seeds_count() {
        let mut arm = arm(32, &[0.8, 0.8, 0.7]);
        arm.diverged = vec![1, 3];
        keep_first(&mut arm, 2);
        assert_eq!((arm.runs.len(), arm.diverged), (2, vec![1]));
    }
}
