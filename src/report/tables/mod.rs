//! The numbers as CSV: accuracies and differences as shares of 1, times in seconds, memory in bytes.
//! What does not exist (an interval of one seed) is left empty. No text is a formula to a spreadsheet.

mod arms;
mod findings;
mod probes;
mod runs;
mod studies;

pub(super) use arms::{arms, comparisons};
pub(super) use findings::{
    audit, best_learning_rates, budgets, claims, decomposition, factors, learning_rates, pareto,
    rate_law, trade_off,
};
pub(super) use probes::{lines, noise_scale, sharpness, sharpness_and_accuracy, sharpness_arms};
pub(super) use runs::runs;
pub(super) use studies::{StudyRow, differences, settings, studies};

use crate::analysis::{CONFIDENCE, Estimate};
use crate::format::cell;
use crate::stats::{InterquartileMean, Interval};
use anyhow::Result;
use serde::Serialize;
use std::fmt::Display;

/// Names and values, in order.
#[derive(Default)]
struct Row(Vec<(String, String)>);

impl Row {
    fn text(&mut self, name: &str, value: impl Display) {
        self.0.push((name.to_owned(), value.to_string()));
    }

    fn number(&mut self, name: &str, value: Option<f64>) {
        self.text(name, number(value));
    }

    /// Its ends.
    fn interval(&mut self, name: &str, interval: Option<Interval>) {
        self.number(&format!("{name}_low"), interval.map(|interval| interval.low));
        self.number(&format!("{name}_high"), interval.map(|interval| interval.high));
    }

    /// Mean, spread, interval and number.
    fn estimate(&mut self, name: &str, estimate: Option<&Estimate>) {
        let summary = estimate.map(|estimate| estimate.summary);
        self.number(name, summary.map(|summary| summary.mean));
        self.number(&format!("{name}_sd"), summary.and_then(|summary| summary.sd));
        self.interval(name, estimate.and_then(|estimate| estimate.interval));
        let seeds = summary.map_or(String::new(), |summary| summary.count.to_string());
        self.text(&format!("{name}_seeds"), seeds);
    }

    /// The interval without the noise of the test rows.
    fn over_seeds(&mut self, estimate: &Estimate) {
        let over_seeds = estimate.summary.over_seeds();
        self.interval("over_seeds_alone", over_seeds.interval(CONFIDENCE));
    }

    /// Value and interval.
    fn iqm(&mut self, name: &str, iqm: Option<&InterquartileMean>) {
        self.number(name, iqm.map(|iqm| iqm.value));
        self.interval(name, iqm.and_then(|iqm| iqm.interval));
    }
}

fn number(value: Option<f64>) -> String {
    // Nine digits hold what was measured; more would differ with the order of a sum.
    let text = value.map(|value| format!("{value:.9}")).unwrap_or_default();
    let shorter = text.trim_end_matches('0').trim_end_matches('.');
    if text.contains('.') { shorter.to_owned() } else { text }
}

/// The name of a choice as JSON has it.
fn word(value: &impl Serialize) -> String {
    let text = serde_json::to_value(value).ok().and_then(|value| Some(value.as_str()?.to_owned()));
    text.unwrap_or_default()
}

fn csv(rows: impl Iterator<Item = Row>) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (at, row) in rows.enumerate() {
        if at == 0 {
            writer.write_record(row.0.iter().map(|(name, _)| cell(name).into_owned()))?;
        }
        writer.write_record(row.0.iter().map(|(_, value)| cell(value).into_owned()))?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Standing;

    #[test]
    fn no_cell_is_a_formula_and_negative_numbers_are_numbers() {
        let mut row = Row::default();
        row.text("@study", "=1+1");
        row.number("difference", Some(-0.5));
        assert_eq!(csv([row].into_iter()).unwrap(), "'@study,difference\n'=1+1,-0.5\n");
    }

    #[test]
    fn numbers_are_plain_and_choices_are_words() {
        assert_eq!(
            [number(Some(0.25)), number(Some(-1200.0)), number(None)],
            ["0.25", "-1200", ""]
        );
        assert_eq!(number(Some(0.1 + 0.2)), "0.3");
        assert_eq!(word(&Standing::Out), "out");
    }
}
