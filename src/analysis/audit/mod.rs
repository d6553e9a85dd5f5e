//! What else than the batch size differs between the arms of a study, or goes with it unseen.
//!
//! A batch size changes more than the noise of a gradient: how many updates a run makes, how long
//! Adam's memory is in examples, how often a penalty pulls at the weights, how many updates patience
//! lasts. Each of these can be taken for an effect of the batch size, so each is looked for and
//! said with this study's numbers. What was looked at and does no harm is said as well.

#[cfg(test)]
mod tests;

use super::groups::is_budget;
use super::{ArmFinding, ArmResults, Comparison, Rate, Results, Tuning};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What an arm's settings mean for the audit and the cautions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ArmFacts {
    /// The share of the average of squared gradients that each step keeps; `None` of an optimizer without one.
    pub decay_of_squares: Option<f64>,
    /// Whether every update pulls the weights towards 0: L1, L2 or weight decay.
    pub penalised: bool,
    /// Whether something is dropped while training.
    pub drops: bool,
    /// Epochs of patience, of early stopping or of a plateau schedule.
    pub patience: Option<u64>,
    /// The metric whose best epoch gives the weights of a run, as files call it, where that is not the score.
    pub restored_by: Option<String>,
    /// Whether the schedule counts epochs; `None` for a constant rate.
    pub schedule_by_epoch: Option<bool>,
    /// Whether rows are padded and the padding is not masked.
    pub padding_is_read: bool,
    /// Rows whose gradients are computed at a time, if the file says so.
    pub micro_batch: Option<usize>,
    /// The processors or GPUs on which its finished runs were trained, as far as they are known.
    pub hardware: BTreeSet<String>,
    /// The most runs that shared a GPU with one of its finished runs, that one included; 1 where none did.
    pub sharing: usize,
}

/// Whether it can be taken for an effect of the batch size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It can.
    Confounds,
    /// It is to be known when the results are read.
    Notice,
    /// It was looked at and does no harm here.
    Harmless,
}

/// One thing that was looked for, with what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Confounder {
    /// How many updates runs make.
    Updates {
        /// The arm whose runs made the fewest.
        fewest: Updates,
        /// The one whose runs made the most: as many where there is no difference.
        most: Updates,
    },
    /// Each arm had its learning rate tuned, with seeds of its own.
    TunedRates {
        /// The fewest and the most rates that an arm tried.
        trials: [usize; 2],
    },
    /// Learning rates were given.
    GivenRates {
        /// All of them, ascending.
        rates: Vec<f64>,
        /// To which arms.
        given: Given,
    },
    /// Other settings in which arms differ, by their paths.
    Settings {
        /// In order.
        paths: Vec<String>,
    },
    /// Over how many examples the optimizer averages squared gradients.
    OptimizerMemory {
        /// At the smallest batch size.
        small: At,
        /// At the largest.
        large: At,
        /// Of the training split.
        rows: Option<usize>,
    },
    /// L1, L2 or weight decay acts once an update.
    Penalties {
        /// The smallest and the largest batch size.
        sizes: [usize; 2],
    },
    /// Patience counts epochs: the steps that it lasts.
    Patience {
        /// At the smallest and the largest batch size that have it, or at the only one.
        steps: Vec<At>,
        /// Whether other arms have none.
        some_without: bool,
    },
    /// The schedule counts epochs: the steps of one.
    Schedule {
        /// At the smallest batch size.
        small: At,
        /// At the largest.
        large: At,
    },
    /// Batch sizes that hold all training rows.
    WholeData {
        /// Ascending.
        sizes: Vec<usize>,
        /// Of the training split.
        rows: usize,
    },
    /// Batch sizes that hold more than a tenth of the training rows.
    MuchData {
        /// Ascending.
        sizes: Vec<usize>,
        /// Of the training split.
        rows: usize,
    },
    /// The last step of an epoch has few rows, each of which counts more.
    ShortLastBatch {
        /// Its rows, by batch size.
        rows: Vec<At>,
    },
    /// The last step of an epoch has fewer rows than the others, though not few.
    LastBatch {
        /// Its rows where they are the fewest for the batch size.
        rows: At,
    },
    /// Gradients were summed over parts of a batch.
    Accumulation {
        /// Batch size and rows of a part.
        parts: Vec<[usize; 2]>,
    },
    /// Arms were trained on different processors or GPUs.
    Hardware {
        /// All of them.
        kinds: Vec<String>,
    },
    /// Runs shared a GPU, so that their steps were counted and a few of them timed alone.
    SharedGpu {
        /// At most, at a time.
        runs: usize,
    },
    /// Padding, which does not depend on which rows share a batch.
    Padding {
        /// Whether the model reads it.
        is_read: bool,
    },
    /// Training loss and score are means while the weights move.
    RunningMeans {
        /// With dropout on.
        drops: bool,
    },
}

