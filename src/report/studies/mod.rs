//! Several studies beside each other: `comparison/index.html`, its figures and its tables.
//!
//! Each study is analysed by itself; what is new here is whether they agree on a batch size
//! (`analysis::agreement`), and what about them can be compared at all.
//!
//! ```text
//! paths       folders that were named -> the studies in them, each once; links to their reports
//! row         one row a study
//! comparable  what can be compared, and the settings in which the files differ
//! behind      how far each batch size stays behind the best of its study
//! figures     that, with intervals
//! ```

mod behind;
mod comparable;
mod figures;
mod paths;
mod row;

use super::page::{StudiesParts, studies_page};
use super::{Report, Written, draw, tidy, words, write_figures, write_or_refuse, write_table};
use crate::analysis::{Agreed, Agreement, Silence, Sizes, Voice, agree, sizes};
use crate::error::UserError;
use crate::files;
use anyhow::{Context, Result};
use row::Line;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// The reports of the studies that were asked for.
#[derive(Debug, Serialize)]
pub struct Reports {
    /// One a study.
    pub reports: Vec<Report>,
    /// Beside each other; `None` for one study.
    pub comparison: Option<Together>,
    /// What was left out, and why.
    #[serde(skip)]
    pub warnings: Vec<String>,
    /// Runs that were left out because a file of them is damaged or missing, and how to repeat them.
    pub damaged: Vec<String>,
    /// Why a report could not be written; what it says is here all the same.
    #[serde(skip)]
    pub unwritten: Option<anyhow::Error>,
}

/// What several studies say together.
#[derive(Debug, Serialize)]
pub struct Together {
    /// Whether they agree.
    #[serde(flatten)]
    pub agreed: Agreed,
    /// In sentences, the answer first.
    pub said: Vec<String>,
    /// What can be compared, and what not.
    pub notes: Vec<String>,
    /// The page that was written.
    pub path: PathBuf,
}

/// A study with what the page about all of them needs.
struct Member<'w> {
    /// Its name, made different from the others' where need be.
    name: String,
    written: &'w Written,
    says: Result<Sizes, Silence>,
}

/// Writes the report of each study, and for several the page that compares them.
///
/// # Errors
/// Where a folder cannot be read, none has a finished run, or the page of several cannot be written. A
/// report of one study that cannot be written is in [`Reports::unwritten`].
pub fn write_all(folders: &[PathBuf], out: Option<&Path>) -> Result<Reports> {
    let (studies, mut warnings) = paths::named(folders);
    let [first, others @ ..] = &studies[..] else { return refuse_nothing() };
    if others.is_empty() {
        if out.is_some() {
            return Err(UserError::new(
                format!(
                    "`--out` is where several studies are compared, and {} is one",
                    first.display()
                ),
                "leave `--out` out: the report of a study is written into its own folder",
            )
            .into());
        }
        let Written { report, status, unwritten, .. } = write_or_refuse(first)?;
        let damaged = status.damaged();
        warnings.extend(status.notes);
        let reports = vec![report];
        return Ok(Reports { reports, comparison: None, warnings, damaged, unwritten });
    }
    let place = paths::out(out, first)?;
    let (mut all, mut left_out, mut damaged) = (Vec::new(), Vec::new(), Vec::new());
    let mut unwritten = None;
    for folder in &studies {
        match draw(folder)? {
            Some(mut written) => {
                unwritten = unwritten.or(written.unwritten.take());
                let name = folder.display();
                let of_study = |said: &String| format!("{name}: {said}");
                warnings.extend(written.status.notes.iter().map(of_study));
                damaged.extend(written.status.damaged().iter().map(of_study));
                all.push(written);
            }
            None => left_out.push(format!(
                "{}: no run of this study is finished yet, so it is left out",
                folder.display()
            )),
        }
    }
    if all.is_empty() {
        return refuse_nothing();
    }
    warnings.extend(left_out.iter().cloned());
    let comparison = match all.len() {
        1 => {
            warnings.push(
                "one study alone has finished runs: there is nothing to compare it with".into(),
            );
            None
        }
        _ => Some(together(&all, &left_out, &place)?),
    };
    let reports = all.into_iter().map(|written| written.report).collect();
    Ok(Reports { reports, comparison, warnings, damaged, unwritten })
}

