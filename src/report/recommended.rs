//! The run that stands for a study: what `evaluate`, `predict` and `export` take of its folder.

use super::answer::reservation;
use super::words::Scale;
use super::{findings, gather};
use crate::study::StudyStatus;
use anyhow::Result;
use std::path::Path;

/// The run that stands for a study.
#[derive(Debug, Clone)]
pub struct RecommendedRun {
    /// The arm to use.
    pub arm: String,
    /// Whether that is settled.
    pub settled: bool,
    /// What keeps it from being relied on, as the label of the answer says it.
    pub reservation: Option<&'static str>,
    /// Its finished runs.
    pub seeds: usize,
    /// The one with the best validation score; of equals the first.
    pub seed: u64,
    /// That score, turned so that more is better.
    pub validation: f64,
    /// How scores are told.
    pub scale: Scale,
    /// Damaged runs of the study, which are left out.
    pub damaged: Vec<String>,
}

/// The best run by validation of the arm that a study recommends; `None` where it recommends none.
pub fn recommended_run(folder: &Path) -> Result<Option<RecommendedRun>> {
    let status = StudyStatus::read(folder)?;
    let results = gather::results(folder, &status)?;
    let findings = findings(&results);
    let best = findings.recommended().and_then(|arm| {
        let arm = findings.results(&results, arm);
        let runs = arm.runs.iter().rev();
        let (seed, run) = runs.max_by(|a, b| a.1.validation.total_cmp(&b.1.validation))?;
        Some(RecommendedRun {
            arm: arm.name.clone(),
            settled: findings.verdict.settled,
            reservation: reservation(&findings),
            seeds: arm.runs.len(),
            seed: *seed,
            validation: run.validation,
            scale: (&results).into(),
            damaged: status.damaged(),
        })
    });
    Ok(best)
}
