//! Logs: one JSON value a line, appended and never changed. A torn last line and blank lines count for
//! nothing.

use super::seal::{Damaged, seal, short, unsealed};
use super::{open_with, patiently, read_if_any, sync_folder, write_atomic};
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What a log holds up to some line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// So many lines.
    pub lines: u64,
    /// Of these lines.
    pub checksum: String,
}

/// A log that is being written, with the checksum of what it holds so far.
///
/// What is not known to last yet is kept in memory: a file system that is away for a moment may lose it, and
/// then it is written again.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    lines: u64,
    hasher: blake3::Hasher,
    /// Bytes of the file that last.
    lasting: u64,
    /// Those after them.
    recent: Vec<u8>,
    /// Whether its name may not last yet.
    is_new: bool,
}

/// So many bytes that do not last yet are made last.
const MOST_RECENT: usize = 1 << 20;

impl Log {
    /// Goes on with a log, which need not exist yet.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = read_if_any(path)?;
        let is_new = bytes.is_none();
        let bytes = bytes.unwrap_or_default();
        let (mut hasher, mut lines) = (blake3::Hasher::new(), 0);
        for line in lines_of(&bytes) {
            hasher.update(line);
            lines += 1;
        }
        let (path, lasting) = (path.to_owned(), bytes.len() as u64);
        Ok(Self { path, lines, hasher, lasting, recent: Vec::new(), is_new })
    }

    /// Adds lines; they last from the next [`Log::sync`] on.
    pub fn append<T: Serialize>(&mut self, values: &[T]) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        self.write(&as_lines(values)?, false)?;
        self.lines += values.len() as u64;
        Ok(())
    }

    /// The name of its file.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Makes what was added last.
    pub fn sync(&mut self) -> Result<()> {
        if self.recent.is_empty() { Ok(()) } else { self.write(&[], true) }
    }

    /// Adds bytes, and where asked for makes all that was added last. After an error that passes, all that did
    /// not last yet is written again in its place.
    fn write(&mut self, bytes: &[u8], is_to_last: bool) -> Result<()> {
        let from = self.recent.len();
        self.recent.extend_from_slice(bytes);
        let is_to_last = is_to_last || self.recent.len() > MOST_RECENT;
        let Self { path, lines, lasting, recent, is_new, .. } = self;
        let mut is_first = true;
        let write = || -> io::Result<()> {
            let mut file = appending(path, *lines == 0)?;
            if std::mem::take(&mut is_first) {
                file.write_all(&recent[from..])?;
            } else {
                file.set_len(*lasting)?;
                file.write_all(recent)?;
            }
            if !is_to_last {
                return Ok(());
            }
            file.sync_data()?;
            if *is_new { sync_folder(path) } else { Ok(()) }
        };
        if let Err(error) = patiently(path, write) {
            recent.truncate(from);
            return Err(error).with_context(|| format!("cannot append to {}", path.display()));
        }
        self.hasher.update(bytes);
        if is_to_last {
            self.lasting += self.recent.len() as u64;
            self.recent.clear();
            self.is_new = false;
        }
        Ok(())
    }

    /// What it holds so far.
    pub fn mark(&self) -> Mark {
        Mark { lines: self.lines, checksum: short(self.hasher.finalize()) }
    }
}

/// The first lines of a log, `None` for all of them: how many there are, and their checksum.
pub fn mark(path: &Path, count: Option<u64>) -> Result<Mark> {
    let (mut hasher, mut lines) = (blake3::Hasher::new(), 0);
    for line in lines_of(&read_if_any(path)?.unwrap_or_default()) {
        if count == Some(lines) {
            break;
        }
        hasher.update(line);
        lines += 1;
    }
    Ok(Mark { lines, checksum: short(hasher.finalize()) })
}

/// The whole lines that are not blank, each with its end.
fn lines_of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    whole.filter(|line| !line.trim_ascii().is_empty())
}

fn as_lines<T: Serialize>(values: &[T]) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for value in values {
        serde_json::to_writer(&mut lines, value)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// A log that holds lines is there already. Where it is not, someone removed it during the run, and a new
/// one would lack these lines.
fn appending(path: &Path, is_new: bool) -> io::Result<File> {
    open_with(OpenOptions::new().create(is_new).append(true), path)
}

/// Adds one line to a log and makes it last.
fn append_line<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let line = as_lines(std::slice::from_ref(value))?;
    let is_new = !path.exists();
    let mut length = None;
    let append = || -> io::Result<()> {
        let mut file = appending(path, true)?;
        match length {
            None => length = Some(file.metadata()?.len()),
            // What a failed try left of the line.
            Some(length) => file.set_len(length)?,
        }
        file.write_all(&line)?;
        file.sync_data()?;
        if is_new { sync_folder(path) } else { Ok(()) }
    };
    patiently(path, append).with_context(|| format!("cannot append to {}", path.display()))
}

/// Adds one line with its checksum in it to a log, and makes it last.
pub fn append_sealed_line<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    append_line(path, &seal(value)?)
}

/// The lines of a log, without a torn last one; none when there is no log.
///
/// # Errors
/// [`Damaged`] with the line that cannot be read.
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    read_with(path, usize::MAX, |line| {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    })
}

/// The lines of a log that [`append_sealed_line`] wrote, or an earlier version without checksums.
pub fn read_sealed_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    read_with(path, usize::MAX, |line| {
        serde_json::from_value(unsealed_line(line)?).map_err(|error| error.to_string())
    })
}

