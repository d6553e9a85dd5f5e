//! `batchscope check FILE.yaml`: is it right, what would run, and what would it cost?

use super::progress::Progress;
use super::{ExperimentArgs, cache, diagnostics, format, tables};
use crate::study::{estimate, prepare};
use anyhow::Result;
use std::process::ExitCode;

pub(super) fn check(args: &ExperimentArgs) -> Result<ExitCode> {
    let study = args.study()?;
    let folder = args.folder(&study)?;
    let mut pool = args.pool()?;
    let mut progress = Progress::new();
    let plan = prepare(&study, &cache(&folder), &pool, &mut progress)?;
    progress.stage("timing a few steps of each arm");
    let estimates = estimate(&plan, &mut pool)?;
    progress.finish();
    diagnostics::print_warnings(&plan.warnings());
    let parallel = pool.parallel(&plan, plan.runs.len());
    diagnostics::answer(&format!("{}\n", tables::headline(&plan, parallel)));
    diagnostics::answer(&format!("{}\n", tables::costs(&plan, &estimates)));
    diagnostics::answer(&format!(
        "about {} in all and at most {} on disk in {}; time and memory are estimated from a few \
         steps of each arm, just now, on this machine",
        format::duration(plan.total_seconds(&estimates, parallel)),
        format::bytes(plan.disk_bytes(parallel)),
        folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}
