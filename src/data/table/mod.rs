//! Tables of any format: each reader gives the cells of the columns that are asked for as text, row
//! by row, with the place of the row as a person finds it.

mod decode;
mod delimited;
mod jsonl;
mod parquet;
mod settle;

pub use decode::text_lines;
pub(super) use delimited::is_stray_quote;
pub(super) use settle::{keeps_cells_with_blanks, settle};

use super::account::{Account, LeftOut};
use super::source::SourceFile;
use super::spelling;
use crate::config::{TableFormat, TableSection};
use crate::error::UserError;
use crate::format::{count, first_few};
use crate::kernels::Split;
use anyhow::Result;
use delimited::Dialect;
use std::collections::BTreeMap;

/// Hears of one row: its place, and the cells of the columns in the order in which they were asked
/// for. A cell that is null or absent is `None`.
type OnRow<'h> = &'h mut dyn FnMut(u64, &[Option<&str>]) -> Result<(), UserError>;

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
    /// What became of all lines and rows.
    pub(super) account: Account,
}

impl Table {
    fn new(file: String, format: TableFormat) -> Self {
        let (texts, labels, groups, times) = (vec![], vec![], vec![], vec![]);
        let account = Account::default();
        Self { file, format, texts, labels, groups, times, splits: vec![], rows: vec![], account }
    }
}

/// How a row of this file is called in messages.
pub(super) fn place(file: &str, format: TableFormat, row: u64) -> String {
    match format {
        TableFormat::Parquet => format!("{file}, row {row} (from 0)"),
        _ => format!("{file}, line {row}"),
    }
}

/// Rows that `where` leaves out for the spelling of a cell: by the number of its column, and the cell.
type Spelled = BTreeMap<(usize, String), u64>;

