//! Sequences in numpy's arrays: floats `[N, T, F]`, or token ids `[N, T]` as integers.

mod array;
mod fit;
mod header;
mod labels;
mod one_hot;
mod rows;

use super::doubtful::Doubtful;
use super::found::Found;
use super::moment::Moment;
use super::source::SourceFile;
use crate::config::ArraysSection;
use crate::error::UserError;
use crate::kernels::Split;
use crate::spec::Task;
use anyhow::Result;
pub(super) use array::Outline;
use array::{Archive, Array, Numbers};
pub(super) use labels::Look as LabelsLook;
use rows::{groups_of, one_a_row, times_of};

/// Float sequences `[N, T, F]`, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) values: Vec<f32>,
    pub(super) steps: usize,
    pub(super) features: usize,
}

impl Block {
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.size()
    }

    fn size(&self) -> usize {
        (self.steps * self.features).max(1)
    }

    /// The values of one row.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.size()..(row + 1) * self.size()]
    }

    /// These rows, in this order.
    pub(super) fn select(&self, rows: &[u32]) -> Self {
        let values = rows.iter().flat_map(|row| self.row(*row as usize)).copied().collect();
        Self { values, ..*self }
    }
}

/// The sequences of one array.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sequences {
    Features(Block),
    /// Rows of ids of one length, none negative.
    Ids(Vec<Vec<i32>>),
}

impl Sequences {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Features(block) => block.len(),
            Self::Ids(rows) => rows.len(),
        }
    }
}

/// The arrays of one split.
pub(super) struct Part {
    pub(super) split: Split,
    /// How messages call the sequences.
    pub(super) name: String,
    pub(super) sequences: Sequences,
    pub(super) labels: Vec<f32>,
    /// Empty unless the section names them; so for the times.
    pub(super) groups: Vec<String>,
    pub(super) times: Vec<Moment>,
}

/// The arrays of all splits.
pub(super) struct Parts {
    pub(super) parts: Vec<Part>,
    /// What the classes are called; none where numbers are predicted.
    pub(super) classes: Vec<String>,
    /// Labels that may mean something else.
    pub(super) doubtful: Vec<Doubtful>,
}

/// Reads the splits that the section names; `files` are those of [`super::source::paths`]. With
/// `as_tokens`, sequences are token ids.
pub(super) fn read(
    section: &ArraysSection,
    files: &[SourceFile],
    as_tokens: bool,
    task: Task,
) -> Result<Parts> {
    let mut archive = match section.path {
        Some(_) => Archive::npz(&files[0])?,
        None => Archive::npy(files),
    };
    let named = [
        (Split::Train, Some(&section.x_train), Some(&section.y_train), &section.groups_train),
        (Split::Validation, section.x_val.as_ref(), section.y_val.as_ref(), &section.groups_val),
        (Split::Test, section.x_test.as_ref(), section.y_test.as_ref(), &section.groups_test),
    ];
    let (mut parts, mut labels): (Vec<Part>, Vec<Array>) = (Vec::new(), Vec::new());
    for (split, x, y, groups) in named {
        let (Some(x), Some(y)) = (x, y) else { continue };
        let array = archive.read(x)?;
        let name = array.name.clone();
        // A short split may lie so close together that its own values say nothing of it.
        let coarse = array.computable().err().filter(|_| split == Split::Train);
        let sequences = sequences(array, as_tokens, section.vocabulary)?;
        coarse.map_or(Ok(()), Err)?;
        let y = archive.read(y)?;
        fit_rows(&y, &name, sequences.len(), task == Task::Multiclass)?;
        y.intact()?;
        // Whole numbers that are classes are compared with all their digits.
        if task == Task::Regression || matches!(y.numbers, Numbers::Floats(_)) {
            y.computable()?;
        }
        labels.push(y);
        let groups = match groups {
            Some(groups) => groups_of(archive.read(groups)?, &name, sequences.len())?,
            None => Vec::new(),
        };
        let times = match (&section.times_train, split) {
            (Some(times), Split::Train) => times_of(archive.read(times)?, &name, sequences.len())?,
            _ => Vec::new(),
        };
        if let Some(first) = parts.first() {
            same_width(&first.name, &first.sequences, &name, &sequences)?;
        }
        parts.push(Part { split, name, sequences, labels: Vec::new(), groups, times });
    }
    let doubtful = labels.iter().filter_map(|array| match &array.numbers {
        Numbers::Texts(values) => Doubtful::classes(&array.name, values.iter().map(String::as_str)),
        _ => None,
    });
    let doubtful = doubtful.collect();
    let (labels, classes) = labels::read(labels, task, section.positive.as_deref())?;
    for (part, labels) in parts.iter_mut().zip(labels) {
        part.labels = labels;
    }
    Ok(Parts { parts, classes, doubtful })
}

