//! Whether there is time to tune learning rates.

use super::progress::Progress;
use super::{ExperimentArgs, format};
use crate::config::{Override, Study, Time};
use crate::study::{Plan, Pool, StudyStatus, estimate};
use anyhow::Result;
use std::path::Path;

/// The study without tuning where that would take more than half of the time. A study that was begun
/// stays as it was begun.
pub(super) fn without_tuning(
    experiment: &ExperimentArgs,
    plan: &Plan,
    (folder, time): (&Path, Time),
    pool: &mut Pool,
    progress: &mut Progress,
) -> Result<Option<Study>> {
    if plan.study.tuned.is_empty() {
        return Ok(None);
    }
    let before = StudyStatus::read(folder).ok().map(|status| !status.study.tuned.is_empty());
    let said = match before {
        Some(true) => return Ok(None),
        Some(false) => "learning rates are not tuned, as before in this study".to_owned(),
        None => {
            progress.stage("timing a few steps of each arm");
            let parallel = pool.parallel(plan, plan.runs.len());
            let seconds = plan.tuning_seconds(&estimate(plan, pool)?, parallel);
            if seconds <= time.duration().as_secs_f64() / 2.0 {
                return Ok(None);
            }
            format!(
                "learning rates are not tuned: that would take about {} of the {time} that there are; \
                 `--max-time` gives more",
                format::duration(seconds)
            )
        }
    };
    progress.line(&said);
    let given = Override::flag("quick", "study.learning_rate", "given".into());
    experiment.study_with(vec![given]).map(Some)
}
