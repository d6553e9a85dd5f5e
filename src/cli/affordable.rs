//! Whether there is time to tune learning rates.

use super::progress::Progress;
use super::{ExperimentArgs, format};
use crate::config::{Override, Study, Time};
use crate::study::{Plan, Pool, RunCount, StudyStatus, estimate};
use anyhow::Result;
use std::path::Path;

/// The study without tuning where that could take more than half of the time, or would leave too little
/// for the seeds to begin with. A study that was begun stays as it was begun.
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
            let estimates = estimate(plan, pool)?;
            let seconds = plan.tuning_seconds(&estimates, parallel);
            let report = plan.planned().into_iter().map(|of| RunCount { tuning: 0, ..of });
            let report: Vec<RunCount> = report.collect();
            let rest = plan.seconds_of(&report, &estimates, parallel, pool.start_up());
            let all = time.duration().as_secs_f64();
            if seconds <= all / 2.0 && seconds + rest <= all {
                return Ok(None);
            }
            format!(
                "learning rates are not tuned: that can take about {} of the {time} that there are; \
                 `--max-time` gives more",
                format::duration(seconds)
            )
        }
    };
    progress.line(&said);
    let given = Override::flag("quick", "study.learning_rate", "given".into());
    experiment.study_with(vec![given]).map(Some)
}
