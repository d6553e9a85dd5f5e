//! The rules between keys and on their ranges: what a value must be, what was received, what to do.
//!
//! A rule that is broken names the path of the key; [`super::resolve`] adds where it was written.

use super::locate::KeyPath;
use super::{DataSection, Experiment, ModelSection, Optimizer, Schedule, SplitSection};
use std::collections::BTreeSet;

/// A broken rule before it has a place.
pub(super) struct Violation {
    pub(super) path: KeyPath,
    pub(super) rule: String,
    pub(super) hint: Option<String>,
}

fn broken(path: &str, rule: impl Into<String>, hint: &str) -> Violation {
    let hint = (!hint.is_empty()).then(|| hint.to_owned());
    Violation { path: KeyPath::parse(path), rule: rule.into(), hint }
}

type Checked = Result<(), Violation>;

const MOST_SEEDS: u32 = 10_000;
const MOST_EPOCHS: u32 = 1_000_000;
const MOST_ROWS: u32 = 16_777_216;
const MOST_STEPS: u32 = 1_048_576;
const MOST_UNITS: u32 = 65_536;

/// Checks everything that the file alone can tell.
pub(super) fn check(experiment: &Experiment) -> Checked {
    study(experiment)?;
    data(&experiment.data)?;
    split(&experiment.data.split, &experiment.data)?;
    model(&experiment.model, &experiment.data)?;
    train(experiment)
}

fn study(experiment: &Experiment) -> Checked {
    let study = &experiment.study;
    count("study.seeds", study.seeds, MOST_SEEDS)?;
    if let Some(name) = &study.name {
        folder_name("study.name", name)?;
    }
    match (&study.arms, &study.grid) {
        (Some(_), Some(_)) => Err(broken(
            "study.grid",
            "give either `arms` or `grid`, not both",
            "list the arms one by one, or let the grid combine the values",
        )),
        (None, None) => Err(broken(
            "study",
            "nothing to compare: neither `arms` nor `grid` is given",
            "add for example `grid: { batch_size: [32, 128, 256] }`",
        )),
        (Some(arms), None) if arms.is_empty() => {
            Err(broken("study.arms", "the list of arms is empty", "add `- { batch_size: 32 }`"))
        }
        (Some(arms), None) => {
            for (index, arm) in arms.iter().enumerate() {
                let at = |key: &str| format!("study.arms[{index}].{key}");
                count(&at("batch_size"), arm.batch_size, MOST_ROWS)?;
                arm.lr.map_or(Ok(()), |lr| positive(&at("lr"), lr))?;
                arm.epochs.map_or(Ok(()), |epochs| count(&at("epochs"), epochs, MOST_EPOCHS))?;
                arm.schedule.as_ref().map_or(Ok(()), |s| schedule(&at("schedule"), s))?;
            }
            Ok(())
        }
        (None, Some(grid)) => {
            not_empty("study.grid.batch_size", grid.batch_size.len())?;
            for (index, size) in grid.batch_size.iter().enumerate() {
                count(&format!("study.grid.batch_size[{index}]"), *size, MOST_ROWS)?;
            }
            if let Some(rates) = &grid.lr {
                not_empty("study.grid.lr", rates.len())?;
                for (index, lr) in rates.iter().enumerate() {
                    positive(&format!("study.grid.lr[{index}]"), *lr)?;
                }
            }
            Ok(())
        }
    }
}

/// Arm names are folders in the study's folder, so no two may be alike and none may be one of the
/// names that the study uses itself.
pub(super) fn arm_names(names: &[String], from_grid: bool) -> Checked {
    const TAKEN: [&str; 3] = ["study.yaml", "environment.json", "report"];
    for (index, name) in names.iter().enumerate() {
        let path = if from_grid { "study.grid".into() } else { format!("study.arms[{index}]") };
        folder_name(&path, name)?;
        if TAKEN.contains(&name.as_str()) {
            let rule = format!("`{name}` is the name of something else in the study's folder");
            return Err(broken(&path, rule, "choose another name"));
        }
    }
    let mut seen = BTreeSet::new();
    match names.iter().position(|name| !seen.insert(name)) {
        None => Ok(()),
        Some(_) if from_grid => Err(broken(
            "study.grid",
            "the grid holds the same value twice",
            "each value makes an arm with a folder of its own: remove the second one",
        )),
        Some(index) => Err(broken(
            &format!("study.arms[{index}]"),
            format!("two arms are called `{}`", names[index]),
            "give each arm a `name` of its own: it names the folder of its runs",
        )),
    }
}

