//! Learning rates that are tuned: which are tried for an arm, and which one is taken.
//!
//! Every arm begins with equal numbers of trials: the same rates (or the same shares of a range around
//! its own rate), each with the same seeds, which no other run has. The best is the one with the
//! best mean validation score, or, where runs end at a target, the one that takes them there in
//! the fewest steps; the middle one of equals. A rate of which any run diverged is not taken. While the
//! best lies at an end of the grid, one more rate is tried beyond it, as far away as its neighbour is
//! in the logarithm. The test split is never read.
//!
//! Everything follows from the records of the trials, so that tuning goes on at any moment and is
//! never done twice. [`super::drive`] has the trials trained.

use super::record::{RunFolder, Status};
use super::run::{Run, Stage};
use super::summary::FinishedRun;
use crate::config::{self, Arm, FIRST_TUNING_SEED, Rates, Sampling, Study, rounded};
use crate::rng::{Purpose, stream};
use crate::stats::{Edge, Trial, best_trial};
use anyhow::Result;
use rand::RngExt;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// The learning rates that were tried for an arm, and the one that was taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tuning {
    /// The arm.
    pub arm: String,
    /// Examples per step.
    pub batch_size: usize,
    /// In ascending order of their learning rates.
    pub trials: Vec<Trial>,
    /// Whether every trial is over.
    pub finished: bool,
    /// The best on average, once it is known; `None` too if a run of every rate diverged.
    pub chosen: Option<f64>,
    /// Set when that lies at an end of the rates that were tried.
    pub edge: Option<Edge>,
}

impl Tuning {
    /// Whether no rate can be taken, since each made a run diverge.
    pub fn all_diverged(&self) -> bool {
        self.finished && self.chosen.is_none()
    }
}

/// The rate to try beyond these, in ascending order: past the best at an end, or below all of them
/// when each diverged.
fn extend_grid(trials: &[Trial]) -> Option<f64> {
    let rate = |index: usize| trials[index].learning_rate;
    let last = trials.len().checked_sub(1).filter(|last| *last > 0)?;
    match best_trial(trials) {
        Some((_, Some(Edge::Highest))) => Some(rounded(rate(last) * rate(last) / rate(last - 1))),
        Some((_, Some(Edge::Lowest))) | None => Some(rounded(rate(0) * rate(0) / rate(1))),
        Some((_, None)) => None,
    }
}

/// The rates that are tried for an arm at first, in ascending order.
fn first_rates(rule: &config::Tuned, arm: &Arm) -> Vec<f64> {
    let rates = rule.rates(arm.train.optimizer.lr());
    let mut values = match (&rates, rule.sampling) {
        (Rates::Range(range), Sampling::QuasiRandom) => {
            let shift: f64 = stream(0, Purpose::Tuning, 0).random();
            let rates = (0..).map(|index| range.at((van_der_corput(index) + shift).fract()));
            distinct(rates, range.count as usize)
        }
        _ => rates.values(),
    };
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// The first so many that differ: two that round to the same rate would be one trial. Fewer where the
/// range does not hold as many.
fn distinct(rates: impl Iterator<Item = f64>, count: usize) -> Vec<f64> {
    let mut found: Vec<f64> = Vec::new();
    for rate in rates.take(100 * count) {
        if found.len() < count && found.iter().all(|other| other.to_bits() != rate.to_bits()) {
            found.push(rate);
        }
    }
    found
}

/// The binary digits of an index, mirrored at the point: 0, 1/2, 1/4, 3/4, 1/8, ...
fn van_der_corput(index: u32) -> f64 {
    f64::from(index.reverse_bits()) / (f64::from(u32::MAX) + 1.0)
}

/// What is done about a trial whose files are damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DamagedTrial {
    /// An error, with the way to repeat it: nothing is trained with a rate that it may not give.
    Refused,
    /// It is no part of the tuning, which is then not finished; finished runs tell the rate.
    LeftOut,
}

