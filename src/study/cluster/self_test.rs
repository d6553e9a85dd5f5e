//! Whether a file system does what several workers need, tried out at the start.
//!
//! One machine cannot prove what two see of each other: `scripts/cluster_test --folder DIR` on two hosts does.

use super::claims::{is_taken, lacks_links};
use crate::error::UserError;
use crate::files::{listed, patiently};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Tries links, new files, renames and lists in a new folder below `work`, and removes it.
///
/// # Errors
/// What is missing, and on which file system.
pub(super) fn test(work: &Path, id: &str) -> Result<(), UserError> {
    let folder = work.join(format!("test-{id}"));
    let made = patiently(&folder, || fs::create_dir_all(&folder));
    let tried = made.map_err(|error| said("no folder can be made", &error));
    let tried = tried.and_then(|()| try_all(&folder));
    // What stays does no harm.
    fs::remove_dir_all(&folder).ok();
    tried.map_err(|what| {
        UserError::new(
            format!(
                "several workers cannot share {}: {what} (file system: {})",
                work.parent().unwrap_or(work).display(),
                kind(work)
            ),
            "use a folder on a file system that all machines share, such as NFS, Lustre, GPFS or CephFS; \
             on one machine `batchscope run` needs none of this",
        )
    })
}

fn said(what: &str, error: &io::Error) -> String {
    format!("{what}: {error}")
}

fn try_all(folder: &Path) -> Result<(), String> {
    let at = |name: &str| folder.join(name);
    let written = patiently(folder, || fs::write(at("file"), "1"));
    written.map_err(|error| said("no file can be written", &error))?;
    match fs::hard_link(at("file"), at("link")) {
        Err(error) if lacks_links(&error) => {}
        Err(error) => return Err(said("no file can be given a second name (link)", &error)),
        Ok(()) => refused(
            fs::hard_link(at("file"), at("link")),
            |error| error.kind() == ErrorKind::AlreadyExists,
            "a second name (link) can be taken twice",
        )?,
    }
    let create = || OpenOptions::new().write(true).create_new(true).open(at("new")).map(drop);
    create().map_err(|error| said("no new file can be made (O_EXCL)", &error))?;
    let exists = |error: &io::Error| error.kind() == ErrorKind::AlreadyExists;
    refused(create(), exists, "a new file can be made twice (O_EXCL)")?;
    for name in ["one", "two"] {
        let made = fs::create_dir(at(name)).and_then(|()| fs::write(at(name).join("file"), name));
        made.map_err(|error| said("no folder can be filled", &error))?;
    }
    let moved = fs::rename(at("one"), at("place"));
    moved.map_err(|error| said("no folder can be renamed", &error))?;
    let onto = fs::rename(at("two"), at("place"));
    refused(onto, is_taken, "a folder that is not empty can be replaced (rename)")?;
    let names = listed(folder).map_err(|error| format!("{error:#}"))?;
    let missing = ["file", "new", "place", "two"].into_iter().find(|name| !names.contains(*name));
    missing.map_or(Ok(()), |name| Err(format!("a list of a folder lacks `{name}`, which is there")))
}

fn refused(
    result: io::Result<()>,
    as_it_should: impl Fn(&io::Error) -> bool,
    what: &str,
) -> Result<(), String> {
    match result {
        Ok(()) => Err(what.to_owned()),
        Err(error) if as_it_should(&error) => Ok(()),
        Err(error) => Err(said(what, &error)),
    }
}

/// The name of the file system that a folder is on, as Linux gives it.
fn kind(folder: &Path) -> String {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let on = mounts.filter(|(place, _)| folder.starts_with(place));
    on.max_by_key(|(place, _)| place.len()).map_or("unknown".into(), |(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_disk_passes_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        test(folder.path(), "me").unwrap();
        assert_eq!(listed(folder.path()).unwrap().len(), 0);
        assert_ne!(kind(folder.path()), "unknown");
    }

    #[test]
    fn what_is_missing_is_named_with_the_file_system() {
        let error = test(Path::new("/proc"), "me").unwrap_err();
        assert!(error.message.contains("no folder can be made"), "{error}");
        assert!(error.message.ends_with("(file system: proc)"), "{error}");
        let yes = |_: &io::Error| true;
        assert_eq!(refused(Ok(()), yes, "twice").unwrap_err(), "twice");
        assert!(refused(Err(ErrorKind::Other.into()), |_| false, "odd").is_err());
    }
}
