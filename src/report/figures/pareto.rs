//! The score against what it costs: which arms no other beats in both.

use super::{Figure, Study, range};
use crate::analysis::{ArmFinding, ArmResults, Front, NEGLIGIBLE_RATIO, Price, RunResults, reach};
use crate::format::{bytes, count, duration};
use crate::report::plot::{Axis, Chart, Panel, Spread, Unit};
use crate::report::words;

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let fronts = study.findings.fronts.iter().filter(|front| matters(study, front));
    let panels: Vec<Panel> = fronts.map(|front| panel(study, front)).collect();
    if panels.is_empty() {
        return None;
    }
    let arms: Vec<&ArmResults> = compared(study).into_iter().map(|(_, arm)| arm).collect();
    let to_target = study.findings.fronts.iter().any(|f| f.price == Price::SecondsToTarget);
    let target =
        study.findings.target.as_ref().filter(|_| to_target).map_or(String::new(), |target| {
            format!(
                " Target: {}; arms of which a run missed it have no mark.",
                words::target(&target.target, study.scale())
            )
        });
    let caption = format!(
        "Small dots are runs, large marks means ({}), bars 95 % t intervals. Dashed: arms that no other \
         beats in both means (Pareto front). {}; time and memory of this machine.{target}",
        study.seeds(),
        study.scale().on("Validation")
    );
    let legend = study.legend(&arms);
    Some(Figure {
        name: "pareto",
        title: study.scale().capital() + " vs. cost",
        caption,
        panels,
        legend,
    })
}

/// Whether arms differ in the price: a few pages of memory more are no matter.
fn matters(study: &Study, front: &Front) -> bool {
    let target = study.findings.target.as_ref();
    let prices =
        study.findings.comparison.arms.iter().filter_map(|arm| front.price.of(arm, target));
    let [low, high] = range(prices);
    front.price != Price::Memory || high > NEGLIGIBLE_RATIO * low
}

/// The arms that stand in the comparison and have runs.
fn compared<'s>(study: &Study<'s>) -> Vec<(&'s ArmFinding, &'s ArmResults)> {
    let findings = study.findings;
    let all =
        findings.comparison.arms.iter().map(|arm| (arm, findings.results(study.results, arm)));
    all.filter(|(_, arm)| !arm.runs.is_empty()).collect()
}

/// `None` where a run did not reach the target.
fn of_run(study: &Study, price: Price, run: &RunResults) -> Option<f64> {
    Some(match price {
        Price::Seconds => run.seconds,
        Price::Steps => run.steps as f64,
        Price::Examples => run.examples as f64,
        Price::Memory => run.peak_memory as f64,
        Price::SecondsToTarget => {
            let target = &study.findings.target.as_ref()?.target;
            reach(&run.curve, target)?.reached()?.seconds
        }
    })
}

fn written(price: Price, value: f64) -> String {
    match price {
        Price::Seconds | Price::SecondsToTarget => duration(value),
        Price::Steps => format!("{} steps", count(value.round() as u64)),
        Price::Examples => format!("{} examples", count(value.round() as u64)),
        Price::Memory => bytes(value as u64),
    }
}

fn panel(study: &Study, front: &Front) -> Panel {
    let (title, label, unit) = match front.price {
        Price::Seconds => ("against time", "seconds of a whole run", Unit::Plain),
        Price::Steps => ("against steps", "steps of a run", Unit::Plain),
        Price::Examples => ("against examples", "examples of a run", Unit::Plain),
        Price::Memory => ("against memory", "peak memory of a run", Unit::Bytes),
        Price::SecondsToTarget => {
            ("against time to the target", "seconds to the target", Unit::Plain)
        }
    };
    let arms = compared(study);
    let runs = || arms.iter().flat_map(|(_, arm)| arm.runs.values());
    let prices = || runs().filter_map(|run| of_run(study, front.price, run));
    let [low, high] = range(prices());
    let spread = if high > 8.0 * low { Spread::Log10 } else { Spread::Linear };
    let x = Axis::over(label, spread, unit, prices());
    let scale = study.scale();
    let scores = runs().map(|run| scale.natural(run.validation));
    let y = Axis::over(&scale.on("validation"), Spread::Linear, scale.axis(), scores);
    let y = y.within(scale.limits()[0], scale.limits()[1]);
    let mut chart = Chart::new(title, x, y);
    let mean = |arm: &ArmFinding| {
        let price = front.price.of(arm, study.findings.target.as_ref())?;
        Some([price, arm.validation?.summary.mean])
    };
    let all = &study.findings.comparison.arms;
    let place =
        |place: &usize| mean(&all[*place]).map(|[price, score]| [price, scale.natural(score)]);
    let line: Vec<[f64; 2]> = front.places.iter().filter_map(place).collect();
    let says = format!("no arm is both cheaper and {} than these", scale.better());
    chart.reference(&line, &says);
    for (_, arm) in &arms {
        for (seed, run) in &arm.runs {
            let Some(price) = of_run(study, front.price, run) else { continue };
            let (score, cost) = (scale.value(run.validation), written(front.price, price));
            let says = format!("{}, seed {seed}: {score} for {cost}", arm.name);
            chart.seed(price, scale.natural(run.validation), 0.0, study.mark(arm), &says);
        }
    }
    for (found, arm) in &arms {
        let Some([price, score]) = mean(found) else { continue };
        if let Some(interval) = found.validation.and_then(|found| found.interval) {
            chart.interval(
                price,
                scale.natural_pair([interval.low, interval.high]),
                0.0,
                study.mark(arm),
            );
        }
        let cost = written(front.price, price);
        let says = format!("{}: {} for {cost} on average", arm.name, scale.value(score));
        chart.mean(price, scale.natural(score), 0.0, study.mark(arm), &says);
    }
    chart.finish()
}
