//! Quotes in tables: those that enclose cells, and those that are part of a text.
//!
//! A text that begins with a quote of its own opens a quoted cell, which ends at the next quote,
//! maybe many rows later: those rows would vanish. So whatever a quoted cell takes beyond its line
//! is looked at here.

use super::super::decode::lines;
use crate::error::UserError;
use csv::ReaderBuilder;
use std::collections::BTreeSet;

/// What encloses and separates cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) separator: u8,
    /// Whether double quotes enclose cells.
    pub(super) quotes: bool,
}

/// A cell that a double quote opens.
struct Quoted {
    /// The bytes of the cell, from its opening quote on.
    begin: usize,
    end: usize,
    ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The quote that closes it is followed by a separator, a line end, or nothing more.
    Clean,
    /// Text follows the closing quote.
    Torn,
    /// There is no closing quote.
    Open,
}

/// The quoted cells of a text, found as the parser finds them.
fn quoted(bytes: &[u8], separator: u8) -> impl Iterator<Item = Quoted> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            if bytes[at] == b'"' {
                let cell = enclosed(bytes, at, separator);
                at = next_cell(bytes, cell.end, separator);
                return Some(cell);
            }
            at = next_cell(bytes, at, separator);
        }
        None
    })
}

/// Where the cell after the one at `at` begins.
fn next_cell(bytes: &[u8], at: usize, separator: u8) -> usize {
    let ends = |byte: &u8| *byte == separator || matches!(byte, b'\r' | b'\n');
    bytes[at..].iter().position(ends).map_or(bytes.len(), |found| at + found + 1)
}

fn enclosed(bytes: &[u8], begin: usize, separator: u8) -> Quoted {
    let mut at = begin + 1;
    loop {
        let Some(found) = bytes[at..].iter().position(|byte| *byte == b'"') else {
            return Quoted { begin, end: bytes.len(), ending: Ending::Open };
        };
        at += found + 1;
        if bytes.get(at) == Some(&b'"') {
            at += 1;
            continue;
        }
        // Blanks before the separator are harmless.
        let blanks = bytes[at..].iter().take_while(|byte| **byte == b' ').count();
        let clean = match bytes.get(at + blanks) {
            None | Some(b'\r' | b'\n') => true,
            Some(byte) => *byte == separator,
        };
        let ending = if clean { Ending::Clean } else { Ending::Torn };
        return Quoted { begin, end: at, ending };
    }
}

fn spans_lines(cell: &[u8]) -> bool {
    cell.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
}

/// Whether quotes enclose the cells of a TSV file of which nothing is known. They are text where
/// one of them cannot enclose a cell, or where each line is a row when they are text and a quoted
/// cell would take several.
pub(super) fn enclose_cells(bytes: &[u8], separator: u8) -> bool {
    let mut spanning = false;
    for cell in quoted(bytes, separator) {
        if cell.ending != Ending::Clean {
            return false;
        }
        spanning = spanning || spans_lines(&bytes[cell.begin..cell.end]);
    }
    if !spanning {
        return true;
    }
    let cells = |line: &[u8]| line.iter().filter(|byte| **byte == separator).count();
    let mut lines = lines(bytes).filter(|line| !line.is_empty());
    let header = lines.next().map_or(0, cells);
    !lines.all(|line| cells(line) == header)
}

/// Rows whose quoted cells go on over line ends, and may have taken other rows.
pub(super) struct Suspects {
    style: Style,
    /// Columns of the table.
    width: usize,
    found: Vec<Suspect>,
}

struct Suspect {
    line: u64,
    last_line: u64,
    /// The cells of each line, read for itself.
    lines: Vec<Vec<String>>,
}

/// So many rows are looked at; where quotes take rows, the first ones show it.
const MOST_SUSPECTS: usize = 100;
/// A column with at most so many different values is one of labels or the like.
const MOST_VALUES: usize = 50;

impl Suspects {
    pub(super) fn new(style: Style, width: usize) -> Self {
        Self { style, width, found: Vec::new() }
    }

    /// Looks at a row of several lines. One that cannot be right is an error; `place` names it.
    pub(super) fn look(&mut self, row: &[u8], line: u64, file: &str) -> Result<(), UserError> {
        let mut spanning = quoted(row, self.style.separator)
            .filter(|cell| spans_lines(&row[cell.begin..cell.end]));
        let breaks = |part: &[u8]| (lines(part).count() as u64).saturating_sub(1);
        let Some(wrong) = spanning.find(|cell| cell.ending != Ending::Clean) else {
            if self.found.len() < MOST_SUSPECTS
                && let Some(lines) = self.lines_as_rows(row)
            {
                self.found.push(Suspect { line, last_line: line + breaks(row), lines });
            }
            return Ok(());
        };
        let opens = line + breaks(&row[..=wrong.begin]);
        let closes = line + breaks(&row[..wrong.end]);
        let how = match wrong.ending {
            Ending::Open => "is never closed".to_owned(),
            _ => format!("goes on to line {closes}, where text follows the closing quote"),
        };
        let error = stray(file, opens, &how);
        Err(UserError { hint: Some(TEXT.to_owned()), ..error })
    }

    /// Each line of a row read as a row of its own, if all of them have the table's columns.
    fn lines_as_rows(&self, row: &[u8]) -> Option<Vec<Vec<String>>> {
        let first = quoted(row, self.style.separator)
            .find(|cell| spans_lines(&row[cell.begin..cell.end]))?;
        // Without the quote that opens the cell, and might be text.
        let row = [&row[..first.begin], &row[first.begin + 1..]].concat();
        let cells = |line: &[u8]| {
            let mut reader = ReaderBuilder::new()
                .delimiter(self.style.separator)
                .has_headers(false)
                .from_reader(line);
            let record = reader.records().next()?.ok()?;
            (record.len() == self.width).then(|| record.iter().map(str::to_owned).collect())
        };
        lines(&row).filter(|line| !line.is_empty()).map(cells).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// An error where each line of a row holds what rows of its own would hold: in every column of
    /// few values, values that other rows have. `rows` gives the cells of the rows of one line.
    pub(super) fn judge<'r>(
        &self,
        file: &str,
        rows: impl Iterator<Item = Vec<&'r str>>,
    ) -> Result<(), UserError> {
        let mut values: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); self.width];
        let mut count = 0;
        for row in rows {
            count += 1;
            for (known, cell) in values.iter_mut().zip(row) {
                if known.len() <= MOST_VALUES {
                    known.insert(cell.trim());
                }
            }
        }
        let most = MOST_VALUES.min(count / 3);
        let few: Vec<usize> =
            (0..self.width).filter(|column| (1..=most).contains(&values[*column].len())).collect();
        let fits = |line: &Vec<String>| few.iter().all(|at| values[*at].contains(line[*at].trim()));
        let taken = |row: &&Suspect| !few.is_empty() && row.lines.iter().all(fits);
        match self.found.iter().find(taken) {
            None => Ok(()),
            Some(Suspect { line, last_line, .. }) => {
                let what = format!("goes on to line {last_line}, over lines that read as rows");
                Err(stray(file, *line, &what))
            }
        }
    }
}

fn stray(file: &str, line: u64, what: &str) -> UserError {
    UserError::new(
        format!("{file}, line {line}: {OPENS} {what}"),
        format!("{TEXT}; if they enclose cells and this one is right, add `quotes: true`"),
    )
}

/// Part of every error about a quote that takes rows.
pub(super) const OPENS: &str = "a quote opens a cell that";

const TEXT: &str = "if quotes are part of the texts, add `quotes: false` to `data.table`, or double them \
                    inside quoted cells";
