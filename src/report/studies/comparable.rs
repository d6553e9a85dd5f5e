//! What about several studies can be compared, and what not.

use super::Member;
use crate::analysis::{Budget, Rate, groups, list, points};
use crate::config;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

/// The most characters of a value in the table of settings.
const WIDE: usize = 48;
/// Parts of the file that change no accuracy, or that the table of studies tells.
const TOLD_ELSEWHERE: [&str; 10] = [
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
    let last = "Every interval is about other seeds of one study. Nothing here is corrected for the number \
                of studies, and a study that came out well among many may have been lucky.";
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
        (_, true) => {
            "Some studies do not say on which data they ran, so their accuracies should not be \
             compared with those of others."
        }
        (1, _) => {
            "All studies have the same rows in the same splits, so their accuracies can be compared. \
             They are not independent: the test rows are the same, and runs of the same seed and model \
             begin with the same weights and see the same order, so agreement proves less than that of \
             studies on other data."
        }
        _ => {
            "The studies differ in their data: in the rows, the split, or how rows are prepared. Compare \
             which batch size suits each and the differences within each, not accuracies of one study \
             with those of another."
        }
    }
    .to_owned())
}

fn splits(members: &[Member]) -> Option<String> {
    let untested = names(members, |member| {
        member.written.report.findings.comparison.arms.iter().all(|arm| arm.test.is_none())
    });
    (!untested.is_empty()).then(|| {
        format!(
            "Without a test split, so that validation, on which the best was chosen, stands in its place \
             and flatters: {}.",
            list(&untested)
        )
    })
}

fn margins(members: &[Member]) -> Option<String> {
    let of = |member: &Member| points(member.written.results.margin);
    (distinct(members, of).len() > 1).then(|| {
        let told: Vec<String> =
            members.iter().map(|member| format!("{} in {}", of(member), member.name)).collect();
        format!(
            "The margins differ ({} percentage points): what one study calls no difference that matters, \
             another may call one.",
            list(&told)
        )
    })
}

/// How the arms on which a verdict rests came by rate and budget.
fn ways(members: &[Member]) -> Option<String> {
    let way = |member: &Member| {
        let first = groups(&member.written.results).into_iter().next();
        let (rate, budget) = first.map(|group| (group.rate, group.budget)).unzip();
        let rate = if rate == Some(Rate::Tuned) { "tuned" } else { "given" };
        let budget =
            if budget == Some(Budget::Steps) { "equal steps" } else { "the file's budget" };
        format!("{rate} learning rates and {budget}")
    };
    (distinct(members, way).len() > 1).then(|| {
        let told: Vec<String> =
            members.iter().map(|member| format!("{} in {}", way(member), member.name)).collect();
        format!("They do not ask the same: {}.", list(&told))
    })
}

fn runs(members: &[Member]) -> Option<String> {
    let open = names(members, |member| {
        member.written.results.arms.iter().any(|arm| arm.runs.len() < arm.planned)
    });
    (!open.is_empty())
        .then(|| format!("Not all runs are finished, so this may change: {}.", list(&open)))
}

fn machines(members: &[Member]) -> Option<String> {
    let of = |member: &Member| {
        let last = member.written.sessions.last();
        let text = |key: &str| last.map(|last| last[key].to_string());
        ["cpu", "device", "cuda", "engine", "instructions"].map(text)
    };
    (distinct(members, of).len() > 1).then(|| {
        "They ran on different machines, devices or engines: seconds and memory cannot be compared, and \
         accuracies differ in their last digits for that alone."
            .to_owned()
    })
}

/// Keys of the files in which the studies differ, with the value of each study.
pub(super) fn settings(members: &[Member]) -> Result<Vec<(String, Vec<String>)>> {
    let mut files = Vec::new();
    for member in members {
        let file = serde_json::to_value(&member.written.status.study.experiment)?;
        let mut leaves = config::leaves(&file);
        let is_elsewhere =
            |path: &str| TOLD_ELSEWHERE.iter().any(|part| config::is_under(path, part));
        leaves.retain(|path, value| value != "null" && !is_elsewhere(path));
        files.push(leaves);
    }
    let paths: BTreeSet<&String> = files.iter().flat_map(BTreeMap::keys).collect();
    let values = |path: &String| -> Vec<String> {
        files.iter().map(|leaves| leaves.get(path).map_or("-".into(), String::clone)).collect()
    };
    let differs =
        |path: &&String| files.iter().any(|leaves| leaves.get(*path) != files[0].get(*path));
    Ok(paths.into_iter().filter(differs).map(|path| (path.clone(), values(path))).collect())
}

/// The same with as much of each value as the page has room for.
pub(super) fn shown(settings: &[(String, Vec<String>)]) -> Vec<(String, Vec<String>)> {
    let values = |values: &Vec<String>| values.iter().map(|text| short(text)).collect();
    settings.iter().map(|(path, all)| (path.clone(), values(all))).collect()
}

fn short(text: &str) -> String {
    if text.trim().is_empty() {
        return format!("{text:?}");
    }
    match text.chars().count() > WIDE {
        true => text.chars().take(WIDE).collect::<String>() + "…",
        false => text.to_owned(),
    }
}
