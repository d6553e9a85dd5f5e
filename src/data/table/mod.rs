//! Tables of any format: each reader gives the cells of the columns that are asked for as text, row
//! by row, with the place of the row as a person finds it.

mod delimited;
mod jsonl;
mod parquet;

use super::source::SourceFile;
use crate::config::{TableFormat, TableSection};
use crate::error::UserError;
use crate::kernels::Split;
use anyhow::Result;

/// Hears of one row: its place, and the cells of the columns in the order in which they were asked
/// for. A cell that is null or absent is `None`.
type Hear<'h> = &'h mut dyn FnMut(u64, &[Option<&str>]) -> Result<(), UserError>;

/// The rows of one file that `where` keeps, in the order of the file.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) file: String,
    pub(super) format: TableFormat,
    pub(super) texts: Vec<String>,
    pub(super) labels: Vec<String>,
    /// Empty unless the section names the column; so for the next two.
    pub(super) groups: Vec<String>,
    pub(super) times: Vec<String>,
    pub(super) splits: Vec<Split>,
    /// For each row, its line in the file, or its row (from 0) in a Parquet file.
    pub(super) rows: Vec<u64>,
}

impl Table {
    fn new(file: String, format: TableFormat) -> Self {
        let (texts, labels, groups, times) = (vec![], vec![], vec![], vec![]);
        Self { file, format, texts, labels, groups, times, splits: vec![], rows: vec![] }
    }
}

/// How a row of this file is called in messages.
pub(super) fn place(file: &str, format: TableFormat, row: u64) -> String {
    match format {
        TableFormat::Parquet => format!("{file}, row {row} (from 0)"),
        _ => format!("{file}, line {row}"),
    }
}

/// Reads the examples.
pub(super) fn read(section: &TableSection, file: &SourceFile) -> Result<Table> {
    let named = [Some(&section.text), Some(&section.label)];
    let optional = [&section.group, &section.time, &section.split];
    let all = named.into_iter().chain(optional.into_iter().map(Option::as_ref));
    let used: Vec<&str> = all.flatten().map(String::as_str).collect();
    let filters: Vec<&str> = section.filter.keys().map(String::as_str).collect();
    let wanted: Vec<&str> = section.filter.values().map(String::as_str).collect();
    let columns = [&used[..], &filters[..]].concat();

    let format = known(section.format.or_else(|| TableFormat::of(&file.path)), file)?;
    let mut table = Table::new(file.name(), format);
    each_row(section, file, format, &columns, &mut |row, cells| {
        let (cells, compared) = cells.split_at(used.len());
        if compared.iter().zip(&wanted).any(|(cell, value)| *cell != Some(*value)) {
            return Ok(());
        }
        let place = || place(&file.name(), format, row);
        let mut cells = cells.iter().zip(&used);
        let mut next = || cells.next().map_or((None, ""), |(cell, column)| (*cell, *column));
        let (text, column) = next();
        table.texts.push(text.ok_or_else(|| absent(&place(), column))?.to_owned());
        table.labels.push(filled(next(), &place)?.to_owned());
        if section.group.is_some() {
            table.groups.push(filled(next(), &place)?.to_owned());
        }
        if section.time.is_some() {
            table.times.push(filled(next(), &place)?.to_owned());
        }
        if section.split.is_some() {
            table.splits.push(split(filled(next(), &place)?, &place())?);
        }
        table.rows.push(row);
        Ok(())
    })?;
    some_rows(table.texts.len(), section, file)?;
    Ok(table)
}

/// The text column alone, of every row: what a model is to judge has no label. Its file may have
/// another format than those of the study.
pub(super) fn read_texts(
    section: &TableSection,
    file: &SourceFile,
) -> Result<(Vec<String>, Vec<u64>)> {
    let (mut texts, mut rows) = (Vec::new(), Vec::new());
    let format = known(TableFormat::of(&file.path).or(section.format), file)?;
    each_row(section, file, format, &[&section.text], &mut |row, cells| {
        let place = || place(&file.name(), format, row);
        let text = cells[0].ok_or_else(|| absent(&place(), &section.text))?;
        texts.push(text.to_owned());
        rows.push(row);
        Ok(())
    })?;
    match texts.is_empty() {
        true => Err(no_rows(file).into()),
        false => Ok((texts, rows)),
    }
}

/// The names of the columns that hold single values, in the order of the file.
pub(super) fn names(file: &SourceFile, format: TableFormat) -> Result<Vec<String>> {
    match format {
        TableFormat::Csv => delimited::names(file, b','),
        TableFormat::Tsv => delimited::names(file, b'\t'),
        TableFormat::Jsonl => jsonl::names(file),
        TableFormat::Parquet => parquet::names(file),
    }
}

/// Tells of each row, whatever the format.
pub(super) fn each_row(
    section: &TableSection,
    file: &SourceFile,
    format: TableFormat,
    columns: &[&str],
    hear: Hear<'_>,
) -> Result<()> {
    match format {
        TableFormat::Csv => {
            let separator = section.separator.unwrap_or(',') as u8;
            delimited::each_row(file, separator, columns, hear)
        }
        TableFormat::Tsv => delimited::each_row(file, b'\t', columns, hear),
        TableFormat::Jsonl => jsonl::each_row(file, columns, hear),
        TableFormat::Parquet => parquet::each_row(file, columns, hear),
    }
}

fn known(format: Option<TableFormat>, file: &SourceFile) -> Result<TableFormat, UserError> {
    format.ok_or_else(|| {
        UserError::new(
            format!("the name {} does not tell the format of the table", file.name()),
            "let it end in .csv, .tsv, .jsonl or .parquet",
        )
    })
}

fn absent(place: &str, column: &str) -> UserError {
    UserError::new(
        format!("{place}: `{column}` is missing or null"),
        "fill it in, or remove the row",
    )
}

