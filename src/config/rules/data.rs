//! Rules of `data`.

use super::series;
use super::{Checked, MOST_STEPS, broken, count};
use crate::config::{
    ArraysSection, DataSection, SplitBy, SplitSection, TableFormat, TableSection, TextSection,
    Tokenizer,
};
use std::path::PathBuf;

pub(super) fn check(data: &DataSection) -> Checked {
    source(data)?;
    fractions(&data.split, data)?;
    by(data)?;
    gap(data)
}

fn gap(data: &DataSection) -> Checked {
    match (data.split.gap, data.split_by()) {
        (0, _) | (_, SplitBy::Order | SplitBy::Time) => Ok(()),
        (_, by) => Err(broken(
            "data.split.gap",
            format!(
                "rows stand beside each other in `order` and `time` alone, not in `{}`",
                name(by)
            ),
            "write `by: order`, or remove `gap`",
        )),
    }
}

fn source(data: &DataSection) -> Checked {
    if let Some(section) = &data.series {
        return series::check(section, data);
    }
    match (&data.table, &data.arrays) {
        (Some(_), Some(_)) => Err(broken(
            "data.arrays",
            "give either `table` or `arrays`, not both",
            "a study has one source of examples",
        )),
        (None, None) => Err(broken(
            "data",
            "no source of examples: none of `table`, `arrays` and `series` is given",
            "add `table: { path: FILE.csv, text: COLUMN, label: COLUMN }`",
        )),
        (Some(table), None) => {
            files(table)?;
            columns(table)?;
            data.text.as_ref().map_or(Ok(()), text)
        }
        (None, Some(_)) if data.text.is_some() => Err(broken(
            "data.text",
            "`text` is for tables; arrays are sequences of numbers already",
            "remove `text`",
        )),
        (None, Some(section)) => arrays(section),
    }
}

