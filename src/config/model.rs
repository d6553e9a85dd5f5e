//! `model`: the classifier.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `model`: LSTM(units) -> Dense(1), with an embedding before it for tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddingSection {
    /// Size of a token's vector.
    pub dim: u32,
    /// Skip padding: the LSTM holds its state where the token is 0.
    pub mask_zero: bool,
}

impl Default for EmbeddingSection {
    fn default() -> Self {
        Self { dim: 64, mask_zero: true }
    }
}

/// `model.lstm`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LstmSection {
    /// Size of the state.
    pub units: u32,
}

impl Default for LstmSection {
    fn default() -> Self {
        Self { units: 64 }
    }
}

/// `model.dense`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DenseSection {
    /// Outputs: one, for a question with two answers.
    pub units: u32,
    /// Turns the output into a probability.
    pub activation: Activation,
}

impl Default for DenseSection {
    fn default() -> Self {
        Self { units: 1, activation: Activation::Sigmoid }
    }
}

/// Output activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// 1 / (1 + e^-z)
    #[default]
    Sigmoid,
}
