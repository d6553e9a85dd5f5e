//! The answer to the study's question in a few words: what the page, `verdict.md` and the terminal
//! begin with.
//!
//! Six headlines, and no more: clearly better; no difference that matters; decided between the rest; no
//! clear winner; no reliable answer yet; no comparison yet. (One arm alone and a common target have their own.)

mod caveat;
mod next;
#[cfg(test)]
mod tests;
mod words;

use words::{as_good, first, less, price};
pub(super) use words::{cut, from_best, is_tied, long, names, result, short, standing, to_use};

use super::source::Source;
use super::words::{Scale, without_model};
use crate::analysis::{ArmFinding, Caution, Comparison, Findings, Guessing, Outcome, Results};
use crate::format::{count, counted, duration};
use crate::spec::StudyObjective;
use crate::stats::Standing;
use serde::Serialize;

/// How sure the answer is: the colour of its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The study is settled.
    Decided,
    /// They can, or something else speaks against it.
    Tentative,
    /// No arm is said to be the one to use.
    Undecided,
    /// There is no comparison.
    None,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// `Use batch size 128`
    pub headline: String,
    /// How sure it is.
    pub certainty: Certainty,
    /// The same in a few words: `decided`, `tentative: 256 undecided`.
    pub label: String,
    /// Why, in a line.
    pub reason: String,
    /// The first thing to know beside it.
    pub caveat: Option<String>,
    /// What to do next.
    pub next: Option<Next>,
}

/// A command, and what it does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Next {
    /// To type; `None` where no command helps.
    pub command: Option<String>,
    /// What it does, or what would help instead.
    pub what: String,
}

/// The answer of a study.
pub(super) fn answer(results: &Results, findings: &Findings, source: &Source) -> Answer {
    let verdict = &findings.verdict;
    let (comparison, scale) = (&findings.comparison, Scale::from(results));
    let story = Story { results, findings, comparison, scale };
    let (headline, label, reason) = story.headline();
    let why_not = reservation(findings);
    let certainty = match verdict.outcome {
        Outcome::TooFewSeeds | Outcome::NothingToCompare | Outcome::OneArm => Certainty::None,
        Outcome::Undecided if to_use(findings).is_none() && why_not.is_none() => {
            Certainty::Undecided
        }
        _ if why_not.is_some() || diverged_in_part(findings) => Certainty::Tentative,
        _ if !(verdict.settled || verdict.outcome == Outcome::ToTarget) => Certainty::Tentative,
        Outcome::ToTarget if !verdict.rivals.is_empty() => Certainty::Tentative,
        _ => Certainty::Decided,
    };
    let label = match why_not {
        Some(why) if certainty != Certainty::None => why.into(),
        _ => label,
    };
    Answer { headline, certainty, label, reason, caveat: story.caveat(), next: story.next(source) }
}

/// What keeps the answer of a study from being relied on, in the words of its label; `None` where it is no more
/// than undecided.
pub(super) fn reservation(findings: &Findings) -> Option<&'static str> {
    let diverged = findings.verdict.settled && diverged_in_part(findings);
    unreliable(findings).or(diverged.then_some(DIVERGED))
}

/// Whether no arm is named for use. What it takes to a target is measured, whatever the models learned on the way.
fn has_no_answer(findings: &Findings) -> bool {
    unreliable(findings).is_some() && findings.verdict.outcome != Outcome::ToTarget
}

/// Why no answer can be relied on, if that is so.
fn unreliable(findings: &Findings) -> Option<&'static str> {
    match guessing(findings) {
        _ if leaks(findings) => Some(LEAKS),
        Some(found) if found.is_last_value => Some(NO_BETTER_THAN_LAST),
        Some(_) => Some(NOTHING_LEARNED),
        None => None,
    }
}

/// Whether rows of validation or test are in training too.
fn leaks(findings: &Findings) -> bool {
    let mut cautions = findings.verdict.cautions.iter();
    cautions.any(|caution| matches!(caution, Caution::SeenInTraining { .. }))
}

/// Whether an arm has runs that diverged and others that did not: a lower learning rate might make
/// it the best.
fn diverged_in_part(findings: &Findings) -> bool {
    findings.comparison.arms.iter().any(|arm| arm.diverged > 0 && arm.finished > 0)
}

/// What may do as well without a model, if something may.
fn guessing(findings: &Findings) -> Option<&Guessing> {
    findings.verdict.cautions.iter().find_map(|caution| match caution {
        Caution::NoBetterThanGuessing(found) => Some(found),
        _ => None,
    })
}

const DIVERGED: &str = "tentative: some runs diverged";
const NOTHING_LEARNED: &str = "not reliable: not shown to have learned anything";
const NO_BETTER_THAN_LAST: &str = "not reliable: not shown to beat the last value";
const LEAKS: &str = "not reliable: rows leak between the splits";

