//! Checksums. A file of our own says what it must hold, so that damage is seen and changes no result.
//! A JSON object is sealed by a key `checksum` over all its other keys and their values, as they stand:
//! keys that a later version adds are covered too.

use super::{read_if_any, write_json};
use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fmt;
use std::path::{Path, PathBuf};

/// The key of a sealed object.
const CHECKSUM: &str = "checksum";

/// The first line of a sealed text begins like this; its checksum follows.
const TEXT_CHECKSUM: &str = "# checksum of all below: ";

/// A file does not hold what was written, or is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    path: PathBuf,
    /// `None` for a file that is not there.
    why: Option<String>,
}

impl Damaged {
    /// This file, for this reason.
    pub fn new(path: &Path, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: Some(why.into()) }
    }

    /// This file is not there, and it was written.
    pub fn missing(path: &Path) -> Self {
        Self { path: path.to_owned(), why: None }
    }

    /// Its content does not give the checksum that was written down.
    pub(super) fn checksum(path: &Path) -> Self {
        Self::new(path, "its content does not fit its checksum")
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Some(why) => write!(f, "{} is damaged: {why}", self.path.display()),
            None => write!(f, "{} is missing", self.path.display()),
        }
    }
}

impl std::error::Error for Damaged {}

/// Whether an error says that a file is damaged or missing.
pub fn is_damage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<Damaged>().is_some())
}

/// The checksum of some bytes: blake3, 32 digits.
pub fn checksum(bytes: &[u8]) -> String {
    short(blake3::hash(bytes))
}

pub(super) fn short(hash: blake3::Hash) -> String {
    hash.to_hex()[..32].to_owned()
}

/// A value as a JSON object with its checksum.
pub fn seal<T: Serialize>(value: &T) -> Result<Value> {
    // By way of text: a narrow float keeps its short form.
    let mut object: Map<String, Value> = serde_json::from_str(&serde_json::to_string(value)?)?;
    object.shift_remove(CHECKSUM);
    let found = checksum(&serde_json::to_vec(&object)?);
    object.insert(CHECKSUM.into(), found.into());
    Ok(object.into())
}

/// A sealed object without its checksum, or an object that never had one. `None` if they do not fit.
pub fn unsealed(value: Value) -> Option<Value> {
    let Value::Object(mut object) = value else { return Some(value) };
    let Some(said) = object.shift_remove(CHECKSUM) else { return Some(object.into()) };
    let found = checksum(&serde_json::to_vec(&object).ok()?);
    (said == found).then(|| object.into())
}

/// A text with its checksum in a comment, as the first line: a text that is cut short keeps it.
pub fn seal_text(text: &str) -> String {
    format!("{TEXT_CHECKSUM}{}\n{text}", checksum(text.as_bytes()))
}

/// Whether a text is as [`seal_text`] gave it; `None` if it has no such line.
pub fn is_whole_text(text: &str) -> Option<bool> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let said = first.trim_end().strip_prefix(TEXT_CHECKSUM)?;
    Some(said == checksum(rest.as_bytes()))
}

/// Replaces a file by this value as JSON with its checksum.
pub fn write_sealed_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    write_json(path, &seal(value)?)
}

/// Reads what [`write_sealed_json`] wrote, or what an earlier version wrote without a checksum; `None`
/// when there is no such file.
///
/// # Errors
/// [`Damaged`] where it does not fit its checksum or is no JSON.
pub fn read_sealed_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(bytes) = read_if_any(path)? else { return Ok(None) };
    let damaged = |error: serde_json::Error| Damaged::new(path, error.to_string());
    let value: Value = serde_json::from_slice(&bytes).map_err(damaged)?;
    let value = unsealed(value).ok_or_else(|| Damaged::checksum(path))?;
    Ok(Some(serde_json::from_value(value).map_err(damaged)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    #[test]
    fn a_flipped_bit_anywhere_in_sealed_json_is_seen_or_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        let value = json!({ "b": 0.1, "a": [1, 2.5e-7, null], "text": "ä\n", "deep": { "z": -3 } });
        write_sealed_json(&path, &value).unwrap();
        let written = fs::read(&path).unwrap();
        let mut seen = 0;
        for at in 0..written.len() {
            for bit in 0..8 {
                let mut bytes = written.clone();
                bytes[at] ^= 1 << bit;
                fs::write(&path, &bytes).unwrap();
                match read_sealed_json::<Value>(&path) {
                    // The name of the checksum is gone, or a blank is another blank.
                    Ok(read) => {
                        let mut read = read.unwrap();
                        read.as_object_mut().unwrap().retain(|key, _| value.get(key).is_some());
                        assert_eq!(read, value, "byte {at}, bit {bit}");
                    }
                    Err(error) => {
                        assert!(is_damage(&error) && error.to_string().contains("record.json"));
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 6 * written.len(), "{seen}");
    }

    #[test]
    fn a_text_that_was_cut_short_or_changed_does_not_fit_its_first_line() {
        let text = "study:\n  seeds: 3\ntrain:\n  epochs: 4\n";
        let sealed = seal_text(text);
        assert_eq!((is_whole_text(&sealed), is_whole_text(text)), (Some(true), None));
        let begin = sealed.find('\n').unwrap() + 1;
        for end in begin..sealed.len() {
            assert_eq!(is_whole_text(&sealed[..end]), Some(false), "{end}");
        }
        assert_eq!(is_whole_text(&sealed.replace("epochs: 4", "epochs: 5")), Some(false));
        assert_eq!(is_whole_text(&sealed[..begin - 1]), Some(false));
    }

    #[test]
    fn what_has_no_checksum_is_read_and_keys_of_later_versions_are_covered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, r#"{ "a": 1 }"#).unwrap();
        assert_eq!(read_sealed_json::<Value>(&path).unwrap(), Some(json!({ "a": 1 })));
        assert_eq!(read_sealed_json::<Value>(&folder.path().join("none")).unwrap(), None);
        write_sealed_json(&path, &json!({ "a": 1, "later": 2 })).unwrap();
        #[derive(serde::Deserialize)]
        struct Earlier {
            a: u32,
        }
        assert_eq!(read_sealed_json::<Earlier>(&path).unwrap().unwrap().a, 1);
        let text = fs::read_to_string(&path).unwrap().replace("\"later\": 2", "\"later\": 3");
        fs::write(&path, text).unwrap();
        assert!(read_sealed_json::<Earlier>(&path).is_err());
    }
}
