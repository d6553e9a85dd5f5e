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

use super::plot::{Figure, Mark, Spread};
use super::words;
use crate::analysis::{ArmResults, CONFIDENCE, Comparison, Findings, GroupView, Results};
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

/// All figures in the order of reading: the name of the file, and what it takes to draw it.
const ALL: [(&str, Draw, &str); 12] = [
    ("answer", answer::draw, "differences and curves: need finished runs"),
    ("accuracy", accuracy::draw, "accuracy against batch size: needs finished runs"),
    ("gap", gap::draw, "where a gap comes from: needs study.decompose"),
    (
        "rates",
        rates::draw,
        "learning rate and batch size: needs several learning rates (a grid, or lr: tuned)",
    ),
    (
        "rate-law",
        rate_law::draw,
        "the best learning rate: needs several learning rates for two batch sizes",
    ),
    ("curves", curves::draw, "learning curves: need runs that were measured twice or more"),
    ("target", target::draw, "updates to an accuracy: needs two batch sizes whose runs reach it"),
    ("cost", cost::draw, "time and memory: need finished runs"),
    (
        "pareto",
        pareto::draw,
        "what accuracy costs: needs two arms of different cost, and no common target",
    ),
    ("generalisation", generalisation::draw, "training against validation: needs finished runs"),
    ("noise", noise::draw, "noise of the gradient: needs study.probe.noise_scale"),
    ("sharpness", sharpness::draw, "sharpness of the minima: needs study.probe.sharpness or .line"),
];

/// The names of all figures' files.
pub(super) fn names() -> [&'static str; 12] {
    ALL.map(|(name, ..)| name)
}

/// The figures that this study has the data for, and what the others would take.
pub(super) fn draw(study: &Study) -> (Vec<Figure>, Vec<&'static str>) {
    let (mut figures, mut missing) = (Vec::new(), Vec::new());
    for (_, draw, needs) in ALL {
        match draw(study) {
            Some(figure) => figures.push(figure),
            None => missing.push(needs),
        }
    }
    (figures, missing)
}

/// These batch sizes, ascending, each once.
fn distinct(sizes: impl Iterator<Item = usize>) -> Vec<usize> {
    sizes.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Arms that were compared with each other.
struct Series<'s> {
    /// What they have in common.
    title: &'static str,
    /// By batch size.
    arms: Vec<&'s ArmResults>,
    /// What they were compared in.
    comparison: &'s Comparison,
}

impl<'s> Study<'s> {
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

    /// The arms with finished runs, in the groups in which they were compared.
    fn series(&self) -> Vec<Series<'s>> {
        let series = |group: GroupView<'s>| {
            let arms = group.places.iter().map(|place| &self.results.arms[*place]);
            let mut arms: Vec<&ArmResults> = arms.filter(|arm| !arm.runs.is_empty()).collect();
            arms.sort_by_key(|arm| arm.batch_size);
            Series { title: words::way(group.way), arms, comparison: group.comparison }
        };
        let all = self.findings.groups().map(series);
        all.filter(|series| !series.arms.is_empty()).collect()
    }

    /// At most eight arms: all, or for each batch size the one with the highest accuracy.
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
    fn which_arms(&self) -> &'static str {
        match self.arms().count() {
            0..=8 => "",
            _ => " Of each batch size the arm with the highest validation accuracy is shown.",
        }
    }

    /// A legend of these arms.
    fn legend(&self, arms: &[&ArmResults]) -> Vec<(Mark, String)> {
        let name = |arm: &ArmResults| {
            let size = format!("batch {}", arm.batch_size);
            match words::own_name(&arm.name, arm.batch_size) {
                None => size,
                Some(name) => format!("{name} ({size})"),
            }
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

/// The ends of the 95 % t interval of the mean of these values; on a logarithmic axis of the mean of
/// their logarithms. `None` for less than two.
fn interval_of(values: &[f64], spread: Spread) -> Option<[f64; 2]> {
    let by_ratio = spread == Spread::Log10 && values.iter().all(|value| *value > 0.0);
    let scaled: Vec<f64> =
        values.iter().map(|value| if by_ratio { value.ln() } else { *value }).collect();
    let ends = summarise(&scaled)?.interval(CONFIDENCE)?;
    Some([ends.low, ends.high].map(|end| if by_ratio { end.exp() } else { end }))
}

/// Places seeds of the same batch size side by side: units of the drawing.
pub(super) fn beside(at: usize, of: usize) -> f64 {
    if of < 2 { 0.0 } else { 12.0 * (at as f64 / (of - 1) as f64 - 0.5) }
}

/// How far seeds stand to the left of their mean, so that neither hides the other.
pub(super) const ASIDE: f64 = -15.0;
