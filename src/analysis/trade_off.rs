//! How many steps a batch size saves: S(B) = Smin + Emin / B.
//!
//! With large batches the steps to a target cannot fall below Smin; with small ones the examples
//! cannot fall below Emin. They meet at the critical batch size B_crit = Emin / Smin: below it,
//! doubling the batch nearly halves the steps (perfect scaling: S = Emin / B), beyond it mostly
//! costs examples (McCandlish et al. 2018, arXiv:1812.06162, section 2 and appendix A).
//!
//! ```text
//! ln S = b + ln(1 / B + e^-c) + noise,   b = ln Emin,  c = ln B_crit
//! ```
//!
//! is fitted by Gauss-Newton. A run of which a bound alone is known counts with the expectation
//! under the bound, computed anew at each iteration (EM for censored regression, Aitkin 1981,
//! Technometrics 23), with one variance for all batch sizes. The interval of B_crit resamples whole
//! seeds: ln B_crit -+ t SE, since percentiles of few seeds are too narrow. A batch size may lie off the
//! curve with all its seeds, above all where its learning rate was picked from few: what such sizes add
//! to the variance of ln B_crit is estimated from their mean residuals and added.

use crate::stats::{Interval, normal, resamples};
use rand::Rng;
use serde::Serialize;
use statrs::distribution::{Continuous, ContinuousCDF};
use std::collections::{BTreeMap, BTreeSet};

const REPLICATES: usize = 300;
/// How far outside the batch sizes that were tried B_crit is looked for.
const BEYOND: f64 = 100.0;

/// What is known of the steps that a run took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observed {
    /// As many.
    At(f64),
    /// As many or fewer.
    AtMost(f64),
    /// More.
    MoreThan(f64),
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Its seed.
    pub seed: u64,
    /// Examples per step.
    pub batch_size: f64,
    /// To the target.
    pub steps: Observed,
}

/// The curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TradeOff {
    /// Smin: no batch is so large that fewer steps do.
    pub smallest_steps: f64,
    /// Emin: no batch is so small that fewer examples do.
    pub least_examples: f64,
    /// B_crit = Emin / Smin.
    pub critical: f64,
    /// Its 95 % interval; `None` for one seed.
    pub interval: Option<Interval>,
    /// Whether B_crit lies so far inside the batch sizes that were tried that they tell it: from twice
    /// the smallest to half the largest, and its interval from half the smallest to twice the largest.
    pub straddled: bool,
    /// Runs of which a bound alone is known.
    pub bounds: usize,
}

impl TradeOff {
    /// S(B).
    pub fn steps(&self, batch_size: f64) -> f64 {
        self.smallest_steps + self.least_examples / batch_size
    }

    /// The largest batch that needs at most this share of examples more than Emin: since E(B) = B S(B)
    /// = Emin (1 + B / B_crit), that is the share times B_crit. With 0.2 it is the definition of Zhang
    /// et al. 2024 (arXiv:2410.21676).
    pub fn with_overhead(&self, share: f64) -> f64 {
        share * self.critical
    }

    /// The largest batch that reaches the target within so many examples: E(B) = Emin + Smin B.
    pub fn largest_within(&self, examples: f64) -> f64 {
        (examples - self.least_examples) / self.smallest_steps
    }
}

/// Why there is no curve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoTradeOff {
    /// The arms differ in this setting too.
    Setting(String),
    /// Two arms have the same batch size and learning rate.
    Twins,
    /// No seed has runs of all arms.
    NoCommonSeed,
    /// It takes three batch sizes whose runs pass the target between two measurements, and there are so
    /// many.
    BatchSizes(usize),
    /// The fit did not converge.
    NotConverged,
}

