//! Does sharpness tell accuracy? Kendall's tau of the two over runs, with intervals by resampling whole
//! seeds: runs of one seed have their first weights and order of rows in common.

use super::Measure;
use crate::analysis::{CONFIDENCE, SharpnessRun};
use crate::stats::{Interval, Ranked, kendall_tau, resamples};
use rand::Rng;
use serde::Serialize;
use std::collections::BTreeSet;

/// Resamples of the seeds.
const REPLICATES: usize = 2000;
/// Fewer seeds give no interval of a rank correlation.
const SEEDS: usize = 3;

/// Whether runs in sharper minima have another accuracy, by one measure.
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
    let observe = |run: &SharpnessRun, within: bool| {
        let rate = rates.iter().position(|rate| *rate == run.learning_rate.to_bits());
        let stratum = if within { rate.unwrap_or(0) } else { 0 };
        Ranked { x: of(run), y: run.accuracy, stratum }
    };
    let tau = |drawn: &[usize], within: bool| {
        let of_seed = |seed: u64| runs.iter().filter(move |run| run.seed == seed);
        let drawn = drawn.iter().flat_map(|index| of_seed(seeds[*index]));
        kendall_tau(&drawn.map(|run| observe(run, within)).collect::<Vec<_>>())
    };
    let mut estimate = |within: bool| {
        let found = resamples(seeds.len(), REPLICATES, |drawn| tau(drawn, within), rng)?;
        let enough = seeds.len() >= SEEDS && found.share_defined() > 0.9;
        let interval = found
            .t_interval(CONFIDENCE)
            .filter(|_| enough)
            .map(|interval| Interval { low: interval.low.max(-1.0), high: interval.high.min(1.0) });
        Some((found.estimate, interval))
    };
    let (all, interval) = estimate(false)?;
    let within = estimate(true);
    Some(RankCorrelation {
        measure,
        tau: all,
        interval,
        tau_within_rates: within.map(|(tau, _)| tau),
        interval_within_rates: within.and_then(|(_, interval)| interval),
    })
}
