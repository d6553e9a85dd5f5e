//! What is commonly claimed of batch sizes, one by one, against this study.
//!
//! A claim is *supported* when the 95 % interval of the effect that it speaks of lies on its side of
//! 0, *contradicted* when it lies on the other side or is shown to be smaller than the margin, which is
//! then said, *inconclusive* when neither holds, and *not tested* when the study has no arms that could tell.
//! Scores are those of the test split if there is one: nothing is chosen here.

mod convergence;
mod cost;
mod probed;
mod setting;
#[cfg(test)]
mod tests;

use super::decomposition::Remainder;
use super::{CONFIDENCE, Decomposition, Estimate, Ratio, Results, SharpnessFinding, Split, Target};
use crate::stats::{Interval, equivalence_p, side};
use serde::Serialize;
use std::cmp::Ordering;

/// What is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// The noise of small batches leads to solutions that generalise better.
    NoiseGeneralises,
    /// Gradients of large batches are smoother.
    SmoothGradients,
    /// Large batches end in sharper minima, which generalise worse.
    SharpMinima,
    /// Larger batches converge in fewer updates.
    FewerUpdates,
    /// Larger batches need more memory.
    MoreMemory,
    /// Larger batches make an epoch faster.
    FasterEpochs,
    /// The learning rate 1e-3 * 0.9^epoch makes the score better at batch size 256.
    FallingRateAt256,
    /// Another falling learning rate makes the score better at large batch sizes.
    FallingRate,
    /// Dropout makes it better.
    Dropout,
    /// L1 or L2 penalties make it better.
    Penalties,
}

/// On what a finding rests, or what would test the claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// What is missing.
    Missing(Missing),
    /// The residual of the gap: the small batch size minus the large one, with tuned learning rates.
    Residual {
        /// Of the scores.
        split: Split,
        /// Small and large batch size.
        sizes: [usize; 2],
        /// Whether they made as many updates.
        equal_updates: bool,
        /// The same where each run was best, where overfitting is behind it.
        at_best: Option<Estimate>,
        /// Whether it is shown to be less than the margin.
        is_small: bool,
    },
    /// The noise of a gradient at the end of the runs, as a share of it.
    Noise {
        /// Small and large batch size: its variance with the first over that with the second.
        sizes: [usize; 2],
        /// Seeds that are known from below alone and left out.
        left_out: usize,
        /// All seeds.
        seeds: usize,
    },
    /// Sharpness and score.
    Minima {
        /// Whether the largest batch size ended in sharper minima than the smallest; `None` where neither
        /// is shown.
        sharper: Option<bool>,
        /// Whether runs in sharper minima were better; `None` where neither is shown.
        better: Option<bool>,
    },
    /// Updates of the small batch size to the target over those of the large one.
    Updates {
        /// The target.
        target: Target,
        /// Small and large batch size.
        sizes: [usize; 2],
        /// The ratio, or the bound of it that is known.
        times: Ratio,
        /// What is known of it.
        known: Known,
        /// Seeds that are left out, or of which a bound alone is known.
        inexact: usize,
        /// All seeds.
        seeds: usize,
    },
    /// Mean peak memory of a run.
    Memory {
        /// Small and large batch size.
        sizes: [usize; 2],
        /// In bytes.
        bytes: [u64; 2],
        /// Whether they are shown to be equal.
        is_equal: bool,
    },
    /// Training rows a second.
    Speed {
        /// Small and large batch size.
        sizes: [usize; 2],
        /// Whether they are shown to be equal.
        is_equal: bool,
    },
    /// An arm with a setting against one without.
    Setting {
        /// Of both.
        batch_size: usize,
        /// What the first has, by path.
        settings: Vec<[String; 2]>,
        /// From how many such pairs this one was picked.
        of_many: usize,
        /// Whether the effect is shown to be less than the margin.
        is_small: bool,
    },
}

/// What is known of a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The ratio, of the seeds that tell it.
    Exactly,
    /// That it is no less.
    AtLeast,
    /// That it is no more.
    AtMost,
}

/// What keeps a claim from being tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// A study that takes the gap apart.
    Decomposition,
    /// Noise scales of two batch sizes that differ in nothing else.
    NoiseScales,
    /// Noise scales of which more than a lower bound is known.
    BoundedNoise,
    /// Sharpness of two batch sizes that differ in nothing else.
    Sharpness,
    /// Curves of two batch sizes.
    Curves,
    /// Two batch sizes that differ in nothing else.
    TwoSizes,
    /// A seed of both batch sizes.
    CommonSeed,
    /// A seed of which both runs pass the target between two measurements.
    Passing,
    /// Two arms that differ in this alone.
    TwoArms,
}

