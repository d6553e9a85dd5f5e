//! `batchscope evaluate RUN_DIR`: what a finished run is worth on a split.

use super::{cache, diagnostics, format, tables};
use crate::kernels::{Split, start_libtorch};
use crate::study::TrainedRun;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    /// The folder of a finished run, such as runs/quickstart/batch-32/seed-0
    #[arg(value_name = "RUN_DIR")]
    run: PathBuf,
    /// The split to measure
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
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

pub(super) fn evaluate(args: &EvaluateArgs) -> Result<ExitCode> {
    let run = TrainedRun::open(&args.run)?;
    start_libtorch()?;
    let mut report = |what: &str| diagnostics::note(what);
    let measured = run.measure(args.split.into(), &cache(run.study_folder()), &mut report)?;
    let split = serde_json::to_value(Split::from(args.split))?;
    let metrics = serde_json::to_value(measured.metrics)?;
    if args.json {
        let answer = json!({
            "run": args.run,
            "split": split,
            "examples": measured.examples,
            "metrics": metrics,
        });
        diagnostics::answer(&answer.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let metrics: Vec<(String, Value)> =
        metrics.as_object().cloned().into_iter().flatten().collect();
    let names = metrics.iter().map(|(name, _)| name.as_str());
    let mut table =
        tables::table(&["split", "examples"].into_iter().chain(names).collect::<Vec<_>>());
    let values = metrics.iter().map(|(_, value)| match value.as_f64() {
        Some(number) => format!("{number:.4}"),
        None => "-".to_owned(),
    });
    let split = split.as_str().unwrap_or_default().to_owned();
    let examples = format::count(measured.examples as u64);
    table.add_row([split, examples].into_iter().chain(values).collect::<Vec<_>>());
    diagnostics::answer(&table.to_string());
    Ok(ExitCode::SUCCESS)
}
