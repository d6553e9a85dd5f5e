//! Optimizers: their settings as experiment files have them, and the rule by which each changes weights;
//! what is done to gradients before it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `train.optimizer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// torch's Adam, or Keras's.
    Adam(Adam),
    /// Adam with decoupled weight decay, as torch's or Keras's.
    Adamw(AdamW),
    /// Stochastic gradient descent with torch's momentum.
    Sgd(Sgd),
    /// Gradients over the root of their averaged squares, as torch or Keras has it.
    Rmsprop(RmsProp),
}

/// What a setting may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Above 0.
    Positive,
    /// 0 or more.
    NotNegative,
    /// 0 or more, and below 1.
    Share,
}

impl Optimizer {
    /// The learning rate before warm-up and schedule.
    pub fn lr(&self) -> f64 {
        match self {
            Self::Adam(Adam { lr, .. })
            | Self::Adamw(AdamW { lr, .. })
            | Self::Sgd(Sgd { lr, .. }) => *lr,
            Self::Rmsprop(rmsprop) => rmsprop.lr(),
        }
    }

    /// What it is called in experiment files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adam(_) => "adam",
            Self::Adamw(_) => "adamw",
            Self::Sgd(_) => "sgd",
            Self::Rmsprop(_) => "rmsprop",
        }
    }

    /// The same kind, as it is when its name alone is given.
    pub fn by_default(&self) -> Self {
        let mut plain = match self {
            Self::Adam(_) => Self::Adam(Adam::default()),
            Self::Adamw(_) => Self::Adamw(AdamW::default()),
            Self::Sgd(_) => Self::Sgd(Sgd::default()),
            Self::Rmsprop(_) => Self::Rmsprop(RmsProp::default()),
        };
        plain.spell_out();
        plain
    }

    /// Leaves nothing to a default, as the definition of a run does.
    pub fn spell_out(&mut self) {
        match self {
            Self::Adam(adam) => adam.epsilon = Some(adam.epsilon()),
            Self::Adamw(adam) => adam.epsilon = Some(adam.epsilon()),
            Self::Sgd(_) => {}
            Self::Rmsprop(of) => {
                (of.lr, of.rho, of.epsilon) = (Some(of.lr()), Some(of.rho()), Some(of.epsilon()));
            }
        }
    }

    /// The decays of an Adam's first and second moment.
    pub fn betas(&self) -> Option<[f64; 2]> {
        match self {
            Self::Adam(adam) => Some([adam.beta_1, adam.beta_2]),
            Self::Adamw(adam) => Some([adam.beta_1, adam.beta_2]),
            Self::Sgd(_) | Self::Rmsprop(_) => None,
        }
    }

    /// The same to be changed, with the epsilon that goes with them.
    pub fn betas_mut(&mut self) -> Option<([&mut f64; 2], &mut f64)> {
        self.spell_out();
        let (betas, epsilon) = match self {
            Self::Adam(adam) => ([&mut adam.beta_1, &mut adam.beta_2], &mut adam.epsilon),
            Self::Adamw(adam) => ([&mut adam.beta_1, &mut adam.beta_2], &mut adam.epsilon),
            Self::Sgd(_) | Self::Rmsprop(_) => return None,
        };
        Some((betas, epsilon.as_mut()?))
    }

    /// What keeps its denominator from 0, if it divides by one.
    pub fn epsilon(&self) -> Option<f64> {
        match self {
            Self::Adam(adam) => Some(adam.epsilon()),
            Self::Adamw(adam) => Some(adam.epsilon()),
            Self::Sgd(_) => None,
            Self::Rmsprop(rmsprop) => Some(rmsprop.epsilon()),
        }
    }

    /// The share of the average of squared gradients that each step keeps, if it divides by its root.
    pub fn decay_of_squares(&self) -> Option<f64> {
        match self {
            Self::Rmsprop(rmsprop) => Some(rmsprop.rho()),
            _ => self.betas().map(|[_, beta_2]| beta_2),
        }
    }

    /// Whether it makes all weights smaller, whatever the gradient.
    pub fn decays_weights(&self) -> bool {
        matches!(self, Self::Adamw(AdamW { weight_decay, .. }) if *weight_decay > 0.0)
    }

    /// Its settings that are numbers, but for the learning rate, with what each may be.
    pub fn settings(&self) -> Vec<(&'static str, f64, Allowed)> {
        let betas = ["beta_1", "beta_2"].into_iter().zip(self.betas().into_iter().flatten());
        let betas = betas.map(|(key, beta)| (key, beta, Allowed::Share));
        let epsilon = self.epsilon().map(|epsilon| ("epsilon", epsilon, Allowed::Positive));
        let own = match self {
            Self::Adam(_) => vec![],
            Self::Adamw(adam) => vec![("weight_decay", adam.weight_decay, Allowed::NotNegative)],
            Self::Sgd(sgd) => vec![("momentum", sgd.momentum, Allowed::Share)],
            Self::Rmsprop(RmsProp { momentum, .. }) => {
                let rho = self.decay_of_squares().map(|rho| ("rho", rho, Allowed::Share));
                rho.into_iter().chain([("momentum", *momentum, Allowed::Share)]).collect()
            }
        };
        epsilon.into_iter().chain(betas).chain(own).collect()
    }

    /// How it changes weights.
    pub fn rule(&self) -> UpdateRule {
        match self {
            Self::Adam(adam) => UpdateRule::Adam {
                beta_1: adam.beta_1,
                beta_2: adam.beta_2,
                epsilon: adam.epsilon(),
                epsilon_hat: adam.form == Form::Keras,
                weight_decay: 0.0,
            },
            Self::Adamw(adam) => UpdateRule::Adam {
                beta_1: adam.beta_1,
                beta_2: adam.beta_2,
                epsilon: adam.epsilon(),
                epsilon_hat: adam.form == Form::Keras,
                weight_decay: adam.weight_decay,
            },
            Self::Sgd(sgd) => UpdateRule::Sgd { momentum: sgd.momentum, nesterov: sgd.nesterov },
            Self::Rmsprop(rmsprop) => UpdateRule::RmsProp {
                rho: rmsprop.rho(),
                epsilon: rmsprop.epsilon(),
                momentum: rmsprop.momentum,
                is_keras: rmsprop.form == Form::Keras,
            },
        }
    }

    /// Gives it another learning rate.
    pub fn set_lr(&mut self, value: f64) {
        match self {
            Self::Adam(Adam { lr, .. })
            | Self::Adamw(AdamW { lr, .. })
            | Self::Sgd(Sgd { lr, .. }) => *lr = value,
            Self::Rmsprop(rmsprop) => rmsprop.lr = Some(value),
        }
    }
}

