//! Rules of `data.series`.

use super::{Checked, MOST_STEPS, broken, count};
use crate::config::{DataSection, SeriesSection, TableFormat};

pub(super) fn check(series: &SeriesSection, data: &DataSection) -> Checked {
    let others = [
        ("table", data.table.is_some()),
        ("arrays", data.arrays.is_some()),
        ("text", data.text.is_some()),
    ];
    if let Some((other, _)) = others.iter().find(|(_, given)| *given) {
        return Err(broken(
            &format!("data.{other}"),
            format!("`series` is the source of the examples, and `{other}` is given too"),
            "keep one of them",
        ));
    }
    if series.format.or_else(|| TableFormat::of(&series.path)).is_none() {
        return Err(broken(
            "data.series.path",
            format!("the name {} does not tell the format of the table", series.path.display()),
            "add `format: csv`, `tsv`, `jsonl` or `parquet` to `data.series`",
        ));
    }
    count("data.series.window", series.window, MOST_STEPS)?;
    count("data.series.stride", series.stride, MOST_STEPS)?;
    if series.horizon > 0 {
        count("data.series.horizon", series.horizon, MOST_STEPS)?;
    }
    columns(series)
}

fn columns(series: &SeriesSection) -> Checked {
    let inputs = &series.inputs;
    if inputs.is_empty() {
        return Err(broken(
            "data.series.inputs",
            "the list is empty",
            "name at least one column of numbers that the model reads",
        ));
    }
    let twice = inputs.iter().enumerate().find(|(at, name)| inputs[..*at].contains(name));
    if let Some((_, name)) = twice {
        let rule = format!("the column `{name}` is named twice");
        return Err(broken("data.series.inputs", rule, "name it once"));
    }
    match series.horizon == 0 && inputs.contains(&series.target) {
        true => Err(broken(
            "data.series.horizon",
            format!("with 0 the model reads `{}`, which it is to predict", series.target),
            "write `horizon: 1`, or take the column out of `inputs`",
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(more: &str, beside: &str) -> String {
        let yaml = format!("{{ series: {{ path: s.csv, target: y, {more} }}{beside} }}");
        let data: DataSection = serde_yaml::from_str(&yaml).unwrap();
        match super::super::data::check(&data) {
            Ok(()) => "fine".into(),
            Err(broken) => format!("{}: {}", broken.path, broken.rule),
        }
    }

    #[test]
    fn a_series_has_inputs_and_sizes_that_make_sense_and_is_cut_by_time() {
        assert_eq!(said("inputs: [y, x], window: 3", ""), "fine");
        assert_eq!(said("inputs: [x], window: 3, horizon: 0", ", split: { by: time }"), "fine");
        let cases = [
            ("inputs: [], window: 3", "", "data.series.inputs: the list is empty"),
            ("inputs: [x, x], window: 3", "", "the column `x` is named twice"),
            ("inputs: [x], window: 0", "", "data.series.window: must be from 1"),
            ("inputs: [x], window: 3, stride: 0", "", "data.series.stride: must be from 1"),
            ("inputs: [y], window: 3, horizon: 0", "", "the model reads `y`, which it is to"),
            ("inputs: [x], window: 3", ", table: { path: a.csv }", "`table` is given too"),
            ("inputs: [x], window: 3", ", split: { by: random }", "`random` would leak"),
            ("inputs: [x], window: 3", ", split: { gap: 3 }", "data.split.gap: no row of a"),
        ];
        for (more, beside, expected) in cases {
            let said = said(more, beside);
            assert!(said.contains(expected), "{more} {beside}: {said}");
        }
    }
}
