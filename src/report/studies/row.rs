//! One row a study: its data, its answer, and how sure that is; as cells of the page and as CSV.

use super::Member;
use crate::analysis::{ArmFinding, Estimate, Rate, Split, groups, list};
use crate::config::LearningRate;
use crate::format::count;
use crate::report::markdown::accuracy;
use crate::report::page::{Row, recommended};
use crate::report::tables::{self, StudyRow};
use anyhow::Result;
use std::collections::BTreeSet;

/// Above the cells, after the name.
pub(super) const HEADER: [&str; 9] = [
    "study",
    "training, validation, test rows",
    "runs",
    "to use",
    "most accurate",
    "may be the best",
    "accuracy of the one to use",
    "learning rate",
    "critical batch size",
];

pub(super) fn row(member: &Member, link: String) -> Row {
    let (written, findings) = (member.written, &member.written.report.findings);
    let best = match &written.results.declared_target {
        Some(_) => "not asked".into(),
        None => {
            let best = findings.comparison.best();
            best.map_or("-".into(), |best| count(best.batch_size as u64))
        }
    };
    let answer = &written.report.answer;
    let cells = vec![
        written.results.examples.texts().join(", "),
        runs(member),
        format!("{}: {}", answer.headline, answer.label),
        best,
        possible(member),
        accuracy_to_use(member),
        learning_rate(member),
        critical(member),
    ];
    Row { name: member.name.clone(), link, cells }
}

fn runs(member: &Member) -> String {
    let arms = &member.written.results.arms;
    let finished: usize = arms.iter().map(|arm| arm.runs.len()).sum();
    let planned: usize = arms.iter().map(|arm| arm.planned).sum();
    let seeds = member.written.report.findings.comparison.seeds.len();
    match finished == planned {
        true => format!("{finished} (n = {seeds})"),
        false => format!("{finished} of {planned} (n = {seeds})"),
    }
}

fn possible(member: &Member) -> String {
    match &member.says {
        Ok(sizes) => {
            let words: Vec<String> = sizes.possible.iter().map(|b| count(*b as u64)).collect();
            list(&words)
        }
        Err(_) => "not told".into(),
    }
}

/// The accuracy that stands for an arm: on the test split where there is one.
fn reported(arm: &ArmFinding) -> (Split, Option<Estimate>) {
    match arm.test {
        Some(test) => (Split::Test, Some(test)),
        None => (Split::Validation, arm.validation),
    }
}

fn accuracy_to_use(member: &Member) -> String {
    let Some(arm) = recommended(&member.written.report.findings) else { return "-".into() };
    let (split, estimate) = reported(arm);
    format!("{split}: {}", accuracy(estimate.as_ref()))
}

/// How the arms came by their learning rates, and how the best one moves with the batch size.
pub(super) fn learning_rate(member: &Member) -> String {
    let (written, findings) = (member.written, &member.written.report.findings);
    let tuned = groups(&written.results).first().is_some_and(|group| group.rate == Rate::Tuned);
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
        format!("{how}; the best grows like the batch size to the power {}", line.power())
    })
}

fn critical(member: &Member) -> String {
    let target = member.written.report.findings.target.as_ref();
    let curve = target.and_then(|target| target.trade_off.as_ref());
    let Some(curve) = curve.filter(|curve| curve.straddled) else { return "not known".into() };
    let whole = |value: f64| count(value.round() as u64);
    let interval = curve
        .interval
        .map_or(String::new(), |ends| format!(" ({} to {})", whole(ends.low), whole(ends.high)));
    format!("{}{interval}", whole(curve.critical))
}

/// `studies.csv`: one row a study.
pub(super) fn studies_csv(members: &[Member], rows: &[Row]) -> Result<String> {
    let row = |(member, row): (&Member, &Row)| {
        let written = member.written;
        let findings = &written.report.findings;
        let to_use = recommended(findings);
        let target = findings.target.as_ref().and_then(|target| target.trade_off);
        let sizes = member.says.as_ref().ok();
        StudyRow {
            study: member.name.clone(),
            report: row.link.clone(),
            data: super::comparable::data_hash(member).unwrap_or_default().to_owned(),
            examples: written.results.examples,
            margin: written.results.margin,
            seeds: findings.comparison.seeds.len(),
            outcome: findings.verdict.outcome,
            best: findings.comparison.best().map(|best| best.batch_size),
            may_be_best: sizes.map(|sizes| sizes.possible.iter().copied().collect()),
            to_use: to_use.map(|arm| (arm.name.clone(), arm.batch_size, arm.learning_rate)),
            validation: to_use.and_then(|arm| arm.validation),
            test: to_use.and_then(|arm| arm.test),
            learning_rate: learning_rate(member),
            critical: target.filter(|curve| curve.straddled),
        }
    };
    tables::studies(members.iter().zip(rows).map(row))
}

/// `differences.csv`: one row an arm of a study.
pub(super) fn differences_csv(members: &[Member]) -> Result<String> {
    let arms = members.iter().flat_map(|member| {
        let arms = &member.written.report.findings.comparison.arms;
        arms.iter().map(|arm| (member.name.as_str(), arm))
    });
    tables::differences(arms)
}
