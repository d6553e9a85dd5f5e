//! What was measured beside accuracy.

use super::{Row, csv, number};
use crate::analysis::{NoiseRun, NoiseScale, Results};
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
