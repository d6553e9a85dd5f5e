//! Which examples train, validate and test.
//!
//! A source may bring its own splits; what it does not bring is cut from its training examples, one
//! way of [`SplitBy`] a file. The order within a split is that of the source.

mod groups;
mod ordered;
mod random;

use super::moment::Moment;
use crate::config::{SplitBy, SplitSection};
use crate::error::UserError;
use crate::kernels::Split;
use std::collections::BTreeMap;

/// Row numbers of each split, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rows {
    pub(super) train: Vec<u32>,
    pub(super) validation: Vec<u32>,
    pub(super) test: Vec<u32>,
    /// Rows of examples that come so often that all of them are trained on.
    pub(super) heavy: usize,
}

impl Rows {
    fn get_mut(&mut self, split: Split) -> &mut Vec<u32> {
        match split {
            Split::Train => &mut self.train,
            Split::Validation => &mut self.validation,
            Split::Test => &mut self.test,
        }
    }

    fn parts(&self) -> [(&'static str, &[u32]); 3] {
        [("training", &self.train), ("validation", &self.validation), ("test", &self.test)]
    }
}

/// What is known of each example beside its sequence.
#[derive(Debug, Default)]
pub(super) struct Examples {
    /// The number of each one's class, or the number that is predicted.
    pub(super) labels: Vec<f32>,
    /// How many classes there are; none where numbers are predicted.
    pub(super) classes: usize,
    /// Empty when the source names no groups; so for the times, and the splits that it brings.
    pub(super) groups: Vec<String>,
    pub(super) times: Vec<Moment>,
    /// Of windows: the times of their first row and of their target.
    pub(super) spans: Vec<[Moment; 2]>,
    pub(super) given: Vec<Split>,
    /// For each example, its line or row in the source.
    pub(super) rows: Vec<u64>,
}

/// Divides the examples. A source that brings a validation split is left as it is; `key` is equal
/// exactly for identical examples.
pub(super) fn split<K: Ord>(
    keys: &[K],
    examples: &Examples,
    section: &SplitSection,
    by: SplitBy,
) -> Result<Rows, UserError> {
    refuse_alike(keys)?;
    let mut rows = Rows::default();
    for row in 0..examples.labels.len() {
        let given = examples.given.get(row).copied().unwrap_or(Split::Train);
        rows.get_mut(given).push(row as u32);
    }
    if rows.validation.is_empty() {
        let mut section = section.clone();
        if !rows.test.is_empty() {
            section.test = 0.0;
        }
        // Numbers have no shares to keep.
        section.stratify &= examples.classes > 0;
        let free = std::mem::take(&mut rows.train);
        let labels = (&examples.labels[..], examples.classes);
        let cut = match by {
            SplitBy::Random => random::deal(&free, keys, labels, &section),
            SplitBy::Group => groups::deal(&free, &examples.groups, labels, &section)?,
            SplitBy::Time if !examples.spans.is_empty() => {
                ordered::by_span(free, &examples.spans, &section)
            }
            SplitBy::Time => {
                refuse_one_time(&examples.times)?;
                ordered::by_time(free, &examples.times, &section)
            }
            SplitBy::Order => ordered::by_order(free, &section),
        };
        rows.train = cut.train;
        rows.heavy = cut.heavy;
        rows.validation = cut.validation;
        rows.test.extend(cut.test);
        for part in [&mut rows.train, &mut rows.validation, &mut rows.test] {
            part.sort_unstable();
        }
    }
    whole_groups(&rows, &examples.groups)?;
    Ok(rows)
}

/// Of identical examples nothing is learnt, and none could be for validation: they stay together.
fn refuse_alike<K: Ord>(keys: &[K]) -> Result<(), UserError> {
    if !are_equal(keys) {
        return Ok(());
    }
    Err(UserError::new(
        format!(
            "all {} examples are the same text or the same values, so there is nothing to learn",
            keys.len()
        ),
        "is another column or array meant?",
    ))
}

fn refuse_one_time(times: &[Moment]) -> Result<(), UserError> {
    if !are_equal(times) {
        return Ok(());
    }
    Err(UserError::new(
        format!("all {} examples have the same time, so time cannot part them", times.len()),
        "name another column or array as the time, or write `data.split: { by: random }`",
    ))
}

/// Whether there are several, all equal.
fn are_equal<T: PartialEq>(all: &[T]) -> bool {
    all.len() > 1 && all.windows(2).all(|pair| pair[0] == pair[1])
}

/// Groups never cross a split, also where the source brings the splits.
fn whole_groups(rows: &Rows, groups: &[String]) -> Result<(), UserError> {
    if groups.is_empty() {
        return Ok(());
    }
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, part) in rows.parts() {
        for row in part {
            let group = &groups[*row as usize];
            let first = *seen.entry(group).or_insert(name);
            if first != name {
                return Err(UserError::new(
                    format!("the group `{group}` is in the {first} split and in the {name} split"),
                    "let the source keep each group in one split, or let `data.split` cut them",
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> SplitSection {
        SplitSection::default()
    }

    fn examples(given: &[Split]) -> Examples {
        let labels = (0..given.len()).map(|row| (row % 2) as f32).collect();
        Examples { labels, classes: 2, given: given.to_vec(), ..Examples::default() }
    }

    fn sizes(given: &[(Split, usize)]) -> [usize; 3] {
        let given: Vec<Split> =
            given.iter().flat_map(|(split, count)| vec![*split; *count]).collect();
        let keys: Vec<usize> = (0..given.len()).collect();
        let rows = split(&keys, &examples(&given), &section(), SplitBy::Random).unwrap();
        [rows.train.len(), rows.validation.len(), rows.test.len()]
    }

    #[test]
    fn a_source_with_its_own_validation_is_left_whole() {
        use Split::{Test, Train, Validation};
        assert_eq!(sizes(&[(Train, 20), (Validation, 6)]), [20, 6, 0]);
        assert_eq!(sizes(&[(Train, 20), (Validation, 6), (Test, 4)]), [20, 6, 4]);
        assert_eq!(sizes(&[(Train, 20), (Test, 4)]), [16, 4, 4]);
        assert_eq!(sizes(&[(Train, 20)]), [12, 4, 4]);
    }

    #[test]
    fn examples_that_are_all_alike_or_of_one_time_are_refused() {
        let mut of = examples(&[Split::Train; 9]);
        let said = split(&["a"; 9], &of, &section(), SplitBy::Random).unwrap_err().message;
        assert!(said.starts_with("all 9 examples are the same text or the same values"), "{said}");
        of.given.clear();
        of.times = vec![5; 9];
        let keys: Vec<usize> = (0..9).collect();
        let said = split(&keys, &of, &section(), SplitBy::Time).unwrap_err().message;
        assert!(said.starts_with("all 9 examples have the same time"), "{said}");
        of.times[8] = 6;
        assert!(split(&keys, &of, &section(), SplitBy::Time).is_ok());
    }

    #[test]
    fn a_group_that_a_source_parts_is_refused_by_name() {
        let mut examples = examples(&[Split::Train, Split::Validation, Split::Test]);
        examples.groups = vec!["ann".into(), "bob".into(), "ann".into()];
        let error = split(&[0, 1, 2], &examples, &section(), SplitBy::Group).unwrap_err();
        assert_eq!(error.message, "the group `ann` is in the training split and in the test split");
        examples.groups[2] = "cleo".into();
        assert!(split(&[0, 1, 2], &examples, &section(), SplitBy::Group).is_ok());
    }
}
