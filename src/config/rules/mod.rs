//! The rules between keys and on their ranges: what a value must be, what was received, what to do.
//!
//! One file a section. A rule that is broken names the path of the key; [`super::resolve`] adds
//! where it was written.

mod cluster;
mod data;
mod labels;
mod model;
mod probe;
mod schedule;
mod score;
mod series;
mod study;
mod train;
mod until;

pub(super) use probe::line;
pub(super) use score::check as score;
pub(super) use study::{arms, rate_is_used, tuning};

use super::locate::KeyPath;
use super::{DataSection, Experiment, ModelSection, TrainSection};

/// A broken rule before it has a place.
pub(super) struct Violation {
    pub(super) path: KeyPath,
    pub(super) rule: String,
    pub(super) hint: Option<String>,
}

pub(super) fn broken(path: &str, rule: impl Into<String>, hint: &str) -> Violation {
    let hint = (!hint.is_empty()).then(|| hint.to_owned());
    Violation { path: KeyPath::parse(path), rule: rule.into(), hint }
}

type Checked = Result<(), Violation>;

pub(super) const MOST_SEEDS: u32 = 10_000;
/// Each arm is resolved and listed before a run begins.
const MOST_ARMS: u64 = 10_000;
/// Each run has its settings in memory and a folder of its own.
const MOST_RUNS: u64 = 100_000;
const MOST_EPOCHS: u32 = 1_000_000;
const MOST_UPDATES: u64 = 1 << 40;
const MOST_ROWS: u32 = 16_777_216;
const MOST_STEPS: u32 = 1_048_576;
const MOST_UNITS: u32 = 65_536;

/// Checks `study`, `data` and `cluster`, and that the file's own `model` can be laid under arms.
pub(super) fn check(experiment: &Experiment) -> Checked {
    study::check(experiment)?;
    model::layers_are_given_once(&experiment.model)?;
    data::check(&experiment.data)?;
    experiment.cluster.as_ref().map_or(Ok(()), cluster::check)
}

/// Checks the sections of one arm; paths are those of the file's own `model` and `train`.
pub(super) fn arm(model: &ModelSection, train: &TrainSection, data: &DataSection) -> Checked {
    model::check(model, data)?;
    train::check(train)?;
    labels::check(&model.dense, train, data)
}

/// A count that is not 0 and not a slip of the keyboard: larger models or studies than `most` would
/// overflow sizes or fill the machine before anything else could refuse them.
fn count(path: &str, value: impl Into<u64>, most: impl Into<u64>) -> Checked {
    let (value, most) = (value.into(), most.into());
    match (1..=most).contains(&value) {
        true => Ok(()),
        false => Err(broken(path, format!("must be from 1 to {most}, received {value}"), "")),
    }
}

fn not_empty(path: &str, len: usize) -> Checked {
    match len {
        0 => Err(broken(path, "the list is empty", "name at least one value")),
        _ => Ok(()),
    }
}

fn positive(path: &str, value: f64) -> Checked {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(broken(path, format!("must be above 0 and finite, received {value}"), "")),
    }
}

fn not_negative(path: &str, value: f64) -> Checked {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(broken(path, format!("must not be negative, received {value}"), "")),
    }
}

/// A share that leaves something over.
fn fraction(path: &str, value: f64, hint: &str) -> Checked {
    match (0.0..1.0).contains(&(value as f32)) {
        true => Ok(()),
        false => {
            let rule = format!("must be at least 0 and below 1 in f32, received {value}");
            Err(broken(path, rule, hint))
        }
    }
}
