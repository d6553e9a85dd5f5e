//! The best learning rate against batch size, beside the rules of thumb.

use super::{Figure, Study};
use crate::analysis::{MORE_STEPS, RateFinding, RateOptimum, RateScaling};
use crate::report::plot::{Axis, Chart, Mark, Spread, Unit, short};
use crate::report::words;
use crate::stats::{Edge, Interval};

const RULES: [(f64, &str); 3] = [(0.0, "the same rate"), (0.5, "square root"), (1.0, "linear")];

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let found = study.findings.rates.as_ref()?;
    let [first, .., last] = &found.sizes[..] else { return None };
    let (from, to) = (first.batch_size as f64, last.batch_size as f64);
    let rule = |power: f64, size: f64| first.optimum * (size / from).powf(power);
    let sizes: Vec<usize> = found.sizes.iter().map(|best| best.batch_size).collect();
    let good = found.sizes.iter().flat_map(|best| [best.good[0], best.good[1], best.optimum]);
    let y =
        Axis::over("learning rate", Spread::Log10, Unit::Plain, good.chain([1.4 * rule(1.0, to)]));
    let rates = y.ends();
    let mut chart = Chart::new("the best learning rate", Axis::of_batch_sizes(&sizes), y);
    for (power, words) in RULES {
        chart.reference(&[[from, rule(power, from)], [to, rule(power, to)]], words);
        chart.text(to, rule(power, to), [-14.0, -6.0], "label", words);
    }
    if let Some(line) = &found.scaling {
        if let Some(ends) = line.interval {
            let band = band(line, ends, [from, to], rates);
            let says = format!("95 % interval of the power: {:.2} to {:.2}", ends.low, ends.high);
            chart.band(&band, Mark::plain(), &says);
        }
        let says = format!("fitted: batch size to the power {:.2}", line.exponent);
        chart.line(&[[from, line.rate(from)], [to, line.rate(to)]], Mark::plain(), &says);
    }
    for best in &found.sizes {
        draw_optimum(&mut chart, best, study.mark_of_size(best.batch_size, 0));
    }
    Some(Figure {
        name: "rate-law",
        title: "How the best learning rate moves with the batch size".into(),
        caption: caption(study, found),
        panels: vec![chart.finish()],
        legend: Vec::new(),
    })
}

/// What the ends of the power's interval make of the line, turned about the middle of the batch sizes
/// that it was fitted to.
fn band(
    line: &RateScaling,
    ends: Interval,
    [from, to]: [f64; 2],
    [lowest, highest]: [f64; 2],
) -> Vec<[f64; 3]> {
    let logs = line.batch_sizes.iter().map(|size| (*size as f64).ln());
    let middle = (logs.sum::<f64>() / line.batch_sizes.len() as f64).exp();
    let at = |step: u32| {
        let size = from * (to / from).powf(f64::from(step) / 20.0);
        let rate = |power: f64| line.rate(middle) * (size / middle).powf(power);
        let (a, b) = (rate(ends.low), rate(ends.high));
        // A wide one leaves the panel.
        [size, a.min(b).clamp(lowest, highest), a.max(b).clamp(lowest, highest)]
    };
    (0..=20).map(at).collect()
}

fn draw_optimum(chart: &mut Chart, best: &RateOptimum, mark: Mark) {
    let (x, rate) = (best.batch_size as f64, short(best.optimum));
    let mut says = format!("batch {}: {rate} is the best", best.batch_size);
    says += &format!(", good from {} to {}", short(best.good[0]), short(best.good[1]));
    if let Some(edge) = best.edge {
        says += ", at the end of those tried";
        chart.arrow(x, best.optimum, 0.0, edge == Edge::Highest, mark, &says);
    }
    chart.interval(x, best.good, 0.0, mark);
    chart.mean(x, best.optimum, 0.0, mark, &says);
}

fn caption(study: &Study, found: &RateFinding) -> String {
    let seeds = found.tried.iter().flat_map(|of| &of.trials).map(|trial| trial.validation.len());
    let fitted = match (&found.scaling, &found.no_scaling) {
        (Some(line), _) => format!(
            " Solid: batch size to the power {}, band by bootstrap over seeds.",
            words::power(line)
        ),
        (None, Some(reason)) => format!(" No line is fitted: {}.", words::no_scaling(*reason)),
        (None, None) => String::new(),
    };
    let (by, good) = match found.is_to_target() {
        true => (
            "steps to the target".to_owned(),
            format!("take at most {MORE_STEPS} times as many steps"),
        ),
        false => {
            let scale = study.scale();
            let margin = scale.amount(study.results.margin);
            (scale.on("validation"), format!("come within {margin}"))
        }
    };
    format!(
        "Marks: the best learning rate by {by}, the top of a parabola through the best one tried and its \
         neighbours (n = {} seeds). Bars are no intervals: they join the rates that {good}. Dashed: rules \
         of thumb from the smallest batch size on. Arrow: the best was the last one tried on that \
         side.{fitted}",
        seeds.max().unwrap_or(0),
    )
}
