//! Accuracies and their differences as people read them.

use super::{ArmFinding, Estimate, TradeOff};
use crate::format::{count, counted};
use crate::stats::{Interval, Summary};

/// `72.6 %`
pub fn percent(accuracy: f64) -> String {
    format!("{:.1} %", 100.0 * accuracy)
}

/// `0.5`, in percentage points; as many decimals as a margin needs.
pub fn points(accuracy: f64) -> String {
    let text = format!("{:.3}", 100.0 * accuracy);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `-0.63`, `+1.20`, `0.00`, in percentage points.
pub fn signed_points(difference: f64) -> String {
    let text = format!("{:+.2}", 100.0 * difference);
    if text[1..] == *"0.00" { "0.00".to_owned() } else { text }
}

/// `71.0 to 74.2`, in percent: what an accuracy cannot be is cut off.
pub fn percent_range(interval: Interval) -> String {
    let end = |end: f64| format!("{:.1}", 100.0 * end.clamp(0.0, 1.0));
    format!("{} to {}", end(interval.low), end(interval.high))
}

/// `-3.10 to +1.90`
pub fn points_range(interval: Interval) -> String {
    format!("{} to {}", signed_points(interval.low), signed_points(interval.high))
}

/// `batch size 32` for an arm that has no name of its own, else `small (batch size 32)`.
pub(super) fn label(arm: &ArmFinding) -> String {
    let size = format!("batch size {}", count(arm.batch_size as u64));
    match arm.name == format!("batch-{}", arm.batch_size) {
        true => size,
        false => format!("{} ({size})", arm.name),
    }
}

/// Several of them.
pub(super) fn labels(arms: &[&ArmFinding]) -> String {
    list(&arms.iter().map(|arm| label(arm)).collect::<Vec<_>>())
}

/// `3 seeds`, `3 seeds, 5,000 rows`: over what an interval is.
fn sample(summary: &Summary) -> String {
    let seeds = counted(summary.count, "seed");
    summary.rows.map_or(seeds.clone(), |noise| match noise.block {
        1 => format!("{seeds}, {}", counted(noise.rows, "row")),
        block => format!("{seeds}, {} of {block} rows", counted(noise.rows, "block")),
    })
}

/// `72.6 % (95 % interval 71.0 to 74.2, 3 seeds)`
pub(super) fn accuracy(estimate: &Estimate) -> String {
    let mean = percent(estimate.summary.mean);
    match estimate.interval {
        Some(interval) => format!(
            "{mean} (95 % interval {}, {})",
            percent_range(interval),
            sample(&estimate.summary)
        ),
        None => format!("{mean} (one seed, so no interval)"),
    }
}

/// What the critical batch size means.
pub(super) fn critical_batch(curve: &TradeOff) -> String {
    let steps = |value: f64| count(value.round() as u64);
    let interval = curve.interval.map_or(String::new(), |interval| {
        format!(" (95 % interval {} to {})", steps(interval.low), steps(interval.high))
    });
    format!(
        "Up to a batch size of about {}{interval} doubling the batch nearly halves the steps; beyond, \
         it mostly costs more passes over the data.",
        steps(curve.critical)
    )
}

/// `a`, `a and b`, `a, b and c`
pub fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_a_sentence() {
        assert_eq!([percent(0.7257), percent(1.0)], ["72.6 %", "100.0 %"]);
        assert_eq!([points(0.005), points(0.01), points(0.00125)], ["0.5", "1", "0.125"]);
        assert_eq!([signed_points(-0.0063), signed_points(0.012)], ["-0.63", "+1.20"]);
        assert_eq!([signed_points(-0.00001), signed_points(0.0)], ["0.00", "0.00"]);
        assert_eq!(percent_range(Interval { low: -0.1, high: 0.742 }), "0.0 to 74.2");
        let words = ["a", "b", "c"].map(String::from);
        assert_eq!([list(&words), list(&words[..1]), list(&[])], ["a, b and c", "a", ""]);
    }
}
