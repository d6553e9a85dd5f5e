//! How many seeds would settle a question, from the spread seen so far.
//!
//! With n seeds whose paired differences have the standard deviation sigma, a true difference at the
//! distance D from what is tested is found with the probability
//!
//! ```text
//! one-sided   P(T > t) = E[ Phi(sqrt(n) D / sigma - t S) ],   S^2 = chi^2(n - 1) / (n - 1)
//! two-sided   the same on both sides, with t(1 - alpha / 2)
//! ```
//!
//! the noncentral t distribution, integrated over S (Cohen 1988, "Statistical power analysis for the
//! behavioral sciences"). A spread that three seeds gave is itself rough, and so is the answer.
//!
//! Where the noise R of m rows counts too ([`Summary::rows`]), n seeds have the standard error
//! sqrt(sigma^2 / n + R^2), so that it may be that no number suffices, and t has the degrees of freedom
//! of such a sum (Satterthwaite 1946, Biometrics Bull. 2): `E^4 / (S^4 / (n - 1) + R^4 / (m - 1))`. For
//! a plan that is good enough; intervals have a safer rule.

use super::{Bounds, Summary, normal, student};
use statrs::distribution::ContinuousCDF;
use statrs::function::gamma::ln_gamma;

/// More seeds than this are not a plan.
const MOST: usize = 10_000;

/// More seeds than this are no plan where the spread is known only roughly.
const MOST_TO_SHOW: usize = 2_000;

/// The chance that a difference of `shift` standard errors is told from 0 at the level `alpha`, when
/// the error has so many degrees of freedom.
fn power(freedom: f64, shift: f64, alpha: f64, two_sided: bool) -> f64 {
    let normal = normal();
    let tail = if two_sided { alpha / 2.0 } else { alpha };
    let critical = student(freedom).inverse_cdf(1.0 - tail);
    let half = freedom / 2.0;
    let scale = std::f64::consts::LN_2 + half * half.ln() - ln_gamma(half);
    let found = |s: f64| {
        let density = match s > 0.0 {
            true => (scale + (freedom - 1.0) * s.ln() - half * s * s).exp(),
            false if freedom <= 1.0 => scale.exp(),
            false => 0.0,
        };
        let above = normal.cdf(shift - critical * s);
        let below = if two_sided { normal.cdf(-shift - critical * s) } else { 0.0 };
        density * (above + below)
    };
    let reach = 8.0 / freedom.sqrt();
    simpson(200, found, (1.0 - reach).max(0.0), 1.0 + reach)
}

impl Bounds {
    /// The least number of seeds in all with which the lower bounds, at this one-sided level, of all
    /// these differences exceed `-margin` with the chance `wanted`, if their true means are 0 and their
    /// standard deviations are those seen so far. The differences share an arm, and the chance that all
    /// pass is at least the product of each (Slepian 1962). `None` for one seed, and when no feasible
    /// number does.
    pub fn seeds_to_show(
        self,
        differences: &[Summary],
        margin: f64,
        level: f64,
        wanted: f64,
    ) -> Option<usize> {
        let normal = normal();
        let spreads: Vec<f64> = differences.iter().map(|found| found.sd).collect::<Option<_>>()?;
        let all_pass = |count: usize| {
            let Some(critical) = self.quantile(count, level) else { return 0.0 };
            // The noncentral t distribution is nearly normal (Abramowitz and Stegun 26.7.10).
            let rest = count as f64 - 1.0;
            let (bias, width) =
                (1.0 - 0.25 / rest, (1.0 + critical * critical / (2.0 * rest)).sqrt());
            let of_one = |sd: &f64| {
                let shift = margin * (count as f64).sqrt() / sd.max(f64::MIN_POSITIVE);
                normal.cdf((shift - critical * bias) / width)
            };
            spreads.iter().map(of_one).product()
        };
        least(MOST_TO_SHOW, |count| all_pass(count) >= wanted)
    }
}

/// Simpson's rule.
fn simpson(parts: usize, f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let width = (to - from) / parts as f64;
    let weighted = |at: usize| {
        let weight = match at {
            _ if at == 0 || at == parts => 1.0,
            _ if at % 2 == 1 => 4.0,
            _ => 2.0,
        };
        weight * f(from + at as f64 * width)
    };
    (0..=parts).map(weighted).sum::<f64>() * width / 3.0
}

