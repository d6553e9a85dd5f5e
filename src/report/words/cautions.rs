//! What to beware of, in sentences.

use super::{Scale, confounder};
use crate::analysis::{Caution, ClassesMissing, Guessing, OtherRows, Peak, Results, Seen, Strays};
use crate::format::{count, counted, list, list_first_few};
use crate::spec::{Metric, Task};
use std::collections::BTreeSet;

/// The sentences of a caution.
pub(in crate::report) fn caution(caution: &Caution, results: &Results) -> String {
    let scale = Scale::from(results);
    match caution {
        Caution::SeenInTraining { splits, gap, steps } => seen(splits, *gap, *steps, scale),
        Caution::ClassesMissing(found) => classes_missing(found, scale),
        Caution::NoTestScore { rows } => no_test_score(*rows, results),
        Caution::FailedRuns { planned, diverged, failed, unscored, unfinished } => {
            failed_runs(*planned, [*diverged, *failed, *unfinished, *unscored], scale)
        }
        Caution::Strays(found) => strays(found, scale),
        Caution::NoBetterThanGuessing(found) => guessing(found, results),
        Caution::AimedElsewhere(found) => aimed_elsewhere(found, results),
        Caution::Confounded(found) => {
            let said: Vec<String> = found.iter().map(confounder).collect();
            format!("Confounded: {}.", said.join("; "))
        }
        Caution::RestoredByAnother { monitors } => restored_by(monitors, results.score.name),
        Caution::FellAtTheEnd(peaks) => fell(peaks, results),
        Caution::TestDisagrees(arms) => format!(
            "The test split disagrees with validation, which chose the best: {} did better there.",
            list(arms)
        ),
        Caution::FewValidationRows { rows, noise } => format!(
            "What is said holds for these {} validation rows. Others may shift a difference by {} \
             (95 %), more than the margin of {}, however many seeds there are.",
            count(*rows as u64),
            scale.up_to(*noise),
            scale.size(results.margin)
        ),
        Caution::NoSpread if results.score.counts_rows => format!(
            "Identical scores for all seeds: the spread is taken from the resolution of {} (1 / rows).",
            scale.title()
        ),
        Caution::NoSpread => {
            "Identical scores for all seeds: nothing tells how far other seeds would lie.".into()
        }
        Caution::Reopened { seeds, recommended } => {
            let what = recommended.as_ref().map_or(String::new(), |arm| format!(" for {arm}"));
            format!(
                "After {} it was decided{what}. Seeds that are added after a look need stronger evidence, and \
                 with these it is open again.",
                counted(*seeds as usize, "seed")
            )
        }
        Caution::OtherRows(found) => other_rows(found, scale),
        Caution::MarginChanged { earlier } => {
            let earlier: Vec<String> = earlier.iter().map(|margin| scale.size(*margin)).collect();
            format!(
                "The margin was {} in earlier sessions and is {} now. A margin chosen after the \
                 results proves nothing.",
                list(&earlier),
                scale.amount(results.margin)
            )
        }
    }
}

/// Splits that have no example of some class.
fn classes_missing(found: &[ClassesMissing], scale: Scale) -> String {
    let clause = |missing: &ClassesMissing| match &missing.alone {
        Some(label) => format!("all {} rows have the label `{label}`", missing.split),
        None => {
            let names: Vec<String> =
                missing.classes.iter().map(|class| format!("`{class}`")).collect();
            let s = if names.len() == 1 { "" } else { "s" };
            format!("the {} split has no row with the label{s} {}", missing.split, list(&names))
        }
    };
    let clauses: Vec<String> = found.iter().map(clause).collect();
    format!(
        "Labels are missing: {}. The {} of such a split says nothing of them.",
        list(&clauses),
        scale.title()
    )
}

