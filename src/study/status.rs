//! How a study stands, read from its folder alone: no worker, no libtorch, no data.

use super::additions::Additions;
use super::checked::Depth;
use super::cluster::{Crew, Member, SubmittedJob};
use super::environment::sessions;
use super::folder::{in_use, resolved, run_folders};
use super::rates::{Tuning, read_undamaged, settled};
use super::record::{Definition, Record, RunFolder, Status};
use super::run::Run;
use super::summary::{ArmSummary, summarise};
use super::time_left::{OpenRun, time_left};
use crate::config::{Arm, Study};
use crate::data;
use crate::error::UserError;
use crate::train::TrainingLength;
use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// How a study stands.
#[derive(Debug, Clone)]
pub struct StudyStatus {
    /// The resolved study of its last session, with the learning rates that were found.
    pub study: Study,
    /// Whether a batchscope is running it now.
    pub in_use: bool,
    /// One row an arm, over the runs finished so far.
    pub arms: Vec<ArmSummary>,
    /// The equal workers that it has or had.
    pub workers: Vec<Member>,
    /// Whether `batchscope stop` asked equal workers to end: those that start later end at once.
    pub is_stopped: bool,
    /// Jobs that were submitted for it.
    pub jobs: Vec<SubmittedJob>,
    /// Every run of the study, as [`Run::all`] lists them.
    pub runs: Vec<RunStatus>,
    /// The runs that find learning rates, as far as they are known to be needed.
    pub tuning_runs: Vec<RunStatus>,
    /// How the learning rates of tuned arms were found, so far.
    pub tunings: Vec<Tuning>,
    /// Runs in the folder that the study has no more: its arms or seeds were changed.
    pub others: Vec<RunStatus>,
    /// How its last session adds seeds, or added them.
    pub additions: Option<Additions>,
    /// Until its runs are over, with the equal workers that live; `None` where that is not known.
    pub seconds_left: Option<f64>,
    /// Which finished runs count although the file does not name them, and which do not.
    pub notes: Vec<String>,
}

/// How one run stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunStatus {
    /// As [`Run::id`] gives it.
    pub run: String,
    /// Where it stands.
    #[serde(flatten)]
    pub state: RunState,
    /// Epochs recorded.
    pub epochs: u64,
    /// Epochs to train, if a session has read the data yet.
    pub planned_epochs: Option<u64>,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RunState {
    /// No session has come to it.
    NotStarted,
    /// A worker is training it now.
    Running,
    /// It was begun and nobody is training it: `run` goes on with it.
    Interrupted,
    /// All epochs are done.
    Finished,
    /// The loss of this step was not finite.
    Diverged {
        /// Counted from 1.
        step: u64,
    },
    /// An error ended it.
    Failed {
        /// The reason.
        message: String,
    },
    /// A file of it is damaged or missing: it counts for nothing until it is repeated.
    Damaged {
        /// Which file, and what is wrong with it.
        message: String,
        /// How to repeat it.
        hint: String,
    },
}

impl RunState {
    fn of_damage(UserError { message, hint }: UserError) -> Self {
        Self::Damaged { message, hint: hint.unwrap_or_default() }
    }
}