impl Summary {
    /// Standard error and degrees of freedom of so many seeds with this spread; `None` for one.
    fn precision(&self, count: usize) -> Option<(f64, f64)> {
        let [seeds, rows] = self.variances(count)?;
        let of = |values: usize| values.max(2) as f64 - 1.0;
        let freedom = match self.rows.filter(|noise| noise.error > 0.0) {
            None => of(count),
            Some(noise) => {
                let spread = seeds.powi(2) / of(count) + rows.powi(2) / of(noise.rows);
                (seeds + rows).powi(2) / spread
            }
        };
        Some(((seeds + rows).sqrt(), freedom))
    }
}

/// The least number of seeds with which an arm that is truly as good as the reference is shown to be
/// within the margin, with the chance `wanted`; an arm that lies twice the margin behind is then
/// shown to be beyond it with a chance that is smaller by about a tenth. `found` are the differences so
/// far. `None` for one seed, and when no feasible number does.
pub fn seeds_to_settle(
    found: &Summary,
    margin: f64,
    confidence: f64,
    wanted: f64,
) -> Option<usize> {
    found.sd?;
    least(MOST, |count| {
        let (error, freedom) = found.precision(count).unwrap_or((f64::INFINITY, 1.0));
        error <= 0.0 || power(freedom, margin / error, 1.0 - confidence, false) >= wanted
    })
}

/// How many standard errors must lie between the truth and the margin for one side to be settled with
/// the chance `wanted`, with as many seeds as one likes.
pub fn least_errors_to_margin(confidence: f64, wanted: f64) -> f64 {
    normal().inverse_cdf(confidence) + normal().inverse_cdf(wanted)
}

/// The number of seeds, more than there are, that would settle an open question: enough if the true
/// difference is 0. When there are as many already, it seems to lie near a margin: then as many as
/// `distance`, how far off it the mean was seen, asks for.
pub fn seeds_needed(
    found: &Summary,
    margin: f64,
    distance: f64,
    confidence: f64,
    wanted: f64,
) -> Option<usize> {
    let needed = seeds_to_settle(found, margin, confidence, wanted)?;
    if needed > found.count {
        return Some(needed);
    }
    let near = seeds_to_settle(found, distance.abs(), confidence, wanted)?;
    Some(near.max(found.count + 1))
}

/// The smallest true difference that as many seeds as `found` has, with its spread, tell from 0 at the
/// level `alpha`, two-sided, with the chance `wanted`; `None` for one seed.
pub fn detectable(found: &Summary, alpha: f64, wanted: f64) -> Option<f64> {
    let (error, freedom) = found.precision(found.count)?;
    let (mut low, mut high) = (0.0, 1.0);
    while power(freedom, high, alpha, true) < wanted {
        (low, high) = (high, 2.0 * high);
        if high > 1e4 {
            return None;
        }
    }
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        match power(freedom, middle, alpha, true) < wanted {
            true => low = middle,
            false => high = middle,
        }
    }
    Some(error * high)
}

