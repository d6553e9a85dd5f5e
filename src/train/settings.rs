//! An arm's settings -> what an engine is told once.

use crate::config::{self, AdamForm, Arm, ClassWeight, ClassWeightRule, LabelWeights, LstmSection};
use crate::kernels::{Clip, Optimizer, Penalty, Settings};

/// What stays the same during the runs of an arm, on training rows with these labels.
pub fn settings(arm: &Arm, labels: &[f32]) -> Settings {
    let train = &arm.train;
    let clip = train.clip.map(|clip| match clip {
        config::Clip::Norm(most) => Clip::Norm(most),
        config::Clip::Value(most) => Clip::Value(most),
    });
    Settings {
        optimizer: optimizer(&train.optimizer),
        clip,
        penalties: penalties(&arm.model.lstm),
        label_weights: label_weights(train.class_weight, labels),
        micro_batch: train.micro_batch.map(|rows| rows as usize),
    }
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

fn penalties(lstm: &LstmSection) -> [Penalty; 3] {
    [lstm.kernel_regularizer, lstm.recurrent_regularizer, lstm.bias_regularizer]
        .map(|penalty| Penalty { l1: penalty.l1, l2: penalty.l2 })
}

/// The weights of the labels 0 and 1.
fn label_weights(section: Option<ClassWeight>, labels: &[f32]) -> [f32; 2] {
    match section {
        None => [1.0, 1.0],
        Some(ClassWeight::Each(LabelWeights { negative, positive })) => {
            [negative as f32, positive as f32]
        }
        Some(ClassWeight::Rule(ClassWeightRule::Balanced)) => {
            let positives = labels.iter().filter(|label| **label > 0.5).count();
            let weight = |count: usize| labels.len() as f32 / (2 * count.max(1)) as f32;
            [weight(labels.len() - positives), weight(positives)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_labels_count_the_same_in_all() {
        let balanced = Some(ClassWeight::Rule(ClassWeightRule::Balanced));
        let weights = label_weights(balanced, &[0.0, 0.0, 0.0, 1.0]);
        assert_eq!(weights.map(f32::to_bits), [4.0f32 / 6.0, 2.0].map(f32::to_bits));
        assert_eq!(label_weights(None, &[1.0]).map(f32::to_bits), [1.0f32; 2].map(f32::to_bits));
    }
}
