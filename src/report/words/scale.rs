//! The score in words: its name, how a value and a difference are written, and how one is said to be better.
//!
//! `analysis` has scores turned, so that more is better. Everything here takes them so, and turns them back:
//! a reader sees an RMSE, and differences with the sign that an RMSE has.
//!
//! ```text
//!              a value    a difference    better
//! percent      72.6 %     -0.63 points    is more accurate than
//! a number     0.812      -0.0063         has a higher F1 than
//! an error     12.3       +0.31           has a lower RMSE than
//! ```

use crate::analysis::{Comparison, Estimate, Findings, Results, Split};
use crate::config::Study;
use crate::format::{self, percent, points, signed_points_to};
use crate::report::plot::Unit as PlotUnit;
use crate::spec::{Metric, MetricInfo, Unit};
use crate::stats::Interval;

/// Digits after the point of a number without a unit, at least.
const PLAIN: i32 = 3;
/// Digits where no margin says how many are needed.
const DIGITS: i32 = 4;

/// Digits in all, at most.
const MOST_DIGITS: i32 = 6;

/// The score of a study as it is told.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    pub(super) info: &'static MetricInfo,
    /// Digits after the point that show half the margin.
    needed: Option<i32>,
}

impl Scale {
    /// Of a metric, with the digits that a margin needs.
    pub fn new(info: &'static MetricInfo, margin: Option<f64>) -> Self {
        let margin = margin.filter(|margin| *margin > 0.0 && margin.is_finite());
        // Steps of at most half the margin: 0.15 takes two digits, and so does 0.05.
        let needed = margin.map(|margin| (-(margin / 2.0).log10()).ceil() as i32);
        let needed = match info.unit {
            Unit::Plain => Some(needed.unwrap_or(PLAIN).max(PLAIN)),
            _ => needed,
        };
        Self { info, needed }
    }

    /// Of a study, as far as its file tells the margin.
    pub fn of(study: &Study) -> Self {
        Self::new(study.score().info(), study.margin(None))
    }