/// The least number from 2 on that is enough, when all larger ones are enough too.
fn least(most: usize, enough: impl Fn(usize) -> bool) -> Option<usize> {
    let mut above = 2;
    while !enough(above) {
        above *= 2;
        if above > most {
            return None;
        }
    }
    let mut below = above / 2;
    while above - below > 1 {
        let middle = usize::midpoint(below, above);
        if enough(middle) { above = middle } else { below = middle }
    }
    Some(above)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, near, normals};
    use crate::stats::{RowNoise, summarise};

    /// Of so many seeds and a distance in their standard deviations.
    fn of_seeds(count: usize, distance: f64, two_sided: bool) -> f64 {
        power(count as f64 - 1.0, (count as f64).sqrt() * distance, 0.05, two_sided)
    }

    fn spread(count: usize, sd: f64) -> Summary {
        Summary { count, mean: 0.0, sd: Some(sd), rows: None }
    }

    /// `statsmodels.stats.power.TTestPower().power(d, n, 0.05, alternative=...)`.
    #[test]
    fn the_detectable_difference_is_found_with_the_power_that_was_asked_for() {
        for count in [2, 3, 5, 20] {
            let least = detectable(&spread(count, 0.01), 0.05, 0.8).unwrap();
            near(of_seeds(count, least / 0.01, true), 0.8, 1e-6);
        }
        assert_eq!(detectable(&summarise(&[0.1]).unwrap(), 0.05, 0.8), None);
    }

    #[test]
    fn power_is_that_of_statsmodels() {
        for (distance, count, two_sided, expected) in STATSMODELS {
            near(of_seeds(count, distance, two_sided), expected, 1e-6);
        }
    }
    const STATSMODELS: [(f64, usize, bool, f64); 4] = [
        (0.5, 5, true, 0.140516689990298),
        (1.0, 10, true, 0.8030968566327218),
        (1.0, 2, false, 0.17956248755732762),
        (0.3, 60, false, 0.7428493801310346),
    ];

    /// The table in the literature on paired seeds: effect in standard deviations of the difference,
    /// seeds for 80 % power at 5 %, two-sided.
    #[test]
    fn the_usual_numbers_of_seeds_come_out() {
        for (effect, seeds) in [(0.5, 34), (0.75, 16), (1.0, 10), (1.5, 6), (2.0, 5)] {
            let found = least(MOST, |count| of_seeds(count, effect, true) >= 0.8).unwrap();
            assert!(found.abs_diff(seeds) <= 1, "{effect}: {found} instead of {seeds}");
        }
    }

    #[test]
    fn so_many_seeds_show_as_many_parts_to_be_small_as_promised() {
        let seeds = seeds_to_settle(&spread(3, 0.008), 0.005, 0.95, 0.8).unwrap();
        let mut rng = generator(15);
        let settles = |_| {
            let summary = summarise(&normals(&mut rng, seeds, 0.0, 0.008)).unwrap();
            usize::from(summary.lower_bound(0.95).unwrap() > -0.005)
        };
        near((0..2000).map(settles).sum::<usize>() as f64 / 2000.0, 0.81, 0.03);
    }

    #[test]
    fn so_many_seeds_show_equality_as_often_as_was_asked_for_with_the_spread_that_is_true() {
        let mut rng = generator(16);
        for (level, sd) in [(0.03, 0.008), (0.006, 0.004)] {
            let seeds = Bounds::AnyLook.seeds_to_show(&[spread(5, sd)], 0.005, level, 0.8).unwrap();
            let shows = |_| {
                let found = summarise(&normals(&mut rng, seeds, 0.0, sd)).unwrap();
                let bound = found.bound(Bounds::AnyLook, level);
                usize::from(bound.is_some_and(|bound| found.mean - bound > -0.005))
            };
            near((0..1000).map(shows).sum::<usize>() as f64 / 1000.0, 0.82, 0.04);
        }
        assert_eq!(Bounds::AnyLook.seeds_to_show(&[spread(5, 1.0)], 0.005, 0.05, 0.8), None);
    }

    #[test]
    fn hopeless_questions_have_no_number_and_easy_ones_the_least() {
        assert_eq!(seeds_to_settle(&spread(3, 1.0), 0.001, 0.95, 0.8), None);
        assert_eq!(seeds_to_settle(&spread(3, 0.0), 0.001, 0.95, 0.8), Some(2));
    }

    #[test]
    fn where_there_are_as_many_already_the_distance_to_the_margin_tells_how_many_it_takes() {
        let found = Summary { mean: -0.004, ..spread(20, 0.005) };
        let needed = |distance| seeds_needed(&found, 0.005, distance, 0.95, 0.8);
        assert_eq!(needed(0.001), seeds_to_settle(&found, 0.001, 0.95, 0.8));
        assert!(needed(0.001).unwrap() > 100);
        // However far it was seen, it is open: more than there are.
        assert_eq!(needed(0.02), Some(21));
    }

    #[test]
    fn noise_of_the_rows_takes_more_seeds_or_more_than_any_number() {
        let with = |error| Summary {
            rows: Some(RowNoise { rows: 1000, error, block: 1 }),
            ..spread(5, 0.01)
        };
        let needed = |error| seeds_to_settle(&with(error), 0.005, 0.95, 0.8);
        assert!(needed(0.001).unwrap() > needed(0.0).unwrap());
        assert_eq!(needed(0.0), seeds_to_settle(&spread(5, 0.01), 0.005, 0.95, 0.8));
        // From the rows alone there are 1.25 standard errors to the margin; it takes 2.5.
        assert_eq!(needed(0.004), None);
        let least = |error| detectable(&with(error), 0.05, 0.8).unwrap();
        assert!(least(0.004) > least(0.0));
        // Where rows are all, it is theirs: 1.96 + 0.84 standard errors.
        let rows = Summary {
            rows: Some(RowNoise { rows: 5000, error: 0.004, block: 1 }),
            ..spread(3, 1e-6)
        };
        near(detectable(&rows, 0.05, 0.8).unwrap(), 2.802 * 0.004, 1e-5);
    }
}
