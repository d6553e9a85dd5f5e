//! Labels of arrays -> 0 and 1.
//!
//! 0 and 1 are taken as they are, and so are truth values; of -1 and 1, -1 counts as 0. Of any other two
//! values `positive` names the one that counts as 1. All splits are looked at together, since one of
//! them may hold a single label.

use super::array::{Array, Numbers};
use crate::error::UserError;
use std::collections::BTreeMap;

/// How often each value comes, by its text.
type Counts = BTreeMap<String, usize>;

/// The labels of each array, and what 0 and 1 are called.
pub(super) fn binary(
    arrays: &[Array],
    positive: Option<&str>,
) -> Result<(Vec<Vec<f32>>, [String; 2]), UserError> {
    let plain: Option<Vec<Vec<f32>>> = arrays.iter().map(zeros_and_ones).collect();
    if let (Some(labels), None) = (plain, positive) {
        return Ok((labels, ["0".into(), "1".into()]));
    }
    for array in arrays {
        finite(array)?;
    }
    let mut counts = Counts::new();
    for array in arrays {
        count(array, &mut counts);
    }
    let [zero, one] = classes(&arrays[0].name, &counts, positive)?;
    let labels = arrays.iter().map(|array| {
        let is_one = |at: usize| f32::from(u8::from(text(&array.numbers, at) == one));
        (0..len(&array.numbers)).map(is_one).collect()
    });
    Ok((labels.collect(), [zero, one]))
}

/// Which of the values counts as 0 and which as 1.
fn classes(name: &str, counts: &Counts, positive: Option<&str>) -> Result<[String; 2], UserError> {
    let values: Vec<&str> = counts.keys().map(String::as_str).collect();
    let named = |zero: &str, one: &str| Ok([zero.to_owned(), one.to_owned()]);
    match (&values[..], positive) {
        (["-1"] | ["-1", "1"], None) => named("-1", "1"),
        (["0" | "1"] | ["0", "1"], None) => named("0", "1"),
        ([a, b], Some(positive)) if positive == *a => named(b, a),
        ([a, b], Some(positive)) if positive == *b => named(a, b),
        ([a, b], Some(positive)) => Err(UserError::new(
            format!("{name} never holds `{positive}`, which should count as 1"),
            format!("its labels are `{a}` and `{b}`; name one of them as `data.arrays.positive`"),
        )),
        ([a, b], None) => Err(UserError::new(
            format!("{name} holds the labels {}", shown(counts)),
            format!(
                "name the one that counts as 1, the other counts as 0: `positive: \"{b}\"` in \
                 `data.arrays` (or \"{a}\")"
            ),
        )),
        _ => Err(not_two(name, counts)),
    }
}

fn not_two(name: &str, counts: &Counts) -> UserError {
    /// More values than this are taken for measurements.
    const CLASSES: usize = 20;
    let (array, n) = (name.rsplit(": ").next().unwrap_or(name).trim_matches('`'), counts.len());
    let numbers: Option<Vec<f64>> = counts.keys().map(|value| value.parse().ok()).collect();
    let Some(mut numbers) = numbers.filter(|_| n > CLASSES) else {
        let most = counts.iter().max_by_key(|(_, count)| **count).map_or("", |(value, _)| value);
        return UserError::new(
            format!("{name} must hold two different labels, received {n}: {}", shown(counts)),
            format!(
                "batchscope compares classifiers with two answers: ask for one class against the \
                 rest, as in `{array} == {most}`, or keep the rows of two classes"
            ),
        );
    };
    numbers.sort_by(f64::total_cmp);
    let (least, middle, most) = (numbers[0], numbers[n / 2], numbers[n - 1]);
    UserError::new(
        format!(
            "{name} must hold two different labels, received {n} from {least} to {most}: these look \
             like measurements"
        ),
        format!(
            "batchscope compares classifiers with two answers: cut them in two, as in \
             `({array} > {middle}).astype(int)`"
        ),
    )
}

/// The values with how often each comes, the first ones in sorted order.
fn shown(counts: &Counts) -> String {
    const SHOWN: usize = 8;
    let one = |(value, count): (&String, &usize)| {
        format!("`{value}` ({count} {})", if *count == 1 { "row" } else { "rows" })
    };
    let mut each: Vec<String> = counts.iter().take(SHOWN).map(one).collect();
    if counts.len() > SHOWN {
        each.push("...".into());
    }
    each.join(", ")
}

/// The labels as they are, where they are 0 and 1.
fn zeros_and_ones(array: &Array) -> Option<Vec<f32>> {
    let fits = |label: f32| [0.0, 1.0].contains(&label).then_some(label);
    match &array.numbers {
        Numbers::Floats(values) => values.iter().map(|value| fits(*value)).collect(),
        Numbers::Ints(values) => values.iter().map(|value| fits(*value as f32)).collect(),
        Numbers::Times(_) | Numbers::Texts(_) => None,
    }
}

fn finite(array: &Array) -> Result<(), UserError> {
    let Numbers::Floats(values) = &array.numbers else { return Ok(()) };
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(row) => Err(UserError::new(
            format!("{} holds {} in row {row} (from 0)", array.name, values[row]),
            "a label is missing there: fill it in, or remove the row",
        )),
    }
}

fn len(numbers: &Numbers) -> usize {
    match numbers {
        Numbers::Floats(values) => values.len(),
        Numbers::Ints(values) | Numbers::Times(values) => values.len(),
        Numbers::Texts(values) => values.len(),
    }
}

