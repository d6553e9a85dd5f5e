//! Tables for a terminal.

use super::Table;

/// Aligned columns, a mark before the rows that have one: the first and the last column are words and stand
/// on the left, numbers on the right.
pub(in crate::report) fn aligned(table: &Table, is_marked: impl Fn(usize) -> bool) -> String {
    let all: Vec<Vec<String>> = [table.titles()].into_iter().chain(table.texts()).collect();
    let letters = |text: &String| text.chars().count();
    let width = |at: usize| all.iter().map(|row| letters(&row[at])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..all[0].len()).map(width).collect();
    let line = |(place, cells): (usize, &Vec<String>)| {
        let mark = if place > 0 && is_marked(place - 1) { ">" } else { "" };
        let mut text = format!("{mark:<2}");
        for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            text += &match at == 0 || at + 1 == cells.len() {
                true => format!("{cell:<width$}  "),
                false => format!("{cell:>width$}  "),
            };
        }
        text.trim_end().to_owned()
    };
    all.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}
