//! How sharp the minima are, and what lies between two of them.

use super::{ASIDE, Figure, Study, beside, distinct, interval_of, line};
use crate::analysis::SharpnessRun;
use crate::report::plot::{Axis, Chart, Panel, Spread, Unit, short};

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let runs = &study.results.sharpness;
    type Of = fn(&SharpnessRun) -> Option<f64>;
    let measures: [(&str, &str, Of); 4] = [
        ("steepest curvature", "largest Hessian eigenvalue", |r| Some(r.sharpness.top_eigenvalue)),
        ("curvature in all directions", "Hessian trace", |r| Some(r.sharpness.trace)),
        ("sharpness by the weights' sizes", "adaptive sharpness", |r| Some(r.sharpness.adaptive)),
        ("does curvature limit the steps?", "1 = it does", |r| r.sharpness.edge_of_stability),
    ];
    let mut panels: Vec<Panel> = Vec::new();
    for (title, label, of) in measures {
        panels.extend(panel(study, title, label, of));
    }
    panels.extend(against_score(study));
    panels.extend(line::panels(&study.results.lines));
    if panels.is_empty() {
        return None;
    }
    let sizes = distinct(runs.iter().map(|run| run.batch_size));
    let caption = format!(
        "How fast the training loss rises around the final weights; one dot a run ({} runs), bars 95 % t \
         intervals of an arm's mean. Sharpness also changes with the learning rate and the training loss: a \
         relation, not a cause.{}",
        runs.len(),
        line::caption(&study.results.lines)
    );
    Some(Figure {
        name: "sharpness",
        title: "Sharpness of the minima".into(),
        caption,
        panels,
        legend: study.legend_of_sizes(&sizes),
    })
}

fn panel(
    study: &Study,
    title: &str,
    label: &str,
    of: fn(&SharpnessRun) -> Option<f64>,
) -> Option<Panel> {
    let runs = &study.results.sharpness;
    let values: Vec<f64> = runs.iter().filter_map(of).collect();
    if values.is_empty() {
        return None;
    }
    // Far from a minimum curvature may be negative, and then there is no logarithm of it.
    let positive = values.iter().all(|value| *value > 0.0);
    let spread = if positive { Spread::Log10 } else { Spread::Linear };
    let y = Axis::over(label, spread, Unit::Plain, values);
    let sizes = distinct(runs.iter().map(|run| run.batch_size));
    let mut chart = Chart::new(title, Axis::of_batch_sizes(&sizes), y);
    for arm in study.arms() {
        let of_arm = runs.iter().filter(|run| run.arm == arm.name);
        let values: Vec<f64> = of_arm.filter_map(of).collect();
        let others = study.arms().filter(|other| other.batch_size == arm.batch_size);
        let twin = others.take_while(|other| other.name != arm.name).count();
        if let Some(ends) = interval_of(&values, spread) {
            // Beside the dots, arms of one size beside each other.
            let shift = -ASIDE + 6.0 * twin as f64;
            let mark = study.mark_of_size(arm.batch_size, 0);
            chart.interval(arm.batch_size as f64, ends, shift, mark);
        }
    }
    for run in runs {
        let Some(value) = of(run) else { continue };
        let twins: Vec<&SharpnessRun> =
            runs.iter().filter(|other| other.batch_size == run.batch_size).collect();
        let is_it = |other: &&SharpnessRun| other.arm == run.arm && other.seed == run.seed;
        let at = twins.iter().position(is_it).unwrap_or(0);
        let says = format!("{}, seed {}: {}", run.arm, run.seed, short(value));
        let mark = study.mark_of_size(run.batch_size, 0);
        chart.mean(run.batch_size as f64, value, beside(at, twins.len()), mark, &says);
    }
    Some(chart.finish())
}

/// The score against the largest eigenvalue: does one tell the other?
fn against_score(study: &Study) -> Option<Panel> {
    let runs = &study.results.sharpness;
    let values = || runs.iter().map(|run| run.sharpness.top_eigenvalue);
    if runs.len() < 3 || values().any(|value| value <= 0.0) {
        return None;
    }
    let x = Axis::over("largest Hessian eigenvalue", Spread::Log10, Unit::Plain, values());
    let scale = study.scale();
    let scores = runs.iter().map(|run| scale.natural(run.score));
    let label = scale.on(study.results.reported_split());
    let y = Axis::over(&label, Spread::Linear, scale.axis(), scores);
    let y = y.within(scale.limits()[0], scale.limits()[1]);
    let mut chart = Chart::new(&format!("does sharpness tell {}?", scale.title()), x, y);
    for run in runs {
        let says = format!("{}, seed {}: {}", run.arm, run.seed, scale.value(run.score));
        let mark = study.mark_of_size(run.batch_size, 0);
        chart.mean(run.sharpness.top_eigenvalue, scale.natural(run.score), 0.0, mark, &says);
    }
    Some(chart.finish())
}
