//! The commands that a report names: those that go on with the study.

use crate::config::{Study, USUAL_MOST_SEEDS};
use crate::study;
use serde_json::Value;
use std::path::Path;

/// The most seeds that a study adds where nothing else is said.
pub(super) const CAP: usize = USUAL_MOST_SEEDS as usize;

/// Where a study comes from.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Its folder.
    pub(super) folder: String,
    /// The command of its last session, for all runs.
    pub(super) command: Vec<String>,
    /// The most seeds that the command adds by itself; `None` where it adds none.
    pub(super) most_seeds: Option<u64>,
    /// Whether targets are numbers far from a model's first outputs, and are not scaled.
    pub(super) targets_are_far: bool,
    /// Whether every arm weighs its classes.
    pub(super) is_weighted: bool,
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
            ..Self::default()
        }
    }

    /// With what is known of how the study is trained.
    pub(super) fn with_study(self, of: &Study, sessions: &[Value]) -> Self {
        let is_scaled = of.experiment.data.scale.is_some();
        Self {
            command: self.here(&of.name),
            targets_are_far: !is_scaled && sessions.last().is_some_and(study::targets_are_far),
            is_weighted: of.arms.iter().all(|arm| arm.train.class_weight.is_some()),
            ..self
        }
    }

    /// The command with the folder where the study is now: that of the last session would train a study that was
    /// moved anew, at the old place.
    fn here(&self, name: &str) -> Vec<String> {
        let (folder, mut words) = (&self.folder, self.command.clone());
        let is_flag = |word: &String| word == "--out" || word.starts_with("--out=");
        if let Some(at) = words.iter().position(is_flag) {
            match words[at] == "--out" {
                true => words[at + 1..].iter_mut().take(1).for_each(|of| of.clone_from(folder)),
                false => words[at] = format!("--out={folder}"),
            }
            return words;
        }
        let is_usual = Path::new(folder).ends_with(Path::new("runs").join(name));
        match (words.get(1).map(String::as_str), words.get(2)) {
            (Some("run"), _) if !is_usual => words.extend(["--out".to_owned(), folder.clone()]),
            (Some("work"), Some(study)) if !is_file(study) => words[2].clone_from(folder),
            _ => {}
        }
        words
    }

    /// The command that gets to so many seeds.
    pub(super) fn with_seeds(&self, seeds: usize) -> Vec<String> {
        match self.most_seeds {
            Some(most) if seeds as u64 <= most => self.command.clone(),
            Some(_) => self.until_settled(seeds),
            None => with(&self.run(), "--seeds", seeds),
        }
    }

    /// The command that adds seeds until the study is settled, so many at most; the same whichever command was
    /// the last.
    pub(super) fn until_settled(&self, most: usize) -> Vec<String> {
        const SWITCH: &str = "--until-settled";
        let mut words = self.run();
        let is_said =
            |word: &String| word.starts_with("--max-seeds") || word.starts_with("study.max_seeds=");
        let is_usual = most == CAP
            && !words.iter().any(is_said)
            && self.most_seeds.is_none_or(|before| before == CAP as u64);
        words.retain(|word| word != SWITCH);
        if words.get(1).is_none_or(|word| word != "quick") {
            words.push(SWITCH.to_owned());
        }
        if is_usual { words } else { with(&words, "--max-seeds", most) }
    }

    /// The command for one that has the study for itself: equal workers add no seeds beyond their plan.
    fn run(&self) -> Vec<String> {
        let [program, work, study, rest @ ..] = &self.command[..] else {
            return self.command.clone();
        };
        if work != "work" {
            return self.command.clone();
        }
        let mut rest = rest.to_vec();
        for flag in ["--scratch", "--beat", "--poll", "--save"] {
            rest = without(&rest, flag);
        }
        let mut words = vec![program.clone(), "run".to_owned()];
        match is_file(study) {
            true => words.push(study.clone()),
            false => words.extend([
                format!("{}/study.yaml", study.trim_end_matches('/')),
                "--out".to_owned(),
                study.clone(),
            ]),
        }
        words.extend(rest);
        words
    }
}

/// Whether a word names a study's file rather than its folder.
fn is_file(study: &str) -> bool {
    [".yaml", ".yml"].iter().any(|end| study.ends_with(end))
}

/// The words of a command with this value of a flag, in place of all others.
fn with(command: &[String], flag: &str, value: usize) -> Vec<String> {
    let mut words = without(command, flag);
    words.extend([flag.to_owned(), value.to_string()]);
    words
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
    fn a_study_that_was_moved_goes_on_where_it_is() {
        let here = |command: &str| source(command, None).here("sms").join(" ");
        for command in ["run a.yaml --out runs/sms --seeds 3", "run a.yaml", "work runs/sms"] {
            let command = format!("batchscope {command}");
            assert_eq!(here(&command), command);
        }
        let expected = "batchscope run a.yaml --out runs/sms --seeds 3";
        assert_eq!(here("batchscope run a.yaml --out /old/place --seeds 3"), expected);
        assert_eq!(here("batchscope run a.yaml --out=b"), "batchscope run a.yaml --out=runs/sms");
        assert_eq!(
            here("batchscope work /old/place --workers 2"),
            "batchscope work runs/sms --workers 2"
        );
        let renamed = source("batchscope run a.yaml", None).here("tickets").join(" ");
        assert_eq!(renamed, "batchscope run a.yaml --out runs/sms");
    }

    #[test]
    fn one_that_adds_seeds_is_repeated_and_allowed_more_only_where_it_needs_them() {
        let quick = source("batchscope quick a.csv --max-seeds 12", Some(12));
        assert_eq!(quick.with_seeds(12).join(" "), "batchscope quick a.csv --max-seeds 12");
        assert_eq!(quick.with_seeds(13).join(" "), "batchscope quick a.csv --max-seeds 13");
    }

    #[test]
    fn what_adds_seeds_until_it_is_settled_does_something_whichever_command_was_the_last() {
        let until =
            |command: &str, before, most| source(command, before).until_settled(most).join(" ");
        let run = "batchscope run a.yaml --until-settled";
        assert_eq!(until("batchscope run a.yaml", None, 40), run);
        assert_eq!(until(run, Some(40), 40), run);
        assert_eq!(until(run, Some(40), 81), format!("{run} --max-seeds 81"));
        for (command, before) in [
            ("batchscope run a.yaml --until-settled --max-seeds 4", Some(4)),
            ("batchscope run a.yaml --max-seeds=4 --until-settled", Some(4)),
            ("batchscope run a.yaml", Some(4)),
            ("batchscope run a.yaml --until-settled --max-seeds 50", Some(50)),
        ] {
            assert_eq!(until(command, before, 40), format!("{run} --max-seeds 40"), "{command}");
        }
        assert_eq!(until("batchscope quick a.csv", Some(40), 40), "batchscope quick a.csv");
        let work = "batchscope work a.yaml --scratch disk --workers 2 --set train.epochs=3";
        let expected = "batchscope run a.yaml --workers 2 --set train.epochs=3 --until-settled";
        assert_eq!(until(work, None, 40), expected);
        let folder = "batchscope run runs/a/study.yaml --out runs/a --until-settled --max-seeds 60";
        assert_eq!(until("batchscope work runs/a", None, 60), folder);
        assert_eq!(
            source("batchscope work a.yaml", None).with_seeds(5).join(" "),
            "batchscope run a.yaml --seeds 5"
        );
    }
}
