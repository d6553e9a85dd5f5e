//! The arms against the best of them.
//!
//! ```text
//! candidates   arms with finished runs, of more than half of the others' seeds, of which none diverged
//! seeds        those that all candidates have finished
//! best         the candidate with the highest mean validation score over these seeds
//! difference   arm - best, seed by seed, over these seeds (of other arms over those that both have)
//! standing     equivalent, out or undecided, by `pairs`
//! ```
//!
//! An arm of which a run diverged is compared over what is left, and is neither the best nor
//! recommended: the seeds that survived are not a fair sample of what it does. An arm that is out may
//! have fewer seeds than the others: it was given no more.
//!
//! A score that counts rows, as accuracy does, has steps of 1 / n for n rows. Equal differences are
//! therefore known to a step alone, and a spread below that of rounding two of them, sqrt(2 / 12) / n, is
//! taken for it.

mod pairs;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use pairs::Looks;

use super::estimate::Term;
use super::{ArmResults, Estimate, Results, RunResults, Split};
use crate::spec::MetricInfo;
use crate::stats::{
    InterquartileMean, Interval, Standing, Summary, equivalence_p, sign_flip_p, summarise,
};
use pairs::{LEAST_SEEDS, Pairs};
use serde::{Serialize, Serializer};

/// The chance for which the number of seeds that would settle a study is computed, as if the spread
/// seen so far were the true one: so that it does in about 80 of 100 studies (`simulation`).
const POWER: f64 = 0.85;

/// An arm minus the best one, paired by seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Over the seeds that both have; on the test split for other rows too.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Of the t test that the two are the same, as if the best had been named beforehand.
    pub p: Option<f64>,
    /// Of the exact sign-flip test.
    pub p_sign_flip: Option<f64>,
    /// Of TOST: that they differ by the margin or more, either way.
    pub p_equivalence: Option<f64>,
}

/// What an arm is in the comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The highest mean validation score.
    Best,
    /// Compared with it, and possibly recommended.
    Candidate,
    /// Some or all of its runs diverged: no candidate, whatever the others came to.
    Diverged,
    /// Too few of the others' seeds are finished in it.
    Apart,
    /// None of its runs is finished, and none diverged.
    #[default]
    Unfinished,
}

/// One arm as the comparison sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ArmFinding {
    /// Its place among the arms that are compared, whose results stand at the same one.
    #[serde(skip)]
    pub place: usize,
    /// Its name.
    pub name: String,
    /// Examples per step.
    pub batch_size: usize,
    /// Before the schedule.
    pub learning_rate: f64,
    /// What it is.
    pub role: Role,
    /// Runs: asked for, finished, diverged.
    pub planned: usize,
    /// Finished runs.
    pub finished: usize,
    /// Diverged runs.
    pub diverged: usize,
    /// Over all its finished runs.
    pub validation: Option<Estimate>,
    /// Over all its finished runs, for other test rows too.
    pub test: Option<Estimate>,
    /// The interquartile mean of validation; `None` with few seeds and at equal budgets.
    pub validation_iqm: Option<InterquartileMean>,
    /// That of the test split.
    pub test_iqm: Option<InterquartileMean>,
    /// Updates of a run.
    pub steps: Option<Summary>,
    /// Training rows of a run.
    pub examples: Option<Summary>,
    /// Seconds of a run.
    pub seconds: Option<Summary>,
    /// Training rows a second, of training alone.
    pub examples_per_second: Option<Summary>,
    /// Seconds of a training step.
    pub seconds_per_step: Option<Summary>,
    /// The most that a run took, in bytes.
    pub peak_memory: u64,
    /// Peak memory of a run, in bytes.
    pub memory: Option<Summary>,
    /// On validation; `None` for the best itself and for what cannot be compared.
    pub difference: Option<Difference>,
    /// On the test split.
    pub test_difference: Option<Difference>,
    /// How it stands to the best, on validation; `None` for what cannot be compared.
    pub standing: Option<Standing>,
    /// It minus the best of the others, on validation: the bounds that decide how it stands. `None`
    /// where there are none yet.
    pub from_best: Option<Interval>,
    /// The chance, were it the best, of being seen so far behind; corrected for the number of arms.
    pub p_worse: Option<f64>,
    /// How many seeds in all would show an undecided arm to be equivalent in 80 % of studies in which
    /// it is; `None` when no feasible number does.
    pub seeds_needed: Option<usize>,
}

/// All arms.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared, turned.
    pub score: &'static MetricInfo,
    /// The margin, in the unit of the score.
    pub margin: f64,
    /// The best arm, by its place.
    pub best: Option<usize>,
    /// The seeds on which the candidates were compared.
    pub seeds: Vec<u64>,
    /// How the results were come by, which says by which bounds they are judged.
    pub looks: Looks,
    /// The one-sided level of the bounds.
    pub level: f64,
    /// In the order of the file.
    pub arms: Vec<ArmFinding>,
}

