//! Trains the trials by which learning rates are found, round by round; [`super::rates`] says which these
//! are. `tuning.json` is drawn from their records for readers.

use super::Observer;
use super::exec::{Halt, Job, Pool};
use super::folder::StudyFolder;
use super::plan::Plan;
use super::protocol::RunEnd;
use super::rates::{Tuning, read_all};
use super::run::Run;
use super::selection::Selection;
use crate::files;
use anyhow::Result;
use std::collections::BTreeSet;

/// What came of the tuning in one session.
#[derive(Debug, Default)]
pub(super) struct Tuned {
    /// Of all tuned arms of the study.
    pub(super) tunings: Vec<Tuning>,
    /// All known runs of the arms that this session is about.
    pub(super) runs: Vec<Run>,
    /// Those that were to be trained, and how they ended; `None` for those that a stop or the end of the
    /// time kept from starting.
    pub(super) ends: Vec<(Run, Option<RunEnd>)>,
    /// Runs that failed before and were not tried again.
    pub(super) failed: usize,
}

impl Tuned {
    /// Whether the report runs of an arm can be trained: its rate is given or found.
    pub(super) fn is_settled(&self, arm: &str) -> bool {
        let of_arm = self.tunings.iter().find(|tuning| tuning.arm == arm);
        of_arm.is_none_or(|tuning| tuning.chosen.is_some())
    }

    /// Whether this session was stopped before it was through.
    pub(super) fn was_stopped(&self) -> bool {
        self.ends.iter().any(|(_, end)| matches!(end, None | Some(RunEnd::Stopped)))
    }
}

/// Trains the tuning runs of all arms of which a run is selected, round by round: the first rates,
/// then one more at a time for each arm whose best lies at an end.
pub(super) fn tune(
    plan: &Plan,
    folder: &StudyFolder,
    selection: &Selection,
    pool: &mut Pool,
    halt: Halt<'_>,
    observer: &mut dyn Observer,
) -> Result<Tuned> {
    let covered = plan.runs.iter().filter(|run| selection.covers(run));
    let covered: BTreeSet<&str> = covered.map(|run| run.arm.name.as_str()).collect();
    let mut tuned = Tuned::default();
    // What this session tried once it does not try again.
    let mut tried = BTreeSet::new();
    loop {
        let (tunings, mut runs) = read_all(&plan.study, folder.path())?;
        if tunings.is_empty() {
            return Ok(tuned);
        }
        files::write_json(&folder.path().join("tuning.json"), &tunings)?;
        runs.retain(|run| covered.contains(run.arm.name.as_str()));
        let mut pending = folder.pending(plan, &runs, &selection.of_tuning())?;
        pending.runs.retain(|run| !tried.contains(&run.id()));
        tuned = Tuned { tunings, runs, failed: pending.failed, ..tuned };
        if pending.runs.is_empty() || tuned.was_stopped() {
            return Ok(tuned);
        }
        observer.on_tuning(plan, &pending.runs, tuned.runs.len());
        let jobs = Job::train(&pending.runs);
        let ends = pool.run_all(plan, folder, &jobs, halt, observer)?;
        tried.extend(pending.runs.iter().map(Run::id));
        tuned.ends.extend(pending.runs.into_iter().zip(ends));
    }
}
