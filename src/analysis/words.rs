//! Accuracies and their differences as people read them.

use crate::stats::Interval;

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
