//! `train.schedule` and `train.warmup`: how the learning rate changes.
//!
//! The formulas are torch's (`torch.optim.lr_scheduler`); `train::schedule` computes them. A
//! schedule counts from 0 at the end of the warm-up, in epochs or in steps.

use super::watch::Monitor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Learning-rate schedules, with torch's formulas and defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The optimizer's learning rate throughout.
    #[default]
    Constant,
    /// lr * gamma^t
    Exponential(Exponential),
    /// lr * gamma^(t / every), rounded down
    Step(StepDecay),
    /// lr * gamma^(number of milestones passed)
    Multistep(Multistep),
    /// Half a cosine from lr to min_lr.
    Cosine(Cosine),
    /// Up to lr and down again along cosines, step by step, over the whole run.
    OneCycle(OneCycle),
    /// The learning rates themselves, one after the other; the last one holds.
    Table(Table),
    /// Cut whenever a metric has stopped to improve.
    Plateau(Plateau),
}

impl Schedule {
    /// What it is called in experiment files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Exponential(_) => "exponential",
            Self::Step(_) => "step",
            Self::Multistep(_) => "multistep",
            Self::Cosine(_) => "cosine",
            Self::OneCycle(_) => "one_cycle",
            Self::Table(_) => "table",
            Self::Plateau(_) => "plateau",
        }
    }
}

/// A word or two for tables.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Exponential(Exponential { gamma, per }) => match per {
                Per::Epoch => write!(f, "lr * {gamma}^epoch"),
                Per::Step => write!(f, "lr * {gamma}^step"),
            },
            Self::Step(_) => f.write_str("step"),
            Self::Multistep(_) => f.write_str("multistep"),
            Self::Cosine(_) => f.write_str("cosine"),
            Self::OneCycle(_) => f.write_str("one cycle"),
            Self::Table(_) => f.write_str("table"),
            Self::Plateau(_) => f.write_str("plateau"),
        }
    }
}

/// In what a schedule counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// t is the epoch.
    #[default]
    Epoch,
    /// t is the step.
    Step,
}

/// `schedule.exponential`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// The factor from one t to the next.
    pub gamma: f64,
    /// Whether t counts epochs or steps.
    #[serde(default)]
    pub per: Per,
}

/// `schedule.step`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepDecay {
    /// How many t the learning rate stays.
    pub every: u64,
    /// The factor by which it then changes.
    #[serde(default = "tenth")]
    pub gamma: f64,
    /// Whether t counts epochs or steps.
    #[serde(default)]
    pub per: Per,
}

/// `schedule.multistep`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Multistep {
    /// The t at which the learning rate changes, ascending.
    pub at: Vec<u64>,
    /// The factor by which it changes.
    #[serde(default = "tenth")]
    pub gamma: f64,
    /// Whether t counts epochs or steps.
    #[serde(default)]
    pub per: Per,
}

/// `schedule.cosine`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cosine {
    /// The t at which min_lr is reached; the whole run after the warm-up when left out. Beyond it
    /// the cosine rises again, as torch's does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<u64>,
    /// The lowest learning rate.
    pub min_lr: f64,
    /// Whether t counts epochs or steps.
    pub per: Per,
}

/// `schedule.one_cycle`: from lr / div_factor up to the optimizer's lr, then down to
/// lr / div_factor / final_div_factor. Momentum is left alone (torch: `cycle_momentum=False`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OneCycle {
    /// The share of the steps that goes upwards.
    pub rising: f64,
    /// The peak divided by the first learning rate.
    pub div_factor: f64,
    /// The first learning rate divided by the last.
    pub final_div_factor: f64,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self { rising: 0.3, div_factor: 25.0, final_div_factor: 1e4 }
    }
}

/// `schedule.table`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Learning rates for t = 0, 1, 2, ...; these replace the optimizer's.
    pub lr: Vec<f64>,
    /// Whether t counts epochs or steps.
    #[serde(default)]
    pub per: Per,
}

/// `schedule.plateau`: counts in epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Plateau {
    /// The metric that has to improve.
    pub monitor: Monitor,
    /// Whose rule: torch cuts after more than `patience` bad epochs and its threshold is relative;
    /// Keras cuts after `patience` bad epochs and its threshold is absolute.
    pub rule: PlateauRule,
    /// The factor by which the learning rate changes.
    pub factor: f64,
    /// Epochs without an improvement that are borne.
    pub patience: u64,
    /// How much better counts as an improvement: relative for torch, absolute for Keras.
    pub threshold: f64,
    /// Epochs after a cut in which nothing is counted.
    pub cooldown: u64,
    /// The lowest learning rate.
    pub min_lr: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self {
            monitor: Monitor::VAL_LOSS,
            rule: PlateauRule::Torch,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            cooldown: 0,
            min_lr: 0.0,
        }
    }
}

/// Whose `ReduceLROnPlateau` is followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlateauRule {
    /// `torch.optim.lr_scheduler.ReduceLROnPlateau`
    #[default]
    Torch,
    /// `keras.callbacks.ReduceLROnPlateau`
    Keras,
}

/// `train.warmup`: the learning rate rises on a straight line before the schedule begins. Give one
/// of `epochs`, `steps` and `examples`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Warmup {
    /// Its length in epochs; the learning rate is constant within an epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Its length in steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Its length in training rows, rounded up to whole steps: the same for every batch size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<u64>,
    /// The first learning rate as a share of the optimizer's.
    pub start_factor: f64,
}

impl Default for Warmup {
    fn default() -> Self {
        Self { epochs: None, steps: None, examples: None, start_factor: 1.0 / 3.0 }
    }
}

fn tenth() -> f64 {
    0.1
}
