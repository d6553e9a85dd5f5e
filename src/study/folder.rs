//! The folder of a study: its lock, its resolved file, and which runs it already holds.

use super::plan::Plan;
use super::record::{Definition, RunFolder, Status};
use super::resume::trouble;
use super::run::Run;
use super::selection::Selection;
use crate::config::{Source, Study};
use crate::error::UserError;
use crate::files::{self, Damaged};
use anyhow::{Context, Result};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// A study's folder, locked for this process.
#[derive(Debug)]
pub struct StudyFolder {
    path: PathBuf,
    _lock: File,
}

/// Folders below `tuning`: one an arm, in it one a rate, in it one a seed.
const TUNING_DEPTH: usize = 3;

/// Refuses a folder that is a link, and links in it, so far down.
fn refuse_links_in(folder: &Path, depth: usize) -> Result<()> {
    files::refuse_link(folder)?;
    let Some(deeper) = depth.checked_sub(1) else { return Ok(()) };
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    entries.flatten().try_for_each(|entry| refuse_links_in(&entry.path(), deeper))
}

impl StudyFolder {
    /// Makes the folder if need be, locks it, and removes what killed processes left half-written.
    ///
    /// # Errors
    /// A [`UserError`] where another batchscope is at work in it, and where it is no folder.
    pub fn open(path: &Path) -> Result<Self> {
        let place = || format!("cannot use the study folder {}", path.display());
        files::make_folder(path).with_context(place)?;
        let lock = files::open_lock(&path.join(".lock")).with_context(place)?;
        match try_lock(&lock) {
            Ok(()) => {
                sweep(path).with_context(place)?;
                Ok(Self { path: path.to_owned(), _lock: lock })
            }
            Err(TryLockError::WouldBlock) => Err(UserError::new(
                format!("another batchscope is running the study in {}", path.display()),
                "wait until it ends, or give this one another folder with `--out`",
            )
            .into()),
            Err(TryLockError::Error(error)) => Err(error).with_context(place),
        }
    }

    /// Makes the folder if need be, and shares its lock with other equal workers: no `batchscope run`
    /// begins in it meanwhile.
    ///
    /// # Errors
    /// A [`UserError`] where a `batchscope run` has the study for itself.
    pub(super) fn join(path: &Path) -> Result<Self> {
        let place = || format!("cannot use the study folder {}", path.display());
        files::make_folder(path).with_context(place)?;
        let lock = files::open_lock(&path.join(".lock")).with_context(place)?;
        match lock.try_lock_shared() {
            // A file system without locks: what workers write of themselves says who is there.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(held_alone(path).into()),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of one run.
    pub fn run(&self, run: &Run) -> RunFolder {
        RunFolder::new(&self.path.join(run.id()))
    }

    /// Refuses links and files in place of folders into which the study is written.
    pub(super) fn refuse_links(&self, plan: &Plan) -> Result<()> {
        for folder in ["report", "report/tables", "report/figures"] {
            // A report that cannot be written keeps no run from being trained.
            files::refuse_link(&self.path.join(folder))?;
        }
        files::refuse_no_folder(&self.path.join("data"))?;
        files::refuse_no_folder(&self.path.join("tuning"))?;
        refuse_links_in(&self.path.join("tuning"), TUNING_DEPTH)?;
        for run in &plan.runs {
            files::refuse_no_folder(&self.path.join(&run.arm.name))?;
            files::refuse_no_folder(self.run(run).path())?;
        }
        Ok(())
    }

    pub(super) fn write_resolved(&self, plan: &Plan) -> Result<()> {
        files::write_text(&self.path.join(RESOLVED), &resolved_text(&plan.study)?)
    }

    /// What is left to do of these runs of a plan in this session.
    pub(super) fn pending<'r>(
        &self,
        plan: &Plan,
        runs: impl IntoIterator<Item = &'r Run>,
        selection: &Selection,
    ) -> Result<Pending> {
        let mut pending = Pending::default();
        for run in runs {
            let record = self.run(run).record()?;
            let corrected = match &record {
                Some(record) => record.definition != plan.definition(run),
                None => false,
            };
            let status = record.map(|record| record.status);
            if matches!(status, Some(Status::Finished | Status::Diverged { .. })) {
                self.run(run).remove_checkpoint();
            }
            if status == Some(Status::Finished) {
                // Damage is told before anything is trained, also of runs that are only reported.
                self.run(run).damage().map_or(Ok(()), Err)?;
            }
            if !selection.covers(run) {
                pending.left_out += 1;
                continue;
            }
            match status {
                Some(Status::Finished) => pending.finished += 1,
                Some(Status::Diverged { .. }) => pending.diverged += 1,
                Some(Status::Failed { .. }) if !selection.retry_failed && !corrected => {
                    pending.failed += 1;
                }
                _ => {
                    let again = begin_damaged_anew(&self.run(run), &plan.definition(run))?;
                    pending.anew.extend(again.map(|why| format!("{}: {why}", run.id())));
                    pending.runs.push(run.clone());
                }
            }
        }
        Ok(pending)
    }
}

/// The runs of a plan that a session trains, and how many it does not.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    /// To be trained, in the order of the plan.
    pub runs: Vec<Run>,
    /// Finished before.
    pub finished: usize,
    /// Diverged before; they would diverge again.
    pub diverged: usize,
    /// Failed before; tried again when the user asks for it.
    pub failed: usize,
    /// The session is not about them.
    pub left_out: usize,
    /// Which of the runs begin anew, and why.
    pub anew: Vec<String>,
}

