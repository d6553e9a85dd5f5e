//! `data.table`: files of texts and labels, and texts as they are written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_yaml::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `data.table`: one file of examples, or one for each split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TableSection {
    /// The file, relative to the folder in which batchscope is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// In place of `path`: the file of the training examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<PathBuf>,
    /// The file of the validation examples; cut from `train` by `data.split` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<PathBuf>,
    /// The file of the test examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// The format of all files; told by the end of each name when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<TableFormat>,
    /// What stands between the columns of a CSV file: one ASCII character, a comma when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// Whether double quotes enclose cells of CSV and TSV files, or are part of the texts. When left
    /// out they enclose cells, except in a TSV file in which they cannot, or would take whole rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quotes: Option<bool>,
    /// The column that holds the text.
    pub text: String,
    /// The column that holds the label: two values for a sigmoid, which become 0 and 1 in sorted order;
    /// any number of values for a softmax, numbers for a linear head.
    pub label: String,
    /// With a sigmoid: the value of the label column that counts as 1; all others count as 0.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "some_text")]
    #[schemars(schema_with = "some_text_schema")]
    pub positive: Option<String>,
    /// Keep only rows whose columns have these values.
    #[serde(
        rename = "where",
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "texts"
    )]
    #[schemars(schema_with = "texts_schema")]
    pub filter: BTreeMap<String, String>,
    /// The column that names what must not be parted, such as an author: no group is in two splits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The column of times, numbers or ISO 8601 dates, by which `split: { by: time }` sorts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The column that says to which split a row belongs: `train`, `validation` (or `valid`, `val`,
    /// `dev`) or `test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
}

impl Default for TableSection {
    fn default() -> Self {
        Self {
            path: None,
            train: None,
            validation: None,
            test: None,
            format: None,
            separator: None,
            quotes: None,
            text: "text".into(),
            label: "label".into(),
            positive: None,
            filter: BTreeMap::new(),
            group: None,
            time: None,
            split: None,
        }
    }
}

/// Formats of tables. CSV, TSV and JSON Lines may be compressed: `reviews.csv.gz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableFormat {
    /// A header line, then one example a row, columns separated by `separator`: `.csv`.
    Csv,
    /// CSV with tabs between the columns: `.tsv`, `.tab`.
    Tsv,
    /// One JSON object a line: `.jsonl`, `.ndjson`.
    Jsonl,
    /// Apache Parquet: `.parquet`, `.pq`.
    Parquet,
}

impl TableFormat {
    /// What the end of a file's name says.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// What [`texts`] reads.
fn texts_schema(_: &mut SchemaGenerator) -> Schema {
    let value = json_schema!({ "type": ["string", "number", "boolean"] });
    json_schema!({ "type": "object", "additionalProperties": value })
}

/// What [`some_text`] reads.
pub(super) fn some_text_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "number", "boolean"] })
}

/// What YAML makes of a text that is not quoted, where that is a number or a flag: `2.50` is `2.5`.
pub fn as_yaml_reads(text: &str) -> Option<String> {
    match serde_yaml::from_str(text) {
        Ok(Value::Number(number)) => Some(number.to_string()),
        Ok(Value::Bool(flag)) => Some(flag.to_string()),
        _ => None,
    }
}

/// One value, which may be written as a number or as true or false, and is compared as text. When
/// it comes from a file or a flag, `load` has put the text as written in place of the number.
fn plain_text<E: Error>(what: &str, value: Value) -> Result<String, E> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null => Err(E::custom(format!(
            "`{what}` has no value; if the column holds the word null, write \"null\" in quotes"
        ))),
        _ => Err(E::custom(format!("`{what}` takes one value to compare a column with"))),
    }
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let read = BTreeMap::<String, Value>::deserialize(deserializer)?;
    let text = |(key, value): (String, Value)| plain_text(&key, value).map(|value| (key, value));
    read.into_iter().map(text).collect()
}

pub(super) fn some_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    plain_text("positive", Value::deserialize(deserializer)?).map(Some)
}
