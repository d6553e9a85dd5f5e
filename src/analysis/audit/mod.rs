//! What else than the batch size differs between the arms of a study, or goes with it unseen.
//!
//! A batch size changes more than the noise of a gradient: how many updates a run makes, how long
//! Adam's memory is in examples, how often a penalty pulls at the weights, how many updates patience
//! lasts. Each of these can be taken for an effect of the batch size, so each is looked for and
//! said with this study's numbers. What was looked at and does no harm is said as well.

#[cfg(test)]
mod tests;

use super::groups::is_budget;
use super::words::{label, list};
use super::{ArmFinding, ArmResults, Comparison, Rate, Results, Tuning};
use crate::format::{count, counted};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What an arm's settings mean for the audit.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ArmFacts {
    /// Adam's decay of the second moment; `None` for other optimizers.
    pub beta_2: Option<f64>,
    /// Whether every update pulls the weights towards 0: L1, L2 or weight decay.
    pub penalised: bool,
    /// Whether something is dropped while training.
    pub drops: bool,
    /// Epochs of patience, of early stopping or of a plateau schedule.
    pub patience: Option<u64>,
    /// Whether the schedule counts epochs; `None` for a constant rate.
    pub schedule_by_epoch: Option<bool>,
    /// Whether rows are padded and the padding is not masked.
    pub padding_is_read: bool,
    /// Rows whose gradients are computed at a time, if the file says so.
    pub micro_batch: Option<usize>,
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

/// One thing that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confounder {
    /// A short name.
    pub name: &'static str,
    /// How much it matters.
    pub weight: Weight,
    /// What was found, a clause without a stop.
    pub said: String,
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
        padding(&finished),
        running_averages(&finished),
    ];
    let mut found: Vec<Confounder> = checks.into_iter().flatten().collect();
    found.sort_by_key(|confounder| confounder.weight);
    found
}

/// A last batch of less than a part of so many of a whole one is short.
const SHORT: usize = 4;

type Arms<'a> = [(&'a ArmResults, &'a ArmFinding)];

fn confounds(name: &'static str, said: String) -> Option<Confounder> {
    Some(Confounder { name, weight: Weight::Confounds, said })
}

fn notice(name: &'static str, said: String) -> Option<Confounder> {
    Some(Confounder { name, weight: Weight::Notice, said })
}

/// The arms of the smallest and of the largest batch size, if they differ.
fn ends<'a>(arms: &'a Arms<'a>) -> Option<(&'a ArmResults, &'a ArmResults)> {
    let size = |(arm, _): &&(&ArmResults, &ArmFinding)| arm.batch_size;
    let (small, large) = (arms.iter().min_by_key(size)?.0, arms.iter().max_by_key(size)?.0);
    (small.batch_size < large.batch_size).then_some((small, large))
}

fn steps(arms: &Arms<'_>) -> Option<Confounder> {
    let steps = |finding: &ArmFinding| finding.steps.map_or(0, |steps| steps.mean.round() as u64);
    let fewest = arms.iter().map(|(_, f)| *f).min_by_key(|f| steps(f))?;
    let most = arms.iter().map(|(_, f)| *f).max_by_key(|f| steps(f))?;
    if steps(fewest) == steps(most) {
        let said = format!("all runs made {} steps", count(steps(most)));
        return Some(Confounder { name: "updates", weight: Weight::Harmless, said });
    }
    confounds(
        "updates",
        format!(
            "runs made from {} steps with {} to {} with {}",
            count(steps(fewest)),
            label(fewest),
            count(steps(most)),
            label(most)
        ),
    )
}

/// Whether each batch size had the same learning rates to choose from.
fn rates(arms: &Arms<'_>, tunings: &[Tuning]) -> Option<Confounder> {
    const NAME: &str = "learning rate";
    if arms.iter().all(|(arm, _)| arm.rate == Rate::Tuned) {
        let is_here = |of: &&Tuning| arms.iter().any(|(arm, _)| arm.name == of.arm);
        let trials = || tunings.iter().filter(is_here).map(|of| of.trials.len());
        let (fewest, most) = (trials().min().unwrap_or(0), trials().max().unwrap_or(0));
        let (weight, trials) = match fewest == most {
            true => (Weight::Harmless, "with equal trials".to_owned()),
            false => {
                let why = "those whose best rate lay at an end tried more";
                (Weight::Notice, format!("with {fewest} to {most} rates each ({why})"))
            }
        };
        let said = format!(
            "the learning rate was tuned for each arm, {trials} and with seeds that are not reported"
        );
        return Some(Confounder { name: NAME, weight, said });
    }
    let mut by_size: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (arm, _) in arms {
        by_size.entry(arm.batch_size).or_default().insert(arm.learning_rate.to_string());
    }
    let all: BTreeSet<&String> = by_size.values().flatten().collect();
    let named = list(&all.iter().map(|rate| (*rate).clone()).collect::<Vec<_>>());
    let equal = by_size.values().all(|rates| rates.len() == all.len());
    match (all.len(), equal) {
        (1, _) => confounds(
            NAME,
            format!("all used learning rate {named}, which was tuned for none of them"),
        ),
        (_, true) if by_size.len() > 1 => confounds(
            NAME,
            format!(
                "each batch size had the learning rates {named}, and the best of them was picked on \
                 the same seeds"
            ),
        ),
        _ => confounds(NAME, format!("learning rates differ by arm ({named}) and were not tuned")),
    }
}

