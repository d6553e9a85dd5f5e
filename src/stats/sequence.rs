//! Bounds that stay valid however often one looks: the t confidence sequence.
//!
//! A t bound holds for a number of seeds that was chosen beforehand. Who looks, adds seeds and looks
//! again until something is shown is wrong two to five times as often as it says. These bounds hold at
//! all numbers of seeds together. For n differences with mean d and standard deviation s, at the
//! one-sided level a:
//!
//! ```text
//! A      = ( sqrt((n + c^2) / c^2) / (2 a) )^(2 / n)        c^2 = 1
//! rho    = c^2 / (n + c^2)
//! q      = sqrt( (n - 1) (A - 1) / (1 - A rho) )            no bound yet where A rho >= 1
//! bounds   d -+ q s / sqrt(n)
//! ```
//!
//! The likelihood ratio of the t statistic, mixed over effects d / s with a normal distribution of
//! variance 1 / c^2, against no effect is a test martingale in the filtration of the t statistics:
//!
//! ```text
//! R(t) = sqrt(rho) ( (1 + x) / (1 + rho x) )^(n / 2),       x = t^2 / (n - 1)
//! ```
//!
//! By Ville's inequality R exceeds 1 / (2 a) at any n with a chance of at most 2 a, and solving R = 1 /
//! (2 a) for t gives q. That is the Gaussian mixture of Wang and Ramdas, "Anytime-valid t-tests and
//! confidence sequences for Gaussian means with unknown variance", arXiv:2310.03722; the ratio is the t
//! Bayes factor of Gönen et al. 2005, Am. Stat. 59. One side takes half of both sides' level; the tests
//! show with which share it is left (3.0 % for 5, seeds 5 to 100).

use super::Summary;

/// Variance of the effects over which is mixed, inverted: 1 is narrowest at 10 to 30 seeds.
const C2: f64 = 1.0;

/// q: how many standard errors of so many seeds the bound of this one-sided level lies from the mean;
/// `None` where there is no bound yet.
pub fn sequence_quantile(count: usize, level: f64) -> Option<f64> {
    let n = count as f64;
    let rho = C2 / (n + C2);
    let a = (rho.sqrt().recip() / (2.0 * level)).powf(2.0 / n);
    (count > 1 && a * rho < 1.0).then(|| ((n - 1.0) * (a - 1.0) / (1.0 - a * rho)).sqrt())
}

/// By which bounds a study decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounds {
    /// The number of seeds was planned, and the results are looked at once.
    OneLook,
    /// Seeds are added after looks at the results.
    AnyLook,
}

impl Bounds {
    /// How many standard errors of so many seeds the bound of this one-sided level lies from the mean;
    /// `None` for fewer than two seeds, and where there is no bound yet.
    pub fn quantile(self, count: usize, level: f64) -> Option<f64> {
        match self {
            Self::OneLook => (count > 1).then(|| super::student_quantile(count, 1.0 - level)),
            Self::AnyLook => sequence_quantile(count, level),
        }
    }
}

impl Bounds {
    /// The chance, were the true mean 0 or more, of being seen so far below it; at any look for
    /// bounds that hold at any. `None` for one value.
    pub fn p_below(self, found: &Summary) -> Option<f64> {
        let found = found.over_seeds();
        let above = found.p_above(0.0)?;
        match self {
            Self::OneLook => Some(1.0 - above),
            Self::AnyLook if found.mean >= 0.0 => Some(1.0),
            Self::AnyLook => {
                let (n, error) = (found.count as f64, found.standard_error()?);
                let rho = C2 / (n + C2);
                let x = (found.mean / error).powi(2) / (n - 1.0);
                let most = rho.sqrt() * rho.recip().powf(n / 2.0);
                let grown = rho.sqrt() * ((1.0 + x) / (1.0 + rho * x)).powf(n / 2.0);
                let ratio = if error > 0.0 { grown } else { most };
                Some((0.5 / ratio).min(1.0))
            }
        }
    }
}

