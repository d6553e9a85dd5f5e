//! `test_predictions.csv`: what a finished run says of each row of the test split.

use crate::data::Dataset;
use crate::files;
use crate::kernels::Split;
use crate::train::probability;
use anyhow::Result;
use std::io::{BufWriter, Write};
use std::path::Path;

/// One line a row: its place in the user's file, its label, the logit and the probability of label
/// 1.
pub(super) fn write(path: &Path, dataset: &Dataset, logits: &[f32]) -> Result<()> {
    let (rows, labels) = (dataset.rows(Split::Test)?, dataset.splits()?.test.labels);
    files::write_atomic(path, |file| {
        let mut out = BufWriter::new(file);
        writeln!(out, "row,label,logit,probability")?;
        for ((row, label), logit) in rows.iter().zip(labels).zip(logits) {
            writeln!(out, "{row},{label},{logit},{:.7}", probability(*logit))?;
        }
        Ok(out.flush()?)
    })
}
