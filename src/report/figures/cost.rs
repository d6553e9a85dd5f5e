//! What a batch size costs: time of a step and of an epoch, examples a second, peak memory.

use super::{Figure, Measure, Study, mean_of, range};
use crate::analysis::RunResults;
use crate::format::{bytes, duration};
use crate::report::plot::{Axis, Chart, Panel, Spread, Unit, short};

pub(super) fn draw(study: &Study) -> Option<Figure> {
    study.arms().next()?;
    let step = |run: &RunResults| 1e3 * run.train_seconds / run.steps.max(1) as f64;
    let rows = |run: &RunResults| run.examples as f64 / run.train_seconds.max(1e-9);
    // A run may end within a pass: the time of a whole one follows from its examples.
    let pass = |run: &RunResults| {
        let rows = study.results.examples.train.map_or(run.examples, |rows| rows as u64);
        run.train_seconds * rows as f64 / run.examples.max(1) as f64
    };
    let memory = |run: &RunResults| run.peak_memory as f64;
    let ms = ("milliseconds", Spread::Log10, Unit::Plain);
    let seconds = ("seconds", Spread::Linear, Unit::Plain);
    let rate = ("examples / second", Spread::Linear, Unit::Plain);
    let size = ("memory", Spread::Linear, Unit::Bytes);
    let panels = vec![
        panel(study, "time of a step", ms, step, |v| format!("{} ms", short(v))),
        panel(study, "time of an epoch", seconds, pass, duration),
        panel(study, "examples per second", rate, rows, |v| format!("{} examples/s", short(v))),
        panel(study, "peak memory of a run", size, memory, |v| bytes(v.max(0.0) as u64)),
    ];
    let caption = format!(
        "Small dots are runs ({}), large marks means, bars 95 % t intervals. Training alone, without \
         validation, on this machine with as many runs at once as it had workers.",
        study.seeds()
    );
    let title = "Cost by batch size".into();
    Some(Figure { name: "cost", title, caption, panels, legend: Vec::new() })
}

fn panel(
    study: &Study,
    title: &str,
    (label, spread, unit): (&str, Spread, Unit),
    of: impl Fn(&RunResults) -> f64,
    written: impl Fn(f64) -> String,
) -> Panel {
    let measure = Measure { of: &|run| Some(of(run)), spread, written: &written };
    let (all, bars) = measure.all(study);
    // A bar of few seeds may be wider than everything: it is shown as far as twice the data.
    let [low, high] = range(all.iter().copied());
    let room = (high / low.max(f64::MIN_POSITIVE)).max(1.5);
    let bars = bars.into_iter().map(|end| end.max(low / room).min(high * room.min(2.0)));
    // From 0 on, with room above for every bar.
    let zero = (spread == Spread::Linear).then_some(0.0);
    let mut y = Axis::over(label, spread, unit, all.into_iter().chain(bars).chain(zero));
    if spread == Spread::Linear {
        y = y.starting_at_zero();
    }
    let mut chart = Chart::new(title, Axis::of_batch_sizes(&study.sizes()), y);
    let line = study.sizes().into_iter().filter_map(|size| {
        let arms = study.arms().filter(|arm| arm.batch_size == size);
        let values: Vec<f64> = arms.flat_map(|arm| measure.values(arm)).collect();
        Some([size as f64, mean_of(&values, spread)?.0])
    });
    chart.reference(&line.collect::<Vec<_>>(), "means");
    measure.draw(study, &mut chart);
    chart.finish()
}