/// The updates of an arm's runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Updates {
    /// Its name.
    pub arm: String,
    /// Examples per step.
    pub batch_size: usize,
    /// Mean over its runs.
    pub steps: u64,
}

/// A number at a batch size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct At {
    /// Examples per step.
    pub batch_size: usize,
    /// Steps, rows or examples.
    pub count: u64,
}

/// To which arms learning rates were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// One to all of them.
    ToAll,
    /// Several to each batch size, of which the best was picked on the same seeds.
    AsGrid,
    /// Each its own.
    ByArm,
}

impl Confounder {
    /// How much it matters.
    pub fn weight(&self) -> Weight {
        match self {
            Self::Updates { fewest, most } if fewest.steps == most.steps => Weight::Harmless,
            Self::TunedRates { trials: [fewest, most] } if fewest == most => Weight::Harmless,
            Self::Patience { steps, .. } if steps.len() < 2 => Weight::Notice,
            Self::Updates { .. }
            | Self::GivenRates { .. }
            | Self::Settings { .. }
            | Self::Penalties { .. }
            | Self::Patience { .. }
            | Self::WholeData { .. } => Weight::Confounds,
            Self::TunedRates { .. }
            | Self::OptimizerMemory { .. }
            | Self::Schedule { .. }
            | Self::MuchData { .. }
            | Self::ShortLastBatch { .. }
            | Self::Hardware { .. }
            | Self::SharedGpu { .. }
            | Self::RunningMeans { .. } => Weight::Notice,
            Self::LastBatch { .. } | Self::Accumulation { .. } | Self::Padding { .. } => {
                Weight::Harmless
            }
        }
    }
}

/// Everything that was found, what matters first.
pub fn audit(results: &Results, comparison: &Comparison) -> Vec<Confounder> {
    let finished: Vec<(&ArmResults, &ArmFinding)> = results
        .arms
        .iter()
        .zip(&comparison.arms)
        .filter(|(_, finding)| finding.finished > 0)
        .collect();
    if finished.len() < 2 {
        return Vec::new();
    }
    let rows = results.examples.train;
    let checks = [
        steps(&finished),
        rates(&finished, &results.tunings),
        settings(&finished),
        horizon(&finished, rows),
        penalties(&finished),
        patience(&finished, rows),
        schedule(&finished, rows),
        large(&finished, rows),
        last_batch(&finished, rows),
        accumulation(&finished),
        hardware(&finished),
        shared_gpu(&finished),
        Some(Confounder::Padding {
            is_read: finished.iter().any(|(arm, _)| arm.facts.padding_is_read),
        }),
        Some(Confounder::RunningMeans { drops: finished.iter().any(|(arm, _)| arm.facts.drops) }),
    ];
    let mut found: Vec<Confounder> = checks.into_iter().flatten().collect();
    found.sort_by_key(Confounder::weight);
    found
}

/// A last batch of less than a part of so many of a whole one is short.
const SHORT: usize = 4;

type Arms<'a> = [(&'a ArmResults, &'a ArmFinding)];

