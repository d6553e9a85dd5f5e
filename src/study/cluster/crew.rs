//! The workers of a study as a reader of its folder sees them, who is none of them.

use super::attempts;
use super::jobs::{SubmittedJob, jobs};
use super::members::{Member, SILENT_BEATS, members};
use super::site::{STOP, work_folder};
use crate::error::UserError;
use crate::files::{self, listed, patiently};
use crate::study::record::{RunFolder, wall_clock};
use anyhow::Result;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The workers of a study, and what they are at.
#[derive(Debug, Clone, Default)]
pub(in crate::study) struct Crew {
    pub(in crate::study) members: Vec<Member>,
    /// The runs that are trained now.
    training: BTreeSet<String>,
    attempts: BTreeSet<String>,
    /// Whether somebody asked all workers to save and end.
    pub(in crate::study) is_stopped: bool,
    /// Jobs that were submitted.
    pub(in crate::study) jobs: Vec<SubmittedJob>,
}

impl Member {
    /// Whether it lives, as far as its clock and this one agree.
    pub fn lives(&self) -> bool {
        !self.ended && self.silent_seconds() <= f64::from(SILENT_BEATS) * self.beat_seconds
    }

    /// Since it last said that it lives.
    pub fn silent_seconds(&self) -> f64 {
        (wall_clock() - self.seen).max(0.0)
    }
}

impl Crew {
    /// Those in the folder of a study; none where equal workers never were.
    pub(in crate::study) fn read(study: &Path) -> Result<Self> {
        let work = work_folder(study);
        let members: Vec<Member> = members(&work.join("workers"))?.into_values().collect();
        let living = members.iter().filter(|member| member.lives() && !member.alone);
        let training = living.flat_map(|member| member.runs.iter().cloned()).collect();
        let attempts = listed(&work.join("runs"))?;
        let is_stopped = listed(&work)?.contains(STOP);
        let jobs = jobs(study, &members)?;
        Ok(Self { members, training, attempts, is_stopped, jobs })
    }

    /// Whether one of the equal workers lives.
    pub(in crate::study) fn is_at_work(&self) -> bool {
        self.members.iter().any(|member| member.lives() && !member.alone)
    }

    /// Whether a run without a result is trained now, and how many epochs are recorded of it; `None` for one
    /// that no worker ever claimed.
    pub(in crate::study) fn stands(&self, study: &Path, run: &str) -> Result<Option<(bool, u64)>> {
        let name = attempts::name(run);
        let of_run = |found: &&String| found.rsplit_once('.').is_some_and(|(of, _)| of == name);
        let is_trained = self.training.contains(run);
        // On a disk of its worker's machine they are not saved yet.
        let said = self.members.iter().filter(|member| member.lives());
        let said = said.flat_map(|member| &member.progress).filter(|standing| standing.run == run);
        let said = said.map(|standing| standing.epochs).max().unwrap_or(0);
        let Some(newest) = self.attempts.iter().rfind(of_run) else {
            return Ok(is_trained.then_some((true, said)));
        };
        let folder = RunFolder::new(&work_folder(study).join("runs").join(newest));
        Ok(Some((is_trained, folder.epochs()?.max(said))))
    }
}

/// Workers that were asked to save and end, or may work again.
#[derive(Debug, Clone)]
pub struct Stopped {
    /// Those that live.
    pub workers: Vec<Member>,
    /// The schedulers' names of the jobs of all workers that the study had, and of those that wait.
    pub jobs: BTreeSet<String>,
}

/// Asks all workers of a study to save and end, or takes that back.
///
/// # Errors
/// A [`UserError`] where there is no folder, and where no equal workers were ever at work or submitted.
pub fn stop(study: &Path, undo: bool) -> Result<Stopped> {
    let work = work_folder(study);
    if !files::is_there(study)? {
        return Err(UserError::new(
            format!("there is no folder {}", study.display()),
            "give the folder of a study, such as runs/quickstart",
        )
        .into());
    }
    if !listed(study)?.contains(".work") {
        return Err(UserError::new(
            format!("no equal workers were ever at work on a study in {}", study.display()),
            "give the folder of a study that `batchscope work` trains; a `batchscope run` is ended with Ctrl-C",
        )
        .into());
    }
    let path = work.join(STOP);
    match undo {
        true if listed(&work)?.contains(STOP) => patiently(&path, || fs::remove_file(&path))?,
        true => {}
        false => files::write_text(&path, "all workers save and end\n")?,
    }
    let Crew { members, jobs, .. } = Crew::read(study)?;
    let of_workers = members.iter().filter_map(|worker| worker.job.clone());
    let jobs = of_workers.chain(jobs.into_iter().map(|of| of.job)).collect();
    Ok(Stopped { workers: members.into_iter().filter(Member::lives).collect(), jobs })
}

/// Refuses to have workers started where they would end at once.
///
/// # Errors
/// A [`UserError`] where the study was stopped.
pub fn refuse_stopped(study: &Path) -> Result<()> {
    match listed(&work_folder(study))?.contains(STOP) {
        false => Ok(()),
        true => Err(UserError::new(
            format!("workers of the study in {} end at once: it was stopped", study.display()),
            format!("`batchscope stop {} --undo` lets workers work again", study.display()),
        )
        .into()),
    }
}
