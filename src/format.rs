//! Numbers, commands, and texts of others, as people and spreadsheets read them.

use std::borrow::Cow;

/// `1,234,567`
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 run`, `3 runs`
pub fn counted(value: usize, thing: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(value as u64))
}

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
    signed_points_to(difference, 2)
}

/// The same with so many decimals.
pub fn signed_points_to(difference: f64, decimals: usize) -> String {
    let text = format!("{:+.decimals$}", 100.0 * difference);
    let is_zero = text[1..].bytes().all(|b| b == b'0' || b == b'.');
    if is_zero { text[1..].to_owned() } else { text }
}

/// `a`, `a and b`, `a, b and c`
pub fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `a, b`, or `a, b and 3 more`: at most so many by name.
pub fn first_few(words: &[String], most: usize) -> String {
    match words.len().saturating_sub(most) {
        0 => words.join(", "),
        more => format!("{} and {} more", words[..most].join(", "), count(more as u64)),
    }
}

/// The same as a [`list`]: `a and b`, or `a, b and 3 more`.
pub fn list_first_few(words: &[String], most: usize) -> String {
    if words.len() > most { first_few(words, most) } else { list(words) }
}

/// `412 MB`, `1.3 GB`; decimal units.
pub fn bytes(value: u64) -> String {
    match value {
        0..1_000_000 => format!("{} kB", value.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{:.0} MB", value as f64 / 1e6),
        _ => format!("{:.1} GB", value as f64 / 1e9),
    }
}

/// `45 s`, `12 min`, `3 h 20 min`
pub fn duration(seconds: f64) -> String {
    match seconds {
        0.00005..0.00095 => format!("{:.1} ms", 1e3 * seconds),
        0.00095..0.05 => format!("{:.0} ms", 1e3 * seconds),
        ..9.95 => format!("{seconds:.1} s"),
        ..99.5 => format!("{seconds:.0} s"),
        ..5970.0 => format!("{:.0} min", seconds / 60.0),
        _ => {
            let minutes = (seconds / 60.0).round() as u64;
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        }
    }
}

/// `0.0123`, `2.50e-6`, `1.25e30`: a measurement with so many digits after the point, or to the same digit with a
/// power of ten where it is very large or small. Zeros alone would say nothing of it.
pub fn measured(value: f64, decimals: i32) -> String {
    const PLAIN: i32 = 7;
    let size = value.abs();
    if size >= 1e9 || (decimals > PLAIN && size < 1e-3) {
        return match decimals.saturating_add(size.max(f64::MIN_POSITIVE).log10().floor() as i32) {
            ..0 => "0".to_owned(),
            digits => format!("{value:.*e}", digits.min(PLAIN - 1) as usize),
        };
    }
    // Adding 0 makes -0 a 0.
    format!("{:.*}", decimals.clamp(0, 12) as usize, value + 0.0)
}

/// The same without zeros at the end: `0.5`, `2e28`.
pub fn trimmed(text: &str) -> String {
    let (digits, power) = text.split_at(text.find('e').unwrap_or(text.len()));
    match digits.contains('.') {
        true => format!("{}{power}", digits.trim_end_matches('0').trim_end_matches('.')),
        false => text.to_owned(),
    }
}

/// A measurement of a difference, with its sign: `-0.63`, `+1.20`, `0.00`.
pub fn signed(value: f64, decimals: i32) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+∞".into() } else { "-∞".into() };
    }
    let text = measured(value.abs(), decimals);
    match text.bytes().any(|b| matches!(b, b'1'..=b'9')) {
        true if value < 0.0 => format!("-{text}"),
        true => format!("+{text}"),
        false => text,
    }
}

/// `0.8613`, `3.12e-4`, `2.50e7`: a metric on a line of progress.
pub fn metric(value: f64) -> String {
    match value.abs() {
        0.0 | 1e-3..1e6 => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}

/// `0.001`, `1e30`, `1e-9`: a learning rate with all its digits, without the zeros of very large or small
/// ones.
pub fn rate(value: f64) -> String {
    let plain = value.to_string();
    if plain.len() > 9 { format!("{value:e}") } else { plain }
}

/// `350.2`, `120`, `0.01235`, `2.5e9`: a number of the user's to four digits.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1e-3..1e6 => {
            let digits = (3 - value.abs().log10().floor() as i32).max(0) as usize;
            trimmed(&format!("{value:.digits$}"))
        }
        _ => trimmed(&format!("{value:.3e}")),
    }
}

/// A command line that a shell reads back as these arguments.
pub fn command(arguments: &[impl AsRef<str>]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    let quote = |argument: &str| match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    };
    arguments.iter().map(AsRef::as_ref).map(quote).collect::<Vec<_>>().join(" ")
}

/// Whether a terminal acts on it, or shows the signs around it otherwise than they stand: control
/// characters, and those that turn the direction of writing or take no place.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text with what is hidden in it as `\u{1b}`. Ends of lines and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_hidden(c) && c != '\n' && c != '\t')
}

/// As [`visible`], for a name within a line: ends of lines and tabs are shown too.
pub fn in_line(text: &str) -> Cow<'_, str> {
    escape(text, is_hidden)
}

fn escape(text: &str, is_hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_hidden) {
        return Cow::Borrowed(text);
    }
    let show = |c: char| match is_hidden(c) {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(show).collect())
}

/// A cell of a CSV file that no spreadsheet takes for a formula: a text that begins like one gets an
/// apostrophe in front. Numbers stay numbers.
pub fn cell(text: &str) -> Cow<'_, str> {
    let starts = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    match text.starts_with(starts) && text.parse::<f64>().is_err() {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_shown_and_other_writing_stays() {
        assert_eq!(visible("a\u{1b}[31m\r\u{202e}b\u{9b}"), r"a\u{1b}[31m\u{d}\u{202e}b\u{9b}");
        let plain = "é 日本 שלום ±\tx\n";
        assert!(matches!(visible(plain), Cow::Borrowed(text) if text == plain));
        assert_eq!(in_line("a\nerror: b"), r"a\u{a}error: b");
    }

    #[test]
    fn a_cell_is_never_a_formula_and_numbers_stay_numbers() {
        for text in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        for text in ["-0.5", "+1", "-1e-9", "0.25", "a=b", "", "no"] {
            assert_eq!(cell(text), text);
        }
    }

    #[test]
    fn a_list_reads_as_in_a_sentence() {
        let words = ["a", "b", "c"].map(String::from);
        assert_eq!([list(&words), list(&words[..1]), list(&[])], ["a, b and c", "a", ""]);
    }

    #[test]
    fn a_command_that_is_shown_can_be_repeated() {
        let arguments = ["run", "a b.yaml", "--set", "data.text.replace.x=it's"].map(String::from);
        assert_eq!(command(&arguments), r"run 'a b.yaml' --set 'data.text.replace.x=it'\''s'");
    }

    #[test]
    fn numbers_are_rounded_to_what_a_reader_needs() {
        assert_eq!([count(7), count(1234), count(1234567)], ["7", "1,234", "1,234,567"]);
        assert_eq!(
            [bytes(1), bytes(412_400_000), bytes(1_300_000_000)],
            ["1 kB", "412 MB", "1.3 GB"]
        );
        assert_eq!([duration(4.26), duration(45.4), duration(720.0)], ["4.3 s", "45 s", "12 min"]);
        assert_eq!([duration(12_000.0), duration(0.0041)], ["3 h 20 min", "4 ms"]);
        assert_eq!(duration(0.0), "0.0 s");
        assert_eq!([duration(0.000457), duration(0.00149)], ["0.5 ms", "1 ms"]);
        assert_eq!([percent(0.7257), percent(1.0)], ["72.6 %", "100.0 %"]);
        assert_eq!([points(0.005), points(0.01), points(0.00125)], ["0.5", "1", "0.125"]);
        assert_eq!([signed_points(-0.0063), signed_points(0.012)], ["-0.63", "+1.20"]);
        assert_eq!([signed_points(-0.00001), signed_points(0.0)], ["0.00", "0.00"]);
        let metrics = [0.43214, 2.306e7, 3.456e-7, 0.0, -0.5].map(metric);
        assert_eq!(metrics, ["0.4321", "2.31e7", "3.46e-7", "0.0000", "-0.5000"]);
        let rates = [1e-3, 0.00316, 1e30, 1e-9, 0.5, 2.0].map(rate);
        assert_eq!(rates, ["0.001", "0.00316", "1e30", "1e-9", "0.5", "2"]);
    }

    #[test]
    fn of_many_names_the_first_are_shown_and_the_others_counted() {
        let names: Vec<String> = (0..1004).map(|number| number.to_string()).collect();
        assert_eq!(
            [first_few(&names[..3], 3), first_few(&names[..5], 3)],
            ["0, 1, 2", "0, 1, 2 and 2 more"]
        );
        assert_eq!(first_few(&names, 2), "0, 1 and 1,002 more");
        let lists = [list_first_few(&names[..3], 3), list_first_few(&names[..5], 3)];
        assert_eq!(lists, ["0, 1 and 2", "0, 1, 2 and 2 more"]);
    }

    #[test]
    fn a_measurement_shows_its_digits_however_large_or_small_it_is() {
        let cases = [
            (0.86125, 3, "0.861"),
            (-0.0, 2, "0.00"),
            (1234.5, -1, "1234"),
            (1.234e30, -28, "1.23e30"),
            (2.5049e-6, 8, "2.50e-6"),
            (-1.5e-30, 31, "-1.5e-30"),
            (1e-40, 31, "0"),
            (0.5, 9, "0.500000000"),
            (f64::INFINITY, 3, "inf"),
        ];
        for (value, decimals, text) in cases {
            assert_eq!(measured(value, decimals), text);
        }
        let said = [(-0.63, 2), (1.2, 2), (-0.001, 2), (-3e-31, 32), (2e29, -28)];
        let said = said.map(|(value, decimals)| signed(value, decimals));
        assert_eq!(said, ["-0.63", "+1.20", "0.00", "-3.0e-31", "+2.0e29"]);
    }

    #[test]
    fn numbers_have_four_digits() {
        let cases = [
            (0.0, "0"),
            (350.25, "350.2"),
            (120.0, "120"),
            (-1234.56, "-1235"),
            (0.012_345, "0.01235"),
            (2.5e9, "2.5e9"),
            (1e-30, "1e-30"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
