//! What the user wrote (one YAML file) and what it means (a checked [`Study`]).
//!
//! `load` reads the text with its `--set` overrides into an [`Experiment`], in which every key that
//! was left out has its default; `resolve` checks the rules between keys, once, and gives a
//! [`Study`]. Nobody downstream checks again. Saving [`Study::experiment`] and running that file
//! gives the same study.

mod default;
mod load;
mod locate;
mod resolve;
mod rules;

pub use load::{Override, Source, load};
pub use resolve::{Arm, Study};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_yaml::Value;
use serde_yaml::with::singleton_map;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole YAML file, key for key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// What is compared.
    pub study: StudySection,
    /// Where the examples come from and how they become sequences.
    pub data: DataSection,
    /// The classifier.
    #[serde(default)]
    pub model: ModelSection,
    /// How each run is trained, unless its arm says otherwise.
    #[serde(default)]
    pub train: TrainSection,
}

/// `study`: the arms to compare and how often each is repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudySection {
    /// The name of the study and of its folder; the name of the file when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Runs per arm, with seeds 0, 1, 2, ...
    #[serde(default = "default::seeds")]
    pub seeds: u32,
    /// The configurations to compare, one by one. Give either these or `grid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arms: Option<Vec<ArmSection>>,
    /// The configurations to compare, as all combinations of the values listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridSection>,
}

/// One arm: a batch size, and whatever differs from `train`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmSection {
    /// The name of the arm and of its folder; `batch-32` for batch size 32 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Examples per step.
    pub batch_size: u32,
    /// Learning rate before the schedule, in place of the optimizer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// In place of `train.schedule`.
    #[serde(default, with = "singleton_map", skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// In place of `train.epochs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
}

/// `study.grid`: every batch size with every learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridSection {
    /// Examples per step.
    pub batch_size: Vec<u32>,
    /// Learning rates; the optimizer's alone when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<Vec<f64>>,
}

/// `data`: one source, and for text how it becomes token ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSection {
    /// The file, relative to the folder in which batchscope is started.
    pub path: PathBuf,
    /// The column that holds the text.
    #[serde(default = "default::text_column")]
    pub text: String,
    /// The column that holds the label: two values, which become 0 and 1 in sorted order.
    #[serde(default = "default::label_column")]
    pub label: String,
    /// Keep only rows whose columns have these values.
    #[serde(
        default,
        rename = "where",
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "texts"
    )]
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

/// `data.arrays`: names of the arrays in an npz file, as `numpy.savez` wrote them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArraysSection {
    /// The file, relative to the folder in which batchscope is started.
    pub path: PathBuf,
    /// Training sequences `[N, T, F]`.
    #[serde(default = "default::x_train")]
    pub x_train: String,
    /// Training labels `[N]` or `[N, 1]`, each 0 or 1.
    #[serde(default = "default::y_train")]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSection {
    /// Texts to replace before anything else, in the alphabetical order of what is replaced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replace: BTreeMap<String, String>,
    /// Size of the vocabulary, padding (0) and unknown words (1) included.
    #[serde(default = "default::max_tokens")]
    pub max_tokens: u32,
    /// Tokens per example after padding and truncation.
    #[serde(default = "default::length")]
    pub length: u32,
    /// The end at which short texts are padded.
    #[serde(default)]
    pub pad: End,
    /// The end at which long texts are cut.
    #[serde(default)]
    pub truncate: End,
}

/// One end of a sequence, named as Keras names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The beginning.
    #[default]
    Pre,
    /// The end.
    Post,
}

/// `data.split`: fractions of all examples; the rest is for training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// `model`: LSTM(units) -> Dense(1), with an embedding before it for tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSection {
    /// Turns token ids into vectors; left out when the data is already `[N, T, F]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<EmbeddingSection>,
    /// The recurrent layer.
    pub lstm: LstmSection,
    /// The output layer.
    pub dense: DenseSection,
}

/// `model.embedding`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddingSection {
    /// Size of a token's vector.
    pub dim: u32,
    /// Skip padding: the LSTM holds its state where the token is 0.
    pub mask_zero: bool,
}

/// `model.lstm`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LstmSection {
    /// Size of the state.
    pub units: u32,
}

/// `model.dense`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DenseSection {
    /// Outputs: one, for a question with two answers.
    pub units: u32,
    /// Turns the output into a probability.
    pub activation: Activation,
}

/// Output activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// 1 / (1 + e^-z)
    #[default]
    Sigmoid,
}

/// `train`: what every arm shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSection {
    /// Passes over the training split.
    pub epochs: u32,
    /// The update rule.
    #[serde(with = "singleton_map")]
    pub optimizer: Optimizer,
    /// How the learning rate changes from epoch to epoch.
    #[serde(with = "singleton_map")]
    pub schedule: Schedule,
    /// What is minimised.
    pub loss: Loss,
    /// What is measured beside the loss.
    pub metrics: Vec<Metric>,
    /// Where runs are trained: `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// The implementation of the mathematics.
    pub engine: EngineChoice,
}

/// Update rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// torch's Adam: epsilon is added after bias correction.
    Adam(Adam),
}

/// Adam's settings, with torch's defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// Learning rate before the schedule.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta_1: f64,
    /// Decay of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
}

/// Learning-rate schedules, stepped once an epoch (the first is epoch 0).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The optimizer's learning rate throughout.
    #[default]
    Constant,
    /// lr * gamma^epoch
    Exponential(Exponential),
}

/// `schedule.exponential`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// The factor from one epoch to the next.
    pub gamma: f64,
}

/// Losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Mean over the rows of a batch, computed from logits.
    #[default]
    BinaryCrossentropy,
}

/// Metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The share of examples for which `p > 0.5` agrees with the label.
    Accuracy,
}

/// Implementations of the model's mathematics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineChoice {
    /// The best one for the device; the resolved file names it.
    #[default]
    Auto,
    /// libtorch's autograd, oneDNN and cuDNN: the reference.
    Libtorch,
}
