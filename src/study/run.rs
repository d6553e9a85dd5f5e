//! One run of a study: its name, and what it is for.

use crate::config::{Arm, Study};
use serde::{Deserialize, Serialize};

/// One arm with one seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The configuration.
    pub arm: Arm,
    /// Its seed.
    pub seed: u64,
    /// What it is for.
    pub stage: Stage,
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// To be reported: it is measured on the test split.
    Report,
    /// To find the learning rate of its arm, which is the rate that is tried: it sees no test split,
    /// and leaves neither weights nor curves.
    Tuning,
}

impl Run {
    /// `<arm>/seed-<seed>`, or `tuning/<arm>/lr-<rate>/seed-<seed>`; also its folder in the study.
    pub fn id(&self) -> String {
        let (name, seed) = (&self.arm.name, self.seed_name());
        match self.stage {
            Stage::Report => format!("{name}/{seed}"),
            Stage::Tuning => format!("tuning/{name}/lr-{}/{seed}", self.arm.train.optimizer.lr()),
        }
    }

    /// `seed-<seed>`
    pub fn seed_name(&self) -> String {
        format!("seed-{}", self.seed)
    }

    /// All report runs of a study, seed by seed, so that arms can be compared before all runs are done.
    pub fn all(study: &Study) -> Vec<Self> {
        let mut runs = Vec::new();
        for seed in study.all_seeds() {
            let arms = study.arms.iter().filter(|arm| study.has_seed(&arm.name, seed)).cloned();
            runs.extend(arms.map(|arm| Self { arm, seed, stage: Stage::Report }));
        }
        runs
    }
}
