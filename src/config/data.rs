//! `data`: where the examples come from and how they become sequences.

use super::series::SeriesSection;
use super::table::{TableSection, some_text, some_text_schema};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_yaml::with::singleton_map;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `data`: one source, and for text how it becomes token ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataSection {
    /// A table with a text and a label column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<TableSection>,
    /// Arrays of floats `[N, T, F]` or of token ids `[N, T]`, with labels `[N]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrays: Option<ArraysSection>,
    /// A table of measurements, cut into windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<SeriesSection>,
    /// How text becomes token ids; for tables only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSection>,
    /// How the examples are divided into splits.
    #[serde(default)]
    pub split: SplitSection,
    /// How features of arrays, and numbers that are predicted, are brought to a common range; they stay as
    /// they are with `none`, or when it is left out.
    #[serde(default, deserialize_with = "scale", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ScaleWord>")]
    pub scale: Option<ScaleRule>,
}

/// What may be written as `data.scale`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ScaleWord {
    /// As they are.
    None,
    /// To the mean 0 and the standard deviation 1.
    Standard,
    /// To values from 0 to 1.
    Minmax,
}

fn scale<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ScaleRule>, D::Error> {
    Ok(Option::<ScaleWord>::deserialize(from)?.and_then(|word| match word {
        ScaleWord::None => None,
        ScaleWord::Standard => Some(ScaleRule::Standard),
        ScaleWord::Minmax => Some(ScaleRule::Minmax),
    }))
}

/// `data.scale`, fitted on the training split. Predictions and scores are in the unit of the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScaleRule {
    /// To the mean 0 and the standard deviation 1.
    Standard,
    /// To values from 0 to 1.
    Minmax,
}

impl DataSection {
    /// How examples are dealt out where the source does not say: as `split.by` says, else by what
    /// the source names.
    pub fn split_by(&self) -> SplitBy {
        if self.series.is_some() {
            return SplitBy::Time;
        }
        let table = self.table.as_ref();
        let arrays = self.arrays.as_ref();
        let grouped = table.is_some_and(|table| table.group.is_some())
            || arrays.is_some_and(|arrays| arrays.groups_train.is_some());
        let timed = table.is_some_and(|table| table.time.is_some())
            || arrays.is_some_and(|arrays| arrays.times_train.is_some());
        match (self.split.by, grouped, timed) {
            (Some(by), _, _) => by,
            (None, true, _) => SplitBy::Group,
            (None, false, true) => SplitBy::Time,
            (None, false, false) => SplitBy::Random,
        }
    }
}

/// `data.arrays`: arrays in an npz file, as `numpy.savez` writes it, or in npy files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArraysSection {
    /// The npz file, relative to the folder in which batchscope is started. Without it, the other
    /// keys name one npy file each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Training sequences: floats `[N, T, F]`, or token ids `[N, T]` as integers. With `mask_zero`
    /// each token 0 is skipped.
    pub x_train: String,
    /// Training labels `[N]` or `[N, 1]`: 0 and 1, truth values, or -1 and 1.
    pub y_train: String,
    /// The label that counts as 1, compared as text; all others count as 0. Needed where labels are
    /// others than 0 and 1, truth values, or -1 and 1.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "some_text")]
    #[schemars(schema_with = "some_text_schema")]
    pub positive: Option<String>,
    /// Validation sequences; cut from the training arrays by `data.split` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_val: Option<String>,
    /// Validation labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y_val: Option<String>,
    /// Test sequences; without these and `x_val`, `data.split.test` cuts some from the training
    /// arrays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_test: Option<String>,
    /// Test labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y_test: Option<String>,
    /// The group `[N]` of each training sequence, such as a subject: no group is in two splits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups_train: Option<String>,
    /// The groups of the validation sequences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups_val: Option<String>,
    /// The groups of the test sequences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups_test: Option<String>,
    /// The time `[N]` of each training sequence, numbers or ISO 8601 dates, by which
    /// `split: { by: time }` sorts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times_train: Option<String>,
    /// V for token ids: one more than the largest id that may come. Taken from the arrays when left
    /// out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<u32>,
}

