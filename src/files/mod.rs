//! Files that a crash cannot spoil and that damage cannot change unseen: written whole under a
//! temporary name and renamed, or append-only logs whose torn last line is dropped on reading.
//!
//! ```text
//! seal      checksums: of files as they are, and inside JSON values
//! log       lines of JSON that are appended to
//! tensors   safetensors files with a checksum
//! copy      from a local disk to a network file system
//! away      a second try where a network file system was away for a moment
//! room      whether an error says that a disk takes no more
//! ```
//!
//! A study's folder may be one that others can write. Links, pipes, sockets and devices in place of
//! its files are refused by name, nothing waits for a pipe, and temporary names cannot be guessed.

mod away;
mod copy;
mod log;
mod room;
mod seal;
mod tensors;

#[cfg(test)]
pub(crate) use away::faults;
pub use away::{Failure, Steady, patiently};
pub use copy::{copy_folder, grow_by_copy, replace_by_copy, sync_file_system};
pub use log::{
    Log, Mark, append_sealed_line, check_sealed_lines, clear, keep_lines, mark, read_lines,
    read_sealed_lines,
};
pub use room::{NoRoom, no_room};
pub use seal::{
    Damaged, checksum, is_damage, is_whole_text, read_sealed_json, seal, seal_text, unsealed,
    write_sealed_json,
};
pub use tensors::{parse_tensors, seal_tensors, sealed_entry};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::{Builder, NamedTempFile};

/// Random characters in a temporary name.
const RANDOM: usize = 12;

/// Replaces a file by what `fill` writes, or leaves it as it was. Makes its folder if need be. Where a file
/// system is away for a moment all of it is done again, `fill` too.
///
/// # Errors
/// Those of `fill`, and [`no_room`] knows the ones of a full disk. The old file is then still there.
pub fn write_atomic(path: &Path, mut fill: impl FnMut(&mut File) -> Result<()>) -> Result<()> {
    let write = || -> Result<()> {
        let folder = folder_of(path);
        fs::create_dir_all(folder)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut temporary = temporary(folder, &name)?;
        let _writing = Writing::begin(temporary.path());
        fill(temporary.as_file_mut())?;
        temporary.as_file().sync_all()?;
        // Where this fails, the temporary file goes with its guard.
        temporary.persist(path)?;
        Ok(sync_folder(path)?)
    };
    patiently(path, write).with_context(|| format!("cannot write {}", path.display()))
}

/// Temporary files that this process is writing at the moment.
static BEING_WRITTEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Removes the files that this process is writing, for a process that ends at once.
pub fn abandon() {
    remove_all(&being_written());
}

fn remove_all(paths: &BTreeSet<PathBuf>) {
    for path in paths {
        // It would be swept later; until then it takes room.
        fs::remove_file(path).ok();
    }
}

fn being_written() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    BEING_WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While it lives, [`abandon`] knows of the file.
struct Writing(PathBuf);

impl Writing {
    fn begin(path: &Path) -> Self {
        being_written().insert(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        being_written().remove(&self.0);
    }
}

/// A new file `.NAME.RANDOM.tmp`, which goes unless it is kept. It is locked as long as it is
/// written, so that [`remove_temporary`] leaves it alone.
pub fn temporary(folder: &Path, name: &str) -> io::Result<NamedTempFile> {
    loop {
        // What is opened here keeps the number of the system's error, which says whether to try again.
        let create = |path: &Path| {
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o666).open(path)
        };
        let made = Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(".tmp")
            .rand_bytes(RANDOM)
            .make_in(folder, create)?;
        // A file system without locks has no sweeping either.
        made.as_file().lock().ok();
        let own = made.as_file().metadata()?;
        // Another process may have swept it before it was locked.
        if fs::symlink_metadata(made.path()).is_ok_and(|there| there.ino() == own.ino()) {
            return Ok(made);
        }
    }
}

/// Removes what killed processes left half-written in a folder, which need not exist. What is being
/// written stays.
pub fn remove_temporary(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if !is_temporary(&path.file_name().unwrap_or_default().to_string_lossy()) {
            continue;
        }
        let Ok(file) = open(&path) else { continue };
        if file.try_lock().is_ok() {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// `.NAME.RANDOM.tmp`; earlier versions wrote `.NAME.PROCESS.tmp`.
fn is_temporary(name: &str) -> bool {
    let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
    let middle = inner.and_then(|inner| inner.rsplit_once('.')).map(|(_, middle)| middle);
    middle.is_some_and(|middle| {
        let random = middle.len() == RANDOM && middle.bytes().all(|b| b.is_ascii_alphanumeric());
        random || middle.parse::<u32>().is_ok()
    })
}

/// Opens a plain file for reading. Links, pipes, sockets and devices are refused by name.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens a lock file, which is made if need be; what it holds stays as it is.
pub fn open_lock(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true).write(true).create(true).truncate(false), path)
}

fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let refused = |what: &str| {
        io::Error::new(
            ErrorKind::InvalidInput,
            format!("{} is {what}, and only plain files are used here: remove it", path.display()),
        )
    };
    // Without O_NONBLOCK a pipe would wait for its other end.
    let options = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = patiently(path, || options.open(path)).map_err(|error| {
        let there = fs::symlink_metadata(path).ok();
        there.and_then(|there| odd(there.file_type())).map_or(error, refused)
    })?;
    match odd(file.metadata()?.file_type()) {
        Some(what) => Err(refused(what)),
        None => Ok(file),
    }
}

/// What is no plain file, in words.
fn odd(kind: FileType) -> Option<&'static str> {
    match kind {
        _ if kind.is_file() => None,
        _ if kind.is_symlink() => Some("a symbolic link"),
        _ if kind.is_dir() => Some("a folder"),
        _ if kind.is_fifo() => Some("a named pipe"),
        _ if kind.is_socket() => Some("a socket"),
        _ => Some("a device"),
    }
}

/// Refuses what is no folder where one will be made or is: a file would be in its place, and what is
/// written into a link would land elsewhere.
pub fn refuse_no_folder(folder: &Path) -> Result<()> {
    refuse_link(folder)?;
    match fs::symlink_metadata(folder).ok().and_then(|found| not_a_folder(found.file_type())) {
        None => Ok(()),
        Some(what) => bail!(
            "{} is {what}, and a folder is wanted there: move it elsewhere, and repeat the command",
            folder.display()
        ),
    }
}

fn not_a_folder(kind: FileType) -> Option<&'static str> {
    match kind {
        _ if kind.is_dir() => None,
        _ if kind.is_file() => Some("a file"),
        _ => odd(kind),
    }
}

/// Refuses a folder that is a link: what is written into it would land elsewhere.
pub fn refuse_link(folder: &Path) -> Result<()> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.file_type().is_symlink() => bail!(
            "{} is a symbolic link, and a folder is wanted: inside a study's folder nothing is \
             written through links. Remove it",
            folder.display()
        ),
        _ => Ok(()),
    }
}

/// Refuses a device such as `/dev/zero`, which has no end. A terminal has one.
pub fn refuse_device(path: &Path) -> Result<()> {
    let is_device = |kind: FileType| kind.is_char_device() || kind.is_block_device();
    match fs::metadata(path) {
        Ok(found) if is_device(found.file_type()) && !ends(path) => {
            bail!("{} is a device, and a file is wanted", path.display())
        }
        _ => Ok(()),
    }
}

/// Whether a device ends: a terminal, and `/dev/null`.
fn ends(path: &Path) -> bool {
    let path = fs::canonicalize(path).unwrap_or_default();
    let is_in = |folder: &str| path.to_string_lossy().starts_with(folder);
    path == Path::new("/dev/null") || is_in("/dev/tty") || is_in("/dev/pts/")
}

/// The bytes of a plain file.
///
/// # Errors
/// Where it is a link, a pipe, a socket or a device, and where it cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    patiently(path, || {
        let mut bytes = Vec::new();
        open(path)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}

/// The text of a plain file.
pub fn read_text(path: &Path) -> io::Result<String> {
    patiently(path, || {
        let mut text = String::new();
        open(path)?.read_to_string(&mut text)?;
        Ok(text)
    })
}

/// Whether something has this name.
pub fn is_there(path: &Path) -> Result<bool> {
    let found = patiently(path, || path.try_exists());
    found.with_context(|| format!("cannot look for {}", path.display()))
}

/// Makes a folder, and those in which it lies.
pub fn make_folder(path: &Path) -> Result<()> {
    let made = patiently(path, || fs::create_dir_all(path));
    made.with_context(|| format!("cannot make {}", path.display()))
}

/// The names in a folder; none where there is no folder.
pub fn listed(folder: &Path) -> Result<BTreeSet<String>> {
    let names = patiently(folder, || -> io::Result<_> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries?,
        };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    });
    names.with_context(|| format!("cannot list {}", folder.display()))
}

