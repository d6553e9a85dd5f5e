//! Values that are one but for their spelling: `Yes` and `yes`, `7` and `7.0`.
//!
//! Values are compared as text, so each spelling is a label, a group or a value of `where` of its own. That
//! may be intended, so it is a warning, but where it would change what counts as 1.

use crate::format::counted;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization;

/// Plain numbers of more characters are ids, whose last digits 64 bits would lose.
const DIGITS: usize = 15;

/// What is equal for all spellings of a value.
pub(super) fn key(text: &str) -> String {
    let text = text.trim();
    let is_plain = text.len() <= DIGITS
        && text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '+' | '-'));
    match text.parse::<f64>() {
        // Adding 0 makes -0 a 0.
        Ok(number) if is_plain => (number + 0.0).to_string(),
        _ => looks(text).to_lowercase(),
    }
}

/// What is seen of a text: letters and accents are one character, all blanks are alike, and what is not seen goes.
fn looks(text: &str) -> String {
    let seen =
        text.chars().filter(|c| !matches!(c, '\u{200b}'..='\u{200d}' | '\u{feff}' | '\u{ad}'));
    seen.nfkc().collect::<String>().trim().to_owned()
}

/// A number that is written with a decimal comma.
pub(super) fn with_point(text: &str) -> Option<f64> {
    let (whole, rest) = text.trim().split_once(',')?;
    format!("{whole}.{rest}").parse().ok()
}

/// Whether a comma may separate the thousands of a number: `1,234`, `12,345.6`.
pub(super) fn has_thousands(text: &str) -> bool {
    let Some((first, rest)) = text.trim().trim_start_matches('-').split_once(',') else {
        return false;
    };
    let whole = rest.split('.').next().unwrap_or_default();
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&first.len())
        && are_digits(first)
        && whole.split(',').all(|group| group.len() == 3 && are_digits(group))
}

/// Whether all are numbers, some of them with a decimal comma.
pub fn are_with_commas<'t>(mut values: impl Iterator<Item = &'t str> + Clone) -> bool {
    let is_number = |value: &str| value.parse::<f64>().is_ok() || with_point(value).is_some();
    values.clone().any(|value| value.contains(',')) && values.all(is_number)
}

/// Whether two values are one but for their spelling.
pub(super) fn are_one(a: &str, b: &str) -> bool {
    key(a) == key(b)
}

/// How two spellings of one value differ, for messages.
pub(super) fn difference(a: &str, b: &str) -> &'static str {
    match a.trim().to_lowercase() == b.trim().to_lowercase() {
        true if a.trim() == b.trim() => "differ by blanks alone",
        true => "differ by capital letters alone",
        false if looks(a) == looks(b) => "look the same and are other Unicode characters",
        false if looks(a).to_lowercase() == looks(b).to_lowercase() => {
            "differ by capital letters and Unicode characters that look the same"
        }
        false => "are one number",
    }
}

/// Groups of which another one is a spelling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlikeGroups {
    /// Two of them.
    pub pair: [String; 2],
    /// How many there are beyond one a value.
    pub more: usize,
}

impl AlikeGroups {
    /// Of the group of each row; `None` where each group has one spelling.
    pub(super) fn of(groups: &[String]) -> Option<Self> {
        let distinct: BTreeSet<&str> = groups.iter().map(String::as_str).collect();
        let mut spellings: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for group in &distinct {
            spellings.entry(key(group)).or_default().push(group);
        }
        let pair = spellings.values().find_map(|same| match same[..] {
            [a, b, ..] => Some([a.to_owned(), b.to_owned()]),
            _ => None,
        })?;
        Some(Self { pair, more: distinct.len() - spellings.len() })
    }

    /// The warning.
    pub(super) fn warning(&self) -> String {
        let [a, b] = &self.pair;
        let more = match self.more {
            1 => String::new(),
            more => format!(" (and {} likewise)", counted(more - 1, "other group")),
        };
        format!(
            "the groups `{a}` and `{b}` {}{more}: each counts as a group of its own, so what belongs together \
             may be in two splits; write them in one way if they are one",
            difference(a, b)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_value_have_one_key() {
        for [a, b] in
            [["Jos\u{e9}", "Jose\u{301}"], ["New\u{a0}York", "new york"], ["yes\u{200b}", "yes"]]
        {
            assert_eq!(key(a), key(b), "{a} {b}");
        }
        assert_eq!(
            difference("Jos\u{e9}", "Jose\u{301}"),
            "look the same and are other Unicode characters"
        );
        for [a, b] in [["Yes", " yes "], ["7", "7.0"], ["-0", "0"], ["1", "+1"], ["ÄB", "äb"]] {
            assert_eq!(key(a), key(b), "{a} {b}");
        }
        for [a, b] in [
            ["yes", "yes!"],
            ["1e3", "1000"],
            ["12345678901234567890", "12345678901234567891"],
            ["", "0"],
            ["-", "+"],
            ["nan", "inf"],
        ] {
            assert_ne!(key(a), key(b), "{a} {b}");
        }
    }

    #[test]
    fn decimal_commas_are_seen() {
        assert_eq!(["1,5", "-0,25", " 3, "].map(with_point), [Some(1.5), Some(-0.25), Some(3.0)]);
        assert_eq!(["1.5", "a,b", "1,2,3", ",", ""].map(with_point), [None; 5]);
        assert!(["1,234", "-12,345.6", "1,234,567"].into_iter().all(has_thousands));
        assert!(!["1,5", "1234,567", "1,234,5", "a,234", "", ","].into_iter().any(has_thousands));
    }

    #[test]
    fn groups_of_two_spellings_are_told_with_how_many_more_there_are() {
        let of = |groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|group| group.to_string()).collect();
            AlikeGroups::of(&groups).map(|found| found.warning())
        };
        assert_eq!(of(&["ann", "bob", "ann"]), None);
        let said = of(&["ann", "Ann", "bob", "ANN", "7", "7.0"]).unwrap();
        let expected =
            "the groups `7` and `7.0` are one number (and 2 other groups likewise): each";
        assert!(said.starts_with(expected), "{said}");
        assert!(
            of(&["a", "A"])
                .unwrap()
                .starts_with("the groups `A` and `a` differ by capital letters alone: ")
        );
        assert!(of(&["a", "a "]).unwrap().contains("differ by blanks alone"));
    }
}
