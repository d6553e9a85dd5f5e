//! Many runs: what has to run, on which workers, and what stays on disk.
//!
//! [`execute`] is the whole of `batchscope run`: open the study's folder, prepare the data, plan
//! the runs, refuse a folder that holds other runs under the same names, and give what is not
//! finished to worker processes. Workers are this same program (`batchscope worker`), one a core or
//! one a GPU: libtorch's global state stays clean, memory is measured per run, and a worker that is
//! killed costs one run. The study's own process never touches libtorch.

mod environment;
mod estimate;
mod folder;
mod member;
mod plan;
mod pool;
mod protocol;
mod record;
mod recorder;
mod summary;
mod worker;

pub use estimate::{Estimate, estimate};
pub use folder::StudyFolder;
pub use plan::{Plan, Run};
pub use pool::{Pool, Workers};
pub use protocol::{Hello, RunEnd, TimingLine};
pub use record::{Definition, Record, RunFolder, Status, wall_clock};
pub use summary::{ArmSummary, Failure};
pub use worker::serve;

use summary::{failures, summarise};

use crate::config::Study;
use crate::data;
use crate::train::{EpochMetrics, Progress};
use anyhow::Result;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What a study tells while it works. Each hook does nothing unless it is given.
pub trait Observer {
    /// A step of the preparation begins.
    fn on_stage(&mut self, _what: &str) {}
    /// The plan is made; `pending` of its runs are not finished yet.
    fn on_plan(&mut self, _plan: &Plan, _pending: &[Run]) {}
    /// A worker begins or continues a run.
    fn on_run_start(&mut self, _run: &Run) {}
    /// About ten times a second for every run that is being trained.
    fn on_progress(&mut self, _run: &Run, _progress: &Progress) {}
    /// An epoch is measured and recorded.
    fn on_epoch(&mut self, _run: &Run, _metrics: &EpochMetrics, _timing: &TimingLine) {}
    /// A run ended, one way or another.
    fn on_run_end(&mut self, _run: &Run, _end: &RunEnd) {}
}

/// What came of a study.
#[derive(Debug)]
pub struct StudyOutcome {
    /// One row an arm.
    pub arms: Vec<ArmSummary>,
    /// Runs that did not finish: diverged or failed, with the reason.
    pub failures: Vec<Failure>,
    /// Runs that were stopped on request, or never started because of it.
    pub unfinished: usize,
}

/// Prepares the data of a study and plans its runs on the device that it asks for.
pub fn prepare(
    study: &Study,
    cache: &Path,
    pool: &Pool,
    observer: &mut dyn Observer,
) -> Result<Plan> {
    let embedding = study.experiment.model.embedding.as_ref();
    let data = &study.experiment.data;
    let prepared = data::prepare(data, embedding, cache, &mut |what| observer.on_stage(what))?;
    plan::plan(study, prepared, pool)
}

/// Runs what is not finished of a plan in its folder, and summarises all of it.
pub fn execute(
    plan: &Plan,
    folder: &StudyFolder,
    pool: &mut Pool,
    command: &[String],
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<StudyOutcome> {
    folder.refuse_other_definitions(plan)?;
    folder.write_resolved(plan)?;
    plan.data.keep(&folder.path().join("data"))?;
    environment::write(folder, plan, command)?;
    let pending = folder.pending(plan)?;
    observer.on_plan(plan, &pending);
    let ends = pool.run_all(plan, folder, &pending, stop, observer)?;
    let unfinished = ends.iter().filter(|end| matches!(end, None | Some(RunEnd::Stopped))).count();
    let arms = summarise(plan, folder)?;
    let failures = failures(plan, folder, pending.iter().zip(&ends))?;
    Ok(StudyOutcome { arms, failures, unfinished })
}
