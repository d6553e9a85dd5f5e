//! The exact permutation test of paired differences: if two arms are the same, each difference
//! could as well have had the other sign (Fisher 1935, "The design of experiments", section 21).
//!
//! ```text
//! p = share of the 2^n ways to give signs whose |sum| is at least the one that was seen
//! ```
//!
//! It needs no normal distribution, and it cannot say more than 2 / 2^n: five seeds give 0.0625 at
//! best.

/// The most differences for which all ways are gone through.
const MOST: usize = 20;

/// The two-sided p value; `None` for no differences and for more than 20.
pub fn sign_flip_p(differences: &[f64]) -> Option<f64> {
    let count = differences.len();
    if count == 0 || count > MOST {
        return None;
    }
    let seen = differences.iter().sum::<f64>().abs();
    // Sums of the same numbers in another order differ in the last digits.
    let slack = 1e-12 * differences.iter().map(|d| d.abs()).sum::<f64>();
    // Signs and their opposites have the same |sum|: the last sign stays +. Gray's code turns one
    // sign at a time.
    let mut signed = differences.to_vec();
    let mut as_far = 0u64;
    let ways = 1u64 << (count - 1);
    for way in 1..=ways {
        let sum: f64 = signed.iter().sum();
        as_far += u64::from(sum.abs() >= seen - slack);
        if way < ways {
            let turned = way.trailing_zeros() as usize;
            signed[turned] = -signed[turned];
        }
    }
    Some(as_far as f64 / ways as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, near, normals};

    /// By hand: of the 16 ways to sign 1, 2, 3, 4 with the first sum 8 (-1 + 2 + 3 + 4), those with
    /// |sum| >= 8 are +-10 and +-8.
    #[test]
    fn the_ways_are_counted() {
        near(sign_flip_p(&[-1.0, 2.0, 3.0, 4.0]).unwrap(), 4.0 / 16.0, 1e-15);
        near(sign_flip_p(&[1.0, 2.0, 3.0, 4.0]).unwrap(), 2.0 / 16.0, 1e-15);
        near(sign_flip_p(&[0.0; 5]).unwrap(), 1.0, 1e-15);
        assert_eq!(sign_flip_p(&[]), None);
        assert_eq!(sign_flip_p(&[1.0; MOST + 1]), None);
    }

    /// `scipy.stats.permutation_test((x,), np.mean, permutation_type="samples",
    /// n_resamples=np.inf).pvalue` for these `x`.
    #[test]
    fn it_agrees_with_scipy() {
        let x = [0.012, -0.003, 0.007, 0.009, 0.001, 0.004, -0.002, 0.005];
        near(sign_flip_p(&x).unwrap(), SCIPY, 1e-12);
    }
    const SCIPY: f64 = 0.078125;

    #[test]
    fn five_seeds_never_reach_5_percent_and_eight_reject_a_true_null_in_5_percent_at_most() {
        near(sign_flip_p(&[0.1, 0.2, 0.3, 0.4, 0.5]).unwrap(), 0.0625, 1e-15);
        let mut rng = generator(8);
        let rejects = |_| {
            let p = sign_flip_p(&normals(&mut rng, 8, 0.0, 1.0)).unwrap();
            usize::from(p <= 0.05)
        };
        let share = (0..4000).map(rejects).sum::<usize>() as f64 / 4000.0;
        near(share, 12.0 / 256.0, 0.011);
    }
}
