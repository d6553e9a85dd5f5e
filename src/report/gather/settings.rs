//! The settings in which arms differ.

use crate::config::{self, Arm, Schedule};
use anyhow::Result;
use std::collections::BTreeMap;

/// For each arm its values of the keys in which the arms differ, apart from name, batch size and
/// learning rate.
pub(super) fn differing_settings(arms: &[Arm]) -> Result<Vec<BTreeMap<String, String>>> {
    let mut all = Vec::new();
    for arm in arms {
        let mut leaves = config::leaves(&serde_json::to_value(arm.defining())?);
        leaves.retain(|path, _| !path.starts_with("train.schedule"));
        leaves.insert("train.schedule".into(), schedule(&arm.train.schedule)?);
        // As many steps as in so many epochs of another batch size stand beside those epochs.
        if let Some(epochs) = leaves.remove("train.steps_of.epochs") {
            leaves.insert("train.epochs".into(), epochs);
        }
        leaves.remove("train.steps_of.batch_size");
        leaves.retain(|path, _| {
            let is_rate = path.starts_with("train.optimizer.") && path.ends_with(".lr");
            // What is summed by parts is the same step.
            !is_rate
                && path != "train.micro_batch"
                && !["name", "batch_size"].contains(&path.as_str())
        });
        all.push(leaves);
    }
    name_optimizers(arms, &mut all)?;
    let same = |path: &String| all.iter().all(|of| of.get(path) == all[0].get(path));
    let differing = |of: &BTreeMap<String, String>| {
        let kept = of.iter().filter(|(path, value)| !same(path) && *value != "null");
        kept.map(|(path, value)| (path.clone(), value.clone())).collect()
    };
    Ok(all.iter().map(differing).collect())
}

/// Each optimizer by its name, with the settings that are not as they are when its name alone is given.
fn name_optimizers(arms: &[Arm], leaves: &mut [BTreeMap<String, String>]) -> Result<()> {
    let name = |arm: &Arm| arm.train.optimizer.name();
    if arms.iter().all(|arm| name(arm) == name(&arms[0])) {
        return Ok(());
    }
    for (arm, leaves) in arms.iter().zip(leaves) {
        let defaults = config::leaves(&serde_json::to_value(arm.train.optimizer.by_default())?);
        let default = |path: &str| defaults.get(path.strip_prefix("train.optimizer.")?);
        leaves.retain(|path, value| default(path) != Some(value));
        leaves.insert("train.optimizer".into(), name(arm).into());
    }
    Ok(())
}

/// One value in place of a schedule's keys.
fn schedule(schedule: &Schedule) -> Result<String> {
    Ok(match schedule {
        Schedule::Constant | Schedule::Exponential(_) => schedule.to_string(),
        other => serde_json::to_string(other)?.replace('"', ""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, Study};

    /// Of two arms, which have this beside their batch sizes.
    fn settings(arms: [&str; 2]) -> Vec<BTreeMap<String, String>> {
        let [a, b] = arms;
        let text = format!(
            "study:\n  arms:\n    - {{ batch_size: 8{a} }}\n    - {{ batch_size: 16{b} }}\n\
             data: {{ table: {{ path: t.csv }} }}\nmodel: {{ embedding: {{}} }}\n"
        );
        let source = Source { name: "f".into(), text, overrides: vec![] };
        differing_settings(&Study::from_source(&source, "f").unwrap().arms).unwrap()
    }

    #[test]
    fn settings_that_differ_are_named_and_the_others_are_not() {
        let large =
            ", schedule: { exponential: { gamma: 0.9 } }, model: { lstm: { dropout: 0.2 } }";
        let settings = settings([", lr: 0.1", large]);
        assert_eq!(settings[0]["train.schedule"], "constant");
        assert_eq!(settings[0]["model.lstm.dropout"], "0.0");
        assert_eq!(settings[1]["train.schedule"], "lr * 0.9^epoch");
        assert_eq!(settings[1]["model.lstm.dropout"], "0.2");
        assert!(settings.iter().all(|of| of.keys().all(|path| !path.contains(".lr"))));
    }

    #[test]
    fn optimizers_of_different_kinds_are_told_apart_by_their_names() {
        let sgd = ", train: { optimizer: { sgd: { lr: 0.1, momentum: 0.9 } } }";
        let settings = settings(["", sgd]);
        let of = |place: usize| -> Vec<String> {
            settings[place].iter().map(|(path, value)| format!("{path} = {value}")).collect()
        };
        assert_eq!(of(0), ["train.optimizer = adam"]);
        assert_eq!(of(1), ["train.optimizer = sgd", "train.optimizer.sgd.momentum = 0.9"]);
    }
}
