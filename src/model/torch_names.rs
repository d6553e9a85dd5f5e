//! What `torch.nn` modules call the parameters of recurrent layers.
//!
//! ```text
//! all layers of one cell, size and number of directions: one nn.LSTM or nn.GRU with num_layers
//!     lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0, lstm.bias_hh_l0
//!     lstm.weight_ih_l0_reverse ..., lstm.weight_ih_l1 ...
//! others: an nn.ModuleList `rnn` of modules with one layer each
//!     rnn.0.weight_ih_l0, rnn.0.weight_ih_l0_reverse, rnn.1.weight_ih_l0 ...
//! ```
//!
//! An LSTM's one bias is the sum of torch's two; those of a GRU are torch's.

use crate::spec::{Layer, Param, Role, Shape};

/// What the names of a module's parameters begin with, and which of the model's layers it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Modules {
    /// One module with all layers: what its names begin with, such as `lstm.`.
    One(String),
    /// A module for each layer.
    Each(Vec<String>),
}

impl Modules {
    /// As this program writes them.
    pub(super) fn of(shape: &Shape) -> Self {
        match shape.layers.common() {
            Some(layer) => Self::One(format!("{}.", layer.cell.name())),
            None => Self::Each((0..shape.layers.len()).map(|n| format!("rnn.{n}.")).collect()),
        }
    }

    /// As they are found, by what stands before `weight_ih_l0` in the names of a file; `None` where that is
    /// not clear. Modules of one layer each are in the order of the numbers in their names.
    pub(super) fn found(shape: &Shape, prefixes: &[String]) -> Option<Self> {
        match prefixes {
            [only] if shape.layers.common().is_some() => Some(Self::One(only.clone())),
            _ if prefixes.len() == shape.layers.len() => {
                let mut numbered: Vec<(usize, &String)> = Vec::new();
                for prefix in prefixes {
                    numbered.push((number(prefix)?, prefix));
                }
                numbered.sort();
                let stem = |prefix: &str| prefix.replace(|c: char| c.is_ascii_digit(), "");
                let alike = numbered.iter().all(|(_, p)| stem(p) == stem(&prefixes[0]));
                let differ = numbered.windows(2).all(|pair| pair[0].0 < pair[1].0);
                (alike && differ)
                    .then(|| Self::Each(numbered.into_iter().map(|(_, p)| p.clone()).collect()))
            }
            _ => None,
        }
    }

    /// torch's name of a parameter of a recurrent layer: for its role, or of an LSTM's bias both names.
    pub(super) fn name(&self, parameter: &Param, role: Role) -> Option<String> {
        let Layer::Recurrent { index, reverse } = parameter.layer else { return None };
        let (prefix, level) = match self {
            Self::One(prefix) => (prefix, index),
            Self::Each(prefixes) => (&prefixes[index], 0),
        };
        let name = match role {
            Role::Kernel => "weight_ih",
            Role::Recurrent => "weight_hh",
            Role::Bias => "bias_ih",
            Role::RecurrentBias => "bias_hh",
            Role::Embedding => return None,
        };
        Some(format!("{prefix}{name}_l{level}{}", if reverse { "_reverse" } else { "" }))
    }
}

/// The one number in a name.
fn number(name: &str) -> Option<usize> {
    let mut numbers = name.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let only = numbers.next()?.parse().ok()?;
    numbers.next().is_none().then_some(only)
}
