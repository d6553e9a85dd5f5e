//! The commands that a report names: those that go on with the study.

use serde_json::Value;
use std::path::Path;

/// Where a study comes from.
pub(super) struct Source {
    /// Its folder.
    pub(super) folder: String,
    /// The command of its last session, for all runs.
    pub(super) command: Vec<String>,
    /// The most seeds that the command adds by itself; `None` where it adds none.
    pub(super) most_seeds: Option<u64>,
}

impl Source {
    /// `most_seeds` is what its last session was allowed: `study.yaml` names the seeds that ran.
    pub(super) fn of(folder: &Path, sessions: &[Value], most_seeds: Option<u64>) -> Self {
        let words = sessions.last().and_then(|last| last["command"].as_array());
        let words = words.into_iter().flatten().filter_map(|word| word.as_str());
        let mut command: Vec<String> = words.map(String::from).collect();
        if let Some(program) = command.first_mut() {
            let name = Path::new(program.as_str()).file_name();
            *program = name.map_or("batchscope".into(), |name| name.to_string_lossy().into_owned());
        }
        Self {
            folder: folder.display().to_string(),
            command: without(&command, "--only")
                .into_iter()
                // How it was shown does not belong to the study.
                .filter(|word| !["--json", "--quiet", "-q", "--open"].contains(&word.as_str()))
                .collect(),
            most_seeds,
        }
    }

    /// The command that gets to so many seeds.
    pub(super) fn with_seeds(&self, seeds: usize) -> Vec<String> {
        let flag = match self.most_seeds {
            Some(most) if seeds as u64 <= most => return self.command.clone(),
            Some(_) => "--max-seeds",
            None => "--seeds",
        };
        let mut words = without(&self.command, flag);
        words.extend([flag.to_owned(), seeds.to_string()]);
        words
    }

    /// The command that adds seeds until the study is settled.
    pub(super) fn until_settled(&self) -> Vec<String> {
        [self.command.clone(), vec!["--until-settled".to_owned()]].concat()
    }
}

/// The words of a command but a flag and its values.
fn without(command: &[String], flag: &str) -> Vec<String> {
    let has_value =
        |word: &&String| word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='));
    let mut words = command.iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word {
            word if word == flag => _ = words.next(),
            word if has_value(&word) => {}
            word => kept.push(word.clone()),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn source(command: &str, most: Option<u64>) -> Source {
        let words: Vec<&str> = command.split(' ').collect();
        Source::of(Path::new("runs/sms"), &[json!({ "command": words })], most)
    }

    #[test]
    fn a_study_that_adds_no_seeds_is_given_as_many_as_it_needs() {
        let run =
            source("/opt/batchscope run a.yaml --seeds 3 --seeds=4 --only batch-32/seed-1", None);
        assert_eq!(run.command.join(" "), "batchscope run a.yaml --seeds 3 --seeds=4");
        assert_eq!(run.with_seeds(9).join(" "), "batchscope run a.yaml --seeds 9");
        let set = source("batchscope run a.yaml --only=batch-32 --set study.seeds=3", None);
        let more = "batchscope run a.yaml --set study.seeds=3 --seeds 9";
        assert_eq!(set.with_seeds(9).join(" "), more, "a flag stands above `--set`");
    }

    #[test]
    fn how_a_command_was_shown_is_left_out() {
        let run = source("batchscope run a.yaml --quiet --json --out runs/a --open", None);
        assert_eq!(run.command.join(" "), "batchscope run a.yaml --out runs/a");
    }

    #[test]
    fn one_that_adds_seeds_is_repeated_and_allowed_more_only_where_it_needs_them() {
        let quick = source("batchscope quick a.csv --max-seeds 12", Some(12));
        assert_eq!(quick.with_seeds(12).join(" "), "batchscope quick a.csv --max-seeds 12");
        assert_eq!(quick.with_seeds(13).join(" "), "batchscope quick a.csv --max-seeds 13");
    }
}
