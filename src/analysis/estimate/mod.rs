//! Means over seeds, with their uncertainty.
//!
//! What is said of the test split is meant for other rows as well, so the noise of these rows is in
//! its intervals, p values and numbers of seeds, wherever each run's answer for each row is known. On
//! validation, where the choices are made, seeds alone are asked about.

#[cfg(test)]
mod simulation;

use super::{ArmResults, CONFIDENCE, Results, RunResults, Split};
use crate::stats::{
    Interval, RowNoise, Summary, block_noise, detectable, summarise, wilson_interval,
};
use serde::Serialize;

/// The chance with which what is called detectable is found.
const POWER: f64 = 0.8;

/// Above this share of right rows, or of wrong ones, few rows differ.
const NEARLY_ALL: f64 = 0.97;

/// A mean with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Mean, standard deviation and number of seeds.
    #[serde(flatten)]
    pub summary: Summary,
    /// The 95 % t interval; `None` for one seed.
    pub interval: Option<Interval>,
}

impl Estimate {
    /// Of one value a seed; a spread below `least_sd` is taken for that.
    pub(super) fn of(values: &[f64], least_sd: f64) -> Option<Self> {
        Some(Self::from(summarise(values)?.with_spread_of_at_least(least_sd)))
    }

    /// The smallest true difference that as many seeds, with this spread, tell from 0 in 80 % of
    /// studies; `None` for one seed.
    pub(super) fn detectable(&self) -> Option<f64> {
        detectable(&self.summary, 1.0 - CONFIDENCE, POWER)
    }
}

/// How many times as much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// The geometric mean over the seeds.
    pub value: f64,
    /// Its 95 % interval; `None` for one seed.
    pub interval: Option<Interval>,
}

impl Estimate {
    /// Of differences of logarithms the ratio.
    pub fn exp(&self) -> Ratio {
        let exp = |Interval { low, high }| Interval { low: low.exp(), high: high.exp() };
        Ratio { value: self.summary.mean.exp(), interval: self.interval.map(exp) }
    }
}

/// The first arm minus the second in something, seed by seed, of the seeds of which both have it.
pub(super) fn paired(
    a: &ArmResults,
    b: &ArmResults,
    of: impl Fn(&RunResults) -> Option<f64>,
) -> Vec<f64> {
    let pair = |(seed, run): (&u64, &RunResults)| Some(of(run)? - of(b.runs.get(seed)?)?);
    a.runs.iter().filter_map(pair).collect()
}

impl From<Summary> for Estimate {
    fn from(summary: Summary) -> Self {
        Self { summary, interval: summary.interval(CONFIDENCE) }
    }
}

/// A run, and the weight of its score in a sum.
pub(super) type Term<'r> = (f64, &'r RunResults);

impl Results {
    /// The mean of sums of scores, one sum a seed: of an arm, of the difference of two, or of more.
    /// `None` without a seed, or where a run has no such split.
    pub(super) fn estimate<'r, T>(&self, split: Split, sums: &[T]) -> Option<Estimate>
    where
        T: AsRef<[Term<'r>]>,
    {
        let sum = |terms: &T| -> Option<f64> {
            terms.as_ref().iter().map(|(w, run)| Some(w * run.score(split)?)).sum()
        };
        let values: Vec<f64> = sums.iter().map(sum).collect::<Option<_>>()?;
        let squares = sums.first()?.as_ref().iter().map(|(weight, _)| weight * weight).sum();
        let summary = summarise(&values)?.with_spread_of_at_least(self.rounding_sd(split, squares));
        let block = self.shared.block().filter(|_| split == Split::Test);
        let rows = block.and_then(|block| noise_of_rows(sums, block));
        let rows = rows.map(|noise| match noise.block {
            1 => noise.of_equal_rows(self.shared.copies(noise.rows)),
            _ => noise,
        });
        Some(Estimate::from(Summary { rows, ..summary }))
    }
}

impl Results {
    /// The score of an arm on a split, over its finished runs that have it.
    pub(super) fn score_of(&self, arm: &ArmResults, split: Split) -> Option<Estimate> {
        let runs = arm.runs.values().filter(|run| run.score(split).is_some());
        let found = self.estimate(split, &runs.map(|run| [(1.0, run)]).collect::<Vec<_>>())?;
        Some(match split {
            Split::Validation => found,
            Split::Test => self.with_few_wrong_rows(found),
        })
    }

