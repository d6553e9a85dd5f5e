//! The arms against the best of them.
//!
//! ```text
//! candidates   arms with finished runs, of more than half of the others' seeds, of which none diverged
//! seeds        those that all candidates have finished
//! best         the candidate with the highest mean validation accuracy over these seeds
//! difference   arm - best, seed by seed, over these seeds (of other arms over those that both have)
//! standing     against the margin: within by the one-sided 95 % bound, beyond by the 95 % interval, open
//! ```
//!
//! An arm of which a run diverged is compared over what is left, and is neither the best nor
//! recommended: the seeds that survived are not a fair sample of what it does.
//!
//! Accuracies are counted in steps of 1 / n for n rows. Equal differences are therefore known to a
//! step alone, and a spread below that of rounding two of them, sqrt(2 / 12) / n, is taken for it.

mod correction;
#[cfg(test)]
mod tests;

use super::estimate::Term;
use super::{ArmResults, CONFIDENCE, Estimate, Results, RunResults, Split};
use crate::stats::{
    InterquartileMean, Standing, Summary, equivalence_p, possible_bests, seeds_needed, sign_flip_p,
    standing, summarise,
};
use correction::correct_for_choice;
use rand::Rng;
use serde::{Serialize, Serializer};

/// With fewer seeds in common nothing is said of which arm is better: chance names the best of three
/// equal arms as surely.
pub(super) const LEAST_SEEDS: usize = 3;
/// Draws of each bootstrap.
const REPLICATES: usize = 2000;
/// The chance with which the number of seeds that is named settles a question.
const POWER: f64 = 0.8;

/// An arm minus the best one, paired by seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Over the seeds that both have; on the test split for other rows too.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Of the t test that the two are the same, as if the best had been named beforehand.
    pub p: Option<f64>,
    /// With Holm's correction over all pairs of candidates, since the data chose the best.
    pub p_holm: Option<f64>,
    /// Of the exact sign-flip test.
    pub p_sign_flip: Option<f64>,
    /// Of TOST: that they differ by the margin or more, either way.
    pub p_equivalence: Option<f64>,
}

/// What an arm is in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The highest mean validation accuracy.
    Best,
    /// Compared with it, and possibly recommended.
    Candidate,
    /// Some or all of its runs diverged: no candidate, whatever the others came to.
    Diverged,
    /// Too few of the others' seeds are finished in it.
    Apart,
    /// None of its runs is finished, and none diverged.
    Unfinished,
}

/// One arm as the comparison sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmFinding {
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
    /// How it stands to the margin, on validation; the best is within.
    pub standing: Option<Standing>,
    /// Whether it may be the best one, on validation, as all candidates together tell.
    pub may_be_best: Option<bool>,
    /// How many seeds an open comparison would need in all; `None` when no feasible number settles
    /// it, or when there is no spread to judge by.
    pub seeds_needed: Option<usize>,
}

/// All arms.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The margin, in accuracy.
    pub margin: f64,
    /// The best arm, by its place.
    pub best: Option<usize>,
    /// The seeds on which the candidates were compared.
    pub seeds: Vec<u64>,
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
            arms: &'c [ArmFinding],
        }
        let Self { margin, best, seeds, arms } = self;
        let best = best.filter(|_| seeds.len() >= LEAST_SEEDS);
        Shown { margin: *margin, best, seeds, arms }.serialize(serializer)
    }
}

impl ArmFinding {
    /// On a split, over all its finished runs; `None` where they have none.
    pub fn accuracy(&self, split: Split) -> Option<&Estimate> {
        match split {
            Split::Validation => self.validation.as_ref(),
            Split::Test => self.test.as_ref(),
        }
    }

    /// Whether it may be recommended: finished runs that can be compared, and none that diverged.
    pub(super) fn competes(&self) -> bool {
        matches!(self.role, Role::Best | Role::Candidate)
    }
}

impl Comparison {
    /// The best arm.
    pub fn best(&self) -> Option<&ArmFinding> {
        self.arms.get(self.best?)
    }

    /// Arms other than the best that stand so.
    pub fn standing(&self, wanted: Standing) -> Vec<&ArmFinding> {
        let of = |arm: &&ArmFinding| arm.role == Role::Candidate && arm.standing == Some(wanted);
        self.arms.iter().filter(of).collect()
    }
}

/// Compares the arms of a study.
pub fn compare(results: &Results, rng: &mut impl Rng) -> Comparison {
    let (candidates, seeds) = candidates(&results.arms);
    let validation_of = |arm: &usize| -> Vec<f64> {
        runs_of(&results.arms[*arm], &seeds).iter().map(|run| run.validation).collect()
    };
    let scores: Vec<Vec<f64>> = candidates.iter().map(validation_of).collect();
    let mean = |scores: &Vec<f64>| scores.iter().sum::<f64>();
    let best_place = (0..candidates.len())
        .reduce(|best, arm| if mean(&scores[arm]) > mean(&scores[best]) { arm } else { best });
    let best = best_place.map(|place| candidates[place]);
    let may = possible_bests(
        &scores,
        CONFIDENCE,
        results.rounding_sd(Split::Validation, 2.0),
        REPLICATES,
        rng,
    );
    let mut arms: Vec<ArmFinding> = results.arms.iter().map(|arm| describe(arm, results)).collect();
    for (place, arm) in arms.iter_mut().enumerate() {
        let candidate = candidates.iter().position(|candidate| *candidate == place);
        arm.may_be_best = candidate.map(|candidate| may[candidate]);
        arm.role = match (results.arms[place].runs.is_empty(), candidate) {
            (true, _) if arm.diverged > 0 => Role::Diverged,
            (true, _) => Role::Unfinished,
            (false, Some(_)) if best == Some(place) => Role::Best,
            (false, Some(_)) => Role::Candidate,
            (false, None) if arm.diverged > 0 => Role::Diverged,
            (false, None) => Role::Apart,
        };
        if best == Some(place) {
            arm.standing = Some(Standing::Within);
        } else if let Some(best) = best {
            // Candidates stand to the best on the seeds on which it was chosen.
            let pairs = pairs(&results.arms[place], &results.arms[best], |seed| {
                candidate.is_none() || seeds.contains(seed)
            });
            set_beside(arm, results, &pairs);
        }
    }
    correct_for_choice(&mut arms, results, &candidates, &seeds, best);
    Comparison { margin: results.margin, best, seeds, arms }
}

