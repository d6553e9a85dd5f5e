//! `batchscope evaluate RUN_DIR`: what a finished run is worth on a split.

use super::diagnostics::{Output, is_denied};
use super::recommended::run_of;
use super::{cache, format, tables};
use crate::files;
use crate::kernels::{Split, start_libtorch};
use crate::spec::Metrics;
use crate::study::{Measurement, TrainedRun};
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    /// The folder of a finished run, such as runs/quickstart/batch-32/seed-0, or of a study
    ///
    /// Of a study, the best run by validation of the recommended arm is taken.
    #[arg(value_name = "RUN_DIR")]
    run: PathBuf,
    /// The split to measure
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SplitName {
    Train,
    Validation,
    Test,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Train => Self::Train,
            SplitName::Validation => Self::Validation,
            SplitName::Test => Self::Test,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'d> {
    run: &'d Path,
    split: Split,
    examples: usize,
    metrics: Metrics,
}

pub(super) fn evaluate(args: &EvaluateArgs, output: Output) -> Result<ExitCode> {
    let folder_of_run = run_of(&args.run, output)?;
    let run = TrainedRun::open(&folder_of_run)?;
    start_libtorch()?;
    let split = args.split.into();
    let mut report = |what: &str| output.note(what);
    let measured = match run.measure(split, &cache(run.study_folder()), &mut report) {
        // Somebody else's study: what is not prepared there is prepared elsewhere for this time.
        Err(error) if cannot_write(&error) => {
            let folder = tempfile::tempdir()?;
            run.measure(split, folder.path(), &mut report)
        }
        measured => measured,
    };
    let Measurement { examples, metrics } = measured?;
    let document = Document { run: &folder_of_run, split, examples, metrics };
    output.answer(&document, &text(&document)?)?;
    Ok(ExitCode::SUCCESS)
}

fn cannot_write(error: &anyhow::Error) -> bool {
    is_denied(error) || files::no_room(error) == Some(files::NoRoom::ReadOnly)
}

/// One line for each metric that there is.
fn text(document: &Document<'_>) -> Result<String> {
    let split = serde_json::to_value(document.split)?;
    let metrics = serde_json::to_value(document.metrics)?;
    let examples = format::count(document.examples as u64);
    let mut table = tables::table(&["metric", split.as_str().unwrap_or_default()]);
    table.add_row(["examples".to_owned(), examples]);
    for (name, value) in metrics.as_object().into_iter().flatten() {
        let value = value.as_f64().map_or("-".to_owned(), format::metric);
        table.add_row([name.clone(), value]);
    }
    Ok(table.to_string())
}
