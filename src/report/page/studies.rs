//! The page of several studies: whether they agree, one row a study, one figure, what can be compared.

use super::{PAGE_STYLE, SCRIPT, STYLE, figures_html};
use crate::report::block::Table;
use crate::report::plot::Figure;
use anyhow::Result;
use minijinja::{Environment, context};

const TEMPLATE: &str = include_str!("studies.html");

/// What the page is made of.
pub(in crate::report) struct StudiesParts<'p> {
    /// The agreement in a few words.
    pub(in crate::report) headline: &'p str,
    /// What the columns of batch sizes hold.
    pub(in crate::report) about: &'p str,
    /// The agreement in sentences.
    pub(in crate::report) said: &'p [String],
    /// The studies.
    pub(in crate::report) table: &'p Table,
    /// The addresses of their own reports: letters, digits and signs that HTML leaves alone.
    pub(in crate::report) links: &'p [String],
    /// Studies without finished runs.
    pub(in crate::report) left_out: &'p [String],
    /// In the order of reading.
    pub(in crate::report) figures: &'p [Figure],
    /// What can be compared, and what not.
    pub(in crate::report) notes: &'p [String],
    /// Whether the files differ in settings, which then are in a table.
    pub(in crate::report) has_settings: bool,
}

/// The page.
pub(in crate::report) fn studies_page(parts: &StudiesParts) -> Result<String> {
    let lines = parts.table.texts();
    let row = |(cells, link): (&Vec<String>, &String)| {
        context! { name => &cells[0], link, cells => cells[1..].to_vec() }
    };
    let context = context! {
        count => lines.len(),
        headline => parts.headline,
        about => parts.about,
        said => parts.said.to_vec(),
        header => parts.table.titles(),
        rows => lines.iter().zip(parts.links).map(row).collect::<Vec<_>>(),
        left_out => parts.left_out.to_vec(),
        figures => figures_html(parts.figures.iter())?,
        notes => parts.notes.to_vec(),
        has_settings => parts.has_settings,
        figure_style => STYLE,
        style => PAGE_STYLE,
        script => SCRIPT,
    };
    Ok(Environment::new().render_named_str("studies.html", TEMPLATE, context)?)
}
