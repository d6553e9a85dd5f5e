//! `batchscope run FILE.yaml`: train what is not finished, then say what came of it.

use super::affordable::{Quick, without_tuning};
use super::diagnostics::Output;
use super::interrupt::Interrupt;
use super::machine::command_line;
use super::outcome::{Failed, failed, failed_jobs};
use super::progress::Progress;
use super::work::who_runs;
use super::{
    ExperimentArgs, INTERRUPTED, SOME_FAILED, USAGE_OR_CONFIGURATION, browser, cache, diagnostics,
    format, growth, tables,
};
use crate::report::{self as reports, Report, Scale};
use crate::study::{
    Additions, Alone, ArmSummary, Halt, Request, Run, RunEnd, Selection, StudyOutcome, Tuning,
    execute, open_alone, prepare, put_damaged_aside, refuse_other_gpus,
};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Train these runs alone: ARM, ARM/seed-0, or seed-0 for all arms; may be repeated
    #[arg(long, value_name = "RUN", conflicts_with = "until_settled")]
    only: Vec<String>,
    /// Try runs again that failed with an error, from their last checkpoint
    ///
    /// Interrupted runs go on without it, and diverged runs stay as they are: they would diverge
    /// again.
    #[arg(long)]
    retry_failed: bool,
    /// Train on GPUs of different models, although libtorch's last digits depend on the model
    #[arg(long)]
    mixed: bool,
    /// Open the report in a browser
    #[arg(long)]
    open: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'o> {
    study: &'o str,
    folder: &'o Path,
    /// The experiment file that `quick` wrote or found.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'o Path>,
    arms: &'o [ArmSummary],
    failures: Vec<Failed>,
    unfinished: usize,
    not_retried: usize,
    tunings: &'o [Tuning],
    /// Runs whose solutions could not be measured, and why.
    unmeasured: Vec<(String, &'o str)>,
    measurements_left: usize,
    /// How seeds were added, if they were.
    until: Option<&'o Additions>,
    report: Option<&'o Report>,
    /// Why there is no report, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'o Fault>,
}

/// As the document of an error has it.
#[derive(Serialize)]
struct Fault {
    message: String,
    hint: String,
}

impl RunArgs {
    pub(super) fn new(experiment: ExperimentArgs, open: bool) -> Self {
        Self { experiment, only: Vec::new(), retry_failed: false, mixed: false, open }
    }
}

pub(super) fn run(args: &RunArgs, output: Output) -> Result<ExitCode> {
    carry_out(args, None, output)
}

/// Trains, reports, and says what came of it. `quick` has a time for all of it.
pub(super) fn carry_out(
    args: &RunArgs,
    quick: Option<Quick<'_>>,
    output: Output,
) -> Result<ExitCode> {
    let begun = Instant::now();
    let mut study = args.experiment.study()?;
    let path = args.experiment.folder(&study)?;
    // Before anything is written.
    diagnostics::print_warnings(&study.take_finished(&path)?);
    let selection = Selection { only: args.only.clone(), retry_failed: args.retry_failed };
    selection.check(&Run::all(&study))?;
    let interrupt = Interrupt::listen(output, &path)?;
    let mut pool = args.experiment.pool()?;
    let mut progress = Progress::new(output);
    let mut plan = prepare(&study, &cache(&path), &pool, &mut progress)?;
    if let Some(quick) = quick {
        let at = (&*path, quick.time);
        let given = without_tuning(&args.experiment, &plan, at, &mut pool, &mut progress)?;
        let is_tuned = given.is_none();
        quick.settle(&args.experiment.file, is_tuned, &|said| progress.line(said))?;
        if let Some(mut given) = given {
            given.take_finished(&path)?;
            plan = prepare(&given, &cache(&path), &pool, &mut progress)?;
        }
    }
    diagnostics::print_warnings(&plan.warnings());
    let covered = plan.runs.iter().filter(|run| selection.covers(run)).count();
    let parallel = pool.parallel(&plan, covered);
    progress.line(&tables::headline(&plan, &pool, parallel)?);
    tables::without_curves(&plan).into_iter().for_each(|line| progress.line(&line));
    growth::before(&plan, &selection).into_iter().for_each(|line| progress.line(&line));
    let folder = open_alone(&path)?;
    let alone = Alone::begin((&folder, &plan), &who_runs(), &mut progress)?;
    diagnostics::print_warnings(&Vec::from_iter(put_damaged_aside(&path)?));
    if !args.mixed {
        refuse_other_gpus(&plan, &path)?;
    }
    let command = command_line();
    interrupt.training();
    let time = plan.study.growth.filter(|_| selection.only.is_empty()).and_then(|of| of.time);
    let deadline = time.and_then(|time| begun.checked_add(time.duration()));
    let halt = Halt { stop: interrupt.stop(), deadline };
    let request =
        Request { selection: &selection, command: &command, halt, decide: &reports::decide };
    let outcome = {
        let mut pace = alone.pace(&plan, &mut progress);
        execute(&plan, &folder, request, &mut pool, &mut pace)
    };
    // The workers end before the folder's lock is given up.
    drop(pool);
    drop(alone);
    progress.finish();
    let outcome = outcome?;
    interrupt.reporting();
    let file = quick.map(|_| &*args.experiment.file);
    let ended = Ended {
        study: &study.name,
        scale: Scale::of(&study),
        folder: &path,
        file,
        outcome: &outcome,
        command: &command,
    };
    ended.report(args.open, output)
}

/// A study that was trained, to be reported.
struct Ended<'e> {
    study: &'e str,
    scale: Scale,
    folder: &'e Path,
    /// The experiment file, where the command line does not name it.
    file: Option<&'e Path>,
    outcome: &'e StudyOutcome,
    command: &'e [String],
}

