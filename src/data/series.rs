//! `data.series`: windows of a table of measurements, each with the target some steps later.
//!
//! ```text
//! rows of one series, by time:   r0 r1 r2 r3 r4 r5 r6 ...
//! window 3, horizon 1, stride 1: [r0 r1 r2] -> r3,  [r1 r2 r3] -> r4,  [r2 r3 r4] -> r5, ...
//! ```
//!
//! The rows of each `group` are a series of their own: no window crosses from one to the next. An example
//! spans the time from its first row to that of its target, and the splits are cut by time so that no row
//! is in examples of two splits (`split/ordered`).

use super::account::Account;
use super::arrays::Block;
use super::coarse::Written;
use super::doubtful::{Doubtful, Points};
use super::holes::Holes;
use super::labels::{self, Cells};
use super::moment::{self, Moment, is_date};
use super::source::SourceFile;
use super::spelling::{AlikeGroups, has_thousands, with_point};
use super::split::Examples;
use super::table::{self, Kept};
use crate::config::{SeriesSection, TableFormat};
use crate::error::UserError;
use crate::format::{counted, first_few};
use crate::spec::Task;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What became of the rows of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Series: one a group.
    pub series: usize,
    /// Series with too few rows for a window.
    pub too_short: usize,
    /// Windows in all.
    pub windows: usize,
    /// Windows that no split has, since their rows lie on both sides of a cut.
    pub left_out: usize,
    /// Steps of a window.
    pub steps: usize,
    /// Rows between the beginnings of neighbouring windows.
    pub stride: usize,
    /// Places at which rows are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holes: Option<Holes>,
}

/// The rows of a table, in the order of the file.
struct Measured {
    /// `[rows][inputs]`
    inputs: Vec<f32>,
    targets: Vec<String>,
    /// Empty where the section names no such column.
    times: Vec<Moment>,
    groups: Vec<String>,
    /// Their lines, or rows in a Parquet file.
    lines: Vec<u64>,
    account: Account,
    format: TableFormat,
    /// The inputs with all their digits, column by column.
    written: Vec<Written>,
    /// Where their points stand, column by column.
    points: Vec<Points>,
    /// For each column to keep, the cell of each row.
    kept: Kept,
}

