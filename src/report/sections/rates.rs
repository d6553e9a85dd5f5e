//! Learning rates: how they were tuned, and which suits which batch size.

use super::{Block, Table};
use crate::analysis::{RateFinding, Tuning};
use crate::format::count;
use crate::report::block::Cell;
use crate::report::words::Scale;
use crate::report::{tables, words};
use crate::stats::{Trial, summarise};

/// How they were tuned.
pub(super) fn tuned(tunings: &[Tuning], scale: Scale) -> Vec<Block> {
    let to_target = tunings.iter().flat_map(|of| &of.trials).any(Trial::ends_at_target);
    let each = match to_target {
        true => "steps to the target with each".to_owned(),
        false => format!("{} of each", scale.on("validation")),
    };
    let tried = |tuning: &Tuning| {
        let trial = |trial: &Trial| format!("{}: {}", trial.learning_rate, outcome(trial, scale));
        tuning.trials.iter().map(trial).collect::<Vec<_>>().join(", ")
    };
    super::some(tunings, || {
        let rows = Table::of(tunings)
            .shown("arm", |tuning| &tuning.arm)
            .shown("batch size", |tuning| tuning.batch_size)
            .shown("chosen", |tuning| Cell::Exact(tuning.chosen))
            .shown("where it lies", |tuning| words::place_of(tuning))
            .shown(&each, tried);
        vec![Block::Table(rows.table)]
    })
}

/// What came of a learning rate that was tried.
fn outcome(trial: &Trial, scale: Scale) -> String {
    match (trial.diverged, trial.missed(), summarise(&trial.validation)) {
        (0, 0, Some(score)) => match trial.typical_steps() {
            Some(steps) => count(steps.round() as u64),
            None => scale.value(score.mean),
        },
        (0, missed, Some(runs)) => format!("{missed} of {} did not get there", runs.count),
        _ => "diverged".into(),
    }
}

/// Which suits which batch size.
pub(super) fn rates(found: Option<&RateFinding>) -> Vec<Block> {
    let Some(of) = found else { return Vec::new() };
    let line = match (&of.scaling, &of.no_scaling) {
        (Some(_), _) => OPTIMUM.to_owned(),
        (None, reason) => {
            let reason = reason.map_or("there are none".into(), words::no_scaling);
            format!("No line was fitted: {reason}.")
        }
    };
    vec![Block::Table(tables::best_learning_rates(found)), Block::text(line)]
}

const OPTIMUM: &str = "\
Estimated optimum: the top of a parabola through the best rate tried and its neighbours. A line through these, \
in logarithms, gives the power above.";
