//! Dates of digits alone, such as 20240131.
//!
//! As numbers they are in order only if the year comes first. Such a column is read as dates, so that the
//! steps between rows are those of the calendar. Where the day or the month comes first the order of numbers
//! is wrong, and the column is refused; where both orders agree nothing is said. So it is with `06.2023`,
//! `2023.10` and `31.01`, which are decimal numbers as well.

use crate::error::UserError;
use chrono::NaiveDate;

/// In which order the parts of a date stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parts {
    /// `YYYYMM`, `YYYYMMDD`, and then maybe hours, minutes and seconds.
    Year,
    /// `DDMMYYYY`, and then maybe hours, minutes and seconds.
    Day,
    /// `MMYYYY`, `MMDDYYYY`, and then maybe hours, minutes and seconds.
    Month,
    /// `DDMMYY`, which may be something else, too.
    Short,
}

/// The seconds since 1970 of a column of dates with the year first, or their months; `None` for a column of anything else.
pub(super) fn read(
    column: &[String],
    place: &dyn Fn(usize) -> String,
) -> Result<Option<Vec<i64>>, UserError> {
    refuse_with_point(column, place)?;
    if !column.first().is_some_and(|text| (5..=16).contains(&text.trim().len())) {
        return Ok(None);
    }
    let dates = |parts: Parts| -> Option<Vec<i64>> {
        let read = |text: &String| moment(digits(text)?, parts);
        column.iter().map(read).collect()
    };
    let length = digits(&column[0]).map(str::len);
    if let Some(found) = dates(Parts::Year) {
        let is_even = column.iter().all(|text| digits(text).map(str::len) == length);
        return Ok(is_even.then_some(found));
    }
    for parts in [Parts::Day, Parts::Month, Parts::Short] {
        let Some(found) = dates(parts) else { continue };
        let is_meant = parts != Parts::Short || runs_one_way(&found);
        if let Some(pair) = other_order(column, &found).filter(|_| is_meant) {
            return Err(refusal(column, pair, parts, place));
        }
    }
    Ok(None)
}

/// Refuses months and days with a point between them, in another order than that of decimal numbers.
fn refuse_with_point(column: &[String], place: &dyn Fn(usize) -> String) -> Result<(), UserError> {
    type Read = fn(u32, u32) -> Option<u32>;
    let month_first: Read = |month, year| is_month(month, year).then_some(12 * year + month);
    let year_first: Read = |year, month| is_month(month, year).then_some(12 * year + month);
    let day_first: Read = |day, month| {
        let is_day = (1..=31).contains(&day) && (1..=12).contains(&month);
        is_day.then_some(31 * month + day)
    };
    for (read, what, is_clear) in [
        (month_first, "a month and a year", true),
        (year_first, "a year and a month", true),
        (day_first, "a day and a month", false),
    ] {
        let read = |text: &String| {
            let (a, b) = text.trim().split_once('.')?;
            let are_short = a.len().max(b.len()) <= 4 && b.len() != 3;
            let number = |part: &str| part.parse::<u32>().ok().filter(|_| !part.starts_with('+'));
            read(number(a)?, number(b)?).filter(|_| are_short)
        };
        let Some(dates) = column.iter().map(read).collect::<Option<Vec<u32>>>() else { continue };
        let times: Vec<i64> = dates.iter().copied().map(i64::from).collect();
        // A day and a month look like any number, but for their order in the file.
        if !(is_clear || runs_one_way(&times)) {
            continue;
        }
        let number = |row: usize| column[row].trim().parse::<f64>().unwrap_or_default();
        let mut rows: Vec<usize> = (0..column.len()).collect();
        rows.sort_by(|a, b| number(*a).total_cmp(&number(*b)).then(dates[*a].cmp(&dates[*b])));
        let pair = rows.windows(2).find(|pair| {
            let are_equal = number(pair[0]).total_cmp(&number(pair[1])).is_eq();
            dates[pair[0]] > dates[pair[1]] || are_equal && dates[pair[0]] < dates[pair[1]]
        });
        if let Some(&[first, second]) = pair {
            let (a, b) = (column[first].trim(), column[second].trim());
            return Err(UserError::new(
                format!(
                    "{}: the time `{a}` looks like {what}, and so does `{b}`, and as numbers they stand \
                     in another order",
                    place(first)
                ),
                ISO,
            ));
        }
    }
    Ok(())
}

fn is_month(month: u32, year: u32) -> bool {
    (1..=12).contains(&month) && (1900..2100).contains(&year)
}

/// What to write instead.
const ISO: &str = "numbers are ordered by their size: write ISO 8601 dates such as 2024-05-31, or the year first: \
                   20240531";

