//! JSON Lines: one object a line; empty lines are skipped.

use super::{OnRow, decode, doubled_column, too_many_columns, unknown_column};
use crate::data::account::Account;
use crate::data::source::SourceFile;
use crate::error::UserError;
use anyhow::Result;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

pub(super) fn each_row(file: &SourceFile, columns: &[&str], on_row: OnRow<'_>) -> Result<Account> {
    let bytes = decode::text(file)?;
    let mut account = Account { file: file.name(), lines: Some(0), ..Account::default() };
    for (at, line) in decode::lines(&bytes).enumerate() {
        let number = at as u64 + 1;
        account.lines = Some(number);
        if line.iter().all(u8::is_ascii_whitespace) {
            account.blank += 1;
            continue;
        }
        let place = || format!("{}, line {number}", file.name());
        let Object { cells: object, doubled } = object(line, &place)?;
        if account.rows == 0
            && let Some(column) = columns.iter().find(|column| !object.contains_key(**column))
        {
            let known: Vec<&str> = object.keys().map(String::as_str).collect();
            return Err(unknown_column(file, column, &known, " in its first object").into());
        }
        if let Some((key, places)) = doubled.iter().find(|(key, _)| columns.contains(&&**key)) {
            let UserError { message, hint } = doubled_column(file, key, places);
            let message = format!("{message} of line {number}");
            return Err(UserError { message, hint }.into());
        }
        let cells = columns
            .iter()
            .map(|column| cell(object.get(*column), column, &place))
            .collect::<Result<Vec<Option<Cow<'_, str>>>, UserError>>()?;
        let cells: Vec<Option<&str>> = cells.iter().map(Option::as_deref).collect();
        account.rows += 1;
        on_row(number, &cells)?;
    }
    Ok(account)
}

/// The keys of the first object that hold single values.
pub(super) fn names(file: &SourceFile) -> Result<Vec<String>> {
    let bytes = decode::text(file)?;
    let mut lines = decode::lines(&bytes).enumerate();
    let Some((at, line)) = lines.find(|(_, line)| !line.iter().all(u8::is_ascii_whitespace)) else {
        return Ok(Vec::new());
    };
    let object = object(line, &|| format!("{}, line {}", file.name(), at + 1))?.cells;
    too_many_columns(file, object.len())?;
    let single = object.into_iter().filter(|(_, value)| !value.is_array() && !value.is_object());
    Ok(single.map(|(name, _)| name).collect())
}

/// A JSON object of which it is known whether keys are doubled: the last one would count.
struct Object {
    cells: Map<String, Value>,
    /// Keys that stand twice, with their first two places.
    doubled: Vec<(String, [usize; 2])>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Object, A::Error> {
        let mut object = Object { cells: Map::new(), doubled: Vec::new() };
        let mut place = 0;
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            if object.cells.contains_key(&key) {
                let first = object.cells.keys().position(|known| *known == key);
                object.doubled.push((key.clone(), [first.unwrap_or_default(), place]));
            }
            object.cells.insert(key, value);
            place += 1;
        }
        Ok(object)
    }
}

fn object(line: &[u8], place: &dyn Fn() -> String) -> Result<Object, UserError> {
    let text = str::from_utf8(line).map_err(|_| decode::not_utf8(&place()))?;
    serde_json::from_str(text).map_err(|error| {
        // The parser sees one line, so its own line number says nothing.
        let full = error.to_string();
        let what = full.split(" at line ").next().unwrap_or_default();
        UserError::new(
            format!("{}: this is not a JSON object: {what} (column {})", place(), error.column()),
            "JSON Lines hold one whole object `{ ... }` a line",
        )
    })
}

/// Whether a number may have lost digits: two ids would become one.
fn is_rounded(number: &serde_json::Number) -> bool {
    let is_whole = number.is_i64() || number.is_u64();
    !is_whole && number.as_f64().is_some_and(|value| value.abs() >= 2f64.powi(63))
}

