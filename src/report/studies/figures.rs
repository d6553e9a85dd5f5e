//! The figure of several studies: the differences from the best of each, with intervals.

use super::Member;
use super::behind::Behind;
use crate::report::figures::{ASIDE, beside};
use crate::report::plot::{Axis, Chart, Figure, Mark, Panel, Spread};
use crate::report::words::Scale;

/// The names of its file, and of one that earlier reports wrote.
pub(super) const NAMES: [&str; 2] = ["differences", "together"];

/// One panel a study that compares batch sizes, on the same scale.
pub(super) fn draw(members: &[Member], all: &[Vec<Behind>]) -> Vec<Figure> {
    let Some(first) = members.first() else { return Vec::new() };
    let (score, of) = (first.written.results.score, Scale::from(&first.written.results));
    let is_drawn = |(member, arms): &(&Member, &Vec<Behind>)| {
        !arms.is_empty() && member.written.results.score == score
    };
    let drawn: Vec<(&Member, &Vec<Behind>)> = members.iter().zip(all).filter(is_drawn).collect();
    if drawn.is_empty() {
        return Vec::new();
    }
    let scale = scale(&drawn);
    let mark = |place| Mark::ranked(place, drawn.len(), 0);
    let panels = drawn.iter().enumerate();
    let panels = panels.map(|(place, (member, arms))| panel(member, arms, mark(place), &scale));
    vec![Figure {
        name: "differences",
        title: "Difference from the best batch size, by study".into(),
        caption: format!(
            "{} minus that of the best arm of the study, which is at 0, paired by seed. Small dots are seeds, \
             large marks means, bars the bounds that decide. Grey band: the margin. Of several arms of one batch \
             size the {} is shown.",
            of.on("Validation"),
            of.best()
        ),
        panels: panels.collect(),
        legend: Vec::new(),
    }]
}

/// What the axis has room for: every seed and margin, and bars as far as twice that.
fn scale(drawn: &[(&Member, &Vec<Behind>)]) -> Vec<f64> {
    let arms = || drawn.iter().flat_map(|(_, arms)| arms.iter());
    let seeds = arms().flat_map(|arm| arm.seeds.iter().map(|(_, value)| *value));
    let margins = drawn.iter().map(|(member, _)| -member.written.results.margin);
    let mut shown: Vec<f64> = seeds.chain(margins).chain([0.0]).collect();
    let (low, high) = shown.iter().fold((0f64, 0f64), |(l, h), v| (l.min(*v), h.max(*v)));
    let room = high - low;
    let ends = arms().filter_map(|arm| arm.interval).flat_map(|ends| [ends.low, ends.high]);
    shown.extend(ends.map(|end| end.clamp(low - room, high + room)));
    shown
}

fn panel(member: &Member, arms: &[Behind], mark: Mark, scale: &[f64]) -> Panel {
    let sizes: Vec<usize> = arms.iter().map(|arm| arm.finding.batch_size).collect();
    let of = Scale::from(&member.written.results);
    let natural = |turned: f64| of.natural(turned);
    let shown = scale.iter().copied().map(natural);
    let y = Axis::over(of.axis_label(), Spread::Linear, of.axis_of_differences(), shown);
    let x = Axis::of_batch_sizes(&sizes);
    let ends = x.ends();
    let mut chart = Chart::new(&member.name, x, y);
    let margin = member.written.results.margin;
    let says = format!("within the margin of {}", of.amount(margin));
    chart.between_y(of.natural_pair([-margin, 0.0]), &says);
    chart.reference(&[[ends[0], 0.0], [ends[1], 0.0]], "the best of the study");
    for arm in arms {
        let x = arm.finding.batch_size as f64;
        for (at, (seed, value)) in arm.seeds.iter().enumerate() {
            let says = format!("{}, seed {seed}: {}", arm.finding.name, of.signed(*value));
            chart.seed(x, natural(*value), ASIDE + beside(at, arm.seeds.len()), mark, &says);
        }
        if let Some(interval) = arm.interval {
            chart.interval(x, of.natural_pair([interval.low, interval.high]), 0.0, mark);
        }
        let says = format!("{}, {}: {}", member.name, arm.finding.name, arm.text());
        chart.mean(x, natural(arm.mean), 0.0, mark, &says);
    }
    chart.finish()
}
