//! `batchscope work STUDY`: one of several equal workers on one study folder.

use super::diagnostics::{Output, print_warnings};
use super::interrupt::Interrupt;
use super::machine::{command_line, variable};
use super::outcome::{Failed, failed, failed_jobs};
use super::progress::Progress;
use super::{ExperimentArgs, INTERRUPTED, SOME_FAILED, cache, format, tables};
use crate::config::Study;
use crate::kernels::InstructionSet;
use crate::report::{self as reports, Report, Scale};
use crate::study::{
    Additions, ArmSummary, Halt, Member, Scratch, Site, Tuning, Who, WorkEnd, WorkOutcome,
    WorkRequest, host_name, prepare, put_damaged_aside, refuse_stopped, shared_study,
    work as carry_out,
};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    #[command(flatten)]
    shared: SharedStudyArgs,
    /// Runs that this worker trains at a time [default: one a core, or one a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// What the engine `fused` computes with; results do not depend on it [default: the best there is]
    #[arg(long, value_name = "SET", value_parser = InstructionSet::ALL.map(InstructionSet::name))]
    instructions: Option<String>,
    /// A local disk for the data and for runs in training; `none` trains in the study's folder
    /// [default: $TMPDIR, where that is on another file system than the study]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// How often this worker says that it lives, in milliseconds
    #[arg(long, value_name = "MS", hide = true, default_value_t = BEAT.as_millis() as u64)]
    beat: u64,
    /// How often it looks again while others do what is left, in milliseconds
    #[arg(long, value_name = "MS", hide = true, default_value_t = 15_000)]
    poll: u64,
    /// How often a run on a local disk is saved in the study's folder, in milliseconds
    #[arg(long, value_name = "MS", hide = true, default_value_t = 60_000)]
    save: u64,
}

/// A study that several workers share.
#[derive(Debug, Args)]
pub(super) struct SharedStudyArgs {
    /// The experiment file, or the folder of a study that was begun
    #[arg(value_name = "STUDY")]
    pub(super) study: PathBuf,
    /// The folder of the study [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Change a value of the experiment file, as in `--set train.epochs=3`; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Train on GPUs of different models, although libtorch's last digits depend on the model
    #[arg(long)]
    pub(super) mixed: bool,
}

impl SharedStudyArgs {
    /// The study and its folder.
    pub(super) fn read(&self) -> Result<(Study, PathBuf)> {
        if self.study.is_dir() {
            return Ok((shared_study(&self.study)?, self.study.clone()));
        }
        let (file, out, set) = (self.study.clone(), self.out.clone(), self.set.clone());
        let experiment = ExperimentArgs { file, out, set, ..ExperimentArgs::default() };
        let study = experiment.study()?;
        let folder = experiment.folder(&study)?;
        Ok((study, folder))
    }
}

impl WorkArgs {
    /// Where to train a study of this folder, if not in it.
    fn scratch(&self, study: &Path) -> Result<Option<Scratch>> {
        let temporary =
            || variable("TMPDIR").map(PathBuf::from).filter(|of| is_elsewhere(of, study));
        let disk = match &self.scratch {
            Some(disk) if disk.as_os_str() == "none" => None,
            Some(disk) => Some(disk.clone()),
            None => temporary(),
        };
        disk.map(|disk| Scratch::begin(&disk)).transpose()
    }
}

/// Whether a folder is there, and on another file system than another, which need not be there yet.
fn is_elsewhere(folder: &Path, other: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).ok().map(|found| found.dev());
    let others = std::path::absolute(other).unwrap_or_default();
    let others = others.ancestors().find_map(device);
    device(folder).is_some_and(|found| Some(found) != others)
}

/// How often a worker says that it lives; after three of these it is taken for dead.
const BEAT: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Document<'o> {
    study: &'o str,
    folder: &'o Path,
    end: &'static str,
    trained: u64,
    arms: &'o [ArmSummary],
    failures: Vec<Failed>,
    tunings: &'o [Tuning],
    until: Option<&'o Additions>,
    report: Option<&'o Report>,
}

