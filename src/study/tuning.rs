//! Learning rates that are the best of several: which are tried, and which is taken.
//!
//! Each tuned arm is trained with each rate and with seeds that no reported run has. The rate with the
//! highest mean validation accuracy is taken; one of which a run diverged is out of the question.
//! If the best one lies at an end of those that were tried, one more is tried beyond it, as often as
//! the study allows. The test split is never measured here.
//!
//! ```text
//! tuning/<arm>/lr-<rate>/seed-<n>/   the records of a tuning run, as those of any run
//! tuning.json                        what was tried and taken, drawn from them
//! ```

use super::Observer;
use super::folder::StudyFolder;
use super::plan::{Plan, Run};
use super::pool::Pool;
use super::protocol::RunEnd;
use super::record::{RunFolder, Status};
use super::selection::Selection;
use super::summary::FinishedRun;
use crate::config::{Arm, FIRST_TUNING_SEED, Rates, Sampling, Study, Tuned, rounded};
use crate::error::UserError;
use crate::files;
use crate::rng::{Purpose, stream};
use crate::stats;
use anyhow::{Result, bail};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// The folder of tuning runs in that of the study; no arm can have this name.
pub(super) const FOLDER: &str = "tuning";

/// One learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriedRate {
    /// Before the schedule.
    pub lr: f64,
    /// Of its finished runs, in the order of the seeds.
    pub validation_accuracy: Vec<f64>,
    /// Runs whose loss was not finite.
    pub diverged: usize,
}

/// An end of the rates that were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateEdge {
    /// The smallest.
    Lowest,
    /// The largest.
    Highest,
}

/// How the learning rate of an arm was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TunedArm {
    /// The arm.
    pub arm: String,
    /// In ascending order.
    pub rates: Vec<TriedRate>,
    /// The one that was taken.
    pub chosen: f64,
    /// Set when it lies at an end of those that were tried.
    pub edge: Option<RateEdge>,
}

/// What `tuning.json` in a study's folder holds; empty before tuning has ended.
pub fn tuned_arms(folder: &Path) -> Result<Vec<TunedArm>> {
    Ok(files::read_json(&folder.join("tuning.json"))?.unwrap_or_default())
}

/// Gives the tuned arms of a study the rates that were found, as far as they were.
pub(super) fn settle(study: &mut Study, found: &[TunedArm]) {
    for tuned in found {
        if study.tuned.contains(&tuned.arm) {
            study.settle(&tuned.arm, tuned.chosen);
        }
    }
}

