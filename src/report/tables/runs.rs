//! The runs, in a form that is small enough to be kept with the file that made them.

use crate::analysis::{Cost, Reach, Results, RunResults, Target, reach};
use crate::report::block::{Cell, Table};
use crate::report::words::Scale;

/// `runs.csv`: one row a finished run. The target is the one that the verdict tells of.
pub(in crate::report) fn runs(results: &Results, target: Option<&Target>) -> Table {
    let scale = Scale::from(results);
    let runs = results.arms.iter().flat_map(|arm| arm.runs.iter().map(move |run| (arm, run)));
    let rows = Table::of(runs.map(|(arm, (seed, run))| (arm, *seed, run)))
        .data("arm", |(arm, ..)| &arm.name)
        .data("batch_size", |(arm, ..)| arm.batch_size)
        .data("learning_rate", |(arm, ..)| Cell::Exact(arm.learning_rate))
        .data("seed", |(_, seed, _)| seed)
        .data(&scale.column("validation"), |(.., run)| {
            Cell::Natural(scale, Some(scale.natural(run.validation)))
        })
        .data(&scale.column("best_validation"), |(.., run)| {
            let best = run.curve.iter().map(|point| point.score).reduce(f64::max);
            Cell::Natural(scale, best.map(|best| scale.natural(best)))
        })
        .data(&scale.column("test"), |(.., run)| {
            Cell::Natural(scale, run.test.map(|test| scale.natural(test)))
        })
        .data("steps", |(.., run)| run.steps)
        .data("examples", |(.., run)| run.examples)
        .data("seconds", |(.., run)| rounded(run.seconds, 1e6))
        .data("peak_memory", |(.., run)| run.peak_memory);
    let Some(target) = target else { return rows.table };
    let reached = |(.., run): (_, _, &RunResults)| reached(run, target);
    rows.data("reached_target", |row| Some(reached(row)?.0))
        .data("steps_to_target", |row| Some(rounded(reached(row)?.1.steps, 10.0)))
        .data("examples_to_target", |row| Some(reached(row)?.1.examples.round()))
        .data("seconds_to_target", |row| Some(rounded(reached(row)?.1.seconds, 1e6)))
        .table
}

/// `yes`; `no`, and then the costs are those of the whole run; `before` it was measured first, and then
/// they are those of that moment.
fn reached(run: &RunResults, target: &Target) -> Option<(&'static str, Cost)> {
    Some(match reach(&run.curve, target)? {
        Reach::At(cost) => ("yes", cost),
        Reach::Before(cost) => ("before", cost),
        Reach::Never(cost) => ("no", cost),
    })
}

fn rounded(value: f64, unit: f64) -> f64 {
    (value * unit).round() / unit
}
