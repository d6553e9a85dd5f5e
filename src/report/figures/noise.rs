//! The gradient noise scale in the course of training.

use super::{Figure, Study, distinct};
use crate::analysis::{Median, NoiseArm, NoiseMedian, NoisePoint, NoiseRun, NoiseScale};
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread, Unit, short};
use crate::stats::Interval;

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
    let few = runs.len() <= FEW;
    for run in runs {
        let mark = study.mark_of_size(run.batch_size, 0);
        match few {
            true => draw_course(&mut chart, &name(run), "", mark, &dots(run, of)),
            false => draw_dots(&mut chart, &name(run), mark, &dots(run, of)),
        }
    }
    for arm in study.findings.noise.iter().flat_map(|found| &found.arms).filter(|_| !few) {
        let mark = study.mark_of_size(arm.batch_size, 0);
        let medians = medians(arm, kind.of_median);
        draw_course(&mut chart, &arm.arm, " in the median", mark, &medians);
    }
    Some(chart.finish())
}

/// A value that is drawn.
struct Dot {
    step: u64,
    examples: f64,
    value: f64,
    /// Whether the truth is known to lie above.
    is_bound: bool,
    interval: Option<Interval>,
}

/// The values of a run, from its first step on.
fn dots(run: &NoiseRun, of: fn(&NoisePoint) -> Option<NoiseScale>) -> Vec<Dot> {
    let dot = |point: &NoisePoint| {
        let scale = of(point)?;
        // More than 0 is nothing known.
        let bound = scale.at_least.filter(|least| *least >= 1.0);
        let (value, is_bound) = (scale.value.or(bound)?, scale.value.is_none());
        let (step, examples, interval) = (point.step, point.examples as f64, scale.interval);
        Some(Dot { step, examples, value, is_bound, interval })
    };
    run.points.iter().filter(|point| point.examples > 0).filter_map(dot).collect()
}

/// Over the seeds of an arm, where as many were measured as at first.
fn medians(arm: &NoiseArm, of: fn(&NoiseMedian) -> Option<Median>) -> Vec<Dot> {
    let begun = || arm.points.iter().filter(|point| point.examples > 0);
    let all = begun().map(|point| point.seeds).max().unwrap_or(0);
    let dot = |point: &NoiseMedian| {
        let Median { value, at_least } = of(point).filter(|median| median.value >= 1.0)?;
        let (step, examples) = (point.step, point.examples as f64);
        Some(Dot { step, examples, value, is_bound: at_least, interval: None })
    };
    begun().filter(|point| point.seeds == all).filter_map(dot).collect()
}

fn name(run: &NoiseRun) -> String {
    format!("{}, seed {}", run.arm, run.seed)
}

/// The values as far as they are known.
fn draw_dots(chart: &mut Chart, name: &str, mark: Mark, dots: &[Dot]) {
    for dot in dots.iter().filter(|dot| !dot.is_bound) {
        let says = format!("{name}, step {}: {}", dot.step, short(dot.value));
        chart.seed(dot.examples, dot.value, 0.0, mark, &says);
    }
}

/// A line through the values that are known, and all of them.
fn draw_course(chart: &mut Chart, name: &str, how: &str, mark: Mark, dots: &[Dot]) {
    let known = dots.iter().filter(|dot| !dot.is_bound);
    chart.line(&known.map(|dot| [dot.examples, dot.value]).collect::<Vec<_>>(), mark, name);
    for Dot { step, examples, value, is_bound, interval } in dots {
        let (at, said) = (format!("{name}, step {step}"), short(*value));
        if *is_bound {
            let says = format!("{at}: more than {said}{how}");
            chart.arrow(*examples, *value, 0.0, true, mark, &says);
            continue;
        }
        let mut says = format!("{at}: {said}{how}");
        if let Some(Interval { low, high }) = *interval {
            chart.interval(*examples, [low, high], 0.0, mark);
            says += &format!(" ({} to {})", short(low), short(high));
        }
        chart.mean(*examples, *value, 0.0, mark, &says);
    }
}
