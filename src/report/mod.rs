//! Records -> what is said of them: `report/verdict.md` and `report/tables/*.csv` in a study's
//! folder.
//!
//! Drawn from the records alone, so it can be drawn again at any time, also while the study is
//! running; the same records give the same bytes.
//!
//! ```text
//! gather     the records of a study -> plain numbers for `analysis`; `facts` of its arms
//! markdown   verdict.md, with the parts in `sections`
//! tables     runs.csv, arms.csv, comparisons.csv, ...
//! ```

mod facts;
mod gather;
mod markdown;
mod sections;
mod tables;

use crate::analysis::{self, Findings, Results};
use crate::error::UserError;
use crate::rng::{Purpose, stream};
use crate::{files, study};
use anyhow::Result;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What the records of a study say.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The name of the study.
    pub study: String,
    /// What they say.
    #[serde(flatten)]
    pub findings: Findings,
    /// The page that was written.
    pub path: PathBuf,
}

/// Analyses the records in a study's folder and writes its report; `None` when no run is finished.
pub fn write(folder: &Path) -> Result<Option<Report>> {
    let status = study::StudyStatus::read(folder)?;
    let results = gather::results(folder, &status)?;
    if results.arms.iter().all(|arm| arm.runs.is_empty()) {
        return Ok(None);
    }
    let mut rng = stream(0, Purpose::Report, 0);
    let findings = analysis::find(&results, &mut rng);
    let report_folder = folder.join("report");
    let path = report_folder.join("verdict.md");
    let report = Report { study: status.study.name.clone(), findings, path };
    write_tables(&report_folder.join("tables"), &results, &report)?;
    files::write_text(&report.path, &markdown::page(&results, &report))?;
    Ok(Some(report))
}

fn write_tables(folder: &Path, results: &Results, report: &Report) -> Result<()> {
    let findings = &report.findings;
    let all = [
        ("runs.csv", tables::runs(results)?),
        ("arms.csv", tables::arms(report)?),
        ("comparisons.csv", tables::comparisons(report)?),
        ("decomposition.csv", tables::decomposition(findings)?),
        ("learning_rates.csv", tables::learning_rates(findings)?),
        ("best_learning_rates.csv", tables::best_learning_rates(findings)?),
        ("budgets.csv", tables::budgets(findings)?),
        ("factors.csv", tables::factors(findings)?),
        ("pareto.csv", tables::pareto(findings)?),
        ("audit.csv", tables::audit(findings)?),
        ("claims.csv", tables::claims(findings)?),
    ];
    // A table without rows is not written.
    for (name, text) in all.iter().filter(|(_, text)| !text.is_empty()) {
        files::write_text(&folder.join(name), text)?;
    }
    Ok(())
}

/// As [`write()`], where it is an error that there is nothing to say.
pub fn write_or_refuse(folder: &Path) -> Result<Report> {
    let report = write(folder)?;
    report.ok_or_else(|| {
        UserError::new(
            format!("{}: no run of this study is finished yet", folder.display()),
            "`batchscope status` says how it stands, and the same `batchscope run` goes on with it",
        )
        .into()
    })
}
