//! Blocks as Markdown.

use super::{Block, Table};

/// Blocks with an empty line between them.
pub(in crate::report) fn markdown(blocks: &[Block]) -> String {
    blocks.iter().map(block).collect::<Vec<_>>().join("\n\n")
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(title) => format!("### {title}"),
        Block::Paragraph(text) => text.clone(),
        Block::Bullets(lines) => {
            lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
        }
        Block::Table(of) => table(of),
    }
}

fn table(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let titles = table.titles();
    let rule = vec!["---".to_owned(); titles.len()];
    let lines = [titles, rule].into_iter().chain(table.texts());
    lines.map(line).collect::<Vec<_>>().join("\n")
}
