//! Records -> what is said of them: `report/index.html`, `report/verdict.md`,
//! `report/figures/*.svg` and `report/tables/*.csv` in a study's folder.
//!
//! Drawn from the records alone, so it can be drawn again at any time, also while the study is
//! running; the same records give the same bytes.
//!
//! ```text
//! decision   what finished runs decide for what runs next
//! gather     the records of a study -> plain numbers for `analysis`; `facts` of its arms
//! answer     the answer in a few words; `terminal` for the end of a run
//! source     the commands that go on with a study; `recommended` the run that stands for it
//! words      every sentence about what was found
//! block      what a report consists of, and how it becomes Markdown, HTML, CSV and a terminal's text
//! tables     each table, for readers and as CSV: runs.csv, arms.csv, comparisons.csv, ...
//! sections   what stands behind the answer, in `verdict.md` and on the page
//! verdict    verdict.md
//! plot       numbers -> SVG
//! figures    one file a figure
//! page       index.html: all of it on one page
//! tensorboard  bands over seeds and the verdict, for TensorBoard
//! studies    several studies beside each other, on one page more
//! ```

mod answer;
mod block;
mod decision;
mod figures;
mod gather;
mod page;
mod plot;
mod recommended;
mod sections;
mod source;
mod studies;
mod tables;
mod tensorboard;
mod terminal;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

pub use answer::{Answer, Certainty, Next};
pub use decision::decide;
pub use recommended::{RecommendedRun, recommended_run};
pub use studies::{Reports, Together, write_all};
pub use words::{Scale, without_model};

use crate::analysis::{self, Findings, Results};
use crate::config::Study;
use crate::error::UserError;
use crate::files;
use crate::format::counted;
use crate::rng::{Purpose, stream};
use crate::spec::{Metric, MetricInfo, Unit};
use crate::study::{StudyStatus, rows_left_out, session_values};
use anyhow::{Context, Result, bail};
use block::{Table, csv};
use plot::Figure;
use serde::Serialize;
use serde_json::Value;
use source::Source;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the records of a study say.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The name of the study.
    pub study: String,
    /// The metric that decides. Its values here are those that are better when they are higher: of a metric
    /// that should fall the sign is changed.
    pub score: Score,
    /// The answer in a few words.
    pub answer: Answer,
    /// What they say.
    #[serde(flatten)]
    pub findings: Findings,
    /// The verdict's cautions in sentences, in the same order.
    #[serde(rename = "caution_texts")]
    pub cautions: Vec<String>,
    /// Where the gap between two batch sizes comes from, in sentences.
    pub gap: Vec<String>,
    /// What was found beside the comparison, in sentences.
    pub besides: Vec<String>,
    /// Where lines, rows and examples of the data differ.
    pub rows: Vec<String>,
    /// The page that was written.
    pub path: PathBuf,
}

/// The score of a study.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Score {
    /// The metric.
    pub metric: Metric,
    /// What its values are in.
    pub unit: &'static str,
    /// Whether it is better `higher` or `lower`, as it was measured.
    pub better: &'static str,
    /// The least and the largest value that it can have, as it was measured; `None` where there is no end.
    pub range: [Option<f64>; 2],
    /// Whether it should fall, so that its sign is changed.
    pub sign_is_changed: bool,
    /// What that means for the numbers here.
    pub values: &'static str,
    /// What a model scores on validation that gives every row the same answer, where it is known.
    pub baseline: Option<f64>,
    /// What the forecast scores there that a series keeps its last value, where there is one.
    pub last_value: Option<f64>,
}

impl Score {
    fn of(results: &Results) -> Self {
        let info: &MetricInfo = results.score;
        Self {
            baseline: results.baseline,
            last_value: results.last_value,
            metric: info.metric,
            unit: match info.unit {
                Unit::Percent => "share of 1",
                Unit::Plain => "none",
                Unit::Target => "that of the targets",
                Unit::TargetSquared => "that of the targets, squared",
            },
            better: if info.falls() { "lower" } else { "higher" },
            range: info.range.map(|end| Some(end).filter(|end| end.is_finite())),
            sign_is_changed: info.falls(),
            values: match info.falls() {
                true => {
                    "with the other sign: -1.4 stands for 1.4, so that more is better; not in sentences"
                }
                false => "as they were measured",
            },
        }
    }
}

impl Report {
    /// The end of a run: a table and a few lines, within 80 columns.
    pub fn text(&self) -> String {
        terminal::text(self)
    }
}

/// A study's report, and what it was drawn from.
struct Written {
    report: Report,
    results: Results,
    status: StudyStatus,
    /// `environment.json`
    sessions: Vec<Value>,
    /// Why the report could not be written.
    unwritten: Option<anyhow::Error>,
}

/// Analyses the records in a study's folder and writes its report; `None` when no run is finished and
/// none diverged.
///
/// # Errors
/// Where the folder cannot be read, and where the report cannot be written.
pub fn write(folder: &Path) -> Result<Option<Report>> {
    let Some(written) = draw(folder)? else { return Ok(None) };
    written.unwritten.map_or(Ok(()), Err)?;
    Ok(Some(written.report))
}

