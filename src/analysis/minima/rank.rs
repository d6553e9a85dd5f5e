//! Does sharpness tell the score? Kendall's tau of the two over runs, with intervals by resampling whole
//! seeds: runs of one seed have their first weights and order of rows in common.
//!
//! Learning rates move both, and curvature falls as the training loss does. So tau is also taken within
//! strata: among runs of one learning rate, and among runs whose training losses lie in the same range
//! of a factor of [`LIKE_LOSSES`].

use super::Measure;
use crate::analysis::{CONFIDENCE, SharpnessRun};
use crate::stats::{Interval, Ranked, Ranking, resamples};
use rand::Rng;
use serde::Serialize;
use std::collections::BTreeSet;

/// Resamples of the seeds.
const REPLICATES: usize = 2000;
/// From the lowest training loss to the highest of one stratum.
pub const LIKE_LOSSES: f64 = 1.5;
/// Fewer seeds give no interval of a rank correlation.
const SEEDS: usize = 3;

/// Whether runs in sharper minima have another score, by one measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RankCorrelation {
    /// The measure, as in tables.
    pub measure: &'static str,
    /// Over all runs.
    pub tau: f64,
    /// Its 95 % interval; `None` for less than three seeds.
    pub interval: Option<Interval>,
    /// Over pairs of runs with one learning rate; `None` where there are none.
    pub tau_within_rates: Option<f64>,
    /// Its 95 % interval.
    pub interval_within_rates: Option<Interval>,
    /// Over pairs of runs with like training losses; `None` where there are none.
    pub tau_at_like_losses: Option<f64>,
    /// Its 95 % interval.
    pub interval_at_like_losses: Option<Interval>,
}

/// `None` where there is nothing to rank.
pub(super) fn rank_correlation(
    runs: &[SharpnessRun],
    (measure, of): &Measure,
    rng: &mut impl Rng,
) -> Option<RankCorrelation> {
    let mut rates: Vec<u64> = runs.iter().map(|run| run.learning_rate.to_bits()).collect();
    rates.sort_unstable();
    rates.dedup();
    let seeds: Vec<u64> =
        runs.iter().map(|run| run.seed).collect::<BTreeSet<_>>().into_iter().collect();
    let of_rate =
        |run: &SharpnessRun| rates.binary_search(&run.learning_rate.to_bits()).unwrap_or(0);
    let losses = runs.iter().map(|run| run.sharpness.loss).filter(|loss| *loss > 0.0);
    let lowest = losses.fold(f64::INFINITY, f64::min);
    let of_loss = |run: &SharpnessRun| {
        ((run.sharpness.loss / lowest).ln() / LIKE_LOSSES.ln()).max(0.0) as usize
    };
    let place = |run: &SharpnessRun| seeds.binary_search(&run.seed).unwrap_or(0);
    let places: Vec<usize> = runs.iter().map(place).collect();
    let mut estimate = |stratum: &dyn Fn(&SharpnessRun) -> usize| {
        let ranked =
            |run: &SharpnessRun| Ranked { x: of(run), y: run.score, stratum: stratum(run) };
        let ranking = Ranking::of(&runs.iter().map(ranked).collect::<Vec<_>>());
        let tau = |drawn: &[usize]| {
            let mut times = vec![0; seeds.len()];
            drawn.iter().for_each(|seed| times[*seed] += 1);
            ranking.tau(&places.iter().map(|seed| times[*seed]).collect::<Vec<_>>())
        };
        let found = resamples(seeds.len(), REPLICATES, tau, rng)?;
        let enough = seeds.len() >= SEEDS && found.share_defined() > 0.9;
        let interval = found
            .t_interval(CONFIDENCE, None)
            .filter(|_| enough)
            .map(|interval| Interval { low: interval.low.max(-1.0), high: interval.high.min(1.0) });
        Some((found.estimate, interval))
    };
    let (all, interval) = estimate(&|_| 0)?;
    let within_rates = estimate(&of_rate);
    let at_losses = estimate(&of_loss);
    Some(RankCorrelation {
        measure,
        tau: all,
        interval,
        tau_within_rates: within_rates.map(|(tau, _)| tau),
        interval_within_rates: within_rates.and_then(|(_, interval)| interval),
        tau_at_like_losses: at_losses.map(|(tau, _)| tau),
        interval_at_like_losses: at_losses.and_then(|(_, interval)| interval),
    })
}
