//! The arms against the best of them.
//!
//! ```text
//! candidates   arms with finished runs of which none diverged
//! seeds        those that all candidates have finished
//! best         the candidate with the highest mean validation accuracy over these seeds
//! difference   arm - best, seed by seed, over the seeds that both have
//! standing     one-sided 95 % bounds of it against the margin: within, beyond, open
//! ```
//!
//! An arm of which a run diverged is compared over what is left, and is neither the best nor
//! recommended: the seeds that survived are not a fair sample of what it does.
//!
//! Accuracies are counted in steps of 1 / n for n rows. Equal differences are therefore known to a
//! step alone, and a spread below that of rounding two of them, sqrt(2 / 12) / n, is taken for it.

use super::{ArmResults, CONFIDENCE, Results, RunResults};
use crate::stats::{
    InterquartileMean, Interval, Standing, Summary, crossed_interval, detectable, equivalence_p,
    holm, possible_bests, seeds_to_settle, sign_flip_p, standing, summarise,
};
use rand::Rng;
use serde::Serialize;

/// Draws of each bootstrap.
const REPLICATES: usize = 2000;
/// Values (seeds x examples) that the resamples of one comparison may read together.
const CROSSED_READS: usize = 50_000_000;
/// The chance with which the number of seeds that is named settles a question, and with which what is
/// called detectable is found.
const POWER: f64 = 0.8;

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
    pub(super) fn of(values: &[f64], least_sd: f64) -> Option<Self> {
        let summary = summarise(values)?.with_spread_of_at_least(least_sd);
        Some(Self { summary, interval: summary.interval(CONFIDENCE) })
    }

    /// The smallest true difference that as many seeds, with this spread, tell from 0 in 80 % of
    /// studies; `None` for one seed.
    pub(super) fn detectable(&self) -> Option<f64> {
        let Summary { count, sd, .. } = self.summary;
        detectable(sd?, count, 1.0 - CONFIDENCE, POWER)
    }
}

/// An arm minus the best one, paired by seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Over the seeds that both have.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Of the t test that the two are the same, as if the best had been named beforehand.
    pub p: Option<f64>,
    /// With Holm's correction over the arms.
    pub p_holm: Option<f64>,
    /// Of the exact sign-flip test.
    pub p_sign_flip: Option<f64>,
    /// Of TOST: that they differ by the margin or more, either way.
    pub p_equivalence: Option<f64>,
    /// The 95 % interval for other seeds and other examples too; for the test split.
    pub for_other_examples: Option<Interval>,
}

/// What an arm is in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The highest mean validation accuracy.
    Best,
    /// Compared with it, and possibly recommended.
    Candidate,
    /// Compared with it, but some of its runs diverged.
    Diverged,
    /// It shares no finished seed with the best.
    Apart,
    /// None of its runs is finished.
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
    /// Over all its finished runs.
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
    /// Seconds of a training step.
    pub seconds_per_step: Option<Summary>,
    /// In bytes.
    pub peak_memory: u64,
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
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    let scores: Vec<Vec<f64>> =
        candidates.iter().map(|arm| validation_of(&results.arms[*arm], &seeds)).collect();
    let mean = |scores: &Vec<f64>| scores.iter().sum::<f64>();
    let best_place = (0..candidates.len())
        .reduce(|best, arm| if mean(&scores[arm]) > mean(&scores[best]) { arm } else { best });
    let best = best_place.map(|place| candidates[place]);
    let may = possible_bests(&scores, CONFIDENCE, results.least_sd(1), REPLICATES, rng);
    let mut arms: Vec<ArmFinding> = results.arms.iter().map(describe).collect();
    for (place, arm) in arms.iter_mut().enumerate() {
        let candidate = candidates.iter().position(|candidate| *candidate == place);
        arm.may_be_best = candidate.map(|candidate| may[candidate]);
        arm.role = match (results.arms[place].runs.is_empty(), candidate) {
            (true, _) => Role::Unfinished,
            (false, Some(_)) if best == Some(place) => Role::Best,
            (false, Some(_)) => Role::Candidate,
            (false, None) if arm.diverged > 0 => Role::Diverged,
            (false, None) => Role::Apart,
        };
        let Some(best) = best else { continue };
        if best == place {
            arm.standing = Some(Standing::Within);
            continue;
        }
        let pairs = pairs(&results.arms[place], &results.arms[best]);
        let of_validation: Vec<f64> =
            pairs.iter().map(|(a, b)| a.validation - b.validation).collect();
        let of_test: Vec<f64> = pairs.iter().filter_map(|(a, b)| Some(a.test? - b.test?)).collect();
        arm.difference = difference(&of_validation, results.least_sd(1), results.margin);
        arm.test_difference = difference(&of_test, results.least_sd(2), results.margin);
        if let Some(test) = &mut arm.test_difference {
            test.for_other_examples = other_examples(&pairs, rng);
        }
        let found = arm.difference.map(|difference| difference.estimate.summary);
        arm.standing = found.map(|summary| standing(&summary, results.margin, CONFIDENCE));
        if arm.standing == Some(Standing::Open) {
            arm.seeds_needed = found.and_then(|summary| seeds_needed(&summary, results.margin));
        }
    }
    correct_for_many(&mut arms, |arm| &mut arm.difference);
    correct_for_many(&mut arms, |arm| &mut arm.test_difference);
    Comparison { margin: results.margin, best, seeds, arms }
}

