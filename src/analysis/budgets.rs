//! The same curves read at equal passes, equal steps and equal seconds.
//!
//! Which batch size is the best depends on what is held equal: with equal passes over the
//! data a small batch makes more updates, with equal updates a large one sees more data, with equal
//! seconds whichever the machine likes gains. So every run is read at the most that all arms of the
//! group have, straight between two measurements, and compared as ever: paired by seed. Each epoch
//! visits each row once, so equal passes are equal examples.
//!
//! A reading is that of a longer run on its way. Where the learning rate falls over the run, a run
//! that had been planned so short would have ended with a lower one.

use super::{ArmFinding, ArmResults, Comparison, Point, Results, RunResults, compare};
use crate::stats::Standing;
use serde::Serialize;

/// What is held equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Training rows, and so passes over the data.
    Examples,
    /// Updates.
    Steps,
    /// Of training and validation, on this machine.
    Seconds,
}

impl Axis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Examples, Self::Steps, Self::Seconds];

    /// Where a point stands on it.
    pub fn of(self, point: &Point) -> f64 {
        match self {
            Self::Examples => point.examples as f64,
            Self::Steps => point.step as f64,
            Self::Seconds => point.seconds,
        }
    }
}

/// The arms of a group with equal amounts of something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetFinding {
    /// Of what.
    pub axis: Axis,
    /// How much: the most that every run has.
    pub amount: f64,
    /// The arms that could be read there, against the best of them.
    pub comparison: Comparison,
    /// Arms whose first measurement comes later; with `train.evaluate_every` it comes earlier.
    pub unread: Vec<String>,
    /// The runs of the arms that could be read, as they were then.
    #[serde(skip)]
    pub arms: Vec<ArmResults>,
}

impl BudgetFinding {
    /// Whether at least two arms could be read.
    pub fn compares(&self) -> bool {
        self.comparison.arms.len() > 1
    }
}

/// Reads the curves of arms that were compared; empty for one arm, and where a run has no curve.
pub fn budgets(results: &Results) -> Vec<BudgetFinding> {
    Axis::ALL.into_iter().filter_map(|axis| at_equal(results, axis)).collect()
}

fn at_equal(results: &Results, axis: Axis) -> Option<BudgetFinding> {
    if results.arms.len() < 2 {
        return None;
    }
    let mut read = results.clone();
    let ends = read.arms.iter().flat_map(|arm| arm.runs.values());
    let ends: Option<Vec<f64>> = ends.map(|run| Some(axis.of(run.curve.last()?))).collect();
    let amount = ends?.into_iter().reduce(f64::min)?;
    let mut unread = Vec::new();
    read.arms.retain_mut(|arm| {
        let readings = arm.runs.iter().map(|(seed, run)| Some((*seed, at(run, axis, amount)?)));
        match readings.collect::<Option<_>>() {
            Some(runs) => {
                arm.runs = runs;
                true
            }
            None => {
                unread.push(arm.name.clone());
                false
            }
        }
    });
    let comparison = compare(&read);
    Some(BudgetFinding { axis, amount, comparison, unread, arms: read.arms })
}

/// A run as it was when it had so much; `None` before its first measurement.
fn at(run: &RunResults, axis: Axis, amount: f64) -> Option<RunResults> {
    let after = run.curve.iter().position(|point| axis.of(point) >= amount)?;
    let b = &run.curve[after];
    let exactly = axis.of(b) <= amount;
    let a = match after.checked_sub(1) {
        _ if exactly => b,
        Some(before) => &run.curve[before],
        None => return None,
    };
    let whole = axis.of(b) - axis.of(a);
    let share = if whole > 0.0 { (amount - axis.of(a)) / whole } else { 1.0 };
    let between = |of: fn(&Point) -> f64| of(a) + share * (of(b) - of(a));
    let seconds = between(|point| point.seconds);
    Some(RunResults {
        validation: between(|point| point.score),
        test: None,
        rows: Vec::new(),
        steps: between(|point| point.step as f64).round() as u64,
        examples: between(|point| point.examples as f64).round() as u64,
        train_seconds: run.train_seconds * seconds / run.seconds.max(f64::MIN_POSITIVE),
        seconds,
        peak_memory: run.peak_memory,
        curve: Vec::new(),
    })
}

/// An arm that is the best with something held equal, and shown to be worse than the best with something
/// else.
#[derive(Debug, Clone, PartialEq)]
pub struct Flip<'f> {
    /// As it is there where it loses.
    pub arm: &'f ArmFinding,
    /// What is held equal where it is the best.
    pub ahead: Vec<Axis>,
    /// What is held equal where it loses.
    pub behind: Axis,
    /// Its difference from the best there.
    pub difference: f64,
}

