//! One array of an npz file or an npy file, in row-major order, whatever its order and type there.
//!
//! A file may be damaged or made to do harm: nothing is read before its size was compared with the
//! bytes that there are, and readers of other libraries run behind [`guarded`].

use super::super::guard::{caught, damaged, guarded};
use super::super::source::SourceFile;
use super::{fit, header};
use crate::error::UserError;
use anyhow::Result;
use npyz::npz::NpzArchive;
use npyz::{DType, Deserialize, NpyFile, Order, TypeChar, TypeStr};
use std::borrow::Cow;
use std::io::{self, BufReader, Cursor, Read, sink};

/// The content of an array.
#[derive(Debug)]
pub(super) enum Numbers {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    /// `datetime64` or `timedelta64`, counted in a unit that all have in common.
    Times(Vec<i64>),
    Texts(Vec<String>),
}

impl Numbers {
    /// How messages call them.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Floats(_) => "floats",
            Self::Ints(_) => "integers",
            Self::Times(_) => "times",
            Self::Texts(_) => "texts",
        }
    }

    /// As floats; `None` for times and texts.
    pub(super) fn floats(&self) -> Option<Cow<'_, [f32]>> {
        match self {
            Self::Floats(values) => Some(values.into()),
            Self::Ints(values) => Some(values.iter().map(|value| *value as f32).collect()),
            Self::Times(_) | Self::Texts(_) => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Array {
    /// How messages call it.
    pub(super) name: String,
    pub(super) dims: Vec<usize>,
    pub(super) numbers: Numbers,
    /// The values with 64 bits, of an array with one value a row, where 32 bits lose some of it.
    pub(super) wide: Option<Vec<f64>>,
    /// That 32 bits hardly tell its numbers apart, of a column or of a feature of `[N, T, F]`.
    coarse: Option<UserError>,
    /// That its bytes are not those that were written. A value that cannot be says more, so it is
    /// told first.
    damage: Option<UserError>,
}

impl Array {
    #[cfg(test)]
    pub(super) fn of(name: &str, dims: &[usize], numbers: Numbers) -> Self {
        Self {
            name: name.into(),
            dims: dims.into(),
            numbers,
            wide: None,
            coarse: None,
            damage: None,
        }
    }

    /// The same array with one number a row.
    pub(super) fn with_rows(self, rows: Vec<i64>) -> Self {
        Self { dims: vec![rows.len()], numbers: Numbers::Ints(rows), ..self }
    }

    /// Refuses numbers that 32 bits hardly tell apart.
    pub(super) fn computable(&self) -> Result<(), UserError> {
        self.coarse.clone().map_or(Ok(()), Err)
    }

    /// Refuses values that a checksum says are damaged.
    pub(super) fn intact(&self) -> Result<(), UserError> {
        self.damage.clone().map_or(Ok(()), Err)
    }
}

/// What the header of an array says.
pub(in crate::data) struct Outline {
    pub(in crate::data) dims: Vec<usize>,
    /// Whether it holds whole numbers, as ids do.
    pub(in crate::data) whole: bool,
}

/// Where arrays are read from by name.
pub(super) enum Archive<'f> {
    Npz { file: &'f SourceFile, archive: NpzArchive<Cursor<&'f [u8]>> },
    Npy(&'f [SourceFile]),
}

/// An entry of an npz file may unpack to so many bytes, or to so many times its size, if that is more.
/// Deflate reaches 1,032 times with equal bytes alone; measured values reach 2 to 20.
const UNPACKED: u64 = 64 << 20;
const TIMES: u64 = 250;

impl<'f> Archive<'f> {
    pub(super) fn npz(file: &'f SourceFile) -> Result<Self> {
        let open = || {
            NpzArchive::new(Cursor::new(file.bytes())).map_err(|error| {
                let rule = format!("{} is not an npz file: {error}", file.name());
                let hint = "`numpy.savez(path, X_train=X_train, y_train=y_train)` writes one";
                UserError::new(rule, hint).into()
            })
        };
        Ok(Self::Npz { file, archive: guarded(&file.name(), open)? })
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

    fn holds(&self, name: &str) -> bool {
        match self {
            Self::Npz { archive, .. } => archive.array_names().any(|known| known == name),
            Self::Npy(_) => true,
        }
    }

    pub(super) fn read(&mut self, name: &str) -> Result<Array> {
        self.with(name, |called, bytes, size| {
            let mut bytes = BufReader::new(bytes);
            let mut array = array(called, &mut bytes, size)?;
            // The checksum is looked at when the end is reached.
            if let Err(error) = io::copy(&mut bytes.take(size.saturating_add(1)), &mut sink()) {
                array.damage = Some(damaged(called, &error.to_string()));
            }
            Ok(array)
        })
    }

    /// Reads the header alone.
    pub(super) fn outline(&mut self, name: &str) -> Result<Outline> {
        self.with(name, |called, bytes, size| {
            let (_, kind, dims) = begin(called, bytes, size)?;
            let whole = matches!(kind.type_char(), TypeChar::Int | TypeChar::Uint);
            Ok(Outline { dims, whole })
        })
    }

    /// Gives the name by which messages call an array, its bytes, and how many these are at most.
    fn with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str, &mut dyn Read, u64) -> Result<T>,
    ) -> Result<T> {
        // An archive may hold very many arrays, so their names are listed where they are shown alone.
        if !self.holds(name) {
            return Err(absent(self, name).into());
        }
        match self {
            Self::Npz { file, archive } => {
                let called = format!("{}: `{name}`", file.name());
                guarded(&called, || {
                    let entry =
                        archive.zip_archive().by_name(&npyz::npz::file_name_from_array_name(name));
                    let mut entry =
                        entry.map_err(|error| unreadable(&called, &error.to_string()))?;
                    let (packed, size) = (entry.compressed_size(), entry.size());
                    if size > UNPACKED.max(packed.saturating_mul(TIMES)) {
                        return Err(inflated(&called, packed, size).into());
                    }
                    read(&called, &mut entry, size)
                })
            }
            Self::Npy(files) => {
                let file = files.iter().find(|file| file.path.as_os_str() == name);
                let mut bytes = file.map_or(&[][..], SourceFile::bytes);
                let size = bytes.len() as u64;
                guarded(name, || read(name, &mut bytes, size))
            }
        }
    }
}

