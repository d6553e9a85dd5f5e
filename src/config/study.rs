//! `study`: what is compared.

use super::model::ModelSection;
use super::schedule::Schedule;
use super::train::TrainSection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use serde_yaml::with::singleton_map;

/// `study`: the arms to compare and how often each is repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudySection {
    /// The name of the study and of its folder; the name of the file when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Runs per arm, with seeds 0, 1, 2, ...
    #[serde(default = "seeds")]
    pub seeds: u32,
    /// A difference in accuracy up to this does not matter to you: 0.005 is half a percentage point.
    /// The verdict is about differences beyond it, so declare it before you see results.
    #[serde(default = "margin")]
    pub margin: f64,
    /// The configurations to compare, one by one. Give either these or `grid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arms: Option<Vec<ArmSection>>,
    /// The configurations to compare, as all combinations of the values listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridSection>,
}

/// One arm: a batch size, and whatever differs from the file's `model` and `train`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    #[schemars(with = "Option<Schedule>")]
    pub schedule: Option<Schedule>,
    /// The budget in epochs, in place of that of `train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// The budget in steps, in place of that of `train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The budget in training rows, in place of that of `train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples: Option<u64>,
    /// Keys of `model` that differ in this arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ModelSection>")]
    pub model: Option<Value>,
    /// Keys of `train` that differ in this arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TrainSection>")]
    pub train: Option<Value>,
}

impl ArmSection {
    pub(super) fn new(batch_size: u32) -> Self {
        Self {
            name: None,
            batch_size,
            lr: None,
            schedule: None,
            epochs: None,
            steps: None,
            examples: None,
            model: None,
            train: None,
        }
    }
}

/// `study.grid`: every batch size with every learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GridSection {
    /// Examples per step.
    pub batch_size: Vec<u32>,
    /// Learning rates; the optimizer's alone when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<Vec<f64>>,
}

fn seeds() -> u32 {
    5
}

fn margin() -> f64 {
    0.005
}