impl Ended<'_> {
    fn report(&self, open: bool, output: Output) -> Result<ExitCode> {
        // What was trained counts, even if the disk has no room for the report.
        let (written, fault) = match reports::write(self.folder) {
            Ok(written) => (written, None),
            Err(error) => (None, Some(no_report(self.folder, &error))),
        };
        let answer = written.as_ref().map(Report::text);
        let table = || tables::results(&self.outcome.arms, self.scale);
        let parts = [
            Some(answer.unwrap_or_else(table)),
            notes(self.outcome, self.scale, self.command),
            Some(self.places()),
        ];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
        let document = document(self, (written.as_ref(), fault.as_ref()));
        let answered = output.answer(&document, &text);
        if let Some(Fault { message, hint }) = &fault {
            diagnostics::complain(message, Some(hint));
        }
        if let Some(report) = written.as_ref().filter(|_| open) {
            browser::open(&report.path, output);
        }
        let code = if fault.is_some() { USAGE_OR_CONFIGURATION } else { exit_code(self.outcome) };
        match answered {
            // That nobody reads the table is less than what there is to tell of the runs.
            Err(lost) if !(lost.is_unread() && code != 0) => Err(lost.into()),
            _ => Ok(ExitCode::from(code)),
        }
    }

    fn places(&self) -> String {
        let file = self.file.map(|file| format!("experiment file: {}\n", file.display()));
        file.unwrap_or_default() + &curves(self.folder)
    }
}

/// What is wrong when the report could not be written, and the command that writes it.
fn no_report(study: &Path, error: &anyhow::Error) -> Fault {
    let again = ["batchscope", "report", &study.display().to_string()];
    let what_was_trained = || {
        format!(
            "all results are saved; when that is mended, `{}` writes the report",
            format::command(&again)
        )
    };
    Fault {
        message: format!("the report could not be written: {error:#}"),
        // A damaged file is a result that is not saved, and its own hint says what to do.
        hint: diagnostics::advice(error).unwrap_or_else(what_was_trained),
    }
}

fn document<'o>(
    ended: &'o Ended<'o>,
    (report, error): (Option<&'o Report>, Option<&'o Fault>),
) -> Document<'o> {
    let Ended { study, folder, file, outcome, .. } = *ended;
    Document {
        study,
        folder,
        file,
        arms: &outcome.arms,
        failures: failed(&outcome.failures),
        unfinished: outcome.unfinished,
        not_retried: outcome.not_retried,
        tunings: &outcome.tunings,
        unmeasured: outcome.unmeasured.iter().map(|(job, why)| (job.run.id(), &**why)).collect(),
        measurements_left: outcome.measurements_left,
        until: outcome.additions.as_ref(),
        report,
        error,
    }
}

/// What to know and what to do next, if there is something.
fn notes(outcome: &StudyOutcome, scale: Scale, command: &[String]) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(tables::what_numbers_are(&outcome.arms, scale));
    lines.extend(tables::short_of_memory(&outcome.arms));
    lines.extend(outcome.tunings.iter().filter_map(tables::tuned));
    for (run, end) in &outcome.failures {
        lines.push(format!("not finished: {}: {end}", run.id()));
    }
    if outcome.failures.iter().any(|(_, end)| matches!(end, RunEnd::Diverged { .. })) {
        lines.push(DIVERGED.into());
    }
    if outcome.not_retried > 0 {
        let again = [command, &["--retry-failed".to_owned()]].concat();
        lines.push(format!(
            "a failed run is not repeated by itself; to try again:\n  {}",
            format::command(&again)
        ));
    }
    for (job, why) in &outcome.unmeasured {
        lines.push(format!("not measured: {}: {why}", job.run.id()));
    }
    if outcome.unfinished == 0 && outcome.measurements_left > 0 {
        lines.push(format!(
            "not finished: {}; to go on, repeat:\n  {}",
            format::counted(outcome.measurements_left, "measurement"),
            format::command(command)
        ));
    }
    lines.extend(outcome.additions.as_ref().and_then(|of| growth::after(of, command)));
    if outcome.unfinished > 0 {
        lines.push(format!(
            "not finished: {}; everything so far is saved. To resume, repeat:\n  {}",
            format::counted(outcome.unfinished, "run"),
            format::command(command)
        ));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What to do about a diverged run.
pub(super) const DIVERGED: &str = "a diverged run would diverge again and is not repeated: lower \
                                   its learning rate, in an arm of another name or with `--out` in \
                                   another folder";

/// How to see the curves.
pub(super) fn curves(study: &Path) -> String {
    let folder = study.display().to_string();
    format!("curves  {}", format::command(&[tensorboard(), vec![folder]].concat()))
}

/// The checkout's script as it is called from the current folder; the bare program where there is
/// no checkout.
fn tensorboard() -> Vec<String> {
    let script = || {
        let program = std::env::current_exe().ok()?;
        let here = std::env::current_dir().ok();
        let root = program.ancestors().find(|folder| folder.join(SCRIPT).is_file())?;
        let path = if here.as_deref() == Some(root) { SCRIPT.into() } else { root.join(SCRIPT) };
        Some(vec![path.display().to_string()])
    };
    script().unwrap_or_else(|| ["tensorboard", "--logdir"].map(String::from).to_vec())
}

const SCRIPT: &str = "scripts/tensorboard";

fn exit_code(outcome: &StudyOutcome) -> u8 {
    let failed = failed_jobs(&outcome.failures, &outcome.unmeasured, &outcome.tunings);
    match (outcome.unfinished + outcome.measurements_left, failed) {
        (0, 0) => 0,
        (0, _) => SOME_FAILED,
        _ => INTERRUPTED,
    }
}
