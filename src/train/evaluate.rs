//! The logits of a split with the weights as they are.
//!
//! Rows go through the engine in batches of equal size whatever the arm's batch size, so that arms
//! are measured alike, and in the order of their length, so that little is computed for padding.

use crate::kernels::{Engine, Examples, Split};
use crate::spec::{Metric, Metrics, Objective};
use anyhow::Result;

/// Rows that go through the engine together.
pub const EVALUATED_TOGETHER: usize = 256;

/// The logits of all rows of a split, K a row, in the order of the rows. `stop` is asked between batches;
/// when it says so there is no result.
pub fn logits(
    engine: &mut dyn Engine,
    split: Split,
    examples: &Examples<'_>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<f32>>> {
    let all: Vec<u32> = (0..examples.len() as u32).collect();
    logits_of(engine, split, examples, &all, stop)
}

/// As [`logits`], of these rows, in the order in which they are given.
pub fn logits_of(
    engine: &mut dyn Engine,
    split: Split,
    examples: &Examples<'_>,
    rows: &[u32],
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<f32>>> {
    let mut places: Vec<usize> = (0..rows.len()).collect();
    places.sort_by_key(|place| examples.steps(rows[*place]));
    let mut logits = Vec::new();
    for places in places.chunks(EVALUATED_TOGETHER) {
        if stop() {
            return Ok(None);
        }
        let batch: Vec<u32> = places.iter().map(|place| rows[*place]).collect();
        let found = engine.predict(split, &batch)?;
        let width = found.len() / batch.len();
        logits.resize(rows.len() * width, 0.0);
        for (place, found) in places.iter().zip(found.chunks_exact(width)) {
            logits[place * width..][..width].copy_from_slice(found);
        }
    }
    Ok(Some(logits))
}

/// The metrics of a split whose logits these are; the loss has the penalties of the weights, and no
/// weights of labels, as in Keras. `None` for a split without rows.
pub fn measure(
    objective: &Objective,
    asked: &[Metric],
    logits: &[f32],
    examples: &Examples<'_>,
    penalty: f64,
) -> Option<Metrics> {
    let targets = examples.labels;
    let loss = || objective.unweighted().mean_loss(logits, targets.iter().copied()) + penalty;
    (!examples.is_empty()).then(|| objective.metrics(asked, logits, targets, loss()))
}