/// The curve through these runs, or why there is none.
pub fn fit(observations: &[Observation], rng: &mut impl Rng) -> Result<TradeOff, NoTradeOff> {
    let mut exact: BTreeMap<u64, usize> = BTreeMap::new();
    for observation in observations {
        if matches!(observation.steps, Observed::At(steps) if steps > 0.0) {
            *exact.entry(observation.batch_size as u64).or_default() += 1;
        }
    }
    if exact.len() < 3 {
        return Err(NoTradeOff::BatchSizes(exact.len()));
    }
    let seeds: Vec<u64> =
        observations.iter().map(|o| o.seed).collect::<BTreeSet<_>>().into_iter().collect();
    let of_seed = |seed: &u64| -> Vec<Observation> {
        observations.iter().filter(|o| o.seed == *seed).copied().collect()
    };
    let by_seed: Vec<Vec<Observation>> = seeds.iter().map(of_seed).collect();
    let range = Range::of(observations);
    let whole = solve(observations, &range).ok_or(NoTradeOff::NotConverged)?;
    let statistic = |drawn: &[usize]| {
        let drawn: Vec<Observation> =
            drawn.iter().flat_map(|seed| by_seed[*seed].iter().copied()).collect();
        solve(&drawn, &range).map(|(_, critical)| critical)
    };
    let bootstrap = resamples(seeds.len(), REPLICATES, statistic, rng);
    let off_curve = off_curve(observations, whole);
    let interval =
        bootstrap.and_then(|bootstrap| bootstrap.t_interval(super::CONFIDENCE, off_curve));
    let (examples, critical) = (whole.0.exp(), whole.1.exp());
    Ok(TradeOff {
        smallest_steps: examples / critical,
        least_examples: examples,
        critical,
        interval: interval.map(|i| Interval { low: i.low.exp(), high: i.high.exp() }),
        straddled: (2.0 * range.smallest..=range.largest / 2.0).contains(&critical)
            && interval.is_none_or(|i| range.holds_roughly(i.low.exp(), i.high.exp())),
        bounds: observations.iter().filter(|o| !matches!(o.steps, Observed::At(_))).count(),
    })
}

