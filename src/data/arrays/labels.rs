//! Labels of arrays -> the numbers of classes, or the numbers that are predicted.
//!
//! **Two classes.** 0 and 1 are taken as they are, and so are truth values; of -1 and 1, -1 counts as 0.
//! Of any other values `positive` names the one that counts as 1; all others count as 0.
//!
//! **Several classes.** Whole numbers, truth values or texts, numbered in sorted order; or one column a
//! class, with a 1 in that of the row's class. **Numbers** are taken as they are.
//!
//! All splits are looked at together, since one of them may lack a class.

use super::super::found::{Found, is_sorted};
use super::super::labels::{
    Counts, FEW_NUMBERS, LINEAR, in_order, one_against_others, other_than_two, shown,
};
use super::array::{Array, Numbers};
use super::one_hot;
use crate::error::UserError;
use crate::spec::Task;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The targets of each array, and what the classes are called: none where numbers are predicted.
pub(super) type Targets = (Vec<Vec<f32>>, Vec<String>);

/// What a task makes of the labels of each split. Of two classes `positive` counts as 1.
pub(super) fn read(
    arrays: Vec<Array>,
    task: Task,
    positive: Option<&str>,
) -> Result<Targets, UserError> {
    arrays.iter().try_for_each(no_times)?;
    match task {
        Task::Binary => binary(&arrays, positive),
        Task::Multiclass => several(arrays),
        Task::Regression => {
            Ok((arrays.into_iter().map(numbers).collect::<Result<_, _>>()?, Vec::new()))
        }
    }
}

/// Times are neither classes nor numbers.
fn no_times(array: &Array) -> Result<(), UserError> {
    match array.numbers {
        Numbers::Times(_) => Err(UserError::new(
            format!("{} holds times, and labels are classes or numbers", array.name),
            "save what is to be predicted: a class, such as the month, or a number, such as the days since \
             the first: `(y - y.min()) / numpy.timedelta64(1, \"D\")`",
        )),
        _ => Ok(()),
    }
}

fn several(arrays: Vec<Array>) -> Result<Targets, UserError> {
    let mut counts = Counts::new();
    let mut rows: Vec<Array> = Vec::new();
    for array in arrays {
        let columns = one_hot::columns(&array.dims);
        let array = one_hot::numbered(array)?;
        finite(&array)?;
        whole(&array)?;
        count(&array, &mut counts);
        // A class of which a split has no row is one all the same.
        for class in 0..columns {
            counts.entry(class.to_string()).or_default();
        }
        rows.push(array);
    }
    let classes = in_order(&counts, rows.first().map_or("", |array| &array.name))?;
    let number: BTreeMap<&str, usize> =
        classes.iter().enumerate().map(|(number, class)| (class.as_str(), number)).collect();
    let labels = rows.iter().map(|array| {
        let label = |at: usize| number[text(&array.numbers, at).as_str()] as f32;
        (0..len(&array.numbers)).map(label).collect()
    });
    Ok((labels.collect(), classes))
}

/// A label that is a class: a whole number, or a text that says something.
fn whole(array: &Array) -> Result<(), UserError> {
    let values = match &array.numbers {
        Numbers::Floats(values) => values,
        Numbers::Texts(texts) => return texts_filled(&array.name, texts),
        Numbers::Ints(_) | Numbers::Times(_) => return Ok(()),
    };
    match values.iter().position(|value| value.fract() != 0.0) {
        None => Ok(()),
        Some(row) => Err(UserError::new(
            format!(
                "{} holds {} in row {row} (from 0), and classes are whole numbers",
                array.name, values[row]
            ),
            format!("to predict the number itself use {LINEAR}"),
        )),
    }
}

fn texts_filled(name: &str, texts: &[String]) -> Result<(), UserError> {
    match texts.iter().position(|text| text.trim().is_empty()) {
        None => Ok(()),
        Some(row) => Err(UserError::new(
            format!("{name} holds an empty text in row {row} (from 0)"),
            "a label is missing there: fill it in, or remove the row",
        )),
    }
}

fn numbers(array: Array) -> Result<Vec<f32>, UserError> {
    finite(&array)?;
    let floats = array.numbers.floats().map(Cow::into_owned);
    floats.ok_or_else(|| {
        let (name, kind) = (&array.name, array.numbers.kind());
        UserError::new(
            format!("{name} holds {kind}, and a linear head predicts numbers"),
            "save the numbers that are to be predicted; where these are classes use `dense: { \
             activation: softmax }`",
        )
    })
}

