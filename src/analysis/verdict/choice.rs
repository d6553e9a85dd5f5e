//! Which of the arms that are good enough to use: the one with the least of what the study's
//! objective names, and whether that is shown. Of arms that are equal in it, the fastest.

use crate::analysis::estimate::paired;
use crate::analysis::objective::{price, tolerance};
use crate::analysis::{ArmFinding, Estimate, Ratio, Results, RunResults, Target, reach};
use crate::spec::StudyObjective;
use crate::stats::summarise;
use serde::Serialize;

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
        let seconds = |arm: &ArmFinding| self.mean(arm, StudyObjective::Time);
        self.equal(arms).into_iter().min_by(|a, b| seconds(a).total_cmp(&seconds(b)))
    }

    /// Of these arms those that are not shown to take more than the chosen one.
    pub(super) fn rivals(self, chosen: &ArmFinding, arms: &[&ArmFinding]) -> Vec<Rival> {
        let others = arms.iter().filter(|arm| arm.place != chosen.place);
        others.filter_map(|arm| self.rival(arm, chosen)).collect()
    }

    /// Whether an arm is the cheapest one, or not shown to take more.
    pub(super) fn is_no_dearer(self, arm: &ArmFinding, cheapest: &ArmFinding) -> bool {
        arm.place == cheapest.place || self.rival(arm, cheapest).is_some()
    }

    /// The arms with the least of what the objective names.
    fn equal<'f>(self, arms: &[&'f ArmFinding]) -> Vec<&'f ArmFinding> {
        let objective = self.results.objective;
        let price = |arm: &ArmFinding| self.mean(arm, objective);
        let least = arms.iter().map(|arm| price(arm)).fold(f64::INFINITY, f64::min);
        let most = tolerance(objective) * least;
        arms.iter().copied().filter(|arm| price(arm) <= most).collect()
    }

    /// The mean price of an arm's runs; infinite where none is known.
    fn mean(self, arm: &ArmFinding, objective: StudyObjective) -> f64 {
        if objective == StudyObjective::LargestBatch {
            return 1.0 / arm.batch_size as f64;
        }
        let runs = self.results.arms[arm.place].runs.values();
        let prices: Vec<f64> = runs.filter_map(|run| self.price(run, objective)).collect();
        summarise(&prices).map_or(f64::INFINITY, |prices| prices.mean)
    }

    fn price(self, run: &RunResults, objective: StudyObjective) -> Option<f64> {
        let spent = match self.until {
            Some(target) => reach(&run.curve, target)?.reached()?,
            None => run.spent(),
        };
        price(objective, run, spent)
    }

    /// An arm, if it is not shown to have more than the chosen one.
    fn rival(self, other: &ArmFinding, chosen: &ArmFinding) -> Option<Rival> {
        let Results { objective, arms, .. } = self.results;
        let log = |run: &RunResults| {
            self.price(run, *objective).filter(|price| *price > 0.0).map(f64::ln)
        };
        let logarithms = paired(&arms[other.place], &arms[chosen.place], log);
        let ratio = Estimate::of(&logarithms, 0.0)?.exp();
        let not_more = ratio.interval.is_some_and(|interval| interval.low <= 1.0);
        not_more.then(|| Rival { place: other.place, arm: other.name.clone(), ratio })
    }
}

/// An arm that is not shown to take more than the recommended one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rival {
    /// Its place in the comparison.
    #[serde(skip)]
    pub place: usize,
    /// Its name.
    pub arm: String,
    /// How many times as much it takes.
    pub ratio: Ratio,
}
