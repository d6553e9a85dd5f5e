//! `index.html`: one file that needs nothing else, on a wide screen, a phone, paper and in the dark.
//!
//! The first screen holds the answer, its figure and one row a batch size. Warnings follow and are never
//! folded; everything else is. `studies` is the page of several studies.

mod facts;
mod studies;

pub(super) use studies::{StudiesParts, studies_page};

use super::Report;
use super::answer::to_use;
use super::block::{Section, Table, html, sentence};
use super::plot::{Figure, STYLE};
use super::sections::standings;
use super::tables::word;
use crate::analysis::{Findings, Results};
use crate::config::Study;
use crate::format::{count, counted};
use anyhow::Result;
use facts::facts;
use minijinja::{Environment, Value as Context, context};
use serde_json::Value;

const TEMPLATE: &str = include_str!("index.html");
const FIGURES: &str = include_str!("figures.html");
const PAGE_STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("hover.js");

/// What the page is made of.
pub(super) struct Parts<'p> {
    /// The verdict and its numbers.
    pub(super) report: &'p Report,
    /// The plain numbers.
    pub(super) results: &'p Results,
    /// In the order of reading.
    pub(super) sections: &'p [Section],
    /// In the order of reading.
    pub(super) figures: &'p [Figure],
    /// The names of the tables' files.
    pub(super) tables: &'p [&'static str],
    /// What was asked for.
    pub(super) study: &'p Study,
    /// `environment.json`
    pub(super) sessions: &'p [Value],
}

/// The page.
pub(super) fn page(parts: &Parts) -> Result<String> {
    let (report, answer) = (parts.report, &parts.report.answer);
    let first = parts.figures.iter().filter(|figure| figure.name == "answer");
    let drawn = |of: &Figure| {
        context! { panels => of.inline(), legend => of.inline_legend(), caption => &of.caption }
    };
    let standings = standings(&report.findings);
    let warnings: Vec<String> = report.warnings().map(sentence).collect();
    let read: Vec<String> = report.rows.iter().map(|said| sentence(said)).collect();
    let context = context! {
        study => &report.study,
        kicker => kicker(parts),
        headline => &answer.headline,
        label => &answer.label,
        certainty => word(answer.certainty),
        reason => sentence(&answer.reason),
        caveat => answer.caveat.as_ref().map(|caveat| sentence(caveat)),
        next => answer.next.as_ref().map(|next| context! {
            command => &next.command,
            what => sentence(&next.what),
        }),
        warnings => warnings,
        read => read,
        first => first.map(drawn).collect::<Vec<_>>(),
        header => standings.titles(),
        rows => rows(&report.findings, &standings),
        sections => folded(parts)?,
        tables => parts.tables.to_vec(),
        facts => facts(parts.study, parts.sessions),
        figure_style => STYLE,
        style => PAGE_STYLE,
        script => SCRIPT,
    };
    Ok(Environment::new().render_named_str("index.html", TEMPLATE, context)?)
}

/// `LSTM(64), 6,395 training examples, 5 seeds per batch size`
fn kicker(parts: &Parts) -> String {
    let layers = parts.study.arms.first().map(|arm| arm.model.title());
    let rows = parts.results.examples.train;
    let rows = rows.map(|rows| format!("{} training examples", count(rows as u64)));
    let comparison = &parts.report.findings.comparison;
    let seeds = comparison.seeds.len();
    let fewer = comparison.arms.iter().any(|arm| arm.finished < seeds);
    let up_to = if fewer { "up to " } else { "" };
    let seeds = (seeds > 0).then(|| format!("{up_to}{} per batch size", counted(seeds, "seed")));
    let all = [layers, rows, seeds];
    all.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// One row an arm, the one to use marked.
fn rows(findings: &Findings, standings: &Table) -> Vec<Context> {
    let to_use = to_use(findings);
    let row = |(place, cells): (usize, Vec<String>)| {
        let picked = to_use == Some(place);
        context! { picked, decided => picked && findings.verdict.settled, cells }
    };
    standings.texts().into_iter().enumerate().map(row).collect()
}

/// What is folded: the sections with their figures.
fn folded(parts: &Parts) -> Result<Vec<Context>> {
    let mut folded = Vec::new();
    for section in parts.sections {
        let own = parts.figures.iter().filter(|figure| section.figures.contains(&figure.name));
        let (drawn, text) = (figures_html(own)?, html(&section.blocks));
        if !(drawn.is_empty() && text.is_empty()) {
            folded.push(context! { title => &section.title, drawn, text });
        }
    }
    Ok(folded)
}

/// The figures with their captions.
fn figures_html<'f>(figures: impl Iterator<Item = &'f Figure>) -> Result<String> {
    let figure = |figure: &Figure| {
        context! {
            name => figure.name,
            title => &figure.title,
            caption => sentence(&figure.caption),
            panels => figure.inline(),
            alone => figure.panels.len() == 1,
            legend => figure.inline_legend(),
        }
    };
    let figures: Vec<_> = figures.map(figure).collect();
    Ok(Environment::new().render_named_str("figures.html", FIGURES, context! { figures })?)
}
