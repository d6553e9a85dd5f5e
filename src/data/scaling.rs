//! `data.scale`: features, and targets that are numbers, brought to a common range.
//!
//! ```text
//! standard   (x - mean) / sd                of the training split, sd with N below, as scikit-learn has it
//! minmax     (x - least) / (most - least)   of the training split
//! ```
//!
//! It is fitted on the training split alone, feature by feature over all time steps, so nothing of the other
//! splits leaks. What never varies is only moved. The training split is scaled, the others and new inputs
//! are scaled with it, and predictions are brought back.

use crate::config::ScaleRule;
use crate::spec::{Affine, Task};
use serde::{Deserialize, Serialize};

/// How the numbers of a data set were scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Each feature; none for tokens.
    pub features: Vec<Affine>,
    /// The targets, where numbers are predicted.
    pub target: Option<Affine>,
}

impl Scaling {
    /// Fits a rule to the training split: values `[..., F]`, of which tokens have none, and targets.
    pub(super) fn fit(
        rule: ScaleRule,
        (values, features): (&[f32], usize),
        targets: &[f32],
        task: Task,
    ) -> Self {
        let of_feature = |feature: usize| {
            fit(rule, values.iter().skip(feature).step_by(features.max(1)).copied())
        };
        Self {
            features: (0..features).map(of_feature).collect(),
            target: (task == Task::Regression).then(|| fit(rule, targets.iter().copied())),
        }
    }

    /// Scales targets where they are numbers.
    pub(super) fn scale_targets(&self, targets: &mut [f32]) {
        if let Some(target) = self.target {
            targets.iter_mut().for_each(|value| *value = target.scaled(*value));
        }
    }

    /// Scales values `[..., F]`.
    pub(super) fn scale_features(&self, values: &mut [f32]) {
        for step in values.chunks_exact_mut(self.features.len().max(1)) {
            for (value, feature) in step.iter_mut().zip(&self.features) {
                *value = feature.scaled(*value);
            }
        }
    }
}

fn fit(rule: ScaleRule, values: impl Iterator<Item = f32> + Clone) -> Affine {
    let wide = values.map(f64::from);
    let n = wide.clone().count().max(1) as f64;
    let (offset, factor) = match rule {
        ScaleRule::Standard => {
            let mean = wide.clone().sum::<f64>() / n;
            (mean, (wide.map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt())
        }
        ScaleRule::Minmax => {
            let least = wide.clone().fold(f64::INFINITY, f64::min);
            (least, wide.fold(f64::NEG_INFINITY, f64::max) - least)
        }
    };
    // A spread of rounding errors alone is none.
    let varies = factor > 1e-12 * offset.abs() && factor > 0.0;
    Affine { offset, factor: if varies { factor } else { 1.0 } }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAIN: [f32; 4] = [1.0, 7.0, 3.0, 7.0];

    /// What these features and targets of another split become.
    fn scaled(rule: ScaleRule, task: Task) -> (Vec<f32>, Vec<f32>) {
        let scaling = Scaling::fit(rule, (&TRAIN, 2), &[10.0, 30.0], task);
        let (mut values, mut targets) = (vec![1.0, 7.0, 5.0, 7.0], vec![10.0, 50.0]);
        scaling.scale_features(&mut values);
        scaling.scale_targets(&mut targets);
        (values, targets)
    }

    #[test]
    fn the_training_split_decides_and_what_never_varies_is_only_moved() {
        let standard = scaled(ScaleRule::Standard, Task::Regression);
        assert_eq!(standard, (vec![-1.0, 0.0, 3.0, 0.0], vec![-1.0, 3.0]));
        let minmax = scaled(ScaleRule::Minmax, Task::Regression);
        assert_eq!(minmax, (vec![0.0, 0.0, 2.0, 0.0], vec![0.0, 2.0]));
    }

    #[test]
    fn numbers_of_classes_are_no_numbers_and_tokens_have_no_features() {
        assert_eq!(scaled(ScaleRule::Standard, Task::Binary).1, [10.0, 50.0]);
        let tokens = Scaling::fit(ScaleRule::Standard, (&[], 0), &[1.0, 3.0], Task::Regression);
        assert_eq!((tokens.features.len(), tokens.target.unwrap().offset), (0, 2.0));
    }
}
