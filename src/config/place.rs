//! Rules that are known to be broken only when the data or the machine are known: their errors have file, line and key
//! like those of the file alone.

use super::locate::KeyPath;
use super::{Arm, Study};
use crate::error::UserError;

impl Study {
    /// An error about a key of the file, such as `study.score`, with the place where it is written.
    pub fn placed(&self, key: &str, error: UserError) -> UserError {
        self.source.error(&KeyPath::parse(key), &error.message, error.hint)
    }

    /// An error about a key of an arm, such as `train.warmup`, which is written in the arm or for all arms.
    pub fn placed_in_arm(&self, arm: &Arm, key: &str, error: UserError) -> UserError {
        let named = self.experiment.study.arms.iter().flatten();
        let at = named.map(|section| section.name.as_deref()).position(|it| it == Some(&*arm.name));
        // `schedule` and others stand in an arm with or without their section.
        let short = key.split_once('.').map_or(key, |(_, rest)| rest);
        let in_arm =
            at.into_iter().flat_map(|at| [key, short].map(|key| format!("study.arms.{at}.{key}")));
        let path = in_arm.map(|path| KeyPath::parse(&path)).find(|path| self.source.has(path));
        let path = path.unwrap_or_else(|| KeyPath::parse(key));
        self.source.error(&path, &format!("arm `{}`: {}", arm.name, error.message), error.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Override, Source};

    const FILE: &str = "study:\n  arms:\n  - { name: a, batch_size: 8 }\n  - name: b\n    batch_size: 16\n    \
                        schedule: { cosine: {} }\n    model:\n      lstm: { units: 3 }\n\
                        data: { arrays: { path: a.npz } }\ntrain:\n  epochs: 3\n  schedule: constant\n";

    fn said(overrides: Vec<Override>, arm: usize, key: &str) -> String {
        let source = Source { name: "f.yaml".into(), text: FILE.into(), overrides };
        let study = Study::from_source(&source, "f").unwrap();
        study.placed_in_arm(&study.arms[arm], key, UserError::new("no", "do")).message
    }

    #[test]
    fn the_line_is_that_of_the_arm_where_it_says_so_and_else_of_all_arms() {
        let schedule = "train.schedule";
        let of_arm = "f.yaml, line 6: arm `b`: no (at `study.arms[1].schedule`)";
        assert_eq!(said(vec![], 1, schedule), of_arm);
        assert_eq!(said(vec![], 0, schedule), "f.yaml, line 12: arm `a`: no (at `train.schedule`)");
        let units = "f.yaml, line 8: arm `b`: no (at `study.arms[1].model.lstm.units`)";
        assert_eq!(said(vec![], 1, "model.lstm.units"), units);
    }

    #[test]
    fn what_nobody_wrote_has_the_line_of_its_section_and_what_was_typed_its_flag() {
        let warmup = "train.warmup";
        assert_eq!(said(vec![], 0, warmup), "f.yaml, line 10: arm `a`: no (at `train.warmup`)");
        let typed = || vec![Override::parse("train.warmup={ epochs: 1 }").unwrap()];
        assert_eq!(said(typed(), 0, warmup), "from `--set`: arm `a`: no (at `train.warmup`)");
        let in_arm = vec![Override::parse("study.arms.1.train.warmup={ epochs: 1 }").unwrap()];
        let place = "from `--set`: arm `b`: no (at `study.arms[1].train.warmup`)";
        assert_eq!(said(in_arm, 1, warmup), place);
    }
}
