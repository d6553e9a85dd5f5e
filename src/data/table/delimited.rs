//! CSV and TSV: a header line, one example a row.

use super::super::source::SourceFile;
use super::{EXPECTED, Hear, unknown_column};
use crate::error::UserError;
use anyhow::Result;
use csv::{ErrorKind, ReaderBuilder, StringRecord};

pub(super) fn each_row(
    file: &SourceFile,
    separator: u8,
    columns: &[&str],
    hear: Hear<'_>,
) -> Result<()> {
    let bytes = file.unpacked()?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(UserError::new(format!("{} is empty", file.name()), EXPECTED).into());
    }
    let mut cursor = LineCursor { bytes: &bytes, at: 0, line: 1 };
    let mut reader = ReaderBuilder::new().delimiter(separator).from_reader(&bytes[..]);
    let header = match reader.headers() {
        Ok(header) => header,
        Err(error) => return Err(unreadable(file, &mut cursor, &error).into()),
    };
    let positions = columns
        .iter()
        .map(|name| position(header, name, file, separator))
        .collect::<Result<Vec<usize>, UserError>>()?;
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(unreadable(file, &mut cursor, &error).into()),
        }
        let line = record.position().map_or(0, |place| cursor.line_at(place.byte()));
        let cells: Vec<Option<&str>> = positions.iter().map(|at| record.get(*at)).collect();
        hear(line, &cells)?;
    }
}

/// The header line.
pub(super) fn names(file: &SourceFile, separator: u8) -> Result<Vec<String>> {
    let bytes = file.unpacked()?;
    let mut reader = ReaderBuilder::new().delimiter(separator).from_reader(&bytes[..]);
    let mut cursor = LineCursor { bytes: &bytes, at: 0, line: 1 };
    match reader.headers() {
        Ok(header) => Ok(header.iter().map(str::to_owned).collect()),
        Err(error) => Err(unreadable(file, &mut cursor, &error).into()),
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
fn unreadable(file: &SourceFile, cursor: &mut LineCursor<'_>, error: &csv::Error) -> UserError {
    let line = error.position().map_or(1, |place| cursor.line_at(place.byte()));
    let place = format!("{}, line {line}", file.name());
    match error.kind() {
        ErrorKind::Utf8 { .. } => UserError::new(
            format!("{place}: the text is not UTF-8"),
            "save the table as UTF-8, for example with `iconv -f latin1 -t utf-8`",
        ),
        ErrorKind::UnequalLengths { expected_len, len, .. } => UserError::new(
            format!("{place}: the row has {len} fields and the header has {expected_len}"),
            "put texts that hold separators, quotes or line breaks in double quotes",
        ),
        _ => UserError { message: format!("{place}: {error}"), hint: None },
    }
}

fn position(
    header: &StringRecord,
    name: &str,
    file: &SourceFile,
    separator: u8,
) -> Result<usize, UserError> {
    header.iter().position(|column| column == name).ok_or_else(|| {
        let known: Vec<&str> = header.iter().collect();
        let other = [';', '\t', ',', '|'].into_iter().find(|other| {
            header.len() == 1 && *other != separator as char && known[0].contains(*other)
        });
        let advice = match other {
            Some('\t') => "; give `format: tsv` if tabs separate them".to_owned(),
            Some(other) => format!("; give `separator: \"{other}\"` if that separates them"),
            None => String::new(),
        };
        unknown_column(file, name, &known, &advice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Result<Vec<u64>> {
        let mut lines = Vec::new();
        let file = SourceFile::of("t.csv", bytes);
        each_row(&file, b',', &["label", "text"], &mut |line, cells| {
            assert_eq!(cells.len(), 2);
            lines.push(line);
            Ok(())
        })?;
        Ok(lines)
    }

    #[test]
    fn lines_are_counted_as_an_editor_does_whatever_ends_them() {
        let unix = "text,label\na,1\n\"b\n\nc\",0\n\nd,1\n";
        assert_eq!(lines(unix.as_bytes()).unwrap(), [2, 3, 7]);
        assert_eq!(lines(unix.replace('\n', "\r\n").as_bytes()).unwrap(), [2, 3, 7]);
        assert_eq!(lines(b"\xef\xbb\xbftext,label\na,1\n").unwrap(), [2], "a byte order mark");
    }

    #[test]
    fn rows_that_cannot_be_read_are_named_by_their_line() {
        let message = |bytes: &[u8]| lines(bytes).unwrap_err().to_string();
        assert_eq!(
            message(b"text,label\na,1\nb\n"),
            "t.csv, line 3: the row has 1 fields and the header has 2"
        );
        assert_eq!(message(b"text,label\na,1\n\xff,0\n"), "t.csv, line 3: the text is not UTF-8");
        assert_eq!(message(b"t\xff,label\na,1\n"), "t.csv, line 1: the text is not UTF-8");
        assert_eq!(message(b"\n"), "t.csv is empty");
    }

    #[test]
    fn another_separator_is_guessed_in_the_hint() {
        let error = lines(b"text;label\na;1\n").unwrap_err();
        let hint = error.downcast_ref::<UserError>().unwrap().hint.clone().unwrap();
        assert!(hint.ends_with("give `separator: \";\"` if that separates them"), "{hint}");
    }
}
