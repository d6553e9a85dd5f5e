//! Numbers that 32 bits, in which all is computed, hardly tell apart: 1.7e9 + 1 and 1.7e9 + 2 are one there.
//!
//! One rule for all sources. A column is refused if rounding moves some value by more than a hundredth of the
//! range of all values, or of the range in which nine tenths of them lie, and different values become one.
//! Floats that differ by less than 1e-11 of their size are taken as constant: that is the rounding of 64 bits.

use crate::error::UserError;
use crate::format::count;
use std::cmp::Ordering;
use std::fmt::LowerExp;

/// Rounding may move a value by this share of the range; with more, too little is left of what the values say.
const COARSE: f64 = 0.01;

/// The range of nine tenths is computed from at most this many values, evenly spaced.
const SAMPLE: usize = 10_000;

/// A number with all its digits.
pub(super) trait Exact: Copy + LowerExp + ToString {
    /// Values with a range of at most this share of their size are constant but for rounding.
    const NOISE: f64;

    fn is_finite(self) -> bool;
    fn order(&self, other: &Self) -> Ordering;
    /// How much more it is.
    fn above(self, other: Self) -> f64;
    fn size(self) -> f64;
    fn rounded(self) -> f32;
    /// How far rounding to 32 bits moves it.
    fn error(self) -> f64;
}

impl Exact for f64 {
    const NOISE: f64 = 1e-11;

    fn is_finite(self) -> bool {
        Self::is_finite(self)
    }

    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }

    fn above(self, other: Self) -> f64 {
        self - other
    }

    fn size(self) -> f64 {
        self.abs()
    }

    fn rounded(self) -> f32 {
        self as f32
    }

    fn error(self) -> f64 {
        (self - Self::from(self as f32)).abs()
    }
}

impl Exact for i64 {
    const NOISE: f64 = 0.0;

    fn is_finite(self) -> bool {
        true
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn above(self, other: Self) -> f64 {
        (i128::from(self) - i128::from(other)) as f64
    }

    fn size(self) -> f64 {
        (self as f64).abs()
    }

    fn rounded(self) -> f32 {
        self as f32
    }

    fn error(self) -> f64 {
        (i128::from(self) - (self as f32) as i128).unsigned_abs() as f64
    }
}

/// A column of numbers that are written as texts.
#[derive(Debug)]
pub(super) enum Written {
    Whole(Vec<i64>),
    Floats(Vec<f64>),
}

impl Written {
    pub(super) fn new() -> Self {
        Self::Whole(Vec::new())
    }

    /// A text that is no number is left out: whoever reads the column tells of it.
    pub(super) fn push(&mut self, text: &str) {
        if let Self::Whole(values) = self {
            match text.parse() {
                Ok(value) => return values.push(value),
                Err(_) => *self = Self::Floats(values.iter().map(|value| *value as f64).collect()),
            }
        }
        if let Self::Floats(values) = self {
            values.extend(text.parse::<f64>().ok());
        }
    }

    /// As [`refuse`].
    pub(super) fn refuse(&self, called: &str) -> Result<(), UserError> {
        match self {
            Self::Whole(values) => refuse(called, values.iter().copied()),
            Self::Floats(values) => refuse(called, values.iter().copied()),
        }
    }
}

/// Refuses a column whose different values 32 bits take for one; what is not finite does not count.
pub(super) fn refuse<N: Exact>(
    called: &str,
    values: impl Iterator<Item = N> + Clone,
) -> Result<(), UserError> {
    let values = values.filter(|value| value.is_finite());
    let Some(first) = values.clone().next() else { return Ok(()) };
    let mut span = Span { low: first, high: first, error: 0.0 };
    let mut n = 0;
    for value in values.clone() {
        span.take_in(value);
        n += 1;
    }
    if span.error == 0.0 || !(span.is_coarse() || nearly_all(values.clone(), n).is_coarse()) {
        return Ok(());
    }
    let mut exact: Vec<N> = values.collect();
    exact.sort_unstable_by(N::order);
    exact.dedup_by(|a, b| a.order(b).is_eq());
    let mut rounded: Vec<u32> = exact.iter().map(|value| value.rounded().to_bits()).collect();
    rounded.dedup();
    if rounded.len() == exact.len() {
        return Ok(());
    }
    Err(UserError::new(
        format!(
            "{called} holds {} different values from {} to {}, of which 32 bits leave {}",
            count(exact.len() as u64),
            shown(span.low),
            shown(span.high),
            count(rounded.len() as u64)
        ),
        "all is computed with 32 bits, about 7 digits, and `data.scale` comes after that: subtract an offset \
         from the column before you save it, such as `x - x.min()`",
    ))
}

/// Where some values lie, and how far rounding moves one of them at most.
struct Span<N> {
    low: N,
    high: N,
    error: f64,
}

impl<N: Exact> Span<N> {
    fn take_in(&mut self, value: N) {
        if value.order(&self.low).is_lt() {
            self.low = value;
        }
        if value.order(&self.high).is_gt() {
            self.high = value;
        }
        self.error = self.error.max(value.error());
    }

