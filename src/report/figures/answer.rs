//! The figure beside the answer: how far each arm lies from the best, with the bounds that decide and the
//! margin shaded, and how the arms learned.

use super::{Figure, Study, curves};
use crate::analysis::{ArmFinding, Comparison, Role};
use crate::report::answer::{cut, result, short};
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread, Unit};
use crate::report::words;
use crate::stats::Interval;
use std::collections::BTreeSet;

/// Rows that there is room for.
const ROWS: usize = 8;
/// Letters that there is room for left of the axis.
const LETTERS: usize = 10;

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let comparison = &study.findings.comparison;
    let difference = difference(study, comparison);
    let legend = legend(study, difference.is_some());
    let caption = caption(study, difference.is_some());
    let panels: Vec<Panel> = difference.into_iter().chain(curves::first(study)).collect();
    (!panels.is_empty()).then(|| Figure {
        name: "answer",
        title: "Difference from the best, and learning curves".into(),
        caption,
        panels,
        legend,
    })
}

/// What is drawn, in a line.
fn caption(study: &Study, has_difference: bool) -> String {
    let one_seed = study.arms().all(|arm| arm.runs.len() < 2);
    let curves = match one_seed {
        true => "Curves: one seed each.",
        false => "Curves: means; bands: all seeds.",
    };
    if !has_difference {
        return curves.into();
    }
    let comparison = &study.findings.comparison;
    let meanings: BTreeSet<&str> =
        rows(comparison).into_iter().filter_map(words::meaning).collect();
    let meanings: String = meanings.into_iter().map(|of| format!(" {of}")).collect();
    format!(
        "Differences: means with the bounds that decide (95 %); small marks: seeds; grey: within the margin of \
         {}. {curves}{meanings}",
        study.scale().amount(study.results.margin)
    )
}

/// Where the rows name the arms, the marks need no legend, unless arms of one batch size differ in their
/// dashes alone.
fn legend(study: &Study, has_rows: bool) -> Vec<(Mark, String)> {
    let arms = study.few_arms();
    let has_twins = study.sizes().len() < study.arms().count();
    if has_twins || !has_rows { study.legend(&arms) } else { Vec::new() }
}

/// Arms with a difference from the best, and the best, in the order of the file; at most [`ROWS`], those
/// with the highest means.
fn rows(comparison: &Comparison) -> Vec<&ArmFinding> {
    let is_shown = |arm: &&ArmFinding| arm.role == Role::Best || arm.difference.is_some();
    let mean = |arm: &ArmFinding| arm.difference.map_or(0.0, |d| d.estimate.summary.mean);
    let mut arms: Vec<&ArmFinding> = comparison.arms.iter().filter(is_shown).collect();
    arms.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
    arms.truncate(ROWS);
    arms.sort_by_key(|arm| arm.place);
    arms
}

fn difference(study: &Study, comparison: &Comparison) -> Option<Panel> {
    let arms = rows(comparison);
    let best = comparison.best()?;
    if arms.len() < 2 || comparison.has_too_few_seeds() {
        return None;
    }
    let of = |arm: &ArmFinding| study.findings.results(study.results, arm);
    let best_runs = of(best);
    let seeds_of = |arm: &ArmFinding| of(arm).minus(best_runs);
    let margin = study.results.margin;
    let scale = study.scale();
    let label = format!("{} minus the best{}", scale.on("validation"), scale.unit_of_column());
    let shown = shown(&arms, margin, &seeds_of).into_iter().map(|turned| scale.natural(turned));
    let x = Axis::over(&label, Spread::Linear, scale.axis_of_differences(), shown);
    let [low, high] = x.ends();
    // Room for a word at the right.
    let x = x.within_room(low, high + 0.38 * (high - low));
    let height = |at: usize| (arms.len() - at) as f64;
    let name = |arm: &ArmFinding| {
        let name = short(arm);
        cut(name.strip_prefix("batch-").unwrap_or(&name), LETTERS)
    };
    let ticks = arms.iter().enumerate().map(|(at, arm)| (height(at), name(arm))).collect();
    let y = Axis::over("", Spread::Linear, Unit::Plain, [0.35, arms.len() as f64 + 0.65]);
    let mut chart = Chart::new("Difference from the best", x, y.with_ticks(ticks));
    chart.between_x([-margin, margin], &format!("within the margin of {}", scale.amount(margin)));
    let ends = [low, high];
    for (at, arm) in arms.iter().enumerate() {
        let (mark, y) = (study.mark(of(arm)), height(at));
        if arm.role == Role::Best {
            chart.mean(0.0, y, 0.0, mark, &format!("{}: {} mean", arm.name, scale.highest()));
            chart.word_at_right(y, result(comparison, arm));
            continue;
        }
        for (seed, value) in seeds_of(arm) {
            let says = format!("{}, seed {seed}: {}", arm.name, scale.signed(value));
            chart.seed_below(scale.natural(value).clamp(ends[0], ends[1]), y, mark, &says);
        }
        let mean = arm.difference.map_or(0.0, |difference| difference.estimate.summary.mean);
        let mut says = format!("{}: {}", arm.name, scale.difference(mean));
        if let Some(Interval { low, high }) = arm.from_best {
            chart.interval_x(y, scale.natural_pair([low, high]), ends, mark);
            let (low, high) = if scale.falls() { (high, low) } else { (low, high) };
            says += &format!(", between {} and {}", scale.signed(low), scale.signed(high));
        }
        chart.mean(scale.natural(mean).clamp(ends[0], ends[1]), y, 0.0, mark, &says);
        chart.word_at_right(y, result(comparison, arm));
    }
    Some(chart.finish())
}

/// The differences that the axis has room for: seeds, means, the margin, and bounds as far as twice
/// those.
fn shown(
    arms: &[&ArmFinding],
    margin: f64,
    seeds_of: &dyn Fn(&ArmFinding) -> Vec<(u64, f64)>,
) -> Vec<f64> {
    let seeds = arms.iter().flat_map(|arm| seeds_of(arm)).map(|(_, value)| value);
    let mut shown: Vec<f64> = seeds.chain([-1.6 * margin, 1.6 * margin]).collect();
    let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let high = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let room = 0.5 * (high - low);
    let bounds = arms.iter().filter_map(|arm| arm.from_best).flat_map(|i| [i.low, i.high]);
    let bounds: Vec<f64> = bounds.map(|end| end.clamp(low - room, high + room)).collect();
    shown.extend(bounds);
    shown
}
