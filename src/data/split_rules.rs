//! What splits must hold: examples of each, and in training every class.

use super::facts::{Facts, SplitFacts};
use crate::config::DataSection;
use crate::error::UserError;

/// That the training split lacks a class.
fn class_without_training(facts: &Facts, class: usize) -> UserError {
    let train = facts.train.examples;
    if facts.classes.len() == 2 {
        return UserError::new(
            format!("the training split has {train} examples, all of one label"),
            "a classifier needs both: use more data, or `data.split: { by: random, stratify: true }`",
        );
    }
    let rows = |split: &SplitFacts| split.rows_of_classes().get(class).copied().unwrap_or_default();
    UserError::new(
        format!(
            "none of the {train} training examples has the label `{}`, which {} of validation and {} of \
             the test have",
            facts.classes[class],
            rows(&facts.validation),
            rows(&facts.test)
        ),
        "a model learns no label that it never saw: use more data, leave its rows out, or write \
         `data.split: { by: random, stratify: true }`",
    )
}

/// Every split that is asked for has examples, and training has all labels.
pub(super) fn check_splits(facts: &Facts, section: &DataSection) -> Result<(), UserError> {
    let train = &facts.train;
    if train.examples == 0 {
        return Err(UserError::new(
            "the training split is empty",
            match section.split.gap {
                0 if section.series.is_some() => {
                    "windows that reach over a cut are in no split: lower `data.series.window`, or use more \
                     rows"
                }
                0 => {
                    "lower `data.split.validation` and `data.split.test`, or use more data; identical \
                     examples stay together"
                }
                _ => "lower `data.split.gap`, or use more data",
            },
        ));
    }
    if let Some(class) = train.rows_of_classes().iter().position(|rows| *rows == 0) {
        return Err(class_without_training(facts, class));
    }
    let empty = |name: &str| {
        let hint = match section.split.gap {
            0 if section.series.is_some() => format!(
                "windows that reach over a cut are in no split: raise `data.split.{name}`, lower \
                 `data.series.window`, or use more rows"
            ),
            0 => format!(
                "raise `data.split.{name}`, or use more data; identical examples stay together"
            ),
            gap => format!(
                "the gap leaves out {gap} rows before the next split: raise `data.split.{name}`, or \
                 lower `data.split.gap`"
            ),
        };
        UserError::new(format!("the {name} split is empty"), hint)
    };
    let brings_splits = section
        .table
        .as_ref()
        .is_some_and(|table| table.split.is_some() || table.validation.is_some())
        || section.arrays.as_ref().is_some_and(|arrays| arrays.x_val.is_some());
    match (facts.validation.examples, facts.test.examples) {
        (0, _) => Err(empty("validation")),
        (_, 0) if section.split.test > 0.0 && !brings_splits => Err(empty("test")),
        _ => Ok(()),
    }
}
