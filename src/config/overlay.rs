//! An arm's `model` and `train`: those of the file, with the arm's own keys over them.
//!
//! Keys are merged one by one, down to single values. A choice (`optimizer`, `schedule`, ...) of
//! another kind replaces the file's choice as a whole, a budget replaces the file's budget, and lists such as
//! `layers` are replaced as a whole.

use super::load::explain;
use super::locate::KeyPath;
use super::rules::{Violation, broken};
use super::{ArmRate, ArmSection, Experiment, ModelSection, TrainSection};
use crate::spec::Optimizer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};

/// Where in the file an arm comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// This one of `study.arms`.
    Arm(usize),
    /// A combination of `study.grid`, with these of its schedules and variants.
    Grid { schedule: Option<usize>, variant: Option<usize> },
    /// `study.decompose`.
    Decompose,
}

const BUDGETS: [&str; 4] = ["epochs", "steps", "examples", "steps_of"];
/// Two ways to give the recurrent layers.
const LAYERS: [&str; 2] = ["lstm", "layers"];
/// Sections of which one key chooses the kind of the rest.
const CHOICES: [&str; 7] =
    ["optimizer", "schedule", "clip", "warmup", "class_weight", "stop_at", "init"];
/// The budget when none is given.
pub(super) const DEFAULT_EPOCHS: u64 = 10;
/// What is the same for a whole study.
const SHARED: [&str; 5] = ["device", "engine", "metrics", "logging", "evaluate_every"];

/// The sections of one arm, in which nothing is left out. A violation's path is that of the
/// sections (`train.clip`); [`written`] says where the arm's author wrote it.
pub(super) fn sections(
    arm: &ArmSection,
    file: &Experiment,
) -> Result<(ModelSection, TrainSection), Violation> {
    let mut model = file.model.clone();
    if arm.model.as_ref().is_some_and(|own| own.get("lstm").is_some()) {
        model.name_one_lstm();
    }
    let model = merge_over(&model, arm.model.as_ref(), "model")?;
    let shared = SHARED.iter().find(|key| arm.train.as_ref().is_some_and(|t| t.get(key).is_some()));
    if let Some(key) = shared {
        let rule = format!("`{key}` is the same for all arms");
        return Err(broken(&format!("train.{key}"), rule, "set it in `train` at the top level"));
    }
    refuse_twice(arm)?;
    let mut train: TrainSection = merge_over(&file.train, arm.train.as_ref(), "train")?;
    if let Some(ArmRate::Value(lr)) = arm.lr {
        train.optimizer.set_lr(lr);
    }
    if arm.accumulate.is_some_and(|parts| parts > 1) {
        train.micro_batch = Some(arm.batch_size);
    }
    if let Some(schedule) = &arm.schedule {
        train.schedule = schedule.clone();
    }
    if arm.gives_budget() {
        (train.epochs, train.steps) = (arm.epochs, arm.steps);
        (train.examples, train.steps_of) = (arm.examples, arm.steps_of);
    }
    if train.epochs.or(train.steps).or(train.examples).is_none() && train.steps_of.is_none() {
        train.epochs = Some(DEFAULT_EPOCHS);
    }
    Ok((model, train))
}

/// What an arm says in short it must not say in its `train` again.
fn refuse_twice(arm: &ArmSection) -> Result<(), Violation> {
    let Some(train) = &arm.train else { return Ok(()) };
    let budget = arm.gives_budget();
    let parts = arm.accumulate.is_some() && train.get("micro_batch").is_some();
    let twice = [
        ("lr", "optimizer", arm.lr.is_some() && has_rate(train)),
        ("how many rows are computed at a time", "micro_batch", parts),
        ("schedule", "schedule", arm.schedule.is_some() && train.get("schedule").is_some()),
        ("epochs", "epochs", budget && BUDGETS.iter().any(|key| train.get(key).is_some())),
    ];
    match twice.iter().find(|(_, _, twice)| *twice) {
        None => Ok(()),
        Some((short, key, _)) => {
            let what = if *short == "epochs" { "a budget" } else { short };
            let rule = format!("the arm gives {what} twice, by itself and in its `train`");
            Err(broken(&format!("train.{key}"), rule, "keep one of them"))
        }
    }
}

/// Whether the keys of an arm's `train` give a learning rate.
fn has_rate(train: &Value) -> bool {
    let optimizer = train.get("optimizer").and_then(Value::as_mapping);
    let mut kinds = optimizer.into_iter().flat_map(Mapping::values);
    kinds.any(|kind| kind.get("lr").is_some())
}

/// Whether an arm says its own learning rate, or that it is tuned.
pub(super) fn says_rate(arm: &ArmSection) -> bool {
    arm.lr.is_some() || arm.train.as_ref().is_some_and(has_rate)
}

/// An arm's `train` without a budget.
pub(super) fn without_budget(mut train: Value) -> Value {
    if let Value::Mapping(keys) = &mut train {
        BUDGETS.iter().for_each(|key| drop(keys.remove(*key)));
    }
    train
}

