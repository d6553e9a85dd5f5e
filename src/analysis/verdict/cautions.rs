//! What to beware of: leaks, failed runs, what else than the batch size differs, and the rest.

use super::decide;
use super::peaks::{Peak, peaks};
use crate::analysis::{
    ArmFinding, ArmResults, Bar, CONFIDENCE, ClassesMissing, Comparison, Confounder, Looks,
    Results, Split, Weight,
};
use crate::stats::{Interval, wilson_interval};
use serde::Serialize;
use std::collections::BTreeSet;

/// A run failed to converge when its validation score misses the median run's by more than this share
/// of the way down to guessing.
const STRAY: f64 = 0.25;

/// The median run must be so much better than guessing, for that to tell: of rows that are counted.
const LEARNED: f64 = 0.1;

/// Of other scores, this share of the way from guessing to the best score that there is.
const LEARNED_SHARE: f64 = 0.2;

/// Something that weakens what the study shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Caution {
    /// The models saw in training, as a whole or in part, the rows on which they are judged.
    SeenInTraining {
        /// Where.
        splits: Vec<Seen>,
        /// How many rows a window spans, where rows are windows of one series: the gap that splits need.
        gap: Option<usize>,
        /// Time steps of a row.
        steps: usize,
    },
    /// Splits that have no example of some class: their scores say nothing of it.
    ClassesMissing(Vec<ClassesMissing>),
    /// The score of no run is defined on the test split, which has this many rows.
    NoTestScore {
        /// They.
        rows: usize,
    },
    /// Runs that diverged, failed or are not finished.
    FailedRuns {
        /// Of how many runs.
        planned: usize,
        /// Their loss was not finite.
        diverged: usize,
        /// An error ended them.
        failed: usize,
        /// They are finished, and their score is not defined.
        unscored: usize,
        /// They are not finished.
        unfinished: usize,
    },
    /// Runs that failed to converge, and how many may.
    Strays(Strays),
    /// Always giving the same answer is not shown to do worse.
    NoBetterThanGuessing(Guessing),
    /// Nor here, where models aim at something that the score does not count: it does not tell whether they
    /// learned.
    AimedElsewhere(Guessing),
    /// What else than the batch size differs between the arms.
    Confounded(Vec<Confounder>),
    /// The weights of runs are those of the epoch that is best by another metric than the score.
    RestoredByAnother {
        /// By which, as files call them.
        monitors: BTreeSet<String>,
    },
    /// Arms that scored higher before they ended.
    FellAtTheEnd(Vec<Peak>),
    /// The test split shows these arms to be better than the best by validation.
    TestDisagrees(Vec<String>),
    /// The rows of the validation split tell less than the margin.
    FewValidationRows {
        /// How many there are.
        rows: usize,
        /// 95 % of other splits of that size would move a difference by at most this.
        noise: f64,
    },
    /// Several seeds came to the same score, to the row.
    NoSpread,
    /// It was settled at the first look, and no longer is with the bounds for seeds that were added.
    Reopened {
        /// The seeds of that look.
        seeds: u64,
        /// The arm that was to be used.
        recommended: Option<String>,
    },
    /// What other rows could have made of the test score.
    OtherRows(OtherRows),
    /// Earlier sessions declared other margins.
    MarginChanged {
        /// These.
        earlier: Vec<f64>,
    },
}

/// Rows of a split that were seen in training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Seen {
    /// The split.
    pub split: Split,
    /// Its rows.
    pub rows: usize,
    /// Those that share time steps with a training row; 0 where whole rows are repeated.
    pub overlapping: usize,
    /// The most time steps that one shares.
    pub most_steps: usize,
    /// Those that equal a training row.
    pub repeated: usize,
}

/// Runs that failed to converge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Strays {
    /// The recommended arm, or the one with the highest mean.
    pub arm: String,
    /// Its runs that failed to converge.
    pub failed: usize,
    /// Its finished runs.
    pub runs: usize,
    /// The share of its runs that may (95 %).
    pub share: Interval,
    /// Runs of all arms that failed to converge, as arm and seed.
    pub all: Vec<(String, u64)>,
    /// Below this validation score a run counts as failed to converge.
    pub below: f64,
}

