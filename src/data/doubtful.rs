//! Cells that may mean something else than they are read as: a label such as `NA`, which elsewhere stands for a
//! missing value, and numbers such as 1.234, whose point may separate thousands. Either reading makes sense, so
//! these are warnings.

use crate::format::{counted, list};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What databases, R, pandas and others write where a value is missing, in small letters.
const MISSING: [&str; 10] =
    ["na", "n/a", "#n/a", "<na>", "nan", "null", "\\n", "nil", "missing", "?"];

/// What was found in a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Doubtful {
    /// Labels that are words for a missing value.
    Missing {
        /// How messages call the column.
        column: String,
        /// Each with its rows.
        words: Vec<(String, usize)>,
    },
    /// Texts that are nothing but a word for a missing value.
    MissingTexts {
        /// How messages call the column.
        column: String,
        /// Each with its rows.
        words: Vec<(String, usize)>,
    },
    /// Texts with a backslash and a letter where programs that unload databases mean a line end or a tab.
    Escapes {
        /// How messages call the column.
        column: String,
        /// What was found.
        escape: String,
        /// In so many texts.
        rows: usize,
    },
    /// Numbers with three digits after each point, beside others without a point.
    Thousands {
        /// How messages call the column.
        column: String,
        /// The first with a point.
        example: String,
    },
}

impl Doubtful {
    /// Of labels that are classes.
    pub(super) fn classes<'v>(column: &str, values: impl Iterator<Item = &'v str>) -> Option<Self> {
        let words = missing(values);
        (!words.is_empty()).then(|| Self::Missing { column: column.to_owned(), words })
    }

    /// Of texts.
    pub(super) fn texts<'v>(
        column: &str,
        values: impl Iterator<Item = &'v str> + Clone,
    ) -> Vec<Self> {
        let words = missing(values.clone().map(str::trim).filter(|text| *text != "?"));
        let column = || column.to_owned();
        let words = (!words.is_empty()).then(|| Self::MissingTexts { column: column(), words });
        let escapes = ["\\n", "\\t", "\\r"].into_iter().find_map(|escape| {
            let rows = values.clone().filter(|text| is_escaped(text, escape)).count();
            (rows > 1).then(|| Self::Escapes { column: column(), escape: escape.to_owned(), rows })
        });
        words.into_iter().chain(escapes).collect()
    }

    /// Of numbers.
    pub(super) fn numbers<'v>(column: &str, values: impl Iterator<Item = &'v str>) -> Option<Self> {
        let mut points = Points::default();
        values.for_each(|value| points.push(value));
        points.doubtful(column)
    }

    /// The warning.
    pub(super) fn warning(&self) -> String {
        match self {
            Self::Missing { column, words } => {
                let words: Vec<String> = words
                    .iter()
                    .map(|(word, rows)| format!("`{word}` ({})", counted(*rows, "row")))
                    .collect();
                format!(
                    "{column} holds {}, which counts as a label like any other: if it stands for a missing \
                     value remove these rows, or leave them out with `where`",
                    list(&words)
                )
            }
            Self::MissingTexts { column, words } => {
                let words: Vec<String> = words
                    .iter()
                    .map(|(word, rows)| format!("`{word}` ({})", counted(*rows, "row")))
                    .collect();
                format!(
                    "{column} holds {} as whole texts, which are read as a word: if it stands for a missing text \
                     remove these rows, or leave them out with `where`",
                    list(&words)
                )
            }
            Self::Escapes { column, escape, rows } => format!(
                "{column} holds `{escape}`, a backslash and a letter, in {}, which are read as they stand: if it \
                 means a line end or a tab add `replace: {{ '{escape}': ' ' }}` to `data.text`",
                counted(*rows, "text")
            ),
            Self::Thousands { column, example } => format!(
                "{column} holds numbers such as `{example}`, always with three digits after the point, and \
                 others without a point: `{example}` is read as a decimal number; if its point separates \
                 thousands write the numbers without it"
            ),
        }
    }
}

