//! The arms, and the arms against the best of them.

use super::{Row, csv, word};
use crate::analysis::{
    ArmFinding, ArmTarget, CONFIDENCE, Comparison, Difference, Results, TargetFinding,
};
use crate::report::{Report, words};
use crate::stats::Summary;
use anyhow::Result;

/// `arms.csv`: one row an arm of each group in which it was compared, the group of the verdict first.
pub(in crate::report) fn arms(results: &Results, report: &Report) -> Result<String> {
    let groups = report.findings.groups();
    csv(groups.flat_map(|of| {
        let row = move |arm| arm_row(results, words::way(of.way), arm, of.target);
        of.comparison.arms.iter().map(row)
    }))
}

fn arm_row(
    results: &Results,
    group: &str,
    arm: &ArmFinding,
    target: Option<&TargetFinding>,
) -> Row {
    let mut row = Row::default();
    row.text("group", group);
    row.text("arm", &arm.name);
    row.text("batch_size", arm.batch_size);
    row.text("learning_rate", arm.learning_rate);
    row.text("role", word(&arm.role));
    row.text("runs_planned", arm.planned);
    row.text("runs_finished", arm.finished);
    row.text("runs_diverged", arm.diverged);
    row.estimate("validation_accuracy", arm.validation.as_ref());
    row.estimate("test_accuracy", arm.test.as_ref());
    row.iqm("validation_accuracy_iqm", arm.validation_iqm.as_ref());
    row.iqm("test_accuracy_iqm", arm.test_iqm.as_ref());
    row.number("steps", arm.steps.map(|steps| steps.mean));
    row.number("examples", arm.examples.map(|examples| examples.mean));
    row.number("seconds", arm.seconds.map(|seconds| seconds.mean));
    row.number("seconds_sd", arm.seconds.and_then(|seconds| seconds.sd));
    row.number("examples_per_second", arm.examples_per_second.map(|speed| speed.mean));
    row.number("seconds_per_step", arm.seconds_per_step.map(|step| step.mean));
    row.text("peak_memory", arm.peak_memory);
    row.text("target_metric", target.map_or("", |target| &target.target.metric));
    row.number("target", target.map(|target| target.target.value));
    let reached = target.and_then(|target| target.arm(&arm.name));
    to_target(&mut row, results, reached);
    row
}

/// What it took to reach the target.
fn to_target(row: &mut Row, results: &Results, reached: Option<&ArmTarget>) {
    let runs = |of: fn(&ArmTarget) -> usize| {
        reached.map_or(String::new(), |target| of(target).to_string())
    };
    row.text("runs_reaching_target", runs(|target| target.reached));
    row.text("runs_there_at_first_measurement", runs(|target| target.at_first));
    let mean =
        |of: fn(&ArmTarget) -> Option<Summary>| reached.and_then(of).map(|summary| summary.mean);
    row.number("steps_to_target", mean(|target| target.steps));
    let steps = reached.and_then(|target| target.steps);
    row.interval("steps_to_target", steps.and_then(|steps| steps.interval(CONFIDENCE)));
    row.number("examples_to_target", mean(|target| target.examples));
    let examples = mean(|target| target.examples);
    row.number("epochs_to_target", examples.and_then(|examples| results.examples.epochs(examples)));
    row.number("seconds_to_target", mean(|target| target.seconds));
}

/// `comparisons.csv`: one row an arm that was compared with the best of its group, and split.
pub(in crate::report) fn comparisons(report: &Report) -> Result<String> {
    let groups = report.findings.groups();
    csv(groups.flat_map(|of| compared(words::way(of.way), of.comparison)))
}

fn compared<'c>(group: &'c str, comparison: &'c Comparison) -> impl Iterator<Item = Row> + 'c {
    let best = comparison.best().map_or("", |best| best.name.as_str());
    let row = move |arm: &ArmFinding, split: &str, difference: &Difference| {
        let mut row = Row::default();
        row.text("group", group);
        row.text("arm", &arm.name);
        row.text("best", best);
        row.text("split", split);
        row.estimate("difference", Some(&difference.estimate));
        row.over_seeds(&difference.estimate);
        let summary = &difference.estimate.summary;
        row.number("lower_bound_95", summary.lower_bound(0.95));
        row.number("upper_bound_95", summary.upper_bound(0.95));
        row.text("margin", comparison.margin);
        row.number("p", difference.p);
        row.number("p_worse", arm.p_worse.filter(|_| split == "validation"));
        row.number("p_sign_flip", difference.p_sign_flip);
        row.number("p_equivalence", difference.p_equivalence);
        // Decisions are made on validation alone.
        let decides = split == "validation";
        let standing = arm.standing.filter(|_| decides).map(|standing| word(&standing));
        row.text("standing", standing.unwrap_or_default());
        row.interval("from_best", arm.from_best.filter(|_| decides));
        let may = arm.may_be_best().filter(|_| decides).map(|may| may.to_string());
        row.text("may_be_best", may.unwrap_or_default());
        let needed = arm.seeds_needed.filter(|_| decides).map(|seeds| seeds.to_string());
        row.text("seeds_needed", needed.unwrap_or_default());
        row
    };
    comparison.arms.iter().flat_map(move |arm| {
        let splits = [("validation", &arm.difference), ("test", &arm.test_difference)];
        let found = splits.map(|(split, found)| found.as_ref().map(|d| row(arm, split, d)));
        found.into_iter().flatten()
    })
}
