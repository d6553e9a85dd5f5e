//! Parquet: columns by name; rows count from 0.

mod pages;

use super::{OnRow, doubled_column, too_many_columns, unknown_column};
use crate::data::account::Account;
use crate::data::guard::caught;
use crate::data::source::{SourceFile, most_unpacked};
use crate::error::UserError;
use crate::format;
use anyhow::Result;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use parquet::basic::{Compression, Repetition};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) fn each_row(file: &SourceFile, columns: &[&str], on_row: OnRow<'_>) -> Result<Account> {
    let reader = open(file)?;
    let schema = reader.metadata().file_metadata().schema();
    let (projection, positions) = project(file, schema, columns)?;
    check_sizes(file, reader.metadata(), columns)?;
    let mut rows = read(file, || reader.get_row_iter(Some(projection)))?;
    let mut account = Account { file: file.name(), ..Account::default() };
    let mut room = (file.bytes().len() as u64).saturating_mul(MOST_GROWTH).max(ALWAYS_ROOM);
    loop {
        let number = account.rows;
        let place = format!("{}, row {number} (from 0)", file.name());
        let row = match caught(|| rows.next()) {
            Ok(Some(row)) => row.map_err(|error| damaged(file, number, &error))?,
            Ok(None) => return Ok(account),
            Err(panic) => return Err(broken(file, &format!("row {number}: {panic}")).into()),
        };
        let fields = caught(|| cells(&row, &place)).map_err(|panic| broken(file, &panic))??;
        let size: usize = fields.iter().flatten().map(|field| field.len() + CELL).sum();
        room = room.checked_sub(size as u64).ok_or_else(|| too_large(file))?;
        let cells: Vec<Option<&str>> = positions.iter().map(|at| fields[*at].as_deref()).collect();
        account.rows += 1;
        on_row(number, &cells)?;
    }
}

/// Equal cells are stored once, so a table may be much larger than its file, but not without limit.
const MOST_GROWTH: u64 = 1000;
const ALWAYS_ROOM: u64 = 256 << 20;
/// What a cell takes beside its text.
const CELL: usize = 32;

/// The columns that hold single values.
pub(super) fn names(file: &SourceFile) -> Result<Vec<String>> {
    let reader = open(file)?;
    let fields = reader.metadata().file_metadata().schema().get_fields();
    too_many_columns(file, fields.len())?;
    let single = fields.iter().filter(|field| !is_nested(field));
    Ok(single.map(|field| field.name().to_owned()).collect())
}

fn open(file: &SourceFile) -> Result<SerializedFileReader<Bytes>, UserError> {
    if file.bytes().starts_with(b"\x1f\x8b") {
        return Err(UserError::new(
            format!("{} is compressed with gzip, which Parquet files are not", file.name()),
            "unpack it with `gunzip`: a Parquet file is compressed inside",
        ));
    }
    let bytes = Bytes::copy_from_slice(file.bytes());
    read(file, || SerializedFileReader::new(bytes))
}

