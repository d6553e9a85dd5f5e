//! `train`: how each run is trained.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::with::singleton_map;

/// `train`: what every arm shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSection {
    /// Passes over the training split.
    pub epochs: u32,
    /// The update rule.
    #[serde(with = "singleton_map")]
    #[schemars(with = "Optimizer")]
    pub optimizer: Optimizer,
    /// How the learning rate changes from epoch to epoch.
    #[serde(with = "singleton_map")]
    #[schemars(with = "Schedule")]
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

impl Default for TrainSection {
    fn default() -> Self {
        Self {
            epochs: 10,
            optimizer: Optimizer::Adam(Adam::default()),
            schedule: Schedule::Constant,
            loss: Loss::BinaryCrossentropy,
            metrics: vec![Metric::Accuracy],
            device: "auto".into(),
            engine: EngineChoice::Auto,
        }
    }
}

/// Update rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// torch's Adam: epsilon is added after bias correction.
    Adam(Adam),
}

/// Adam's settings, with torch's defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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

impl Default for Adam {
    fn default() -> Self {
        Self { lr: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8 }
    }
}

/// Learning-rate schedules, stepped once an epoch (the first is epoch 0).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The optimizer's learning rate throughout.
    #[default]
    Constant,
    /// lr * gamma^epoch
    Exponential(Exponential),
}

/// `schedule.exponential`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// The factor from one epoch to the next.
    pub gamma: f64,
}

/// Losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Mean over the rows of a batch, computed from logits.
    #[default]
    BinaryCrossentropy,
}

/// Metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The share of examples for which `p > 0.5` agrees with the label.
    Accuracy,
}

/// Implementations of the model's mathematics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineChoice {
    /// The best one for the device; the resolved file names it.
    #[default]
    Auto,
    /// libtorch's autograd, oneDNN and cuDNN: the reference.
    Libtorch,
}
