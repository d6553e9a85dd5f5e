//! Which seeds the arms of a study have.
//!
//! All arms have the seeds 0, 1, 2, ... up to `study.seeds`, unless an arm says that it has fewer
//! (`arms[].seeds`: it was left out of a study that went on). Seeds beyond that count where they are
//! finished. The resolved file names what came of all this, so that it gives the same runs again.

use super::{Arm, FIRST_TUNING_SEED, Growth, Study, rules};
use std::collections::{BTreeMap, BTreeSet};

impl Study {
    /// How many seeds an arm is given: those of the study, or its own fewer ones.
    pub fn given_seeds(&self, arm: &str) -> u64 {
        let all = self.seeds.len() as u64;
        self.fewer.get(arm).map_or(all, |own| all.min(*own))
    }

    /// The seeds of an arm, in ascending order.
    pub fn seeds_of(&self, arm: &str) -> impl Iterator<Item = u64> {
        let given = self.given_seeds(arm);
        let beyond = self.beyond.get(arm).into_iter().flatten().copied();
        (0..given).chain(beyond.filter(move |seed| *seed >= given))
    }

    /// Whether an arm is run with a seed.
    pub fn has_seed(&self, arm: &str, seed: u64) -> bool {
        let is_beyond = || self.beyond.get(arm).is_some_and(|seeds| seeds.contains(&seed));
        seed < self.given_seeds(arm) || is_beyond()
    }

    /// The number of seeds that a file like this one may ask for at most.
    pub fn most_seeds(&self) -> u64 {
        match self.tuned.is_empty() {
            true => u64::from(rules::MOST_SEEDS),
            false => FIRST_TUNING_SEED,
        }
    }

    /// The seeds of all arms, in ascending order.
    pub fn all_seeds(&self) -> Vec<u64> {
        let all: BTreeSet<u64> =
            self.arms.iter().flat_map(|arm| self.seeds_of(&arm.name)).collect();
        all.into_iter().collect()
    }

    /// Lets seeds of arms count beyond those that they are given.
    pub fn add_seeds(&mut self, beyond: BTreeMap<String, BTreeSet<u64>>) {
        for (arm, seeds) in beyond {
            self.beyond.entry(arm).or_default().extend(seeds);
        }
        self.pin();
    }

    /// Gives every arm so many seeds, and those named here no more than this.
    pub fn grow(&mut self, seeds: u64, fewer: &BTreeMap<String, u64>) {
        self.seeds = (0..seeds).collect();
        self.fewer.extend(fewer.iter().map(|(arm, seeds)| (arm.clone(), *seeds)));
        self.pin();
    }

    /// Has a study that was read from the resolved file of one that went on begin as that one did.
    pub fn begin_again(&mut self, growth: Growth) {
        self.seeds = (0..growth.first).collect();
        self.fewer.clear();
        self.growth = Some(growth);
        let study = &mut self.experiment.study;
        let narrow = |seeds: u64| u32::try_from(seeds).unwrap_or(u32::MAX);
        study.seeds = narrow(growth.first);
        (study.max_seeds, study.max_time) = (Some(narrow(growth.most)), growth.time);
        study.arms.iter_mut().flatten().for_each(|arm| arm.seeds = None);
    }

    /// Has the resolved file name the seeds that there are, of each arm up to its last one. A study
    /// that goes on does not go on from there.
    fn pin(&mut self) {
        let last = |arm: &Arm| self.seeds_of(&arm.name).last().map_or(0, |seed| seed + 1);
        let counts: Vec<u32> =
            self.arms.iter().map(|arm| u32::try_from(last(arm)).unwrap_or(u32::MAX)).collect();
        let most = counts.iter().copied().max().unwrap_or(0);
        let study = &mut self.experiment.study;
        study.seeds = most.max(1);
        if study.until.is_some() {
            (study.max_seeds, study.max_time) = (Some(study.seeds), None);
        }
        for (arm, count) in study.arms.iter_mut().flatten().zip(counts) {
            arm.seeds = (count < most).then_some(count.max(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn study(section: &str) -> Study {
        let text = format!("study: {section}\ndata: {{ arrays: {{ path: a.npz }} }}\n");
        Study::from_source(&Source { name: "f".into(), text, overrides: vec![] }, "f").unwrap()
    }

    fn counts(study: &Study) -> Vec<usize> {
        study.arms.iter().map(|arm| study.seeds_of(&arm.name).count()).collect()
    }

    #[test]
    fn the_resolved_file_of_a_study_that_went_on_names_the_seeds_of_each_arm_and_stops_there() {
        let text = "{ until: settled, max_time: 10m, grid: { batch_size: [8, 16, 32] } }";
        let mut study = study(text);
        let growth = Growth { first: 5, most: 40, time: Some("10m".parse().unwrap()) };
        assert_eq!((study.growth, counts(&study)), (Some(growth), vec![5, 5, 5]));
        study.grow(12, &BTreeMap::from([("batch-32".to_owned(), 7)]));
        assert_eq!(counts(&study), [12, 12, 7]);
        let yaml = study.to_yaml().unwrap();
        let source = Source { name: "f".into(), text: yaml.clone(), overrides: vec![] };
        let again = Study::from_source(&source, "f").unwrap();
        assert_eq!(counts(&again), [12, 12, 7]);
        let pinned = Growth { first: 12, most: 12, time: None };
        assert_eq!(again.growth, Some(pinned), "{yaml}");
        assert_eq!(again.to_yaml().unwrap(), yaml);
        let mut first = again.clone();
        first.begin_again(growth);
        assert_eq!((first.growth, counts(&first)), (Some(growth), vec![5, 5, 5]));
        let text = first.to_yaml().unwrap();
        let source = Source { name: "f".into(), text: text.clone(), overrides: vec![] };
        let read = Study::from_source(&source, "f").unwrap();
        assert_eq!((read.growth, counts(&read)), (Some(growth), vec![5, 5, 5]));
        assert_eq!(read.to_yaml().unwrap(), text);
    }

    #[test]
    fn seeds_that_are_finished_beyond_an_arms_own_are_named_for_that_arm() {
        let mut study = study("{ seeds: 2, grid: { batch_size: [8, 16] } }");
        study.add_seeds(BTreeMap::from([("batch-16".to_owned(), BTreeSet::from([2, 3]))]));
        assert_eq!(counts(&study), [2, 4]);
        assert_eq!(study.all_seeds(), [0, 1, 2, 3]);
        let sections = study.experiment.study.arms.as_ref().unwrap();
        assert_eq!(study.experiment.study.seeds, 4);
        assert_eq!(sections.iter().map(|arm| arm.seeds).collect::<Vec<_>>(), [Some(2), None]);
    }
}