/// For other programs the best one has no name below so many common seeds, as in the verdict.
impl Serialize for Comparison {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'c> {
            margin: f64,
            best: Option<usize>,
            seeds: &'c [u64],
            looks: Looks,
            level: f64,
            arms: &'c [ArmFinding],
        }
        let Self { score: _, margin, best, seeds, looks, level, arms } = self;
        let best = best.filter(|_| !self.has_too_few_seeds());
        Shown { margin: *margin, best, seeds, looks: *looks, level: *level, arms }
            .serialize(serializer)
    }
}

impl ArmFinding {
    /// On a split, over all its finished runs; `None` where they have none.
    pub fn score(&self, split: Split) -> Option<&Estimate> {
        match split {
            Split::Validation => self.validation.as_ref(),
            Split::Test => self.test.as_ref(),
        }
    }

    /// Whether nothing shows it to be worse than another.
    pub fn may_be_best(&self) -> Option<bool> {
        self.standing?;
        Some(self.from_best.is_none_or(|bounds| bounds.high >= 0.0))
    }

    /// Whether it may be recommended: finished runs that can be compared, and none that diverged.
    pub fn competes(&self) -> bool {
        matches!(self.role, Role::Best | Role::Candidate)
    }
}

impl Comparison {
    /// Whether all arms but one diverged so often that nothing is left of them to compare with: no seed
    /// of the one tells what there is to choose.
    pub fn is_one_left(&self) -> bool {
        let is_gone = |arm: &&ArmFinding| arm.role == Role::Diverged && arm.finished < LEAST_SEEDS;
        let diverged = self.arms.iter().filter(is_gone).count();
        let competing = self.arms.iter().filter(|arm| arm.competes()).count();
        competing == 1 && diverged > 0 && diverged + 1 == self.arms.len()
    }

    /// Whether so few seeds are common that nothing is said of which arm is better.
    pub fn has_too_few_seeds(&self) -> bool {
        self.seeds.len() < LEAST_SEEDS
    }

    /// Whether an arm is the best.
    pub fn is_best(&self, arm: &ArmFinding) -> bool {
        self.best == Some(arm.place)
    }

    /// The best arm.
    pub fn best(&self) -> Option<&ArmFinding> {
        self.arms.get(self.best?)
    }

    /// Arms that no arm that may be the best is better than by the margin.
    pub fn equivalent(&self) -> Vec<&ArmFinding> {
        let is = |arm: &&ArmFinding| arm.standing == Some(Standing::Equivalent);
        self.arms.iter().filter(is).collect()
    }

    /// Arms other than the best that stand so.
    pub fn standing(&self, wanted: Standing) -> Vec<&ArmFinding> {
        let of = |arm: &&ArmFinding| arm.role != Role::Best && arm.standing == Some(wanted);
        self.arms.iter().filter(of).collect()
    }
}

/// Compares the arms of a study.
pub fn compare(results: &Results) -> Comparison {
    let pairs = Pairs::of(results);
    let standings = pairs.standings();
    let (candidates, seeds) = candidates(results, &pairs.arms, &standings);
    let ranked = pairs.ranked(results, &seeds).into_iter().map(|place| pairs.arms[place]);
    let best = ranked.into_iter().find(|arm| candidates.contains(arm));
    let mut arms: Vec<ArmFinding> =
        (0..results.arms.len()).map(|place| describe(place, results)).collect();
    for (place, arm) in arms.iter_mut().enumerate() {
        arm.role = match (results.arms[place].runs.is_empty(), candidates.contains(&place)) {
            (true, _) if arm.diverged > 0 => Role::Diverged,
            (true, _) => Role::Unfinished,
            (false, true) if best == Some(place) => Role::Best,
            (false, true) => Role::Candidate,
            (false, false) if arm.diverged > 0 => Role::Diverged,
            (false, false) => Role::Apart,
        };
        if let Some(best) = best.filter(|best| *best != place) {
            // Candidates stand beside the best on the seeds on which it was chosen.
            let common = candidates.contains(&place);
            let counts = |seed: &u64| !common || seeds.contains(seed);
            set_beside(arm, results, &paired(&results.arms[place], &results.arms[best], counts));
        }
    }
    for (place, (arm, standing)) in pairs.arms.iter().zip(standings).enumerate() {
        let arm = &mut arms[*arm];
        // An arm with few of the others' seeds is out or nothing is said of it.
        if arm.role == Role::Apart && standing != Standing::Out {
            continue;
        }
        arm.standing = Some(standing);
        arm.from_best = pairs.minus_best(place);
        arm.p_worse = pairs.p_worse(place);
        if standing == Standing::Undecided {
            arm.seeds_needed = pairs.seeds_needed(place, POWER);
        }
    }
    let Results { score, margin, looks, .. } = *results;
    Comparison { score, margin, best, seeds, looks, level: pairs.level(), arms }
}