/// Where no run has a score on the test split.
fn no_test_score(rows: usize, results: &Results) -> String {
    format!(
        "{} is not defined on the {} test rows, whose {} are all the same: there is no column for it.",
        Scale::from(results).capital(),
        count(rows as u64),
        if results.score.judges(Task::Regression) { "targets" } else { "labels" }
    )
}

/// Runs that diverged, failed, are not finished or have no score.
fn failed_runs(planned: usize, counts: [usize; 4], scale: Scale) -> String {
    let without = format!("left out, since their {} is not defined", scale.title());
    let what = ["diverged", "failed", "unfinished", &without];
    let parts = counts.into_iter().zip(what).filter(|(runs, _)| *runs > 0);
    let parts: Vec<String> =
        parts.map(|(runs, what)| format!("{} {what}", count(runs as u64))).collect();
    format!("Of {}: {}.", counted(planned, "run"), list(&parts))
}

/// Where the kept epoch is the best by another metric than the score.
fn restored_by(monitors: &BTreeSet<String>, score: &str) -> String {
    let monitors: Vec<String> = monitors.iter().map(|monitor| format!("`{monitor}`")).collect();
    format!(
        "Runs keep the epoch with the best {}, and `val_{score}` decides: which batch size is best may depend \
         on that. `early_stopping: {{ monitor: val_{score} }}` watches the score.",
        list(&monitors)
    )
}

/// Arms that a sentence has room for.
const NAMED: usize = 4;

/// Runs that overfit.
fn fell(peaks: &[Peak], results: &Results) -> String {
    let scale = Scale::from(results);
    let of = |peak: &Peak| {
        format!(
            "{} from {} after epoch {} to {}",
            peak.arm,
            scale.value(peak.score),
            peak.epoch,
            scale.value(peak.end)
        )
    };
    let said: Vec<String> = peaks.iter().map(of).collect();
    format!(
        "{} {} before the end: {}. Another batch size may be best where each run keeps its best epoch: \
         `train.early_stopping: {{ monitor: val_{}, patience: 2, restore_best_weights: true }}`.",
        scale.on("Validation"),
        if scale.falls() { "rose" } else { "fell" },
        list_first_few(&said, NAMED),
        results.score.name
    )
}

/// Whether it is told above everything that can be folded.
pub(in crate::report) fn is_never_folded(caution: &Caution) -> bool {
    matches!(
        caution,
        Caution::SeenInTraining { .. }
            | Caution::ClassesMissing(_)
            | Caution::FailedRuns { .. }
            | Caution::NoBetterThanGuessing(_)
            | Caution::AimedElsewhere(_)
            | Caution::TestDisagrees(_)
            | Caution::Reopened { .. }
            | Caution::MarginChanged { .. }
    )
}

fn seen(splits: &[Seen], gap: Option<usize>, steps: usize, scale: Scale) -> String {
    let found = |seen: &Seen| match seen.overlapping {
        0 => (seen.repeated, "equal a training row".to_owned()),
        rows => {
            let most = seen.most_steps;
            (rows, format!("share up to {most} of {steps} time steps with a training row"))
        }
    };
    // What two splits have in common is said once.
    let mut clauses: Vec<(String, String)> = Vec::new();
    for seen in splits {
        let (rows, what) = found(seen);
        let of = match rows == seen.rows {
            true => format!("all {} {} rows", count(rows as u64), seen.split),
            false => {
                format!("{} of {} {} rows", count(rows as u64), count(seen.rows as u64), seen.split)
            }
        };
        match clauses.last_mut().filter(|(_, last)| *last == what) {
            Some((all, _)) => *all += &format!(" and {of}"),
            None => clauses.push((of, what)),
        }
    }
    let clauses: Vec<String> =
        clauses.into_iter().map(|(of, what)| format!("{of} {what}")).collect();
    let advice = gap.map_or(String::new(), |gap| {
        format!(
            " Split in the order of the file with a gap: `data.split: {{ by: order, gap: {gap} }}`."
        )
    });
    let worse = if scale.falls() { "higher" } else { "lower" };
    let score = scale.capital();
    format!("Rows leak: {}. {score} on new data will be {worse}.{advice}", list(&clauses))
}