    fn is_coarse(&self) -> bool {
        let range = self.high.above(self.low);
        range > N::NOISE * self.low.size().max(self.high.size()) && self.error > COARSE * range
    }
}

/// Of nine tenths of `n` values: a few far ones, such as a 0 for `none`, do not hide what the others lose.
fn nearly_all<N: Exact>(values: impl Iterator<Item = N>, n: usize) -> Span<N> {
    let mut sample: Vec<N> = values.step_by(n.div_ceil(SAMPLE)).collect();
    sample.sort_unstable_by(N::order);
    let inner = &sample[sample.len() / 20..sample.len() - sample.len() / 20];
    let mut span = Span { low: inner[0], high: inner[0], error: 0.0 };
    inner.iter().for_each(|value| span.take_in(*value));
    span
}

/// With all its digits, where these are few enough to be read.
fn shown<N: Exact>(value: N) -> String {
    if value.size() < 1e20 { value.to_string() } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<N: Exact>(values: &[N]) -> Option<String> {
        refuse("`y`", values.iter().copied()).err().map(|error| error.message)
    }

    #[test]
    fn values_that_32_bits_cannot_tell_apart_are_refused() {
        let large: Vec<f64> = (0..200).map(|at| 1.7e9 + f64::from(at % 7)).collect();
        assert_eq!(
            said(&large).unwrap(),
            "`y` holds 7 different values from 1700000000 to 1700000006, of which 32 bits leave 1"
        );
        let small: Vec<f64> = large.iter().map(|value| value - 1.7e9).collect();
        let few = [1.7e9 + 1.0, 1.7e9 + 200.0];
        let nearly = [1.0 / 3.0, 1.0 / 3.0 + 1e-16];
        for fine in [&small[..], &[1.7e9; 9], &nearly, &few, &[f64::NAN], &[]] {
            assert_eq!(said(fine), None);
        }
    }

    #[test]
    fn whole_numbers_are_told_apart_by_all_of_their_digits() {
        let wide: Vec<i64> = (0..9).map(|at| (1 << 62) + at).collect();
        assert!(said(&wide).unwrap().ends_with("of which 32 bits leave 1"));
        let years: Vec<i64> = (0..200).map(|at| 1_700_000_000 + 86_400 * at).collect();
        assert_eq!(said(&years), None, "seconds of days fit");
        assert_eq!(said(&[i64::MIN, i64::MAX, 0]), None);
    }

    #[test]
    fn a_few_far_values_do_not_hide_what_the_others_lose() {
        let mut values: Vec<f64> = (0..400).map(|at| 1.7e9 + f64::from(at) / 10.0).collect();
        values[77] = 0.0;
        values[300] = -1.0;
        assert!(said(&values).unwrap().starts_with("`y` holds 400 different values from -1 to 17"));
        let spread: Vec<f64> = (0..400).map(|at| (f64::from(at) / 20.0).exp()).collect();
        assert_eq!(said(&spread), None, "prices from 1 to 10^8");
        let rare: Vec<f64> = (0..400).map(|at| f64::from(u8::from(at % 50 == 0)) / 3.0).collect();
        assert_eq!(said(&rare), None);
    }

    #[test]
    fn numbers_in_texts_keep_their_digits_whole_or_not() {
        let said = |texts: &[&str]| {
            let mut written = Written::new();
            texts.iter().for_each(|text| written.push(text));
            written.refuse("`y`").err().map(|error| error.message)
        };
        let whole = ["4611686018427387904", "4611686018427387905", "4611686018427387907"];
        assert!(said(&whole).unwrap().ends_with("leave 1"));
        let mixed = ["1700000000", "1700000000.1", "1700000000.2"];
        assert!(
            said(&mixed).unwrap().starts_with("`y` holds 3 different values from 1700000000 to")
        );
        assert_eq!(said(&["0.1", "0.2", "n/a", "1e3"]), None);
    }
}
