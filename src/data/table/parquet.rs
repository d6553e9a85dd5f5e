//! Parquet: columns by name; rows count from 0.

use super::super::source::SourceFile;
use super::{Hear, unknown_column};
use crate::error::UserError;
use anyhow::Result;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use parquet::basic::Repetition;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use std::sync::Arc;

pub(super) fn each_row(file: &SourceFile, columns: &[&str], hear: Hear<'_>) -> Result<()> {
    let reader = open(file)?;
    let schema = reader.metadata().file_metadata().schema();
    let (projection, positions) = project(file, schema, columns)?;
    let rows = reader.get_row_iter(Some(projection)).map_err(|error| unreadable(file, &error))?;
    for (number, row) in rows.enumerate() {
        let place = format!("{}, row {number} (from 0)", file.name());
        let row = row.map_err(|error| damaged(&place, &error))?;
        let fields = cells(&row, &place)?;
        let cells: Vec<Option<&str>> = positions.iter().map(|at| fields[*at].as_deref()).collect();
        hear(number as u64, &cells)?;
    }
    Ok(())
}

/// The columns that hold single values.
pub(super) fn names(file: &SourceFile) -> Result<Vec<String>> {
    let reader = open(file)?;
    let fields = reader.metadata().file_metadata().schema().get_fields();
    let single = fields.iter().filter(|field| !is_nested(field));
    Ok(single.map(|field| field.name().to_owned()).collect())
}

fn open(file: &SourceFile) -> Result<SerializedFileReader<Bytes>, UserError> {
    let bytes = Bytes::copy_from_slice(file.bytes());
    SerializedFileReader::new(bytes).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &SourceFile, error: &ParquetError) -> UserError {
    UserError::new(
        format!("cannot read {}: {error}", file.name()),
        "this should be an Apache Parquet file",
    )
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
    let wanted: Vec<_> =
        fields.iter().filter(|field| columns.contains(&field.name())).map(Arc::clone).collect();
    let position = |column: &&str| {
        wanted.iter().position(|field| field.name() == *column).ok_or_else(|| {
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

fn damaged(place: &str, error: &ParquetError) -> UserError {
    let said = error.to_string();
    match said.contains("Utf8Error") || said.contains("as String") {
        true => UserError::new(
            format!("{place}: the text is not UTF-8"),
            "write the table again with texts in UTF-8",
        ),
        false => UserError { message: format!("{place}: {said}"), hint: None },
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
    use parquet::basic::Compression;
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
        for compression in
            [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(Default::default())]
        {
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
}
