//! Intervals of any statistic by resampling whole seeds.
//!
//! A resample draws as many seeds as there are, with replacement; the statistic is computed anew
//! from it. Efron and Tibshirani 1993, "An introduction to the bootstrap": percentile (chapter 13)
//! and BCa (chapter 14), which corrects bias and skewness:
//!
//! ```text
//! z0 = Phi^-1(share of resamples below the estimate)
//! a  = sum d^3 / (6 (sum d^2)^1.5),  d = mean of the leave-one-out values - each of them
//! end at share  Phi(z0 + (z0 + z) / (1 - a (z0 + z)))  instead of Phi(z)
//! ```
//!
//! With few seeds these intervals are too narrow. [`Bootstrap::t_interval`] takes from the
//! resamples the standard error alone, with t for the number of seeds.

use super::{Interval, normal, student_quantile};
use rand::{Rng, RngExt};
use statrs::distribution::ContinuousCDF;

/// A statistic of resampled seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    /// Of the seeds as they are.
    pub estimate: f64,
    count: usize,
    /// Of each resample in which it exists, sorted.
    values: Vec<f64>,
    /// Of the seeds without one each.
    without_one: Vec<f64>,
    asked: usize,
}

/// Resamples the numbers from 0 to `count - 1`. The statistic may not exist for some resamples (a
/// fit that fails); `None` when it does not exist for the seeds as they are.
pub fn resamples(
    count: usize,
    replicates: usize,
    mut statistic: impl FnMut(&[usize]) -> Option<f64>,
    rng: &mut impl Rng,
) -> Option<Bootstrap> {
    let all: Vec<usize> = (0..count).collect();
    let estimate = statistic(&all)?;
    let mut drawn = vec![0; count];
    let mut values = Vec::with_capacity(replicates);
    for _ in 0..replicates {
        drawn.iter_mut().for_each(|index| *index = rng.random_range(0..count));
        values.extend(statistic(&drawn));
    }
    values.sort_by(f64::total_cmp);
    let without = |left_out: &usize| {
        let rest: Vec<usize> = all.iter().copied().filter(|index| index != left_out).collect();
        statistic(&rest)
    };
    let without_one = if count > 1 { all.iter().filter_map(without).collect() } else { vec![] };
    Some(Bootstrap { estimate, count, values, without_one, asked: replicates })
}

impl Bootstrap {
    /// The share of resamples in which the statistic exists.
    pub fn share_defined(&self) -> f64 {
        self.values.len() as f64 / self.asked.max(1) as f64
    }

    /// The percentile interval; `None` for one seed.
    pub fn percentile(&self, confidence: f64) -> Option<Interval> {
        let tail = (1.0 - confidence) / 2.0;
        self.between(tail, 1.0 - tail)
    }

    /// The BCa interval; the percentile one where the correction is not defined.
    pub fn bca(&self, confidence: f64) -> Option<Interval> {
        let tail = (1.0 - confidence) / 2.0;
        match (self.corrected(tail), self.corrected(1.0 - tail)) {
            (Some(low), Some(high)) => self.between(low, high),
            _ => self.percentile(confidence),
        }
    }

    /// `estimate -+ t(n - 1) SE sqrt(n / (n - 1))`, SE being the spread of the resamples, which is
    /// too small by that factor.
    pub fn t_interval(&self, confidence: f64) -> Option<Interval> {
        let n = self.count as f64;
        let error = super::summarise(&self.values)?.sd? * (n / (n - 1.0)).sqrt();
        let reach = student_quantile(self.count, 0.5 + confidence / 2.0) * error;
        let interval = Interval { low: self.estimate - reach, high: self.estimate + reach };
        (self.count > 1).then_some(interval)
    }

    fn between(&self, low: f64, high: f64) -> Option<Interval> {
        let (low, high) = (quantile(&self.values, low)?, quantile(&self.values, high)?);
        (self.count > 1).then_some(Interval { low, high })
    }

