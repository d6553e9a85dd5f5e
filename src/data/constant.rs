//! Features that are constant in the training split and vary in validation or test: a model cannot learn from
//! them. Scaling is fitted on the training split, so it leaves them as they are.

use super::dataset::Dataset;
use super::facts::Facts;
use crate::kernels::{Examples, Sequences, Split};
use anyhow::Result;

impl Facts {
    /// Looks for such features; `name` says how one is called, by its place.
    pub(super) fn look_for_constant_features(
        &mut self,
        dataset: &Dataset,
        name: impl Fn(usize) -> String,
    ) -> Result<()> {
        let splits = dataset.splits()?;
        let Sequences::Features { values: train, features, .. } = splits.train.sequences else {
            return Ok(());
        };
        let others = [Split::Validation, Split::Test].map(|split| values(&splits.get(split)));
        self.constant_features = constant(train, features, &others).into_iter().map(name).collect();
        Ok(())
    }
}

fn values<'s>(examples: &Examples<'s>) -> &'s [f32] {
    match examples.sequences {
        Sequences::Features { values, .. } => values,
        Sequences::Tokens { .. } => &[],
    }
}

/// The features, of `[..][features]` values, that have one value in training and another elsewhere.
fn constant(train: &[f32], features: usize, others: &[&[f32]]) -> Vec<usize> {
    let is_constant = |feature: &usize| {
        let of = |values: &[f32], first: u32| {
            values.iter().skip(*feature).step_by(features).all(|value| value.to_bits() == first)
        };
        let Some(first) = train.get(*feature).map(|value| value.to_bits()) else { return false };
        of(train, first) && !others.iter().all(|values| of(values, first))
    };
    (0..features).filter(is_constant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_outside_training_alone_is_found() {
        let train = [1.0, 5.0, 7.0, 1.0, 5.0, 8.0];
        let same = [1.0, 5.0, 9.0];
        assert!(constant(&train, 3, &[&same, &[]]).is_empty());
        assert_eq!(constant(&train, 3, &[&same, &[2.0, 5.0, 7.0]]), [0]);
        assert_eq!(constant(&train, 3, &[&[1.0, 4.0, 7.0], &[2.0, 5.0, 7.0]]), [0, 1]);
        assert!(constant(&[], 3, &[&same]).is_empty());
    }
}
