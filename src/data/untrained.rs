//! Token ids that training never has: vectors that stay as they were drawn.

use super::dataset::Dataset;
use super::facts::Facts;
use crate::kernels::{Sequences, Split};
use anyhow::Result;
use std::collections::BTreeSet;

impl Facts {
    /// Looks for token ids whose vectors are never trained.
    pub(super) fn look_for_untrained(&mut self, dataset: &Dataset) -> Result<()> {
        let splits = dataset.splits()?;
        let tokens = |split: Split| match splits.get(split).sequences {
            Sequences::Tokens { tokens, .. } => Some(tokens),
            Sequences::Features { .. } => None,
        };
        let Some(train) = tokens(Split::Train) else { return Ok(()) };
        // 0 is padding.
        let known: BTreeSet<i32> = train.iter().copied().chain([0]).collect();
        let share = |split| {
            let tokens = tokens(split).unwrap_or_default();
            let new = tokens.iter().filter(|token| !known.contains(token)).count();
            new as f64 / tokens.len().max(1) as f64
        };
        self.untrained = Some([share(Split::Validation), share(Split::Test)]);
        Ok(())
    }
}
