//! One row a study: its answer, how sure that is, and the differences from its best; as cells of the page
//! and as CSV.

use super::Member;
use super::behind::{Behind, common};
use super::comparable::data_hash;
use crate::analysis::{ArmFinding, Findings, Rate, Results, Sizes};
use crate::config::LearningRate;
use crate::format::{count, list};
use crate::report::answer::reservation;
use crate::report::block::{Cell, Rows, Table};
use crate::report::tables::word;
use crate::report::words::{self, Scale};
use crate::spec::MetricInfo;
use std::collections::BTreeSet;

/// A study, its differences and the address of its report.
#[derive(Clone, Copy)]
pub(super) struct Line<'m> {
    pub(super) member: &'m Member<'m>,
    pub(super) behind: &'m [Behind<'m>],
    pub(super) link: &'m str,
}

impl<'m> Line<'m> {
    fn results(self) -> &'m Results {
        &self.member.written.results
    }

    fn findings(self) -> &'m Findings {
        &self.member.written.report.findings
    }

    fn to_use(self) -> Option<&'m ArmFinding> {
        self.findings().recommended()
    }
}

/// The table of the page.
pub(super) fn table(lines: &[Line]) -> Table {
    let mut rows = Table::of(lines.iter().copied())
        .shown("study", |of| &of.member.name)
        .shown("use", |of| of.to_use().map(|arm| arm.batch_size))
        .shown("certainty", |of| certainty(of.member));
    for size in common(lines.iter().map(|of| of.behind)) {
        rows = rows.shown(&count(size as u64), |of| {
            of.behind.iter().find(|arm| arm.finding.batch_size == size).map(Behind::text)
        });
    }
    rows.table
}

/// What keeps a study's answer from being relied on, where it has one.
pub(super) fn unreliable(member: &Member) -> Option<&'static str> {
    member.says.as_ref().ok().and_then(|_| reservation(&member.written.report.findings))
}

/// `decided`, `64 undecided`, what keeps it from being relied on, or why nothing is said.
fn certainty(member: &Member) -> String {
    if let Some(why) = unreliable(member) {
        return why.into();
    }
    let Sizes { tried, good, out, .. } = match &member.says {
        Ok(sizes) => sizes,
        Err(why) => return words::silence(*why).into(),
    };
    let open: Vec<String> = tried
        .iter()
        .filter(|size| !good.contains(size) && !out.contains(size))
        .map(|size| count(*size as u64))
        .collect();
    if open.is_empty() { "decided".into() } else { format!("{} undecided", list(&open)) }
}

/// How the arms came by their learning rates, and how the best one moves with the batch size.
pub(super) fn learning_rate(member: &Member) -> String {
    let (written, findings) = (member.written, &member.written.report.findings);
    let tuned = findings.group.rate == Rate::Tuned;
    let arms = &findings.comparison.arms;
    let rates: BTreeSet<String> = arms.iter().map(|arm| arm.learning_rate.to_string()).collect();
    let how = match &written.status.study.experiment.study.learning_rate {
        _ if tuned => "tuned for each arm".into(),
        LearningRate::Linear(_) => "grows like the batch size, by rule".into(),
        LearningRate::Sqrt(_) => "grows like its root, by rule".into(),
        _ if rates.len() == 1 => format!("{} for all", rates.into_iter().collect::<String>()),
        _ => "given arm by arm".into(),
    };
    let scaling = findings.rates.as_ref().and_then(|rates| rates.scaling.as_ref());
    scaling.map_or(how.clone(), |line| {
        format!("{how}; the best grows like the batch size to the power {}", words::power(line))
    })
}

/// The score that all studies have; `None` where they have different ones.
fn one_score(members: &[&Member]) -> Option<&'static MetricInfo> {
    let mut scores = members.iter().map(|member| member.written.results.score);
    let first = scores.next()?;
    scores.all(|score| score == first).then_some(first)
}

/// `validation_accuracy`; `validation_score` where the studies have different ones.
fn column(members: &[&Member], split: &str) -> String {
    format!("{split}_{}", one_score(members).map_or("score", |score| score.name))
}

/// With the names of the scores where they differ.
fn with_scores<R: Copy>(
    rows: Rows<R>,
    members: &[&Member],
    of: impl Fn(R) -> &'static str,
) -> Rows<R> {
    if one_score(members).is_some() { rows } else { rows.data("score", of) }
}

/// `studies.csv`: one row a study.
pub(super) fn studies_csv(lines: &[Line]) -> Table {
    let possible = |of: Line| {
        let possible = of.member.says.as_ref().ok()?.possible.iter().map(usize::to_string);
        Some(possible.collect::<Vec<_>>().join(" "))
    };
    let members: Vec<&Member> = lines.iter().map(|of| of.member).collect();
    let columns = |split| column(&members, split);
    let rows = Table::of(lines.iter().copied()).data("study", |of| &of.member.name);
    with_scores(rows, &members, |of| of.results().score.name)
        .data("report", |of| of.link)
        .data("data", |of| data_hash(of.member))
        .data("training_examples", |of| of.results().examples.train)
        .data("validation_examples", |of| of.results().examples.validation)
        .data("test_examples", |of| of.results().examples.test)
        .data("margin", |of| Cell::Exact(of.results().margin))
        .data("seeds", |of| of.findings().comparison.seeds.len())
        .data("outcome", |of| word(of.findings().verdict.outcome))
        .data("certainty", |of| certainty(of.member))
        .data("best_batch_size", |of| Some(of.findings().comparison.best()?.batch_size))
        .data("may_be_best", possible)
        .data("arm_to_use", |of| Some(&of.to_use()?.name))
        .data("batch_size", |of| Some(of.to_use()?.batch_size))
        .data("learning_rate", |of| Some(Cell::Exact(of.to_use()?.learning_rate)))
        .data("learning_rate_rule", |of| learning_rate(of.member))
        .data(&columns("validation"), |of| {
            Cell::Score(of.results().into(), of.to_use().and_then(|arm| arm.validation))
        })
        .data(&columns("test"), |of| {
            Cell::Score(of.results().into(), of.to_use().and_then(|arm| arm.test))
        })
        .data("critical_batch_size", |of| {
            let curve = of.findings().target.as_ref().and_then(|target| target.trade_off);
            let curve = curve.filter(|curve| curve.straddled);
            Cell::Value(curve.map(|of| of.critical), curve.and_then(|of| of.interval))
        })
        .table
}

/// `differences.csv`: one row an arm of a study.
pub(super) fn differences_csv(members: &[Member]) -> Table {
    let arms = members.iter().flat_map(|member| {
        let arms = &member.written.report.findings.comparison.arms;
        arms.iter().map(move |arm| (member, arm))
    });
    let all: Vec<&Member> = members.iter().collect();
    let scale = |member: &Member| Scale::from(&member.written.results);
    let rows = Table::of(arms).data("study", |(member, _)| &member.name);
    with_scores(rows, &all, |(member, _)| member.written.results.score.name)
        .data("arm", |(_, arm)| &arm.name)
        .data("batch_size", |(_, arm)| arm.batch_size)
        .data("role", |(_, arm)| word(arm.role))
        .data(&column(&all, "validation"), |(member, arm)| {
            Cell::Score(scale(member), arm.validation)
        })
        .data("difference", |(member, arm)| {
            Cell::Difference(scale(member), arm.difference.map(|of| of.estimate))
        })
        .data("p_worse", |(_, arm)| arm.p_worse)
        .data("standing", |(_, arm)| word(arm.standing))
        .data("may_be_best", |(_, arm)| arm.may_be_best().map(|may| may.to_string()))
        .table
}