/// Reads the examples.
pub(super) fn read(section: &TableSection, file: &SourceFile) -> Result<Table> {
    let named = [Some(&section.text), Some(&section.label)];
    let optional = [&section.group, &section.time, &section.split];
    let all = named.into_iter().chain(optional.into_iter().map(Option::as_ref));
    let used: Vec<&str> = all.flatten().map(String::as_str).collect();
    let filters: Vec<&str> = section.filter.keys().map(String::as_str).collect();
    let wanted: Vec<&str> = section.filter.values().map(|value| value.trim()).collect();
    let keys: Vec<String> = wanted.iter().map(|value| spelling::key(value)).collect();
    let columns = [&used[..], &filters[..]].concat();

    let format = known(section.format.or_else(|| TableFormat::of(&file.path)), file)?;
    let mut table = Table::new(file.name(), format);
    let (mut filtered, mut spelled) = (0, Spelled::new());
    let account = each_row(section, file, format, &columns, &mut |row, cells| {
        let (cells, compared) = cells.split_at(used.len());
        if compared.iter().zip(&wanted).any(|(cell, value)| cell.map(str::trim) != Some(*value)) {
            filtered += 1;
            if let Some(at) = settle::is_left_out_for_spelling(compared, &wanted, &keys) {
                let cell = compared[at].unwrap_or_default().trim();
                *spelled.entry((at, cell.to_owned())).or_default() += 1;
            }
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
    if table.texts.is_empty() {
        return Err(match section.filter.is_empty() {
            true => no_rows(file).into(),
            false => settle::none_left(section, file, format)?.into(),
        });
    }
    let spelled = spelled.into_iter().map(|((at, cell), rows)| LeftOut {
        column: filters[at].to_owned(),
        value: wanted[at].to_owned(),
        cell,
        rows,
    });
    table.account = Account { filtered, spelled: spelled.collect(), ..account };
    Ok(table)
}

/// For each of some columns, the cell of each row; `None` where there is no value.
pub(super) type Kept = Vec<Vec<Option<String>>>;

/// Texts without labels.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) texts: Vec<String>,
    /// The line or row of each.
    pub(super) rows: Vec<u64>,
    /// For each of the columns to keep, its cells.
    pub(super) kept: Kept,
    pub(super) account: Account,
}

/// The text column of every row, and the columns to keep beside it: what a model is to judge has no
/// label. Its file may have another format than those of the study.
pub(super) fn read_texts(
    section: &TableSection,
    file: &SourceFile,
    keep: &[String],
) -> Result<Texts> {
    let format = known(TableFormat::of(&file.path).or(section.format), file)?;
    let mut found = Texts { kept: vec![Vec::new(); keep.len()], ..Texts::default() };
    let kept = keep.iter().map(String::as_str);
    let columns: Vec<&str> = [section.text.as_str()].into_iter().chain(kept).collect();
    let account = each_row(section, file, format, &columns, &mut |row, cells| {
        let place = || place(&file.name(), format, row);
        let text = cells[0].ok_or_else(|| absent(&place(), &section.text))?;
        found.texts.push(text.to_owned());
        found.rows.push(row);
        for (kept, cell) in found.kept.iter_mut().zip(&cells[1..]) {
            kept.push(cell.map(str::to_owned));
        }
        Ok(())
    })?;
    found.account = account;
    match found.texts.is_empty() {
        true => Err(no_rows(file).into()),
        false => Ok(found),
    }
}

/// The names of the columns that hold single values, in the order of the file.
pub(super) fn names(
    section: &TableSection,
    file: &SourceFile,
    format: TableFormat,
) -> Result<Vec<String>> {
    match dialect(section, format) {
        Some(dialect) => delimited::names(file, dialect),
        None if format == TableFormat::Jsonl => jsonl::names(file),
        None => parquet::names(file),
    }
}

/// Tells of each row, whatever the format.
pub(super) fn each_row(
    section: &TableSection,
    file: &SourceFile,
    format: TableFormat,
    columns: &[&str],
    on_row: OnRow<'_>,
) -> Result<Account> {
    match dialect(section, format) {
        Some(dialect) => delimited::each_row(file, dialect, columns, on_row),
        None if format == TableFormat::Jsonl => jsonl::each_row(file, columns, on_row),
        None => parquet::each_row(file, columns, on_row),
    }
}

/// How a CSV or TSV file is written.
fn dialect(section: &TableSection, format: TableFormat) -> Option<Dialect> {
    let (separator, is_tsv) = match format {
        TableFormat::Csv => (section.separator.unwrap_or(',') as u8, false),
        TableFormat::Tsv => (b'\t', true),
        TableFormat::Jsonl | TableFormat::Parquet => return None,
    };
    Some(Dialect { separator, quotes: section.quotes, is_tsv })
}

/// Whether the quotes of a file are found to be text, though the section does not say so.
pub(super) fn finds_text_in_quotes(section: &TableSection, file: &SourceFile) -> Result<bool> {
    let format = section.format.or_else(|| TableFormat::of(&file.path));
    match format.and_then(|format| dialect(section, format)) {
        Some(dialect) => delimited::finds_text_in_quotes(file, dialect),
        None => Ok(false),
    }
}

pub(super) fn known(
    format: Option<TableFormat>,
    file: &SourceFile,
) -> Result<TableFormat, UserError> {
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
pub(super) fn filled<'c>(
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

/// Whether a cell says which split its row belongs to.
pub(super) fn is_split(cell: &str) -> bool {
    split(cell.trim(), "").is_ok()
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

pub(super) fn no_rows(file: &SourceFile) -> UserError {
    UserError::new(format!("{}: there are no rows", file.name()), EXPECTED)
}

const EXPECTED: &str = "a table has named columns and one example a row";

/// So many columns a table may have: far more than any table of texts.
const MOST_COLUMNS: usize = 100_000;

fn too_many_columns(file: &SourceFile, columns: usize) -> Result<(), UserError> {
    match columns > MOST_COLUMNS {
        false => Ok(()),
        true => Err(UserError::new(
            format!(
                "{} has {} columns, and a table has at most {}",
                file.name(),
                count(columns as u64),
                count(MOST_COLUMNS as u64)
            ),
            EXPECTED,
        )),
    }
}

/// A column that is asked for and stands at several places, counted from 0.
fn doubled_column(file: &SourceFile, column: &str, places: &[usize]) -> UserError {
    let (first, second) = (places[0] + 1, places[1] + 1);
    UserError::new(
        format!(
            "{}: the column `{column}` stands twice, as columns {first} and {second}",
            file.name()
        ),
        "rename one of them, or take it out: which one is meant cannot be told",
    )
}

fn unknown_column(file: &SourceFile, column: &str, known: &[&str], advice: &str) -> UserError {
    const SHOWN: usize = 30;
    let alike = known.iter().find(|known| is_alike(known, column));
    let alike = alike.map_or(String::new(), |known| format!("; `{known}` is almost it"));
    let names: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    UserError::new(
        format!("{}: there is no column `{column}`", file.name()),
        format!("its columns are {}{alike}{advice}", first_few(&names, SHOWN)),
    )
}

/// Whether two values differ by blanks around them or by capital letters alone.
pub(super) fn is_alike(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
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
