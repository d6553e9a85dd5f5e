//! The figures of the report, one file each: the results of a study -> SVG, or what is missing.
//!
//! A colour is a batch size, from the smallest to the largest; arms that share one differ in their
//! marks and dashes.

mod accuracy;
mod answer;
mod cost;
mod curves;
mod gap;
mod generalisation;
mod line;
mod noise;
mod pareto;
mod rate_law;
mod rates;
mod sharpness;
mod target;
#[cfg(test)]
mod tests;

use super::plot::{Chart, Figure, Mark, Spread};
use super::words::{self, Scale};
use crate::analysis::{ArmResults, CONFIDENCE, Findings, Results, RunResults};
use crate::stats::summarise;
use std::collections::BTreeSet;

/// What the figures are drawn from.
pub(super) struct Study<'s> {
    /// The plain numbers.
    pub(super) results: &'s Results,
    /// What they say.
    pub(super) findings: &'s Findings,
}

type Draw = fn(&Study) -> Option<Figure>;

/// All figures in the order of reading: the name of the file, and what draws it.
const ALL: [(&str, Draw); 12] = [
    ("answer", answer::draw),
    ("accuracy", accuracy::draw),
    ("gap", gap::draw),
    ("rates", rates::draw),
    ("rate-law", rate_law::draw),
    ("curves", curves::draw),
    ("target", target::draw),
    ("cost", cost::draw),
    ("pareto", pareto::draw),
    ("generalisation", generalisation::draw),
    ("noise", noise::draw),
    ("sharpness", sharpness::draw),
];

/// The names of all figures' files.
pub(super) fn names() -> [&'static str; 12] {
    ALL.map(|(name, _)| name)
}

/// The figures that this study has the data for.
pub(super) fn draw(study: &Study) -> Vec<Figure> {
    ALL.iter().filter_map(|(_, draw)| draw(study)).collect()
}

/// These batch sizes, ascending, each once.
fn distinct(sizes: impl Iterator<Item = usize>) -> Vec<usize> {
    sizes.collect::<BTreeSet<_>>().into_iter().collect()
}

impl<'s> Study<'s> {
    /// How its score is told.
    fn scale(&self) -> Scale {
        self.results.into()
    }

    /// All batch sizes, ascending.
    fn sizes(&self) -> Vec<usize> {
        distinct(self.results.arms.iter().map(|arm| arm.batch_size))
    }

    /// A legend of these batch sizes.
    fn legend_of_sizes(&self, sizes: &[usize]) -> Vec<(Mark, String)> {
        sizes.iter().map(|size| (self.mark_of_size(*size, 0), format!("batch {size}"))).collect()
    }

    /// How an arm is drawn everywhere.
    fn mark(&self, arm: &ArmResults) -> Mark {
        let twins = self.results.arms.iter().filter(|other| other.batch_size == arm.batch_size);
        let twin = twins.take_while(|other| other.name != arm.name).count();
        self.mark_of_size(arm.batch_size, twin)
    }

    /// How a batch size is drawn.
    fn mark_of_size(&self, batch_size: usize, twin: usize) -> Mark {
        let sizes = self.sizes();
        let rank = sizes.iter().position(|size| *size == batch_size).unwrap_or(0);
        Mark::ranked(rank, sizes.len(), twin)
    }

