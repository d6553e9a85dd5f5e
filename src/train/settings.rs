//! An arm's settings -> what an engine is told once.

use crate::config::{self, AdamForm, Arm, ClassWeight, ClassWeightRule, LayerSection};
use crate::kernels::{Clip, Optimizer, Penalties, Penalty, Settings};
use crate::spec::{Objective, Shape, Task};

/// What stays the same during the runs of an arm, on training rows with these targets.
pub fn settings(arm: &Arm, shape: &Shape, targets: &[f32]) -> Settings {
    let train = &arm.train;
    let clip = train.clip.map(|clip| match clip {
        config::Clip::Norm(most) => Clip::Norm(most),
        config::Clip::Value(most) => Clip::Value(most),
    });
    Settings {
        objective: objective(arm, shape, targets),
        optimizer: optimizer(&train.optimizer),
        clip,
        penalties: arm.model.recurrent().iter().map(penalties).collect(),
        micro_batch: train.micro_batch.map(|rows| rows as usize),
    }
}

/// What the runs of an arm minimise, on training rows with these targets.
pub fn objective(arm: &Arm, shape: &Shape, targets: &[f32]) -> Objective {
    let objective = Objective::new(arm.loss(), shape.outputs);
    let class_weights = match objective.task() {
        Task::Regression => Vec::new(),
        Task::Binary | Task::Multiclass => {
            class_weights(arm.train.class_weight.as_ref(), shape.outputs.max(2), targets)
        }
    };
    Objective { class_weights, ..objective }
}

/// The update rule that an engine follows.
pub fn optimizer(section: &config::Optimizer) -> Optimizer {
    match section {
        config::Optimizer::Adam(adam) => Optimizer::Adam {
            beta_1: adam.beta_1,
            beta_2: adam.beta_2,
            epsilon: adam.epsilon(),
            epsilon_hat: adam.form == AdamForm::Keras,
            weight_decay: 0.0,
        },
        config::Optimizer::Adamw(adam) => Optimizer::Adam {
            beta_1: adam.beta_1,
            beta_2: adam.beta_2,
            epsilon: adam.epsilon,
            epsilon_hat: false,
            weight_decay: adam.weight_decay,
        },
        config::Optimizer::Sgd(sgd) => {
            Optimizer::Sgd { momentum: sgd.momentum, nesterov: sgd.nesterov }
        }
    }
}

fn penalties(layer: &LayerSection) -> Penalties {
    let settings = layer.settings();
    let of = |penalty: config::Penalty| Penalty { l1: penalty.l1, l2: penalty.l2 };
    Penalties {
        kernel: of(settings.kernel_regularizer),
        recurrent: of(settings.recurrent_regularizer),
        bias: of(settings.bias_regularizer),
    }
}

/// How much a row of each class counts; nothing where all count the same.
fn class_weights(section: Option<&ClassWeight>, classes: usize, labels: &[f32]) -> Vec<f32> {
    match section {
        None => Vec::new(),
        Some(ClassWeight::Each(weights)) => weights.values().map(|weight| weight as f32).collect(),
        Some(ClassWeight::Rule(ClassWeightRule::Balanced)) => {
            let mut counts = vec![0usize; classes];
            labels.iter().for_each(|label| counts[*label as usize] += 1);
            let weight = |count: usize| labels.len() as f32 / (classes * count.max(1)) as f32;
            counts.into_iter().map(weight).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_labels_count_the_same_in_all() {
        let balanced = Some(&ClassWeight::Rule(ClassWeightRule::Balanced));
        let weights = class_weights(balanced, 2, &[0.0, 0.0, 0.0, 1.0]);
        assert_eq!(weights, [4.0f32 / 6.0, 2.0]);
        assert_eq!(class_weights(balanced, 3, &[2.0, 0.0, 2.0])[2].to_bits(), 0.5f32.to_bits());
        assert!(class_weights(None, 2, &[1.0]).is_empty());
    }
}
