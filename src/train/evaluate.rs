//! The logits of a split with the weights as they are.
//!
//! Rows go through the engine in batches of equal size whatever the arm's batch size, so that arms
//! are measured alike, and in the order of their length, so that little is computed for padding.

use super::metrics::{Metrics, mean_loss};
use crate::kernels::{Engine, Examples, Split};
use anyhow::Result;

const BATCH: usize = 256;

/// The logits of all rows of a split, in the order of the rows. `stop` is asked between batches;
/// when it says so there is no result.
pub fn logits(
    engine: &mut dyn Engine,
    split: Split,
    examples: &Examples<'_>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<f32>>> {
    let mut rows: Vec<u32> = (0..examples.len() as u32).collect();
    rows.sort_by_key(|row| examples.steps(*row));
    let mut logits = vec![0.0; rows.len()];
    for batch in rows.chunks(BATCH) {
        if stop() {
            return Ok(None);
        }
        for (row, logit) in batch.iter().zip(engine.predict(split, batch)?) {
            logits[*row as usize] = logit;
        }
    }
    Ok(Some(logits))
}

/// The metrics of a split whose logits these are; the loss has the penalties of the weights, and no
/// weights of labels, as in Keras. `None` for a split without rows.
pub fn measure(logits: &[f32], examples: &Examples<'_>, penalty: f64) -> Option<Metrics> {
    let labels = examples.labels;
    let loss = || mean_loss(logits, labels.iter().copied(), [1.0; 2]) + penalty;
    (!examples.is_empty()).then(|| Metrics::new(logits, labels, loss()))
}
