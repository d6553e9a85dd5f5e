//! Records -> what is said of them: `report/index.html`, `report/verdict.md`,
//! `report/figures/*.svg` and `report/tables/*.csv` in a study's folder.
//!
//! Drawn from the records alone, so it can be drawn again at any time, also while the study is
//! running; the same records give the same bytes.
//!
//! ```text
//! decision   what finished runs decide for what runs next
//! gather     the records of a study -> plain numbers for `analysis`; `facts` of its arms
//! answer     the answer in a few words; `cautions` in sentences; `terminal` for the end of a run
//! words      every sentence about what was found
//! markdown   verdict.md, with the parts in `sections`
//! tables     runs.csv, arms.csv, comparisons.csv, ...
//! plot       numbers -> SVG
//! figures    one file a figure
//! page       index.html: all of it on one page
//! tensorboard  bands over seeds and the verdict, for TensorBoard
//! studies    several studies beside each other, on one page more
//! ```

mod answer;
mod cautions;
mod decision;
mod figures;
mod gather;
mod markdown;
mod page;
mod plot;
mod sections;
mod studies;
mod tables;
mod tensorboard;
mod terminal;
mod words;

pub use answer::{Answer, Certainty, Next};
pub use decision::decide;
pub use studies::{Reports, Together, write_all};

use crate::analysis::{self, Findings, Results};
use crate::error::UserError;
use crate::files;
use crate::rng::{Purpose, stream};
use crate::study::{StudyStatus, rows_left_out, session_values};
use anyhow::{Context, Result, bail};
use plot::Figure;
use serde::Serialize;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the records of a study say.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The name of the study.
    pub study: String,
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

impl Report {
    /// The end of a run: a table and a few lines, within 80 columns.
    pub fn text(&self) -> String {
        terminal::text(self)
    }
}

/// Where a study comes from, for commands that go on with it.
struct Source {
    /// Its folder.
    folder: String,
    /// The command of its last session.
    command: Vec<String>,
    /// Whether that added seeds until it was settled.
    until: bool,
}

impl Source {
    fn of(folder: &Path, sessions: &[Value]) -> Self {
        let words = sessions.last().and_then(|last| last["command"].as_array());
        let words = words.into_iter().flatten().filter_map(|word| word.as_str());
        let mut command: Vec<String> = words.map(String::from).collect();
        if let Some(program) = command.first_mut() {
            let name = Path::new(program.as_str()).file_name();
            *program = name.map_or("batchscope".into(), |name| name.to_string_lossy().into_owned());
        }
        let until = sessions.last().is_some_and(|last| last["until"].is_object());
        Self { folder: folder.display().to_string(), command, until }
    }

    /// The command, for all runs.
    fn all_runs(&self) -> Vec<String> {
        let mut kept = Vec::new();
        let mut words = self.command.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--only" => words = without_first(words),
                other if other.starts_with("--only=") => {}
                _ => kept.push(word.clone()),
            }
        }
        kept
    }

    /// Whether the same command writes the file, which no other names.
    fn is_quick(&self) -> bool {
        self.command.get(1).is_some_and(|word| word == "quick")
    }

    /// Whether it adds seeds by itself.
    fn is_until(&self) -> bool {
        self.until
            || self.is_quick()
            || self.command.iter().any(|word| word.starts_with("--until-settled"))
    }

    /// The same with so many seeds, or with at most so many where it adds them by itself.
    fn rerun_with(&self, seeds: usize) -> Vec<String> {
        if self.is_quick() {
            return self.command.clone();
        }
        let flag = if self.is_until() { "--max-seeds" } else { "--seeds" };
        let mut kept = Vec::new();
        let mut words = self.command.iter();
        while let Some(word) = words.next() {
            let sets_seeds = |next: &String| next.starts_with("study.seeds=");
            match word.as_str() {
                other if other == flag => words = without_first(words),
                "--set" if words.clone().next().is_some_and(sets_seeds) => {
                    words = without_first(words);
                }
                other if other.starts_with(&format!("{flag}=")) => {}
                _ => kept.push(word.clone()),
            }
        }
        kept.extend([flag.to_owned(), seeds.to_string()]);
        kept
    }
}

/// A study's report, and what it was drawn from.
struct Written {
    report: Report,
    results: Results,
    status: StudyStatus,
    /// `environment.json`
    sessions: Vec<Value>,
}

/// Analyses the records in a study's folder and writes its report; `None` when no run is finished and
/// none diverged.
pub fn write(folder: &Path) -> Result<Option<Report>> {
    Ok(draw(folder)?.map(|written| written.report))
}

