//! The gap between a small and a large batch, taken apart: a waterfall.

use super::{Figure, Study};
use crate::analysis::{Decomposition, Part, Parts, points, signed_points};
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread, Unit};

/// Under the bars, in the order of the sum.
const NAMES: [&str; 4] = ["the gap", "learning rate", "updates", "what remains"];

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let found = study.findings.decomposition.as_ref()?;
    let margin = study.results.margin;
    let test = found.test.as_ref().map(|parts| panel("on the test split", parts, margin));
    let validation = panel("on validation", &found.validation, margin);
    let seeds = found.seeds.len();
    let caption = format!(
        "The first bar is the accuracy that batch size {large} lacks against {small} at the file's \
         settings ({small} minus {large}). From there the staircase goes down: what a learning rate \
         of its own gives the large batch more than the small one, then what as many updates as the \
         small batch makes add. The last bar is what remains: the batch size itself. Inside the grey \
         band (the margin, {margin} percentage points either way) it does not matter. Bars below \
         zero favour the large batch. Whiskers are 95 % t intervals of each part, paired by seed (n \
         = {seeds}).",
        small = found.small,
        large = found.large,
        margin = points(margin),
    );
    Some(Figure {
        name: "gap",
        title: title(found),
        caption,
        panels: test.into_iter().chain([validation]).collect(),
        legend: Vec::new(),
    })
}

fn title(found: &Decomposition) -> String {
    format!("Where the gap between batch sizes {} and {} comes from", found.small, found.large)
}

/// Where a bar starts and ends, and where its whisker does.
struct Bar {
    from: f64,
    to: f64,
    whisker: Option<[f64; 2]>,
}

fn bars(parts: &Parts) -> [Bar; 4] {
    let up = |part: &Part| Bar {
        from: 0.0,
        to: mean(part),
        whisker: part.estimate.interval.map(|ends| [ends.low, ends.high]),
    };
    // What a part explains is taken off what was left.
    let down = |from: f64, part: &Part| Bar {
        from,
        to: from - mean(part),
        whisker: part.estimate.interval.map(|ends| [from - ends.high, from - ends.low]),
    };
    let total = up(&parts.total);
    let rate = down(total.to, &parts.learning_rate);
    let updates = down(rate.to, &parts.updates);
    [total, rate, updates, up(&parts.residual)]
}

fn mean(part: &Part) -> f64 {
    part.estimate.summary.mean
}

fn panel(title: &str, parts: &Parts, margin: f64) -> Panel {
    let bars = bars(parts);
    let means: Vec<f64> = bars.iter().flat_map(|bar| [bar.from, bar.to]).collect();
    let most = means.iter().fold(margin, |most, mean| most.max(mean.abs()));
    // A whisker of two seeds may be wider than everything: shown as far as three times the bars.
    let whiskers = bars.iter().filter_map(|bar| bar.whisker).flatten();
    let shown = whiskers.map(|end| end.clamp(-3.0 * most, 3.0 * most));
    let shown = means.iter().copied().chain(shown).chain([-margin, margin]);
    let y = Axis::over("percentage points", Spread::Linear, Unit::Points, shown);
    let x = Axis::over("", Spread::Linear, Unit::Plain, [-0.6, 3.6]).within(-0.6, 3.6);
    let x = x.with_ticks((0u8..).map(f64::from).zip(NAMES.map(String::from)).collect());
    let mut chart = Chart::new(title, x, y);
    chart.between_y([-margin, margin], "within the margin: too little to matter");
    chart.reference(&[[-0.6, 0.0], [3.6, 0.0]], "no gap");
    let classes = ["bar total", "bar part", "bar part", "bar residual"];
    for (at, (bar, (_, part))) in bars.iter().zip(parts.named()).enumerate() {
        let x = at as f64;
        let size = signed_points(mean(part));
        let mut says = format!("{}: {size} percentage points", NAMES[at]);
        if let Some(ends) = part.estimate.interval {
            let (low, high) = (signed_points(ends.low), signed_points(ends.high));
            says += &format!(", 95 % interval {low} to {high}");
        }
        chart.area([x - 0.36, x + 0.36], [bar.from, bar.to], classes[at], &says);
        if at < 2 {
            chart.reference(&[[x + 0.36, bar.to], [x + 0.64, bar.to]], "what is left");
        }
        if let Some(ends) = bar.whisker {
            chart.interval(x, ends, 0.0, Mark::plain());
        }
        let top = bar.whisker.map_or(bar.to.max(bar.from), |ends| ends[1]);
        chart.text(x, top, [0.0, -5.0], "mid", &size);
    }
    chart.finish()
}
