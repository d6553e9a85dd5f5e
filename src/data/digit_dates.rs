//! Dates of digits alone, such as 20240131.
//!
//! As numbers they are in order only if the year comes first. Such a column is read as dates, so that the
//! steps between rows are those of the calendar. Where the day or the month comes first the order of numbers
//! is wrong, and the column is refused; where both orders agree nothing is said. So it is with `06.2023`,
//! `2023.10` and `31.01`, which are decimal numbers as well.

use crate::error::UserError;
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};

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
    /// `MMDDYY`, the same.
    ShortMonth,
    /// `DDMM`, the same.
    DayMonth,
    /// The year, and a month or a day of the year that lacks zeros: `20181` beside `201812`.
    Unpadded,
}

/// The seconds since 1970 of a column of dates with the year first, or their months; `None` for a column of anything else.
pub(super) fn read(
    column: &[String],
    place: &dyn Fn(usize) -> String,
) -> Result<Option<Vec<i64>>, UserError> {
    refuse_with_point(column, place)?;
    if !column.first().is_some_and(|text| (3..=16).contains(&text.trim().len())) {
        return Ok(None);
    }
    let dates = |parts: Parts| -> Option<Vec<i64>> {
        let read = |text: &String| moment(digits(text)?, parts);
        column.iter().map(read).collect()
    };
    let length = digits(&column[0]).map(str::len);
    let is_even = column.iter().all(|text| digits(text).map(str::len) == length);
    if let Some(found) = dates(Parts::Year) {
        return Ok(is_even.then_some(found));
    }
    use Parts::{Day, DayMonth, Month, Short, ShortMonth, Unpadded};
    for parts in [Day, Month, Unpadded, Short, ShortMonth, DayMonth] {
        let Some(found) = dates(parts) else { continue };
        let is_meant = match parts {
            Unpadded => !is_even,
            Short | ShortMonth => runs_one_way(&found) || is_calendar(column, &found),
            DayMonth => is_calendar(column, &found),
            _ => true,
        };
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
    if parts == Parts::Unpadded {
        return unpadded(digits);
    }
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
        (Parts::ShortMonth, 6) => (2000 + part(4, 2)?, part(0, 2)?, part(2, 2)?),
        // Of any year that has a 29th of February.
        (Parts::DayMonth, 4) => (2024, part(2, 2)?, part(0, 2)?),
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

/// A year, and then a month of one digit or two, or a day of the year of up to three; in days.
fn unpadded(digits: &str) -> Option<i64> {
    let year: i32 = digits.get(..4)?.parse().ok().filter(|year| (1900..2100).contains(year))?;
    let rest: u32 = digits.get(4..).filter(|rest| !rest.starts_with('0'))?.parse().ok()?;
    let day = NaiveDate::from_yo_opt(year, rest)?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp())
}

/// Whether numbers that may be dates without a century, or without a year, have the steps of a calendar, in whatever
/// order they stand: most of them one size, and more than they have as numbers or as dates with the year first.
fn is_calendar(column: &[String], dates: &[i64]) -> bool {
    const LEAST: usize = 10;
    let numbers: Option<Vec<i64>> = column.iter().map(|text| digits(text)?.parse().ok()).collect();
    let year_first = |text: &String| {
        let digits = digits(text)?;
        let part = |from: usize| digits.get(from..from + 2)?.parse::<u32>().ok();
        let date = NaiveDate::from_ymd_opt(2000 + part(0)? as i32, part(2)?, part(4)?)?;
        Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp())
    };
    let year_first: Option<Vec<i64>> = column.iter().map(year_first).collect();
    let evenness = |values: Option<Vec<i64>>| {
        values.and_then(|values| evenness(&values)).map_or(0.0, |(share, _)| share)
    };
    let Some((share, distinct)) = self::evenness(dates) else { return false };
    distinct >= LEAST && share >= 0.5 && share > evenness(numbers).max(evenness(year_first))
}

/// Of the distinct values in their order, the share of the most common step, and how many values there are.
fn evenness(values: &[i64]) -> Option<(f64, usize)> {
    let distinct: BTreeSet<i64> = values.iter().copied().collect();
    let distinct: Vec<i64> = distinct.into_iter().collect();
    let mut steps: BTreeMap<i64, usize> = BTreeMap::new();
    distinct.windows(2).for_each(|pair| *steps.entry(pair[1] - pair[0]).or_default() += 1);
    let most = steps.into_values().max()?;
    Some((most as f64 / (distinct.len() - 1) as f64, distinct.len()))
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
    let how = match parts {
        Parts::Month | Parts::ShortMonth => "with the month first",
        Parts::Unpadded => "with the year first, without zeros before the month or the day",
        _ => "with the day first",
    };
    UserError::new(
        format!(
            "{}: the time `{a}` looks like a date {how}, and so does `{b}`, the earlier date and the larger \
             number",
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

    /// So many days from 15 November 2023 on, but weekends where these are left out.
    fn days(format: &str, count: usize, are_of_trade: bool) -> Vec<String> {
        use chrono::Datelike;
        let first = NaiveDate::from_ymd_opt(2023, 11, 15).unwrap();
        let of_trade = |day: &NaiveDate| !are_of_trade || day.weekday().num_days_from_monday() < 5;
        let days = first.iter_days().filter(of_trade).take(count);
        days.map(|day| day.format(format).to_string()).collect()
    }

    #[test]
    fn short_dates_are_refused_in_any_order_of_the_rows() {
        for (format, are_of_trade) in
            [("%d%m%y", false), ("%m%d%y", false), ("%d%m", false), ("%d%m%y", true)]
        {
            let one = days(format, 80, are_of_trade);
            let without_zeros: Vec<String> =
                one.iter().map(|day| day.trim_start_matches('0').to_owned()).collect();
            let two_series = [&one[..], &one[..]].concat();
            let mut shuffled = one.clone();
            shuffled.sort_by_key(|day| day.bytes().rev().collect::<Vec<u8>>());
            for column in [one, two_series, shuffled, without_zeros] {
                let column: Vec<&str> = column.iter().map(String::as_str).collect();
                let said = of(&column).unwrap_err();
                assert!(said.contains(" first, and so does "), "{format}: {said}");
            }
        }
        for column in [
            &["2023319", "2023320", "2023365", "20241", "202432"][..],
            &["20181", "20182", "201810", "201811", "20191"],
        ] {
            let said = of(column).unwrap_err();
            assert!(said.contains("without zeros before the month or the day"), "{said}");
        }
    }

    #[test]
    fn counters_and_dates_with_the_year_first_are_no_short_dates() {
        let numbers = |from: u32, step: u32| -> Vec<String> {
            (0..99).map(|at| (from + at * step).to_string()).collect()
        };
        let of_day = |step: u32| -> Vec<String> {
            let minutes = (0..24 * 60).step_by(step as usize);
            minutes.map(|at| format!("{:02}{:02}", at / 60, at % 60)).collect()
        };
        let columns = [
            numbers(100_101, 1),
            numbers(1001, 1),
            numbers(1, 1),
            numbers(20_180, 7),
            days("%y%m%d", 80, false),
            of_day(1),
            of_day(60),
        ];
        for column in columns {
            let column: Vec<&str> = column.iter().map(String::as_str).collect();
            assert_eq!(of(&column), Ok(None), "{:?}", &column[..5]);
        }
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
