//! Values that columns are compared with: `positive` and those of `where`.
//!
//! They are compared as text, without blanks around them. YAML reads `2.50` as the number 2.5; the
//! text as written counts where the column holds it. Where it does not, the column may hold what
//! YAML made of it: `True` in the file is `true` in JSON Lines.

use super::{each_row, known};
use crate::config::{TableFormat, TableSection, as_yaml_reads};
use crate::data::source::SourceFile;
use crate::data::spelling::{are_one, difference, key};
use crate::error::UserError;
use anyhow::Result;
use std::collections::BTreeSet;

/// The section with the values that its columns hold, of those that it may mean.
pub(in crate::data) fn settle(
    section: &TableSection,
    files: &[SourceFile],
) -> Result<TableSection> {
    let mut settled = section.clone();
    if let Some(value) = &mut settled.positive {
        settle_one(section, files, &section.label, value)?;
    }
    for (column, value) in &mut settled.filter {
        settle_one(section, files, column, value)?;
    }
    Ok(settled)
}

fn settle_one(
    section: &TableSection,
    files: &[SourceFile],
    column: &str,
    value: &mut String,
) -> Result<()> {
    let Some(read) = as_yaml_reads(value).filter(|read| *read != value.trim()) else {
        return Ok(());
    };
    let (mut as_written, mut as_read) = (false, false);
    for file in files {
        let format = known(section.format.or_else(|| TableFormat::of(&file.path)), file)?;
        each_row(section, file, format, &[column], &mut |_, cells| {
            let cell = cells[0].map(str::trim);
            as_written = as_written || cell == Some(value.trim());
            as_read = as_read || cell == Some(&*read);
            Ok(())
        })?;
    }
    if as_read && !as_written {
        *value = read;
    }
    Ok(())
}

/// Whether `where` keeps a row of a file that it would not keep if blanks around a cell counted.
pub(in crate::data) fn keeps_cells_with_blanks(
    section: &TableSection,
    file: &SourceFile,
) -> Result<bool> {
    if section.filter.is_empty() {
        return Ok(false);
    }
    let format = known(section.format.or_else(|| TableFormat::of(&file.path)), file)?;
    let columns: Vec<&str> = section.filter.keys().map(String::as_str).collect();
    let wanted: Vec<&str> = section.filter.values().map(String::as_str).collect();
    let mut found = false;
    each_row(section, file, format, &columns, &mut |_, cells| {
        let is_kept = |blank: fn(&str) -> &str| {
            let pairs = cells.iter().zip(&wanted);
            pairs.into_iter().all(|(cell, value)| cell.map(blank) == Some(blank(value)))
        };
        found = found || (is_kept(str::trim) && !is_kept(|cell| cell));
        Ok(())
    })?;
    Ok(found)
}

/// The first cell whose spelling alone leaves a row out, where each cell is a spelling of what is wanted there.
/// `keys`: those of the wanted values.
pub(super) fn is_left_out_for_spelling(
    cells: &[Option<&str>],
    wanted: &[&str],
    keys: &[String],
) -> Option<usize> {
    let cells = || cells.iter().map(|cell| cell.unwrap_or_default().trim());
    let is_spelling =
        |((cell, value), wanted): ((&str, &&str), &String)| cell == *value || key(cell) == *wanted;
    let are_spellings = cells().zip(wanted).zip(keys).all(is_spelling);
    are_spellings.then(|| cells().zip(wanted).position(|(cell, value)| cell != *value))?
}