    /// The share of the resamples at which BCa puts the end whose nominal share is `share`.
    fn corrected(&self, share: f64) -> Option<f64> {
        let below = self.values.iter().filter(|value| **value < self.estimate).count() as f64;
        let level = self.values.iter().filter(|value| **value <= self.estimate).count() as f64;
        let middle = (below + level) / 2.0 / self.values.len() as f64;
        if self.without_one.len() < self.count || middle <= 0.0 || middle >= 1.0 {
            return None;
        }
        let mean = self.without_one.iter().sum::<f64>() / self.count as f64;
        let powers = |power: i32| -> f64 {
            self.without_one.iter().map(|value| (mean - value).powi(power)).sum()
        };
        let acceleration = match powers(2) > 0.0 {
            true => powers(3) / (6.0 * powers(2).powf(1.5)),
            false => 0.0,
        };
        let bias = normal().inverse_cdf(middle);
        let z = bias + normal().inverse_cdf(share);
        let corrected = normal().cdf(bias + z / (1.0 - acceleration * z));
        corrected.is_finite().then_some(corrected)
    }
}

/// Linear between the sorted values, as numpy's default.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(below + (above - below) * at.fract())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, near, normals};

    fn mean_of(values: &[f64], drawn: &[usize]) -> f64 {
        drawn.iter().map(|index| values[*index]).sum::<f64>() / drawn.len() as f64
    }

    /// The share of samples of exponential numbers (mean 1) whose interval holds the true mean.
    fn coverage(count: usize, of: fn(&Bootstrap) -> Option<Interval>) -> f64 {
        let mut rng = generator(9);
        let covers = |_| {
            let values: Vec<f64> =
                normals(&mut rng, count, 0.0, 1.0).iter().map(|z| -normal().cdf(*z).ln()).collect();
            let drawn = |drawn: &[usize]| Some(mean_of(&values, drawn));
            let bootstrap = resamples(count, 300, drawn, &mut rng).unwrap();
            usize::from(of(&bootstrap).unwrap().contains(1.0))
        };
        (0..1000).map(covers).sum::<usize>() as f64 / 1000.0
    }

    #[test]
    fn skewed_numbers_are_covered_better_with_the_corrections() {
        let (percentile, bca) =
            (coverage(20, |b| b.percentile(0.95)), coverage(20, |b| b.bca(0.95)));
        assert!(percentile > 0.86 && percentile < 0.95, "{percentile}");
        assert!(bca > percentile - 0.005 && bca < 0.97, "{bca} against {percentile}");
    }

    #[test]
    fn with_five_seeds_percentiles_cover_too_little_and_t_with_their_spread_enough() {
        let mut rng = generator(10);
        let (mut narrow, mut wide) = (0, 0);
        for _ in 0..1000 {
            let values = normals(&mut rng, 5, 0.0, 1.0);
            let drawn = |drawn: &[usize]| Some(mean_of(&values, drawn));
            let bootstrap = resamples(5, 300, drawn, &mut rng).unwrap();
            narrow += usize::from(bootstrap.percentile(0.95).unwrap().contains(0.0));
            wide += usize::from(bootstrap.t_interval(0.95).unwrap().contains(0.0));
        }
        near(f64::from(u32::try_from(narrow).unwrap()) / 1000.0, 0.81, 0.04);
        near(f64::from(u32::try_from(wide).unwrap()) / 1000.0, 0.95, 0.02);
    }

    #[test]
    fn the_same_generator_gives_the_same_interval_and_failed_resamples_are_counted() {
        let values = [1.0, 2.0, 4.0, 8.0];
        let of = |seed: u64| {
            let statistic = |drawn: &[usize]| drawn.contains(&0).then(|| mean_of(&values, drawn));
            resamples(4, 2000, statistic, &mut generator(seed)).unwrap()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        near(of(1).share_defined(), 1.0 - 0.75f64.powi(4), 0.04);
        near(of(1).estimate, 3.75, 1e-15);
        assert!(resamples(4, 10, |_| None, &mut generator(1)).is_none());
        let one = resamples(1, 10, |_| Some(1.0), &mut generator(1)).unwrap();
        assert_eq!((one.percentile(0.9), one.bca(0.9), one.t_interval(0.9)), (None, None, None));
    }

    #[test]
    fn quantiles_are_linear_between_the_values() {
        near(quantile(&[1.0, 2.0, 4.0], 0.25).unwrap(), 1.5, 1e-15);
        near(quantile(&[1.0, 2.0, 4.0], 1.0).unwrap(), 4.0, 1e-15);
        assert_eq!(quantile(&[], 0.5), None);
    }
}
