//! The arms, and the arms against the best of them.

use super::{Row, csv, number, word};
use crate::analysis::{ArmFinding, ArmTarget, Difference};
use crate::report::Report;
use crate::stats::Summary;
use anyhow::Result;

/// `arms.csv`: one row an arm.
pub(in crate::report) fn arms(report: &Report) -> Result<String> {
    let targets = report.findings.target.iter().flat_map(|target| &target.arms);
    let targets: Vec<&ArmTarget> = targets.collect();
    let row = |arm: &ArmFinding| {
        let reached = targets.iter().find(|target| target.name == arm.name);
        let mean = |of: fn(&ArmTarget) -> Option<Summary>| {
            number(reached.and_then(|target| of(target)).map(|summary| summary.mean))
        };
        let mut row = Row::default();
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
        row.number("seconds_per_step", arm.seconds_per_step.map(|step| step.mean));
        row.text("peak_memory", arm.peak_memory);
        let target = report.findings.target.as_ref().map(|target| &target.target);
        row.text("target_metric", target.map_or("", |target| &target.metric));
        row.number("target", target.map(|target| target.value));
        let count = |of: fn(&ArmTarget) -> usize| {
            reached.map_or(String::new(), |target| of(target).to_string())
        };
        row.text("runs_reaching_target", count(|target| target.reached));
        row.text("runs_there_at_first_measurement", count(|target| target.at_first));
        row.text("steps_to_target", mean(|target| target.steps));
        row.text("examples_to_target", mean(|target| target.examples));
        row.text("seconds_to_target", mean(|target| target.seconds));
        row
    };
    csv(report.findings.comparison.arms.iter().map(row))
}

/// `comparisons.csv`: one row an arm that was compared with the best, and split.
pub(in crate::report) fn comparisons(report: &Report) -> Result<String> {
    let best = report.findings.comparison.best().map_or("", |best| best.name.as_str());
    let row = |arm: &ArmFinding, split: &str, difference: &Difference| {
        let mut row = Row::default();
        row.text("arm", &arm.name);
        row.text("best", best);
        row.text("split", split);
        row.estimate("difference", Some(&difference.estimate));
        row.over_seeds(&difference.estimate);
        let summary = &difference.estimate.summary;
        row.number("lower_bound_95", summary.lower_bound(0.95));
        row.number("upper_bound_95", summary.upper_bound(0.95));
        row.text("margin", report.findings.comparison.margin);
        row.number("p", difference.p);
        row.number("p_holm", difference.p_holm);
        row.number("p_sign_flip", difference.p_sign_flip);
        row.number("p_equivalence", difference.p_equivalence);
        // Decisions are made on validation alone.
        let decides = split == "validation";
        let standing = arm.standing.filter(|_| decides).map(|standing| word(&standing));
        row.text("standing", standing.unwrap_or_default());
        let may = arm.may_be_best.filter(|_| decides).map(|may| may.to_string());
        row.text("may_be_best", may.unwrap_or_default());
        let needed = arm.seeds_needed.filter(|_| decides).map(|seeds| seeds.to_string());
        row.text("seeds_needed", needed.unwrap_or_default());
        row
    };
    let rows = report.findings.comparison.arms.iter().flat_map(|arm| {
        let splits = [("validation", &arm.difference), ("test", &arm.test_difference)];
        let found = splits.map(|(split, found)| found.as_ref().map(|d| row(arm, split, d)));
        found.into_iter().flatten()
    });
    csv(rows)
}