    /// Arms with finished runs.
    fn arms(&self) -> impl Iterator<Item = &'s ArmResults> {
        self.results.arms.iter().filter(|arm| !arm.runs.is_empty())
    }

    /// At most eight arms: all, or for each batch size the one with the best score.
    fn few_arms(&self) -> Vec<&'s ArmResults> {
        let all: Vec<&ArmResults> = self.arms().collect();
        if all.len() <= 8 {
            return all;
        }
        let mean = |arm: &ArmResults| {
            arm.runs.values().map(|run| run.validation).sum::<f64>() / arm.runs.len() as f64
        };
        let of_size = |size: usize| {
            let arms = all.iter().copied().filter(move |arm| arm.batch_size == size);
            arms.max_by(|a, b| mean(a).total_cmp(&mean(b)))
        };
        self.sizes().into_iter().filter_map(of_size).collect()
    }

    /// A sentence where [`Study::few_arms`] leaves some out.
    fn which_arms(&self) -> String {
        let (highest, score) = (self.scale().highest(), self.scale().on("validation"));
        match self.arms().count() {
            0..=8 => String::new(),
            _ => format!(" Of each batch size the arm with the {highest} {score} is shown."),
        }
    }

    /// A legend of these arms.
    fn legend(&self, arms: &[&ArmResults]) -> Vec<(Mark, String)> {
        let name = |arm: &ArmResults| {
            words::named(&arm.name, arm.batch_size, format!("batch {}", arm.batch_size))
        };
        arms.iter().map(|arm| (self.mark(arm), name(arm))).collect()
    }

    /// `n = 3 seeds`, `n = 2 to 3 seeds`
    fn seeds(&self) -> String {
        let counts: Vec<usize> = self.arms().map(|arm| arm.runs.len()).collect();
        match (counts.iter().min(), counts.iter().max()) {
            (Some(1), Some(1)) => "n = 1 seed".into(),
            (Some(least), Some(most)) if least == most => format!("n = {most} seeds"),
            (Some(least), Some(most)) => format!("n = {least} to {most} seeds"),
            _ => "no seeds".into(),
        }
    }
}

/// The mean of these values and the ends of its 95 % t interval, which takes two; on a logarithmic axis
/// those of their logarithms.
fn mean_of(values: &[f64], spread: Spread) -> Option<(f64, Option<[f64; 2]>)> {
    let by_ratio = spread == Spread::Log10 && values.iter().all(|value| *value > 0.0);
    let scaled: Vec<f64> =
        values.iter().map(|value| if by_ratio { value.ln() } else { *value }).collect();
    let summary = summarise(&scaled)?;
    let back = |value: f64| if by_ratio { value.exp() } else { value };
    let ends = summary.interval(CONFIDENCE).map(|ends| [ends.low, ends.high].map(back));
    Some((back(summary.mean), ends))
}

/// The ends of the interval of [`mean_of`].
fn interval_of(values: &[f64], spread: Spread) -> Option<[f64; 2]> {
    mean_of(values, spread)?.1
}

/// A number of each run, above the batch size of its arm.
struct Measure<'m> {
    /// `None` where it was not measured.
    of: &'m dyn Fn(&RunResults) -> Option<f64>,
    /// How its axis spreads.
    spread: Spread,
    written: &'m dyn Fn(f64) -> String,
}

impl Measure<'_> {
    fn values(&self, arm: &ArmResults) -> Vec<f64> {
        arm.runs.values().filter_map(self.of).collect()
    }

    /// All values, and the ends of the intervals of each arm.
    fn all(&self, study: &Study) -> (Vec<f64>, Vec<f64>) {
        let ends = study.arms().filter_map(|arm| interval_of(&self.values(arm), self.spread));
        (study.arms().flat_map(|arm| self.values(arm)).collect(), ends.flatten().collect())
    }

    /// Runs as small dots, means as large marks, intervals as bars.
    fn draw(&self, study: &Study, chart: &mut Chart) {
        for arm in study.arms() {
            let (x, mark) = (arm.batch_size as f64, study.mark(arm));
            for (at, (seed, run)) in arm.runs.iter().enumerate() {
                let Some(value) = (self.of)(run) else { continue };
                let says = format!("{}, seed {seed}: {}", arm.name, (self.written)(value));
                chart.seed(x, value, ASIDE + beside(at, arm.runs.len()), mark, &says);
            }
            let Some((mean, ends)) = mean_of(&self.values(arm), self.spread) else { continue };
            if let Some(ends) = ends {
                chart.interval(x, ends, 0.0, mark);
            }
            let says = format!("{}: {} on average", arm.name, (self.written)(mean));
            chart.mean(x, mean, 0.0, mark, &says);
        }
    }
}

/// The least and the greatest of these.
fn range(values: impl Iterator<Item = f64>) -> [f64; 2] {
    values.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, h], value| [l.min(value), h.max(value)])
}

/// Places seeds of the same batch size side by side: units of the drawing.
pub(super) fn beside(at: usize, of: usize) -> f64 {
    if of < 2 { 0.0 } else { 12.0 * (at as f64 / (of - 1) as f64 - 0.5) }
}

/// How far seeds stand to the left of their mean, so that neither hides the other.
pub(super) const ASIDE: f64 = -15.0;
