//! What a model would score that gives every row the same answer, the best one for the training split:
//! the share of each class, or the mean of the targets. A study whose models do no better learned nothing.

use super::dataset::Dataset;
use super::facts::Facts;
use crate::config::SeriesSection;
use crate::kernels::Sequences;
use crate::spec::{Affine, Metric, Rows, Task};
use anyhow::Result;
use std::collections::BTreeMap;

impl Facts {
    /// Looks for the scores of that model on the validation split, in every metric that judges the task
    /// and is defined there.
    pub(super) fn look_for_baseline(&mut self, dataset: &Dataset, task: Task) -> Result<()> {
        let splits = dataset.splits()?;
        let mut answer = answer(&self.natural(splits.train.labels), self.classes.len(), task);
        let targets = self.natural(splits.validation.labels);
        if task == Task::Multiclass {
            leave_out_absent(&mut answer, &targets);
        }
        let outputs = answer.repeat(targets.len());
        self.baseline = scores(&Rows::new(&outputs, answer.len(), &targets), task);
        Ok(())
    }

    /// Looks for the scores of the forecast that nothing changes: the target as it was in the last row of the
    /// window. Only where the model reads it and numbers are predicted.
    pub(super) fn look_for_last_value(
        &mut self,
        dataset: &Dataset,
        series: &SeriesSection,
        task: Task,
    ) -> Result<()> {
        let validation = dataset.splits()?.validation;
        let place = series.inputs.iter().position(|input| *input == series.target);
        let (Some(place), Task::Regression) = (place, task) else { return Ok(()) };
        let Sequences::Features { values, steps, features } = validation.sequences else {
            return Ok(());
        };
        let scaling = self.scaling.as_ref();
        let input = scaling.map_or(Affine::NONE, |scaling| scaling.features[place]);
        let last = |row: &[f32]| input.natural(row[(steps - 1) * features + place]);
        let outputs: Vec<f32> = values.chunks_exact(steps * features).map(last).collect();
        let targets = self.natural(validation.labels);
        self.last_value = scores(&Rows::new(&outputs, 1, &targets), task);
        Ok(())
    }

    /// Targets as they are in the source.
    fn natural(&self, targets: &[f32]) -> Vec<f32> {
        let unit = self.unit();
        targets.iter().map(|target| unit.natural(*target)).collect()
    }
}

/// Every metric that judges the task and is defined of these rows.
fn scores(rows: &Rows<'_>, task: Task) -> BTreeMap<Metric, f64> {
    let judging = Metric::all().filter(|metric| metric.judges(task));
    let score = |metric: Metric| Some((metric, metric.info().of(rows)?));
    // JSON has no infinity.
    judging.filter_map(score).filter(|(_, score)| score.is_finite()).collect()
}

/// Where validation has no row of the class that is the most frequent in training, always naming that class is no
/// bar: of the others, the most frequent one is named.
fn leave_out_absent(answer: &mut [f32], targets: &[f32]) {
    let is_absent = |class: usize| !targets.iter().any(|target| *target as usize == class);
    let most = (0..answer.len()).max_by(|a, b| answer[*a].total_cmp(&answer[*b]));
    if !most.is_some_and(is_absent) {
        return;
    }
    for class in (0..answer.len()).filter(|class| is_absent(*class)) {
        answer[class] = f32::NEG_INFINITY;
    }
}

/// The raw outputs of a model that fits these rows with its bias alone.
fn answer(targets: &[f32], classes: usize, task: Task) -> Vec<f32> {
    let n = targets.len() as f64;
    let shares = || -> Vec<f64> {
        let mut rows = vec![0usize; classes];
        targets.iter().for_each(|class| rows[*class as usize] += 1);
        rows.into_iter().map(|rows| rows as f64 / n).collect()
    };
    match task {
        Task::Binary => {
            let p = shares()[1];
            vec![(p / (1.0 - p)).ln() as f32]
        }
        Task::Multiclass => shares().into_iter().map(|share| share.ln() as f32).collect(),
        Task::Regression => {
            vec![(targets.iter().map(|target| f64::from(*target)).sum::<f64>() / n) as f32]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_validation_lacks_is_not_the_answer_to_beat() {
        let of = |targets: &[f32]| {
            let mut answer = vec![-2.0, -1.5, -0.4];
            leave_out_absent(&mut answer, targets);
            let outputs = answer.repeat(targets.len());
            scores(&Rows::new(&outputs, 3, targets), Task::Multiclass)[&Metric::Accuracy]
        };
        assert_eq!(of(&[0.0, 1.0, 1.0, 0.0]).to_bits(), 0.5f64.to_bits());
        assert_eq!(of(&[0.0, 2.0, 2.0, 2.0]).to_bits(), 0.75f64.to_bits());
    }

    #[test]
    fn the_answer_is_the_logarithm_of_shares_or_the_mean() {
        let ln = |x: f64| x.ln() as f32;
        assert_eq!(answer(&[0.0, 1.0, 1.0, 1.0], 2, Task::Binary), [ln(3.0)]);
        let several = answer(&[0.0, 2.0, 1.0, 2.0], 3, Task::Multiclass);
        assert_eq!(several, [ln(0.25), ln(0.25), ln(0.5)]);
        assert_eq!(answer(&[1.0, 2.0, 6.0], 0, Task::Regression), [3.0]);
    }
}
