//! `verdict.md`: the answer, the numbers behind it, and how they were come by.

use super::Report;
use super::answer::Next;
use super::block::{Block, Section, markdown};
use super::sections::standings;

/// The answer, and the sections that say something.
pub(super) fn page(report: &Report, sections: &[Section]) -> String {
    let answer = &report.answer;
    let mut parts = vec![
        format!("# {}: {}", report.study, answer.headline),
        format!("**{}.** {}", sentence_case(&answer.label), answer.reason),
    ];
    parts.extend(answer.caveat.iter().map(|caveat| format!("Caveat: {caveat}")));
    parts.extend(answer.next.as_ref().map(next));
    let read = report.rows.iter().map(|said| format!("Data: {said}"));
    let warnings: Vec<String> = report.warnings().map(String::from).chain(read).collect();
    parts.extend((!warnings.is_empty()).then(|| markdown(&[Block::Bullets(warnings)])));
    parts.push("## Batch sizes".into());
    parts.push(markdown(&[Block::Table(standings(&report.findings))]));
    for section in sections.iter().filter(|section| !section.blocks.is_empty()) {
        parts.push(format!("## {}", section.title));
        parts.push(markdown(&section.blocks));
    }
    parts.join("\n\n") + "\n"
}

fn next(next: &Next) -> String {
    match &next.command {
        Some(command) => format!("Next: `{command}` {}.", next.what),
        None => format!("Next: {}", next.what),
    }
}

fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