/// What the study says of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It holds here.
    Supported,
    /// It does not.
    Contradicted,
    /// This study cannot tell.
    Inconclusive,
    /// This study has no arms for it.
    NotTested,
}

impl Finding {
    /// Of an effect that a claim has above 0.
    fn of_sign(interval: Option<Interval>) -> Self {
        match side(interval) {
            Ordering::Greater => Self::Supported,
            Ordering::Less => Self::Contradicted,
            Ordering::Equal => Self::Inconclusive,
        }
    }
}

/// A claim and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// The claim.
    pub claim: ClaimKind,
    /// What the study says.
    pub finding: Finding,
    /// The arms on which it was tested: effects are the first minus the second, ratios the first over
    /// the second.
    pub arms: Option<[String; 2]>,
    /// On what that rests, or what would test it.
    pub because: Because,
    /// The effect where it is one on the score, turned, and what it is shown to be.
    pub effect: Option<Estimate>,
    /// The effect where it is one of something else, as a ratio.
    pub ratio: Option<Ratio>,
    /// The smallest effect on the score that these seeds would find in 80 of 100 studies.
    pub detectable: Option<f64>,
}

impl Claim {
    fn untested(claim: ClaimKind, missing: Missing) -> Self {
        Self::of_ratio(claim, Finding::NotTested, None, Because::Missing(missing))
    }

    /// That rests on something else than the score.
    fn of_ratio(
        claim: ClaimKind,
        finding: Finding,
        logarithms: Option<&Estimate>,
        because: Because,
    ) -> Self {
        let ratio = logarithms.map(Estimate::exp);
        Self { claim, finding, arms: None, because, effect: None, ratio, detectable: None }
    }

    /// With the effect on the score that it rests on.
    fn of_effect(claim: ClaimKind, finding: Finding, effect: Estimate, because: Because) -> Self {
        let (detectable, effect) = (effect.detectable(), Some(effect));
        Self { claim, finding, arms: None, because, effect, ratio: None, detectable }
    }

    /// With the arms on which it was tested.
    fn on(self, arms: [&str; 2]) -> Self {
        Self { arms: Some(arms.map(str::to_owned)), ..self }
    }
}

/// Whether an effect is positive, as a claim has it.
fn judge(effect: &Estimate, margin: f64) -> Finding {
    match is_small(effect, margin) {
        true => Finding::Contradicted,
        false => Finding::of_sign(effect.interval),
    }
}

/// Whether an effect is shown to be smaller than the margin, either way.
fn is_small(effect: &Estimate, margin: f64) -> bool {
    equivalence_p(&effect.summary, margin).is_some_and(|p| p < 1.0 - CONFIDENCE)
}

/// The claims that this study started from.
pub fn claims(
    results: &Results,
    of_main: &Results,
    target: Option<&Target>,
    decomposition: Option<&Decomposition>,
    sharpness: Option<&SharpnessFinding>,
) -> Vec<Claim> {
    vec![
        noise_generalises(decomposition, results.margin),
        probed::smooth_gradients(results, of_main),
        probed::sharp_minima(sharpness),
        convergence::convergence(of_main, target),
        cost::memory(results),
        cost::epochs(results),
        setting::schedule(results),
        setting::setting(results, ClaimKind::Dropout, &["dropout", "recurrent_dropout"]),
        setting::setting(
            results,
            ClaimKind::Penalties,
            &["kernel_regularizer", "recurrent_regularizer", "bias_regularizer"],
        ),
    ]
}

fn noise_generalises(decomposition: Option<&Decomposition>, margin: f64) -> Claim {
    const CLAIM: ClaimKind = ClaimKind::NoiseGeneralises;
    let Some(found) = decomposition else {
        return Claim::untested(CLAIM, Missing::Decomposition);
    };
    let equal_updates = found.unequal_updates().is_none();
    let finding = match found.remainder {
        _ if !equal_updates => Finding::Inconclusive,
        Remainder::LargeWorse => Finding::Supported,
        Remainder::Immaterial | Remainder::LargeBetter => Finding::Contradicted,
        Remainder::AtTheEndAlone | Remainder::Open => Finding::Inconclusive,
    };
    let effect = found.parts().residual.estimate;
    let overfitted = found.remainder == Remainder::AtTheEndAlone;
    let because = Because::Residual {
        split: found.split(),
        sizes: [found.small, found.large],
        equal_updates,
        at_best: overfitted.then_some(found.best.residual.estimate),
        is_small: is_small(&effect, margin),
    };
    Claim::of_effect(CLAIM, finding, effect, because).on(found.residual_arms())
}