impl Measured {
    /// Reads the columns; new inputs have no targets.
    fn read(
        section: &SeriesSection,
        file: &SourceFile,
        with_targets: bool,
        keep: &[String],
    ) -> Result<Self> {
        let target = with_targets.then_some(&section.target);
        let others = [target, section.time.as_ref(), section.group.as_ref()];
        let named = section.inputs.iter().chain(others.into_iter().flatten()).chain(keep);
        let columns: Vec<&str> = named.map(String::as_str).collect();
        let table = section.table();
        let format = table::known(table.format.or_else(|| TableFormat::of(&file.path)), file)?;
        let (mut inputs, mut lines) = (Vec::new(), Vec::new());
        let (mut targets, mut times, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        let mut kept = vec![Vec::new(); keep.len()];
        let mut written: Vec<Written> = section.inputs.iter().map(|_| Written::new()).collect();
        let mut points: Vec<Points> = section.inputs.iter().map(|_| Points::default()).collect();
        let account = table::each_row(&table, file, format, &columns, &mut |line, cells| {
            let place = || table::place(&file.name(), format, line);
            let mut cells = cells.iter().zip(&columns).map(|(cell, column)| (*cell, *column));
            for (written, points) in written.iter_mut().zip(&mut points) {
                let (cell, column) = cells.next().unwrap_or_default();
                let text = table::filled((cell, column), &place)?;
                inputs.push(number(text, column, &place)?);
                written.push(text);
                points.push(text);
            }
            let mut next = || -> Result<String, UserError> {
                Ok(table::filled(cells.next().unwrap_or_default(), &place)?.to_owned())
            };
            if target.is_some() {
                targets.push(next()?);
            }
            if section.time.is_some() {
                times.push(next()?);
            }
            if section.group.is_some() {
                groups.push(next()?);
            }
            for (kept, (cell, _)) in kept.iter_mut().zip(cells) {
                kept.push(cell.map(str::to_owned));
            }
            lines.push(line);
            Ok(())
        })?;
        let place = |row: usize| table::place(&file.name(), format, lines[row]);
        let times = moment::parse(&times, &place)?;
        Ok(Self { inputs, targets, times, groups, account, format, lines, written, points, kept })
    }

    /// Refuses inputs that 32 bits hardly tell apart. Those of a few new rows may lie close together.
    fn computable(&self, section: &SeriesSection, file: &SourceFile) -> Result<(), UserError> {
        let named = self.written.iter().zip(&section.inputs);
        let mut named = named.map(|(written, column)| (written, column_of(file, column)));
        named.try_for_each(|(written, called)| written.refuse(&called))
    }

    /// The rows of each series, the earliest first.
    fn series(&self, section: &SeriesSection, file: &SourceFile) -> Result<Vec<Vec<usize>>> {
        let mut series: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for row in 0..self.lines.len() {
            let group = self.groups.get(row).map_or("", String::as_str);
            series.entry(group).or_default().push(row);
        }
        let mut series: Vec<Vec<usize>> = series.into_values().collect();
        if !self.times.is_empty() {
            for rows in &mut series {
                rows.sort_by_key(|row| self.times[*row]);
                let mut pairs = rows.windows(2);
                let twice = pairs.find(|pair| self.times[pair[0]] == self.times[pair[1]]);
                if let Some(&[first, second]) = twice {
                    return Err(self.at_one_time(section, file, [first, second]).into());
                }
            }
        }
        Ok(series)
    }

    fn at_one_time(
        &self,
        section: &SeriesSection,
        file: &SourceFile,
        rows: [usize; 2],
    ) -> UserError {
        let [first, second] =
            rows.map(|row| table::place(&file.name(), self.format, self.lines[row]));
        let of_group = match &section.group {
            Some(column) => format!(" of the `{column}` `{}`", self.groups[rows[0]]),
            None => String::new(),
        };
        let time = self.times[rows[0]];
        if self.times.iter().all(|other| *other == time) {
            let (all, file) = (self.times.len(), file.name());
            return UserError::new(
                format!("{file}: all {} have the same time", counted(all, "row")),
                "rows of one time have no order: name another column as `data.series.time`, or leave it out \
                 if the rows stand in order",
            );
        }
        let hint = match section.group {
            Some(_) => "keep one of the two rows, or name a finer `group`",
            None => {
                "name the column that tells the series apart as `group`, or keep one of the two rows"
            }
        };
        UserError::new(format!("{first} and {second}{of_group} have the same time"), hint)
    }

    /// Rows that are missing between the rows of a series.
    fn holes(&self, series: &[Vec<usize>], windows: (usize, usize)) -> Option<Holes> {
        let mut holes = Holes::default();
        for rows in series.iter().filter(|_| !self.times.is_empty()) {
            let times: Vec<Moment> = rows.iter().map(|row| self.times[*row]).collect();
            holes.take_in(&times, &|at| self.lines[rows[at]], windows);
        }
        (holes.count > 0).then_some(holes)
    }

    /// The series that have too few rows for a window.
    fn without_window(&self, series: &[Vec<usize>], window: usize) -> Option<String> {
        const SHOWN: usize = 5;
        let short: Vec<&Vec<usize>> = series.iter().filter(|rows| rows.len() < window).collect();
        let names = short.iter().filter_map(|rows| self.groups.get(rows[0]));
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        (!short.is_empty()).then(|| {
            format!(
                "{} of {} series have fewer rows than the {window} of a window, and get no prediction: {}",
                short.len(),
                series.len(),
                first_few(&names, SHOWN)
            )
        })
    }

    /// When a row was measured: its time, or its place in the series.
    fn time(&self, row: usize, place: usize) -> Moment {
        self.times.get(row).copied().unwrap_or(place as Moment)
    }

    fn inputs_of(&self, row: usize, width: usize) -> &[f32] {
        &self.inputs[row * width..][..width]
    }
}

/// How messages call a column.
fn column_of(file: &SourceFile, column: &str) -> String {
    format!("{}: column `{column}`", file.name())
}

fn number(text: &str, column: &str, place: &dyn Fn() -> String) -> Result<f32, UserError> {
    let value = text.parse::<f32>().ok().filter(|value| value.is_finite());
    value.ok_or_else(|| {
        let hint = match is_date(text) {
            true => {
                "take the column out of `data.series.inputs`, or make numbers of it first, such as the hour \
                 or the day of the week; the order of rows is that of `data.series.time`"
            }
            false if has_thousands(text) => {
                "write numbers without marks between thousands, or with a decimal point, not a comma"
            }
            false if with_point(text).is_some() => "write numbers with a decimal point, not a comma",
            false if is_truth_value(text) => "write 0 and 1",
            false => "fill gaps before, for example with the value before them, or remove the row",
        };
        let place = place();
        UserError::new(
            format!("{place}: `{column}` holds `{text}`, and inputs are finite numbers"),
            hint,
        )
    })
}

/// `TRUE`, as R writes it, `False`, as pandas does.
fn is_truth_value(text: &str) -> bool {
    ["true", "false", "yes", "no"].contains(&text.trim().to_lowercase().as_str())
}

/// The windows of a series, before they are divided into splits.
pub(super) struct Cut {
    pub(super) block: Block,
    pub(super) examples: Examples,
    pub(super) classes: Vec<String>,
    pub(super) account: Account,
    pub(super) format: TableFormat,
    pub(super) windows: Windows,
    pub(super) alike_groups: Option<AlikeGroups>,
    pub(super) doubtful: Vec<Doubtful>,
}

/// The examples of a series.
pub(super) fn read(section: &SeriesSection, file: &SourceFile, task: Task) -> Result<Cut> {
    let measured = Measured::read(section, file, true, &[])?;
    measured.computable(section, file)?;
    let series = measured.series(section, file)?;
    let (window, horizon) = (section.window as usize, section.horizon as usize);
    let width = section.inputs.len();
    let mut windows = Windows {
        series: series.len(),
        steps: window,
        stride: section.stride as usize,
        holes: measured.holes(&series, (window + horizon, section.stride as usize)),
        ..Windows::default()
    };
    let mut block = Block { values: Vec::new(), steps: window, features: width };
    let (mut examples, mut targets) = (Examples::default(), Vec::new());
    for rows in &series {
        let needed = window + horizon;
        windows.too_short += usize::from(rows.len() < needed);
        for first in (0..(rows.len() + 1).saturating_sub(needed)).step_by(windows.stride) {
            let last = first + needed - 1;
            for row in &rows[first..first + window] {
                block.values.extend(measured.inputs_of(*row, width));
            }
            let span = [first, last].map(|place| measured.time(rows[place], place));
            examples.spans.push(span);
            targets.push(measured.targets[rows[last]].clone());
            examples.rows.push(measured.lines[rows[last]]);
        }
    }
    windows.windows = targets.len();
    if targets.is_empty() {
        return Err(too_short(section, file, &series).into());
    }
    let lines = examples.rows.clone();
    let place = |example: usize| table::place(&file.name(), measured.format, lines[example]);
    let column = column_of(file, &section.target);
    let cells = Cells { values: &targets, column: &column, place: &place };
    let (labels, classes) = labels::read(cells, task, None)?;
    (examples.labels, examples.classes) = (labels, classes.len());
    let inputs = measured.points.iter().zip(&section.inputs);
    let inputs = inputs.filter_map(|(points, input)| points.doubtful(&column_of(file, input)));
    let mut doubtful: Vec<Doubtful> = inputs.collect();
    doubtful
        .extend(labels::doubtful(cells, task).filter(|of_target| !doubtful.contains(of_target)));
    let (account, format) = (measured.account, measured.format);
    let alike_groups = AlikeGroups::of(&measured.groups);
    Ok(Cut { block, examples, classes, account, format, windows, alike_groups, doubtful })
}

/// The windows of new rows.
#[derive(Debug)]
pub(super) struct NewWindows {
    pub(super) block: Block,
    /// The line of the last row of each.
    pub(super) lines: Vec<u64>,
    /// For each column to keep, its cell in that row.
    pub(super) kept: Kept,
    /// Which series have no window.
    pub(super) too_short: Option<String>,
}

/// One window a row that has enough rows before it, the last of each series among them: what a model is
/// to predict has no target. They are in the order of these rows in the file.
pub(super) fn read_inputs(
    section: &SeriesSection,
    file: &SourceFile,
    keep: &[String],
) -> Result<NewWindows> {
    let measured = Measured::read(section, file, false, keep)?;
    let series = measured.series(section, file)?;
    let (window, width) = (section.window as usize, section.inputs.len());
    let mut windows: Vec<&[usize]> = series.iter().flat_map(|rows| rows.windows(window)).collect();
    if windows.is_empty() {
        let new = SeriesSection { horizon: 0, ..section.clone() };
        return Err(too_short(&new, file, &series).into());
    }
    windows.sort_by_key(|rows| rows[window - 1]);
    let mut block = Block { values: Vec::new(), steps: window, features: width };
    for row in windows.iter().copied().flatten() {
        block.values.extend(measured.inputs_of(*row, width));
    }
    let last = || windows.iter().map(|rows| rows[window - 1]);
    Ok(NewWindows {
        lines: last().map(|row| measured.lines[row]).collect(),
        kept: measured
            .kept
            .iter()
            .map(|cells| last().map(|row| cells[row].clone()).collect())
            .collect(),
        too_short: measured.without_window(&series, window),
        block,
    })
}

fn too_short(section: &SeriesSection, file: &SourceFile, series: &[Vec<usize>]) -> UserError {
    let longest = series.iter().map(Vec::len).max().unwrap_or(0);
    let (window, horizon) = (section.window, section.horizon);
    let ahead = if horizon > 0 { format!(" and a horizon of {horizon}") } else { String::new() };
    UserError::new(
        format!(
            "{}: the longest series has {longest} rows, and a window of {window}{ahead} takes {}",
            file.name(),
            window + horizon
        ),
        match horizon > window {
            true => "give more rows, or lower `data.series.horizon`",
            false => "give more rows, or lower `data.series.window`",
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(more: &str) -> SeriesSection {
        let yaml = format!("{{ path: s.csv, time: day, inputs: [x], target: y, window: 2{more} }}");
        serde_yaml::from_str(&yaml).unwrap()
    }

    const CSV: &str = "day,x,y,shop\n2024-01-03,3,30,a\n2024-01-01,1,10,a\n2024-01-02,2,20,a\n\
                       2024-01-04,4,40,a\n2024-01-01,7,70,b\n2024-01-02,8,80,b\n";

    fn pool(csv: &str, more: &str) -> Result<Cut> {
        read(&section(more), &SourceFile::of("s.csv", csv.as_bytes()), Task::Regression)
    }

    #[test]
    fn windows_follow_the_time_and_no_window_crosses_from_one_series_to_the_next() {
        let found = pool(CSV, ", group: shop").unwrap();
        assert_eq!(found.block.values, [1.0, 2.0, 2.0, 3.0]);
        assert_eq!(found.examples.labels, [30.0, 40.0]);
        assert_eq!(found.examples.rows, [2, 5], "the lines of the targets");
        let windows = found.windows;
        assert_eq!((windows.series, windows.too_short, windows.windows), (2, 1, 2));
    }

    #[test]
    fn horizon_and_stride_move_the_target_and_the_next_window() {
        let csv: String = "day,x,y\n".to_owned()
            + &(0..8).map(|at| format!("{at},{at},{}\n", 10 * at)).collect::<String>();
        let found = pool(&csv, ", horizon: 2, stride: 3").unwrap();
        assert_eq!(found.block.values, [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(found.examples.labels, [30.0, 60.0]);
        assert_eq!(found.examples.spans[1], [3, 6].map(|day| day * 1_000_000_000));
        let now = pool(&csv, ", horizon: 0, stride: 5").unwrap();
        assert_eq!(now.examples.labels, [10.0, 60.0], "the target of the window's last row");
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        let said = |csv: &str, more: &str| pool(csv, more).err().unwrap().to_string();
        let twice = said(CSV, "");
        assert!(twice.contains("s.csv, line 3 and s.csv, line 6 have the same time"), "{twice}");
        let gap = said("day,x,y\n1,2,3\n2,,4\n", "");
        assert!(gap.contains("line 3: `x` is empty"), "{gap}");
        let text = said("day,x,y\n1,2,3\n2,n/a,4\n", "");
        assert!(text.contains("line 3: `x` holds `n/a`, and inputs are finite numbers"), "{text}");
        let date = pool("day,x,y\n1,2024-01-01,3\n2,2024-01-02,4\n", "").err().unwrap();
        let hint = date.downcast::<UserError>().unwrap().hint.unwrap();
        assert!(hint.contains("or make numbers of it first, such as the hour"), "{hint}");
        let far = pool("day,x,y\n1,2,3\n2,2,4\n", ", horizon: 9").err().unwrap();
        let hint = far.downcast::<UserError>().unwrap().hint.unwrap();
        assert_eq!(hint, "give more rows, or lower `data.series.horizon`");
        let short = said("day,x,y\n1,2,3\n2,2,4\n", "");
        let expected =
            "the longest series has 2 rows, and a window of 2 and a horizon of 1 takes 3";
        assert!(short.contains(expected), "{short}");
        let none = said("day,x,y\n1,2,3\n2,2,4\n3,2,NaN\n", "");
        assert!(none.contains("line 4"), "{none}");
    }

    #[test]
    fn columns_that_32_bits_cannot_tell_apart_are_refused_but_not_those_of_a_few_new_rows() {
        let csv = |x: &dyn Fn(usize) -> String, y: &dyn Fn(usize) -> String| {
            let rows = (0..20).map(|at| format!("{at},{},{}\n", x(at), y(at)));
            format!("day,x,y\n{}", rows.collect::<String>())
        };
        let (small, large) = (|at: usize| at.to_string(), |at: usize| format!("1700000000.{at}"));
        for (csv, column) in [(csv(&large, &small), "x"), (csv(&small, &large), "y")] {
            let said = pool(&csv, "").err().unwrap().to_string();
            let expected = format!("s.csv: column `{column}` holds ");
            assert!(said.starts_with(&expected) && said.ends_with("32 bits leave 1"), "{said}");
        }
        let file = SourceFile::of("new.csv", csv(&large, &small).as_bytes());
        assert!(read_inputs(&section(""), &file, &[]).is_ok());
    }

    #[test]
    fn holes_equal_times_and_decimal_commas_are_told() {
        let rows = |time: &dyn Fn(usize) -> String| {
            let rows = (0..40).map(|at| format!("{},{at},{at}\n", time(at)));
            format!("day,x,y\n{}", rows.collect::<String>())
        };
        let torn = rows(&|at| (if at < 20 { at } else { at + 50 }).to_string());
        let holes = pool(&torn, "").unwrap().windows.holes.unwrap();
        assert_eq!(holes, Holes { count: 1, steps: 51, lines: [21, 22], windows: 2 });
        assert_eq!(pool(&rows(&|at| at.to_string()), "").unwrap().windows.holes, None);
        let said = pool(&rows(&|_| "5".into()), "").err().unwrap().to_string();
        assert_eq!(said, "s.csv: all 40 rows have the same time");
        let comma = pool("day,x,y\n1,\"1,5\",3\n", "").err().unwrap();
        let hint = comma.downcast::<UserError>().unwrap().hint.unwrap();
        assert_eq!(hint, "write numbers with a decimal point, not a comma");
    }

    #[test]
    fn new_series_keep_columns_and_those_without_a_window_are_told() {
        let csv = b"day,x,shop,id\n1,1,a,p\n1,9,b,q\n2,2,a,r\n1,5,c,s\n1,7,d,t\n2,8,d,u\n";
        let file = SourceFile::of("new.csv", csv);
        let kept = ["id", "x"].map(String::from);
        let found = read_inputs(&section(", group: shop"), &file, &kept).unwrap();
        assert_eq!(found.lines, [4, 7]);
        let kept = [["r", "u"], ["2", "8"]].map(|column| column.map(|cell| Some(cell.to_owned())));
        assert_eq!(found.kept, kept);
        let said = found.too_short.unwrap();
        assert_eq!(
            said,
            "2 of 4 series have fewer rows than the 2 of a window, and get no prediction: `b`, `c`"
        );
    }

    #[test]
    fn new_inputs_have_a_window_for_each_row_that_has_enough_before_it() {
        let file = SourceFile::of("new.csv", b"day,x\n3,3\n1,1\n2,2\n");
        let NewWindows { block, lines, .. } = read_inputs(&section(""), &file, &[]).unwrap();
        // In the order of the file, whose first row is the latest.
        assert_eq!((&block.values[..], &lines[..]), (&[2.0, 3.0, 1.0, 2.0][..], &[2, 4][..]));
        let short = SourceFile::of("new.csv", b"day,x\n3,3\n");
        let said = read_inputs(&section(""), &short, &[]).unwrap_err().to_string();
        assert!(said.contains("a window of 2 takes 2"), "{said}");
    }
}
