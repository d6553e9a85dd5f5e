//! `batchscope report STUDY_DIR...`: what the records of a study say.

use super::diagnostics::Output;
use crate::report::{self, Report};
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The folders of studies, such as runs/quickstart
    #[arg(value_name = "STUDY_DIR", required = true)]
    folders: Vec<PathBuf>,
}

pub(super) fn report(args: &ReportArgs, output: Output) -> Result<ExitCode> {
    let mut reports = Vec::new();
    for folder in &args.folders {
        reports.push(report::write_or_refuse(folder)?);
    }
    let texts: Vec<String> = reports
        .iter()
        .map(|report| format!("study  {}\n\n{}", report.study, text(report)))
        .collect();
    output.answer(&json!({ "reports": reports }), &texts.join("\n\n"));
    Ok(ExitCode::SUCCESS)
}

/// The verdict in a few lines, and where the rest is.
pub(super) fn text(report: &Report) -> String {
    let lines = report.findings.verdict.lines().join("\n");
    format!("{lines}\nreport: {}", report.path.display())
}
