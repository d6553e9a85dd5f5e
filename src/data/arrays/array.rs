//! One array of an npz file or an npy file, in row-major order, whatever its order and type there.

use super::super::source::SourceFile;
use crate::error::UserError;
use anyhow::Result;
use npyz::npz::NpzArchive;
use npyz::{DType, Deserialize, NpyFile, Order, TypeChar};
use std::io::{self, Cursor, Read};

/// The content of an array.
#[derive(Debug)]
pub(super) enum Numbers {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

#[derive(Debug)]
pub(super) struct Array {
    /// How messages call it.
    pub(super) name: String,
    pub(super) dims: Vec<usize>,
    pub(super) numbers: Numbers,
}

/// Where arrays are read from by name.
pub(super) enum Archive<'f> {
    Npz { file: &'f SourceFile, archive: NpzArchive<Cursor<&'f [u8]>> },
    Npy(&'f [SourceFile]),
}

impl<'f> Archive<'f> {
    pub(super) fn npz(file: &'f SourceFile) -> Result<Self, UserError> {
        let archive = NpzArchive::new(Cursor::new(file.bytes())).map_err(|error| {
            UserError::new(
                format!("{} is not an npz file: {error}", file.name()),
                "`numpy.savez(path, X_train=X_train, y_train=y_train)` writes one",
            )
        })?;
        Ok(Self::Npz { file, archive })
    }

    /// The name of each array is the path of its file.
    pub(super) fn npy(files: &'f [SourceFile]) -> Self {
        Self::Npy(files)
    }

    /// The names of all arrays, in alphabetical order.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Self::Npz { archive, .. } => archive.array_names().map(str::to_owned).collect(),
            Self::Npy(files) => files.iter().map(SourceFile::name).collect(),
        };
        names.sort();
        names
    }

    pub(super) fn read(&mut self, name: &str) -> Result<Array, UserError> {
        let known = self.names();
        match self {
            Self::Npz { file, archive } => {
                let called = format!("{}: `{name}`", file.name());
                let broken = |error: &dyn ToString| unreadable(&called, &error.to_string());
                if !known.iter().any(|known| known == name) {
                    let known: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
                    return Err(UserError::new(
                        format!("{}: there is no array `{name}`", file.name()),
                        format!("its arrays are {}", known.join(", ")),
                    ));
                }
                let entry =
                    archive.zip_archive().by_name(&npyz::npz::file_name_from_array_name(name));
                let entry = entry.map_err(|error| broken(&error))?;
                // Deflate packs no more than 1032 bytes into one, whatever the entry claims.
                let size = entry.size().min(file.bytes().len() as u64 * 1032);
                array(&called, entry, size)
            }
            Self::Npy(files) => {
                let file = files.iter().find(|file| file.path.as_os_str() == name);
                let bytes = file.map_or(&[][..], SourceFile::bytes);
                array(name, bytes, bytes.len() as u64)
            }
        }
    }
}

fn unreadable(called: &str, why: &str) -> UserError {
    UserError::new(
        format!("cannot read {called}: {why}"),
        "it should be an array that numpy wrote: `numpy.savez(...)` or `numpy.save(...)`",
    )
}

