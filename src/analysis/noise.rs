//! The gradient noise scale: how many examples a gradient must be averaged over before its noise is
//! as small as itself.

pub use crate::stats::NoiseScale;

use super::{ArmResults, Results};
use serde::Serialize;
use std::collections::BTreeMap;

/// Measured with the weights of one moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NoisePoint {
    /// Updates so far.
    pub step: u64,
    /// Training rows so far.
    pub examples: u64,
    /// Of the gradient itself.
    pub plain: NoiseScale,
    /// Of the gradient divided by Adam's root of the second moment; `None` for other optimizers and
    /// before the first step.
    pub adam: Option<NoiseScale>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseRun {
    /// Its arm.
    pub arm: String,
    /// Examples per step.
    pub batch_size: usize,
    /// Its seed.
    pub seed: u64,
    /// In the order of the run.
    pub points: Vec<NoisePoint>,
}

/// Over the seeds of an arm, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseMedian {
    /// Updates so far.
    pub step: u64,
    /// Training rows so far.
    pub examples: u64,
    /// Runs that were measured then.
    pub seeds: usize,
    /// Of the gradient itself.
    pub plain: Median,
    /// Of the gradient as Adam scales it.
    pub adam: Option<Median>,
}

/// A median of noise scales, some of which may be known from below alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Median {
    /// In examples.
    pub value: f64,
    /// Whether the median is at least this, and nothing more is known of it.
    pub at_least: bool,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseArm {
    /// Its name.
    pub arm: String,
    /// Examples per step.
    pub batch_size: usize,
    /// In the order of its runs.
    pub points: Vec<NoiseMedian>,
}

/// How noisy gradients are in a study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseFinding {
    /// In the order of the file.
    pub arms: Vec<NoiseArm>,
    /// Of the arms on which the verdict rests, those of the smallest and of the largest batch size.
    pub ends: Vec<String>,
    /// The critical batch size, if the study has one.
    pub critical: Option<f64>,
    /// The middle of the medians of all moments after the first step, before which little is learnt yet
    /// and nothing bounded; those without an upper end count as the largest.
    pub typical: Option<Median>,
}

/// How far apart noise scale and critical batch size may lie: McCandlish et al. 2018 expect them to
/// agree in their order of magnitude alone.
const IN_LINE: f64 = 10.0;

/// What the noise scales of a study say, of its arms `of_main` above all, beside its critical batch
/// size; `None` if none was measured.
pub fn noise(results: &Results, of_main: &Results, critical: Option<f64>) -> Option<NoiseFinding> {
    let arms: Vec<NoiseArm> =
        results.arms.iter().filter_map(|arm| of_arm(results, &arm.name)).collect();
    let in_training = arms.iter().flat_map(|arm| &arm.points).filter(|point| point.step > 0);
    let typical = middle(in_training.map(|point| point.plain));
    let measured = |arm: &&ArmResults| arms.iter().any(|of| of.arm == arm.name);
    let main = || of_main.arms.iter().filter(measured);
    let smallest = main().min_by_key(|arm| arm.batch_size);
    let largest = main().rev().max_by_key(|arm| arm.batch_size);
    let mut ends: Vec<String> =
        [smallest, largest].into_iter().flatten().map(|arm| arm.name.clone()).collect();
    ends.dedup();
    (!arms.is_empty()).then_some(NoiseFinding { arms, ends, critical, typical })
}

fn of_arm(results: &Results, arm: &str) -> Option<NoiseArm> {
    let runs: Vec<&NoiseRun> = results.noise.iter().filter(|run| run.arm == arm).collect();
    // Runs that stopped early were measured less often.
    let mut moments: BTreeMap<u64, Vec<&NoisePoint>> = BTreeMap::new();
    for point in runs.iter().flat_map(|run| &run.points) {
        moments.entry(point.step).or_default().push(point);
    }
    let of_moment = |points: &Vec<&NoisePoint>| {
        let adam: Vec<NoiseScale> = points.iter().filter_map(|point| point.adam).collect();
        Some(NoiseMedian {
            step: points[0].step,
            examples: points[0].examples,
            seeds: points.len(),
            plain: median(points.iter().map(|point| point.plain))?,
            adam: median(adam.into_iter()),
        })
    };
    let points = moments.values().filter_map(of_moment).collect();
    let first = runs.first()?;
    Some(NoiseArm { arm: first.arm.clone(), batch_size: first.batch_size, points })
}

/// The middle one, the upper of two; those without an upper end count as the largest.
fn middle(all: impl Iterator<Item = Median>) -> Option<Median> {
    let mut all: Vec<Median> = all.collect();
    all.sort_by(|a, b| a.at_least.cmp(&b.at_least).then(a.value.total_cmp(&b.value)));
    all.get(all.len() / 2).copied()
}

fn median(scales: impl Iterator<Item = NoiseScale>) -> Option<Median> {
    let known = |scale: NoiseScale| match scale.value {
        Some(value) => Some(Median { value, at_least: false }),
        None => scale.at_least.map(|value| Median { value, at_least: true }),
    };
    middle(scales.filter_map(known))
}

/// Whether the noise scale and the critical batch size agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Within a factor of ten.
    InLine,
    /// Farther apart.
    Apart,
    /// The noise scale is known from below alone, which leaves it open.
    Unknown,
}

