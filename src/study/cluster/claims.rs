//! Claims: who does a job of a study whose workers share nothing but its folder.
//!
//! A job's claims are files `claims/JOB/0001`, `0002`, ... that hold the name of a worker. Each is made
//! once and never changed; the newest counts. When its worker is dead, another worker makes the next claim.
//! Shared file systems guarantee that of several `link(2)` calls with one name exactly one succeeds.
//!
//! Claims only avoid that work is done twice. [`publish`] makes sure that each run has exactly one whole
//! result: each attempt has a folder of its own, and one `rename(2)` moves it to the run's place. If another
//! attempt is there already, its bits are the same.

use crate::files::{self, listed, patiently};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What a claim holds that its worker gave up.
const RELEASED: &str = "released";

/// The claims of a study, as one worker makes them.
#[derive(Debug)]
pub(super) struct Claims {
    folder: PathBuf,
    worker: String,
}

/// The newest claim of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// Counted from 1.
    pub(super) generation: u32,
    /// The worker that has it; empty while it cannot be read yet, `None` once it was given up.
    pub(super) worker: Option<String>,
}

impl Claims {
    /// Those in this folder, made by this worker.
    pub(super) fn new(folder: &Path, worker: &str) -> Self {
        Self { folder: folder.to_owned(), worker: worker.to_owned() }
    }

    /// The newest claim of a job, if there is one. Found by listing: a name that was looked for in vain is
    /// not seen for half a minute on NFS, unless its folder is listed.
    pub(super) fn newest(&self, job: &str) -> Result<Option<Claim>> {
        let folder = self.folder.join(job);
        let generations = listed(&folder)?.into_iter().filter_map(|name| name.parse::<u32>().ok());
        let Some(generation) = generations.max() else { return Ok(None) };
        // It may be there and not yet hold what it will.
        let text = files::read_text(&folder.join(file_name(generation))).unwrap_or_default();
        let worker = Some(text.trim().to_owned()).filter(|worker| worker != RELEASED);
        Ok(Some(Claim { generation, worker }))
    }

    /// Makes a claim for this worker; whether it was the first to make it.
    pub(super) fn put(&self, job: &str, generation: u32) -> Result<bool> {
        put_if_absent(&self.path(job, generation), &format!("{}\n", self.worker))
    }

    /// Gives up a claim, so that any worker may make the next one.
    pub(super) fn release(&self, job: &str, generation: u32) -> Result<()> {
        put_if_absent(&self.path(job, generation + 1), RELEASED).map(drop)
    }

    fn path(&self, job: &str, generation: u32) -> PathBuf {
        self.folder.join(job).join(file_name(generation))
    }
}

fn file_name(generation: u32) -> String {
    format!("{generation:04}")
}

/// Makes a file that holds this text, if there is none of its name; whether it was this call that made it.
/// The folder is made if need be.
pub(super) fn put_if_absent(path: &Path, text: &str) -> Result<bool> {
    let put = || -> io::Result<bool> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut temporary = files::temporary(folder, "claim")?;
        temporary.as_file_mut().write_all(text.as_bytes())?;
        temporary.as_file().sync_all()?;
        let linked = fs::hard_link(temporary.path(), path);
        let linked = match linked {
            Err(error) if lacks_links(&error) => create(path, text),
            linked => linked,
        };
        match linked {
            Ok(()) => Ok(true),
            // NFS may ask a second time when the answer to the first was lost.
            Err(_) if files::read_text(path).is_ok_and(|found| found == text) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    };
    patiently(path, put).with_context(|| format!("cannot make {}", path.display()))
}

/// Whether a file system has no second names for files.
pub(super) fn lacks_links(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    [libc::EPERM, libc::EOPNOTSUPP, libc::ENOSYS, libc::EMLINK].map(Some).contains(&number)
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Whose attempt is in the place of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    Mine,
    /// Another was first; the bits are the same.
    Another,
}

/// Gives an attempt that ended its place, whole and at once.
pub(super) fn publish(attempt: &Path, place: &Path) -> Result<Published> {
    let error = || format!("cannot move {} to {}", attempt.display(), place.display());
    let folder = place.parent().context("a run lies in no folder")?;
    files::make_folder(folder).with_context(error)?;
    match patiently(place, || fs::rename(attempt, place)) {
        Ok(()) => {
            let last = patiently(folder, || fs::File::open(folder)?.sync_all());
            last.with_context(error)?;
            Ok(Published::Mine)
        }
        Err(cause) if is_taken(&cause) => Ok(Published::Another),
        // NFS may ask a second time when the answer to the first was lost.
        Err(cause) if !is_listed(attempt)? && is_listed(place)? => {
            let known = cause.kind() == ErrorKind::NotFound;
            if known { Ok(Published::Mine) } else { Err(cause).with_context(error) }
        }
        Err(cause) => Err(cause).with_context(error),
    }
}

