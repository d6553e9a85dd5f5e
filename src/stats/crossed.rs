//! The uncertainty from seeds *and* from the examples of the test split.
//!
//! A study measures all arms on one test split. Seeds average the training's chance away, not the
//! split's: with 1,000 rows an accuracy is known to about 1 point however many seeds there are. The
//! crossed ("pigeonhole") bootstrap resamples seeds and examples independently (Owen 2007, "The
//! pigeonhole bootstrap", Ann. Appl. Stat. 1); it errs on the safe side.

use super::{Interval, student_quantile, summarise};
use rand::{Rng, RngExt};

/// An interval of the mean of `values[seed][example]`, for seeds and examples that were not drawn:
/// `estimate -+ t(n - 1) SE sqrt(n / (n - 1))` with n seeds. For a difference of two arms the values
/// are 1 where the first one alone is right, -1 where the second one is, else 0. `None` for less
/// than two seeds or examples, or rows of unequal length.
pub fn crossed_interval(
    values: &[Vec<i8>],
    confidence: f64,
    replicates: usize,
    rng: &mut impl Rng,
) -> Option<Interval> {
    let (seeds, examples) = (values.len(), values.first()?.len());
    if seeds < 2 || examples < 2 || values.iter().any(|row| row.len() != examples) {
        return None;
    }
    let total = (seeds * examples) as f64;
    let sum = |row: &Vec<i8>| row.iter().map(|value| i64::from(*value)).sum::<i64>();
    let estimate = values.iter().map(sum).sum::<i64>() as f64 / total;
    let mut weights = vec![0i32; examples];
    let mut means = Vec::with_capacity(replicates);
    for _ in 0..replicates {
        weights.fill(0);
        (0..examples).for_each(|_| weights[rng.random_range(0..examples)] += 1);
        let mut sum = 0i64;
        for _ in 0..seeds {
            let row = &values[rng.random_range(0..seeds)];
            let weighted = row.iter().zip(&weights).map(|(value, times)| i32::from(*value) * times);
            sum += i64::from(weighted.sum::<i32>());
        }
        means.push(sum as f64 / total);
    }
    let widened = (seeds as f64 / (seeds - 1) as f64).sqrt();
    let error = summarise(&means)?.sd? * widened;
    let reach = student_quantile(seeds, 0.5 + confidence / 2.0) * error;
    Some(Interval { low: estimate - reach, high: estimate + reach })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::summarise;
    use crate::stats::tests::{generator, normals};

    /// Differences of -1, 0 and 1 with mean 0 over all seeds and examples, from a part of the seed,
    /// one of the example and one of both.
    fn study(seeds: usize, examples: usize, rng: &mut rand_chacha::ChaCha8Rng) -> Vec<Vec<i8>> {
        let of_example = normals(rng, examples, 0.0, 0.6);
        let of_seed = normals(rng, seeds, 0.0, 0.15);
        let cut = |value: f64| i8::from(value > 0.8) - i8::from(value < -0.8);
        let row = |seed: &f64| {
            let noise = normals(rng, examples, 0.0, 0.4);
            noise.iter().zip(&of_example).map(|(n, e)| cut(n + e + seed)).collect()
        };
        of_seed.iter().map(row).collect()
    }

    #[test]
    fn it_covers_the_truth_of_all_seeds_and_examples() {
        let mut rng = generator(11);
        let (mut covered, mut width, mut means) = (0, 0.0, Vec::new());
        for _ in 0..400 {
            let values = study(5, 150, &mut rng);
            let interval = crossed_interval(&values, 0.95, 100, &mut rng).unwrap();
            covered += usize::from(interval.contains(0.0));
            width += (interval.high - interval.low) / 400.0;
            means.push(values.iter().flatten().map(|v| f64::from(*v)).sum::<f64>() / 750.0);
        }
        assert!(covered > 372, "{covered} of 400");
        // Not by being wide: four standard errors are what an interval needs that knows them.
        let needed = 4.0 * summarise(&means).unwrap().sd.unwrap();
        assert!(width < 2.0 * needed, "{width} where {needed} would do");
    }

    #[test]
    fn few_examples_widen_it_where_an_interval_over_seeds_sees_nothing() {
        // Each seed gets the same examples right: over seeds there is no spread at all.
        let row: Vec<i8> = (0..100).map(|example| i8::from(example % 4 == 0)).collect();
        let interval = crossed_interval(&vec![row; 4], 0.95, 400, &mut generator(12)).unwrap();
        assert!(interval.contains(0.25) && interval.high - interval.low > 0.15, "{interval:?}");
        assert_eq!(crossed_interval(&[vec![0; 10]], 0.95, 10, &mut generator(1)), None);
        assert_eq!(crossed_interval(&[vec![0; 9], vec![0; 8]], 0.95, 9, &mut generator(1)), None);
    }
}
