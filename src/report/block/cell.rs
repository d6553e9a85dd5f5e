//! One value of a table.

use crate::analysis::Estimate;
use crate::format::{count, measured, trimmed};
use crate::report::words::Scale;
use crate::stats::{InterquartileMean, Interval, Summary};

/// What stands for a value that does not exist.
const MISSING: &str = "-";

/// A value of a table. What does not exist (an interval of one seed) is `-` to a reader and empty as data.
pub(in crate::report) enum Cell {
    /// There is none.
    Missing,
    /// A name or a word, as it stands.
    Text(String),
    /// A clause, which may hold markup.
    Sentence(String),
    /// `1,024`
    Count(u64),
    /// What was measured, and how it is read: a share in percent, a duration, three digits.
    Number(f64, fn(f64) -> String),
    /// With all its digits: what was set, such as a learning rate.
    Exact(f64),
    /// `72.6 % (71.0 to 74.2, n = 3)`
    Score(Scale, Option<Estimate>),
    /// `72.6 % (71.0 to 74.2, n = 3)`
    InterquartileMean(Scale, Option<InterquartileMean>),
    /// `-0.63 (-3.10 to +1.90, n = 3)`: of accuracies in points.
    Difference(Scale, Option<Estimate>),
    /// `+0.53 (+0.22 to +0.84)`
    Value(Option<f64>, Option<Interval>),
    /// `-3.10 to +1.90`: of accuracies in points.
    Between(Scale, Option<Interval>),
    /// `0.726`: a score or a difference as it was measured, with the digits that its margin needs.
    Natural(Scale, Option<f64>),
}

impl Cell {
    /// A mean, and how it is read.
    pub(in crate::report) fn mean(summary: Option<Summary>, shown: fn(f64) -> String) -> Self {
        summary.map(|summary| Self::Number(summary.mean, shown)).into()
    }

    /// Whether there is no value.
    pub(super) fn is_missing(&self) -> bool {
        self.shown() == MISSING
    }

    /// As it is read.
    pub(in crate::report) fn shown(&self) -> String {
        match self {
            Self::Text(text) | Self::Sentence(text) => text.clone(),
            Self::Count(value) => count(*value),
            Self::Number(value, shown) => shown(*value),
            Self::Exact(value) => value.to_string(),
            Self::Score(scale, Some(of)) => {
                score(*scale, of.summary.mean, of.interval, of.summary.count)
            }
            Self::InterquartileMean(scale, Some(of)) => {
                score(*scale, of.value, of.interval, of.count)
            }
            Self::Difference(scale, Some(of)) => difference(*scale, of),
            Self::Value(Some(value), None) => format!("{value:+.2}"),
            Self::Value(Some(value), Some(ends)) => {
                format!("{value:+.2} ({:+.2} to {:+.2})", ends.low, ends.high)
            }
            Self::Between(scale, Some(ends)) => scale.signed_range(*ends),
            Self::Natural(scale, Some(value)) => measured(*value, scale.digits(*value)),
            _ => MISSING.into(),
        }
    }

    /// The columns that it takes as data, and its values in them.
    pub(super) fn values(&self, name: &str) -> Vec<(String, String)> {
        let number = |value: Option<f64>| number(value, self.decimals());
        let of = |value| (name.to_owned(), number(value));
        let ends = |ends: Option<Interval>| {
            [("low", ends.map(|ends| ends.low)), ("high", ends.map(|ends| ends.high))]
                .map(|(end, value)| (format!("{name}_{end}"), number(value)))
        };
        let one = |text: String| vec![(name.to_owned(), text)];
        let with_ends = |value, interval| [vec![of(value)], ends(interval).into()].concat();
        match self {
            Self::Missing => one(String::new()),
            Self::Text(text) | Self::Sentence(text) => one(text.clone()),
            Self::Count(value) => one(value.to_string()),
            Self::Exact(value) => one(value.to_string()),
            Self::Number(value, _) => vec![of(Some(*value))],
            Self::Between(scale, interval) => {
                ends(interval.map(|ends| scale.natural_ends(ends))).into()
            }
            Self::Value(value, interval) => with_ends(*value, *interval),
            Self::Natural(_, value) => vec![of(*value)],
            Self::InterquartileMean(scale, found) => with_ends(
                found.map(|of| scale.natural(of.value)),
                found.and_then(|of| Some(scale.within_limits(of.interval?))),
            ),
            Self::Score(scale, found) | Self::Difference(scale, found) => {
                let is_score = matches!(self, Self::Score(..));
                let found = found.map(|of| {
                    let mut natural = scale.natural_estimate(of);
                    if is_score {
                        natural.interval = of.interval.map(|ends| scale.within_limits(ends));
                    }
                    natural
                });
                let summary = found.map(|of| of.summary);
                let seeds = summary.map_or(String::new(), |summary| summary.count.to_string());
                let sd = number(summary.and_then(|summary| summary.sd));
                let mut all = vec![of(summary.map(|of| of.mean)), (format!("{name}_sd"), sd)];
                all.extend(ends(found.and_then(|of| of.interval)));
                all.push((format!("{name}_seeds"), seeds));
                all
            }
        }
    }
}

