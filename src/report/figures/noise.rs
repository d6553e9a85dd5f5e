//! The gradient noise scale in the course of training.

use super::{Figure, Study, distinct};
use crate::analysis::{Median, NoiseArm, NoiseMedian, NoisePoint, NoiseRun, NoiseScale};
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread, Unit, short};

/// With more runs than this the lines are medians over seeds, and runs are dots without bars.
const FEW: usize = 6;

/// What a panel shows.
struct Kind {
    title: &'static str,
    of: fn(&NoisePoint) -> Option<NoiseScale>,
    of_median: fn(&NoiseMedian) -> Option<Median>,
}

const KINDS: [Kind; 2] = [
    Kind {
        title: "of the gradient",
        of: |point| Some(point.plain),
        of_median: |median| Some(median.plain),
    },
    Kind { title: "as Adam scales it", of: |point| point.adam, of_median: |median| median.adam },
];

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let runs = &study.results.noise;
    let panels: Vec<Panel> = KINDS.iter().filter_map(|kind| panel(study, kind)).collect();
    if panels.is_empty() {
        return None;
    }
    let sizes = distinct(runs.iter().map(|run| run.batch_size));
    let zone = match critical(study) {
        Some(_) => " Grey: interval of the critical batch size.",
        None => "",
    };
    let lines = match runs.len() > FEW {
        true => format!("Lines are medians over seeds, dots the {} runs.", runs.len()),
        false => format!(
            "One line a run ({} runs), bars 95 % jackknife intervals over training examples.",
            runs.len()
        ),
    };
    let caption = format!(
        "Examples over which a gradient must be averaged before its noise equals its signal: far below, \
         larger batches help; far above, they repeat themselves. {lines} Arrow: known from below \
         alone.{zone}"
    );
    Some(Figure {
        name: "noise",
        title: "Gradient noise scale".into(),
        caption,
        panels,
        legend: study.legend_of_sizes(&sizes),
    })
}

/// The interval of the critical batch size.
fn critical(study: &Study) -> Option<[f64; 2]> {
    let curve = study.findings.target.as_ref()?.trade_off.filter(|curve| curve.straddled)?;
    curve.interval.map(|interval| [interval.low, interval.high])
}

fn panel(study: &Study, kind: &Kind) -> Option<Panel> {
    let (runs, of) = (&study.results.noise, kind.of);
    // Before the first step there is but a bound, and no place for it on a logarithmic axis.
    let begun = |point: &&NoisePoint| point.examples > 0 && of(point).is_some();
    let points = || runs.iter().flat_map(|run| &run.points).filter(begun);
    points().next()?;
    let scales = points().filter_map(of);
    let values = scales.flat_map(|scale| {
        let known = scale.value.or(scale.at_least.filter(|least| *least >= 1.0));
        // An interval may be boundless; it is shown as far as ten times the value.
        let ends = scale.interval.zip(scale.value).map(|(interval, value)| {
            [interval.low.max(value / 10.0), interval.high.min(value * 10.0)]
        });
        let ends = ends.filter(|_| runs.len() <= FEW);
        ends.into_iter().flatten().chain(known).collect::<Vec<_>>()
    });
    let critical = critical(study);
    let values: Vec<f64> = values.chain(critical.into_iter().flatten()).collect();
    let x = points().map(|point| point.examples as f64);
    let x = Axis::over("examples seen", Spread::Log10, Unit::Plain, x);
    let y = Axis::over("noise scale (examples)", Spread::Log10, Unit::Plain, values);
    let mut chart = Chart::new(kind.title, x, y);
    if let Some(ends) = critical {
        chart.between_y(ends, "critical batch size");
    }
    if runs.len() <= FEW {
        for run in runs {
            draw_run(&mut chart, run, study.mark_of_size(run.batch_size, 0), of);
        }
        return Some(chart.finish());
    }
    for run in runs {
        draw_dots(&mut chart, run, study.mark_of_size(run.batch_size, 0), of);
    }
    for arm in study.findings.noise.iter().flat_map(|found| &found.arms) {
        draw_medians(&mut chart, arm, study.mark_of_size(arm.batch_size, 0), kind.of_median);
    }
    Some(chart.finish())
}

/// The values of a run, as far as they are known.
fn draw_dots(
    chart: &mut Chart,
    run: &NoiseRun,
    mark: Mark,
    of: fn(&NoisePoint) -> Option<NoiseScale>,
) {
    for point in run.points.iter().filter(|point| point.examples > 0) {
        let Some(value) = of(point).and_then(|scale| scale.value) else { continue };
        let says = format!("{}, seed {}, step {}: {}", run.arm, run.seed, point.step, short(value));
        chart.seed(point.examples as f64, value, 0.0, mark, &says);
    }
}

/// Over the seeds of an arm, where as many were measured as at first.
fn draw_medians(
    chart: &mut Chart,
    arm: &NoiseArm,
    mark: Mark,
    of: fn(&NoiseMedian) -> Option<Median>,
) {
    let begun = || arm.points.iter().filter(|point| point.examples > 0);
    let all = begun().map(|point| point.seeds).max().unwrap_or(0);
    let known: Vec<(&NoiseMedian, Median)> = begun()
        .filter(|point| point.seeds == all)
        .filter_map(|point| Some((point, of(point)?)))
        // More than 0 is nothing known.
        .filter(|(_, median)| median.value >= 1.0)
        .collect();
    let told = known.iter().filter(|(_, median)| !median.at_least);
    let line: Vec<[f64; 2]> =
        told.map(|(point, median)| [point.examples as f64, median.value]).collect();
    chart.line(&line, mark, &arm.arm);
    for (point, median) in known {
        let (x, value) = (point.examples as f64, short(median.value));
        let at = format!("{}, step {}", arm.arm, point.step);
        match median.at_least {
            true => {
                let says = format!("{at}: more than {value} in the median");
                chart.arrow(x, median.value, 0.0, true, mark, &says);
            }
            false => {
                let says = format!("{at}: {value} in the median");
                chart.mean(x, median.value, 0.0, mark, &says);
            }
        }
    }
}

fn draw_run(
    chart: &mut Chart,
    run: &NoiseRun,
    mark: Mark,
    of: fn(&NoisePoint) -> Option<NoiseScale>,
) {
    let name = format!("{}, seed {}", run.arm, run.seed);
    let begun = || run.points.iter().filter(|point| point.examples > 0);
    let known = begun().filter_map(|point| {
        let scale = of(point)?;
        Some([point.examples as f64, scale.value?])
    });
    chart.line(&known.collect::<Vec<_>>(), mark, &name);
    for point in begun() {
        let Some(scale) = of(point) else { continue };
        let x = point.examples as f64;
        let at = format!("{name}, step {}", point.step);
        match (scale.value, scale.at_least) {
            (Some(value), _) => {
                let mut says = format!("{at}: {}", short(value));
                if let Some(interval) = scale.interval {
                    chart.interval(x, [interval.low, interval.high], 0.0, mark);
                    says += &format!(" ({} to {})", short(interval.low), short(interval.high));
                }
                chart.mean(x, value, 0.0, mark, &says);
            }
            (None, Some(least)) if least >= 1.0 => {
                let says = format!("{at}: more than {}", short(least));
                chart.arrow(x, least, 0.0, true, mark, &says);
            }
            _ => {}
        }
    }
}