/// An arm's `train` without what the arm says in short.
pub(super) fn without_short_forms(train: Value) -> Value {
    let mut train = without_budget(train);
    let Value::Mapping(keys) = &mut train else { return train };
    keys.remove("schedule");
    let optimizer = keys.get_mut("optimizer").and_then(Value::as_mapping_mut);
    for kind in optimizer.into_iter().flat_map(Mapping::values_mut) {
        kind.as_mapping_mut().map(|kind| kind.remove("lr"));
    }
    train
}

/// An arm's `train` with what is particular to the Adam of this arm.
pub(super) fn with_betas(train: Option<Value>, optimizer: &Optimizer) -> Value {
    let (Some([beta_1, beta_2]), Some(epsilon)) = (optimizer.betas(), optimizer.epsilon()) else {
        return train.unwrap_or_default();
    };
    let own = [("beta_1", beta_1), ("beta_2", beta_2), ("epsilon", epsilon)];
    let own: Mapping = own.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    let kind = Mapping::from_iter([(optimizer.name().into(), Value::Mapping(own))]);
    let over = Mapping::from_iter([("optimizer".into(), Value::Mapping(kind))]);
    let mut train = train.unwrap_or_default();
    merge(&mut train, &over);
    train
}

/// Where the value at `path` of an arm's sections was written: in the arm, in the grid, or in the
/// file's own sections.
pub(super) fn written(path: &KeyPath, arm: &ArmSection, origin: Origin) -> KeyPath {
    let text = path.to_string();
    let place = match origin {
        Origin::Arm(index) => in_arm(&text, arm, index),
        Origin::Grid { schedule, variant } => in_grid(&text, arm, schedule, variant),
        Origin::Decompose => None,
    };
    place.map_or_else(|| path.clone(), |place| KeyPath::parse(&place))
}

fn is_rate(path: &str) -> bool {
    path.starts_with("train.optimizer.") && path.ends_with(".lr")
}

/// Whether the arm's own `model` or `train` has the value at this path of its sections.
fn is_own(path: &str, arm: &ArmSection) -> bool {
    match path.split_once('.') {
        Some(("model", rest)) => holds(arm.model.as_ref(), rest),
        Some(("train", rest)) => holds(arm.train.as_ref(), rest),
        _ => false,
    }
}

fn in_arm(path: &str, arm: &ArmSection, index: usize) -> Option<String> {
    let short = path.strip_prefix("train.").filter(|key| {
        let key = key.split('.').next().unwrap_or_default();
        match key {
            "epochs" => arm.epochs.is_some(),
            "steps" => arm.steps.is_some(),
            "examples" => arm.examples.is_some(),
            "steps_of" => arm.steps_of.is_some(),
            _ => key.starts_with("schedule") && arm.schedule.is_some(),
        }
    });
    let key = match short {
        Some(key) => key,
        None if is_rate(path) && arm.lr.is_some() => "lr",
        None if is_own(path, arm) => path,
        None => return None,
    };
    Some(format!("study.arms[{index}].{key}"))
}

fn in_grid(
    path: &str,
    arm: &ArmSection,
    schedule: Option<usize>,
    variant: Option<usize>,
) -> Option<String> {
    if is_rate(path) && arm.lr.is_some() {
        return Some("study.grid.lr".into());
    }
    if let (Some(index), Some(rest)) = (schedule, path.strip_prefix("train.schedule")) {
        return Some(format!("study.grid.schedule[{index}]{rest}"));
    }
    let own = variant.filter(|_| is_own(path, arm))?;
    Some(format!("study.grid.variants[{own}].{path}"))
}

/// Whether a value has a key at this path, or at the beginning of it that is a choice.
fn holds(value: Option<&Value>, path: &str) -> bool {
    let first = path.split('.').next().unwrap_or_default();
    let Some(found) = value.and_then(|value| value.get(first)) else { return false };
    match path.split_once('.') {
        None => true,
        Some((key, rest)) => CHOICES.contains(&key) || holds(Some(found), rest),
    }
}

fn merge_over<T: Serialize + DeserializeOwned>(
    base: &T,
    over: Option<&Value>,
    section: &str,
) -> Result<T, Violation> {
    let internal = |error: serde_yaml::Error| broken(section, error.to_string(), "");
    let mut value = serde_yaml::to_value(base).map_err(internal)?;
    match over {
        None | Some(Value::Null) => {}
        Some(Value::Mapping(over)) => merge(&mut value, over),
        Some(_) => {
            let rule = format!("`{section}` of an arm is not a mapping");
            return Err(broken(section, rule, "write the keys that differ in this arm"));
        }
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (rule, unknown, hint) = explain(&error.inner().to_string());
        let path = KeyPath::parse(&format!("{section}.{}", error.path()));
        Violation { path: path.with_key(unknown), rule, hint }
    })
}

