//! How long a study still takes, by what its runs took and what its workers say.

use super::cluster::Member;
use super::run::Run;
use super::summary::ArmSummary;
use crate::train::TrainingLength;
use std::collections::BTreeMap;

/// A run that is not over.
#[derive(Debug, Clone)]
pub(super) struct OpenRun<'r> {
    pub(super) run: &'r Run,
    /// Epochs that are recorded, as a share of those that are planned.
    pub(super) done: f64,
}

/// Seconds until these runs of a study are over, with the workers that live, or the `run` that has it for
/// itself, and at their speed; `None` where
/// nobody is at work, or nothing is known of the speed. `rows` are those of the training split.
pub(super) fn time_left(
    arms: &[ArmSummary],
    open: &[OpenRun<'_>],
    workers: &[Member],
    rows: usize,
) -> Option<f64> {
    let living = || workers.iter().filter(|worker| worker.lives());
    let standings: BTreeMap<&str, f64> = living()
        .flat_map(|worker| &worker.progress)
        .map(|standing| (standing.run.as_str(), standing.seconds_left))
        .collect();
    let at_a_time = living().map(|worker| worker.runs.len()).sum::<usize>();
    if at_a_time == 0 {
        return None;
    }
    let mut per_example = Speeds::of(arms, rows);
    for standing in living().flat_map(|worker| &worker.progress) {
        // Of a run that finds a learning rate too: `tuning/ARM/lr-RATE/seed-N`.
        let id = standing.run.strip_prefix("tuning/").unwrap_or(&standing.run);
        if let Some((arm, _)) = id.split_once('/') {
            per_example.add(arm, 1.0 / standing.examples_per_second.max(1e-9));
        }
    }
    let (mut all, mut longest) = (0.0, 0f64);
    for OpenRun { run, done } in open {
        let left = match standings.get(run.id().as_str()) {
            Some(left) => *left,
            None => {
                let examples = TrainingLength::new(&run.arm, rows).examples() as f64;
                per_example.get(&run.arm.name)? * examples * (1.0 - done.clamp(0.0, 1.0))
            }
        };
        all += left;
        longest = longest.max(left);
    }
    Some((all / at_a_time as f64).max(longest))
}

/// Seconds of a training row, by arm.
struct Speeds<'a> {
    /// Of finished runs, with what they measured.
    finished: BTreeMap<&'a str, f64>,
    /// Of runs in training.
    training: BTreeMap<String, Vec<f64>>,
}

impl<'a> Speeds<'a> {
    fn of(arms: &'a [ArmSummary], rows: usize) -> Self {
        let of_arm = |arm: &'a ArmSummary| {
            let (seconds, steps) = (arm.seconds?.mean, arm.steps?.mean);
            let per_epoch = rows.div_ceil(arm.batch_size.max(1)).max(1) as f64;
            let examples = steps / per_epoch * rows as f64;
            (examples > 0.0).then(|| (arm.name.as_str(), seconds / examples))
        };
        Self { finished: arms.iter().filter_map(of_arm).collect(), training: BTreeMap::new() }
    }

    fn add(&mut self, arm: &str, seconds: f64) {
        self.training.entry(arm.to_owned()).or_default().push(seconds);
    }

    /// Those of the arm; else the mean of all that are known.
    fn get(&self, arm: &str) -> Option<f64> {
        if let Some(finished) = self.finished.get(arm) {
            return Some(*finished);
        }
        let of_arm = self.training.get(arm);
        let all = || self.training.values().flatten().chain(self.finished.values());
        of_arm.map_or_else(|| mean(all()), |known| mean(known.iter()))
    }
}

fn mean<'v>(values: impl Iterator<Item = &'v f64>) -> Option<f64> {
    let (count, sum) = values.fold((0u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, Study};
    use crate::study::cluster::Standing;
    use std::time::Duration;

    const ROWS: usize = 1000;

    fn study() -> Vec<Run> {
        let text = "study: { seeds: 4, arms: [{ name: a, batch_size: 10 }, { name: b, batch_size: 100 }] }\n\
                    data: { arrays: { path: a.npz } }\ntrain: { epochs: 10 }\n";
        let source = Source { name: "f".into(), text: text.into(), overrides: vec![] };
        Run::all(&Study::from_source(&source, "f").unwrap())
    }

    fn worker(runs: &[(&str, f64, f64)]) -> Member {
        let progress = runs.iter().map(|(run, examples_per_second, seconds_left)| Standing {
            epochs: 0,
            run: (*run).into(),
            examples: 0,
            all_examples: 10_000,
            examples_per_second: *examples_per_second,
            seconds_left: *seconds_left,
        });
        let member = Member::new("node".into(), None, "cpu".into(), Duration::from_secs(30));
        let names = runs.iter().map(|(run, ..)| (*run).to_owned()).collect();
        Member { runs: names, progress: progress.collect(), ..member }
    }

    fn left(finished: &[&str], workers: &[Member]) -> Option<f64> {
        let runs = study();
        let is_open = |run: &&Run| !finished.contains(&run.id().as_str());
        let open: Vec<OpenRun<'_>> =
            runs.iter().filter(is_open).map(|run| OpenRun { run, done: 0.0 }).collect();
        time_left(&[], &open, workers, ROWS)
    }

    #[test]
    fn runs_that_wait_take_as_long_as_rows_of_their_arm_do_shared_by_all_in_training() {
        let a = ["a/seed-0", "a/seed-1", "a/seed-2", "a/seed-3"];
        // Three runs of 10,000 rows wait, at 1,000 rows a second; one is done in 4 s.
        let one = worker(&[("b/seed-0", 1000.0, 4.0)]);
        assert_eq!(left(&a, std::slice::from_ref(&one)), Some(34.0));
        let two = worker(&[("b/seed-1", 1000.0, 6.0)]);
        assert_eq!(left(&a, &[one.clone(), two.clone()]), Some(15.0));
        // Of the arm `a` nothing is known: the mean of the others.
        assert_eq!(left(&[], &[one, two]), Some(35.0));
    }

    #[test]
    fn the_longest_run_is_waited_for_and_without_workers_nothing_is_said() {
        let all: Vec<String> = study().iter().map(Run::id).collect();
        let others: Vec<&str> = all.iter().map(String::as_str).skip(2).collect();
        let workers = [worker(&[("a/seed-0", 10.0, 100.0)]), worker(&[("b/seed-0", 10.0, 2.0)])];
        assert_eq!(left(&others, &workers), Some(100.0));
        assert_eq!(left(&others, &[]), None);
        let mut ended = workers;
        ended.iter_mut().for_each(|worker| worker.ended = true);
        assert_eq!(left(&others, &ended), None);
    }
}
