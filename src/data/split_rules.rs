//! What splits must hold: examples of each, and in training every class.

use super::facts::{Facts, SplitFacts};
use crate::config::DataSection;
use crate::error::UserError;

/// That the training split lacks a class.
fn class_without_training(facts: &Facts, class: usize, section: &DataSection) -> UserError {
    let (train, name) = (facts.train.examples, &facts.classes[class]);
    let rows = |split: &SplitFacts| split.rows_of_classes().get(class).copied().unwrap_or_default();
    let [validation, test] = [&facts.validation, &facts.test].map(rows);
    if facts.classes.len() == 2 {
        return UserError::new(
            format!("the training split has {train} examples, all of one label"),
            match validation + test {
                0 => "no split has the other one, so there is nothing to learn: name the labels of two classes"
                    .to_owned(),
                _ => format!("a classifier needs both: {}", more_in_training(section)),
            },
        );
    }
    if validation + test == 0 {
        return UserError::new(
            format!("no example has the label `{name}`, which has a column of its own"),
            "leave out the columns of classes that never come",
        );
    }
    UserError::new(
        format!(
            "none of the {train} training examples has the label `{name}`, which {validation} of \
             validation and {test} of the test have"
        ),
        format!(
            "a model learns no label that it never saw: leave its rows out, or {}",
            more_in_training(section)
        ),
    )
}

/// How the training split gets rows of a class that it lacks.
fn more_in_training(section: &DataSection) -> &'static str {
    match section.series.is_some() {
        true => {
            "use more rows, or lower `data.split.validation` and `data.split.test`: a series is cut by time"
        }
        false if brings_splits(section) => "move some of its rows into the training examples",
        false => "use more data, or write `data.split: { by: random, stratify: true }`",
    }
}

/// Whether the source says which rows are for validation.
fn brings_splits(section: &DataSection) -> bool {
    let of_table = section.table.as_ref();
    of_table.is_some_and(|table| table.split.is_some() || table.validation.is_some())
        || section.arrays.as_ref().is_some_and(|arrays| arrays.x_val.is_some())
}

/// Why a series has few windows in a split, with what to do.
fn strided(section: &DataSection, cure: &str) -> String {
    match section.series.as_ref().map_or(1, |series| series.stride) {
        0 | 1 => format!("windows that reach over a cut are in no split: {cure}"),
        stride => format!(
            "windows begin every {stride} rows, and those that reach over a cut are in no split: lower \
             `data.series.stride`; or {cure}"
        ),
    }
}

/// Every split that is asked for has examples, and training has all labels.
pub(super) fn check_splits(facts: &Facts, section: &DataSection) -> Result<(), UserError> {
    let train = &facts.train;
    if train.examples == 0 {
        return Err(UserError::new(
            "the training split is empty",
            match section.split.gap {
                0 if section.series.is_some() => {
                    strided(section, "lower `data.series.window`, or use more rows")
                }
                0 => "lower `data.split.validation` and `data.split.test`, or use more data; identical \
                      examples stay together"
                    .to_owned(),
                _ => "lower `data.split.gap`, or use more data".to_owned(),
            },
        ));
    }
    if let Some(class) = train.rows_of_classes().iter().position(|rows| *rows == 0) {
        return Err(class_without_training(facts, class, section));
    }
    let empty = |name: &str| {
        let hint = match section.split.gap {
            0 if section.series.is_some() => strided(
                section,
                &format!("raise `data.split.{name}`, lower `data.series.window`, or use more rows"),
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
    match (facts.validation.examples, facts.test.examples) {
        (0, _) => Err(empty("validation")),
        (_, 0) if section.split.test > 0.0 && !brings_splits(section) => Err(empty("test")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_without_windows_names_the_stride_where_that_leaves_few() {
        let hint = |more: &str| {
            let series =
                format!("series: {{ path: s.csv, inputs: [x], target: y, window: 2{more} }}");
            let section: DataSection = serde_yaml::from_str(&series).unwrap();
            check_splits(&Facts::default(), &section).unwrap_err().hint.unwrap()
        };
        let said = hint(", stride: 400");
        assert!(said.starts_with("windows begin every 400 rows"), "{said}");
        assert!(
            said.contains("lower `data.series.stride`; or lower `data.series.window`"),
            "{said}"
        );
        assert!(!hint("").contains("stride"));
    }
}