impl Summary {
    /// How far the true mean may lie to one side, at this one-sided level; over seeds alone.
    pub fn bound(&self, bounds: Bounds, level: f64) -> Option<f64> {
        let error = self.over_seeds().standard_error()?;
        Some(bounds.quantile(self.count, level)? * error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, near, normals};
    use crate::stats::{student_quantile, summarise};
    use statrs::function::gamma::ln_gamma;

    /// The mixed likelihood ratio by quadrature: the density of the noncentral t distribution,
    /// averaged over effects, over that of t. An implementation that shares nothing with the formula.
    fn ratio(t: f64, n: usize) -> f64 {
        let (count, freedom) = (n as f64, n as f64 - 1.0);
        let density = |shift: f64| {
            // T = (Z + shift) / S, integrated over S = chi / sqrt(freedom).
            let scale = std::f64::consts::LN_2 + freedom / 2.0 * (freedom / 2.0).ln()
                - ln_gamma(freedom / 2.0);
            let at = |s: f64| {
                let of_s = scale + (freedom - 1.0) * s.ln() - freedom / 2.0 * s * s;
                let z = t * s - shift;
                (of_s - z * z / 2.0).exp() * s
            };
            (1..4000).map(|step| at(f64::from(step) * 1e-3)).sum::<f64>()
        };
        let mixed = |step: i32| {
            let effect = f64::from(step) * 0.02;
            (-effect * effect / 2.0).exp() * density(effect * count.sqrt())
        };
        let weights: f64 =
            (-400..=400).map(|step| (-(f64::from(step) * 0.02).powi(2) / 2.0).exp()).sum();
        (-400..=400).map(mixed).sum::<f64>() / weights / density(0.0)
    }

    #[test]
    fn the_quantile_solves_the_mixed_likelihood_ratio_of_the_noncentral_t_distribution() {
        for (count, level) in [(5, 0.05), (7, 0.025), (12, 0.015)] {
            let q = sequence_quantile(count, level).unwrap();
            near(ratio(q, count) * 2.0 * level, 1.0, 1e-3);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_table_and_small_levels_wait_for_more_seeds() {
        let of = |counts: &[usize], level| -> Vec<f64> {
            let q = |n: &usize| (100.0 * sequence_quantile(*n, level).unwrap()).round() / 100.0;
            counts.iter().map(q).collect()
        };
        assert_eq!(
            of(&[5, 7, 10, 14, 20, 28, 40, 57], 0.05),
            [5.09, 3.77, 3.34, 3.17, 3.08, 3.05, 3.05, 3.06]
        );
        assert_eq!(of(&[7, 10, 20, 40], 0.01), [6.2, 4.63, 3.87, 3.67]);
        assert_eq!(sequence_quantile(5, 0.01), None);
        assert_eq!((sequence_quantile(1, 0.05), Bounds::OneLook.quantile(1, 0.05)), (None, None));
        assert_eq!(Bounds::OneLook.quantile(5, 0.05), Some(student_quantile(5, 0.95)));
    }

    #[test]
    fn the_p_value_is_the_level_at_which_the_bound_ends_at_0() {
        let found = summarise(&[-0.5, -0.1, -0.4, -0.3, -0.2, -0.35, -0.25, -0.3]).unwrap();
        for bounds in [Bounds::OneLook, Bounds::AnyLook] {
            let p = bounds.p_below(&found).unwrap();
            near(found.bound(bounds, p).unwrap(), -found.mean, 1e-9);
        }
        let level = summarise(&[0.1, 0.2, 0.3]).unwrap();
        near(Bounds::AnyLook.p_below(&level).unwrap(), 1.0, 0.0);
    }

    #[test]
    fn whoever_looks_after_each_seed_is_wrong_in_less_than_5_percent_and_with_t_in_four_times_as_many()
     {
        let mut rng = generator(31);
        let mut wrong = [0; 2];
        for _ in 0..2000 {
            let values = normals(&mut rng, 60, 0.0, 1.0);
            for (wrong, looks) in wrong.iter_mut().zip([Bounds::AnyLook, Bounds::OneLook]) {
                let is_wrong = |count: usize| {
                    let summary = summarise(&values[..count]).unwrap();
                    summary.bound(looks, 0.05).is_some_and(|bound| summary.mean > bound)
                };
                *wrong += usize::from((5..=60).any(is_wrong));
            }
        }
        assert!((30..=90).contains(&wrong[0]), "{wrong:?} of 2000: 1.5 to 4.5 %");
        assert!(wrong[1] > 300, "{wrong:?}");
    }
}
