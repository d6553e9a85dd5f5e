//! The columns of TensorBoard's HPARAMS tab: what tells the arms of studies apart. And in a line, what the arms of
//! one study are trained with.

use crate::config::{Arm, LayerSection, ModelSection, Study, TrainSection, is_under, leaves};
use crate::events::Hyperparameter;
use crate::format;
use crate::spec::Optimizer;
use anyhow::Result;
use serde_json::Value;
use std::collections::BTreeSet;

/// Each with its name.
type Columns = Vec<(String, Hyperparameter)>;

/// Under names of their own, or about what is drawn alone.
const SHOWN_ELSEWHERE: [&str; 8] = [
    "model.lstm.units",
    "model.lstm.dropout",
    "model.lstm.recurrent_dropout",
    "train.device",
    "train.engine",
    "train.metrics",
    "train.logging",
    "train.schedule",
];

/// Those of an arm in which the arms of its study differ, and always its name and batch size: columns
/// that are the same in every row would push the metrics off the screen.
pub(super) fn differing(arm: &Arm, all: &[Arm]) -> Result<Columns> {
    let others: Vec<Columns> = all.iter().map(hyperparameters).collect::<Result<_>>()?;
    let own = hyperparameters(arm)?;
    let differs = |name: &str| {
        let of_arm = value_in(&own, name);
        others.iter().any(|other| value_in(other, name) != of_arm)
    };
    let is_shown = |name: &str| ["arm", "batch_size"].contains(&name) || differs(name);
    Ok(own.iter().filter(|(name, _)| is_shown(name)).cloned().collect())
}

fn value_in<'c>(
    columns: &'c [(String, Hyperparameter)],
    wanted: &str,
) -> Option<&'c Hyperparameter> {
    columns.iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
}

/// What the table of arms shows.
const IN_TABLE: [&str; 8] =
    ["arm", "batch_size", "lr", "epochs", "steps", "examples", "steps_of", "units"];

/// `adam, binary_crossentropy, dropout 0.2; the arms differ in recurrent_dropout`: what the arms of a study
/// are trained with, apart from what the table of arms shows, and what is as usual.
///
/// # Errors
/// An arm that cannot be written as JSON.
pub fn trained_with(study: &Study) -> Result<String> {
    let all: Vec<Columns> = study.arms.iter().map(hyperparameters).collect::<Result<_>>()?;
    let optimizers: BTreeSet<&str> =
        study.arms.iter().map(|arm| arm.train.optimizer.name()).collect();
    let losses: BTreeSet<&str> = study.arms.iter().map(|arm| arm.loss().name()).collect();
    let mut same = [optimizers, losses].map(|names| Vec::from_iter(names).join(" or ")).to_vec();
    let (mut differing, mut seen) = (Vec::new(), BTreeSet::from(["optimizer", "loss"]));
    for (name, _) in all.iter().flatten() {
        // The line of the model has the sizes and the head.
        let is_shown = IN_TABLE.contains(&name.as_str())
            || name.ends_with(".units")
            || name.starts_with("dense.");
        if is_shown || !seen.insert(name) {
            continue;
        }
        let value = value_in(&all[0], name);
        match value.filter(|value| all.iter().all(|arm| value_in(arm, name) == Some(value))) {
            None => differing.push(name.as_str()),
            Some(value) => same.extend(in_words(name, value)),
        }
    }
    let differing = match differing[..] {
        [] => String::new(),
        _ => format!("; the arms differ in {}", differing.join(", ")),
    };
    Ok(same.join(", ") + &differing)
}

/// `None` for what is as usual: no dropout, a learning rate that stays.
fn in_words(name: &str, value: &Hyperparameter) -> Option<String> {
    match value {
        Hyperparameter::Text(text) if name == "schedule" && text == "constant" => None,
        Hyperparameter::Text(text) => Some(format!("{name} {text}")),
        Hyperparameter::Number(number) if *number == 0.0 => None,
        Hyperparameter::Number(number) => Some(format!("{name} {}", format::number(*number))),
        Hyperparameter::Flag(flag) => Some(format!("{name} {flag}")),
    }
}

/// The most usual ones for every arm, and whatever else is not as it would be if the file did not say
/// it: budgets, penalties, clipping, warm-up, Adam's decays, `micro_batch`. The seed is left out: the
/// seeds of an arm are one row.
fn hyperparameters(arm: &Arm) -> Result<Columns> {
    let train = &arm.train;
    let layers = arm.model.recurrent();
    let number = |value: f64| Hyperparameter::Number(value);
    let text = |value: &str| Hyperparameter::Text(value.to_owned());
    let usual = [
        ("arm", text(&arm.name)),
        ("batch_size", number(arm.batch_size as f64)),
        ("lr", number(train.optimizer.lr())),
        ("optimizer", text(train.optimizer.name())),
        ("schedule", text(&train.schedule.to_string())),
    ];
    // Several layers stand among what is unusual, as a whole.
    let of_lstm = match &layers[..] {
        [LayerSection::Lstm(lstm)] => vec![
            ("units", number(f64::from(lstm.units))),
            ("dropout", number(lstm.dropout)),
            ("recurrent_dropout", number(lstm.recurrent_dropout)),
        ],
        _ => Vec::new(),
    };
    let usual = usual.into_iter().chain(of_lstm).map(|(name, value)| (name.to_owned(), value));
    Ok(usual.chain(unusual(arm)?).collect())
}