fn refuse_nothing<T>() -> Result<T> {
    Err(UserError::new(
        "no run of these studies is finished yet",
        "`batchscope status` says how they stand, and the same `batchscope run` goes on with them",
    )
    .into())
}

/// Writes the page in this folder.
fn together(all: &[Written], left_out: &[String], folder: &Path) -> Result<Together> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    tidy(folder)?;
    let members = members(all);
    let voice = |member: &Member| Voice { name: member.name.clone(), says: member.says.clone() };
    let agreed = agree(&members.iter().map(voice).collect::<Vec<_>>());
    let scale = words::Scale::from(&members[0].written.results);
    let unreliable: Vec<(&str, &str)> =
        members.iter().filter_map(|of| Some((&*of.name, row::unreliable(of)?))).collect();
    let said = words::agreement(&agreed, &unreliable, scale);
    let notes = comparable::notes(&members);
    let all: Vec<_> = members.iter().map(behind::behind).collect();
    let links = members.iter().map(|member| paths::link(folder, &member.written.report.path));
    let links = links.collect::<Result<Vec<String>>>()?;
    let lines = members.iter().zip(&all).zip(&links);
    let lines: Vec<Line> =
        lines.map(|((member, behind), link)| Line { member, behind, link }).collect();
    let figures = figures::draw(&members, &all);
    write_figures(&folder.join("figures"), &figures::NAMES, &figures)?;
    let place = folder.join("tables");
    write_table(&place.join("studies.csv"), &row::studies_csv(&lines))?;
    write_table(&place.join("differences.csv"), &row::differences_csv(&members))?;
    let settings = comparable::settings(&members)?;
    let page = studies_page(&StudiesParts {
        headline: &headline(&agreed, unreliable.len(), scale),
        about: &about(scale),
        said: &said,
        table: &row::table(&lines),
        links: &links,
        left_out,
        figures: &figures,
        notes: &notes,
        has_settings: write_table(&place.join("settings.csv"), &settings)?,
    })?;
    let path = folder.join("index.html");
    files::write_text(&path, &page)?;
    Ok(Together { agreed, said, notes, path })
}

/// Studies of the same name are told apart by their folders.
fn members(all: &[Written]) -> Vec<Member<'_>> {
    let name = |written: &Written| {
        let name = &written.report.study;
        let namesakes = all.iter().filter(|other| other.report.study == *name).count();
        match (namesakes, written.report.path.ancestors().nth(2)) {
            (2.., Some(folder)) => format!("{name} ({})", folder.display()),
            _ => name.clone(),
        }
    };
    let says = |written: &Written| match written.results.score == all[0].results.score {
        true => sizes(&written.report.findings),
        false => Err(Silence::OtherScore),
    };
    let member = |written| Member { name: name(written), written, says: says(written) };
    all.iter().map(member).collect()
}

/// What the columns of batch sizes hold.
fn about(scale: words::Scale) -> String {
    format!(
        "Columns of batch sizes: {} minus the best of the study{}, with the bounds that decide.",
        scale.on("validation"),
        scale.in_points()
    )
}

/// `unreliable` studies are not to be relied on, whatever they say.
fn headline(agreed: &Agreed, unreliable: usize, scale: words::Scale) -> String {
    match agreed.agreement {
        Agreement::Agree if unreliable > 0 => {
            format!("Yes, but not reliably: {}", words::sizes(&agreed.batch_sizes))
        }
        Agreement::Agree => format!("Yes: {}", words::sizes(&agreed.batch_sizes)),
        Agreement::Disagree => "No".into(),
        Agreement::Differ => format!("Not on the {}", scale.best()),
        Agreement::Open => "Not settled".into(),
        Agreement::TooLittleInCommon => "Too little in common".into(),
        Agreement::NothingInCommon => "No batch size in common".into(),
        Agreement::TooFew => "Nothing to agree on yet".into(),
    }
}
