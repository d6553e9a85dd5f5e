//! What a run is, in words that every layer shares: the sizes of the model and its parameters, what its
//! head answers, the loss that is minimised, and the metrics by which answers are judged.
//!
//! ```text
//! model       what the model reads, its layers and outputs; each parameter with path, dimensions and role
//! stack       the recurrent layers, each with its cell, units and directions
//! objective   head and loss -> task; the loss of a row, in f64, from the raw outputs of the head
//! metric      each metric with name, unit, direction, range and how it is computed
//! metrics     all metrics of one split, as the records hold them
//! confusion, auc, errors   what several metrics are computed from
//! ```
//!
//! This is a leaf: it imports nothing of this crate.

mod auc;
mod confusion;
mod errors;
mod metric;
mod metrics;
mod model;
mod objective;
mod stack;

pub use confusion::predicted_class;
pub use metric::{Better, DefaultMargin, Metric, MetricInfo, Unit};
pub use metrics::{Metrics, Rows};
pub use model::{Direction, Input, Layer, Param, Role, Shape};
pub use objective::{
    Activation, Huber, LabelSmoothing, Loss, Objective, Task, probabilities, probability,
};
pub use stack::{Cell, MOST_LAYERS, Recurrent, Stack};