fn settings(arms: &Arms<'_>) -> Option<Confounder> {
    let of = |(arm, _): &(&ArmResults, &ArmFinding)| arm.settings.clone();
    let first = of(&arms[0]);
    let paths: BTreeSet<String> = arms.iter().flat_map(|arm| of(arm).into_keys()).collect();
    let differs = |path: &&String| {
        !is_budget(path) && arms.iter().any(|arm| of(arm).get(*path) != first.get(*path))
    };
    let paths: Vec<String> = paths.iter().filter(differs).cloned().collect();
    if paths.is_empty() {
        return None;
    }
    confounds("settings", format!("arms differ in {} too", list(&paths)))
}

fn horizon(arms: &Arms<'_>, rows: Option<usize>) -> Option<Confounder> {
    let (small, large) = ends(arms)?;
    let horizon = |arm: &ArmResults| {
        arm.facts.beta_2.map(|beta| (arm.batch_size as f64 / (1.0 - beta)).round() as u64)
    };
    let (of_small, of_large) = (horizon(small)?, horizon(large)?);
    if of_small == of_large {
        return None;
    }
    let epochs = |examples: u64| {
        rows.map_or(String::new(), |rows| {
            format!(" ({:.1} epochs)", examples as f64 / rows.max(1) as f64)
        })
    };
    notice(
        "memory of Adam",
        format!(
            "Adam averages squared gradients over about {} examples{} at batch size {} and over {}{} \
             at {}",
            count(of_small),
            epochs(of_small),
            count(small.batch_size as u64),
            count(of_large),
            epochs(of_large),
            count(large.batch_size as u64)
        ),
    )
}

fn per_epoch(arm: &ArmResults, rows: usize) -> u64 {
    rows.div_ceil(arm.batch_size.max(1)) as u64
}

fn penalties(arms: &Arms<'_>) -> Option<Confounder> {
    let (small, large) = ends(arms)?;
    let penalised = arms.iter().any(|(arm, _)| arm.facts.penalised);
    penalised.then_some(())?;
    let times = large.batch_size as f64 / small.batch_size.max(1) as f64;
    confounds(
        "penalties",
        format!(
            "L1, L2 or weight decay acts once an update, so {times:.0} times as often in an epoch at \
             batch size {} as at {}",
            count(small.batch_size as u64),
            count(large.batch_size as u64)
        ),
    )
}

fn patience(arms: &Arms<'_>, rows: Option<usize>) -> Option<Confounder> {
    let rows = rows?;
    let patient: Vec<(&ArmResults, &ArmFinding)> =
        arms.iter().copied().filter(|(arm, _)| arm.facts.patience.is_some()).collect();
    let told = |arm: &ArmResults| {
        let steps = arm.facts.patience.unwrap_or(0) * per_epoch(arm, rows);
        format!("{} steps at batch size {}", count(steps), count(arm.batch_size as u64))
    };
    let others = match arms.len() - patient.len() {
        0 => "",
        _ => "; other arms have none",
    };
    match ends(&patient) {
        Some((small, large)) => confounds(
            "patience",
            format!("patience counts epochs: {}, {}{others}", told(small), told(large)),
        ),
        None => {
            let (arm, _) = patient.first()?;
            notice("patience", format!("patience counts epochs: {}{others}", told(arm)))
        }
    }
}

