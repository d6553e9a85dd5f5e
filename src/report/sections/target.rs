//! What it takes the arms to reach a target.

use super::{Block, Table};
use crate::analysis::{CONFIDENCE, Results, TargetFinding};
use crate::format::{count, counted, duration};
use crate::report::block::Cell;
use crate::report::words::{self, Scale, whole};
use crate::stats::Summary;

/// The target, a row an arm, and the curve through them.
pub(super) fn steps(results: &Results, target: Option<&TargetFinding>) -> Vec<Block> {
    let Some(target) = target else { return Vec::new() };
    let epochs = |examples: Summary| results.examples.epochs(examples.mean);
    let rows = Table::of(&target.arms)
        .shown("arm", |arm| &arm.name)
        .shown("batch size", |arm| arm.batch_size)
        .shown("runs that reached it", words::reached)
        .shown("steps", |arm| with_interval(arm.steps))
        .shown("examples", |arm| Cell::mean(arm.examples, whole))
        .shown("epochs", |arm| Some(format!("{:.2}", arm.examples.and_then(epochs)?)))
        .shown("time", |arm| Cell::mean(arm.seconds, duration));
    vec![
        Block::Paragraph(format!("Target: {}.", words::target(&target.target, results.into()))),
        Block::Paragraph(about(results, target)),
        Block::Table(rows.table),
        Block::Paragraph(trade_off(target)),
    ]
}

fn about(results: &Results, target: &TargetFinding) -> String {
    let source = match results.declared_target.is_some() {
        true => "The target is the one at which the file ends all runs.".to_owned(),
        false => format!(
            "Target: the {} mean of an arm's best {}, {} the margin. It was chosen after the results and decides \
             nothing.",
            if results.score.falls() { "highest" } else { "lowest" },
            Scale::from(results).title(),
            if results.score.falls() { "plus" } else { "minus" }
        ),
    };
    let rates = match target.of_several_rates {
        true => {
            " The curve takes the learning rate with the fewest steps of each batch size, which was chosen \
             from these runs and therefore flatters a little."
        }
        false => "",
    };
    format!(
        "{source} Linear interpolation between evaluations. Means are over the runs \
         that reached it, with 95 % t intervals of the steps.{rates}"
    )
}

/// `189 (171 to 207)`
fn with_interval(steps: Option<Summary>) -> Option<String> {
    let steps = steps?;
    let ends = steps.interval(CONFIDENCE);
    let ends = ends.map(|ends| format!(" ({} to {})", whole(ends.low.max(0.0)), whole(ends.high)));
    Some(whole(steps.mean) + &ends.unwrap_or_default())
}

fn trade_off(target: &TargetFinding) -> String {
    let Some(curve) = &target.trade_off else {
        let why = target.no_trade_off.as_ref().map(words::no_trade_off);
        let why = why.unwrap_or("there are no runs".into());
        return format!("No curve of steps against batch size was fitted: {why}.");
    };
    let bounds = match curve.bounds {
        0 => String::new(),
        runs => format!(
            " Censored: {} that reached the target before the first evaluation, or never.",
            counted(runs, "run")
        ),
    };
    let fastest = target.fastest.map_or(String::new(), |batch_size| {
        format!(
            " By the curve and the time that a step took here, batch size {} reaches it first; single \
             runs may differ, as the table shows.",
            count(batch_size as u64)
        )
    });
    if !curve.straddled {
        return format!(
            "The critical batch size could not be estimated: add smaller and larger batch sizes, or seeds.\
             {bounds}{fastest}"
        );
    }
    let in_budget = target.in_budget.map_or(String::new(), |found| {
        format!(
            " With the {} examples that every run saw, batch sizes above about {} do not get there.",
            whole(found.examples),
            whole(found.batch_size)
        )
    });
    format!(
        "Steps = {} + {} / B fit these. {} A batch of {} needs 20 % more examples than a very small \
         one would.{in_budget}{bounds}{fastest}",
        whole(curve.smallest_steps),
        whole(curve.least_examples),
        words::critical_batch(curve),
        whole(curve.with_overhead(0.2)),
    )
}
