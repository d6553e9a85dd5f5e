//! What the rows of a split add to the uncertainty of a mean over seeds.
//!
//! A study measures all arms on one test split. Seeds average the training's chance away, not the
//! split's: with 1,000 rows an accuracy is known to about 1 point however many seeds there are. With
//! x_ij what seed i makes of row j, n seeds, m rows, r_i and c_j the means of a seed and of a row,
//!
//! ```text
//! S^2 = sum (r_i - x)^2 / (n (n - 1))                       seeds alone, as every t interval has it
//! R^2 = sum (c_j - x)^2 / (m (m - 1))                       rows alone
//! I^2 = sum (x_ij - r_i - c_j + x)^2 / (n m (n - 1) (m - 1))  what S^2 and R^2 both hold
//!
//! Var(x) = S^2 + R^2 - I^2                                  for seeds and rows that were not drawn
//! ```
//!
//! the two-way analysis of variance with both ways random, as readers and cases are in medicine (Gallas
//! 2006, "One-shot estimate of MRMC variance", Acad. Radiol. 13). R^2 - I^2, at least 0, is the part of
//! the rows.
//!
//! Rows that share something, as windows of one series do, are not drawn one by one: taken for it, 30
//! windows that overlap would count for 30 rows where they are little more than one. Then x_ij is the
//! mean of a block of neighbouring rows, as wide as a window, and m the number of blocks.

use super::{Interval, student_quantile};
use serde::Serialize;

/// The part of a mean's variance that more seeds do not lower.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RowNoise {
    /// On which the mean was measured.
    pub rows: usize,
    /// The standard error of the mean from them alone.
    pub error: f64,
    /// Neighbouring rows that are taken as one, since they share something; then `rows` counts such
    /// blocks.
    #[serde(skip_serializing_if = "is_one")]
    pub block: usize,
}

fn is_one(block: &usize) -> bool {
    *block == 1
}

impl RowNoise {
    /// Where each row equals `copies` rows on average, itself counted: they tell of others as fewer rows do.
    pub fn of_equal_rows(self, copies: f64) -> Self {
        Self { error: self.error * copies.sqrt(), ..self }
    }

    /// What the rows alone leave open of a mean, however many seeds there are.
    pub fn interval(&self, mean: f64, confidence: f64) -> Interval {
        let reach = student_quantile(self.rows, 0.5 + confidence / 2.0) * self.error;
        Interval { low: mean - reach, high: mean + reach }
    }
}

/// That of the mean of `value(seed, row)`: 1 where a run is right and 0 where it is wrong, or a
/// weighted sum of several runs of that seed. `None` for less than two seeds or rows, and where no row
/// tells of others: all right, or no difference anywhere.
pub fn row_noise(
    seeds: usize,
    rows: usize,
    value: impl Fn(usize, usize) -> f64,
) -> Option<RowNoise> {
    if seeds < 2 || rows < 2 {
        return None;
    }
    let (n, m) = (seeds as f64, rows as f64);
    let mut of_rows = vec![0.0; rows];
    let (mut squares, mut of_seeds) = (0.0, 0.0);
    for seed in 0..seeds {
        let mut sum = 0.0;
        for (row, total) in of_rows.iter_mut().enumerate() {
            let value = value(seed, row);
            *total += value / n;
            sum += value;
            squares += value * value;
        }
        of_seeds += (sum / m).powi(2);
    }
    let mean = of_rows.iter().sum::<f64>() / m;
    let spread: f64 = of_rows.iter().map(|value| (value - mean).powi(2)).sum();
    let both = squares - m * of_seeds - n * (spread + m * mean * mean) + n * m * mean * mean;
    let rows_alone = spread / (m * (m - 1.0));
    let shared = both.max(0.0) / (n * m * (n - 1.0) * (m - 1.0));
    let error = (rows_alone - shared).max(0.0).sqrt();
    (spread > 0.0).then_some(RowNoise { rows, error, block: 1 })
}