/// How an arm stands to the best, from runs of the same seeds.
fn set_beside(arm: &mut ArmFinding, results: &Results, pairs: &[(&RunResults, &RunResults)]) {
    arm.difference = difference(results, Split::Validation, pairs);
    arm.test_difference = difference(results, Split::Test, pairs);
    let found = arm.difference.map(|difference| difference.estimate.summary);
    arm.standing = found.map(|summary| standing(&summary, results.margin, CONFIDENCE));
    if arm.standing == Some(Standing::Open) {
        arm.seeds_needed = found.and_then(|found| {
            // An arm that is as good as the best one lies the margin away from what is tested.
            let distance = found.mean + results.margin;
            seeds_needed(&found, results.margin, distance, CONFIDENCE, POWER)
        });
    }
}

/// The arms that can be the best, and the seeds that all of them have. An arm that would leave half
/// of these seeds or fewer is none: a straggler must not decide for the others.
fn candidates(arms: &[ArmResults]) -> (Vec<usize>, Vec<u64>) {
    let fit = |place: &usize| !arms[*place].runs.is_empty() && arms[*place].diverged.is_empty();
    let mut order: Vec<usize> = (0..arms.len()).filter(fit).collect();
    order.sort_by_key(|place| std::cmp::Reverse(arms[*place].runs.len()));
    let (mut chosen, mut seeds): (Vec<usize>, Vec<u64>) = (Vec::new(), Vec::new());
    for place in order {
        let of_arm = &arms[place].runs;
        let common: Vec<u64> = match chosen.is_empty() {
            true => of_arm.keys().copied().collect(),
            false => seeds.iter().copied().filter(|seed| of_arm.contains_key(seed)).collect(),
        };
        if chosen.is_empty() || 2 * common.len() > seeds.len() {
            chosen.push(place);
            seeds = common;
        }
    }
    chosen.sort_unstable();
    (chosen, seeds)
}

fn runs_of<'r>(arm: &'r ArmResults, seeds: &[u64]) -> Vec<&'r RunResults> {
    seeds.iter().filter_map(|seed| arm.runs.get(seed)).collect()
}

fn describe(arm: &ArmResults, results: &Results) -> ArmFinding {
    let all = |of: fn(&RunResults) -> f64| -> Vec<f64> { arm.runs.values().map(of).collect() };
    let speeds: Vec<f64> = arm.runs.values().filter_map(RunResults::examples_per_second).collect();
    ArmFinding {
        name: arm.name.clone(),
        batch_size: arm.batch_size,
        learning_rate: arm.learning_rate,
        role: Role::Unfinished,
        planned: arm.planned,
        finished: arm.runs.len(),
        diverged: arm.diverged.len(),
        validation: results.accuracy_of(arm, Split::Validation),
        test: results.accuracy_of(arm, Split::Test),
        validation_iqm: None,
        test_iqm: None,
        steps: summarise(&all(|run| run.steps as f64)),
        examples: summarise(&all(|run| run.examples as f64)),
        seconds: summarise(&all(|run| run.seconds)),
        examples_per_second: summarise(&speeds),
        seconds_per_step: summarise(&all(|run| run.train_seconds / run.steps.max(1) as f64)),
        peak_memory: arm.runs.values().map(|run| run.peak_memory).max().unwrap_or(0),
        memory: summarise(&all(|run| run.peak_memory as f64)),
        difference: None,
        test_difference: None,
        standing: None,
        may_be_best: None,
        seeds_needed: None,
    }
}

/// Runs of the same seed, of the seeds that count.
fn pairs<'r>(
    a: &'r ArmResults,
    b: &'r ArmResults,
    counts: impl Fn(&u64) -> bool,
) -> Vec<(&'r RunResults, &'r RunResults)> {
    let seeds = a.runs.iter().filter(|(seed, _)| counts(seed));
    seeds.filter_map(|(seed, run)| Some((run, b.runs.get(seed)?))).collect()
}

/// The first of each pair minus the second, of those that have the split.
fn minus<'r>(split: Split, pairs: &[(&'r RunResults, &'r RunResults)]) -> Vec<[Term<'r>; 2]> {
    let both = |(a, b): &&(&RunResults, &RunResults)| {
        a.accuracy(split).is_some() && b.accuracy(split).is_some()
    };
    pairs.iter().filter(both).map(|(a, b)| [(1.0, *a), (-1.0, *b)]).collect()
}

fn difference(
    results: &Results,
    split: Split,
    pairs: &[(&RunResults, &RunResults)],
) -> Option<Difference> {
    let sums = minus(split, pairs);
    let estimate = results.estimate(split, &sums)?;
    let value = |[(_, a), (_, b)]: &[Term; 2]| Some(a.accuracy(split)? - b.accuracy(split)?);
    let values: Vec<f64> = sums.iter().filter_map(value).collect();
    Some(Difference {
        estimate,
        p: estimate.summary.p_value(0.0),
        p_holm: None,
        p_sign_flip: sign_flip_p(&values).filter(|_| values.len() > 1),
        p_equivalence: equivalence_p(&estimate.summary, results.margin),
    })
}
