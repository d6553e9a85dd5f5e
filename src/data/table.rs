//! CSV tables: a header line, one example a row.

use super::labels;
use crate::config::TableSection;
use crate::error::UserError;
use anyhow::{Context, Result};
use csv::{ErrorKind, StringRecord};
use std::path::Path;

/// Texts and labels in the order of the file.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) texts: Vec<String>,
    pub(super) labels: Vec<f32>,
    /// What the labels 0 and 1 are called in the file.
    pub(super) classes: [String; 2],
    /// For each example, its line in the file.
    pub(super) lines: Vec<u64>,
}

/// Reads the rows that `where` keeps.
pub(super) fn read(section: &TableSection, bytes: &[u8]) -> Result<Table> {
    let file = section.path.display();
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(UserError::new(format!("{file} is empty"), HEADER_HINT).into());
    }
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().with_context(|| format!("cannot read the header of {file}"))?;
    let column = |name: &str| position(header, name, section);
    let (text, label) = (column(&section.text)?, column(&section.label)?);
    let filters = section
        .filter
        .iter()
        .map(|(name, value)| Ok((column(name)?, value.as_str())))
        .collect::<Result<Vec<(usize, &str)>, UserError>>()?;

    let (mut texts, mut values, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    let mut cursor = LineCursor { bytes, at: 0, line: 1 };
    for record in reader.into_records() {
        let record = record.map_err(|error| unreadable(section, &mut cursor, error))?;
        let line = record.position().map_or(0, |place| cursor.line_at(place.byte()));
        if filters.iter().all(|(column, value)| &record[*column] == *value) {
            if record[label].trim().is_empty() {
                return Err(UserError::new(
                    format!("{file}, line {line}: the label is empty"),
                    "give the row a label, or leave it out with `where`",
                )
                .into());
            }
            texts.push(record[text].to_owned());
            values.push(record[label].trim().to_owned());
            lines.push(line);
        }
    }
    some_rows(&texts, section)?;
    let place = format!("{file}: column `{}`", section.label);
    let (labels, classes) = labels::binary(&values, &place)?;
    Ok(Table { texts, labels, classes, lines })
}

/// The text column of a table that needs no labels, and the line of each row.
pub(super) fn read_texts(
    path: &Path,
    section: &TableSection,
    bytes: &[u8],
) -> Result<(Vec<String>, Vec<u64>)> {
    let section = TableSection { path: path.to_owned(), ..section.clone() };
    let file = path.display();
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().with_context(|| format!("cannot read the header of {file}"))?;
    let text = position(header, &section.text, &section)?;
    let (mut texts, mut lines) = (Vec::new(), Vec::new());
    let mut cursor = LineCursor { bytes, at: 0, line: 1 };
    for record in reader.into_records() {
        let record = record.map_err(|error| unreadable(&section, &mut cursor, error))?;
        lines.push(record.position().map_or(0, |place| cursor.line_at(place.byte())));
        texts.push(record[text].to_owned());
    }
    some_rows(&texts, &section)?;
    Ok((texts, lines))
}

const HEADER_HINT: &str = "a table has a header line with the names of its columns, separated by commas, \
                           and one example a row";

fn some_rows(texts: &[String], section: &TableSection) -> Result<(), UserError> {
    let file = section.path.display();
    match (texts.is_empty(), section.filter.is_empty()) {
        (false, _) => Ok(()),
        (true, true) => Err(UserError::new(
            format!("{file}: there are no rows after the header line"),
            HEADER_HINT,
        )),
        (true, false) => Err(UserError::new(
            format!("{file}: no row is left after `where`"),
            "compare the values in `data.table.where` with those in the file",
        )),
    }
}

/// Counts lines as an editor does. The parser's own count is one too small where lines end in CR
/// LF.
struct LineCursor<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u64,
}