impl ArraysSection {
    /// The arrays, or files, that it names.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let optional = [
            &self.x_val,
            &self.y_val,
            &self.x_test,
            &self.y_test,
            &self.groups_train,
            &self.groups_val,
            &self.groups_test,
            &self.times_train,
        ];
        [&self.x_train, &self.y_train].into_iter().chain(optional.into_iter().flatten())
    }
}

impl Default for ArraysSection {
    fn default() -> Self {
        Self {
            path: None,
            x_train: "X_train".into(),
            y_train: "y_train".into(),
            positive: None,
            x_val: None,
            y_val: None,
            x_test: None,
            y_test: None,
            groups_train: None,
            groups_val: None,
            groups_test: None,
            times_train: None,
            vocabulary: None,
        }
    }
}

/// `data.text`: standardise, split into tokens, look up, pad.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TextSection {
    /// How a text becomes tokens.
    #[serde(with = "singleton_map", skip_serializing_if = "Tokenizer::is_words")]
    #[schemars(with = "Tokenizer")]
    pub tokenizer: Tokenizer,
    /// Texts to replace before anything else, in the alphabetical order of what is replaced.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub replace: BTreeMap<String, String>,
    /// Size of the vocabulary of `words`, padding (0) and unknown words (1) included; a tokenizer
    /// file brings its own vocabulary.
    pub max_tokens: u32,
    /// Tokens per example after padding and truncation.
    pub length: u32,
    /// The end at which short texts are padded.
    pub pad: End,
    /// The end at which long texts are cut.
    pub truncate: End,
}

impl Default for TextSection {
    fn default() -> Self {
        Self {
            tokenizer: Tokenizer::Words,
            replace: BTreeMap::new(),
            max_tokens: 10_000,
            length: 200,
            pad: End::Pre,
            truncate: End::Pre,
        }
    }
}

/// How a text becomes tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tokenizer {
    /// Words, lower-cased and without punctuation, numbered by how often the training split has
    /// them, as Keras's `TextVectorization` does it.
    #[default]
    Words,
    /// A Hugging Face `tokenizer.json`, special tokens included. Its ids stay as they are where its
    /// id 0 is padding; else each is raised by one, since 0 is padding here.
    File(PathBuf),
}

impl Tokenizer {
    fn is_words(&self) -> bool {
        matches!(self, Self::Words)
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

/// `data.split`: fractions of all examples; the rest is for training. A source that brings its own
/// validation split is left as it is; one that brings only a test split has the validation split
/// cut from its training examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SplitSection {
    /// Fraction for validation after each epoch.
    pub validation: f64,
    /// Fraction for the test after training.
    pub test: f64,
    /// Keep the share of each label the same in every split: exactly for `random`, as nearly as
    /// whole groups allow for `group`; `time` and `order` cannot.
    pub stratify: bool,
    /// One seed for the whole study, so that no run tests on another's training examples.
    pub seed: u64,
    /// How examples are dealt out. When left out: `group` where the source names groups, `time`
    /// where it names times, else `random`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<SplitBy>,
    /// With `order` and `time`: so many examples between two splits are left out, since windows that
    /// overlap share time steps with their neighbours.
    #[serde(skip_serializing_if = "is_zero")]
    pub gap: u32,
}

fn is_zero(gap: &u32) -> bool {
    *gap == 0
}

impl Default for SplitSection {
    fn default() -> Self {
        Self { validation: 0.2, test: 0.2, stratify: true, seed: 0, by: None, gap: 0 }
    }
}

/// How examples are dealt out to the splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// At random; identical examples stay together.
    Random,
    /// Whole groups, the largest first, each to the split that still lacks most of what the group
    /// holds; groups of one size are dealt in random order.
    Group,
    /// Sorted by time: the earliest train, then validation, the latest test. Equal times stay in the
    /// order of the file.
    Time,
    /// In the order of the file: the first train, then validation, the last test. `test: 0` and
    /// `validation: 0.2` are Keras's `validation_split=0.2`.
    Order,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_left_as_they_are_by_word_or_by_silence() {
        let read = |yaml: &str| serde_yaml::from_str::<DataSection>(yaml).map(|data| data.scale);
        assert_eq!(read("{ scale: none }").unwrap(), None);
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read("{ scale: minmax }").unwrap(), Some(ScaleRule::Minmax));
        assert!(read("{ scale: robust }").unwrap_err().to_string().contains("`none`, `standard`"));
    }
}
