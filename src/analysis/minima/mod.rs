//! What the sharpness of minima says: are those of large batches sharper, does sharpness tell the
//! score, and is there a barrier between two solutions?
//!
//! ```text
//! ratio      sharpness of the largest batch size / of the smallest, seed by seed, in logarithms
//! tau        Kendall's rank correlation of sharpness and score over all runs, and over runs that
//!            had one learning rate (`rank`)
//! barrier    how far the training loss rises on the line between two solutions (`barrier`)
//! ```
//!
//! Sharpness moves with the learning rate and with how far the training loss has fallen (Dinh et al.
//! 2017, Andriushchenko et al. 2023), so nothing here names a cause.

mod barrier;
mod measured;
mod rank;

pub use barrier::Barrier;
pub use measured::{Line, LinePoint, MeasuredArm, Sharpness, SharpnessRun};
pub use rank::{LIKE_LOSSES, RankCorrelation};

use super::groups::{have_one_rate, smallest_and_largest};
use super::{ArmResults, Estimate, Results, Split};
use crate::stats::side;
use barrier::barriers;
use rand::Rng;
use rank::rank_correlation;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// How the sharpness of two batch sizes differs, by one measure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sharper {
    /// The measure, as in tables.
    pub measure: &'static str,
    /// The arm of the smallest batch size.
    pub small: String,
    /// That of the largest.
    pub large: String,
    /// ln(large / small) over the seeds that both have.
    pub log_ratio: Estimate,
}

/// What was measured around solutions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SharpnessFinding {
    /// Runs that were measured; one that repeats another arm's to the bit does not count.
    pub runs: usize,
    /// Their seeds.
    pub seeds: usize,
    /// The split of the scores.
    pub split: Split,
    /// By measure; empty with one batch size.
    pub sharper: Vec<Sharper>,
    /// Mean training losses of the two arms.
    pub losses: Option<[f64; 2]>,
    /// The lowest and the highest training loss of a run.
    pub all_losses: Option<[f64; 2]>,
    /// By measure; empty where there is nothing to rank.
    pub rank_correlations: Vec<RankCorrelation>,
    /// Adam's closeness to the edge of stability, of the same two arms.
    pub edges: Option<[f64; 2]>,
    /// By pair of arms.
    pub barriers: Vec<Barrier>,
}

