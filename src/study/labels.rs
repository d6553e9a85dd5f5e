//! Whether an arm fits the classes that the data have, and whether the score can be measured on them.

use crate::config::{Arm, ClassWeight, Study};
use crate::data::Facts;
use crate::error::UserError;
use crate::spec::Task;

/// Refuses a softmax with other outputs than there are classes, and weights of other classes.
pub(super) fn refuse_other_classes(
    study: &Study,
    arm: &Arm,
    facts: &Facts,
) -> Result<(), UserError> {
    let classes = facts.classes.len();
    if arm.task() != Task::Multiclass {
        return Ok(());
    }
    let units = arm.model.dense.units.map_or(classes, |units| units as usize);
    if units != classes {
        let rule = format!(
            "its softmax has {units} outputs, and the data have {classes} classes: {}",
            named(&facts.classes)
        );
        let hint = format!(
            "write `dense: {{ units: {classes}, activation: softmax }}`, or leave `units` out"
        );
        return Err(study.placed_in_arm(arm, "model.dense.units", UserError::new(rule, hint)));
    }
    let Some(ClassWeight::Each(weights)) = &arm.train.class_weight else { return Ok(()) };
    let count = weights.values().count();
    if count == classes {
        return Ok(());
    }
    let rule = format!(
        "`class_weight` has {count} weights, and the data have {classes} classes: {}",
        named(&facts.classes)
    );
    let hint = format!("give a weight to each class, 0 to {}, or write `balanced`", classes - 1);
    Err(study.placed_in_arm(arm, "train.class_weight", UserError::new(rule, hint)))
}

/// Refuses a score that the rows of the validation split do not define, whatever a model answers: it is
/// known before anything is trained.
pub(super) fn refuse_undefined_score(study: &Study, facts: &Facts) -> Result<(), UserError> {
    let score = study.score().info();
    // What every defined metric gives a model with one answer for all rows.
    if facts.baseline.is_empty() || facts.baseline.contains_key(&score.metric) {
        return Ok(());
    }
    let (alike, cure) = match facts.are_numbers() {
        true => ("targets", "numbers that vary"),
        false => ("labels", "every label"),
    };
    let rule = format!(
        "{} is not defined on the validation split, whose {alike} are all the same",
        score.title
    );
    let hint = format!(
        "name another metric as `study.score`, or split the data so that validation has {cure}"
    );
    Err(study.placed("study.score", UserError::new(rule, hint)))
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
