//! The gap between a small and a large batch, taken apart.
//!
//! With the same learning rate and the same number of epochs a large batch differs from a small one
//! in three ways: the rate may suit it less, it makes fewer updates, and its gradients are less
//! noisy. Five arms with common seeds tell them apart (S small, L large):
//!
//! ```text
//! a0   S, the file's rate, the file's budget      a0'  S, tuned rate, the file's budget
//! a1   L, the file's rate, the file's budget      a2   L, tuned rate, the file's budget
//!                                                 a3   L, tuned rate, as many updates as S
//! total          = a0  - a1
//! learning rate  = (a2 - a1) - (a0' - a0)
//! updates        = a3  - a2
//! residual       = a0' - a3
//! ```
//!
//! Each is small minus large, so a positive part is what the large batch lacks, and total =
//! learning rate + updates + residual for every seed. The rates were chosen with seeds of their own.
//! a3 sees the data L / S times as often and may overfit, which would count as residual; so the parts
//! are given at each run's best measurement too (on validation, where the longer run has more looks).
//! With early stopping a3 may make as many updates as a0', and each ends where it no longer improves.

mod take_apart;
#[cfg(test)]
mod tests;

pub use take_apart::decompose;

use super::{Budget, CONFIDENCE, Estimate, Rate, Split};
use crate::stats::{Summary, equivalence_p};
use serde::Serialize;

/// A budget in steps of another batch size ends with a whole step.
const ROUNDING: f64 = 0.01;

/// One part of the gap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Part {
    /// Small minus large, paired by seed; on the test split for other rows too.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Of the t test that it is 0.
    pub p: Option<f64>,
}

/// The gap and its parts on one split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Parts {
    /// At the file's learning rate and budget.
    pub total: Part,
    /// What tuning the learning rate gives the large batch more than the small one.
    pub learning_rate: Part,
    /// What as many updates give the large batch.
    pub updates: Part,
    /// What remains: the batch size itself.
    pub residual: Part,
}

impl Parts {
    /// In the order of the sum: the total, then learning rate, updates and residual.
    pub fn all(&self) -> [&Part; 4] {
        [&self.total, &self.learning_rate, &self.updates, &self.residual]
    }
}

/// Why a gap could not be taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoDecomposition {
    /// It takes one arm of this kind, and there are so many.
    Arms {
        /// None, or several.
        count: usize,
        /// Examples per step.
        batch_size: usize,
        /// The way to the learning rate.
        rate: Rate,
        /// The budget.
        budget: Budget,
    },
    /// Runs of the arm of this name diverged.
    Diverged(String),
    /// No seed has finished runs of all five arms.
    NoCommonSeed,
}

/// What remains of the gap with tuned rates and equal updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// Shown to be smaller than the margin, either way.
    Immaterial,
    /// The large batch is worse by more than the margin.
    LargeWorse,
    /// The large batch is better by more than the margin.
    LargeBetter,
    /// One of the two at the end of the runs, but not shown at their best measurements, and overfitting
    /// in between is shown to be behind it.
    AtTheEndAlone,
    /// Neither is shown.
    Open,
}

/// One of the five arms, on the seeds that all of them have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GapArm {
    /// Its name.
    pub name: String,
    /// Examples per step.
    pub batch_size: usize,
    /// Before the schedule.
    pub learning_rate: f64,
    /// Mean updates of its runs.
    pub updates: f64,
    /// Validation score.
    pub validation: Estimate,
    /// Test score.
    pub test: Option<Estimate>,
}

impl GapArm {
    /// On a split; on validation where there is no test split.
    pub fn score(&self, split: Split) -> &Estimate {
        match (split, &self.test) {
            (Split::Test, Some(test)) => test,
            _ => &self.validation,
        }
    }

    /// Whether the runs of the two are the same, as far as can be seen.
    fn ran_like(&self, other: &GapArm) -> bool {
        let of = |arm: &GapArm| (arm.learning_rate.to_bits(), arm.updates.to_bits());
        (of(self), self.validation, self.test) == (of(other), other.validation, other.test)
    }
}

