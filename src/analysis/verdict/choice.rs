//! Which of the arms that are accurate enough to use: the one with the least of what the study's
//! objective names, and whether that is shown. Of arms that are equal in it, the fastest.

use crate::analysis::estimate::paired;
use crate::analysis::words::{label, list};
use crate::analysis::{
    ArmFinding, ArmResults, Comparison, Estimate, Objective, Ratio, Results, RunResults, Target,
    reach,
};
use crate::format::duration;
use crate::stats::{Interval, summarise};

/// How arms are weighed.
#[derive(Clone, Copy)]
pub(super) struct Choice<'r> {
    pub(super) results: &'r Results,
    /// What runs count up to; their ends if there is none.
    pub(super) until: Option<&'r Target>,
}

impl<'r> Choice<'r> {
    /// Of these arms the one to use.
    pub(super) fn of<'f>(self, arms: &[&'f ArmFinding]) -> Option<&'f ArmFinding> {
        let seconds = |arm: &ArmFinding| self.mean(arm, Objective::Time);
        self.equal(arms).into_iter().min_by(|a, b| seconds(a).total_cmp(&seconds(b)))
    }

    /// What is to be said of the chosen one beside the others: `, the fastest of 3 that ...` and
    /// `, though it is not shown to be faster than ...`.
    pub(super) fn beside(self, chosen: &ArmFinding, arms: &[&ArmFinding]) -> String {
        let objective = self.results.objective;
        let equal = self.equal(arms);
        let first = match equal.len() {
            0 | 1 => String::new(),
            _ if self.mean(chosen, objective).is_infinite() => String::new(),
            several => format!(", the fastest of {several} {}", objective.equals()),
        };
        let others = arms.iter().filter(|arm| !equal.iter().any(|one| one.name == arm.name));
        let rivals: Vec<String> = others.filter_map(|arm| self.rival(arm, chosen)).collect();
        match objective.not_shown() {
            Some([what, _]) if !rivals.is_empty() => {
                format!("{first}, though it is not shown to {what} {}", list(&rivals))
            }
            _ => first,
        }
    }

    /// The arms with the least of what the objective names.
    fn equal<'f>(self, arms: &[&'f ArmFinding]) -> Vec<&'f ArmFinding> {
        let objective = self.results.objective;
        let price = |arm: &ArmFinding| self.mean(arm, objective);
        let least = arms.iter().map(|arm| price(arm)).fold(f64::INFINITY, f64::min);
        let most = objective.tolerance() * least;
        arms.iter().copied().filter(|arm| price(arm) <= most).collect()
    }

    /// The mean price of an arm's runs; infinite where none is known.
    fn mean(self, arm: &ArmFinding, objective: Objective) -> f64 {
        if objective == Objective::LargestBatch {
            return 1.0 / arm.batch_size as f64;
        }
        let runs = self.arm(&arm.name).into_iter().flat_map(|arm| arm.runs.values());
        let prices: Vec<f64> = runs.filter_map(|run| self.price(run, objective)).collect();
        summarise(&prices).map_or(f64::INFINITY, |prices| prices.mean)
    }

    fn arm(self, name: &str) -> Option<&'r ArmResults> {
        self.results.arms.iter().find(|arm| arm.name == name)
    }

    fn price(self, run: &RunResults, objective: Objective) -> Option<f64> {
        let spent = match self.until {
            Some(target) => reach(&run.curve, target)?.reached()?,
            None => run.spent(),
        };
        objective.price(run, spent)
    }

    /// An arm that is not shown to have more than the chosen one, in words.
    fn rival(self, other: &ArmFinding, chosen: &ArmFinding) -> Option<String> {
        let objective = self.results.objective;
        let log =
            |run: &RunResults| self.price(run, objective).filter(|price| *price > 0.0).map(f64::ln);
        let logarithms = paired(self.arm(&other.name)?, self.arm(&chosen.name)?, log);
        let Ratio { value, interval } = Estimate::of(&logarithms, 0.0)?.exp();
        let Interval { low, high } = interval.filter(|interval| interval.low <= 1.0)?;
        let (named, [_, unit]) = (label(other), objective.not_shown()?);
        Some(format!("{named} ({value:.2} {unit}, 95 % interval {low:.2} to {high:.2})"))
    }
}

/// ` (12.3 s with batch size 32)`: what the smallest batch size takes, for an arm that is another.
pub(super) fn against_the_smallest(
    comparison: &Comparison,
    arm: &ArmFinding,
    seconds: impl Fn(&ArmFinding) -> Option<f64>,
) -> String {
    let competing = comparison.arms.iter().filter(|other| other.competes());
    let smallest = competing.min_by_key(|other| other.batch_size);
    let told = smallest.filter(|smallest| smallest.batch_size < arm.batch_size).and_then(|of| {
        let [own, other] = [seconds(arm)?, seconds(of)?].map(duration);
        (own != other).then(|| format!(" ({other} with {})", label(of)))
    });
    told.unwrap_or_default()
}
