//! `batchscope stop DIR`: all equal workers of a study save and end.

use super::diagnostics::Output;
use super::format;
use super::work::workers_line;
use crate::study::{self, Member};
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
    /// Cancel the workers' Slurm jobs too (`scancel`), those that wait included
    #[arg(long, conflicts_with = "undo")]
    cancel: bool,
}

#[derive(Serialize)]
struct Document<'s> {
    folder: &'s Path,
    workers: &'s [Member],
}

pub(super) fn stop(args: &StopArgs, output: Output) -> Result<ExitCode> {
    let workers = study::stop(&args.folder, args.undo)?;
    let document = Document { folder: &args.folder, workers: &workers };
    let count = format::counted(workers.len(), "worker");
    let mut lines = vec![match args.undo {
        true => format!("workers may work again; {count} now"),
        false => format!("{count} asked to save and end"),
    }];
    lines.extend(workers.iter().map(workers_line));
    if args.cancel {
        lines.push(cancel(&workers));
    }
    output.answer(&document, &lines.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Cancels the Slurm jobs of these workers, arrays as a whole; says what came of it.
fn cancel(workers: &[Member]) -> String {
    let jobs = workers.iter().filter_map(|worker| worker.job.as_deref()?.strip_prefix("slurm "));
    let jobs: BTreeSet<&str> = jobs.map(|job| job.split('_').next().unwrap_or(job)).collect();
    if jobs.is_empty() {
        return "none of them is a Slurm job".into();
    }
    let named = Vec::from_iter(jobs.iter().copied()).join(" ");
    match Command::new("scancel").args(&jobs).status() {
        Ok(status) if status.success() => format!("cancelled: {named}"),
        Ok(status) => format!("`scancel {named}` failed ({status})"),
        Err(error) => format!("`scancel {named}` could not be started: {error}"),
    }
}
