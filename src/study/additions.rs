//! How seeds are added to a study that goes on: at how many it is looked at, what is decided there, and
//! why it ends. `drive::growth` carries it out.

use crate::config::Growth;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What finished runs decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is settled which batch size to use.
    pub settled: bool,
    /// Arms that get no more seeds, since they cannot be the best.
    pub out: Vec<String>,
    /// How many seeds it takes in all, as far as that can be told.
    pub expected_seeds: Option<usize>,
}

/// Which finished runs a decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Look<'l> {
    /// Those of the first so many seeds.
    pub seeds: u64,
    /// Of all arms but these, which are out.
    pub out: &'l [String],
}

/// Decides from the records in a study's folder.
pub type Decide<'d> = &'d dyn Fn(&Path, Look<'_>) -> Result<Decision>;

/// Why no more seeds are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// It is settled which batch size to use.
    Settled,
    /// There are as many as there may be.
    MaxSeeds,
    /// The time is over.
    MaxTime,
    /// Somebody stopped it.
    Interrupted,
}

/// What was found at one number of seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The seeds of the arms that were left.
    pub seeds: u64,
    /// Whether it was settled.
    pub settled: bool,
    /// The arms that were out from then on, or before.
    pub out: Vec<String>,
    /// How many seeds it was expected to take in all.
    pub expected_seeds: Option<usize>,
}

/// How a session added seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Additions {
    /// The seeds that it was to begin with.
    pub first: u64,
    /// The most seeds that an arm may have.
    pub max_seeds: u64,
    /// How long it was to begin runs, as it was written.
    pub max_time: Option<String>,
    /// In order.
    pub looks: Vec<Looked>,
    /// Whole seeds of the arms that are left, at the end.
    pub seeds: u64,
    /// Why it ended; `None` as long as it goes on.
    pub stopped: Option<Stop>,
}

impl Additions {
    /// Of a study that begins with these seeds.
    pub(super) fn new(growth: Growth, seeds: u64) -> Self {
        Self {
            first: growth.first,
            max_seeds: growth.most,
            max_time: growth.time.map(|time| time.to_string()),
            looks: Vec::new(),
            seeds,
            stopped: None,
        }
    }
}

impl Decision {
    /// Takes note of the arms that are out after a look at these seeds, in `fewer`: they get no more.
    pub(super) fn look(&self, seeds: u64, fewer: &mut BTreeMap<String, u64>) -> Looked {
        for arm in &self.out {
            fewer.entry(arm.clone()).or_insert(seeds);
        }
        Looked {
            seeds,
            settled: self.settled,
            out: fewer.keys().cloned().collect(),
            expected_seeds: self.expected_seeds,
        }
    }
}

/// The number of seeds at which the next look is made: a fifth more, at least one, at most `most`.
///
/// From 5 on these are 5, 6, 7, 8, 9, 10, 12, 14, 16, 19, 22, 26, 31, 37, 44, ...
pub fn next_look(seeds: u64, most: u64) -> u64 {
    (seeds + (seeds / 5).max(1)).min(most)
}

/// The last look of the schedule that needs no more than these seeds, or the first.
pub(super) fn look_within(first: u64, most: u64, seeds: u64) -> u64 {
    let (mut at, most) = (first, most.min(seeds));
    while at < most && next_look(at, u64::MAX) <= most {
        at = next_look(at, u64::MAX);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_made_after_a_fifth_more_seeds_each_time_and_at_the_most_there_may_be() {
        let mut looks = vec![5];
        while *looks.last().unwrap() < 40 {
            looks.push(next_look(*looks.last().unwrap(), 40));
        }
        assert_eq!(looks, [5, 6, 7, 8, 9, 10, 12, 14, 16, 19, 22, 26, 31, 37, 40]);
        assert_eq!([next_look(1, 40), next_look(3, 3)], [2, 3]);
    }

    #[test]
    fn a_study_that_goes_on_again_begins_with_the_last_look_that_needs_nothing_more() {
        let at = |finished| look_within(5, 40, finished);
        assert_eq!([at(0), at(4), at(5), at(9), at(11), at(12), at(13)], [5, 5, 5, 9, 10, 12, 12]);
        assert_eq!(look_within(5, 40, 40), 37);
        assert_eq!(look_within(12, 12, 12), 12);
    }
}
