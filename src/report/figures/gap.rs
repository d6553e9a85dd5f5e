//! The gap between a small and a large batch, taken apart: a bar for each part.

use super::{Figure, Study};
use crate::analysis::{Decomposition, Part, Parts, points, signed_points};
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread, Unit};

/// Under the bars, in the order of the sum.
const NAMES: [&str; 4] = ["gap", "= rate", "+ updates", "+ rest"];

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let found = study.findings.decomposition.as_ref()?;
    let margin = study.results.margin;
    let test = found.test.as_ref().map(|parts| panel("on the test split", parts, margin));
    let validation = panel("on validation", &found.validation, margin);
    let at_best = panel("where each run was best on validation", &found.best, margin);
    let seeds = found.seeds.len();
    let rows =
        if found.test.is_some() { "; on the test split for other test rows too" } else { "" };
    let caption = format!(
        "Accuracy of batch size {small} minus {large}, in percentage points: above 0 it is higher with \
         {small}, below 0 with {large}. The gap at the file's settings (first bar) is the sum of the \
         other three: what a learning rate of its own gives the large batch more than the small one, \
         what a budget of as many updates as the small batch has adds, and what remains: the batch size \
         itself, or overfitting of the longest runs where the text above says so. Inside the grey band \
         (the margin, {margin} percentage points either way) it does not matter. Whiskers are 95 % t \
         intervals of each part, paired by seed (n = {seeds}){rows}.",
        small = found.small,
        large = found.large,
        margin = points(margin),
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

fn panel(title: &str, parts: &Parts, margin: f64) -> Panel {
    let named = parts.named();
    let means = || named.iter().map(|(_, part)| mean(part));
    let most = means().fold(margin, |most, mean| most.max(mean.abs()));
    // A whisker of two seeds may be wider than everything: shown as far as three times the bars.
    let whiskers = named.iter().filter_map(|(_, part)| part.estimate.interval);
    let shown = whiskers
        .flat_map(|ends| [ends.low, ends.high].map(|end| end.clamp(-3.0 * most, 3.0 * most)));
    let shown = means().chain(shown).chain([0.0, -margin, margin]);
    let y = Axis::over("percentage points", Spread::Linear, Unit::Points, shown);
    let x = Axis::over("", Spread::Linear, Unit::Plain, [-0.6, 3.6]).within(-0.6, 3.6);
    let x = x.with_ticks((0u8..).map(f64::from).zip(NAMES.map(String::from)).collect());
    let mut chart = Chart::new(title, x, y);
    chart.between_y([-margin, margin], "within the margin: too little to matter");
    chart.reference(&[[-0.6, 0.0], [3.6, 0.0]], "no gap");
    let classes = ["bar total", "bar part", "bar part", "bar residual"];
    for (at, (_, part)) in named.iter().enumerate() {
        let (x, mean) = (at as f64, mean(part));
        let size = signed_points(mean);
        let mut says = format!("{}: {size} percentage points", NAMES[at]);
        if let Some(ends) = part.estimate.interval {
            let (low, high) = (signed_points(ends.low), signed_points(ends.high));
            says += &format!(", 95 % interval {low} to {high}");
        }
        chart.area([x - 0.36, x + 0.36], [0.0, mean], classes[at], &says);
        if let Some(ends) = part.estimate.interval {
            chart.interval(x, [ends.low, ends.high], 0.0, Mark::plain());
        }
        let top = part.estimate.interval.map_or(mean, |ends| ends.high).max(0.0);
        chart.text(x, top, [0.0, -5.0], "mid", &size);
    }
    chart.finish()
}
