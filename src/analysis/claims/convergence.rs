//! The claim that larger batches converge in fewer updates: those of the smallest batch size to the
//! target over those of the largest, seed by seed.
//!
//! A run that was there when first measured took at most so many, one that never got there takes at
//! least as many as it made. Seeds of which that alone is known count as the bounds that they are, and
//! settle nothing where they could change the sign.

use super::cost::finished;
use super::{Because, Claim, ClaimKind, Finding, Known, Missing};
use crate::analysis::groups::{have_one_rate, smallest_and_largest};
use crate::analysis::{ArmResults, Cost, Estimate, Reach, Results, RunResults, Target, reach};
use std::collections::BTreeSet;

pub(super) fn convergence(results: &Results, target: Option<&Target>) -> Claim {
    const CLAIM: ClaimKind = ClaimKind::FewerUpdates;
    let Some(target) = target else {
        return Claim::untested(CLAIM, Missing::Curves);
    };
    let Some([small, large]) = smallest_and_largest(finished(results), have_one_rate) else {
        return Claim::untested(CLAIM, Missing::TwoSizes);
    };
    let saved = Saved::of(small, large, target);
    let Some((logarithms, known)) = saved.known() else {
        return Claim::untested(CLAIM, Missing::Passing);
    };
    let seeds = saved.seeds.len() + saved.diverged;
    let because = Because::Updates {
        target: target.clone(),
        sizes: [small.batch_size, large.batch_size],
        times: logarithms.exp(),
        known,
        inexact: seeds - saved.exact().len(),
        seeds,
    };
    let exact = Some(&logarithms).filter(|_| known == Known::Exactly);
    Claim::of_ratio(CLAIM, saved.finding(), exact, because).on([&small.name, &large.name])
}

/// How many more updates the small batch size takes than the large one, in logarithms.
struct Saved {
    /// Of each seed, at least and at most.
    seeds: Vec<[Option<f64>; 2]>,
    /// Seeds of which a run diverged: nothing is known of them.
    diverged: usize,
}

impl Saved {
    fn of(small: &ArmResults, large: &ArmResults, target: &Target) -> Self {
        let ends = |run: &RunResults| {
            let log = |cost: Cost| Some(cost.steps.max(1.0).ln());
            reach(&run.curve, target).map_or([None; 2], |reach| match reach {
                Reach::At(cost) => [log(cost), log(cost)],
                Reach::Before(cost) => [None, log(cost)],
                Reach::Never(cost) => [log(cost), None],
            })
        };
        let minus = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
        let pair = |(seed, run): (&u64, &RunResults)| {
            let ([a, b], [c, d]) = (ends(run), ends(large.runs.get(seed)?));
            Some([minus(a, d), minus(b, c)])
        };
        let diverged = small.diverged.iter().chain(&large.diverged).collect::<BTreeSet<_>>();
        Self { seeds: small.runs.iter().filter_map(pair).collect(), diverged: diverged.len() }
    }

    /// The seeds at their lower (0) or upper (1) ends; `None` where one has no such end. What holds of
    /// the mean of all lower ends holds of the true one all the more. Bounds are taken as they are: moved
    /// closer to the others they would feign a spread that is too small.
    fn all(&self, end: usize) -> Option<Estimate> {
        let ends: Option<Vec<f64>> = self.seeds.iter().map(|seed| seed[end]).collect();
        Estimate::of(&ends.filter(|_| self.diverged == 0)?, 0.0)
    }

    /// The seeds of which it is known exactly.
    fn exact(&self) -> Vec<f64> {
        self.seeds.iter().filter(|[a, b]| a == b).filter_map(|[a, _]| *a).collect()
    }

    /// Where the seeds that are known by bounds alone could not change the sign.
    fn finding(&self) -> Finding {
        let side = |end: usize| Finding::of_sign(self.all(end).and_then(|found| found.interval));
        match (side(0), side(1)) {
            (Finding::Supported, _) => Finding::Supported,
            (_, Finding::Contradicted) => Finding::Contradicted,
            _ => Finding::Inconclusive,
        }
    }

    /// What the finding rests on, and whether it is a bound.
    fn known(&self) -> Option<(Estimate, Known)> {
        let exact = self.exact();
        let bound = match self.finding() {
            _ if exact.len() == self.seeds.len() => None,
            Finding::Supported => Some((self.all(0)?, Known::AtLeast)),
            Finding::Contradicted => Some((self.all(1)?, Known::AtMost)),
            _ => None,
        };
        bound.or_else(|| Some((Estimate::of(&exact, 0.0)?, Known::Exactly)))
    }
}