fn cell<'v>(
    value: Option<&'v Value>,
    column: &str,
    place: &dyn Fn() -> String,
) -> Result<Option<Cow<'v, str>>, UserError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Cow::Borrowed(text))),
        Some(Value::Number(number)) if is_rounded(number) => Err(UserError::new(
            format!(
                "{}: `{column}` holds a number beyond 2^64, whose digits cannot be kept",
                place()
            ),
            "write it as a text, in quotes: ids are texts",
        )),
        Some(Value::Number(number)) => Ok(Some(Cow::Owned(number.to_string()))),
        Some(Value::Bool(flag)) => Ok(Some(Cow::Owned(flag.to_string()))),
        Some(Value::Array(_) | Value::Object(_)) => Err(UserError::new(
            format!("{}: `{column}` holds a list or an object", place()),
            "a cell is a text, a number, or true or false",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<String>> {
        let mut rows = Vec::new();
        each_row(&SourceFile::of("t.jsonl", text), &["text", "label"], &mut |line, cells| {
            rows.push(format!("{line} {} {}", cells[0].unwrap_or("-"), cells[1].unwrap_or("-")));
            Ok(())
        })?;
        Ok(rows)
    }

    #[test]
    fn numbers_flags_and_nulls_become_cells() {
        let text = b"{\"text\": \"a\", \"label\": true}\r\n\n{\"label\": 0.5}\n{\"text\":null,\"label\":2}";
        assert_eq!(rows(text).unwrap(), ["1 a true", "3 - 0.5", "4 - 2"]);
    }

    #[test]
    fn whole_numbers_keep_all_their_digits_or_are_refused() {
        let text = b"{\"text\": \"a\", \"label\": 18446744073709551615}\n";
        assert_eq!(rows(text).unwrap(), ["1 a 18446744073709551615"]);
        for number in ["18446744073709551616", "-9223372036854775809", "1e22"] {
            let text = format!("{{\"text\": \"a\", \"label\": {number}}}\n");
            let error = rows(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("t.jsonl, line 1: `label` holds a number beyond"), "{error}");
        }
    }

    #[test]
    fn a_doubled_key_is_refused_with_both_places_if_it_is_asked_for() {
        let good = "{\"text\": \"a\", \"label\": 1, \"x\": 1, \"x\": 2}\n";
        assert_eq!(rows(good.as_bytes()).unwrap(), ["1 a 1"]);
        let doubled = "{\"label\": 0, \"text\": \"b\", \"label\": 1}";
        let error = rows(format!("{good}{doubled}").as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "t.jsonl: the column `label` stands twice, as columns 1 and 3 of line 2"
        );
    }

    #[test]
    fn marks_and_returns_of_other_systems_are_read_and_blank_lines_counted() {
        let text = "\u{feff}{\"text\": \"a\", \"label\": 1}\n\n{\"text\": \"b\", \"label\": 0}\n";
        let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [text.into(), text.replace('\n', "\r").into_bytes(), utf_16] {
            assert_eq!(rows(&bytes).unwrap(), ["1 a 1", "3 b 0"]);
            let file = SourceFile::of("t.jsonl", &bytes);
            let account = each_row(&file, &["text"], &mut |_, _| Ok(())).unwrap();
            assert_eq!((account.lines, account.blank, account.rows), (Some(3), 1, 2));
        }
    }

    #[test]
    fn lines_that_cannot_be_read_are_named() {
        let message = |text: &[u8]| rows(text).unwrap_err().to_string();
        let good = "{\"text\": \"a\", \"label\": 1}\n";
        for (line, expected) in [
            ("{\"text\": \"a\"", "line 2: this is not a JSON object: EOF while parsing an object"),
            ("[1]", "line 2: this is not a JSON object: invalid type: sequence"),
            ("{\"text\": [1], \"label\": 1}", "line 2: `text` holds a list or an object"),
        ] {
            let said = message(format!("{good}{line}\n").as_bytes());
            assert!(said.contains(expected), "{said}");
        }
        assert_eq!(message(b"\n{\"text\": \"\xff\"}"), "t.jsonl, line 2: the text is not UTF-8");
        assert_eq!(message(b"{\"txt\": 1, \"label\": 1}"), "t.jsonl: there is no column `text`");
    }
}
