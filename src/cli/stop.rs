//! `batchscope stop DIR`: all equal workers of a study save and end.

use super::diagnostics::Output;
use super::work::workers_line;
use super::{SOME_FAILED, format};
use crate::study::{self, Member, Stopped};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

#[derive(Debug, Args)]
pub(super) struct StopArgs {
    /// The folder of the study, such as runs/quickstart
    #[arg(value_name = "STUDY_DIR")]
    folder: PathBuf,
    /// Let workers work again
    #[arg(long)]
    undo: bool,
    /// Cancel the study's Slurm jobs too (`scancel`), those that wait included
    #[arg(long, conflicts_with = "undo")]
    cancel: bool,
}

#[derive(Serialize)]
struct Document<'s> {
    folder: &'s Path,
    workers: &'s [Member],
    /// Jobs that Slurm was asked to cancel, and what came of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<Cancelled>,
}

/// A job that Slurm was asked to cancel.
#[derive(Serialize)]
struct Cancelled {
    job: String,
    /// Why it could not be cancelled.
    error: Option<String>,
}

pub(super) fn stop(args: &StopArgs, output: Output) -> Result<ExitCode> {
    let Stopped { workers, jobs } = study::stop(&args.folder, args.undo)?;
    let jobs = if args.cancel { cancel(&args.folder, &jobs) } else { Vec::new() };
    let count = format::counted(workers.len(), "worker");
    let folder = args.folder.display().to_string();
    let mut lines = vec![match args.undo {
        true => format!("workers may work again; {count} now"),
        false => format!(
            "{count} asked to save and end; later ones end at once, until\n  {}",
            format::command(&["batchscope", "stop", &folder, "--undo"])
        ),
    }];
    lines.extend(workers.iter().map(workers_line));
    if args.cancel && jobs.is_empty() {
        lines.push("no Slurm job of this study is known".into());
    }
    lines.extend(jobs.iter().map(|Cancelled { job, error }| match error {
        None => format!("job {job} is cancelled"),
        Some(why) => format!("job {job} is not cancelled: {why}"),
    }));
    let failed = jobs.iter().any(|of| of.error.is_some());
    output
        .answer(&Document { folder: &args.folder, workers: &workers, jobs }, &lines.join("\n"))?;
    Ok(if failed { ExitCode::from(SOME_FAILED) } else { ExitCode::SUCCESS })
}

/// Cancels the Slurm jobs among these, arrays as a whole. One that has ended is none any more.
fn cancel(study: &Path, jobs: &BTreeSet<String>) -> Vec<Cancelled> {
    let jobs = jobs.iter().filter_map(|job| job.strip_prefix("slurm "));
    let jobs: BTreeSet<&str> = jobs.map(|job| job.split('_').next().unwrap_or(job)).collect();
    let cancelled = jobs.into_iter().map(|job| {
        let error = match Command::new("scancel").arg(job).output() {
            Ok(ended) if ended.status.success() => None,
            Ok(ended) => {
                let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
                let is_over =
                    ["Invalid job id", "already complet"].iter().any(|of| said.contains(of));
                (!is_over).then(|| format!("`scancel {job}`: {said} ({})", ended.status))
            }
            Err(error) => Some(format!("`scancel {job}` cannot be started: {error}")),
        };
        if error.is_none() {
            study::forget_job(study, job);
        }
        Cancelled { job: job.to_owned(), error }
    });
    cancelled.collect()
}
