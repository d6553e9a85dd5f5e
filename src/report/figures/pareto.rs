//! Accuracy against time: which arms nobody beats in both.

use super::{Figure, Study};
use crate::analysis::{ArmResults, percent};
use crate::format::duration;
use crate::report::plot::{Axis, Chart, Spread, Unit};

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let arms: Vec<&ArmResults> = study.arms().collect();
    if arms.len() < 2 {
        return None;
    }
    let runs = || arms.iter().flat_map(|arm| arm.runs.values());
    let seconds = || runs().map(|run| run.seconds);
    let (low, high) = seconds().fold((f64::INFINITY, 0f64), |(l, h), s| (l.min(s), h.max(s)));
    let spread = if high > 8.0 * low { Spread::Log10 } else { Spread::Linear };
    let x = Axis::over("seconds of a whole run", spread, Unit::Plain, seconds());
    let what = study.split();
    let accuracies = runs().map(|run| study.accuracy(run));
    let y = Axis::over(&format!("{what} accuracy"), Spread::Linear, Unit::Percent, accuracies);
    let mut chart = Chart::new("the upper left is the best", x, y.within(0.0, 1.0));
    let mut means: Vec<(&ArmResults, [f64; 2])> =
        arms.iter().map(|arm| (*arm, mean(study, arm))).collect();
    means.sort_by(|(_, a), (_, b)| a[0].total_cmp(&b[0]));
    chart.reference(&frontier(&means), "no arm is both faster and more accurate than these");
    for arm in &arms {
        for (seed, run) in &arm.runs {
            let accuracy = study.accuracy(run);
            let (name, took) = (&arm.name, duration(run.seconds));
            let says = format!("{name}, seed {seed}: {} in {took}", percent(accuracy));
            chart.seed(run.seconds, accuracy, 0.0, study.mark(arm), &says);
        }
    }
    for (arm, [x, y]) in &means {
        let says = format!("{}: {} in {} on average", arm.name, percent(*y), duration(*x));
        chart.mean(*x, *y, 0.0, study.mark(arm), &says);
    }
    let caption = format!(
        "Small dots are runs, large marks their means ({}). The dashed line joins the arms that no other \
         arm beats in both time and accuracy, judged by the means alone. Times are those of this machine.",
        study.seeds()
    );
    let title = "Accuracy against time".into();
    let legend = study.legend(&arms);
    Some(Figure { name: "pareto", title, caption, panels: vec![chart.finish()], legend })
}

/// `[seconds, accuracy]`
fn mean(study: &Study, arm: &ArmResults) -> [f64; 2] {
    let over = |values: f64| values / arm.runs.len() as f64;
    let seconds = arm.runs.values().map(|run| run.seconds).sum();
    [over(seconds), over(arm.runs.values().map(|run| study.accuracy(run)).sum())]
}

/// Of points in ascending order of time those above all before them.
fn frontier(means: &[(&ArmResults, [f64; 2])]) -> Vec<[f64; 2]> {
    let mut line: Vec<[f64; 2]> = Vec::new();
    for (_, point) in means {
        if line.last().is_none_or(|last| point[1] > last[1]) {
            line.push(*point);
        }
    }
    line
}
