//! `index.html`: one file that needs nothing else, on a wide screen, a phone, paper and in the dark.
//!
//! The answer comes first, then what was found, the figures, and the rest of `verdict.md`: its
//! Markdown is turned into HTML here, so that both say the same. `studies` is the page of several studies.

mod facts;
mod studies;

pub(super) use studies::{Row, StudiesParts, studies_page};

use super::plot::{Figure, STYLE};
use super::{Report, sections, words};
use crate::analysis::{ArmFinding, Findings, Outcome, percent};
use crate::config::Study;
use crate::format::{bytes, count, counted, duration};
use anyhow::Result;
use facts::facts;
use minijinja::{Environment, context};
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
    /// `verdict.md`
    pub(super) text: &'p str,
    /// In the order of reading.
    pub(super) figures: &'p [Figure],
    /// What figures that are left out would need.
    pub(super) missing: &'p [&'static str],
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
    let verdict = &parts.report.findings.verdict;
    let found: Vec<(&str, Vec<String>)> = sections::found(verdict)
        .map(|(title, lines)| (title, lines.iter().map(|line| line_of(line)).collect()))
        .collect();
    let page = templates.get_template("index.html")?.render(context! {
        study => &parts.report.study,
        headline => headline(&parts.report.findings),
        advice => line_of(&verdict.advice),
        about => verdict.about.as_ref().map(|about| line_of(about)),
        tiles => tiles(&parts.report.findings),
        found => found,
        tables => parts.tables.to_vec(),
        figures => figures_html(parts.figures)?,
        missing => parts.missing.to_vec(),
        rest => html_of(rest(parts.text)),
        facts => facts(parts.study, parts.sessions),
        figure_style => STYLE,
        style => PAGE_STYLE,
        script => SCRIPT,
    })?;
    Ok(page)
}

/// The figures with their captions.
fn figures_html(figures: &[Figure]) -> Result<String> {
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
    let figures: Vec<_> = figures.iter().map(figure).collect();
    Ok(templates.get_template("figures.html")?.render(context! { figures })?)
}

/// The answer in a few words, and whether it is settled.
pub(super) fn headline(findings: &Findings) -> (String, String) {
    let verdict = &findings.verdict;
    if verdict.outcome == Outcome::TooFewSeeds {
        let least = "fewer than three seeds are finished in all arms".into();
        return ("No comparison yet".into(), least);
    }
    let Some(arm) = recommended(findings) else {
        return ("No answer yet".into(), "nothing to compare".into());
    };
    let size = format!("Batch size {}", count(arm.batch_size as u64));
    let settled = match verdict.outcome {
        Outcome::NothingToCompare => "nothing to compare".into(),
        Outcome::OneArm => "one arm alone: nothing to compare it with".into(),
        Outcome::TooFewSeeds => "too few seeds".into(),
        Outcome::NoMaterialDifference => {
            "settled: the batch sizes do not differ by more than the margin".into()
        }
        Outcome::Settled => "settled".into(),
        Outcome::NotSettled => match verdict.more_seeds {
            Some(seeds) => format!("not settled: about {} would tell", counted(seeds, "more seed")),
            None => "not settled".into(),
        },
        Outcome::ToTarget => {
            format!("reaches the target and {}", words::objective(verdict.objective))
        }
    };
    (size, settled)
}

pub(super) fn recommended(findings: &Findings) -> Option<&ArmFinding> {
    let name = findings.verdict.recommended.as_ref()?;
    findings.comparison.arms.iter().find(|arm| arm.name == *name)
}

/// What the recommended arm is and costs: names and values.
fn tiles(findings: &Findings) -> Vec<(&'static str, String)> {
    let Some(arm) = recommended(findings) else { return Vec::new() };
    let mean = |estimate: crate::analysis::Estimate| percent(estimate.summary.mean);
    let accuracy = match (arm.test, arm.validation) {
        (Some(test), _) => Some(("test accuracy", mean(test))),
        (None, validation) => validation.map(|of| ("validation accuracy", mean(of))),
    };
    let rest = [
        Some(("learning rate", arm.learning_rate.to_string())),
        arm.seconds.map(|seconds| ("time of a run", duration(seconds.mean))),
        arm.steps.map(|steps| ("updates", count(steps.mean.round() as u64))),
        Some(("peak memory", bytes(arm.peak_memory))),
    ];
    [accuracy].into_iter().chain(rest).flatten().collect()
}

/// What follows the answer in `verdict.md`: everything from its first section on.
fn rest(text: &str) -> &str {
    text.find("\n## ").map_or("", |at| &text[at..])
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