impl StudyStatus {
    /// Reads the folder of a study.
    ///
    /// # Errors
    /// A [`UserError`] where it is no folder of a study. A run that is damaged, or that cannot be read, is
    /// no error: its state says so.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut study = resolved(folder)?;
        // Before the records: a study that ends meanwhile is then shown as running, not as broken
        // off.
        let crew = Crew::read(folder)?;
        let in_use = in_use(folder) || crew.is_at_work();
        // The resolved file has room for finished seeds beyond those that were asked for.
        let sessions = sessions(folder)?;
        let is_unknown = sessions.iter().any(|session| session.earlier_lost);
        let last = sessions.last().cloned();
        let asked = last.as_ref().and_then(|last| last.seeds);
        let rows = last.as_ref().and_then(|last| last.examples[0]);
        let additions = last.and_then(|last| last.until);
        study.seeds.truncate(asked.map_or(usize::MAX, |seeds| seeds as usize));
        let (tunings, tuning) = read_undamaged(&study, folder)?;
        let mut notes = study.take_finished_of(&settled(&study, &tunings).arms, folder)?;
        if is_unknown {
            notes.push(LOST.to_owned());
        }
        let study = settled(&study, &tunings);
        let all = Run::all(&study);
        let depth = if all.len() > MOST_READ_WHOLE { Depth::Logs } else { Depth::All };
        notes.extend((depth == Depth::Logs).then(|| NOT_READ.to_owned()));
        let planned: BTreeSet<String> = all.iter().map(Run::id).collect();
        let data = data::kept_hash(&folder.join("data"));
        let epochs = |arm: &Arm| rows.map(|rows| TrainingLength::new(arm, rows).epochs());
        let of_run = |run: &Run| {
            let mut stands = stands_of(run, (folder, &crew), data.as_deref(), depth)?;
            stands.planned_epochs = epochs(&run.arm);
            Ok(stands)
        };
        let of_runs = |runs: &[Run]| runs.par_iter().map(of_run).collect::<Result<Vec<_>>>();
        let (runs, tuning_runs) = (of_runs(&all)?, of_runs(&tuning)?);
        let others = other_runs(folder, &planned, &epochs, depth)?;
        let arms = arms_of(&study, &all, &runs, folder)?;
        let Crew { members: workers, is_stopped, jobs, .. } = crew;
        let each = all.iter().chain(&tuning).zip(runs.iter().chain(&tuning_runs));
        let open: Vec<OpenRun<'_>> = each.filter_map(open_run).collect();
        let seconds_left = rows.and_then(|rows| time_left(&arms, &open, &workers, rows));
        Ok(Self {
            study,
            in_use,
            workers,
            is_stopped,
            jobs,
            arms,
            runs,
            tuning_runs,
            tunings,
            others,
            additions,
            seconds_left,
            notes,
        })
    }

    /// The runs that are damaged: which, what is wrong, and how to repeat them.
    pub fn damaged(&self) -> Vec<String> {
        let said = |run: &RunStatus| match &run.state {
            RunState::Damaged { message, hint } => {
                Some(format!("{}: damaged, and left out: {message}; {hint}", run.run))
            }
            _ => None,
        };
        self.runs.iter().chain(&self.tuning_runs).filter_map(said).collect()
    }

    /// How many runs of an arm stand in a way.
    pub fn count(&self, arm: &str, stands: impl Fn(&RunState) -> bool) -> usize {
        let of_arm = |run: &&RunStatus| run.run.rsplit_once('/').is_some_and(|(a, _)| a == arm);
        self.runs.iter().filter(of_arm).filter(|run| stands(&run.state)).count()
    }
}

/// A run that is still to be trained, or to be trained on.
fn open_run<'r>((run, stands): (&'r Run, &RunStatus)) -> Option<OpenRun<'r>> {
    use RunState::{Diverged, Failed, Finished};
    if matches!(stands.state, Finished | Diverged { .. } | Failed { .. }) {
        return None;
    }
    let planned = stands.planned_epochs.unwrap_or(1).max(1);
    Some(OpenRun { run, done: stands.epochs as f64 / planned as f64 })
}

/// How a run of the study stands; the caller knows the epochs that are planned.
fn stands_of(
    run: &Run,
    (folder, crew): (&Path, &Crew),
    data: Option<&str>,
    depth: Depth,
) -> Result<RunStatus> {
    let files = RunFolder::new(&folder.join(run.id()));
    let (mut stands, record) = run_status(&files, run.id(), depth)?;
    if let RunState::NotStarted = stands.state
        && let Some((is_trained, epochs)) = crew.stands(folder, &stands.run)?
    {
        let state = if is_trained { RunState::Running } else { RunState::Interrupted };
        (stands.state, stands.epochs) = (state, epochs);
    }
    if let Some(error) = record.and_then(|of| belongs_elsewhere(&files, &of, run, data)) {
        stands.state = RunState::of_damage(error);
    }
    Ok(stands)
}