/// The tuning of an arm as far as its records go, and its runs so far.
fn read(
    arm: &Arm,
    rule: &config::Tuned,
    folder: &Path,
    damaged: DamagedTrial,
) -> Result<(Tuning, Vec<Run>)> {
    let mut tuning = Tuning {
        arm: arm.name.clone(),
        batch_size: arm.batch_size,
        trials: Vec::new(),
        finished: true,
        chosen: None,
        edge: None,
    };
    let mut runs = Vec::new();
    for lr in first_rates(rule, arm) {
        try_rate(&Trials { arm, rule, folder, damaged }, lr, &mut tuning, &mut runs)?;
    }
    let extensions = if rule.sampling == Sampling::Grid { rule.extend } else { 0 };
    for _ in 0..extensions {
        let next = extend_grid(&tuning.trials).filter(|lr| tuning.finished && *lr > 0.0);
        let Some(lr) = next else { break };
        try_rate(&Trials { arm, rule, folder, damaged }, lr, &mut tuning, &mut runs)?;
        tuning.trials.sort_by(|a, b| a.learning_rate.total_cmp(&b.learning_rate));
    }
    if let Some((index, edge)) = best_trial(&tuning.trials).filter(|_| tuning.finished) {
        (tuning.chosen, tuning.edge) = (Some(tuning.trials[index].learning_rate), edge);
    }
    Ok((tuning, runs))
}

/// Where the trials of an arm lie, and how they are read.
struct Trials<'t> {
    arm: &'t Arm,
    rule: &'t config::Tuned,
    folder: &'t Path,
    damaged: DamagedTrial,
}

/// Adds the runs of one more rate, and what their records say.
fn try_rate(of: &Trials<'_>, lr: f64, tuning: &mut Tuning, runs: &mut Vec<Run>) -> Result<()> {
    let mut trial = Trial { learning_rate: lr, ..Trial::default() };
    for seed in 0..u64::from(of.rule.seeds) {
        let seed = FIRST_TUNING_SEED + seed;
        let run = Run { arm: of.arm.with_rate(lr), seed, stage: Stage::Tuning };
        let files = RunFolder::new(&of.folder.join(run.id()));
        match (add_run(&files, &run, &mut trial), of.damaged) {
            (Ok(finished), _) => tuning.finished &= finished,
            (Err(_), DamagedTrial::LeftOut) => tuning.finished = false,
            (Err(error), DamagedTrial::Refused) => return Err(error),
        }
        runs.push(run);
    }
    tuning.trials.push(trial);
    Ok(())
}

/// Adds what the records of a run say to its trial; whether the run is over.
fn add_run(files: &RunFolder, run: &Run, trial: &mut Trial) -> Result<bool> {
    if let Some(Status::Diverged { .. }) = files.record()?.map(|record| record.status) {
        trial.diverged += 1;
        return Ok(true);
    }
    let Some(finished) = FinishedRun::read(files, &run.arm)? else { return Ok(false) };
    // Turned, so that more is better; one that is not defined tells nothing.
    let score = run.arm.score().info();
    trial.validation.extend(finished.validation_score.map(|value| score.turned(value)));
    let steps = |reached: bool| reached.then_some(finished.last.step as f64);
    trial.steps_to_target.extend(finished.reached_target.map(steps));
    Ok(true)
}

/// All tunings of a study as far as their records in its folder go, and all runs of them that are
/// known so far.
pub(super) fn read_all(study: &Study, folder: &Path) -> Result<(Vec<Tuning>, Vec<Run>)> {
    read_tunings(study, folder, DamagedTrial::Refused)
}

/// As [`read_all`], without trials that are damaged. Where one is, the rate of an arm is the one that
/// its finished runs have.
pub(super) fn read_undamaged(study: &Study, folder: &Path) -> Result<(Vec<Tuning>, Vec<Run>)> {
    let (mut tunings, runs) = read_tunings(study, folder, DamagedTrial::LeftOut)?;
    for tuning in tunings.iter_mut().filter(|tuning| !tuning.finished) {
        let is_damaged = |run: &Run| RunFolder::new(&folder.join(run.id())).damage();
        for run in runs.iter().filter(|run| run.arm.name == tuning.arm) {
            if is_damaged(run).is_some() {
                tuning.chosen = trained_rate(&folder.join(&tuning.arm));
            }
        }
    }
    Ok((tunings, runs))
}

/// The learning rate of the first finished run in the folder of an arm.
fn trained_rate(arm: &Path) -> Option<f64> {
    let seeds = fs::read_dir(arm).ok()?;
    let mut paths: Vec<PathBuf> = seeds.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let record = |path: &PathBuf| RunFolder::new(path).record().ok().flatten();
    let finished = paths.iter().filter_map(record).find(|of| of.status == Status::Finished)?;
    Some(finished.definition.arm.train.optimizer.lr())
}

fn read_tunings(
    study: &Study,
    folder: &Path,
    damaged: DamagedTrial,
) -> Result<(Vec<Tuning>, Vec<Run>)> {
    let (mut tunings, mut runs) = (Vec::new(), Vec::new());
    let Some(rule) = study.tuning() else { return Ok((tunings, runs)) };
    for arm in study.arms.iter().filter(|arm| study.tuned.contains(&arm.name)) {
        let (tuning, of_arm) = read(arm, rule, folder, damaged)?;
        tunings.push(tuning);
        runs.extend(of_arm);
    }
    Ok((tunings, runs))
}

