//! Many runs: what has to run, on which workers, and what stays on disk.
//!
//! [`execute`] is the whole of `batchscope run`: open the study's folder, prepare the data, plan
//! the runs, refuse a folder that holds other runs under the same names, and give what is not
//! finished to worker processes; a study that goes on adds seeds until what to use is settled. Workers
//! are this same program (`batchscope worker`), one a core or one a GPU: libtorch's global state stays
//! clean, memory is measured per run, and a worker that is killed costs what its runs did since their last
//! checkpoints. The study's own process never touches libtorch. [`StudyStatus`] reads how a study stands from
//! its folder alone.
//!
//! ```text
//! run           one run: its name, and what it is for
//! plan          the runs, and what defines each
//! selection     which of them this session is to train
//! folder        a study's folder: its lock, what is finished
//! definitions   what of it is refused: runs that are defined otherwise than in the plan
//! record        a run's folder: its files; `checked` sees their damage
//! rates         learning rates that are found first: what is tried, and what is taken
//! measure       sharpness and lines, after training
//! drive         the loop that carries a study out: what is left, as the records say, until nothing is
//! additions     when seeds are added until it is settled what to use, and why not
//! cluster       several equal workers on one study folder, in the same loop
//! exec          gives jobs to workers; `killed` says why one ended
//! protocol      what the two say to each other
//! lanes         the worker's process; `worker` what it does with an order; `recorder` writes down its run,
//!               `curves` draws it, `resume` goes on with it, `control` is what it hears, `peak_memory` what it
//!               takes
//! predictions   a run's answers on the test split
//! summary       records -> one row an arm
//! finished      finished runs that a file does not name
//! status        how a study stands, with the `time_left`; `review` warns before it begins, `estimate` tells
//!               what it costs
//! examples      what is told of the rows before it begins; `memory` refuses what cannot fit
//! packing       how many runs share a GPU
//! environment   on what it ran; `ran_on` for each run; `gpu_model` keeps a study on one model of GPU
//! trained       a finished run put to use
//! ```

mod additions;
mod checked;
mod cluster;
mod control;
mod curves;
mod definitions;
mod drive;
mod environment;
mod estimate;
mod examples;
mod exec;
mod finished;
mod folder;
mod gpu_model;
mod hyperparameters;
mod killed;
mod labels;
mod lanes;
mod measure;
mod memory;
mod packing;
mod peak_memory;
mod plan;
mod predictions;
mod protocol;
mod ran_on;
mod rates;
mod record;
mod recorder;
mod resume;
mod review;
mod run;
mod selection;
mod status;
mod summary;
mod time_left;
mod trained;
mod worker;

pub use additions::{Additions, Decide, Decision, Look, Looked, Stop, next_look};
pub use cluster::{
    Alone, Member, Scratch, Site, Standing, Stopped, SubmittedJob, Who, WorkOutcome, WorkRequest,
    forget_job, note_job, open_alone, prepare_submission, refuse_stopped, shared_study, stop, work,
};
pub use drive::WorkEnd;
pub use environment::{
    Session, host_name, put_damaged_aside, rows_left_out, session_values, sessions,
    targets_are_far, was_extended,
};
pub use estimate::{Estimate, RunCount, estimate};
pub use exec::{Halt, Job, Pool, Workers};
pub use folder::{Pending, StudyFolder};
pub use gpu_model::refuse_other_gpus;
pub use hyperparameters::trained_with;
pub use lanes::serve;
pub use plan::Plan;
pub use predictions::{TestRows, test_rows};
pub use protocol::{MachineInfo, Measure, RunEnd};
pub use rates::Tuning;
pub use record::{
    Definition, EvaluationTimingLine, HistogramLine, Record, RunFolder, RunResult, Status,
    TimingLine, wall_clock,
};
pub use run::{Run, Stage};
pub use selection::Selection;
pub use status::{RunState, RunStatus, StudyStatus};
pub use summary::{ArmSummary, Failure, FinishedRun};
pub use trained::{Answer, Measurement, Prediction, TrainedRun};

use drive::{AloneHold, drive};
use environment::Sessions;

use crate::config::{Arm, Study};
use crate::data;
use crate::spec::Task;
use crate::train::{EpochMetrics, Progress};
use anyhow::Result;
use std::path::Path;