/// The words for a missing value among these, each with its rows.
fn missing<'v>(values: impl Iterator<Item = &'v str>) -> Vec<(String, usize)> {
    let mut words: BTreeMap<&str, usize> = BTreeMap::new();
    for value in values {
        if value.len() <= 7 && MISSING.contains(&value.to_lowercase().as_str()) {
            *words.entry(value).or_default() += 1;
        }
    }
    words.into_iter().map(|(word, rows)| (word.to_owned(), rows)).collect()
}

/// Whether a text holds this pair of characters and is not that alone: `\N` is a missing value. Folders of Windows,
/// `C:\new`, have a colon or another backslash nearby.
fn is_escaped(text: &str, escape: &str) -> bool {
    text.len() > escape.len() && text.contains(escape) && !text.contains(":\\")
}

/// Whether the points of a column's numbers may separate thousands: `1.234` beside `999`.
#[derive(Debug, Default)]
pub(super) struct Points {
    with: Option<String>,
    has_without: bool,
    is_refuted: bool,
}

impl Points {
    pub(super) fn push(&mut self, text: &str) {
        if self.is_refuted {
            return;
        }
        let digits = text.trim().trim_start_matches(['-', '+']);
        let is_group = |group: &str| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit());
        let (first, rest) = digits.split_once('.').unwrap_or((digits, ""));
        let is_first = (1..=3).contains(&first.len())
            && first.bytes().all(|byte| byte.is_ascii_digit())
            && (first == "0" || !first.starts_with('0'));
        match digits.contains('.') {
            _ if !is_first => self.is_refuted = true,
            true if first != "0" && rest.split('.').all(is_group) => {
                self.with.get_or_insert_with(|| text.trim().to_owned());
            }
            true => self.is_refuted = true,
            false => self.has_without = true,
        }
    }

    pub(super) fn doubtful(&self, column: &str) -> Option<Doubtful> {
        let example = self.with.clone().filter(|_| self.has_without && !self.is_refuted)?;
        Some(Doubtful::Thousands { column: column.to_owned(), example })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_missing_value_are_told_with_their_rows() {
        let of = |values: &[&str]| {
            Doubtful::classes("column `y`", values.iter().copied()).map(|found| found.warning())
        };
        let said = of(&["0", "NA", "1", "NA", "NULL", "\\N"]).unwrap();
        let expected =
            "column `y` holds `NA` (2 rows), `NULL` (1 row) and `\\N` (1 row), which counts";
        assert!(said.starts_with(expected), "{said}");
        for word in ["nan", "N/A", "#N/A", "<NA>", "?"] {
            assert!(of(&["0", word]).is_some(), "{word}");
        }
        assert_eq!(of(&["0", "none", "nation", "no", ""]), None);
    }

    #[test]
    fn texts_that_are_a_missing_value_and_escapes_of_databases_are_told() {
        let of = |values: &[&str]| -> Vec<String> {
            let found = Doubtful::texts("column `text`", values.iter().copied());
            found.iter().map(Doubtful::warning).collect()
        };
        let said = of(&["\\N", "hotel\\nalpha", "a\\tb", "delta\\necho", "NULL", "\\N"]);
        assert!(
            said[0].starts_with("column `text` holds `NULL` (1 row) and `\\N` (2 rows) as whole"),
            "{said:?}"
        );
        assert!(said[1].contains("holds `\\n`, a backslash and a letter, in 2 texts"), "{said:?}");
        assert!(said[1].ends_with("add `replace: { '\\n': ' ' }` to `data.text`"), "{said:?}");
        assert!(of(&["C:\\new", "C:\\notes", "good film", "?", "one \\n"]).is_empty());
    }

    #[test]
    fn points_that_may_separate_thousands_are_told() {
        let of = |values: &[&str]| {
            Doubtful::numbers("column `x`", values.iter().copied()).map(|found| found.warning())
        };
        let said = of(&["999", "1.234", "12.345", "-1.000"]).unwrap();
        assert!(said.starts_with("column `x` holds numbers such as `1.234`, always"), "{said}");
        for values in [
            &["1.234", "2.345"][..],
            &["999", "1000"],
            &["999", "1.5"],
            &["1", "0.125", "2.250"],
            &["1", "1.234e3"],
            &["1234", "1.234"],
            &["7", "NaN"],
            &[],
        ] {
            assert_eq!(of(values), None, "{values:?}");
        }
    }
}
