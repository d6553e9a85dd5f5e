//! What the sharpness of minima says: are those of large batches sharper, does sharpness tell
//! accuracy, and is there a barrier between two solutions?
//!
//! ```text
//! ratio      sharpness of the largest batch size / of the smallest, seed by seed, in logarithms
//! tau        Kendall's rank correlation of sharpness and accuracy over all runs, and over runs that
//!            had one learning rate; intervals by resampling whole seeds
//! barrier    max over 0 <= a <= 1 of  f(a) - (1 - a) f(0) - a f(1),  f the training loss on the line
//! ```
//!
//! Sharpness moves with the learning rate and with how far the training loss has fallen (Dinh et al.
//! 2017, Andriushchenko et al. 2023), so nothing here names a cause.

use super::groups::ends;
use super::words::percent;
use super::{ArmResults, CONFIDENCE, Estimate, Line, Results, SharpnessRun};
use crate::format::counted;
use crate::stats::{Interval, Ranked, kendall_tau, resamples};
use rand::Rng;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Resamples of the seeds.
const REPLICATES: usize = 2000;
/// Fewer seeds give no interval of a rank correlation.
const SEEDS: usize = 3;
/// A rise of the loss up to this is no barrier.
const LOW_BARRIER: f64 = 0.05;
/// Training losses that differ by more than this factor make curvatures hard to compare.
const LOSSES_APART: f64 = 1.5;

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

/// Whether runs in sharper minima have another accuracy, by one measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tells {
    /// The measure, as in tables.
    pub measure: &'static str,
    /// Over all runs.
    pub tau: f64,
    /// Its 95 % interval; `None` for less than three seeds.
    pub interval: Option<Interval>,
    /// Over pairs of runs with one learning rate; `None` where there are none.
    pub tau_within_rates: Option<f64>,
    /// Its 95 % interval.
    pub interval_within_rates: Option<Interval>,
}

/// What lies between the solutions of two arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Barrier {
    /// The arm at 0.
    pub small: String,
    /// The arm at 1.
    pub large: String,
    /// The rise of the training loss above the line between its ends, over the seeds.
    pub loss: Estimate,
    /// The lowest training accuracy between the solutions, over the seeds.
    pub accuracy: Estimate,
}

