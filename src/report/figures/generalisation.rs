//! Training against validation: how far what was learned carries to other examples.

use super::{ASIDE, Figure, Study, beside};
use crate::analysis::{ArmResults, RunResults};
use crate::format::signed_points;
use crate::report::plot::{Axis, Chart, Panel, Spread, Unit};
use crate::stats::summarise;

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

type Gap = fn(&RunResults) -> Option<f64>;

fn panel(study: &Study, title: &str, unit: Unit, gap: Gap) -> Panel {
    let gaps = |arm: &ArmResults| arm.runs.values().filter_map(gap).collect::<Vec<f64>>();
    let bounds = |arm: &ArmResults| {
        let interval = summarise(&gaps(arm))?.interval(crate::analysis::CONFIDENCE)?;
        Some([interval.low, interval.high])
    };
    let runs: Vec<f64> = study.arms().flat_map(gaps).collect();
    let most = runs.iter().fold(0f64, |most, gap| most.max(gap.abs()));
    let bars =
        study.arms().filter_map(bounds).flatten().map(|end| end.clamp(-2.0 * most, 2.0 * most));
    let shown = runs.iter().copied().chain(bars).chain([0.0]);
    let label = if unit == Unit::Points { "points" } else { "loss" };
    let y = Axis::over(label, Spread::Linear, unit, shown);
    let sizes = study.sizes();
    let mut chart = Chart::new(title, Axis::of_batch_sizes(&sizes), y);
    let (first, last) = (sizes[0] as f64 / 2.0, sizes[sizes.len() - 1] as f64 * 2.0);
    chart.reference(&[[first, 0.0], [last, 0.0]], "no gap");
    for arm in study.arms() {
        let (x, mark) = (arm.batch_size as f64, study.mark(arm));
        let written = |gap: f64| match unit {
            Unit::Points => format!("{} points", signed_points(gap)),
            _ => format!("{gap:+.4}"),
        };
        for (at, (seed, run)) in arm.runs.iter().enumerate() {
            if let Some(gap) = gap(run) {
                let says = format!("{}, seed {seed}: {}", arm.name, written(gap));
                chart.seed(x, gap, ASIDE + beside(at, arm.runs.len()), mark, &says);
            }
        }
        if let Some(ends) = bounds(arm) {
            chart.interval(x, ends, 0.0, mark);
        }
        if let Some(of) = summarise(&gaps(arm)) {
            let says = format!("{}: {} on average", arm.name, written(of.mean));
            chart.mean(x, of.mean, 0.0, mark, &says);
        }
    }
    chart.finish()
}
