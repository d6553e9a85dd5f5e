//! Labels as people write them -> 0 and 1.

use crate::error::UserError;
use std::collections::BTreeSet;

/// Two distinct values become 0 and 1 in sorted order; returns the labels and the two values.
pub(super) fn binary(values: &[String], place: &str) -> Result<(Vec<f32>, [String; 2]), UserError> {
    let classes: Vec<&str> =
        values.iter().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect();
    match classes[..] {
        [zero, one] => {
            let labels = values.iter().map(|value| f32::from(u8::from(value == one))).collect();
            Ok((labels, [zero.to_owned(), one.to_owned()]))
        }
        _ => {
            let shown: Vec<String> = classes.iter().take(5).map(|c| format!("`{c}`")).collect();
            let more = if classes.len() > 5 { ", ..." } else { "" };
            Err(UserError::new(
                format!(
                    "{place} must hold two different labels, received {}: {}{more}",
                    classes.len(),
                    shown.join(", ")
                ),
                "batchscope compares classifiers with two answers; keep two classes with `where`",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| value.to_string()).collect()
    }

    #[test]
    fn two_values_become_0_and_1_in_sorted_order() {
        let (labels, classes) = binary(&owned(&["pos", "neg", "pos"]), "the column").unwrap();
        assert_eq!(labels, [1.0, 0.0, 1.0]);
        assert_eq!(classes, ["neg", "pos"]);
    }

    #[test]
    fn one_class_or_three_are_refused_by_name() {
        let error = binary(&owned(&["a", "a"]), "column `label`").unwrap_err();
        assert!(
            error.message.contains("column `label` must hold two") && error.message.contains("`a`")
        );
        assert!(binary(&owned(&["a", "b", "c"]), "x").unwrap_err().message.contains("received 3"));
    }
}