/// What always giving the same answer comes to.
fn guessing(found: &Guessing, results: &Results) -> String {
    let scale = Scale::from(results);
    match found.is_last_value {
        true => format!(
            "Not shown to beat the last value of the series, with a {} of {} without a model.",
            scale.on("validation"),
            scale.value(found.score)
        ),
        false => format!("Not shown to beat {}.", one_answer(found, results)),
    }
}

/// The model that gives every row the same answer, with what it comes to.
fn one_answer(found: &Guessing, results: &Results) -> String {
    let scale = Scale::from(results);
    let value = scale.value(found.score);
    match results.score.metric {
        Metric::Accuracy => format!(
            "always predicting the majority class, which is right in {value} of the validation rows"
        ),
        _ => format!(
            "a model that gives every row the same answer, with a {} of {value}",
            scale.on("validation")
        ),
    }
}

/// The same, where the models are not trained for what the score counts.
fn aimed_elsewhere(found: &Guessing, results: &Results) -> String {
    let same = one_answer(found, results);
    let (aim, other) = match results.score.metric {
        Metric::F1 => ("F1 counts label 1 alone, and training counts all", "`balanced_accuracy`"),
        Metric::Recall => {
            ("Recall is the highest where every row is given label 1", "`balanced_accuracy`")
        }
        _ if results.score.judges(Task::Regression) => {
            ("The loss aims at another answer than the mean", "`mae`")
        }
        _ => (
            "`class_weight` makes the models aim at other shares of the labels",
            "`balanced_accuracy`",
        ),
    };
    format!(
        "Not shown to beat {same}. {aim}, so that this does not tell whether they learned something; {other} as \
         `study.score` would."
    )
}

fn strays(found: &Strays, scale: Scale) -> String {
    let Strays { arm, failed, runs, share, all, below } = found;
    let may = match failed {
        0 => format!("up to {:.0} % might (95 %)", 100.0 * share.high),
        _ => format!("{:.0} to {:.0} % may (95 %)", 100.0 * share.low, 100.0 * share.high),
    };
    let side = if scale.falls() { "above" } else { "below" };
    let others: Vec<String> = all
        .iter()
        .filter(|(of, _)| of != arm)
        .map(|(of, seed)| format!("{of}/seed-{seed}"))
        .collect();
    let others = match others.len() {
        0 => String::new(),
        1..=4 => format!(" In other arms: {}.", list(&others)),
        many => format!(" In other arms: {many} runs."),
    };
    format!(
        "{failed} of {} of {arm} failed to converge ({} {side} {}, a quarter of the way from the median run to \
         guessing); {may}.{others}",
        counted(*runs, "run"),
        scale.on("validation"),
        scale.value(*below)
    )
}

fn other_rows(found: &OtherRows, scale: Scale) -> String {
    let rows = count(found.rows as u64);
    if found.interval.is_none() && found.block.is_some() {
        return format!(
            "Sampling error of the test split ({rows} rows): not known. Intervals on the test split cover other \
             seeds alone, not other rows."
        );
    }
    let Some(interval) = found.interval else {
        return format!(
            "No interval for other test rows: the {rows} test rows share time steps, and it is not known \
             which belong together."
        );
    };
    let blocks = match (found.block, found.equal) {
        (Some(block), _) if block > 1 => format!(", of which {block} overlap and count as one"),
        (_, Some(equal)) => format!(", some of them equal, which count as {}", count(equal as u64)),
        _ => String::new(),
    };
    format!(
        "Sampling error of the test split ({rows} rows{blocks}): {} (95 %, rows alone); more seeds do \
         not reduce it.",
        scale.range_with_unit(interval)
    )
}