/// The digits of a whole number, which may be written as a float.
fn digits(text: &str) -> Option<&str> {
    let text = text.trim();
    let text = match text.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

fn moment(digits: &str, parts: Parts) -> Option<i64> {
    // Numbers have lost the 0 in front of a day or a month.
    let padded = match (parts, digits.len() % 2) {
        (Parts::Year, _) | (_, 0) => digits.to_owned(),
        _ => format!("0{digits}"),
    };
    let part = |from: usize, length: usize| padded.get(from..from + length)?.parse::<u32>().ok();
    let n = padded.len();
    let (year, month, day) = match (parts, n) {
        (Parts::Year, 6) => (part(0, 4)?, part(4, 2)?, 1),
        (Parts::Month, 6) => (part(2, 4)?, part(0, 2)?, 1),
        (Parts::Short, 6) => (2000 + part(4, 2)?, part(2, 2)?, part(0, 2)?),
        (Parts::Year, 8 | 10 | 12 | 14) => (part(0, 4)?, part(4, 2)?, part(6, 2)?),
        (Parts::Day, 8 | 10 | 12 | 14) => (part(4, 4)?, part(2, 2)?, part(0, 2)?),
        (Parts::Month, 8 | 10 | 12 | 14) => (part(4, 4)?, part(0, 2)?, part(2, 2)?),
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(year as i32, month, day)?;
    let is_usual = (1900..2100).contains(&year);
    let of_day = |from: usize| if n > from { part(from, 2) } else { Some(0) };
    let time = date.and_hms_opt(of_day(8)?, of_day(10)?, of_day(12)?)?;
    match (parts, n) {
        _ if !is_usual => None,
        // Months are steps of one length.
        (Parts::Year | Parts::Month, 6) => Some(i64::from(12 * year + month)),
        _ => Some(time.and_utc().timestamp()),
    }
}

/// Whether rows stand in the order of their times, as they mostly do in a file.
fn runs_one_way(times: &[i64]) -> bool {
    times.len() > 2 && (times.is_sorted() || times.iter().rev().is_sorted())
}

/// Two rows of which the first has the smaller number and the later date.
fn other_order(column: &[String], dates: &[i64]) -> Option<[usize; 2]> {
    let number = |row: usize| digits(&column[row]).and_then(|text| text.parse::<u64>().ok());
    let mut rows: Vec<usize> = (0..column.len()).collect();
    rows.sort_by_key(|row| number(*row));
    let pair = rows.windows(2).find(|pair| dates[pair[0]] > dates[pair[1]])?;
    Some([pair[0], pair[1]])
}

fn refusal(
    column: &[String],
    [first, second]: [usize; 2],
    parts: Parts,
    place: &dyn Fn(usize) -> String,
) -> UserError {
    let (a, b) = (column[first].trim(), column[second].trim());
    let part = if parts == Parts::Month { "month" } else { "day" };
    UserError::new(
        format!(
            "{}: the time `{a}` looks like a date with the {part} first, and so does `{b}`, the earlier \
             date and the larger number",
            place(first)
        ),
        ISO,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(column: &[&str]) -> Result<Option<Vec<i64>>, String> {
        let column: Vec<String> = column.iter().map(|text| text.to_string()).collect();
        read(&column, &|row| format!("row {row}")).map_err(|error| error.message)
    }

    #[test]
    fn dates_with_the_day_or_the_month_first_are_refused() {
        let said = of(&["30012024", "31012024", "01022024"]).unwrap_err();
        assert_eq!(
            said,
            "row 2: the time `01022024` looks like a date with the day first, and so does `30012024`, \
             the earlier date and the larger number"
        );
        for column in [
            &["30012024", "31012024", "1022024"][..],
            &["310120241830", "010220240000"],
            &["31012024.0", "1022024.0"],
            &["31012024.", "01022024."],
            &["31012024.00", "1022024.00"],
            &["12312023", "01012024"],
            &["122023", "012024"],
            &["122023", "12024"],
            &["300124", "310124", "10224"],
        ] {
            let said = of(column).unwrap_err();
            assert!(said.contains(" first, and so does "), "{said}");
        }
        assert!(of(&["122023", "12024"]).unwrap_err().contains("with the month first"));
    }

    #[test]
    fn months_and_days_with_a_point_are_refused_where_their_order_is_another() {
        for (column, what) in [
            (&["11.2023", "12.2023", "01.2024"][..], "a month and a year"),
            (&["2023.9", "2023.10", "2023.11"], "a year and a month"),
            (&["2023.1", "2023.10"], "a year and a month"),
            (&["30.01", "31.01", "01.02"], "a day and a month"),
        ] {
            let said = of(column).unwrap_err();
            assert!(said.contains(&format!("looks like {what}, and so does")), "{said}");
        }
        for column in [
            &["2023.08", "2023.09", "2023.10"][..],
            &["1.5", "2.25", "0.75"],
            &["12.05", "3.11", "7.02", "1.01"],
            &["2023.25", "2023.5"],
            &["01.02", "02.02", "03.02"],
        ] {
            assert_eq!(of(column), Ok(None), "{column:?}");
        }
    }

    #[test]
    fn dates_with_the_year_first_have_the_steps_of_the_calendar() {
        let days = of(&["20240131", "20240201", "20240301"]).unwrap().unwrap();
        assert_eq!((days[1] - days[0]) * 29, days[2] - days[1]);
        let months = of(&["202311", "202312", "202401"]).unwrap().unwrap();
        assert_eq!(months[1] - months[0], months[2] - months[1]);
        assert!(of(&["20240131235959", "20240201000000"]).unwrap().unwrap().is_sorted());
    }

    #[test]
    fn other_numbers_stay_numbers() {
        for column in [
            &["1700000000", "1700003600"][..],
            &["1012000", "1012001", "1012002"],
            &["01012024", "02012024"],
            &["235959", "000001", "120000"],
            &["310124", "010124", "150624"],
            &["20240131", "202402"],
            &["20241301", "20240101"],
            &["2024", "2025"],
            &["99999", "5"],
            &["-20240131"],
            &["", ""],
            &["ä0012024"],
            &[],
        ] {
            assert_eq!(of(column), Ok(None), "{column:?}");
        }
    }
}
