//! The examples of a source, whatever its kind, before they are split and numbered.

use super::account::Account;
use super::arrays::{self, Block};
use super::doubtful::Doubtful;
use super::labels::{self, Cells};
use super::moment;
use super::series::{self, Cut, Windows};
use super::source::{SourceFile, paths};
use super::spelling::AlikeGroups;
use super::split::Examples;
use super::table::{self, Table};
use crate::config::{ArraysSection, DataSection, TableFormat, TableSection};
use crate::kernels::Split;
use crate::spec::Task;
use anyhow::Result;

/// All examples: their sequences, and what else is known of them.
pub(super) struct Pool {
    pub(super) sequences: Raw,
    pub(super) examples: Examples,
    /// What the classes are called in the source; none where numbers are predicted.
    pub(super) classes: Vec<String>,
    pub(super) places: Places,
    /// What became of the lines and rows of each table.
    pub(super) accounts: Vec<Account>,
    /// Groups that are one but for their spelling.
    pub(super) alike_groups: Option<AlikeGroups>,
    /// Cells that may mean something else than they are read as.
    pub(super) doubtful: Vec<Doubtful>,
    /// What became of the rows of a series.
    pub(super) windows: Option<Windows>,
}

/// Sequences as the source has them.
pub(super) enum Raw {
    Texts(Vec<String>),
    /// Token ids, and V.
    Ids(Vec<Vec<i32>>, usize),
    Features(Block),
}

/// Where each example stands.
pub(super) struct Places {
    /// For each file: its name, its format, and the first example that is beyond it.
    files: Vec<(String, TableFormat, usize)>,
    rows: Vec<u64>,
}

impl Places {
    /// The place of an example, as a person finds it.
    pub(super) fn of(&self, example: usize) -> String {
        let file = self.files.iter().find(|(_, _, end)| example < *end);
        file.map_or(String::new(), |(name, format, _)| {
            table::place(name, *format, self.rows[example])
        })
    }
}

/// Reads the files of a section, which are those of [`paths`]. With `as_tokens`, arrays hold token
/// ids.
pub(super) fn read(
    section: &DataSection,
    files: &[SourceFile],
    as_tokens: bool,
    task: Task,
) -> Result<Pool> {
    if let Some(series) = &section.series {
        return Ok(of_series(series::read(series, &files[0], task)?, &files[0]));
    }
    match (&section.table, &section.arrays) {
        (Some(columns), _) => {
            let tables = files.iter().map(|file| table::read(columns, file));
            from_tables(columns, tables.collect::<Result<_>>()?, task)
        }
        (None, Some(names)) => from_arrays(names, files, as_tokens, task),
        (None, None) => unreachable!("config::rules asks for one source"),
    }
}

fn of_series(cut: Cut, file: &SourceFile) -> Pool {
    let Cut { block, examples, classes, account, format, windows, alike_groups, doubtful } = cut;
    let rows = examples.rows.clone();
    let places = Places { files: vec![(file.name(), format, rows.len())], rows };
    let (sequences, accounts) = (Raw::Features(block), vec![account]);
    let windows = Some(windows);
    Pool { sequences, examples, classes, places, accounts, alike_groups, doubtful, windows }
}

fn from_tables(section: &TableSection, tables: Vec<Table>, task: Task) -> Result<Pool> {
    let mut places = Places { files: Vec::new(), rows: Vec::new() };
    let (mut texts, mut values, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let (mut examples, mut accounts) = (Examples::default(), Vec::new());
    let by_file = [
        (Split::Train, &section.train),
        (Split::Validation, &section.validation),
        (Split::Test, &section.test),
    ];
    let mut named = by_file.into_iter().filter(|(_, file)| file.is_some());
    for table in tables {
        if let Some((split, _)) = named.next() {
            examples.given.extend(vec![split; table.texts.len()]);
        }
        places.rows.extend(table.rows);
        accounts.push(table.account);
        places.files.push((table.file, table.format, places.rows.len()));
        texts.extend(table.texts);
        values.extend(table.labels);
        times.extend(table.times);
        examples.groups.extend(table.groups);
        examples.given.extend(table.splits);
    }
    let place = |example: usize| places.of(example);
    let file = places.files.iter().map(|(name, _, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let column = format!("{file}: column `{}`", section.label);
    let cells = Cells { values: &values, column: &column, place: &place };
    let (labels, classes) = labels::read(cells, task, section.positive.as_deref())?;
    (examples.labels, examples.classes) = (labels, classes.len());
    examples.times = moment::parse(&times, &place)?;
    examples.rows.clone_from(&places.rows);
    let column = format!("{file}: column `{}`", section.text);
    let of_texts = Doubtful::texts(&column, texts.iter().map(String::as_str));
    let doubtful = labels::doubtful(cells, task).into_iter().chain(of_texts).collect();
    let (sequences, alike_groups) = (Raw::Texts(texts), AlikeGroups::of(&examples.groups));
    let windows = None;
    Ok(Pool { sequences, examples, classes, places, accounts, alike_groups, doubtful, windows })
}

fn from_arrays(
    section: &ArraysSection,
    files: &[SourceFile],
    as_tokens: bool,
    task: Task,
) -> Result<Pool> {
    let mut examples = Examples::default();
    let mut ids: Vec<Vec<i32>> = Vec::new();
    let mut block: Option<Block> = None;
    let arrays::Parts { parts, classes, doubtful } = arrays::read(section, files, as_tokens, task)?;
    examples.classes = classes.len();
    for part in parts {
        let n = part.labels.len();
        examples.labels.extend(part.labels);
        examples.groups.extend(part.groups);
        // Times are those of the training arrays, which alone are cut, and come first.
        examples.times.extend(part.times);
        examples.given.extend(vec![part.split; n]);
        examples.rows.extend(0..n as u64);
        match (part.sequences, &mut block) {
            (arrays::Sequences::Ids(rows), _) => ids.extend(rows),
            (arrays::Sequences::Features(more), Some(all)) => all.values.extend(more.values),
            (arrays::Sequences::Features(first), None) => block = Some(first),
        }
    }
    let sequences = match block {
        Some(block) => Raw::Features(block),
        None => {
            let largest = ids.iter().flatten().max().copied().unwrap_or(0) as usize;
            let vocabulary = section.vocabulary.map_or(largest + 1, |given| given as usize);
            Raw::Ids(ids, vocabulary)
        }
    };
    let (places, accounts) = (Places { files: Vec::new(), rows: Vec::new() }, Vec::new());
    let (alike_groups, windows) = (AlikeGroups::of(&examples.groups), None);
    Ok(Pool { sequences, examples, classes, places, accounts, alike_groups, doubtful, windows })
}

/// The files that a section names, read.
pub(super) fn files(section: &DataSection) -> Result<Vec<SourceFile>> {
    paths(section).into_iter().map(|path| Ok(SourceFile::read(path)?)).collect()
}
