//! Dealt out at random.
//!
//! Identical examples (for text: those with the same words) stay together, or a model would be
//! tested on what it was trained on: they form a group, and groups are dealt out. With `stratify`,
//! each label's groups are dealt out apart, so that every split has the same share of each label.

use super::Rows;
use crate::config::SplitSection;
use crate::rng::{Purpose, stream};
use rand::seq::SliceRandom;
use std::collections::BTreeMap;

/// Deals out these rows; `key` is equal exactly for identical examples, labels come with the number of
/// classes.
pub(super) fn deal<K: Ord>(
    free: &[u32],
    keys: &[K],
    labels: (&[f32], usize),
    section: &SplitSection,
) -> Rows {
    let mut rng = stream(section.seed, Purpose::Split, 0);
    let mut rows = Rows::default();
    for mut groups in strata(free, keys, labels, section.stratify) {
        groups.shuffle(&mut rng);
        let total: usize = groups.iter().map(Vec::len).sum();
        let wanted = |fraction: f64| (fraction * total as f64).round() as usize;
        let mut groups = groups.into_iter();
        for (into, fraction) in
            [(&mut rows.validation, section.validation), (&mut rows.test, section.test)]
        {
            let until = into.len() + wanted(fraction);
            while into.len() < until {
                let Some(group) = groups.next() else { break };
                into.extend(group);
            }
        }
        rows.train.extend(groups.flatten());
    }
    rows
}

/// Groups of identical examples in the order of their first row; one stratum a label, or one in
/// all. A group belongs to the label of its first row.
fn strata<K: Ord>(
    free: &[u32],
    keys: &[K],
    (labels, classes): (&[f32], usize),
    stratify: bool,
) -> Vec<Vec<Vec<u32>>> {
    let mut position: BTreeMap<&K, (usize, usize)> = BTreeMap::new();
    let mut strata: Vec<Vec<Vec<u32>>> = vec![Vec::new(); if stratify { classes } else { 1 }];
    for row in free {
        let key = &keys[*row as usize];
        let stratum = if stratify { labels[*row as usize] as usize } else { 0 };
        let fresh = (stratum, strata[stratum].len());
        let (stratum, group) = *position.entry(key).or_insert(fresh);
        if group == strata[stratum].len() {
            strata[stratum].push(Vec::new());
        }
        strata[stratum][group].push(*row);
    }
    strata
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(stratify: bool, seed: u64) -> SplitSection {
        SplitSection { validation: 0.2, test: 0.1, stratify, seed, by: None, gap: 0 }
    }

    fn split(keys: &[usize], labels: &[f32], section: &SplitSection) -> Rows {
        let free: Vec<u32> = (0..keys.len() as u32).collect();
        deal(&free, keys, (labels, 2), section)
    }

    /// 300 examples, a third positive, each text twice in a row.
    fn examples() -> (Vec<usize>, Vec<f32>) {
        let keys: Vec<usize> = (0..300).map(|row| row / 2).collect();
        let labels = keys.iter().map(|key| f32::from(u8::from(key % 3 == 0))).collect();
        (keys, labels)
    }

    #[test]
    fn every_example_is_in_one_split_and_the_sizes_are_those_asked_for() {
        let (keys, labels) = examples();
        let rows = split(&keys, &labels, &section(true, 0));
        let mut all = [rows.train.clone(), rows.validation.clone(), rows.test.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..300).collect::<Vec<u32>>());
        assert_eq!((rows.train.len(), rows.validation.len(), rows.test.len()), (210, 60, 30));
    }

    #[test]
    fn identical_examples_never_part() {
        let (keys, labels) = examples();
        for stratify in [true, false] {
            let rows = split(&keys, &labels, &section(stratify, 0));
            for part in [&rows.train, &rows.validation, &rows.test] {
                for row in part {
                    assert!(part.contains(&(row ^ 1)), "row {row} lost its twin");
                }
            }
        }
    }

    #[test]
    fn strata_keep_the_share_of_each_label() {
        let (keys, labels) = examples();
        let rows = split(&keys, &labels, &section(true, 3));
        for part in [&rows.train, &rows.validation, &rows.test] {
            let positive = part.iter().filter(|row| labels[**row as usize] > 0.5).count();
            assert_eq!(positive * 3, part.len());
        }
    }

    #[test]
    fn the_seed_of_the_split_decides_it() {
        let (keys, labels) = examples();
        let rows = |seed| split(&keys, &labels, &section(true, seed));
        assert_eq!(rows(0), rows(0));
        assert_ne!(rows(0), rows(1));
    }

    #[test]
    fn every_class_has_its_share_in_every_split() {
        let keys: Vec<usize> = (0..100).collect();
        let labels: Vec<f32> = keys.iter().map(|key| (key % 5) as f32).collect();
        let free: Vec<u32> = (0..100).collect();
        let rows = deal(&free, &keys, (&labels, 5), &section(true, 1));
        let of = |part: &[u32], class: usize| {
            part.iter().filter(|row| **row as usize % 5 == class).count()
        };
        for class in 0..5 {
            let parts = [&rows.train, &rows.validation, &rows.test].map(|part| of(part, class));
            assert_eq!(parts, [14, 4, 2]);
        }
    }
}
