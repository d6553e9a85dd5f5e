//! The gradient noise scale in the course of training.

use super::{Figure, Study, distinct};
use crate::analysis::{NoisePoint, NoiseRun, NoiseScale};
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread, Unit, short};

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let runs = &study.results.noise;
    let of_adam = |point: &NoisePoint| point.adam;
    let plain = panel(study, "of the gradient", |point| Some(point.plain))?;
    let panels = [Some(plain), panel(study, "as Adam scales it", of_adam)];
    let sizes = distinct(runs.iter().map(|run| run.batch_size));
    let zone = match critical(study) {
        Some(_) => {
            " The grey zone is the interval of the critical batch size from the figure above."
        }
        None => "",
    };
    let caption = format!(
        "How many examples a gradient must be averaged over before chance is as small in it as what it \
         says: with batches far below this, larger ones give a better direction; far above, they \
         repeat themselves. One line a run ({} runs), bars are 95 % jackknife intervals over parts \
         of the training examples. An arrow: the data tell only that it is more. It describes the \
         training and explains its speed; it recommends nothing.{zone}",
        runs.len()
    );
    Some(Figure {
        name: "noise",
        title: "How noisy the gradient is".into(),
        caption,
        panels: panels.into_iter().flatten().collect(),
        legend: study.legend_of_sizes(&sizes),
    })
}

/// The interval of the critical batch size.
fn critical(study: &Study) -> Option<[f64; 2]> {
    let curve = study.findings.target.as_ref()?.trade_off.filter(|curve| curve.straddled)?;
    curve.interval.map(|interval| [interval.low, interval.high])
}

fn panel(study: &Study, title: &str, of: fn(&NoisePoint) -> Option<NoiseScale>) -> Option<Panel> {
    let runs = &study.results.noise;
    let points = || runs.iter().flat_map(|run| &run.points).filter(|point| of(point).is_some());
    points().next()?;
    let scales = points().filter_map(of);
    let values = scales.flat_map(|scale| {
        let known = scale.value.or(scale.at_least);
        // An interval may be boundless; it is shown as far as ten times the value.
        let ends = scale.interval.zip(scale.value).map(|(interval, value)| {
            [interval.low.max(value / 10.0), interval.high.min(value * 10.0)]
        });
        ends.into_iter().flatten().chain(known).collect::<Vec<_>>()
    });
    let critical = critical(study);
    let values: Vec<f64> = values.chain(critical.into_iter().flatten()).collect();
    let x = points().map(|point| point.examples as f64);
    let x = Axis::over("examples seen", Spread::Linear, Unit::Plain, x);
    let y = Axis::over("noise scale (examples)", Spread::Log10, Unit::Plain, values);
    let mut chart = Chart::new(title, x, y);
    if let Some(ends) = critical {
        chart.between_y(ends, "critical batch size");
    }
    for run in runs {
        draw_run(&mut chart, run, study.mark_of_size(run.batch_size, 0), of);
    }
    Some(chart.finish())
}

fn draw_run(
    chart: &mut Chart,
    run: &NoiseRun,
    mark: Mark,
    of: fn(&NoisePoint) -> Option<NoiseScale>,
) {
    let name = format!("{}, seed {}", run.arm, run.seed);
    let known = run.points.iter().filter_map(|point| {
        let scale = of(point)?;
        Some([point.examples as f64, scale.value.or(scale.at_least)?])
    });
    chart.line(&known.collect::<Vec<_>>(), mark, &name);
    for point in &run.points {
        let Some(scale) = of(point) else { continue };
        let x = point.examples as f64;
        let at = format!("{name}, update {}", point.step);
        match (scale.value, scale.at_least) {
            (Some(value), _) => {
                let mut says = format!("{at}: {}", short(value));
                if let Some(interval) = scale.interval {
                    chart.interval(x, [interval.low, interval.high], 0.0, mark);
                    says += &format!(" ({} to {})", short(interval.low), short(interval.high));
                }
                chart.mean(x, value, 0.0, mark, &says);
            }
            (None, Some(least)) => {
                chart.arrow(
                    x,
                    least,
                    0.0,
                    true,
                    mark,
                    &format!("{at}: more than {}", short(least)),
                );
            }
            (None, None) => {}
        }
    }
}
