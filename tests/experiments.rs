use batchscope::config::{Source, Study};
use std::fs;
use std::path::{Path, PathBuf};

fn experiments() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_experiment_resolves() {
    assert!(experiments().len() >= 5);
    for path in experiments() {
        let name = path.display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let source = Source { name, text, overrides: vec![] };
        let stem = path.file_stem().unwrap().to_string_lossy();
        let study = Study::from_source(&source, &stem).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(study.name, stem, "a study is called like its file");
    }
}

#[test]
fn every_experiment_opens_with_question_command_cost_and_expectation() {
    for path in experiments() {
        let text = fs::read_to_string(&path).unwrap();
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        let name = path.file_name().unwrap().to_string_lossy();
        for word in ["# Question:", "# Run:", "# Cost:", "# Expect:"] {
            let line = header.iter().find_map(|line| line.strip_prefix(word));
            let said = line.unwrap_or_else(|| panic!("{name} does not open with `{word}`"));
            assert!(!said.trim().is_empty(), "{name} says nothing after `{word}`");
        }
        assert!(
            header.iter().any(|line| line.contains(&format!("scripts/run experiments/{name}")))
        );
        assert!(!text.contains("TODO") && !text.contains("<measured"), "{name}");
    }
}

/// Blocks of four blanks that begin with the section `study`.
fn whole_files(text: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    let mut within = false;
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some("study:") => {
                within = true;
                files.push("study:\n".to_owned());
            }
            Some(line) if within => files.last_mut().unwrap().extend([line, "\n"]),
            _ => within = false,
        }
    }
    files.retain(|file| file.contains("\nmodel:"));
    files
}

#[test]
fn every_whole_file_in_the_pages_for_keras_users_resolves() {
    for (page, expected) in
        [("README.md", 1), ("docs/from-keras.md", 2), ("docs/experiment-files.md", 1)]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let files = whole_files(&fs::read_to_string(path).unwrap());
        assert!(files.len() >= expected, "{page} has {} whole files", files.len());
        for text in files {
            let source = Source { name: page.to_owned(), text, overrides: vec![] };
            Study::from_source(&source, "page").unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