/// The bytes of a plain file; `None` when there is none.
pub fn read_if_any(path: &Path) -> Result<Option<Vec<u8>>> {
    match read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Writes a file that must not be there yet, as a whole or not at all. Its folder must be there.
pub fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut temporary = temporary(folder_of(path), &name)?;
    let _writing = Writing::begin(temporary.path());
    temporary.as_file_mut().write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist_noclobber(path)?;
    sync_folder(path)
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
    let Some(bytes) = read_if_any(path)? else { return Ok(None) };
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|error| Damaged::new(path, error.to_string()).into())
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Makes the name of a new file last.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

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

    #[test]
    fn a_file_that_is_being_written_is_removed_when_the_process_gives_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let of_ours = |paths: &BTreeSet<PathBuf>| -> BTreeSet<PathBuf> {
            paths.iter().filter(|path| path.starts_with(folder.path())).cloned().collect()
        };
        let failed = write_atomic(&path, |file| {
            file.write_all(b"half")?;
            // Not of tests that run beside this one.
            let ours = of_ours(&being_written());
            assert_eq!(ours.len(), 1);
            remove_all(&ours);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
            Ok(())
        });
        assert!(failed.is_err() && !path.exists());
        write_text(&path, "whole").unwrap();
        assert!(of_ours(&being_written()).is_empty());
    }

    #[test]
    fn a_new_file_is_whole_and_takes_no_others_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        write_new(&path, "text").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
        assert_eq!(write_new(&path, "other").unwrap_err().kind(), ErrorKind::AlreadyExists);
        let error = write_new(&folder.path().join("none/a.yaml"), "text").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
    }

    #[test]
    fn files_on_a_file_system_that_is_away_for_a_moment_are_read_and_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        for (error, value) in [(libc::ESTALE, 1), (libc::EIO, 2), (libc::ETIMEDOUT, 3)] {
            faults::plant("state", 2, error);
            write_json(&path, &value).unwrap();
            faults::plant_lost_answers("state", 2, error);
            write_json(&path, &value).unwrap();
            faults::plant("state", 2, error);
            assert_eq!(read_json::<i32>(&path).unwrap(), Some(value));
        }
        assert_eq!(faults::left(), 0);
        faults::plant("state", 6, libc::EIO);
        let error = write_json(&path, &4).unwrap_err();
        assert!(format!("{error:#}").contains("state failed 6 times within 14 s"), "{error:#}");
        faults::plant("state", 6, libc::EIO);
        let error = read_json::<i32>(&path).unwrap_err();
        assert!(format!("{error:#}").contains("state failed 6 times within 14 s"), "{error:#}");
        assert_eq!(faults::left(), 0);
        assert_eq!(listed(folder.path()).unwrap(), BTreeSet::from(["state".to_owned()]));
        assert_eq!(read_json::<i32>(&path).unwrap(), Some(3));
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed-0");
        refuse_no_folder(&path).unwrap();
        fs::write(&path, "").unwrap();
        let error = refuse_no_folder(&path).unwrap_err().to_string();
        assert!(
            error.contains("seed-0 is a file, and a folder is wanted there: move it"),
            "{error}"
        );
        refuse_no_folder(folder.path()).unwrap();
    }

    #[test]
    fn temporary_names_cannot_be_guessed_and_what_is_being_written_is_not_swept() {
        let folder = tempfile::tempdir().unwrap();
        // Names of earlier versions, and of a killed process.
        for name in [".a.json.12.tmp", ".a.json.abcDEF012345.tmp"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let kept = ["notes.tmp", ".mine.tmp", ".a.short.tmp", "a.json"];
        kept.iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
        let names = || -> Vec<String> {
            let entries = fs::read_dir(folder.path()).unwrap();
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
        };
        write_atomic(&folder.path().join("a.json"), |_| {
            remove_temporary(folder.path()).unwrap();
            assert_eq!(names().len(), kept.len() + 1, "the file that is being written stays");
            assert!(!names().contains(&format!(".a.json.{}.tmp", std::process::id())));
            Ok(())
        })
        .unwrap();
        let mut left = names();
        left.sort();
        assert_eq!(left, [".a.short.tmp", ".mine.tmp", "a.json", "notes.tmp"]);
        let mode = fs::metadata(folder.path().join("a.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o400, 0o400);
    }

    #[test]
    fn links_pipes_sockets_and_folders_in_place_of_files_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("target"), "kept").unwrap();
        symlink(at("target"), at("link")).unwrap();
        symlink(at("none"), at("dangling")).unwrap();
        mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        for (name, what) in [
            ("link", "a symbolic link"),
            ("dangling", "a symbolic link"),
            ("pipe", "a named pipe"),
            ("socket", "a socket"),
            ("folder", "a folder"),
        ] {
            let path = at(name);
            let said = format!("{} is {what}", path.display());
            let errors = [
                read_json::<i32>(&path).unwrap_err(),
                read_lines::<i32>(&path).unwrap_err(),
                append_sealed_line(&path, &serde_json::json!({})).unwrap_err(),
                keep_lines(&path, 1).unwrap_err(),
                open_lock(&path).unwrap_err().into(),
            ];
            for error in errors {
                assert!(format!("{error:#}").contains(&said), "{error:#}");
            }
        }
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "kept");
        assert!(!at("none").exists());
        // What is replaced as a whole is replaced, and not what a link points to.
        write_text(&at("link"), "new").unwrap();
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "kept");
        assert_eq!(read_text(&at("link")).unwrap(), "new");
        assert!(refuse_link(&at("dangling")).is_err() && refuse_link(&at("folder")).is_ok());
    }
}
