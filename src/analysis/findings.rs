//! Everything that the results of a study say, in one place.

use super::robust::add_interquartile_means;
use super::{
    ArmFinding, ArmResults, AtBest, Budget, BudgetFinding, Claim, Comparison, Confounder,
    Decomposition, Factor, Front, Group, NoDecomposition, NoiseFinding, Outcome, Rate, RateFinding,
    Results, Role, SharpnessFinding, TargetFinding, Tuning, Verdict, Way, at_best, audit, budgets,
    claims, compare, decompose, default_target, factors, fronts, groups, rates, verdict,
};
use rand::Rng;
use serde::Serialize;

/// Arms that are compared with each other, and how they compare.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupFinding {
    /// What they have in common.
    #[serde(flatten)]
    pub way: Way,
    /// Their places among all arms.
    #[serde(skip)]
    pub places: Vec<usize>,
    /// Against the best of them, in the order of their places.
    pub comparison: Comparison,
    /// What it takes them to reach a target; `None` without a candidate.
    pub target: Option<TargetFinding>,
}

/// A group of arms as [`Findings::groups`] tells it.
#[derive(Debug, Clone, Copy)]
pub struct GroupView<'f> {
    /// What they have in common.
    pub way: Way,
    /// Their places among all arms.
    pub places: &'f [usize],
    /// Against the best of them, in the order of their places.
    pub comparison: &'f Comparison,
    /// What it takes them to reach a target; `None` without a candidate.
    pub target: Option<&'f TargetFinding>,
}

impl GroupFinding {
    /// The arms of the group that were compared.
    fn compared(&self, of_group: &Results) -> Results {
        let arms = &self.comparison.arms;
        let places: Vec<usize> = (0..arms.len()).filter(|place| arms[*place].competes()).collect();
        of_group.of(&places)
    }
}

/// What a study shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// What to use, and how sure that is.
    pub verdict: Verdict,
    /// What the arms on which the verdict rests have in common.
    pub group: Way,
    /// Their places among all arms.
    #[serde(skip)]
    pub places: Vec<usize>,
    /// The arms on which the verdict rests, against the best of them.
    pub comparison: Comparison,
    /// What it takes them to reach a target; `None` without a candidate.
    pub target: Option<TargetFinding>,
    /// The other groups of arms.
    pub others: Vec<GroupFinding>,
    /// The gap between two batch sizes, taken apart.
    pub decomposition: Option<Decomposition>,
    /// Why it could not be, where the study asks for it.
    pub no_decomposition: Option<NoDecomposition>,
    /// How tuned learning rates were found.
    pub tunings: Vec<Tuning>,
    /// Which learning rate suits which batch size; `None` where no batch size had several.
    pub rates: Option<RateFinding>,
    /// The arms on which the verdict rests, with equal passes, updates and seconds.
    pub budgets: Vec<BudgetFinding>,
    /// The same arms, each run where it was best; `None` where all are best at their ends.
    pub at_best: Option<AtBest>,
    /// What else was varied between them.
    pub factors: Vec<Factor>,
    /// Those of them that no other beats in both score and cost.
    pub fronts: Vec<Front>,
    /// How noisy gradients are, if that was measured.
    pub noise: Option<NoiseFinding>,
    /// How sharp minima are, if that was measured.
    pub sharpness: Option<SharpnessFinding>,
    /// What else than the batch size can be behind a difference.
    pub audit: Vec<Confounder>,
    /// What is commonly claimed, against this study.
    pub claims: Vec<Claim>,
}

impl Findings {
    /// The arm to use.
    pub fn recommended(&self) -> Option<&ArmFinding> {
        self.comparison.arms.get(self.verdict.place?)
    }

    /// What it takes to reach the target at which all runs end, if they do.
    pub fn to_target(&self) -> Option<&TargetFinding> {
        self.target.as_ref().filter(|_| self.verdict.outcome == Outcome::ToTarget)
    }

    /// The results of an arm on which the verdict rests.
    pub fn results<'r>(&self, all: &'r Results, arm: &ArmFinding) -> &'r ArmResults {
        &all.arms[self.places[arm.place]]
    }

    /// All groups of arms, the one on which the verdict rests first.
    pub fn groups(&self) -> impl Iterator<Item = GroupView<'_>> {
        let main = GroupView {
            way: self.group,
            places: &self.places,
            comparison: &self.comparison,
            target: self.target.as_ref(),
        };
        let others = self.others.iter().map(|of| GroupView {
            way: of.way,
            places: &of.places,
            comparison: &of.comparison,
            target: of.target.as_ref(),
        });
        [main].into_iter().chain(others)
    }
}

