//! `train`: how each run is trained.

use super::schedule::{Schedule, Warmup};
use super::watch::{EarlyStopping, EvaluateEvery, StopAt};
use crate::spec::{Adam, Clip, Loss, Metric, Optimizer};
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_yaml::with::singleton_map;
use std::collections::BTreeMap;

/// `train`: what every arm shares, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSection {
    /// The budget in passes over the training split; 10 when no budget is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// The budget in steps, in place of `epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The budget in training rows, rounded up to whole steps, in place of `epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<u64>,
    /// The budget as the number of steps that another batch size makes, in place of `epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps_of: Option<StepsOf>,
    /// Visit the training rows in a new order in each epoch.
    pub shuffle: bool,
    /// The update rule.
    #[serde(with = "singleton_map")]
    #[schemars(with = "Optimizer")]
    pub optimizer: Optimizer,
    /// Keeps gradients small.
    #[serde(with = "singleton_map", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Clip>")]
    pub clip: Option<Clip>,
    /// How the learning rate changes.
    #[serde(with = "singleton_map")]
    #[schemars(with = "Schedule")]
    pub schedule: Schedule,
    /// A slow start before the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Warmup>,
    /// Ends a run that no longer improves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Ends a run as soon as a metric is there: a budget "to a target".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_at: Option<StopAt>,
    /// Measure the validation split within epochs too, so often.
    #[serde(with = "singleton_map", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<EvaluateEvery>")]
    pub evaluate_every: Option<EvaluateEvery>,
    /// What is minimised; when left out, the loss of the head: `binary_crossentropy`,
    /// `categorical_crossentropy` or `mse`.
    #[serde(with = "singleton_map", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Loss>")]
    pub loss: Option<Loss>,
    /// How much the rows of each class count in the training loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weight: Option<ClassWeight>,
    /// Rows whose gradients are computed at a time and summed, to save memory; the step is that of
    /// the whole batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<u32>,
    /// What is drawn beside the loss and the score. Of two classes the records hold accuracy, AUC, precision, recall, F1,
    /// Brier score and calibration error, and what is named here; else all metrics of the task.
    pub metrics: Vec<Metric>,
    /// What is written down between the ends of epochs.
    pub logging: Logging,
    /// Where runs are trained: `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// The implementation of the mathematics.
    pub engine: EngineChoice,
}

impl TrainSection {
    /// Whether a run ends with the weights of its best epoch in place of the last ones.
    pub fn restores_best(&self) -> bool {
        self.early_stopping.as_ref().is_some_and(|stopping| stopping.restore_best_weights)
    }
}

impl Default for TrainSection {
    fn default() -> Self {
        Self {
            epochs: None,
            steps: None,
            examples: None,
            steps_of: None,
            shuffle: true,
            optimizer: Optimizer::Adam(Adam::default()),
            clip: None,
            schedule: Schedule::Constant,
            warmup: None,
            early_stopping: None,
            stop_at: None,
            evaluate_every: None,
            loss: None,
            class_weight: None,
            micro_batch: None,
            metrics: Vec::new(),
            logging: Logging::default(),
            device: "auto".into(),
            engine: EngineChoice::Auto,
        }
    }
}

/// `train.steps_of`: as many steps as so many epochs with this batch size are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepsOf {
    /// Examples per step of the other arm.
    pub batch_size: u32,
    /// Its passes over the training split.
    pub epochs: u64,
}

/// `train.class_weight`: `balanced`, or a weight for each class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected `balanced`, or a weight for each label: {0: 1.0, 1: 3.0}")]
pub enum ClassWeight {
    /// A rule that gives them.
    Rule(ClassWeightRule),
    /// The weights themselves; they are not normalised.
    Each(ClassWeights),
}

/// Rules for class weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeightRule {
    /// n / (K * number of training rows with the label), of K classes.
    Balanced,
}

/// A weight for each class, by its number: `{0: 1.0, 1: 3.0, 2: 1.0}`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ClassWeights(#[schemars(with = "BTreeMap<String, f64>")] BTreeMap<ClassNumber, f64>);

/// The number of a class, which files that this program writes have as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ClassNumber(u32);

impl From<&[f64]> for ClassWeights {
    fn from(weights: &[f64]) -> Self {
        Self((0..).map(ClassNumber).zip(weights.iter().copied()).collect())
    }
}

impl ClassWeights {
    /// The weights in the order of the classes.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        self.0.values().copied()
    }

    /// Their numbers, in order.
    pub fn classes(&self) -> impl Iterator<Item = u32> {
        self.0.keys().map(|class| class.0)
    }
}

impl Serialize for ClassNumber {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.to_string())
    }
}

impl<'de> Deserialize<'de> for ClassNumber {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u32),
            Text(String),
        }
        match Written::deserialize(from)? {
            Written::Number(class) => Ok(Self(class)),
            Written::Text(text) => text.parse().map(Self).map_err(D::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(from).map(Self)
    }
}

/// `train.logging`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Logging {
    /// Every how many steps the loss, the gradient's norm and the learning rate are recorded; 0 for
    /// never.
    pub every_steps: u64,
    /// Record histograms of the weights after each epoch.
    pub histograms: bool,
    /// Which curves TensorBoard shows.
    #[serde(skip_serializing_if = "CurvesOf::is_auto")]
    pub curves: CurvesOf,
}

impl Default for Logging {
    fn default() -> Self {
        Self { every_steps: 10, histograms: false, curves: CurvesOf::Auto }
    }
}

/// `train.logging.curves`: which curves TensorBoard shows in addition to the bands of the arms, which the report
/// draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CurvesOf {
    /// Each run's in a study of up to 200 runs, else the arms' alone.
    #[default]
    Auto,
    /// Each run's, in up to four event files a run.
    Runs,
    /// The arms' alone, each as a band over its seeds: the report draws them.
    Arms,
}

/// TensorBoard becomes slow with more runs than this, and fails with ten times as many.
const MOST_RUNS_WITH_CURVES: usize = 200;

impl CurvesOf {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }

    /// What `auto` means in a study with this number of runs. Up to 200 it stays `auto`, which draws each run.
    pub fn for_runs(self, runs: usize) -> Self {
        if self.is_auto() && runs > MOST_RUNS_WITH_CURVES { Self::Arms } else { self }
    }
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
    /// This project's own kernels: on the processor, and on CUDA where both are asked for.
    Fused,
}
