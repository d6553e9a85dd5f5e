//! Which learning rate suits which batch size.
//!
//! For each batch size several rates were tried, by tuning or in a grid. The best one is that with
//! the highest mean validation score, or, where runs end at a target, that with the fewest steps to
//! it (the highest mean of -ln steps); between the rates that were tried the optimum is that of
//! the parabola in ln lr through it and its two neighbours. Over at least three batch sizes
//!
//! ```text
//! ln lr* = a + s ln B
//! ```
//!
//! is fitted by least squares. s = 0 means that one rate suits all, 1/2 the square-root rule for
//! Adam (Malladi et al. 2022, arXiv:2205.10287), 1 the linear rule for SGD (Goyal et al. 2017,
//! arXiv:1706.02677); Shallue et al. 2019 (JMLR 20:112) found that no rule holds in general. The
//! interval of s resamples whole seeds. A batch size whose best rate lies at the end of those that
//! were tried tells a bound alone, and is left out.

#[cfg(test)]
mod tests;

use super::{ArmResults, Budget, CONFIDENCE, Rate, Results, Tuning};
use crate::stats::{Edge, Interval, Trial, best_place, resamples};
use rand::Rng;
use serde::Serialize;
use std::collections::BTreeMap;

const REPLICATES: usize = 1000;
/// What a good rate takes of the steps of the best one, where runs end at a target.
pub const MORE_STEPS: f64 = 1.2;

/// The learning rates of one batch size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateOptimum {
    /// Examples per step.
    pub batch_size: usize,
    /// Of the rates that were tried, the best on validation, or the first at the target.
    pub best: f64,
    /// The top of the parabola through it and its neighbours; `best` where it lies at an end.
    pub optimum: f64,
    /// The lowest and highest rate, with all between them, that come within the margin of the best, or
    /// take at most [`MORE_STEPS`] times as many steps to the target; the optimum lies among them.
    pub good: [f64; 2],
    /// Set when the best lies at an end of what was tried.
    pub edge: Option<Edge>,
    /// Rates of which runs diverged.
    pub diverged: Vec<f64>,
}

/// How the optimum moves with the batch size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateScaling {
    /// s
    pub exponent: f64,
    /// Its 95 % interval; `None` for one seed.
    pub interval: Option<Interval>,
    /// exp(a): the rate for batch size 1 on the line.
    pub factor: f64,
    /// The batch sizes that were fitted.
    pub batch_sizes: Vec<usize>,
}

impl RateScaling {
    /// The rate that the line gives a batch size.
    pub fn rate(&self, batch_size: f64) -> f64 {
        self.factor * batch_size.powf(self.exponent)
    }

    /// Which of the common rules lie in the interval.
    pub fn rules(&self) -> Vec<RateRule> {
        let fits =
            |rule: &RateRule| self.interval.is_some_and(|interval| interval.contains(rule.power()));
        RateRule::ALL.into_iter().filter(fits).collect()
    }
}

/// How the learning rate is commonly said to go with the batch size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateRule {
    /// One rate for all.
    Constant,
    /// With the square root.
    SquareRoot,
    /// In proportion.
    Linear,
}

impl RateRule {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Constant, Self::SquareRoot, Self::Linear];

    /// The power of the batch size.
    pub fn power(self) -> f64 {
        match self {
            Self::Constant => 0.0,
            Self::SquareRoot => 0.5,
            Self::Linear => 1.0,
        }
    }
}

/// Why no line was put through the best learning rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoScaling {
    /// It takes three batch sizes whose best rate lies between two others that went well, and there are
    /// so many.
    BatchSizes(usize),
    /// The batch sizes are alike.
    Alike,
}

/// All batch sizes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateFinding {
    /// In ascending order.
    pub sizes: Vec<RateOptimum>,
    /// The line through them.
    pub scaling: Option<RateScaling>,
    /// Why there is none.
    pub no_scaling: Option<NoScaling>,
    /// What all of it rests on: one set of trials a batch size.
    #[serde(skip)]
    pub tried: Vec<Tuning>,
}

impl RateFinding {
    /// Whether rates were compared by the steps to a target, not by scores.
    pub fn is_to_target(&self) -> bool {
        self.tried.iter().flat_map(|of| &of.trials).any(Trial::ends_at_target)
    }
}

