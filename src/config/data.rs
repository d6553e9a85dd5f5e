//! `data`: where the examples come from and how they become sequences.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_yaml::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `data`: one source, and for text how it becomes token ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataSection {
    /// A CSV table with a text and a label column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<TableSection>,
    /// Arrays of floats `[N, T, F]` with labels `[N]` in one npz file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrays: Option<ArraysSection>,
    /// How text becomes token ids; for tables only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSection>,
    /// How the examples are divided into splits.
    #[serde(default)]
    pub split: SplitSection,
}

/// `data.table`: a CSV file with a header line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSection {
    /// The file, relative to the folder in which batchscope is started.
    pub path: PathBuf,
    /// The column that holds the text.
    #[serde(default = "text_column")]
    pub text: String,
    /// The column that holds the label: two values, which become 0 and 1 in sorted order.
    #[serde(default = "label_column")]
    pub label: String,
    /// Keep only rows whose columns have these values.
    #[serde(
        default,
        rename = "where",
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "texts"
    )]
    #[schemars(schema_with = "texts_schema")]
    pub filter: BTreeMap<String, String>,
}

/// A column's value may be written as a number or as true or false, and is compared as text.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let text = |(key, value): (String, Value)| match value {
        Value::String(text) => Ok((key, text)),
        Value::Number(number) => Ok((key, number.to_string())),
        Value::Bool(flag) => Ok((key, flag.to_string())),
        _ => Err(D::Error::custom(format!("`{key}` takes one value to compare a column with"))),
    };
    BTreeMap::deserialize(deserializer)?.into_iter().map(text).collect()
}

/// What [`texts`] reads.
fn texts_schema(_: &mut SchemaGenerator) -> Schema {
    let value = json_schema!({ "type": ["string", "number", "boolean"] });
    json_schema!({ "type": "object", "additionalProperties": value })
}

/// `data.arrays`: names of the arrays in an npz file, as `numpy.savez` wrote them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArraysSection {
    /// The file, relative to the folder in which batchscope is started.
    pub path: PathBuf,
    /// Training sequences `[N, T, F]`.
    #[serde(default = "x_train")]
    pub x_train: String,
    /// Training labels `[N]` or `[N, 1]`, each 0 or 1.
    #[serde(default = "y_train")]
    pub y_train: String,
    /// Validation sequences; cut from the training arrays by `data.split` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x_val: Option<String>,
    /// Validation labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y_val: Option<String>,
    /// Test sequences; without these and `x_val`, `data.split.test` cuts some from the training
    /// arrays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x_test: Option<String>,
    /// Test labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y_test: Option<String>,
}

/// `data.text`: standardise, split into words, look up, pad.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextSection {
    /// Texts to replace before anything else, in the alphabetical order of what is replaced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replace: BTreeMap<String, String>,
    /// Size of the vocabulary, padding (0) and unknown words (1) included.
    #[serde(default = "max_tokens")]
    pub max_tokens: u32,
    /// Tokens per example after padding and truncation.
    #[serde(default = "length")]
    pub length: u32,
    /// The end at which short texts are padded.
    #[serde(default)]
    pub pad: End,
    /// The end at which long texts are cut.
    #[serde(default)]
    pub truncate: End,
}

impl Default for TableSection {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            text: text_column(),
            label: label_column(),
            filter: BTreeMap::new(),
        }
    }
}

impl Default for ArraysSection {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            x_train: x_train(),
            y_train: y_train(),
            x_val: None,
            y_val: None,
            x_test: None,
            y_test: None,
        }
    }
}

impl Default for TextSection {
    fn default() -> Self {
        Self {
            replace: BTreeMap::new(),
            max_tokens: max_tokens(),
            length: length(),
            pad: End::Pre,
            truncate: End::Pre,
        }
    }
}

/// One end of a sequence, named as Keras names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The beginning.
    #[default]
    Pre,
    /// The end.
    Post,
}

/// `data.split`: fractions of all examples; the rest is for training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SplitSection {
    /// Fraction for validation after each epoch.
    pub validation: f64,
    /// Fraction for the test after training.
    pub test: f64,
    /// Keep the share of each label the same in every split.
    pub stratify: bool,
    /// One seed for the whole study, so that no run tests on another's training examples.
    pub seed: u64,
}

impl Default for SplitSection {
    fn default() -> Self {
        Self { validation: 0.2, test: 0.2, stratify: true, seed: 0 }
    }
}

fn text_column() -> String {
    "text".into()
}

fn label_column() -> String {
    "label".into()
}

fn x_train() -> String {
    "X_train".into()
}

fn y_train() -> String {
    "y_train".into()
}

fn max_tokens() -> u32 {
    10_000
}

fn length() -> u32 {
    200
}