/// By their paths in the file, without the section.
fn unusual(arm: &Arm) -> Result<Columns> {
    let plain = Arm {
        name: String::new(),
        batch_size: 0,
        model: ModelSection { embedding: arm.model.embedding.clone(), ..ModelSection::default() },
        train: TrainSection {
            optimizer: by_default(&arm.train.optimizer),
            ..TrainSection::default()
        },
    }
    .spelled_out();
    let json = |arm: &Arm| -> Result<Value> {
        let mut value = serde_json::to_value(arm)?;
        let sections = value.as_object_mut();
        sections
            .into_iter()
            .for_each(|found| found.retain(|key, _| key == "model" || key == "train"));
        Ok(value)
    };
    let defaults = leaves(&json(&plain)?);
    let is_elsewhere = |path: &str| SHOWN_ELSEWHERE.iter().any(|part| is_under(path, part));
    let mut found = leaves(&json(arm)?);
    found.retain(|path, value| {
        defaults.get(path) != Some(value) && value != "null" && !is_elsewhere(path)
    });
    let column = |(path, value): (String, String)| {
        let name = path.split_once('.').map_or(path.as_str(), |(_, rest)| rest).to_owned();
        let value = match (value.parse::<bool>(), value.parse::<f64>()) {
            (Ok(flag), _) => Hyperparameter::Flag(flag),
            (_, Ok(number)) => Hyperparameter::Number(number),
            _ => Hyperparameter::Text(value),
        };
        (name, value)
    };
    Ok(found.into_iter().map(column).collect())
}

/// With the learning rate, which has a column of its own.
fn by_default(optimizer: &Optimizer) -> Optimizer {
    let mut plain = optimizer.by_default();
    plain.set_lr(optimizer.lr());
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, Study};

    fn columns(rest: &str) -> Vec<(String, Hyperparameter)> {
        let text = format!(
            "study: {{ arms: [{{ batch_size: 8 }}] }}\ndata: {{ table: {{ path: t.csv }} }}\n{rest}\n"
        );
        let source = Source { name: "f".into(), text, overrides: vec![] };
        hyperparameters(&Study::from_source(&source, "f").unwrap().arms[0]).unwrap()
    }

    #[test]
    fn what_the_file_does_not_say_has_no_column_beside_the_usual_ones() {
        let found = columns("model: { embedding: {} }");
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        let usual = ["arm", "batch_size", "lr", "optimizer", "schedule", "units", "dropout"];
        assert_eq!(names[..7], usual);
        // Ten epochs are the budget where none is given.
        assert_eq!(names[7..], ["recurrent_dropout", "epochs"]);
    }

    fn said(rest: &str, arms: &str) -> String {
        let text =
            format!("study: {{ arms: {arms} }}\ndata: {{ table: {{ path: t.csv }} }}\n{rest}\n");
        let source = Source { name: "f".into(), text, overrides: vec![] };
        trained_with(&Study::from_source(&source, "f").unwrap()).unwrap()
    }

    #[test]
    fn what_arms_are_trained_with_is_told_in_a_line() {
        let two = "[{ batch_size: 8 }, { batch_size: 16, lr: 0.1 }]";
        assert_eq!(said("model: { embedding: {} }", two), "adam, binary_crossentropy");
        let more = "model: { embedding: {}, lstm: { units: 8, dropout: 0.2 } }\n\
                    train: { optimizer: { adamw: { lr: 0.01, weight_decay: 0.1 } }, clip: { norm: 1 } }";
        assert_eq!(
            said(more, two),
            "adamw, binary_crossentropy, dropout 0.2, clip.norm 1, optimizer.adamw.weight_decay 0.1"
        );
        let others = "[{ batch_size: 8 }, { batch_size: 16, train: { optimizer: { sgd: {} } } }]";
        let line = said("model: { embedding: {}, lstm: { units: 8, dropout: 0.2 } }", others);
        assert_eq!(line, "adam or sgd, binary_crossentropy, dropout 0.2");
        let apart = "[{ batch_size: 8 }, { batch_size: 16, train: { class_weight: balanced } }]";
        assert_eq!(
            said("model: { embedding: {} }", apart),
            "adam, binary_crossentropy; the arms differ in class_weight"
        );
    }

    #[test]
    fn columns_in_which_the_arms_do_not_differ_are_left_out() {
        let text = "study: { arms: [{ batch_size: 8 }, { batch_size: 16, lr: 0.1 }] }\n\
                    data: { table: { path: t.csv } }\nmodel: { embedding: {} }\n";
        let source = Source { name: "f".into(), text: text.into(), overrides: vec![] };
        let arms = Study::from_source(&source, "f").unwrap().arms;
        let found = differing(&arms[0], &arms).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["arm", "batch_size", "lr"]);
    }

    #[test]
    fn penalties_clipping_warm_up_decays_and_budgets_have_columns() {
        let found = columns(
            "model: { embedding: {}, lstm: { kernel_regularizer: { l2: 0.01 } } }\n\
             train: { steps: 50, clip: { norm: 1.0 }, warmup: { steps: 5 }, micro_batch: 4, \
             optimizer: { adam: { lr: 0.1, beta_2: 0.99 } } }",
        );
        let of =
            |wanted: &str| found.iter().find(|(name, _)| name == wanted).map(|(_, v)| v.clone());
        for (name, value) in [
            ("lstm.kernel_regularizer.l2", 0.01),
            ("clip.norm", 1.0),
            ("warmup.steps", 5.0),
            ("optimizer.adam.beta_2", 0.99),
            ("micro_batch", 4.0),
            ("steps", 50.0),
            ("lr", 0.1),
        ] {
            assert_eq!(of(name), Some(Hyperparameter::Number(value)), "{name}: {found:?}");
        }
        assert_eq!((of("optimizer.adam.beta_1"), of("lstm.kernel_regularizer.l1")), (None, None));
    }
}