/// A cell that must say something.
fn filled<'c>(
    (cell, column): (Option<&'c str>, &str),
    place: &dyn Fn() -> String,
) -> Result<&'c str, UserError> {
    let cell = cell.ok_or_else(|| absent(&place(), column))?.trim();
    match cell.is_empty() {
        true => Err(UserError::new(
            format!("{}: `{column}` is empty", place()),
            "fill it in, or remove the row",
        )),
        false => Ok(cell),
    }
}

fn split(cell: &str, place: &str) -> Result<Split, UserError> {
    match cell {
        "train" | "training" => Ok(Split::Train),
        "validation" | "valid" | "val" | "dev" => Ok(Split::Validation),
        "test" => Ok(Split::Test),
        _ => Err(UserError::new(
            format!("{place}: `{cell}` is not a split"),
            "the split column holds `train`, `validation` (or `valid`, `val`, `dev`) or `test`",
        )),
    }
}

fn some_rows(count: usize, section: &TableSection, file: &SourceFile) -> Result<(), UserError> {
    match (count, section.filter.is_empty()) {
        (0, true) => Err(no_rows(file)),
        (0, false) => Err(UserError::new(
            format!("{}: no row is left after `where`", file.name()),
            "compare the values in `data.table.where` with those in the file",
        )),
        _ => Ok(()),
    }
}

pub(super) fn no_rows(file: &SourceFile) -> UserError {
    UserError::new(format!("{}: there are no rows", file.name()), EXPECTED)
}

const EXPECTED: &str = "a table has named columns and one example a row";

fn unknown_column(file: &SourceFile, column: &str, known: &[&str], advice: &str) -> UserError {
    let known: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    UserError::new(
        format!("{}: there is no column `{column}`", file.name()),
        format!("its columns are {}{advice}", known.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(filter: &[(&str, &str)]) -> TableSection {
        let filter = filter.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        TableSection { filter, ..TableSection::default() }
    }

    fn csv(section: &TableSection, text: &str) -> Result<Table> {
        read(section, &SourceFile::of("t.csv", text.as_bytes()))
    }

    const CSV: &str = "text,label,source\n\"a, b\nc\",1,x\nd,0,x\ne,1,y\n";

    #[test]
    fn quoted_texts_and_filters_are_read() {
        let table = csv(&section(&[("source", "x")]), CSV).unwrap();
        assert_eq!(table.texts, ["a, b\nc", "d"]);
        assert_eq!(table.labels, ["1", "0"]);
        assert_eq!(table.rows, [2, 4]);
    }

    #[test]
    fn what_is_missing_is_named_with_what_there_is() {
        let error = csv(&section(&[("sauce", "x")]), CSV).unwrap_err();
        assert_eq!(error.to_string(), "t.csv: there is no column `sauce`");
        let hint = error.downcast_ref::<UserError>().unwrap().hint.clone().unwrap();
        assert_eq!(hint, "its columns are `text`, `label`, `source`");
        let error = csv(&section(&[("source", "z")]), CSV).unwrap_err();
        assert!(error.to_string().contains("no row is left"));
        let error = csv(&section(&[]), "text,label\na,1\nb,\n").unwrap_err();
        assert_eq!(error.to_string(), "t.csv, line 3: `label` is empty");
    }

    #[test]
    fn groups_times_and_splits_are_read_where_they_are_named() {
        let text = "text,label,who,when,fold\na,1,ann,3,train\nb,0,bob,2,dev\nc,0,bob,1,fold 9\n";
        let mut section = section(&[]);
        section.group = Some("who".into());
        section.time = Some("when".into());
        section.split = Some("fold".into());
        let error = csv(&section, text).unwrap_err();
        assert_eq!(error.to_string(), "t.csv, line 4: `fold 9` is not a split");
        let table = csv(&section, &text.replace("fold 9", "test")).unwrap();
        assert_eq!(
            (table.groups.concat(), table.times.concat()),
            ("annbobbob".into(), "321".into())
        );
        assert_eq!(table.splits, [Split::Train, Split::Validation, Split::Test]);
    }

    #[test]
    fn the_same_rows_are_read_from_every_format() {
        let expected = csv(&section(&[("source", "x")]), CSV).unwrap();
        let jsonl = "{\"text\": \"a, b\\nc\", \"label\": 1, \"source\": \"x\"}\n\n\
                     {\"source\": \"x\", \"label\": 0, \"text\": \"d\", \"more\": [1]}\n\
                     {\"text\": \"e\", \"label\": 1, \"source\": null}\n";
        let tsv = "text\tlabel\tsource\n\"a, b\nc\"\t1\tx\nd\t0\tx\ne\t1\ty\n";
        let semicolons = "text;label;source\n\"a, b\nc\";1;x\nd;0;x\ne;1;y\n";
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, CSV.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let separated = TableSection { separator: Some(';'), ..section(&[("source", "x")]) };
        let files = [
            (section(&[("source", "x")]), SourceFile::of("t.jsonl", jsonl.as_bytes())),
            (section(&[("source", "x")]), SourceFile::of("t.tsv", tsv.as_bytes())),
            (section(&[("source", "x")]), SourceFile::of("t.csv.gz", &packed)),
            (separated, SourceFile::of("t.csv", semicolons.as_bytes())),
        ];
        for (section, file) in files {
            let table = read(&section, &file).unwrap();
            assert_eq!((&table.texts, &table.labels), (&expected.texts, &expected.labels));
        }
        let torn = SourceFile::of("t.csv.gz", &packed[..20]);
        let error = read(&section(&[]), &torn).unwrap_err();
        assert!(error.to_string().starts_with("cannot decompress t.csv.gz"), "{error}");
    }
}
