//! Training against validation: how far what was learned carries to other examples.

use super::{Figure, Measure, Study};
use crate::analysis::RunResults;
use crate::format::signed_points;
use crate::report::plot::{Axis, Chart, Panel, Spread, Unit};

pub(super) fn draw(study: &Study) -> Option<Figure> {
    study.arms().flat_map(|arm| arm.runs.values()).find_map(accuracy_gap)?;
    let panels = vec![
        panel(study, "accuracy: training minus validation", Unit::Points, accuracy_gap),
        panel(study, "loss: validation minus training", Unit::Plain, loss_gap),
    ];
    let caption = format!(
        "0 = no gap; higher = more overfitting. After the last epoch; small dots are seeds, large marks \
         means, bars 95 % t intervals ({}). Training metrics are means over the epoch.",
        study.seeds()
    );
    let title = "Generalization gap".into();
    Some(Figure { name: "generalisation", title, caption, panels, legend: Vec::new() })
}

fn accuracy_gap(run: &RunResults) -> Option<f64> {
    let last = run.curve.last()?;
    Some(last.train?[1] - last.accuracy)
}

fn loss_gap(run: &RunResults) -> Option<f64> {
    let last = run.curve.last()?;
    Some(last.loss - last.train?[0])
}

fn panel(study: &Study, title: &str, unit: Unit, gap: fn(&RunResults) -> Option<f64>) -> Panel {
    let written = |gap: f64| match unit {
        Unit::Points => format!("{} points", signed_points(gap)),
        _ => format!("{gap:+.4}"),
    };
    let measure = Measure { of: &gap, spread: Spread::Linear, written: &written };
    let (runs, bars) = measure.all(study);
    let most = runs.iter().fold(0f64, |most, gap| most.max(gap.abs()));
    let bars = bars.into_iter().map(|end| end.clamp(-2.0 * most, 2.0 * most));
    let label = if unit == Unit::Points { "points" } else { "loss" };
    let y = Axis::over(label, Spread::Linear, unit, runs.into_iter().chain(bars).chain([0.0]));
    let sizes = study.sizes();
    let mut chart = Chart::new(title, Axis::of_batch_sizes(&sizes), y);
    let (first, last) = (sizes[0] as f64 / 2.0, sizes[sizes.len() - 1] as f64 * 2.0);
    chart.reference(&[[first, 0.0], [last, 0.0]], "no gap");
    measure.draw(study, &mut chart);
    chart.finish()
}
