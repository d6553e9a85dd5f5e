//! `test_predictions.csv`: what a finished run says of each row of the test split.
//!
//! ```text
//! two classes       row,label,logit,probability               of label 1
//! several classes   row,label,prediction,logit_0,logit_1,...  numbers of classes, as in data/labels.json
//! numbers           row,target,prediction
//! ```
//!
//! `row` is its place in the user's file.

use super::record::RunFolder;
use crate::data::Dataset;
use crate::files::{self, Damaged};
use crate::kernels::Split;
use crate::spec::{Rows, Task, predicted_class, probability};
use anyhow::Result;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes them, from `width` logits a row; numbers are in the unit of the targets.
pub(super) fn write(
    path: &Path,
    dataset: &Dataset,
    task: Task,
    (logits, width): (&[f32], usize),
) -> Result<()> {
    let (rows, targets) = (dataset.rows(Split::Test)?, dataset.splits()?.test.labels);
    let unit = dataset.unit();
    let targets = || targets.iter().map(|target| unit.natural(*target));
    let each = || rows.iter().zip(targets()).zip(logits.chunks_exact(width));
    files::write_atomic(path, |file| {
        let mut out = BufWriter::new(file);
        match task {
            Task::Binary => {
                writeln!(out, "row,label,logit,probability")?;
                for ((row, label), logits) in each() {
                    let logit = logits[0];
                    writeln!(out, "{row},{label},{logit},{}", probability(logit))?;
                }
            }
            Task::Multiclass => {
                let names: Vec<String> = (0..width).map(|k| format!("logit_{k}")).collect();
                writeln!(out, "row,label,prediction,{}", names.join(","))?;
                for ((row, label), logits) in each() {
                    let values: Vec<String> = logits.iter().map(f32::to_string).collect();
                    let class = predicted_class(logits);
                    writeln!(out, "{row},{label},{class},{}", values.join(","))?;
                }
            }
            Task::Regression => {
                writeln!(out, "row,target,prediction")?;
                for ((row, target), outputs) in each() {
                    writeln!(out, "{row},{target},{}", outputs[0])?;
                }
            }
        }
        Ok(out.flush()?)
    })
}

/// What a finished run said of the test split: raw outputs `[N][K]`, and targets.
#[derive(Debug, Clone, PartialEq)]
pub struct TestRows {
    outputs: Vec<f32>,
    width: usize,
    targets: Vec<f32>,
}

impl TestRows {
    /// For the metrics.
    pub fn rows(&self) -> Rows<'_> {
        Rows::new(&self.outputs, self.width, &self.targets)
    }
}

/// Reads what [`write`] wrote; `None` where a run has no test split.
///
/// # Errors
/// [`Damaged`] where the file does not fit its checksum, or a line of it is no prediction.
pub fn test_rows(folder: &RunFolder) -> Result<Option<TestRows>> {
    let path = folder.test_predictions();
    let Some(bytes) = folder.bytes(&path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    // The outputs stand in the columns that are called so; a prediction of a number is one.
    let is_output = |name: &&str| {
        name.starts_with("logit") || (*name == "prediction" && head.contains(&"target"))
    };
    let places: Vec<usize> = (0..head.len()).filter(|place| is_output(&head[*place])).collect();
    let mut rows = TestRows { outputs: Vec::new(), width: places.len(), targets: Vec::new() };
    let mut add = |line: &str| -> Option<()> {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |place: usize| fields.get(place)?.parse::<f32>().ok();
        let target = number(1)?;
        let outputs: Vec<f32> = places.iter().map(|place| number(*place)).collect::<Option<_>>()?;
        let is_class =
            target >= 0.0 && target.fract() == 0.0 && target < outputs.len().max(2) as f32;
        if outputs.is_empty() || !(is_class || head.contains(&"target")) {
            return None;
        }
        rows.outputs.extend(outputs);
        rows.targets.push(target);
        Some(())
    };
    let damaged = lines.enumerate().find_map(|(at, line)| add(line).is_none().then_some(at + 2));
    let read = match damaged {
        Some(line) => Err(Damaged::new(&path, format!("line {line} is no prediction")).into()),
        None => Ok(Some(rows)),
    };
    folder.told(read)
}
