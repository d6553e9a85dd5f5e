//! `batchscope status DIR`: how a study stands, from its folder alone.

use super::diagnostics::Output;
use super::run::{DIVERGED, curves};
use super::work::stopped;
use super::{SOME_FAILED, format, growth, tables};
use crate::report::Scale;
use crate::study::{
    Additions, ArmSummary, Member, RunState, RunStatus, Stop, StudyStatus, SubmittedJob, Tuning,
    wall_clock,
};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The folder of the study, such as runs/quickstart
    #[arg(value_name = "STUDY_DIR")]
    folder: PathBuf,
    /// Say it again every five seconds, as long as somebody is at work on it
    #[arg(long)]
    watch: bool,
}

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_secs(5);

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'s> {
    study: &'s str,
    folder: &'s Path,
    state: &'static str,
    /// Of `batchscope work`.
    workers: &'s [Member],
    /// Whether `batchscope stop` ended them: workers that start later end at once.
    stop_asked: bool,
    /// Jobs that `batchscope submit` has noted.
    jobs: &'s [SubmittedJob],
    /// Until its runs are over, with the workers that live.
    seconds_left: Option<f64>,
    arms: &'s [ArmSummary],
    runs: &'s [RunStatus],
    tuning_runs: &'s [RunStatus],
    tunings: &'s [Tuning],
    others: &'s [RunStatus],
    /// How the last session adds seeds, or added them.
    until: Option<&'s Additions>,
}

pub(super) fn status(args: &StatusArgs, output: Output) -> Result<ExitCode> {
    loop {
        let (code, is_at_work) = say(args, output)?;
        if !args.watch || !is_at_work {
            return Ok(code);
        }
        sleep(WATCH);
    }
}

/// Says it once; gives whether somebody is at work on the study.
fn say(args: &StatusArgs, output: Output) -> Result<(ExitCode, bool)> {
    let status = StudyStatus::read(&args.folder)?;
    let document = Document {
        study: &status.study.name,
        folder: &args.folder,
        state: state(&status),
        workers: &status.workers,
        stop_asked: status.is_stopped,
        jobs: &status.jobs,
        seconds_left: status.seconds_left,
        arms: &status.arms,
        runs: &status.runs,
        tuning_runs: &status.tuning_runs,
        tunings: &status.tunings,
        others: &status.others,
        until: status.additions.as_ref(),
    };
    output.answer(&document, &text(&status, &args.folder))?;
    let code = match status.damaged().is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(SOME_FAILED),
    };
    Ok((code, status.in_use))
}

/// The study as a whole, in one word.
fn state(status: &StudyStatus) -> &'static str {
    let any = |of: fn(&RunState) -> bool| status.runs.iter().any(|run| of(&run.state));
    // Between two looks all runs may be finished.
    let goes_on = status.additions.as_ref().is_some_and(|additions| additions.stopped.is_none());
    let stopped = status.additions.as_ref().and_then(|additions| additions.stopped);
    match status.in_use {
        true => "running",
        false if any(|state| matches!(state, RunState::Damaged { .. })) => "damaged",
        false if stopped == Some(Stop::MaxTime) => "out_of_time",
        false if any(|state| !is_over(state)) || goes_on => "interrupted",
        false if any(|state| *state != RunState::Finished) => "ended",
        false => "finished",
    }
}

/// Whether `run` leaves the run as it is.
fn is_over(state: &RunState) -> bool {
    use RunState::{Diverged, Failed, Finished};
    matches!(state, Finished | Diverged { .. } | Failed { .. })
}

fn text(status: &StudyStatus, folder: &Path) -> String {
    let scale = Scale::of(&status.study);
    let mut parts = vec![headline(status), tables::stand(status)];
    parts.extend(workers(status));
    if status.arms.iter().any(|arm| arm.finished > 0) {
        parts.push(tables::results(&status.arms, scale));
    }
    let mut lines: Vec<String> = Vec::new();
    if status.is_stopped {
        lines.push(stopped(folder));
    }
    lines.extend(status.jobs.iter().filter_map(waits));
    lines.extend(tables::what_numbers_are(&status.arms, scale));
    lines.extend(status.additions.as_ref().map(|of| growth::standing(of, status.in_use)));
    lines.extend(status.notes.iter().cloned());
    lines.extend(tuning(status));
    lines.extend(status.tunings.iter().filter_map(tables::tuned));
    // A rate that makes a run diverge is a result of the tuning.
    let diverged = |run: &&RunStatus| matches!(run.state, RunState::Diverged { .. });
    let tuning_runs = status.tuning_runs.iter().filter(|run| !diverged(run));
    lines.extend(tuning_runs.chain(&status.runs).filter_map(line));
    if status.runs.iter().any(|run| matches!(run.state, RunState::Diverged { .. })) {
        lines.push(DIVERGED.into());
    }
    let mut all = status.runs.iter().chain(&status.tuning_runs);
    if all.any(|run| matches!(run.state, RunState::Failed { .. })) {
        lines.push("`batchscope run FILE.yaml --retry-failed` tries failed runs again".into());
    }
    for run in &status.others {
        lines.push(format!("{}: not in the current study, and left out; {}", run.run, stands(run)));
    }
    lines.push(curves(folder));
    parts.push(lines.join("\n"));
    parts.join("\n\n")
}

