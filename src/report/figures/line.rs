//! What lies between two solutions: loss and metric on the straight line from one to the other, of
//! all seeds together.

use super::range;
use crate::analysis::{Line, LinePoint};
use crate::format::counted;
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread, Unit, short};
use crate::report::words::Scale;

/// What is drawn of a point.
type Value<'v> = &'v dyn Fn(&LinePoint) -> f64;

/// Loss and metric; none where no line was measured.
pub(super) fn panels(lines: &[Line]) -> Vec<Panel> {
    let lines = of_one_pair(lines);
    let Some(first) = lines.first() else { return Vec::new() };
    let scale = Scale::new(first.metric, None);
    vec![
        panel(&lines, "loss", Unit::Plain, &|[loss, _]| loss),
        panel(&lines, scale.title(), scale.axis(), &|[_, value]| scale.natural(value)),
    ]
}

/// What they show; empty where there are none.
pub(super) fn caption(lines: &[Line]) -> String {
    let lines = of_one_pair(lines);
    let Some(first) = lines.first() else { return String::new() };
    let seeds = match lines.len() {
        1 => format!("both of seed {}", first.seed),
        many => format!(
            "seed by seed: means over n = {}, in bands from the lowest seed to the highest",
            counted(many, "seed")
        ),
    };
    format!(
        " The last two panels go straight from the solution of {} (0) to that of {} (1), {seeds}; solid: \
         training, dashed: validation. A hump between them means separate valleys.",
        first.small, first.large
    )
}

/// The lines between the arms of the first one that were measured at the same places.
fn of_one_pair(lines: &[Line]) -> Vec<&Line> {
    let places = |line: &Line| -> Vec<u64> {
        line.points.iter().map(|point| point.alpha.to_bits()).collect()
    };
    let is_like =
        |a: &Line, b: &Line| (&a.small, &a.large) == (&b.small, &b.large) && places(a) == places(b);
    let first = lines.first();
    lines.iter().filter(|line| first.is_some_and(|first| is_like(line, first))).collect()
}

fn panel(lines: &[&Line], label: &str, unit: Unit, of: &dyn Fn([f64; 2]) -> f64) -> Panel {
    let points = || lines.iter().flat_map(|line| &line.points);
    let x = Axis::over(
        "from the small batch (0) to the large one (1)",
        Spread::Linear,
        Unit::Plain,
        points().map(|point| point.alpha),
    );
    let all = points().flat_map(|point| [of(point.train), of(point.validation)]);
    let y = Axis::over(label, Spread::Linear, unit, all);
    let [low, high] = y.ends();
    let mut chart = Chart::new(&format!("{label} between two solutions"), x, y);
    for (end, arm) in [(0.0, &lines[0].small), (1.0, &lines[0].large)] {
        chart.reference(&[[end, low], [end, high]], arm);
    }
    course(&mut chart, lines, ("training", Mark::plain(), unit), &|point| of(point.train));
    let validation = ("validation", Mark::dashed(1), unit);
    course(&mut chart, lines, validation, &|point| of(point.validation));
    chart.finish()
}

/// The mean over the seeds in the band that they span.
fn course(chart: &mut Chart, lines: &[&Line], (name, mark, unit): (&str, Mark, Unit), of: Value) {
    let at = |place: usize| {
        let values = || lines.iter().map(|line| of(&line.points[place]));
        let mean = values().sum::<f64>() / lines.len() as f64;
        (lines[0].points[place].alpha, mean, range(values()))
    };
    let points: Vec<(f64, f64, [f64; 2])> = (0..lines[0].points.len()).map(at).collect();
    if lines.len() > 1 {
        let band: Vec<[f64; 3]> =
            points.iter().map(|(x, _, [low, high])| [*x, *low, *high]).collect();
        chart.band(&band, mark, &format!("{name}: all seeds"));
    }
    chart.line(&points.iter().map(|(x, mean, _)| [*x, *mean]).collect::<Vec<_>>(), mark, name);
    for (x, mean, ends) in points {
        let [low, high] = ends.map(|end| unit.written(end));
        let range = match lines.len() {
            1 => String::new(),
            _ => format!(" on average, seeds {low} to {high}"),
        };
        let says = format!("{name}, {}: {}{range}", short(x), unit.written(mean));
        chart.seed(x, mean, 0.0, mark, &says);
    }
}
