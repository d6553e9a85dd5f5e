//! CSV and TSV: a header line, one example a row.

mod quotes;

use super::decode::{self, LineCounter, not_utf8};
use super::{EXPECTED, OnRow, doubled_column, too_many_columns, unknown_column};
use crate::data::account::Account;
use crate::data::source::SourceFile;
use crate::error::UserError;
use anyhow::Result;
use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use quotes::{Style, Suspects, enclose_cells};
use std::collections::BTreeMap;

/// How a file is written, as far as the section says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) separator: u8,
    /// Whether double quotes enclose cells; `None` where the section does not say.
    pub(super) quotes: Option<bool>,
    /// Whether quotes may be text where the section does not say.
    pub(super) is_tsv: bool,
}

impl Dialect {
    /// Whether the section leaves it open and the quotes of this text are found to be text.
    fn finds_text_in_quotes(self, bytes: &[u8]) -> bool {
        self.is_tsv && self.quotes.is_none() && !enclose_cells(bytes, self.separator)
    }

    fn style(self, bytes: &[u8]) -> Style {
        let quotes = self.quotes.unwrap_or_else(|| !self.finds_text_in_quotes(bytes));
        Style { separator: self.separator, quotes }
    }
}

/// Whether an error says that a quote takes rows.
pub(in crate::data) fn is_stray_quote(error: &UserError) -> bool {
    error.message.contains(quotes::OPENS)
}

/// Whether quotes were found to be text, though the section does not say so.
pub(super) fn finds_text_in_quotes(file: &SourceFile, dialect: Dialect) -> Result<bool> {
    Ok(dialect.finds_text_in_quotes(&decode::text(file)?))
}

pub(super) fn each_row(
    file: &SourceFile,
    dialect: Dialect,
    columns: &[&str],
    on_row: OnRow<'_>,
) -> Result<Account> {
    let bytes = decode::text(file)?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(UserError::new(format!("{} is empty", file.name()), EXPECTED).into());
    }
    let style = dialect.style(&bytes);
    let mut counter = LineCounter::new(&bytes);
    let mut reader = reader(&bytes, style);
    let header = header(&mut reader, file, &mut counter, style)?;
    let positions = positions(&header, columns, file, style)?;
    let mut suspects = Suspects::new(style, header.len());
    let mut record = StringRecord::new();
    let header_end = counter.line_at(0) + counter.breaks_to(reader.position().byte() as usize);
    let mut account =
        Account { file: file.name(), header: true, lines: Some(0), ..Account::default() };
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let refused = unreadable(file, &mut counter, &error, style);
                let row = &bytes[counter.at()..reader.position().byte() as usize];
                if style.quotes && matches!(error.kind(), ErrorKind::UnequalLengths { .. }) {
                    suspects.look(row, counter.line_at(0), &file.name())?;
                }
                return Err(refused.into());
            }
        }
        let from = record.position().map_or(0, |place| place.byte() as usize);
        let line = counter.line_at(from);
        let begin = counter.at();
        let end = reader.position().byte() as usize;
        let breaks = counter.breaks_to(end);
        if breaks > 0 && style.quotes {
            suspects.look(&bytes[begin..end], line, &file.name())?;
        }
        if header.len() > 1 && record.iter().map(str::trim).eq(header.iter().map(str::trim)) {
            return Err(header_again(file, line).into());
        }
        account.rows += 1;
        account.breaks += breaks;
        let cells: Vec<Option<&str>> = positions.iter().map(|at| record.get(*at)).collect();
        on_row(line, &cells)?;
    }
    if dialect.quotes.is_none() && !suspects.is_empty() {
        judge(&suspects, &bytes, style, file)?;
    }
    let lines = counter.total().saturating_sub(header_end);
    account.lines = Some(lines);
    account.blank = lines.saturating_sub(account.rows + account.breaks);
    Ok(account)
}

/// The names of the columns.
pub(super) fn names(file: &SourceFile, dialect: Dialect) -> Result<Vec<String>> {
    let bytes = decode::text(file)?;
    let style = dialect.style(&bytes);
    let mut counter = LineCounter::new(&bytes);
    let header = header(&mut reader(&bytes, style), file, &mut counter, style)?;
    Ok(header.iter().map(str::to_owned).collect())
}