fn schedule(arms: &Arms<'_>, rows: Option<usize>) -> Option<Confounder> {
    let ((small, large), rows) = (ends(arms)?, rows?);
    let by_epoch = |arm: &ArmResults| arm.facts.schedule_by_epoch == Some(true);
    (by_epoch(small) && by_epoch(large)).then_some(())?;
    notice(
        "schedule",
        format!(
            "the schedule counts epochs, that is {} steps at batch size {} and {} at {}: the same \
             rate at the same example, not at the same step",
            count(per_epoch(small, rows)),
            count(small.batch_size as u64),
            count(per_epoch(large, rows)),
            count(large.batch_size as u64)
        ),
    )
}

fn large(arms: &Arms<'_>, rows: Option<usize>) -> Option<Confounder> {
    let rows = rows?;
    let sizes: BTreeSet<usize> = arms.iter().map(|(arm, _)| arm.batch_size).collect();
    let named =
        |sizes: &[usize]| list(&sizes.iter().map(|size| count(*size as u64)).collect::<Vec<_>>());
    let whole: Vec<usize> = sizes.iter().copied().filter(|size| *size >= rows).collect();
    if !whole.is_empty() {
        let said = format!(
            "batch size {} holds all {} training examples: an epoch is one step without any noise \
             of the choice of rows",
            named(&whole),
            count(rows as u64)
        );
        return confounds("batch and data", said);
    }
    let tenth: Vec<usize> = sizes.into_iter().filter(|size| 10 * size > rows).collect();
    (!tenth.is_empty()).then_some(())?;
    notice(
        "batch and data",
        format!(
            "batch size {} holds more than a tenth of the {} training examples, so its gradients \
             are less noisy than those of as many rows from endless data",
            named(&tenth),
            count(rows as u64)
        ),
    )
}

/// The last batch of an epoch holds what is left; each of its rows counts for more.
fn last_batch(arms: &Arms<'_>, rows: Option<usize>) -> Option<Confounder> {
    let rows = rows?;
    let sizes: BTreeSet<usize> = arms.iter().map(|(arm, _)| arm.batch_size).collect();
    let partial: Vec<usize> =
        sizes.into_iter().filter(|size| *size < rows && rows % size > 0).collect();
    let times = |size: usize| size as f64 / (rows % size) as f64;
    let told = |size: usize| {
        let left = counted(rows % size, "row");
        let times = match times(size) {
            few if few < 9.95 => format!("{few:.1}"),
            many => format!("{many:.0}"),
        };
        format!("{left} at batch size {} ({times} times the weight)", count(size as u64))
    };
    let is_short = |size: &usize| SHORT * (rows % size) < *size;
    let short: Vec<String> =
        partial.iter().filter(|size| is_short(size)).map(|s| told(*s)).collect();
    if !short.is_empty() {
        let said = format!(
            "the last step of an epoch rests on few rows, each of which counts more: {}",
            list(&short)
        );
        return notice("last batch", said);
    }
    let worst = partial.into_iter().max_by(|a, b| times(*a).total_cmp(&times(*b)))?;
    let said = format!(
        "the last step of an epoch rests on fewer rows, at the most extreme on {}",
        told(worst)
    );
    Some(Confounder { name: "last batch", weight: Weight::Harmless, said })
}

fn accumulation(arms: &Arms<'_>) -> Option<Confounder> {
    let parts: Vec<String> = arms
        .iter()
        .filter_map(|(arm, _)| {
            let micro = arm.facts.micro_batch.filter(|rows| *rows < arm.batch_size)?;
            Some(format!("{} by {micro}", count(arm.batch_size as u64)))
        })
        .collect();
    (!parts.is_empty()).then_some(())?;
    let said = format!(
        "gradients were summed over parts of the batch (batch size {}): the same step to rounding, \
         in less memory and no faster",
        list(&parts)
    );
    Some(Confounder { name: "accumulation", weight: Weight::Harmless, said })
}

fn padding(arms: &Arms<'_>) -> Option<Confounder> {
    let said = match arms.iter().any(|(arm, _)| arm.facts.padding_is_read) {
        true => {
            "padding is read by the model, to the same length in every batch, so it does not \
                 depend on which rows share a batch"
        }
        false => {
            "a batch is trimmed to its longest row, which changes no result: padding is left \
                  out or there is none"
        }
    };
    Some(Confounder { name: "padding", weight: Weight::Harmless, said: said.into() })
}

fn running_averages(arms: &Arms<'_>) -> Option<Confounder> {
    let drops = match arms.iter().any(|(arm, _)| arm.facts.drops) {
        true => ", with dropout on,",
        false => ",",
    };
    notice(
        "training metrics",
        format!(
            "training loss and accuracy are averages while the weights move{drops} so they lag most \
             where an epoch has the most steps; validation and test are measured with weights at rest"
        ),
    )
}