/// What was measured around solutions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SharpnessFinding {
    /// Runs that were measured; one that repeats another arm's to the bit does not count.
    pub runs: usize,
    /// Their seeds.
    pub seeds: usize,
    /// The split of the accuracies.
    pub split: &'static str,
    /// By measure; empty with one batch size.
    pub sharper: Vec<Sharper>,
    /// Mean training losses of the two arms.
    pub losses: Option<[f64; 2]>,
    /// By measure; empty where there is nothing to rank.
    pub tells: Vec<Tells>,
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
    let ends = ends(of_main.arms.iter().filter(measured));
    let seeds: BTreeSet<u64> = runs.iter().map(|run| run.seed).collect();
    let different = each_once(runs);
    let tells = MEASURES.iter().filter_map(|measure| tell(&different, measure, rng)).collect();
    let mean = |of: fn(&SharpnessRun) -> Option<f64>| {
        let of_arm = |arm: &ArmResults| {
            let values: Vec<f64> =
                runs.iter().filter(|run| run.arm == arm.name).filter_map(of).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let [small, large] = ends?;
        Some([of_arm(small)?, of_arm(large)?])
    };
    Some(SharpnessFinding {
        runs: different.len(),
        seeds: seeds.len(),
        split: if results.examples[2].is_some_and(|rows| rows > 0) { "test" } else { "validation" },
        sharper: ends.map_or(Vec::new(), |ends| {
            MEASURES.iter().filter_map(|measure| sharper(runs, ends, measure)).collect()
        }),
        losses: mean(|run| Some(run.sharpness.loss)),
        tells,
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
    let mut kept: Vec<SharpnessRun> = Vec::new();
    for run in runs {
        let is_copy =
            |other: &SharpnessRun| *run == SharpnessRun { arm: run.arm.clone(), ..other.clone() };
        if !kept.iter().any(is_copy) {
            kept.push(run.clone());
        }
    }
    kept
}

fn tell(runs: &[SharpnessRun], (measure, of): &Measure, rng: &mut impl Rng) -> Option<Tells> {
    let mut rates: Vec<u64> = runs.iter().map(|run| run.learning_rate.to_bits()).collect();
    rates.sort_unstable();
    rates.dedup();
    let seeds: Vec<u64> =
        runs.iter().map(|run| run.seed).collect::<BTreeSet<_>>().into_iter().collect();
    let observe = |run: &SharpnessRun, within: bool| {
        let rate = rates.iter().position(|rate| *rate == run.learning_rate.to_bits());
        let stratum = if within { rate.unwrap_or(0) } else { 0 };
        Ranked { x: of(run), y: run.accuracy, stratum }
    };
    let tau = |drawn: &[usize], within: bool| {
        let of_seed = |seed: u64| runs.iter().filter(move |run| run.seed == seed);
        let drawn = drawn.iter().flat_map(|index| of_seed(seeds[*index]));
        kendall_tau(&drawn.map(|run| observe(run, within)).collect::<Vec<_>>())
    };
    let mut estimate = |within: bool| {
        let found = resamples(seeds.len(), REPLICATES, |drawn| tau(drawn, within), rng)?;
        let enough = seeds.len() >= SEEDS && found.share_defined() > 0.9;
        let interval = found
            .t_interval(CONFIDENCE)
            .filter(|_| enough)
            .map(|interval| Interval { low: interval.low.max(-1.0), high: interval.high.min(1.0) });
        Some((found.estimate, interval))
    };
    let (all, interval) = estimate(false)?;
    let within = estimate(true);
    Some(Tells {
        measure,
        tau: all,
        interval,
        tau_within_rates: within.map(|(tau, _)| tau),
        interval_within_rates: within.and_then(|(_, interval)| interval),
    })
}

fn barriers(lines: &[Line]) -> Vec<Barrier> {
    let mut pairs: Vec<[&str; 2]> = Vec::new();
    for line in lines {
        if !pairs.contains(&[&line.small, &line.large]) {
            pairs.push([&line.small, &line.large]);
        }
    }
    let of_pair = |[small, large]: [&str; 2]| {
        let of_it = || lines.iter().filter(|line| line.small == small && line.large == large);
        let rises: Vec<f64> = of_it().filter_map(rise).collect();
        let lowest: Vec<f64> = of_it().filter_map(lowest_accuracy).collect();
        Some(Barrier {
            small: small.to_owned(),
            large: large.to_owned(),
            loss: Estimate::of(&rises, 0.0)?,
            accuracy: Estimate::of(&lowest, 0.0)?,
        })
    };
    pairs.into_iter().filter_map(of_pair).collect()
}

/// How far the loss rises above the straight line between its ends.
fn rise(line: &Line) -> Option<f64> {
    let at = |end: f64| {
        line.points.iter().find(|point| (point.alpha - end).abs() < 1e-9).map(|p| p.train[0])
    };
    let (first, last) = (at(0.0)?, at(1.0)?);
    let between = line.points.iter().filter(|point| (-1e-9..=1.0 + 1e-9).contains(&point.alpha));
    let above = |a: f64, loss: f64| loss - (1.0 - a) * first - a * last;
    between.map(|point| above(point.alpha, point.train[0])).reduce(f64::max)
}

fn lowest_accuracy(line: &Line) -> Option<f64> {
    let between = line.points.iter().filter(|point| (-1e-9..=1.0 + 1e-9).contains(&point.alpha));
    between.map(|point| point.train[1]).reduce(f64::min)
}

/// Where an interval lies beside 0; `Equal` if it holds 0, or there is none.
fn side(interval: Option<Interval>) -> Ordering {
    match interval {
        Some(interval) if interval.low > 0.0 => Ordering::Greater,
        Some(interval) if interval.high < 0.0 => Ordering::Less,
        _ => Ordering::Equal,
    }
}

impl SharpnessFinding {
    fn ratio(&self, measure: &str) -> Option<&Sharper> {
        self.sharper.iter().find(|found| found.measure == measure)
    }

    fn tells(&self, measure: &str) -> Option<&Tells> {
        self.tells.iter().find(|found| found.measure == measure)
    }

    /// Whether the largest batch size ends in sharper minima (`Greater`) or in flatter ones (`Less`);
    /// `Equal` if neither is shown.
    pub(super) fn larger_is_sharper(&self) -> Ordering {
        side(self.ratio("top_eigenvalue").and_then(|found| found.log_ratio.interval))
    }

    /// Whether runs in sharper minima have a lower accuracy (`Less`) or a higher one (`Greater`), by the
    /// largest curvature and by adaptive sharpness, among all runs and among those of one learning rate;
    /// else `Equal`.
    pub(super) fn sharper_is_better(&self) -> Ordering {
        let deciding = ["top_eigenvalue", "adaptive"].map(|measure| self.tells(measure));
        let intervals = deciding.into_iter().flat_map(|found| match found {
            Some(found) => [found.interval, found.interval_within_rates],
            None => [None; 2],
        });
        let sides: Vec<Ordering> = intervals.map(side).collect();
        match sides[..] {
            [first, ref others @ ..] if others.iter().all(|other| *other == first) => first,
            _ => Ordering::Equal,
        }
    }

    /// In words.
    pub fn sentences(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        all.extend(self.ratio("top_eigenvalue").map(ratio_sentence));
        all.extend(self.at_other_losses());
        all.extend(self.explains());
        all.extend(self.edges.map(edge_sentence));
        all.extend(self.barriers.iter().map(barrier_sentence));
        all
    }

    fn at_other_losses(&self) -> Option<String> {
        let [small, large] = self.losses?;
        let apart = (small / large).max(large / small);
        (apart > LOSSES_APART).then(|| {
            format!(
                "Those runs ended at different training losses ({small:.4} and {large:.4}). Curvature \
                 falls with the loss whatever the batch size is, so this shows how far the training \
                 has come as well."
            )
        })
    }

    fn explains(&self) -> Option<String> {
        let (top, adaptive) = (self.tells("top_eigenvalue")?, self.tells("adaptive")?);
        let numbers = format!(
            "rank correlation (Kendall's tau) with {} accuracy over {}: {} by the largest curvature, {} \
             by adaptive sharpness",
            self.split,
            counted(self.runs, "run"),
            tau_text(top),
            tau_text(adaptive)
        );
        Some(match self.sharper_is_better() {
            Ordering::Less => format!(
                "Runs that ended in sharper minima were less accurate; {numbers}. This is a relation, not \
                 a cause."
            ),
            Ordering::Greater => {
                format!("Runs that ended in sharper minima were more accurate; {numbers}.")
            }
            Ordering::Equal => format!(
                "There is no evidence that sharpness explains the differences in accuracy; {numbers}."
            ),
        })
    }
}

/// `-0.31 (95 % interval -0.62 to +0.01; with one learning rate -0.05, -0.40 to +0.30)`
fn tau_text(found: &Tells) -> String {
    let range = |interval: Interval| format!("{:+.2} to {:+.2}", interval.low, interval.high);
    let interval = match found.interval {
        Some(interval) => format!("95 % interval {}", range(interval)),
        None => "too few seeds for an interval".into(),
    };
    let within = found.tau_within_rates.map_or(String::new(), |tau| {
        let interval = found.interval_within_rates.map(range);
        let interval = interval.map_or(String::new(), |range| format!(", {range}"));
        format!("; among runs of one learning rate {tau:+.2}{interval}")
    });
    format!("{:+.2} ({interval}{within})", found.tau)
}

fn ratio_sentence(found: &Sharper) -> String {
    let Estimate { summary, interval } = found.log_ratio;
    let ratio = |log: f64| format!("{:.2}", log.exp());
    let range = interval.map_or("one seed, no interval".into(), |interval| {
        format!(
            "95 % interval {} to {}, {}",
            ratio(interval.low),
            ratio(interval.high),
            counted(summary.count, "seed")
        )
    });
    let shown = match side(interval) {
        Ordering::Greater => "ended in sharper minima than",
        Ordering::Less => "ended in flatter minima than",
        Ordering::Equal => "did not clearly end in sharper or flatter minima than",
    };
    format!(
        "{} {shown} {}: the largest curvature of the training loss was {} times as large ({range}).",
        found.large,
        found.small,
        ratio(summary.mean)
    )
}

fn edge_sentence([small, large]: [f64; 2]) -> String {
    format!(
        "Curvature limits Adam's steps where its largest value comes near what the learning rate can \
         bear (1): it stood at {small:.2} for the smallest batch size and at {large:.2} for the largest."
    )
}

fn barrier_sentence(found: &Barrier) -> String {
    let Estimate { summary, interval } = found.loss;
    let range = interval.map_or("one seed".into(), |interval| {
        format!("95 % interval {:.3} to {:.3}", interval.low, interval.high)
    });
    let meaning = match interval {
        Some(interval) if interval.low > LOW_BARRIER => "they lie in separate valleys",
        Some(interval) if interval.high < LOW_BARRIER => "they lie in one valley",
        _ => "whether they lie in separate valleys is open",
    };
    format!(
        "On the straight line between the solutions of {} and {} the training loss rises by up to \
         {:.3} above its ends ({range}, {}): {meaning}. The training accuracy falls to {} there.",
        found.small,
        found.large,
        summary.mean,
        counted(summary.count, "seed"),
        percent(found.accuracy.summary.mean)
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use super::*;
    use crate::analysis::{LinePoint, Sharpness};
    use crate::stats::tests::{generator, near};

    /// Runs whose accuracies and curvatures the test says, of batch sizes 32 and 256.
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
                    accuracy,
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
        near(found.tells("adaptive").unwrap().tau, -1.0, 1e-12);
        assert_eq!(found.larger_is_sharper(), Ordering::Greater);
        assert_eq!(found.sharper_is_better(), Ordering::Less);
        let said = found.sentences().join(" ");
        assert!(said.contains("batch-256 ended in sharper minima than batch-32"), "{said}");
        assert!(said.contains("ended at different training losses (0.1000 and 0.3000)"), "{said}");
        assert!(said.contains("were less accurate") && said.contains("not a cause"), "{said}");
        assert!(said.contains("at 0.05 for the smallest batch size and at 0.13"), "{said}");
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
        let top = found.tells("top_eigenvalue").unwrap();
        assert_eq!(side(top.interval), Ordering::Less, "{top:?}");
        assert_eq!(side(top.interval_within_rates), Ordering::Equal);
        assert_eq!(found.sharper_is_better(), Ordering::Equal);
        let said = found.sentences().join(" ");
        assert!(said.contains("There is no evidence that sharpness explains"), "{said}");
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
            let points = (0..13).map(point).collect();
            Line { small: "batch-32".into(), large: "batch-256".into(), seed, points }
        };
        let mut study = results(vec![arm(32, &[0.8; 3]), arm(256, &[0.8; 3])]);
        study.lines = vec![line(0, 0.5), line(1, 0.6), line(2, 0.4)];
        let humped = found(&study);
        near(humped.barriers[0].loss.summary.mean, 0.5, 1e-12);
        near(humped.barriers[0].accuracy.summary.mean, 0.75, 1e-12);
        let said = humped.sentences();
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("separate valleys") && said[0].contains("75.0 %"), "{said:?}");
        study.lines = vec![line(0, 0.0), line(1, 0.001), line(2, 0.0)];
        assert!(found(&study).sentences()[0].contains("they lie in one valley"));
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
    fn nothing_is_said_where_nothing_was_measured() {
        let study = results(vec![arm(32, &[0.8; 3]), arm(256, &[0.8; 3])]);
        assert_eq!(sharpness(&study, &study, &mut generator(1)), None);
    }
}