impl NoiseFinding {
    /// The critical batch size, the typical noise scale, and whether they agree; `None` where one of them
    /// is not known.
    pub fn beside_critical(&self) -> Option<(f64, Median, Fit)> {
        let (critical, typical) = (self.critical?, self.typical?);
        let ratio = critical / typical.value;
        // A bound from below rules out that the noise scale is too small, not that it is too large.
        let fit = match (1.0 / IN_LINE..=IN_LINE).contains(&ratio) {
            _ if typical.at_least && ratio > 1.0 / IN_LINE => Fit::Unknown,
            true => Fit::InLine,
            false => Fit::Apart,
        };
        Some((critical, typical, fit))
    }

    /// The arms of the smallest and of the largest batch size.
    pub fn at_the_ends(&self) -> impl Iterator<Item = &NoiseArm> {
        self.arms.iter().filter(|arm| self.ends.contains(&arm.arm))
    }
}

impl NoiseArm {
    /// From the first moment after the first step, before which nothing is learnt and nothing bounded,
    /// to the last one that as many runs came to; runs that end early leave later moments to the slowest
    /// seeds. The same moment twice where there is one alone.
    pub fn first_and_last(&self) -> Option<[&NoiseMedian; 2]> {
        let first = self.points.iter().find(|point| point.step > 0)?;
        let last = self.points.iter().rfind(|point| point.seeds == first.seeds)?;
        Some([first, last])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use super::*;

    fn known(value: f64) -> NoiseScale {
        NoiseScale { value: Some(value), interval: None, at_least: None }
    }

    fn more_than(value: f64) -> NoiseScale {
        NoiseScale { value: None, interval: None, at_least: Some(value) }
    }

    fn measured(seed: u64, scales: &[NoiseScale]) -> NoiseRun {
        let point = |(at, plain): (usize, &NoiseScale)| NoisePoint {
            step: 10 + 10 * at as u64,
            examples: 320 + 320 * at as u64,
            plain: *plain,
            adam: (at > 0).then_some(known(7.0)),
        };
        let points = scales.iter().enumerate().map(point).collect();
        NoiseRun { arm: "batch-32".into(), batch_size: 32, seed, points }
    }

    #[test]
    fn a_rise_is_told_with_medians_over_seeds_and_compared_with_the_critical_batch_size() {
        let mut study = results(vec![arm(32, &[0.8, 0.8, 0.8]), arm(256, &[0.8])]);
        assert_eq!(noise(&study, &study, Some(100.0)), None);
        study.noise = vec![
            measured(0, &[known(20.0), known(300.0)]),
            measured(1, &[known(10.0), more_than(90.0)]),
            measured(2, &[known(900.0), known(80.0)]),
        ];
        let found = noise(&study, &study, Some(100.0)).unwrap();
        assert_eq!(found.arms.len(), 1);
        let course = |study: &Results| {
            let found = noise(study, study, None).unwrap();
            let arm = found.at_the_ends().next().unwrap();
            arm.first_and_last()
                .unwrap()
                .map(|at| (at.plain.value, at.plain.at_least, at.seeds, at.examples))
        };
        let rise = [(20.0, false, 3, 320), (300.0, false, 3, 640)];
        assert_eq!(course(&study), rise);
        let fit = |study: &Results, critical: f64| {
            noise(study, study, Some(critical)).unwrap().beside_critical().unwrap().2
        };
        assert_eq!([100.0, 4000.0].map(|at| fit(&study, at)), [Fit::InLine, Fit::Apart]);
        let later = NoisePoint { step: 30, ..study.noise[0].points[1] };
        study.noise[0].points.push(later);
        assert_eq!(course(&study), rise, "a moment that one seed came to");
        study.noise[0].points.pop();
        let before = NoisePoint { step: 0, examples: 0, ..study.noise[0].points[1] };
        study.noise.iter_mut().for_each(|run| run.points.insert(0, before));
        assert_eq!(course(&study), rise, "nothing is learnt before the first step");
        for run in &mut study.noise {
            run.points.remove(0);
        }
        let mut short = study.clone();
        short.noise.iter_mut().for_each(|run| run.points.truncate(1));
        assert_eq!(course(&short), [rise[0]; 2]);
        study.noise.iter_mut().for_each(|run| run.points[1].plain = more_than(11.0));
        assert_eq!(course(&study)[1], (11.0, true, 3, 640));
        assert_eq!(fit(&study, 4000.0), Fit::Unknown);
        assert_eq!(noise(&study, &study, None).unwrap().beside_critical(), None);
    }

    #[test]
    fn a_median_that_is_known_from_below_alone_says_so() {
        let of = |scales: &[NoiseScale]| median(scales.iter().copied()).unwrap();
        let bound = |value| Median { value, at_least: true };
        assert_eq!(of(&[known(5.0), more_than(2.0), more_than(1500.0)]), bound(2.0));
        let six = Median { value: 6.0, at_least: false };
        assert_eq!(of(&[known(5.0), known(6.0), more_than(1.0)]), six);
        assert_eq!(of(&[more_than(0.0)]), bound(0.0));
        assert_eq!(median(std::iter::empty()), None);
    }
}