/// Says why `where` left no row of a file: what each of its columns holds instead.
pub(super) fn none_left(
    section: &TableSection,
    file: &SourceFile,
    format: TableFormat,
) -> Result<UserError> {
    const SHOWN: usize = 5;
    let columns: Vec<&str> = section.filter.keys().map(String::as_str).collect();
    let mut held: Vec<BTreeSet<String>> = vec![BTreeSet::new(); columns.len()];
    let mut alike: Vec<Option<String>> = vec![None; columns.len()];
    let mut found = vec![false; columns.len()];
    each_row(section, file, format, &columns, &mut |_, cells| {
        for (at, (cell, value)) in cells.iter().zip(section.filter.values()).enumerate() {
            let cell = cell.unwrap_or_default().trim();
            found[at] = found[at] || cell == value.trim();
            if held[at].len() <= SHOWN && !held[at].contains(cell) {
                held[at].insert(cell.to_owned());
            }
            if alike[at].is_none() && are_one(cell, value) {
                alike[at] = Some(cell.to_owned());
            }
        }
        Ok(())
    })?;
    let said = columns.iter().enumerate().filter(|(at, _)| !found[*at]).map(|(at, column)| {
        let values: Vec<String> = held[at].iter().take(SHOWN).map(|v| format!("`{v}`")).collect();
        let more = if held[at].len() > SHOWN { ", ..." } else { "" };
        let value = &section.filter[*column];
        let near = alike[at].as_ref().map_or(String::new(), |alike| {
            format!("; `{alike}` and `{value}` {}", difference(alike, value))
        });
        format!("`{column}` never holds `{value}`, it holds {}{more}{near}", values.join(", "))
    });
    let said: Vec<String> = said.collect();
    let said = match said.is_empty() {
        true => "each value is there, but no row has all of them".to_owned(),
        false => said.join("; "),
    };
    let message = format!("{}: no row is left after `where`", file.name());
    Ok(UserError::new(message, format!("{said}; values are compared as text")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(positive: &str, version: &str) -> TableSection {
        let filter = [("version".to_owned(), version.to_owned())].into_iter().collect();
        TableSection { positive: Some(positive.into()), filter, ..TableSection::default() }
    }

    fn settled(positive: &str, version: &str, file: &str, text: &str) -> (String, String) {
        let file = SourceFile::of(file, text.as_bytes());
        let settled = settle(&section(positive, version), &[file]).unwrap();
        (settled.positive.unwrap(), settled.filter["version"].clone())
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn the_text_as_written_counts_where_the_column_holds_it() {
        let csv = "text,label,version\na,+1,2.50\nb,-1,1.10\nc,1,2.5\n";
        assert_eq!(settled("+1", "2.50", "t.csv", csv), pair("+1", "2.50"));
        assert_eq!(settled("-1", "1.1", "t.csv", csv), pair("-1", "1.1"));
        let csv = "text,label,version\na,True, 2e3\nb,False,1\n";
        assert_eq!(settled("True", "2e3", "t.csv", csv), pair("True", "2e3"));
    }

    #[test]
    fn else_what_yaml_made_of_it_where_the_column_holds_that() {
        let jsonl = "{\"text\":\"a\",\"label\":true,\"version\":2.50}\n\
                     {\"text\":\"b\",\"label\":false,\"version\":1.1}\n";
        assert_eq!(settled("True", "2.50", "t.jsonl", jsonl), pair("true", "2.5"));
    }

    #[test]
    fn rows_that_blanks_around_a_cell_would_leave_out_are_seen() {
        let keeps = |cell: &str, value: &str| {
            let text = format!("text,label,version\na,1,{cell}\nb,0,de\n");
            let file = SourceFile::of("t.csv", text.as_bytes());
            keeps_cells_with_blanks(&section("1", value), &file).unwrap()
        };
        let seen = [("en", "en"), (" en", "en"), ("en", "en "), (" en ", " en "), (" fr", "en")];
        assert_eq!(seen.map(|(cell, value)| keeps(cell, value)), [false, true, true, false, false]);
        let file = SourceFile::of("t.csv", b"text,label\n a ,1\n");
        let all = TableSection::default();
        assert!(!keeps_cells_with_blanks(&all, &file).unwrap(), "nothing is compared");
    }

    #[test]
    fn rows_that_another_spelling_would_keep_are_found() {
        let wanted = ["en", "2"];
        let keys = wanted.map(key);
        let of = |cells: [Option<&str>; 2]| is_left_out_for_spelling(&cells, &wanted, &keys);
        assert_eq!(of([Some("EN"), Some(" 2")]), Some(0));
        assert_eq!(of([Some("en"), Some("2.0")]), Some(1));
        assert_eq!(of([Some("EN"), Some("3")]), None, "it is left out for the other cell");
        assert_eq!(of([None, Some("2")]), None);
    }

    #[test]
    fn what_a_column_holds_in_place_of_the_value_is_said() {
        let text = "text,label,version\na,1, En \nb,0,de\n";
        let file = SourceFile::of("t.csv", text.as_bytes());
        let error = none_left(&section("1", "en"), &file, TableFormat::Csv).unwrap();
        assert_eq!(error.message, "t.csv: no row is left after `where`");
        assert_eq!(
            error.hint.unwrap(),
            "`version` never holds `en`, it holds `En`, `de`; `En` and `en` differ by capital letters alone; \
             values are compared as text"
        );
        let file = SourceFile::of("t.csv", b"text,label,version\na,1,2024.0\n");
        let error = none_left(&section("1", "2024"), &file, TableFormat::Csv).unwrap();
        assert!(error.hint.unwrap().contains("; `2024.0` and `2024` are one number; "));
    }
}
