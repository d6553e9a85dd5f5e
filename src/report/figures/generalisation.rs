//! Training against validation: how far what was learned carries to other examples.

use super::{Figure, Measure, Study};
use crate::analysis::RunResults;
use crate::report::plot::{Axis, Chart, Panel, Spread, Unit};
use crate::report::words::Scale;

pub(super) fn draw(study: &Study) -> Option<Figure> {
    study.arms().flat_map(|arm| arm.runs.values()).find_map(score_gap)?;
    let scale = study.scale();
    // The worse minus the better of two, so that what is above 0 is a gap.
    let minus =
        if scale.falls() { "validation minus training" } else { "training minus validation" };
    let panels = vec![
        panel(study, &format!("{}: {minus}", scale.title()), Some(scale), score_gap),
        panel(study, "loss: validation minus training", None, loss_gap),
    ];
    let caption = format!(
        "0 = no gap; higher = more overfitting. After the last epoch; small dots are seeds, large marks \
         means, bars 95 % t intervals ({}). Training metrics are means over the epoch.",
        study.seeds()
    );
    let title = "Generalization gap".into();
    Some(Figure { name: "generalisation", title, caption, panels, legend: Vec::new() })
}

/// By how much training is better, whichever way that is.
fn score_gap(run: &RunResults) -> Option<f64> {
    let last = run.curve.last()?;
    Some(last.train?[1] - last.score)
}

fn loss_gap(run: &RunResults) -> Option<f64> {
    let last = run.curve.last()?;
    Some(last.loss - last.train?[0])
}

fn panel(
    study: &Study,
    title: &str,
    scale: Option<Scale>,
    gap: fn(&RunResults) -> Option<f64>,
) -> Panel {
    let written = |gap: f64| match scale {
        Some(scale) => scale.difference(scale.natural(gap)),
        None => format!("{gap:+.4}"),
    };
    let measure = Measure { of: &gap, spread: Spread::Linear, written: &written };
    let (runs, bars) = measure.all(study);
    let most = runs.iter().fold(0f64, |most, gap| most.max(gap.abs()));
    let bars = bars.into_iter().map(|end| end.clamp(-2.0 * most, 2.0 * most));
    let label = scale.map_or("loss", Scale::axis_label);
    let unit = scale.map_or(Unit::Plain, Scale::axis_of_differences);
    let y = Axis::over(label, Spread::Linear, unit, runs.into_iter().chain(bars).chain([0.0]));
    let sizes = study.sizes();
    let mut chart = Chart::new(title, Axis::of_batch_sizes(&sizes), y);
    let (first, last) = (sizes[0] as f64 / 2.0, sizes[sizes.len() - 1] as f64 * 2.0);
    chart.reference(&[[first, 0.0], [last, 0.0]], "no gap");
    measure.draw(study, &mut chart);
    chart.finish()
}
