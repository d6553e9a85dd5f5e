//! Labels as people write them -> 0 and 1.

use super::table::is_alike;
use crate::error::UserError;
use std::collections::BTreeMap;

/// Two distinct values become 0 and 1: `positive` is 1 when it is given, else the later one in
/// sorted order. `column` names the column and `place` the row of each value. Returns the labels
/// and the two values.
pub(super) fn binary(
    values: &[String],
    positive: Option<&str>,
    column: &str,
    place: &dyn Fn(usize) -> String,
) -> Result<(Vec<f32>, [String; 2]), UserError> {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, value) in values.iter().enumerate() {
        first.entry(value).or_insert(row);
    }
    let classes: Vec<(&str, usize)> = first.into_iter().collect();
    let [(a, _), (b, _)] = classes[..] else {
        return Err(not_two(&classes, column, place));
    };
    let (zero, one) = match positive.map(str::trim) {
        Some(positive) if positive == a => (b, a),
        Some(positive) if positive != b => {
            return Err(UserError::new(
                format!("{column} never holds `{positive}`, which should count as 1"),
                format!(
                    "its labels are `{a}` and `{b}`, compared as text; name one of them as `positive`{}",
                    [a, b]
                        .into_iter()
                        .find(|class| is_alike(class, positive))
                        .map_or(String::new(), |class| format!(
                            ": `{class}` differs by capital letters alone"
                        ))
                ),
            ));
        }
        _ => (a, b),
    };
    let labels = values.iter().map(|value| f32::from(u8::from(value == one))).collect();
    Ok((labels, [zero.to_owned(), one.to_owned()]))
}

/// The latest to appear is the likeliest slip, so its row is shown too.
fn not_two(classes: &[(&str, usize)], column: &str, place: &dyn Fn(usize) -> String) -> UserError {
    let shown: Vec<String> =
        classes.iter().take(5).map(|(class, _)| format!("`{class}`")).collect();
    let more = if classes.len() > 5 { ", ..." } else { "" };
    let last = classes.iter().max_by_key(|(_, row)| *row).filter(|_| classes.len() > 2);
    let last = last.map_or(String::new(), |(class, row)| {
        format!("; `{class}` first comes in {}", place(*row))
    });
    let alike = classes.iter().enumerate().find_map(|(at, (class, _))| {
        let before = classes[..at].iter().find(|(other, _)| is_alike(class, other));
        before
            .map(|(other, _)| format!("`{other}` and `{class}` differ by capital letters alone; "))
    });
    UserError::new(
        format!(
            "{column} must hold two different labels, received {}: {}{more}{last}",
            classes.len(),
            shown.join(", ")
        ),
        alike.unwrap_or_default()
            + "batchscope compares classifiers with two answers: give it a table of two classes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str], positive: Option<&str>) -> Result<(Vec<f32>, [String; 2]), UserError> {
        let values: Vec<String> = values.iter().map(|value| value.to_string()).collect();
        binary(&values, positive, "the column `label`", &|row| format!("line {}", row + 2))
    }

    #[test]
    fn two_values_become_0_and_1_in_sorted_order() {
        let (labels, classes) = read(&["pos", "neg", "pos"], None).unwrap();
        assert_eq!(labels, [1.0, 0.0, 1.0]);
        assert_eq!(classes, ["neg", "pos"]);
    }

    #[test]
    fn the_positive_value_can_be_named() {
        let (labels, classes) = read(&["spam", "ham"], Some("ham")).unwrap();
        assert_eq!((labels, classes), (vec![0.0, 1.0], ["spam".to_owned(), "ham".to_owned()]));
        let error = read(&["spam", "ham"], Some("Spam")).unwrap_err();
        assert!(error.message.contains("never holds `Spam`"), "{}", error.message);
        assert!(error.hint.unwrap().ends_with("`spam` differs by capital letters alone"));
        assert_eq!(read(&["spam", "ham"], Some(" ham ")).unwrap().1[1], "ham");
    }

    #[test]
    fn one_class_or_three_are_refused_by_name() {
        let error = read(&["a", "a"], None).unwrap_err();
        assert_eq!(
            error.message,
            "the column `label` must hold two different labels, received 1: `a`"
        );
        let error = read(&["yes", "no", "yes", "maybe", "no"], None).unwrap_err();
        assert!(error.message.ends_with("`yes`; `maybe` first comes in line 5"), "{error}");
        let error = read(&["yes", "no", "No"], None).unwrap_err();
        assert!(error.hint.unwrap().starts_with("`No` and `no` differ by capital letters alone"));
    }
}
