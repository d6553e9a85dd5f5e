//! What runs are to reach, and whether a measurement does.

use super::Point;
use super::words::percent;
use serde::Serialize;

/// A metric and the value of it that is to be reached.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Goal {
    /// As files call it: `val_accuracy`, `val_loss`, ...
    pub metric: String,
    /// Of the metric.
    #[serde(rename = "target")]
    pub value: f64,
    /// Whether it is reached from above.
    #[serde(skip)]
    pub falls: bool,
}

const ACCURACY: &str = "val_accuracy";

impl Goal {
    /// An accuracy on validation.
    pub fn accuracy(value: f64) -> Self {
        Self { metric: ACCURACY.into(), value, falls: false }
    }

    /// The metric there; `None` where it was not measured.
    pub(super) fn at(&self, point: &Point) -> Option<f64> {
        match &*self.metric {
            ACCURACY => Some(point.accuracy),
            _ => point.watched,
        }
    }

    /// Whether this value of the metric is there or beyond.
    pub(super) fn is_reached_by(&self, value: f64) -> bool {
        if self.falls { value <= self.value } else { value >= self.value }
    }

    /// `84.0 % on validation`, `val_loss 0.35`
    pub fn words(&self) -> String {
        match &*self.metric {
            ACCURACY => format!("{} on validation", percent(self.value)),
            metric => format!("{metric} {}", self.value),
        }
    }
}
