//! Accuracy against batch size: one panel a group of comparable arms.

use super::{Figure, Series, Study, beside, ends};
use crate::analysis::{ArmResults, percent, points};
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread, Unit};
use crate::stats::{Summary, summarise};

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let all = study.series();
    let one = all.len() == 1;
    let panel_of = |series: &Series| {
        let title = if one { "all arms" } else { &series.title };
        panel(study, title, series)
    };
    let panels: Vec<Panel> = all.iter().map(panel_of).collect();
    if panels.is_empty() {
        return None;
    }
    let each = if one { "" } else { " Each panel is one way of training, on the same scale." };
    let caption = format!(
        "Higher is better. Small dots are single runs, the large mark is their mean, and the bar its 95 % \
         t interval ({}): where the true mean is likely to lie. The grey band reaches from the best \
         arm's mean down to the margin of {} percentage points: means inside it differ by less than \
         what the file calls a difference that matters. Bars that overlap do not prove that two \
         sizes are the same; the table of differences compares them seed by seed.{each}",
        study.seeds(),
        points(study.results.margin)
    );
    let what = study.split();
    let title = format!("How the {what} accuracy depends on the batch size");
    Some(Figure { name: "accuracy", title, caption, panels, legend: Vec::new() })
}

fn panel(study: &Study, title: &str, series: &Series) -> Panel {
    let all = study.arms().flat_map(|arm| arm.runs.values().map(|run| study.accuracy(run)));
    let bars = study.arms().filter_map(|arm| ends(&summary(study, arm)?)).flatten();
    // A bar of two seeds may be wider than everything: the axis shows it as far as twice the data.
    let runs: Vec<f64> = all.collect();
    let (low, high) = runs.iter().fold((1f64, 0f64), |(l, h), a| (l.min(*a), h.max(*a)));
    let room = 1.5 * (high - low).max(study.results.margin);
    let bars = bars.map(|end| end.clamp(low - room, high + room));
    let shown = runs.iter().copied().chain(bars);
    let label = format!("{} accuracy", study.split());
    let y = Axis::over(&label, Spread::Linear, Unit::Percent, shown).within(0.0, 1.0);
    let mut chart = Chart::new(title, Axis::of_batch_sizes(&study.sizes()), y);
    let best = series.comparison.best().map(|best| &best.name);
    let best = study.arms().find(|arm| Some(&arm.name) == best);
    if let Some(best) = best.and_then(|arm| summary(study, arm)) {
        let margin = study.results.margin;
        let says = format!("within {} percentage points of the best mean", points(margin));
        chart.between_y([best.mean - margin, best.mean], &says);
    }
    let means = series.arms.iter().filter_map(|arm| Some((*arm, summary(study, arm)?)));
    let means: Vec<(&ArmResults, Summary)> = means.collect();
    let twins = means.windows(2).any(|pair| pair[0].0.batch_size == pair[1].0.batch_size);
    if !twins {
        let line: Vec<[f64; 2]> =
            means.iter().map(|(arm, of)| [arm.batch_size as f64, of.mean]).collect();
        chart.reference(&line, "means");
    }
    for (arm, of) in &means {
        let (x, mark) = (arm.batch_size as f64, study.mark(arm));
        let shift = if twins { twin_shift(&means, arm) } else { 0.0 };
        draw_arm(study, &mut chart, arm, of, (x, shift), mark);
    }
    chart.finish()
}

/// Arms of the same size stand side by side.
fn twin_shift(means: &[(&ArmResults, Summary)], arm: &ArmResults) -> f64 {
    let twins: Vec<_> = means.iter().filter(|(a, _)| a.batch_size == arm.batch_size).collect();
    let at = twins.iter().position(|(a, _)| a.name == arm.name).unwrap_or(0);
    1.6 * beside(at, twins.len())
}

fn draw_arm(
    study: &Study,
    chart: &mut Chart,
    arm: &ArmResults,
    of: &Summary,
    (x, shift): (f64, f64),
    mark: Mark,
) {
    for (at, (seed, run)) in arm.runs.iter().enumerate() {
        let accuracy = study.accuracy(run);
        let says = format!("{}, seed {seed}: {}", arm.name, percent(accuracy));
        chart.seed(x, accuracy, shift + beside(at, arm.runs.len()), mark, &says);
    }
    let mut says = format!("{}: {} on average", arm.name, percent(of.mean));
    if let Some([low, high]) = ends(of) {
        chart.interval(x, [low, high], shift, mark);
        says += &format!(", 95 % interval {} to {}", percent(low), percent(high));
    }
    chart.mean(x, of.mean, shift, mark, &says);
}

fn summary(study: &Study, arm: &ArmResults) -> Option<Summary> {
    summarise(&arm.runs.values().map(|run| study.accuracy(run)).collect::<Vec<_>>())
}
