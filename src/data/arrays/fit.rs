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
    fn a_place_is_counted_in_the_order_of_the_file() {
        assert_eq!(place(9, &[4, 3], Order::C), " in row 3, step 0 (from 0)");
        assert_eq!(place(9, &[4, 3], Order::Fortran), " in row 1, step 2 (from 0)");
        assert_eq!(place(2, &[4], Order::C), " in row 2 (from 0)");
    }
}
