//! Where results go: standard output, or whatever a path names. All of it is checked, so that a full
//! disk is an error and not a short file.

use crate::error::UserError;
use crate::files;
use anyhow::{Context, Result};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{error, fmt};

const STANDARD: &str = "standard output";

/// A result that did not arrive.
#[derive(Debug)]
pub(super) struct Undelivered {
    /// `standard output`, or a path.
    place: String,
    cause: io::Error,
}

impl Undelivered {
    /// What standard output did not take.
    pub(super) fn standard(cause: io::Error) -> Self {
        Self { place: STANDARD.into(), cause }
    }

    pub(super) fn is_standard(&self) -> bool {
        self.place == STANDARD
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match self.cause.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => {
                "make room there, or send it somewhere else, and repeat the command"
            }
            _ => "send it somewhere else, and repeat the command",
        }
    }

    /// Whether nobody reads any more, as in `batchscope status DIR | head -1`.
    pub(super) fn is_unread(&self) -> bool {
        self.cause.kind() == ErrorKind::BrokenPipe
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.cause)
    }
}

impl error::Error for Undelivered {}

/// Writes all of this to standard output.
pub(super) fn print(text: &[u8]) -> Result<(), Undelivered> {
    // Not `io::stdout`, which takes an output that cannot be written for one that was closed.
    let written = (|| -> io::Result<()> {
        let mut file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        file.write_all(text)?;
        settle(&file)
    })();
    written.map_err(Undelivered::standard)
}

/// Refuses a file in a folder that is not there: a slip in its name would make a new one.
pub(super) fn refuse_missing_folder(path: &Path) -> Result<(), UserError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Some(folder) = folder.filter(|folder| !folder.is_dir()) else { return Ok(()) };
    let what = if folder.exists() { "is no folder" } else { "does not exist" };
    Err(UserError::new(
        format!("cannot write {}: {} {what}", path.display(), folder.display()),
        format!("make it first (`mkdir -p {}`), or name another place", folder.display()),
    ))
}

/// What a path means for a result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sink {
    /// It is standard output, under whatever name.
    Standard,
    /// A regular file, or none yet: it is replaced as a whole.
    File(PathBuf),
    /// A device, a FIFO, or a file that another program holds open: it is written to and stays.
    Through(PathBuf),
}

impl Sink {
    pub(super) fn of(path: &Path) -> Self {
        if path == Path::new("-") {
            return Self::Standard;
        }
        let Ok(there) = fs::metadata(path) else {
            // There may be a link to a file that is not there yet: that file is made.
            return match path.is_symlink() {
                true => Self::Through(path.to_owned()),
                false => Self::File(path.to_owned()),
            };
        };
        if is_standard_output(&there) {
            return Self::Standard;
        }
        match there.is_file() && !names_open_file(path) {
            true => Self::File(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())),
            false => Self::Through(path.to_owned()),
        }
    }

    /// Puts the text there; nothing for standard output, where `print` belongs.
    pub(super) fn write(&self, text: &str) -> Result<()> {
        match self {
            Self::Standard => Ok(print(text.as_bytes())?),
            Self::File(path) => replace(path, text),
            Self::Through(path) => {
                let place = path.display().to_string();
                let written = write_through(path, text);
                Ok(written.map_err(|cause| Undelivered { place, cause })?)
            }
        }
    }
}

/// Replaces a file as a whole, with the rights that it has. Where the folder does not allow that, the
/// file itself is written.
fn replace(path: &Path, text: &str) -> Result<()> {
    let old = fs::metadata(path).ok();
    let replaced = files::write_atomic(path, |file| {
        if let Some(old) = &old {
            file.set_permissions(old.permissions())?;
        }
        Ok(file.write_all(text.as_bytes())?)
    });
    match replaced {
        Err(error) if old.is_some() && forbids_replacing(&error) => {
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
        }
        other => other,
    }
}