/// What the answer is told from.
struct Story<'s> {
    results: &'s Results,
    findings: &'s Findings,
    comparison: &'s Comparison,
    scale: Scale,
}

impl Story<'_> {
    /// Headline, label and reason.
    fn headline(&self) -> (String, String, String) {
        let verdict = &self.findings.verdict;
        match (verdict.outcome, self.findings.recommended()) {
            (Outcome::TooFewSeeds, _) => self.too_early(),
            (Outcome::OneArm, Some(arm)) if self.comparison.is_one_left() => (
                format!("Nothing to compare {} with", long(arm)),
                "the others diverged".into(),
                format!(
                    "Runs of all other batch sizes diverged: give them lower learning rates, or tune these \
                     (`learning_rate: tuned`).{}",
                    self.without_model()
                ),
            ),
            (Outcome::OneArm, Some(arm)) => (
                format!("Nothing to compare {} with", long(arm)),
                "one arm alone".into(),
                format!("Add other batch sizes: `--batch-sizes 32,128`.{}", self.without_model()),
            ),
            (Outcome::Undecided, Some(arm)) if to_use(self.findings).is_none() => {
                self.no_clear_winner(arm)
            }
            (_, Some(arm)) if has_no_answer(self.findings) => {
                let reason =
                    format!("Apart from that the answer would be {}{}.", long(arm), self.on_rows());
                ("No reliable answer yet".into(), self.label(arm), reason + &self.without_model())
            }
            (_, Some(arm)) => {
                let label = self.label(arm);
                let reason = self.reason(arm) + &self.without_model();
                (format!("Use {}", long(arm)), label, reason)
            }
            (Outcome::ToTarget, None) => (
                "No batch size reaches the target in all of its runs".into(),
                "no answer".into(),
                "Set an easier target or train longer.".into(),
            ),
            (_, None) => (
                "Nothing to use: no arm has finished without diverging".into(),
                "no answer".into(),
                "Lower the learning rates, and name the arms otherwise or use another `--out`."
                    .into(),
            ),
        }
    }

    /// Fewer than three common seeds.
    fn too_early(&self) -> (String, String, String) {
        let sum = |of: fn(&ArmFinding) -> usize| self.comparison.arms.iter().map(of).sum::<usize>();
        let (planned, finished) = (sum(|arm| arm.planned), sum(|arm| arm.finished));
        let takes = "A comparison takes three finished seeds of each batch size; five are better.";
        match planned > finished + sum(|arm| arm.diverged) {
            true => (
                format!(
                    "{} of {} finished: no comparison yet",
                    count(finished as u64),
                    counted(planned, "run")
                ),
                "too early".into(),
                format!("{takes}{}", self.without_model()),
            ),
            false => (
                format!("No comparison with {}", counted(self.comparison.seeds.len(), "seed")),
                "too few seeds".into(),
                format!(
                    "Chance and batch size cannot be told apart yet. {takes}{}",
                    self.without_model()
                ),
            ),
        }
    }

    fn no_clear_winner(&self, best: &ArmFinding) -> (String, String, String) {
        let seeds = counted(self.comparison.seeds.len(), "seed");
        let is_open = |arm: &&ArmFinding| arm.competes() && arm.standing != Some(Standing::Out);
        let open = self.comparison.arms.iter().filter(is_open);
        let most = open.filter_map(|arm| arm.from_best.map(|i| i.high.max(-i.low)));
        let possible = match most.reduce(f64::max).filter(|most| *most < self.scale.width()) {
            Some(most) => {
                format!("; differences up to {} remain possible", self.scale.about(most))
            }
            None => "; with so few common seeds any difference remains possible".into(),
        };
        let rows = self.on_rows();
        let lead = match is_tied(self.comparison) {
            true => format!("The {} means{rows} are equal", self.scale.highest()),
            false => format!("The {} mean{rows} is that of {}", self.scale.highest(), long(best)),
        };
        (
            format!("No clear winner after {seeds}"),
            "undecided".into(),
            format!("{lead}{possible}.{}", self.without_model()),
        )
    }

    fn label(&self, chosen: &ArmFinding) -> String {
        let verdict = &self.findings.verdict;
        match verdict.outcome {
            Outcome::ClearlyBetter => {
                let by = chosen.from_best.map_or(0.0, |by| by.low);
                let clearly = if by >= self.comparison.margin { "clearly " } else { "" };
                format!("decided: {clearly}better")
            }
            Outcome::NoDifference => "decided: no difference that matters".into(),
            Outcome::Decided => "decided".into(),
            Outcome::ToTarget if verdict.rivals.is_empty() => "reaches the target first".into(),
            Outcome::ToTarget => "others may be as fast".into(),
            _ => {
                let told = [Some(Standing::Out), Some(Standing::Equivalent)];
                let others = self.comparison.arms.iter().filter(|arm| arm.place != chosen.place);
                let open: Vec<&ArmFinding> =
                    others.filter(|arm| !told.contains(&arm.standing)).collect();
                format!("tentative: {} undecided", names(&open))
            }
        }
    }

    fn reason(&self, arm: &ArmFinding) -> String {
        let (margin, rows) = (self.scale.amount(self.comparison.margin), self.on_rows());
        let best = self.comparison.best();
        let objective = self.findings.verdict.objective;
        match (self.findings.verdict.outcome, best) {
            (Outcome::ToTarget, _) => self.to_target(arm),
            (Outcome::ClearlyBetter, _) => {
                let by = arm
                    .from_best
                    .map_or(String::new(), |by| format!(" by {}", self.scale.lead(by)));
                let next =
                    if self.comparison.arms.len() > 2 { "the next best" } else { "the other" };
                format!("{} {next}{by}{rows}.", self.scale.better_than())
            }
            (Outcome::NoDifference, _) => format!(
                "{} are {}{rows} (within {margin}), and it is {}{}.",
                match self.comparison.arms.len() {
                    2 => "Both".to_owned(),
                    all => format!("All {all}"),
                },
                self.scale.equal(),
                first(objective),
                self.not_shown()
            ),
            (_, Some(best)) if !self.comparison.is_best(arm) => format!(
                "As {} as {}, the best{rows} (within {margin}){}{}.",
                self.scale.good(),
                short(best),
                self.saving(arm, best),
                self.not_shown()
            ),
            _ => {
                let others = self.comparison.equivalent().into_iter();
                let others: Vec<&ArmFinding> =
                    others.filter(|other| other.place != arm.place).collect();
                match others.is_empty() {
                    true if self.findings.verdict.settled => {
                        format!(
                            "No other can be {} by {margin} or more{rows}.",
                            self.scale.better()
                        )
                    }
                    true => format!("It has the {} mean{rows}.", self.scale.highest()),
                    false => format!(
                        "It has the {} mean{rows}; {} {} as {} (within {margin}), and none is {}.",
                        self.scale.highest(),
                        names(&others),
                        if others.len() == 1 { "is" } else { "are" },
                        self.scale.good(),
                        less(objective)
                    ),
                }
            }
        }
    }

    fn to_target(&self, arm: &ArmFinding) -> String {
        let Some(target) = &self.findings.target else { return String::new() };
        let of_arm = target.of(arm);
        let seconds = of_arm.seconds.map_or("-".into(), |seconds| duration(seconds.mean));
        let steps = of_arm.steps.map_or("-".into(), |steps| count(steps.mean.round() as u64));
        let (most, early) = match of_arm.at_first {
            0 => ("", String::new()),
            first => (
                "at most ",
                format!(
                    " {first} of {} were there when they were first measured; `train.evaluate_every` measures earlier.",
                    counted(of_arm.reached, "run")
                ),
            ),
        };
        format!(
            "Reaches {} after {most}{seconds} and {steps} steps on average{}.{early}",
            crate::report::words::target(&target.target, self.scale),
            self.not_shown()
        )
    }

    /// Arms that are not shown to take more.
    fn not_shown(&self) -> String {
        let rivals = self.findings.verdict.rivals.iter();
        let rivals: Vec<&ArmFinding> =
            rivals.map(|rival| &self.comparison.arms[rival.place]).collect();
        match (rivals.is_empty(), self.findings.verdict.objective) {
            (true, _) | (_, StudyObjective::LargestBatch) => String::new(),
            (_, objective) => {
                format!(" here, but {} may be {}", names(&rivals), as_good(objective))
            }
        }
    }

    /// `, and 20 % faster`
    fn saving(&self, arm: &ArmFinding, best: &ArmFinding) -> String {
        let objective = self.findings.verdict.objective;
        let (own, other) = (price(objective, arm), price(objective, best));
        let (Some(own), Some(other)) = (own, other) else { return String::new() };
        let saved = 100.0 * (1.0 - own / other);
        match saved >= 1.0 {
            true => format!(", and {saved:.0} % {}", less(objective)),
            false => String::new(),
        }
    }

    /// All that is said holds for these rows.
    fn on_rows(&self) -> String {
        self.results
            .examples
            .validation
            .map_or(String::new(), |rows| format!(" on these {}", counted(rows, "validation row")))
    }

    /// What needs no model scores, unless a warning says that the models are not shown to do better.
    fn without_model(&self) -> String {
        let cautions = &self.findings.verdict.cautions;
        let is_told = |caution: &Caution| {
            matches!(caution, Caution::NoBetterThanGuessing(_) | Caution::AimedElsewhere(_))
        };
        let Results { baseline, last_value, .. } = self.results;
        match without_model(self.scale, *baseline, *last_value) {
            Some(found) if !cautions.iter().any(is_told) => {
                format!(" Without a model: {found}.")
            }
            _ => String::new(),
        }
    }
}
