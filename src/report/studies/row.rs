//! One row a study: its answer, how sure that is, and the differences from its best; as cells of the page
//! and as CSV.

use super::Member;
use super::behind::{Behind, common};
use crate::analysis::{Rate, Sizes};
use crate::config::LearningRate;
use crate::format::{count, list};
use crate::report::page::Row;
use crate::report::tables::{self, StudyRow};
use crate::report::words;
use anyhow::Result;
use std::collections::BTreeSet;

/// The names of the columns, and the rows.
pub(super) fn table(
    members: &[Member],
    all: &[Vec<Behind>],
    links: Vec<String>,
) -> (Vec<String>, Vec<Row>) {
    let common = common(all);
    let sizes = common.iter().map(|size| count(*size as u64));
    let header = ["study", "use", "certainty"].map(String::from).into_iter().chain(sizes).collect();
    let row = |((member, arms), link): ((&Member, &Vec<Behind>), String)| {
        let to_use = member.written.report.findings.recommended();
        let to_use = to_use.map_or("-".into(), |arm| count(arm.batch_size as u64));
        let difference = |size: &usize| {
            let arm = arms.iter().find(|arm| arm.finding.batch_size == *size);
            arm.map_or("-".into(), Behind::text)
        };
        let differences = common.iter().map(difference);
        let cells = [to_use, certainty(member)].into_iter().chain(differences).collect();
        Row { name: member.name.clone(), link, cells }
    };
    (header, members.iter().zip(all).zip(links).map(row).collect())
}

/// `decided`, `64 undecided`, or why nothing is said.
fn certainty(member: &Member) -> String {
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

/// `studies.csv`: one row a study.
pub(super) fn studies_csv(members: &[Member], rows: &[Row]) -> Result<String> {
    let row = |(member, row): (&Member, &Row)| {
        let written = member.written;
        let findings = &written.report.findings;
        let to_use = findings.recommended();
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
