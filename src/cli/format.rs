//! Commands and results as people read them.

pub(super) use crate::format::{bytes, count, counted, duration};

use crate::stats::Summary;

/// A command line that a shell reads back as these arguments.
pub(super) fn command(arguments: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    let quote = |argument: &String| match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.clone(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    };
    arguments.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// `0.8613 ± 0.0042`, without the spread for one run, `-` for none.
pub(super) fn summary(summary: Option<Summary>, digits: usize) -> String {
    match summary {
        Some(Summary { mean, sd: Some(sd), .. }) => format!("{mean:.digits$} ± {sd:.digits$}"),
        Some(Summary { mean, sd: None, .. }) => format!("{mean:.digits$}"),
        None => "-".into(),
    }
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
    fn one_run_has_no_spread() {
        let of = |sd| Some(Summary { count: 2, mean: 0.86125, sd });
        assert_eq!(summary(of(Some(0.0042)), 3), "0.861 ± 0.004");
        assert_eq!(summary(of(None), 2), "0.86");
        assert_eq!(summary(None, 2), "-");
    }
}
