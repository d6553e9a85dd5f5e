//! `batchscope run FILE.yaml`: train what is not finished, then say what came of it.

use super::interrupt::on_interrupt;
use super::progress::Progress;
use super::{ExperimentArgs, INTERRUPTED, SOME_FAILED, cache, diagnostics, format, tables};
use crate::study::{RunEnd, StudyFolder, StudyOutcome, execute, prepare};
use anyhow::Result;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(args: &ExperimentArgs) -> Result<ExitCode> {
    let study = args.study()?;
    let path = args.folder(&study)?;
    let stop = on_interrupt()?;
    let mut pool = args.pool()?;
    let mut progress = Progress::new();
    let plan = prepare(&study, &cache(&path), &pool, &mut progress)?;
    diagnostics::print_warnings(&plan.warnings());
    let parallel = pool.parallel(&plan, plan.runs.len());
    progress.line(&tables::headline(&plan, parallel));
    let folder = StudyFolder::open(&path)?;
    let command: Vec<String> = std::env::args().collect();
    let outcome = execute(&plan, &folder, &mut pool, &command, &stop, &mut progress);
    // The workers end before the folder's lock is given up.
    drop(pool);
    progress.finish();
    let outcome = outcome?;
    diagnostics::answer(&tables::results(&outcome.arms));
    let closing = closing(&outcome, &path, &format::command(&command));
    diagnostics::answer(&format!("\n{closing}"));
    Ok(exit_code(&outcome))
}

/// What to know and what to do next.
fn closing(outcome: &StudyOutcome, path: &Path, command: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    if outcome.arms.iter().any(|arm| arm.finished > 1) {
        lines.push(
            "accuracies are those after the last epoch: mean ± standard deviation over seeds"
                .into(),
        );
    }
    for (run, end) in &outcome.failures {
        lines.push(format!("not finished: {}: {end}", run.id()));
    }
    if outcome.failures.iter().any(|(_, end)| matches!(end, RunEnd::Diverged { .. })) {
        lines.push(
            "a diverged run would diverge again and is not repeated: lower the learning rate of \
             its arm, under another arm name"
                .into(),
        );
    }
    if outcome.unfinished > 0 {
        lines.push(format!(
            "not finished: {}; everything so far is saved. To go on, repeat: {command}",
            format::counted(outcome.unfinished, "run")
        ));
    }
    let folder = path.display();
    lines.push(format!("records: {folder}   curves: scripts/tensorboard {folder}"));
    lines.join("\n")
}

fn exit_code(outcome: &StudyOutcome) -> ExitCode {
    match (outcome.unfinished, outcome.failures.len()) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(SOME_FAILED),
        _ => ExitCode::from(INTERRUPTED),
    }
}