    /// `accuracy`, `F1`
    pub fn title(self) -> &'static str {
        self.info.title
    }

    /// `Accuracy`, `F1`, at the beginning of a sentence.
    pub(in crate::report) fn capital(self) -> String {
        let (first, rest) = self.info.title.split_at(1);
        first.to_uppercase() + rest
    }

    /// `validation_accuracy`, as a column of data.
    pub(in crate::report) fn column(self, before: &str) -> String {
        format!("{before}_{}", self.info.name)
    }

    /// `validation accuracy`
    pub fn on(self, split: impl std::fmt::Display) -> String {
        format!("{split} {}", self.info.title)
    }

    /// Whether less is better.
    pub(in crate::report) fn falls(self) -> bool {
        self.info.falls()
    }

    fn is_percent(self) -> bool {
        self.info.unit == Unit::Percent
    }

    /// Whether it is that of which people say that one is more accurate.
    pub fn is_accuracy(self) -> bool {
        self.info.metric == Metric::Accuracy
    }

    /// A score, or a difference of two, as it is measured; and the way back.
    pub fn natural(self, turned: f64) -> f64 {
        self.info.turned(turned)
    }

    /// The same of an interval.
    pub(in crate::report) fn natural_ends(self, turned: Interval) -> Interval {
        match self.info.falls() {
            true => Interval { low: -turned.high, high: -turned.low },
            false => turned,
        }
    }

    /// The same of a mean.
    pub(in crate::report) fn natural_estimate(self, turned: Estimate) -> Estimate {
        let mut natural = turned;
        natural.summary.mean = self.natural(turned.summary.mean);
        natural.interval = turned.interval.map(|ends| self.natural_ends(ends));
        natural
    }

    /// The least and the largest value that it can have.
    pub(in crate::report) fn limits(self) -> [f64; 2] {
        self.info.range
    }

    /// No difference can be larger.
    pub(in crate::report) fn width(self) -> f64 {
        self.info.range[1] - self.info.range[0]
    }

    /// An interval cut to what the score can be.
    pub(in crate::report) fn within_limits(self, turned: Interval) -> Interval {
        let [least, most] = self.info.range;
        let Interval { low, high } = self.natural_ends(turned);
        Interval { low: low.clamp(least, most), high: high.clamp(least, most) }
    }

    /// Digits after the point of a value like this.
    pub fn digits(self, value: f64) -> i32 {
        // Of 0, which has no size, as of 1.
        let size = if value.abs() > 0.0 { value.abs() } else { 1.0 };
        let of = |digits: i32| digits - 1 - size.log10().floor() as i32;
        match (self.info.unit, self.needed) {
            (Unit::Percent, _) => 3,
            (_, None) => of(DIGITS),
            // Where the margin is tiny beside the score, more digits say nothing.
            (_, Some(needed)) if value.abs() > 0.0 => needed.min(of(MOST_DIGITS)),
            (_, Some(needed)) => needed,
        }
    }

    /// Digits after the point of data: a millionth of the margin, and at least nine.
    pub(in crate::report) fn digits_of_data(self) -> i32 {
        const LEAST: i32 = 9;
        self.needed.map_or(LEAST, |needed| LEAST.max(needed.saturating_add(6)))
    }

    fn written(self, natural: f64) -> String {
        format::measured(natural, self.digits(natural))
    }

    /// `72.6 %`, `0.812`
    pub fn value(self, turned: f64) -> String {
        let natural = self.natural(turned);
        if self.is_percent() { percent(natural) } else { self.written(natural) }
    }

    /// `72.6 ± 0.4 %`, `0.812 ± 0.004`
    pub(in crate::report) fn spread(self, turned: f64, sd: f64) -> String {
        let natural = self.natural(turned);
        match self.is_percent() {
            true => format!("{:.1} ± {:.1} %", 100.0 * natural, 100.0 * sd),
            false => {
                let sd = format::measured(sd, self.digits(natural));
                format!("{} ± {sd}", self.written(natural))
            }
        }
    }

    /// `71.0 to 74.2`, without its unit: what the score cannot be is cut off.
    pub(in crate::report) fn range(self, turned: Interval) -> String {
        let Interval { low, high } = self.within_limits(turned);
        match self.is_percent() {
            true => format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high),
            false => format!("{} to {}", self.written(low), self.written(high)),
        }
    }

    /// `71.0 to 74.2 %`
    pub(in crate::report) fn range_with_unit(self, turned: Interval) -> String {
        self.range(turned) + if self.is_percent() { " %" } else { "" }
    }

    /// ` in percent`, after the name of numbers without their unit.
    pub(in crate::report) fn in_percent(self) -> &'static str {
        if self.is_percent() { " in percent" } else { "" }
    }

    /// A mean without its unit, and what is said after it.
    pub(in crate::report) fn number_and_unit(self, turned: f64) -> (String, &'static str) {
        let natural = self.natural(turned);
        match self.is_percent() {
            true => (format!("{:.1}", 100.0 * natural), "% on average"),
            false => (self.written(natural), "on average"),
        }
    }

    /// ` points`, after a difference.
    pub fn unit(self) -> &'static str {
        if self.is_percent() { " points" } else { "" }
    }

    /// After intervals on the test split, with this before it: that they are about other rows too, unless the
    /// score does not tell what single rows contribute.
    pub(in crate::report) fn over_rows(self, before: &str) -> String {
        match self.info.has_row_values() {
            true => format!("{before} over test rows too"),
            false => String::new(),
        }
    }

    /// `points of accuracy`, `F1`: what differences are in.
    pub(in crate::report) fn in_unit(self) -> String {
        let title = self.title();
        if self.is_percent() { format!("points of {title}") } else { title.to_owned() }
    }

    /// `Points of test accuracy`, `Differences in test F1`: what differences on a split are in.
    pub(in crate::report) fn differences_on(self, split: Split) -> String {
        let on = self.on(split);
        match self.is_percent() {
            true => format!("Points of {on}"),
            false => format!("Differences in {on}"),
        }
    }

    /// `, in points`, after what differences are of.
    pub(in crate::report) fn in_points(self) -> &'static str {
        if self.is_percent() { ", in points" } else { "" }
    }

    /// ` (points)`, after what is a column of differences.
    pub(in crate::report) fn unit_of_column(self) -> &'static str {
        if self.is_percent() { " (points)" } else { "" }
    }

    /// `-0.63`, without its unit, with so many digits after the point if it is one of points.
    pub(in crate::report) fn signed_to(self, turned: f64, decimals: usize) -> String {
        let natural = self.natural(turned);
        if self.is_percent() && natural.is_finite() {
            return signed_points_to(natural, decimals);
        }
        // As many digits as points have, which are hundredths.
        let more = decimals as i32 - 1;
        let most = MOST_DIGITS - 1 - natural.abs().max(f64::MIN_POSITIVE).log10().floor() as i32;
        format::signed(natural, (self.needed.unwrap_or(DIGITS - 1) + more).min(most))
    }

    /// `-0.63`, `+0.0012`
    pub(in crate::report) fn signed(self, turned: f64) -> String {
        self.signed_to(turned, 2)
    }

    /// `-0.63 points`, `+0.0012`
    pub(in crate::report) fn difference(self, turned: f64) -> String {
        self.signed(turned) + self.unit()
    }

    /// `-2.27 points (95 % CI -8.61 to +4.07)`
    pub(in crate::report) fn difference_with_ci(self, estimate: &Estimate) -> String {
        let ends = estimate.interval.map(|ends| super::ci(&self.signed_range(ends)));
        self.difference(estimate.summary.mean) + &ends.unwrap_or_default()
    }

    /// `0.5`, a margin or another size of a difference, with the digits that it needs.
    pub(in crate::report) fn size(self, difference: f64) -> String {
        if self.is_percent() {
            return points(difference.abs());
        }
        let size = if difference.abs() > 0.0 { difference.abs() } else { 1.0 };
        format::trimmed(&format::measured(difference.abs(), 1 - size.log10().floor() as i32))
    }

    /// A difference rounded upwards, so that one that is named would be found.
    pub(in crate::report) fn upwards(self, difference: f64) -> f64 {
        let times = match self.is_percent() {
            true => 1e4,
            false => 10f64.powf(1.0 - difference.abs().max(f64::MIN_POSITIVE).log10().floor()),
        };
        (difference * times).ceil() / times
    }

    /// `0.5 points`, `0.012`
    pub fn amount(self, difference: f64) -> String {
        self.size(difference) + self.unit()
    }

    /// `0.1 to 1.6 points`: how much one is better, at least and at most.
    pub(in crate::report) fn lead(self, by: Interval) -> String {
        format!("{} to {}{}", self.tenths(by.low), self.tenths(by.high), self.unit())
    }

    /// `1.6 points`, what a difference is at most: two digits, rounded upwards.
    pub(in crate::report) fn up_to(self, difference: f64) -> String {
        let size = difference.abs().max(f64::MIN_POSITIVE);
        let times = 10f64.powf(1.0 - size.log10().floor());
        self.amount((size * times).ceil() / times)
    }

    /// `1.6 points`, a difference without its sign.
    pub(in crate::report) fn about(self, difference: f64) -> String {
        self.tenths(difference) + self.unit()
    }

    fn tenths(self, difference: f64) -> String {
        let size = 100.0 * difference.abs();
        match self.is_percent() {
            true if size < 0.1 => format!("{size:.2}"),
            true => format!("{size:.1}"),
            false => self.signed_to(difference, 1).trim_start_matches(['+', '-']).to_owned(),
        }
    }

    /// `highest`, of what is best.
    pub(in crate::report) fn highest(self) -> &'static str {
        if self.info.falls() { "lowest" } else { "highest" }
    }

    fn higher(self, is_better: bool) -> &'static str {
        if is_better == self.info.falls() { "lower" } else { "higher" }
    }

    /// `is more accurate than`, `has a lower RMSE than`, of a better one; or of a worse one.
    pub(in crate::report) fn stands(self, is_better: bool) -> String {
        match (self.is_accuracy(), is_better) {
            (true, true) => "is more accurate than".into(),
            (true, false) => "is less accurate than".into(),
            (false, _) => format!("has a {} {} than", self.higher(is_better), self.title()),
        }
    }

    /// `were more accurate`, `had a lower RMSE`
    pub(in crate::report) fn were(self, is_better: bool) -> String {
        match (self.is_accuracy(), is_better) {
            (true, true) => "were more accurate".into(),
            (true, false) => "were less accurate".into(),
            (false, _) => format!("had a {} {}", self.higher(is_better), self.title()),
        }
    }

    /// `More accurate than`, `Lower RMSE than`
    pub(in crate::report) fn better_than(self) -> String {
        match self.is_accuracy() {
            true => "More accurate than".into(),
            false => {
                let better = if self.info.falls() { "Lower" } else { "Higher" };
                format!("{better} {} than", self.title())
            }
        }
    }

    /// `equally accurate`, `equal in F1`
    pub(in crate::report) fn equal(self) -> String {
        match self.is_accuracy() {
            true => "equally accurate".into(),
            false => format!("equal in {}", self.title()),
        }
    }

    /// `accurate`, `good`: as much so as another.
    pub(in crate::report) fn good(self) -> &'static str {
        if self.is_accuracy() { "accurate" } else { "good" }
    }

    /// `more accurate`, `better`
    pub(in crate::report) fn better(self) -> &'static str {
        if self.is_accuracy() { "more accurate" } else { "better" }
    }

    /// `most accurate`, `best`
    pub(in crate::report) fn best(self) -> &'static str {
        if self.is_accuracy() { "most accurate" } else { "best" }
    }

    /// `raises accuracy`, `lower RMSE`: what a setting does, or several do.
    pub(in crate::report) fn improves(self, several: bool) -> String {
        let what = if self.info.falls() { "lower" } else { "raise" };
        format!("{what}{} {}", if several { "" } else { "s" }, self.title())
    }

    /// Its axis.
    pub(in crate::report) fn axis(self) -> PlotUnit {
        if self.is_percent() { PlotUnit::Percent } else { PlotUnit::Plain }
    }

    /// What stands beside an axis of differences.
    pub(in crate::report) fn axis_label(self) -> &'static str {
        if self.is_percent() { "points" } else { self.title() }
    }

    /// The ends of something, from low to high.
    pub(in crate::report) fn natural_pair(self, [low, high]: [f64; 2]) -> [f64; 2] {
        let ends = self.natural_ends(Interval { low, high });
        [ends.low, ends.high]
    }

    /// The axis of differences.
    pub(in crate::report) fn axis_of_differences(self) -> PlotUnit {
        if self.is_percent() { PlotUnit::Points } else { PlotUnit::Signed }
    }
}

