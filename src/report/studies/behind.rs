//! How far each batch size of a study stays behind the best one.

use super::Member;
use crate::analysis::ArmFinding;
use crate::report::words::Scale;
use crate::stats::Interval;
use std::collections::BTreeSet;

/// An arm against the best of its study.
pub(super) struct Behind<'m> {
    pub(super) finding: &'m ArmFinding,
    /// On validation, of each seed that both have; of the best one none.
    pub(super) seeds: Vec<(u64, f64)>,
    pub(super) mean: f64,
    /// The bounds that decide.
    pub(super) interval: Option<Interval>,
    pub(super) scale: Scale,
}

impl Behind<'_> {
    /// `best`, `-0.75 (-1.20 to -0.30)`
    pub(super) fn text(&self) -> String {
        match (self.seeds.is_empty(), self.interval) {
            (true, _) => "best".into(),
            (false, None) => self.scale.signed(self.mean),
            (false, Some(ends)) => {
                format!("{} ({})", self.scale.signed(self.mean), self.scale.signed_range(ends))
            }
        }
    }
}

/// For each batch size of a study the arm with the smallest difference, ascending. None where runs end at
/// one target: theirs differ by what the last steps overshoot.
pub(super) fn behind<'m>(member: &Member<'m>) -> Vec<Behind<'m>> {
    let written = member.written;
    let findings = &written.report.findings;
    let comparison = &findings.comparison;
    let results = |arm: &ArmFinding| findings.results(&written.results, arm);
    let best = comparison.best().filter(|_| written.results.declared_target.is_none());
    let scale = Scale::from(comparison);
    let Some(best) = best.map(results) else { return Vec::new() };
    let of = |finding: &'m ArmFinding| {
        if comparison.is_best(finding) {
            return Some(Behind { finding, seeds: Vec::new(), mean: 0.0, interval: None, scale });
        }
        let mean = finding.difference?.estimate.summary.mean;
        let seeds = results(finding).minus(best);
        Some(Behind { finding, seeds, mean, interval: finding.from_best, scale })
    };
    let mut arms: Vec<Behind> = comparison.arms.iter().filter_map(of).collect();
    arms.sort_by(|a, b| {
        let sizes = a.finding.batch_size.cmp(&b.finding.batch_size);
        sizes.then(b.mean.total_cmp(&a.mean))
    });
    arms.dedup_by_key(|arm| arm.finding.batch_size);
    arms
}

/// The batch sizes that all studies have which compare any.
pub(super) fn common<'b>(all: impl Iterator<Item = &'b [Behind<'b>]>) -> Vec<usize> {
    let sizes = all.filter(|arms| !arms.is_empty());
    let sizes = sizes
        .map(|arms| -> BTreeSet<usize> { arms.iter().map(|arm| arm.finding.batch_size).collect() });
    let shared = sizes.reduce(|a, b| a.intersection(&b).copied().collect());
    shared.unwrap_or_default().into_iter().collect()
}
