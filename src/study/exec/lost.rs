//! How runs and studies end whose worker is gone, or whose disk takes no more or is away.

use super::executor::WorkerExit;
use crate::error::UserError;
use crate::files;
use crate::study::folder::StudyFolder;
use crate::study::killed::{Killed, said_of};
use crate::study::plan::Plan;
use crate::study::protocol::{NoRoom, RunEnd};
use crate::study::record::{Record, RunFolder, Status};
use crate::study::run::Run;
use anyhow::Result;
use std::fs;

/// The error of a study whose disk takes no more or is away.
pub(super) fn stopped_for(why: NoRoom, folder: &StudyFolder) -> anyhow::Error {
    let NoRoom { message, hint } = why;
    let folder = folder.path().display();
    // A worker says what to do, and by that why.
    let disk = if hint == files::NoRoom::Away.hint() { "is away" } else { "takes no more" };
    UserError::new(
        format!("the study in {folder} stopped, since its disk {disk}: {message}"),
        format!("{hint}, and runs that are not finished go on from what is saved"),
    )
    .into()
}

/// How a run ended whose worker is gone. The worker may have recorded its end and died before it
/// could say so. One that was killed from outside leaves a run that is not finished, as a crash of
/// the machine does; else it is recorded here that the run failed.
pub(super) fn end_of_lost_run(
    folder: &RunFolder,
    plan: &Plan,
    run: &Run,
    exit: &WorkerExit,
    why: Option<Killed>,
) -> Result<RunEnd> {
    let message = said_of(&exit.message, why);
    match folder.record()?.map(|record| record.status) {
        Some(Status::Finished) => Ok(RunEnd::Finished),
        Some(Status::Diverged { step }) => Ok(RunEnd::Diverged { step }),
        Some(Status::Running) | None if why.is_some() => Ok(RunEnd::Failed { message }),
        _ => {
            fs::create_dir_all(folder.path())?;
            let status = Status::Failed { message: message.clone() };
            folder.write_record(&Record::new(status, plan.definition(run))?)?;
            Ok(RunEnd::Failed { message })
        }
    }
}
