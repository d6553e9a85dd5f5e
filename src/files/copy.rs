//! Copies from a local disk to the folder of a study, which may lie on a network file system. A crash may lose
//! them until the next [`sync_file_system`].

use super::{folder_of, open, patiently, temporary};
use anyhow::{Context, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::path::Path;

fn failed(from: &Path, to: &Path) -> String {
    format!("cannot copy {} to {}", from.display(), to.display())
}

/// Replaces a file by a copy of another, as a whole or not at all; does nothing where there is no other.
///
/// # Errors
/// Where either cannot be used; the old file is then still there.
pub fn replace_by_copy(from: &Path, to: &Path) -> Result<()> {
    let copy = || -> io::Result<()> {
        let Some(mut source) = open_if_any(from)? else { return Ok(()) };
        let folder = folder_of(to);
        fs::create_dir_all(folder)?;
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let mut temporary = temporary(folder, &name)?;
        io::copy(&mut source, temporary.as_file_mut())?;
        temporary.persist(to)?;
        Ok(())
    };
    patiently(to, copy).with_context(|| failed(from, to))
}

/// Appends to a file what another, which begins with the same bytes, has after them; does nothing where there is
/// no other.
///
/// # Errors
/// Where either cannot be used.
pub fn grow_by_copy(from: &Path, to: &Path) -> Result<()> {
    let copy = || -> io::Result<()> {
        let Some(mut source) = open_if_any(from)? else { return Ok(()) };
        fs::create_dir_all(folder_of(to))?;
        let mut target = OpenOptions::new().append(true).create(true).open(to)?;
        source.seek(SeekFrom::Start(target.metadata()?.len()))?;
        io::copy(&mut source, &mut target).map(drop)
    };
    patiently(to, copy).with_context(|| failed(from, to))
}

fn open_if_any(path: &Path) -> io::Result<Option<File>> {
    match open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Copies a folder and all in it but files and folders with a name that `stays`. Files that are there already
/// are replaced.
///
/// # Errors
/// Where a file cannot be copied.
pub fn copy_folder(from: &Path, to: &Path, stays: &dyn Fn(&str) -> bool) -> Result<()> {
    patiently(to, || fs::create_dir_all(to)).with_context(|| failed(from, to))?;
    for entry in fs::read_dir(from).with_context(|| failed(from, to))? {
        let entry = entry?;
        let name = entry.file_name();
        if stays(&name.to_string_lossy()) {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        if entry.file_type()?.is_dir() {
            copy_folder(&source, &target, stays)?;
        } else {
            let copied = patiently(&target, || fs::copy(&source, &target));
            copied.with_context(|| failed(&source, &target))?;
        }
    }
    Ok(())
}

/// Syncs the whole file system of a folder: what was written there outlasts a crash.
///
/// # Errors
/// Where the file system cannot.
pub fn sync_file_system(folder: &Path) -> Result<()> {
    let sync = || -> io::Result<()> {
        let folder = File::open(folder)?;
        nix::unistd::syncfs(&folder).map_err(io::Error::from)
    };
    patiently(folder, sync).with_context(|| format!("cannot sync {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_and_what_grows_is_copied_from_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["a/log", "b/c/log"].map(|name| folder.path().join(name));
        replace_by_copy(&from, &to).unwrap();
        grow_by_copy(&from, &to).unwrap();
        assert!(!to.exists(), "nothing is there to be copied");
        fs::create_dir(folder.path().join("a")).unwrap();
        for text in ["1\n", "1\n2\n", "1\n2\n3\n"] {
            fs::write(&from, text).unwrap();
            grow_by_copy(&from, &to).unwrap();
            assert_eq!(fs::read_to_string(&to).unwrap(), text);
        }
        fs::write(&from, "new").unwrap();
        replace_by_copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "new");
        sync_file_system(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_is_copied_with_all_that_lies_in_it_but_what_stays() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        fs::create_dir_all(from.join("train")).unwrap();
        fs::create_dir_all(from.join("checkpoint")).unwrap();
        for name in ["record.json", "train/events", "checkpoint/state", ".lock"] {
            fs::write(from.join(name), name).unwrap();
        }
        copy_folder(&from, &to, &|name| ["checkpoint", ".lock"].contains(&name)).unwrap();
        for (name, is_there) in
            [("record.json", true), ("train/events", true), ("checkpoint", false), (".lock", false)]
        {
            assert_eq!(to.join(name).exists(), is_there, "{name}");
        }
    }
}