fn reader(bytes: &[u8], style: Style) -> Reader<&[u8]> {
    ReaderBuilder::new().delimiter(style.separator).quoting(style.quotes).from_reader(bytes)
}

fn header(
    reader: &mut Reader<&[u8]>,
    file: &SourceFile,
    counter: &mut LineCounter<'_>,
    style: Style,
) -> Result<StringRecord, UserError> {
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Err(unreadable(file, counter, &error, style)),
    };
    too_many_columns(file, header.len())?;
    Ok(header)
}

/// Reads the table again for the values that rows of one line have.
fn judge(
    suspects: &Suspects,
    bytes: &[u8],
    style: Style,
    file: &SourceFile,
) -> Result<(), UserError> {
    let mut reader = reader(bytes, style);
    let records: Vec<StringRecord> = reader.records().filter_map(Result::ok).collect();
    let is_plain = |record: &&StringRecord| !record.iter().any(|cell| cell.contains(['\n', '\r']));
    let rows = records.iter().filter(is_plain).map(|record| record.iter().collect());
    suspects.judge(&file.name(), rows)
}

/// What is wrong with a row that cannot be parsed, and what to do.
fn unreadable(
    file: &SourceFile,
    counter: &mut LineCounter<'_>,
    error: &csv::Error,
    style: Style,
) -> UserError {
    let line = error.position().map_or(1, |place| counter.line_at(place.byte() as usize));
    let place = format!("{}, line {line}", file.name());
    match error.kind() {
        ErrorKind::Utf8 { .. } => not_utf8(&place),
        ErrorKind::UnequalLengths { expected_len, len, .. } => UserError::new(
            format!("{place}: the row has {len} fields and the header has {expected_len}"),
            match style.quotes {
                true => "put texts that hold separators, quotes or line breaks in double quotes",
                false => {
                    "quotes are text in this file; where they enclose cells that hold separators or \
                     line breaks, add `quotes: true` to `data.table`"
                }
            },
        ),
        _ => UserError { message: format!("{place}: {error}"), hint: None },
    }
}

/// Several files were put one after the other, each with its header.
fn header_again(file: &SourceFile, line: u64) -> UserError {
    UserError::new(
        format!("{}, line {line}: the header stands here again", file.name()),
        "remove this line: only the first one names columns",
    )
}

/// Where the columns stand. A name that is asked for stands once.
fn positions(
    header: &StringRecord,
    columns: &[&str],
    file: &SourceFile,
    style: Style,
) -> Result<Vec<usize>, UserError> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, name) in header.iter().enumerate() {
        places.entry(name).or_default().push(at);
    }
    let position = |name: &&str| match places.get(*name).map(Vec::as_slice) {
        Some([at]) => Ok(*at),
        Some(several) => Err(doubled_column(file, name, several)),
        None => {
            let known: Vec<&str> = header.iter().collect();
            Err(unknown_column(file, name, &known, &advice(&known, style)))
        }
    };
    columns.iter().map(position).collect()
}

/// What may be wrong where a column is not found.
fn advice(known: &[&str], style: Style) -> String {
    let in_quotes = |name: &&str| name.len() > 1 && name.starts_with('"') && name.ends_with('"');
    if !style.quotes && known.iter().any(in_quotes) {
        return "; give `quotes: true` if quotes enclose cells".to_owned();
    }
    let is_excels = |name: &&str| name.trim_start().to_lowercase().starts_with("sep=");
    if known.len() < 3 && known.first().is_some_and(is_excels) {
        return "; the first line is Excel's `sep=`, which names no columns: remove that line"
            .to_owned();
    }
    let other = [';', '\t', ',', '|'].into_iter().find(|other| {
        known.len() == 1 && *other != style.separator as char && known[0].contains(*other)
    });
    match other {
        Some('\t') => "; give `format: tsv` if tabs separate them".to_owned(),
        Some(other) => format!("; give `separator: \"{other}\"` if that separates them"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
