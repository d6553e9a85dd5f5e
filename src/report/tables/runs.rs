//! The runs, in a form that is small enough to be kept with the file that made them.

use super::{Row, csv};
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
            row.text("batch_size", arm.batch_size);
            row.text("learning_rate", arm.learning_rate);
            row.text("seed", seed);
            row.number("validation_accuracy", Some(run.validation));
            row.number("best_validation_accuracy", best);
            row.number("test_accuracy", run.test);
            row.text("steps", run.steps);
            row.text("examples", run.examples);
            row.number("seconds", Some((run.seconds * 1e3).round() / 1e3));
            row.text("peak_memory", run.peak_memory);
            rows.push(row);
        }
    }
    csv(rows.into_iter())
}