fn merge(base: &mut Value, over: &Mapping) {
    let Value::Mapping(base) = base else {
        *base = Value::Mapping(over.clone());
        return;
    };
    if BUDGETS.iter().any(|key| over.contains_key(*key)) {
        BUDGETS.iter().for_each(|key| drop(base.remove(*key)));
    }
    for (given, other) in [(LAYERS[0], LAYERS[1]), (LAYERS[1], LAYERS[0])] {
        if over.contains_key(given) && base.contains_key(other) {
            base.remove(other);
        }
    }
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(old @ Value::Mapping(_)), Value::Mapping(new)) if !is_other(key, old, new) => {
                merge(old, new);
            }
            _ => drop(base.insert(key.clone(), value.clone())),
        }
    }
}

/// Whether a choice is of another kind than before.
fn is_other(key: &Value, old: &Value, new: &Mapping) -> bool {
    let is_choice = key.as_str().is_some_and(|key| CHOICES.contains(&key));
    is_choice && !new.keys().all(|kind| old.get(kind).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Schedule;
    use crate::spec::{Adam, Clip, Sgd};

    fn file() -> Experiment {
        serde_yaml::from_str(
            "study: {}\ndata: {}\nmodel: { lstm: { units: 8, dropout: 0.1 } }\n\
             train: { epochs: 4, optimizer: { adam: { lr: 0.5, beta_1: 0.8 } }, clip: { norm: 1.0 } }",
        )
        .unwrap()
    }

    fn laid(arm: &str) -> (ModelSection, TrainSection) {
        let arm: ArmSection = serde_yaml::from_str(arm).unwrap();
        sections(&arm, &file()).unwrap_or_else(|error| panic!("{}", error.rule))
    }

    #[test]
    fn an_arm_changes_the_keys_that_it_names_and_keeps_the_others() {
        let (model, train) = laid(
            "{ batch_size: 1, model: { lstm: { dropout: 0.3 } }, train: { optimizer: { adam: { lr: 0.1 } } } }",
        );
        let lstm = model.lstm.unwrap();
        assert_eq!((lstm.units, lstm.dropout.to_bits()), (8, 0.3f64.to_bits()));
        let adam = Adam { lr: 0.1, beta_1: 0.8, ..Adam::default() };
        assert_eq!(train.optimizer, Optimizer::Adam(adam));
        assert_eq!((train.epochs, train.clip), (Some(4), Some(Clip::Norm(1.0))));
    }

    #[test]
    fn a_choice_of_another_kind_and_a_budget_replace_those_of_the_file() {
        let (_, train) = laid(
            "{ batch_size: 1, lr: 0.2, train: { steps: 7, clip: { value: 2.0 }, optimizer: { sgd: { momentum: 0.9 } } } }",
        );
        let sgd = Sgd { lr: 0.2, momentum: 0.9, nesterov: false };
        assert_eq!(train.optimizer, Optimizer::Sgd(sgd));
        assert_eq!(
            (train.epochs, train.steps, train.clip),
            (None, Some(7), Some(Clip::Value(2.0)))
        );
        assert_eq!(train.schedule, Schedule::Constant);
        let (_, train) = laid("{ batch_size: 1, examples: 9, train: { clip: null } }");
        assert_eq!((train.epochs, train.examples, train.clip), (None, Some(9), None));
    }

    #[test]
    fn layers_of_an_arm_replace_the_lstm_of_the_file() {
        let (model, _) = laid("{ batch_size: 1, model: { layers: [{ gru: { units: 3 } }] } }");
        assert_eq!(model.lstm, None);
        assert_eq!(model.layers.unwrap()[0].sizes(), crate::spec::Recurrent::gru(3));
    }

    #[test]
    fn what_an_arm_gives_twice_is_refused_and_what_is_resolved_gives_it_once() {
        let twice = |arm: &str| {
            let arm: ArmSection = serde_yaml::from_str(arm).unwrap();
            sections(&arm, &file()).unwrap_err().rule
        };
        let rate = "{ batch_size: 1, lr: 0.2, train: { optimizer: { adam: { lr: 0.1 } } } }";
        assert!(twice(rate).contains("the arm gives lr twice"));
        let budget = "{ batch_size: 1, epochs: 2, train: { steps: 3 } }";
        assert!(twice(budget).contains("the arm gives a budget twice"));
        let text = "{ steps: 3, schedule: constant, clip: null, optimizer: { sgd: { lr: 1 } } }";
        let short = without_short_forms(serde_yaml::from_str(text).unwrap());
        let left: Value = serde_yaml::from_str("{ clip: null, optimizer: { sgd: {} } }").unwrap();
        assert_eq!(short, left);
    }

    #[test]
    fn a_value_is_looked_for_where_it_was_written() {
        let arm: ArmSection = serde_yaml::from_str(
            "{ batch_size: 1, lr: 0.2, train: { clip: { norm: 1 }, early_stopping: { patience: 1 } } }",
        )
        .unwrap();
        let place = |path: &str| written(&KeyPath::parse(path), &arm, Origin::Arm(3)).to_string();
        assert_eq!(place("train.optimizer.adam.lr"), "study.arms[3].lr");
        assert_eq!(place("train.clip.norm"), "study.arms[3].train.clip.norm");
        assert_eq!(place("train.early_stopping.min_delta"), "train.early_stopping.min_delta");
        assert_eq!(place("train.epochs"), "train.epochs");
    }
}
