//! Numbers and commands as people read them.

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
        0.0005..0.05 => format!("{:.0} ms", 1e3 * seconds),
        ..9.95 => format!("{seconds:.1} s"),
        ..99.5 => format!("{seconds:.0} s"),
        ..5970.0 => format!("{:.0} min", seconds / 60.0),
        _ => {
            let minutes = (seconds / 60.0).round() as u64;
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        }
    }
}

/// `0.6931`, `2.31e7`: the loss of a run that goes astray has up to 38 digits before the point.
pub fn loss(value: f64) -> String {
    if value.abs() < 1e6 { format!("{value:.4}") } else { format!("{value:.2e}") }
}

/// A command line that a shell reads back as these arguments.
pub fn command(arguments: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    let quote = |argument: &String| match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.clone(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    };
    arguments.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!([loss(0.43214), loss(2.306e7)], ["0.4321", "2.31e7"]);
    }
}
