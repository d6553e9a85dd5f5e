//! Steps and examples that it takes to reach a target, against batch size.

use super::{ASIDE, Figure, Study, beside, interval_of};
use crate::analysis::{ArmResults, Cost, Reach, TargetFinding, TradeOff, reach};
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread, Unit, short};
use crate::report::words;
use crate::stats::Interval;

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let target = study.findings.target.as_ref()?;
    let reached = target.arms.iter().filter(|arm| arm.reached > 0);
    let mut sizes: Vec<usize> = reached.map(|arm| arm.batch_size).collect();
    sizes.dedup();
    if sizes.len() < 2 {
        return None;
    }
    let panels = vec![
        panel(study, target, "steps needed", "steps", |cost| cost.steps, true),
        panel(study, target, "examples needed", "examples", |cost| cost.examples, false),
    ];
    let fitted = match told(target) {
        None => " The critical batch size could not be estimated, so no curve is drawn.",
        Some(_) if target.of_several_rates => {
            " Solid: steps = Smin + Emin / B, at the learning rate with the fewest steps of each size."
        }
        Some(_) => " Solid: steps = Smin + Emin / B.",
    };
    let band = match told(target).and_then(|curve| curve.interval) {
        Some(_) => " Grey: 95 % interval of the critical batch size (bootstrap over seeds).",
        None => "",
    };
    let caption = format!(
        "To reach {}: one mark a run ({}), bars 95 % t intervals where all runs reach it. Dashed: doubling \
         the batch halves the steps.{fitted}{band} Arrow up: never reached; arrow down: reached before the \
         first measurement.",
        words::target(&target.target, study.scale()),
        study.seeds()
    );
    let title = "Training needed to reach the target".into();
    Some(Figure { name: "target", title, caption, panels, legend: Vec::new() })
}

/// The curve, where the runs tell the critical batch size.
fn told(target: &TargetFinding) -> Option<&TradeOff> {
    target.trade_off.as_ref().filter(|curve| curve.straddled)
}

fn panel(
    study: &Study,
    target: &TargetFinding,
    title: &str,
    label: &str,
    of: fn(&Cost) -> f64,
    steps: bool,
) -> Panel {
    let cost = |reach: &Reach| match reach {
        Reach::At(cost) | Reach::Before(cost) | Reach::Never(cost) => of(cost),
    };
    let arms = || study.arms();
    let reaches = arms().flat_map(|arm| {
        arm.runs.values().filter_map(|run| reach(&run.curve, &target.target)).map(|r| cost(&r))
    });
    let sizes = study.sizes();
    let y = Axis::over(label, Spread::Log10, Unit::Plain, reaches);
    let [low, high] = y.ends();
    let mut chart = Chart::new(title, Axis::of_batch_sizes(&sizes), y);
    let (first, last) = (sizes[0] as f64, sizes[sizes.len() - 1] as f64);
    if let Some(curve) = told(target)
        && let Some(Interval { low, high }) = curve.interval
    {
        let says = format!(
            "critical batch size: {} ({} to {})",
            short(curve.critical),
            short(low),
            short(high)
        );
        chart.between_x([low, high], &says);
    }
    let smallest = target.arms.iter().filter(|arm| arm.reached > 0).min_by_key(|a| a.batch_size);
    if let Some((size, Some(from))) = smallest.map(|arm| {
        let mean = if steps { arm.steps } else { arm.examples };
        (arm.batch_size as f64, mean.map(|summary| summary.mean))
    }) {
        let perfect = |b: f64| if steps { from * size / b } else { from };
        // Up to where it leaves the panel, so that it stays straight.
        let end = if steps { last.min(from * size / low) } else { last };
        let start = if steps { first.max(from * size / high) } else { first };
        chart.reference(&[[start, perfect(start)], [end, perfect(end)]], "perfect scaling");
    }
    if let Some(curve) = told(target) {
        let at = |i: u32| first * (last / first).powf(f64::from(i) / 40.0);
        let value = |b: f64| if steps { curve.steps(b) } else { b * curve.steps(b) };
        let line: Vec<[f64; 2]> = (0..=40).map(at).map(|b| [b, value(b)]).collect();
        let inside = line.into_iter().filter(|[_, y]| (low..=high).contains(y));
        chart.line(&inside.collect::<Vec<_>>(), Mark::plain(), "fitted: Smin + Emin / B");
    }
    for arm in arms() {
        let (x, mark) = (arm.batch_size as f64, study.mark(arm));
        if let Some(ends) = bar(arm, target, of) {
            chart.interval(x, ends, -ASIDE, mark);
        }
        for (at, (seed, run)) in arm.runs.iter().enumerate() {
            let Some(reach) = reach(&run.curve, &target.target) else { continue };
            let (value, shift) = (cost(&reach), beside(at, arm.runs.len()));
            let says =
                |how: &str| format!("{}, seed {seed}: {how} {} {label}", arm.name, short(value));
            match reach {
                Reach::At(_) => chart.mean(x, value, shift, mark, &says("about")),
                Reach::Before(_) => chart.arrow(x, value, shift, false, mark, &says("at most")),
                Reach::Never(_) => chart.arrow(x, value, shift, true, mark, &says("more than")),
            }
        }
    }
    chart.finish()
}

/// The interval of what an arm's runs took; `None` where some never got there: a mean of the others
/// would flatter.
fn bar(arm: &ArmResults, target: &TargetFinding, of: fn(&Cost) -> f64) -> Option<[f64; 2]> {
    let cost = |curve| Some(of(&reach(curve, &target.target)?.reached()?));
    let costs = arm.runs.values().map(|run| cost(&run.curve));
    interval_of(&costs.collect::<Option<Vec<f64>>>()?, Spread::Log10)
}
