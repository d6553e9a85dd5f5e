//! Bounds that decide how an arm stands.

use super::Scale;
use crate::stats::Interval;

/// More digits than this show what is 0 but for rounding.
const MORE_DIGITS: usize = 6;

impl Scale {
    /// As [`Scale::signed_to`], of a bound: one that is not 0 is not shown as 0.
    pub(in crate::report) fn bound_to(self, turned: f64, decimals: usize) -> String {
        let is_zero = |text: &String| text.bytes().all(|b| !b.is_ascii_digit() || b == b'0');
        let mut texts = (decimals..=decimals + MORE_DIGITS).map(|of| self.signed_to(turned, of));
        let shown = texts.find(|text| !turned.is_finite() || !is_zero(text));
        shown.unwrap_or_else(|| self.signed_to(turned, decimals))
    }

    /// `-3.10 to +1.90`
    pub(in crate::report) fn signed_range(self, turned: Interval) -> String {
        let Interval { low, high } = turned;
        let (low, high) = if self.falls() { (high, low) } else { (low, high) };
        format!("{} to {}", self.bound_to(low, 2), self.bound_to(high, 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Metric;

    #[test]
    fn a_bound_that_decides_is_not_rounded_onto_0() {
        let accuracy = Scale::new(Metric::Accuracy.info(), Some(0.005));
        let bounds = [-0.00007, 0.0, 0.000_000_1, -0.0063, 1e-17];
        assert_eq!(
            bounds.map(|of| accuracy.bound_to(of, 1)),
            ["-0.01", "0.0", "+0.00001", "-0.6", "0.0"]
        );
        assert_eq!(
            accuracy.signed_range(Interval { low: -0.01, high: -0.00002 }),
            "-1.00 to -0.002"
        );
        assert_eq!(Scale::new(Metric::Rmse.info(), Some(0.3)).bound_to(-0.004, 1), "+0.004");
    }
}
