//! Files that a crash cannot spoil: written whole under a temporary name and renamed, or
//! append-only logs whose torn last line is dropped on reading.

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Replaces a file by what `fill` writes, or leaves it as it was.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // `remove_temporary` knows this form.
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| -> Result<()> {
        let mut file = File::create(&temporary)?;
        fill(&mut file)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        Ok(sync_folder(path)?)
    })();
    if written.is_err() {
        // What matters is the first error; the temporary file may not even exist.
        fs::remove_file(&temporary).ok();
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Removes the temporary files in a folder, which need not exist. Nobody may be writing there.
pub fn remove_temporary(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
        let process = inner.and_then(|inner| inner.rsplit_once('.')).map(|(_, process)| process);
        if process.is_some_and(|process| process.parse::<u32>().is_ok()) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Replaces a file by this text.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    write_atomic(path, |file| Ok(file.write_all(text.as_bytes())?))
}

/// Replaces a file by this value as JSON.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    write_text(path, &(serde_json::to_string_pretty(value)? + "\n"))
}

/// Reads a JSON file; `None` when there is none.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => {
            let value = serde_json::from_slice(&bytes);
            value
                .map(Some)
                .with_context(|| format!("{} is not what batchscope wrote", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Adds one line to a log and makes it last.
pub fn append_line<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    let append = || -> std::io::Result<()> {
        let is_new = !path.exists();
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(&line)?;
        file.sync_data()?;
        if is_new { sync_folder(path) } else { Ok(()) }
    };
    append().with_context(|| format!("cannot append to {}", path.display()))
}

/// Adds lines to a log; they last from the next [`sync`] on.
pub fn append_lines<T: Serialize>(path: &Path, values: &[T]) -> Result<()> {
    let mut lines = Vec::new();
    for value in values {
        serde_json::to_writer(&mut lines, value)?;
        lines.push(b'\n');
    }
    let append = || OpenOptions::new().create(true).append(true).open(path)?.write_all(&lines);
    append().with_context(|| format!("cannot append to {}", path.display()))
}

/// Makes what was appended to a log last; without a log there is nothing to do.
pub fn sync(path: &Path) -> Result<()> {
    let sync = || -> std::io::Result<()> {
        File::open(path)?.sync_data()?;
        sync_folder(path)
    };
    match sync() {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot write {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The lines of a log, without a torn last one; none when there is no log.
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line)
            .with_context(|| format!("{}, line {}: damaged", path.display(), number + 1))
    };
    whole.lines().enumerate().map(parse).collect()
}

/// Keeps the first `count` lines of a log, if there are as many.
pub fn keep_lines(path: &Path, count: usize) -> Result<()> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(()) };
    let kept: String =
        text.split_inclusive('\n').filter(|l| l.ends_with('\n')).take(count).collect();
    if kept == text { Ok(()) } else { write_text(path, &kept) }
}

/// Makes the name of a new file last.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_dropped_and_lines_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        for value in [1, 2, 3] {
            append_line(&log, &value).unwrap();
        }
        fs::write(&log, fs::read_to_string(&log).unwrap() + "4").unwrap();
        assert_eq!(read_lines::<i32>(&log).unwrap(), [1, 2, 3]);
        keep_lines(&log, 2).unwrap();
        assert_eq!(read_lines::<i32>(&log).unwrap(), [1, 2]);
        assert_eq!(read_lines::<i32>(&folder.path().join("none")).unwrap(), Vec::<i32>::new());
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_json(&path, &1).unwrap();
        let failed = write_atomic(&path, |_| anyhow::bail!("the disk is full"));
        assert!(format!("{:#}", failed.unwrap_err()).contains("the disk is full"));
        assert_eq!(read_json::<i32>(&path).unwrap(), Some(1));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
