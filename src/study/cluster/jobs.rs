//! Jobs of a scheduler that were submitted for a study. Until a worker of theirs begins, nothing else in the
//! study's folder knows of them.

use super::members::Member;
use super::site::work_folder;
use crate::config::Study;
use crate::files::{self, listed};
use crate::study::folder::{RESOLVED, resolved_text};
use crate::study::record::wall_clock;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// A job that was submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubmittedJob {
    /// Its name: the scheduler and its number, such as `slurm 26`.
    pub job: String,
    /// Workers at a time.
    pub workers: u16,
    /// When, in seconds since 1970.
    pub submitted: f64,
    /// Whether a worker of it has begun, as far as the study's folder says.
    #[serde(default)]
    pub begun: bool,
}

fn folder(study: &Path) -> PathBuf {
    work_folder(study).join("jobs")
}

/// Makes the folder of a study whose workers are about to be submitted, so that it has a place for their job.
/// One in which nobody began is given the study as its file has it; the first worker names engine and device.
///
/// # Errors
/// Where the folder cannot be written.
pub fn prepare_submission(path: &Path, study: &Study) -> Result<()> {
    files::make_folder(path)?;
    files::refuse_link(&work_folder(path))?;
    files::make_folder(&folder(path))?;
    if !listed(path)?.contains(RESOLVED) {
        files::write_text(&path.join(RESOLVED), &resolved_text(study)?)?;
    }
    Ok(())
}

/// Notes a job of Slurm, by its number.
///
/// # Errors
/// Where the folder cannot be written.
pub fn note_job(study: &Path, number: &str, workers: u16) -> Result<()> {
    let job = SubmittedJob {
        job: format!("slurm {number}"),
        workers,
        submitted: wall_clock(),
        begun: false,
    };
    files::write_json(&folder(study).join(format!("{number}.json")), &job)
}

/// Forgets a job that is cancelled.
pub fn forget_job(study: &Path, number: &str) {
    fs::remove_file(folder(study).join(format!("{number}.json"))).ok();
    fs::remove_dir(folder(study)).ok();
}

/// The jobs that were noted, in the order of their names; `members` are the workers that the study had.
pub(in crate::study) fn jobs(study: &Path, members: &[Member]) -> Result<Vec<SubmittedJob>> {
    let place = folder(study);
    let mut found = Vec::new();
    for name in listed(&place)?.iter().filter(|name| name.ends_with(".json")) {
        let read = files::read_json::<SubmittedJob>(&place.join(name));
        let Some(job) = read.with_context(|| format!("cannot read {}", place.display()))? else {
            continue;
        };
        let is_of = |member: &Member| {
            let named = member.job.as_deref().and_then(|of| of.strip_prefix(&job.job));
            named.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        found.push(SubmittedJob { begun: members.iter().any(is_of), ..job });
    }
    Ok(found)
}