fn draw(folder: &Path) -> Result<Option<Written>> {
    let status = StudyStatus::read(folder)?;
    let results = gather::results(folder, &status)?;
    if results.arms.iter().all(|arm| arm.runs.is_empty() && arm.diverged.is_empty()) {
        return match status.damaged().first() {
            None => Ok(None),
            Some(run) => bail!("{}: no run of this study can be reported: {run}", folder.display()),
        };
    }
    let mut rng = stream(0, Purpose::Report, 0);
    let findings = analysis::analyse(&results, &mut rng);
    let report_folder = folder.join("report");
    tidy(&report_folder)?;
    let sessions = session_values(folder)?;
    let report = Report {
        study: status.study.name.clone(),
        answer: answer::answer(&results, &findings, &Source::of(folder, &sessions)),
        cautions: findings
            .verdict
            .cautions
            .iter()
            .map(|of| cautions::sentence(of, &results))
            .collect(),
        gap: words::gap_lines(&findings, results.margin),
        besides: words::besides(&results, &findings),
        rows: rows_left_out(&sessions),
        findings,
        path: report_folder.join("index.html"),
    };
    let tables = write_tables(&report_folder.join("tables"), &results, &report)?;
    let text = markdown::page(&results, &report);
    files::write_text(&report_folder.join("verdict.md"), &text)?;
    let study = figures::Study { results: &results, findings: &report.findings };
    let (figures, _) = figures::draw(&study);
    write_figures(&report_folder.join("figures"), &figures::names(), &figures)?;
    let parts = page::Parts {
        report: &report,
        results: &results,
        figures: &figures,
        tables: &tables,
        study: &status.study,
        sessions: &sessions,
    };
    files::write_text(&report.path, &page::page(&parts)?)?;
    let study = tensorboard::Study {
        name: &report.study,
        results: &results,
        verdict: &text,
        figures: &figures,
        begun: sessions.first().and_then(|first| first["started"].as_f64()).unwrap_or(0.0),
    };
    tensorboard::write(folder, &report_folder, &study)?;
    Ok(Some(Written { report, results, status, sessions }))
}

/// All words but the first.
fn without_first(mut words: std::slice::Iter<'_, String>) -> std::slice::Iter<'_, String> {
    words.next();
    words
}

/// The run that stands for a study.
#[derive(Debug, Clone, PartialEq)]
pub struct RecommendedRun {
    /// The arm to use.
    pub arm: String,
    /// Whether that is settled.
    pub settled: bool,
    /// Its finished runs.
    pub seeds: usize,
    /// The one with the highest validation accuracy; of equals the first.
    pub seed: u64,
    /// That accuracy.
    pub validation: f64,
    /// Damaged runs of the study, which are left out.
    pub damaged: Vec<String>,
}

/// The best run by validation of the arm that a study recommends; `None` where it recommends none.
pub fn recommended_run(folder: &Path) -> Result<Option<RecommendedRun>> {
    let status = StudyStatus::read(folder)?;
    let results = gather::results(folder, &status)?;
    let verdict = analysis::analyse(&results, &mut stream(0, Purpose::Report, 0)).verdict;
    let arm = results.arms.iter().find(|arm| Some(&arm.name) == verdict.recommended.as_ref());
    let best = arm.and_then(|arm| {
        let runs = arm.runs.iter().rev();
        let (seed, run) = runs.max_by(|a, b| a.1.validation.total_cmp(&b.1.validation))?;
        Some(RecommendedRun {
            arm: arm.name.clone(),
            settled: verdict.settled,
            seeds: arm.runs.len(),
            seed: *seed,
            validation: run.validation,
            damaged: status.damaged(),
        })
    });
    Ok(best)
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
fn write_tables(folder: &Path, results: &Results, report: &Report) -> Result<Vec<&'static str>> {
    let findings = &report.findings;
    let all = [
        ("runs.csv", tables::runs(results, findings.target.as_ref().map(|of| &of.target))?),
        ("arms.csv", tables::arms(results, report)?),
        ("comparisons.csv", tables::comparisons(report)?),
        ("decomposition.csv", tables::decomposition(findings)?),
        ("learning_rates.csv", tables::learning_rates(findings)?),
        ("best_learning_rates.csv", tables::best_learning_rates(findings)?),
        ("rate_law.csv", tables::rate_law(findings)?),
        ("trade_off.csv", tables::trade_off(findings)?),
        ("budgets.csv", tables::budgets(findings)?),
        ("factors.csv", tables::factors(findings)?),
        ("pareto.csv", tables::pareto(findings)?),
        ("audit.csv", tables::audit(findings)?),
        ("claims.csv", tables::claims(findings)?),
        ("noise_scale.csv", tables::noise_scale(results)?),
        ("sharpness.csv", tables::sharpness(results)?),
        ("sharpness_arms.csv", tables::sharpness_arms(results)?),
        (
            "sharpness_and_accuracy.csv",
            tables::sharpness_and_accuracy(findings.sharpness.as_ref())?,
        ),
        ("lines.csv", tables::lines(results)?),
    ];
    let mut written = Vec::new();
    for (name, text) in &all {
        let path = folder.join(name);
        if text.is_empty() {
            remove_old(&path)?;
        } else {
            files::write_text(&path, text)?;
            written.push(*name);
        }
    }
    Ok(written)
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