/// Refuses damage among the first `count` lines of such a log.
pub fn check_sealed_lines(path: &Path, count: u64) -> Result<()> {
    read_with(path, count as usize, unsealed_line).map(drop)
}

fn unsealed_line(line: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    unsealed(value).ok_or_else(|| "it does not fit its checksum".into())
}

/// The first `count` lines.
fn read_with<T>(
    path: &Path,
    count: usize,
    parse: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<Vec<T>> {
    let bytes = read_if_any(path)?.unwrap_or_default();
    let parsed = lines_of(&bytes).take(count).enumerate().map(|(number, line)| {
        let damaged = |why| Damaged::new(path, format!("line {}: {why}", number + 1)).into();
        parse(line).map_err(damaged)
    });
    parsed.collect()
}

/// Keeps the first `count` lines of a log, if there are as many, and none that are blank.
pub fn keep_lines(path: &Path, count: usize) -> Result<()> {
    let Some(bytes) = read_if_any(path)? else { return Ok(()) };
    let kept: Vec<u8> = lines_of(&bytes).take(count).flatten().copied().collect();
    match kept == bytes {
        true => Ok(()),
        false => write_atomic(path, |file| Ok(file.write_all(&kept)?)),
    }
}

/// Takes all lines back, whatever they hold.
pub fn clear(path: &Path) -> Result<()> {
    keep_lines(path, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::faults;
    use std::fs;

    #[test]
    fn a_torn_last_line_and_blank_ones_are_dropped_and_lines_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        for value in [1, 2, 3] {
            append_line(&path, &value).unwrap();
        }
        let undisturbed = mark(&path, None).unwrap();
        fs::write(&path, "\n1\n  \n2\n3\n\n\n4").unwrap();
        assert_eq!(read_lines::<i32>(&path).unwrap(), [1, 2, 3]);
        assert_eq!(mark(&path, None).unwrap(), undisturbed);
        keep_lines(&path, 2).unwrap();
        assert_eq!(read_lines::<i32>(&path).unwrap(), [1, 2]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n");
        assert_eq!(read_lines::<i32>(&folder.path().join("none")).unwrap(), Vec::<i32>::new());
        clear(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_log_knows_the_checksum_of_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = Log::open(&path).unwrap();
        assert_eq!(log.mark(), mark(&path, None).unwrap());
        log.append(&[1, 2]).unwrap();
        log.append::<i32>(&[]).unwrap();
        let two = log.mark();
        log.append(&[3]).unwrap();
        log.sync().unwrap();
        assert_eq!((log.mark().lines, log.mark()), (3, mark(&path, None).unwrap()));
        assert_eq!((two.lines, two), (2, mark(&path, Some(2)).unwrap()));
        assert_eq!(Log::open(&path).unwrap().mark(), log.mark());
        assert_eq!(mark(&path, Some(9)).unwrap().lines, 3);
        assert_ne!(mark(&path, Some(2)).unwrap().checksum, log.mark().checksum);
    }

    #[test]
    fn a_log_that_vanishes_during_a_run_is_not_begun_anew_without_its_first_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = Log::open(&path).unwrap();
        log.append(&[1]).unwrap();
        log.sync().unwrap();
        fs::remove_file(&path).unwrap();
        let error = format!("{:#}", log.append(&[2]).unwrap_err());
        assert!(error.contains("No such file"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn a_log_on_a_file_system_that_is_away_for_a_moment_holds_each_line_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.jsonl");
        append_line(&path, &0).unwrap();
        let mut log = Log::open(&path).unwrap();
        for value in [1, 3, 5] {
            faults::plant("steps.jsonl", 1, libc::ESTALE);
            faults::plant_lost_answers("steps.jsonl", 2, libc::EIO);
            log.append(&[value]).unwrap();
            log.append(&[value + 1]).unwrap();
            if value == 3 {
                faults::plant_lost_answers("steps.jsonl", 2, libc::ETIMEDOUT);
                log.sync().unwrap();
            }
        }
        faults::plant_lost_answers("steps.jsonl", 2, libc::EIO);
        log.append(&[7]).unwrap();
        log.sync().unwrap();
        faults::plant_lost_answers("steps.jsonl", 2, libc::EIO);
        append_line(&path, &8).unwrap();
        assert_eq!(faults::left(), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "0\n1\n2\n3\n4\n5\n6\n7\n8\n");
        assert_eq!(log.mark(), mark(&path, Some(8)).unwrap());
        faults::plant("steps.jsonl", 6, libc::ESTALE);
        let error = format!("{:#}", log.append(&[9]).unwrap_err());
        assert!(error.contains("steps.jsonl failed 6 times"), "{error}");
        assert_eq!(log.mark(), mark(&path, Some(8)).unwrap());
    }

    #[test]
    fn a_line_that_does_not_fit_its_checksum_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timing.jsonl");
        append_line(&path, &serde_json::json!({ "seconds": 0.5 })).unwrap();
        append_sealed_line(&path, &serde_json::json!({ "seconds": 1.5 })).unwrap();
        let read: Vec<Value> = read_sealed_lines(&path).unwrap();
        assert_eq!((&read[0]["seconds"], &read[1]["seconds"]), (&0.5.into(), &1.5.into()));
        let text = fs::read_to_string(&path).unwrap().replace("1.5", "7.5");
        fs::write(&path, text).unwrap();
        let error = read_sealed_lines::<Value>(&path).unwrap_err().to_string();
        assert!(error.contains("timing.jsonl is damaged: line 2"), "{error}");
    }
}
