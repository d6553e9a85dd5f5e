//! The end of `run` and `report`: a table of the arms and a few lines, within 80 columns.

use super::answer::{Answer, cut, from_best, short, standing, to_use};
use super::block::{Cell, Table, aligned};
use super::tables::mean_score;
use super::words::Scale;
use super::{Report, words};
use crate::analysis::Findings;
use crate::format::{duration, in_line};
use crate::stats::Summary;

/// Columns that a terminal has at least.
const WIDTH: usize = 80;
/// Letters of an arm's name that are shown, from many to few.
const NAMES: [usize; 4] = [24, 16, 12, 8];

/// What a study found.
pub(super) fn text(report: &Report) -> String {
    let comparison = &report.findings.comparison;
    let answer = &report.answer;
    let mut parts = Vec::new();
    if comparison.arms.iter().any(|arm| arm.finished > 0) {
        parts.push(table(&report.findings));
    }
    parts.push(lines(report, answer));
    parts.push(places(report, answer));
    parts.join("\n\n")
}

fn lines(report: &Report, answer: &Answer) -> String {
    let label = match answer.label.as_str() {
        "undecided" | "too early" | "too few seeds" | "no answer" | "one arm alone" => {
            String::new()
        }
        label => format!(" ({label})"),
    };
    let mut lines = vec![format!("{}{label}.", answer.headline), answer.reason.clone()];
    let warnings: Vec<String> =
        report.warnings().take(2).map(|warning| format!("Warning: {warning}")).collect();
    // What is worse comes first, and the page has both.
    let caveat = answer.caveat.iter().filter(|_| warnings.is_empty());
    lines.extend(caveat.map(|caveat| format!("Caveat: {caveat}")));
    lines.extend(warnings);
    wrapped(&lines.join("\n"), "")
}

fn places(report: &Report, answer: &Answer) -> String {
    let mut lines = vec![format!("report  {}", report.path.display())];
    if let Some(next) = &answer.next {
        match &next.command {
            Some(command) => {
                lines.push(format!("next    {command}"));
                lines.push(wrapped(&next.what, "        "));
            }
            None => lines.push(format!("next    {}", wrapped(&next.what, "        ").trim_start())),
        }
    }
    lines.join("\n")
}

/// Lines of at most [`WIDTH`] letters, with this before each.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let used = indent.len() + line.chars().count() + 1 + word.chars().count();
            if !line.is_empty() && used > WIDTH {
                lines.push(format!("{indent}{line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(format!("{indent}{line}"));
    }
    lines.join("\n")
}

/// One row an arm, the recommended one marked. Where it is too wide, names are cut.
fn table(findings: &Findings) -> String {
    let fits = |text: &String| text.lines().all(|line| line.chars().count() <= WIDTH);
    let to_use = to_use(findings);
    let is_marked = |row: usize| to_use == Some(row);
    let drawn = NAMES.map(|letters| aligned(&standings(findings, letters), is_marked));
    let [.., last] = &drawn;
    drawn.iter().find(|text| fits(text)).unwrap_or(last).clone()
}

fn standings(findings: &Findings, letters: usize) -> Table {
    let comparison = &findings.comparison;
    let scale = Scale::from(comparison);
    if let Some(target) = findings.to_target() {
        return Table::of(&comparison.arms)
            .shown("batch", |arm| cut(&in_line(&short(arm)), letters))
            .shown("reached", |arm| words::reached(target.of(arm)))
            .shown("steps", |arm| Cell::mean(target.of(arm).steps, words::whole))
            .shown("time", |arm| Cell::mean(target.of(arm).seconds, duration))
            .optional("test", |arm| mean_score(scale, arm.test))
            .shown("result", |arm| words::to_target(findings, target, arm))
            .table;
    }
    Table::of(&comparison.arms)
        .shown("batch", |arm| cut(&in_line(&short(arm)), letters))
        .shown(&scale.on("val."), |arm| arm.validation.map(|of| with_spread(scale, of.summary)))
        .shown("vs best", |arm| from_best(comparison, arm, 1))
        .optional("test", |arm| mean_score(scale, arm.test))
        .shown("time/run", |arm| Cell::mean(arm.seconds, duration))
        .shown("result", |arm| standing(comparison, arm))
        .table
}

fn with_spread(scale: Scale, score: Summary) -> String {
    match score.sd {
        Some(sd) => scale.spread(score.mean, sd),
        None => scale.value(score.mean),
    }
}

impl Report {
    /// What is never folded: leaks first, then failed runs and the rest.
    pub(super) fn warnings(&self) -> impl Iterator<Item = &str> {
        let cautions = self.findings.verdict.cautions.iter().zip(&self.cautions);
        let kept = cautions.filter(|(caution, _)| words::is_never_folded(caution));
        kept.map(|(_, said)| said.as_str())
    }
}
