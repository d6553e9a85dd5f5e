//! A job that a worker has claimed, and where it does it.

use super::attempts;
use super::scratch;
use crate::study::exec::Job;
use crate::study::protocol::Measure;
use anyhow::Result;
use std::path::PathBuf;
use std::time::Instant;

/// A job that this worker has claimed.
pub(super) struct Mine {
    pub(super) job: Job,
    pub(super) name: String,
    pub(super) generation: u32,
    /// Where it is done: the folder of the attempt, on the local disk if there is one, or of the run that is
    /// measured.
    pub(super) folder: PathBuf,
    /// The attempt's folder in the study, if it is trained on a local disk.
    pub(super) shared: Option<PathBuf>,
    /// When it was saved there.
    pub(super) saved: Instant,
}

impl Mine {
    /// Saves its checkpoint in the study, if it is trained on a local disk.
    pub(super) fn save(&mut self) -> Result<()> {
        self.saved = Instant::now();
        self.shared.as_ref().map_or(Ok(()), |shared| scratch::save(&self.folder, shared))
    }

    /// The folder, in the study, of an attempt that has ended.
    pub(super) fn whole(&self) -> Result<PathBuf> {
        match &self.shared {
            None => Ok(self.folder.clone()),
            Some(shared) => scratch::bring(&self.folder, shared),
        }
    }
}

/// The name of a job, for its claims.
pub(super) fn name(job: &Job) -> String {
    let run = attempts::name(&job.run.id());
    match &job.measurement {
        None => run,
        Some(Measure::Sharpness) => format!("{run}@sharpness"),
        Some(Measure::Line(..)) => format!("{run}@line"),
    }
}
