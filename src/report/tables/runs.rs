//! The runs, in a form that is small enough to be kept with the file that made them.

use super::{Row, csv};
use crate::analysis::{Reach, Results, RunResults, Target, reach};
use anyhow::Result;

/// `runs.csv`: one row a finished run. The target is the one that the verdict tells of.
pub(in crate::report) fn runs(results: &Results, target: Option<&Target>) -> Result<String> {
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
            if let Some(target) = target {
                to_target(&mut row, run, target);
            }
            rows.push(row);
        }
    }
    csv(rows.into_iter())
}

/// `reached_target`: `yes`; `no`, and then the costs are those of the whole run; `before` it was
/// measured first, and then they are those of that moment.
fn to_target(row: &mut Row, run: &RunResults, target: &Target) {
    let (reached, cost) = match reach(&run.curve, target) {
        Some(Reach::At(cost)) => ("yes", Some(cost)),
        Some(Reach::Before(cost)) => ("before", Some(cost)),
        Some(Reach::Never(cost)) => ("no", Some(cost)),
        None => ("", None),
    };
    row.text("reached_target", reached);
    row.number("steps_to_target", cost.map(|cost| (cost.steps * 10.0).round() / 10.0));
    row.number("examples_to_target", cost.map(|cost| cost.examples.round()));
    row.number("seconds_to_target", cost.map(|cost| (cost.seconds * 1e3).round() / 1e3));
}
