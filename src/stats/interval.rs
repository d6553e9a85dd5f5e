//! Intervals, one-sided bounds and p values of a mean, after Student 1908, "The probable error of
//! a mean", Biometrika 6.
//!
//! ```text
//! interval      mean -+ t(1 - alpha / 2; n - 1) sd / sqrt(n)
//! lower bound   mean  - t(1 - alpha;     n - 1) sd / sqrt(n)
//! p             2 P(T > |mean - null| sqrt(n) / sd)
//! ```
//!
//! Paired data enter as differences: what a seed does to both arms cancels.
//!
//! Where the noise R of m rows counts too ([`Summary::rows`]), the standard error is sqrt(S^2 + R^2), S
//! being `sd / sqrt(n)`, and t the mean of both quantiles that Cochran and Cox give for a sum of two
//! variances ("Experimental designs", 1950): `(S^2 t(n - 1) + R^2 t(m - 1)) / (S^2 + R^2)`. It errs on
//! the safe side; Satterthwaite's degrees of freedom do not: with three seeds they covered 91.5 % in the
//! simulation that the tests of `rows` repeat.

use super::{Summary, normal, student, student_quantile};
use serde::{Deserialize, Serialize};
use statrs::distribution::ContinuousCDF;
use std::cmp::Ordering;

/// Two ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a value lies in it.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Where an interval lies beside 0; `Equal` if it holds 0, or there is none.
pub fn side(interval: Option<Interval>) -> Ordering {
    match interval {
        Some(interval) if interval.low > 0.0 => Ordering::Greater,
        Some(interval) if interval.high < 0.0 => Ordering::Less,
        _ => Ordering::Equal,
    }
}

impl Summary {
    /// The same with a spread of at least `sd`, if it has one. For values that are counted in steps
    /// (correct rows out of n): equal ones are known to the step only.
    #[must_use]
    pub fn with_spread_of_at_least(mut self, sd: f64) -> Self {
        self.sd = self.sd.map(|found| found.max(sd));
        self
    }

    /// The same as if no other rows than these were asked about.
    #[must_use]
    pub fn over_seeds(self) -> Self {
        Self { rows: None, ..self }
    }

    /// The standard error of the mean; `None` for one value.
    pub fn standard_error(&self) -> Option<f64> {
        let [seeds, rows] = self.variances(self.count)?;
        Some((seeds + rows).sqrt())
    }

    /// The variance of the mean of so many seeds with this spread, from seeds and from rows.
    pub(super) fn variances(&self, count: usize) -> Option<[f64; 2]> {
        let rows = self.rows.map_or(0.0, |rows| rows.error.powi(2));
        Some([self.sd?.powi(2) / count as f64, rows])
    }

    /// The value below which the mean lies in this share of studies, in standard errors from the truth.
    fn quantile(&self, share: f64) -> f64 {
        let of_seeds = student_quantile(self.count, share);
        match (self.variances(self.count), self.rows) {
            (Some([seeds, rows]), Some(noise)) if rows > 0.0 => {
                (seeds * of_seeds + rows * student_quantile(noise.rows, share)) / (seeds + rows)
            }
            _ => of_seeds,
        }
    }

    /// The share that [`Self::quantile`] gives this value for.
    fn share_below(&self, quantile: f64) -> f64 {
        if self.rows.is_none() {
            return student(self.count.max(2) as f64 - 1.0).cdf(quantile);
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            match self.quantile(middle) < quantile {
                true => low = middle,
                false => high = middle,
            }
        }
        f64::midpoint(low, high)
    }

    /// The t interval that covers the true mean with this confidence; `None` for one value.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let reach = self.reach(0.5 + confidence / 2.0)?;
        Some(Interval { low: self.mean - reach, high: self.mean + reach })
    }

    /// The true mean exceeds this with this confidence; `None` for one value.
    pub fn lower_bound(&self, confidence: f64) -> Option<f64> {
        Some(self.mean - self.reach(confidence)?)
    }

    /// The true mean is below this with this confidence; `None` for one value.
    pub fn upper_bound(&self, confidence: f64) -> Option<f64> {
        Some(self.mean + self.reach(confidence)?)
    }

    fn reach(&self, share: f64) -> Option<f64> {
        Some(self.quantile(share) * self.standard_error()?)
    }

    /// The p value of "the true mean is `null`", two-sided; `None` for one value.
    pub fn p_value(&self, null: f64) -> Option<f64> {
        let above = self.p_above(null)?;
        Some((2.0 * above.min(1.0 - above)).min(1.0))
    }

    /// The p value of "the true mean is at most `null`"; `None` for one value.
    pub fn p_above(&self, null: f64) -> Option<f64> {
        let (error, distance) = (self.standard_error()?, self.mean - null);
        Some(match error > 0.0 {
            true => self.share_below(-distance / error),
            // No spread at all: on the null nothing speaks against it, beside it everything.
            false if distance.abs() > 0.0 => f64::from(distance < 0.0),
            false => 0.5,
        })
    }
}