fn files(table: &TableSection) -> Checked {
    let parts = [("validation", &table.validation), ("test", &table.test)];
    match (&table.path, &table.train) {
        (None, None) => {
            return Err(broken(
                "data.table",
                "no file is named",
                "add `path: FILE.csv`, or `train: FILE.csv, validation: FILE.csv`",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(broken(
                "data.table.path",
                "give either `path` or a file for each split, not both",
                "remove `path`, or `train`, `validation` and `test`",
            ));
        }
        (Some(_), None) => {
            if let Some((name, _)) = parts.iter().find(|(_, file)| file.is_some()) {
                return Err(broken(
                    &format!("data.table.{name}"),
                    "`path` names the file of all examples, so a split has no file of its own",
                    "write `train` in place of `path`",
                ));
            }
        }
        (None, Some(_)) if table.split.is_some() => {
            return Err(broken(
                "data.table.split",
                "the splits are told by files and by a column",
                "name one file as `path`, or remove `split`",
            ));
        }
        (None, Some(_)) => {}
    }
    let named = [("path", &table.path), ("train", &table.train)].into_iter().chain(parts);
    named.into_iter().try_for_each(|(key, file)| format(table, key, file.as_ref()))
}

fn format(table: &TableSection, key: &str, file: Option<&PathBuf>) -> Checked {
    let Some(file) = file else { return Ok(()) };
    let Some(format) = table.format.or_else(|| TableFormat::of(file)) else {
        return Err(broken(
            &format!("data.table.{key}"),
            format!("the name {} does not tell the format of the table", file.display()),
            "add `format: csv`, `tsv`, `jsonl` or `parquet` to `data.table`",
        ));
    };
    if table.quotes.is_some() && matches!(format, TableFormat::Jsonl | TableFormat::Parquet) {
        return Err(broken(
            "data.table.quotes",
            format!("only CSV and TSV files have quotes around cells, {} is none", file.display()),
            "remove `quotes`",
        ));
    }
    let Some(separator) = table.separator else { return Ok(()) };
    if format != TableFormat::Csv {
        return Err(broken(
            "data.table.separator",
            format!("only a CSV file has a separator, {} is none", file.display()),
            "remove `separator`",
        ));
    }
    match separator.is_ascii() && !['"', '\n', '\r'].contains(&separator) {
        true => Ok(()),
        false => Err(broken(
            "data.table.separator",
            format!(
                "must be one ASCII character, no quote and no line break, received {separator:?}"
            ),
            "`;` and `\"\\t\"` are common",
        )),
    }
}

fn columns(table: &TableSection) -> Checked {
    let others = [
        ("text", Some(&table.text)),
        ("group", table.group.as_ref()),
        ("time", table.time.as_ref()),
        ("split", table.split.as_ref()),
    ];
    for (key, column) in others {
        if column == Some(&table.label) {
            return Err(broken(
                &format!("data.table.{key}"),
                format!("the label column `{}` cannot be the {key} column too", table.label),
                "name another column",
            ));
        }
    }
    Ok(())
}

fn arrays(arrays: &ArraysSection) -> Checked {
    let pairs = [("val", &arrays.x_val, &arrays.y_val), ("test", &arrays.x_test, &arrays.y_test)];
    for (split, x, y) in pairs {
        if x.is_some() != y.is_some() {
            let rule = format!("`x_{split}` and `y_{split}` belong together, one is missing");
            return Err(broken("data.arrays", rule, "name both arrays, or neither"));
        }
    }
    let groups =
        [("val", &arrays.x_val, &arrays.groups_val), ("test", &arrays.x_test, &arrays.groups_test)];
    for (split, x, groups) in groups {
        if groups.is_some() != (x.is_some() && arrays.groups_train.is_some()) {
            return Err(broken(
                "data.arrays",
                format!("`groups_{split}` belongs to `groups_train` and `x_{split}`"),
                "name the groups of every split that is given, or of none",
            ));
        }
    }
    if let Some(vocabulary) = arrays.vocabulary {
        count("data.arrays.vocabulary", vocabulary, i32::MAX as u32)?;
    }
    array_files(arrays)
}

/// Without `path`, each array is a file of its own.
fn array_files(arrays: &ArraysSection) -> Checked {
    let is_npy = |name: &str| name.to_lowercase().ends_with(".npy");
    if let Some(path) = &arrays.path {
        return match is_npy(&path.to_string_lossy()) {
            true => Err(broken(
                "data.arrays.path",
                format!("`path` is an npz file with all arrays, received {}", path.display()),
                "for npy files leave `path` out: `x_train: X.npy, y_train: y.npy`",
            )),
            false => Ok(()),
        };
    }
    let names = [
        ("x_train", Some(&arrays.x_train)),
        ("y_train", Some(&arrays.y_train)),
        ("x_val", arrays.x_val.as_ref()),
        ("y_val", arrays.y_val.as_ref()),
        ("x_test", arrays.x_test.as_ref()),
        ("y_test", arrays.y_test.as_ref()),
        ("groups_train", arrays.groups_train.as_ref()),
        ("groups_val", arrays.groups_val.as_ref()),
        ("groups_test", arrays.groups_test.as_ref()),
        ("times_train", arrays.times_train.as_ref()),
    ];
    match names.iter().find(|(_, name)| name.is_some_and(|name| !is_npy(name))) {
        Some((key, Some(name))) => Err(broken(
            &format!("data.arrays.{key}"),
            format!("without `path` this is the path of an npy file, received {name}"),
            "add `path: FILE.npz`, or name a file that ends in .npy",
        )),
        _ => Ok(()),
    }
}

fn text(text: &TextSection) -> Checked {
    count("data.text.length", text.length, MOST_STEPS)?;
    if text.max_tokens < 3 {
        return Err(broken(
            "data.text.max_tokens",
            format!("must be at least 3, received {}", text.max_tokens),
            "token 0 is padding and token 1 an unknown word: 3 leaves room for one word",
        ));
    }
    if matches!(&text.tokenizer, Tokenizer::File(file) if file.as_os_str().is_empty()) {
        return Err(broken("data.text.tokenizer", "the file has no name", "name a tokenizer.json"));
    }
    match text.replace.keys().any(String::is_empty) {
        true => Err(broken("data.text.replace", "an empty text cannot be replaced", "")),
        false => Ok(()),
    }
}

fn fractions(split: &SplitSection, data: &DataSection) -> Checked {
    for (key, value) in [("validation", split.validation), ("test", split.test)] {
        if !(0.0..1.0).contains(&value) {
            return Err(broken(
                &format!("data.split.{key}"),
                format!("must be a fraction of at least 0 and below 1, received {value}"),
                "0.2 takes a fifth of the examples",
            ));
        }
    }
    if split.validation + split.test >= 1.0 {
        let sum = split.validation + split.test;
        let rule = format!("`validation` and `test` take all examples: their sum is {sum}");
        return Err(broken("data.split", rule, "leave some for training"));
    }
    let by_column = data.table.as_ref().is_some_and(|table| table.split.is_some());
    match split.validation <= 0.0 && !brings_validation(data) && !by_column {
        true => Err(broken(
            "data.split.validation",
            format!(
                "must be above 0, received {}: every epoch is measured on the validation split",
                split.validation
            ),
            "0.2 takes a fifth of the examples",
        )),
        false => Ok(()),
    }
}

/// Whether the source is known to have a validation split of its own.
fn brings_validation(data: &DataSection) -> bool {
    data.arrays.as_ref().is_some_and(|arrays| arrays.x_val.is_some())
        || data.table.as_ref().is_some_and(|table| table.validation.is_some())
}

fn by(data: &DataSection) -> Checked {
    let (group, time) = match (&data.table, &data.arrays) {
        (Some(table), _) => (table.group.is_some(), table.time.is_some()),
        (_, Some(arrays)) => (arrays.groups_train.is_some(), arrays.times_train.is_some()),
        (None, None) => (false, false),
    };
    let (group_key, time_key) = match data.table {
        Some(_) => ("`group: COLUMN` in `data.table`", "`time: COLUMN` in `data.table`"),
        None => ("`groups_train: ARRAY` in `data.arrays`", "`times_train: ARRAY` in `data.arrays`"),
    };
    let wrong = |rule: &str, hint: &str| Err(broken("data.split.by", rule, hint));
    let add = |key: &str| format!("add {key}");
    if data.series.is_some() {
        return match (data.split.by, data.split.gap) {
            (None | Some(SplitBy::Time), 0) => Ok(()),
            (None | Some(SplitBy::Time), _) => Err(broken(
                "data.split.gap",
                "no row of a series is in windows of two splits as it is",
                "remove `gap`",
            )),
            (Some(by), _) => wrong(
                &format!("a series is cut by time, and `{}` would leak", name(by)),
                "remove `by`",
            ),
        };
    }
    match (data.split.by, group, time) {
        (Some(SplitBy::Group), false, _) => {
            wrong("`group` needs to know the groups", &add(group_key))
        }
        (Some(SplitBy::Time), _, false) => wrong("`time` needs to know the times", &add(time_key)),
        (_, true, true) => wrong(
            "groups and times are both named, and a split by time cannot keep groups whole",
            "name one of them",
        ),
        (Some(by @ (SplitBy::Random | SplitBy::Order)), true, _) => wrong(
            &format!("groups are named, and `{}` would part them", name(by)),
            "write `by: group`, or do not name the groups",
        ),
        (Some(by @ (SplitBy::Random | SplitBy::Order)), _, true) => wrong(
            &format!("times are named, and `{}` does not heed them", name(by)),
            "write `by: time`, or do not name the times",
        ),
        (_, _, true) | (Some(SplitBy::Order), _, _) if brings_validation(data) => wrong(
            "the source brings its own validation split, so nothing is left to cut",
            "remove `by` and the times, or the validation split",
        ),
        _ => Ok(()),
    }
}

fn name(by: SplitBy) -> &'static str {
    match by {
        SplitBy::Random => "random",
        SplitBy::Group => "group",
        SplitBy::Time => "time",
        SplitBy::Order => "order",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the rule that a section breaks, or `fine`.
    fn verdict(yaml: &str) -> String {
        let data: DataSection = serde_yaml::from_str(yaml).unwrap();
        match check(&data) {
            Ok(()) => "fine".into(),
            Err(broken) => format!("{}: {}", broken.path, broken.rule),
        }
    }

    fn is(yaml: &str, expected: &str) {
        let said = verdict(yaml);
        assert!(said.contains(expected), "{yaml}: `{said}` lacks `{expected}`");
    }

    #[test]
    fn a_table_has_one_file_or_one_for_each_split_in_a_format_that_is_known() {
        is("{ table: {} }", "data.table: no file is named");
        is("{ table: { path: a.csv, train: b.csv } }", "data.table.path: give either");
        is("{ table: { path: a.csv, test: b.csv } }", "data.table.test: `path` names");
        is("{ table: { train: a.csv, validation: b.csv, split: fold } }", "told by files and by");
        is("{ table: { path: a.txt } }", "data.table.path: the name a.txt does not tell");
        is("{ table: { path: a.txt, format: tsv } }", "fine");
        is("{ table: { path: a.csv.gz, separator: \";\" } }", "fine");
        is("{ table: { path: a.tsv, separator: \";\" } }", "data.table.separator: only a CSV");
        is("{ table: { path: a.csv, separator: \"é\" } }", "must be one ASCII character");
        is("{ table: { path: a.tsv.gz, quotes: true } }", "fine");
        is("{ table: { path: a.jsonl, quotes: true } }", "data.table.quotes: only CSV and TSV");
        is("{ table: { path: a.csv, group: label } }", "data.table.group: the label column");
    }

    #[test]
    fn arrays_are_in_one_npz_file_or_in_npy_files() {
        is("{ arrays: { x_train: x.npy, y_train: y.npy } }", "fine");
        is("{ arrays: { x_train: x.npy } }", "data.arrays.y_train: without `path` this is");
        is("{ arrays: { path: x.npy } }", "data.arrays.path: `path` is an npz file");
        is("{ arrays: { path: a.npz, x_val: X } }", "`x_val` and `y_val` belong together");
        is(
            "{ arrays: { path: a.npz, x_val: X, y_val: y, groups_train: g } }",
            "`groups_val` belongs",
        );
        is("{ arrays: { path: a.npz, groups_val: g } }", "`groups_val` belongs to");
        is("{ arrays: { path: a.npz, vocabulary: 0 } }", "data.arrays.vocabulary: must be from 1");
        is("{ arrays: { path: a.npz }, text: {} }", "data.text: `text` is for tables");
    }

    #[test]
    fn how_examples_are_dealt_out_agrees_with_what_the_source_names() {
        let table = |more: &str, split: &str| {
            format!("{{ table: {{ path: a.csv{more} }}, split: {{ {split} }} }}")
        };
        is(&table("", "by: group"), "data.split.by: `group` needs to know the groups");
        is(&table("", "by: time"), "data.split.by: `time` needs to know the times");
        is(&table(", group: who", "by: random"), "`random` would part them");
        is(&table(", group: who", ""), "fine");
        is(&table(", group: who, time: when", ""), "cannot keep groups whole");
        is(&table(", time: when", "by: order"), "`order` does not heed them");
        is(
            &table("", "gap: 5"),
            "data.split.gap: rows stand beside each other in `order` and `time`",
        );
        is(&table("", "by: order, gap: 5"), "fine");
        is(&table(", time: when", "gap: 5"), "fine");
        is(&table("", "validation: 0"), "data.split.validation: must be above 0, received 0");
        is(&table(", split: fold", "validation: 0"), "fine");
        let own = "{ arrays: { path: a.npz, x_val: X, y_val: y }, split: { by: order } }";
        is(own, "the source brings its own validation split");
        let by = |yaml: &str| serde_yaml::from_str::<DataSection>(yaml).unwrap().split_by();
        assert_eq!(by(&table(", group: who", "")), SplitBy::Group);
        assert_eq!(by(&table(", time: when", "")), SplitBy::Time);
        assert_eq!(by(&table("", "")), SplitBy::Random);
    }
}
