//! Loss and metrics over a split with the weights as they are.
//!
//! Rows go through the engine in batches of equal size whatever the arm's batch size, so that arms
//! are measured alike, and in the order of their length, so that little is computed for padding.

use super::metrics::{Metrics, Tally};
use crate::kernels::{Engine, Examples, Split};
use anyhow::Result;

const BATCH: usize = 256;

/// Measures a split; `None` when it has no rows. `stop` is asked between batches; when it says so
/// the result is [`Measured::Stopped`].
pub fn evaluate(
    engine: &mut dyn Engine,
    split: Split,
    examples: &Examples<'_>,
    stop: &dyn Fn() -> bool,
) -> Result<Measured> {
    let mut rows: Vec<u32> = (0..examples.len() as u32).collect();
    rows.sort_by_key(|row| examples.steps(*row));
    let mut tally = Tally::default();
    for batch in rows.chunks(BATCH) {
        if stop() {
            return Ok(Measured::Stopped);
        }
        for (row, logit) in batch.iter().zip(engine.predict(split, batch)?) {
            tally.add(logit, examples.labels[*row as usize]);
        }
    }
    Ok(Measured::Metrics((!examples.is_empty()).then(|| tally.metrics())))
}

/// What came of a measurement.
pub enum Measured {
    /// The metrics; `None` for a split without rows.
    Metrics(Option<Metrics>),
    /// It was stopped on the way.
    Stopped,
}
