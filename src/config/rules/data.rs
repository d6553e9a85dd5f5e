//! Rules of `data`.

use super::{Checked, MOST_STEPS, broken, count};
use crate::config::{DataSection, SplitSection};

pub(super) fn check(data: &DataSection) -> Checked {
    source(data)?;
    split(&data.split, data)
}

fn source(data: &DataSection) -> Checked {
    match (&data.table, &data.arrays) {
        (Some(_), Some(_)) => Err(broken(
            "data.arrays",
            "give either `table` or `arrays`, not both",
            "a study has one source of examples",
        )),
        (None, None) => Err(broken(
            "data",
            "no source of examples: neither `table` nor `arrays` is given",
            "add `table: { path: FILE.csv, text: COLUMN, label: COLUMN }`",
        )),
        (Some(_), None) => text(data),
        (None, Some(arrays)) => {
            if data.text.is_some() {
                return Err(broken(
                    "data.text",
                    "`text` is for tables; arrays are sequences of numbers already",
                    "remove `text`",
                ));
            }
            let pairs =
                [("val", &arrays.x_val, &arrays.y_val), ("test", &arrays.x_test, &arrays.y_test)];
            for (split, x, y) in pairs {
                if x.is_some() != y.is_some() {
                    let rule =
                        format!("`x_{split}` and `y_{split}` belong together, one is missing");
                    return Err(broken("data.arrays", rule, "name both arrays, or neither"));
                }
            }
            Ok(())
        }
    }
}

fn text(data: &DataSection) -> Checked {
    let Some(text) = &data.text else { return Ok(()) };
    count("data.text.length", text.length, MOST_STEPS)?;
    if text.max_tokens < 3 {
        return Err(broken(
            "data.text.max_tokens",
            format!("must be at least 3, received {}", text.max_tokens),
            "token 0 is padding and token 1 an unknown word: 3 leaves room for one word",
        ));
    }
    match text.replace.keys().any(String::is_empty) {
        true => Err(broken("data.text.replace", "an empty text cannot be replaced", "")),
        false => Ok(()),
    }
}

fn split(split: &SplitSection, data: &DataSection) -> Checked {
    for (key, value) in [("validation", split.validation), ("test", split.test)] {
        if !(0.0..1.0).contains(&value) {
            return Err(broken(
                &format!("data.split.{key}"),
                format!("must be a fraction from 0 up to, not including, 1, received {value}"),
                "0.2 takes a fifth of the examples",
            ));
        }
    }
    if split.validation + split.test >= 1.0 {
        let sum = split.validation + split.test;
        let rule = format!("`validation` and `test` take all examples: their sum is {sum}");
        return Err(broken("data.split", rule, "leave some for training"));
    }
    let has_validation_arrays = data.arrays.as_ref().is_some_and(|arrays| arrays.x_val.is_some());
    match split.validation <= 0.0 && !has_validation_arrays {
        true => Err(broken(
            "data.split.validation",
            "must be above 0: every epoch is measured on the validation split",
            "0.2 takes a fifth of the examples",
        )),
        false => Ok(()),
    }
}
