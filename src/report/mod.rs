//! Records -> what is said of them: `report/verdict.md` and `report/tables/*.csv` in a study's
//! folder.
//!
//! Drawn from the records alone, so it can be drawn again at any time, also while the study is
//! running; the same records give the same bytes.
//!
//! ```text
//! gather     the records of a study -> plain numbers for `analysis`
//! markdown   verdict.md
//! tables     arms.csv, comparisons.csv
//! ```

mod gather;
mod markdown;
mod tables;

use crate::analysis::{self, Comparison, TargetFinding, Verdict};
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
    /// In sentences.
    pub verdict: Verdict,
    /// In numbers: the arms against the best.
    pub comparison: Comparison,
    /// In numbers: what it takes to reach an accuracy; `None` without a candidate.
    pub target: Option<TargetFinding>,
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
    let comparison = analysis::compare(&results, &mut rng);
    let target = analysis::default_target(&results, &comparison)
        .map(|target| analysis::target(&results, &comparison, target, &mut rng));
    let verdict = analysis::verdict(&results, &comparison);
    let report_folder = folder.join("report");
    let path = report_folder.join("verdict.md");
    let report = Report { study: status.study.name.clone(), verdict, comparison, target, path };
    let tables = report_folder.join("tables");
    files::write_text(&tables.join("arms.csv"), &tables::arms(&report)?)?;
    files::write_text(&tables.join("comparisons.csv"), &tables::comparisons(&report)?)?;
    files::write_text(&report.path, &markdown::page(&results, &report))?;
    Ok(Some(report))
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
