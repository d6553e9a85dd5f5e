//! The recurrent layers of a model, one after the other.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::Deref;

/// What a recurrent layer computes at a time step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Four gates in the order i f g o, and a carry beside the state.
    Lstm,
    /// Three gates in the order r z n; the reset gate acts after the product with the state.
    Gru,
}

impl Cell {
    /// G, the blocks of H rows in its weights.
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// As it begins the names of parameters and stands in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        }
    }

    /// As it is shown to people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Lstm => "LSTM",
            Self::Gru => "GRU",
        }
    }
}

/// One recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrent {
    /// What it computes.
    pub cell: Cell,
    /// H, the size of its state in each direction.
    pub units: usize,
    /// Whether a second set of weights reads each row from its last step to its first; the states of both
    /// directions stand side by side.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bidirectional: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Recurrent {
    /// An LSTM in one direction.
    pub const fn lstm(units: usize) -> Self {
        Self { cell: Cell::Lstm, units, bidirectional: false }
    }

    /// A GRU in one direction.
    pub const fn gru(units: usize) -> Self {
        Self { cell: Cell::Gru, units, bidirectional: false }
    }

    /// The same layer in both directions.
    pub const fn both_ways(self) -> Self {
        Self { bidirectional: true, ..self }
    }

    /// 1 or 2.
    pub fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    /// What it hands on at a time step: the states of its directions side by side.
    pub fn width(&self) -> usize {
        self.units * self.directions()
    }

    /// `LSTM(64)`, `Bidirectional(GRU(32))`
    pub fn title(&self) -> String {
        let title = format!("{}({})", self.cell.title(), self.units);
        if self.bidirectional { format!("Bidirectional({title})") } else { title }
    }
}

/// The most layers that a model has: so sizes are copied and need no memory of their own.
pub const MOST_LAYERS: usize = 8;

/// One to eight recurrent layers: each but the last hands on its states of all steps, the last one its last
/// state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack {
    /// Those beyond `count` are all alike, so that equal stacks are equal.
    layers: [Recurrent; MOST_LAYERS],
    count: usize,
}

const NONE: Recurrent = Recurrent::lstm(0);

impl Stack {
    /// One LSTM in one direction.
    pub const fn lstm(units: usize) -> Self {
        Self::one(Recurrent::lstm(units))
    }

    /// One layer.
    pub const fn one(layer: Recurrent) -> Self {
        let mut layers = [NONE; MOST_LAYERS];
        layers[0] = layer;
        Self { layers, count: 1 }
    }

    /// These layers; `None` if there are none or more than [`MOST_LAYERS`].
    pub fn new(given: &[Recurrent]) -> Option<Self> {
        if !(1..=MOST_LAYERS).contains(&given.len()) {
            return None;
        }
        let mut layers = [NONE; MOST_LAYERS];
        layers[..given.len()].copy_from_slice(given);
        Some(Self { layers, count: given.len() })
    }

    /// The units of the model that is one LSTM in one direction.
    pub fn plain(&self) -> Option<usize> {
        match self[..] {
            [Recurrent { cell: Cell::Lstm, units, bidirectional: false }] => Some(units),
            _ => None,
        }
    }

    /// The one cell, size and number of directions that all layers have, if they do.
    pub fn common(&self) -> Option<Recurrent> {
        self.iter().all(|layer| *layer == self[0]).then_some(self[0])
    }

    /// `LSTM(64) -> Bidirectional(GRU(32))`
    pub fn title(&self) -> String {
        self.iter().map(Recurrent::title).collect::<Vec<_>>().join(" -> ")
    }
}

impl Deref for Stack {
    type Target = [Recurrent];

    fn deref(&self) -> &[Recurrent] {
        &self.layers[..self.count]
    }
}

impl Serialize for Stack {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self[..].serialize(to)
    }
}

impl<'de> Deserialize<'de> for Stack {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let layers = Vec::<Recurrent>::deserialize(from)?;
        let wrong = || serde::de::Error::invalid_length(layers.len(), &"one to eight layers");
        Self::new(&layers).ok_or_else(wrong)
    }
}
