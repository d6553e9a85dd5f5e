//! What to do next: a command, or what would help where no command does.

use super::{Next, Story};
use crate::analysis::{Caution, Guessing, Looks, MoreSeeds, Outcome};
use crate::format::{command, count, counted, duration};
use crate::report::source::Source;
use crate::spec::Task;

impl Story<'_> {
    /// What to do now.
    pub(super) fn next(&self, source: &Source) -> Option<Next> {
        let verdict = &self.findings.verdict;
        let with = |seeds: usize| Some(command(&source.with_seeds(seeds)));
        if self.leaks() && !matches!(verdict.outcome, Outcome::TooFewSeeds) {
            let what =
                "Change the split first: more seeds tell nothing about new data while rows leak.";
            return Some(Next { command: None, what: what.into() });
        }
        if self.guessing().is_some() && !matches!(verdict.outcome, Outcome::TooFewSeeds) {
            let what = match self.results.score.judges(Task::Regression) {
                true => "Let the model learn first: train longer, or tune the learning rate.",
                false => {
                    "Let the model learn first: train longer, tune the learning rate, or weigh a rare label \
                     (`class_weight`)."
                }
            };
            return Some(Next { command: None, what: what.into() });
        }
        match (verdict.outcome, verdict.more) {
            (Outcome::TooFewSeeds, _) => {
                let unfinished = verdict.cautions.iter().any(
                    |c| matches!(c, Caution::FailedRuns { unfinished, .. } if *unfinished > 0),
                );
                Some(match unfinished {
                    true => Next {
                        command: Some(command(&source.command)),
                        what: "trains the rest".into(),
                    },
                    false => Next { command: with(5), what: "adds seeds".into() },
                })
            }
            (Outcome::Undecided, Some(more)) => Some(self.more(more, source)),
            (Outcome::Undecided, None) if source.most_seeds.is_some() || self.is_unfinished() => {
                Some(Next { command: None, what: self.instead() })
            }
            (Outcome::Undecided, None) => Some(Next {
                command: Some(command(&source.until_settled())),
                what: "adds seeds until it is settled; if they are equally good, that may take more than \
                       100"
                    .into(),
            }),
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

    /// The seeds that settle it.
    fn more(&self, more: MoreSeeds, source: &Source) -> Next {
        let time = duration(more.seconds);
        match self.comparison.looks {
            Looks::Once => Next {
                command: Some(command(&source.with_seeds(more.seeds))),
                what: format!(
                    "trains {} in all, enough in 80 of 100 cases if the batch sizes are equally good; {time} of \
                     training",
                    counted(more.seeds, "seed")
                ),
            },
            // Looked at more than once, it may be settled at any number of seeds: as many as equal ones need
            // are not planned.
            Looks::SeedsAdded | Looks::UntilSettled => Next {
                command: Some(command(&source.until_settled())),
                what: format!(
                    "adds seeds until it is settled; {} are enough in 80 of 100 cases if the batch sizes are \
                     equally good, {time} of training",
                    count(more.seeds as u64)
                ),
            },
        }
    }

    /// What may do as well without a model, if something may.
    pub(super) fn guessing(&self) -> Option<&Guessing> {
        self.findings.verdict.cautions.iter().find_map(|caution| match caution {
            Caution::NoBetterThanGuessing(found) => Some(found),
            _ => None,
        })
    }

    pub(super) fn leaks(&self) -> bool {
        let mut cautions = self.findings.verdict.cautions.iter();
        cautions.any(|caution| matches!(caution, Caution::SeenInTraining { .. }))
    }

    fn is_unfinished(&self) -> bool {
        let arms = self.comparison.arms.iter();
        arms.clone().any(|arm| arm.finished + arm.diverged < arm.planned)
    }

    /// What helps where no feasible number of seeds does.
    fn instead(&self) -> String {
        if self.is_unfinished() {
            return "Finish all runs first; the same command goes on with them.".into();
        }
        let strays = self.findings.verdict.cautions.iter().find_map(|caution| match caution {
            Caution::Strays(strays) => strays.all.first(),
            _ => None,
        });
        let stray = strays.map_or(String::new(), |(arm, seed)| {
            format!(" Look at {arm}/seed-{seed} first, which failed to converge.")
        });
        format!(
            "If they are equal, showing it takes more than 100 seeds or a day. `early_stopping` with \
             `restore_best_weights` or more validation rows would help.{stray}"
        )
    }
}