/// The arms that can be the best, and the seeds that all of them have. An arm without a seed in
/// common with those of more runs is none.
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
        if !common.is_empty() {
            chosen.push(place);
            seeds = common;
        }
    }
    chosen.sort_unstable();
    (chosen, seeds)
}

fn validation_of(arm: &ArmResults, seeds: &[u64]) -> Vec<f64> {
    seeds.iter().filter_map(|seed| arm.runs.get(seed)).map(|run| run.validation).collect()
}

fn describe(arm: &ArmResults) -> ArmFinding {
    let all = |of: fn(&RunResults) -> f64| -> Vec<f64> { arm.runs.values().map(of).collect() };
    let tests: Vec<f64> = arm.runs.values().filter_map(|run| run.test).collect();
    ArmFinding {
        name: arm.name.clone(),
        batch_size: arm.batch_size,
        learning_rate: arm.learning_rate,
        role: Role::Unfinished,
        planned: arm.planned,
        finished: arm.runs.len(),
        diverged: arm.diverged.len(),
        validation: Estimate::of(&all(|run| run.validation), 0.0),
        test: Estimate::of(&tests, 0.0),
        validation_iqm: None,
        test_iqm: None,
        steps: summarise(&all(|run| run.steps as f64)),
        examples: summarise(&all(|run| run.examples as f64)),
        seconds: summarise(&all(|run| run.seconds)),
        seconds_per_step: summarise(&all(|run| run.train_seconds / run.steps.max(1) as f64)),
        peak_memory: arm.runs.values().map(|run| run.peak_memory).max().unwrap_or(0),
        difference: None,
        test_difference: None,
        standing: None,
        may_be_best: None,
        seeds_needed: None,
    }
}

fn pairs<'r>(a: &'r ArmResults, b: &'r ArmResults) -> Vec<(&'r RunResults, &'r RunResults)> {
    a.runs.iter().filter_map(|(seed, run)| Some((run, b.runs.get(seed)?))).collect()
}

fn difference(values: &[f64], least_sd: f64, margin: f64) -> Option<Difference> {
    let estimate = Estimate::of(values, least_sd)?;
    let several = estimate.summary.count > 1;
    Some(Difference {
        estimate,
        p: estimate.summary.p_value(0.0),
        p_holm: None,
        p_sign_flip: sign_flip_p(values).filter(|_| several),
        p_equivalence: equivalence_p(&estimate.summary, margin),
        for_other_examples: None,
    })
}

/// The interval over seeds and examples of the test split, from what each run said of each row.
fn other_examples(pairs: &[(&RunResults, &RunResults)], rng: &mut impl Rng) -> Option<Interval> {
    let row = |(a, b): &(&RunResults, &RunResults)| -> Vec<i8> {
        a.correct.iter().zip(&b.correct).map(|(a, b)| i8::from(*a) - i8::from(*b)).collect()
    };
    let values: Vec<Vec<i8>> = pairs.iter().map(row).collect();
    let size = values.iter().map(Vec::len).sum::<usize>().max(1);
    let replicates = (CROSSED_READS / size).clamp(100, REPLICATES);
    crossed_interval(&values, CONFIDENCE, replicates, rng)
}

/// Enough to settle it if the arm is as good as the best one. When there are as many already, the
/// true difference seems to lie near the margin: then as many as the distance seen so far asks for.
fn seeds_needed(difference: &Summary, margin: f64) -> Option<usize> {
    let sd = difference.sd?;
    let needed = seeds_to_settle(sd, margin, CONFIDENCE, POWER)?;
    if needed > difference.count {
        return Some(needed);
    }
    let near = seeds_to_settle(sd, (difference.mean + margin).abs(), CONFIDENCE, POWER)?;
    Some(near.max(difference.count + 1))
}