fn absent(archive: &Archive<'_>, name: &str) -> UserError {
    const SHOWN: usize = 20;
    let known = archive.names();
    let mut names: Vec<String> = known.iter().take(SHOWN).map(|k| format!("`{k}`")).collect();
    if known.len() > SHOWN {
        names.push(format!("and {} more", known.len() - SHOWN));
    }
    let file = match archive {
        Archive::Npz { file, .. } => file.name(),
        Archive::Npy(_) => name.to_owned(),
    };
    UserError::new(
        format!("{file}: there is no array `{name}`"),
        format!("its arrays are {}", names.join(", ")),
    )
}

fn unreadable(called: &str, why: &str) -> UserError {
    UserError::new(
        format!("cannot read {called}: {why}"),
        "it should be an array that numpy wrote: `numpy.savez(...)` or `numpy.save(...)`",
    )
}

fn inflated(called: &str, packed: u64, size: u64) -> UserError {
    UserError::new(
        format!(
            "{called} claims to unpack from {packed} bytes to {size}, more than {TIMES} times as many"
        ),
        "if it really holds so little, save it unpacked: `numpy.savez` in place of \
         `numpy.savez_compressed`",
    )
}

/// Reads the header, and compares what it claims with the bytes that there are.
fn begin<R: Read>(
    called: &str,
    mut bytes: R,
    size: u64,
) -> Result<(NpyFile<impl Read + use<R>>, TypeStr, Vec<usize>)> {
    let header = header::take(&mut bytes).map_err(|why| unreadable(called, &why))?;
    let text = String::from_utf8_lossy(&header).into_owned();
    // It multiplies the axes before anybody can look at them.
    let file = caught(|| NpyFile::new(Cursor::new(header).chain(bytes)))
        .map_err(|_| unreadable(called, &header::absurd_shape(&text)))?
        .map_err(|error| unreadable(called, &error.to_string()))?;
    let DType::Plain(kind) = file.dtype() else {
        return Err(unreadable(called, "it holds records, not numbers").into());
    };
    if kind.uses_pickled_array() {
        return Err(pickled(called).into());
    }
    let shape = file.shape().to_vec();
    let width = kind.num_bytes().unwrap_or(0) as u64;
    if width == 0 {
        return Err(unreadable(called, &format!("values of the type {kind} take no bytes")).into());
    }
    // A damaged header could ask for any amount of memory.
    let claimed = shape.iter().try_fold(width, |product, dim| product.checked_mul(*dim));
    if claimed.is_none_or(|claimed| claimed > size) {
        let why = format!("its shape {shape:?} needs more than its {size} bytes");
        return Err(unreadable(called, &why).into());
    }
    let dims = shape.iter().map(|dim| *dim as usize).collect();
    Ok((file, kind, dims))
}

fn pickled(called: &str) -> UserError {
    UserError::new(
        format!(
            "{called} holds Python objects (a pickle), which could run any program when loaded"
        ),
        "save plain values: numbers as `x.astype(numpy.float32)`, labels that are texts as `y.astype(str)`; \
         rows of different lengths are padded to one length first",
    )
}