pub(super) fn work(args: &WorkArgs, output: Output) -> Result<ExitCode> {
    let begun = Instant::now();
    let (study, path) = args.shared.read()?;
    let experiment = ExperimentArgs {
        workers: args.workers,
        instructions: args.instructions.clone(),
        ..ExperimentArgs::default()
    };
    let interrupt = Interrupt::listen(output, &path)?;
    let mut pool = experiment.pool()?;
    let mut progress = Progress::new(output);
    let mut plan = prepare(&study, &cache(&path), &pool, &mut progress)?;
    print_warnings(&plan.warnings());
    let scratch = args.scratch(&path)?;
    if let Some(scratch) = &scratch {
        plan.data = scratch.data(&plan.data)?;
    }
    print_warnings(&Vec::from_iter(put_damaged_aside(&path)?));
    let command = command_line();
    let beat = Duration::from_millis(args.beat.max(1));
    let who = Who { mixed: args.shared.mixed, ..who(beat) };
    tables::without_curves(&plan).into_iter().for_each(|line| progress.line(&line));
    let mut site = Site::join(&plan, (&path, &who, scratch), &command, &pool, &mut progress)?;
    interrupt.training();
    let time = plan.study.growth.and_then(|growth| growth.time);
    let deadline = time.and_then(|time| begun.checked_add(time.duration()));
    let drawn = RefCell::new(None);
    let request = WorkRequest {
        halt: Halt { stop: interrupt.stop(), deadline },
        decide: &reports::decide,
        report: &|folder: &Path| {
            *drawn.borrow_mut() = reports::write(folder)?;
            Ok(())
        },
        poll: Duration::from_millis(args.poll.max(1)),
        save: Duration::from_millis(args.save),
    };
    let outcome = carry_out(&plan, &mut site, request, &mut pool, &mut progress);
    // The worker processes end before this worker says that it has.
    drop(pool);
    drop(site);
    progress.finish();
    let outcome = outcome?;
    interrupt.reporting();
    let report = drawn.into_inner();
    let document = document((&study.name, &path), &outcome, report.as_ref());
    output.answer(&document, &text(&outcome, &path, Scale::of(&study), report.as_ref()))?;
    Ok(ExitCode::from(exit_code(&outcome)))
}

/// Which worker this is: its machine, and the scheduler's name of its job.
pub(super) fn who(beat: Duration) -> Who {
    let host = host_name();
    Who { job: job(&variable, &host), host, beat, mixed: false }
}

/// The word of a `run` that has a study for itself.
pub(super) fn who_runs() -> Who {
    who(BEAT)
}

/// The scheduler's name of this job, from the environment that it gives.
fn job(variable: &dyn Fn(&str) -> Option<String>, host: &str) -> Option<String> {
    let array = || {
        let (job, task) = (variable("SLURM_ARRAY_JOB_ID")?, variable("SLURM_ARRAY_TASK_ID")?);
        Some(format!("slurm {job}_{task}"))
    };
    let plain = || variable("SLURM_JOB_ID").map(|job| format!("slurm {job}"));
    let pod = || variable("KUBERNETES_SERVICE_HOST").map(|_| format!("kubernetes {host}"));
    array().or_else(plain).or_else(pod)
}

fn end(outcome: &WorkOutcome) -> &'static str {
    match outcome.end {
        WorkEnd::Over => "over",
        WorkEnd::Stopped => "stopped",
        WorkEnd::Late => "late",
    }
}

fn document<'o>(
    (study, folder): (&'o str, &'o Path),
    outcome: &'o WorkOutcome,
    report: Option<&'o Report>,
) -> Document<'o> {
    Document {
        study,
        folder,
        end: end(outcome),
        trained: outcome.trained,
        arms: &outcome.arms,
        failures: failed(&outcome.failures),
        tunings: &outcome.tunings,
        until: outcome.additions.as_ref(),
        report,
    }
}