/// The score of always giving the same answer: the more frequent class, or the mean; or, of a series, the last
/// value before what is predicted, where that is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Guessing {
    /// On validation.
    pub score: f64,
    /// Whether it is that of the last value.
    pub is_last_value: bool,
}

/// What other rows could have made of the test score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OtherRows {
    /// Test rows.
    pub rows: usize,
    /// Rows that count as one, since they share time steps; `None` where it is not known which do.
    pub block: Option<usize>,
    /// As how many the rows count where some equal each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equal: Option<usize>,
    /// The score on other rows (95 %), of the rows alone; `None` where that is not known.
    pub interval: Option<Interval>,
}

/// In the order in which they are told; those that are never folded come first.
pub(super) fn cautions(
    results: &Results,
    comparison: &Comparison,
    recommended: Option<&ArmFinding>,
    audit: &[Confounder],
) -> Vec<Caution> {
    let confounders: Vec<Confounder> =
        audit.iter().filter(|found| found.weight() == Weight::Confounds).cloned().collect();
    let earlier = results.earlier_margins.clone();
    let all = [
        seen_in_training(results),
        (!results.missing.is_empty()).then(|| Caution::ClassesMissing(results.missing.clone())),
        no_test_score(results),
        failed_runs(results),
        reopened(results),
        no_better_than_guessing(results, recommended),
        (!confounders.is_empty()).then_some(Caution::Confounded(confounders)),
        restored_by_another(results),
        fell_at_the_end(results),
        test_disagrees(comparison),
        strays(results, comparison, recommended),
        few_validation_rows(results, comparison, recommended),
        results.arms.iter().any(is_still).then_some(Caution::NoSpread),
        other_rows(results, recommended),
        (!earlier.is_empty()).then_some(Caution::MarginChanged { earlier }),
    ];
    all.into_iter().flatten().collect()
}

/// A look at fewer seeds may settle what more seeds leave open: they count with wider bounds, and they may
/// say something else.
fn reopened(results: &Results) -> Option<Caution> {
    let seeds = results.first_look.filter(|_| results.looks == Looks::SeedsAdded)?;
    let mut first = Results { looks: Looks::Once, ..results.clone() };
    for arm in &mut first.arms {
        arm.runs.retain(|seed, _| *seed < seeds);
        arm.diverged.retain(|seed| *seed < seeds);
    }
    let before = decide(&first);
    (before.settled && !decide(results).settled)
        .then_some(Caution::Reopened { seeds, recommended: before.recommended })
}

/// Nothing weighs more.
fn seen_in_training(results: &Results) -> Option<Caution> {
    let (shared, examples) = (&results.shared, &results.examples);
    let splits = [
        (Split::Test, shared.test, examples.test),
        (Split::Validation, shared.validation, examples.validation),
    ];
    // One row in a hundred moves a score by less than the margin.
    let matters = |count: usize, rows: usize| count > 0 && 100 * count >= rows.max(1);
    let seen = splits.into_iter().filter_map(|(split, found, rows)| {
        let rows = rows?;
        let overlapping = if matters(found.overlapping, rows) { found.overlapping } else { 0 };
        let repeated = if matters(found.repeated, rows) { found.repeated } else { 0 };
        let most_steps = found.most_steps;
        (overlapping + repeated > 0).then_some(Seen {
            split,
            rows,
            overlapping,
            most_steps,
            repeated,
        })
    });
    let splits: Vec<Seen> = seen.collect();
    (!splits.is_empty()).then_some(Caution::SeenInTraining {
        splits,
        gap: shared.span,
        steps: shared.steps,
    })
}

/// Not where classes are missing on the test split: that is a caution of its own.
fn no_test_score(results: &Results) -> Option<Caution> {
    let rows = results.examples.test?;
    let mut runs = results.arms.iter().flat_map(|arm| arm.runs.values()).peekable();
    let is_told = results.missing.iter().any(|missing| missing.split == Split::Test);
    let undefined = runs.peek().is_some() && runs.all(|run| run.test.is_none());
    (undefined && !is_told).then_some(Caution::NoTestScore { rows })
}

