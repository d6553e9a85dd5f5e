//! The rules of ARCHITECTURE.md that a test can check.

use std::fs;
use std::path::{Path, PathBuf};

/// A module and the modules of this crate that it may name.
const MAY_IMPORT: [(&str, &[&str]); 17] = [
    (
        "cli",
        &[
            "report", "analysis", "study", "export", "train", "data", "kernels", "stats", "config",
            "files", "format", "error",
        ],
    ),
    (
        "report",
        &[
            "study", "analysis", "stats", "train", "probe", "events", "config", "files", "format",
            "rng", "error",
        ],
    ),
    ("analysis", &["stats", "format"]),
    (
        "study",
        &[
            "train", "probe", "model", "data", "kernels", "stats", "events", "config", "files",
            "format", "rng", "error",
        ],
    ),
    ("probe", &["train", "model", "kernels", "stats", "config", "rng"]),
    ("export", &["model", "kernels", "files"]),
    ("train", &["model", "kernels", "config", "files", "rng"]),
    ("model", &["kernels", "config", "files", "rng", "error"]),
    ("data", &["kernels", "config", "files", "rng", "error"]),
    ("config", &["error"]),
    ("kernels", &[]),
    ("stats", &[]),
    ("events", &[]),
    ("rng", &[]),
    ("files", &[]),
    ("format", &[]),
    ("error", &[]),
];

fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
                let module = first.trim_end_matches(".rs").to_owned();
                let text = fs::read_to_string(&path).unwrap();
                found.push((module, path, text));
            }
        }
    }
    found
}

/// The part of a file before its unit tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

/// Names of this crate's modules that a file uses: `crate::a`, and the `a` and `b` of
/// `crate::{a::{x, y}, b}`.
fn imports(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = |text: &str| text.split(|c| !is_name(c)).next().unwrap().to_owned();
    let mut names = Vec::new();
    for rest in code(text).split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            names.push(name(rest));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    names.push(name(group[start..at].trim_start()));
                    start = at + 1;
                }
                _ => {}
            }
            if c == '}' && start == at + 1 {
                break;
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn imports_of_groups_within_groups_are_read() {
    let text =
        "use crate::{a::{b, c}, d, e::f};\nuse crate::g::h; let x = crate::i::J { k: 1, l };";
    assert_eq!(imports(text), ["a", "d", "e", "g", "i"]);
}

#[test]
fn imports_flow_one_way() {
    let mut checked = 0;
    for (module, path, text) in sources() {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            assert!(["main", "lib"].contains(&module.as_str()), "`{module}` is not in the table");
            continue;
        };
        for import in imports(&text) {
            let fine = import == module || allowed.contains(&import.as_str());
            assert!(fine, "{}: `{module}` may not import `{import}`", path.display());
            checked += 1;
        }
    }
    assert!(checked > 50, "the test reads nothing");
}

#[test]
fn only_the_command_line_prints_reads_the_environment_and_exits() {
    let words = [
        "println!",
        "eprint",
        "print!",
        "stdout()",
        "stderr()",
        "process::exit",
        "env::var",
        "env::args",
        "is_terminal",
    ];
    for (module, path, text) in sources() {
        for word in words {
            let found = code(&text).contains(word);
            assert!(!found || module == "cli", "{}: `{word}` outside cli", path.display());
        }
    }
}

#[test]
fn unsafe_code_stands_in_the_kernels_and_in_the_mapped_file_reader_only() {
    for (module, path, text) in sources() {
        let allowed = module == "kernels" || path.ends_with("data/dataset.rs");
        assert!(allowed || !code(&text).contains("unsafe"), "{}", path.display());
    }
}

#[test]
fn files_stay_short_enough_to_be_read() {
    for (_, path, text) in sources() {
        let lines = code(&text).lines().count();
        assert!(lines <= 420, "{} has {lines} lines before its tests", path.display());
    }
}
