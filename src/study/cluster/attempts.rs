//! Attempts: each claim of a run trains in a folder of its own, `runs/NAME.0003`, laid out as that of a run.

use super::claims::publish;
use crate::files::{self, listed, patiently};
use crate::study::definitions::Attempts;
use crate::study::record::{Definition, Record, RunFolder, Status};
use crate::study::resume::trouble;
use crate::train::load_checkpoint;
use anyhow::Result;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// After so many attempts that failed with an error a run is failed.
pub(super) const MOST_FAILURES: usize = 3;

/// Ends the name of a copy of an attempt that has ended, until it is published: no generation has such a name,
/// so nobody goes on from one that was broken off.
pub(super) const WHOLE: &str = ".whole";

/// The name of a run as one file name; no arm's name has this sign.
pub(super) fn name(run: &str) -> String {
    run.replace('/', "@")
}

/// The folder of an attempt.
pub(super) fn folder(attempts: &Path, name: &str, generation: u32) -> PathBuf {
    attempts.join(format!("{name}.{generation:04}"))
}

/// The attempts at a run that there are, by their generations.
pub(super) fn of_run(attempts: &Path, name: &str) -> Result<Vec<(u32, PathBuf)>> {
    let all = listed(attempts)?;
    let generation = |found: &String| -> Option<u32> {
        let (of, generation) = found.rsplit_once('.')?;
        (of == name).then(|| generation.parse().ok())?
    };
    Ok(all.iter().filter_map(|of| Some((generation(of)?, attempts.join(of)))).collect())
}

/// All attempts in this folder, by the names of their runs.
pub(super) fn all(attempts: &Path) -> Result<Attempts> {
    let mut all = Attempts::new();
    for found in listed(attempts)? {
        let Some((name, generation)) = found.rsplit_once('.') else { continue };
        if generation.parse::<u32>().is_ok() {
            all.entry(name.replace('@', "/")).or_default().push(attempts.join(&found));
        }
    }
    Ok(all)
}

/// How many attempts at a run failed with an error.
pub(super) fn failures(attempts: &Path, name: &str) -> Result<usize> {
    let failed = |path: &PathBuf| {
        let record = RunFolder::new(path).record().ok().flatten();
        record.is_some_and(|record| matches!(record.status, Status::Failed { .. }))
    };
    Ok(of_run(attempts, name)?.iter().filter(|(_, path)| failed(path)).count())
}

/// Removes all attempts at a run that has its result. A worker that was thought dead may write there: what
/// it meets then is an error of its own attempt, whose result nobody needs.
pub(super) fn remove(attempts: &Path, name: &str) -> Result<()> {
    let of_run = |found: &&String| {
        let found = found.strip_suffix(WHOLE).unwrap_or(found);
        found.rsplit_once('.').is_some_and(|(of, _)| of == name)
    };
    for path in listed(attempts)?.iter().filter(of_run).map(|found| attempts.join(found)) {
        patiently(&path, || fs::remove_dir_all(&path)).ok();
    }
    Ok(())
}

/// Removes what is left of attempts at runs that all have their results: a worker that was thought dead may
/// have written there, and have been killed before it could clear that away.
pub(super) fn sweep(attempts: &Path) -> Result<()> {
    for name in listed(attempts)? {
        let left = attempts.join(name);
        patiently(&left, || fs::remove_dir_all(&left)).ok();
    }
    Ok(())
}

/// Says in an attempt that it failed.
pub(super) fn record_failure(path: &Path, definition: &Definition, message: &str) -> Result<()> {
    let folder = RunFolder::new(path);
    let status = Status::Failed { message: message.to_owned() };
    files::make_folder(path)?;
    folder.write_record(&Record::new(status, definition.clone())?)
}

/// Makes the folder `mine` for a new attempt, and copies into it the newest whole checkpoint of the earlier
/// ones, with the lines of its logs. What came after the checkpoint is taken back when the run goes on.
pub(super) fn take_over(
    attempts: &Path,
    (name, generation): (&str, u32),
    definition: &Definition,
    mine: &Path,
) -> Result<()> {
    files::make_folder(mine)?;
    let moments = definition.arm.train.optimizer.rule().moments();
    let step = |path: &Path| {
        let checkpoint = RunFolder::new(path).checkpoint();
        let found = load_checkpoint(&checkpoint, &definition.model, moments).ok().flatten();
        found.map(|(_, position)| position.step)
    };
    let is_same = |path: &Path| {
        let record = RunFolder::new(path).record().ok().flatten();
        record.is_some_and(|record| record.definition == *definition)
    };
    let earlier = of_run(attempts, name)?.into_iter().filter(|(of, _)| *of != generation);
    let mut earlier: Vec<(u64, u32, PathBuf)> = earlier
        .filter(|(_, path)| is_same(path))
        .filter_map(|(of, path)| Some((step(&path)?, of, path)))
        .collect();
    earlier.sort();
    while let Some((_, _, path)) = earlier.pop() {
        // Whose worker is at work again may take files away meanwhile.
        let copied = carry(&path, mine, false);
        let folder = RunFolder::new(mine);
        let is_whole = copied.is_ok() && trouble(&folder, definition).is_ok_and(|it| it.is_none());
        if is_whole && folder.checkpoint().exists() {
            break;
        }
        folder.begin_anew()?;
    }
    Ok(())
}

/// Copies checkpoint, best weights and logs of an attempt, which may be in training. The checkpoint is read first
/// and written last, so the copied logs always hold the lines that the copied checkpoint counts. With `lasts` that
/// holds after a crash too.
pub(super) fn carry(from: &Path, to: &Path, lasts: bool) -> Result<()> {
    let (old, new) = (RunFolder::new(from), RunFolder::new(to));
    let Some(checkpoint) = files::read_if_any(&old.checkpoint())? else { return Ok(()) };
    files::replace_by_copy(&old.best(), &new.best())?;
    let times = |of: &RunFolder| [of.timing_log(), of.evaluation_timing_log(), of.ran_on_log()];
    for (old, new) in
        old.logs().into_iter().chain(times(&old)).zip(new.logs().into_iter().chain(times(&new)))
    {
        files::grow_by_copy(&old, &new)?;
    }
    if lasts {
        files::sync_file_system(to)?;
    }
    files::write_atomic(&new.checkpoint(), |file| Ok(file.write_all(&checkpoint)?))
}

/// Puts the newest attempts back in their places, for a `batchscope run` that goes on alone, and removes the
/// others.
pub(super) fn bring_back(attempts: &Path, study: &Path) -> Result<()> {
    let mut all: Vec<(String, u32)> = Vec::new();
    for found in listed(attempts)? {
        let Some((name, generation)) = found.rsplit_once('.') else { continue };
        all.extend(generation.parse().ok().map(|generation| (name.to_owned(), generation)));
    }
    all.sort();
    while let Some((name, generation)) = all.pop() {
        let (path, place) =
            (folder(attempts, &name, generation), study.join(name.replace('@', "/")));
        let goes_on = RunFolder::new(&path).checkpoint().exists();
        if goes_on && !place.exists() {
            // An error of one worker is no verdict on the run.
            if let Some(Record { definition, status: Status::Failed { .. }, .. }) =
                RunFolder::new(&path).record()?
            {
                let running = Record::new(Status::Running, definition)?;
                RunFolder::new(&path).write_record(&running)?;
            }
            publish(&path, &place)?;
        }
    }
    Ok(())
}