/// The workers that have not ended, with a line for each run that they train; and the time left.
fn workers(status: &StudyStatus) -> Option<String> {
    let mut table =
        tables::table(&["worker", "device", "job", "run", "seen", "samples/s", "time left"]);
    let mut is_empty = true;
    for worker in status.workers.iter().filter(|worker| !worker.ended) {
        is_empty = false;
        let runs = worker.runs.iter().map(String::as_str);
        let none = worker.runs.is_empty().then_some("-");
        for run in runs.chain(none) {
            table.add_row(row(worker, run));
        }
    }
    let left = status.seconds_left.map(|seconds| {
        let until = match &status.additions {
            Some(additions) if additions.stopped.is_none() => "to the next look at the seeds",
            _ => "left for all runs",
        };
        format!("\nabout {} {until}, at the speed of these workers", format::duration(seconds))
    });
    (!is_empty).then(|| table.to_string() + &left.unwrap_or_default())
}

/// A worker and one of its runs.
fn row(worker: &Member, run: &str) -> [String; 7] {
    let standing = worker.progress.iter().find(|standing| standing.run == run);
    let silent = format::duration(worker.silent_seconds());
    // A dead worker trains nothing.
    let alive = standing.filter(|_| worker.lives());
    [
        format!("{} ({})", worker.host, worker.process),
        worker.device.clone(),
        worker.job.clone().unwrap_or_else(|| "-".into()),
        run.to_owned(),
        if worker.lives() { format!("{silent} ago") } else { format!("silent for {silent}") },
        alive.map_or("-".into(), |of| format::count(of.examples_per_second as u64)),
        alive.map_or("-".into(), |of| format::duration(of.seconds_left)),
    ]
}

fn headline(status: &StudyStatus) -> String {
    let finished = status.runs.iter().filter(|run| run.state == RunState::Finished).count();
    let how = match state(status) {
        "running" => "a batchscope is running it now",
        "interrupted" if status.is_stopped => "stopped by `batchscope stop`",
        "interrupted" if status.jobs.iter().any(|job| !job.begun) => "workers are submitted",
        "interrupted" if !status.workers.is_empty() => "`batchscope work` goes on with the others",
        "interrupted" => "the same `batchscope run` goes on with the others",
        "damaged" => "some are damaged and left out",
        "out_of_time" => "its time was over, and the same `batchscope run` goes on",
        "ended" => "ended: nothing is left to do, and not all runs finished",
        _ => "finished",
    };
    format!(
        "study  {}: {finished} of {} runs finished; {how}",
        status.study.name,
        status.runs.len()
    )
}

/// What there is to say of a job of which no worker has begun.
fn waits(job: &SubmittedJob) -> Option<String> {
    (!job.begun).then(|| {
        format!(
            "job {} waits: none of its {} has begun (submitted {} ago; `squeue` says more)",
            job.job.strip_prefix("slurm ").unwrap_or(&job.job),
            format::counted(usize::from(job.workers), "worker"),
            format::duration((wall_clock() - job.submitted).max(0.0))
        )
    })
}

/// How far the search for learning rates is, if there is one.
fn tuning(status: &StudyStatus) -> Option<String> {
    let over = status
        .tuning_runs
        .iter()
        .filter(|run| matches!(run.state, RunState::Finished | RunState::Diverged { .. }));
    let (over, all) = (over.count(), status.tuning_runs.len());
    (all > 0).then(|| format!("tuning: {over} of {all} runs are over"))
}

/// What there is to say of a run that neither finished nor waits.
fn line(run: &RunStatus) -> Option<String> {
    match run.state {
        RunState::Finished | RunState::NotStarted => None,
        _ => Some(format!("{}: {}", run.run, stands(run))),
    }
}

fn stands(run: &RunStatus) -> String {
    let planned = run.planned_epochs.map_or("?".into(), |epochs| epochs.to_string());
    let epochs = format!("{} of {planned} epochs", run.epochs);
    match &run.state {
        RunState::NotStarted => "not started".into(),
        RunState::Running => format!("running, {epochs} done"),
        RunState::Interrupted => format!("interrupted, {epochs} done"),
        RunState::Finished => "finished".into(),
        RunState::Diverged { step } => format!("diverged: the loss of step {step} is not finite"),
        RunState::Failed { message } => format!("failed, {epochs} done: {message}"),
        RunState::Damaged { message, hint } => {
            format!("damaged, and left out: {message}; {hint}")
        }
    }
}
