//! The folder of a study: its lock, its resolved file, and which runs it already holds.

use super::plan::{Plan, Run};
use super::record::{RunFolder, Status};
use crate::error::UserError;
use crate::files;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// A study's folder, locked for this process.
#[derive(Debug)]
pub struct StudyFolder {
    path: PathBuf,
    _lock: File,
}

impl StudyFolder {
    /// Makes the folder if need be and locks it.
    pub fn open(path: &Path) -> Result<Self> {
        let place = || format!("cannot use the study folder {}", path.display());
        fs::create_dir_all(path).with_context(place)?;
        let lock = File::create(path.join(".lock")).with_context(place)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(UserError::new(
                format!("another batchscope is running the study in {}", path.display()),
                "wait until it ends, or give this one another folder with `--out`",
            )
            .into()),
            Err(TryLockError::Error(error)) => Err(error).with_context(place),
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

    pub(super) fn write_resolved(&self, plan: &Plan) -> Result<()> {
        files::write_text(&self.path.join("study.yaml"), &plan.study.to_yaml()?)
    }

    /// Runs that neither finished nor diverged, in the order of the plan.
    pub fn pending(&self, plan: &Plan) -> Result<Vec<Run>> {
        let mut pending = Vec::new();
        for run in &plan.runs {
            let status = self.run(run).record()?.map(|record| record.status);
            match status {
                Some(Status::Finished | Status::Diverged { .. }) => {
                    self.run(run).remove_checkpoint();
                }
                _ => pending.push(run.clone()),
            }
        }
        Ok(pending)
    }

    /// A run that was started under one definition never goes on under another.
    pub(super) fn refuse_other_definitions(&self, plan: &Plan) -> Result<()> {
        for run in &plan.runs {
            let Some(record) = self.run(run).record()? else { continue };
            let (old, new) = (record.definition, plan.definition(run));
            if old == new {
                continue;
            }
            let mut changes = Vec::new();
            compare("", &serde_json::to_value(old)?, &serde_json::to_value(new)?, &mut changes);
            return Err(UserError::new(
                format!(
                    "{} holds the run `{}` with another definition: {}",
                    self.path.display(),
                    run.id(),
                    changes.join("; ")
                ),
                "give the changed study another name (`--set study.name=...`) or folder (`--out`), \
                 or remove the old runs",
            )
            .into());
        }
        Ok(())
    }
}

/// Lists `key: old -> new` for every leaf that differs.
fn compare(path: &str, old: &Value, new: &Value, changes: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let added = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(added) {
                let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let (old, new) =
                    (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                compare(&at, old, new, changes);
            }
        }
        (old, new) if old != new => changes.push(format!("{path}: {old} -> {new}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_by_their_path() {
        let mut changes = Vec::new();
        let old = json!({ "arm": { "batch_size": 32, "epochs": 2 }, "seed": 0 });
        let new = json!({ "arm": { "batch_size": 64, "epochs": 2 }, "seed": 0, "more": true });
        compare("", &old, &new, &mut changes);
        assert_eq!(changes, ["arm.batch_size: 32 -> 64", "more: null -> true"]);
    }

    #[test]
    fn a_folder_serves_one_study_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = StudyFolder::open(folder.path()).unwrap();
        let error = StudyFolder::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("another batchscope is running"));
        drop(first);
        StudyFolder::open(folder.path()).unwrap();
    }
}
