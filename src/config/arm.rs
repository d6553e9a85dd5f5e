//! One configuration of a study, with everything that its runs depend on.

use super::{EngineChoice, Logging, ModelSection, TrainSection};
use crate::spec::{Loss, Metric, Task};
use serde::{Deserialize, Serialize};

/// One configuration that is compared with others: everything that its runs depend on, apart from
/// the data and the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Unique in the study; also the name of its folder.
    pub name: String,
    /// Examples per step.
    pub batch_size: usize,
    /// The classifier.
    pub model: ModelSection,
    /// How it is trained.
    pub train: TrainSection,
}

impl Arm {
    /// The arm without what changes no result: where it is trained and what is written down.
    pub fn defining(&self) -> Self {
        let mut arm = self.clone();
        arm.train.device = String::new();
        arm.train.engine = EngineChoice::Auto;
        arm.train.logging = Logging::default();
        let task = arm.loss().task();
        // Those that are recorded anyway are only drawn.
        arm.train.metrics.retain(|asked| Metric::recorded(task).all(|metric| metric != *asked));
        arm
    }

    /// The arm with what its sections leave to a default, apart from what depends on the data.
    pub fn spelled_out(mut self) -> Self {
        spell_out(&mut self.model, &mut self.train);
        self
    }

    /// What is minimised.
    pub fn loss(&self) -> Loss {
        self.train.loss.unwrap_or(Loss::of(self.model.dense.activation))
    }

    /// What is asked of the model.
    pub fn task(&self) -> Task {
        self.loss().task()
    }

    /// The metric that is shown first: the score of the study, which stands first among those that are drawn.
    pub fn score(&self) -> Metric {
        let first = self.train.metrics.first().copied();
        first.unwrap_or(Metric::of_task(self.task()))
    }

    /// The arm with another learning rate.
    pub fn with_rate(&self, lr: f64) -> Self {
        let mut arm = self.clone();
        arm.train.optimizer.set_lr(lr);
        arm
    }
}

/// Leaves nothing to a default, as the definition of a run does; gives the loss.
pub(super) fn spell_out(model: &mut ModelSection, train: &mut TrainSection) -> Loss {
    train.optimizer.spell_out();
    model.spell_out();
    *train.loss.get_or_insert(Loss::of(model.dense.activation))
}
