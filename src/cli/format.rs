//! Results as people read them.

pub(super) use crate::format::{
    bytes, cell, command, count, counted, duration, in_line, list, metric, number, points, rate,
};

use crate::format::measured;
use crate::stats::Summary;

/// `0.8613 ± 0.0042`, without the spread for one run, `-` for none.
pub(super) fn summary(summary: Option<Summary>, decimals: i32) -> String {
    let written = |value| measured(value, decimals);
    match summary {
        Some(Summary { mean, sd: Some(sd), .. }) => format!("{} ± {}", written(mean), written(sd)),
        Some(Summary { mean, sd: None, .. }) => written(mean),
        None => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_has_no_spread() {
        let of = |sd| Some(Summary { count: 2, mean: 0.86125, sd, rows: None });
        assert_eq!(summary(of(Some(0.0042)), 3), "0.861 ± 0.004");
        assert_eq!(summary(of(None), 2), "0.86");
        assert_eq!(summary(None, 2), "-");
    }
}
