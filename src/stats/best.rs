//! Which arms may be the best one, given that the best one was not known beforehand: multiple
//! comparisons with the best (Hsu 1984, "Constrained simultaneous confidence intervals for multiple
//! comparisons with the best", Ann. Stat. 12).
//!
//! ```text
//! arm i may be the best unless   max_j t_ij > q_i,    t_ij = (mean_j - mean_i) / SE of the
//!                                                     paired differences
//! q_i: the 95 % quantile of max_j t_ij when all true differences are 0
//! ```
//!
//! The quantile comes from a bootstrap of the maximum, in which each draw picks its own largest
//! `t_ij`. Draws are normal with the differences' own covariance instead of resampled seeds: for two
//! arms the answer is then that of the t test with any number of seeds, while resampling five of
//! them would take the best arm for beaten far too often.

use super::summarise;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// For each arm whether it may be the best. `scores[arm][seed]`, the same seeds for all arms; a
/// spread of differences below `least_sd` is taken for that. One seed rules nobody out.
pub fn possible_bests(
    scores: &[Vec<f64>],
    confidence: f64,
    least_sd: f64,
    replicates: usize,
    rng: &mut impl Rng,
) -> Vec<bool> {
    let (arms, seeds) = (scores.len(), scores.first().map_or(0, Vec::len));
    if seeds < 2 || arms < 2 {
        return vec![true; arms];
    }
    let challenges: Vec<Vec<Challenge>> =
        (0..arms).map(|arm| challenges(scores, arm, least_sd)).collect();
    let seen: Vec<f64> = challenges.iter().map(|of| largest(of.iter().map(|c| c.t))).collect();
    let mut farther = vec![0usize; arms];
    let mut noise = vec![0.0f64; seeds * seeds];
    for _ in 0..replicates {
        noise.iter_mut().for_each(|value| *value = StandardNormal.sample(rng));
        for (arm, of) in challenges.iter().enumerate() {
            let drawn = largest(of.iter().map(|challenge| challenge.draw(&noise)));
            farther[arm] += usize::from(drawn >= seen[arm]);
        }
    }
    let level = 1.0 - confidence;
    let may = |(farther, seen): (&usize, &f64)| {
        *seen <= 0.0 || *farther as f64 > level * replicates as f64
    };
    farther.iter().zip(&seen).map(may).collect()
}

/// Another arm against this one.
struct Challenge {
    /// How far ahead it was seen.
    t: f64,
    /// The differences by seed, centred.
    residuals: Vec<f64>,
}

impl Challenge {
    /// t of as many seeds without a true difference.
    fn draw(&self, noise: &[f64]) -> f64 {
        let row = |weights: &[f64]| -> f64 {
            weights.iter().zip(&self.residuals).map(|(weight, residual)| weight * residual).sum()
        };
        let rows: Vec<f64> = noise.chunks(self.residuals.len()).map(row).collect();
        summarise(&rows).map_or(f64::NEG_INFINITY, |summary| t_value(summary.mean, &rows))
    }
}

fn challenges(scores: &[Vec<f64>], arm: usize, least_sd: f64) -> Vec<Challenge> {
    let others = scores.iter().enumerate().filter(|(other, _)| *other != arm);
    let challenge = |(_, other): (usize, &Vec<f64>)| {
        let mut ahead = super::interval::differences(other, &scores[arm]);
        let mean = ahead.iter().sum::<f64>() / ahead.len() as f64;
        ahead.iter_mut().for_each(|value| *value -= mean);
        let sd = summarise(&ahead).and_then(|summary| summary.sd).unwrap_or(0.0);
        if sd < least_sd {
            // Any pattern of this spread gives the same distribution of t.
            let middle = (ahead.len() - 1) as f64 / 2.0;
            let pattern: Vec<f64> = (0..ahead.len()).map(|at| at as f64 - middle).collect();
            let spread = summarise(&pattern).and_then(|summary| summary.sd).unwrap_or(1.0);
            ahead = pattern.iter().map(|value| value * least_sd / spread).collect();
        }
        Challenge { t: t_value(mean, &ahead), residuals: ahead }
    };
    others.map(challenge).collect()
}

/// `mean / (sd / sqrt(n))`, infinite where there is no spread but a mean.
fn t_value(mean: f64, values: &[f64]) -> f64 {
    let error = summarise(values).and_then(|summary| summary.standard_error()).unwrap_or(0.0);
    match error > 0.0 {
        true => mean / error,
        false if mean.abs() > 0.0 => mean.signum() * f64::INFINITY,
        false => 0.0,
    }
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, normals};

    fn simulate(truth: &[f64], seeds: usize, studies: usize) -> Vec<f64> {
        let mut rng = generator(13);
        let mut kept = vec![0usize; truth.len()];
        for _ in 0..studies {
            let shared = normals(&mut rng, seeds, 0.0, 2.0);
            let arm = |truth: &f64| {
                let noise = normals(&mut rng, seeds, *truth, 1.0);
                noise.iter().zip(&shared).map(|(noise, shared)| noise + shared).collect()
            };
            let scores: Vec<Vec<f64>> = truth.iter().map(arm).collect();
            let may = possible_bests(&scores, 0.95, 0.0, 200, &mut rng);
            kept.iter_mut().zip(may).for_each(|(kept, may)| *kept += usize::from(may));
        }
        kept.iter().map(|kept| *kept as f64 / studies as f64).collect()
    }

    #[test]
    fn the_true_best_stays_in_the_set_in_95_percent_of_studies_even_among_equals() {
        for seeds in [3, 5, 10] {
            for share in simulate(&[0.0; 4], seeds, 400) {
                assert!(share > 0.915 && share < 0.99, "{seeds} seeds: {share}");
            }
        }
    }

    #[test]
    fn arms_far_behind_are_ruled_out_and_the_best_one_is_not() {
        let kept = simulate(&[0.0, -0.2, -4.0], 8, 200);
        assert!(kept[0] > 0.94 && kept[1] > 0.7 && kept[2] < 0.02, "{kept:?}");
    }

    #[test]
    fn one_seed_or_one_arm_rules_nobody_out_and_equal_scores_stay() {
        let mut rng = generator(14);
        let mut of =
            |scores: &[Vec<f64>], least| possible_bests(scores, 0.95, least, 400, &mut rng);
        assert_eq!(of(&[vec![0.9], vec![0.1]], 0.0), [true, true]);
        assert_eq!(of(&[vec![0.9, 0.8]], 0.0), [true]);
        assert_eq!(of(&[vec![0.5; 3], vec![0.5; 3]], 0.0), [true, true]);
        assert_eq!(of(&[vec![0.5; 3], vec![0.4; 3]], 0.0), [true, false]);
        // Counted in steps of about that size, equal differences prove little.
        assert_eq!(of(&[vec![0.5; 3], vec![0.4; 3]], 0.1), [true, true]);
        assert_eq!(of(&[vec![0.5; 3], vec![0.4; 3]], 0.001), [true, false]);
    }
}