fn binary(arrays: &[Array], positive: Option<&str>) -> Result<Targets, UserError> {
    let plain: Option<Vec<Vec<f32>>> = arrays.iter().map(zeros_and_ones).collect();
    if let (Some(labels), None) = (plain, positive) {
        return Ok((labels, vec!["0".into(), "1".into()]));
    }
    for array in arrays {
        finite(array)?;
    }
    let mut counts = Counts::new();
    for array in arrays {
        count(array, &mut counts);
    }
    let [zero, one] = classes(&arrays[0].name, &counts, positive).map_err(|error| {
        let message = error.message + &only_elsewhere(arrays, &counts).unwrap_or_default();
        UserError { message, ..error }
    })?;
    let labels = arrays.iter().map(|array| {
        let is_one = |at: usize| f32::from(u8::from(text(&array.numbers, at) == one));
        (0..len(&array.numbers)).map(is_one).collect()
    });
    Ok((labels.collect(), vec![zero, one]))
}

/// Which label the first array does not hold and another one does, if there are few: that may be a slip.
fn only_elsewhere(arrays: &[Array], counts: &Counts) -> Option<String> {
    let (first, others) = arrays.split_first()?;
    let mut of_first = Counts::new();
    count(first, &mut of_first);
    let label = counts.keys().find(|label| !of_first.contains_key(*label))?;
    if counts.len() > FEW_NUMBERS {
        return None;
    }
    let holds =
        |array: &&Array| (0..len(&array.numbers)).any(|at| text(&array.numbers, at) == **label);
    let other = others.iter().find(holds)?;
    Some(format!("; `{label}` is in {}, not in {}", other.name, first.name))
}

/// Which of the values counts as 0 and which as 1.
fn classes(name: &str, counts: &Counts, positive: Option<&str>) -> Result<[String; 2], UserError> {
    let values: Vec<&str> = counts.keys().map(String::as_str).collect();
    let named = |zero: &str, one: &str| Ok([zero.to_owned(), one.to_owned()]);
    match (&values[..], positive.map(str::trim)) {
        (["-1"] | ["-1", "1"], None) => named("-1", "1"),
        (["0" | "1"] | ["0", "1"], None) => named("0", "1"),
        ([_, _, ..], Some(positive)) => {
            one_against_others(name, counts, positive, "data.arrays.positive")
        }
        ([a, b], None) => Err(UserError::new(
            format!("{name} holds the labels {}", shown(counts)),
            format!(
                "name the one that counts as 1, the other counts as 0: `positive: \"{b}\"` in \
                 `data.arrays` (or \"{a}\")"
            ),
        )),
        _ => Err(other_than_two(name, counts)),
    }
}

/// The labels as they are, where they are 0 and 1.
fn zeros_and_ones(array: &Array) -> Option<Vec<f32>> {
    let labels = array.numbers.floats()?;
    labels.iter().all(|label| [0.0, 1.0].contains(label)).then(|| labels.into_owned())
}