fn text(numbers: &Numbers, at: usize) -> String {
    match numbers {
        // Adding 0 makes -0 a 0.
        Numbers::Floats(values) => (values[at] + 0.0).to_string(),
        Numbers::Ints(values) | Numbers::Times(values) => values[at].to_string(),
        Numbers::Texts(values) => values[at].trim().to_owned(),
    }
}

fn count(array: &Array, counts: &mut Counts) {
    for at in 0..len(&array.numbers) {
        *counts.entry(text(&array.numbers, at)).or_default() += 1;
    }
}

/// What the labels of an array are.
pub(in crate::data) struct Look {
    /// What 0 and 1 are called, with how often each comes.
    pub(in crate::data) classes: [(String, usize); 2],
    /// The value that has to be named as `positive`.
    pub(in crate::data) positive: Option<String>,
    /// Whether all of one label come before all of the other.
    pub(in crate::data) sorted: bool,
}

/// Looks at labels of which nothing is said yet. Of two values that need a `positive`, the later one in
/// sorted order is taken for it, as in tables.
pub(super) fn look(array: &Array) -> Result<Look, UserError> {
    let array = std::slice::from_ref(array);
    let (read, positive) = match binary(array, None) {
        Ok(read) => (read, None),
        Err(error) => {
            let mut counts = Counts::new();
            count(&array[0], &mut counts);
            let positive = counts.keys().next_back().filter(|_| counts.len() == 2).cloned();
            match positive {
                Some(positive) => (binary(array, Some(&positive))?, Some(positive)),
                None => return Err(error),
            }
        }
    };
    let (labels, [zero, one]) = read;
    let labels = labels.first().map_or(&[][..], Vec::as_slice);
    let ones = labels.iter().filter(|label| **label > 0.5).count();
    let changes = labels.windows(2).filter(|pair| (pair[0] > 0.5) != (pair[1] > 0.5)).count();
    let classes = [(zero, labels.len() - ones), (one, ones)];
    Ok(Look { classes, positive, sorted: changes <= 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn y(numbers: Numbers) -> Array {
        Array::of("a.npz: `y`", &[len(&numbers)], numbers)
    }

    fn ints(values: &[i64]) -> Array {
        y(Numbers::Ints(values.into()))
    }

    fn refusal(array: Array, positive: Option<&str>) -> UserError {
        binary(&[array], positive).unwrap_err()
    }

    #[test]
    fn minus_one_and_one_are_read_as_0_and_1_in_every_split() {
        let (labels, classes) =
            binary(&[ints(&[1, -1, 1]), ints(&[-1]), ints(&[1])], None).unwrap();
        assert_eq!(labels, [vec![1.0, 0.0, 1.0], vec![0.0], vec![1.0]]);
        assert_eq!(classes, ["-1", "1"]);
        let floats = y(Numbers::Floats(vec![-1.0, 1.0]));
        assert_eq!(binary(&[floats], None).unwrap().0, [[0.0, 1.0]]);
        let mixed = binary(&[ints(&[1, -1]), ints(&[0])], None).unwrap_err();
        assert!(mixed.message.contains("received 3: `-1` (1 row), `0` (1 row), `1` (1 row)"));
    }

    #[test]
    fn positive_names_the_label_that_counts_as_1() {
        let (labels, classes) = binary(&[ints(&[1, 2, 2])], Some("1")).unwrap();
        assert_eq!((&labels[0][..], classes), (&[1.0, 0.0, 0.0][..], ["2".into(), "1".into()]));
        let (labels, _) = binary(&[ints(&[0, 1])], Some("0")).unwrap();
        assert_eq!(labels, [[1.0, 0.0]]);
        let texts = || y(Numbers::Texts(vec!["rest".into(), "walk".into()]));
        assert_eq!(binary(&[texts()], Some("walk")).unwrap().0, [[0.0, 1.0]]);
        let error = refusal(texts(), None);
        assert_eq!(error.message, "a.npz: `y` holds the labels `rest` (1 row), `walk` (1 row)");
        assert!(error.hint.unwrap().contains("`positive: \"walk\"` in `data.arrays`"));
        assert!(refusal(texts(), Some("run")).message.contains("never holds `run`"));
    }

    #[test]
    fn other_values_are_told_with_their_counts_and_what_to_do() {
        let error = refusal(ints(&[0, 1, 2, 2, 1, 2]), None);
        assert_eq!(
            error.message,
            "a.npz: `y` must hold two different labels, received 3: `0` (1 row), `1` (2 rows), `2` \
             (3 rows)"
        );
        assert!(error.hint.unwrap().contains("as in `y == 2`"));
        let targets = y(Numbers::Floats((0..50).map(|at| at as f32 / 10.0).collect()));
        let error = refusal(targets, None);
        assert!(error.message.contains("received 50 from 0 to 4.9"), "{error}");
        assert!(error.hint.unwrap().contains("`(y > 2.5).astype(int)`"));
        let found = look(&ints(&[3, 3, 7])).ok().unwrap();
        assert_eq!(found.classes, [("3".to_owned(), 2), ("7".to_owned(), 1)]);
        assert_eq!((found.positive.as_deref(), found.sorted), (Some("7"), true));
        assert!(look(&ints(&[0, 1, 2])).is_err());
        let missing = y(Numbers::Floats(vec![1.0, f32::NAN]));
        assert_eq!(refusal(missing, None).message, "a.npz: `y` holds NaN in row 1 (from 0)");
    }
}
