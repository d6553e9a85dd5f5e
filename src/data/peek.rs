//! A first look into a data file of which nothing is known yet: its columns or its arrays.
//!
//! A new format is one more arm in [`peek`]; whoever asks gets columns or shapes as before.

use super::text;
use crate::config::TextSection;
use crate::error::UserError;
use anyhow::{Context, Result};
use csv::ErrorKind;
use npyz::npz::NpzArchive;
use std::fs;
use std::io::Cursor;
use std::path::Path;

/// What a data file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Contents {
    /// A table, column by column.
    Table(Vec<Column>),
    /// Named arrays.
    Arrays(Vec<ArrayShape>),
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// Its values as text, row by row.
    pub values: Vec<String>,
}

/// A named array.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayShape {
    /// Its name.
    pub name: String,
    /// Its sizes, axis by axis.
    pub dims: Vec<usize>,
}

/// Looks into a file, whose format its name tells.
pub fn peek(path: &Path) -> Result<Contents> {
    let file = path.display().to_string();
    let format = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let read = || {
        fs::read(path).map_err(|error| {
            let advice = "give the path of a CSV table or of an npz file";
            UserError::new(format!("cannot read the data file {file}: {error}"), advice)
        })
    };
    match format.as_str() {
        "csv" => columns(&file, &read()?).map(Contents::Table),
        "npz" => shapes(&file, &read()?).map(Contents::Arrays),
        _ => Err(UserError::new(
            format!("{file}: its name does not tell what it is"),
            "`init` knows .csv and .npz; for other files write the experiment file by hand \
             (docs/experiment-files.md)",
        )
        .into()),
    }
}

/// The words in each text, counted as the tokenizer of an experiment counts them.
pub fn word_counts(texts: &[String]) -> Vec<usize> {
    let section = TextSection::default();
    texts.iter().map(|raw| text::words(raw, &section).len()).collect()
}

fn columns(file: &str, bytes: &[u8]) -> Result<Vec<Column>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().with_context(|| format!("cannot read the header of {file}"))?;
    let named = |name: &str| Column { name: name.to_owned(), values: Vec::new() };
    let mut columns: Vec<Column> = header.iter().map(named).collect();
    for record in reader.into_records() {
        let record = record.map_err(|error| unreadable(file, &error))?;
        for (column, value) in columns.iter_mut().zip(&record) {
            column.values.push(value.to_owned());
        }
    }
    match columns.first().is_some_and(|column| !column.values.is_empty()) {
        true => Ok(columns),
        false => Err(UserError::new(
            format!("{file}: there are no rows after the header line"),
            "a table has a header line with the names of its columns, and one example a row",
        )
        .into()),
    }
}

fn unreadable(file: &str, error: &csv::Error) -> UserError {
    let line = error.position().map_or(String::new(), |place| format!(", line {}", place.line()));
    match error.kind() {
        ErrorKind::Utf8 { .. } => UserError::new(
            format!("{file}{line}: the text is not UTF-8"),
            "save the table as UTF-8, for example with `iconv -f latin1 -t utf-8`",
        ),
        ErrorKind::UnequalLengths { expected_len, len, .. } => UserError::new(
            format!("{file}{line}: the row has {len} fields and the header has {expected_len}"),
            "put texts that hold commas, quotes or line breaks in double quotes",
        ),
        _ => UserError { message: format!("{file}{line}: {error}"), hint: None },
    }
}

fn shapes(file: &str, bytes: &[u8]) -> Result<Vec<ArrayShape>> {
    let mut archive = NpzArchive::new(Cursor::new(bytes))
        .with_context(|| format!("{file} is not an npz file, as numpy.savez writes it"))?;
    let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
    let mut shapes = Vec::new();
    for name in names {
        if let Some(array) = archive.by_name(&name)? {
            let dims = array.shape().iter().map(|dim| *dim as usize).collect();
            shapes.push(ArrayShape { name, dims });
        }
    }
    Ok(shapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_seen_column_by_column() {
        let found = columns("t.csv", b"text,label\n\"a, b\",1\nc,0\n").unwrap();
        assert_eq!((found[0].name.as_str(), &found[0].values[0]), ("text", &"a, b".to_owned()));
        assert_eq!(found[1].values, ["1", "0"]);
        assert_eq!(word_counts(&found[0].values), [2, 1]);
    }

    #[test]
    fn what_cannot_be_looked_into_is_refused_with_advice() {
        let refusal = |path: &str| peek(Path::new(path)).unwrap_err().to_string();
        assert!(refusal("none.csv").contains("cannot read the data file none.csv"));
        assert!(refusal("t.docx").contains("does not tell what it is"));
        let error = columns("t.csv", b"a,b\n1\n").unwrap_err().to_string();
        assert_eq!(error, "t.csv, line 2: the row has 1 fields and the header has 2");
        assert!(columns("t.csv", b"a,b\n").unwrap_err().to_string().contains("no rows"));
    }
}
