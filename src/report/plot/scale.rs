//! From values to places on paper, and the round values that an axis names.

use std::ops::RangeInclusive;

/// Sizes beyond these are no measurements. They are left out when an axis is laid, so that the others
/// can be read, and stand at its ends.
const SIZES: RangeInclusive<f64> = 1e-30..=1e30;

/// How values are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Spread {
    /// Equal differences are equally far apart.
    Linear,
    /// Equal ratios are; ticks at powers of two.
    Log2,
    /// Equal ratios are; ticks at powers of ten.
    Log10,
}

/// How values are written beside an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Unit {
    /// As they are.
    Plain,
    /// Shares of 1 in percent.
    Percent,
    /// Shares of 1 in percentage points, with their sign.
    Points,
    /// As they are, with their sign.
    Signed,
    /// Bytes.
    Bytes,
}

/// An axis: what it shows, from where to where.
#[derive(Debug, Clone)]
pub(in crate::report) struct Axis {
    /// What stands beside it.
    pub(in crate::report) label: String,
    spread: Spread,
    unit: Unit,
    low: f64,
    high: f64,
    ticks: Option<Vec<(f64, String)>>,
}

impl Axis {
    /// An axis on which all these values have room; on a logarithmic one those above 0.
    pub(in crate::report) fn over(
        label: &str,
        spread: Spread,
        unit: Unit,
        values: impl IntoIterator<Item = f64>,
    ) -> Self {
        let usable = |value: &f64| match spread {
            Spread::Linear => value.abs() <= *SIZES.end(),
            Spread::Log2 | Spread::Log10 => SIZES.contains(value),
        };
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(usable) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (1.0, 2.0);
        }
        let mut axis = Self { label: label.to_owned(), spread, unit, low, high, ticks: None };
        axis.pad();
        axis
    }

    /// Room of 6 % at both ends, and some where all values are the same.
    fn pad(&mut self) {
        self.pad_by(0.06);
    }

    /// Room of this share of the span at both ends.
    fn pad_by(&mut self, share: f64) {
        let (low, high) = (self.on_line(self.low), self.on_line(self.high));
        let span = high - low;
        let least = match self.spread {
            Spread::Linear => low.abs().max(1e-9) * 1e-3,
            Spread::Log2 | Spread::Log10 => 0.25,
        };
        let room = if span > least { share * span } else { least };
        (self.low, self.high) = (self.off_line(low - room), self.off_line(high + room));
    }

    /// The same axis, of numbers above 0, from 0 on.
    pub(in crate::report) fn starting_at_zero(mut self) -> Self {
        self.low = 0.0;
        self
    }

    /// The same axis from here to there.
    pub(in crate::report) fn within_room(mut self, low: f64, high: f64) -> Self {
        (self.low, self.high) = (low, high);
        self
    }

    /// The same axis, of numbers that cannot leave these bounds.
    pub(in crate::report) fn within(mut self, low: f64, high: f64) -> Self {
        (self.low, self.high) = (self.low.max(low), self.high.min(high));
        self
    }

    /// An axis of batch sizes, which all have a tick if there is room; at its ends there is room for
    /// what stands beside the smallest and the largest.
    pub(in crate::report) fn of_batch_sizes(sizes: &[usize]) -> Self {
        let mut sorted: Vec<f64> = sizes.iter().map(|size| *size as f64).collect();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        let mut axis = Self::over("batch size", Spread::Log2, Unit::Plain, sorted.iter().copied());
        if let [first, .., last] = sorted[..] {
            (axis.low, axis.high) = (first, last);
            axis.pad_by((0.3 / (sorted.len() - 1) as f64).max(0.1));
        }
        if sorted.len() <= 8 && sorted.windows(2).all(|pair| pair[1] / pair[0] > 1.25) {
            axis.ticks = Some(sorted.iter().map(|size| (*size, size.to_string())).collect());
        }
        axis
    }

    /// The same axis with these ticks and no others.
    pub(in crate::report) fn with_ticks(mut self, ticks: Vec<(f64, String)>) -> Self {
        self.ticks = Some(ticks);
        self
    }

    /// The two ends.
    pub(in crate::report) fn ends(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// Where a value lies: 0 at the low end, 1 at the high one, and never outside.
    pub(in crate::report) fn share(&self, value: f64) -> f64 {
        let (low, high) = (self.on_line(self.low), self.on_line(self.high));
        match high > low {
            true => ((self.on_line(value) - low) / (high - low)).clamp(0.0, 1.0),
            false => 0.5,
        }
    }

    fn on_line(&self, value: f64) -> f64 {
        match self.spread {
            Spread::Linear => value,
            Spread::Log2 | Spread::Log10 => value.max(f64::MIN_POSITIVE).log2(),
        }
    }

    fn off_line(&self, value: f64) -> f64 {
        match self.spread {
            Spread::Linear => value,
            Spread::Log2 | Spread::Log10 => value.exp2(),
        }
    }

    /// Round values between the ends, and how they are written.
    pub(in crate::report) fn ticks(&self) -> Vec<(f64, String)> {
        if let Some(ticks) = &self.ticks {
            return ticks.clone();
        }
        let values = match self.spread {
            Spread::Linear => linear_ticks(self.low, self.high),
            Spread::Log2 => powers_of_two(self.low, self.high),
            Spread::Log10 => powers_of_ten(self.low, self.high),
        };
        values.into_iter().map(|value| (value, self.unit.written(value))).collect()
    }
}

