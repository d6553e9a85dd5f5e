//! Finished runs that a file does not name: of seeds beyond its number, and of arms that it has no more.
//!
//! What is finished counts: `--set study.seeds=4` and then the plain command with 3 is a study of four
//! seeds; so is what a study that went on came to. Runs of such seeds that are not finished are not
//! trained. Runs of other arms stay where they are and are told of.

use super::folder::run_folders;
use super::rates::{read_all, settled};
use super::record::{Record, RunFolder, Status};
use crate::config::{Arm, Study};
use crate::error::UserError;
use crate::format::first_few;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How many runs or arms a line names.
const NAMED: usize = 5;

/// Finished runs that a study does not name.
#[derive(Default)]
struct Finished {
    /// Seeds of its arms beyond their numbers.
    beyond: BTreeMap<String, BTreeSet<u64>>,
    /// Runs of other arms and other definitions.
    others: Vec<String>,
    /// What is wrong with damaged runs, which are left out.
    damaged: Vec<String>,
}

impl Study {
    /// Takes the finished seeds of its arms in a folder into the study, which need not exist yet; says
    /// which these are, and which finished runs are left out.
    ///
    /// # Errors
    /// Where a tuning run is damaged: nothing is known of the rates then.
    pub fn take_finished(&mut self, folder: &Path) -> Result<Vec<String>> {
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let settled = settled(self, &read_all(self, folder)?.0);
        self.take_finished_of(&settled.arms, folder)
    }

    /// The same, with these rates of its arms.
    pub(super) fn take_finished_of(&mut self, arms: &[Arm], folder: &Path) -> Result<Vec<String>> {
        let Finished { beyond, others, damaged } = self.finished_beyond(arms, folder)?;
        let notes = [self.used(&beyond), left_out(&others)];
        self.add_seeds(beyond);
        Ok(notes.into_iter().flatten().chain(damaged).collect())
    }

    /// The same for a study whose learning rates are found, without a word.
    pub(super) fn take_trained(&mut self, folder: &Path) -> Result<()> {
        let Finished { beyond, .. } = self.finished_beyond(&self.arms, folder)?;
        self.add_seeds(beyond);
        Ok(())
    }

    /// The finished runs of these arms that it does not name.
    fn finished_beyond(&self, arms: &[Arm], folder: &Path) -> Result<Finished> {
        let mut found = Finished::default();
        for path in run_folders(folder)? {
            let Some((arm, seed)) = place(&path) else { continue };
            let files = RunFolder::new(&path);
            let Some(of_file) = arms.iter().find(|of| of.name == arm) else {
                // Damage of what is left out changes nothing.
                let is_finished = files.record().ok().flatten().filter(is_finished);
                found.others.extend(is_finished.map(|_| arm));
                continue;
            };
            if self.has_seed(&arm, seed) {
                continue;
            }
            let record = match files.record() {
                Ok(record) => record.filter(is_finished),
                Err(error) => {
                    let UserError { message, hint } = files.wrong(error);
                    found.damaged.push(format!(
                        "{arm}/seed-{seed} is left out: {message}; {}",
                        hint.unwrap_or_default()
                    ));
                    continue;
                }
            };
            let Some(record) = record else { continue };
            let definition = &record.definition;
            let is_same = definition.arm == of_file.defining() && definition.seed == seed;
            match is_same && seed < self.most_seeds() {
                true => drop(found.beyond.entry(arm).or_default().insert(seed)),
                false => found.others.push(format!("{arm}/seed-{seed}")),
            }
        }
        Ok(found)
    }

    /// What is said of finished seeds beyond those of the file.
    fn used(&self, beyond: &BTreeMap<String, BTreeSet<u64>>) -> Option<String> {
        // That a study goes on from there needs no word.
        if self.growth.is_some() {
            return None;
        }
        let asked = self.seeds.len();
        let first = beyond.values().next()?;
        let is_common = beyond.len() == self.arms.len() && beyond.values().all(|of| of == first);
        if is_common && self.fewer.is_empty() {
            let all = asked + first.len();
            return Some(format!(
                "{all} seeds are finished where the file says {asked}: all {all} are used"
            ));
        }
        let runs: Vec<String> =
            beyond.iter().flat_map(|(arm, seeds)| in_words(arm, seeds)).collect();
        Some(format!(
            "finished beyond the {asked} seeds that the file says, and used too: {}",
            first_few(&runs, NAMED)
        ))
    }
}

/// `batch-32/seed-5`, or `batch-32/seed-5 to seed-11` where none is missing between.
fn in_words(arm: &str, seeds: &BTreeSet<u64>) -> Vec<String> {
    match (seeds.first(), seeds.last()) {
        (Some(first), Some(last)) if seeds.len() > 1 && last - first + 1 == seeds.len() as u64 => {
            vec![format!("{arm}/seed-{first} to seed-{last}")]
        }
        _ => seeds.iter().map(|seed| format!("{arm}/seed-{seed}")).collect(),
    }
}

fn is_finished(record: &Record) -> bool {
    record.status == Status::Finished
}

/// Arm and seed of a run's folder.
fn place(path: &Path) -> Option<(String, u64)> {
    let seed = path.file_name()?.to_str()?.strip_prefix("seed-")?.parse().ok()?;
    Some((path.parent()?.file_name()?.to_str()?.to_owned(), seed))
}

/// What is said of finished runs that the file does not name; an arm stands once for each of its runs.
fn left_out(others: &[String]) -> Option<String> {
    let mut counts = BTreeMap::<&str, usize>::new();
    others.iter().for_each(|name| *counts.entry(name).or_default() += 1);
    let named = counts.iter().map(|(name, runs)| match name.contains('/') {
        true => format!("{name} (other settings)"),
        false if *runs == 1 => format!("{name} (1 finished run)"),
        false => format!("{name} ({runs} finished runs)"),
    });
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| {
        format!(
            "left out, since the file does not name them: {}; they stay on disk",
            first_few(&named, NAMED)
        )
    })
}