/// What was tried for each batch size says which rate suits it; `None` where no batch size had
/// several rates.
pub fn rates(results: &Results, rng: &mut impl Rng) -> Option<RateFinding> {
    let tried = tried(results);
    let sizes: Vec<RateOptimum> =
        tried.iter().filter_map(|tuning| optimum(tuning, results.margin)).collect();
    if sizes.is_empty() {
        return None;
    }
    let (scaling, no_scaling) = match scaling(&tried, rng) {
        Ok(found) => (Some(found), None),
        Err(reason) => (None, Some(reason)),
    };
    Some(RateFinding { sizes, scaling, no_scaling, tried })
}

/// One set of trials a batch size: those of tuning under the file's budget, else those of a grid.
fn tried(results: &Results) -> Vec<Tuning> {
    let of_twin = |tuning: &Tuning| {
        let arm = results.arms.iter().find(|arm| arm.name == tuning.arm);
        arm.is_some_and(|arm| arm.budget == Budget::Steps)
    };
    let mut by_size: BTreeMap<usize, Tuning> = BTreeMap::new();
    for tuning in results.tunings.iter().filter(|tuning| !of_twin(tuning)) {
        by_size.entry(tuning.batch_size).or_insert_with(|| tuning.clone());
    }
    if by_size.is_empty() { of_grid(results) } else { by_size.into_values().collect() }
}

/// Arms that differ in batch size and learning rate alone, as if they were trials.
fn of_grid(results: &Results) -> Vec<Tuning> {
    let arms: Vec<&ArmResults> = results
        .arms
        .iter()
        .filter(|arm| arm.rate == Rate::Given && arm.budget == Budget::Epochs)
        .collect();
    if arms.iter().any(|arm| arm.settings != arms[0].settings) {
        return Vec::new();
    }
    let whole = |arm: &&&ArmResults| arm.diverged.is_empty();
    let seeds: Vec<u64> = arms.first().map_or(Vec::new(), |first| {
        let everywhere =
            |seed: &&u64| arms.iter().filter(whole).all(|arm| arm.runs.contains_key(seed));
        let some = arms.iter().find(whole).unwrap_or(first);
        some.runs.keys().filter(everywhere).copied().collect()
    });
    let mut by_size: BTreeMap<usize, Vec<Trial>> = BTreeMap::new();
    for arm in arms {
        let trials = by_size.entry(arm.batch_size).or_default();
        trials.push(arm.as_trial(&seeds, results.declared_target.as_ref()));
    }
    by_size.retain(|_, trials| trials.len() > 1);
    let tuning = |(batch_size, mut trials): (usize, Vec<Trial>)| {
        trials.sort_by(|a, b| a.learning_rate.total_cmp(&b.learning_rate));
        let places: Vec<usize> = (0..seeds.len()).collect();
        let best = best(&usable(&trials, seeds.len()), &places)?;
        Some(Tuning {
            arm: format!("batch-{batch_size}"),
            batch_size,
            chosen: best.rate,
            edge: best.edge,
            trials,
        })
    };
    by_size.into_iter().filter_map(tuning).collect()
}

/// (lr, scores) of the trials that have runs of all seeds, in ascending order.
type Points = Vec<(f64, Vec<f64>)>;

fn usable(trials: &[Trial], seeds: usize) -> Points {
    let of = |trial: &Trial| Some((trial.learning_rate, trial.scores()?));
    trials.iter().filter_map(of).filter(|(_, scores)| scores.len() == seeds).collect()
}

/// The seeds of which most trials have runs.
fn seeds_of(tuning: &Tuning) -> usize {
    tuning.trials.iter().map(|trial| trial.validation.len()).max().unwrap_or(0)
}

struct Best {
    /// The best rate that was tried.
    rate: f64,
    /// The top of the parabola.
    top: f64,
    place: usize,
    edge: Option<Edge>,
}

/// The best rate over these seeds.
fn best(points: &Points, seeds: &[usize]) -> Option<Best> {
    let mean = |(_, values): &(f64, Vec<f64>)| {
        seeds.iter().map(|seed| values[*seed]).sum::<f64>() / seeds.len() as f64
    };
    if points.len() < 2 || seeds.is_empty() {
        return None;
    }
    let means: Vec<f64> = points.iter().map(mean).collect();
    let (place, edge) = best_place(&means.iter().copied().map(Some).collect::<Vec<_>>())?;
    let rate = points[place].0;
    let near = |at: usize| Some(((points.get(at)?.0 / rate).ln(), means[at]));
    let neighbours = place.checked_sub(1).and_then(near).zip(near(place + 1));
    let top =
        neighbours.map_or(rate, |(left, right)| rate * vertex(left, means[place], right).exp());
    Some(Best { rate, top, place, edge })
}

