//! The arms, and the arms against the best of them.

use super::{mean, over_seeds, word};
use crate::analysis::{ArmFinding, CONFIDENCE, Difference, Findings, GroupView, Results, Split};
use crate::format::bytes;
use crate::report::block::{Cell, Rows, Table};
use crate::report::words::{self, Scale, whole};
use crate::stats::Interval;

/// `arms.csv`: one row an arm of each group in which it was compared, the group of the verdict first. The
/// report shows that group.
pub(in crate::report) fn arms<'f>(
    results: &Results,
    groups: impl IntoIterator<Item = GroupView<'f>>,
) -> Table {
    let scale = Scale::from(results);
    let rows =
        groups.into_iter().flat_map(|of| of.comparison.arms.iter().map(move |arm| (of, arm)));
    let rows = Table::of(rows)
        .data("group", |(of, _)| words::way(of.way))
        .both("arm", "arm", |(_, arm)| &arm.name)
        .both("batch size", "batch_size", |(_, arm)| arm.batch_size)
        .both("learning rate", "learning_rate", |(_, arm)| Cell::Exact(arm.learning_rate))
        .data("role", |(_, arm)| word(arm.role))
        .data("runs_planned", |(_, arm)| arm.planned)
        .data("runs_finished", |(_, arm)| arm.finished)
        .data("runs_diverged", |(_, arm)| arm.diverged)
        .shown("runs", |(_, arm)| runs(arm))
        .both(&scale.on("validation"), &scale.column("validation"), |(_, arm)| {
            Cell::Score(scale, arm.validation)
        })
        .both(&scale.on("test"), &scale.column("test"), |(_, arm)| Cell::Score(scale, arm.test))
        .data(&(scale.column("validation") + "_iqm"), |(_, arm)| {
            Cell::InterquartileMean(scale, arm.validation_iqm)
        })
        .data(&(scale.column("test") + "_iqm"), |(_, arm)| {
            Cell::InterquartileMean(scale, arm.test_iqm)
        })
        .optional("interquartile mean", |(_, arm)| {
            let of_test = arm.test.is_some();
            Cell::InterquartileMean(scale, if of_test { arm.test_iqm } else { arm.validation_iqm })
        })
        .both("steps", "steps", |(_, arm)| Cell::mean(arm.steps, whole))
        .data("examples", |(_, arm)| mean(arm.examples))
        .both("seconds", "seconds", |(_, arm)| {
            Cell::mean(arm.seconds, |seconds| format!("{seconds:.1}"))
        })
        .data("seconds_sd", |(_, arm)| arm.seconds.and_then(|seconds| seconds.sd))
        .both("examples a second", "examples_per_second", |(_, arm)| {
            Cell::mean(arm.examples_per_second, whole)
        })
        .data("seconds_per_step", |(_, arm)| mean(arm.seconds_per_step))
        .data("peak_memory", |(_, arm)| arm.peak_memory)
        .shown("peak memory", |(_, arm)| (arm.finished > 0).then(|| bytes(arm.peak_memory)));
    to_target(rows, results).table
}

fn runs(arm: &ArmFinding) -> String {
    match arm.diverged {
        0 => format!("{} of {}", arm.finished, arm.planned),
        some => format!("{} of {}, {some} diverged", arm.finished, arm.planned),
    }
}

/// An arm in its group.
type InGroup<'f> = (GroupView<'f>, &'f ArmFinding);

/// What it took to reach the target.
fn to_target<'f>(rows: Rows<InGroup<'f>>, results: &Results) -> Rows<InGroup<'f>> {
    let arm = |(of, arm): InGroup<'f>| Some(of.target?.of(arm));
    let steps = |row| arm(row)?.steps;
    let examples = |row| mean(arm(row)?.examples);
    rows.data("target_metric", |(of, _)| of.target.map(|of| &of.target.metric))
        .data("target", |(of, _)| of.target.map(|of| of.target.value))
        .data("runs_reaching_target", |row| Some(arm(row)?.reached))
        .data("runs_there_at_first_measurement", |row| Some(arm(row)?.at_first))
        .data("steps_to_target", |row| {
            let interval = steps(row).and_then(|steps| steps.interval(CONFIDENCE));
            let interval = interval.map(|ends| Interval { low: ends.low.max(0.0), ..ends });
            Cell::Value(mean(steps(row)), interval)
        })
        .data("examples_to_target", examples)
        .data("epochs_to_target", |row| results.examples.epochs(examples(row)?))
        .data("seconds_to_target", |row| mean(arm(row)?.seconds))
}

/// A difference from the best of a group.
#[derive(Clone, Copy)]
struct Compared<'f> {
    of: GroupView<'f>,
    arm: &'f ArmFinding,
    split: Split,
    found: &'f Difference,
}

impl<'f> Compared<'f> {
    /// The arm, on validation: decisions are made there alone.
    fn decided(self) -> Option<&'f ArmFinding> {
        (self.split == Split::Validation).then_some(self.arm)
    }
}

/// `comparisons.csv`: one row an arm that was compared with the best of its group, and split.
pub(in crate::report) fn comparisons(findings: &Findings) -> Table {
    let scale = Scale::from(findings);
    // Turned back, the lower bound of what should fall is the upper one.
    let bounds = |row: Compared<'_>| {
        let summary = &row.found.estimate.summary;
        let (low, high) = (summary.lower_bound(0.95)?, summary.upper_bound(0.95)?);
        Some(scale.natural_ends(Interval { low, high }))
    };
    let rows = findings.groups().flat_map(|of| {
        of.comparison.arms.iter().flat_map(move |arm| {
            let splits =
                [(Split::Validation, &arm.difference), (Split::Test, &arm.test_difference)];
            splits.into_iter().filter_map(move |(split, found)| {
                Some(Compared { of, arm, split, found: found.as_ref()? })
            })
        })
    });
    Table::of(rows)
        .data("group", |row| words::way(row.of.way))
        .data("arm", |row| &row.arm.name)
        .data("best", |row| row.of.comparison.best().map(|best| &best.name))
        .data("split", |row| row.split.to_string())
        .data("difference", |row| Cell::Difference(scale, Some(row.found.estimate)))
        .data("over_seeds_alone", |row| over_seeds(scale, &row.found.estimate))
        .data("lower_bound_95", |row| Cell::Natural(scale, bounds(row).map(|of| of.low)))
        .data("upper_bound_95", |row| Cell::Natural(scale, bounds(row).map(|of| of.high)))
        .data("margin", |row| Cell::Exact(row.of.comparison.margin))
        .data("p", |row| row.found.p)
        .data("p_worse", |row| row.decided()?.p_worse)
        .data("p_sign_flip", |row| row.found.p_sign_flip)
        .data("p_equivalence", |row| row.found.p_equivalence)
        .data("standing", |row| word(row.decided()?.standing))
        .data("from_best", |row| Cell::Between(scale, row.decided().and_then(|arm| arm.from_best)))
        .data("may_be_best", |row| Some(row.decided()?.may_be_best()?.to_string()))
        .data("seeds_needed", |row| row.decided()?.seeds_needed)
        .table
}
