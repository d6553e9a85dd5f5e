//! Every run where it was best: what the batch sizes come to when nothing ends them too early or too
//! late.
//!
//! With equal passes or updates one batch size may still be learning and another overfit. So each run is
//! also taken at its best measurement on validation. A run that was measured more often has more chances
//! of a lucky measurement, so this describes and decides nothing.

use super::{ArmFinding, ArmResults, Comparison, Results, RunResults, compare};
use serde::Serialize;

/// The arms of a group, each run at its best measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtBest {
    /// Against the best of them.
    pub comparison: Comparison,
    /// Their runs as they were then.
    #[serde(skip)]
    pub arms: Vec<ArmResults>,
}

impl RunResults {
    /// The highest validation score that was measured of it.
    pub fn best_validation(&self) -> f64 {
        self.curve.iter().map(|point| point.score).fold(self.validation, f64::max)
    }
}

impl Comparison {
    /// The worst of those that differ from the best.
    pub fn last(&self) -> Option<&ArmFinding> {
        let behind = |arm: &ArmFinding| Some(arm.difference?.estimate.summary.mean);
        let others = self.arms.iter().filter_map(|arm| Some((arm, behind(arm)?)));
        others.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(arm, _)| arm)
    }
}

/// `None` for one arm, and where every run is best at its end.
pub fn at_best(results: &Results) -> Option<AtBest> {
    let runs = || results.arms.iter().flat_map(|arm| arm.runs.values());
    if results.arms.len() < 2 || runs().all(|run| run.best_validation() <= run.validation) {
        return None;
    }
    let mut read = results.clone();
    for run in read.arms.iter_mut().flat_map(|arm| arm.runs.values_mut()) {
        run.validation = run.best_validation();
        run.test = None;
    }
    let comparison = compare(&read);
    Some(AtBest { comparison, arms: read.arms })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, point, results};
    use super::*;
    use crate::stats::tests::near;

    #[test]
    fn what_runs_lose_before_they_end_does_not_count() {
        let mut study = results(vec![arm(32, &[0.80, 0.81, 0.80]), arm(256, &[0.80, 0.80, 0.81])]);
        assert_eq!(at_best(&study), None, "they are best at their ends");
        for run in study.arms[1].runs.values_mut() {
            run.curve = vec![point(1, run.validation + 0.05), point(2, run.validation)];
        }
        let found = at_best(&study).unwrap();
        assert_eq!(found.comparison.best().unwrap().name, "batch-256");
        assert_eq!(found.comparison.last().unwrap().name, "batch-32");
        near(found.arms[1].runs[&0].validation, 0.85, 1e-12);
        study.arms.pop();
        assert_eq!(at_best(&study), None);
    }
}
