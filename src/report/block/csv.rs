//! Tables as CSV: scores and differences as they are measured, shares as shares of 1, times in seconds, memory in bytes. No text is
//! a formula to a spreadsheet.

use super::Table;
use crate::format::cell;
use anyhow::Result;

/// The columns with a name; nothing without rows.
pub(in crate::report) fn csv(table: &Table) -> Result<String> {
    let columns = table.columns.iter();
    let columns: Vec<_> =
        columns.filter_map(|column| Some((column.name.as_ref()?, &column.cells))).collect();
    let rows = columns.first().map_or(0, |(_, cells)| cells.len());
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in 0..rows {
        let values: Vec<(String, String)> =
            columns.iter().flat_map(|(name, cells)| cells[row].values(name)).collect();
        if row == 0 {
            writer.write_record(values.iter().map(|(name, _)| cell(name).into_owned()))?;
        }
        writer.write_record(values.iter().map(|(_, value)| cell(value).into_owned()))?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_negative_numbers_are_numbers() {
        let rows = Table::of(["=1+1"]).data("@study", |text| text).shown("not data", |_| 1.0);
        let table = rows.data("difference", |_| -0.5).table;
        assert_eq!(csv(&table).unwrap(), "'@study,difference\n'=1+1,-0.5\n");
    }
}