/// Arrays in the section's npz file that it does not name: they are not read.
pub(super) fn unnamed(section: &ArraysSection, files: &[SourceFile]) -> Result<Vec<String>> {
    if section.path.is_none() {
        return Ok(Vec::new());
    }
    let named: Vec<&String> = section.names().collect();
    let mut names = Archive::npz(&files[0])?.names();
    names.retain(|name| !named.contains(&name));
    Ok(names)
}

/// Arrays of a file of which nothing is known yet that are looked at.
const MOST_ARRAYS: usize = 1000;

/// What the header of each array in an npz file says; `Err` for one that cannot be read.
pub(super) fn outlines(file: &SourceFile) -> Result<Vec<(String, Result<Outline>)>> {
    let mut archive = Archive::npz(file)?;
    let names = archive.names().into_iter().take(MOST_ARRAYS);
    Ok(names.map(|name| (name.clone(), archive.outline(&name))).collect())
}

/// The sequences of one array of an npz file, and what its labels are.
pub(super) fn labelled(
    file: &SourceFile,
    x: &str,
    y: &str,
    as_tokens: bool,
) -> Result<(Sequences, LabelsLook)> {
    let mut archive = Archive::npz(file)?;
    let array = archive.read(x)?;
    let name = array.name.clone();
    let coarse = array.computable();
    let sequences = sequences(array, as_tokens, None)?;
    coarse?;
    let y = archive.read(y)?;
    fit_rows(&y, &name, sequences.len(), true)?;
    y.intact()?;
    let coarse = y.computable();
    let look = labels::look(y)?;
    if matches!(look.found, Found::Numbers { .. }) {
        coarse?;
    }
    Ok((sequences, look))
}

/// The sequences of a file without labels: of an npz file the array called as the study's training
/// sequences, or the only one; an npy file holds one.
pub(super) fn read_inputs(
    section: &ArraysSection,
    file: SourceFile,
    as_tokens: bool,
    vocabulary: Option<u32>,
) -> Result<Sequences> {
    let npy = file.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
    let files = [file];
    let array = if npy {
        Archive::npy(&files).read(&files[0].name())?
    } else {
        let mut archive = Archive::npz(&files[0])?;
        let names = archive.names();
        let name = match &names[..] {
            [only] => only,
            _ => &section.x_train,
        };
        archive.read(name)?
    };
    sequences(array, as_tokens, vocabulary)
}

