//! Learning curves: validation accuracy against epochs, updates, examples and seconds.

use super::{Figure, Study};
use crate::analysis::{ArmResults, Point, percent};
use crate::report::plot::{Axis, Chart, Panel, Spread, Unit};

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let arms = study.few_arms();
    if !arms.iter().any(|arm| common(arm) > 1) {
        return None;
    }
    let rows = study.results.examples[0].filter(|rows| *rows > 0);
    let epochs = |point: &Point| point.examples as f64 / rows.unwrap_or(1) as f64;
    let draw = |title, label, of: &dyn Fn(&Point) -> f64| panel(study, &arms, title, label, of);
    let panels = vec![
        match rows {
            Some(_) => draw("against passes over the data", "epochs", &epochs),
            None => draw("against examples", "examples seen", &epochs),
        },
        draw("against updates", "updates", &|point| point.step as f64),
        draw("against time", "seconds", &|point| point.seconds),
    ];
    let caption = format!(
        "The same runs on different clocks. Lines are means over seeds ({}), the shaded bands reach \
         from the lowest to the highest seed. Against passes over the data, small batches often look \
         better because they make more updates per pass; against updates that advantage is gone, and \
         against time it depends on how long a step takes.{}",
        study.seeds(),
        study.which_arms()
    );
    let (title, legend) = ("How the runs learned".into(), study.legend(&arms));
    Some(Figure { name: "curves", title, caption, panels, legend })
}

/// Points that all runs of an arm have.
fn common(arm: &ArmResults) -> usize {
    arm.runs.values().map(|run| run.curve.len()).min().unwrap_or(0)
}

fn panel(
    study: &Study,
    arms: &[&ArmResults],
    title: &str,
    label: &str,
    of: &dyn Fn(&Point) -> f64,
) -> Panel {
    let all = || arms.iter().flat_map(|arm| arm.runs.values().flat_map(|run| &run.curve));
    // Updates span as many octaves as batch sizes do.
    let ends = |arm: &&ArmResults| {
        arm.runs.values().filter_map(|run| run.curve.last()).map(of).fold(0.0, f64::max)
    };
    let longest = arms.iter().map(ends).fold(0.0, f64::max);
    let shortest = arms.iter().map(ends).fold(f64::INFINITY, f64::min);
    let spread = if longest > 6.0 * shortest { Spread::Log10 } else { Spread::Linear };
    let x = Axis::over(label, spread, Unit::Plain, all().map(of));
    let accuracies = all().map(|point| point.accuracy);
    let y = Axis::over("validation accuracy", Spread::Linear, Unit::Percent, accuracies);
    let mut chart = Chart::new(title, x, y.within(0.0, 1.0));
    let drawn: Vec<_> = arms.iter().map(|arm| (*arm, means(arm, of))).collect();
    for (arm, points) in &drawn {
        if arm.runs.len() > 1 {
            let band: Vec<[f64; 3]> = points.iter().map(|p| [p[0], p[2], p[3]]).collect();
            chart.band(&band, study.mark(arm), &format!("{}: all seeds", arm.name));
        }
    }
    for (arm, points) in &drawn {
        let (line, mark): (Vec<_>, _) =
            (points.iter().map(|p| [p[0], p[1]]).collect(), study.mark(arm));
        chart.line(&line, mark, &arm.name);
        for [x, mean, low, high] in points {
            let says = format!(
                "{}, {label} {}: {} on average, seeds {} to {}",
                arm.name,
                crate::report::plot::short(*x),
                percent(*mean),
                percent(*low),
                percent(*high)
            );
            chart.seed(*x, *mean, 0.0, mark, &says);
        }
    }
    chart.finish()
}

/// `[x, mean, lowest, highest]` at each point that all seeds have.
fn means(arm: &ArmResults, of: &dyn Fn(&Point) -> f64) -> Vec<[f64; 4]> {
    let seeds = arm.runs.len() as f64;
    let at = |at: usize| {
        let points = || arm.runs.values().map(move |run| &run.curve[at]);
        let x = points().map(of).sum::<f64>() / seeds;
        let mean = points().map(|point| point.accuracy).sum::<f64>() / seeds;
        let low = points().map(|point| point.accuracy).fold(f64::INFINITY, f64::min);
        let high = points().map(|point| point.accuracy).fold(f64::NEG_INFINITY, f64::max);
        [x, mean, low, high]
    };
    (0..common(arm)).map(at).collect()
}