/// Calls the library, which panics on some damaged files.
fn read<T>(
    file: &SourceFile,
    call: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, UserError> {
    caught(call)
        .map_err(|panic| broken(file, &panic))?
        .map_err(|error| unreadable(file, &error.to_string()))
}

fn unreadable(file: &SourceFile, why: &str) -> UserError {
    UserError::new(
        format!("cannot read {}: {why}", file.name()),
        "this should be an Apache Parquet file",
    )
}

fn broken(file: &SourceFile, why: &str) -> UserError {
    UserError::new(
        format!("{} is damaged: {why}", file.name()),
        "write the table again, or fetch the file again",
    )
}

fn too_large(file: &SourceFile) -> UserError {
    UserError::new(
        format!(
            "{} holds out of proportion more than its size of {}",
            file.name(),
            format::bytes(file.bytes().len() as u64)
        ),
        "if it is meant to be so large, write it as CSV or JSON Lines",
    )
}

/// What the file says of itself must fit together before memory is taken for it.
fn check_sizes(
    file: &SourceFile,
    metadata: &ParquetMetaData,
    columns: &[&str],
) -> Result<(), UserError> {
    let length = file.bytes().len() as u64;
    // As the column says, and as its pages do.
    let most = most_unpacked(length).saturating_mul(2);
    let columns: BTreeSet<&str> = columns.iter().copied().collect();
    let (mut rows, mut unpacked) = (0_i64, 0_u64);
    for group in metadata.row_groups() {
        rows = rows.saturating_add(group.num_rows());
        for chunk in group.columns() {
            let name = chunk.column_path().parts().first().map_or("", String::as_str);
            if !columns.contains(name) {
                continue;
            }
            if chunk.compression() == Compression::LZO {
                return Err(UserError::new(
                    format!("{}: the column `{name}` is compressed with LZO", file.name()),
                    "these are read: uncompressed, snappy, gzip, zstd, lz4, lz4_raw, brotli",
                ));
            }
            let sizes = [chunk.compressed_size(), chunk.uncompressed_size()];
            let [packed, full] = sizes.map(|size| u64::try_from(size).unwrap_or(u64::MAX));
            if chunk.num_values() != group.num_rows() || packed > length || full == u64::MAX {
                let why = format!("the sizes of the column `{name}` do not fit together");
                return Err(broken(file, &why));
            }
            let (from, packed) = caught(|| chunk.byte_range()).map_err(|p| broken(file, &p))?;
            let pages = pages::unpacked(file.bytes(), from, packed, chunk.compression(), most);
            unpacked = unpacked.saturating_add(full).saturating_add(pages);
        }
    }
    if rows != metadata.file_metadata().num_rows() {
        return Err(broken(file, "it does not have as many rows as it says"));
    }
    match unpacked > most {
        true => Err(too_large(file)),
        false => Ok(()),
    }
}

fn is_nested(field: &Type) -> bool {
    field.is_group() || field.get_basic_info().repetition() == Repetition::REPEATED
}

/// The part of the schema that has the columns asked for, each once and in the file's order, and
/// where in it each of them stands.
fn project(
    file: &SourceFile,
    schema: &Type,
    columns: &[&str],
) -> Result<(Type, Vec<usize>), UserError> {
    let fields = schema.get_fields();
    let asked: BTreeSet<&str> = columns.iter().copied().collect();
    let wanted: Vec<_> =
        fields.iter().filter(|field| asked.contains(field.name())).map(Arc::clone).collect();
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, field) in fields.iter().enumerate() {
        places.entry(field.name()).or_default().push(at);
    }
    if let Some(column) = columns.iter().find(|c| places.get(*c).is_some_and(|at| at.len() > 1)) {
        return Err(doubled_column(file, column, &places[column]));
    }
    let order: BTreeMap<&str, usize> =
        wanted.iter().enumerate().map(|(at, field)| (field.name(), at)).collect();
    let position = |column: &&str| {
        order.get(column).copied().ok_or_else(|| {
            let known: Vec<&str> = fields.iter().map(|field| field.name()).collect();
            unknown_column(file, column, &known, "")
        })
    };
    let positions = columns.iter().map(position).collect::<Result<_, _>>()?;
    if let Some(nested) = wanted.iter().find(|field| is_nested(field)) {
        return Err(UserError::new(
            format!("{}: the column `{}` holds lists or records", file.name(), nested.name()),
            "a cell is a text, a number, a date, or true or false",
        ));
    }
    let built = Type::group_type_builder(schema.name()).with_fields(wanted).build();
    let projection = built.map_err(|error| UserError {
        message: format!("cannot read {}: {error}", file.name()),
        hint: None,
    })?;
    Ok((projection, positions))
}

/// What is wrong at a row. Of a damaged page it is known where its rows begin alone.
fn damaged(file: &SourceFile, row: u64, error: &ParquetError) -> UserError {
    let said = error.to_string();
    match said.contains("Utf8Error") || said.contains("as String") {
        true => UserError::new(
            format!("{}, row {row} (from 0): the text is not UTF-8", file.name()),
            "write the table again with texts in UTF-8",
        ),
        false => UserError::new(
            format!(
                "{} is damaged in a page whose rows begin at row {row} (from 0): {said}",
                file.name()
            ),
            "write the table again, or fetch the file again",
        ),
    }
}