fn data(data: &DataSection) -> Checked {
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

fn model(model: &ModelSection, data: &DataSection) -> Checked {
    count("model.lstm.units", model.lstm.units, MOST_UNITS)?;
    if model.dense.units != 1 {
        return Err(broken(
            "model.dense.units",
            format!("must be 1, received {}", model.dense.units),
            "the question has two answers: one probability says it all",
        ));
    }
    match (&model.embedding, data.table.is_some()) {
        (Some(embedding), true) => count("model.embedding.dim", embedding.dim, MOST_UNITS),
        (None, true) => Err(broken(
            "model",
            "text needs an `embedding`, which turns token ids into vectors",
            "add `embedding: { dim: 64, mask_zero: true }`",
        )),
        (Some(_), false) => Err(broken(
            "model.embedding",
            "arrays of floats take no embedding: they hold vectors already",
            "remove `embedding`",
        )),
        (None, false) => Ok(()),
    }
}

fn train(experiment: &Experiment) -> Checked {
    let train = &experiment.train;
    count("train.epochs", train.epochs, MOST_EPOCHS)?;
    let Optimizer::Adam(adam) = &train.optimizer;
    let at = |key: &str| format!("train.optimizer.adam.{key}");
    positive(&at("lr"), adam.lr)?;
    positive(&at("epsilon"), adam.epsilon)?;
    for (key, beta) in [("beta_1", adam.beta_1), ("beta_2", adam.beta_2)] {
        if !(0.0..1.0).contains(&(beta as f32)) {
            let rule = format!("must be from 0 up to, not including, 1 in f32, received {beta}");
            return Err(broken(&at(key), rule, ""));
        }
    }
    schedule("train.schedule", &train.schedule)?;
    not_empty("train.metrics", train.metrics.len())?;
    let device = train.device.as_str();
    let numbered = device.strip_prefix("cuda:").is_some_and(|n| n.parse::<u32>().is_ok());
    match numbered || ["auto", "cpu", "cuda"].contains(&device) {
        true => Ok(()),
        false => Err(broken(
            "train.device",
            format!("unknown device `{device}`"),
            "known devices: auto, cpu, cuda, cuda:N",
        )),
    }
}

fn schedule(path: &str, schedule: &Schedule) -> Checked {
    match schedule {
        Schedule::Constant => Ok(()),
        Schedule::Exponential(exponential) => {
            positive(&format!("{path}.exponential.gamma"), exponential.gamma)
        }
    }
}

/// A count that is not 0 and not a slip of the keyboard: larger models or studies than `most` would
/// overflow sizes or fill the machine before anything else could refuse them.
fn count(path: &str, value: u32, most: u32) -> Checked {
    match (1..=most).contains(&value) {
        true => Ok(()),
        false => Err(broken(path, format!("must be from 1 to {most}, received {value}"), "")),
    }
}

fn not_empty(path: &str, len: usize) -> Checked {
    match len {
        0 => Err(broken(path, "the list is empty", "name at least one value")),
        _ => Ok(()),
    }
}

fn positive(path: &str, value: f64) -> Checked {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(broken(path, format!("must be above 0 and finite, received {value}"), "")),
    }
}

/// A name that is one plain folder on every system.
fn folder_name(path: &str, name: &str) -> Checked {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+=".contains(c);
    let good = !name.is_empty() && name.chars().all(plain) && !name.starts_with('.');
    match good && name.len() <= 100 {
        true => Ok(()),
        false => Err(broken(
            path,
            format!("`{name}` cannot name a folder"),
            "use letters, digits, `-`, `_`, `.`, `+` and `=`, and do not begin with a dot",
        )),
    }
}
