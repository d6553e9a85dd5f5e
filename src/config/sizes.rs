//! `--batch-sizes 32,128`: other batch sizes in place of those of a file.

use crate::error::UserError;
use serde_yaml::{Mapping, Value};

/// The flag, and the key that it stands for.
pub(super) const FLAG: &str = "--batch-sizes";
pub(super) const KEY: &str = "study.grid.batch_size";

/// Takes out arms that a grid can stand for; refuses what it cannot replace.
pub(super) fn make_room(document: &mut Value, file: &str) -> Result<(), UserError> {
    let Some(study) = document.get_mut("study").and_then(Value::as_mapping_mut) else {
        return Ok(());
    };
    let refuse = |what: &str| {
        Err(UserError::new(
            format!("`{FLAG}`: {file} {what}"),
            "it replaces `grid: { batch_size: [...] }`, or arms that say nothing but their batch size: \
             write the batch sizes into the file, in a study of another name",
        ))
    };
    if study.contains_key("decompose") {
        return refuse("takes the gap between two batch sizes apart (`study.decompose`)");
    }
    match study.get("arms") {
        None => Ok(()),
        Some(arms) if arms.as_sequence().is_some_and(|arms| arms.iter().all(is_plain)) => {
            study.remove("arms");
            Ok(())
        }
        Some(_) => refuse("lists arms with settings of their own (`study.arms`)"),
    }
}

/// Whether an arm is what a grid of its batch size would make.
fn is_plain(arm: &Value) -> bool {
    let Some(arm) = arm.as_mapping() else { return false };
    let size = arm.get("batch_size").and_then(Value::as_u64);
    let name = |name: &Value| size.is_some_and(|size| *name == format!("batch-{size}"));
    let is_plain = |(key, value): (&Value, &Value)| match key.as_str() {
        Some("batch_size") => true,
        Some("name") => name(value),
        _ => false,
    };
    Mapping::iter(arm).all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Override, Source, Study};

    fn names(study: &str, sizes: &[u32]) -> Result<Vec<String>, UserError> {
        let text = format!("study: {study}\ndata: {{ arrays: {{ path: a.npz }} }}\n");
        let overrides = vec![Override::batch_sizes(sizes)];
        let study = Study::from_source(&Source { name: "f.yaml".into(), text, overrides }, "f")?;
        Ok(study.arms.into_iter().map(|arm| arm.name).collect())
    }

    #[test]
    fn batch_sizes_replace_those_of_a_grid_and_plain_arms() {
        for study in [
            "{ grid: { batch_size: [8] } }",
            "{ arms: [{ batch_size: 8 }, { name: batch-16, batch_size: 16 }] }",
            "{ seeds: 3 }",
        ] {
            assert_eq!(names(study, &[32, 128]).unwrap(), ["batch-32", "batch-128"], "{study}");
        }
        let with_rates = "{ grid: { batch_size: [8], lr: [0.1, 0.2] } }";
        assert_eq!(names(with_rates, &[32]).unwrap(), ["batch-32-lr-0.1", "batch-32-lr-0.2"]);
    }

    #[test]
    fn arms_with_settings_of_their_own_are_not_replaced() {
        for study in [
            "{ arms: [{ name: mine, batch_size: 8 }] }",
            "{ arms: [{ batch_size: 8, lr: 0.1 }] }",
            "{ decompose: { small: 8, large: 32 } }",
        ] {
            let error = names(study, &[32]).unwrap_err();
            assert!(error.message.starts_with("`--batch-sizes`: f.yaml "), "{error}");
            assert!(error.hint.unwrap().contains("grid: { batch_size: [...] }"));
        }
        let twice = names("{ grid: { batch_size: [8] } }", &[32, 32]).unwrap_err();
        assert!(twice.message.contains("same value twice"), "{twice}");
        let none = names("{ grid: { batch_size: [8] } }", &[0]).unwrap_err();
        assert!(none.message.starts_with("from `--batch-sizes`: must be from 1 to"), "{none}");
    }
}
