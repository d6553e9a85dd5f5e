//! Rules of `model`.

use super::{Checked, MOST_UNITS, broken, count, fraction, not_negative};
use crate::config::{DataSection, LstmSection, ModelSection};

pub(super) fn check(model: &ModelSection, data: &DataSection) -> Checked {
    lstm(&model.lstm)?;
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

fn lstm(lstm: &LstmSection) -> Checked {
    count("model.lstm.units", lstm.units, MOST_UNITS)?;
    for (key, share) in [("dropout", lstm.dropout), ("recurrent_dropout", lstm.recurrent_dropout)] {
        fraction(&format!("model.lstm.{key}"), share, "0.2 drops a fifth, 0 nothing")?;
    }
    let penalties = [
        ("kernel_regularizer", lstm.kernel_regularizer),
        ("recurrent_regularizer", lstm.recurrent_regularizer),
        ("bias_regularizer", lstm.bias_regularizer),
    ];
    for (key, penalty) in penalties {
        not_negative(&format!("model.lstm.{key}.l1"), penalty.l1)?;
        not_negative(&format!("model.lstm.{key}.l2"), penalty.l2)?;
    }
    Ok(())
}
