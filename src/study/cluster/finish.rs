//! The end of a study that equal workers trained: what stands in its folder, and its report.

use super::attempts;
use super::site::Site;
use crate::files;
use crate::study::drive::Agenda;
use crate::study::run::Run;
use anyhow::Result;
use std::path::Path;

/// Writes down what came of a study of which nothing is left to do, and has its report drawn: one worker
/// does. Whether it is done.
pub(super) fn finish(
    site: &mut Site,
    agenda: &Agenda,
    report: &dyn Fn(&Path) -> Result<()>,
) -> Result<bool> {
    let folder = site.folder.path().to_owned();
    attempts::sweep(&site.attempts())?;
    let mark = mark(site, agenda)?;
    let reported = site.work.join("reported");
    if files::read_text(&reported).is_ok_and(|found| found == mark) {
        return Ok(true);
    }
    let name = format!("report@{mark}");
    let Some(generation) = site.free(&name)? else { return Ok(false) };
    if !site.claims.put(&name, generation)? {
        return Ok(false);
    }
    let mut plan = agenda.plan.clone();
    plan.study.take_trained(&folder)?;
    plan.runs = Run::all(&plan.study);
    site.folder.write_resolved(&plan)?;
    if !agenda.tunings.is_empty() {
        files::write_json(&folder.join("tuning.json"), &agenda.tunings)?;
    }
    if let Some(additions) = &agenda.additions {
        site.sessions.record_seeds(additions.seeds, additions)?;
    }
    if let Err(error) = report(&folder) {
        site.claims.release(&name, generation)?;
        return Err(error.context("the report could not be written; all results are saved"));
    }
    files::write_text(&reported, &mark)?;
    Ok(true)
}

/// A short name for all that a report is drawn from.
fn mark(site: &Site, agenda: &Agenda) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for run in &agenda.plan.runs {
        let files = site.folder.run(run);
        let status = files.record()?.map(|record| record.status);
        let measured = (files.sharpness()?.is_some(), files.line()?.is_some());
        hasher.update(format!("{} {status:?} {measured:?}\n", run.id()).as_bytes());
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}
