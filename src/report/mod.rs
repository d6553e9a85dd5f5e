//! Records -> what is said of them: `report/index.html`, `report/verdict.md`,
//! `report/figures/*.svg` and `report/tables/*.csv` in a study's folder.
//!
//! Drawn from the records alone, so it can be drawn again at any time, also while the study is
//! running; the same records give the same bytes.
//!
//! ```text
//! gather     the records of a study -> plain numbers for `analysis`
//! markdown   verdict.md
//! tables     arms.csv, comparisons.csv
//! plot       numbers -> SVG
//! figures    one file a figure
//! page       index.html: all of it on one page
//! ```

mod figures;
mod gather;
mod markdown;
mod page;
mod plot;
mod tables;

use crate::analysis::{self, Comparison, TargetFinding, Verdict};
use crate::error::UserError;
use crate::rng::{Purpose, stream};
use crate::{files, study};
use anyhow::{Context, Result};
use plot::Figure;
use serde::Serialize;
use serde_json::Value;
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
    let path = report_folder.join("index.html");
    let report = Report { study: status.study.name.clone(), verdict, comparison, target, path };
    let tables = report_folder.join("tables");
    files::write_text(&tables.join("arms.csv"), &tables::arms(&report)?)?;
    files::write_text(&tables.join("comparisons.csv"), &tables::comparisons(&report)?)?;
    let text = markdown::page(&results, &report);
    files::write_text(&report_folder.join("verdict.md"), &text)?;
    let drawn_from = figures::Study {
        results: &results,
        comparison: &report.comparison,
        target: report.target.as_ref(),
    };
    let (figures, missing) = figures::draw(&drawn_from);
    write_figures(&report_folder.join("figures"), &figures)?;
    let sessions: Vec<Value> =
        files::read_json(&folder.join("environment.json"))?.unwrap_or_default();
    let parts = page::Parts {
        report: &report,
        text: &text,
        figures: &figures,
        missing: &missing,
        sessions: &sessions,
    };
    files::write_text(&report.path, &page::page(&parts)?)?;
    Ok(Some(report))
}

/// Each figure as a file; those of an earlier report that there are no data for any more go.
fn write_figures(folder: &Path, figures: &[Figure]) -> Result<()> {
    for name in figures::NAMES {
        let path = folder.join(format!("{name}.svg"));
        match figures.iter().find(|figure| figure.name == name) {
            Some(figure) => files::write_text(&path, &figure.file())?,
            None if path.exists() => std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?,
            None => {}
        }
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
