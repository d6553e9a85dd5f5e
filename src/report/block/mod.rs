//! What a report consists of, before it is Markdown, HTML, CSV or the text of a terminal: each thing is
//! said once, and the renderers say it in their own ways.
//!
//! ```text
//! cell      one value, typed: how it is read, and its numbers
//! table     cells by columns
//! markdown  for verdict.md
//! html      for the page
//! csv       for tables/*.csv
//! terminal  tables of aligned columns
//! ```

mod cell;
mod csv;
mod html;
mod markdown;
mod table;
mod terminal;

pub(super) use cell::Cell;
pub(super) use csv::csv;
pub(super) use html::{html, sentence};
pub(super) use markdown::markdown;
pub(super) use table::{Rows, Table};
pub(super) use terminal::aligned;

/// Sentences may hold *emphasis*, **strong** and `code`; nothing else in them is markup.
pub(super) enum Block {
    /// Below the title of a section.
    Heading(&'static str),
    /// Sentences.
    Paragraph(String),
    /// Sentences, one a line.
    Bullets(Vec<String>),
    /// Its columns with a title.
    Table(Table),
}

impl Block {
    /// A paragraph.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Paragraph(text.into())
    }
}

/// A part of the report with a title of its own.
pub(super) struct Section {
    /// Above it.
    pub(super) title: String,
    /// The names of the figures that belong to it.
    pub(super) figures: &'static [&'static str],
    /// None where the study has no data for it.
    pub(super) blocks: Vec<Block>,
}