/// The same where rows share something with their neighbours: each `block` rows, of which the last may
/// be some more, are taken as one. `None` for less than two blocks, too.
pub fn block_noise(
    seeds: usize,
    rows: usize,
    block: usize,
    value: impl Fn(usize, usize) -> f64,
) -> Option<RowNoise> {
    if block <= 1 {
        return row_noise(seeds, rows, value);
    }
    let blocks = rows / block;
    let mean = |seed: usize, at: usize| {
        let (from, to) = (at * rows / blocks, (at + 1) * rows / blocks);
        (from..to).map(|row| value(seed, row)).sum::<f64>() / (to - from) as f64
    };
    row_noise(seeds, blocks, mean).map(|noise| RowNoise { block, ..noise })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, near, normals};
    use crate::stats::{Summary, summarise};
    use rand_chacha::ChaCha8Rng;

    /// Differences of -1, 0 and 1 with mean 0 over all seeds and rows, from a part of the seed, one of
    /// the row and one of both.
    fn study(seeds: usize, rows: usize, of_seed: f64, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
        let of_row = normals(rng, rows, 0.0, 0.6);
        let of_seed = normals(rng, seeds, 0.0, of_seed);
        let cut = |value: f64| f64::from(i8::from(value > 0.8) - i8::from(value < -0.8));
        let row = |seed: &f64| {
            let noise = normals(rng, rows, 0.0, 0.4);
            noise.iter().zip(&of_row).map(|(n, e)| cut(n + e + seed)).collect()
        };
        of_seed.iter().map(row).collect()
    }

    /// The mean over seeds, with the noise of the rows.
    fn mean(values: &[Vec<f64>]) -> Summary {
        let of_seeds: Vec<f64> =
            values.iter().map(|row| row.iter().sum::<f64>() / row.len() as f64).collect();
        let rows = row_noise(values.len(), values[0].len(), |seed, row| values[seed][row]);
        Summary { rows, ..summarise(&of_seeds).unwrap() }
    }

    #[test]
    fn its_interval_covers_the_truth_of_all_seeds_and_rows() {
        // Rows alone matter, both, seeds alone.
        for (seeds, of_seed) in [(2, 0.05), (3, 0.01), (5, 0.15), (3, 0.15), (5, 1.0)] {
            let mut rng = generator(11);
            let (mut covered, mut width, mut means) = (0, 0.0, Vec::new());
            for _ in 0..1000 {
                let found = mean(&study(seeds, 150, of_seed, &mut rng));
                let interval = found.interval(0.95).unwrap();
                covered += usize::from(interval.contains(0.0));
                width += (interval.high - interval.low) / 1000.0;
                means.push(found.mean);
            }
            assert!((930..=990).contains(&covered), "{covered} of 1000 with {seeds}, {of_seed}");
            // Not by being wide: four standard errors are what an interval needs that knows them. With
            // two seeds t alone is more than three times as wide.
            let needed = 4.0 * summarise(&means).unwrap().sd.unwrap();
            assert!(seeds == 2 || width < 2.0 * needed, "{width} where {needed} would do");
        }
    }

    /// numpy, of `[[1, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 1]]`: `c.var(ddof=1) / 4` less
    /// `((x - r[:, None] - c + x.mean()) ** 2).sum() / (3 * 4 * 2 * 3)`, c and r being the means of
    /// columns and rows.
    #[test]
    fn it_is_what_rows_alone_add() {
        let values = [[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 1.0]];
        let found = row_noise(3, 4, |seed, row| values[seed][row]).unwrap();
        near(found.error.powi(2), NUMPY, 1e-12);
        // Every seed gets the same rows right: over seeds there is no spread, and the rows are all.
        let of_row = |_: usize, row: usize| f64::from(u8::from(row.is_multiple_of(4)));
        let found = row_noise(4, 100, of_row).unwrap();
        near(found.error, (0.25f64 * 0.75 / 99.0).sqrt(), 1e-12);
        assert_eq!(row_noise(1, 10, of_row), None);
        assert_eq!(row_noise(4, 100, |_, _| 1.0), None, "nothing tells of other rows");
        let interval = RowNoise { rows: 500, error: 0.01, block: 1 }.interval(0.8, 0.95);
        near(interval.low, 0.8 - 1.9647 * 0.01, 1e-5);
    }

    /// Windows of 20 steps at stride 1: each row is an average over steps that its neighbours have too.
    /// Of 300 test rows, 150 are 15 that come ten times each.
    #[test]
    fn equal_rows_cover_the_truth_as_clusters_and_not_as_rows() {
        const SEEDS: usize = 3;
        let mut rng = generator(29);
        let (mut as_clusters, mut as_rows) = (0, 0);
        for _ in 0..400 {
            let hard: Vec<f64> = normals(&mut rng, 165, 0.0, 1.0);
            // The first 15 rows come ten times each.
            let row_of: Vec<usize> = (0..150).map(|at| at / 10).chain(15..165).collect();
            let noise = normals(&mut rng, SEEDS * 165, 0.0, 0.3);
            let right = |seed: usize, at: usize| {
                let row = row_of[at];
                f64::from(u8::from(hard[row] + noise[seed * 165 + row] < 0.8))
            };
            let found = row_noise(SEEDS, 300, right).unwrap();
            let all = (0..SEEDS).flat_map(|seed| (0..300).map(move |at| right(seed, at)));
            let mean = all.sum::<f64>() / (SEEDS * 300) as f64;
            // P(N(0, 1 + 0.09) < 0.8)
            let truth = 0.7782;
            let copies = (15.0 * 100.0 + 150.0) / 300.0;
            as_rows += usize::from(found.interval(mean, 0.95).contains(truth));
            let interval = found.of_equal_rows(copies).interval(mean, 0.95);
            as_clusters += usize::from(interval.contains(truth));
        }
        assert!(as_clusters >= 368, "{as_clusters} of 400 as clusters");
        assert!(as_rows < 300, "{as_rows} of 400 as rows");
    }

    #[test]
    fn blocks_of_rows_that_overlap_cover_the_truth_and_single_rows_do_not() {
        const WINDOW: usize = 20;
        let mut rng = generator(5);
        let covered = |block: usize, rng: &mut ChaCha8Rng| {
            let cover = |rng: &mut ChaCha8Rng| {
                let series = normals(rng, 600 + WINDOW, 0.0, 1.0);
                let sums: Vec<f64> = series.windows(WINDOW).map(|part| part.iter().sum()).collect();
                let right = |_: usize, row: usize| f64::from(u8::from(sums[row] > 0.0));
                let noise = block_noise(3, 600, block, right).unwrap();
                let mean = (0..600).map(|row| right(0, row)).sum::<f64>() / 600.0;
                noise.interval(mean, 0.95).contains(0.5)
            };
            (0..400).filter(|_| cover(rng)).count()
        };
        let (by_block, by_row) = (covered(WINDOW, &mut rng), covered(1, &mut rng));
        assert!(by_block >= 352, "{by_block} of 400 by block");
        assert!(by_row <= 200, "{by_row} of 400 by row");
        assert_eq!(block_noise(3, 30, 20, |_, row| row as f64), None, "one block tells nothing");
    }

    const NUMPY: f64 = 0.027777777777777783;
}
