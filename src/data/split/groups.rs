//! Whole groups dealt out: subjects, authors, documents.
//!
//! The largest group goes first. Each goes to the split that lacks most of what the group holds:
//! with `stratify` the sum over the labels of (examples in the group) x (examples that the split
//! still lacks), else the same without regard to labels. That keeps the sizes, and the shares of
//! the labels, as near to those asked for as one pass can. Equal groups come in random order, so
//! the seed decides among them.

use super::Rows;
use crate::config::SplitSection;
use crate::error::UserError;
use crate::kernels::Split;
use crate::rng::{Purpose, stream};
use rand::seq::SliceRandom;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Deals out these rows; row r belongs to `groups[r]` and has `labels[r]`, of so many classes.
pub(super) fn deal(
    free: &[u32],
    groups: &[String],
    (labels, classes): (&[f32], usize),
    section: &SplitSection,
) -> Result<Rows, UserError> {
    let stratum = |row: u32| if section.stratify { labels[row as usize] as usize } else { 0 };
    let none = vec![0.0; if section.stratify { classes } else { 1 }];
    let mut dealt: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for row in free {
        dealt.entry(&groups[*row as usize]).or_default().push(*row);
    }
    let count = dealt.len();
    let mut whole: Vec<Vec<u32>> = dealt.into_values().collect();
    whole.shuffle(&mut stream(section.seed, Purpose::Split, 0));
    whole.sort_by_key(|rows| Reverse(rows.len()));

    let mut totals = none.clone();
    free.iter().for_each(|row| totals[stratum(*row)] += 1.0);
    let train = 1.0 - section.validation - section.test;
    let fractions = [train, section.validation, section.test];
    let mut lacking: [Vec<f64>; 3] =
        fractions.map(|fraction| totals.iter().map(|total| fraction * total).collect());
    let mut rows = Rows::default();
    for group in whole {
        let mut holds = none.clone();
        group.iter().for_each(|row| holds[stratum(*row)] += 1.0);
        let need =
            |lacks: &[f64]| holds.iter().zip(lacks).map(|(held, lack)| held * lack).sum::<f64>();
        let open = |split: &usize| fractions[*split] > 0.0;
        // Of equal needs the first split counts, which is the training split.
        let best = (0..3).filter(open).fold(0, |best, split| {
            if need(&lacking[split]) > need(&lacking[best]) + 1e-9 { split } else { best }
        });
        lacking[best].iter_mut().zip(&holds).for_each(|(lack, held)| *lack -= held);
        rows.get_mut([Split::Train, Split::Validation, Split::Test][best]).extend(group);
    }
    none_empty(&rows, fractions, count)?;
    Ok(rows)
}

fn none_empty(rows: &Rows, fractions: [f64; 3], groups: usize) -> Result<(), UserError> {
    let empty = rows.parts().into_iter().zip(fractions);
    let mut empty = empty.filter(|((_, part), fraction)| *fraction > 0.0 && part.is_empty());
    match empty.next() {
        None => Ok(()),
        Some(((name, _), fraction)) => Err(UserError::new(
            format!(
                "the {name} split is empty: {groups} groups leave none for a share of {fraction}"
            ),
            "raise its fraction in `data.split`, or use data with more groups",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(stratify: bool, seed: u64) -> SplitSection {
        SplitSection { stratify, seed, ..SplitSection::default() }
    }

    /// Rows of groups with these many negatives and positives, the groups' rows interleaved.
    fn rows_of(groups: &[(usize, usize)]) -> (Vec<String>, Vec<f32>) {
        let mut rows = Vec::new();
        for (group, (negatives, positives)) in groups.iter().enumerate() {
            rows.extend((0..*negatives).map(|at| (at, group, 0.0)));
            rows.extend((0..*positives).map(|at| (at, group, 1.0)));
        }
        rows.sort_by_key(|(at, group, _)| (*at, *group));
        rows.into_iter().map(|(_, group, label)| (format!("g{group}"), label)).unzip()
    }

    fn split(groups: &[(usize, usize)], section: &SplitSection) -> Result<Rows, UserError> {
        let (names, labels) = rows_of(groups);
        let free: Vec<u32> = (0..names.len() as u32).collect();
        let rows = deal(&free, &names, (&labels, 2), section)?;
        for name in &names {
            let parts = rows.parts();
            let holding =
                parts.iter().filter(|(_, part)| part.iter().any(|r| names[*r as usize] == *name));
            assert_eq!(holding.count(), 1, "{name} crosses a split");
        }
        Ok(rows)
    }

    #[test]
    fn a_group_never_crosses_a_split_and_equal_groups_meet_the_fractions() {
        let ten = [(3, 4); 10];
        for stratify in [true, false] {
            let rows = split(&ten, &section(stratify, 0)).unwrap();
            assert_eq!([rows.train.len(), rows.validation.len(), rows.test.len()], [42, 14, 14]);
        }
        assert_ne!(
            split(&ten, &section(true, 0)).unwrap(),
            split(&ten, &section(true, 1)).unwrap()
        );
    }

    #[test]
    fn stratified_groups_keep_both_labels_in_every_split() {
        let groups = [(9, 1), (1, 9), (8, 2), (2, 8), (10, 0), (0, 10)];
        let (_, labels) = rows_of(&groups);
        let thirds = SplitSection { validation: 0.33, test: 0.33, ..section(true, 0) };
        for seed in 0..5 {
            let rows = split(&groups, &SplitSection { seed, ..thirds.clone() }).unwrap();
            for (name, part) in rows.parts() {
                let positive = part.iter().filter(|row| labels[**row as usize] > 0.5).count();
                assert!(part.len() == 20 && (6..=14).contains(&positive), "{name}: {positive}");
            }
        }
    }

    #[test]
    fn a_huge_group_trains_and_a_split_without_a_group_is_refused() {
        let rows = split(&[(50, 50), (5, 5), (5, 5)], &section(true, 0)).unwrap();
        assert_eq!([rows.train.len(), rows.validation.len(), rows.test.len()], [100, 10, 10]);
        let error = split(&[(5, 5), (5, 5)], &section(true, 0)).unwrap_err();
        assert!(error.message.contains("split is empty: 2 groups leave none"), "{}", error.message);
    }
}
