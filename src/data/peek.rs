//! A first look into a data file of which nothing is known yet: its columns or its arrays.
//!
//! Tables are read by the readers that prepare examples, so every format of theirs is known here.

use super::account::Account;
use super::coarse::Written;
use super::facts::Overlap;
use super::found::Found;
use super::overlap;
use super::scale::{self, Scale};
use super::source::SourceFile;
use super::{arrays, table, text};
use crate::config::{TableFormat, TableSection, TextSection};
use crate::error::UserError;
use anyhow::Result;
use std::path::Path;

/// What a data file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Contents {
    /// A table, column by column.
    Table(PeekedTable),
    /// Named arrays, and what is wrong with the first that cannot be read.
    Arrays(Vec<ArrayShape>, Option<UserError>),
}

/// What a table holds, and how it is to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct PeekedTable {
    /// Its columns.
    pub columns: Vec<Column>,
    /// What became of its lines.
    pub account: Account,
    /// Why its quotes have to be read as text, which the experiment file must say then.
    pub quotes_are_text: Option<String>,
    /// What separates its columns, where that is no comma.
    pub separator: Option<char>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// Its values as text, row by row.
    pub values: Vec<String>,
    /// Where its first row without a value is, in a file that can say so.
    pub absent: Option<String>,
}

impl Column {
    /// Refuses numbers that 32 bits, in which all is computed, hardly tell apart.
    ///
    /// # Errors
    /// A [`UserError`] that says how many values are left.
    pub fn refuse_coarse(&self, file: &str) -> Result<(), UserError> {
        let mut written = Written::new();
        self.values.iter().for_each(|value| written.push(value.trim()));
        written.refuse(&format!("{file}: column `{}`", self.name))
    }
}

/// A named array.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayShape {
    /// Its name.
    pub name: String,
    /// Its sizes, axis by axis.
    pub dims: Vec<usize>,
    /// Whether it holds whole numbers, as token ids are.
    pub whole: bool,
}

/// Sequences with their labels, as far as an experiment file has to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// What the labels are.
    pub found: Found,
    /// Of two labels, the one that has to be named as the one that counts as 1.
    pub positive: Option<String>,
    /// Whether all of one label come before all of another one, or numbers only rise or fall.
    pub sorted: bool,
    /// Whether neighbouring rows share steps.
    pub overlap: Overlap,
    /// Features of very different scale.
    pub scale: Option<Scale>,
    /// Whether labels are one column a class.
    pub has_columns: bool,
}

/// Looks into a data file; its name tells the format.
///
/// # Errors
/// A [`UserError`] with the place for whatever is wrong with the file: it is the user's.
pub fn peek(path: &Path) -> Result<Contents> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match (TableFormat::of(path), ending.as_str()) {
        (Some(format), _) => columns(&SourceFile::read(path)?, format)
            .map(Contents::Table),
        (None, "npz") => shapes(&SourceFile::read(path)?),
        _ => Err(UserError::new(
            format!("{}: unknown file extension", path.display()),
            "`init` knows tables (.csv, .tsv, .jsonl, .parquet) and numpy's arrays (.npz); for others \
             write the experiment file by hand (docs/experiment-files.md)",
        )
        .into()),
    }
}

/// Whether a column says of each row which split it belongs to, with rows for training and validation.
pub fn is_split(column: &Column) -> bool {
    let has = |begin: [&str; 2]| {
        let is_it = |cell: &String| begin.iter().any(|begin| cell.trim().starts_with(begin));
        column.values.iter().any(is_it)
    };
    has(["train"; 2])
        && has(["val", "dev"])
        && column.values.iter().all(|cell| table::is_split(cell))
}

/// The words in each text, counted as the tokenizer of an experiment counts them.
pub fn word_counts(texts: &[String]) -> Vec<usize> {
    let section = TextSection::default();
    // Without replacements no text grows.
    texts.iter().map(|raw| text::words(raw, &section).map_or(0, |words| words.len())).collect()
}

/// A CSV file in which a quote takes rows is read once more, its quotes as text.
fn columns(file: &SourceFile, format: TableFormat) -> Result<PeekedTable> {
    let section = TableSection { separator: separator(file, format), ..TableSection::default() };
    let quoted = columns_of(&section, file, format);
    let Err(error) = &quoted else { return quoted };
    let plain = TableSection { quotes: Some(false), ..section };
    match (format, error.downcast_ref::<UserError>(), columns_of(&plain, file, format)) {
        (TableFormat::Csv, Some(why), Ok(table)) if table::is_stray_quote(why) => {
            Ok(PeekedTable { quotes_are_text: Some(why.message.clone()), ..table })
        }
        _ => quoted,
    }
}