impl LineCursor<'_> {
    /// The line of the first character at or after `byte`; bytes may only be asked for in ascending
    /// order.
    fn line_at(&mut self, byte: u64) -> u64 {
        while self.at < self.bytes.len()
            && (self.at < byte as usize || matches!(self.bytes[self.at], b'\r' | b'\n'))
        {
            self.line += u64::from(self.bytes[self.at] == b'\n');
            self.at += 1;
        }
        self.line
    }
}

/// What is wrong with a row that cannot be parsed, and what to do.
fn unreadable(section: &TableSection, cursor: &mut LineCursor<'_>, error: csv::Error) -> UserError {
    let line = error.position().map_or(0, |place| cursor.line_at(place.byte()));
    let place = format!("{}, line {line}", section.path.display());
    match error.kind() {
        ErrorKind::Utf8 { .. } => UserError::new(
            format!("{place}: the text is not UTF-8"),
            "save the table as UTF-8, for example with `iconv -f latin1 -t utf-8`",
        ),
        ErrorKind::UnequalLengths { expected_len, len, .. } => UserError::new(
            format!("{place}: the row has {len} fields and the header has {expected_len}"),
            "put texts that hold commas, quotes or line breaks in double quotes",
        ),
        _ => UserError { message: format!("{place}: {error}"), hint: None },
    }
}

fn position(header: &StringRecord, name: &str, section: &TableSection) -> Result<usize, UserError> {
    header.iter().position(|column| column == name).ok_or_else(|| {
        let columns: Vec<String> = header.iter().map(|column| format!("`{column}`")).collect();
        let other = header.len() == 1 && header.iter().any(|only| only.contains([';', '\t']));
        let commas = if other { "; columns must be separated by commas" } else { "" };
        UserError::new(
            format!("{}: there is no column `{name}`", section.path.display()),
            format!("its columns are {}{commas}", columns.join(", ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(filter: &[(&str, &str)]) -> TableSection {
        TableSection {
            path: "t.csv".into(),
            text: "text".into(),
            label: "label".into(),
            filter: filter.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        }
    }

    const CSV: &str = "text,label,source\n\"a, b\nc\",1,x\nd,0,x\ne,1,y\n";

    #[test]
    fn quoted_texts_and_filters_are_read() {
        let table = read(&section(&[("source", "x")]), CSV.as_bytes()).unwrap();
        assert_eq!(table.texts, ["a, b\nc", "d"]);
        assert_eq!(table.labels, [1.0, 0.0]);
        assert_eq!(table.lines, [2, 4]);
    }

    #[test]
    fn what_is_missing_is_named_with_what_there_is() {
        let error = read(&section(&[("sauce", "x")]), CSV.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "t.csv: there is no column `sauce`");
        let hint = error.downcast_ref::<UserError>().unwrap().hint.clone().unwrap();
        assert_eq!(hint, "its columns are `text`, `label`, `source`");
        let error = read(&section(&[("source", "z")]), CSV.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("no row is left"));
        let error = read(&section(&[]), b"text,label\na,1\nb\n").unwrap_err();
        assert!(error.to_string().contains("line 3: the row has 1 fields and the header has 2"));
        let error = read(&section(&[]), b"text,label\na,1\n\xff,0\n").unwrap_err();
        assert!(error.to_string().contains("line 3: the text is not UTF-8"), "{error}");
        assert_eq!(read(&section(&[]), b"\n").unwrap_err().to_string(), "t.csv is empty");
        let error = read(&section(&[]), b"text,label\na,1\nb,\n").unwrap_err();
        assert!(error.to_string().contains("line 3: the label is empty"));
    }

    #[test]
    fn lines_are_counted_as_an_editor_does_whatever_ends_them() {
        let unix = "text,label\na,1\n\"b\n\nc\",0\n\nd,1\n";
        let lines = |csv: &str| read(&section(&[]), csv.as_bytes()).unwrap().lines;
        assert_eq!(lines(unix), [2, 3, 7]);
        assert_eq!(lines(&unix.replace('\n', "\r\n")), [2, 3, 7]);
    }
}
