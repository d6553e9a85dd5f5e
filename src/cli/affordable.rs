//! Whether there is time to tune learning rates, and that the file of `quick` says so.

use super::progress::Progress;
use super::{ExperimentArgs, format, init};
use crate::config::{Override, Study, Time};
use crate::files;
use crate::study::{Plan, Pool, RunCount, StudyStatus, estimate};
use anyhow::Result;
use std::path::Path;

/// What a `quick` study has beyond a `run`.
#[derive(Clone, Copy)]
pub(super) struct Quick<'q> {
    /// For all of it.
    pub(super) time: Time,
    /// The text of the experiment file, where this command wrote it.
    pub(super) draft: Option<&'q str>,
}

impl Quick<'_> {
    /// Shows the file that was written, once it is known whether there is time to tune learning rates: the
    /// file says what is done. One that was there before is left as it is.
    pub(super) fn settle(self, file: &Path, is_tuned: bool, say: &dyn Fn(&str)) -> Result<()> {
        let name = file.display();
        match self.draft {
            Some(yaml) if is_tuned => say(&format!("{name}:\n\n{yaml}")),
            Some(yaml) => {
                let text = init::untuned(yaml);
                files::write_text(file, &text)?;
                say(&format!("{name}:\n\n{text}"));
            }
            None if is_tuned => {}
            None => say(&format!(
                "{name} asks for tuned rates and is left as it is: `batchscope run` needs \
                 `--set study.learning_rate=given` to go on with this study"
            )),
        }
        Ok(())
    }
}

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