/// Runs in a folder that its study has no more.
fn other_runs(
    folder: &Path,
    planned: &BTreeSet<String>,
    epochs: &dyn Fn(&Arm) -> Option<u64>,
    depth: Depth,
) -> Result<Vec<RunStatus>> {
    let mut others = Vec::new();
    for path in run_folders(folder)? {
        let id = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let files = RunFolder::new(&path);
        if !planned.contains(&id) && files.path().join("record.json").exists() {
            let (mut stands, record) = run_status(&files, id, depth)?;
            stands.planned_epochs = record.and_then(|of| epochs(&of.definition.arm));
            others.push(stands);
        }
    }
    Ok(others)
}

/// Of more runs than this only records and logs are read: their weights may be more than a disk reads soon.
const MOST_READ_WHOLE: usize = 200;

const NOT_READ: &str = "only records and logs were read for damage, not weights and predictions, since there are over 200 runs: \
    `batchscope run` and `report` read what they use";

/// What is said of a study whose sessions are not all known.
const LOST: &str = "`environment.json` is missing or was damaged, so how often these results were looked at, \
    and what is known of their data, is lost: the bounds are those of a study that got seeds after a look. \
    Repeat the same `batchscope run`, which looks at the data again and trains nothing twice";

/// One row an arm, over the finished runs that are whole.
fn arms_of(
    study: &Study,
    all: &[Run],
    stand: &[RunStatus],
    folder: &Path,
) -> Result<Vec<ArmSummary>> {
    let is_whole = |run: &RunStatus| !matches!(run.state, RunState::Damaged { .. });
    let whole = all.iter().zip(stand).filter(|(_, stands)| is_whole(stands));
    let whole: Vec<Run> = whole.map(|(run, _)| run.clone()).collect();
    let mut arms = summarise(&study.arms, &whole, folder)?;
    for arm in &mut arms {
        arm.planned = all.iter().filter(|run| run.arm.name == arm.name).count();
    }
    Ok(arms)
}

/// How a run stands, and its record where that can be read; the caller knows the epochs that are planned.
fn run_status(files: &RunFolder, run: String, depth: Depth) -> Result<(RunStatus, Option<Record>)> {
    // The lock first: a run that ends between the two looks is then seen as it ended.
    let training = in_use(files.path());
    let status = |state, epochs| RunStatus { run, state, epochs, planned_epochs: None };
    let known = files.clone().with_record();
    let files = known.as_ref().unwrap_or(files);
    if let Some(error) = files.damage_of(depth) {
        // What is wrong with the record is told by the state.
        let record = files.record().ok().flatten();
        return Ok((status(RunState::of_damage(error), 0), record));
    }
    let record = files.record()?;
    let state = match record.as_ref().map(|record| &record.status) {
        None => RunState::NotStarted,
        Some(Status::Running) if training => RunState::Running,
        Some(Status::Running) => RunState::Interrupted,
        Some(Status::Finished) => RunState::Finished,
        Some(Status::Diverged { step }) => RunState::Diverged { step: *step },
        Some(Status::Failed { message }) => RunState::Failed { message: message.clone() },
    };
    Ok((status(state, files.epochs()?), record))
}

/// Why a finished run is not the one that its study asks for here, and what to do; `None` if it is, or if
/// it is not finished, as `run` looks before it goes on. `data` is the hash of the study's data.
fn belongs_elsewhere(
    files: &RunFolder,
    record: &Record,
    run: &Run,
    data: Option<&str>,
) -> Option<UserError> {
    let Definition { arm, seed, data: of_run, .. } = &record.definition;
    let is_same = *arm == run.arm.defining() && *seed == run.seed;
    let is_of_data = data.is_none_or(|data| data == of_run);
    if record.status != Status::Finished || (is_same && is_of_data) {
        return None;
    }
    let what = match is_same {
        true => "was trained on other data than the study keeps".to_owned(),
        false if arm.name != run.arm.name || *seed != run.seed => {
            format!("holds the run {}/seed-{seed}", arm.name)
        }
        false => "was trained with other settings than the study has".to_owned(),
    };
    let message = format!("{} {what}", files.path().display());
    Some(files.to_repeat(message))
}