fn failed_runs(results: &Results) -> Option<Caution> {
    let sum = |of: fn(&ArmResults) -> usize| results.arms.iter().map(of).sum::<usize>();
    let (planned, finished) = (sum(|arm| arm.planned), sum(|arm| arm.runs.len()));
    let (diverged, failed) = (sum(|arm| arm.diverged.len()), sum(|arm| arm.failed));
    let unscored = sum(|arm| arm.unscored);
    let unfinished = planned.saturating_sub(finished + diverged + failed + unscored);
    (diverged + failed + unscored + unfinished > 0).then_some(Caution::FailedRuns {
        planned,
        diverged,
        failed,
        unscored,
        unfinished,
    })
}

/// Then arms are compared as that metric ends them.
fn restored_by_another(results: &Results) -> Option<Caution> {
    let finished = results.arms.iter().filter(|arm| !arm.runs.is_empty());
    let monitors: BTreeSet<String> =
        finished.filter_map(|arm| arm.facts.restored_by.clone()).collect();
    (!monitors.is_empty()).then_some(Caution::RestoredByAnother { monitors })
}

/// Rare failures to converge decide what an arm is worth, and few seeds may have seen none.
fn strays(
    results: &Results,
    comparison: &Comparison,
    recommended: Option<&ArmFinding>,
) -> Option<Caution> {
    let mut all: Vec<f64> =
        results.arms.iter().flat_map(|arm| arm.runs.values()).map(|run| run.validation).collect();
    all.sort_by(f64::total_cmp);
    let median = *all.get(all.len() / 2)?;
    let counts_rows = results.score.counts_rows;
    let guessing = results.baseline.or(counts_rows.then_some(0.5))?;
    let learned = match counts_rows {
        true => LEARNED,
        false => LEARNED_SHARE * (results.score.best() - guessing),
    };
    if median - guessing < learned {
        // Where most runs learned little, one that is lower did not fail to.
        return None;
    }
    let below = median - STRAY * (median - guessing).max(0.0);
    let strays = |arm: &ArmResults| -> Vec<(String, u64)> {
        let stray = arm.runs.iter().filter(|(_, run)| run.validation < below);
        stray.map(|(seed, _)| (arm.name.clone(), *seed)).collect()
    };
    let arm = recommended.or_else(|| comparison.best())?;
    let arm = &results.arms[arm.place];
    let (failed, runs) = (strays(arm).len(), arm.runs.len());
    let share = match failed {
        // All n runs converge with a chance of 5 % where this share fails to.
        0 => Interval { low: 0.0, high: 1.0 - (1.0 - CONFIDENCE).powf(1.0 / runs as f64) },
        _ => wilson_interval(failed as f64 / runs as f64, runs, CONFIDENCE),
    };
    let all = results.arms.iter().flat_map(strays).collect();
    Some(Caution::Strays(Strays { arm: arm.name.clone(), failed, runs, share, all, below }))
}

/// Arms that overfit are judged by their last epoch, not by their best.
fn fell_at_the_end(results: &Results) -> Option<Caution> {
    let peaks = peaks(results);
    (!peaks.is_empty()).then_some(Caution::FellAtTheEnd(peaks))
}

/// Arms that the test split shows to be better than the one that validation chose.
fn test_disagrees(comparison: &Comparison) -> Option<Caution> {
    let better = |arm: &&ArmFinding| {
        let interval = arm.test_difference.and_then(|difference| difference.estimate.interval);
        arm.competes() && interval.is_some_and(|interval| interval.low > 0.0)
    };
    let better = comparison.arms.iter().filter(better).map(|arm| arm.name.clone());
    let better: Vec<String> = better.collect();
    let enough = !comparison.has_too_few_seeds() && !better.is_empty();
    enough.then_some(Caution::TestDisagrees(better))
}

