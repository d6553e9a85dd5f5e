//! The figures of several studies: how far each batch size stays behind the best of its study.

use super::Member;
use crate::analysis::{ArmFinding, ArmResults, CONFIDENCE, points, signed_points};
use crate::format::counted;
use crate::report::figures::{ASIDE, beside};
use crate::report::plot::{Axis, Chart, Figure, Mark, Panel, Spread, Unit};
use crate::stats::Interval;
use std::collections::BTreeSet;

/// The names of their files.
pub(super) const NAMES: [&str; 2] = ["together", "differences"];

/// An arm against the best of its study.
struct Behind<'m> {
    finding: &'m ArmFinding,
    /// On validation, of each seed that both have; of the best one none.
    seeds: Vec<(u64, f64)>,
    mean: f64,
    interval: Option<Interval>,
}

/// Studies whose runs all end at one accuracy are left out: theirs differ by what the last steps
/// overshoot.
pub(super) fn draw(members: &[Member]) -> Vec<Figure> {
    let asks = |member: &&Member| member.written.results.declared_target.is_none();
    let members: Vec<&Member> = members.iter().filter(asks).collect();
    let all: Vec<Vec<Behind>> = members.iter().map(|member| behind(member)).collect();
    if all.iter().flatten().next().is_none() {
        return Vec::new();
    }
    vec![together(&members, &all), differences(&members, &all)]
}

/// For each batch size of a study the arm with the smallest difference.
fn behind<'m>(member: &Member<'m>) -> Vec<Behind<'m>> {
    let written = member.written;
    let comparison = &written.report.findings.comparison;
    let results = |name: &str| written.results.arms.iter().find(|arm| arm.name == name);
    let Some(best) = comparison.best().and_then(|best| results(&best.name)) else {
        return Vec::new();
    };
    let of = |finding: &'m ArmFinding| {
        let seeds = match finding.name == best.name {
            true => Vec::new(),
            false => results(&finding.name).map_or(Vec::new(), |arm| by_seed(arm, best)),
        };
        let mean = match finding.name == best.name {
            true => 0.0,
            false => finding.difference?.estimate.summary.mean,
        };
        let interval = finding.difference.and_then(|difference| difference.estimate.interval);
        Some(Behind { finding, seeds, mean, interval })
    };
    let mut arms: Vec<Behind> = comparison.arms.iter().filter_map(of).collect();
    arms.sort_by(|a, b| {
        let sizes = a.finding.batch_size.cmp(&b.finding.batch_size);
        sizes.then(b.mean.total_cmp(&a.mean))
    });
    arms.dedup_by_key(|arm| arm.finding.batch_size);
    arms
}

fn by_seed(arm: &ArmResults, best: &ArmResults) -> Vec<(u64, f64)> {
    let pair = |(seed, run): (&u64, &crate::analysis::RunResults)| {
        Some((*seed, run.validation - best.runs.get(seed)?.validation))
    };
    arm.runs.iter().filter_map(pair).collect()
}

fn mark(place: usize, of: usize) -> Mark {
    Mark::ranked(place, of, 0)
}

/// All studies in one panel.
fn together(members: &[&Member], all: &[Vec<Behind>]) -> Figure {
    let sizes: BTreeSet<usize> = all.iter().flatten().map(|arm| arm.finding.batch_size).collect();
    let sizes: Vec<usize> = sizes.into_iter().collect();
    let means = all.iter().flatten().map(|arm| arm.mean).chain([0.0]);
    let y = Axis::over("percentage points", Spread::Linear, Unit::Points, means);
    let x = Axis::of_batch_sizes(&sizes);
    let mut chart = Chart::new("validation accuracy minus the best", x, y);
    for (place, (member, arms)) in members.iter().zip(all).enumerate() {
        let mark = mark(place, members.len());
        let line: Vec<[f64; 2]> =
            arms.iter().map(|arm| [arm.finding.batch_size as f64, arm.mean]).collect();
        chart.line(&line, mark, &member.name);
        for arm in arms {
            let (x, shift) = (arm.finding.batch_size as f64, 0.5 * beside(place, members.len()));
            chart.mean(x, arm.mean, shift, mark, &says(member, arm));
        }
    }
    let legend =
        (0..members.len()).map(|place| (mark(place, members.len()), members[place].name.clone()));
    Figure {
        name: "together",
        title: "How far each batch size stays behind the best of its study".into(),
        caption: format!(
            "Zero is the most accurate arm of each study on validation, the means of the others lie below \
             it. Lines that fall on the same side suit the same batch sizes. No intervals are drawn here, \
             the next figure has them; {}.{}",
            seeds(members),
            several(members)
        ),
        panels: vec![chart.finish()],
        legend: legend.collect(),
    }
}

