//! The run that stands for a study: the best one by validation of the arm that its report recommends.

use super::diagnostics::{Output, print_warnings};
use super::format::counted;
use crate::error::UserError;
use crate::report;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The folder of a run; of a study's folder, that of the run that stands for it, which is told.
pub(super) fn run_of(folder: &Path, output: Output) -> Result<PathBuf> {
    let is_study = folder.join("study.yaml").is_file() && !folder.join("record.json").exists();
    if !is_study {
        return Ok(folder.to_owned());
    }
    let Some(found) = report::recommended_run(folder)? else {
        return Err(UserError::new(
            format!("{}: no batch size is recommended yet", folder.display()),
            format!(
                "`batchscope report {0}` says why; or name one run, such as {0}/ARM/seed-0",
                folder.display()
            ),
        )
        .into());
    };
    print_warnings(&found.damaged);
    let how = match (found.reservation, found.settled) {
        (Some(why), _) => format!("recommended, but {why}"),
        (None, true) => "recommended".into(),
        (None, false) => "provisionally recommended, not decided".into(),
    };
    output.note(&format!(
        "{}/seed-{}: the best of its {} by {}, {}, which flatters it; {how}",
        found.arm,
        found.seed,
        counted(found.seeds, "seed"),
        found.scale.on("validation"),
        found.scale.value(found.validation)
    ));
    Ok(folder.join(&found.arm).join(format!("seed-{}", found.seed)))
}
