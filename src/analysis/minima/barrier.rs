//! Is there a barrier between two solutions? The training loss on the straight line between them:
//!
//! ```text
//! barrier = max over 0 <= a <= 1 of  f(a) - (1 - a) f(0) - a f(1)
//! ```
//!
//! `f(a)` at the weights `(1 - a) small + a large`, as measured by `probe::line`.

use crate::analysis::{Estimate, Line, LinePoint};
use crate::spec::MetricInfo;
use serde::Serialize;

/// Of places on the line.
const ROUNDING: f64 = 1e-9;
/// A rise of the loss up to this is no barrier.
const LOW: f64 = 0.05;

/// What lies between the solutions of two arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Barrier {
    /// The arm at 0.
    pub small: String,
    /// The arm at 1.
    pub large: String,
    /// The rise of the training loss above the line between its ends, over the seeds.
    pub loss: Estimate,
    /// The lines' metric.
    #[serde(skip)]
    pub metric: &'static MetricInfo,
    /// The worst that it is in training on the way, the ends among it, over the seeds.
    pub worst: Estimate,
    /// What it is in training at the two ends, means over the seeds.
    pub ends: [f64; 2],
}

impl Barrier {
    /// Whether the loss is shown to rise by more than what counts as a barrier, or by less; `None` where
    /// neither is shown.
    pub fn is_shown(&self) -> Option<bool> {
        let interval = self.loss.interval?;
        match (interval.low > LOW, interval.high < LOW) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}

/// By pair of arms, in the order of `lines`.
pub(super) fn barriers(lines: &[Line]) -> Vec<Barrier> {
    let mut pairs: Vec<[&str; 2]> = Vec::new();
    for line in lines {
        if !pairs.contains(&[&line.small, &line.large]) {
            pairs.push([&line.small, &line.large]);
        }
    }
    let of_pair = |[small, large]: [&str; 2]| {
        let of_it = || lines.iter().filter(|line| line.small == small && line.large == large);
        let rises: Vec<f64> = of_it().filter_map(rise).collect();
        let worst: Vec<f64> = of_it().filter_map(worst).collect();
        Some(Barrier {
            small: small.to_owned(),
            large: large.to_owned(),
            loss: Estimate::of(&rises, 0.0)?,
            metric: of_it().next()?.metric,
            worst: Estimate::of(&worst, 0.0)?,
            ends: [0.0, 1.0].map(|end| mean_at(of_it(), end)),
        })
    };
    pairs.into_iter().filter_map(of_pair).collect()
}

/// The point at an end: 0 or 1.
fn at(line: &Line, end: f64) -> Option<&LinePoint> {
    line.points.iter().find(|point| (point.alpha - end).abs() < ROUNDING)
}

/// The points between the ends, these among them.
fn between(line: &Line) -> impl Iterator<Item = &LinePoint> {
    line.points.iter().filter(|point| (-ROUNDING..=1.0 + ROUNDING).contains(&point.alpha))
}

/// How far the loss rises above the straight line between its ends.
fn rise(line: &Line) -> Option<f64> {
    let (first, last) = (at(line, 0.0)?.train[0], at(line, 1.0)?.train[0]);
    let above = |a: f64, loss: f64| loss - (1.0 - a) * first - a * last;
    between(line).map(|point| above(point.alpha, point.train[0])).reduce(f64::max)
}

fn worst(line: &Line) -> Option<f64> {
    between(line).map(|point| point.train[1]).reduce(f64::min)
}

/// The mean of the metric in training at an end.
fn mean_at<'l>(lines: impl Iterator<Item = &'l Line>, end: f64) -> f64 {
    let values: Vec<f64> = lines.filter_map(|line| Some(at(line, end)?.train[1])).collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
