//! An arm's settings -> what an engine is told once.

use crate::config::{Arm, ClassWeight, ClassWeightRule, LayerSection};
use crate::kernels::{Penalties, Settings};
use crate::spec::{Objective, Shape, Task};

/// What stays the same during the runs of an arm, on training rows with these targets.
pub fn settings(arm: &Arm, shape: &Shape, targets: &[f32]) -> Settings {
    let train = &arm.train;
    Settings {
        objective: objective(arm, shape, targets),
        optimizer: train.optimizer.rule(),
        clip: train.clip,
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

fn penalties(layer: &LayerSection) -> Penalties {
    let settings = layer.settings();
    Penalties {
        kernel: settings.kernel_regularizer,
        recurrent: settings.recurrent_regularizer,
        bias: settings.bias_regularizer,
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
