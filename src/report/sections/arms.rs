//! The arms: beside the answer, what they cost, and how they compare.

use super::{Block, Table};
use crate::analysis::{Comparison, Findings, GroupFinding, Looks, Results};
use crate::format::duration;
use crate::report::answer::{from_best, standing};
use crate::report::block::Cell;
use crate::report::words::Scale;
use crate::report::{tables, words};
use crate::stats::Standing;

/// One row an arm: the table beside the answer. Where runs end at a target, what it takes to reach it.
pub(in crate::report) fn standings(findings: &Findings) -> Table {
    let comparison = &findings.comparison;
    let scale = Scale::from(comparison);
    if let Some(target) = findings.to_target() {
        return Table::of(&comparison.arms)
            .shown("batch size", words::arm)
            .shown("runs that reached it", |arm| words::reached(target.of(arm)))
            .shown("steps", |arm| Cell::mean(target.of(arm).steps, words::whole))
            .shown("time", |arm| Cell::mean(target.of(arm).seconds, duration))
            .shown(&scale.on("test"), |arm| tables::mean_score(scale, arm.test))
            .shown("result", |arm| words::to_target(findings, target, arm))
            .table;
    }
    Table::of(&comparison.arms)
        .shown("batch size", words::arm)
        .shown(&scale.on("test"), |arm| tables::mean_score(scale, arm.test))
        .shown(&scale.on("validation"), |arm| tables::mean_score(scale, arm.validation))
        .shown("time per run", |arm| Cell::mean(arm.seconds, duration))
        .shown(&format!("vs best{}", scale.unit_of_column()), |arm| from_best(comparison, arm, 2))
        .shown("result", |arm| standing(comparison, arm))
        .table
}

/// The data, and a row an arm of the group on which the verdict rests.
pub(super) fn score_and_cost(results: &Results, findings: &Findings) -> Vec<Block> {
    let table = Block::Table(tables::arms(results, findings.groups().take(1)));
    let mut blocks = vec![Block::Paragraph(data(results)), table];
    if findings.comparison.arms.iter().any(|arm| arm.validation_iqm.is_some()) {
        blocks.push(Block::Paragraph(interquartile_mean(results.into())));
    }
    blocks
}

fn interquartile_mean(scale: Scale) -> String {
    format!(
        "*Interquartile mean*: the mean {} without the lowest and the highest quarter of the seeds ({} without \
         a test split), with a 95 % bootstrap interval over seeds. Seeds that failed to converge pull it less \
         than the plain mean, by which the arms are compared.",
        scale.on("test"),
        scale.on("validation")
    )
}

fn data(results: &Results) -> String {
    let [train, validation, test] = results.examples.texts();
    let enough = match results.declared_target {
        None => "Of the equivalent arms",
        Some(_) => "Of those that always reach the target",
    };
    format!(
        "{train} training, {validation} validation and {test} test examples. Margin: {}. {enough} \
         the one is recommended that {} (`study.objective`).",
        Scale::from(results).amount(results.margin),
        words::objective(results.objective)
    )
}

/// How the arms compare; nothing where none was compared.
pub(super) fn statistics(comparison: &Comparison) -> Vec<Block> {
    match comparison.arms.iter().any(|arm| arm.difference.is_some()) {
        true => vec![Block::Paragraph(meaning(comparison)), comparisons(comparison)],
        false => Vec::new(),
    }
}

/// How it was decided.
fn meaning(comparison: &Comparison) -> String {
    let bounds = match comparison.looks {
        Looks::Once => "t bounds of a study that is looked at once",
        Looks::SeedsAdded | Looks::UntilSettled => {
            "bounds of a t confidence sequence, which hold however often seeds are added"
        }
    };
    format!(
        "Differences are paired by seed, on validation. An arm is *out* when some other arm is shown to be \
         better. It is *equivalent* when no arm that may be the best is better by the margin of {}. \
         Else it is *undecided*. Both are decided by {bounds}: each bound is one-sided at {:.1} %, so that \
         at most 5 in 100 studies decide wrongly. *Seeds needed* would show an arm to be equivalent in 80 \
         of 100 studies in which it is equal to the others. The test split decided nothing. The runs that \
         won by luck are the ones reported: expect new seeds to be a little worse.",
        Scale::from(comparison).amount(comparison.margin),
        100.0 * comparison.level
    )
}

/// The groups of arms beside the one that the verdict rests on.
pub(super) fn others(groups: &[GroupFinding]) -> Vec<Block> {
    let compared = groups.iter().filter(|group| group.comparison.arms.len() > 1);
    let said = compared.flat_map(|group| {
        let best = group.comparison.best().map_or("none", |best| best.name.as_str());
        let title = format!("With {} (best: {best}):", words::way(group.way));
        [Block::Paragraph(title), comparisons(&group.comparison)]
    });
    said.collect()
}

fn comparisons(comparison: &Comparison) -> Block {
    let scale = Scale::from(comparison);
    let compared = comparison.arms.iter().filter_map(|arm| Some((arm, arm.difference.as_ref()?)));
    let rows = Table::of(compared)
        .shown("arm", |(arm, _)| &arm.name)
        .shown("validation difference", |(_, found)| scale.signed(found.estimate.summary.mean))
        .shown("between", |(arm, _)| Cell::Between(scale, arm.from_best))
        .shown("result", |(arm, _)| words::result(arm, scale))
        .shown("could be best", |(arm, _)| {
            arm.may_be_best().map(|may| if may { "yes" } else { "no" })
        })
        .shown("seeds needed", |(arm, _)| match (arm.seeds_needed, arm.standing) {
            (None, Some(Standing::Undecided)) => Some("not feasible".to_owned()),
            (needed, _) => needed.map(|seeds| seeds.to_string()),
        })
        .shown("test difference", |(arm, _)| {
            Cell::Difference(scale, arm.test_difference.map(|found| found.estimate))
        });
    Block::Table(rows.table)
}
