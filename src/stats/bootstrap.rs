//! Intervals of any statistic by resampling whole seeds.
//!
//! A resample draws as many seeds as there are, with replacement; the statistic is computed anew
//! from it (Efron and Tibshirani 1993, "An introduction to the bootstrap"). Percentiles of the resamples
//! are too narrow with few seeds, as the tests measure; [`Bootstrap::t_interval`] takes from them the
//! standard error alone, with t for the number of seeds.

use super::Interval;
use rand::{Rng, RngExt};
use statrs::distribution::ContinuousCDF;

/// A statistic of resampled seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    /// Of the seeds as they are.
    pub estimate: f64,
    count: usize,
    /// Of each resample in which it exists.
    values: Vec<f64>,
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
    Some(Bootstrap { estimate, count, values, asked: replicates })
}

impl Bootstrap {
    /// The share of resamples in which the statistic exists.
    pub fn share_defined(&self) -> f64 {
        self.values.len() as f64 / self.asked.max(1) as f64
    }

    /// `estimate -+ t(n - 1) SE sqrt(n / (n - 1))`, SE being the spread of the resamples, which is
    /// too small by that factor. Something else that makes the estimate uncertain, with its variance and
    /// degrees of freedom, is added; t is the mean of both weighted by the variances (Cochran and Cox).
    pub fn t_interval(&self, confidence: f64, more: Option<(f64, f64)>) -> Option<Interval> {
        let n = self.count as f64;
        let seeds = (super::summarise(&self.values)?.sd? * (n / (n - 1.0)).sqrt()).powi(2);
        let share = 0.5 + confidence / 2.0;
        let (rest, freedom) = more.unwrap_or((0.0, 1.0));
        let [of_seeds, of_rest] =
            [n - 1.0, freedom].map(|freedom| super::student(freedom).inverse_cdf(share));
        let quantile = match rest > 0.0 {
            true => (seeds * of_seeds + rest * of_rest) / (seeds + rest),
            false => of_seeds,
        };
        let reach = quantile * (seeds + rest).sqrt();
        let interval = Interval { low: self.estimate - reach, high: self.estimate + reach };
        (self.count > 1).then_some(interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, near, normals};

    fn mean_of(values: &[f64], drawn: &[usize]) -> f64 {
        drawn.iter().map(|index| values[*index]).sum::<f64>() / drawn.len() as f64
    }

    /// What is commonly taken for an interval: the middle 95 % of the resamples.
    fn percentiles(bootstrap: &Bootstrap) -> Interval {
        let mut sorted = bootstrap.values.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted[(share * (sorted.len() - 1) as f64).round() as usize];
        Interval { low: at(0.025), high: at(0.975) }
    }

    #[test]
    fn with_five_seeds_percentiles_cover_too_little_and_t_with_their_spread_enough() {
        let mut rng = generator(10);
        let (mut narrow, mut wide) = (0, 0);
        for _ in 0..1000 {
            let values = normals(&mut rng, 5, 0.0, 1.0);
            let drawn = |drawn: &[usize]| Some(mean_of(&values, drawn));
            let bootstrap = resamples(5, 300, drawn, &mut rng).unwrap();
            narrow += usize::from(percentiles(&bootstrap).contains(0.0));
            wide += usize::from(bootstrap.t_interval(0.95, None).unwrap().contains(0.0));
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
        assert_eq!(one.t_interval(0.9, None), None);
    }
}