/// Reads an array whose header and values take `size` bytes.
fn array(called: &str, bytes: impl Read, size: u64) -> Result<Array, UserError> {
    let broken = |error: io::Error| unreadable(called, &error.to_string());
    let file = NpyFile::new(bytes).map_err(broken)?;
    let DType::Plain(kind) = file.dtype() else {
        return Err(unreadable(called, "it holds records, not numbers"));
    };
    let shape = file.shape().to_vec();
    let width = kind.num_bytes().unwrap_or(1) as u64;
    let claimed = shape.iter().try_fold(width, |product, dim| product.checked_mul(*dim));
    // A damaged header could ask for any amount of memory.
    if claimed.is_none_or(|claimed| claimed > size) {
        return Err(unreadable(
            called,
            &format!("its shape {shape:?} needs more than its {size} bytes"),
        ));
    }
    let dims: Vec<usize> = shape.iter().map(|dim| *dim as usize).collect();
    let order = file.header().order();
    let numbers = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 4) => Numbers::Floats(values::<f32>(file).map_err(broken)?),
        (TypeChar::Float, 8) => {
            let wide = values::<f64>(file).map_err(broken)?;
            Numbers::Floats(wide.into_iter().map(|value| value as f32).collect())
        }
        (TypeChar::Int, 8) => Numbers::Ints(values::<i64>(file).map_err(broken)?),
        (TypeChar::Int, 4) => Numbers::Ints(wide(values::<i32>(file).map_err(broken)?)),
        (TypeChar::Int, 2) => Numbers::Ints(wide(values::<i16>(file).map_err(broken)?)),
        (TypeChar::Int, 1) => Numbers::Ints(wide(values::<i8>(file).map_err(broken)?)),
        (TypeChar::Uint, 1) => Numbers::Ints(wide(values::<u8>(file).map_err(broken)?)),
        (TypeChar::Uint, 2) => Numbers::Ints(wide(values::<u16>(file).map_err(broken)?)),
        (TypeChar::Uint, 4) => Numbers::Ints(wide(values::<u32>(file).map_err(broken)?)),
        (TypeChar::Bool, _) => {
            let flags = values::<bool>(file).map_err(broken)?;
            Numbers::Ints(flags.into_iter().map(i64::from).collect())
        }
        (TypeChar::UnicodeStr | TypeChar::ByteStr, _) => {
            Numbers::Texts(values::<String>(file).map_err(broken)?)
        }
        _ => {
            return Err(UserError::new(
                format!("{called} has the type {kind}"),
                "save it as float32: `x.astype(numpy.float32)`, or as int64 for ids and times",
            ));
        }
    };
    let numbers = match (order, numbers) {
        (Order::C, numbers) => numbers,
        (Order::Fortran, Numbers::Floats(values)) => Numbers::Floats(row_major(&dims, &values)),
        (Order::Fortran, Numbers::Ints(values)) => Numbers::Ints(row_major(&dims, &values)),
        (Order::Fortran, Numbers::Texts(values)) => Numbers::Texts(row_major(&dims, &values)),
    };
    Ok(Array { name: called.to_owned(), dims, numbers })
}

fn values<T: Deserialize>(file: NpyFile<impl Read>) -> io::Result<Vec<T>> {
    file.into_vec()
}

fn wide<T: Into<i64>>(values: Vec<T>) -> Vec<i64> {
    values.into_iter().map(Into::into).collect()
}

fn row_major<T: Clone>(dims: &[usize], column_major: &[T]) -> Vec<T> {
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
        column_major[offset].clone()
    };
    (0..column_major.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use npyz::WriterBuilder;

    fn npy<T: npyz::AutoSerialize + Clone>(dims: &[u64], values: &[T]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(dims)
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(values.iter().cloned()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Array, UserError> {
        let files = [SourceFile::of("x.npy", bytes)];
        Archive::npy(&files).read("x.npy")
    }

    #[test]
    fn every_type_of_number_becomes_floats_or_integers() {
        let ints = |bytes: &[u8]| match read(bytes).unwrap().numbers {
            Numbers::Ints(values) => values,
            other => panic!("{other:?}"),
        };
        assert_eq!(ints(&npy(&[2], &[1i64, -2])), [1, -2]);
        assert_eq!(ints(&npy(&[2], &[1i32, -2])), [1, -2]);
        assert_eq!(ints(&npy(&[2], &[1i16, -2])), [1, -2]);
        assert_eq!(ints(&npy(&[2], &[1u16, 2])), [1, 2]);
        assert_eq!(ints(&npy(&[2], &[true, false])), [1, 0]);
        let array = read(&npy(&[1, 2], &[0.5f64, 1.5])).unwrap();
        let Numbers::Floats(values) = array.numbers else { panic!("floats") };
        assert_eq!((values, array.dims), (vec![0.5, 1.5], vec![1, 2]));
        assert!(read(&npy(&[1], &[1u64])).unwrap_err().message.contains("has the type"));
    }

    #[test]
    fn a_header_that_asks_for_more_than_there_is_is_refused() {
        let bytes = npy(&[2, 2], &[1.0f32; 4]);
        assert!(
            read(&bytes[..bytes.len() - 1]).unwrap_err().message.starts_with("cannot read x.npy")
        );
        let at = bytes.windows(6).position(|window| window == b"pe': (").unwrap() + 5;
        let shape = b"(999999999, 9999999999, ), }";
        let mut huge = bytes.clone();
        huge[at..at + shape.len()].copy_from_slice(shape);
        let error = read(&huge).unwrap_err();
        assert!(error.message.contains("needs more than"), "{}", error.message);
        assert!(read(b"text").is_err() && read(b"").is_err());
    }

    #[test]
    fn column_major_arrays_are_turned() {
        assert_eq!(row_major(&[2, 3], &[0, 3, 1, 4, 2, 5]), [0, 1, 2, 3, 4, 5]);
    }
}
