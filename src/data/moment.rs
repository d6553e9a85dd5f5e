//! Times as people write them: numbers, or ISO 8601 dates with or without a time of day.

use super::digit_dates;
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
    match digit_dates::read(column, place)? {
        Some(dates) => Ok(dates.into_iter().map(|date| Moment::from(date) * BILLION).collect()),
        None => plain(column, place),
    }
}

/// The same of a column whose numbers are no dates.
pub(super) fn plain(
    column: &[String],
    place: &dyn Fn(usize) -> String,
) -> Result<Vec<Moment>, UserError> {
    let numbers = column.first().is_some_and(|first| number(first).is_some());
    if !numbers {
        refuse_mixed_zones(column, place)?;
    }
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

/// What has no zone may be local time, and to take it for UTC would put rows that have one in a wrong order.
fn refuse_mixed_zones(column: &[String], place: &dyn Fn(usize) -> String) -> Result<(), UserError> {
    let has_zone = |text: &&String| DateTime::parse_from_rfc3339(text.trim()).is_ok();
    let with = column.iter().position(|text| has_zone(&text));
    let without = column.iter().position(|text| is_date(text) && !has_zone(&text));
    let (Some(with), Some(without)) = (with, without) else { return Ok(()) };
    Err(UserError::new(
        format!(
            "{}: the time `{}` has no time zone, and `{}` has one ({})",
            place(without),
            column[without],
            column[with],
            place(with)
        ),
        "write all times with their zone, such as 2024-05-31T18:30:00+02:00, or all without",
    ))
}

/// Words that stand in dates and numbers beside the digits.
const OF_TIMES: [&str; 29] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mon",
    "tue", "wed", "thu", "fri", "sat", "sun", "am", "pm", "utc", "gmt", "t", "z", "st", "nd", "rd",
    "th",
];
/// Such of them as may be written out: `March`, `Tuesday`.
const MAY_GO_ON: usize = 19;

/// Whether a text is nothing but numbers, dates and times, however they are written: `2024-03-01
/// 10:00`, `1st of March`, `3.5 7`. An empty text is not.
pub fn is_time(text: &str) -> bool {
    let lower = text.to_lowercase();
    let parts = lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    // Letters and digits may touch: `1st`, `10am`, `2024-03-01T10:00Z`.
    let words = parts.flat_map(|part| part.split(|c: char| c.is_numeric()));
    let names = |word: &str| {
        let known = OF_TIMES.iter().position(|known| *known == word);
        let goes_on = || OF_TIMES[..MAY_GO_ON].iter().any(|known| word.starts_with(known));
        word == "of" || word == "e" || known.is_some() || goes_on()
    };
    lower.contains(|c: char| c.is_numeric()) && words.filter(|word| !word.is_empty()).all(names)
}

fn number(text: &str) -> Option<Moment> {
    let text = text.trim();
    if let Some(whole) = text.parse::<i128>().ok().and_then(|whole| whole.checked_mul(BILLION)) {
        return Some(whole);
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some((value * BILLION as f64) as i128)
}

/// Whether a text is an ISO 8601 date, with or without a time of day.
pub(super) fn is_date(text: &str) -> bool {
    date(text).is_some()
}

fn date(text: &str) -> Option<Moment> {
    let text = text.trim();
    // The library takes 31-01-24 for a day of the year 31.
    let year = text.split('-').next().filter(|year| year.len() == 4)?;
    if !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
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
        let without = ["2023-12-31", "2023-12-31T23:00", "2024-01-01", "2024-01-01 00:00:00.5"];
        let with =
            ["2024-01-01 00:30:00+02:00", "2023-12-31T23:00:00Z", "2024-01-01T00:00:01.5+00:00"];
        let [without, with] = [read(&without).unwrap(), read(&with).unwrap()];
        for times in [&without, &with] {
            assert!(times.is_sorted() && times[0] < times[2], "{times:?}");
        }
        assert_eq!(with[1] - with[0], 1800 * BILLION);
    }

    #[test]
    fn times_with_a_zone_and_times_without_one_are_refused_together() {
        let error = read(&["2024-01-01 19:30", "2024-01-01", "2024-01-01T07:10:00Z"]).unwrap_err();
        assert_eq!(
            error.message,
            "row 0: the time `2024-01-01 19:30` has no time zone, and `2024-01-01T07:10:00Z` has one (row 2)"
        );
    }

    #[test]
    fn numbers_keep_their_order_beyond_the_precision_of_floats() {
        let far = read(&["9223372036854775808", "18446744073709551615"]).unwrap();
        assert!(far[0] < far[1]);
        let read = read(&["1700000000000000000", "1700000000000000001", "2e18", "-1.5"]).unwrap();
        assert!(read[0] < read[1] && read[1] < read[2] && read[3] < 0);
    }

    #[test]
    fn digits_with_the_day_first_are_no_numbers() {
        let error = read(&["31012024", "01022024"]).unwrap_err();
        assert!(
            error.message.starts_with("row 1: the time `01022024` looks like a date"),
            "{error}"
        );
        let days = read(&["20240131", "20240201"]).unwrap();
        assert_eq!(days[1] - days[0], 86_400 * BILLION);
    }

    #[test]
    fn numbers_and_dates_of_any_spelling_are_told_from_texts() {
        for text in [
            "2024-03-01 00:00:00",
            "2024-03-01T10:00:00.5+02:00",
            "1/3/24 10:15 AM",
            "1e-3",
            "-3.5 7",
            "Fri, 1 March 2024 10:00 GMT",
            "1st of Mar. 2024",
            "192.168.0.1",
        ] {
            assert!(is_time(text), "{text}");
        }
        for text in ["room 12", "good film", "", "a 2 b", "10 out of 10", "may be"] {
            assert!(!is_time(text), "{text}");
        }
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
        for day in ["31-01-24", "01-06-23 10:00", "1-6-23", "99-12-31", "024-01-01", "+2024-01-01"]
        {
            assert!(message(&[day]).ends_with("is not a number or a date"), "{day}");
            assert!(!is_date(day), "{day}");
        }
    }
}
