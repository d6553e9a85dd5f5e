//! What an engine is told: once for a run, and for each step.

use super::Objective;
use crate::spec::{Layer, Param, Role};
use serde::{Deserialize, Serialize};

/// What stays the same during a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What is minimised.
    pub objective: Objective,
    /// The update rule.
    pub optimizer: Optimizer,
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
    pub fn plain(objective: Objective, optimizer: Optimizer) -> Self {
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

/// l1 * sum |w| + l2 * sum w^2; the gradient is l1 * sign(w) + 2 * l2 * w, with sign(0) = 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Penalty {
    /// Of the sum of absolute values.
    pub l1: f64,
    /// Of the sum of squares.
    pub l2: f64,
}

impl Penalty {
    /// Whether it is 0 for all weights.
    pub fn is_none(&self) -> bool {
        self.l1 <= 0.0 && self.l2 <= 0.0
    }
}

/// How a gradient g changes weights w in update t, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Optimizer {
    /// `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`, `w = (1 - lr weight_decay) w`, then
    /// `w = w - lr / (1-b1^t) * m / (sqrt(v) / sqrt(1-b2^t) + epsilon)` as in torch; with
    /// `epsilon_hat`, `w = w - lr sqrt(1-b2^t) / (1-b1^t) * m / (sqrt(v) + epsilon)` as in Keras.
    Adam {
        /// b1
        beta_1: f64,
        /// b2
        beta_2: f64,
        /// Keeps the denominator from 0.
        epsilon: f64,
        /// Where epsilon is added.
        epsilon_hat: bool,
        /// Decoupled from the gradient, as AdamW has it; 0 for Adam.
        weight_decay: f64,
    },
    /// `v = momentum v + g`, `w = w - lr v`; with `nesterov`, `w = w - lr (g + momentum v)`.
    Sgd {
        /// The share of v that is kept.
        momentum: f64,
        /// Look ahead.
        nesterov: bool,
    },
}

impl Optimizer {
    /// How many lists of arrays the optimizer keeps: `m` and `v`, or `v`, or nothing.
    pub fn moments(&self) -> usize {
        match self {
            Self::Adam { .. } => 2,
            Self::Sgd { momentum, .. } if *momentum > 0.0 => 1,
            Self::Sgd { .. } => 0,
        }
    }
}

/// How gradients are kept small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// All gradients times `min(1, most / (norm + 1e-6))`, norm being that of all together.
    Norm(f64),
    /// Each entry cut to plus or minus this.
    Value(f64),
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
