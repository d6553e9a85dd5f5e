//! Several comparisons at once: Holm 1979, "A simple sequentially rejective multiple test
//! procedure", Scand. J. Statist. 6. No assumption on how the tests depend on each other.

/// The p values corrected so that, compared with 0.05, not one of the true nulls is rejected in
/// more than 5 % of the studies; in the order in which they came.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let (mut corrected, mut highest) = (vec![0.0; p.len()], 0.0f64);
    for (rank, index) in order.into_iter().enumerate() {
        highest = highest.max(p[index] * (p.len() - rank) as f64).min(1.0);
        corrected[index] = highest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::generator;
    use rand::RngExt;

    /// `p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")` in R: 0.03, 0.06, 0.06, 0.02.
    #[test]
    fn values_are_those_of_r() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[0.7, 0.9]), [1.0, 1.0]);
        assert_eq!(holm(&[]), Vec::<f64>::new());
    }

    #[test]
    fn in_5_percent_of_studies_without_effects_one_is_found() {
        let mut rng = generator(7);
        let found = |_| {
            let p: Vec<f64> = (0..6).map(|_| rng.random::<f64>()).collect();
            usize::from(holm(&p).iter().any(|p| *p < 0.05))
        };
        let share = (0..10_000).map(found).sum::<usize>() as f64 / 10_000.0;
        assert!((share - 0.05).abs() < 0.007, "{share}");
    }
}
