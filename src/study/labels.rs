//! Whether an arm fits the classes that the data have.

use crate::config::{Arm, ClassWeight};
use crate::data::Facts;
use crate::error::UserError;
use crate::spec::Task;

/// Refuses a softmax with other outputs than there are classes, and weights of other classes.
pub(super) fn refuse_other_classes(arm: &Arm, facts: &Facts) -> Result<(), UserError> {
    let classes = facts.classes.len();
    if arm.task() != Task::Multiclass {
        return Ok(());
    }
    let units = arm.model.dense.units.map_or(classes, |units| units as usize);
    if units != classes {
        return Err(UserError::new(
            format!(
                "arm `{}`: its softmax has {units} outputs, and the data have {classes} classes: {}",
                arm.name,
                named(&facts.classes)
            ),
            format!(
                "write `dense: {{ units: {classes}, activation: softmax }}`, or leave `units` out"
            ),
        ));
    }
    let Some(ClassWeight::Each(weights)) = &arm.train.class_weight else { return Ok(()) };
    match weights.values().count() {
        count if count == classes => Ok(()),
        count => Err(UserError::new(
            format!(
                "arm `{}`: `class_weight` has {count} weights, and the data have {classes} classes: {}",
                arm.name,
                named(&facts.classes)
            ),
            format!("give a weight to each class, 0 to {}, or write `balanced`", classes - 1),
        )),
    }
}

/// The first classes by their names.
fn named(classes: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<String> =
        classes.iter().take(SHOWN).map(|class| format!("`{class}`")).collect();
    if classes.len() > SHOWN {
        names.push("...".into());
    }
    names.join(", ")
}
