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
