//! Rules of `model`.

use super::{Checked, MOST_UNITS, broken, count, fraction, not_negative};
use crate::config::{DataSection, DenseSection, ModelSection, RecurrentSection};
use crate::spec::{Activation, MOST_LAYERS};

pub(super) fn check(model: &ModelSection, data: &DataSection) -> Checked {
    layers(model)?;
    dense(&model.dense)?;
    if model.embedding.is_some() && data.series.is_some() {
        return Err(broken(
            "model.embedding",
            "a series is numbers, and an embedding is for tokens",
            "remove `embedding`",
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

fn dense(dense: &DenseSection) -> Checked {
    let path = "model.dense.units";
    match (dense.activation, dense.units) {
        (_, None) => Ok(()),
        (Activation::Softmax, Some(units @ (0 | 1))) => Err(broken(
            path,
            format!("a softmax needs an output for each class, received {units}"),
            "leave `units` out, and it follows from the data; for two classes one output does: `dense: { \
             units: 1, activation: sigmoid }`",
        )),
        (Activation::Softmax, Some(units)) => count(path, units, MOST_UNITS),
        (Activation::Sigmoid, Some(1)) | (Activation::Linear, Some(1)) => Ok(()),
        (Activation::Sigmoid, Some(units)) => Err(broken(
            path,
            format!("must be 1 with `activation: sigmoid`, received {units}"),
            &format!("for several classes: `dense: {{ units: {units}, activation: softmax }}`"),
        )),
        (Activation::Linear, Some(units)) => Err(broken(
            path,
            format!("must be 1 with `activation: linear`, received {units}"),
            "one number is predicted for each row",
        )),
    }
}

/// Whether the layers stand in one of the two places for them.
pub(super) fn layers_are_given_once(model: &ModelSection) -> Checked {
    match (&model.lstm, &model.layers) {
        (Some(_), Some(_)) => Err(broken(
            "model.layers",
            "the model gives its layers twice, as `lstm` and as `layers`",
            "keep one of them: `lstm: { .. }` is short for `layers: [ { lstm: { .. } } ]`",
        )),
        _ => Ok(()),
    }
}

fn layers(model: &ModelSection) -> Checked {
    layers_are_given_once(model)?;
    let Some(layers) = &model.layers else {
        return model.lstm.as_ref().map_or(Ok(()), |lstm| recurrent("model.lstm", lstm));
    };
    if !(1..=MOST_LAYERS).contains(&layers.len()) {
        return Err(broken(
            "model.layers",
            format!("must list one to {MOST_LAYERS} layers, received {}", layers.len()),
            "`layers: [ { lstm: { units: 64 } }, { lstm: { units: 32 } } ]` is two",
        ));
    }
    layers.iter().enumerate().try_for_each(|(index, layer)| {
        recurrent(&format!("model.layers[{index}].{}", layer.path()), layer.settings())
    })
}

fn recurrent(path: &str, lstm: &RecurrentSection) -> Checked {
    count(&format!("{path}.units"), lstm.units, MOST_UNITS)?;
    for (key, share) in [("dropout", lstm.dropout), ("recurrent_dropout", lstm.recurrent_dropout)] {
        fraction(&format!("{path}.{key}"), share, "0.2 drops a fifth, 0 nothing")?;
    }
    let penalties = [
        ("kernel_regularizer", lstm.kernel_regularizer),
        ("recurrent_regularizer", lstm.recurrent_regularizer),
        ("bias_regularizer", lstm.bias_regularizer),
    ];
    for (key, penalty) in penalties {
        not_negative(&format!("{path}.{key}.l1"), penalty.l1)?;
        not_negative(&format!("{path}.{key}.l2"), penalty.l2)?;
    }
    Ok(())
}
