//! Rules of `study`.

use super::{Checked, MOST_ROWS, MOST_SEEDS, broken, count, not_empty, positive};
use crate::config::{Arm, Experiment};
use std::collections::BTreeSet;

pub(super) fn check(experiment: &Experiment) -> Checked {
    let study = &experiment.study;
    count("study.seeds", study.seeds, MOST_SEEDS)?;
    if !(study.margin > 0.0 && study.margin <= 0.5) {
        return Err(broken(
            "study.margin",
            format!("must be above 0 and at most 0.5, received {}", study.margin),
            "it is a difference in accuracy: 0.005 is half a percentage point",
        ));
    }
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
                count(&format!("study.arms[{index}].batch_size"), arm.batch_size, MOST_ROWS)?;
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

/// The rules between arms.
pub(in crate::config) fn arms(arms: &[Arm], from_grid: bool) -> Checked {
    names(arms, from_grid)?;
    let mask = |arm: &Arm| arm.model.embedding.as_ref().map(|embedding| embedding.mask_zero);
    let other = arms.iter().position(|arm| mask(arm) != mask(&arms[0]));
    other.map_or(Ok(()), |index| {
        Err(broken(
            &format!("study.arms[{index}].model.embedding"),
            "whether there is an embedding, and its `mask_zero`, are the same for all arms",
            "the arms share one prepared data set: make two studies of it",
        ))
    })
}

/// Arm names are folders in the study's folder, so no two may be alike and none may be one of the
/// names that the study uses itself.
fn names(arms: &[Arm], from_grid: bool) -> Checked {
    const TAKEN: [&str; 4] = ["study.yaml", "environment.json", "report", "data"];
    let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
    for (index, name) in names.iter().enumerate() {
        let path = if from_grid { "study.grid".into() } else { format!("study.arms[{index}]") };
        folder_name(&path, name)?;
        if TAKEN.contains(name) {
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
