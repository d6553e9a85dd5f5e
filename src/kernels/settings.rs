//! What an engine is told: once for a run, and for each step.

use super::Objective;
use crate::spec::{Clip, Layer, Param, Penalty, Role, UpdateRule};

/// What stays the same during a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What is minimised.
    pub objective: Objective,
    /// The update rule.
    pub optimizer: UpdateRule,
    /// Keeps gradients small.
    pub clip: Option<Clip>,
    /// Penalties on the parameters of each recurrent layer, both directions alike; layers beyond the list
    /// have none.
    pub penalties: Vec<Penalties>,
    /// Rows whose gradients are computed at a time and summed; `None` for the whole batch.
    pub micro_batch: Option<usize>,
}

impl Settings {
    /// A loss and an update rule, and nothing else.
    pub fn plain(objective: Objective, optimizer: UpdateRule) -> Self {
        Self { objective, optimizer, clip: None, penalties: Vec::new(), micro_batch: None }
    }

    /// The penalty on a parameter.
    pub fn penalty_on(&self, parameter: &Param) -> Penalty {
        match parameter.layer {
            Layer::Recurrent { index, .. } => {
                self.penalties.get(index).map_or_else(Penalty::default, |p| p.of(parameter.role))
            }
            Layer::Embedding | Layer::Dense => Penalty::default(),
        }
    }
}

/// The penalties on a layer's parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Penalties {
    /// On the weights of its inputs.
    pub kernel: Penalty,
    /// On the weights of its state.
    pub recurrent: Penalty,
    /// On its bias.
    pub bias: Penalty,
}

impl Penalties {
    /// That on the parameters of a role.
    pub fn of(&self, role: Role) -> Penalty {
        match role {
            Role::Kernel => self.kernel,
            Role::Recurrent => self.recurrent,
            // Keras keeps both of a GRU in one array.
            Role::Bias | Role::RecurrentBias => self.bias,
            Role::Embedding => Penalty::default(),
        }
    }
}

/// One training step.
#[derive(Debug, Clone, Copy)]
pub struct Step<'s> {
    /// B rows of the training split.
    pub rows: &'s [u32],
    /// This step's learning rate.
    pub lr: f64,
    /// What is dropped in each direction of each recurrent layer, in the order of
    /// [`Shape::directions`](crate::spec::Shape::directions); `None` for nothing.
    pub masks: Option<&'s [Masks]>,
}

/// Dropout masks of one step and direction: each value is 0 or 1 / (1 - share dropped). An empty list
/// drops nothing. Masks are one a row (shared by all gates) or G a row (one a gate, in the order of the
/// cell's gates: four of an LSTM, three of a GRU).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Masks {
    /// `[B, 1, F]` without `recurrent`, `[B, G, F]` with it.
    pub input: Vec<f32>,
    /// `[B, G, H]`
    pub recurrent: Vec<f32>,
}
