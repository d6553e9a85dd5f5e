//! One column a class: `[N, K]` with a 1 in the column of the row's class, as Keras's `to_categorical`
//! writes it.

use super::array::Array;
use crate::error::UserError;

/// How many columns an array of labels has; 0 where it has one value a row.
pub(super) fn columns(dims: &[usize]) -> usize {
    match dims {
        [_, columns] if *columns > 1 => *columns,
        _ => 0,
    }
}

/// The number of the column that holds the 1 of each row. Arrays of one value a row stay as they are.
pub(super) fn numbered(array: Array) -> Result<Array, UserError> {
    let width = columns(&array.dims);
    if width == 0 {
        return Ok(array);
    }
    let Some(values) = array.numbers.floats() else {
        let (name, kind, dims) = (&array.name, array.numbers.kind(), &array.dims);
        let rule = format!("{name} holds {kind} of the shape {dims:?}");
        return Err(UserError::new(rule, ONE_A_ROW));
    };
    let mut classes = Vec::with_capacity(array.dims[0]);
    for (row, cells) in values.chunks_exact(width).enumerate() {
        let ones = cells.iter().filter(|cell| is(1.0, cell)).count();
        let zeros = cells.iter().filter(|cell| is(0.0, cell)).count();
        if ones != 1 || zeros + 1 != width {
            return Err(refusal(&array.name, row, cells));
        }
        classes.extend(cells.iter().position(|cell| is(1.0, cell)).map(|class| class as i64));
    }
    Ok(array.with_rows(classes))
}

/// Exactly: a probability near 1 is no mark.
fn is(mark: f32, cell: &f32) -> bool {
    [mark].contains(cell)
}

const ONE_A_ROW: &str = "labels are one value a row, or one column a class with a single 1 in each row; \
                         probabilities become classes by `y.argmax(axis=1)`";

fn refusal(name: &str, row: usize, cells: &[f32]) -> UserError {
    const SHOWN: usize = 8;
    let mut shown: Vec<String> = cells.iter().take(SHOWN).map(f32::to_string).collect();
    if cells.len() > SHOWN {
        shown.push("...".into());
    }
    UserError::new(
        format!(
            "{name} has {} columns, and row {row} (from 0) holds [{}] in place of a single 1",
            cells.len(),
            shown.join(", ")
        ),
        ONE_A_ROW,
    )
}

#[cfg(test)]
mod tests {
    use super::super::array::Numbers;
    use super::*;

    #[test]
    fn the_column_of_the_1_is_the_class_and_anything_else_is_refused_with_its_row() {
        let read = |values: Vec<f32>| numbered(Array::of("`y`", &[2, 2], Numbers::Floats(values)));
        let found = read(vec![0.0, 1.0, 1.0, 0.0]).unwrap();
        assert!(matches!(&found.numbers, Numbers::Ints(classes) if classes == &[1, 0]));
        assert_eq!(found.dims, [2]);
        for row in [[0.0, 0.0], [1.0, 1.0], [0.7, 0.3], [1.0, 2.0]] {
            let error = read(vec![0.0, 1.0, row[0], row[1]]).unwrap_err();
            assert!(error.message.contains("row 1 (from 0) holds ["), "{error}");
            assert!(error.hint.unwrap().contains("argmax"));
        }
        let one = Array::of("`y`", &[2, 1], Numbers::Ints(vec![5, 6]));
        assert_eq!(numbered(one).unwrap().dims, [2, 1]);
    }
}