fn cells(row: &Row, place: &str) -> Result<Vec<Option<String>>, UserError> {
    let text = |(name, field): (&String, &Field)| match field {
        Field::Null => Ok(None),
        Field::Str(text) => Ok(Some(text.clone())),
        // Some writers do not say that their bytes are text.
        Field::Bytes(bytes) => match str::from_utf8(bytes.data()) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(UserError::new(
                format!("{place}: `{name}` is not UTF-8"),
                "write the table again with texts in UTF-8",
            )),
        },
        Field::Float(value) => Ok(Some(value.to_string())),
        Field::Double(value) => Ok(Some(value.to_string())),
        Field::Date(days) => Ok(moment(i64::from(*days).checked_mul(86_400_000_000))),
        Field::TimestampMillis(millis) => Ok(moment(millis.checked_mul(1000))),
        Field::TimestampMicros(micros) => Ok(moment(Some(*micros))),
        // Whole ones end in a bare point.
        Field::Decimal(_) => Ok(Some(field.to_string().trim_end_matches('.').to_owned())),
        other => Ok(Some(other.to_string())),
    };
    row.get_column_iter().map(text).collect()
}

/// Microseconds since 1970 as an ISO 8601 date, `None` when no calendar has it.
fn moment(micros: Option<i64>) -> Option<String> {
    let moment: DateTime<Utc> = DateTime::from_timestamp_micros(micros?)?;
    Some(moment.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::basic::{BrotliLevel, GzipLevel, ZstdLevel};
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    const SCHEMA: &str = "message schema {
        optional binary text (UTF8);
        required int64 label;
        required int32 day (DATE);
        required double weight;
        required binary raw;
        repeated int32 list;
    }";

    /// Four rows in two row groups, the last text null.
    fn table(compression: Compression, text: &[u8]) -> SourceFile {
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
        for (texts, levels) in [(vec![b"a".as_slice(), text], [1, 1]), (vec![b"c"], [1, 0])] {
            let mut group = writer.next_row_group().unwrap();
            let texts: Vec<ByteArray> = texts.into_iter().map(ByteArray::from).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None).unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<Int64Type>().write_batch(&[1, 0], None, None).unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<Int32Type>().write_batch(&[0, 19_723], None, None).unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<DoubleType>().write_batch(&[1.0, 0.5], None, None).unwrap();
            column.close().unwrap();
            let raw = [ByteArray::from("r"), ByteArray::from("s")];
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&raw, None, None).unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<Int32Type>().write_batch(&[], Some(&[0, 0]), Some(&[0, 0])).unwrap();
            column.close().unwrap();
            group.close().unwrap();
        }
        writer.close().unwrap();
        SourceFile::of("t.parquet", &bytes)
    }

    /// One row, with a whole number in each column of the schema.
    fn of_one_row(schema: &str, values: &[i64]) -> SourceFile {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        for value in values {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<Int64Type>().write_batch(&[*value], None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        SourceFile::of("t.parquet", &bytes)
    }

    fn rows(file: &SourceFile, columns: &[&str]) -> Result<Vec<String>> {
        let mut rows = Vec::new();
        each_row(file, columns, &mut |row, cells| {
            let cells: Vec<&str> = cells.iter().map(|cell| cell.unwrap_or("-")).collect();
            rows.push(format!("{row} {}", cells.join(" ")));
            Ok(())
        })?;
        Ok(rows)
    }

    #[test]
    fn columns_are_read_by_name_whatever_compresses_them() {
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::ZSTD(ZstdLevel::default()),
            Compression::GZIP(GzipLevel::default()),
            Compression::LZ4,
            Compression::LZ4_RAW,
            Compression::BROTLI(BrotliLevel::default()),
        ] {
            let read =
                rows(&table(compression, b"b"), &["label", "text", "day", "label", "weight"]);
            assert_eq!(
                read.unwrap(),
                [
                    "0 1 a 1970-01-01T00:00:00Z 1 1",
                    "1 0 b 2024-01-01T00:00:00Z 0 0.5",
                    "2 1 c 1970-01-01T00:00:00Z 1 1",
                    "3 0 - 2024-01-01T00:00:00Z 0 0.5"
                ]
            );
        }
    }

    #[test]
    fn whole_decimals_have_no_point() {
        let file = of_one_row(
            "message schema { required int64 a (DECIMAL(10, 0)); required int64 b (DECIMAL(10, 2)); }",
            &[3, 150],
        );
        assert_eq!(rows(&file, &["a", "b"]).unwrap(), ["0 3 1.50"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let file = table(Compression::UNCOMPRESSED, b"\xff");
        let message = |columns: &[&str]| rows(&file, columns).unwrap_err().to_string();
        assert_eq!(message(&["text"]), "t.parquet, row 1 (from 0): the text is not UTF-8");
        assert_eq!(message(&["txt"]), "t.parquet: there is no column `txt`");
        assert!(message(&["list"]).contains("lists or records"), "{}", message(&["list"]));
        assert_eq!(rows(&file, &["raw"]).unwrap(), ["0 r", "1 s", "2 r", "3 s"]);
        let error = rows(&SourceFile::of("t.parquet", b"text,label\n"), &["text"]).unwrap_err();
        assert!(error.to_string().starts_with("cannot read t.parquet"), "{error}");
        let cut = SourceFile::of("t.parquet", &file.bytes()[..file.bytes().len() - 9]);
        assert!(rows(&cut, &["text"]).is_err());
    }

    #[test]
    fn a_doubled_column_is_refused_with_both_places_if_it_is_asked_for() {
        let file = of_one_row(
            "message schema { required int64 a; required int64 text; required int64 a; }",
            &[1, 2, 3],
        );
        assert_eq!(rows(&file, &["text"]).unwrap(), ["0 2"]);
        let error = rows(&file, &["a", "text"]).unwrap_err().to_string();
        assert_eq!(error, "t.parquet: the column `a` stands twice, as columns 1 and 3");
    }

    #[test]
    fn a_page_that_unpacks_beyond_what_it_says_is_refused() {
        use flate2::write::GzEncoder;
        use std::io::Write;
        let mut bomb = GzEncoder::new(Vec::new(), flate2::Compression::best());
        (0..100).for_each(|_| bomb.write_all(&[0; 1 << 20]).unwrap());
        let bomb = bomb.finish().unwrap();
        assert!(bomb.len() > 90_000);
        let count = |bytes: &[u8], compression| {
            // A header: type 0, unpacked to 5, packed into all that follows.
            let mut packed = bytes.len() as u64 * 2;
            let mut page = vec![0x15, 0, 0x15, 10, 0x15];
            while packed > 127 {
                page.push((packed & 0x7f) as u8 | 0x80);
                packed >>= 7;
            }
            page.extend([packed as u8, 0]);
            page.extend(bytes);
            pages::unpacked(&page, 0, page.len() as u64, compression, 50 << 20)
        };
        let gzip = Compression::GZIP(GzipLevel::default());
        assert!(count(&bomb, gzip) > 50 << 20);
        assert_eq!(count(&bomb, Compression::SNAPPY), 5);
        assert_eq!(count(b"no gzip", gzip), 5, "the library says what is wrong there");
        let mut packed = Vec::new();
        let mut writer = brotli::CompressorWriter::new(&mut packed, 4096, 9, 22);
        (0..100).for_each(|_| writer.write_all(&[0; 1 << 20]).unwrap());
        drop(writer);
        assert!(count(&packed, Compression::BROTLI(BrotliLevel::default())) > 50 << 20);
        let mut frames = lz4_flex::frame::FrameEncoder::new(Vec::new());
        (0..100).for_each(|_| frames.write_all(&[0; 1 << 20]).unwrap());
        let frames = frames.finish().unwrap();
        assert!(count(&frames, Compression::LZ4) > 50 << 20);
        assert_eq!(count(&frames, Compression::LZ4_RAW), 5);
        assert_eq!(count(b"no frame", Compression::LZ4), 5);
    }

    #[test]
    fn a_damaged_page_is_told_with_the_row_at_which_it_begins_and_what_to_do() {
        let whole = table(Compression::SNAPPY, b"b").bytes().to_vec();
        let mut told = 0;
        for at in 4..whole.len() / 2 {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            let read = rows(&SourceFile::of("t.parquet", &bytes), &["label", "text"]);
            let Err(error) = read else { continue };
            let error = error.downcast::<UserError>().unwrap();
            assert!(error.hint.is_some(), "{at}: {error}");
            told += usize::from(error.message.contains("in a page whose rows begin at row "));
        }
        assert!(told > 5, "{told}");
    }

    /// Every byte of a small file in turn is set to values that break sizes, types and levels.
    #[test]
    fn damaged_files_are_errors_that_name_the_file() {
        let mut refused = 0;
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
            let whole = table(compression, b"b").bytes().to_vec();
            for at in 0..whole.len() {
                for change in [0x01, 0x80, 0xff] {
                    let mut bytes = whole.clone();
                    bytes[at] ^= change;
                    let file = SourceFile::of("t.parquet", &bytes);
                    let Err(error) = rows(&file, &["label", "text", "day", "weight"]) else {
                        continue;
                    };
                    refused += 1;
                    assert!(error.to_string().contains("t.parquet"), "{error}");
                }
            }
        }
        assert!(refused > 1000, "{refused}");
    }
}
