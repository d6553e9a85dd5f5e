//! What was measured beside accuracy.

use super::{Row, csv, number};
use crate::analysis::{
    Line, NoiseRun, NoiseScale, RankCorrelation, Results, SharpnessFinding, SharpnessRun,
};
use anyhow::Result;

/// `noise_scale.csv`: one row a run and measurement.
pub(in crate::report) fn noise_scale(results: &Results) -> Result<String> {
    let rows = results.noise.iter().flat_map(|run: &NoiseRun| {
        run.points.iter().map(|point| {
            let mut row = Row::default();
            row.text("arm", &run.arm);
            row.text("batch_size", &run.batch_size.to_string());
            row.text("seed", &run.seed.to_string());
            row.text("step", &point.step.to_string());
            row.text("examples", &point.examples.to_string());
            scale(&mut row, "noise_scale", Some(point.plain));
            scale(&mut row, "adam_noise_scale", point.adam);
            row
        })
    });
    csv(rows)
}

/// Value, interval, and the lower bound where there is no value.
fn scale(row: &mut Row, name: &str, scale: Option<NoiseScale>) {
    let interval = scale.and_then(|scale| scale.interval);
    row.text(name, &number(scale.and_then(|scale| scale.value)));
    row.text(&format!("{name}_low"), &number(interval.map(|interval| interval.low)));
    row.text(&format!("{name}_high"), &number(interval.map(|interval| interval.high)));
    row.text(&format!("{name}_at_least"), &number(scale.and_then(|scale| scale.at_least)));
}

/// `sharpness.csv`: one row a run.
pub(in crate::report) fn sharpness(results: &Results) -> Result<String> {
    csv(results.sharpness.iter().map(|run: &SharpnessRun| {
        let mut row = Row::default();
        row.text("arm", &run.arm);
        row.text("batch_size", &run.batch_size.to_string());
        row.text("seed", &run.seed.to_string());
        row.text("accuracy", &number(Some(run.accuracy)));
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
            row.text(name, &number(value));
        }
        row
    }))
}

/// `sharpness_and_accuracy.csv`: one row a measure.
pub(in crate::report) fn sharpness_and_accuracy(
    found: Option<&SharpnessFinding>,
) -> Result<String> {
    let correlations = found.iter().flat_map(|found| &found.rank_correlations);
    csv(correlations.map(|correlation: &RankCorrelation| {
        let mut row = Row::default();
        row.text("measure", correlation.measure);
        let all = correlation.interval;
        row.text("tau", &number(Some(correlation.tau)));
        row.text("tau_low", &number(all.map(|interval| interval.low)));
        row.text("tau_high", &number(all.map(|interval| interval.high)));
        let within = correlation.interval_within_rates;
        row.text("tau_within_rates", &number(correlation.tau_within_rates));
        row.text("tau_within_rates_low", &number(within.map(|interval| interval.low)));
        row.text("tau_within_rates_high", &number(within.map(|interval| interval.high)));
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
            row.text("seed", &line.seed.to_string());
            row.text("alpha", &number(Some(point.alpha)));
            row.text("train_loss", &number(Some(point.train[0])));
            row.text("train_accuracy", &number(Some(point.train[1])));
            row.text("validation_loss", &number(Some(point.validation[0])));
            row.text("validation_accuracy", &number(Some(point.validation[1])));
            row
        })
    });
    csv(rows)
}
