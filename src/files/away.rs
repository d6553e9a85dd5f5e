//! A second try where a network file system was away for a moment.
//!
//! A file server that restarts, or a network that stalls, gives ESTALE, EIO or ETIMEDOUT for some seconds.
//! A worker that ended at once would lose what it has not saved, and one that took the error for its run's
//! would fail a run with which nothing is wrong. So what was asked for is tried again, with pauses that grow.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The pauses between tries. Their sum is less than two beats of a worker, so nobody takes it for dead.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

/// What is said of a file that stayed away.
#[derive(Debug)]
pub(super) struct Away {
    path: PathBuf,
    tries: usize,
    waited: Duration,
    /// The system's error, unless the chain of errors has it already.
    cause: Option<io::Error>,
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, tries, waited, cause } = self;
        let (path, seconds) = (path.display(), waited.as_secs_f64());
        write!(f, "{path} failed {tries} times within {seconds:.0} s")?;
        cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for Away {}

/// An error that may be one of a file system that is away for a moment.
pub trait Failure: Sized + From<io::Error> {
    /// Whether it is worth another try.
    fn is_away(&self) -> bool;
    /// The error after the last of `tries`.
    fn given_up(self, path: &Path, tries: usize, waited: Duration) -> Self;
}

/// Whether the system says so.
pub(super) fn is_away(error: &io::Error) -> bool {
    [libc::ESTALE, libc::EIO, libc::ETIMEDOUT].map(Some).contains(&error.raw_os_error())
}

/// Whether an error is that of a file that was tried for as long as it is worth.
pub(super) fn is_given_up(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Away>())
}

impl Failure for io::Error {
    fn is_away(&self) -> bool {
        is_away(self)
    }

    fn given_up(self, path: &Path, tries: usize, waited: Duration) -> Self {
        let kind = self.kind();
        Self::new(kind, Away { path: path.to_owned(), tries, waited, cause: Some(self) })
    }
}

impl Failure for anyhow::Error {
    fn is_away(&self) -> bool {
        let mut causes = self.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
        self.downcast_ref::<Away>().is_none() && causes.any(is_away)
    }

    fn given_up(self, path: &Path, tries: usize, waited: Duration) -> Self {
        self.context(Away { path: path.to_owned(), tries, waited, cause: None })
    }
}

/// Does something with a file, and does it again as long as its file system is away: six times within a
/// quarter of a minute. What is done must bear repeating: the first time may have been done and the answer
/// lost.
///
/// # Errors
/// The first error of another kind; in the end one that names the file and says how often it was tried.
/// [`no_room`](super::no_room) knows it.
pub fn patiently<T, E: Failure>(path: &Path, act: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    #[cfg(test)]
    let (wait, act) = (|_: Duration| {}, faults::around(path, act));
    #[cfg(not(test))]
    let wait = std::thread::sleep;
    with_pauses(path, act, wait)
}

fn with_pauses<T, E: Failure>(
    path: &Path,
    mut act: impl FnMut() -> Result<T, E>,
    mut wait: impl FnMut(Duration),
) -> Result<T, E> {
    for pause in PAUSES {
        match act() {
            Err(error) if error.is_away() => wait(pause),
            decided => return decided,
        }
    }
    act().map_err(|error| match error.is_away() {
        true => error.given_up(path, PAUSES.len() + 1, PAUSES.iter().sum()),
        false => error,
    })
}

/// A file that one process writes from its end on, and goes on with where its file system was away: what a
/// failed write left of itself is taken back first.
#[derive(Debug)]
pub struct Steady {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Steady {
    /// Goes on with a file that is open under this name.
    pub fn new(file: File, path: &Path) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, length })
    }
}

impl Write for Steady {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { path, file, length } = self;
        let mut is_first = true;
        patiently(path, || {
            if !std::mem::take(&mut is_first) {
                // The old handle may be stale for ever.
                *file = OpenOptions::new().append(true).open(&*path)?;
                file.set_len(*length)?;
            }
            file.write_all(bytes)
        })?;
        *length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Tests say here which files are away, and for how many tries.
#[cfg(test)]
pub(crate) mod faults {
    use super::Failure;
    use std::cell::RefCell;
    use std::io;
    use std::path::Path;

    struct Fault {
        part: String,
        left: u32,
        error: i32,
        /// Whether it is done and the answer is lost.
        is_done: bool,
    }

    thread_local! {
        static FAULTS: RefCell<Vec<Fault>> = const { RefCell::new(Vec::new()) };
    }

    fn add(part: &str, left: u32, error: i32, is_done: bool) {
        let fault = Fault { part: part.to_owned(), left, error, is_done };
        FAULTS.with_borrow_mut(|faults| faults.push(fault));
    }

