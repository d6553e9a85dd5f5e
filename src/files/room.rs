//! Whether an error says that a disk takes no more, or stays away, and what to do then.
//!
//! Which file meets the full disk first is chance: a log, a checkpoint, the event files, the report. So
//! all errors of this kind are told and treated alike.

use super::away::{is_away, is_given_up};
use std::io::{self, ErrorKind};

/// Why a disk takes no more. Nothing is wrong with what was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// It is full, or the user's share of it is.
    Full,
    /// It can be read only.
    ReadOnly,
    /// The file would exceed the limit of the process or of the file system.
    FileTooLarge,
    /// Its file system fails or is away, and stayed so.
    Away,
}

impl NoRoom {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Full => {
                "free space on that disk (`df -h` shows how full it is; with a quota, `quota`), and \
                 repeat the command: what is finished is kept"
            }
            Self::ReadOnly => {
                "the disk can only be read: mount it for writing or name a folder elsewhere, and \
                 repeat the command: what is finished is kept"
            }
            Self::FileTooLarge => {
                "raise the limit of file sizes (`ulimit -f` shows it), and repeat the command: what is \
                 finished is kept"
            }
            Self::Away => {
                "see whether the network and the file server are well (`df` and `ls` of that folder), or \
                 the disk (`dmesg`), and repeat the command: what is finished is kept"
            }
        }
    }
}

/// Whether an error says that, at whatever depth.
pub fn no_room(error: &anyhow::Error) -> Option<NoRoom> {
    let mut errors = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    errors.find_map(|error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(NoRoom::Full),
        ErrorKind::ReadOnlyFilesystem => Some(NoRoom::ReadOnly),
        ErrorKind::FileTooLarge => Some(NoRoom::FileTooLarge),
        _ if is_away(error) || is_given_up(error) => Some(NoRoom::Away),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use std::fs;
    use std::io::Write;

    #[test]
    fn a_full_disk_is_known_at_any_depth_and_other_errors_are_not() {
        let of = |number: i32| {
            let failed: io::Result<()> = Err(io::Error::from_raw_os_error(number));
            no_room(&failed.context("cannot append").context("the run").unwrap_err())
        };
        assert_eq!([libc::ENOSPC, libc::EDQUOT].map(of), [Some(NoRoom::Full); 2]);
        assert_eq!(of(libc::EROFS), Some(NoRoom::ReadOnly));
        assert_eq!(of(libc::EFBIG), Some(NoRoom::FileTooLarge));
        assert_eq!([libc::EIO, libc::ESTALE].map(of), [Some(NoRoom::Away); 2]);
        assert_eq!([libc::EACCES, libc::ENOENT].map(of), [None; 2]);
        assert_eq!(no_room(&anyhow::anyhow!("No space left on device")), None);
        // As the standard library says it of a device that is always full.
        let mut full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = full.write_all(b"x").unwrap_err();
        assert_eq!(no_room(&error.into()), Some(NoRoom::Full));
    }
}