fn finite(array: &Array) -> Result<(), UserError> {
    let Numbers::Floats(values) = &array.numbers else { return Ok(()) };
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(row) => Err(UserError::new(
            format!("{} holds {} in row {row} (from 0)", array.name, values[row]),
            match values[row].is_nan() {
                true => "a label is missing there: fill it in, or remove the row",
                false => {
                    "no label can be infinite: write the number that is meant, or remove the row"
                }
            },
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
    pub(in crate::data) found: Found,
    /// The value that has to be named as `positive`.
    pub(in crate::data) positive: Option<String>,
    /// Whether all of one label come before all of the other ones.
    pub(in crate::data) sorted: bool,
    /// Whether there is one column a class.
    pub(in crate::data) has_columns: bool,
}

/// Looks at labels of which nothing is said yet. Of two values that need a `positive`, the later one in
/// sorted order is taken for it, as in tables.
pub(super) fn look(array: Array) -> Result<Look, UserError> {
    no_times(&array)?;
    // Columns of classes are looked at where they are read.
    let has_columns = one_hot::columns(&array.dims) > 0;
    let (mut counts, mut positive) = (Counts::new(), None);
    if !has_columns {
        finite(&array)?;
        count(&array, &mut counts);
    }
    let values = array.numbers.floats().unwrap_or_default();
    let are_whole = values.iter().all(|value| value.fract() == 0.0);
    if !has_columns && !values.is_empty() && (counts.len() > FEW_NUMBERS || !are_whole) {
        let sorted = is_sorted(&values, false);
        return Ok(Look { found: Found::of_numbers(&values), positive: None, sorted, has_columns });
    }
    let (labels, classes) = match counts.len() {
        1 | 2 => match binary(std::slice::from_ref(&array), None) {
            Ok(read) => read,
            Err(error) => {
                positive = counts.keys().next_back().filter(|_| counts.len() == 2).cloned();
                let Some(positive) = &positive else { return Err(error) };
                binary(std::slice::from_ref(&array), Some(positive))?
            }
        },
        _ => several(vec![array])?,
    };
    let labels = labels.first().map_or(&[][..], Vec::as_slice);
    let rows = |class: usize| labels.iter().filter(|label| **label as usize == class).count();
    let found = classes.into_iter().enumerate().map(|(class, name)| (name, rows(class))).collect();
    Ok(Look {
        found: Found::Classes(found),
        positive,
        sorted: is_sorted(labels, true),
        has_columns,
    })
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
    fn a_third_label_is_told_of_the_array_that_holds_it() {
        let of = |name: &str, values: &[i64]| {
            Array::of(name, &[values.len()], Numbers::Ints(values.into()))
        };
        let arrays = [of("`y_train`", &[0, 1, 1]), of("`y_val`", &[1, 2])];
        let said = binary(&arrays, None).unwrap_err();
        assert!(said.message.ends_with("; `2` is in `y_val`, not in `y_train`"), "{said}");
        let alone = binary(&[of("`y_train`", &[0, 1, 2])], None).unwrap_err();
        assert!(alone.message.ends_with("`2` (1 row)"), "{alone}");
    }

    #[test]
    fn positive_names_the_label_that_counts_as_1() {
        let (labels, classes) = binary(&[ints(&[1, 2, 2])], Some("1")).unwrap();
        assert_eq!((&labels[0][..], classes.join(" ")), (&[1.0, 0.0, 0.0][..], "2 1".into()));
        let (labels, _) = binary(&[ints(&[0, 1])], Some("0")).unwrap();
        assert_eq!(labels, [[1.0, 0.0]]);
        let texts = || y(Numbers::Texts(vec!["rest".into(), "walk".into()]));
        assert_eq!(binary(&[texts()], Some("walk")).unwrap().0, [[0.0, 1.0]]);
        let error = refusal(texts(), None);
        assert_eq!(error.message, "a.npz: `y` holds the labels `rest` (1 row), `walk` (1 row)");
        assert!(error.hint.unwrap().contains("`positive: \"walk\"` in `data.arrays`"));
        assert!(refusal(texts(), Some("run")).message.contains("never holds `run`"));
        let (labels, classes) = binary(&[ints(&[0, 3, 3]), ints(&[7])], Some("3")).unwrap();
        assert_eq!(labels, [vec![0.0, 1.0, 1.0], vec![0.0]], "one against all others");
        assert_eq!(classes, ["not 3", "3"]);
        assert!(refusal(ints(&[4, 4]), Some("4")).message.contains("received 1: `4` (2 rows)"));
    }

    #[test]
    fn other_values_are_told_with_their_counts_and_what_to_do() {
        let error = refusal(ints(&[0, 1, 2, 2, 1, 2]), None);
        assert_eq!(
            error.message,
            "a.npz: `y` must hold two different labels for a sigmoid, received 3: `0` (1 row), `1` (2 \
             rows), `2` (3 rows)"
        );
        assert!(error.hint.unwrap().contains("`dense: { units: 3, activation: softmax }`"));
        let targets = y(Numbers::Floats((0..50).map(|at| at as f32 / 10.0).collect()));
        let error = refusal(targets, None);
        assert!(error.message.contains("received 50 from 0 to 4.9"), "{error}");
        assert!(error.hint.unwrap().contains("activation: linear"));
        let missing = y(Numbers::Floats(vec![1.0, f32::NAN]));
        assert_eq!(refusal(missing, None).message, "a.npz: `y` holds NaN in row 1 (from 0)");
    }

    fn classes(arrays: Vec<Array>) -> Result<Targets, UserError> {
        read(arrays, Task::Multiclass, None)
    }

    #[test]
    fn several_classes_are_integers_whole_floats_texts_or_one_column_a_class() {
        let (labels, names) = classes(vec![ints(&[5, 3, 10]), ints(&[3])]).unwrap();
        assert_eq!(
            (labels, names.join(" ")),
            (vec![vec![1.0, 0.0, 2.0], vec![0.0]], "3 5 10".into())
        );
        let floats = y(Numbers::Floats(vec![2.0, 0.0, 1.0]));
        assert_eq!(classes(vec![floats]).unwrap().1.join(" "), "0 1 2");
        let (labels, names) = classes(vec![ints(&[-1, 1, -1])]).unwrap();
        assert_eq!((&labels[0][..], names.join(" ")), (&[0.0, 1.0, 0.0][..], "-1 1".into()));
        let texts = y(Numbers::Texts(vec!["sit".into(), " run".into(), "walk".into()]));
        assert_eq!(classes(vec![texts]).unwrap().0, [[1.0, 0.0, 2.0]]);
        let hot = Array::of("`y`", &[2, 3], Numbers::Ints(vec![0, 0, 1, 0, 1, 0]));
        let (labels, names) = classes(vec![hot]).unwrap();
        assert_eq!((&labels[0][..], names.join(" ")), (&[2.0, 1.0][..], "0 1 2".into()));
    }

    #[test]
    fn classes_that_are_no_whole_numbers_or_all_alike_are_refused() {
        let error = classes(vec![y(Numbers::Floats(vec![1.0, 0.5]))]).unwrap_err();
        assert_eq!(
            error.message,
            "a.npz: `y` holds 0.5 in row 1 (from 0), and classes are whole numbers"
        );
        assert!(error.hint.unwrap().contains("activation: linear"));
        let error = classes(vec![ints(&[4, 4])]).unwrap_err();
        assert!(error.message.contains("at least two different labels, received 1: `4` (2 rows)"));
        let missing = y(Numbers::Floats(vec![1.0, f32::NAN]));
        assert_eq!(
            classes(vec![missing]).unwrap_err().message,
            "a.npz: `y` holds NaN in row 1 (from 0)"
        );
    }

    #[test]
    fn numbers_are_taken_as_they_are_and_must_be_there() {
        let numbers = |array| read(vec![array], Task::Regression, None);
        assert_eq!(numbers(y(Numbers::Floats(vec![0.5, -3.0]))).unwrap().0, [[0.5, -3.0]]);
        let (targets, classes) = numbers(ints(&[7, 8])).unwrap();
        assert_eq!((targets, classes), (vec![vec![7.0, 8.0]], vec![]));
        let missing = numbers(y(Numbers::Floats(vec![1.0, f32::INFINITY]))).unwrap_err();
        assert_eq!(missing.message, "a.npz: `y` holds inf in row 1 (from 0)");
        let texts = numbers(y(Numbers::Texts(vec!["a".into()]))).unwrap_err();
        assert_eq!(texts.message, "a.npz: `y` holds texts, and a linear head predicts numbers");
        assert!(texts.hint.unwrap().contains("softmax"));
    }

    #[test]
    fn times_are_no_labels_whatever_the_head() {
        for task in [Task::Binary, Task::Multiclass, Task::Regression] {
            let error = read(vec![y(Numbers::Times(vec![0, 1, 0]))], task, Some("1")).unwrap_err();
            assert_eq!(error.message, "a.npz: `y` holds times, and labels are classes or numbers");
            assert!(error.hint.unwrap().contains("numpy.timedelta64"));
        }
    }

    #[test]
    fn labels_of_which_nothing_is_said_are_two_classes_several_or_numbers() {
        let found = look(ints(&[3, 3, 7])).ok().unwrap();
        assert_eq!(found.found, Found::Classes(vec![("3".into(), 2), ("7".into(), 1)]));
        assert_eq!((found.positive.as_deref(), found.sorted), (Some("7"), true));
        let found = look(ints(&[0, 2, 1, 2])).ok().unwrap();
        let three = vec![("0".into(), 1), ("1".into(), 1), ("2".into(), 2)];
        assert_eq!((found.found, found.sorted), (Found::Classes(three), false));
        let found = look(y(Numbers::Floats(vec![0.5, 1.5, 1.0]))).ok().unwrap();
        assert_eq!(found.found, Found::of_numbers(&[0.5, 1.0, 1.5]));
        assert!(matches!(
            look(ints(&(0..50).collect::<Vec<_>>())).ok().unwrap().found,
            Found::Numbers { .. }
        ));
        assert!(look(ints(&[4, 4])).is_err());
    }
}
