//! The gradient noise scale: how many examples a gradient must be averaged over before its noise is
//! as small as itself.

pub use crate::stats::NoiseScale;

use super::{ArmResults, Results};
use crate::format::{count, counted};
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

impl Median {
    /// `120`, `more than 120`, `unknown`
    fn text(self) -> String {
        let value = count(self.value.round().max(0.0) as u64);
        match self.at_least {
            true if self.value < 1.0 => "unknown".into(),
            true => format!("more than {value}"),
            false => value,
        }
    }
}

impl NoiseFinding {
    /// In words: how the scale moved in training, and whether it fits the critical batch size.
    pub fn sentences(&self) -> Vec<String> {
        let arms = self.arms.iter().filter(|arm| self.ends.contains(&arm.arm));
        let mut sentences: Vec<String> = arms.filter_map(moved).collect();
        sentences.extend(self.beside_critical());
        sentences
    }

    fn beside_critical(&self) -> Option<String> {
        let (critical, typical) = (self.critical?, self.typical?);
        let ratio = critical / typical.value;
        let numbers = format!(
            "a critical batch size of {} examples and a typical noise scale of {}",
            count(critical.round() as u64),
            typical.text()
        );
        // A bound from below rules out that the noise scale is too small, not that it is too large.
        Some(match (1.0 / IN_LINE..=IN_LINE).contains(&ratio) {
            _ if typical.at_least && ratio > 1.0 / IN_LINE => format!(
                "Whether the noise scale is in line with the steps that were needed is not told: {numbers}. \
                 More `rows`, or more training examples, would bound it."
            ),
            true => format!(
                "The two ways to tell which batch sizes are efficient are in line: {numbers} (agreement \
                 within a factor of ten is what can be expected)."
            ),
            false => format!(
                "The noise scale is not in line with the steps that were needed: {numbers}, more than a \
                 factor of ten apart. Trust the steps: they were measured, the noise scale predicts."
            ),
        })
    }
}

/// From the first moment after the first step, before which nothing is learnt and nothing bounded, to
/// the last one that as many runs came to; runs that end early leave later moments to the slowest seeds.
fn moved(arm: &NoiseArm) -> Option<String> {
    let first = arm.points.iter().find(|point| point.step > 0)?;
    let last = arm.points.iter().rfind(|point| point.seeds == first.seeds)?;
    let (from, to) = (first.plain, last.plain);
    if last.step == first.step {
        return Some(format!(
            "{} was {} examples (median over {}, after {} examples).",
            what(arm),
            to.text(),
            counted(last.seeds, "seed"),
            count(last.examples)
        ));
    }
    // Two bounds from below show no movement.
    if from.at_least && to.at_least {
        return None;
    }
    let way = match (from.at_least, to.at_least) {
        (_, false) if to.value < from.value => "fell from",
        (false, _) if to.value > from.value => "rose from",
        _ => "went from",
    };
    let adam = last.adam.map_or(String::new(), |adam| {
        format!("; of the gradient as Adam scales it, it was {} in the end", adam.text())
    });
    Some(format!(
        "{} {way} {} to {} examples in training (medians over {}, after {} and {} examples){adam}.",
        what(arm),
        from.text(),
        to.text(),
        counted(last.seeds, "seed"),
        count(first.examples),
        count(last.examples)
    ))
}

fn what(arm: &NoiseArm) -> String {
    format!(
        "With batch size {} the noise scale, the batch size at which a gradient is as much noise as signal,",
        count(arm.batch_size as u64)
    )
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
        let sentences = found.sentences();
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert!(sentences[0].contains("rose from 20 to 300 examples"), "{sentences:?}");
        assert!(
            sentences[0].contains("(medians over 3 seeds, after 320 and 640 examples); of the"),
            "{sentences:?}"
        );
        assert!(sentences[1].contains("are in line"), "{sentences:?}");
        let apart = noise(&study, &study, Some(4000.0)).unwrap().sentences();
        assert!(apart[1].contains("is not in line"), "{apart:?}");
        let later = NoisePoint { step: 30, ..study.noise[0].points[1] };
        study.noise[0].points.push(later);
        let longer = noise(&study, &study, None).unwrap().sentences();
        assert_eq!(longer[0], sentences[0], "a moment that one seed came to");
        study.noise[0].points.pop();
        let before = NoisePoint { step: 0, examples: 0, ..study.noise[0].points[1] };
        study.noise.iter_mut().for_each(|run| run.points.insert(0, before));
        let from_begin = noise(&study, &study, None).unwrap().sentences();
        assert_eq!(from_begin[0], sentences[0], "nothing is learnt before the first step");
        for run in &mut study.noise {
            run.points.remove(0);
        }
        let mut short = study.clone();
        short.noise.iter_mut().for_each(|run| run.points.truncate(1));
        let once = noise(&short, &short, None).unwrap().sentences();
        assert!(once[0].contains("was 20 examples (median over 3 seeds, after 320"), "{once:?}");
        study.noise.iter_mut().for_each(|run| run.points[1].plain = more_than(11.0));
        let unknown = noise(&study, &study, None).unwrap().sentences();
        assert!(unknown[0].contains("went from 20 to more than 11 examples"), "{unknown:?}");
        let open = noise(&study, &study, Some(4000.0)).unwrap().sentences();
        assert!(open[1].contains("is not told") && open[1].contains("more than 11"), "{open:?}");
        assert_eq!(noise(&study, &study, None).unwrap().sentences().len(), 1);
    }

    #[test]
    fn a_median_that_is_known_from_below_alone_says_so() {
        let of = |scales: &[NoiseScale]| median(scales.iter().copied()).unwrap().text();
        assert_eq!(of(&[known(5.0), more_than(2.0), more_than(1500.0)]), "more than 2");
        assert_eq!(of(&[known(5.0), known(6.0), more_than(1.0)]), "6");
        assert_eq!(of(&[more_than(0.0)]), "unknown");
        assert_eq!(median(std::iter::empty()), None);
    }
}
