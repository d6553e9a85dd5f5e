//! Estimates from the runs of an arm: pure functions of numbers.

use serde::Serialize;

/// Mean and spread of one quantity over the seeds of an arm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Number of values.
    pub count: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (divisor n - 1); `None` for one value.
    pub sd: Option<f64>,
}

/// Summarises values; `None` when there are none.
pub fn summarise(values: &[f64]) -> Option<Summary> {
    let count = values.len();
    if count == 0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let sd = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
    Some(Summary { count, mean, sd })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_the_sample_standard_deviation() {
        let summary = summarise(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!((summary.mean - 5.0).abs() < 1e-12);
        assert!((summary.sd.unwrap() - (32.0f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(summary.count, 8);
    }

    #[test]
    fn one_value_has_no_spread_and_none_has_no_summary() {
        assert_eq!(summarise(&[3.0]).unwrap().sd, None);
        assert_eq!(summarise(&[]), None);
    }
}
