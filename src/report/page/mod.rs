//! `index.html`: one file that needs nothing else, on a wide screen, a phone, paper and in the dark.
//!
//! The first screen holds the answer, its figure and one row a batch size. Warnings follow and are never
//! folded; everything else is. `studies` is the page of several studies.

mod facts;
mod studies;

pub(super) use studies::{Row, StudiesParts, studies_page};

use super::Report;
use super::answer::Certainty;
use super::markdown::{STANDINGS, sections, standings_row};
use super::plot::{Figure, STYLE};
use crate::analysis::{ArmFinding, Findings, Results};
use crate::config::Study;
use crate::format::{count, counted};
use anyhow::Result;
use facts::facts;
use minijinja::{Environment, Value as Context, context};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};
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
    let mut templates = Environment::new();
    templates.add_template("index.html", TEMPLATE)?;
    let (report, answer) = (parts.report, &parts.report.answer);
    let (first, others): (Vec<&Figure>, Vec<&Figure>) =
        parts.figures.iter().partition(|figure| figure.name == "answer");
    let warnings: Vec<String> = report.warnings().map(line_of).collect();
    let read: Vec<String> = report.rows.iter().map(|said| line_of(said)).collect();
    let page = templates.get_template("index.html")?.render(context! {
        study => &report.study,
        kicker => kicker(parts),
        headline => &answer.headline,
        label => &answer.label,
        certainty => certainty(answer.certainty),
        reason => line_of(&answer.reason),
        caveat => answer.caveat.as_ref().map(|caveat| line_of(caveat)),
        next => answer.next.as_ref().map(|next| context! {
            command => &next.command,
            what => line_of(&next.what),
        }),
        warnings => warnings,
        read => read,
        first => first.iter().map(|figure| first_figure(figure)).collect::<Vec<_>>(),
        header => STANDINGS.to_vec(),
        rows => rows(&report.findings),
        sections => folded(parts, &others)?,
        tables => parts.tables.to_vec(),
        facts => facts(parts.study, parts.sessions),
        figure_style => STYLE,
        style => PAGE_STYLE,
        script => SCRIPT,
    })?;
    Ok(page)
}

/// `LSTM(64), 6,395 training examples, 5 seeds per batch size`
fn kicker(parts: &Parts) -> String {
    let units = parts.study.arms.first().map_or(0, |arm| arm.model.lstm.units);
    let rows = parts.results.examples.train;
    let rows = rows.map(|rows| format!("{} training examples", count(rows as u64)));
    let comparison = &parts.report.findings.comparison;
    let seeds = comparison.seeds.len();
    let fewer = comparison.arms.iter().any(|arm| arm.finished < seeds);
    let up_to = if fewer { "up to " } else { "" };
    let seeds = (seeds > 0).then(|| format!("{up_to}{} per batch size", counted(seeds, "seed")));
    let all = [Some(format!("LSTM({units})")), rows, seeds];
    all.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// The class of the label's colour.
fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Decided => "decided",
        Certainty::Tentative => "tentative",
        Certainty::None => "none",
    }
}

fn first_figure(figure: &Figure) -> Context {
    context! { panels => figure.inline(), legend => figure.inline_legend() }
}

/// One row an arm, the recommended one marked.
fn rows(findings: &Findings) -> Vec<Context> {
    let comparison = &findings.comparison;
    let row = |arm: &ArmFinding| {
        let picked = findings.verdict.recommended.as_ref() == Some(&arm.name);
        let decided = picked && findings.verdict.settled;
        context! { picked, decided, cells => standings_row(comparison, arm).to_vec() }
    };
    comparison.arms.iter().map(row).collect()
}

/// Figures that belong to a section, by its title; the others stand in a section of their own.
const FIGURES_OF: [(&str, &[&str]); 9] = [
    ("Accuracy and cost", &["accuracy", "cost"]),
    ("Learning curves", &["curves"]),
    ("Steps to the target", &["target"]),
    ("The gap in numbers", &["gap"]),
    ("Learning rate by batch size", &["rates", "rate-law"]),
    ("Accuracy against cost (Pareto front)", &["pareto"]),
    ("Generalization gap", &["generalisation"]),
    ("Gradient noise", &["noise"]),
    ("Sharpness of the minima", &["sharpness"]),
];

/// What is folded: the sections of `verdict.md` with their figures.
fn folded(parts: &Parts, figures: &[&Figure]) -> Result<Vec<Context>> {
    let of = |title: &str| -> Result<String> {
        let names = FIGURES_OF.iter().find(|(of, _)| *of == title).map_or(&[][..], |(_, of)| of);
        let own = figures.iter().filter(|figure| names.contains(&figure.name));
        figures_html(own.copied())
    };
    let mut folded = Vec::new();
    let mut titles = Vec::new();
    for (title, text) in sections(parts.results, parts.report) {
        titles.push(title);
        let (drawn, text) = (of(title)?, text.unwrap_or_default());
        if !(drawn.is_empty() && text.is_empty()) {
            folded.push(context! { title, drawn, text => html_of(&text) });
        }
    }
    for (title, _) in FIGURES_OF.iter().filter(|(title, _)| !titles.contains(title)) {
        let drawn = of(title)?;
        if !drawn.is_empty() {
            let text = String::new();
            folded.push(context! { title => *title, drawn, text });
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
            caption => line_of(&figure.caption),
            panels => figure.inline(),
            alone => figure.panels.len() == 1,
            legend => figure.inline_legend(),
        }
    };
    let mut templates = Environment::new();
    templates.add_template("figures.html", FIGURES)?;
    let figures: Vec<_> = figures.map(figure).collect();
    Ok(templates.get_template("figures.html")?.render(context! { figures })?)
}

/// Markdown as HTML. What looks like HTML in it is text (names are the user's), and there are no
/// links or pictures, which might load something.
fn html_of(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES);
    let harmless = events.filter_map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock)
        | Event::End(TagEnd::Link | TagEnd::Image | TagEnd::HtmlBlock) => None,
        other => Some(other),
    });
    // A wide table scrolls by itself, not the page.
    let wrapped = harmless.flat_map(|event| match event {
        Event::Start(Tag::Table(_)) => {
            vec![Event::Html("<div class=\"scroll\" tabindex=\"0\">".into()), event]
        }
        Event::End(TagEnd::Table) => vec![event, Event::Html("</div>".into())],
        event => vec![event],
    });
    let mut page = String::new();
    html::push_html(&mut page, wrapped);
    // Numbers stay with their signs.
    page.replace(" %", "&nbsp;%")
        .replace("% interval", "%&nbsp;interval")
        .replace("n = ", "n&nbsp;=&nbsp;")
}

/// One paragraph, without its tags.
fn line_of(markdown: &str) -> String {
    let html = html_of(markdown);
    let inner = html.trim().strip_prefix("<p>").and_then(|html| html.strip_suffix("</p>"));
    inner.map_or(html.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_and_links_in_names_are_text() {
        let html =
            html_of("## a\n\n| arm |\n| --- |\n| <script>x</script> |\n\n[y](javascript:z)\n");
        assert!(html.contains("&lt;script&gt;x") && !html.contains("<script"), "{html}");
        assert!(html.contains('y') && !html.contains("javascript"), "{html}");
        assert!(html.contains("<div class=\"scroll\" tabindex=\"0\"><table>"), "{html}");
    }
}
