//! What to do next: a command, or what would help where no command does.

use super::{Next, Story, guessing, leaks};
use crate::analysis::{ArmFinding, Caution, MoreSeeds, Outcome, Rate};
use crate::format::{command, count, duration};
use crate::report::source::{CAP, Source};
use crate::report::words::Scale;
use crate::spec::Task;
use crate::stats::Standing;

/// As many seeds of each arm make a first comparison.
const FIRST_SEEDS: usize = 5;

impl Story<'_> {
    /// What to do now.
    pub(super) fn next(&self, source: &Source) -> Option<Next> {
        let verdict = &self.findings.verdict;
        if leaks(self.findings) && !matches!(verdict.outcome, Outcome::TooFewSeeds) {
            let what = "Change the split first: more seeds do not help.";
            return Some(Next { command: None, what: what.into() });
        }
        if guessing(self.findings).is_some() && !matches!(verdict.outcome, Outcome::TooFewSeeds) {
            return Some(Next { command: None, what: self.learn_first(source) });
        }
        match (verdict.outcome, verdict.more) {
            (Outcome::TooFewSeeds | Outcome::Undecided, _) if self.is_unfinished() => {
                Some(self.rest(source))
            }
            (Outcome::TooFewSeeds, _) => Some(Next {
                command: Some(command(&source.with_seeds(FIRST_SEEDS))),
                what: format!("adds seeds{}", self.training(FIRST_SEEDS)),
            }),
            (Outcome::Undecided, Some(more)) => Some(self.more(more, source)),
            (Outcome::Undecided, None) => Some(self.without_number(source)),
            (Outcome::NothingToCompare | Outcome::OneArm, _) => None,
            _ => {
                let export = ["batchscope", "export", &source.folder, "--format", "keras"];
                Some(Next {
                    command: Some(command(&export)),
                    what: "writes the recommended model".into(),
                })
            }
        }
    }

    /// What may make a model learn that did not, but for what it has already.
    fn learn_first(&self, source: &Source) -> String {
        let is_of_numbers = self.results.score.judges(Task::Regression);
        if is_of_numbers && source.targets_are_far {
            return "Let the model learn first: write `scale: standard` under `data`, since the targets are far \
                    from what its outputs begin with."
                .into();
        }
        let all_tuned = self.results.arms.iter().all(|arm| arm.rate == Rate::Tuned);
        let ways = [
            Some("train longer"),
            (!all_tuned).then_some("tune the learning rate"),
            (!is_of_numbers && !source.is_weighted)
                .then_some("weigh a rare label (`class_weight`)"),
            (all_tuned && (is_of_numbers || source.is_weighted)).then_some("change the model"),
        ];
        let ways: Vec<&str> = ways.into_iter().flatten().collect();
        let ways = match &ways[..] {
            [one] => (*one).to_owned(),
            [first, last] => format!("{first}, or {last}"),
            [first @ .., last] => format!("{}, or {last}", first.join(", ")),
            [] => String::new(),
        };
        format!("Let the model learn first: {ways}.")
    }

    /// The runs that are not finished.
    fn rest(&self, source: &Source) -> Next {
        let arms = self.comparison.arms.iter();
        let left = |arm: &ArmFinding| arm.planned.saturating_sub(arm.finished + arm.diverged);
        let time = arms.map(|arm| Some((left(arm), arm.seconds.map(|seconds| seconds.mean))));
        let time = time.map(|of| match of? {
            (0, _) => Some(0.0),
            (runs, seconds) => Some(runs as f64 * seconds?),
        });
        let time: Option<f64> = time.sum();
        let time = time.map_or(String::new(), |time| format!(": {} of training", duration(time)));
        Next { command: Some(command(&source.command)), what: format!("trains the rest{time}") }
    }

    /// `, 12 s of training`: up to so many seeds of the arms that are not out; nothing where that is not known.
    fn training(&self, seeds: usize) -> String {
        let arms = self.comparison.arms.iter();
        let arms = arms.filter(|arm| arm.diverged == 0 && arm.standing != Some(Standing::Out));
        let time = arms.map(|arm| {
            let more = seeds.saturating_sub(arm.finished) as f64;
            Some(more * arm.seconds?.mean)
        });
        let time: Option<f64> = time.sum();
        time.map_or(String::new(), |time| format!(", {} of training", duration(time)))
    }

    /// The seeds that settle it. It may be settled at any number of them.
    fn more(&self, more: MoreSeeds, source: &Source) -> Next {
        let time = duration(more.seconds);
        Next {
            command: Some(command(&source.until_settled(more.seeds.max(CAP)))),
            what: format!(
                "adds seeds until it is settled; {} are enough in 80 of 100 cases if the batch sizes are equally \
                 good, {time} of training",
                count(more.seeds as u64)
            ),
        }
    }

    /// Where equally good sizes would take more seeds than are feasible.
    fn without_number(&self, source: &Source) -> Next {
        let seeds = self.comparison.seeds.len();
        if self.few_rows().is_some() || seeds >= CAP {
            return Next { command: None, what: self.instead() };
        }
        Next {
            command: Some(command(&source.until_settled(CAP))),
            what: format!(
                "adds up to {CAP} seeds{}. If the sizes are equally good, {CAP} will not be enough; a larger margin \
                 or more validation rows would help.",
                self.training(CAP)
            ),
        }
    }

    /// How many validation rows there are, and how far others would move a difference, if that is more than the
    /// margin.
    fn few_rows(&self) -> Option<(usize, f64)> {
        self.findings.verdict.cautions.iter().find_map(|caution| match caution {
            Caution::FewValidationRows { rows, noise } => Some((*rows, *noise)),
            _ => None,
        })
    }

    fn is_unfinished(&self) -> bool {
        let failed = self.findings.verdict.cautions.iter().find_map(|caution| match caution {
            Caution::FailedRuns { unfinished, .. } => Some(*unfinished),
            _ => None,
        });
        failed.is_some_and(|unfinished| unfinished > 0)
    }

    /// What helps where no feasible number of seeds does.
    fn instead(&self) -> String {
        let restores = self.results.arms.iter().all(|arm| arm.facts.restored_by.is_some());
        let restore = match restores {
            true => "",
            false => " `early_stopping` with `restore_best_weights` may help too.",
        };
        let why = match self.few_rows() {
            Some((rows, noise)) => {
                let scale = Scale::from(self.results);
                format!(
                    "With {} validation rows a difference is uncertain by up to {}, more than the margin of {}, \
                     however many seeds there are",
                    count(rows as u64),
                    scale.up_to(noise),
                    scale.amount(self.comparison.margin)
                )
            }
            None => {
                "If they are equally good, showing it takes more than 100 seeds or a day".into()
            }
        };
        let strays = self.findings.verdict.cautions.iter().find_map(|caution| match caution {
            Caution::Strays(strays) => strays.all.first(),
            _ => None,
        });
        let stray = strays.map_or(String::new(), |(arm, seed)| {
            format!("Look at {arm}/seed-{seed}, which failed to converge. ")
        });
        format!(
            "{stray}{why}: more validation rows would help, or a larger margin for a new study.{restore}"
        )
    }
}
