//! Everything that the results of a study say, in one place.

use super::robust::add_interquartile_means;
use super::{
    AtBest, Budget, BudgetFinding, Claim, Comparison, Confounder, Decomposition, Factor, Front,
    Group, NoiseFinding, Outcome, Rate, RateFinding, Results, SharpnessFinding, TargetFinding,
    Tuning, Verdict, at_best, audit, budgets, claims, compare, decompose, default_target, factors,
    fronts, groups, rates, verdict,
};
use rand::Rng;
use serde::Serialize;

/// Arms that are compared with each other, and how they compare.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupFinding {
    /// How they came by their learning rates.
    pub rate: Rate,
    /// What their runs have in common.
    pub budget: Budget,
    /// In a few words.
    pub title: &'static str,
    /// Against the best of them.
    pub comparison: Comparison,
    /// What it takes them to reach a target; `None` without a candidate.
    pub target: Option<TargetFinding>,
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
    /// Where the gap between two batch sizes comes from, in sentences.
    pub gap: Vec<String>,
    /// What was found beside the comparison, in sentences.
    pub besides: Vec<String>,
    /// How the arms on which the verdict rests came by their rates and what they have in common.
    pub group: &'static str,
    /// The arms on which the verdict rests, against the best of them.
    pub comparison: Comparison,
    /// What it takes them to reach a target; `None` without a candidate.
    pub target: Option<TargetFinding>,
    /// The other groups of arms.
    pub others: Vec<GroupFinding>,
    /// The gap between two batch sizes, taken apart.
    pub decomposition: Option<Decomposition>,
    /// Why it could not be, where the study asks for it.
    pub no_decomposition: Option<String>,
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
    /// Those of them that no other beats in both accuracy and cost.
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
    /// All groups of arms, the one on which the verdict rests first: title, comparison, target.
    pub fn groups(
        &self,
    ) -> impl Iterator<Item = (&'static str, &Comparison, Option<&TargetFinding>)> {
        let others = self.others.iter();
        let others = others.map(|of| (of.title, &of.comparison, of.target.as_ref()));
        [(self.group, &self.comparison, self.target.as_ref())].into_iter().chain(others)
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
    let verdict = verdict(&of_main, &main, &audit);
    let gap = match &taken_apart {
        None => Vec::new(),
        Some(Ok(found)) => super::decomposition::sentences(found, results.margin),
        Some(Err(reason)) => vec![format!("The gap cannot be taken apart: {reason}.")],
    };
    let mut more = Vec::new();
    let (decomposition, no_decomposition) = match taken_apart {
        None => (None, None),
        Some(Ok(found)) => (Some(found), None),
        Some(Err(reason)) => (None, Some(reason)),
    };
    if verdict.outcome != Outcome::TooFewSeeds {
        more = besides(results, &main, rates.as_ref(), &budgets, at_best.as_ref());
    }
    let trade_off = main.target.as_ref().and_then(|target| target.trade_off.as_ref());
    let noise = super::noise(results, &of_main, trade_off.map(|found| found.critical));
    more.extend(noise.iter().flat_map(NoiseFinding::sentences));
    more.extend(sharpness.iter().flat_map(SharpnessFinding::sentences));
    let target = main.target.as_ref().map(|of| &of.target);
    let claims = claims(results, &of_main, target, decomposition.as_ref(), sharpness.as_ref());
    let factors = factors(&of_main);
    let GroupFinding { title: group, mut comparison, target, .. } = main;
    let others_too = others.iter_mut().map(|group| &mut group.comparison);
    for comparison in [&mut comparison].into_iter().chain(others_too) {
        add_interquartile_means(comparison, results, rng);
    }
    Findings {
        verdict,
        gap,
        besides: more,
        group,
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

/// None where runs end at a target: they have no budget in common, and their accuracies differ by no
/// more than how far the last steps overshoot.
fn views(of_main: &Results, main: &GroupFinding) -> Views {
    if of_main.declared_target.is_some() {
        return Views::default();
    }
    let compared = main.compared(of_main);
    Views {
        budgets: budgets(&compared),
        at_best: at_best(&compared),
        fronts: fronts(&main.comparison, main.target.as_ref()),
    }
}

/// What the verdict adds to the comparison.
fn besides(
    results: &Results,
    main: &GroupFinding,
    rates: Option<&RateFinding>,
    budgets: &[BudgetFinding],
    at_best: Option<&AtBest>,
) -> Vec<String> {
    let curve = main.target.as_ref().and_then(|target| target.trade_off.as_ref());
    let curve = curve.filter(|curve| curve.straddled && results.declared_target.is_none());
    let critical = curve.map(super::words::critical_batch);
    let scaling = rates.and_then(|rates| rates.scaling.as_ref()).map(rates::sentence);
    let budgets = budgets::sentences(budgets, results.margin);
    let at_best = at_best.and_then(at_best::sentence);
    critical.into_iter().chain(scaling).chain(budgets).chain(at_best).collect()
}

/// The results are those of the group's arms alone.
fn of_group(results: &Results, group: &Group, rng: &mut impl Rng) -> GroupFinding {
    let comparison = compare(results);
    let declared = results.declared_target.clone();
    let wanted = declared.or_else(|| default_target(results, &comparison));
    let wanted = wanted.filter(|_| comparison.best.is_some());
    let target = wanted.map(|wanted| super::target(results, &comparison, wanted, rng));
    let (rate, budget, title) = (group.rate, group.budget, group.title());
    GroupFinding { rate, budget, title, comparison, target }
}

/// That of a study without arms.
const NO_GROUP: Group = Group { rate: Rate::Given, budget: Budget::Epochs, places: Vec::new() };

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use super::*;
    use crate::analysis::{ArmFacts, ArmResults, Target};
    use crate::stats::tests::generator;

    #[test]
    fn the_verdict_rests_on_tuned_arms_and_the_others_are_told_beside_it() {
        let tuned = |size: usize, accuracies: &[f64]| ArmResults {
            name: format!("tuned-{size}"),
            rate: Rate::Tuned,
            facts: ArmFacts::default(),
            ..arm(size, accuracies)
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
        assert!(found.audit.iter().any(|c| c.said.contains("tuned for each arm")));
    }

    #[test]
    fn a_study_whose_runs_end_at_a_target_is_not_judged_by_accuracies() {
        let arms = vec![arm(32, &[0.80, 0.83, 0.78]), arm(256, &[0.79, 0.80, 0.82])];
        let open = analyse(&results(arms.clone()), &mut generator(1)).verdict;
        assert_eq!(open.outcome, Outcome::Undecided);
        let study = Results { declared_target: Some(Target::accuracy(0.75)), ..results(arms) };
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