impl Unit {
    /// A value as it stands beside an axis.
    pub(in crate::report) fn written(self, value: f64) -> String {
        match self {
            Unit::Plain => short(value),
            Unit::Percent => format!("{} %", short(100.0 * value)),
            Unit::Signed if value > 0.0 && short(value) != "0" => format!("+{}", short(value)),
            Unit::Signed => short(value),
            Unit::Points if short(100.0 * value) == "0" => "0".into(),
            Unit::Points if value > 0.0 => format!("+{}", short(100.0 * value)),
            Unit::Points => short(100.0 * value),
            Unit::Bytes if value <= 0.0 => "0".into(),
            Unit::Bytes => crate::format::bytes(value.max(0.0).round() as u64),
        }
    }
}

/// A number in few characters: `0.25`, `1500`, `20k`, `1.5M`, `3e-4`.
pub(in crate::report) fn short(value: f64) -> String {
    let size = value.abs();
    let trimmed = |value: f64, suffix: &str| {
        let digits = (2 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{value:.digits$}");
        let text = match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.'),
            false => text.as_str(),
        };
        format!("{}{suffix}", if text == "-0" { "0" } else { text })
    };
    match size {
        ..1e-9 => "0".into(),
        ..1e-3 => {
            let power = size.log10().floor() as i32;
            format!("{}e{power}", trimmed(value / 10f64.powi(power), ""))
        }
        ..1e4 => trimmed(value, ""),
        ..1e6 => trimmed(value / 1e3, "k"),
        ..1e9 => trimmed(value / 1e6, "M"),
        ..1e15 => trimmed(value / 1e9, "G"),
        _ => format!("{value:.1e}"),
    }
}

/// About five multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    // Too far from 0 for their distance, they could not be told apart.
    let is_fine = rough > 0.0 && low.abs().max(high.abs()) / rough < 1e12;
    if !(is_fine && SIZES.contains(&rough)) {
        return vec![low];
    }
    let power = 10f64.powf(rough.log10().floor());
    let between = |step: f64| -> (i64, i64) {
        ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64)
    };
    // The widest step that leaves three.
    let steps = [10.0, 5.0, 2.0, 1.0].map(|times| times * power);
    let wide = |step: &f64| between(*step).1 - between(*step).0 >= 2;
    let step = steps.into_iter().find(wide).unwrap_or(power);
    let (first, last) = between(step);
    (first..=last).map(|times| times as f64 * step).collect()
}

/// Powers of two, at most seven.
fn powers_of_two(low: f64, high: f64) -> Vec<f64> {
    let [low, high] = [low, high].map(|end| end.clamp(*SIZES.start(), *SIZES.end()));
    let (first, last) = (low.log2().ceil() as i32, high.log2().floor() as i32);
    let every = ((last - first) / 7 + 1).max(1);
    let ticks: Vec<f64> =
        (first..=last).filter(|p| p.rem_euclid(every) == 0).map(|p| f64::from(p).exp2()).collect();
    if ticks.len() < 2 { linear_ticks(low, high) } else { ticks }
}