/// The variance of ln B_crit that comes from batch sizes off the curve, with its degrees of freedom;
/// `None` where their mean residuals are no larger than seeds explain.
///
/// ```text
/// r_is        residual of size i with seed s, less the mean residual of the seed
/// tau^2       ( mean square of sizes, k - 2  -  mean square within, (k - 1) (n - 1) ) / n
/// var(c)      tau^2 k / (k sum s_i^2 - (sum s_i)^2),   s_i the slope of ln S by c at size i
/// ```
fn off_curve(observations: &[Observation], (b, c): (f64, f64)) -> Option<(f64, f64)> {
    let residual = |o: &Observation| match o.steps {
        Observed::At(steps) => Some(steps.ln() - b - (1.0 / o.batch_size + (-c).exp()).ln()),
        _ => None,
    };
    let mut by_size: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let mut by_seed: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let exact: Vec<(&Observation, f64)> =
        observations.iter().filter_map(|o| Some((o, residual(o)?))).collect();
    for (o, residual) in &exact {
        by_seed.entry(o.seed).or_default().push(*residual);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    for (o, residual) in &exact {
        let of_seed = by_seed.get(&o.seed).map_or(0.0, |values| mean(values));
        by_size.entry(o.batch_size as u64).or_default().push(residual - of_seed);
    }
    let (k, count) = (by_size.len() as f64, exact.len() as f64);
    let within_freedom = count - k - by_seed.len() as f64 + 1.0;
    if k < 3.0 || within_freedom < 1.0 {
        return None;
    }
    let between: f64 = by_size.values().map(|of| of.len() as f64 * mean(of).powi(2)).sum();
    let within: f64 =
        by_size.values().map(|of| of.iter().map(|r| (r - mean(of)).powi(2)).sum::<f64>()).sum();
    let tau = (between / (k - 2.0) - within / within_freedom) / (count / k);
    let slopes = by_size.keys().map(|size| -(-c).exp() / (1.0 / *size as f64 + (-c).exp()));
    let (sum, squares) = slopes.fold((0.0, 0.0), |(sum, squares), s| (sum + s, squares + s * s));
    let determinant = k * squares - sum * sum;
    (tau > 0.0 && determinant > 1e-9).then(|| (tau * k / determinant, k - 2.0))
}

struct Range {
    smallest: f64,
    largest: f64,
}

impl Range {
    fn holds_roughly(&self, low: f64, high: f64) -> bool {
        low >= self.smallest / 2.0 && high <= 2.0 * self.largest
    }

    fn of(observations: &[Observation]) -> Self {
        let sizes = || observations.iter().map(|o| o.batch_size);
        Self {
            smallest: sizes().fold(f64::INFINITY, f64::min),
            largest: sizes().fold(0.0, f64::max),
        }
    }
}

/// The observations that differ, and for each one its place among them: runs of an arm that end after as many
/// steps are known by one bound, and a resample holds seeds several times.
fn kinds(observations: &[Observation]) -> (Vec<Observation>, Vec<usize>) {
    let mut places: BTreeMap<(u64, u8, u64), usize> = BTreeMap::new();
    let mut kinds = Vec::new();
    let mut place = |o: &Observation| {
        let (kind, steps) = match o.steps {
            Observed::At(steps) => (0, steps),
            Observed::AtMost(steps) => (1, steps),
            Observed::MoreThan(steps) => (2, steps),
        };
        *places.entry((o.batch_size.to_bits(), kind, steps.to_bits())).or_insert_with(|| {
            kinds.push(*o);
            kinds.len() - 1
        })
    };
    let kind_of = observations.iter().map(&mut place).collect();
    (kinds, kind_of)
}

/// (ln Emin, ln B_crit).
fn solve(observations: &[Observation], range: &Range) -> Option<(f64, f64)> {
    let bounds = ((range.smallest / BEYOND).ln(), (range.largest * BEYOND).ln());
    let curve = |c: f64, batch_size: f64| (1.0 / batch_size + (-c).exp()).ln();
    let mut c = (range.smallest * range.largest).sqrt().ln();
    let known = |o: &Observation| match o.steps {
        Observed::At(steps) | Observed::AtMost(steps) | Observed::MoreThan(steps) => steps.ln(),
    };
    let n = observations.len() as f64;
    let mut b = observations.iter().map(|o| known(o) - curve(c, o.batch_size)).sum::<f64>() / n;
    let mut variance = 0.25;
    let (kinds, kind_of) = kinds(observations);
    for _ in 0..500 {
        let terms = |o: &Observation| {
            let mean = b + curve(c, o.batch_size);
            let (expected, spread) = expectation(o.steps, mean, variance);
            let residual = expected - mean;
            // Of ln S by c; by b it is 1.
            let slope = -(-c).exp() / (1.0 / o.batch_size + (-c).exp());
            let square = residual * residual + spread;
            [slope, slope * slope, residual, residual * slope, 1.0, square]
        };
        let terms: Vec<[f64; 6]> = kinds.iter().map(terms).collect();
        let mut sums = [0.0; 6];
        for kind in &kind_of {
            sums.iter_mut().zip(terms[*kind]).for_each(|(sum, term)| *sum += term);
        }
        let [slope, slopes, residual, product, count, squares] = sums;
        let determinant = count * slopes - slope * slope;
        if determinant <= 1e-12 * count * count {
            return None;
        }
        let step_b = (slopes * residual - slope * product) / determinant;
        let step_c = (count * product - slope * residual) / determinant;
        // Beyond a bound there is nothing to tell sizes apart: Emin alone is fitted there.
        let outward = (c <= bounds.0 && step_c < 0.0) || (c >= bounds.1 && step_c > 0.0);
        let (step_b, step_c) = if outward { (residual / count, 0.0) } else { (step_b, step_c) };
        // A long step would leave the part in which the curve is nearly straight.
        let shorter = 0.5 / step_c.abs().max(0.5);
        let next = (c + shorter * step_c).clamp(bounds.0, bounds.1);
        let moved = (next - c).abs() + (shorter * step_b).abs();
        (b, c) = (b + shorter * step_b, next);
        variance = (squares / count).max(1e-8);
        if moved < 1e-7 {
            break;
        }
    }
    (b.is_finite() && c.is_finite()).then_some((b, c))
}

/// The expected ln S of a run and its variance, given the bound.
fn expectation(steps: Observed, mean: f64, variance: f64) -> (f64, f64) {
    let sd = variance.sqrt();
    let beyond = |bound: f64, sign: f64| {
        // Above a bound for sign = 1, below it for -1.
        let z = sign * (bound.ln() - mean) / sd;
        let hazard = match z < 8.0 {
            true => normal().pdf(z) / normal().sf(z),
            false => z + 1.0 / z,
        };
        (mean + sign * sd * hazard, (variance * (1.0 + z * hazard - hazard * hazard)).max(0.0))
    };
    match steps {
        Observed::At(steps) => (steps.ln(), 0.0),
        Observed::MoreThan(steps) => beyond(steps, 1.0),
        Observed::AtMost(steps) => beyond(steps, -1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::summarise;
    use crate::stats::tests::{generator, near, normals};

    const SIZES: [f64; 7] = [16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

    /// S(B) = 200 + 30,000 / B, so B_crit = 150, with noise of this share in each run.
    fn planted(seeds: u64, noise: f64, rng: &mut rand_chacha::ChaCha8Rng) -> Vec<Observation> {
        let mut runs = Vec::new();
        for seed in 0..seeds {
            for (batch_size, z) in SIZES.iter().zip(normals(rng, SIZES.len(), 0.0, noise)) {
                let steps = Observed::At((200.0 + 30_000.0 / batch_size) * z.exp());
                runs.push(Observation { seed, batch_size: *batch_size, steps });
            }
        }
        runs
    }

    #[test]
    fn without_noise_the_curve_is_found_exactly() {
        let found = fit(&planted(3, 0.0, &mut generator(1)), &mut generator(2)).unwrap();
        near(found.critical, 150.0, 1e-3);
        near(found.smallest_steps, 200.0, 1e-3);
        near(found.steps(100.0), 500.0, 1e-2);
        near(found.with_overhead(0.2), 30.0, 1e-3);
        // 128 x S(128) examples are what batch size 128 takes.
        near(found.largest_within(128.0 * found.steps(128.0)), 128.0, 1e-6);
        assert!(found.straddled && found.bounds == 0);
    }

    #[test]
    fn where_no_batch_size_saves_a_step_or_each_saves_all_the_curve_still_goes_through_the_runs() {
        let of = |steps: fn(f64) -> f64| {
            let run = |batch_size: f64| Observation {
                seed: 0,
                batch_size,
                steps: Observed::At(steps(batch_size)),
            };
            let runs: Vec<Observation> = SIZES.into_iter().map(run).collect();
            let found = fit(&runs, &mut generator(1)).unwrap();
            assert!(!found.straddled);
            let error = |batch_size: &f64| (found.steps(*batch_size) / steps(*batch_size)).ln();
            SIZES.iter().map(error).sum::<f64>() / SIZES.len() as f64
        };
        near(of(|_| 500.0), 0.0, 1e-3);
        near(of(|batch_size| 30_000.0 / batch_size), 0.0, 1e-3);
        near(of(|batch_size| 200.0 * batch_size.powf(0.2)), 0.0, 1e-3);
        near(of(|batch_size| 30_000.0 * batch_size.powf(-1.2)), 0.0, 1e-3);
    }

    #[test]
    fn the_interval_holds_the_true_critical_batch_size_in_most_studies() {
        let mut rng = generator(3);
        let (mut covered, mut width, mut found_in) = (0, 0.0, Vec::new());
        for _ in 0..200 {
            let runs = planted(5, 0.15, &mut rng);
            let found = fit(&runs, &mut rng).unwrap();
            let interval = found.interval.unwrap();
            covered += usize::from(interval.contains(150.0));
            width += (interval.high / interval.low).ln() / 200.0;
            found_in.push(found.critical.ln());
        }
        assert!(covered >= 180, "{covered} of 200");
        let needed = 4.0 * summarise(&found_in).unwrap().sd.unwrap();
        assert!(width < 2.0 * needed, "{width} where {needed} would do");
    }

    /// As with learning rates picked from a coarse grid: each size lies off the curve with all seeds.
    #[test]
    fn the_interval_is_wider_where_batch_sizes_lie_off_the_curve() {
        let mut rng = generator(8);
        let mut covered = 0;
        for _ in 0..150 {
            let off = normals(&mut rng, SIZES.len(), 0.0, 0.15);
            let mut runs = planted(4, 0.15, &mut rng);
            for run in &mut runs {
                let at = SIZES.iter().position(|size| size.to_bits() == run.batch_size.to_bits());
                if let Observed::At(steps) = &mut run.steps {
                    *steps *= off[at.unwrap()].exp();
                }
            }
            let interval = fit(&runs, &mut rng).unwrap().interval.unwrap();
            covered += usize::from(interval.contains(150.0));
        }
        assert!(covered >= 135, "{covered} of 150; without what the sizes add it is about 105");
    }

    #[test]
    fn bounds_are_used_as_bounds() {
        let mut rng = generator(4);
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            let mut runs = planted(10, 0.3, &mut rng);
            // Nobody trains the small batches for more than 1,200 steps.
            for run in &mut runs {
                if matches!(run.steps, Observed::At(steps) if steps > 1200.0) {
                    run.steps = Observed::MoreThan(1200.0);
                }
            }
            let range = Range::of(&runs);
            kept.push(solve(&runs, &range).unwrap().1);
            let exact = |o: &Observation| matches!(o.steps, Observed::At(_));
            let exact: Vec<_> = runs.iter().copied().filter(exact).collect();
            dropped.push(solve(&exact, &range).unwrap().1);
        }
        let mean = |logs: &[f64]| (logs.iter().sum::<f64>() / logs.len() as f64).exp();
        near(mean(&kept), 150.0, 15.0);
        assert!(mean(&dropped) < mean(&kept), "{} {}", mean(&dropped), mean(&kept));
    }

    #[test]
    fn too_few_batch_sizes_have_no_curve_and_a_flat_one_has_its_end_outside() {
        let runs: Vec<_> = planted(3, 0.1, &mut generator(5));
        let two: Vec<_> = runs.iter().copied().filter(|run| run.batch_size < 60.0).collect();
        assert_eq!(fit(&two, &mut generator(6)), Err(NoTradeOff::BatchSizes(2)));
        // Perfect scaling: B_crit is beyond all of them.
        let perfect: Vec<_> = runs
            .iter()
            .map(|run| Observation { steps: Observed::At(30_000.0 / run.batch_size), ..*run })
            .collect();
        let found = fit(&perfect, &mut generator(7)).unwrap();
        assert!(!found.straddled && found.critical > 10_000.0, "{found:?}");
    }
}
