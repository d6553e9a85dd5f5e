//! Arrays of floats in an npz file, as `numpy.savez` writes them: `X_train [N, T, F]`, `y_train
//! [N]`.

use crate::config::ArraysSection;
use crate::error::UserError;
use anyhow::{Context, Result};
use npyz::npz::NpzArchive;
use npyz::{DType, TypeChar};
use std::io::Cursor;
use std::path::Path;

/// Sequences `[N, T, F]` with their labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) values: Vec<f32>,
    pub(super) steps: usize,
    pub(super) features: usize,
    pub(super) labels: Vec<f32>,
}

impl Block {
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The values of one row.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        let size = self.steps * self.features;
        &self.values[row * size..(row + 1) * size]
    }

    /// These rows, in this order.
    pub(super) fn select(&self, rows: &[u32]) -> Self {
        Self {
            values: rows.iter().flat_map(|row| self.row(*row as usize)).copied().collect(),
            labels: rows.iter().map(|row| self.labels[*row as usize]).collect(),
            ..*self
        }
    }
}

/// The splits that the file has.
pub(super) struct Arrays {
    pub(super) train: Block,
    pub(super) validation: Option<Block>,
    pub(super) test: Option<Block>,
}

type Archive<'b> = NpzArchive<Cursor<&'b [u8]>>;

pub(super) fn read(section: &ArraysSection, bytes: &[u8]) -> Result<Arrays> {
    let file = section.path.display().to_string();
    let mut archive = NpzArchive::new(Cursor::new(bytes))
        .with_context(|| format!("{file} is not an npz file, as numpy.savez writes it"))?;
    let train = block(&mut archive, &file, &section.x_train, &section.y_train)?;
    let mut optional = |x: &Option<String>, y: &Option<String>| -> Result<Option<Block>> {
        match (x, y) {
            (Some(x), Some(y)) => {
                let found = block(&mut archive, &file, x, y)?;
                same_width(&file, &section.x_train, &train, x, &found)?;
                Ok(Some(found))
            }
            _ => Ok(None),
        }
    };
    let validation = optional(&section.x_val, &section.y_val)?;
    let test = optional(&section.x_test, &section.y_test)?;
    Ok(Arrays { train, validation, test })
}

/// The sequences of an npz file without labels: those called as the study's training sequences, or
/// the only array.
pub(super) fn read_inputs(
    path: &Path,
    section: &ArraysSection,
    bytes: &[u8],
) -> Result<(Vec<f32>, usize, usize)> {
    let file = path.display().to_string();
    let mut archive = NpzArchive::new(Cursor::new(bytes))
        .with_context(|| format!("{file} is not an npz file, as numpy.savez writes it"))?;
    let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
    let name = match &names[..] {
        [only] => only,
        _ => &section.x_train,
    };
    sequences(&mut archive, &file, name)
}

fn same_width(file: &str, x: &str, a: &Block, other: &str, b: &Block) -> Result<(), UserError> {
    match (a.steps, a.features) == (b.steps, b.features) {
        true => Ok(()),
        false => Err(UserError::new(
            format!(
                "{file}: `{x}` has rows of {} x {} and `{other}` of {} x {}",
                a.steps, a.features, b.steps, b.features
            ),
            "all splits need the same number of time steps and features",
        )),
    }
}

fn sequences(archive: &mut Archive<'_>, file: &str, x: &str) -> Result<(Vec<f32>, usize, usize)> {
    let (dims, values) = floats(archive, file, x)?;
    let [n, steps, features] = dims[..] else {
        return Err(UserError::new(
            format!("{file}: `{x}` has the shape {dims:?}"),
            "sequences have three axes: [examples, time steps, features]",
        )
        .into());
    };
    let size = steps * features;
    if n == 0 || size == 0 {
        return Err(UserError::new(format!("{file}: `{x}` is empty: {dims:?}"), "fill it").into());
    }
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(UserError::new(
            format!("{file}: `{x}` holds {} in row {}", values[at], at / size),
            "replace or remove values that are not finite",
        )
        .into());
    }
    Ok((values, steps, features))
}

