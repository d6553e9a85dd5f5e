//! The gradient noise scale, from the gradients of tiles of examples.
//!
//! McCandlish, Kaplan and Amodei 2018, "An empirical model of large-batch training"
//! (arXiv:1812.06162): with G the true gradient and Sigma the covariance of the gradients of single
//! examples, a batch of B has the gradient G_B with
//!
//! ```text
//! E |G_B|^2   = |G|^2 + tr(Sigma) / B
//! noise scale = tr(Sigma) / |G|^2         the B at which noise and gradient are equally large
//! ```
//!
//! K tiles of b_k examples with mean gradients g_k, B = sum b_k, G_B = sum b_k g_k / B, give
//! estimates without bias:
//!
//! ```text
//! tr(Sigma) = (sum b_k |g_k|^2 - B |G_B|^2) / (K - 1)
//! |G|^2     = |G_B|^2 - tr(Sigma) / B
//! ```
//!
//! The examples count as drawn from all that there could be: that is what a new batch is drawn from
//! in the first epoch, and subtracting `tr(Sigma) / B` takes out what the draw added to |G_B|^2.
//!
//! The interval is Fieller's (1954, "Some problems in interval estimation"): every ratio r for which
//! `tr(Sigma) - r |G|^2` may be 0 by its t interval, with the variances and the covariance of the
//! jackknife that leaves out one block of tiles at a time. It has an upper end exactly when the
//! interval of |G|^2 lies above 0; else the data bound the noise scale from below alone.

use super::{Interval, student_quantile};
use serde::{Deserialize, Serialize};

/// tr(Sigma) / |G|^2, as far as the data bound it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NoiseScale {
    /// In examples; `None` when |G|^2 cannot be told from 0.
    pub value: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
    /// What it is at least, when there is no value.
    pub at_least: Option<f64>,
}

/// Noise and gradient at one point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GradientNoise {
    /// tr(Sigma), the variance of the gradient of one example, summed over the weights.
    pub trace: f64,
    /// |G|^2; by chance it may come out below 0.
    pub square: f64,
    /// Their ratio.
    pub scale: NoiseScale,
}

/// What is known of one block of tiles: sums over its tiles of sizes b and mean gradients g.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseBlock {
    /// Tiles.
    pub tiles: usize,
    /// Examples: sum b.
    pub examples: f64,
    /// sum b |g|^2
    pub squares: f64,
    /// sum b g
    pub sum: Vec<f32>,
}

/// Noise and gradient from blocks of tiles; `None` for fewer than two blocks. Each weight counts
/// with the square of its factor in `factors` (Adam's preconditioner), or with 1. `squares` of the
/// blocks must have been taken with the same factors.
///
/// Sums of gradients are combined in f64.
pub fn gradient_noise(blocks: &[NoiseBlock], factors: Option<&[f64]>) -> Option<GradientNoise> {
    if blocks.len() < 2 {
        return None;
    }
    let total = total(blocks);
    let weight = |at: usize| factors.map_or(1.0, |factors| factors[at] * factors[at]);
    let whole: f64 = total.iter().enumerate().map(|(at, sum)| weight(at) * sum * sum).sum();
    let all = Sums {
        tiles: blocks.iter().map(|block| block.tiles as f64).sum(),
        examples: blocks.iter().map(|block| block.examples).sum(),
        squares: blocks.iter().map(|block| block.squares).sum(),
        square_of_sum: whole,
    };
    let without: Vec<[f64; 2]> = blocks
        .iter()
        .map(|block| {
            let (mut own, mut shared) = (0.0, 0.0);
            for (at, (sum, total)) in block.sum.iter().zip(&total).enumerate() {
                let sum = f64::from(*sum);
                own += weight(at) * sum * sum;
                shared += weight(at) * sum * total;
            }
            let rest = Sums {
                tiles: all.tiles - block.tiles as f64,
                examples: all.examples - block.examples,
                squares: all.squares - block.squares,
                square_of_sum: whole - 2.0 * shared + own,
            };
            rest.estimates()
        })
        .collect();
    let [trace, square] = all.estimates();
    Some(GradientNoise { trace, square, scale: fieller([trace, square], &without) })
}

