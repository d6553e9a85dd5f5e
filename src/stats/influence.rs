//! Whether one value decides how sure a mean is.

use super::summarise;

/// Fewer values say nothing of which one is odd.
const LEAST: usize = 5;
/// How many times the spread is as large with it as without: of five normal values, one is so odd in 5
/// of 100 cases, of ten hardly ever.
const TIMES: f64 = 3.0;

/// The place of the value without which the spread of the others is less than a third of that of all;
/// `None` where no value is so odd, or of fewer than five. It describes; nothing is left out for it.
pub fn odd_one_out(values: &[f64]) -> Option<usize> {
    let sd = |values: &[f64]| summarise(values).and_then(|summary| summary.sd);
    let without = |place: usize| [&values[..place], &values[place + 1..]].concat();
    let all = sd(values).filter(|sd| values.len() >= LEAST && *sd > 0.0)?;
    let spreads = (0..values.len()).filter_map(|place| Some((place, sd(&without(place))?)));
    let (place, least) = spreads.min_by(|a, b| a.1.total_cmp(&b.1))?;
    (TIMES * least < all).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, normals};

    #[test]
    fn an_outlier_is_found_and_a_plain_spread_has_none() {
        assert_eq!(odd_one_out(&[0.86, 0.862, 0.75, 0.866, 0.868]), Some(2));
        assert_eq!(odd_one_out(&[0.86, 0.84, 0.85, 0.87, 0.83]), None);
        assert_eq!(odd_one_out(&[0.86, 0.86, 0.86, 0.86]), None);
        assert_eq!(odd_one_out(&[0.1, 0.86, 0.86, 0.861]), None);
    }

    #[test]
    fn of_five_normal_values_few_have_an_odd_one() {
        let mut rng = generator(5);
        let odd = (0..1000).filter(|_| odd_one_out(&normals(&mut rng, 5, 0.0, 1.0)).is_some());
        let share = odd.count() as f64 / 1000.0;
        assert!((0.03..0.08).contains(&share), "{share}");
    }
}
