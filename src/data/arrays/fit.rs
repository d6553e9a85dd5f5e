//! Numbers of other widths -> those in which all is computed. What does not fit is named as it stands in
//! the file, with its place.

use crate::error::UserError;
use npyz::Order;

/// As 32 bits.
pub(super) fn narrow(
    called: &str,
    values: &[f64],
    dims: &[usize],
    order: Order,
) -> Result<Vec<f32>, UserError> {
    let is_beyond = |value: &f64| value.is_finite() && !(*value as f32).is_finite();
    if let Some(at) = values.iter().position(is_beyond) {
        return Err(UserError::new(
            format!(
                "{called} holds {:e}{}, and numbers of 32 bits end at 3.4e38",
                values[at],
                place(at, dims, order)
            ),
            "all is computed with 32 bits: scale the values, or replace those that mean `none`",
        ));
    }
    Ok(values.iter().map(|value| *value as f32).collect())
}

/// The share of a column's range by which 32 bits may round its values: beyond it what they tell is lost.
const COARSE: f64 = 0.01;
/// A column with so small a range, as a share of its values, is constant but for the noise of 64 bits.
const NOISE: f64 = 1e-11;

/// Refuses to compute with numbers that 32 bits cannot tell apart: 1.7e9 and 1.7e9 + 10 are one number there.
/// A column is a place in the last axis; one value a row is one column.
pub(super) fn coarse(
    called: &str,
    values: &[f64],
    dims: &[usize],
    order: Order,
) -> Option<UserError> {
    let columns = if dims.len() > 1 { *dims.last()? } else { 1 };
    let each = values.len() / columns.max(1);
    let column = |at: usize| match order {
        Order::C => at % columns,
        Order::Fortran => at / each,
    };
    let mut found = vec![(f64::INFINITY, f64::NEG_INFINITY, 0.0f64); columns];
    for (at, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let (low, high, error) = &mut found[column(at)];
        (*low, *high) = (low.min(*value), high.max(*value));
        *error = error.max((value - f64::from(*value as f32)).abs());
    }
    let is_coarse = |(low, high, error): &(f64, f64, f64)| {
        let range = high - low;
        range > NOISE * low.abs().max(high.abs()) && *error > COARSE * range
    };
    let at = found.iter().position(is_coarse)?;
    let (low, high, _) = found[at];
    let which = if columns > 1 { format!(", feature {at} (from 0)") } else { String::new() };
    Some(UserError::new(
        format!(
            "{called}{which} lies between {low} and {high}, which numbers of 32 bits hardly tell apart"
        ),
        "all is computed with 32 bits, about 7 digits: subtract an offset before you save it, such as `x - x.min()`",
    ))
}

pub(super) fn signed(
    called: &str,
    values: &[u64],
    dims: &[usize],
    order: Order,
) -> Result<Vec<i64>, UserError> {
    let number = |(at, value): (usize, &u64)| {
        i64::try_from(*value).map_err(|_| {
            let place = place(at, dims, order);
            UserError::new(
                format!(
                    "{called} holds {value}{place}, beyond the integers of 64 bits with a sign"
                ),
                "save it as int64; -1 that was saved as uint64 reads 18446744073709551615",
            )
        })
    };
    values.iter().enumerate().map(number).collect()
}

/// Where the value at this place of the file stands, as messages say it.
fn place(mut at: usize, dims: &[usize], order: Order) -> String {
    let mut axes: Vec<usize> = (0..dims.len()).collect();
    if order == Order::C {
        axes.reverse();
    }
    let mut indices = vec![0; dims.len()];
    for axis in axes {
        indices[axis] = at % dims[axis].max(1);
        at /= dims[axis].max(1);
    }
    match indices[..] {
        [] => String::new(),
        [row] => format!(" in row {row} (from 0)"),
        [row, step, ..] => format!(" in row {row}, step {step} (from 0)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_32_bits_cannot_tell_apart_are_refused() {
        let large: Vec<f64> = (0..200).map(|at| 1.7e9 + f64::from(at % 7)).collect();
        let said = coarse("`y`", &large, &[200], Order::C).unwrap();
        assert!(said.message.contains("`y` lies between 1700000000 and 1700000006"), "{said}");
        let small: Vec<f64> = large.iter().map(|value| value - 1.7e9).collect();
        assert!(coarse("`y`", &small, &[200], Order::C).is_none());
        assert!(
            coarse("`y`", &[1.7e9; 9], &[9], Order::C).is_none(),
            "a constant is told elsewhere"
        );
        assert!(coarse("`y`", &[1.0 / 3.0, 1.0 / 3.0 + 1e-16], &[2], Order::C).is_none(), "noise");
        // Two columns, the second of large numbers, in either order of the file.
        let rows: Vec<f64> = small.iter().zip(&large).flat_map(|(a, b)| [*a, *b]).collect();
        let columns = [small, large].concat();
        for (values, order) in [(&rows, Order::C), (&columns, Order::Fortran)] {
            let said = coarse("`X`", values, &[200, 1, 2], order).unwrap();
            assert!(said.message.starts_with("`X`, feature 1 (from 0) lies between"), "{said}");
        }
    }

    #[test]
    fn a_place_is_counted_in_the_order_of_the_file() {
        assert_eq!(place(9, &[4, 3], Order::C), " in row 3, step 0 (from 0)");
        assert_eq!(place(9, &[4, 3], Order::Fortran), " in row 1, step 2 (from 0)");
        assert_eq!(place(2, &[4], Order::C), " in row 2 (from 0)");
    }
}
