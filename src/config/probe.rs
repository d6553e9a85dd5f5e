//! `study.probe`: what is measured beside accuracy. It changes nothing in the training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `study.probe`: measurements that explain differences between batch sizes, and cost time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeSection {
    /// How noisy gradients are, several times in each run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_scale: Option<NoiseScaleSection>,
}

impl ProbeSection {
    /// Whether nothing is measured.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `study.probe.noise_scale`: the batch size at which a gradient's noise is as large as the gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseScaleSection {
    /// Training rows whose gradients are taken, the same in all runs; all rows if there are fewer.
    pub rows: u32,
    /// How often in a run: before the first step, and at the ends of epochs whose numbers grow by the
    /// same factor, the last one included.
    pub checkpoints: u32,
}

impl Default for NoiseScaleSection {
    fn default() -> Self {
        Self { rows: 4096, checkpoints: 8 }
    }
}
