//! Sequences in numpy's arrays: floats `[N, T, F]`, or token ids `[N, T]` as integers.

mod array;

use super::moment::{self, Moment};
use super::source::SourceFile;
use crate::config::ArraysSection;
use crate::error::UserError;
use crate::kernels::Split;
use anyhow::Result;
use array::{Archive, Array, Numbers};

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

/// Reads the splits that the section names; `files` are those of [`super::source::paths`]. With
/// `as_tokens`, sequences are token ids.
pub(super) fn read(
    section: &ArraysSection,
    files: &[SourceFile],
    as_tokens: bool,
) -> Result<Vec<Part>> {
    let mut archive = match section.path {
        Some(_) => Archive::npz(&files[0])?,
        None => Archive::npy(files),
    };
    let named = [
        (Split::Train, Some(&section.x_train), Some(&section.y_train), &section.groups_train),
        (Split::Validation, section.x_val.as_ref(), section.y_val.as_ref(), &section.groups_val),
        (Split::Test, section.x_test.as_ref(), section.y_test.as_ref(), &section.groups_test),
    ];
    let mut parts: Vec<Part> = Vec::new();
    for (split, x, y, groups) in named {
        let (Some(x), Some(y)) = (x, y) else { continue };
        let array = archive.read(x)?;
        let name = array.name.clone();
        let sequences = sequences(array, as_tokens, section.vocabulary)?;
        let labels = labels(archive.read(y)?, &name, sequences.len())?;
        let groups = match groups {
            Some(groups) => texts(archive.read(groups)?, &name, sequences.len())?,
            None => Vec::new(),
        };
        let times = match (&section.times_train, split) {
            (Some(times), Split::Train) => {
                let array = archive.read(times)?;
                let place = array.name.clone();
                let times = texts(array, &name, sequences.len())?;
                moment::parse(&times, &|row| format!("{place}, row {row} (from 0)"))?
            }
            _ => Vec::new(),
        };
        if let Some(first) = parts.first() {
            same_width(&first.name, &first.sequences, &name, &sequences)?;
        }
        parts.push(Part { split, name, sequences, labels, groups, times });
    }
    Ok(parts)
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
    let Array { name, dims, numbers } = array;
    if dims.contains(&0) {
        return Err(UserError::new(format!("{name} is empty: {dims:?}"), "fill it").into());
    }
    let kind = match &numbers {
        Numbers::Floats(_) => "floats",
        Numbers::Ints(_) => "integers",
        Numbers::Texts(_) => "texts",
    };
    match (&dims[..], numbers, as_tokens) {
        ([_, steps], Numbers::Ints(ids), true) => {
            Ok(Sequences::Ids(checked_ids(&name, &ids, *steps, vocabulary)?))
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
            let (steps, features) = (*steps, *features);
            finite(&name, &values, steps, features)?;
            Ok(Sequences::Features(Block { values, steps, features }))
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

fn checked_ids(
    name: &str,
    ids: &[i64],
    steps: usize,
    vocabulary: Option<u32>,
) -> Result<Vec<Vec<i32>>, UserError> {
    // The last id that fits is one below V, and V must fit too.
    let end = vocabulary.map_or(i64::from(i32::MAX), i64::from);
    if let Some(at) = ids.iter().position(|id| !(0..end).contains(id)) {
        let place = format!("row {}, step {} (from 0)", at / steps, at % steps);
        return Err(match ids[at] < 0 {
            true => UserError::new(
                format!("{name} holds the token id {} in {place}", ids[at]),
                "token ids count from 0, which is padding",
            ),
            false => UserError::new(
                format!("{name} holds the token id {} in {place}, beyond the vocabulary", ids[at]),
                format!("ids are below {end}; raise `data.arrays.vocabulary`, or leave it out"),
            ),
        });
    }
    Ok(ids.chunks(steps).map(|row| row.iter().map(|id| *id as i32).collect()).collect())
}

fn one_a_row(array: &Array, x: &str, n: usize) -> Result<(), UserError> {
    match array.dims[..] == [n] || array.dims[..] == [n, 1] {
        true => Ok(()),
        false => Err(UserError::new(
            format!("{x} has {n} rows and {} has the shape {:?}", array.name, array.dims),
            "it needs one value a row: the shape [examples] or [examples, 1]",
        )),
    }
}

fn labels(array: Array, x: &str, n: usize) -> Result<Vec<f32>, UserError> {
    one_a_row(&array, x, n)?;
    let wrong = |row: usize, value: String| {
        UserError::new(
            format!("{} holds {value} in row {row} (from 0)", array.name),
            "labels are 0 and 1",
        )
    };
    let check = |(row, label): (usize, f32)| match [0.0, 1.0].contains(&label) {
        true => Ok(label),
        false => Err(wrong(row, label.to_string())),
    };
    match &array.numbers {
        Numbers::Floats(values) => values.iter().copied().enumerate().map(check).collect(),
        Numbers::Ints(values) => {
            let values = values.iter().map(|value| *value as f32);
            values.enumerate().map(check).collect()
        }
        Numbers::Texts(values) => Err(wrong(0, format!("`{}`", values[0]))),
    }
}

/// Groups or times as text.
fn texts(array: Array, x: &str, n: usize) -> Result<Vec<String>, UserError> {
    one_a_row(&array, x, n)?;
    Ok(match array.numbers {
        Numbers::Texts(values) => values,
        Numbers::Ints(values) => values.iter().map(i64::to_string).collect(),
        Numbers::Floats(values) => values.iter().map(f32::to_string).collect(),
    })
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
        Array { name: "a.npz: `X`".into(), dims: dims.to_vec(), numbers }
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
    fn labels_are_one_a_row_and_0_or_1() {
        let read = |dims: &[usize], numbers| {
            let array = Array { name: "`y`".into(), dims: dims.to_vec(), numbers };
            labels(array, "`X`", 2)
        };
        assert_eq!(read(&[2, 1], Numbers::Ints(vec![1, 0])).unwrap(), [1.0, 0.0]);
        let error = read(&[3], Numbers::Ints(vec![1, 0, 1])).unwrap_err();
        assert_eq!(error.message, "`X` has 2 rows and `y` has the shape [3]");
        let error = read(&[2], Numbers::Floats(vec![1.0, f32::NAN])).unwrap_err();
        assert_eq!(error.message, "`y` holds NaN in row 1 (from 0)");
        assert!(read(&[2], Numbers::Texts(vec!["yes".into(), "no".into()])).is_err());
    }
}