/// Reads an array whose header and values take at most `size` bytes.
fn array(called: &str, bytes: impl Read, size: u64) -> Result<Array> {
    let (file, kind, dims) = begin(called, bytes, size)?;
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => unreadable(called, "it ends before its values do"),
        _ => unreadable(called, &error.to_string()),
    };
    let order = file.header().order();
    let is_column = dims.iter().skip(1).all(|n| *n == 1);
    let is_computed = is_column || dims.len() == 3;
    let (mut exact, mut coarse) = (None, None);
    let numbers = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 4) => Numbers::Floats(values::<f32>(file).map_err(broken)?),
        (TypeChar::Float, 8) => {
            let wide = values::<f64>(file).map_err(broken)?;
            let narrow = fit::narrow(called, &wide, &dims, order)?;
            if is_computed {
                coarse = fit::refuse_coarse(called, &wide, &dims, order).err();
            }
            let loses =
                |(wide, narrow): (&f64, &f32)| wide.to_bits() != f64::from(*narrow).to_bits();
            exact = (is_column && wide.iter().zip(&narrow).any(loses)).then_some(wide);
            Numbers::Floats(narrow)
        }
        (TypeChar::Int, 8) => Numbers::Ints(values::<i64>(file).map_err(broken)?),
        (TypeChar::Int, 4) => Numbers::Ints(wide(values::<i32>(file).map_err(broken)?)),
        (TypeChar::Int, 2) => Numbers::Ints(wide(values::<i16>(file).map_err(broken)?)),
        (TypeChar::Int, 1) => Numbers::Ints(wide(values::<i8>(file).map_err(broken)?)),
        (TypeChar::Uint, 1) => Numbers::Ints(wide(values::<u8>(file).map_err(broken)?)),
        (TypeChar::Uint, 2) => Numbers::Ints(wide(values::<u16>(file).map_err(broken)?)),
        (TypeChar::Uint, 4) => Numbers::Ints(wide(values::<u32>(file).map_err(broken)?)),
        (TypeChar::Uint, 8) => {
            let unsigned = values::<u64>(file).map_err(broken)?;
            Numbers::Ints(fit::signed(called, &unsigned, &dims, order)?)
        }
        (TypeChar::Bool, _) => {
            let flags = values::<bool>(file).map_err(broken)?;
            Numbers::Ints(flags.into_iter().map(i64::from).collect())
        }
        (TypeChar::DateTime | TypeChar::TimeDelta, 8) => {
            Numbers::Times(values::<i64>(file).map_err(broken)?)
        }
        (TypeChar::UnicodeStr | TypeChar::ByteStr, _) if is_column => {
            Numbers::Texts(values::<String>(file).map_err(broken)?)
        }
        _ => {
            return Err(UserError::new(
                format!("{called} has the type {kind}"),
                "save it as float32: `x.astype(numpy.float32)`, or as int64 for ids and times",
            )
            .into());
        }
    };
    if let (Numbers::Ints(values), true) = (&numbers, is_computed) {
        coarse = fit::refuse_coarse(called, values, &dims, order).err();
    }
    let numbers = in_rows(numbers, &dims, order);
    Ok(Array { name: called.to_owned(), dims, numbers, wide: exact, coarse, damage: None })
}

