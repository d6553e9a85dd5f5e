//! JSON Lines: one object a line; empty lines are skipped.

use super::super::source::SourceFile;
use super::{Hear, unknown_column};
use crate::error::UserError;
use anyhow::Result;
use serde_json::{Map, Value};
use std::borrow::Cow;

pub(super) fn each_row(file: &SourceFile, columns: &[&str], hear: Hear<'_>) -> Result<()> {
    let bytes = file.unpacked()?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut first = true;
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let number = at as u64 + 1;
        let place = || format!("{}, line {number}", file.name());
        let object = object(line, &place)?;
        if std::mem::take(&mut first)
            && let Some(column) = columns.iter().find(|column| !object.contains_key(**column))
        {
            let known: Vec<&str> = object.keys().map(String::as_str).collect();
            return Err(unknown_column(file, column, &known, " in its first object").into());
        }
        let cells = columns
            .iter()
            .map(|column| cell(object.get(*column), column, &place))
            .collect::<Result<Vec<Option<Cow<'_, str>>>, UserError>>()?;
        let cells: Vec<Option<&str>> = cells.iter().map(Option::as_deref).collect();
        hear(number, &cells)?;
    }
    Ok(())
}

/// The keys of the first object that hold single values.
pub(super) fn names(file: &SourceFile) -> Result<Vec<String>> {
    let bytes = file.unpacked()?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let Some((at, line)) = lines.find(|(_, line)| !line.iter().all(u8::is_ascii_whitespace)) else {
        return Ok(Vec::new());
    };
    let object = object(line, &|| format!("{}, line {}", file.name(), at + 1))?;
    let single = object.into_iter().filter(|(_, value)| !value.is_array() && !value.is_object());
    Ok(single.map(|(name, _)| name).collect())
}

fn object(line: &[u8], place: &dyn Fn() -> String) -> Result<Map<String, Value>, UserError> {
    let text = str::from_utf8(line).map_err(|_| {
        UserError::new(format!("{}: the text is not UTF-8", place()), "save the file as UTF-8")
    })?;
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

fn cell<'v>(
    value: Option<&'v Value>,
    column: &str,
    place: &dyn Fn() -> String,
) -> Result<Option<Cow<'v, str>>, UserError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Cow::Borrowed(text))),
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
