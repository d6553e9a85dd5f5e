//! `test_predictions.csv`: what a finished run says of each row of the test split.

use super::record::RunFolder;
use crate::data::Dataset;
use crate::files::{self, Damaged};
use crate::kernels::Split;
use crate::train::{predicted, probability};
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
            writeln!(out, "{row},{label},{logit},{}", probability(*logit))?;
        }
        Ok(out.flush()?)
    })
}

/// Whether a finished run classified each row of the test split rightly, in the order of the file;
/// empty without one.
pub fn correct_predictions(folder: &RunFolder) -> Result<Vec<bool>> {
    let path = folder.test_predictions();
    let Some(bytes) = folder.bytes(&path)? else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(&bytes);
    let correct = |line: &str| {
        let mut fields = line.split(',').skip(1);
        let label: u8 = fields.next()?.parse().ok()?;
        let logit: f32 = fields.next()?.parse().ok()?;
        Some(predicted(logit) == (label == 1))
    };
    let lines = text.lines().skip(1).enumerate();
    let read = lines.map(|(at, line)| {
        let why = || Damaged::new(&path, format!("line {} is no prediction", at + 2));
        correct(line).ok_or_else(|| why().into())
    });
    folder.told(read.collect())
}
