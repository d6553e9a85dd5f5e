//! What `study` compares -> one section an arm.
//!
//! ```text
//! arms        as they are
//! grid        all combinations
//! decompose   small, large                  the file's rate and epochs
//!             small-tuned, large-tuned      the same epochs, each with its own rate
//!             large-tuned-equal-steps       its own rate, and as many steps as the small ones make
//! budgets     NAME-equal-steps              with `steps`, for arms that make fewer steps than the
//!                                           smallest batch size does
//! ```
//!
//! A resolved file holds all of them as `arms`; what they were made from adds nothing to it.

use super::overlay::{DEFAULT_EPOCHS, Origin};
use super::rules::{Violation, broken};
use super::{Arm, ArmRate, ArmSection, DecomposeSection, Experiment, StepsOf, StudyBudget};

/// An arm as the file gives it.
pub(super) struct Written {
    /// With a name.
    pub(super) section: ArmSection,
    pub(super) origin: Origin,
}

/// The sections of all arms, apart from twins.
pub(super) fn written(experiment: &Experiment) -> Vec<Written> {
    let study = &experiment.study;
    let of_arm = |(index, arm): (usize, &ArmSection)| {
        let mut section = arm.clone();
        section.name = Some(section.name.unwrap_or_else(|| arm.plain_name()));
        Written { section, origin: Origin::Arm(index) }
    };
    match (&study.arms, &study.grid, &study.decompose) {
        (Some(arms), ..) => arms.iter().enumerate().map(of_arm).collect(),
        (None, Some(grid), _) => {
            let combinations = grid.combinations().into_iter();
            let of_grid = combinations.map(|found| Written {
                section: found.section,
                origin: Origin::Grid { schedule: found.schedule, variant: found.variant },
            });
            of_grid.collect()
        }
        (None, None, Some(pair)) => decomposed(pair, experiment),
        (None, None, None) => Vec::new(),
    }
}

fn decomposed(pair: &DecomposeSection, experiment: &Experiment) -> Vec<Written> {
    let given = ArmRate::Value(experiment.train.optimizer.lr());
    let epochs = experiment.train.epochs.unwrap_or(DEFAULT_EPOCHS);
    let steps_of = StepsOf { batch_size: pair.small, epochs };
    let arm = |name: &str, batch_size: u32, lr: ArmRate| {
        let (name, lr) = (Some(name.to_owned()), Some(lr));
        ArmSection { name, lr, ..ArmSection::new(batch_size) }
    };
    let long = arm("large-tuned-equal-steps", pair.large, ArmRate::TUNED);
    let sections = [
        arm("small", pair.small, given),
        arm("large", pair.large, given),
        arm("small-tuned", pair.small, ArmRate::TUNED),
        arm("large-tuned", pair.large, ArmRate::TUNED),
        ArmSection { steps_of: Some(steps_of), ..long },
    ];
    sections.map(|section| Written { section, origin: Origin::Decompose }).into()
}

/// The twins that `budgets: [steps]` asks for and that are not among the arms yet.
pub(super) fn twins(
    experiment: &Experiment,
    written: &[Written],
    arms: &[Arm],
) -> Result<Vec<Written>, Violation> {
    if !experiment.study.budgets.contains(&StudyBudget::Steps) {
        return Ok(Vec::new());
    }
    let smallest = arms.iter().map(|arm| arm.batch_size).min().unwrap_or_default();
    let of_smallest = arms.iter().filter(|arm| arm.batch_size == smallest);
    let Some(epochs) = of_smallest.filter_map(|arm| arm.train.epochs).max() else {
        return Err(broken(
            "study.budgets",
            format!("`steps` needs the epochs of the smallest batch size, {smallest}"),
            "give its budget in epochs, or remove `steps`",
        ));
    };
    let steps_of = StepsOf { batch_size: smallest as u32, epochs };
    let is_there = |name: &str| arms.iter().any(|arm| arm.name == name);
    let mut twins = Vec::new();
    for (written, arm) in written.iter().zip(arms) {
        let name = format!("{}-equal-steps", arm.name);
        // An arm with another kind of budget was given it on purpose.
        let fewer = arm
            .train
            .epochs
            .is_some_and(|own| own * (smallest as u64) < epochs * arm.batch_size as u64);
        if !fewer || is_there(&name) {
            continue;
        }
        let mut section = written.section.clone();
        section.train = section.train.map(super::overlay::without_budget);
        section.name = Some(name);
        (section.epochs, section.steps, section.examples) = (None, None, None);
        section.steps_of = Some(steps_of);
        twins.push(Written { section, origin: written.origin });
    }
    Ok(twins)
}