/// Takes back what is recorded of an unfinished run that cannot go on from it; says why. The results of
/// the run are the same when it begins anew.
fn begin_damaged_anew(run: &RunFolder, definition: &Definition) -> Result<Option<String>> {
    if trouble(run, definition)?.is_none() {
        return Ok(None);
    }
    // A worker of a study that was killed may have been at work meanwhile.
    let _lock = run.lock()?;
    let Some(why) = trouble(run, definition)? else { return Ok(None) };
    run.begin_anew()?;
    Ok(Some(format!("{why}: the run begins again with its first epoch")))
}

/// The resolved study, in its folder.
pub(super) const RESOLVED: &str = "study.yaml";

/// What is written there.
pub(super) fn resolved_text(study: &Study) -> Result<String> {
    Ok(files::seal_text(&study.to_yaml()?))
}

/// The study that its last session wrote down.
pub(super) fn resolved(folder: &Path) -> Result<Study> {
    let path = folder.join(RESOLVED);
    let text = files::read_text(&path).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => unusable(&path, "it is not UTF-8").into(),
        ErrorKind::NotFound | ErrorKind::NotADirectory => anyhow::Error::new(UserError::new(
            format!("{} holds no study: there is no study.yaml in it", folder.display()),
            "give the folder that `batchscope run` names at its end, such as runs/quickstart; to use \
             it elsewhere, copy the whole folder",
        )),
        _ => anyhow::Error::new(error).context(format!("cannot read {}", path.display())),
    })?;
    if files::is_whole_text(&text) == Some(false) {
        let why = "its content does not fit the checksum in its first line";
        return Err(unusable(&path, why).into());
    }
    let source = Source { name: path.display().to_string(), text, overrides: Vec::new() };
    Study::from_source(&source, "study").map_err(|error| {
        let why = format!("it cannot be read, or another version wrote it: {}", error.message);
        unusable(&path, &why).into()
    })
}

/// The error of a worker whose study a `batchscope run` has for itself.
pub(super) fn held_alone(path: &Path) -> UserError {
    UserError::new(
        format!("a `batchscope run` has the study in {} for itself", path.display()),
        "wait until it ends, or end it (Ctrl-C saves), and repeat the command: it goes on from what is saved",
    )
}

fn unusable(path: &Path, why: &str) -> UserError {
    UserError::new(
        Damaged::new(path, why).to_string(),
        "repeat the same `batchscope run` of your own file: it writes this file again, and trains \
         nothing again",
    )
}

/// Whether a process is at work in the folder of a study or of a run.
pub(super) fn in_use(folder: &Path) -> bool {
    // The lock that is taken here goes with the file at once; a folder without one is not in use.
    let Ok(lock) = files::open(&folder.join(".lock")) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Tries for a moment: `status` holds the lock of a folder while it looks whether it is held.
fn try_lock(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..10 {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(20)),
            decided => return decided,
        }
    }
    lock.try_lock()
}