/// The one seed that makes the gap as uncertain as it is. What the gap would be without it is not said: the
/// interval would be too narrow, because the seed is left out for being odd.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OddSeed {
    /// The seed.
    pub seed: u64,
    /// Of a0 and a1, the batch size whose run lies farther from its others.
    pub batch_size: usize,
    /// That run's score.
    pub score: f64,
    /// Of the others of its arm.
    pub others: [f64; 2],
}

/// The gap between two batch sizes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decomposition {
    /// The small batch size.
    pub small: usize,
    /// The large one.
    pub large: usize,
    /// The arms a0, a1, a0', a2, a3.
    pub arms: [GapArm; 5],
    /// The seeds that all of them have.
    pub seeds: Vec<u64>,
    /// On the split of [`Self::parts`].
    pub odd_seed: Option<OddSeed>,
    /// On validation.
    pub validation: Parts,
    /// On validation, each run at its best measurement: what overfitting at the end hides.
    pub best: Parts,
    /// How much of the residual on validation is gone at each run's best measurement, seed by seed.
    pub overfitting: Estimate,
    /// On the test split.
    pub test: Option<Parts>,
    /// What is left, on the test split if there is one.
    pub remainder: Remainder,
    /// How many seeds would settle it, when it is open.
    pub seeds_needed: Option<usize>,
    /// How many test rows it takes at least before seeds can settle it, where those there are do not
    /// suffice.
    pub rows_needed: Option<usize>,
}

impl Decomposition {
    /// On the test split if there is one, which had no say in the learning rates.
    pub fn parts(&self) -> &Parts {
        self.test.as_ref().unwrap_or(&self.validation)
    }

    /// The names of a0' and a3: what remains is the first minus the second.
    pub(super) fn residual_arms(&self) -> [&str; 2] {
        [&self.arms[2].name, &self.arms[4].name]
    }

    /// Mean updates of a0' and a3 where they are not the same after all, since early stopping ended
    /// runs before their budgets.
    pub fn unequal_updates(&self) -> Option<[f64; 2]> {
        let [small, large] = [self.arms[2].updates, self.arms[4].updates];
        ((small - large).abs() > ROUNDING * small).then_some([small, large])
    }

    /// Whether tuning took the file's rates, so that runs with tuned ones are the same.
    pub fn kept_rates(&self) -> bool {
        let [small, large, small_tuned, large_tuned, _] = &self.arms;
        small.ran_like(small_tuned) && large.ran_like(large_tuned)
    }

    /// Whether early stopping left the updates unused that the large batch was given more.
    pub fn kept_updates(&self) -> bool {
        let [.., large, longer] = &self.arms;
        large.ran_like(longer)
    }

    /// Whether the whole gap is shown to be less than the margin.
    pub fn is_total_immaterial(&self, margin: f64) -> bool {
        is_immaterial(&self.parts().total.estimate.summary, margin)
    }

    /// Whether what remains at the best measurements is shown to be less than the margin.
    pub fn is_immaterial_at_best(&self, margin: f64) -> bool {
        is_immaterial(&self.best.residual.estimate.summary, margin)
    }

    /// That of [`Self::parts`].
    pub fn split(&self) -> Split {
        if self.test.is_some() { Split::Test } else { Split::Validation }
    }
}

fn is_immaterial(part: &Summary, margin: f64) -> bool {
    equivalence_p(part, margin).is_some_and(|p| p < 1.0 - CONFIDENCE)
}

fn is_worse(part: &Summary, margin: f64) -> bool {
    part.interval(CONFIDENCE).is_some_and(|interval| interval.low > margin)
}

fn is_better(part: &Summary, margin: f64) -> bool {
    part.interval(CONFIDENCE).is_some_and(|interval| interval.high < -margin)
}