/// How the answer depends on what is held equal.
pub fn flips<'f>(found: &'f [BudgetFinding]) -> Vec<Flip<'f>> {
    let compared = || found.iter().filter(|found| found.compares());
    let at = |there: &'f BudgetFinding| {
        let lost = there.comparison.standing(Standing::Out).into_iter();
        lost.filter_map(move |arm| flip(found, there.axis, arm))
    };
    compared().flat_map(at).collect()
}

fn flip<'f>(found: &[BudgetFinding], behind: Axis, arm: &'f ArmFinding) -> Option<Flip<'f>> {
    let is_best = |of: &&BudgetFinding| {
        of.compares() && of.comparison.best().is_some_and(|best| best.name == arm.name)
    };
    let ahead: Vec<Axis> = found.iter().filter(is_best).map(|of| of.axis).collect();
    let difference = arm.difference?.estimate.summary.mean;
    (!ahead.is_empty()).then_some(Flip { arm, ahead, behind, difference })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, point, results};
    use super::*;
    use crate::stats::tests::near;

    /// The score rises with the updates alone, 1 - 100 / (steps + 200), and each epoch has 6,400 rows;
    /// a step takes 1 ms and 0.01 ms a row.
    fn study() -> Results {
        let of = |size: usize| {
            let mut arm = arm(size, &[0.0, 0.0, 0.0]);
            for (seed, run) in &mut arm.runs {
                let point = |epoch: u64| {
                    let step = epoch * 6400 / size as u64;
                    let score = 1.0 - 100.0 / (step as f64 + 200.0) + 1e-4 * *seed as f64;
                    let seconds = step as f64 * (1e-3 + size as f64 * 1e-5);
                    Point { examples: 6400 * epoch, seconds, ..point(step, score) }
                };
                run.curve = (1..=8).map(point).collect();
                run.validation = run.curve[7].score;
                run.seconds = run.curve[7].seconds;
            }
            arm
        };
        results(vec![of(32), of(128)])
    }

    #[test]
    fn what_updates_alone_bring_differs_with_equal_passes_and_not_with_equal_updates() {
        let found = budgets(&study());
        let [examples, steps, seconds] = &found[..] else { panic!("three budgets") };
        near(examples.amount, 51_200.0, 0.0);
        assert_eq!(examples.comparison.standing(Standing::Out)[0].name, "batch-128");
        near(steps.amount, 400.0, 0.0);
        assert!(steps.comparison.standing(Standing::Out).is_empty());
        let read = &steps.comparison.arms[0];
        near(read.validation.unwrap().summary.mean, 1.0 - 100.0 / 600.0 + 1e-4, 1e-12);
        near(read.examples.unwrap().mean, 12_800.0, 0.0);
        // 400 steps of 2.28 ms; the small batch made 690.9 of 1.32 ms then.
        near(seconds.amount, 0.912, 1e-12);
        near(seconds.comparison.arms[0].steps.unwrap().mean, 691.0, 0.5);
    }

    #[test]
    fn between_two_measurements_a_run_goes_straight_and_before_the_first_it_is_not_known() {
        let study = study();
        let run = &study.arms[0].runs[&0];
        let (a, b) = (run.curve[0].score, run.curve[1].score);
        near(at(run, Axis::Steps, 250.0).unwrap().validation, a + (b - a) / 4.0, 1e-12);
        assert_eq!(at(run, Axis::Steps, 199.0), None);
        near(at(run, Axis::Steps, 200.0).unwrap().validation, a, 1e-12);
        assert_eq!(at(run, Axis::Steps, 1601.0), None);
    }

    #[test]
    fn an_answer_that_flips_is_said_and_one_that_does_not_is_too() {
        let mut study = study();
        let found = budgets(&study);
        assert!(flips(&found).is_empty(), "{:?}", flips(&found));
        // A large batch that takes a third of the time is ahead at equal seconds.
        for run in study.arms[1].runs.values_mut() {
            run.curve.iter_mut().for_each(|point| point.seconds /= 3.0);
        }
        let found = budgets(&study);
        let small = flips(&found).into_iter().find(|flip| flip.behind == Axis::Seconds).unwrap();
        assert_eq!((small.arm.batch_size, small.ahead[0]), (32, Axis::Examples));
        assert!(small.difference < -study.margin);
    }

    #[test]
    fn an_arm_that_was_first_measured_later_is_named() {
        let mut study = study();
        study.arms[1].runs.values_mut().for_each(|run| run.curve.truncate(3));
        let third = arm(64, &[0.5]);
        study.arms.push(third);
        assert!(budgets(&study).is_empty(), "one has no curve");
        study.arms[2] = study.arms[1].clone();
        study.arms[2].name = "twin".into();
        let found = budgets(&study);
        let steps = found.iter().find(|found| found.axis == Axis::Steps).unwrap();
        assert_eq!(steps.unread, ["batch-32"]);
        assert!(steps.compares());
        study.arms.pop();
        let found = budgets(&study);
        assert_eq!((found[1].compares(), &found[1].unread[..]), (false, &["batch-32".into()][..]));
    }
}
