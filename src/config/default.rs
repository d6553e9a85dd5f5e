//! Values of keys that were left out: single keys as functions, whole sections as `Default`.

use super::{
    Activation, Adam, DenseSection, EmbeddingSection, End, EngineChoice, Loss, LstmSection, Metric,
    Optimizer, Schedule, SplitSection, TextSection, TrainSection,
};
use std::collections::BTreeMap;

pub(super) fn seeds() -> u32 {
    5
}
pub(super) fn text_column() -> String {
    "text".into()
}
pub(super) fn label_column() -> String {
    "label".into()
}
pub(super) fn x_train() -> String {
    "X_train".into()
}
pub(super) fn y_train() -> String {
    "y_train".into()
}
pub(super) fn max_tokens() -> u32 {
    10_000
}
pub(super) fn length() -> u32 {
    200
}

impl Default for TextSection {
    fn default() -> Self {
        Self {
            replace: BTreeMap::new(),
            max_tokens: max_tokens(),
            length: length(),
            pad: End::Pre,
            truncate: End::Pre,
        }
    }
}

impl Default for SplitSection {
    fn default() -> Self {
        Self { validation: 0.2, test: 0.2, stratify: true, seed: 0 }
    }
}

impl Default for EmbeddingSection {
    fn default() -> Self {
        Self { dim: 64, mask_zero: true }
    }
}

impl Default for LstmSection {
    fn default() -> Self {
        Self { units: 64 }
    }
}

impl Default for DenseSection {
    fn default() -> Self {
        Self { units: 1, activation: Activation::Sigmoid }
    }
}

impl Default for Adam {
    fn default() -> Self {
        Self { lr: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8 }
    }
}

impl Default for TrainSection {
    fn default() -> Self {
        Self {
            epochs: 10,
            optimizer: Optimizer::Adam(Adam::default()),
            schedule: Schedule::Constant,
            loss: Loss::BinaryCrossentropy,
            metrics: vec![Metric::Accuracy],
            device: "auto".into(),
            engine: EngineChoice::Auto,
        }
    }
}
