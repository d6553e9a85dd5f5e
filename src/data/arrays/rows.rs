//! What each row has beside its sequence: its group, its time.

use super::array::{Array, Numbers};
use crate::data::moment::{self, Moment};
use crate::error::UserError;
use anyhow::Result;

pub(super) fn one_a_row(array: &Array, x: &str, n: usize) -> Result<(), UserError> {
    match array.dims[..] == [n] || array.dims[..] == [n, 1] {
        true => Ok(()),
        false => Err(UserError::new(
            format!("{x} has {n} rows and {} has the shape {:?}", array.name, array.dims),
            "it needs one value a row: the shape [examples] or [examples, 1]; of several \
             numbers a row each is a study of its own, `y[:, 0]` and so on; labels with one column a class are \
             for `dense: { activation: softmax }`, and become one value by `y.argmax(axis=1)`",
        )),
    }
}

/// The times of rows; those of `datetime64` share a unit, so they compare as the numbers that they are.
pub(super) fn times_of(array: Array, x: &str, n: usize) -> Result<Vec<Moment>> {
    let place = array.name.clone();
    let numpys = matches!(array.numbers, Numbers::Times(_));
    let times = texts(array, x, n, NO_TIME)?;
    let unknown = times.iter().position(|time| numpys && *time == i64::MIN.to_string());
    if let Some(row) = unknown {
        return Err(UserError::new(
            format!("{place}, row {row} (from 0): the time is NaT, which is none"),
            "fill it in, or remove the row",
        )
        .into());
    }
    // numpy's times are counted in a unit, and no digits of a date.
    let parse = if numpys { moment::plain } else { moment::parse };
    Ok(parse(&times, &|row| format!("{place}, row {row} (from 0)"))?)
}

const NO_GROUP: &str = "give each row its group: rows without one would count as one group";
const NO_TIME: &str =
    "give each row its time, or remove the row: one without cannot be put in order";

/// Groups or times as text; `missing` says what to do where one is NaN.
fn texts(array: Array, x: &str, n: usize, missing: &str) -> Result<Vec<String>, UserError> {
    one_a_row(&array, x, n)?;
    array.intact()?;
    if let Numbers::Floats(values) = &array.numbers
        && let Some(row) = values.iter().position(|value| value.is_nan())
    {
        return Err(UserError::new(
            format!("{} holds NaN in row {row} (from 0)", array.name),
            missing,
        ));
    }
    if let Some(exact) = array.wide {
        // What 32 bits take for one time or group may be several.
        return Ok(exact.iter().map(f64::to_string).collect());
    }
    Ok(match array.numbers {
        Numbers::Texts(values) => values,
        Numbers::Ints(values) | Numbers::Times(values) => {
            values.iter().map(i64::to_string).collect()
        }
        Numbers::Floats(values) => values.iter().map(f32::to_string).collect(),
    })
}

/// The group of each row.
pub(super) fn groups_of(array: Array, x: &str, n: usize) -> Result<Vec<String>, UserError> {
    match empty(&array.numbers) {
        None => texts(array, x, n, NO_GROUP),
        Some(row) => Err(UserError::new(
            format!("{} holds no value in row {row} (from 0)", array.name),
            NO_GROUP,
        )),
    }
}

/// The first row with an empty text, or with numpy's time that is none (NaT).
fn empty(numbers: &Numbers) -> Option<usize> {
    match numbers {
        Numbers::Texts(values) => values.iter().position(|text| text.trim().is_empty()),
        Numbers::Times(values) => values.iter().position(|time| *time == i64::MIN),
        Numbers::Ints(_) | Numbers::Floats(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_group_is_refused() {
        let groups = array(&[3], Numbers::Floats(vec![1.0, f32::NAN, 1.0]));
        let error = groups_of(groups, "X", 3).unwrap_err();
        assert!(error.message.ends_with("holds NaN in row 1 (from 0)"), "{error}");
        for missing in [
            Numbers::Texts(vec!["a".into(), " ".into(), "b".into()]),
            Numbers::Times(vec![3, i64::MIN, 5]),
        ] {
            let error = groups_of(array(&[3], missing), "X", 3).unwrap_err();
            assert!(error.message.ends_with("holds no value in row 1 (from 0)"), "{error}");
        }
        let times = array(&[3], Numbers::Floats(vec![1.0, f32::NAN, 1.0]));
        let error = times_of(times, "X", 3).unwrap_err().downcast::<UserError>().unwrap();
        assert!(error.hint.unwrap().starts_with("give each row its time"));
    }

    #[test]
    fn times_and_groups_of_64_bits_are_told_apart_where_32_bits_would_not() {
        let of = || {
            let mut array = Array::of("`t`", &[2], Numbers::Floats(vec![1.7e9; 2]));
            array.wide = Some(vec![1.7e9 + 1.0, 1.7e9]);
            array
        };
        let times = times_of(of(), "`X`", 2).unwrap();
        assert!(times[1] < times[0]);
        assert_eq!(texts(of(), "`X`", 2, NO_GROUP).unwrap(), ["1700000001", "1700000000"]);
    }

    #[test]
    fn times_of_numpy_are_ordered_and_none_may_be_missing() {
        let times = |values: &[i64]| {
            let n = values.len();
            times_of(Array::of("`t`", &[n], Numbers::Times(values.into())), "`X`", n)
        };
        let read = times(&[1_700_000_000_000_000_001, 1_700_000_000_000_000_000]).unwrap();
        assert!(read[1] < read[0]);
        let error = times(&[3, i64::MIN]).unwrap_err().to_string();
        assert_eq!(error, "`t`, row 1 (from 0): the time is NaT, which is none");
    }

    #[test]
    fn labels_are_one_a_row() {
        let labels =
            |dims: &[usize]| one_a_row(&Array::of("`y`", dims, Numbers::Ints(vec![])), "`X`", 2);
        labels(&[2, 1]).unwrap();
        assert_eq!(labels(&[3]).unwrap_err().message, "`X` has 2 rows and `y` has the shape [3]");
        assert!(labels(&[2, 3]).unwrap_err().hint.unwrap().contains("argmax"));
    }

    fn array(dims: &[usize], numbers: Numbers) -> Array {
        Array::of("a.npz: `X`", dims, numbers)
    }
}
