//! What runs are to reach, and when one does.
//!
//! Validation is measured after each epoch, and within epochs with `evaluate_every`. Between two
//! measurements it is interpolated, so a run reaches the target at
//!
//! ```text
//! step_before + (step_after - step_before) (target - metric_before) / (metric_after - metric_before)
//! ```
//!
//! A run that is there at its first measurement was there at that point or before; one that never gets
//! there would need more than it was given. Both are kept as the bounds that they are (Shallue et
//! al. 2019, JMLR 20:112, define steps to result; dropping the runs that fail would flatter).

use crate::analysis::Point;
use crate::spec::MetricInfo;
use serde::{Serialize, Serializer};

/// A metric and the value of it that is to be reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// As files call it: `val_accuracy`, `val_loss`, ...
    pub metric: String,
    /// Of the metric, not turned.
    pub value: f64,
    /// Whether it is reached from above.
    pub falls: bool,
    /// Whether the metric is the score of the study.
    pub is_score: bool,
}

/// For other programs metrics are turned, so that more is better, as all scores are; losses are not.
impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'t> {
            metric: &'t str,
            target: f64,
        }
        let is_turned = self.falls && !["loss", "val_loss"].contains(&self.metric.as_str());
        let target = if is_turned { -self.value } else { self.value };
        Shown { metric: &self.metric, target }.serialize(serializer)
    }
}

impl Target {
    /// A score on validation, turned.
    pub fn of_score(score: &MetricInfo, turned: f64) -> Self {
        let (metric, value) = (format!("val_{}", score.name), score.turned(turned));
        Self { metric, value, falls: score.falls(), is_score: true }
    }

    /// The metric there; `None` where it was not measured.
    fn at(&self, point: &Point) -> Option<f64> {
        match (self.is_score, self.falls) {
            (true, true) => Some(-point.score),
            (true, false) => Some(point.score),
            (false, _) => point.watched,
        }
    }

    /// Whether this value of the metric is there or beyond.
    fn is_reached_by(&self, value: f64) -> bool {
        if self.falls { value <= self.value } else { value >= self.value }
    }
}

/// What it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Updates.
    pub steps: f64,
    /// Training rows.
    pub examples: f64,
    /// Of training and validation.
    pub seconds: f64,
}

/// When a run reached a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reach {
    /// Between two measurements.
    At(Cost),
    /// Before its first measurement, which stands here.
    Before(Cost),
    /// Not in all of the run, which stands here.
    Never(Cost),
}

impl Reach {
    /// What it took; `None` where it never got there.
    pub fn reached(self) -> Option<Cost> {
        match self {
            Self::At(cost) | Self::Before(cost) => Some(cost),
            Self::Never(_) => None,
        }
    }
}

/// When a run with this curve reaches a target; `None` without a measurement.
pub fn reach(curve: &[Point], target: &Target) -> Option<Reach> {
    let cost = |point: &Point| Cost {
        steps: point.step as f64,
        examples: point.examples as f64,
        seconds: point.seconds,
    };
    let measured: Vec<(&Point, f64)> =
        curve.iter().filter_map(|point| Some((point, target.at(point)?))).collect();
    let Some(after) = measured.iter().position(|(_, value)| target.is_reached_by(*value)) else {
        return measured.last().map(|(last, _)| Reach::Never(cost(last)));
    };
    let (b, value_after) = measured[after];
    let Some(before) = after.checked_sub(1) else { return Some(Reach::Before(cost(b))) };
    let (a, value_before) = measured[before];
    let share = (target.value - value_before) / (value_after - value_before);
    let (from, to) = (cost(a), cost(b));
    let between = |from: f64, to: f64| from + share * (to - from);
    Some(Reach::At(Cost {
        steps: between(from.steps, to.steps),
        examples: between(from.examples, to.examples),
        seconds: between(from.seconds, to.seconds),
    }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::spec::Metric;

    impl Target {
        /// An accuracy on validation.
        pub(crate) fn of_accuracy(value: f64) -> Self {
            Self::of_score(Metric::Accuracy.info(), value)
        }
    }
    use crate::stats::tests::near;

    pub(in crate::analysis::target) fn curve(scores: &[f64]) -> Vec<Point> {
        let point = |(epoch, score): (usize, &f64)| {
            let step = 10 * (epoch as u64 + 1);
            Point {
                step,
                examples: 32 * step,
                seconds: step as f64 / 5.0,
                score: *score,
                loss: 1.0 - score,
                train: None,
                watched: None,
            }
        };
        scores.iter().enumerate().map(point).collect()
    }

    #[test]
    fn a_run_reaches_a_target_between_two_epochs_before_the_first_or_never() {
        let run = curve(&[0.6, 0.7, 0.65, 0.8]);
        let at = |score| reach(&run, &Target::of_accuracy(score));
        let Some(Reach::At(cost)) = at(0.65) else { panic!("between 1 and 2") };
        near(cost.steps, 15.0, 1e-9);
        near(cost.examples, 480.0, 1e-9);
        near(cost.seconds, 3.0, 1e-9);
        assert!(matches!(at(0.5), Some(Reach::Before(Cost { steps: 10.0, .. }))));
        assert!(matches!(at(0.9), Some(Reach::Never(Cost { steps: 40.0, .. }))));
        let Some(Reach::At(cost)) = at(0.7) else { panic!("at 2") };
        near(cost.steps, 20.0, 1e-9);
        assert_eq!(reach(&[], &Target::of_accuracy(0.5)), None);
    }

    #[test]
    fn a_metric_that_falls_is_reached_from_above_and_counts_where_it_was_measured() {
        let mut run = curve(&[0.6, 0.7, 0.65, 0.8]);
        for (point, watched) in run.iter_mut().zip([Some(0.7), None, Some(0.5), Some(0.2)]) {
            point.watched = watched;
        }
        let loss =
            |value| Target { metric: "val_loss".into(), value, falls: true, is_score: false };
        let Some(Reach::At(cost)) = reach(&run, &loss(0.6)) else { panic!("between 1 and 3") };
        near(cost.steps, 20.0, 1e-9);
        assert!(matches!(reach(&run, &loss(0.7)), Some(Reach::Before(Cost { steps: 10.0, .. }))));
        assert!(matches!(reach(&run, &loss(0.1)), Some(Reach::Never(Cost { steps: 40.0, .. }))));
        let rmse = Target::of_score(Metric::Rmse.info(), -0.6);
        assert_eq!((&*rmse.metric, rmse.value, rmse.falls), ("val_rmse", 0.6, true));
        run.iter_mut().for_each(|point| point.score = -point.score);
        assert!(matches!(reach(&run, &rmse), Some(Reach::Before(Cost { steps: 10.0, .. }))));
    }
}