/// Whether a folder takes no new file, or a file is the root of a mount.
fn forbids_replacing(error: &anyhow::Error) -> bool {
    use ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    let kind = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    matches!(
        kind.map(io::Error::kind),
        Some(PermissionDenied | ReadOnlyFilesystem | ResourceBusy | CrossesDevices)
    )
}

fn write_through(path: &Path, text: &str) -> io::Result<()> {
    let regular = fs::metadata(path).is_ok_and(|there| there.is_file());
    // What another program wrote into a file that it holds open stays.
    let mut file =
        OpenOptions::new().write(true).append(regular).create(!path.exists()).open(path)?;
    file.write_all(text.as_bytes())?;
    settle(&file)
}

/// Network disks and quotas may tell of want of room only when a file is brought to the disk.
fn settle(file: &File) -> io::Result<()> {
    match file.metadata()?.is_file().then(|| file.sync_data()) {
        Some(Err(error)) if error.kind() != ErrorKind::InvalidInput => Err(error),
        _ => Ok(()),
    }
}

fn is_standard_output(there: &Metadata) -> bool {
    let own = || File::from(io::stdout().as_fd().try_clone_to_owned()?).metadata();
    own().is_ok_and(|own| (own.dev(), own.ino()) == (there.dev(), there.ino()))
}

/// Whether a path leads through `/proc` or `/dev`, as `/dev/stderr` and `/dev/fd/63` do: then it names
/// a file that is open, of which the name in some folder is none of our business.
fn names_open_file(path: &Path) -> bool {
    let mut at = path.to_owned();
    for _ in 0..40 {
        if at.starts_with("/proc") || at.starts_with("/dev/fd") {
            return true;
        }
        let Ok(next) = fs::read_link(&at) else { return false };
        at = at.parent().map_or(next.clone(), |folder| folder.join(&next));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_and_the_file_behind_them_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("real")).unwrap();
        fs::write(at("real/a.csv"), "old").unwrap();
        symlink("real/a.csv", at("link.csv")).unwrap();
        symlink("real/new.csv", at("dangling.csv")).unwrap();
        for name in ["link.csv", "dangling.csv"] {
            Sink::of(&at(name)).write("text").unwrap();
            assert!(at(name).is_symlink(), "{name}");
            assert_eq!(fs::read_to_string(at(name)).unwrap(), "text");
        }
        assert_eq!(fs::read_dir(at("real")).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = refuse_missing_folder(&folder.path().join("none/a.csv")).unwrap_err();
        assert!(error.message.ends_with("none does not exist"), "{error}");
        assert!(error.hint.unwrap().starts_with("make it first (`mkdir -p "));
        fs::write(folder.path().join("file"), "").unwrap();
        let error = refuse_missing_folder(&folder.path().join("file/a.csv")).unwrap_err();
        assert!(error.message.ends_with("file is no folder"), "{error}");
        refuse_missing_folder(&folder.path().join("a.csv")).unwrap();
        refuse_missing_folder(Path::new("a.csv")).unwrap();
        refuse_missing_folder(Path::new("-")).unwrap();
    }

    #[test]
    fn a_device_stays_a_device_and_its_error_is_told() {
        let sink = Sink::of(Path::new("/dev/full"));
        assert_eq!(sink, Sink::Through("/dev/full".into()));
        let error = sink.write("text").unwrap_err();
        assert_eq!(error.to_string(), "/dev/full: No space left on device (os error 28)");
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
        assert_eq!(Sink::of(Path::new("-")), Sink::Standard);
    }

    #[test]
    fn a_file_that_is_open_is_written_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = File::create(&path).unwrap();
        log.write_all(b"before\n").unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&log);
        for name in [format!("/dev/fd/{number}"), format!("/proc/self/fd/{number}")] {
            Sink::of(Path::new(&name)).write("text\n").unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\ntext\ntext\n");
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_rights() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Sink::of(&path).write("new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
