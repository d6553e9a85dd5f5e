//! `data.series`: windows of a table of measurements.

use super::table::{TableFormat, TableSection};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `data.series`: a table with one row a time step, cut into windows that each predict what comes later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriesSection {
    /// The file, relative to the folder in which batchscope is started.
    pub path: PathBuf,
    /// The format of the file; told by the end of its name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<TableFormat>,
    /// What stands between the columns of a CSV file: one ASCII character, a comma when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// The column of times, numbers or ISO 8601 dates, by which rows are sorted; the order of the file when
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The columns of numbers that the model reads at each step.
    pub inputs: Vec<String>,
    /// The column that is predicted: numbers for a linear head, else classes.
    pub target: String,
    /// The column that tells series apart, such as a shop: no window crosses from one to another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Rows that the model reads.
    pub window: u32,
    /// How many rows after the last one of the window the target stands; 0 is that row itself.
    #[serde(default = "one")]
    pub horizon: u32,
    /// Rows from the beginning of one window to that of the next.
    #[serde(default = "one")]
    pub stride: u32,
}

fn one() -> u32 {
    1
}

impl SeriesSection {
    /// How its file is read.
    pub fn table(&self) -> TableSection {
        TableSection {
            path: Some(self.path.clone()),
            format: self.format,
            separator: self.separator,
            ..TableSection::default()
        }
    }
}
