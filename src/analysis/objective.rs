//! What counts among the arms that are good enough.
//!
//! ```text
//! time           seconds of training and validation
//! memory         peak memory, where up to 5 % more is no more
//! examples       training rows, each as often as it is seen
//! largest_batch  examples per step, the more the better
//! ```

use super::{Cost, RunResults};
use crate::spec::StudyObjective;

/// A ratio of memories or of speeds up to this, or down to one over it, does not matter: a few pages of
/// memory more are shown with any number of seeds.
pub const NEGLIGIBLE_RATIO: f64 = 1.05;

/// What a run is charged that has spent so much; `None` for what is not known, or no matter of runs.
pub(super) fn price(objective: StudyObjective, run: &RunResults, spent: Cost) -> Option<f64> {
    match objective {
        StudyObjective::Time => Some(spent.seconds),
        StudyObjective::Memory => (run.peak_memory > 0).then_some(run.peak_memory as f64),
        StudyObjective::Examples => Some(spent.examples),
        StudyObjective::LargestBatch => None,
    }
}

/// Arms count as equally cheap if they cost at most this many times as much as the cheapest.
pub(super) fn tolerance(objective: StudyObjective) -> f64 {
    match objective {
        StudyObjective::Memory => NEGLIGIBLE_RATIO,
        StudyObjective::Time | StudyObjective::Examples | StudyObjective::LargestBatch => 1.0,
    }
}
