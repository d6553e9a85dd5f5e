//! The caveat below the answer: learning rates that were not tuned, unequal numbers of steps, overfitting.

use super::Story;
use super::words::{short, times};
use crate::analysis::{ArmFinding, ArmResults, Caution, Rate};

impl Story<'_> {
    /// The caveat; `None` where fewer than two arms can be compared, or nothing is to be said.
    pub(super) fn caveat(&self) -> Option<String> {
        let is_there = |arm: &&ArmFinding| arm.finished > 0 && arm.diverged == 0;
        let competing = || self.comparison.arms.iter().filter(is_there);
        if competing().count() < 2 {
            return None;
        }
        // Whole ones, as the confounder names them.
        let steps = |arm: &&ArmFinding| arm.steps.map_or(0.0, |steps| steps.mean.round());
        let most = competing().max_by(|a, b| steps(a).total_cmp(&steps(b)))?;
        let least = competing().min_by(|a, b| steps(a).total_cmp(&steps(b)))?;
        let ratio = steps(&most) / steps(&least).max(1.0);
        let arms: Vec<&ArmResults> =
            competing().map(|arm| self.findings.results(self.results, arm)).collect();
        let rate = match arms.iter().all(|arm| arm.rate == Rate::Tuned) {
            true => None,
            false => Some(match arms.iter().all(|arm| same(arm, arms[0])) {
                true => format!("Learning rate {} was not tuned", arms[0].learning_rate),
                false => "Learning rates were not tuned".to_owned(),
            }),
        };
        let updates = (ratio >= 1.5).then(|| {
            format!("{} made {} times as many steps as {}", short(most), times(ratio), short(least))
        });
        let fall = self.fall(if rate.is_none() && updates.is_none() {
            "Validation"
        } else {
            "validation"
        });
        let parts: Vec<String> = [rate, updates, fall].into_iter().flatten().collect();
        // A sentence may begin with the name of an arm, which stays as it is.
        (!parts.is_empty()).then(|| parts.join("; ") + ".")
    }

    /// `validation accuracy fell after epochs 2 to 3`, where models overfit.
    fn fall(&self, validation: &str) -> Option<String> {
        let of = |caution: &Caution| match caution {
            Caution::FellAtTheEnd(peaks) => Some(peaks.iter().map(|peak| peak.epoch).collect()),
            _ => None,
        };
        let epochs: Vec<usize> = self.findings.verdict.cautions.iter().find_map(of)?;
        let (first, last) = (epochs.iter().min()?, epochs.iter().max()?);
        let when = match first == last {
            true => format!("epoch {first}"),
            false => format!("epochs {first} to {last}"),
        };
        let fell = if self.scale.falls() { "rose" } else { "fell" };
        Some(format!("{} {fell} after {when}", self.scale.on(validation)))
    }
}

fn same(a: &ArmResults, b: &ArmResults) -> bool {
    a.learning_rate.to_bits() == b.learning_rate.to_bits()
}
