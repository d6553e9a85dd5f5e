//! Which arms answer the same question.
//!
//! An arm whose learning rate was tuned and one that took the file's are no pair, nor are one that
//! was given as many epochs as the others and one that was given as many steps. So arms are compared
//! within groups, one for each way to the learning rate and each budget.

use super::{ArmResults, Budget, Rate, Results};
use serde::Serialize;

/// What the arms of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Way {
    /// How they came by their learning rates.
    pub rate: Rate,
    /// What their runs have in common.
    pub budget: Budget,
}

/// Arms that are compared with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common.
    pub way: Way,
    /// Their places among all arms.
    pub places: Vec<usize>,
}

/// The groups of a study, the one first that its verdict rests on: with tuned learning rates if it
/// has them, and with the file's budget. Arms of the batch size that the twins were made to equal
/// belong to both budgets.
pub fn groups(results: &Results) -> Vec<Group> {
    let mut groups = Vec::new();
    for budget in [Budget::Epochs, Budget::Steps] {
        for rate in [Rate::Tuned, Rate::Given] {
            let places = members(results, rate, budget);
            if !places.is_empty() {
                groups.push(Group { way: Way { rate, budget }, places });
            }
        }
    }
    groups
}

fn members(results: &Results, rate: Rate, budget: Budget) -> Vec<usize> {
    let of_rate = |place: &usize| results.arms[*place].rate == rate;
    let own = |place: &usize| results.arms[*place].budget == budget;
    let all: Vec<usize> = (0..results.arms.len()).filter(of_rate).collect();
    let mut places: Vec<usize> = all.iter().copied().filter(own).collect();
    if budget == Budget::Epochs || places.is_empty() {
        return places;
    }
    // The smallest batch size makes as many steps as it does under the file's budget.
    let size = |place: &usize| results.arms[*place].batch_size;
    let smallest_twin = places.iter().map(size).min().unwrap_or(0);
    let smallest = all.iter().map(size).min().filter(|smallest| *smallest < smallest_twin);
    places.extend(all.iter().copied().filter(|place| Some(size(place)) == smallest));
    places.sort_unstable();
    places
}

/// Whether two arms have the same batch size, way to their learning rate and budget, and the same
/// settings apart from those that `may_differ` names.
pub(super) fn are_alike_but_for(
    a: &ArmResults,
    b: &ArmResults,
    may_differ: impl Fn(&str) -> bool,
) -> bool {
    let kind = |arm: &ArmResults| (arm.batch_size, arm.rate, arm.budget);
    let rest = |arm: &'_ ArmResults| -> Vec<(String, String)> {
        let kept = arm.settings.iter().filter(|(path, _)| !may_differ(path));
        kept.map(|(path, value)| (path.clone(), value.clone())).collect()
    };
    kind(a) == kind(b) && rest(a) == rest(b)
}

/// Whether the learning rates of two arms are no difference between them: equal, or tuned for each,
/// so that they follow from the rest.
pub(super) fn have_one_rate(a: &ArmResults, b: &ArmResults) -> bool {
    a.rate == Rate::Tuned || a.learning_rate.to_bits() == b.learning_rate.to_bits()
}

/// Whether a setting is as if it were not there: a constant schedule, a share or penalty of 0.
pub(super) fn is_off(value: &str) -> bool {
    value == "constant" || value.parse::<f64>().is_ok_and(|value| value.abs() <= 0.0)
}

/// Whether a key says how long runs are.
pub(super) fn is_budget(path: &str) -> bool {
    let keys = ["train.epochs", "train.steps", "train.examples", "train.steps_of"];
    keys.iter().any(|key| path.strip_prefix(key).is_some_and(|rest| !rest.starts_with('_')))
}

/// The two of these arms whose batch sizes lie the farthest apart, smaller first, of those that differ
/// in nothing else: way to the learning rate, budget, settings, and what `alike` asks for. The first
/// such pair; `None` where there is none.
pub(super) fn smallest_and_largest<'a>(
    arms: impl Iterator<Item = &'a ArmResults> + Clone,
    alike: impl Fn(&ArmResults, &ArmResults) -> bool,
) -> Option<[&'a ArmResults; 2]> {
    let alike = |a: &ArmResults, b: &ArmResults| {
        (a.rate, a.budget, &a.settings) == (b.rate, b.budget, &b.settings)
            && a.batch_size < b.batch_size
            && alike(a, b)
    };
    let alike = &alike;
    let all = arms.clone();
    let pairs = all.flat_map(|small| {
        arms.clone().filter(move |large| alike(small, large)).map(move |large| [small, large])
    });
    let ratio =
        |[small, large]: [&ArmResults; 2]| large.batch_size as f64 / small.batch_size as f64;
    pairs.reduce(|widest, pair| if ratio(pair) > ratio(widest) { pair } else { widest })
}

impl Results {
    /// The same with these arms alone.
    #[must_use]
    pub fn of(&self, places: &[usize]) -> Self {
        let arms = places.iter().map(|place| self.arms[*place].clone()).collect();
        Self { arms, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use super::*;

    #[test]
    fn a_study_without_tuning_and_twins_is_one_group() {
        let groups = groups(&results(vec![arm(32, &[0.8]), arm(64, &[0.8])]));
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].places, [0, 1]);
    }

    #[test]
    fn the_arms_that_lie_farthest_apart_differ_in_their_batch_size_alone() {
        let with = |size: usize, learning_rate: f64, dropout: &str| {
            let settings = [("model.lstm.dropout".to_owned(), dropout.to_owned())].into();
            let name = format!("{size}-{learning_rate}-{dropout}");
            ArmResults { name, learning_rate, settings, ..arm(size, &[0.8]) }
        };
        // A grid whose last arm of the largest size has another rate and dropout.
        let arms = [
            with(32, 1e-3, "0.0"),
            with(32, 3e-3, "0.2"),
            with(256, 1e-3, "0.0"),
            with(256, 3e-3, "0.2"),
            with(512, 1e-2, "0.0"),
            with(1024, 1e-3, "0.2"),
        ];
        let names = |arms: &[ArmResults]| {
            smallest_and_largest(arms.iter(), have_one_rate)
                .map(|pair| pair.map(|arm| arm.name.clone()))
        };
        assert_eq!(names(&arms), Some(["32-0.001-0.0", "256-0.001-0.0"].map(String::from)));
        assert_eq!(names(&[arms[0].clone(), arms[3].clone()]), None);
        assert_eq!(names(&[arms[0].clone(), arms[5].clone()]), None);
        assert_eq!(names(&arms[..2]), None);
    }

    #[test]
    fn tuned_arms_come_first_and_the_smallest_size_stands_beside_the_twins() {
        let with =
            |size: usize, rate, budget| ArmResults { rate, budget, ..arm(size, &[0.8, 0.9]) };
        let study = results(vec![
            with(32, Rate::Given, Budget::Epochs),
            with(256, Rate::Given, Budget::Epochs),
            with(32, Rate::Tuned, Budget::Epochs),
            with(256, Rate::Tuned, Budget::Epochs),
            with(256, Rate::Tuned, Budget::Steps),
        ]);
        let found: Vec<(Rate, Budget, Vec<usize>)> =
            groups(&study).into_iter().map(|g| (g.way.rate, g.way.budget, g.places)).collect();
        assert_eq!(
            found,
            [
                (Rate::Tuned, Budget::Epochs, vec![2, 3]),
                (Rate::Given, Budget::Epochs, vec![0, 1]),
                (Rate::Tuned, Budget::Steps, vec![2, 4]),
            ]
        );
        assert_eq!(study.of(&[2, 4]).arms.len(), 2);
    }
}
