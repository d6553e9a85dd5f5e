//! What the user wrote (one YAML file) and what it means (a checked [`Study`]).
//!
//! `load` reads the text with its `--set` overrides into an [`Experiment`], in which every key that
//! was left out has its default; `resolve` checks the rules between keys, once, and gives a
//! [`Study`]. Nobody downstream checks again. Saving [`Study::experiment`] and running that file
//! gives the same study. `cluster` alone is not saved: it is no part of a study.

mod arm;
mod arms;
mod cluster;
mod data;
mod grid;
mod keras_words;
mod leaves;
mod load;
mod locate;
mod model;
mod overlay;
mod place;
mod probe;
mod rates;
mod resolve;
mod rules;
mod schedule;
mod schema;
mod seeds;
mod series;
mod sizes;
mod study;
mod table;
mod time;
mod train;
mod watch;
mod yaml;

pub use arm::Arm;
pub use cluster::*;
pub use data::*;
pub use grid::*;
pub use leaves::{is_under, leaves};
pub use load::{Override, Source, load};
pub use model::*;
pub use probe::*;
pub use rates::*;
pub use resolve::Study;
pub use schedule::*;
pub use schema::schema;
pub use series::*;
pub use study::*;
pub use table::*;
pub use time::Time;
pub use train::*;
pub use watch::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The whole YAML file, key for key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// What is compared.
    pub study: StudySection,
    /// Where the examples come from and how they become sequences.
    pub data: DataSection,
    /// The classifier.
    #[serde(default)]
    pub model: ModelSection,
    /// How each run is trained, unless its arm says otherwise.
    #[serde(default)]
    pub train: TrainSection,
    /// What a scheduler is asked for.
    #[serde(default, skip_serializing)]
    pub cluster: Option<ClusterSection>,
}