/// Where the parabola through (left), (0, middle) and (right) is highest; the middle is the highest
/// of the three, so that lies between the other two.
fn vertex(left: (f64, f64), middle: f64, right: (f64, f64)) -> f64 {
    let (fall_left, fall_right) = (middle - left.1, middle - right.1);
    let below = fall_left * right.0 - fall_right * left.0;
    match below.abs() > 0.0 {
        true => {
            let above = fall_left * right.0 * right.0 - fall_right * left.0 * left.0;
            (above / (2.0 * below)).clamp(left.0, right.0)
        }
        false => 0.0,
    }
}

fn optimum(tuning: &Tuning, margin: f64) -> Option<RateOptimum> {
    let seeds: Vec<usize> = (0..seeds_of(tuning)).collect();
    let points = usable(&tuning.trials, seeds.len());
    let best = best(&points, &seeds)?;
    let mean = |place: usize| points[place].1.iter().sum::<f64>() / seeds.len() as f64;
    let to_target = tuning.trials.iter().any(Trial::ends_at_target);
    let tolerance = if to_target { MORE_STEPS.ln() } else { margin };
    let is_good = |place: &usize| mean(best.place) - mean(*place) <= tolerance;
    let lowest = (0..=best.place).rev().take_while(is_good).last().unwrap_or(best.place);
    let uppermost = (best.place..points.len()).take_while(is_good).last().unwrap_or(best.place);
    let wild = tuning.trials.iter().filter(|trial| trial.diverged > 0);
    let diverged: Vec<f64> = wild.map(|trial| trial.learning_rate).collect();
    // Beyond the best there is one that diverged or missed the target: no need to look there.
    let fails = |trial: &Trial, edge: Edge| match edge {
        Edge::Highest => trial.learning_rate > best.rate && trial.scores().is_none(),
        Edge::Lowest => trial.learning_rate < best.rate && trial.missed() > 0,
    };
    let is_end = |edge: &Edge| !tuning.trials.iter().any(|trial| fails(trial, *edge));
    Some(RateOptimum {
        batch_size: tuning.batch_size,
        best: best.rate,
        optimum: best.top,
        good: [points[lowest].0.min(best.top), points[uppermost].0.max(best.top)],
        edge: best.edge.filter(is_end),
        diverged,
    })
}

fn scaling(tried: &[Tuning], rng: &mut impl Rng) -> Result<RateScaling, NoScaling> {
    let count = tried.iter().map(seeds_of).min().unwrap_or(0);
    let all: Vec<usize> = (0..count).collect();
    let inside: Vec<(f64, Points)> = tried
        .iter()
        .map(|tuning| ((tuning.batch_size as f64).ln(), usable(&tuning.trials, seeds_of(tuning))))
        .filter(|(_, points)| best(points, &all).is_some_and(|best| best.edge.is_none()))
        .collect();
    if inside.len() < 3 {
        return Err(NoScaling::BatchSizes(inside.len()));
    }
    let line = |seeds: &[usize]| -> Option<(f64, f64)> {
        let tops = inside.iter().map(|(size, points)| Some((*size, best(points, seeds)?.top.ln())));
        straight_line(&tops.collect::<Option<Vec<_>>>()?)
    };
    let (at_one, exponent) = line(&all).ok_or(NoScaling::Alike)?;
    let bootstrap = resamples(count, REPLICATES, |seeds| Some(line(seeds)?.1), rng);
    Ok(RateScaling {
        exponent,
        interval: bootstrap.and_then(|bootstrap| bootstrap.t_interval(CONFIDENCE, None)),
        factor: at_one.exp(),
        batch_sizes: inside.iter().map(|(size, _)| size.exp().round() as usize).collect(),
    })
}

/// (a, s) of y = a + s x by least squares.
fn straight_line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let squares: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let products: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let slope = products / squares;
    slope.is_finite().then_some((y - slope * x, slope))
}
