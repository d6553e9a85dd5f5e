//! A table, defined column by column: its title to a reader, its name as data, or both.

use super::Cell;

/// Columns of cells, all of the same length.
pub(in crate::report) struct Table {
    pub(super) columns: Vec<Column>,
}

/// A column of a table.
pub(super) struct Column {
    /// `None` where it is data alone.
    pub(super) title: Option<String>,
    /// `None` where it is for readers alone.
    pub(super) name: Option<String>,
    pub(super) cells: Vec<Cell>,
}

/// A table while its columns are defined: what its rows are about, and the columns so far.
pub(in crate::report) struct Rows<R> {
    rows: Vec<R>,
    /// The table.
    pub(in crate::report) table: Table,
}

impl Table {
    /// One row each.
    pub(in crate::report) fn of<R: Copy>(rows: impl IntoIterator<Item = R>) -> Rows<R> {
        Rows { rows: rows.into_iter().collect(), table: Self { columns: Vec::new() } }
    }

    /// The titles that a reader sees.
    pub(in crate::report) fn titles(&self) -> Vec<String> {
        self.shown().map(|(title, _)| title.to_owned()).collect()
    }

    /// The rows that a reader sees, as they are read.
    pub(in crate::report) fn texts(&self) -> Vec<Vec<String>> {
        let text = |cells: &Vec<&Cell>| cells.iter().map(|cell| cell.shown()).collect();
        self.lines().iter().map(text).collect()
    }

    /// The rows that a reader sees.
    pub(super) fn lines(&self) -> Vec<Vec<&Cell>> {
        let rows = self.columns.first().map_or(0, |column| column.cells.len());
        let line = |row: usize| self.shown().map(|(_, cells)| &cells[row]).collect();
        (0..rows).map(line).collect()
    }

    fn shown(&self) -> impl Iterator<Item = (&str, &[Cell])> {
        self.columns.iter().filter_map(|column| Some((column.title.as_deref()?, &column.cells[..])))
    }
}

impl<R: Copy> Rows<R> {
    /// A column for readers and for programs.
    pub(in crate::report) fn both<C: Into<Cell>>(
        self,
        title: &str,
        name: &str,
        of: impl Fn(R) -> C,
    ) -> Self {
        self.column(Some(title), Some(name), of)
    }

    /// A column for readers.
    pub(in crate::report) fn shown<C: Into<Cell>>(self, title: &str, of: impl Fn(R) -> C) -> Self {
        self.column(Some(title), None, of)
    }

    /// A column for readers, which is left out where it has no value.
    pub(in crate::report) fn optional<C: Into<Cell>>(
        self,
        title: &str,
        of: impl Fn(R) -> C,
    ) -> Self {
        let mut with = self.shown(title, of);
        with.table.columns.pop_if(|column| column.cells.iter().all(Cell::is_missing));
        with
    }

    /// A column for programs.
    pub(in crate::report) fn data<C: Into<Cell>>(self, name: &str, of: impl Fn(R) -> C) -> Self {
        self.column(None, Some(name), of)
    }

    fn column<C: Into<Cell>>(
        mut self,
        title: Option<&str>,
        name: Option<&str>,
        of: impl Fn(R) -> C,
    ) -> Self {
        let cells = self.rows.iter().map(|row| of(*row).into()).collect();
        let [title, name] = [title, name].map(|text| text.map(str::to_owned));
        self.table.columns.push(Column { title, name, cells });
        self
    }
}