/// Tunes all arms that ask for it; false when it was stopped before the end.
pub(super) fn tune(
    plan: &mut Plan,
    folder: &StudyFolder,
    selection: &Selection,
    pool: &mut Pool,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<bool> {
    let Some(rule) = plan.study.tuning().cloned() else { return Ok(true) };
    let mut searches: Vec<Search> = plan
        .study
        .arms
        .iter()
        .filter(|arm| plan.study.tuned.contains(&arm.name))
        .map(|arm| Search::new(arm, &rule))
        .collect();
    loop {
        let runs: Vec<Run> = searches.iter().flat_map(|search| search.runs(&rule)).collect();
        if !train(&runs, plan, folder, selection, pool, stop, observer)? {
            return Ok(false);
        }
        let mut extended = false;
        for search in &mut searches {
            extended |= search.extend(&search.result(folder.path(), &rule)?, &rule);
        }
        if !extended {
            break;
        }
    }
    let found: Vec<TunedArm> =
        searches.iter().map(|search| search.result(folder.path(), &rule)).collect::<Result<_>>()?;
    files::write_json(&folder.path().join("tuning.json"), &found)?;
    settle(&mut plan.study, &found);
    plan.runs = Run::all(&plan.study);
    found.iter().for_each(|tuned| observer.on_tuned(tuned));
    Ok(true)
}

/// Trains those that are not finished; false when it was stopped.
fn train(
    runs: &[Run],
    plan: &Plan,
    folder: &StudyFolder,
    selection: &Selection,
    pool: &mut Pool,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<bool> {
    folder.refuse_other_definitions(plan, runs)?;
    let everything = Selection { only: Vec::new(), ..selection.clone() };
    let pending = folder.pending(plan, runs, &everything)?;
    if !pending.runs.is_empty() {
        observer.on_tuning(plan, &pending, runs.len());
        let ends = pool.run_all(plan, folder, &pending.runs, stop, observer)?;
        if ends.iter().any(|end| matches!(end, None | Some(RunEnd::Stopped))) {
            return Ok(false);
        }
    }
    for run in runs {
        if let Some(Status::Failed { message }) = folder.run(run).record()?.map(|r| r.status) {
            return Err(UserError::new(
                format!("the tuning run `{}` failed: {message}", run.id()),
                "`--retry-failed` tries it again from its last checkpoint",
            )
            .into());
        }
    }
    Ok(!stop.load(Ordering::Relaxed))
}

/// The rates of one arm.
struct Search {
    arm: Arm,
    /// In ascending order.
    rates: Vec<f64>,
    /// How many were added to the first ones.
    added: u32,
}

impl Search {
    fn new(arm: &Arm, rule: &Tuned) -> Self {
        let mut rates = first_rates(&rule.rates(arm.train.optimizer.lr()), rule.sampling);
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        Self { arm: arm.clone(), rates, added: 0 }
    }

    fn runs(&self, rule: &Tuned) -> Vec<Run> {
        let of_rate = |lr: &f64| {
            let seeds = (0..u64::from(rule.seeds)).map(|index| FIRST_TUNING_SEED + index);
            let mut arm = self.arm.with_rate(*lr);
            arm.name = format!("{FOLDER}/{}/lr-{lr}", self.arm.name);
            seeds.map(|seed| Run { arm: arm.clone(), seed }).collect::<Vec<_>>()
        };
        self.rates.iter().flat_map(of_rate).collect()
    }

    /// What the records of the tuning runs say.
    fn result(&self, study: &Path, rule: &Tuned) -> Result<TunedArm> {
        let mut tried: Vec<TriedRate> = Vec::new();
        for run in self.runs(rule) {
            let lr = run.arm.train.optimizer.lr();
            if tried.last().is_none_or(|last| last.lr.to_bits() != lr.to_bits()) {
                tried.push(TriedRate { lr, validation_accuracy: Vec::new(), diverged: 0 });
            }
            let Some(of_rate) = tried.last_mut() else { continue };
            let files = RunFolder::new(&study.join(run.id()));
            match files.record()?.map(|record| record.status) {
                Some(Status::Diverged { .. }) => of_rate.diverged += 1,
                Some(Status::Finished) => {
                    let finished = FinishedRun::read(&files, &run.arm)?;
                    of_rate.validation_accuracy.extend(finished.map(|f| f.validation_accuracy));
                }
                _ => bail!("the tuning run `{}` did not end", run.id()),
            }
        }
        let Some((place, chosen)) = best(&tried) else {
            return Err(UserError::new(
                format!(
                    "arm `{}`: runs diverged with each of the learning rates {}",
                    self.arm.name,
                    tried.iter().map(|rate| rate.lr.to_string()).collect::<Vec<_>>().join(", ")
                ),
                "try smaller ones: `study.learning_rate: { tuned: { rates: [...] } }`",
            )
            .into());
        };
        let edge = match place {
            0 => Some(RateEdge::Lowest),
            _ if place + 1 == tried.len() => Some(RateEdge::Highest),
            _ => None,
        };
        Ok(TunedArm { arm: self.arm.name.clone(), rates: tried, chosen, edge })
    }

    /// Adds a rate beyond the end at which the best one lies; whether one was added.
    fn extend(&mut self, result: &TunedArm, rule: &Tuned) -> bool {
        if rule.sampling == Sampling::QuasiRandom || self.added >= rule.extend {
            return false;
        }
        let n = self.rates.len();
        let beyond = |end: f64, inner: f64| rounded(end * end / inner);
        let next = match result.edge {
            Some(RateEdge::Lowest) => beyond(self.rates[0], self.rates[1]),
            Some(RateEdge::Highest) => beyond(self.rates[n - 1], self.rates[n - 2]),
            None => return false,
        };
        self.rates.push(next);
        self.rates.sort_by(f64::total_cmp);
        self.added += 1;
        true
    }
}

/// The place of the rate with the highest mean, and the rate; of equals the smallest.
fn best(tried: &[TriedRate]) -> Option<(usize, f64)> {
    let mut found: Option<(usize, f64)> = None;
    for (place, rate) in tried.iter().enumerate().filter(|(_, rate)| rate.diverged == 0) {
        let Some(summary) = stats::summarise(&rate.validation_accuracy) else { continue };
        if found.is_none_or(|(_, most)| summary.mean > most) {
            found = Some((place, summary.mean));
        }
    }
    found.map(|(place, _)| (place, tried[place].lr))
}

fn first_rates(rates: &Rates, sampling: Sampling) -> Vec<f64> {
    match (rates, sampling) {
        (Rates::Range(range), Sampling::QuasiRandom) => {
            let shift: f64 = stream(0, Purpose::Tuning, 0).random();
            let mut found: Vec<f64> = Vec::new();
            let mut index = 0;
            // Two that round to the same rate are one: the sequence goes on instead.
            while found.len() < range.count as usize && index < 100 * range.count {
                let rate = range.at((van_der_corput(index) + shift).fract());
                if !found.iter().any(|other| other.to_bits() == rate.to_bits()) {
                    found.push(rate);
                }
                index += 1;
            }
            found
        }
        _ => rates.values(),
    }
}

/// The binary digits of a number behind the point, in reverse: 0, 1/2, 1/4, 3/4, ...
fn van_der_corput(index: u32) -> f64 {
    f64::from(index.reverse_bits()) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{RateRange, TrainSection};

    fn tried(values: &[(f64, &[f64], usize)]) -> Vec<TriedRate> {
        let rate = |(lr, accuracies, diverged): &(f64, &[f64], usize)| TriedRate {
            lr: *lr,
            validation_accuracy: accuracies.to_vec(),
            diverged: *diverged,
        };
        values.iter().map(rate).collect()
    }

    #[test]
    fn the_highest_mean_is_taken_and_a_rate_that_diverged_never() {
        let rates = tried(&[
            (0.1, &[0.6, 0.7], 0),
            (0.2, &[0.8, 0.7], 0),
            (0.4, &[0.9], 1),
            (0.8, &[0.75, 0.75], 0),
        ]);
        assert_eq!(best(&rates), Some((1, 0.2)));
        assert_eq!(best(&tried(&[(0.1, &[], 2)])), None);
    }

    #[test]
    fn a_best_rate_at_an_end_brings_one_more_beyond_it_as_often_as_allowed() {
        let arm = Arm {
            name: "a".into(),
            batch_size: 8,
            model: serde_yaml::from_str("{}").unwrap(),
            train: TrainSection::default(),
        };
        let rule = Tuned { extend: 2, ..Tuned::default() };
        let mut search = Search::new(&arm, &rule);
        assert_eq!(search.rates, [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]);
        let at = |edge| TunedArm { arm: "a".into(), rates: Vec::new(), chosen: 0.0, edge };
        assert!(!search.extend(&at(None), &rule));
        assert!(search.extend(&at(Some(RateEdge::Highest)), &rule));
        assert_eq!(search.rates[5], 3.16e-2);
        assert!(search.extend(&at(Some(RateEdge::Lowest)), &rule));
        assert_eq!(search.rates[0], 3.16e-5);
        assert!(!search.extend(&at(Some(RateEdge::Highest)), &rule));
        let runs = search.runs(&rule);
        assert_eq!(runs.len(), 7 * 2);
        assert_eq!(runs[1].id(), "tuning/a/lr-0.0000316/seed-1001");
    }

    #[test]
    fn quasi_random_rates_are_different_ones_spread_over_the_range() {
        let range = Rates::Range(RateRange { from: 1e-4, to: 1e-2, count: 8 });
        let mut rates = first_rates(&range, Sampling::QuasiRandom);
        assert_eq!(rates, first_rates(&range, Sampling::QuasiRandom));
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        assert_eq!(rates.len(), 8);
        // One in each eighth of the logarithm, but for the shift.
        let logs: Vec<f64> = rates.iter().map(|rate| (rate / 1e-4).log10() / 2.0).collect();
        assert!(logs.windows(2).all(|pair| pair[1] - pair[0] < 0.2), "{logs:?}");
        assert_eq!([0, 1, 2, 3].map(van_der_corput), [0.0, 0.5, 0.25, 0.75]);
    }
}