/// Whether a folder that is not empty has the name already.
pub(super) fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty)
}

/// Whether a name is there, found by listing its folder.
pub(super) fn is_listed(path: &Path) -> Result<bool> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(path.parent().map_or(Ok(BTreeSet::new()), listed)?.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::faults;

    #[test]
    fn of_many_that_claim_at_once_one_is_first() {
        let folder = tempfile::tempdir().unwrap();
        for generation in 1..20 {
            let won: Vec<bool> = std::thread::scope(|scope| {
                let claim = |worker: usize| {
                    let claims = Claims::new(folder.path(), &format!("worker-{worker}"));
                    move || claims.put("a@seed-0", generation).unwrap()
                };
                let all: Vec<_> = (0..8).map(|worker| scope.spawn(claim(worker))).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(won.iter().filter(|won| **won).count(), 1);
            let winner = won.iter().position(|won| *won).unwrap();
            let claim = Claim { generation, worker: Some(format!("worker-{winner}")) };
            let claims = Claims::new(folder.path(), "other");
            assert_eq!(claims.newest("a@seed-0").unwrap(), Some(claim));
        }
        assert_eq!(
            listed(&folder.path().join("a@seed-0")).unwrap().len(),
            19,
            "nothing else stays"
        );
    }

    #[test]
    fn a_claim_whose_answer_was_lost_is_known_as_ones_own_and_one_can_be_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let [mine, other] = ["me", "other"].map(|worker| Claims::new(folder.path(), worker));
        assert_eq!(mine.newest("job").unwrap(), None);
        assert!(mine.put("job", 1).unwrap());
        assert!(mine.put("job", 1).unwrap(), "asked a second time");
        assert!(!other.put("job", 1).unwrap());
        mine.release("job", 1).unwrap();
        assert_eq!(other.newest("job").unwrap(), Some(Claim { generation: 2, worker: None }));
        assert!(other.put("job", 3).unwrap());
    }

    #[test]
    fn claims_and_publishing_outlast_a_file_system_that_is_away_for_a_moment() {
        let folder = tempfile::tempdir().unwrap();
        let claims = Claims::new(&folder.path().join("claims"), "me");
        let plants = [faults::plant, faults::plant_lost_answers];
        for (generation, plant) in (1..).zip(plants) {
            plant("claims/job", 2, libc::ESTALE);
            assert!(claims.put("job", generation).unwrap());
            plant("claims/job", 2, libc::EIO);
            let mine = Claim { generation, worker: Some("me".into()) };
            assert_eq!(claims.newest("job").unwrap(), Some(mine));
            let attempt = folder.path().join(format!("attempt-{generation}"));
            let place = folder.path().join(format!("small/seed-{generation}"));
            fs::create_dir(&attempt).unwrap();
            fs::write(attempt.join("record.json"), "{}").unwrap();
            plant("small/seed", 2, libc::ETIMEDOUT);
            assert_eq!(publish(&attempt, &place).unwrap(), Published::Mine);
            assert!(!attempt.exists() && place.join("record.json").exists());
        }
        assert_eq!(faults::left(), 0);
        faults::plant("claims/job", 6, libc::EIO);
        let error = claims.put("job", 3).unwrap_err();
        assert!(format!("{error:#}").contains("claims/job/0003 failed 6 times"), "{error:#}");
        assert_eq!(files::no_room(&error), Some(files::NoRoom::Away));
    }

    #[test]
    fn without_links_a_claim_is_a_file_that_must_be_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0001");
        create(&path, "me").unwrap();
        assert_eq!(create(&path, "other").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(!put_if_absent(&path, "other").unwrap() && put_if_absent(&path, "me").unwrap());
        // One that is not written yet belongs to nobody that is known.
        fs::write(folder.path().join("0002"), "").unwrap();
        let claims = Claims::new(folder.path().parent().unwrap(), "me");
        let job = folder.path().file_name().unwrap().to_str().unwrap();
        let claim = Claim { generation: 2, worker: Some(String::new()) };
        assert_eq!(claims.newest(job).unwrap(), Some(claim));
    }

    #[test]
    fn the_first_whole_attempt_stays_and_a_repeated_rename_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["first", "second"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("record.json"), name).unwrap();
        }
        let place = at("a/seed-0");
        assert_eq!(publish(&at("first"), &place).unwrap(), Published::Mine);
        assert_eq!(publish(&at("second"), &place).unwrap(), Published::Another);
        assert_eq!(fs::read_to_string(place.join("record.json")).unwrap(), "first");
        assert_eq!(publish(&at("first"), &place).unwrap(), Published::Mine, "asked a second time");
        assert!(publish(&at("none"), &at("b/seed-0")).is_err());
    }
}
