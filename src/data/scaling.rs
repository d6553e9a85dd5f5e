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

use super::dataset::Part;
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
    /// Fits a rule to the training part, which is the first, and scales all parts.
    pub(super) fn apply(rule: ScaleRule, parts: &mut [Part; 3], task: Task) -> Self {
        let features = match &parts[0] {
            Part::Features { block, .. } => (0..block.features)
                .map(|feature| {
                    let values = block.values.iter().skip(feature).step_by(block.features.max(1));
                    fit(rule, values.copied())
                })
                .collect(),
            Part::Tokens { .. } => Vec::new(),
        };
        let target =
            (task == Task::Regression).then(|| fit(rule, parts[0].labels().iter().copied()));
        let scaling = Self { features, target };
        for part in parts {
            if let Part::Features { block, .. } = part {
                scaling.scale_features(&mut block.values);
            }
            if let Some(target) = target {
                part.labels_mut().iter_mut().for_each(|value| *value = target.scaled(*value));
            }
        }
        scaling
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
    use super::super::arrays::Block;
    use super::*;

    fn part(values: &[f32], labels: &[f32]) -> Part {
        let block = Block { values: values.to_vec(), steps: 1, features: 2 };
        Part::Features { block, labels: labels.to_vec(), source: vec![0; labels.len()] }
    }

    fn scaled(rule: ScaleRule, task: Task) -> (Scaling, Vec<Vec<f32>>, Vec<Vec<f32>>) {
        let mut parts = [
            part(&[1.0, 7.0, 3.0, 7.0], &[10.0, 30.0]),
            part(&[5.0, 7.0], &[50.0]),
            part(&[], &[]),
        ];
        let scaling = Scaling::apply(rule, &mut parts, task);
        let values = parts.iter().map(|part| match part {
            Part::Features { block, .. } => block.values.clone(),
            Part::Tokens { .. } => unreachable!(),
        });
        let values = values.collect();
        (scaling, values, parts.iter().map(|part| part.labels().to_vec()).collect())
    }

    #[test]
    fn the_training_split_decides_and_what_never_varies_is_only_moved() {
        let (scaling, values, labels) = scaled(ScaleRule::Standard, Task::Regression);
        assert_eq!(values[0], [-1.0, 0.0, 1.0, 0.0]);
        assert_eq!(values[1], [3.0, 0.0], "beyond what training has");
        assert_eq!((&labels[0][..], &labels[1][..]), (&[-1.0, 1.0][..], &[3.0][..]));
        assert_eq!(scaling.target, Some(Affine { offset: 20.0, factor: 10.0 }));
        let (_, values, labels) = scaled(ScaleRule::Minmax, Task::Regression);
        assert_eq!((&values[0][..], &labels[1][..]), (&[0.0, 0.0, 1.0, 0.0][..], &[2.0][..]));
    }

    #[test]
    fn numbers_of_classes_are_no_numbers() {
        let (scaling, values, labels) = scaled(ScaleRule::Standard, Task::Binary);
        assert_eq!((scaling.target, &labels[0][..]), (None, &[10.0, 30.0][..]));
        assert_eq!(values[0], [-1.0, 0.0, 1.0, 0.0]);
    }
}
