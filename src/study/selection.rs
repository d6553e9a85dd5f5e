//! Which runs of a plan one session trains.

use super::run::Run;
use crate::error::UserError;
use std::collections::BTreeSet;

/// What the user wants of this session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Arms and runs: `ARM`, `ARM/seed-0`, `seed-0`, or `*` for either part; all when empty.
    pub only: Vec<String>,
    /// Try failed runs again.
    pub retry_failed: bool,
}

impl Selection {
    /// Refuses a name that no run has.
    pub fn check(&self, runs: &[Run]) -> Result<(), UserError> {
        let unknown = |name: &&String| !runs.iter().any(|run| names(name, run));
        let Some(name) = self.only.iter().find(unknown) else { return Ok(()) };
        let unique = |mut names: Vec<String>| {
            let mut seen = BTreeSet::new();
            names.retain(|name| seen.insert(name.clone()));
            names.join(", ")
        };
        let arms = unique(runs.iter().map(|run| run.arm.name.clone()).collect());
        let seeds = unique(runs.iter().map(Run::seed_name).collect());
        Err(UserError::new(
            format!("`--only {name}`: the study has no such arm or run"),
            format!(
                "arms: {arms}; seeds: {seeds}. Write ARM, ARM/seed-0, or seed-0 for all arms with \
                 that seed"
            ),
        ))
    }

    /// The same for tuning runs, which names cannot select.
    pub(super) fn of_tuning(&self) -> Self {
        Self { only: Vec::new(), retry_failed: self.retry_failed }
    }

    /// Whether this session is about the run.
    pub fn covers(&self, run: &Run) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| names(name, run))
    }
}

/// Whether `name` names the run, its arm, or its seed.
fn names(name: &str, run: &Run) -> bool {
    let is = |part: &str, known: &str| part == "*" || part == known;
    match name.split_once('/') {
        Some((arm, seed)) => is(arm, &run.arm.name) && is(seed, &run.seed_name()),
        None => is(name, &run.arm.name) || name == run.seed_name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, Study};

    fn runs() -> Vec<Run> {
        let text = "study: { seeds: 2, arms: [{ name: a, batch_size: 1 }, { name: b, batch_size: 2 }] }\n\
                    data: { table: { path: t.csv } }\nmodel: { embedding: {} }\n";
        let source = Source { name: "f".into(), text: text.into(), overrides: vec![] };
        Run::all(&Study::from_source(&source, "f").unwrap())
    }

    fn selected(only: &[&str]) -> Result<Vec<String>, UserError> {
        let only = only.iter().map(|name| name.to_string()).collect();
        let selection = Selection { only, retry_failed: false };
        selection.check(&runs())?;
        Ok(runs().iter().filter(|run| selection.covers(run)).map(Run::id).collect())
    }

    #[test]
    fn runs_are_selected_by_arm_by_seed_or_by_both() {
        assert_eq!(selected(&["a"]).unwrap(), ["a/seed-0", "a/seed-1"]);
        assert_eq!(selected(&["b/seed-1"]).unwrap(), ["b/seed-1"]);
        assert_eq!(selected(&["seed-0"]).unwrap(), ["a/seed-0", "b/seed-0"]);
        assert_eq!(selected(&["*/seed-1"]).unwrap(), ["a/seed-1", "b/seed-1"]);
        assert_eq!(selected(&["a/*", "b/seed-0"]).unwrap().len(), 3);
        assert_eq!(selected(&[]).unwrap().len(), 4);
    }

    #[test]
    fn a_name_that_no_run_has_is_refused_with_those_there_are() {
        for wrong in ["c", "a/seed-2", "seed-2", "a/"] {
            let error = selected(&["a", wrong]).unwrap_err();
            assert!(error.message.contains(&format!("`--only {wrong}`")), "{error}");
            assert!(error.hint.unwrap().starts_with("arms: a, b; seeds: seed-0, seed-1"));
        }
    }
}
