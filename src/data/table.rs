//! CSV tables: a header line, one example a row.

use super::labels;
use crate::config::TableSection;
use crate::error::UserError;
use anyhow::{Context, Result};
use csv::StringRecord;

/// Texts and labels in the order of the file.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) texts: Vec<String>,
    pub(super) labels: Vec<f32>,
    /// What the labels 0 and 1 are called in the file.
    pub(super) classes: [String; 2],
    /// For each example, its line in the file.
    pub(super) lines: Vec<u64>,
}

/// Reads the rows that `where` keeps.
pub(super) fn read(section: &TableSection, bytes: &[u8]) -> Result<Table> {
    let file = section.path.display();
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().with_context(|| format!("cannot read the header of {file}"))?;
    let column = |name: &str| position(header, name, section);
    let (text, label) = (column(&section.text)?, column(&section.label)?);
    let filters = section
        .filter
        .iter()
        .map(|(name, value)| Ok((column(name)?, value.as_str())))
        .collect::<Result<Vec<(usize, &str)>, UserError>>()?;

    let (mut texts, mut values, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for record in reader.into_records() {
        let record = record.with_context(|| format!("cannot read {file}"))?;
        if filters.iter().all(|(column, value)| &record[*column] == *value) {
            let line = record.position().map_or(0, csv::Position::line);
            if record[label].trim().is_empty() {
                return Err(UserError::new(
                    format!("{file}, line {line}: the label is empty"),
                    "give the row a label, or leave it out with `where`",
                )
                .into());
            }
            texts.push(record[text].to_owned());
            values.push(record[label].trim().to_owned());
            lines.push(line);
        }
    }
    if texts.is_empty() && section.filter.is_empty() {
        return Err(UserError::new(
            format!("{file}: there are no rows after the header line"),
            "a table has one example a row",
        )
        .into());
    }
    if texts.is_empty() {
        return Err(UserError::new(
            format!("{file}: no row is left after `where`"),
            "compare the values in `data.table.where` with those in the file",
        )
        .into());
    }
    let place = format!("{file}: column `{}`", section.label);
    let (labels, classes) = labels::binary(&values, &place)?;
    Ok(Table { texts, labels, classes, lines })
}

fn position(header: &StringRecord, name: &str, section: &TableSection) -> Result<usize, UserError> {
    header.iter().position(|column| column == name).ok_or_else(|| {
        let columns: Vec<String> = header.iter().map(|column| format!("`{column}`")).collect();
        UserError::new(
            format!("{}: there is no column `{name}`", section.path.display()),
            format!("its columns are {}", columns.join(", ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(filter: &[(&str, &str)]) -> TableSection {
        TableSection {
            path: "t.csv".into(),
            text: "text".into(),
            label: "label".into(),
            filter: filter.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        }
    }

    const CSV: &str = "text,label,source\n\"a, b\nc\",1,x\nd,0,x\ne,1,y\n";

    #[test]
    fn quoted_texts_and_filters_are_read() {
        let table = read(&section(&[("source", "x")]), CSV.as_bytes()).unwrap();
        assert_eq!(table.texts, ["a, b\nc", "d"]);
        assert_eq!(table.labels, [1.0, 0.0]);
        assert_eq!(table.lines, [2, 4]);
    }

    #[test]
    fn what_is_missing_is_named_with_what_there_is() {
        let error = read(&section(&[("sauce", "x")]), CSV.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "t.csv: there is no column `sauce`");
        let hint = error.downcast_ref::<UserError>().unwrap().hint.clone().unwrap();
        assert_eq!(hint, "its columns are `text`, `label`, `source`");
        let error = read(&section(&[("source", "z")]), CSV.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("no row is left"));
        let error = read(&section(&[]), b"text,label\na,1\nb\n").unwrap_err();
        assert!(format!("{error:#}").contains("line: 3"), "{error:#}");
        let error = read(&section(&[]), b"text,label\na,1\nb,\n").unwrap_err();
        assert!(error.to_string().contains("line 3: the label is empty"));
    }
}
