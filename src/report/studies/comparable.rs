//! What about several studies can be compared, and what not.

use super::Member;
use crate::config;
use crate::format::{list, points};
use crate::report::block::Table;
use crate::report::words;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Parts of the file that change no accuracy, or that the table of studies tells.
const SHOWN_ELSEWHERE: [&str; 10] = [
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
    let all = [data(members), splits(members), margins(members), ways(members), runs(members)];
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

fn data(members: &[Member]) -> Option<String> {
    let hashes = distinct(members, |member| data_hash(member).map(str::to_owned));
    Some(match (hashes.len(), hashes.contains(&None)) {
        (_, true) => "Data unknown for some studies: do not compare their accuracies with others'.",
        (1, _) => {
            "Same rows in the same splits: accuracies can be compared. The studies share test rows and \
             seeds, so that agreement proves less than on other data."
        }
        _ => "The studies differ in their data: compare differences within each, not accuracies.",
    }
    .to_owned())
}

fn splits(members: &[Member]) -> Option<String> {
    let untested = names(members, |member| {
        member.written.report.findings.comparison.arms.iter().all(|arm| arm.test.is_none())
    });
    (!untested.is_empty()).then(|| format!("No test split: {}.", list(&untested)))
}

fn margins(members: &[Member]) -> Option<String> {
    let told = by_study(members, |member| points(member.written.results.margin))?;
    Some(format!("The margins differ: {told} points."))
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