/// The folders of report runs in a study's folder, whether or not they belong to its plan:
/// `ARM/seed-N`.
pub(super) fn run_folders(study: &Path) -> Result<Vec<PathBuf>> {
    let mut runs = Vec::new();
    for arm in folders_in(study)? {
        let is_run = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.strip_prefix("seed-").is_some_and(|seed| seed.parse::<u64>().is_ok())
        };
        match folders_in(&arm) {
            Ok(found) => runs.extend(found.into_iter().filter(is_run)),
            // A stranger's; the runs of the study are looked for by their names.
            Err(error) if is_forbidden(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(runs)
}

/// Those of tuning runs: `tuning/ARM/lr-RATE/seed-N`.
fn tuning_folders(study: &Path) -> Result<Vec<PathBuf>> {
    let tuning = study.join("tuning");
    if !tuning.is_dir() {
        return Ok(Vec::new());
    }
    let mut runs = Vec::new();
    for arm in folders_in(&tuning)? {
        runs.extend(run_folders(&arm)?);
    }
    Ok(runs)
}

/// Those of all runs that have their place.
pub(super) fn all_run_folders(study: &Path) -> Result<Vec<PathBuf>> {
    let mut runs = run_folders(study)?;
    runs.extend(tuning_folders(study)?);
    Ok(runs)
}

/// Those of runs that equal workers train.
pub(super) fn held_runs(study: &Path) -> Result<Vec<PathBuf>> {
    let held = study.join(".work/runs");
    if held.is_dir() { folders_in(&held) } else { Ok(Vec::new()) }
}

fn is_forbidden(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == ErrorKind::PermissionDenied)
}

fn folders_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder);
    for entry in entries.with_context(|| format!("cannot read the folder {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Removes the temporary files of processes that were killed. The study's lock is held; a worker of
/// a study that was killed may still be saving its run, and holds that run's lock.
fn sweep(study: &Path) -> Result<()> {
    for folder in ["", "data", "report", "report/tables", "report/figures"] {
        files::remove_temporary(&study.join(folder))?;
    }
    for arm in folders_in(study)? {
        files::remove_temporary(&arm)?;
    }
    for run in all_run_folders(study)? {
        if !in_use(&run) {
            files::remove_temporary(&run)?;
            for inner in folders_in(&run)? {
                files::remove_temporary(&inner)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_processes_left_half_written_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("a/seed-0");
        fs::create_dir_all(run.join("checkpoint")).unwrap();
        fs::create_dir_all(folder.path().join("report/tables")).unwrap();
        let leftovers = [".study.yaml.12.tmp", "a/seed-0/.record.json.7.tmp"];
        let of_reports =
            ["report/.index.html.8.tmp", "report/tables/.runs.csv.8.tmp", "a/.x.1.tmp"];
        fs::create_dir_all(folder.path().join("tuning/a/lr-0.1/seed-1000")).unwrap();
        let deeper = [
            "a/seed-0/checkpoint/.state.safetensors.345.tmp",
            "tuning/a/lr-0.1/seed-1000/.record.json.8.tmp",
        ];
        let kept = ["study.yaml", "a/seed-0/record.json", "notes.tmp", ".mine.tmp", "a/x.1.tmp"];
        for name in leftovers.iter().chain(&deeper).chain(&kept).chain(&of_reports) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        // A worker that is still saving its run keeps its files.
        let busy = File::create(run.join(".lock")).unwrap();
        busy.lock().unwrap();
        drop(StudyFolder::open(folder.path()).unwrap());
        let there = |name: &&str| folder.path().join(name).exists();
        assert!(!there(&leftovers[0]) && there(&leftovers[1]) && there(&deeper[0]));
        assert!(!there(&deeper[1]), "nobody uses the tuning run");
        assert!(!of_reports.iter().any(there));
        drop(busy);
        StudyFolder::open(folder.path()).unwrap();
        assert!(!leftovers.iter().chain(&deeper).any(there));
        assert!(kept.iter().all(there));
    }

    #[test]
    fn a_folder_serves_one_study_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = StudyFolder::open(folder.path()).unwrap();
        let error = StudyFolder::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("another batchscope is running"));
        assert!(in_use(folder.path()));
        drop(first);
        assert!(!in_use(folder.path()));
        StudyFolder::open(folder.path()).unwrap();
    }
}