fn draw(folder: &Path) -> Result<Option<Written>> {
    let status = StudyStatus::read(folder)?;
    let results = gather::results(folder, &status)?;
    if results.arms.iter().all(|arm| arm.runs.is_empty() && arm.diverged.is_empty()) {
        let unscored = results.arms.iter().any(|arm| arm.unscored > 0);
        return match status.damaged().first() {
            None if unscored => Err(without_score(&results, folder).into()),
            None => Ok(None),
            Some(run) => bail!("{}: no run of this study can be reported: {run}", folder.display()),
        };
    }
    let sessions = session_values(folder)?;
    let most_seeds = status.additions.as_ref().map(|additions| additions.max_seeds);
    let source = Source::of(folder, &sessions, most_seeds).with_study(&status.study, &sessions);
    let path = folder.join("report/index.html");
    let report = Report {
        rows: rows_left_out(&sessions).into_iter().chain(gap(&status.study)).collect(),
        ..told(&status.study.name, &results, &source, path)
    };
    let mut written = Written { report, results, status, sessions, unwritten: None };
    written.unwritten = write_files(folder, &written).err();
    Ok(Some(written))
}

/// What a gap between the splits leaves out.
fn gap(study: &Study) -> Option<String> {
    let split = &study.experiment.data.split;
    (split.gap > 0).then(|| {
        let rows = counted(split.gap as usize, "row");
        format!("{rows} before each cut between two splits are left out (`gap`)")
    })
}

/// What results say, in words.
fn told(study: &str, results: &Results, source: &Source, path: PathBuf) -> Report {
    let findings = findings(results);
    let cautions = findings.verdict.cautions.iter();
    Report {
        study: study.to_owned(),
        score: Score::of(results),
        answer: answer::answer(results, &findings, source),
        cautions: cautions.map(|of| words::caution(of, results)).collect(),
        gap: words::gap_lines(&findings, results.margin),
        besides: words::besides(results, &findings),
        rows: Vec::new(),
        findings,
        path,
    }
}

/// Everything in the folder `report`.
fn write_files(folder: &Path, written: &Written) -> Result<()> {
    let Written { report, results, status, sessions, .. } = written;
    let report_folder = folder.join("report");
    tidy(&report_folder)?;
    let tables = write_tables(&report_folder.join("tables"), results, &report.findings)?;
    let sections = sections::sections(results, report);
    let text = verdict::page(report, &sections);
    files::write_text(&report_folder.join("verdict.md"), &text)?;
    let figures = figures::draw(&figures::Study { results, findings: &report.findings });
    write_figures(&report_folder.join("figures"), &figures::names(), &figures)?;
    let parts = page::Parts {
        report,
        results,
        sections: &sections,
        figures: &figures,
        tables: &tables,
        study: &status.study,
        sessions,
    };
    files::write_text(&report.path, &page::page(&parts)?)?;
    let study = tensorboard::Study {
        name: &report.study,
        results,
        verdict: &text,
        figures: &figures,
        begun: sessions.first().and_then(|first| first["started"].as_f64()).unwrap_or(0.0),
    };
    tensorboard::write(folder, &report_folder, &study)
}

/// Where the score of no finished run is defined.
fn without_score(results: &Results, folder: &Path) -> UserError {
    UserError::new(
        format!(
            "{}: {} is not defined on the validation split for any run of this study",
            folder.display(),
            results.score.title
        ),
        "name another metric as `study.score`, or split the data so that all labels are in each split",
    )
}

/// What results say; the same ones say the same.
fn findings(results: &Results) -> Findings {
    analysis::analyse(results, &mut stream(0, Purpose::Report, 0))
}

/// Removes what killed processes left half-written in the folder of a report, which is no link.
fn tidy(folder: &Path) -> Result<()> {
    for folder in [folder.to_owned(), folder.join("tables"), folder.join("figures")] {
        files::refuse_link(&folder)?;
        files::remove_temporary(&folder)?;
    }
    Ok(())
}

/// Writes the tables that have rows and returns their names; those without rows go.
fn write_tables(
    folder: &Path,
    results: &Results,
    findings: &Findings,
) -> Result<Vec<&'static str>> {
    let mut written = Vec::new();
    for (name, table) in tables::files(results, findings) {
        if write_table(&folder.join(name), &table)? {
            written.push(name);
        }
    }
    // As `sharpness_and_score.csv` was called.
    remove_old(&folder.join("sharpness_and_accuracy.csv"))?;
    Ok(written)
}

/// Writes a table that has rows, and says whether it has; without rows, what an earlier report wrote goes.
fn write_table(path: &Path, table: &Table) -> Result<bool> {
    let text = csv(table)?;
    match text.is_empty() {
        true => remove_old(path)?,
        false => files::write_text(path, &text)?,
    }
    Ok(!text.is_empty())
}

/// Each figure as a file; of these names, those that there are no data for any more go.
fn write_figures(folder: &Path, names: &[&str], figures: &[Figure]) -> Result<()> {
    for name in names {
        let path = folder.join(format!("{name}.svg"));
        match figures.iter().find(|figure| figure.name == *name) {
            Some(figure) => files::write_text(&path, &figure.file())?,
            None => remove_old(&path)?,
        }
    }
    Ok(())
}

/// Removes what an earlier report wrote there, if it did.
fn remove_old(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// As [`write()`], where it is an error that there is nothing to say.
fn write_or_refuse(folder: &Path) -> Result<Written> {
    draw(folder)?.ok_or_else(|| {
        UserError::new(
            format!("{}: no run of this study is finished yet", folder.display()),
            "`batchscope status` says how it stands, and the same `batchscope run` goes on with it",
        )
        .into()
    })
}