fn sequences(array: Array, as_tokens: bool, vocabulary: Option<u32>) -> Result<Sequences> {
    // A value that cannot be says more than a checksum does, so it is told first.
    checked(&array, as_tokens, vocabulary)?;
    array.intact()?;
    let Array { name, dims, numbers, .. } = array;
    let kind = numbers.kind();
    match (&dims[..], numbers, as_tokens) {
        ([_, steps], Numbers::Ints(ids), true) => {
            let row = |row: &[i64]| row.iter().map(|id| *id as i32).collect();
            Ok(Sequences::Ids(ids.chunks(*steps).map(row).collect()))
        }
        (_, _, true) => Err(UserError::new(
            format!(
                "{name} holds {kind} of the shape {dims:?}, and `model.embedding` takes token ids: \
                 integers of the shape [examples, time steps]"
            ),
            "remove `model.embedding` if these are features; save token ids as integers: \
             `x.astype(numpy.int32)`",
        )
        .into()),
        ([_, steps, features], Numbers::Floats(values), false) => {
            Ok(Sequences::Features(Block { values, steps: *steps, features: *features }))
        }
        ([_, steps, features], Numbers::Ints(values), false) => {
            let values = values.into_iter().map(|value| value as f32).collect();
            Ok(Sequences::Features(Block { values, steps: *steps, features: *features }))
        }
        ([_, _], Numbers::Ints(_), false) => Err(UserError::new(
            format!("{name} holds token ids, integers of the shape {dims:?}"),
            "add `model: { embedding: { dim: 64 } }`, which turns ids into vectors; if these are \
             values, give them a third axis: `x[..., None]`",
        )
        .into()),
        _ => Err(UserError::new(
            format!("{name} holds {kind} of the shape {dims:?}"),
            "sequences have three axes: [examples, time steps, features]; a series of single \
             values is `x[..., None]`",
        )
        .into()),
    }
}

/// Refuses values that cannot be, and says where they are.
fn checked(array: &Array, as_tokens: bool, vocabulary: Option<u32>) -> Result<(), UserError> {
    let Array { name, dims, numbers, .. } = array;
    if dims.contains(&0) {
        return Err(UserError::new(format!("{name} is empty: {dims:?}"), "fill it"));
    }
    match (&dims[..], numbers, as_tokens) {
        ([_, steps], Numbers::Ints(ids), true) => check_ids(name, ids, *steps, vocabulary),
        ([_, steps, features], Numbers::Floats(values), false) => {
            finite(name, values, *steps, *features)
        }
        _ => Ok(()),
    }
}

fn finite(name: &str, values: &[f32], steps: usize, features: usize) -> Result<(), UserError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let (row, step) = (at / (steps * features), at / features % steps);
            Err(UserError::new(
                format!("{name} holds {} in row {row}, step {step} (from 0)", values[at]),
                "replace or remove values that are not finite",
            ))
        }
    }
}

/// Without `vocabulary`, V is one more than the largest id: each id up to it gets a vector. Ids beyond
/// this are taken for damage, unless there are as many tokens.
const PLAIN_IDS: usize = 1 << 20;

fn check_ids(
    name: &str,
    ids: &[i64],
    steps: usize,
    vocabulary: Option<u32>,
) -> Result<(), UserError> {
    // The last id that fits is one below V, and V must fit too.
    let most = PLAIN_IDS.max(ids.len()).min(i32::MAX as usize);
    let end = vocabulary.map_or(most as i64, i64::from);
    let Some(at) = ids.iter().position(|id| !(0..end).contains(id)) else { return Ok(()) };
    let said = format!(
        "{name} holds the token id {} in row {}, step {} (from 0)",
        ids[at],
        at / steps,
        at % steps
    );
    Err(match (ids[at] < 0, vocabulary) {
        (true, _) => UserError::new(said, "token ids count from 0, which is padding"),
        (false, Some(_)) => UserError::new(
            format!("{said}, beyond the vocabulary"),
            format!(
                "ids are below {end}, and a trained model has vectors for these alone; for a new study raise \
                 `data.arrays.vocabulary`, or leave it out"
            ),
        ),
        (false, None) => UserError::new(
            format!(
                "{said}, beyond the vocabulary that {} tokens can have: ids are below {most} unless \
                 `data.arrays.vocabulary` says otherwise",
                ids.len()
            ),
            "every id up to the largest one gets a vector of its own: number the tokens from 0 on \
             without gaps, or set `data.arrays.vocabulary` to one more than the largest id",
        ),
    })
}

/// Labels have a value a row; those of several classes may have a column a class.
fn fit_rows(array: &Array, x: &str, n: usize, columns: bool) -> Result<(), UserError> {
    match array.dims[..] {
        [rows, classes] if columns && rows == n && classes > 1 => Ok(()),
        _ => one_a_row(array, x, n),
    }
}