impl Cell {
    /// Digits after the point as data.
    fn decimals(&self) -> i32 {
        match self {
            Self::Score(scale, _)
            | Self::InterquartileMean(scale, _)
            | Self::Difference(scale, _)
            | Self::Between(scale, _)
            | Self::Natural(scale, _) => scale.digits_of_data(),
            _ => DIGITS,
        }
    }
}

/// Nine digits after the point hold what was measured; more would differ with the order of a sum.
const DIGITS: i32 = 9;

fn score(scale: Scale, value: f64, interval: Option<Interval>, count: usize) -> String {
    let value = scale.value(value);
    match interval {
        Some(interval) => format!("{value} ({}, n = {count})", scale.range(interval)),
        None => format!("{value} (n = {count})"),
    }
}

fn difference(scale: Scale, estimate: &Estimate) -> String {
    let mean = scale.signed(estimate.summary.mean);
    match estimate.interval {
        Some(interval) => {
            format!("{mean} ({}, n = {})", scale.signed_range(interval), estimate.summary.count)
        }
        None => format!("{mean} (n = 1)"),
    }
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        size if size <= 0.0 => "0".into(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.2e}"),
        size => {
            let digits = (2.0 - size.max(1e-3).log10().floor()).clamp(0.0, 5.0) as usize;
            format!("{value:.digits$}")
        }
    }
}

fn number(value: Option<f64>, decimals: i32) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else { return String::new() };
    // Of numbers as small as these, zeros would be all that nine digits show.
    let text = match decimals > DIGITS && value.abs() < 1e-3 || value.abs() >= 1e15 {
        true => measured(value, decimals),
        false => format!("{value:.*}", DIGITS as usize),
    };
    trimmed(&text)
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::Count(value as u64)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value, three_digits)
    }
}

impl<V: Into<Cell>> From<Option<V>> for Cell {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Missing, V::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Metric;

    #[test]
    fn numbers_are_plain_as_data_and_have_three_digits_for_a_reader() {
        assert_eq!(
            [number(Some(0.25), 9), number(Some(-1200.0), 9), number(None, 9)],
            ["0.25", "-1200", ""]
        );
        assert_eq!(number(Some(0.1 + 0.2), 9), "0.3");
        assert_eq!([number(Some(1.25e-30), 38), number(Some(1e-17), 9)], ["1.25e-30", "0"]);
        assert_eq!([number(Some(1.5e30), 9), number(Some(0.5), 14)], ["1.5e30", "0.5"]);
        let said = [12.345, 0.012345, 1234.5, -0.5, 0.0, 1.5e-6].map(three_digits);
        assert_eq!(said, ["12.3", "0.0123", "1234", "-0.500", "0", "1.50e-6"]);
    }

    #[test]
    fn the_interval_of_a_score_is_cut_to_what_the_score_can_be() {
        let summary = Summary { count: 2, mean: -1.0, sd: Some(2.0), rows: None };
        let interval = Some(Interval { low: -19.0, high: 17.0 });
        let of = Estimate { summary, interval };
        let scale = Scale::new(Metric::Rmse.info(), Some(0.1));
        let low =
            |cell: Cell| cell.values("x").into_iter().find(|(name, _)| name == "x_low").unwrap().1;
        assert_eq!(low(Cell::Score(scale, Some(of))), "0");
        assert_eq!(low(Cell::Difference(scale, Some(of))), "-17", "a difference has no such end");
    }

    #[test]
    fn an_estimate_is_five_columns_of_data_and_what_is_missing_keeps_them() {
        let scale = Scale::new(Metric::Accuracy.info(), None);
        let names = |cell: Cell| cell.values("x").into_iter().map(|(name, _)| name).collect();
        let expected = ["x", "x_sd", "x_low", "x_high", "x_seeds"];
        let found: Vec<String> = names(Cell::Score(scale, None));
        assert_eq!(found, expected);
        let found: Vec<String> = names(Cell::Value(None, None));
        assert_eq!(found, ["x", "x_low", "x_high"]);
        assert_eq!(Cell::Difference(scale, None).shown(), "-");
        assert!(Cell::Difference(scale, None).is_missing() && !Cell::Count(0).is_missing());
    }
}