type Measure = (&'static str, fn(&SharpnessRun) -> f64);

/// The measures by which minima are compared; the first and the third decide what is said.
const MEASURES: [Measure; 4] = [
    ("top_eigenvalue", |run| run.sharpness.top_eigenvalue),
    ("trace", |run| run.sharpness.trace),
    ("adaptive", |run| run.sharpness.adaptive),
    ("keskar", |run| run.sharpness.keskar),
];

/// What the measurements around solutions say of the arms `of_main`; `None` if there are none.
pub fn sharpness(
    results: &Results,
    of_main: &Results,
    rng: &mut impl Rng,
) -> Option<SharpnessFinding> {
    let runs = &results.sharpness;
    if runs.is_empty() && results.lines.is_empty() {
        return None;
    }
    let measured = |arm: &&ArmResults| runs.iter().any(|run| run.arm == arm.name);
    let ends = smallest_and_largest(of_main.arms.iter().filter(measured), have_one_rate);
    let seeds: BTreeSet<u64> = runs.iter().map(|run| run.seed).collect();
    let different = each_once(runs);
    let rank_correlations =
        MEASURES.iter().filter_map(|measure| rank_correlation(&different, measure, rng)).collect();
    let mean = |of: fn(&SharpnessRun) -> Option<f64>| {
        let of_arm = |arm: &ArmResults| {
            results.measured_arms().find(|measured| measured.arm.name == arm.name)?.mean(of)
        };
        let [small, large] = ends?;
        Some([of_arm(small)?, of_arm(large)?])
    };
    Some(SharpnessFinding {
        runs: different.len(),
        seeds: seeds.len(),
        split: results.reported_split(),
        sharper: ends.map_or(Vec::new(), |ends| {
            MEASURES.iter().filter_map(|measure| sharper(runs, ends, measure)).collect()
        }),
        losses: mean(|run| Some(run.sharpness.loss)),
        all_losses: (!different.is_empty()).then(|| {
            let losses = || different.iter().map(|run| run.sharpness.loss);
            [losses().fold(f64::INFINITY, f64::min), losses().fold(0.0, f64::max)]
        }),
        rank_correlations,
        edges: mean(|run| run.sharpness.edge_of_stability),
        barriers: barriers(&results.lines),
    })
}

fn sharper(
    runs: &[SharpnessRun],
    [small, large]: [&ArmResults; 2],
    (measure, of): &Measure,
) -> Option<Sharper> {
    let of_arm = |arm: &ArmResults, seed: u64| {
        runs.iter().find(|run| run.arm == arm.name && run.seed == seed).map(of)
    };
    let pairs: Vec<[f64; 2]> = small
        .runs
        .keys()
        .filter_map(|seed| Some([of_arm(small, *seed)?, of_arm(large, *seed)?]))
        .collect();
    // Where curvature is not positive, a ratio says nothing.
    if pairs.iter().flatten().any(|value| *value <= 0.0) {
        return None;
    }
    let ratios: Vec<f64> = pairs.iter().map(|[small, large]| (large / small).ln()).collect();
    Some(Sharper {
        measure,
        small: small.name.clone(),
        large: large.name.clone(),
        log_ratio: Estimate::of(&ratios, 0.0)?,
    })
}

/// Without those that repeat a run of another arm to the bit: an arm whose tuned rate is the given one,
/// say. A copy shows nothing that its original did not.
fn each_once(runs: &[SharpnessRun]) -> Vec<SharpnessRun> {
    let of = |run: &SharpnessRun| (run.batch_size, run.learning_rate, run.score, run.sharpness);
    let mut by_seed: BTreeMap<u64, Vec<&SharpnessRun>> = BTreeMap::new();
    let mut different = Vec::new();
    for run in runs {
        let kept = by_seed.entry(run.seed).or_default();
        if !kept.iter().any(|other| of(other) == of(run)) {
            kept.push(run);
            different.push(run.clone());
        }
    }
    different
}

impl SharpnessFinding {
    /// How the two batch sizes differ by a measure.
    pub fn ratio(&self, measure: &str) -> Option<&Sharper> {
        self.sharper.iter().find(|found| found.measure == measure)
    }

    /// Whether a measure tells the score.
    pub fn rank_correlation(&self, measure: &str) -> Option<&RankCorrelation> {
        self.rank_correlations.iter().find(|found| found.measure == measure)
    }

    /// The mean training losses of the two arms where they lie so far apart that they move curvature.
    pub fn unlike_losses(&self) -> Option<[f64; 2]> {
        self.losses.filter(|[small, large]| (small / large).max(large / small) > LIKE_LOSSES)
    }

    /// Whether the largest batch size ends in sharper minima (`Greater`) or in flatter ones (`Less`);
    /// `Equal` if neither is shown.
    pub fn larger_is_sharper(&self) -> Ordering {
        side(self.ratio("top_eigenvalue").and_then(|found| found.log_ratio.interval))
    }

    /// Whether runs in sharper minima have a lower score (`Less`) or a higher one (`Greater`), by the
    /// largest curvature and by adaptive sharpness, among all runs, among those of one learning rate
    /// and among those at like training losses; else `Equal`.
    pub fn sharper_is_better(&self) -> Ordering {
        let deciding = ["top_eigenvalue", "adaptive"].map(|measure| self.rank_correlation(measure));
        let intervals = deciding.into_iter().flat_map(|found| match found {
            Some(found) => {
                [found.interval, found.interval_within_rates, found.interval_at_like_losses]
            }
            None => [None; 3],
        });
        let sides: Vec<Ordering> = intervals.map(side).collect();
        match sides[..] {
            [first, ref others @ ..] if others.iter().all(|other| *other == first) => first,
            _ => Ordering::Equal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results, sharpness as measures};
    use super::*;
    use crate::analysis::{Line, LinePoint, Sharpness};
    use crate::spec::Metric;
    use crate::stats::tests::{generator, near};
    use rand::RngExt;

    /// Runs whose scores and curvatures the test says, of batch sizes 32 and 256.
    fn study(of: impl Fn(usize, u64) -> (f64, f64, f64)) -> Results {
        let mut study = results(vec![arm(32, &[0.8; 8]), arm(256, &[0.8; 8])]);
        for batch_size in [32, 256] {
            for seed in 0..8 {
                let (accuracy, curvature, learning_rate) = of(batch_size, seed);
                study.sharpness.push(SharpnessRun {
                    arm: format!("batch-{batch_size}"),
                    batch_size,
                    learning_rate,
                    seed,
                    score: accuracy,
                    sharpness: Sharpness {
                        loss: if batch_size == 32 { 0.1 } else { 0.3 },
                        top_eigenvalue: curvature,
                        trace: 10.0 * curvature,
                        trace_se: 0.1,
                        ball: 0.01,
                        adaptive: curvature / 100.0,
                        keskar: 1.0,
                        edge_of_stability: Some(curvature / 50.0),
                    },
                });
            }
        }
        study
    }

    fn found(study: &Results) -> SharpnessFinding {
        sharpness(study, study, &mut generator(3)).unwrap()
    }

    #[test]
    fn sharper_minima_that_are_worse_are_told_as_a_relation() {
        // One rate: curvature sets the accuracy, and large batches have more of it.
        let found = found(&study(|size, seed| {
            let curvature = if size == 32 { 2.0 } else { 6.0 } + 0.1 * seed as f64;
            (0.9 - 0.01 * curvature, curvature, 1e-3)
        }));
        near(found.ratio("top_eigenvalue").unwrap().log_ratio.summary.mean.exp(), 2.72, 0.05);
        near(found.rank_correlation("adaptive").unwrap().tau, -1.0, 1e-12);
        assert_eq!(found.larger_is_sharper(), Ordering::Greater);
        assert_eq!(found.sharper_is_better(), Ordering::Less);
        let [lowest, highest] = found.unlike_losses().unwrap();
        near(lowest, 0.1, 1e-9);
        near(highest, 0.3, 1e-9);
        let [small, large] = found.edges.unwrap();
        near(small, 0.047, 1e-9);
        near(large, 0.127, 1e-9);
    }

    #[test]
    fn what_the_learning_rate_does_to_both_is_no_evidence() {
        // The rate of each batch size moves curvature and accuracy together; within one rate nothing.
        let found = found(&study(|size, seed| {
            let noise = [0.0, 0.3, 0.1, 0.2, 0.5, 0.7, 0.4, 0.6][seed as usize];
            let curvature = if size == 32 { 2.0 } else { 6.0 } + noise;
            let chance = [0.02, 0.01, 0.0, 0.03, 0.02, 0.01, 0.0, 0.03][seed as usize];
            let accuracy = if size == 32 { 0.9 } else { 0.8 } + chance;
            (accuracy, curvature, if size == 32 { 1e-3 } else { 2e-3 })
        }));
        let top = found.rank_correlation("top_eigenvalue").unwrap();
        assert_eq!(side(top.interval), Ordering::Less, "{top:?}");
        assert_eq!(side(top.interval_within_rates), Ordering::Equal);
        assert_eq!(found.sharper_is_better(), Ordering::Equal);
    }

    #[test]
    fn what_the_training_loss_does_to_both_is_no_evidence() {
        // One rate: half of the seeds trained on, to less curvature and less accuracy; beside that,
        // curvature and accuracy have nothing to do with each other.
        let mut study = study(|_, seed| {
            let noise = [0.0, 0.3, 0.1, 0.2, 0.5, 0.7, 0.4, 0.6][seed as usize];
            let chance = [0.02, 0.01, 0.0, 0.03, 0.02, 0.01, 0.0, 0.03][seed as usize];
            (chance, noise, 1e-3)
        });
        for run in &mut study.sharpness {
            let trained_on = run.batch_size == 32;
            run.sharpness.loss = if trained_on { 0.01 } else { 0.3 };
            run.score += if trained_on { 0.8 } else { 0.9 };
            run.sharpness.top_eigenvalue += if trained_on { 2.0 } else { 6.0 };
            run.sharpness.adaptive += if trained_on { 1.0 } else { 3.0 };
        }
        let found = found(&study);
        let top = found.rank_correlation("top_eigenvalue").unwrap();
        assert_eq!(side(top.interval_within_rates), Ordering::Greater, "{top:?}");
        assert_eq!(side(top.interval_at_like_losses), Ordering::Equal, "{top:?}");
        assert_eq!(found.sharper_is_better(), Ordering::Equal);
        assert_eq!(found.all_losses, Some([0.01, 0.3]));
    }

    #[test]
    fn a_hump_between_two_solutions_is_a_barrier_and_a_slope_is_none() {
        let line = |seed: u64, hump: f64| {
            let point = |index: i32| {
                let alpha = f64::from(index) / 4.0 - 1.0;
                let inside = (0.0..=1.0).contains(&alpha);
                let rise = if inside { hump * 4.0 * alpha * (1.0 - alpha) } else { 9.0 };
                let loss = 0.1 + 0.2 * alpha + rise;
                let accuracy = if inside { 1.0 - rise / 2.0 } else { 0.1 };
                LinePoint { alpha, train: [loss, accuracy], validation: [loss, accuracy] }
            };
            let (metric, points) = (Metric::Accuracy.info(), (0..13).map(point).collect());
            Line { small: "batch-32".into(), large: "batch-256".into(), seed, metric, points }
        };
        let mut study = results(vec![arm(32, &[0.8; 3]), arm(256, &[0.8; 3])]);
        study.lines = vec![line(0, 0.5), line(1, 0.6), line(2, 0.4)];
        let humped = found(&study);
        near(humped.barriers[0].loss.summary.mean, 0.5, 1e-12);
        near(humped.barriers[0].worst.summary.mean, 0.75, 1e-12);
        assert_eq!((humped.barriers.len(), humped.barriers[0].is_shown()), (1, Some(true)));
        study.lines = vec![line(0, 0.0), line(1, 0.001), line(2, 0.0)];
        assert_eq!(found(&study).barriers[0].is_shown(), Some(false));
    }

    #[test]
    fn an_arm_that_repeats_the_runs_of_another_adds_nothing() {
        let of = |size: usize, seed: u64| {
            let curvature = size as f64 + [3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0, 5.0][seed as usize];
            (0.9 - 0.001 * ((seed * 5) % 7) as f64, curvature, 1e-3)
        };
        let plain = study(of);
        let mut copied = plain.clone();
        let twins = plain.sharpness.iter().filter(|run| run.batch_size == 256);
        copied
            .sharpness
            .extend(twins.map(|run| SharpnessRun { arm: "tuned-256".into(), ..run.clone() }));
        assert_eq!((found(&plain).runs, copied.sharpness.len()), (16, 24));
        assert_eq!(found(&copied), found(&plain));
    }

    #[test]
    fn thousands_of_runs_without_a_relation_have_a_rank_correlation_near_0() {
        let mut study = results(vec![arm(32, &[0.8; 1500]), arm(256, &[0.8; 1500])]);
        let mut rng = generator(9);
        for size in [32, 256] {
            for seed in 0..1500 {
                let [curvature, score] = [0.0, 0.8].map(|least| least + rng.random::<f64>());
                study.sharpness.push(SharpnessRun {
                    arm: format!("batch-{size}"),
                    batch_size: size,
                    learning_rate: 1e-3,
                    seed,
                    score,
                    sharpness: measures(curvature, 1.0 + curvature),
                });
            }
        }
        let found = found(&study);
        assert_eq!((found.runs, found.seeds), (3000, 1500));
        let top = found.rank_correlation("top_eigenvalue").unwrap();
        assert!(top.tau.abs() < 0.05 && top.interval.unwrap().contains(0.0), "{top:?}");
    }

    #[test]
    fn nothing_is_said_where_nothing_was_measured() {
        let study = results(vec![arm(32, &[0.8; 3]), arm(256, &[0.8; 3])]);
        assert_eq!(sharpness(&study, &study, &mut generator(1)), None);
    }
}
