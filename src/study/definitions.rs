//! Runs that a study's folder holds under other definitions than the plan has. They are refused before
//! anything is written or trained, also where the plan has yet to find its learning rates.

use super::folder::{StudyFolder, resolved};
use super::plan::Plan;
use super::rates::{Tuning, read_all};
use super::record::{Definition, RunFolder, Status};
use super::run::Run;
use crate::error::UserError;
use anyhow::Result;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What equal workers have begun, by the names of the runs.
pub(super) type Attempts = BTreeMap<String, Vec<PathBuf>>;

/// Refuses a folder that holds runs of the plan under other definitions: finished runs, begun ones, those that
/// seeds may be added to, and what equal workers have begun. It only reads.
///
/// # Errors
/// A [`UserError`] with the first such run and what differs; one where the rates of finished runs were given
/// and are to be found now.
pub(super) fn refuse_other_definitions(
    plan: &Plan,
    folder: &StudyFolder,
    attempts: &Attempts,
) -> Result<()> {
    let (tunings, trials) = read_all(&plan.study, folder.path())?;
    let held = Held { folder, attempts, is_lenient: false };
    held.refuse_others(plan, &trials)?;
    let settled = plan.settled(&tunings);
    held.refuse_all(&settled, &settled.runs, &tunings)?;
    let Some(most) = plan.at_most().map(|most| most.settled(&tunings)) else { return Ok(()) };
    let more = most.runs.iter().filter(|run| !settled.study.has_seed(&run.arm.name, run.seed));
    // Damage of seeds that may never be needed is told when they are.
    Held { is_lenient: true, ..held }.refuse_all(&most, more, &tunings)
}

/// What is there of a study.
struct Held<'f> {
    folder: &'f StudyFolder,
    attempts: &'f Attempts,
    /// Whether what cannot be read is passed over.
    is_lenient: bool,
}

impl Held<'_> {
    /// How a run is defined that was begun here.
    fn definitions(&self, run: &Run) -> Result<Vec<Definition>> {
        let attempts = self.attempts.get(&run.id()).into_iter().flatten();
        let attempts = attempts.map(|path| begun(&RunFolder::new(path)).ok().flatten());
        let place = match begun(&self.folder.run(run)) {
            Err(_) if self.is_lenient => None,
            place => place?,
        };
        Ok(attempts.chain([place]).flatten().collect())
    }

    fn refuse_all<'r>(
        &self,
        plan: &Plan,
        runs: impl IntoIterator<Item = &'r Run>,
        tunings: &[Tuning],
    ) -> Result<()> {
        let is_open =
            |run: &&Run| tunings.iter().any(|t| t.arm == run.arm.name && t.chosen.is_none());
        let (open, known): (Vec<&Run>, Vec<&Run>) = runs.into_iter().partition(is_open);
        self.refuse_others(plan, known)?;
        self.refuse_given(plan, &open)
    }

    fn refuse_others<'r>(
        &self,
        plan: &Plan,
        runs: impl IntoIterator<Item = &'r Run>,
    ) -> Result<()> {
        for run in runs {
            for found in self.definitions(run)? {
                refuse_other(self.folder, run, found, plan.definition(run))?;
            }
        }
        Ok(())
    }

    /// The same for runs whose learning rates are not known yet: a rate that was found before is found again,
    /// one that was given is not.
    fn refuse_given(&self, plan: &Plan, runs: &[&Run]) -> Result<()> {
        let before = resolved(self.folder.path()).ok();
        for run in runs {
            let arm = &run.arm.name;
            let was_tuned = match &before {
                Some(study) => study.tuned.contains(arm),
                None => self.folder.path().join("tuning").join(arm).exists(),
            };
            for found in self.definitions(run)? {
                let lr = found.arm.train.optimizer.lr();
                let like = Run { arm: run.arm.with_rate(lr), ..(*run).clone() };
                refuse_other(self.folder, run, found, plan.definition(&like))?;
                if !was_tuned {
                    return Err(given(self.folder, run, lr).into());
                }
            }
        }
        Ok(())
    }
}

/// The definition of a run, if it was begun. One that failed before anything was kept of it has nothing to go
/// on from: it is run as it is defined now.
fn begun(files: &RunFolder) -> Result<Option<Definition>> {
    let Some(record) = files.record()? else { return Ok(None) };
    let is_failed = matches!(record.status, Status::Failed { .. });
    let never_began = is_failed && files.epochs()? == 0 && !files.checkpoint().exists();
    Ok((!never_began).then_some(record.definition))
}

/// A run that was started under one definition never goes on under another.
fn refuse_other(
    folder: &StudyFolder,
    run: &Run,
    found: Definition,
    planned: Definition,
) -> Result<()> {
    if found == planned {
        return Ok(());
    }
    let mut changes = Vec::new();
    compare("", &serde_json::to_value(found)?, &serde_json::to_value(planned)?, &mut changes);
    Err(UserError::new(
        format!(
            "{} holds the run `{}` trained with other settings: {}",
            folder.path().display(),
            run.id(),
            changes.join("; ")
        ),
        "give the changed study another name (`--set study.name=...`) or folder (`--out`), \
         or remove the old runs",
    )
    .into())
}

fn given(folder: &StudyFolder, run: &Run, lr: f64) -> UserError {
    UserError::new(
        format!(
            "{} holds the run `{}` with the learning rate {lr}, which was given, and now the rates are to be \
             tuned (`learning_rate: tuned`)",
            folder.path().display(),
            run.id(),
        ),
        "`--set study.learning_rate=given` goes on with these runs; to tune the rates, give the study another \
         name (`--set study.name=...`) or folder (`--out`)",
    )
}

impl StudyFolder {
    /// Refuses runs that lie in their places under other definitions.
    pub(super) fn refuse_other_definitions<'r>(
        &self,
        plan: &Plan,
        runs: impl IntoIterator<Item = &'r Run>,
    ) -> Result<()> {
        Held { folder: self, attempts: &Attempts::new(), is_lenient: false }
            .refuse_others(plan, runs)
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
        (Value::String(old), Value::String(new)) if path == "data" && old != new => {
            let why = "the data file or a key under `data` has changed";
            changes.push(format!("{why} (hash of the examples: {old} -> {new})"));
        }
        (old, new) if path == "arithmetic" && old != new => {
            let version = |of: &Value| of.as_u64().unwrap_or(1);
            let (old, new) = (version(old), version(new));
            let why = "this version of batchscope rounds its sums in another order";
            changes.push(format!("{why} (arithmetic: {old} -> {new})"));
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
        changes.clear();
        compare("", &json!({ "data": "4d5b" }), &json!({ "data": "2563" }), &mut changes);
        let told =
            "the data file or a key under `data` has changed (hash of the examples: 4d5b -> 2563)";
        assert_eq!(changes, [told]);
        changes.clear();
        compare("", &json!({}), &json!({ "arithmetic": 2 }), &mut changes);
        let told =
            "this version of batchscope rounds its sums in another order (arithmetic: 1 -> 2)";
        assert_eq!(changes, [told]);
    }
}
