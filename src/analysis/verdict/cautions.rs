//! What to beware of, and what the study cannot show.

use super::LEAST_SEEDS;
use crate::analysis::words::{label, labels, list, percent, percent_range, points};
use crate::analysis::{ArmFinding, ArmResults, CONFIDENCE, Comparison, Results, Split};
use crate::format::count;
use crate::stats::wilson_interval;

/// The first two are what the terminal shows. With the place of what else than the batch size can be
/// behind a difference.
pub(super) fn cautions(
    results: &Results,
    comparison: &Comparison,
    recommended: Option<&ArmFinding>,
) -> (Vec<String>, usize) {
    let mut cautions = Vec::new();
    cautions.extend(seen_in_training(results));
    cautions.extend(no_better_than_guessing(results, recommended));
    cautions.extend(test_disagrees(comparison));
    let confounders_at = cautions.len();
    if results.arms.iter().any(is_still) {
        cautions.push(
            "Some arms have the same accuracy with every seed: no spread was seen, so that it \
             is taken from rounding accuracy to 1 / n alone."
                .into(),
        );
    }
    cautions.extend(other_rows(results, recommended));
    if !results.earlier_margins.is_empty() {
        let earlier: Vec<String> = results.earlier_margins.iter().map(|m| points(*m)).collect();
        cautions.push(format!(
            "The margin was changed between sessions: {} percentage points before, {} now. A margin \
             that is chosen after the results proves nothing.",
            list(&earlier),
            points(results.margin)
        ));
    }
    (cautions, confounders_at)
}

/// Rows on which models are judged that they saw, as a whole or in part, while training: nothing weighs
/// more.
fn seen_in_training(results: &Results) -> Option<String> {
    let (shared, examples) = (&results.shared, &results.examples);
    let splits = [
        (Split::Test, shared.test, examples.test),
        (Split::Validation, shared.validation, examples.validation),
    ];
    // One row in a hundred moves an accuracy by less than the margin.
    let matters = |count: usize, rows: usize| 100 * count >= rows.max(1);
    let clauses = splits.into_iter().filter_map(|(split, found, rows)| {
        let rows = rows?;
        let name = |count: usize| format!("{} of {} {split} rows", count_of(count), count_of(rows));
        if found.overlapping > 0 && matters(found.overlapping, rows) {
            return Some(format!(
                "{} share up to {} of {} time steps with a training row",
                name(found.overlapping),
                found.most_steps,
                shared.steps
            ));
        }
        let counts = found.repeated > 0 && matters(found.repeated, rows);
        counts.then(|| format!("{} equal a training row", name(found.repeated)))
    });
    let clauses: Vec<String> = clauses.collect();
    let advice = match shared.span {
        Some(span) => format!(
            " Cut the splits in the order of the file with a gap: `data.split: {{ by: order, gap: {span} \
             }}`."
        ),
        None => String::new(),
    };
    (!clauses.is_empty()).then(|| {
        format!(
            "The models saw in training what they are judged on: {}. So accuracy is higher here than on \
             new data.{advice}",
            list(&clauses)
        )
    })
}

fn count_of(rows: usize) -> String {
    count(rows as u64)
}

/// Arms that the test split shows to be better than the one that validation chose.
fn test_disagrees(comparison: &Comparison) -> Option<String> {
    if comparison.seeds.len() < LEAST_SEEDS {
        return None;
    }
    let better = |arm: &&ArmFinding| {
        let interval = arm.test_difference.and_then(|difference| difference.estimate.interval);
        arm.competes() && interval.is_some_and(|interval| interval.low > 0.0)
    };
    let better: Vec<&ArmFinding> = comparison.arms.iter().filter(better).collect();
    (!better.is_empty()).then(|| {
        format!(
            "The test split says otherwise than validation, by which {} was chosen as the most accurate: \
             there {} did better.",
            comparison.best().map_or("the best".into(), label),
            labels(&better)
        )
    })
}

/// Whether always giving the more frequent label does as well, as far as is shown.
fn no_better_than_guessing(results: &Results, recommended: Option<&ArmFinding>) -> Option<String> {
    let (share, estimate) = (results.majority?, recommended?.validation?);
    let lowest = estimate.interval.map_or(estimate.summary.mean, |interval| interval.low);
    (lowest <= share).then(|| {
        format!(
            "Not shown to have learnt anything: always giving the more frequent label is right for {} of \
             the validation rows.",
            percent(share)
        )
    })
}

/// Whether all of several seeds came to the same accuracy, on either split.
fn is_still(arm: &ArmResults) -> bool {
    let equal = |split| {
        let mut bits = arm.runs.values().map(|run| run.accuracy(split).map(f64::to_bits));
        let first = bits.next().flatten();
        first.is_some() && bits.all(|other| other == first)
    };
    arm.runs.len() > 1 && (equal(Split::Validation) || equal(Split::Test))
}

/// What other rows could have made of the test accuracy.
fn other_rows(results: &Results, recommended: Option<&ArmFinding>) -> Option<String> {
    let (test, rows) = (recommended?.test?, results.examples.test?);
    let Some(block) = results.shared.block() else {
        return Some(format!(
            "No interval for other test rows is given: the {} test rows share time steps with others, \
             and it is not known which of them belong together.",
            count_of(rows)
        ));
    };
    let interval = match test.summary.rows {
        Some(noise) => noise.interval(test.summary.mean, CONFIDENCE),
        None => wilson_interval(test.summary.mean, (rows / block).max(1), CONFIDENCE),
    };
    let blocks = match block {
        1 => String::new(),
        _ => format!(
            ", windows that share time steps with the next ones, so that {block} of them count as one"
        ),
    };
    Some(format!(
        "The test split has {} rows{blocks}: with others in their place, the test accuracy might be \
         anything from {} %, however many seeds there are.",
        count_of(rows),
        percent_range(interval)
    ))
}

/// Of which the study says nothing.
pub(super) fn not_shown(comparison: &Comparison, taken_apart: bool) -> String {
    let sizes = || comparison.arms.iter().map(|arm| arm.batch_size);
    let (smallest, largest) = (sizes().min().unwrap_or(0), sizes().max().unwrap_or(0));
    let sizes = match smallest == largest {
        true => format!("batch sizes other than {}", count(smallest as u64)),
        false => {
            format!("batch sizes outside {} to {}", count(smallest as u64), count(largest as u64))
        }
    };
    let source = match taken_apart {
        true => "",
        false => {
            "; whether a difference comes from the batch size itself or from the number of steps \
             that go with it"
        }
    };
    format!(
        "Other data, another split of these, other models and longer training; {sizes}; learning \
         rates that were not tried{source}. Seconds and memory are those of this machine with its \
         load."
    )
}