/// The arms of the smallest and of the largest batch size, if they differ.
fn ends<'a>(arms: &'a Arms<'a>) -> Option<(&'a ArmResults, &'a ArmResults)> {
    let size = |(arm, _): &&(&ArmResults, &ArmFinding)| arm.batch_size;
    let (small, large) = (arms.iter().min_by_key(size)?.0, arms.iter().max_by_key(size)?.0);
    (small.batch_size < large.batch_size).then_some((small, large))
}

fn steps(arms: &Arms<'_>) -> Option<Confounder> {
    let updates = |(_, finding): &(&ArmResults, &ArmFinding)| Updates {
        arm: finding.name.clone(),
        batch_size: finding.batch_size,
        steps: finding.steps.map_or(0, |steps| steps.mean.round() as u64),
    };
    let fewest = arms.iter().map(updates).min_by_key(|of| of.steps)?;
    let most = arms.iter().map(updates).max_by_key(|of| of.steps)?;
    Some(Confounder::Updates { fewest, most })
}

/// Whether each batch size had the same learning rates to choose from.
fn rates(arms: &Arms<'_>, tunings: &[Tuning]) -> Option<Confounder> {
    if arms.iter().all(|(arm, _)| arm.rate == Rate::Tuned) {
        let is_here = |of: &&Tuning| arms.iter().any(|(arm, _)| arm.name == of.arm);
        let trials = || tunings.iter().filter(is_here).map(|of| of.trials.len());
        let trials = [trials().min().unwrap_or(0), trials().max().unwrap_or(0)];
        return Some(Confounder::TunedRates { trials });
    }
    // Rates are above 0, so that their bits are in order.
    let mut by_size: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for (arm, _) in arms {
        by_size.entry(arm.batch_size).or_default().insert(arm.learning_rate.to_bits());
    }
    let all: BTreeSet<u64> = by_size.values().flatten().copied().collect();
    let equal = by_size.values().all(|rates| rates.len() == all.len());
    let given = match all.len() {
        1 => Given::ToAll,
        _ if equal && by_size.len() > 1 => Given::AsGrid,
        _ => Given::ByArm,
    };
    Some(Confounder::GivenRates { rates: all.into_iter().map(f64::from_bits).collect(), given })
}

fn settings(arms: &Arms<'_>) -> Option<Confounder> {
    let first = &arms[0].0.settings;
    let paths: BTreeSet<&String> = arms.iter().flat_map(|(arm, _)| arm.settings.keys()).collect();
    let differs = |path: &&String| {
        !is_budget(path) && arms.iter().any(|(arm, _)| arm.settings.get(*path) != first.get(*path))
    };
    let paths: Vec<String> = paths.into_iter().filter(differs).cloned().collect();
    (!paths.is_empty()).then_some(Confounder::Settings { paths })
}

fn horizon(arms: &Arms<'_>, rows: Option<usize>) -> Option<Confounder> {
    let (small, large) = ends(arms)?;
    let horizon = |arm: &ArmResults| {
        let beta = arm.facts.decay_of_squares?;
        let count = (arm.batch_size as f64 / (1.0 - beta)).round() as u64;
        Some(At { batch_size: arm.batch_size, count })
    };
    let (small, large) = (horizon(small)?, horizon(large)?);
    (small.count != large.count).then_some(Confounder::OptimizerMemory { small, large, rows })
}

fn per_epoch(arm: &ArmResults, rows: usize) -> u64 {
    rows.div_ceil(arm.batch_size.max(1)) as u64
}

fn penalties(arms: &Arms<'_>) -> Option<Confounder> {
    let (small, large) = ends(arms)?;
    let penalised = arms.iter().any(|(arm, _)| arm.facts.penalised);
    let sizes = [small.batch_size, large.batch_size];
    penalised.then_some(Confounder::Penalties { sizes })
}

