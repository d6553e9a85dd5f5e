//! What became of the lines and rows of a table: nothing that a file holds may vanish unsaid.

use super::spelling;
use crate::format::{count, counted};
use serde::{Deserialize, Serialize};

/// The lines and rows of one file of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// How messages call the file.
    pub file: String,
    /// Whether the first line names the columns and is not counted here.
    pub header: bool,
    /// Lines, as an editor counts them; `None` for Parquet, which has none.
    pub lines: Option<u64>,
    /// Blank lines, which make no row.
    pub blank: u64,
    /// Line breaks inside quoted cells: so many lines more than rows.
    pub breaks: u64,
    /// Rows of the file.
    pub rows: u64,
    /// Rows that `where` left out.
    pub filtered: u64,
    /// Of these, such as another spelling of a value would have kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spelled: Vec<LeftOut>,
}

/// Rows that `where` left out for the spelling of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The column that is compared.
    pub column: String,
    /// What it is compared with.
    pub value: String,
    /// What it holds.
    pub cell: String,
    /// How many rows.
    pub rows: u64,
}

impl Account {
    /// Rows that became examples.
    pub fn examples(&self) -> u64 {
        self.rows - self.filtered
    }

    /// What is surprising in what `where` left out.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.spelled.iter().map(|LeftOut { column, value, cell, rows }| {
            format!(
                "{}: `where` left out {} whose `{column}` is `{cell}`: `{cell}` and `{value}` {}, and values \
                 are compared as text; write them in one way if they are one",
                self.file,
                counted(*rows as usize, "row"),
                spelling::difference(cell, value)
            )
        })
    }

    /// Where the lines, rows and examples of the file differ: how many there are, and why. `None`
    /// where each line is a row and each row an example.
    pub fn differences(&self) -> Option<String> {
        let lines = self.lines.unwrap_or(self.rows);
        if lines == self.examples() {
            return None;
        }
        let mut text = format!("{}: ", self.file);
        if lines != self.rows {
            let breaks = counted(self.breaks as usize, "line break") + " inside quoted cells";
            let blank = counted(self.blank as usize, "blank line");
            let reasons = [(self.breaks, breaks), (self.blank, blank)];
            let reasons = reasons.into_iter().filter(|(count, _)| *count > 0);
            let reasons: Vec<String> = reasons.map(|(_, reason)| reason).collect();
            let header = if self.header { " after the header" } else { "" };
            text += &format!("{}{header}, ", counted(lines as usize, "line"));
            text += &format!("{} ({})", counted(self.rows as usize, "row"), reasons.join(", "));
        } else {
            text += &counted(self.rows as usize, "row");
        }
        if self.filtered > 0 {
            let (out, left) = (count(self.filtered), counted(self.examples() as usize, "example"));
            text += &format!(", {out} left out by `where`, {left}");
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_where_each_line_is_an_example() {
        let plain = Account { lines: Some(60), rows: 60, ..Account::default() };
        assert_eq!(plain.differences(), None);
        let parquet = Account { rows: 60, ..Account::default() };
        assert_eq!(parquet.differences(), None);
    }

    #[test]
    fn every_difference_has_its_reason() {
        let file = "t.csv".to_owned();
        let account = Account {
            file,
            header: true,
            lines: Some(1240),
            blank: 1,
            breaks: 5,
            rows: 1234,
            filtered: 34,
            spelled: Vec::new(),
        };
        assert_eq!(
            account.differences().unwrap(),
            "t.csv: 1,240 lines after the header, 1,234 rows (5 line breaks inside quoted cells, \
             1 blank line), 34 left out by `where`, 1,200 examples"
        );
        let filtered = Account { lines: Some(3), rows: 3, filtered: 2, ..account };
        assert_eq!(
            filtered.differences().unwrap(),
            "t.csv: 3 rows, 2 left out by `where`, 1 example"
        );
    }
}
