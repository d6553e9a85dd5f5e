//! What was measured beside the score.

use crate::analysis::{MeasuredArm, NoiseScale, Results, SharpnessFinding, SharpnessRun};
use crate::report::block::{Cell, Rows, Table};
use crate::report::words::Scale;
use crate::stats::Interval;

/// `noise_scale.csv`: one row a run and measurement.
pub(in crate::report) fn noise_scale(results: &Results) -> Table {
    let points = results.noise.iter().flat_map(|run| run.points.iter().map(move |at| (run, at)));
    let rows = Table::of(points)
        .data("arm", |(run, _)| &run.arm)
        .data("batch_size", |(run, _)| run.batch_size)
        .data("seed", |(run, _)| run.seed)
        .data("step", |(_, at)| at.step)
        .data("examples", |(_, at)| at.examples);
    let rows = scale(rows, "noise_scale", |(_, at)| Some(at.plain));
    scale(rows, "adam_noise_scale", |(_, at)| at.adam).table
}

/// Value, interval, and the lower bound where there is no value.
fn scale<R: Copy>(rows: Rows<R>, name: &str, of: impl Fn(R) -> Option<NoiseScale>) -> Rows<R> {
    rows.data(name, |row| {
        let scale = of(row);
        Cell::Value(scale.and_then(|of| of.value), scale.and_then(|of| of.interval))
    })
    .data(&format!("{name}_at_least"), |row| of(row)?.at_least)
}

/// `sharpness.csv`: one row a run.
pub(in crate::report) fn sharpness(results: &Results) -> Table {
    let scale = Scale::from(results);
    Table::of(&results.sharpness)
        .data("arm", |run| &run.arm)
        .data("batch_size", |run| run.batch_size)
        .data("seed", |run| run.seed)
        .data(results.score.name, |run| Cell::Natural(scale, Some(scale.natural(run.score))))
        .data("train_loss", |run| run.sharpness.loss)
        .data("top_eigenvalue", |run| run.sharpness.top_eigenvalue)
        .data("trace", |run| run.sharpness.trace)
        .data("trace_se", |run| run.sharpness.trace_se)
        .data("ball", |run| run.sharpness.ball)
        .data("adaptive", |run| run.sharpness.adaptive)
        .data("keskar", |run| run.sharpness.keskar)
        .data("edge_of_stability", |run| run.sharpness.edge_of_stability)
        .table
}

/// `sharpness_arms.csv`: means over the runs of each arm.
pub(in crate::report) fn sharpness_arms(results: &Results) -> Table {
    type Of = fn(&SharpnessRun) -> Option<f64>;
    let measures: [(&str, &str, Of); 7] = [
        ("training loss", "train_loss", |run| Some(run.sharpness.loss)),
        ("largest curvature", "top_eigenvalue", |run| Some(run.sharpness.top_eigenvalue)),
        ("trace", "trace", |run| Some(run.sharpness.trace)),
        ("in a ball", "ball", |run| Some(run.sharpness.ball)),
        ("adaptive", "adaptive", |run| Some(run.sharpness.adaptive)),
        ("in a box (%)", "keskar", |run| Some(run.sharpness.keskar)),
        ("edge of stability", "edge_of_stability", |run| run.sharpness.edge_of_stability),
    ];
    let arms: Vec<MeasuredArm> = results.measured_arms().collect();
    let rows = Table::of(&arms)
        .both("arm", "arm", |of| &of.arm.name)
        .both("batch size", "batch_size", |of| of.arm.batch_size)
        .both("runs", "runs", |of| of.runs.len());
    let mean =
        |rows: Rows<_>, (title, name, of)| rows.both(title, name, |arm: &MeasuredArm| arm.mean(of));
    measures.into_iter().fold(rows, mean).table
}

/// `sharpness_and_score.csv`: whether each measure tells the score, among all runs and among like ones.
pub(in crate::report) fn sharpness_and_score(
    found: Option<&SharpnessFinding>,
    scale: Scale,
) -> Table {
    let tau = |tau: Option<f64>, ends: Option<Interval>| {
        Cell::Value(tau.map(|tau| scale.natural(tau)), ends.map(|ends| scale.natural_ends(ends)))
    };
    Table::of(found.into_iter().flat_map(|found| &found.rank_correlations))
        .data("measure", |of| of.measure)
        .shown("measure", |of| match of.measure {
            "top_eigenvalue" => "largest curvature",
            "keskar" => "in a box",
            other => other,
        })
        .both("all runs", "tau", |of| tau(Some(of.tau), of.interval))
        .both("of one learning rate", "tau_within_rates", |of| {
            tau(of.tau_within_rates, of.interval_within_rates)
        })
        .both("at like training losses", "tau_at_like_losses", |of| {
            tau(of.tau_at_like_losses, of.interval_at_like_losses)
        })
        .table
}

/// `lines.csv`: one row a point.
pub(in crate::report) fn lines(results: &Results) -> Table {
    let name = results.lines.first().map_or("", |line| line.metric.name);
    let points = results.lines.iter().flat_map(|line| line.points.iter().map(move |at| (line, at)));
    Table::of(points)
        .data("small", |(line, _)| &line.small)
        .data("large", |(line, _)| &line.large)
        .data("seed", |(line, _)| line.seed)
        .data("alpha", |(_, at)| at.alpha)
        .data("train_loss", |(_, at)| at.train[0])
        .data(&format!("train_{name}"), |(line, at)| line.metric.turned(at.train[1]))
        .data("validation_loss", |(_, at)| at.validation[0])
        .data(&format!("validation_{name}"), |(line, at)| line.metric.turned(at.validation[1]))
        .table
}