fn same_width(a: &str, first: &Sequences, b: &str, other: &Sequences) -> Result<(), UserError> {
    let shape = |sequences: &Sequences| match sequences {
        Sequences::Features(block) => vec![block.steps, block.features],
        Sequences::Ids(rows) => vec![rows[0].len()],
    };
    match shape(first) == shape(other) {
        true => Ok(()),
        false => Err(UserError::new(
            format!("{a} has rows of the shape {:?} and {b} of {:?}", shape(first), shape(other)),
            "all splits need the same number of time steps and features",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(dims: &[usize], numbers: Numbers) -> Array {
        Array::of("a.npz: `X`", dims, numbers)
    }

    fn refusal(dims: &[usize], numbers: Numbers, tokens: bool, vocabulary: Option<u32>) -> String {
        sequences(array(dims, numbers), tokens, vocabulary).unwrap_err().to_string()
    }

    #[test]
    fn rows_are_selected_in_the_order_asked_for() {
        let block = Block { values: vec![1.0, 2.0, 3.0, 4.0], steps: 2, features: 1 };
        assert_eq!(block.select(&[1, 0]).values, [3.0, 4.0, 1.0, 2.0]);
    }

    #[test]
    fn integers_are_tokens_for_an_embedding_and_values_without_one() {
        let ints = || Numbers::Ints(vec![0, 7, 3, 0]);
        let read = sequences(array(&[2, 2], ints()), true, None).unwrap();
        assert_eq!(read, Sequences::Ids(vec![vec![0, 7], vec![3, 0]]));
        let read = sequences(array(&[2, 2, 1], ints()), false, None).unwrap();
        let Sequences::Features(block) = read else { panic!("values") };
        assert_eq!(block.values, [0.0, 7.0, 3.0, 0.0]);
        assert!(refusal(&[2, 2], ints(), false, None).contains("holds token ids"));
        assert!(refusal(&[2, 2, 1], ints(), true, None).contains("`model.embedding` takes"));
        let floats = || Numbers::Floats(vec![0.0; 4]);
        assert!(refusal(&[2, 2], floats(), true, None).contains("holds floats"));
        assert!(refusal(&[2, 2], floats(), false, None).contains("holds floats of the shape"));
    }

    #[test]
    fn values_that_cannot_be_are_named_by_row_and_step() {
        let mut values = vec![0.0; 12];
        values[9] = f32::NAN;
        assert_eq!(
            refusal(&[2, 3, 2], Numbers::Floats(values), false, None),
            "a.npz: `X` holds NaN in row 1, step 1 (from 0)"
        );
        assert_eq!(
            refusal(&[2, 2], Numbers::Ints(vec![1, 2, 3, -4]), true, None),
            "a.npz: `X` holds the token id -4 in row 1, step 1 (from 0)"
        );
        let beyond = refusal(&[2, 2], Numbers::Ints(vec![1, 2, 9, 4]), true, Some(9));
        assert!(beyond.contains("id 9 in row 1, step 0 (from 0), beyond the vocabulary"));
        let huge = refusal(&[1, 1], Numbers::Ints(vec![i64::MAX]), true, None);
        assert!(huge.contains("beyond the vocabulary"));
    }

    #[test]
    fn an_id_that_asks_for_an_absurd_vocabulary_is_named_and_the_rule_with_it() {
        let mut ids = vec![5; 12];
        ids[7] = 499_999_999;
        let said = refusal(&[4, 3], Numbers::Ints(ids.clone()), true, None);
        assert_eq!(
            said,
            "a.npz: `X` holds the token id 499999999 in row 2, step 1 (from 0), beyond the vocabulary \
             that 12 tokens can have: ids are below 1048576 unless `data.arrays.vocabulary` says \
             otherwise"
        );
        let wide = sequences(array(&[4, 3], Numbers::Ints(ids)), true, Some(500_000_000));
        assert!(wide.is_ok(), "whoever says so means it");
    }
}
