//! Numbers of other widths -> those in which all is computed. What does not fit is named as it stands in
//! the file, with its place.

use super::super::coarse::{self, Exact};
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

/// Refuses a feature of `[N, T, F]`, or the numbers of a column, that 32 bits hardly tell apart.
pub(super) fn refuse_coarse<N: Exact>(
    called: &str,
    values: &[N],
    dims: &[usize],
    order: Order,
) -> Result<(), UserError> {
    let [_, _, features] = dims[..] else { return coarse::refuse(called, values.iter().copied()) };
    let rows = (values.len() / features.max(1)).max(1);
    (0..features).try_for_each(|feature| {
        let called = match features {
            1 => called.to_owned(),
            _ => format!("{called}, feature {feature} (from 0)"),
        };
        match order {
            Order::C => {
                coarse::refuse(&called, values.iter().skip(feature).step_by(features).copied())
            }
            Order::Fortran => {
                coarse::refuse(&called, values.iter().skip(feature * rows).take(rows).copied())
            }
        }
    })
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
    fn a_feature_that_32_bits_cannot_tell_apart_is_named_in_both_orders() {
        // Two rows, three steps, two features, of which the second is coarse.
        let coarse = |at: usize| 1.7e9 + at as f64;
        let by_row: Vec<f64> = (0..6).flat_map(|at| [at as f64, coarse(at)]).collect();
        let by_feature: Vec<f64> = (0..6).map(|at| at as f64).chain((0..6).map(coarse)).collect();
        for (values, order) in [(by_row, Order::C), (by_feature, Order::Fortran)] {
            let said = refuse_coarse("`x`", &values, &[2, 3, 2], order).unwrap_err().message;
            assert!(said.starts_with("`x`, feature 1 (from 0) holds 6 different values"), "{said}");
        }
        assert!(refuse_coarse::<f64>("`x`", &[], &[0, 3, 2], Order::C).is_ok());
    }

    #[test]
    fn a_place_is_counted_in_the_order_of_the_file() {
        assert_eq!(place(9, &[4, 3], Order::C), " in row 3, step 0 (from 0)");
        assert_eq!(place(9, &[4, 3], Order::Fortran), " in row 1, step 2 (from 0)");
        assert_eq!(place(2, &[4], Order::C), " in row 2 (from 0)");
    }
}
