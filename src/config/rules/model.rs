//! Rules of `model`.

use super::{Checked, MOST_UNITS, broken, count};
use crate::config::{DataSection, ModelSection};

pub(super) fn check(model: &ModelSection, data: &DataSection) -> Checked {
    count("model.lstm.units", model.lstm.units, MOST_UNITS)?;
    if model.dense.units != 1 {
        return Err(broken(
            "model.dense.units",
            format!("must be 1, received {}", model.dense.units),
            "the question has two answers: one probability says it all",
        ));
    }
    match (&model.embedding, data.table.is_some()) {
        // Whether arrays hold token ids or vectors is told by the arrays alone.
        (Some(embedding), _) => count("model.embedding.dim", embedding.dim, MOST_UNITS),
        (None, true) => Err(broken(
            "model",
            "text needs an `embedding`, which turns token ids into vectors",
            "add `embedding: { dim: 64, mask_zero: true }`",
        )),
        (None, false) => Ok(()),
    }
}
