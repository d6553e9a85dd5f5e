//! Which studies were named, and where the page about them lies.

use crate::error::UserError;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The name of the folder that is written beside the first study.
const FOLDER: &str = "comparison";

/// The studies in these folders, each once, in the order in which they were named; a folder that is none
/// stands for those in it, by name. What was named twice is told.
pub(super) fn named(folders: &[PathBuf]) -> (Vec<PathBuf>, Vec<String>) {
    let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut told = Vec::new();
    for folder in folders {
        let inside = if is_study(folder) { Vec::new() } else { studies_in(folder) };
        // A folder without any is read as a study, which says what is wrong with it.
        let studies = if inside.is_empty() { vec![folder.clone()] } else { inside };
        for study in studies {
            let place = fs::canonicalize(&study).unwrap_or_else(|_| study.clone());
            match found.iter().find(|(_, other)| *other == place) {
                Some((first, _)) => told.push(format!(
                    "{} is the same study as {}: it counts once",
                    study.display(),
                    first.display()
                )),
                None => found.push((study, place)),
            }
        }
    }
    (found.into_iter().map(|(study, _)| study).collect(), told)
}

fn is_study(folder: &Path) -> bool {
    folder.join("study.yaml").is_file()
}

fn studies_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut studies: Vec<PathBuf> = paths.filter(|path| is_study(path)).collect();
    studies.sort();
    studies
}

/// Where the page goes: the folder that was asked for, or one beside the first study.
pub(super) fn out(asked: Option<&Path>, first: &Path) -> Result<PathBuf, UserError> {
    let beside = || match first.components().next_back() {
        Some(Component::Normal(_)) => first.with_file_name(FOLDER),
        // Such as `.`: what stands beside it has no shorter name.
        _ => first.join("..").join(FOLDER),
    };
    let folder = asked.map_or_else(beside, Path::to_owned);
    let wrong = match (folder.exists() && !folder.is_dir(), is_study(&folder)) {
        (true, _) => "is a file",
        (_, true) => "is the folder of a study",
        _ => return Ok(folder),
    };
    Err(UserError::new(
        format!("the page that compares studies cannot go to {}: it {wrong}", folder.display()),
        "name another folder with `--out`; it need not exist yet",
    ))
}

/// The address of a file as a page in the folder `from` names it. Both must exist.
pub(super) fn link(from: &Path, to: &Path) -> Result<String> {
    let real = |path: &Path| {
        fs::canonicalize(path).with_context(|| format!("cannot find {}", path.display()))
    };
    let (from, to) = (real(from)?, real(to)?);
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| "..".to_owned());
    let down =
        to.components().skip(shared).map(|part| address(part.as_os_str().as_encoded_bytes()));
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
}

/// A name as a part of an address.
fn address(name: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let write = |byte: &u8| match plain(*byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    name.iter().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(root: &Path, name: &str) -> PathBuf {
        let folder = root.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("study.yaml"), "").unwrap();
        folder
    }

    #[test]
    fn a_parent_stands_for_its_studies_and_each_counts_once() {
        let root = tempfile::tempdir().unwrap();
        let (b, a) = (study(root.path(), "b"), study(root.path(), "a"));
        fs::create_dir(root.path().join("comparison")).unwrap();
        let (found, told) = named(&[root.path().to_owned(), b.join(".")]);
        assert_eq!(found, [a, b]);
        assert!(told.len() == 1 && told[0].contains("counts once"), "{told:?}");
        let empty = root.path().join("comparison");
        assert_eq!(named(std::slice::from_ref(&empty)).0, [empty]);
    }

    #[test]
    fn the_page_lies_beside_the_first_study_and_never_in_one() {
        let root = tempfile::tempdir().unwrap();
        let a = study(root.path(), "a");
        assert_eq!(out(None, &a).unwrap(), root.path().join("comparison"));
        assert_eq!(out(None, Path::new("runs/a")).unwrap(), Path::new("runs/comparison"));
        assert_eq!(out(None, Path::new(".")).unwrap(), Path::new("./../comparison"));
        assert!(out(Some(&a), &a).unwrap_err().message.contains("is the folder of a study"));
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(out(Some(&file), &a).unwrap_err().message.contains("is a file"));
    }

    #[test]
    fn links_are_relative_and_hold_any_name() {
        let root = tempfile::tempdir().unwrap();
        let (odd, page) = (study(root.path(), "50 %#a"), study(root.path(), "x/page"));
        let found = link(&page, &odd.join("study.yaml")).unwrap();
        assert_eq!(found, "../../50%20%25%23a/study.yaml");
    }
}
