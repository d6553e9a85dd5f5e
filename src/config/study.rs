//! `study`: what is compared.

use super::grid::GridSection;
use super::model::ModelSection;
use super::probe::ProbeSection;
use super::rates::{ArmRate, LearningRate};
use super::schedule::Schedule;
use super::time::Time;
use super::train::{StepsOf, TrainSection};
use crate::spec::{DefaultMargin, Metric, StudyObjective};
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
    /// Runs per arm, with seeds 0, 1, 2, ...; with `until`, the number to begin with.
    #[serde(default = "seeds")]
    pub seeds: u32,
    /// Add seeds until this is so; none are added when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// With `until`: the most seeds of an arm; 40 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seeds: Option<u32>,
    /// With `until`: how long runs are begun, such as 90s, 10m or 2h; without end when left out. What
    /// is being trained then is trained to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_time: Option<Time>,
    /// The metric of the validation split that decides which batch size is better; accuracy when it is
    /// left out, or RMSE where numbers are predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Metric>,
    /// A difference in the score up to this does not matter to you: of accuracies, 0.005 is half a percentage
    /// point. The verdict is about differences beyond it, so declare it before you see results. Each score has
    /// a margin of its own when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Margin>,
    /// Of the arms shown to be within the margin of the best, which one is recommended.
    #[serde(default, skip_serializing_if = "StudyObjective::is_default")]
    pub objective: StudyObjective,
    /// What is measured beside the score; nothing when left out.
    #[serde(default, skip_serializing_if = "ProbeSection::is_empty")]
    pub probe: ProbeSection,
    /// How arms that do not give their own `lr` come by one.
    #[serde(default, with = "singleton_map", skip_serializing_if = "LearningRate::is_given")]
    #[schemars(with = "LearningRate")]
    pub learning_rate: LearningRate,
    /// What the batch sizes are given equal amounts of when they are compared.
    #[serde(default = "budgets", skip_serializing_if = "are_epochs")]
    pub budgets: Vec<StudyBudget>,
    /// The configurations to compare, one by one. Give either these, `grid` or `decompose`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arms: Option<Vec<ArmSection>>,
    /// The configurations to compare, as all combinations of the values listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridSection>,
    /// Take the gap between two batch sizes apart: what the learning rate explains, what the number
    /// of steps explains, and what is left. It makes the five arms that this takes; beside `arms`
    /// it only says between which batch sizes the gap is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decompose: Option<DecomposeSection>,
}

/// `study.margin`: in the unit of the score, or a share of the score of the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number in the unit of the score, or { relative: 0.02 }")]
pub enum Margin {
    /// In the unit of the score: 0.005 is half a percentage point of accuracy.
    Absolute(f64),
    /// A share of the score of the baseline, never of a score that was observed.
    Relative(RelativeMargin),
}

/// `study.margin` as a share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelativeMargin {
    /// The share of the score of the baseline: the more frequent class, or the mean of the training targets.
    pub relative: f64,
}

impl Margin {
    /// The one that a score has unless the file says another.
    pub fn of(score: Metric) -> Self {
        match score.info().margin {
            DefaultMargin::Absolute(margin) => Self::Absolute(margin),
            DefaultMargin::OfBaseline(relative) => Self::Relative(RelativeMargin { relative }),
        }
    }

    /// In the unit of the score; `None` for a share of a baseline that is not known.
    pub fn value(self, baseline: Option<f64>) -> Option<f64> {
        match self {
            Self::Absolute(margin) => Some(margin),
            Self::Relative(RelativeMargin { relative }) => Some(relative * baseline?.abs()),
        }
    }
}

/// What ends the adding of seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// It is settled which batch size to use: more seeds would hardly change it.
    Settled,
}

/// How a study adds seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// The seeds to begin with.
    pub first: u64,
    /// The most seeds of an arm.
    pub most: u64,
    /// How long a session begins runs.
    pub time: Option<Time>,
}

/// The most seeds that are added where the file says nothing.
pub const USUAL_MOST_SEEDS: u32 = 40;

impl StudySection {
    /// How it adds seeds, if it does.
    pub fn growth(&self) -> Option<Growth> {
        self.until.map(|Until::Settled| Growth {
            first: u64::from(self.seeds),
            most: u64::from(self.max_seeds.unwrap_or(USUAL_MOST_SEEDS.max(self.seeds))),
            time: self.max_time,
        })
    }
}

/// What the batch sizes of a comparison are given equal amounts of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StudyBudget {
    /// Passes over the data: what `train` and the arms give.
    Epochs,
    /// Updates: every arm that makes fewer than the smallest batch size gets a twin that makes as
    /// many, called like the arm with `-equal-steps`.
    Steps,
    /// Training rows: read off the curves.
    Examples,
    /// Time: read off the curves.
    Seconds,
    /// Whatever it takes to reach an accuracy: read off the curves.
    Target,
}

/// `study.decompose`: between which batch sizes the gap is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecomposeSection {
    /// The small batch size.
    pub small: u32,
    /// The large one.
    pub large: u32,
}

/// One arm: a batch size, and whatever differs from the file's `model` and `train`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArmSection {
    /// The name of the arm and of its folder; `batch-32` for batch size 32 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Examples per step; with `accumulate`, those whose gradients are computed at a time.
    pub batch_size: u32,
    /// Batches whose gradients are summed to one step: `batch_size: 32` with `accumulate: 8` is a
    /// batch of 256, computed 32 rows at a time. 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accumulate: Option<u32>,
    /// The seeds of this arm, where they are fewer than `study.seeds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<u32>,
    /// Learning rate before the schedule, in place of the optimizer's; or `tuned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<ArmRate>,
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
    /// The budget in steps of another batch size, in place of that of `train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_of: Option<StepsOf>,
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
            accumulate: None,
            seeds: None,
            lr: None,
            schedule: None,
            epochs: None,
            steps: None,
            examples: None,
            steps_of: None,
            model: None,
            train: None,
        }
    }

    /// Examples per step.
    pub fn effective_batch_size(&self) -> u64 {
        u64::from(self.batch_size) * u64::from(self.accumulate.unwrap_or(1))
    }

    /// `batch-256`, or `batch-256-accumulate-8` when it is summed from 8 parts.
    pub(super) fn plain_name(&self) -> String {
        let size = self.effective_batch_size();
        match self.accumulate {
            None | Some(1) => format!("batch-{size}"),
            Some(parts) => format!("batch-{size}-accumulate-{parts}"),
        }
    }

    pub(super) fn gives_budget(&self) -> bool {
        self.epochs.or(self.steps).or(self.examples).is_some() || self.steps_of.is_some()
    }
}

fn seeds() -> u32 {
    5
}

fn budgets() -> Vec<StudyBudget> {
    vec![StudyBudget::Epochs]
}

fn are_epochs(budgets: &[StudyBudget]) -> bool {
    budgets == [StudyBudget::Epochs]
}