/// How an arm stands beside the best, from runs of the same seeds.
fn set_beside(arm: &mut ArmFinding, results: &Results, pairs: &[(&RunResults, &RunResults)]) {
    arm.difference = difference(results, Split::Validation, pairs);
    arm.test_difference = difference(results, Split::Test, pairs);
}

/// The arms that can be the best, and the seeds that all of them have. An arm that would leave half
/// of these seeds or fewer is none: a straggler must not decide for the others. Nor does an arm that
/// is out, which was given no more seeds.
fn candidates(results: &Results, arms: &[usize], standings: &[Standing]) -> (Vec<usize>, Vec<u64>) {
    let is_out = |place: &usize| {
        arms.iter().position(|arm| arm == place).map(|at| standings[at]) == Some(Standing::Out)
    };
    let runs = |place: &usize| &results.arms[*place].runs;
    let mut order = arms.to_vec();
    order.sort_by_key(|place| (is_out(place), std::cmp::Reverse(runs(place).len())));
    let (mut chosen, mut seeds): (Vec<usize>, Vec<u64>) = (Vec::new(), Vec::new());
    for place in order {
        let common: Vec<u64> = match chosen.is_empty() {
            true => runs(&place).keys().copied().collect(),
            false => seeds.iter().copied().filter(|seed| runs(&place).contains_key(seed)).collect(),
        };
        let enough = match is_out(&place) {
            true => common.len() == seeds.len(),
            false => 2 * common.len() > seeds.len(),
        };
        if chosen.is_empty() || enough {
            chosen.push(place);
            seeds = common;
        }
    }
    chosen.sort_unstable();
    (chosen, seeds)
}

fn describe(place: usize, results: &Results) -> ArmFinding {
    let arm = &results.arms[place];
    let all = |of: fn(&RunResults) -> f64| -> Vec<f64> { arm.runs.values().map(of).collect() };
    let speeds: Vec<f64> = arm.runs.values().filter_map(RunResults::examples_per_second).collect();
    ArmFinding {
        place,
        name: arm.name.clone(),
        batch_size: arm.batch_size,
        learning_rate: arm.learning_rate,
        planned: arm.planned,
        finished: arm.runs.len(),
        diverged: arm.diverged.len(),
        validation: results.score_of(arm, Split::Validation),
        test: results.score_of(arm, Split::Test),
        steps: summarise(&all(|run| run.steps as f64)),
        examples: summarise(&all(|run| run.examples as f64)),
        seconds: summarise(&all(|run| run.seconds)),
        examples_per_second: summarise(&speeds),
        seconds_per_step: summarise(&all(|run| run.train_seconds / run.steps.max(1) as f64)),
        peak_memory: arm.runs.values().map(|run| run.peak_memory).max().unwrap_or(0),
        memory: summarise(&all(|run| run.peak_memory as f64)),
        ..ArmFinding::default()
    }
}

/// Runs of the same seed, of the seeds that count.
fn paired<'r>(
    a: &'r ArmResults,
    b: &'r ArmResults,
    counts: impl Fn(&u64) -> bool,
) -> Vec<(&'r RunResults, &'r RunResults)> {
    let seeds = a.runs.iter().filter(|(seed, _)| counts(seed));
    seeds.filter_map(|(seed, run)| Some((run, b.runs.get(seed)?))).collect()
}

/// The first of each pair minus the second, of those that have the split.
fn minus<'r>(split: Split, pairs: &[(&'r RunResults, &'r RunResults)]) -> Vec<[Term<'r>; 2]> {
    let both =
        |(a, b): &&(&RunResults, &RunResults)| a.score(split).is_some() && b.score(split).is_some();
    pairs.iter().filter(both).map(|(a, b)| [(1.0, *a), (-1.0, *b)]).collect()
}

fn difference(
    results: &Results,
    split: Split,
    pairs: &[(&RunResults, &RunResults)],
) -> Option<Difference> {
    let sums = minus(split, pairs);
    let estimate = results.estimate(split, &sums)?;
    let value = |[(_, a), (_, b)]: &[Term; 2]| Some(a.score(split)? - b.score(split)?);
    let values: Vec<f64> = sums.iter().filter_map(value).collect();
    Some(Difference {
        estimate,
        p: estimate.summary.p_value(0.0),
        p_sign_flip: sign_flip_p(&values).filter(|_| values.len() > 1),
        p_equivalence: equivalence_p(&estimate.summary, results.margin),
    })
}