/// `optimizer.adam`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// Learning rate before the schedule.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta_1: f64,
    /// Decay of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment; 1e-8 for torch's form and 1e-7 for Keras's when left
    /// out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// Where epsilon is added.
    pub form: Form,
}

impl Default for Adam {
    fn default() -> Self {
        Self { lr: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: None, form: Form::Torch }
    }
}

impl Adam {
    /// Epsilon as it is used.
    pub fn epsilon(&self) -> f64 {
        self.epsilon.unwrap_or(self.form.epsilon())
    }
}

/// Whose formula it is, where they differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// torch's: an Adam adds epsilon to the root of the bias-corrected second moment, RMSprop to the root.
    #[default]
    Torch,
    /// Keras's: an Adam adds it to the root of the second moment as it is ("epsilon hat"), RMSprop within
    /// the root.
    Keras,
}

impl Form {
    /// Epsilon where the file does not say it.
    fn epsilon(self) -> f64 {
        match self {
            Self::Torch => 1e-8,
            Self::Keras => 1e-7,
        }
    }

    fn is_torchs(&self) -> bool {
        *self == Self::Torch
    }
}

/// `optimizer.adamw`, with torch's defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdamW {
    /// Learning rate before the schedule.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta_1: f64,
    /// Decay of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment; 1e-8 for torch's form and 1e-7 for Keras's when left
    /// out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// Every step first multiplies all weights by 1 - lr * weight_decay.
    pub weight_decay: f64,
    /// Where epsilon is added.
    // Left out where it is torch's, as it was when there was no other: identities stay.
    #[serde(skip_serializing_if = "Form::is_torchs")]
    pub form: Form,
}

impl AdamW {
    /// Epsilon as it is used.
    pub fn epsilon(&self) -> f64 {
        self.epsilon.unwrap_or(self.form.epsilon())
    }
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: None,
            weight_decay: 0.01,
            form: Form::Torch,
        }
    }
}

/// `optimizer.sgd`: v = momentum * v + g, w = w - lr * v.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Learning rate before the schedule.
    pub lr: f64,
    /// The share of v that is kept.
    pub momentum: f64,
    /// w = w - lr * (g + momentum * v) in place of the above.
    pub nesterov: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { lr: 0.01, momentum: 0.0, nesterov: false }
    }
}

