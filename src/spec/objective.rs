//! What a run is trained for, and the metrics of what it answers.

use super::affine::Affine;
use super::loss::{Loss, Task};
use super::metric::Metric;
use super::metrics::Metrics;
use super::rows::Rows;
use std::borrow::Cow;

/// What a run is trained for: the loss, the outputs that it reads, and what each class counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// What is minimised.
    pub loss: Loss,
    /// K
    pub outputs: usize,
    /// How much a row of each class counts in the training loss; empty where all count the same.
    pub class_weights: Vec<f32>,
    /// From the numbers that are predicted to those that they stand for, in which metrics are measured.
    pub unit: Affine,
}

impl Objective {
    /// A loss of a model with so many outputs, where all rows count the same.
    pub fn new(loss: Loss, outputs: usize) -> Self {
        Self { loss, outputs, class_weights: Vec::new(), unit: Affine::NONE }
    }

    /// Which of two classes, every row counting the same.
    pub fn binary() -> Self {
        Self::new(Loss::BinaryCrossentropy, 1)
    }

    /// What is asked of the model.
    pub fn task(&self) -> Task {
        self.loss.task()
    }

    /// How much a row with this target counts.
    pub fn weight(&self, target: f32) -> f32 {
        self.class_weights.get(target as usize).copied().unwrap_or(1.0)
    }

    /// The mean loss of rows, each times the weight of its class.
    pub fn mean_loss(&self, outputs: &[f32], targets: impl Iterator<Item = f32>) -> f64 {
        let rows = outputs.chunks_exact(self.outputs);
        let count = rows.len() as f64;
        let losses =
            rows.zip(targets).map(|(z, y)| f64::from(self.weight(y)) * self.loss.of_row(z, y));
        losses.sum::<f64>() / count
    }

    /// The same where all rows count the same, as losses are measured after training.
    pub fn unweighted(&self) -> Self {
        Self { class_weights: Vec::new(), ..self.clone() }
    }

    /// The same of numbers that were scaled.
    pub fn in_unit(self, unit: Affine) -> Self {
        Self { unit, ..self }
    }

    /// Outputs or targets in the unit of the targets; those of classes are as they are.
    pub fn natural<'v>(&self, values: &'v [f32]) -> Cow<'v, [f32]> {
        match self.unit == Affine::NONE {
            true => Cow::Borrowed(values),
            false => values.iter().map(|value| self.unit.natural(*value)).collect(),
        }
    }

    /// The metrics of rows with these raw outputs, and a loss that was computed before: those of the task,
    /// and those that were asked for.
    pub fn metrics(
        &self,
        asked: &[Metric],
        outputs: &[f32],
        targets: &[f32],
        loss: f64,
    ) -> Metrics {
        let (outputs, targets) = (self.natural(outputs), self.natural(targets));
        Metrics::new(self.task(), asked, &Rows::new(&outputs, self.outputs, &targets), loss)
    }

    /// One metric of such rows.
    pub fn score(&self, metric: Metric, outputs: &[f32], targets: &[f32]) -> Option<f64> {
        let (outputs, targets) = (self.natural(outputs), self.natural(targets));
        metric.info().of(&Rows::new(&outputs, self.outputs, &targets))
    }
}

#[cfg(test)]
mod tests {
    use super::super::loss::binary_cross_entropy;
    use super::super::tests::close;
    use super::*;

    #[test]
    fn weights_of_classes_multiply_and_are_not_normalised() {
        let (a, b) = (binary_cross_entropy(0.5, 0.0), binary_cross_entropy(-1.0, 1.0));
        let mut objective = Objective::binary();
        objective.class_weights = vec![0.5, 3.0];
        let found = objective.mean_loss(&[0.5, -1.0], [0.0, 1.0].into_iter());
        close(found, (0.5 * a + 3.0 * b) / 2.0);
    }

    #[test]
    fn metrics_are_in_the_unit_of_the_targets_and_the_loss_is_not() {
        let unit = Affine { offset: 100.0, factor: 10.0 };
        let objective = Objective::new(Loss::Mse, 1).in_unit(unit);
        let (outputs, targets) = ([0.5f32, -1.0], [0.0f32, 0.0]);
        close(objective.mean_loss(&outputs, targets.iter().copied()), 0.625);
        close(objective.score(Metric::Mae, &outputs, &targets).unwrap(), 7.5);
        let metrics = objective.metrics(&[], &outputs, &targets, 0.625);
        close(metrics.get(Metric::Mse).unwrap(), 62.5);
        assert_eq!(objective.natural(&outputs)[..], [105.0, 90.0]);
        assert_eq!(objective.unweighted().unit, unit);
    }
}
