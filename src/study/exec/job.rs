//! What is to be done, as the study and as a worker see it, and what ends it early.

use crate::config::ProbeSection;
use crate::kernels::Place;
use crate::study::plan::Plan;
use crate::study::protocol::{Alone, Measure, Task};
use crate::study::record::RunFolder;
use crate::study::run::{Run, Stage};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What a worker does for a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The run.
    pub run: Run,
    /// What is measured of it; it is trained when there is nothing.
    pub measurement: Option<Measure>,
}

impl Job {
    /// Training these runs.
    pub(in crate::study) fn train(runs: &[Run]) -> Vec<Self> {
        let train = |run: &Run| Self { run: run.clone(), measurement: None };
        runs.iter().map(train).collect()
    }
}

/// What ends work before all of it is done.
#[derive(Debug, Clone, Copy)]
pub struct Halt<'s> {
    /// Set when somebody wants it to stop: what is at work is saved.
    pub stop: &'s AtomicBool,
    /// From then on nothing is begun; what is at work goes on to its end.
    pub deadline: Option<Instant>,
}

impl Halt<'_> {
    /// Whether somebody wants it to stop.
    pub(in crate::study) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether the time is over.
    pub(in crate::study) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// A run of the study in a folder as a worker needs it.
pub(super) fn task(
    plan: &Plan,
    run: &Run,
    (study, folder): (&Path, &RunFolder),
    place: Place,
    alone: Option<Alone>,
) -> Result<Task> {
    let study = fs::canonicalize(study).unwrap_or_default();
    Ok(Task {
        study: study.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        definition: plan.definition(run),
        stage: run.stage,
        place,
        dataset: plan.dataset(),
        folder: folder.path().to_owned(),
        resolved: plan.study.to_yaml()?,
        metrics: run.arm.train.metrics.clone(),
        logging: plan.study.experiment.train.logging.clone(),
        probe: match run.stage {
            Stage::Tuning => ProbeSection::default(),
            Stage::Report => plan.study.experiment.study.probe.clone(),
        },
        alone,
    })
}
