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

/// Rounding to 32 bits may move a value by this share of the range of all values; with more, too little is left
/// of what the values say.
const COARSE: f64 = 0.01;
/// Values with so small a range, as a share of their size, are constant but for the rounding of 64 bits.
const NOISE: f64 = 1e-11;

/// Refuses values that 32 bits cannot tell apart: 1.7e9 and 1.7e9 + 10 are one number there.
pub(super) fn refuse_coarse(called: &str, values: &[f64]) -> Result<(), UserError> {
    let (mut low, mut high, mut error) = (f64::INFINITY, f64::NEG_INFINITY, 0.0f64);
    for value in values.iter().filter(|value| value.is_finite()) {
        (low, high) = (low.min(*value), high.max(*value));
        error = error.max((value - f64::from(*value as f32)).abs());
    }
    let range = high - low;
    if range > NOISE * low.abs().max(high.abs()) && error > COARSE * range {
        return Err(UserError::new(
            format!(
                "{called} lies between {low} and {high}, and 32 bits hardly tell such numbers apart"
            ),
            "all is computed with 32 bits, about 7 digits: subtract an offset before you save it, such as \
             `y - y.min()`",
        ));
    }
    Ok(())
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
    fn values_that_32_bits_cannot_tell_apart_are_refused() {
        let large: Vec<f64> = (0..200).map(|at| 1.7e9 + f64::from(at % 7)).collect();
        let said = refuse_coarse("`y`", &large).unwrap_err();
        assert!(said.message.contains("`y` lies between 1700000000 and 1700000006"), "{said}");
        let small: Vec<f64> = large.iter().map(|value| value - 1.7e9).collect();
        for fine in [&small[..], &[1.7e9; 9], &[1.0 / 3.0, 1.0 / 3.0 + 1e-16], &[f64::NAN], &[]] {
            refuse_coarse("`y`", fine).unwrap();
        }
    }

    #[test]
    fn a_place_is_counted_in_the_order_of_the_file() {
        assert_eq!(place(9, &[4, 3], Order::C), " in row 3, step 0 (from 0)");
        assert_eq!(place(9, &[4, 3], Order::Fortran), " in row 1, step 2 (from 0)");
        assert_eq!(place(2, &[4], Order::C), " in row 2 (from 0)");
    }
}
