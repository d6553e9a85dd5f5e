//! What a batch size costs: time of a step, examples a second, peak memory.

use super::{Figure, Study, beside};
use crate::analysis::RunResults;
use crate::format::bytes;
use crate::report::plot::{Axis, Chart, Panel, Spread, Unit, short};

pub(super) fn draw(study: &Study) -> Option<Figure> {
    study.arms().next()?;
    let step = |run: &RunResults| 1e3 * run.train_seconds / run.steps.max(1) as f64;
    let rows = |run: &RunResults| run.examples as f64 / run.train_seconds.max(1e-9);
    let memory = |run: &RunResults| run.peak_memory as f64;
    let panels = vec![
        panel(
            study,
            "time of one update",
            ("milliseconds", Spread::Log10, Unit::Plain),
            step,
            |v| format!("{} ms", short(v)),
        ),
        panel(
            study,
            "examples trained per second",
            ("examples / second", Spread::Linear, Unit::Plain),
            rows,
            |v| format!("{} examples/s", short(v)),
        ),
        panel(
            study,
            "peak memory of a run",
            ("memory", Spread::Linear, Unit::Bytes),
            memory,
            |v| bytes(v.max(0.0) as u64),
        ),
    ];
    let caption = format!(
        "One dot a run ({}), the dashed line through the means. A larger batch makes each update \
         slower, but less than in proportion, so a pass over the data takes less time. These are \
         measurements of this machine, with as many runs at once as it had workers.",
        study.seeds()
    );
    let title = "What a batch size costs".into();
    Some(Figure { name: "cost", title, caption, panels, legend: Vec::new() })
}

fn panel(
    study: &Study,
    title: &str,
    (label, spread, unit): (&str, Spread, Unit),
    of: impl Fn(&RunResults) -> f64,
    written: impl Fn(f64) -> String,
) -> Panel {
    let all = study.arms().flat_map(|arm| arm.runs.values().map(&of));
    let mut y = Axis::over(label, spread, unit, all);
    if spread == Spread::Linear {
        y = y.starting_at_zero();
    }
    let mut chart = Chart::new(title, Axis::of_batch_sizes(&study.sizes()), y);
    let line = study.sizes().into_iter().filter_map(|size| {
        let arms = study.arms().filter(|arm| arm.batch_size == size);
        let values: Vec<f64> = arms.flat_map(|arm| arm.runs.values().map(&of)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (!values.is_empty()).then_some([size as f64, mean])
    });
    chart.reference(&line.collect::<Vec<_>>(), "means");
    for arm in study.arms() {
        for (at, (seed, run)) in arm.runs.iter().enumerate() {
            let value = of(run);
            let says = format!("{}, seed {seed}: {}", arm.name, written(value));
            let shift = beside(at, arm.runs.len());
            chart.seed(arm.batch_size as f64, value, shift, study.mark(arm), &says);
        }
    }
    chart.finish()
}
