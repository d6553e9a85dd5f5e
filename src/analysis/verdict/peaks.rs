//! Arms that overfit: their validation score is lower at the end than after an earlier epoch. With early stopping
//! another batch size might be the best.
//!
//! For each arm, e is the epoch with the highest mean score over seeds, and a run's fall is
//! `score(e) - score(end)`. An arm is reported if a one-sided t test shows that its mean fall exceeds the margin.
//! The level of the test is 5 % divided by the number of epochs (Bonferroni), since e is the best of them.

use crate::analysis::{ArmResults, CONFIDENCE, Results};
use crate::stats::summarise;
use serde::Serialize;

/// Where an arm scored higher than at its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peak {
    /// The arm.
    pub arm: String,
    /// After this epoch, from 1.
    pub epoch: usize,
    /// Its mean validation score there.
    pub score: f64,
    /// And at the end.
    pub end: f64,
}

/// The arms that overfit, in the order of the file. None where runs end at a target, since these are not judged
/// by their last score.
pub(super) fn peaks(results: &Results) -> Vec<Peak> {
    match results.declared_target {
        Some(_) => Vec::new(),
        None => results.arms.iter().filter_map(|arm| peak(arm, results.margin)).collect(),
    }
}

fn peak(arm: &ArmResults, margin: f64) -> Option<Peak> {
    let ends: Vec<f64> = arm.runs.values().map(|run| run.validation).collect();
    let curves: Vec<Vec<f64>> = arm
        .runs
        .values()
        .map(|run| run.curve.iter().filter(|at| at.train.is_some()).map(|at| at.score).collect())
        .collect();
    let epochs = curves.iter().map(Vec::len).min()?;
    let mean =
        |epoch: usize| curves.iter().map(|curve| curve[epoch]).sum::<f64>() / curves.len() as f64;
    let means: Vec<f64> = (0..epochs).map(mean).collect();
    let (best, score) = means.into_iter().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let falls: Vec<f64> = curves.iter().zip(&ends).map(|(curve, end)| curve[best] - end).collect();
    let fall = summarise(&falls)?;
    let level = 1.0 - (1.0 - CONFIDENCE) / epochs as f64;
    (fall.lower_bound(level)? > margin).then(|| Peak {
        arm: arm.name.clone(),
        epoch: best + 1,
        score,
        end: score - fall.mean,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{arm, point, results};
    use super::*;
    use crate::analysis::Target;
    use crate::stats::tests::{generator, near, normals};

    /// An arm whose seeds 0, 1, ... have these scores after each epoch.
    fn with_curves(curves: &[Vec<f64>]) -> ArmResults {
        let ends: Vec<f64> = curves.iter().map(|curve| curve[curve.len() - 1]).collect();
        let mut found = arm(32, &ends);
        for (run, curve) in found.runs.values_mut().zip(curves) {
            let ends = (1..).zip(curve).map(|(step, score)| {
                let train = Some([0.5, 0.9]);
                crate::analysis::Point { train, ..point(2 * step, *score) }
            });
            // Within an epoch it is measured too, and counts as no epoch.
            run.curve = [point(1, 0.99)].into_iter().chain(ends).collect();
        }
        found
    }

    #[test]
    fn a_fall_beyond_the_margin_is_told_with_its_epoch() {
        let curve = |by: f64| vec![0.70 + by, 0.75 + by, 0.74 - by, 0.72 + by];
        let falling = with_curves(&[curve(0.0), curve(0.001), curve(0.002)]);
        let rising = with_curves(&[0.0, 0.001, 0.002].map(|by| vec![0.6 + by, 0.7 + by, 0.8 + by]));
        let mut study = results(vec![falling, rising]);
        let [found] = &peaks(&study)[..] else { panic!("{:?}", peaks(&study)) };
        assert_eq!((found.arm.as_str(), found.epoch), ("batch-32", 2));
        near(found.score, 0.751, 1e-12);
        near(found.end, 0.721, 1e-12);
        study.margin = 0.05;
        assert_eq!(peaks(&study), [], "it does not matter");
        let declared_target = Some(Target::of_accuracy(0.7));
        assert_eq!(peaks(&Results { declared_target, margin: 0.005, ..study }), []);
    }

    #[test]
    fn restored_weights_and_single_seeds_have_no_peak() {
        let curve = vec![0.70, 0.75, 0.72];
        let mut restored = with_curves(&[curve.clone(), curve.clone(), curve.clone()]);
        restored.runs.values_mut().for_each(|run| run.validation = 0.75);
        assert_eq!(peaks(&results(vec![restored])), []);
        assert_eq!(peaks(&results(vec![with_curves(&[curve])])), []);
        assert_eq!(
            peaks(&results(vec![arm(32, &[0.8, 0.8])])),
            [],
            "nothing is known of the epochs"
        );
    }

    #[test]
    fn noise_alone_is_seldom_told_as_a_peak() {
        // Nothing falls, or the truth falls by just the margin.
        let mut rng = generator(7);
        for fall in [0.0, 0.005] {
            let told = (0..2000).filter(|_| {
                let curve = |_| {
                    let mut scores = normals(&mut rng, 20, 0.8, 0.005);
                    *scores.last_mut().unwrap() -= fall;
                    scores
                };
                !peaks(&results(vec![with_curves(&(0..5).map(curve).collect::<Vec<_>>())]))
                    .is_empty()
            });
            let share = told.count() as f64 / 2000.0;
            assert!(share <= 0.05, "{share} with a fall of {fall}");
        }
    }
}
