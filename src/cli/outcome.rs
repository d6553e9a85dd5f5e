//! What `run` and `work` both say of runs that did not finish.

use crate::study::{Failure, Job, RunEnd, RunState, Tuning};
use serde::Serialize;

/// A run that did not finish, as documents have it.
#[derive(Serialize)]
pub(super) struct Failed {
    run: String,
    #[serde(flatten)]
    state: RunState,
}

/// Runs that did not finish, as documents have them.
pub(super) fn failed(failures: &[Failure]) -> Vec<Failed> {
    let failed = failures.iter().filter_map(|(run, end)| {
        let state = match end.clone() {
            RunEnd::Diverged { step } => RunState::Diverged { step },
            RunEnd::Failed { message } => RunState::Failed { message },
            RunEnd::Finished | RunEnd::Stopped => return None,
        };
        Some(Failed { run: run.id(), state })
    });
    failed.collect()
}

/// How many runs and measurements failed, and arms of which no learning rate trains.
pub(super) fn failed_jobs(
    failures: &[Failure],
    unmeasured: &[(Job, String)],
    tunings: &[Tuning],
) -> usize {
    let all_diverged = tunings.iter().filter(|tuning| tuning.all_diverged()).count();
    failures.len() + unmeasured.len() + all_diverged
}
