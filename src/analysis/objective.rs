//! What counts among the arms that are good enough.
//!
//! ```text
//! time           seconds of training and validation
//! memory         peak memory, where up to 5 % more is no more
//! examples       training rows, each as often as it is seen
//! largest_batch  examples per step, the more the better
//! ```

use super::{Cost, RunResults};
use serde::Serialize;

/// A ratio of memories or of speeds up to this, or down to one over it, does not matter: a few pages of
/// memory more are shown with any number of seeds.
pub const NEGLIGIBLE_RATIO: f64 = 1.05;

/// Of what the arm to use has the least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Time.
    #[default]
    Time,
    /// Memory.
    Memory,
    /// Training rows seen.
    Examples,
    /// It has the most examples per step instead.
    LargestBatch,
}

impl Objective {
    /// What a run is charged that has spent so much; `None` for what is not known, or no matter of runs.
    pub(super) fn price(self, run: &RunResults, spent: Cost) -> Option<f64> {
        match self {
            Self::Time => Some(spent.seconds),
            Self::Memory => (run.peak_memory > 0).then_some(run.peak_memory as f64),
            Self::Examples => Some(spent.examples),
            Self::LargestBatch => None,
        }
    }

    /// Prices up to so many times the least are equal to it.
    pub(super) fn tolerance(self) -> f64 {
        match self {
            Self::Memory => NEGLIGIBLE_RATIO,
            Self::Time | Self::Examples | Self::LargestBatch => 1.0,
        }
    }
}