fn correct_for_many(
    arms: &mut [ArmFinding],
    of: impl Fn(&mut ArmFinding) -> &mut Option<Difference>,
) {
    let mut found: Vec<&mut Difference> =
        arms.iter_mut().filter_map(|arm| of(arm).as_mut()).filter(|d| d.p.is_some()).collect();
    let p: Vec<f64> = found.iter().filter_map(|difference| difference.p).collect();
    for (difference, corrected) in found.iter_mut().zip(holm(&p)) {
        difference.p_holm = Some(corrected);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use super::*;
    use crate::stats::tests::{generator, near, normals};

    fn compared(arms: Vec<ArmResults>) -> Comparison {
        compare(&results(arms), &mut generator(1))
    }

    #[test]
    fn the_best_is_chosen_on_validation_and_the_others_stand_to_it_by_pairs() {
        let found = compared(vec![
            arm(32, &[0.80, 0.82, 0.78, 0.81, 0.79]),
            arm(64, &[0.801, 0.821, 0.780, 0.811, 0.791]),
            arm(256, &[0.77, 0.79, 0.75, 0.78, 0.762]),
        ]);
        assert_eq!((found.best, found.seeds.len()), (Some(1), 5));
        let standings: Vec<_> = found.arms.iter().map(|arm| arm.standing.unwrap()).collect();
        assert_eq!(standings, [Standing::Within, Standing::Within, Standing::Beyond]);
        assert_eq!(found.arms[0].role, Role::Candidate);
        let first = found.arms[0].difference.unwrap();
        near(first.estimate.summary.mean, -0.0008, 1e-12);
        near(first.p_sign_flip.unwrap(), 0.125, 1e-12);
        near(first.p_holm.unwrap(), first.p.unwrap(), 1e-12); // the larger of two
        assert_eq!(found.arms[2].may_be_best, Some(false));
    }

    #[test]
    fn an_open_comparison_says_how_many_seeds_would_settle_it() {
        let found = compared(vec![arm(32, &[0.80, 0.82, 0.78]), arm(64, &[0.79, 0.82, 0.785])]);
        let open = &found.arms[1];
        assert_eq!((open.standing, open.may_be_best), (Some(Standing::Open), Some(true)));
        let sd = open.difference.unwrap().estimate.summary.sd.unwrap();
        assert_eq!(open.seeds_needed, seeds_to_settle(sd, 0.005, 0.95, 0.8));
        assert!(open.seeds_needed.unwrap() > 5);
    }

    #[test]
    fn arms_are_compared_on_seeds_that_they_share() {
        let mut late = arm(64, &[0.9, 0.7, 0.8, 0.99]);
        late.runs.remove(&0);
        late.runs.remove(&3);
        let found = compared(vec![arm(32, &[0.1, 0.82, 0.78]), late.clone()]);
        assert_eq!((found.best, &found.seeds), (Some(0), &vec![1, 2]));
        assert_eq!(found.arms[1].difference.unwrap().estimate.summary.count, 2);
        late.runs.remove(&1);
        late.runs.remove(&2);
        late.runs.insert(7, super::super::tests::run(0.95));
        let apart = compared(vec![arm(32, &[0.1, 0.82, 0.78]), late]);
        assert_eq!((apart.best, apart.arms[1].role), (Some(0), Role::Apart));
        assert_eq!(apart.arms[1].difference, None);
    }

    #[test]
    fn an_arm_that_diverged_is_compared_and_never_the_best() {
        let mut wild = arm(256, &[0.95, 0.96]);
        wild.diverged = vec![2];
        let found = compared(vec![arm(32, &[0.8, 0.81, 0.8]), wild]);
        assert_eq!((found.best, found.arms[1].role), (Some(0), Role::Diverged));
        assert!(found.arms[1].difference.is_some() && found.arms[1].may_be_best.is_none());
        assert!(found.standing(Standing::Within).is_empty());
    }

    #[test]
    fn one_seed_settles_nothing_and_equal_results_are_known_to_a_row() {
        let one = compared(vec![arm(32, &[0.8]), arm(64, &[0.6])]);
        assert_eq!(one.arms[1].standing, Some(Standing::Open));
        assert_eq!(one.arms[1].difference.unwrap().estimate.interval, None);
        assert_eq!(one.arms[1].may_be_best, Some(true));
        let same = compared(vec![arm(32, &[0.8; 3]), arm(64, &[0.8; 3])]);
        assert_eq!((same.best, same.arms[1].standing), (Some(0), Some(Standing::Within)));
        let interval = same.arms[1].difference.unwrap().estimate.interval.unwrap();
        assert!(interval.high > 0.0002 && interval.high < 0.001, "{interval:?}");
        let none = compared(vec![arm(32, &[]), arm(64, &[])]);
        assert_eq!((none.best, none.arms[0].role), (None, Role::Unfinished));
    }

    /// Arms that differ in their label alone.
    #[test]
    fn equal_arms_are_rarely_told_apart_and_seldom_ruled_out() {
        let mut rng = generator(2);
        let (mut different, mut ruled_out, mut beyond) = (0, 0, 0);
        for _ in 0..300 {
            let accuracies = |rng: &mut _| normals(rng, 6, 0.8, 0.004);
            let mut study =
                results(vec![arm(32, &accuracies(&mut rng)), arm(64, &accuracies(&mut rng))]);
            study.arms[1].name = "other".into();
            let found = compare(&study, &mut rng);
            for arm in &found.arms {
                let p = arm.difference.and_then(|difference| difference.p_holm);
                different += usize::from(p.is_some_and(|p| p < 0.05));
                ruled_out += usize::from(arm.may_be_best == Some(false));
                beyond += usize::from(arm.standing == Some(Standing::Beyond));
            }
        }
        assert!((5..28).contains(&different), "{different} of 300 are about 5 %");
        assert!(ruled_out < 40 && beyond == 0, "{ruled_out}, {beyond}");
    }
}