/// What separates the columns of a CSV file whose header has no comma.
fn separator(file: &SourceFile, format: TableFormat) -> Option<char> {
    let names = match format {
        TableFormat::Csv => table::names(&TableSection::default(), file, format).ok()?,
        _ => return None,
    };
    let [header] = &names[..] else { return None };
    [';', '\t', '|'].into_iter().find(|separator| header.contains(*separator))
}

fn columns_of(
    section: &TableSection,
    file: &SourceFile,
    format: TableFormat,
) -> Result<PeekedTable> {
    let mut names = table::names(section, file, format)?;
    // Columns without a name cannot be named in an experiment file.
    names.retain(|name| !name.is_empty());
    let mut columns: Vec<Column> = names
        .iter()
        .map(|name| Column { name: name.clone(), values: Vec::new(), absent: None })
        .collect();
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let account = table::each_row(section, file, format, &wanted, &mut |row, cells| {
        for (column, cell) in columns.iter_mut().zip(cells) {
            if cell.is_none() && column.absent.is_none() {
                column.absent = Some(table::place(&file.name(), format, row));
            }
            column.values.push(cell.unwrap_or_default().to_owned());
        }
        Ok(())
    })?;
    match columns.first().is_some_and(|column| !column.values.is_empty()) {
        true => {
            let separator = section.separator;
            Ok(PeekedTable { columns, account, quotes_are_text: None, separator })
        }
        false => Err(table::no_rows(file).into()),
    }
}

/// The arrays whose headers can be read: what is wrong with another one is said when it is used.
fn shapes(file: &SourceFile) -> Result<Contents> {
    let mut shapes = Vec::new();
    let mut first_error = None;
    for (name, outline) in arrays::outlines(file)? {
        match outline {
            Ok(arrays::Outline { dims, whole }) => shapes.push(ArrayShape { name, dims, whole }),
            Err(error) => first_error = first_error.or(Some(UserError::of(error))),
        }
    }
    match first_error {
        Some(error) if shapes.is_empty() => Err(error.into()),
        first_error => Ok(Contents::Arrays(shapes, first_error)),
    }
}

/// Reads the sequences `x` of an npz file with their labels `y`; whole numbers `[N, T]` are token ids.
pub fn labelled(path: &Path, x: &ArrayShape, y: &str) -> Result<Labelled> {
    let file = SourceFile::read(path)?;
    let (sequences, labels) = arrays::labelled(&file, &x.name, y, x.dims.len() == 2)?;
    let scale = match &sequences {
        arrays::Sequences::Features(block) => scale::of(&block.values, block.features),
        arrays::Sequences::Ids(_) => None,
    };
    let overlap = overlap::neighbours(&sequences);
    let arrays::LabelsLook { found, positive, sorted, has_columns } = labels;
    Ok(Labelled { found, positive, sorted, overlap, scale, has_columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(bytes: &[u8]) -> Result<Vec<Column>> {
        columns(&SourceFile::of("t.csv", bytes), TableFormat::Csv).map(|table| table.columns)
    }

    #[test]
    fn json_lines_are_seen_without_the_columns_that_are_lists() {
        let lines =
            b"{\"text\": \"a b\", \"tags\": [1], \"label\": 1}\n{\"text\": null, \"label\": 0}\n";
        let file = SourceFile::of("t.jsonl", lines);
        let PeekedTable { columns: found, account, .. } =
            columns(&file, TableFormat::Jsonl).unwrap();
        assert_eq!((account.lines, account.rows), (Some(2), 2));
        let names: Vec<&str> = found.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["text", "label"]);
        assert_eq!(
            (found[0].values.join("|"), found[1].values.join("|")),
            ("a b|".into(), "1|0".into())
        );
    }

    #[test]
    fn a_table_is_seen_column_by_column() {
        let found = csv(b"text,label\n\"a, b\",1\nc,0\n").unwrap();
        assert_eq!((found[0].name.as_str(), &found[0].values[0]), ("text", &"a, b".to_owned()));
        assert_eq!(found[1].values, ["1", "0"]);
        assert_eq!(word_counts(&found[0].values), [2, 1]);
    }

    #[test]
    fn what_cannot_be_looked_into_is_refused_with_advice() {
        let refusal = |path: &str| peek(Path::new(path)).unwrap_err().to_string();
        assert!(refusal("none.csv").contains("cannot read the data file none.csv"));
        assert!(refusal("t.docx").contains("unknown file extension"));
        let error = csv(b"a,b\n1\n").unwrap_err().to_string();
        assert_eq!(error, "t.csv, line 2: the row has 1 fields and the header has 2");
        assert!(csv(b"a,b\n").unwrap_err().to_string().contains("no rows"));
    }
}
