//! Rank correlation: do two quantities rise and fall together, whatever their scales?
//!
//! Kendall 1945, "The treatment of ties in ranking problems", Biometrika 33, tau-b:
//!
//! ```text
//! tau = (concordant - discordant pairs) / sqrt(pairs not tied in x * pairs not tied in y)
//! ```
//!
//! With strata, only pairs within one stratum count: what sets strata apart cannot be taken for a
//! relation.

/// One observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// One quantity.
    pub x: f64,
    /// The other.
    pub y: f64,
    /// Only observations of one stratum are compared.
    pub stratum: usize,
}

/// tau-b; `None` where no pair differs in x, or none in y.
pub fn kendall_tau(observations: &[Ranked]) -> Option<f64> {
    let (mut balance, mut differ_in_x, mut differ_in_y) = (0i64, 0u64, 0u64);
    for (at, a) in observations.iter().enumerate() {
        for b in &observations[at + 1..] {
            if a.stratum != b.stratum {
                continue;
            }
            let sign = |a: f64, b: f64| i64::from(a > b) - i64::from(a < b);
            let (x, y) = (sign(a.x, b.x), sign(a.y, b.y));
            balance += x * y;
            differ_in_x += x.unsigned_abs();
            differ_in_y += y.unsigned_abs();
        }
    }
    let scale = (differ_in_x as f64 * differ_in_y as f64).sqrt();
    (scale > 0.0).then(|| balance as f64 / scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::near;

    fn tau(x: &[f64], y: &[f64]) -> Option<f64> {
        let pairs = x.iter().zip(y);
        kendall_tau(&pairs.map(|(x, y)| Ranked { x: *x, y: *y, stratum: 0 }).collect::<Vec<_>>())
    }

    /// `scipy.stats.kendalltau(x, y).statistic`
    #[test]
    fn ties_count_as_in_scipy() {
        let x = [12.0, 2.0, 1.0, 12.0, 2.0];
        let y = [1.0, 4.0, 7.0, 1.0, 0.0];
        near(tau(&x, &y).unwrap(), SCIPY, 1e-12);
        near(tau(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 4.0, 3.0]).unwrap(), 2.0 / 3.0, 1e-12);
        assert_eq!(tau(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(tau(&[], &[]), None);
    }
    const SCIPY: f64 = -0.4714045207910316;

    #[test]
    fn what_sets_strata_apart_is_no_relation() {
        // Within each stratum y falls with x; over all it rises.
        let of = |stratum: usize, shift: f64| {
            let observe = move |index: i32| {
                let x = shift + f64::from(index);
                Ranked { x, y: 10.0 * shift - x, stratum }
            };
            (0..5).map(observe)
        };
        let apart: Vec<Ranked> = of(0, 0.0).chain(of(1, 100.0)).collect();
        near(kendall_tau(&apart).unwrap(), -1.0, 1e-12);
        let together: Vec<Ranked> = apart.iter().map(|o| Ranked { stratum: 0, ..*o }).collect();
        assert!(kendall_tau(&together).unwrap() > 0.0);
    }
}