fn total(blocks: &[NoiseBlock]) -> Vec<f64> {
    let mut total = vec![0.0; blocks[0].sum.len()];
    for block in blocks {
        total.iter_mut().zip(&block.sum).for_each(|(total, sum)| *total += f64::from(*sum));
    }
    total
}

/// What the estimates are made of.
struct Sums {
    tiles: f64,
    examples: f64,
    squares: f64,
    /// |sum b g|^2
    square_of_sum: f64,
}

impl Sums {
    /// tr(Sigma) and |G|^2.
    fn estimates(&self) -> [f64; 2] {
        let of_mean = self.square_of_sum / (self.examples * self.examples);
        let trace = (self.squares - self.examples * of_mean) / (self.tiles - 1.0);
        [trace, of_mean - trace / self.examples]
    }
}

/// The ratio of two estimates, from their values without one block each.
///
/// With a, b the estimates, t the quantile and s the jackknife's variances, the ends solve
/// `(a - r b)^2 = t^2 (s_aa - 2 r s_ab + r^2 s_bb)`.
///
/// An estimate b below 0, which chance may give, is taken for 0.
fn fieller([a, b]: [f64; 2], without: &[[f64; 2]]) -> NoiseScale {
    let b = b.max(0.0);
    let n = without.len() as f64;
    let means = [0, 1].map(|of| without.iter().map(|pair| pair[of]).sum::<f64>() / n);
    let covariance = |x: usize, y: usize| {
        let product = |pair: &[f64; 2]| (pair[x] - means[x]) * (pair[y] - means[y]);
        (n - 1.0) / n * without.iter().map(product).sum::<f64>()
    };
    let t = student_quantile(without.len(), 0.975).powi(2);
    let second = b * b - t * covariance(1, 1);
    let first = a * b - t * covariance(0, 1);
    let zeroth = a * a - t * covariance(0, 0);
    let root = (first * first - second * zeroth).max(0.0).sqrt();
    match second > 0.0 && b > 0.0 {
        true => {
            let low = ((first - root) / second).max(0.0);
            let interval = Some(Interval { low, high: (first + root) / second });
            NoiseScale { value: Some(a / b), interval, at_least: None }
        }
        false => {
            // The parabola opens downwards: all ratios above its positive root may be the true one,
            // if 0 may not.
            let low = if zeroth > 0.0 { zeroth / (first + root) } else { 0.0 };
            let at_least = if low.is_finite() { low.max(0.0) } else { 0.0 };
            NoiseScale { value: None, interval: None, at_least: Some(at_least) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, near, normals};
    use rand_chacha::ChaCha8Rng;

    /// Tiles of a linear model, the gradient of whose example is G plus normal noise, weight by
    /// weight: |G|^2 = `weights * mean^2`, tr(Sigma) = `weights * sd^2`.
    fn blocks(
        rng: &mut ChaCha8Rng,
        (blocks, tiles, size): (usize, usize, usize),
        (weights, mean, sd): (usize, f64, f64),
    ) -> Vec<NoiseBlock> {
        let block = |_| {
            let (mut squares, mut examples) = (0.0, 0.0);
            let mut sum = vec![0.0f32; weights];
            for tile in 0..tiles {
                // Tiles of different sizes, as the last one of a split is.
                let size = (size - tile % 2) as f64;
                let gradient = normals(rng, weights, mean, sd / size.sqrt());
                squares += size * gradient.iter().map(|g| g * g).sum::<f64>();
                sum.iter_mut().zip(&gradient).for_each(|(sum, g)| *sum += (size * g) as f32);
                examples += size;
            }
            NoiseBlock { tiles, examples, squares, sum }
        };
        (0..blocks).map(block).collect()
    }

    #[test]
    fn known_noise_and_gradient_are_found_within_a_hundredth() {
        let mut rng = generator(1);
        let found =
            gradient_noise(&blocks(&mut rng, (20, 100, 32), (400, 0.05, 0.5)), None).unwrap();
        near(found.trace / (400.0 * 0.25), 1.0, 0.01);
        near(found.square / (400.0 * 0.0025), 1.0, 0.01);
        near(found.scale.value.unwrap() / 100.0, 1.0, 0.01);
    }

    #[test]
    fn estimates_have_no_bias_however_few_tiles_there_are() {
        let mut rng = generator(2);
        let mut sums = [0.0; 2];
        const TIMES: usize = 4000;
        for _ in 0..TIMES {
            let found = gradient_noise(&blocks(&mut rng, (3, 1, 9), (20, 0.3, 1.0)), None).unwrap();
            sums[0] += found.trace / TIMES as f64;
            sums[1] += found.square / TIMES as f64;
        }
        near(sums[0] / 20.0, 1.0, 0.02);
        near(sums[1] / (20.0 * 0.09), 1.0, 0.02);
    }

    #[test]
    fn intervals_cover_the_truth_nineteen_times_of_twenty() {
        let mut rng = generator(3);
        const TIMES: usize = 600;
        let (mut covered, mut bounded) = (0, 0);
        for _ in 0..TIMES {
            // The true scale is 16; with 20 tiles of 8 it is often poorly known.
            let found = gradient_noise(&blocks(&mut rng, (20, 1, 8), (8, 0.25, 1.0)), None);
            let scale = found.unwrap().scale;
            bounded += usize::from(scale.interval.is_some());
            covered += usize::from(match (scale.interval, scale.at_least) {
                (Some(interval), None) => interval.contains(16.0),
                (None, Some(least)) => least <= 16.0,
                other => panic!("{other:?}"),
            });
        }
        let share = covered as f64 / TIMES as f64;
        assert!((0.92..=0.99).contains(&share), "{share}");
        assert!(bounded > TIMES / 2, "{bounded}");
    }

    #[test]
    fn without_a_gradient_the_scale_is_bounded_from_below_alone() {
        let mut rng = generator(4);
        let mut unbounded = 0;
        for _ in 0..200 {
            let found = gradient_noise(&blocks(&mut rng, (20, 2, 32), (50, 0.0, 1.0)), None);
            let scale = found.unwrap().scale;
            unbounded += usize::from(scale.value.is_none());
            // |G|^2 is at most about tr(Sigma) / B, B being all examples.
            assert!(scale.value.is_some() || scale.at_least.unwrap() > 100.0, "{scale:?}");
        }
        assert!(unbounded >= 185, "{unbounded}");
    }

    #[test]
    fn factors_count_as_if_the_gradients_had_been_multiplied() {
        let mut rng = generator(5);
        let factors: Vec<f64> = (0..6).map(|at| 0.5 + f64::from(at)).collect();
        let (mut plain, mut scaled) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let g = normals(&mut rng, 6, 0.3, 1.0);
            let square = |factor: &dyn Fn(usize) -> f64| {
                g.iter().enumerate().map(|(at, g)| (factor(at) * g).powi(2)).sum::<f64>()
            };
            let squares = square(&|at| factors[at]);
            let block = |sum| NoiseBlock { tiles: 1, examples: 1.0, squares, sum };
            plain.push(block(g.iter().map(|g| *g as f32).collect()));
            scaled.push(block(g.iter().zip(&factors).map(|(g, f)| (g * f) as f32).collect()));
        }
        let [a, b] = [(&plain, Some(&factors[..])), (&scaled, None)]
            .map(|(blocks, factors)| gradient_noise(blocks, factors).unwrap());
        near(a.trace / b.trace, 1.0, 1e-5);
        near(a.square / b.square, 1.0, 1e-4);
    }

    #[test]
    fn one_block_says_nothing_of_its_spread() {
        let mut rng = generator(6);
        assert_eq!(gradient_noise(&blocks(&mut rng, (1, 4, 8), (3, 0.1, 1.0)), None), None);
    }
}