/// `optimizer.rmsprop`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RmsProp {
    /// Learning rate before the schedule; 0.01 for torch's form and 0.001 for Keras's when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// The share of the averaged squares that is kept (torch's alpha); 0.99 for torch's form and 0.9 for
    /// Keras's when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rho: Option<f64>,
    /// Keeps the denominator from 0; 1e-8 for torch's form and 1e-7 for Keras's when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// The share of earlier steps that is kept.
    pub momentum: f64,
    /// Where epsilon is added, and whether the learning rate is part of what momentum keeps (Keras's).
    pub form: Form,
}

impl RmsProp {
    /// The learning rate as it is used.
    pub fn lr(&self) -> f64 {
        self.lr.unwrap_or(if self.form.is_torchs() { 1e-2 } else { 1e-3 })
    }

    /// Rho as it is used.
    pub fn rho(&self) -> f64 {
        self.rho.unwrap_or(if self.form.is_torchs() { 0.99 } else { 0.9 })
    }

    /// Epsilon as it is used.
    pub fn epsilon(&self) -> f64 {
        self.epsilon.unwrap_or(self.form.epsilon())
    }
}

/// How a gradient g changes weights w in update t, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum UpdateRule {
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
    /// `v = rho v + (1-rho) g^2`, `d = g / (sqrt(v) + epsilon)`, `w = w - lr d` as in torch; with momentum
    /// `m = momentum m + d`, `w = w - lr m`. With `is_keras`, `d = g / sqrt(v + epsilon)`, and
    /// `m = momentum m + lr d`, `w = w - m`.
    RmsProp {
        /// The share of v that is kept.
        rho: f64,
        /// Keeps the denominator from 0.
        epsilon: f64,
        /// The share of m that is kept.
        momentum: f64,
        /// Whose formula it is.
        is_keras: bool,
    },
}

impl UpdateRule {
    /// How many lists of arrays the optimizer keeps: `m` and `v` in this order, or `v`, or nothing.
    pub fn moments(&self) -> usize {
        match self {
            Self::Adam { .. } => 2,
            Self::Sgd { momentum, .. } => usize::from(*momentum > 0.0),
            Self::RmsProp { momentum, .. } => 1 + usize::from(*momentum > 0.0),
        }
    }
}

/// `train.clip`: gradients are clipped after the penalties are added, before the update.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clip {
    /// All gradients times `min(1, most / (norm + 1e-6))`, norm being that of all together, as torch's
    /// `clip_grad_norm_` does.
    Norm(f64),
    /// Cut every entry to plus or minus this.
    Value(f64),
}

/// Added to the loss of every step: l1 * sum |w| + l2 * sum w^2, as in Keras (torch's `weight_decay` is
/// 2 * l2). The gradient is l1 * sign(w) + 2 * l2 * w, with sign(0) = 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rmsprop_has_the_defaults_of_the_program_whose_form_it_has() {
        for (form, lr, rho, epsilon) in
            [(Form::Torch, 0.01, 0.99, 1e-8), (Form::Keras, 0.001, 0.9, 1e-7)]
        {
            let mut optimizer = Optimizer::Rmsprop(RmsProp { form, ..RmsProp::default() });
            let is_keras = form == Form::Keras;
            let rule = UpdateRule::RmsProp { rho, epsilon, momentum: 0.0, is_keras };
            assert_eq!((optimizer.rule(), optimizer.lr()), (rule, lr));
            optimizer.spell_out();
            let spelled = serde_json::to_string(&optimizer).unwrap();
            assert!(!spelled.contains("null") && spelled.contains("\"lr\":"), "{spelled}");
        }
    }

    #[test]
    fn adam_and_adamw_have_keras_form_and_its_epsilon_where_that_is_asked_for() {
        for (form, expected) in [(Form::Torch, (1e-8, false)), (Form::Keras, (1e-7, true))] {
            let adam = Optimizer::Adam(Adam { form, ..Adam::default() });
            let adamw = Optimizer::Adamw(AdamW { form, ..AdamW::default() });
            for (optimizer, decay) in [(adam, 0.0), (adamw, 0.01)] {
                let (epsilon, epsilon_hat) = expected;
                let (beta_1, beta_2, weight_decay) = (0.9, 0.999, decay);
                let rule = UpdateRule::Adam { beta_1, beta_2, epsilon, epsilon_hat, weight_decay };
                assert_eq!(optimizer.rule(), rule);
            }
        }
    }
}