/// Analyses the results of a study.
pub fn analyse(results: &Results, rng: &mut impl Rng) -> Findings {
    let mut groups = groups(results).into_iter();
    let first = groups.next().unwrap_or(NO_GROUP);
    let of_main = results.of(&first.places);
    // Before what depends on times: from the same generator it then gets the same resamples.
    let sharpness = super::sharpness(results, &of_main, rng);
    let main = of_group(&of_main, &first, rng);
    let mut others: Vec<GroupFinding> =
        groups.map(|group| of_group(&results.of(&group.places), &group, rng)).collect();
    let taken_apart = decompose(results);
    let audit = audit(&of_main, &main.comparison);
    let rates = rates(results, rng);
    let Views { budgets, at_best, fronts } = views(&of_main, &main);
    let verdict = verdict(&of_main, &main.comparison, main.target.as_ref(), &audit);
    let (decomposition, no_decomposition) = match taken_apart {
        None => (None, None),
        Some(Ok(found)) => (Some(found), None),
        Some(Err(reason)) => (None, Some(reason)),
    };
    let trade_off = main.target.as_ref().and_then(|target| target.trade_off.as_ref());
    let noise = super::noise(results, &of_main, trade_off.map(|found| found.critical));
    let target = main.target.as_ref().map(|of| &of.target);
    let claims = claims(results, &of_main, target, decomposition.as_ref(), sharpness.as_ref());
    let factors = factors(&of_main);
    let GroupFinding { way: group, places, mut comparison, target } = main;
    let others_too = others.iter_mut().map(|group| (&mut group.comparison, &group.places));
    for (comparison, places) in [(&mut comparison, &places)].into_iter().chain(others_too) {
        add_interquartile_means(comparison, places, results, rng);
    }
    Findings {
        verdict,
        group,
        places,
        comparison,
        target,
        others,
        decomposition,
        no_decomposition,
        tunings: results.tunings.clone(),
        rates,
        budgets,
        at_best,
        factors,
        fronts,
        noise,
        sharpness,
        audit,
        claims,
    }
}

/// The arms on which the verdict rests, looked at in other ways.
#[derive(Default)]
struct Views {
    budgets: Vec<BudgetFinding>,
    at_best: Option<AtBest>,
    fronts: Vec<Front>,
}

/// None where runs end at a target: they have no budget in common, and their scores differ by no
/// more than how far the last steps overshoot.
fn views(of_main: &Results, main: &GroupFinding) -> Views {
    // Nor where arms that are out were given fewer seeds: who is ahead would be told without them.
    let has_fewer = |arm: &ArmFinding| arm.role == Role::Apart && arm.finished > 0;
    if of_main.declared_target.is_some() || main.comparison.arms.iter().any(has_fewer) {
        return Views::default();
    }
    let compared = main.compared(of_main);
    Views {
        budgets: budgets(&compared),
        at_best: at_best(&compared),
        fronts: fronts(&main.comparison, main.target.as_ref()),
    }
}

/// The results are those of the group's arms alone.
fn of_group(results: &Results, group: &Group, rng: &mut impl Rng) -> GroupFinding {
    let comparison = compare(results);
    let declared = results.declared_target.clone();
    let wanted = declared.or_else(|| default_target(results, &comparison));
    let wanted = wanted.filter(|_| comparison.best.is_some());
    let target = wanted.map(|wanted| super::target(results, &comparison, wanted, rng));
    GroupFinding { way: group.way, places: group.places.clone(), comparison, target }
}

/// That of a study without arms.
const NO_GROUP: Group =
    Group { way: Way { rate: Rate::Given, budget: Budget::Epochs }, places: Vec::new() };

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use super::*;
    use crate::analysis::{ArmFacts, ArmResults, Outcome, Target};
    use crate::stats::tests::generator;

    #[test]
    fn the_verdict_rests_on_tuned_arms_and_the_others_are_told_beside_it() {
        let tuned = |size: usize, scores: &[f64]| ArmResults {
            name: format!("tuned-{size}"),
            rate: Rate::Tuned,
            facts: ArmFacts::default(),
            ..arm(size, scores)
        };
        let study = results(vec![
            arm(32, &[0.80, 0.81, 0.80]),
            arm(256, &[0.70, 0.71, 0.70]),
            tuned(32, &[0.82, 0.83, 0.82]),
            tuned(256, &[0.82, 0.83, 0.82]),
        ]);
        let found = analyse(&study, &mut generator(1));
        let names: Vec<&str> = found.comparison.arms.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(names, ["tuned-32", "tuned-256"]);
        assert_eq!(found.others.len(), 1);
        assert_eq!(found.others[0].comparison.arms[1].name, "batch-256");
        assert_eq!((&found.places[..], &found.others[0].places[..]), (&[2, 3][..], &[0, 1][..]));
        let is_tuned = |found: &Confounder| matches!(found, Confounder::TunedRates { .. });
        assert!(found.audit.iter().any(is_tuned), "{:?}", found.audit);
    }

    #[test]
    fn a_study_whose_runs_end_at_a_target_is_not_judged_by_scores() {
        let arms = vec![arm(32, &[0.80, 0.83, 0.78]), arm(256, &[0.79, 0.80, 0.82])];
        let open = analyse(&results(arms.clone()), &mut generator(1)).verdict;
        assert_eq!(open.outcome, Outcome::Undecided);
        let study = Results { declared_target: Some(Target::of_accuracy(0.75)), ..results(arms) };
        let found = analyse(&study, &mut generator(1));
        assert_eq!((found.verdict.outcome, found.verdict.more), (Outcome::ToTarget, None));
        assert!(found.budgets.is_empty() && found.fronts.is_empty());
    }

    #[test]
    fn a_study_without_arms_says_nothing_and_does_not_fail() {
        let found = analyse(&results(Vec::new()), &mut generator(1));
        assert!(found.comparison.best.is_none());
    }
}