/// The numbers in row-major order.
fn in_rows(numbers: Numbers, dims: &[usize], order: Order) -> Numbers {
    match (order, numbers) {
        (Order::C, numbers) => numbers,
        (Order::Fortran, Numbers::Floats(values)) => Numbers::Floats(row_major(dims, &values)),
        (Order::Fortran, Numbers::Ints(values)) => Numbers::Ints(row_major(dims, &values)),
        (Order::Fortran, Numbers::Times(values)) => Numbers::Times(row_major(dims, &values)),
        (Order::Fortran, Numbers::Texts(values)) => Numbers::Texts(row_major(dims, &values)),
    }
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

    fn read(bytes: &[u8]) -> Result<Array> {
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
        assert_eq!(ints(&npy(&[2], &[1u64, i64::MAX as u64])), [1, i64::MAX]);
    }

    #[test]
    fn numbers_that_do_not_fit_are_named_as_they_are_in_the_file_with_their_place() {
        let mut values = vec![0.5f64; 12];
        values[9] = 1e300;
        assert_eq!(
            refusal(&npy(&[2, 3, 2], &values)),
            "x.npy holds 1e300 in row 1, step 1 (from 0), and numbers of 32 bits end at 3.4e38"
        );
        values[9] = f64::MIN;
        assert!(
            refusal(&npy(&[12], &values)).contains("holds -1.7976931348623157e308 in row 9 (from")
        );
        values[9] = f64::INFINITY;
        assert!(read(&npy(&[12], &values)).is_ok(), "it is named where it is used");
        assert_eq!(
            refusal(&npy(&[2, 2], &[1u64, 2, u64::MAX, 3])),
            "x.npy holds 18446744073709551615 in row 1, step 0 (from 0), beyond the integers of 64 bits \
             with a sign"
        );
    }

    fn refusal(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    /// An npy file of version 1.0 with this header.
    fn with_header(text: &str, values: &[u8]) -> Vec<u8> {
        let text = format!("{text:<117}\n");
        [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), values]
            .concat()
    }

    fn claiming(kind: &str, shape: &str) -> Vec<u8> {
        let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        with_header(&text, &[0; 64])
    }

    #[test]
    fn a_header_that_asks_for_more_than_there_is_is_refused() {
        let bytes = npy(&[2, 2], &[1.0f32; 4]);
        assert!(refusal(&bytes[..bytes.len() - 1]).contains("ends before its values"));
        assert!(refusal(&claiming("<f4", "(999999999, 9999999999)")).contains("needs more than"));
        assert!(read(b"text").is_err() && read(b"").is_err());
    }

    #[test]
    fn a_shape_that_overflows_is_refused_without_a_panic() {
        for shape in [
            "(4294967296, 4294967296)",
            "(2, 9223372036854775808)",
            "(0, 99999999999, 99999999999)",
        ] {
            let said = refusal(&claiming("<f4", shape));
            assert!(
                said.contains("no file can hold") || said.contains("needs more than"),
                "{said}"
            );
            assert!(!said.contains("overflow"), "{said}");
        }
    }

    #[test]
    fn values_without_a_width_are_refused_however_many_are_claimed() {
        for kind in ["<U0", "|S0", "|V0"] {
            assert!(refusal(&claiming(kind, "(1000000000000000,)")).contains("take no bytes"));
        }
    }

    #[test]
    fn python_objects_are_never_loaded() {
        assert!(refusal(&claiming("|O", "(2,)")).contains("holds Python objects (a pickle)"));
    }

    /// An npz file with one entry of zeros, and how many bytes it has packed.
    fn packed(shape: &[u64]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        {
            let mut npz = npyz::npz::NpzWriter::new(&mut bytes);
            let count = shape.iter().product::<u64>();
            let mut x = npz
                .array("x", Default::default())
                .unwrap()
                .default_dtype()
                .shape(shape)
                .begin_nd()
                .unwrap();
            x.extend((0..count).map(|_| 0.0f32)).unwrap();
            x.finish().unwrap();
        }
        bytes.into_inner()
    }

    fn read_npz(bytes: &[u8]) -> Result<Array> {
        let file = SourceFile::of("x.npz", bytes);
        Archive::npz(&file)?.read("x")
    }

    #[test]
    fn an_entry_that_unpacks_out_of_proportion_is_refused() {
        let small = packed(&[10, 10, 10]);
        assert_eq!(read_npz(&small).unwrap().dims, [10, 10, 10]);
        let said = read_npz(&packed(&[17, 1 << 20])).unwrap_err().to_string();
        assert!(said.contains("claims to unpack from") && said.contains("to 71303"), "{said}");
    }

    #[test]
    fn a_changed_byte_is_found_by_the_checksum() {
        let mut bytes = Cursor::new(Vec::new());
        {
            let mut npz = npyz::npz::NpzWriter::new(&mut bytes);
            npz.zip_writer().start_file("x.npy", Default::default()).unwrap();
            io::Write::write_all(npz.zip_writer(), &npy(&[3], &[1.5f32, 2.5, 3.5])).unwrap();
        }
        let sound = bytes.into_inner();
        let whole = read_npz(&sound).unwrap();
        whole.intact().unwrap();
        let mut hit = 0;
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            // Whatever is hit, nothing panics, and other values are not taken for these.
            let Ok(array) = read_npz(&bytes) else { continue };
            let (Numbers::Floats(read), Numbers::Floats(written)) =
                (&array.numbers, &whole.numbers)
            else {
                continue;
            };
            if read != written {
                assert!(array.intact().unwrap_err().message.contains("is damaged"));
                hit += 1;
            }
        }
        assert!(hit > 0);
    }

    #[test]
    fn column_major_arrays_are_turned() {
        assert_eq!(row_major(&[2, 3], &[0, 3, 1, 4, 2, 5]), [0, 1, 2, 3, 4, 5]);
    }
}