/// Powers of ten, at most seven; with their 2 and 5 fold where there are few.
fn powers_of_ten(low: f64, high: f64) -> Vec<f64> {
    let [low, high] = [low, high].map(|end| end.clamp(*SIZES.start(), *SIZES.end()));
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let every = ((last - first) / 8 + 1).max(1);
    let fine = high / low < 300.0;
    let times: &[f64] = if fine { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let powers = (first..=last).filter(|power| fine || power.rem_euclid(every) == 0);
    let all = powers.flat_map(|power| times.iter().map(move |times| times * 10f64.powi(power)));
    let ticks: Vec<f64> = all.filter(|value| (low..=high).contains(value)).collect();
    if ticks.len() < 2 { linear_ticks(low, high) } else { ticks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let percent = Axis::over("", Spread::Linear, Unit::Percent, [0.712, 0.744]);
        let labels: Vec<String> = percent.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["72 %", "73 %", "74 %"]);
        assert_eq!(powers_of_two(14.0, 1100.0), [16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]);
        assert_eq!(powers_of_ten(0.8, 1200.0), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(powers_of_ten(9.0, 60.0), [10.0, 20.0, 50.0]);
        for (low, high) in [(0.0, 1e-7), (-3.0, 8.0), (1e6, 7e6)] {
            let ticks = linear_ticks(low, high);
            assert!((3..=7).contains(&ticks.len()), "{ticks:?}");
            assert!(ticks.iter().all(|tick| (low..=high).contains(tick)), "{ticks:?}");
        }
    }

    #[test]
    fn equal_ratios_are_equally_far_apart_on_a_logarithmic_axis() {
        let axis = Axis::of_batch_sizes(&[32, 128, 512]);
        let [a, b, c] = [32.0, 128.0, 512.0].map(|size| axis.share(size));
        assert!(((b - a) - (c - b)).abs() < 1e-12 && a > 0.0 && c < 1.0);
        assert!(axis.share(1e-9) <= 0.0 && axis.share(1e9) >= 1.0);
    }

    #[test]
    fn an_axis_of_one_value_or_none_has_room() {
        for values in [vec![0.7], vec![0.0], vec![], vec![f64::NAN]] {
            let axis = Axis::over("", Spread::Linear, Unit::Plain, values);
            assert!(axis.ends()[0] < axis.ends()[1] && !axis.ticks().is_empty());
        }
    }

    #[test]
    fn absurd_values_neither_stop_the_drawing_nor_hide_the_others() {
        let absurd = [1e-310, -1e-310, 1e300, -1e300, f64::MAX, f64::MIN, f64::INFINITY, f64::NAN];
        for spread in [Spread::Linear, Spread::Log2, Spread::Log10] {
            for first in absurd {
                for second in absurd.into_iter().chain([0.5, 0.0]) {
                    for start in [false, true] {
                        let mut axis = Axis::over("", spread, Unit::Plain, [first, second]);
                        if start && spread == Spread::Linear {
                            axis = axis.starting_at_zero();
                        }
                        assert!(axis.ticks().len() < 100);
                        let share = axis.share(second);
                        assert!(second.is_nan() || (0.0..=1.0).contains(&share), "{share}");
                    }
                }
                assert!(short(first).len() < 20);
            }
        }
        let axis = Axis::over("", Spread::Log10, Unit::Plain, [1e-310, 0.1, 1e300, 10.0]);
        assert!(axis.ends()[0] > 0.01 && axis.ends()[1] < 100.0);
    }

    #[test]
    fn numbers_are_short() {
        let written = [0.25, 1500.0, 20_000.0, 1.5e6, 3e-4, -0.002, 0.0].map(short);
        assert_eq!(written, ["0.25", "1500", "20k", "1.5M", "3e-4", "-0.002", "0"]);
        assert_eq!(
            [0.004, -0.01, 0.0].map(|value| Unit::Points.written(value)),
            ["+0.4", "-1", "0"]
        );
    }
}