fn text(outcome: &WorkOutcome, folder: &Path, scale: Scale, report: Option<&Report>) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(report.map(Report::text));
    let trained = format::counted(outcome.trained as usize, "run");
    let name = folder.display().to_string();
    let again = format::command(&["batchscope", "work", &name]);
    let mut lines = vec![match outcome.end {
        WorkEnd::Over => format!("nothing is left to do; this worker ended {trained}"),
        WorkEnd::Stopped if refuse_stopped(folder).is_err() => {
            format!(
                "this worker ended {trained}, and what it was at is saved.\n{}",
                stopped(folder)
            )
        }
        WorkEnd::Stopped => format!(
            "stopped; this worker ended {trained}, and what it was at is saved. Resume with:\n  {again}"
        ),
        WorkEnd::Late => {
            format!("its time is over; this worker ended {trained}. Resume with:\n  {again}")
        }
    }];
    if outcome.end == WorkEnd::Over {
        if report.is_none() {
            parts.push(tables::results(&outcome.arms, scale));
            lines.push(format!("report: `{}`", format::command(&["batchscope", "report", &name])));
        }
        for (run, end) in &outcome.failures {
            lines.push(format!("not finished: {}: {end}", run.id()));
        }
        for (job, why) in &outcome.unmeasured {
            lines.push(format!("not measured: {}: {why}", job.run.id()));
        }
    }
    parts.push(lines.join("\n"));
    parts.join("\n\n")
}

fn exit_code(outcome: &WorkOutcome) -> u8 {
    let failed = failed_jobs(&outcome.failures, &outcome.unmeasured, &outcome.tunings);
    match outcome.end {
        WorkEnd::Stopped => INTERRUPTED,
        WorkEnd::Over if failed > 0 => SOME_FAILED,
        WorkEnd::Over | WorkEnd::Late => 0,
    }
}

/// What is said of a study whose workers end at once.
pub(super) fn stopped(folder: &Path) -> String {
    let folder = folder.display().to_string();
    format!(
        "Stopped by `batchscope stop`: workers that start now end at once. Resume with:\n  {}\n  {}",
        format::command(&["batchscope", "stop", &folder, "--undo"]),
        format::command(&["batchscope", "work", &folder])
    )
}

/// A worker in one line.
pub(super) fn workers_line(worker: &Member) -> String {
    let job = worker.job.as_ref().map_or(String::new(), |job| format!(", {job}"));
    let is = match (worker.ended, worker.lives()) {
        (true, _) => "ended".to_owned(),
        (_, true) if worker.runs.is_empty() => "waits".to_owned(),
        (_, true) => format!("trains {}", format::list(&worker.runs)),
        (_, false) => format!("silent for {}", format::duration(worker.silent_seconds())),
    };
    format!(
        "worker on {} (process {}{job}, {}): {is}; {} ended",
        worker.host,
        worker.process,
        worker.device,
        format::counted(worker.ended_runs as usize, "run")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_is_called_as_its_scheduler_calls_it() {
        let of = |names: &[(&str, &str)]| {
            let value = |name: &str| {
                names.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned())
            };
            job(&value, "pod-7")
        };
        let array =
            [("SLURM_JOB_ID", "29"), ("SLURM_ARRAY_JOB_ID", "26"), ("SLURM_ARRAY_TASK_ID", "3")];
        assert_eq!(of(&array).as_deref(), Some("slurm 26_3"));
        assert_eq!(of(&array[..1]).as_deref(), Some("slurm 29"));
        assert_eq!(of(&[("KUBERNETES_SERVICE_HOST", "x")]).as_deref(), Some("kubernetes pod-7"));
        assert_eq!(of(&[]), None);
    }
}
