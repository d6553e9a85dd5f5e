//! What about several studies can be compared, and what not.

use super::Member;
use crate::analysis::Results;
use crate::config;
use crate::format::list;
use crate::report::block::Table;
use crate::report::words::{self, Scale};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Parts of the file that change no score, or that the table of studies tells.
const SHOWN_ELSEWHERE: [&str; 11] = [
    "study.score",
    "study.name",
    "study.arms",
    "study.grid",
    "study.margin",
    "study.objective",
    "study.decompose",
    "train.device",
    "train.metrics",
    "train.logging",
    "train.micro_batch",
];

/// The hash of a study's data in its last session.
pub(super) fn data_hash<'w>(member: &Member<'w>) -> Option<&'w str> {
    member.written.sessions.last()?["data"]["hash"].as_str()
}

/// In sentences, what matters most first.
pub(super) fn notes(members: &[Member]) -> Vec<String> {
    let all = [
        scores(members),
        data(members),
        splits(members),
        margins(members),
        ways(members),
        runs(members),
    ];
    let last =
        "Intervals cover other seeds of one study; nothing is corrected for the number of studies.";
    let machines = machines(members);
    all.into_iter().flatten().chain(machines).chain([last.to_owned()]).collect()
}

/// The different values that the studies have of something.
fn distinct<T: Ord>(members: &[Member], of: impl Fn(&Member) -> T) -> BTreeSet<T> {
    members.iter().map(of).collect()
}

/// The names of the studies for which something holds.
fn names(members: &[Member], holds: impl Fn(&Member) -> bool) -> Vec<String> {
    members.iter().filter(|member| holds(member)).map(|member| member.name.clone()).collect()
}

fn scores(members: &[Member]) -> Option<String> {
    let told = by_study(members, |member| member.written.results.score.title)?;
    Some(format!("The scores differ: {told}. Only studies with the same score can be compared."))
}

/// `accuracies`, `values of F1`
fn values(members: &[Member]) -> String {
    let scale = Scale::from(&members[0].written.results);
    match scale.is_accuracy() {
        true => "accuracies".into(),
        false => format!("values of {}", scale.title()),
    }
}

fn data(members: &[Member]) -> Option<String> {
    let values = values(members);
    let hashes = distinct(members, |member| data_hash(member).map(str::to_owned));
    Some(match (hashes.len(), hashes.contains(&None)) {
        (_, true) => {
            format!("Data unknown for some studies: do not compare their {values} with others'.")
        }
        (1, _) => format!(
            "Same rows in the same splits: {values} can be compared. The studies share test rows and seeds, so \
             that agreement proves less than on other data."
        ),
        _ => {
            format!(
                "The studies differ in their data: compare differences within each, not {values}."
            )
        }
    })
}

fn splits(members: &[Member]) -> Option<String> {
    let untested = names(members, |member| {
        member.written.report.findings.comparison.arms.iter().all(|arm| arm.test.is_none())
    });
    (!untested.is_empty()).then(|| format!("No test split: {}.", list(&untested)))
}

fn margins(members: &[Member]) -> Option<String> {
    if scores(members).is_some() {
        // Of different scores they cannot be compared either.
        return None;
    }
    let margin = |results: &Results| Scale::from(results).size(results.margin);
    let told = by_study(members, |member| margin(&member.written.results))?;
    let unit = members.first().map_or("", |first| Scale::from(&first.written.results).unit());
    Some(format!("The margins differ: {told}{unit}."))
}

/// How the arms on which a verdict rests came by rate and budget.
fn ways(members: &[Member]) -> Option<String> {
    let told = by_study(members, |member| words::way(member.written.report.findings.group))?;
    Some(format!("The questions differ: {told}."))
}

/// Where the studies differ in something, what each has.
fn by_study<T: Ord + Display>(members: &[Member], of: impl Fn(&Member) -> T) -> Option<String> {
    let told = members.iter().map(|member| format!("{} in {}", of(member), member.name));
    (distinct(members, &of).len() > 1).then(|| list(&told.collect::<Vec<_>>()))
}

fn runs(members: &[Member]) -> Option<String> {
    let open = names(members, |member| {
        member.written.results.arms.iter().any(|arm| arm.runs.len() < arm.planned)
    });
    (!open.is_empty()).then(|| format!("Unfinished, so this may change: {}.", list(&open)))
}

fn machines(members: &[Member]) -> Option<String> {
    let of = |member: &Member| {
        let last = member.written.sessions.last();
        let text = |key: &str| last.map(|last| last[key].to_string());
        ["cpu", "device", "cuda", "engine", "instructions"].map(text)
    };
    (distinct(members, of).len() > 1).then(|| {
        "Different machines, devices or engines: do not compare time and memory.".to_owned()
    })
}

/// `settings.csv`: one row a key in which the files differ, one column a study.
pub(super) fn settings(members: &[Member]) -> Result<Table> {
    let mut files = Vec::new();
    for member in members {
        let file = serde_json::to_value(&member.written.status.study.experiment)?;
        let mut leaves = config::leaves(&file);
        let is_elsewhere =
            |path: &str| SHOWN_ELSEWHERE.iter().any(|part| config::is_under(path, part));
        leaves.retain(|path, value| value != "null" && !is_elsewhere(path));
        files.push(leaves);
    }
    let paths: BTreeSet<&String> = files.iter().flat_map(BTreeMap::keys).collect();
    let differs = |path: &&String| files.iter().any(|file| file.get(*path) != files[0].get(*path));
    let mut rows = Table::of(paths.into_iter().filter(differs)).data("setting", |path| path);
    for (member, file) in members.iter().zip(&files) {
        rows = rows.data(&member.name, |path| file.get(path).map_or("-", String::as_str));
    }
    Ok(rows.table)
}
