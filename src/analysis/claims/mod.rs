//! What is commonly claimed of batch sizes, one by one, against this study.
//!
//! A claim is *supported* when the 95 % interval of the effect that it speaks of lies on its side of
//! 0, *contradicted* when it lies on the other side or is shown to be smaller than the margin, which is
//! then said, *inconclusive* when neither holds, and *not tested* when the study has no arms that could tell.
//! Accuracies are those of the test split if there is one: nothing is chosen here.

mod convergence;
mod cost;
mod probed;
mod setting;
#[cfg(test)]
mod tests;

use super::decomposition::Remainder;
use super::words::{points, points_interval, signed_points};
use super::{CONFIDENCE, Decomposition, Estimate, Ratio, Results, SharpnessFinding, Target};
use crate::format::count;
use crate::stats::{Interval, equivalence_p, side};
use serde::Serialize;
use std::cmp::Ordering;

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

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Contradicted => "contradicted",
            Self::Inconclusive => "inconclusive",
            Self::NotTested => "not tested",
        }
    }
}

/// A claim and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// The claim.
    pub claim: &'static str,
    /// What the study says.
    pub finding: Finding,
    /// The arms on which it was tested: effects are the first minus the second, ratios the first over
    /// the second.
    pub arms: Option<[String; 2]>,
    /// On what that rests, or what would test it.
    pub because: String,
    /// The effect where it is one of accuracy, as a share of 1, and what it is shown to be.
    pub effect: Option<Estimate>,
    /// The effect where it is one of something else, as a ratio.
    pub ratio: Option<Ratio>,
    /// The smallest effect on accuracy that these seeds would find in 80 of 100 studies.
    pub detectable: Option<f64>,
}

impl Claim {
    fn untested(claim: &'static str, because: impl Into<String>) -> Self {
        Self::of_ratio(claim, Finding::NotTested, None, because.into())
    }

    /// That rests on something else than accuracy.
    fn of_ratio(
        claim: &'static str,
        finding: Finding,
        logarithms: Option<&Estimate>,
        because: String,
    ) -> Self {
        let ratio = logarithms.map(Estimate::exp);
        Self { claim, finding, arms: None, because, effect: None, ratio, detectable: None }
    }

    /// With the effect on accuracy that it rests on.
    fn told(claim: &'static str, finding: Finding, effect: Estimate, because: String) -> Self {
        let (detectable, effect) = (effect.detectable(), Some(effect));
        Self { claim, finding, arms: None, because, effect, ratio: None, detectable }
    }

    /// With the arms on which it was tested.
    fn on(self, arms: [&str; 2]) -> Self {
        Self { arms: Some(arms.map(str::to_owned)), ..self }
    }

    /// Of an effect on accuracy that the claim says to be positive.
    fn of(claim: &'static str, effect: Estimate, margin: f64, because: String) -> Self {
        Self::told(claim, judge(&effect, margin), effect, because)
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

/// Why an effect whose interval may lie above 0 contradicts the claim all the same.
fn because_small(effect: &Estimate, margin: f64) -> String {
    match is_small(effect, margin) {
        true => format!(", shown to be less than the margin of {} either way", points(margin)),
        false => String::new(),
    }
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
        setting::setting(
            results,
            "dropout raises accuracy",
            &["model.lstm.dropout", "model.lstm.recurrent_dropout"],
        ),
        setting::setting(
            results,
            "L1 or L2 penalties raise accuracy",
            &[
                "model.lstm.kernel_regularizer",
                "model.lstm.recurrent_regularizer",
                "model.lstm.bias_regularizer",
            ],
        ),
    ]
}

fn noise_generalises(decomposition: Option<&Decomposition>, margin: f64) -> Claim {
    const CLAIM: &str = "the noise of small batches leads to solutions that generalise better";
    let Some(found) = decomposition else {
        return Claim::untested(
            CLAIM,
            "with equal epochs and one learning rate a small batch also makes more updates; \
             `study.decompose` tells them apart",
        );
    };
    let unequal = found.unequal_updates().is_some();
    let finding = match found.remainder {
        _ if unequal => Finding::Inconclusive,
        Remainder::LargeWorse => Finding::Supported,
        Remainder::Immaterial | Remainder::LargeBetter => Finding::Contradicted,
        Remainder::AtTheEndAlone | Remainder::Open => Finding::Inconclusive,
    };
    let effect = found.parts().residual.estimate;
    let updates = match unequal {
        false => "equal updates",
        true => "equal budgets of updates, of which early stopping left some unused",
    };
    let overfitting = match found.remainder {
        Remainder::AtTheEndAlone => format!(
            ", much of it overfitting: where each run was best on validation, {}",
            effect_text(&found.best.residual.estimate)
        ),
        _ => String::new(),
    };
    let because = format!(
        "{} accuracy of batch size {} minus {}, both with tuned learning rates and {updates}: \
         {}{overfitting}{}",
        found.split(),
        count(found.small as u64),
        count(found.large as u64),
        effect_text(&effect),
        because_small(&effect, margin)
    );
    Claim::told(CLAIM, finding, effect, because).on(found.residual_arms())
}

fn effect_text(effect: &Estimate) -> String {
    let mean = signed_points(effect.summary.mean);
    let interval = effect.interval.map_or(" (one seed)".to_owned(), points_interval);
    format!("{mean} percentage points{interval}")
}

impl Claim {
    /// `found with 0.8 points or more`, for tables.
    pub fn detectable_text(&self) -> String {
        self.detectable.map_or("-".into(), |least| points((least * 1e4).ceil() / 1e4))
    }
}