/// Whether always giving the same answer, or the last value of a series, does as well, as far as is shown on
/// other rows too: of many arms and seeds on the same few rows, some are above it by chance.
fn no_better_than_guessing(results: &Results, recommended: Option<&ArmFinding>) -> Option<Caution> {
    let (constant, arm) = (results.baseline?, recommended?);
    let last_value = results.last_value.filter(|last| *last > constant);
    let score = last_value.unwrap_or(constant);
    let estimate = arm.validation?;
    let mean = estimate.summary.mean;
    let of_seeds = estimate.interval.map_or(0.0, |interval| mean - interval.low);
    let of_rows = 1.96 * validation_row_error(results, arm).unwrap_or(0.0);
    let lowest = mean - of_seeds.hypot(of_rows);
    let is_last_value = last_value.is_some();
    let guessing = Guessing { score, is_last_value };
    match results.constant {
        _ if lowest > score => None,
        _ if is_last_value => Some(Caution::NoBetterThanGuessing(guessing)),
        Bar::ToBeat => Some(Caution::NoBetterThanGuessing(guessing)),
        Bar::AimedElsewhere => Some(Caution::AimedElsewhere(guessing)),
        Bar::Nothing => None,
    }
}

/// The sampling error of an arm's validation score by its rows: as that of the test rows, or for a share of
/// rows from the share itself.
fn validation_row_error(results: &Results, arm: &ArmFinding) -> Option<f64> {
    let rows = results.examples.validation? as f64;
    match arm.test.and_then(|test| test.summary.rows) {
        Some(noise) => {
            let independent = (rows / noise.block as f64).max(1.0);
            Some(noise.error * (noise.rows as f64 / independent).sqrt())
        }
        None if results.score.counts_rows => {
            let share = arm.validation?.summary.mean.clamp(0.0, 1.0);
            Some((share * (1.0 - share) / rows).sqrt())
        }
        None => None,
    }
}

/// Whether all of several seeds came to the same score, on either split.
fn is_still(arm: &ArmResults) -> bool {
    let equal = |split| {
        let mut bits = arm.runs.values().map(|run| run.score(split).map(f64::to_bits));
        let first = bits.next().flatten();
        first.is_some() && bits.all(|other| other == first)
    };
    arm.runs.len() > 1 && (equal(Split::Validation) || equal(Split::Test))
}

/// How far other validation rows would move a difference, judged by the test rows on which the arms
/// disagree; told where that is more than the margin.
fn few_validation_rows(
    results: &Results,
    comparison: &Comparison,
    recommended: Option<&ArmFinding>,
) -> Option<Caution> {
    let rows = results.examples.validation?;
    let of = |arm: &ArmFinding| arm.test_difference?.estimate.summary.rows;
    let noises = comparison.arms.iter().filter(|arm| arm.competes()).filter_map(of);
    let scaled = noises.map(|noise| {
        let independent = rows as f64 / noise.block as f64;
        noise.error * (noise.rows as f64 / independent.max(1.0)).sqrt()
    });
    let error = scaled.reduce(f64::max).filter(|_| recommended.is_some())?;
    let noise = 1.96 * error;
    (noise > results.margin).then_some(Caution::FewValidationRows { rows, noise })
}

/// What other rows could have made of the test score.
fn other_rows(results: &Results, recommended: Option<&ArmFinding>) -> Option<Caution> {
    let (test, rows) = (recommended?.test?, results.examples.test?);
    let block = results.shared.block();
    let independent = results.shared.independent(rows);
    let interval = independent.and_then(|independent| match test.summary.rows {
        Some(noise) => Some(noise.interval(test.summary.mean, CONFIDENCE)),
        None if results.score.counts_rows => {
            Some(wilson_interval(test.summary.mean, independent, CONFIDENCE))
        }
        None => None,
    });
    // A few twins change nothing that is shown.
    let matters = |independent: &usize| block == Some(1) && 100 * *independent < 99 * rows;
    let equal = independent.filter(matters);
    Some(Caution::OtherRows(OtherRows { rows, block, equal, interval }))
}
