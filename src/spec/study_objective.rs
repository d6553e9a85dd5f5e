//! Which of several arms that are equally good is used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What counts among the arms that are accurate enough. Of a whole run, or, where runs end at a target,
/// until it is reached; of arms that are equal in it, the fastest is recommended.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StudyObjective {
    /// The least time.
    #[default]
    Time,
    /// The least memory.
    Memory,
    /// The fewest training rows, each counted as often as it is seen.
    Examples,
    /// The largest batch size.
    LargestBatch,
}

impl StudyObjective {
    /// Whether it is what holds where a file names none.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
