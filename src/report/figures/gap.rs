//! The gap between a small and a large batch, taken apart: a bar for each part.

use super::{Figure, Study};
use crate::analysis::{Decomposition, Part, Parts};
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread, Unit};
use crate::report::words::Scale;

/// Under the bars, in the order of the sum.
const NAMES: [&str; 4] = ["gap", "= rate", "+ steps", "+ rest"];
/// How far below the axis the values stand, in units of the drawing: where the name of the axis would.
const BELOW: f64 = 36.0;

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let found = study.findings.decomposition.as_ref()?;
    let (margin, scale) = (study.results.margin, study.scale());
    let test = found.test.as_ref().map(|parts| panel("on the test split", parts, margin, scale));
    let validation = panel("on validation", &found.validation, margin, scale);
    let at_best = panel("at each run's best", &found.best, margin, scale);
    let seeds = found.seeds.len();
    let rows = if found.test.is_some() { scale.over_rows(",") } else { String::new() };
    let caption = format!(
        "{score} of {small} minus {large}{unit}. The gap is the sum of the other bars: what tuning \
         the learning rate gives {large} more than {small}, what as many steps add, and the rest. Grey \
         band: the margin ({margin}). Bars: 95 % t intervals, paired by seed (n = {seeds}){rows}.",
        small = found.small,
        large = found.large,
        score = scale.capital(),
        unit = scale.in_points(),
        margin = scale.amount(margin),
    );
    Some(Figure {
        name: "gap",
        title: title(found),
        caption,
        panels: test.into_iter().chain([validation, at_best]).collect(),
        legend: Vec::new(),
    })
}

fn title(found: &Decomposition) -> String {
    format!("Where the gap between batch sizes {} and {} comes from", found.small, found.large)
}

fn mean(part: &Part) -> f64 {
    part.estimate.summary.mean
}

fn panel(title: &str, parts: &Parts, margin: f64, scale: Scale) -> Panel {
    let parts = parts.all();
    let means = || parts.iter().map(|part| mean(part));
    let most = means().fold(margin, |most, mean| most.max(mean.abs()));
    // A whisker of two seeds may be wider than everything: shown as far as three times the bars.
    let whiskers = parts.iter().filter_map(|part| part.estimate.interval);
    let shown = whiskers
        .flat_map(|ends| [ends.low, ends.high].map(|end| end.clamp(-3.0 * most, 3.0 * most)));
    let shown = means().chain(shown).chain([0.0, -margin, margin]);
    let shown = shown.map(|turned| scale.natural(turned));
    let y = Axis::over(scale.axis_label(), Spread::Linear, scale.axis_of_differences(), shown);
    let x = Axis::over("", Spread::Linear, Unit::Plain, [-0.6, 3.6]).within(-0.6, 3.6);
    let x = x.with_ticks((0u8..).map(f64::from).zip(NAMES.map(String::from)).collect());
    let lowest = y.ends()[0];
    let mut chart = Chart::new(title, x, y);
    chart.between_y([-margin, margin], "within the margin: too little to matter");
    chart.reference(&[[-0.6, 0.0], [3.6, 0.0]], "no gap");
    let classes = ["bar total", "bar part", "bar part", "bar residual"];
    for (at, part) in parts.into_iter().enumerate() {
        let (x, mean) = (at as f64, mean(part));
        let size = scale.signed(mean);
        let mut says = format!("{}: {size}{}", NAMES[at], scale.unit());
        if let Some(ends) = part.estimate.interval {
            says += &format!(", 95 % interval {}", scale.signed_range(ends));
        }
        chart.area([x - 0.36, x + 0.36], [0.0, scale.natural(mean)], classes[at], &says);
        if let Some(ends) = part.estimate.interval {
            chart.interval(x, scale.natural_pair([ends.low, ends.high]), 0.0, Mark::plain());
        }
        // Under its name, where nothing else stands.
        chart.text(x, lowest, [0.0, BELOW], "mid", &size);
    }
    chart.finish()
}