    /// From now on the next `times` tries in this thread fail that concern a file with `part` in its path.
    pub(crate) fn plant(part: &str, times: u32, error: i32) {
        add(part, times, error, false);
    }

    /// As [`plant`], where it is done all the same.
    pub(crate) fn plant_lost_answers(part: &str, times: u32, error: i32) {
        add(part, times, error, true);
    }

    /// How many of them have not happened yet; forgets them.
    pub(crate) fn left() -> u32 {
        FAULTS.take().iter().map(|fault| fault.left).sum()
    }

    fn next(path: &Path) -> Option<(io::Error, bool)> {
        let path = path.to_string_lossy();
        FAULTS.with_borrow_mut(|faults| {
            let mut planted = faults.iter_mut();
            let fault = planted.find(|fault| fault.left > 0 && path.contains(&fault.part))?;
            fault.left -= 1;
            Some((io::Error::from_raw_os_error(fault.error), fault.is_done))
        })
    }

    /// What is done with a file, with the faults that were planted for it.
    pub(super) fn around<T, E: Failure>(
        path: &Path,
        mut act: impl FnMut() -> Result<T, E>,
    ) -> impl FnMut() -> Result<T, E> {
        move || match next(path) {
            None => act(),
            Some((error, is_done)) => {
                if is_done {
                    act().ok();
                }
                Err(error.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{NoRoom, no_room};
    use std::fs;

    fn fails(times: usize, error: i32) -> (io::Result<usize>, Vec<Duration>) {
        let (mut tries, mut waited) = (0, Vec::new());
        let act = || {
            tries += 1;
            if tries <= times { Err(io::Error::from_raw_os_error(error)) } else { Ok(tries) }
        };
        let result = with_pauses(Path::new("/shared/claim"), act, |pause| waited.push(pause));
        (result, waited)
    }

    #[test]
    fn what_fails_twice_and_works_then_is_done_after_pauses_that_grow() {
        for error in [libc::ESTALE, libc::EIO, libc::ETIMEDOUT] {
            let (result, waited) = fails(2, error);
            assert_eq!(result.unwrap(), 3);
            assert_eq!(waited, PAUSES[..2]);
        }
        assert!(PAUSES.is_sorted() && PAUSES.iter().sum::<Duration>() < Duration::from_secs(30));
    }

    #[test]
    fn what_stays_away_is_named_with_the_number_of_tries_and_what_to_do() {
        let (result, waited) = fails(usize::MAX, libc::ESTALE);
        let error = result.unwrap_err();
        assert_eq!(waited, PAUSES);
        let said = error.to_string();
        assert_eq!(
            said,
            "/shared/claim failed 6 times within 14 s: Stale file handle (os error 116)"
        );
        // Around it nothing is tried again.
        assert!(!error.is_away());
        let error = anyhow::Error::new(error).context("cannot read");
        assert!(!error.is_away());
        assert_eq!(no_room(&error), Some(NoRoom::Away));
        assert!(NoRoom::Away.hint().contains("repeat the command"));
    }

    #[test]
    fn other_errors_are_not_tried_again() {
        for error in [libc::ENOENT, libc::EEXIST, libc::ENOSPC, libc::EACCES] {
            let (result, waited) = fails(1, error);
            assert_eq!(result.unwrap_err().raw_os_error(), Some(error));
            assert!(waited.is_empty());
        }
    }

    #[test]
    fn a_chain_of_causes_is_searched_for_it() {
        let mut tries = 0;
        let act = || -> anyhow::Result<()> {
            tries += 1;
            Err(anyhow::Error::new(io::Error::from_raw_os_error(libc::EIO)).context("a log"))
        };
        let error = with_pauses(Path::new("log"), act, |_| {}).unwrap_err();
        assert_eq!(tries, 6);
        let said = format!("{error:#}");
        let whole = "log failed 6 times within 14 s: a log: Input/output error (os error 5)";
        assert_eq!(said, whole);
        assert!(!error.is_away());
        assert_eq!(no_room(&error), Some(NoRoom::Away));
    }

    #[test]
    fn a_file_that_is_written_on_holds_each_part_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut steady = Steady::new(File::create_new(&path).unwrap(), &path).unwrap();
        for part in ["one ", "two ", "three"] {
            faults::plant_lost_answers("events", 2, libc::ESTALE);
            steady.write_all(part.as_bytes()).unwrap();
        }
        assert_eq!(faults::left(), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one two three");
        faults::plant("events", 6, libc::EIO);
        assert!(steady.write_all(b"four").is_err());
        assert_eq!(faults::left(), 0);
    }
}
