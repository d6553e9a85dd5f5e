//! Several studies: one row a study, and one row an arm of each.

use super::{Row, csv, word};
use crate::analysis::{ArmFinding, Estimate, Examples, Outcome, TradeOff};
use anyhow::Result;

/// What the table says of a study.
pub(in crate::report) struct StudyRow {
    /// Its name.
    pub(in crate::report) study: String,
    /// The address of its report, from the page about all of them.
    pub(in crate::report) report: String,
    /// The hash of its data.
    pub(in crate::report) data: String,
    /// Of the training, validation and test splits.
    pub(in crate::report) examples: Examples,
    /// In accuracy.
    pub(in crate::report) margin: f64,
    /// On which its arms were compared.
    pub(in crate::report) seeds: usize,
    /// In a word.
    pub(in crate::report) outcome: Outcome,
    /// The most accurate batch size on validation.
    pub(in crate::report) best: Option<usize>,
    /// Batch sizes that may be the best, if the study tells.
    pub(in crate::report) may_be_best: Option<Vec<usize>>,
    /// Name, batch size and learning rate of the arm to use.
    pub(in crate::report) to_use: Option<(String, usize, f64)>,
    /// Of the arm to use.
    pub(in crate::report) validation: Option<Estimate>,
    /// Of the arm to use.
    pub(in crate::report) test: Option<Estimate>,
    /// In words.
    pub(in crate::report) learning_rate: String,
    /// With the critical batch size, where it is known.
    pub(in crate::report) critical: Option<TradeOff>,
}

/// `studies.csv`
pub(in crate::report) fn studies(rows: impl Iterator<Item = StudyRow>) -> Result<String> {
    let whole = |value: Option<usize>| value.map_or(String::new(), |value| value.to_string());
    csv(rows.map(|of| {
        let mut row = Row::default();
        row.text("study", &of.study);
        row.text("report", &of.report);
        row.text("data", &of.data);
        let splits = ["training_examples", "validation_examples", "test_examples"];
        let Examples { train, validation, test } = of.examples;
        for (name, examples) in splits.into_iter().zip([train, validation, test]) {
            row.text(name, whole(examples));
        }
        row.text("margin", of.margin);
        row.text("seeds", of.seeds);
        row.text("outcome", word(&of.outcome));
        row.text("best_batch_size", whole(of.best));
        let may: Vec<String> = of.may_be_best.iter().flatten().map(usize::to_string).collect();
        row.text("may_be_best", may.join(" "));
        let to_use = of.to_use.as_ref();
        row.text("arm_to_use", to_use.map_or("", |(name, ..)| name));
        row.text("batch_size", whole(to_use.map(|(_, size, _)| *size)));
        row.text("learning_rate", to_use.map_or(String::new(), |(.., rate)| rate.to_string()));
        row.text("learning_rate_rule", &of.learning_rate);
        row.estimate("validation_accuracy", of.validation.as_ref());
        row.estimate("test_accuracy", of.test.as_ref());
        row.number("critical_batch_size", of.critical.map(|curve| curve.critical));
        row.interval("critical_batch_size", of.critical.and_then(|curve| curve.interval));
        row
    }))
}

/// `settings.csv`: one row a key in which the files differ, one column a study.
pub(in crate::report) fn settings(
    studies: &[String],
    rows: &[(String, Vec<String>)],
) -> Result<String> {
    csv(rows.iter().map(|(path, values)| {
        let mut row = Row::default();
        row.text("setting", path);
        studies.iter().zip(values).for_each(|(study, value)| row.text(study, value));
        row
    }))
}

/// `differences.csv`: the name of a study with each of its arms.
pub(in crate::report) fn differences<'a>(
    arms: impl Iterator<Item = (&'a str, &'a ArmFinding)>,
) -> Result<String> {
    csv(arms.map(|(study, arm)| {
        let mut row = Row::default();
        row.text("study", study);
        row.text("arm", &arm.name);
        row.text("batch_size", arm.batch_size);
        row.text("role", word(&arm.role));
        row.estimate("validation_accuracy", arm.validation.as_ref());
        row.estimate("difference", arm.difference.as_ref().map(|found| &found.estimate));
        row.number("p_worse", arm.p_worse);
        row.text("standing", arm.standing.map(|standing| word(&standing)).unwrap_or_default());
        row.text("may_be_best", arm.may_be_best().map(|may| may.to_string()).unwrap_or_default());
        row
    }))
}
