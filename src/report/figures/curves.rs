//! Learning curves: the validation score against epochs (and so examples), updates and seconds, and
//! validation loss against epochs.

use super::{Figure, Study, range};
use crate::analysis::{ArmResults, Point};
use crate::format::{count, counted};
use crate::report::plot::{Axis, Chart, Panel, Spread, Unit, short};
use crate::report::words::Scale;

/// What is drawn upwards.
#[derive(Clone, Copy)]
enum Height {
    Score(Scale),
    Loss,
}

impl Height {
    fn of(self, point: &Point) -> f64 {
        match self {
            Self::Score(scale) => scale.natural(point.score),
            Self::Loss => point.loss,
        }
    }

    /// Its axis, with room for these.
    fn axis(self, values: impl IntoIterator<Item = f64>) -> Axis {
        match self {
            Self::Score(scale) => {
                let y = Axis::over(&scale.on("validation"), Spread::Linear, scale.axis(), values);
                let [least, most] = scale.limits();
                y.within(least, most)
            }
            Self::Loss => Axis::over("validation loss", Spread::Linear, Unit::Plain, values),
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Score(scale) => scale.axis(),
            Self::Loss => Unit::Plain,
        }
    }
}

/// The curve of an arm: `[x, mean, lowest, highest]` at each point that all seeds have.
type Curve = Vec<[f64; 4]>;

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let arms = study.few_arms();
    if !arms.iter().any(|arm| common(arm) > 1) {
        return None;
    }
    let rows = study.results.examples.train;
    let passes = |point: &Point| point.examples as f64 / rows.unwrap_or(1) as f64;
    let (title, label) = match rows {
        Some(_) => ("by epoch", "epochs"),
        None => ("by example", "examples seen"),
    };
    let score = Height::Score(study.scale());
    let panels = vec![
        panel(study, &arms, (title, label), &passes, score),
        panel(study, &arms, ("by step", "steps"), &|p| p.step as f64, score),
        panel(study, &arms, ("by time", "seconds"), &|p| p.seconds, score),
        panel(study, &arms, ("loss", label), &passes, Height::Loss),
    ];
    let caption = caption(study, &arms, rows);
    let (title, legend) = ("Learning curves".into(), study.legend(&arms));
    Some(Figure { name: "curves", title, caption, panels, legend })
}

/// The validation score by epoch alone, beside the answer.
pub(super) fn first(study: &Study) -> Option<Panel> {
    let arms = study.few_arms();
    let rows = study.results.examples.train?;
    let passes = |point: &Point| point.examples as f64 / rows as f64;
    let title = study.scale().on("Validation") + " by epoch";
    let score = Height::Score(study.scale());
    arms.iter()
        .any(|arm| common(arm) > 1)
        .then(|| panel(study, &arms, (&title, "epochs"), &passes, score))
}

/// What these curves show: how many seeds and measurements, what bands there are, what is cut off.
fn caption(study: &Study, arms: &[&ArmResults], rows: Option<usize>) -> String {
    let several = arms.iter().any(|arm| arm.runs.len() > 1);
    let lines = match several {
        true => format!(
            "Lines are means over seeds ({}), bands from the lowest seed to the highest.",
            study.seeds()
        ),
        false => "Each line is one run (n = 1 seed).".into(),
    };
    let points = || arms.iter().map(|arm| common(arm));
    let (least, most) = (points().min().unwrap_or(0), points().max().unwrap_or(0));
    let measured = match least == most {
        true => format!(" {} a run.", counted(most, "measurement")),
        false => format!(" {least} to {most} measurements a run."),
    };
    let longest = |arm: &&ArmResults| arm.runs.values().map(|run| run.curve.len()).max();
    let cut = match arms.iter().any(|arm| longest(arm) > Some(common(arm))) {
        true => " Where seeds ended at different times, a line ends with the first of them.",
        false => "",
    };
    let examples = rows
        .map_or(String::new(), |rows| format!(" One epoch is {} examples.", count(rows as u64)));
    let rising = rising(arms, study.scale());
    format!("Validation. {lines}{measured}{cut}{examples}{rising}{}", study.which_arms())
}

/// A sentence on arms whose loss rises again, where there are any.
fn rising(arms: &[&ArmResults], scale: Scale) -> String {
    let rises = |arm: &&&ArmResults| {
        let losses: Vec<f64> =
            curve(arm, &|p| p.step as f64, Height::Loss).iter().map(|p| p[1]).collect();
        let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
        losses.last().is_some_and(|last| *last > 1.05 * least)
    };
    let names: Vec<&str> = arms.iter().filter(rises).map(|arm| arm.name.as_str()).collect();
    match names.is_empty() {
        true => String::new(),
        false => {
            let meaning = match scale.is_accuracy() {
                true => ": rising loss at flat accuracy means overconfidence",
                false => "",
            };
            format!(" The loss of {} ends at least 5 % above its least{meaning}.", names.join(", "))
        }
    }
}

/// Points that all runs of an arm have.
fn common(arm: &ArmResults) -> usize {
    arm.runs.values().map(|run| run.curve.len()).min().unwrap_or(0)
}

fn panel(
    study: &Study,
    arms: &[&ArmResults],
    (title, label): (&str, &str),
    of: &dyn Fn(&Point) -> f64,
    height: Height,
) -> Panel {
    let drawn: Vec<(&ArmResults, Curve)> =
        arms.iter().map(|arm| (*arm, curve(arm, of, height))).collect();
    let all = || drawn.iter().flat_map(|(_, points)| points);
    // Updates span as many octaves as batch sizes do.
    let ends = drawn.iter().filter_map(|(_, points)| points.last()).map(|point| point[0]);
    let [shortest, longest] = range(ends);
    let spread = if longest > 6.0 * shortest { Spread::Log10 } else { Spread::Linear };
    let x = Axis::over(label, spread, Unit::Plain, all().map(|point| point[0]));
    let heights = all().flat_map(|point| [point[2], point[3]]);
    let mut chart = Chart::new(title, x, height.axis(heights));
    for (arm, points) in drawn.iter().filter(|(arm, _)| arm.runs.len() > 1) {
        let band: Vec<[f64; 3]> = points.iter().map(|p| [p[0], p[2], p[3]]).collect();
        chart.band(&band, study.mark(arm), &format!("{}: all seeds", arm.name));
    }
    for (arm, points) in &drawn {
        let line: Vec<[f64; 2]> = points.iter().map(|p| [p[0], p[1]]).collect();
        let (name, mark) = (&arm.name, study.mark(arm));
        chart.line(&line, mark, name);
        for [x, mean, low, high] in points {
            let at = short(*x);
            let [mean_says, low, high] = [mean, low, high].map(|v| height.unit().written(*v));
            let says = match arm.runs.len() {
                1 => format!("{name}, {label} {at}: {mean_says}"),
                _ => format!("{name}, {label} {at}: {mean_says} on average, seeds {low} to {high}"),
            };
            chart.seed(*x, *mean, 0.0, mark, &says);
        }
    }
    chart.finish()
}

fn curve(arm: &ArmResults, of: &dyn Fn(&Point) -> f64, height: Height) -> Curve {
    let seeds = arm.runs.len() as f64;
    let at = |at: usize| {
        let points = || arm.runs.values().map(move |run| &run.curve[at]);
        let x = points().map(of).sum::<f64>() / seeds;
        let mean = points().map(|point| height.of(point)).sum::<f64>() / seeds;
        let [low, high] = range(points().map(|point| height.of(point)));
        [x, mean, low, high]
    };
    (0..common(arm)).map(at).collect()
}
