//! What a run is, in words that every layer shares: the sizes of the model and its parameters, what its
//! head answers, the loss that is minimised, and the metrics by which answers are judged.
//!
//! ```text
//! model       what the model reads, its layers and outputs; each parameter with path, dimensions and role
//! stack       the recurrent layers, each with its cell, units and directions
//! loss        head and loss -> task; the loss of a row, in f64, from the raw outputs of the head
//! objective   what a run is trained for; the metrics of what it answers
//! optimizer   each optimizer with its settings and its update rule; clipping, penalties
//! study_objective   of arms that are equally good, which one is used
//! metric      each metric with name, unit, direction, range and how it is computed
//! metrics     all metrics of one split, as the records hold them
//! rows        raw outputs and targets; `measured` what several metrics have in common
//! affine      scaled numbers and those that they stand for
//! confusion, auc, errors   what several metrics are computed from
//! ```
//!
//! This is a leaf: it imports nothing of this crate.

mod affine;
mod auc;
mod confusion;
mod entries;
mod errors;
mod loss;
mod measured;
mod metric;
mod metrics;
mod model;
mod objective;
mod optimizer;
mod rows;
mod stack;
mod study_objective;

pub use affine::Affine;
pub use confusion::predicted_class;
pub use loss::{Activation, Huber, LabelSmoothing, Loss, Task, probabilities, probability};
pub use metric::{
    Better, Constant, ConstantAnswer, DefaultMargin, Metric, MetricInfo, RowMoves, Unit,
};
pub use metrics::Metrics;
pub use model::{Direction, Input, Layer, Param, Role, Shape};
pub use objective::Objective;
pub use optimizer::{
    Adam, AdamW, Allowed, Clip, Form, Optimizer, Penalty, RmsProp, Sgd, UpdateRule,
};
pub use rows::Rows;
pub use stack::{Cell, MOST_LAYERS, Recurrent, Stack};
pub use study_objective::StudyObjective;

#[cfg(test)]
mod tests {
    #[track_caller]
    pub(super) fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
    }
}
