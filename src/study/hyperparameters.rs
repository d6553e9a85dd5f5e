//! The columns of TensorBoard's HPARAMS tab: what tells the arms of studies apart.

use crate::config::{Arm, LayerSection, ModelSection, TrainSection, is_under, leaves};
use crate::events::Hyperparameter;
use crate::spec::Optimizer;
use anyhow::Result;
use serde_json::Value;

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
pub(super) fn differing(arm: &Arm, all: &[Arm]) -> Result<Vec<(String, Hyperparameter)>> {
    let others: Vec<Vec<(String, Hyperparameter)>> =
        all.iter().map(hyperparameters).collect::<Result<_>>()?;
    let value_in = |columns: &[(String, Hyperparameter)], wanted: &str| {
        columns.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
    };
    let own = hyperparameters(arm)?;
    let differs = |name: &str| {
        let of_arm = value_in(&own, name);
        others.iter().any(|other| value_in(other, name) != of_arm)
    };
    let is_shown = |name: &str| ["arm", "batch_size"].contains(&name) || differs(name);
    Ok(own.iter().filter(|(name, _)| is_shown(name)).cloned().collect())
}

/// The most usual ones for every arm, and whatever else is not as it would be if the file did not say
/// it: budgets, penalties, clipping, warm-up, Adam's decays, `micro_batch`. The seed is left out: the
/// seeds of an arm are one row.
fn hyperparameters(arm: &Arm) -> Result<Vec<(String, Hyperparameter)>> {
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
fn unusual(arm: &Arm) -> Result<Vec<(String, Hyperparameter)>> {
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
