//! The runs, in a form that is small enough to be kept with the file that made them.

use super::{Row, csv, number};
use crate::analysis::Results;
use anyhow::Result;

/// `runs.csv`: one row a finished run.
pub(in crate::report) fn runs(results: &Results) -> Result<String> {
    let mut rows = Vec::new();
    for arm in &results.arms {
        for (seed, run) in &arm.runs {
            let best = run.curve.iter().map(|point| point.accuracy).reduce(f64::max);
            let mut row = Row::default();
            row.text("arm", &arm.name);
            row.text("batch_size", &arm.batch_size.to_string());
            row.text("learning_rate", &arm.learning_rate.to_string());
            row.text("seed", &seed.to_string());
            row.text("validation_accuracy", &number(Some(run.validation)));
            row.text("best_validation_accuracy", &number(best));
            row.text("test_accuracy", &number(run.test));
            row.text("steps", &run.steps.to_string());
            row.text("examples", &run.examples.to_string());
            row.text("seconds", &number(Some((run.seconds * 1e3).round() / 1e3)));
            row.text("peak_memory", &run.peak_memory.to_string());
            rows.push(row);
        }
    }
    csv(rows.into_iter())
}
