//! `model`: the layers and the head.

use crate::spec::{Activation, Cell, Penalty, Recurrent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::with::{singleton_map, singleton_map_recursive};
use std::path::PathBuf;

/// `model`: recurrent layers -> Dense(outputs), with an embedding before them for tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSection {
    /// Turns token ids into vectors; left out when the data is already `[N, T, F]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<EmbeddingSection>,
    /// The recurrent layer: an LSTM in one direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lstm: Option<RecurrentSection>,
    /// The recurrent layers in place of `lstm`, one to eight: each but the last hands on its states of all
    /// steps, the last one its last state.
    #[serde(with = "singleton_map_recursive", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<LayerSection>>")]
    pub layers: Option<Vec<LayerSection>>,
    /// The output layer.
    pub dense: DenseSection,
    /// The first weights.
    #[serde(with = "singleton_map")]
    #[schemars(with = "Init")]
    pub init: Init,
}

/// `model.embedding`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddingSection {
    /// Size of a token's vector.
    pub dim: u32,
    /// Skip padding: recurrent layers hold their state where the token is 0.
    pub mask_zero: bool,
}

impl Default for EmbeddingSection {
    fn default() -> Self {
        Self { dim: 64, mask_zero: true }
    }
}

/// A layer of `model.layers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayerSection {
    /// An LSTM in one direction.
    Lstm(RecurrentSection),
    /// A GRU in one direction; as Keras's with `reset_after=True`, and torch's.
    Gru(RecurrentSection),
    /// One of them in both directions, each with weights of its own; their states stand side by side, as
    /// with Keras's `merge_mode="concat"`.
    Bidirectional(OneWaySection),
}

/// `bidirectional`: what it has in each direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OneWaySection {
    /// An LSTM.
    Lstm(RecurrentSection),
    /// A GRU.
    Gru(RecurrentSection),
}

impl LayerSection {
    /// Its cell and directions, and the settings of each direction.
    fn parts(&self) -> (Cell, bool, &RecurrentSection) {
        match self {
            Self::Lstm(settings) => (Cell::Lstm, false, settings),
            Self::Gru(settings) => (Cell::Gru, false, settings),
            Self::Bidirectional(OneWaySection::Lstm(settings)) => (Cell::Lstm, true, settings),
            Self::Bidirectional(OneWaySection::Gru(settings)) => (Cell::Gru, true, settings),
        }
    }

    /// The keys under which its settings stand.
    pub(super) fn path(&self) -> String {
        let (cell, bidirectional, _) = self.parts();
        format!("{}{}", if bidirectional { "bidirectional." } else { "" }, cell.name())
    }

    /// The settings of each direction.
    pub fn settings(&self) -> &RecurrentSection {
        self.parts().2
    }

    /// Its sizes.
    pub fn sizes(&self) -> Recurrent {
        let (cell, bidirectional, settings) = self.parts();
        Recurrent { cell, units: settings.units as usize, bidirectional }
    }
}

impl ModelSection {
    /// The recurrent layers, however they are given.
    pub fn recurrent(&self) -> Vec<LayerSection> {
        match &self.layers {
            Some(layers) => layers.clone(),
            None => vec![LayerSection::Lstm(self.lstm.clone().unwrap_or_default())],
        }
    }

    /// `LSTM(64) -> Bidirectional(GRU(32))`
    pub fn title(&self) -> String {
        let titles: Vec<String> =
            self.recurrent().iter().map(|layer| layer.sizes().title()).collect();
        titles.join(" -> ")
    }

    /// Leaves nothing to a default that does not depend on the data.
    pub(super) fn spell_out(&mut self) {
        self.dense.spell_out();
        self.name_one_lstm();
    }

    /// Says in one way what is one LSTM, so that it is one model however it was written.
    pub(super) fn name_one_lstm(&mut self) {
        if let [LayerSection::Lstm(only)] = &self.recurrent()[..] {
            (self.lstm, self.layers) = (Some(only.clone()), None);
        }
    }
}

/// `lstm` or `gru`, with Keras's meaning of each key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecurrentSection {
    /// Size of the state, in each direction.
    pub units: u32,
    /// Share of the inputs that is dropped while training: one mask a row, the same at every time
    /// step; one a gate if `recurrent_dropout` is above 0.
    pub dropout: f64,
    /// Share of the state that is dropped on its way to each gate: one mask a row and gate, the
    /// same at every time step.
    pub recurrent_dropout: f64,
    /// Penalty on the input weights.
    pub kernel_regularizer: Penalty,
    /// Penalty on the recurrent weights.
    pub recurrent_regularizer: Penalty,
    /// Penalty on the bias.
    pub bias_regularizer: Penalty,
}

impl Default for RecurrentSection {
    fn default() -> Self {
        let none = Penalty::default();
        Self {
            units: 64,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            kernel_regularizer: none,
            recurrent_regularizer: none,
            bias_regularizer: none,
        }
    }
}

/// `model.dense`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DenseSection {
    /// Outputs: 1 for a sigmoid or a linear head, the number of classes for a softmax, which follows from
    /// the data when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
    /// What is made of the outputs: `sigmoid` for two classes, `softmax` for several, `linear` for numbers.
    pub activation: Activation,
}

impl DenseSection {
    /// Leaves nothing to a default that does not depend on the data.
    pub(super) fn spell_out(&mut self) {
        if self.activation != Activation::Softmax {
            self.units.get_or_insert(1);
        }
    }
}

/// `model.init`: where the first weights come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// As Keras draws them: Glorot uniform, orthogonal, forget bias 1.
    #[default]
    Keras,
    /// As torch draws them: uniform in +-1/sqrt(units), embeddings normal.
    Torch,
    /// From a safetensors file with our names or torch's, the same for every seed.
    Weights(PathBuf),
}