/// What a study tells while it works. Each hook does nothing unless it is given.
pub trait Observer {
    /// A step of the preparation begins.
    fn on_stage(&mut self, _what: &str) {}
    /// The plan is made, and it is known what is left to do.
    fn on_plan(&mut self, _plan: &Plan, _pending: &Pending) {}
    /// Seeds are added, and it is known what there is to do for them.
    fn on_more(&mut self, _plan: &Plan, _pending: &Pending) {}
    /// The finished seeds were looked at.
    fn on_look(&mut self, _plan: &Plan, _looked: &Looked) {}
    /// Before the plan is carried out, learning rates are looked for: these runs are left to do of
    /// so many that are known to be needed.
    fn on_tuning(&mut self, _plan: &Plan, _pending: &[Run], _all: usize) {}
    /// A worker begins or continues a run.
    fn on_run_start(&mut self, _run: &Run) {}
    /// About ten times a second for every run that is being trained.
    fn on_progress(&mut self, _run: &Run, _progress: &Progress) {}
    /// An epoch is measured and recorded.
    fn on_epoch(&mut self, _run: &Run, _metrics: &EpochMetrics, _timing: &TimingLine) {}
    /// A run ended, one way or another.
    fn on_run_end(&mut self, _run: &Run, _end: &RunEnd) {}
    /// Training is over, and so many measurements of finished runs begin.
    fn on_measuring(&mut self, _count: usize) {}
    /// A measurement ended, one way or another.
    fn on_measured(&mut self, _job: &Job, _end: &RunEnd) {}
}

/// What came of a study.
#[derive(Debug)]
pub struct StudyOutcome {
    /// One row an arm.
    pub arms: Vec<ArmSummary>,
    /// Runs of this session's selection that did not finish: diverged or failed, now or before.
    pub failures: Vec<Failure>,
    /// Runs that were stopped on request, or never started because of it.
    pub unfinished: usize,
    /// Runs that failed before and were not tried again.
    pub not_retried: usize,
    /// How the learning rates of tuned arms were found.
    pub tunings: Vec<Tuning>,
    /// Measurements of finished runs that could not be made, and why.
    pub unmeasured: Vec<(Job, String)>,
    /// Measurements that were stopped on request, or never started because of it.
    pub measurements_left: usize,
    /// How seeds were added, if they were.
    pub additions: Option<Additions>,
}

/// What a session is to do, and who decides what.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// Which runs it is about.
    pub selection: &'r Selection,
    /// The command line, for the record.
    pub command: &'r [String],
    /// What ends it.
    pub halt: Halt<'r>,
    /// Whether more seeds are needed.
    pub decide: Decide<'r>,
}

/// Prepares the data of a study and plans its runs on the device that it asks for.
///
/// # Errors
/// As [`data::prepare`], and where the model or its data cannot fit into memory.
pub fn prepare(
    study: &Study,
    cache: &Path,
    pool: &Pool,
    observer: &mut dyn Observer,
) -> Result<Plan> {
    // Whether there is one, and its mask, are the same for all arms (`config::rules`).
    let embedding = study.arms.first().and_then(|arm| arm.model.embedding.as_ref());
    let data = &study.experiment.data;
    // So is the question, too.
    let task = study.arms.first().map_or(Task::Binary, Arm::task);
    let report = &mut |what: &str| observer.on_stage(what);
    let prepared = data::prepare(data, embedding, task, cache, report)?;
    let mut plan = plan::plan(study, prepared, pool.machine_info())?;
    let logging = &mut plan.study.experiment.train.logging;
    logging.curves = logging.curves.for_runs(plan.runs.len());
    for arm in &plan.study.arms {
        review::refuse_endless(&plan.study, arm, &plan.training_length(arm))?;
    }
    memory::refuse_too_large(&plan, pool)?;
    Ok(plan)
}

/// Runs what is not finished of a plan in its folder, which [`Alone::begin`] has looked through, and summarises all
/// of it. Learning rates that are tuned are found first. A study that goes on adds seeds, unless single runs are selected.
///
/// # Errors
/// What keeps the whole study from going on: links in the folder, damage of finished runs, a full disk. What ends one run alone is part of the outcome.
pub fn execute(
    plan: &Plan,
    folder: &StudyFolder,
    request: Request<'_>,
    pool: &mut Pool,
    observer: &mut dyn Observer,
) -> Result<StudyOutcome> {
    folder.refuse_links(plan)?;
    folder.write_resolved(plan)?;
    plan.data.keep(&folder.path().join("data"))?;
    let sessions = Sessions::begin(folder, plan, pool, request.command)?;
    let mut hold = AloneHold::new(plan, folder, request, sessions);
    drive(&mut hold, pool, observer)?;
    hold.outcome()
}