/// The study with the learning rates that were found.
pub(super) fn settled(study: &Study, tunings: &[Tuning]) -> Study {
    let mut study = study.clone();
    for tuning in tunings {
        if let Some(lr) = tuning.chosen {
            study.set_tuned_lr(&tuning.arm, lr);
        }
    }
    study
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn trial(learning_rate: f64, validation: &[f64], diverged: usize) -> Trial {
        Trial { learning_rate, validation: validation.to_vec(), diverged, ..Trial::default() }
    }

    #[test]
    fn the_best_mean_is_taken_and_an_end_is_told() {
        let mut trials = vec![
            trial(1e-3, &[0.8, 0.9], 0),
            trial(1e-2, &[0.86, 0.86], 0),
            trial(0.1, &[0.5; 2], 0),
        ];
        assert_eq!(best_trial(&trials), Some((1, None)));
        assert_eq!(extend_grid(&trials), None);
        trials[2].validation = vec![0.9, 0.9];
        assert_eq!(best_trial(&trials), Some((2, Some(Edge::Highest))));
        assert_eq!(extend_grid(&trials), Some(1.0));
        trials[0].validation = vec![0.95, 0.95];
        assert_eq!(best_trial(&trials), Some((0, Some(Edge::Lowest))));
        assert_eq!(extend_grid(&trials), Some(1e-4));
    }

    #[test]
    fn a_rate_of_which_a_run_diverged_is_not_taken_and_ends_the_grid_on_its_side() {
        let trials = [trial(1e-3, &[0.7], 0), trial(1e-2, &[0.8], 0), trial(0.1, &[0.9], 1)];
        assert_eq!(best_trial(&trials), Some((1, None)));
        let all = [trial(1e-2, &[], 2), trial(0.1, &[], 2)];
        assert_eq!((best_trial(&all), extend_grid(&all)), (None, Some(1e-3)));
    }

    fn study(rule: &str) -> Study {
        let text = format!(
            "study: {{ learning_rate: {{ tuned: {rule} }}, grid: {{ batch_size: [8, 32] }} }}\n\
             data: {{ arrays: {{ path: a.npz }} }}\n"
        );
        Study::from_source(&Source { name: "f".into(), text, overrides: vec![] }, "f").unwrap()
    }

    fn rates(rule: &str) -> Vec<f64> {
        let study = study(rule);
        first_rates(study.tuning().unwrap(), &study.arms[0])
    }

    #[test]
    fn the_first_rates_are_those_that_were_asked_for() {
        assert_eq!(rates("{}"), [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]);
        assert_eq!(rates("{ rates: [0.1, 0.01] }"), [0.01, 0.1]);
    }

    #[test]
    fn quasi_random_rates_fill_the_range_evenly_and_are_always_the_same() {
        let rule = "{ rates: { from: 1.0e-4, to: 1.0e-1, count: 8 }, sampling: quasi_random }";
        let found = rates(rule);
        assert_eq!(found, rates(rule));
        // One in each eighth of the logarithm, since the shift moves all of them alike.
        let shares = found.iter().map(|lr| (lr / 1e-4).log10() / 3.0);
        let gaps: Vec<f64> = shares.collect::<Vec<_>>().windows(2).map(|p| p[1] - p[0]).collect();
        assert_eq!(gaps.len(), 7);
        assert!(gaps.iter().all(|gap| (gap - 0.125).abs() < 0.002), "{gaps:?}");
        // In a narrow range some of the first ones round to the same rate.
        let narrow = "{ rates: { from: 1.0e-3, to: 1.2e-3, count: 18 }, sampling: quasi_random }";
        assert_eq!(rates(narrow).len(), 18);
        let indices: Vec<f64> = (0..4).map(van_der_corput).collect();
        assert_eq!(indices, [0.0, 0.5, 0.25, 0.75]);
    }

    #[test]
    fn nothing_is_known_before_the_first_trial_and_every_arm_has_equally_many() {
        let folder = tempfile::tempdir().unwrap();
        let (tunings, runs) = read_all(&study("{}"), folder.path()).unwrap();
        assert_eq!(tunings.iter().map(|tuning| tuning.trials.len()).collect::<Vec<_>>(), [5, 5]);
        assert!(tunings.iter().all(|tuning| !tuning.finished && tuning.chosen.is_none()));
        assert_eq!(runs.len(), 20);
        assert_eq!(runs[0].id(), "tuning/batch-8/lr-0.0001/seed-1000");
    }
}
