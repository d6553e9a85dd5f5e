//! What was measured beside accuracy.

use super::{Row, csv};
use crate::analysis::{
    Line, MeasuredArm, NoiseRun, NoiseScale, RankCorrelation, Results, SharpnessFinding,
    SharpnessRun,
};
use anyhow::Result;

/// `noise_scale.csv`: one row a run and measurement.
pub(in crate::report) fn noise_scale(results: &Results) -> Result<String> {
    let rows = results.noise.iter().flat_map(|run: &NoiseRun| {
        run.points.iter().map(|point| {
            let mut row = Row::default();
            row.text("arm", &run.arm);
            row.text("batch_size", run.batch_size);
            row.text("seed", run.seed);
            row.text("step", point.step);
            row.text("examples", point.examples);
            scale(&mut row, "noise_scale", Some(point.plain));
            scale(&mut row, "adam_noise_scale", point.adam);
            row
        })
    });
    csv(rows)
}

/// Value, interval, and the lower bound where there is no value.
fn scale(row: &mut Row, name: &str, scale: Option<NoiseScale>) {
    row.number(name, scale.and_then(|scale| scale.value));
    row.interval(name, scale.and_then(|scale| scale.interval));
    row.number(&format!("{name}_at_least"), scale.and_then(|scale| scale.at_least));
}

/// `sharpness.csv`: one row a run.
pub(in crate::report) fn sharpness(results: &Results) -> Result<String> {
    csv(results.sharpness.iter().map(|run: &SharpnessRun| {
        let mut row = Row::default();
        row.text("arm", &run.arm);
        row.text("batch_size", run.batch_size);
        row.text("seed", run.seed);
        row.number("accuracy", Some(run.accuracy));
        let found = run.sharpness;
        let values = [
            ("train_loss", Some(found.loss)),
            ("top_eigenvalue", Some(found.top_eigenvalue)),
            ("trace", Some(found.trace)),
            ("trace_se", Some(found.trace_se)),
            ("ball", Some(found.ball)),
            ("adaptive", Some(found.adaptive)),
            ("keskar", Some(found.keskar)),
            ("edge_of_stability", found.edge_of_stability),
        ];
        for (name, value) in values {
            row.number(name, value);
        }
        row
    }))
}

/// `sharpness_arms.csv`: means over the runs of each arm.
pub(in crate::report) fn sharpness_arms(results: &Results) -> Result<String> {
    let row = |of: MeasuredArm| {
        let mean = |measure: fn(&SharpnessRun) -> Option<f64>| of.mean(measure);
        let mut row = Row::default();
        row.text("arm", &of.arm.name);
        row.text("batch_size", of.arm.batch_size);
        row.text("runs", of.runs.len());
        row.number("train_loss", mean(|run| Some(run.sharpness.loss)));
        row.number("top_eigenvalue", mean(|run| Some(run.sharpness.top_eigenvalue)));
        row.number("trace", mean(|run| Some(run.sharpness.trace)));
        row.number("ball", mean(|run| Some(run.sharpness.ball)));
        row.number("adaptive", mean(|run| Some(run.sharpness.adaptive)));
        row.number("keskar", mean(|run| Some(run.sharpness.keskar)));
        row.number("edge_of_stability", mean(|run| run.sharpness.edge_of_stability));
        row
    };
    csv(results.measured_arms().map(row))
}

/// `sharpness_and_accuracy.csv`: one row a measure.
pub(in crate::report) fn sharpness_and_accuracy(
    found: Option<&SharpnessFinding>,
) -> Result<String> {
    let correlations = found.iter().flat_map(|found| &found.rank_correlations);
    csv(correlations.map(|correlation: &RankCorrelation| {
        let mut row = Row::default();
        row.text("measure", correlation.measure);
        row.number("tau", Some(correlation.tau));
        row.interval("tau", correlation.interval);
        row.number("tau_within_rates", correlation.tau_within_rates);
        row.interval("tau_within_rates", correlation.interval_within_rates);
        row.number("tau_at_like_losses", correlation.tau_at_like_losses);
        row.interval("tau_at_like_losses", correlation.interval_at_like_losses);
        row
    }))
}

/// `lines.csv`: one row a point.
pub(in crate::report) fn lines(results: &Results) -> Result<String> {
    let rows = results.lines.iter().flat_map(|line: &Line| {
        line.points.iter().map(|point| {
            let mut row = Row::default();
            row.text("small", &line.small);
            row.text("large", &line.large);
            row.text("seed", line.seed);
            row.number("alpha", Some(point.alpha));
            row.number("train_loss", Some(point.train[0]));
            row.number("train_accuracy", Some(point.train[1]));
            row.number("validation_loss", Some(point.validation[0]));
            row.number("validation_accuracy", Some(point.validation[1]));
            row
        })
    });
    csv(rows)
}
