//! `study.probe`: what is measured beside accuracy. It changes nothing in the training.

use super::Arm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `study.probe`: measurements that explain differences between batch sizes, and cost time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeSection {
    /// How noisy gradients are, several times in each run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_scale: Option<NoiseScaleSection>,
    /// How sharp the minimum is in which each run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<SharpnessSection>,
    /// What lies between the solutions of two arms, seed by seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineSection>,
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
    /// How often in a run: before the first step, and from a hundredth of its examples on, each time
    /// after as many times more examples, and where it ends.
    pub checkpoints: u32,
}

impl Default for NoiseScaleSection {
    fn default() -> Self {
        Self { rows: 4096, checkpoints: 8 }
    }
}

/// `study.probe.sharpness`: how fast the training loss rises around the weights with which a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SharpnessSection {
    /// Training rows whose loss is looked at, the same in all runs; all rows if there are fewer.
    pub rows: u32,
    /// Products with the Hessian that its largest eigenvalue may take; it takes fewer when it has
    /// settled.
    pub steps: u32,
    /// Random vectors from which the trace of the Hessian is estimated.
    pub vectors: u32,
}

impl Default for SharpnessSection {
    fn default() -> Self {
        Self { rows: 256, steps: 20, vectors: 10 }
    }
}

/// `study.probe.line`: loss and accuracy on the straight line between the solutions of two arms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LineSection {
    /// The arms at 0 and 1. When left out: `small-tuned` and `large-tuned-equal-steps` of
    /// `decompose`, else the first arms of the smallest and of the largest batch size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between: Option<[String; 2]>,
    /// Points from -1 to 2; a multiple of 3, and one, so that 0 and 1 are among them.
    pub points: u32,
    /// Rows of the training and of the validation split that are measured; all if there are fewer.
    pub rows: u32,
}

impl Default for LineSection {
    fn default() -> Self {
        Self { between: None, points: 25, rows: 2048 }
    }
}

impl LineSection {
    /// The arms at 0 and 1; `None` where an arm that is named is not there, or all batch sizes are
    /// the same.
    pub(super) fn ends<'a>(&self, arms: &'a [Arm], taken_apart: bool) -> Option<[&'a Arm; 2]> {
        let named = |name: &str| arms.iter().find(|arm| arm.name == name);
        if let Some([small, large]) = &self.between {
            return Some([named(small)?, named(large)?]);
        }
        if let (true, Some(small), Some(large)) =
            (taken_apart, named("small-tuned"), named("large-tuned-equal-steps"))
        {
            return Some([small, large]);
        }
        let small = arms.iter().min_by_key(|arm| arm.batch_size)?;
        // Of several, `max_by_key` gives the last.
        let large = arms.iter().rev().max_by_key(|arm| arm.batch_size)?;
        (small.batch_size < large.batch_size).then_some([small, large])
    }
}
