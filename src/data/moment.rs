//! Times as people write them: numbers, or ISO 8601 dates with or without a time of day.

use crate::error::UserError;
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};

/// A time that can be compared with the others of its column: nanoseconds, or a number times 10^9.
pub(super) type Moment = i128;

const BILLION: i128 = 1_000_000_000;

/// Reads a column, all numbers or all dates; a date without an offset is in UTC.
pub(super) fn parse(
    column: &[String],
    place: &dyn Fn(usize) -> String,
) -> Result<Vec<Moment>, UserError> {
    let numbers = column.first().is_some_and(|first| number(first).is_some());
    let read = |(row, text): (usize, &String)| {
        let moment = if numbers { number(text) } else { date(text) };
        moment.ok_or_else(|| {
            let kind = if numbers { "a number, as the first one is" } else { "a number or a date" };
            UserError::new(
                format!("{}: the time `{text}` is not {kind}", place(row)),
                "write numbers, or ISO 8601 dates such as 2024-05-31 or 2024-05-31T18:30:00+02:00",
            )
        })
    };
    column.iter().enumerate().map(read).collect()
}

fn number(text: &str) -> Option<Moment> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(i128::from(whole) * BILLION);
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some((value * BILLION as f64) as i128)
}

fn date(text: &str) -> Option<Moment> {
    let text = text.trim();
    let utc = |moment: NaiveDateTime| moment.and_utc().fixed_offset();
    let local =
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let moment: DateTime<FixedOffset> = DateTime::parse_from_rfc3339(text)
        .ok()
        .or_else(|| local.iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok()).map(utc))
        .or_else(|| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(utc)
        })?;
    Some(i128::from(moment.timestamp()) * BILLION + i128::from(moment.timestamp_subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(column: &[&str]) -> Result<Vec<Moment>, UserError> {
        let column: Vec<String> = column.iter().map(|text| text.to_string()).collect();
        parse(&column, &|row| format!("row {row}"))
    }

    #[test]
    fn dates_of_all_spellings_are_ordered_as_the_clock_is() {
        let column = [
            "2023-12-31",
            "2024-01-01 00:30:00+02:00",
            "2023-12-31T23:00",
            "2024-01-01",
            "2024-01-01 00:00:00.5",
            "2024-01-01T00:00:01Z",
        ];
        let read = read(&column).unwrap();
        assert!(read.is_sorted() && read[0] < read[5], "{read:?}");
        assert_eq!(read[2] - read[1], 1800 * BILLION);
    }

    #[test]
    fn numbers_keep_their_order_beyond_the_precision_of_floats() {
        let read = read(&["1700000000000000000", "1700000000000000001", "2e18", "-1.5"]).unwrap();
        assert!(read[0] < read[1] && read[1] < read[2] && read[3] < 0);
    }

    #[test]
    fn what_is_no_time_is_named_with_its_row() {
        let message = |column: &[&str]| read(column).unwrap_err().message;
        assert_eq!(
            message(&["yesterday"]),
            "row 0: the time `yesterday` is not a number or a date"
        );
        assert!(
            message(&["1", "2024-01-01"]).starts_with("row 1: the time `2024-01-01` is not a num")
        );
        assert!(message(&["1", "NaN"]).contains("`NaN`"));
        assert!(message(&["2024-02-30"]).contains("`2024-02-30`"));
    }
}
