//! Which arms answer the same question.
//!
//! An arm whose learning rate was tuned and one that took the file's are no pair, nor are one that
//! was given as many epochs as the others and one that was given as many steps. So arms are compared
//! within groups, one for each way to the learning rate and each budget.

use super::{ArmResults, Budget, Rate, Results};
use serde::Serialize;

/// Arms that are compared with each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// How they came by their learning rates.
    pub rate: Rate,
    /// What their runs have in common.
    pub budget: Budget,
    /// Their places among all arms.
    pub places: Vec<usize>,
}

impl Group {
    /// Its question in a few words: `tuned learning rates, equal epochs`.
    pub fn title(&self) -> &'static str {
        match (self.rate, self.budget) {
            (Rate::Given, Budget::Epochs) => "the file's learning rates, the file's budget",
            (Rate::Given, Budget::Steps) => "the file's learning rates, equal steps",
            (Rate::Tuned, Budget::Epochs) => "tuned learning rates, the file's budget",
            (Rate::Tuned, Budget::Steps) => "tuned learning rates, equal steps",
        }
    }
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
                groups.push(Group { rate, budget, places });
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

/// The arms of the smallest and of the largest batch size among these; `None` where all have one. Of
/// several with the smallest the first is taken, of several with the largest the last.
pub(super) fn ends<'a>(
    arms: impl Iterator<Item = &'a ArmResults> + Clone,
) -> Option<[&'a ArmResults; 2]> {
    let small = arms.clone().min_by_key(|arm| arm.batch_size)?;
    let large = arms.max_by_key(|arm| arm.batch_size)?;
    (small.batch_size < large.batch_size).then_some([small, large])
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
            groups(&study).into_iter().map(|g| (g.rate, g.budget, g.places)).collect();
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