impl From<&Results> for Scale {
    fn from(results: &Results) -> Self {
        Self::new(results.score, Some(results.margin))
    }
}

impl From<&Comparison> for Scale {
    fn from(comparison: &Comparison) -> Self {
        Self::new(comparison.score, Some(comparison.margin))
    }
}

impl From<&Findings> for Scale {
    fn from(findings: &Findings) -> Self {
        Self::from(&findings.comparison)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(metric: Metric, margin: f64) -> Scale {
        Scale::new(metric.info(), Some(margin))
    }

    #[test]
    fn a_score_of_0_has_three_digits_where_no_margin_says_how_many() {
        assert_eq!(of(Metric::Rmse, 0.0).value(0.0), "0.000");
    }

    #[test]
    fn a_score_is_written_in_its_own_unit_with_the_digits_that_its_margin_needs() {
        let ends = Interval { low: -0.0861, high: 0.0407 };
        let accuracy = of(Metric::Accuracy, 0.005);
        assert_eq!(accuracy.value(0.7257), "72.6 %");
        assert_eq!(accuracy.difference(-0.0063), "-0.63 points");
        assert_eq!(accuracy.signed_range(ends), "-8.61 to +4.07");
        assert_eq!([accuracy.amount(0.005), accuracy.about(0.0161)], ["0.5 points", "1.6 points"]);
        let f1 = of(Metric::F1, 0.005);
        assert_eq!([f1.value(0.7257), f1.difference(-0.0063)], ["0.726", "-0.0063"]);
        assert_eq!([f1.amount(0.005), f1.about(0.0161)], ["0.005", "0.016"]);
        let most = [accuracy.up_to(0.01529), accuracy.up_to(0.00636), f1.up_to(0.0123)];
        assert_eq!(most, ["1.6 points", "0.64 points", "0.013"]);
        // Turned: better ones are higher.
        let rmse = of(Metric::Rmse, 0.3);
        assert_eq!([rmse.value(-12.345), rmse.difference(-0.31)], ["12.3", "+0.31"]);
        assert_eq!(rmse.signed_range(ends), "-0.04 to +0.09");
        assert_eq!(rmse.range(Interval { low: -12.0, high: 0.5 }), "0.0 to 12.0");
        assert_eq!([rmse.amount(0.3), of(Metric::Rmse, 31.4).amount(31.4)], ["0.3", "31"]);
        assert_eq!(of(Metric::Rmse, 31.4).value(-1234.5), "1234");
        assert_eq!(Scale::new(Metric::Mae.info(), None).value(-0.0123456), "0.01235");
    }

    #[test]
    fn very_large_and_small_errors_show_their_digits() {
        let large = of(Metric::Rmse, 2e28);
        assert_eq!([large.value(-1.234e30), large.difference(-3.1e28)], ["1.23e30", "+3.1e28"]);
        assert_eq!([large.amount(2e28), large.spread(-1e30, 3e28)], ["2e28", "1.00e30 ± 3e28"]);
        let small = of(Metric::Rmse, 2e-8);
        assert_eq!([small.value(-1.234e-6), small.difference(4e-9)], ["1.23e-6", "-4e-9"]);
        assert_eq!([small.amount(2.5e-8), small.value(0.0)], ["2.5e-8", "0"]);
        assert_eq!(of(Metric::Mse, 2e-60).value(-1.5e-58), "1.50e-58");
        assert_eq!(
            [small.value(-0.173256081), small.difference(-0.0212682)],
            ["0.173256", "+0.0212682"]
        );
    }

    #[test]
    fn what_is_better_is_said_as_of_that_score() {
        let said = |metric: Metric| {
            let scale = of(metric, 0.01);
            [scale.stands(true), scale.stands(false), scale.improves(false), scale.column("test")]
        };
        let accuracy = ["is more accurate than", "is less accurate than", "raises accuracy"];
        assert_eq!(said(Metric::Accuracy)[..3], accuracy);
        let rmse = ["has a lower RMSE than", "has a higher RMSE than", "lowers RMSE", "test_rmse"];
        assert_eq!(said(Metric::Rmse), rmse);
        assert_eq!(said(Metric::F1)[..2], ["has a higher F1 than", "has a lower F1 than"]);
        assert_eq!(of(Metric::BalancedAccuracy, 0.01).capital(), "Balanced accuracy");
    }
}
