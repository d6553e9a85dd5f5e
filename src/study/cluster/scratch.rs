//! A local disk, on which a worker keeps the prepared data and trains its runs, so that the network file system
//! of the study is used little.
//!
//! ```text
//! DIR/batchscope.RANDOM/     of one worker; .lock in it is held as long as it lives
//!     HASH.safetensors       the prepared data
//!     NAME.0001/             an attempt
//! ```
//!
//! Once a minute, and at a stop, the checkpoint and the logs are copied to the attempt's folder in the study. When
//! the run has ended, its folder is copied to `NAME.0001.whole` in the study, which is then published.

use super::attempts::{WHOLE, carry};
use crate::data::{self, Prepared};
use crate::error::UserError;
use crate::files;
use crate::study::record::RunFolder;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

const PREFIX: &str = "batchscope.";
const LOCK: &str = ".lock";

/// A worker's folder on a local disk; it is removed with the worker.
#[derive(Debug)]
pub struct Scratch {
    folder: tempfile::TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes a folder in this one, and removes those of workers that are dead.
    ///
    /// # Errors
    /// A [`UserError`] where nothing can be written there.
    pub fn begin(disk: &Path) -> Result<Self> {
        let begin = || -> Result<Self> {
            fs::create_dir_all(disk)?;
            sweep(disk)?;
            loop {
                let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(disk)?;
                let path = folder.path().join(LOCK);
                let lock = files::open_lock(&path)?;
                lock.lock()?;
                // Another worker may have swept it before it was locked.
                if path.exists() {
                    return Ok(Self { folder, _lock: lock });
                }
            }
        };
        begin().map_err(|error| {
            UserError::new(
                format!("cannot use {} as a local disk: {error:#}", disk.display()),
                "give another folder with `--scratch DIR`; `--scratch none` trains in the study's folder",
            )
            .into()
        })
    }

    /// The prepared data, on this disk.
    ///
    /// # Errors
    /// Where they cannot be copied, or the copy is not what was copied.
    pub fn data(&self, prepared: &Prepared) -> Result<Prepared> {
        let name = prepared.path.file_name().context("the prepared data have no name")?;
        files::replace_by_copy(&prepared.path, &self.folder.path().join(name))?;
        let found = data::find(self.folder.path(), &prepared.facts.hash)?;
        let found = found.context("the copy of the prepared data on the local disk is damaged")?;
        Ok(Prepared { repaired: prepared.repaired.clone(), ..found })
    }

    /// Where an attempt is trained whose folder in the study is this one.
    pub(super) fn attempt(&self, shared: &Path) -> PathBuf {
        self.folder.path().join(shared.file_name().unwrap_or_default())
    }
}

/// Removes the folders of workers that were killed.
fn sweep(disk: &Path) -> Result<()> {
    for name in files::listed(disk)?.iter().filter(|name| name.starts_with(PREFIX)) {
        let folder = disk.join(name);
        // One without a lock is being made, or is none of ours.
        let Ok(lock) = files::open(&folder.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            fs::remove_dir_all(&folder).ok();
        }
    }
    Ok(())
}

/// Copies the checkpoint, the logs and the curves of an attempt to its folder in the study.
pub(super) fn save(local: &Path, shared: &Path) -> Result<()> {
    let (from, to) = (RunFolder::new(local), RunFolder::new(shared));
    if !from.checkpoint().exists() {
        return Ok(());
    }
    files::make_folder(shared)?;
    files::replace_by_copy(&from.record_file(), &to.record_file())?;
    for curves in ["", "train", "validation"] {
        let (from, to) = (local.join(curves), shared.join(curves));
        let is_events = |name: &&String| name.contains(".tfevents.");
        for name in files::listed(&from)?.iter().filter(is_events) {
            files::grow_by_copy(&from.join(name), &to.join(name))?;
        }
    }
    carry(local, shared, true)
}

/// Copies an attempt that has ended into the study, to be published; gives the copy.
pub(super) fn bring(local: &Path, shared: &Path) -> Result<PathBuf> {
    let mut name = shared.file_name().unwrap_or_default().to_owned();
    name.push(WHOLE);
    let whole = shared.with_file_name(name);
    files::copy_folder(local, &whole, &|name| [LOCK, "checkpoint"].contains(&name))?;
    files::sync_file_system(&whole)?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_worker_and_those_of_dead_workers_are_removed() {
        let disk = tempfile::tempdir().unwrap();
        let names = || files::listed(disk.path()).unwrap().len();
        let dead = disk.path().join("batchscope.dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::create_dir(disk.path().join("batchscope.other")).unwrap();
        fs::create_dir(disk.path().join("mine")).unwrap();
        let one = Scratch::begin(disk.path()).unwrap();
        let two = Scratch::begin(disk.path()).unwrap();
        assert!(!dead.exists() && one.folder.path().exists() && two.folder.path().exists());
        assert_eq!(names(), 4);
        drop((one, two));
        assert_eq!(names(), 2);
    }

    #[test]
    fn a_disk_that_cannot_be_used_is_an_error_with_what_to_do() {
        let disk = tempfile::tempdir().unwrap();
        fs::write(disk.path().join("file"), "").unwrap();
        let error = Scratch::begin(&disk.path().join("file/x")).unwrap_err();
        let error = error.downcast::<UserError>().unwrap();
        assert!(error.message.contains("as a local disk"), "{error}");
        assert!(error.hint.unwrap().contains("--scratch none"));
    }

    #[test]
    fn what_is_saved_has_the_lines_before_its_checkpoint_and_a_whole_copy_no_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let [local, shared] = ["local", "runs/a@seed-0.0001"].map(|name| folder.path().join(name));
        let run = RunFolder::new(&local);
        fs::create_dir_all(local.join("checkpoint")).unwrap();
        fs::create_dir_all(local.join("train")).unwrap();
        fs::create_dir_all(folder.path().join("runs")).unwrap();
        save(&local, &shared).unwrap();
        assert!(!shared.exists(), "nothing is saved before there is a checkpoint");
        for (epochs, name) in [("1\n", "1"), ("1\n2\n", "2")] {
            fs::write(run.checkpoint(), name).unwrap();
            fs::write(run.metrics_log(), epochs).unwrap();
            fs::write(run.record_file(), "{}").unwrap();
            fs::write(local.join("train/events.out.tfevents.1"), epochs).unwrap();
            save(&local, &shared).unwrap();
            let copy = RunFolder::new(&shared);
            let read = |path: &Path| fs::read_to_string(path).unwrap();
            assert_eq!([read(&copy.checkpoint()), read(&copy.metrics_log())], [name, epochs]);
            assert_eq!(read(&shared.join("train/events.out.tfevents.1")), epochs);
        }
        let whole = bring(&local, &shared).unwrap();
        assert_eq!(whole, folder.path().join("runs/a@seed-0.0001.whole"));
        assert!(whole.join("metrics.jsonl").exists() && !whole.join("checkpoint").exists());
    }
}