fn patience(arms: &Arms<'_>, rows: Option<usize>) -> Option<Confounder> {
    let rows = rows?;
    let patient: Vec<(&ArmResults, &ArmFinding)> =
        arms.iter().copied().filter(|(arm, _)| arm.facts.patience.is_some()).collect();
    let lasts = |arm: &ArmResults| {
        let count = arm.facts.patience.unwrap_or(0) * per_epoch(arm, rows);
        At { batch_size: arm.batch_size, count }
    };
    let steps = match ends(&patient) {
        Some((small, large)) => vec![lasts(small), lasts(large)],
        None => vec![lasts(patient.first()?.0)],
    };
    Some(Confounder::Patience { steps, some_without: patient.len() < arms.len() })
}

fn schedule(arms: &Arms<'_>, rows: Option<usize>) -> Option<Confounder> {
    let ((small, large), rows) = (ends(arms)?, rows?);
    let by_epoch = |arm: &ArmResults| arm.facts.schedule_by_epoch == Some(true);
    let epoch = |arm: &ArmResults| At { batch_size: arm.batch_size, count: per_epoch(arm, rows) };
    let found = || Confounder::Schedule { small: epoch(small), large: epoch(large) };
    (by_epoch(small) && by_epoch(large)).then(found)
}

/// Ascending, each once.
fn sizes(arms: &Arms<'_>) -> BTreeSet<usize> {
    arms.iter().map(|(arm, _)| arm.batch_size).collect()
}

fn large(arms: &Arms<'_>, rows: Option<usize>) -> Option<Confounder> {
    let (rows, all) = (rows?, sizes(arms));
    let whole: Vec<usize> = all.iter().copied().filter(|size| *size >= rows).collect();
    if !whole.is_empty() {
        return Some(Confounder::WholeData { sizes: whole, rows });
    }
    let sizes: Vec<usize> = all.into_iter().filter(|size| 10 * size > rows).collect();
    (!sizes.is_empty()).then_some(Confounder::MuchData { sizes, rows })
}

/// The last batch of an epoch holds what is left; each of its rows counts for more.
fn last_batch(arms: &Arms<'_>, rows: Option<usize>) -> Option<Confounder> {
    let rows = rows?;
    let partial: Vec<usize> =
        sizes(arms).into_iter().filter(|size| *size < rows && rows % size > 0).collect();
    let last = |size: usize| At { batch_size: size, count: (rows % size) as u64 };
    let is_short = |size: &usize| SHORT * (rows % size) < *size;
    let short: Vec<At> = partial.iter().copied().filter(is_short).map(last).collect();
    if !short.is_empty() {
        return Some(Confounder::ShortLastBatch { rows: short });
    }
    let times = |size: usize| size as f64 / (rows % size) as f64;
    let worst = partial.into_iter().max_by(|a, b| times(*a).total_cmp(&times(*b)))?;
    Some(Confounder::LastBatch { rows: last(worst) })
}

fn accumulation(arms: &Arms<'_>) -> Option<Confounder> {
    let parts = arms.iter().filter_map(|(arm, _)| {
        let rows = arm.facts.micro_batch.filter(|rows| *rows < arm.batch_size)?;
        Some([arm.batch_size, rows])
    });
    let parts: Vec<[usize; 2]> = parts.collect();
    (!parts.is_empty()).then_some(Confounder::Accumulation { parts })
}

/// Seconds of arms that ran on different hardware cannot be compared.
fn hardware(arms: &Arms<'_>) -> Option<Confounder> {
    let known = || arms.iter().map(|(arm, _)| &arm.facts.hardware).filter(|of| !of.is_empty());
    let first = known().next()?;
    let kinds: BTreeSet<&String> = known().flatten().collect();
    let differs = known().any(|of| of != first);
    differs.then(|| Confounder::Hardware { kinds: kinds.into_iter().cloned().collect() })
}

fn shared_gpu(arms: &Arms<'_>) -> Option<Confounder> {
    let runs = arms.iter().map(|(arm, _)| arm.facts.sharing).max()?;
    (runs > 1).then_some(Confounder::SharedGpu { runs })
}