/// One panel a study, on the same scale.
fn differences(members: &[&Member], all: &[Vec<Behind>]) -> Figure {
    let scale = scale(members, all);
    let panels = members
        .iter()
        .zip(all)
        .enumerate()
        .map(|(place, (member, arms))| panel(member, arms, mark(place, members.len()), &scale));
    Figure {
        name: "differences",
        title: "The differences of each study, with intervals".into(),
        caption: format!(
            "Each arm minus the most accurate one of its study, in percentage points of validation \
             accuracy. Small dots are single seeds, the large mark is their mean, the bar its 95 % t \
             interval, paired by seed ({}); the best one is at zero by definition and has none. The grey \
             band is the study's margin: a bar inside it is no difference that matters. All panels have the \
             same scale.{}",
            seeds(members),
            several(members)
        ),
        panels: panels.collect(),
        legend: Vec::new(),
    }
}

/// What the axis has room for: every seed and margin, and bars as far as twice that.
fn scale(members: &[&Member], all: &[Vec<Behind>]) -> Vec<f64> {
    let seeds = all.iter().flatten().flat_map(|arm| arm.seeds.iter().map(|(_, value)| *value));
    let margins = members.iter().map(|member| -member.written.results.margin);
    let mut shown: Vec<f64> = seeds.chain(margins).chain([0.0]).collect();
    let (low, high) = shown.iter().fold((0f64, 0f64), |(l, h), v| (l.min(*v), h.max(*v)));
    let room = high - low;
    let bars = all.iter().flatten().filter_map(|arm| arm.interval);
    let ends = bars.flat_map(|ends| [ends.low, ends.high]);
    shown.extend(ends.map(|end| end.clamp(low - room, high + room)));
    shown
}

fn panel(member: &Member, arms: &[Behind], mark: Mark, scale: &[f64]) -> Panel {
    let sizes: Vec<usize> = arms.iter().map(|arm| arm.finding.batch_size).collect();
    let y = Axis::over("percentage points", Spread::Linear, Unit::Points, scale.iter().copied());
    let x = Axis::of_batch_sizes(&sizes);
    let ends = x.ends();
    let mut chart = Chart::new(&member.name, x, y);
    let margin = member.written.results.margin;
    let band = format!("within the margin of {} percentage points", points(margin));
    chart.between_y([-margin, 0.0], &band);
    chart.reference(&[[ends[0], 0.0], [ends[1], 0.0]], "the best of the study");
    for arm in arms {
        let x = arm.finding.batch_size as f64;
        for (at, (seed, value)) in arm.seeds.iter().enumerate() {
            let says = format!("{}, seed {seed}: {}", arm.finding.name, signed_points(*value));
            chart.seed(x, *value, ASIDE + beside(at, arm.seeds.len()), mark, &says);
        }
        if let Some(interval) = arm.interval {
            chart.interval(x, [interval.low, interval.high], 0.0, mark);
        }
        chart.mean(x, arm.mean, 0.0, mark, &says(member, arm));
    }
    chart.finish()
}

fn says(member: &Member, arm: &Behind) -> String {
    let name = format!("{}, {}", member.name, arm.finding.name);
    match (arm.seeds.is_empty(), arm.interval) {
        (true, _) => format!("{name}: the best"),
        (false, Some(interval)) => {
            let [low, high] = [interval.low, interval.high].map(signed_points);
            let percent = 100.0 * CONFIDENCE;
            format!("{name}: {}, {percent} % interval {low} to {high}", signed_points(arm.mean))
        }
        (false, None) => format!("{name}: {}", signed_points(arm.mean)),
    }
}

/// `n = 3 seeds`, `n = 3 to 5 seeds`
fn seeds(members: &[&Member]) -> String {
    let counts = || members.iter().map(|m| m.written.report.findings.comparison.seeds.len());
    let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
    match least == most {
        true => format!("n = {}", counted(most, "seed")),
        false => format!("n = {least} to {most} seeds"),
    }
}

/// A sentence where a study has several arms of a batch size.
fn several(members: &[&Member]) -> &'static str {
    let has_twins = |member: &&Member| {
        let arms = &member.written.report.findings.comparison.arms;
        let sizes: BTreeSet<usize> = arms.iter().map(|arm| arm.batch_size).collect();
        sizes.len() < arms.len()
    };
    match members.iter().any(has_twins) {
        true => " Of several arms with the same batch size the most accurate one is shown.",
        false => "",
    }
}