fn block(archive: &mut Archive<'_>, file: &str, x: &str, y: &str) -> Result<Block> {
    let (values, steps, features) = sequences(archive, file, x)?;
    let n = values.len() / (steps * features);
    let (label_dims, labels) = floats(archive, file, y)?;
    if labels.len() != n || label_dims.first() != Some(&n) {
        return Err(UserError::new(
            format!("{file}: `{x}` has {n} rows and `{y}` has the shape {label_dims:?}"),
            "labels have the shape [examples] or [examples, 1]",
        )
        .into());
    }
    if let Some(row) = labels.iter().position(|label| ![0.0, 1.0].contains(label)) {
        return Err(UserError::new(
            format!("{file}: `{y}` holds {} in row {row}", labels[row]),
            "labels are 0 and 1",
        )
        .into());
    }
    Ok(Block { values, steps, features, labels })
}

/// One array in row-major order, whatever its order and type in the file.
fn floats(archive: &mut Archive<'_>, file: &str, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let known: Vec<String> = archive.array_names().map(|known| format!("`{known}`")).collect();
    let Some(array) = archive.by_name(name)? else {
        return Err(UserError::new(
            format!("{file}: there is no array `{name}`"),
            format!("its arrays are {}", known.join(", ")),
        )
        .into());
    };
    let dims: Vec<usize> = array.shape().iter().map(|dim| *dim as usize).collect();
    let order = array.header().order();
    let DType::Plain(kind) = array.dtype() else {
        anyhow::bail!("{file}: `{name}` holds records, not numbers");
    };
    let unreadable = || format!("{file}: cannot read `{name}` of type {kind}");
    let values: Vec<f32> = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 4) => array.into_vec::<f32>().with_context(unreadable)?,
        (TypeChar::Float, 8) => narrow(array.into_vec::<f64>().with_context(unreadable)?),
        (TypeChar::Int, 8) => narrow(array.into_vec::<i64>().with_context(unreadable)?),
        (TypeChar::Int, 4) => narrow(array.into_vec::<i32>().with_context(unreadable)?),
        (TypeChar::Uint, 1) => narrow(array.into_vec::<u8>().with_context(unreadable)?),
        (TypeChar::Int, 1) => narrow(array.into_vec::<i8>().with_context(unreadable)?),
        (TypeChar::Bool, _) => {
            let flags = array.into_vec::<bool>().with_context(unreadable)?;
            flags.into_iter().map(|flag| f32::from(u8::from(flag))).collect()
        }
        _ => {
            return Err(UserError::new(
                format!("{file}: `{name}` has the type {kind}"),
                "save it as float32: `x.astype(numpy.float32)`",
            )
            .into());
        }
    };
    match order {
        npyz::Order::C => Ok((dims, values)),
        npyz::Order::Fortran => {
            let rows = row_major(&dims, &values);
            Ok((dims, rows))
        }
    }
}

/// Number types that numpy writes and f32 stands for.
trait Narrow {
    fn narrow(self) -> f32;
}

macro_rules! narrow_as {
    ($($kind:ty)*) => { $(impl Narrow for $kind { fn narrow(self) -> f32 { self as f32 } })* };
}
narrow_as!(f64 i64 i32 i8 u8);

fn narrow<T: Narrow>(values: Vec<T>) -> Vec<f32> {
    values.into_iter().map(Narrow::narrow).collect()
}

fn row_major(dims: &[usize], column_major: &[f32]) -> Vec<f32> {
    let mut strides = vec![1; dims.len()];
    for axis in 1..dims.len() {
        strides[axis] = strides[axis - 1] * dims[axis - 1];
    }
    let at = |mut index: usize| {
        let mut offset = 0;
        for axis in (0..dims.len()).rev() {
            offset += index % dims[axis] * strides[axis];
            index /= dims[axis];
        }
        column_major[offset]
    };
    (0..column_major.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_major_arrays_are_turned() {
        assert_eq!(row_major(&[2, 3], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]), [0., 1., 2., 3., 4., 5.]);
    }

    #[test]
    fn rows_are_selected_in_the_order_asked_for() {
        let block = Block {
            values: vec![1.0, 2.0, 3.0, 4.0],
            steps: 2,
            features: 1,
            labels: vec![0.0, 1.0],
        };
        let turned = block.select(&[1, 0]);
        assert_eq!(turned.values, [3.0, 4.0, 1.0, 2.0]);
        assert_eq!(turned.labels, [1.0, 0.0]);
    }
}