    /// When nearly all test rows are right, or nearly all wrong, t intervals are too narrow: rows on which
    /// all runs agree show no spread. The interval is then widened to Wilson's for this number of rows.
    /// This holds for scores that count rows, such as accuracy.
    fn with_few_wrong_rows(&self, found: Estimate) -> Estimate {
        let mean = found.summary.mean;
        let rows = self.examples.test.and_then(|rows| self.shared.independent(rows));
        match (found.interval, rows) {
            (Some(interval), Some(rows))
                if self.score.counts_rows && (mean - 0.5).abs() > NEARLY_ALL - 0.5 =>
            {
                let wilson = wilson_interval(mean, rows, CONFIDENCE);
                let (low, high) = (interval.low.min(wilson.low), interval.high.max(wilson.high));
                Estimate { interval: Some(Interval { low, high }), ..found }
            }
            _ => found,
        }
    }
}

/// `None` where it is not known of each run what each row contributes.
fn noise_of_rows<'r>(sums: &[impl AsRef<[Term<'r>]>], block: usize) -> Option<RowNoise> {
    let mut runs = sums.iter().flat_map(|terms| terms.as_ref());
    let rows = runs.next()?.1.rows.len();
    if runs.any(|(_, run)| run.rows.len() != rows) {
        return None;
    }
    block_noise(sums.len(), rows, block, |seed, row| {
        sums[seed].as_ref().iter().map(|(weight, run)| weight * f64::from(run.rows[row])).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{results, run};
    use super::super::{InTraining, SharedSteps};
    use super::*;
    use crate::stats::tests::near;

    /// A run that gets every row right but each `every`th, from `first` on.
    fn wrong_in(first: usize, every: usize) -> RunResults {
        let rows: Vec<f32> =
            (0..200).map(|row| f32::from(u8::from(row % every != first))).collect();
        RunResults { test: Some(f64::from(rows.iter().sum::<f32>()) / 200.0), rows, ..run(0.8) }
    }

    #[test]
    fn rows_are_in_the_interval_of_the_test_split_and_not_in_that_of_validation() {
        let study = results(Vec::new());
        let (a, b) = (wrong_in(0, 4), wrong_in(1, 5));
        let sums = [[(1.0, &a), (-1.0, &b)], [(1.0, &a), (-1.0, &b)]];
        let on_test = study.estimate(Split::Test, &sums).unwrap();
        near(on_test.summary.mean, -0.05, 1e-12);
        // Each seed says the same; 80 of 200 rows tell the two apart.
        let wrong = |run: &RunResults, row: usize| 1.0 - f64::from(run.rows[row]);
        let differ: f64 = (0..200).map(|row| (wrong(&a, row) - wrong(&b, row)).powi(2)).sum();
        let error = ((differ / 200.0 - 0.05f64.powi(2)) / 199.0).sqrt();
        near(on_test.summary.rows.unwrap().error, error, 1e-12);
        let interval = on_test.interval.unwrap();
        near(interval.high - interval.low, 2.0 * 1.972 * error, 1e-3);
        assert_eq!(study.estimate(Split::Validation, &sums).unwrap().summary.rows, None);
    }

    #[test]
    fn rows_that_overlap_count_as_blocks_or_not_at_all() {
        let (a, b) = (wrong_in(0, 4), wrong_in(1, 5));
        let sums = [[(1.0, &a)], [(1.0, &b)]];
        let rows = |span, overlapping| {
            let test = InTraining { overlapping, ..InTraining::default() };
            let shared = SharedSteps { steps: 20, span, test, ..SharedSteps::default() };
            let study = Results { shared, ..results(Vec::new()) };
            study.estimate(Split::Test, &sums).unwrap().summary.rows
        };
        let counts = |noise: Option<RowNoise>| noise.map(|noise| (noise.rows, noise.block));
        assert_eq!(counts(rows(None, 0)), Some((200, 1)));
        assert_eq!(counts(rows(Some(30), 0)), Some((6, 30)));
        assert_eq!(counts(rows(None, 150)), None, "which rows belong together is not known");
    }

    #[test]
    fn equal_rows_count_as_fewer() {
        let (a, b) = (wrong_in(0, 4), wrong_in(1, 5));
        let sums = [[(1.0, &a)], [(1.0, &b)]];
        let error = |test_pairs| {
            let shared = SharedSteps { test_pairs, ..SharedSteps::default() };
            let study = Results { shared, ..results(Vec::new()) };
            study.estimate(Split::Test, &sums).unwrap().summary.rows.unwrap().error
        };
        // Each of the 200 rows comes four times: 50 clusters of 4, 16 pairs each.
        near(error(800), 2.0 * error(200), 1e-12);
        assert_eq!(error(0).to_bits(), error(200).to_bits());
        let shared = SharedSteps { test_pairs: 800, ..SharedSteps::default() };
        assert_eq!(shared.independent(200), Some(50));
    }

    #[test]
    fn an_accuracy_of_all_rows_is_known_as_well_as_so_many_rows_tell() {
        let mut study = results(vec![crate::analysis::tests::arm(32, &[0.9; 5])]);
        study.examples.test = Some(20);
        study.arms[0].runs.values_mut().for_each(|run| run.test = Some(1.0));
        let interval = study.score_of(&study.arms[0], Split::Test).unwrap().interval.unwrap();
        near(interval.low, 20.0 / (20.0 + 3.8415), 1e-4);
        study.arms[0].runs.values_mut().for_each(|run| run.test = Some(0.9));
        let interval = study.score_of(&study.arms[0], Split::Test).unwrap().interval.unwrap();
        assert!(interval.high - interval.low < 0.1, "{interval:?}");
    }

    #[test]
    fn without_the_answers_of_each_run_seeds_alone_are_asked_about() {
        let study = results(Vec::new());
        let (known, unknown) = (wrong_in(0, 4), run(0.8));
        let found = study.estimate(Split::Test, &[[(1.0, &known)], [(1.0, &unknown)]]).unwrap();
        assert_eq!((found.summary.rows, found.summary.count), (None, 2));
        let untested = RunResults { test: None, ..run(0.8) };
        assert_eq!(study.estimate(Split::Test, &[[(1.0, &untested)]]), None);
        assert_eq!(study.estimate(Split::Test, &Vec::<Vec<Term>>::new()), None);
    }
}