/// The interval of the true share when `share` of `n` independent examples have a property (Wilson
/// 1927, JASA 22): it says something at 0 and 1 too. No number of seeds makes it narrower.
pub fn wilson_interval(share: f64, n: usize, confidence: f64) -> Interval {
    let (n, z) = (n.max(1) as f64, normal().inverse_cdf(0.5 + confidence / 2.0));
    let middle = share + z * z / (2.0 * n);
    let reach = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let shrunk = |end: f64| (end / (1.0 + z * z / n)).clamp(0.0, 1.0);
    Interval { low: shrunk(middle - reach), high: shrunk(middle + reach) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, near, normals};
    use crate::stats::{RowNoise, summarise};

    /// `a - b`, pair by pair.
    fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
        a.iter().zip(b).map(|(a, b)| a - b).collect()
    }

    /// `scipy.stats.ttest_1samp(x, 0)` and its `.confidence_interval(0.95)` for
    /// `x = [0.012, -0.003, 0.007, 0.009, 0.001]`; the one-sided ones with `alternative="greater"`.
    #[test]
    fn intervals_bounds_and_p_values_are_those_of_scipy() {
        let summary = summarise(&[0.012, -0.003, 0.007, 0.009, 0.001]).unwrap();
        let interval = summary.interval(0.95).unwrap();
        near(interval.low, SCIPY[0], 1e-12);
        near(interval.high, SCIPY[1], 1e-12);
        near(summary.p_value(0.0).unwrap(), SCIPY[2], 1e-10);
        near(summary.lower_bound(0.95).unwrap(), SCIPY[3], 1e-12);
        near(summary.p_above(-0.005).unwrap(), SCIPY[4], 1e-10);
        near(summary.upper_bound(0.95).unwrap(), 2.0 * summary.mean - SCIPY[3], 1e-12);
    }
    const SCIPY: [f64; 5] = [
        -0.0023731325632789027,
        0.012773132563278904,
        0.12927936520078329,
        -0.0006149027644116447,
        0.010064895469405177,
    ];

    #[test]
    fn a_95_percent_interval_covers_the_truth_in_95_percent_of_the_cases() {
        let mut rng = generator(1);
        for count in [2, 3, 5, 10] {
            let covers = |_| {
                let values = normals(&mut rng, count, 0.3, 2.0);
                usize::from(summarise(&values).unwrap().interval(0.95).unwrap().contains(0.3))
            };
            let share = (0..4000).map(covers).sum::<usize>() as f64 / 4000.0;
            near(share, 0.95, 0.011); // three standard errors of the simulation
        }
    }

    #[test]
    fn two_arms_that_are_the_same_are_told_apart_in_5_percent_and_different_ones_mostly() {
        let mut rng = generator(2);
        let mut rejected = |effect: f64| {
            let rejects = |_| {
                // What the seed does to both is three times what sets them apart.
                let seed = normals(&mut rng, 8, 0.8, 0.03);
                let noisy = |base: &[f64], noise: Vec<f64>| -> Vec<f64> {
                    base.iter().zip(noise).map(|(base, noise)| base + noise).collect()
                };
                let a = noisy(&seed, normals(&mut rng, 8, effect, 0.01));
                let b = noisy(&seed, normals(&mut rng, 8, 0.0, 0.01));
                let p = summarise(&differences(&a, &b)).unwrap().p_value(0.0).unwrap();
                usize::from(p < 0.05)
            };
            (0..4000).map(rejects).sum::<usize>() as f64 / 4000.0
        };
        near(rejected(0.0), 0.05, 0.011);
        assert!(rejected(0.02) > 0.9);
    }

    #[test]
    fn with_noise_of_rows_the_p_value_and_the_interval_agree_and_the_ends_are_those_of_either_alone()
     {
        let of = |sd, error| Summary {
            count: 4,
            mean: 0.01,
            sd: Some(sd),
            rows: Some(RowNoise { rows: 500, error, block: 1 }),
        };
        for (sd, error) in [(0.01, 0.004), (0.001, 0.004), (0.01, 0.0)] {
            let interval = of(sd, error).interval(0.95).unwrap();
            for end in [interval.low, interval.high] {
                near(of(sd, error).p_value(end).unwrap(), 0.05, 1e-9);
            }
        }
        let reach = |sd, error| of(sd, error).interval(0.95).unwrap().high - 0.01;
        near(
            reach(0.01, 0.0),
            of(0.01, 0.0).over_seeds().interval(0.95).unwrap().high - 0.01,
            1e-12,
        );
        near(reach(0.0, 0.004), 0.004 * student_quantile(500, 0.975), 1e-12);
    }

    #[test]
    fn one_value_has_no_interval_and_equal_values_have_one_without_width() {
        assert_eq!(summarise(&[0.1]).unwrap().interval(0.95), None);
        assert_eq!(summarise(&[0.1]).unwrap().p_value(0.0), None);
        let same = summarise(&[0.25; 4]).unwrap();
        assert_eq!(same.interval(0.95), Some(Interval { low: 0.25, high: 0.25 }));
        near(same.p_value(0.25).unwrap(), 1.0, 0.0);
        near(same.p_value(0.2).unwrap(), 0.0, 0.0);
        let widened = same.with_spread_of_at_least(0.01).interval(0.95).unwrap();
        assert!(widened.low < 0.25 && widened.high > 0.25);
    }

    #[test]
    fn the_interval_of_a_share_says_something_at_its_ends_too() {
        // 15 of 20 and 20 of 20 by hand; 1.96 sqrt(p (1 - p) / n) for many examples.
        let of = |share, n| wilson_interval(share, n, 0.95);
        near(of(0.75, 20).low, 0.5313, 1e-4);
        near(of(0.75, 20).high, 0.8881, 1e-4);
        near(of(1.0, 20).low, 20.0 / (20.0 + 3.8415), 1e-4);
        near(of(1.0, 20).high, 1.0, 0.0);
        near(of(0.86, 25_000).high - 0.86, 1.96 * 0.0021945, 1e-4);
    }
}
