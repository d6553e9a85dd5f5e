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

use super::plot::{Figure, Mark, Spread};
use crate::analysis::{ArmResults, CONFIDENCE, Comparison, Findings, Results, groups};
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

/// Arms that differ in batch size (and in what follows from it) alone.
struct Series<'s> {
    /// What they have in common.
    title: String,
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

    /// The arms in the groups in which they were compared, apart by their other settings.
    fn series(&self) -> Vec<Series<'s>> {
        let groups = groups(self.results);
        let others = self.findings.others.iter().map(|group| &group.comparison);
        let comparisons = [&self.findings.comparison].into_iter().chain(others);
        let mut all: Vec<Series> = Vec::new();
        for (group, comparison) in groups.iter().zip(comparisons) {
            let mut of_group: Vec<Series> = Vec::new();
            for arm in group.places.iter().map(|place| &self.results.arms[*place]) {
                if arm.runs.is_empty() {
                    continue;
                }
                let title = match settings(arm) {
                    of_arm if of_arm.is_empty() => group.title().to_owned(),
                    of_arm if groups.len() == 1 => of_arm,
                    of_arm => format!("{}, {of_arm}", group.title()),
                };
                match of_group.iter_mut().find(|other| other.title == title) {
                    Some(other) => other.arms.push(arm),
                    None => of_group.push(Series { title, arms: vec![arm], comparison }),
                }
            }
            all.extend(of_group);
        }
        for series in &mut all {
            series.arms.sort_by_key(|arm| arm.batch_size);
        }
        all
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
            let told = [format!("batch-{}", arm.batch_size), arm.batch_size.to_string()];
            match told.contains(&arm.name) {
                true => size,
                false => format!("{} ({size})", arm.name),
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

/// What else than the batch size an arm differs in, in a few words.
fn settings(arm: &ArmResults) -> String {
    let short = |path: &str| {
        let parts: Vec<&str> = path.split('.').collect();
        parts[parts.len().saturating_sub(2)..].join(" ")
    };
    let words = arm.settings.iter().map(|(path, value)| format!("{} {value}", short(path)));
    words.collect::<Vec<_>>().join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tests::{arm, results};
    use crate::analysis::{
        Line, LinePoint, NoisePoint, NoiseRun, NoiseScale, Sharpness, SharpnessRun, analyse,
    };
    use crate::stats::Interval;
    use crate::stats::tests::generator;

    /// Two batch sizes with noise scales and sharpness.
    fn planted() -> Results {
        let scale = |value: f64| NoiseScale {
            value: Some(value),
            interval: Some(Interval { low: 0.7 * value, high: 1.6 * value }),
            at_least: None,
        };
        let point = |step: u64, value: f64| NoisePoint {
            step,
            examples: 32 * step,
            plain: scale(value),
            adam: (step > 1).then(|| scale(3.0 * value)),
        };
        let bound = NoiseScale { value: None, interval: None, at_least: Some(900.0) };
        let last = NoisePoint { plain: bound, ..point(400, 1.0) };
        let noise = |batch_size: usize| NoiseRun {
            arm: format!("batch-{batch_size}"),
            batch_size,
            seed: 0,
            points: vec![point(1, 20.0), point(100, 90.0), last],
        };
        let sharpness = |batch_size: usize, seed: u64| SharpnessRun {
            arm: format!("batch-{batch_size}"),
            batch_size,
            learning_rate: 1e-3,
            seed,
            accuracy: 0.8 + 0.01 * seed as f64,
            sharpness: Sharpness {
                loss: 0.1,
                top_eigenvalue: 3.0 + batch_size as f64 / 64.0,
                trace: 40.0,
                trace_se: 2.0,
                ball: 0.1,
                adaptive: 0.2 + seed as f64,
                keskar: 12.0,
                edge_of_stability: Some(0.4),
            },
        };
        let at = |alpha: f64| LinePoint {
            alpha,
            train: [0.1 + (alpha * (1.0 - alpha)).abs(), 0.9],
            validation: [0.4 + (alpha - 0.5).powi(2), 0.8],
        };
        let line = |seed: u64, shift: f64| Line {
            small: "batch-32".into(),
            large: "batch-256".into(),
            seed,
            points: [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0]
                .map(|alpha| {
                    let LinePoint { train: [loss, accuracy], .. } = at(alpha);
                    LinePoint { train: [loss + shift, accuracy], ..at(alpha) }
                })
                .to_vec(),
        };
        let sizes = [(32, 0), (32, 1), (256, 0), (256, 1)];
        Results {
            noise: vec![noise(32), noise(256)],
            sharpness: sizes.map(|(size, seed)| sharpness(size, seed)).to_vec(),
            lines: vec![line(0, 0.0), line(1, 0.2)],
            ..results(vec![arm(32, &[0.8, 0.81]), arm(256, &[0.79, 0.8])])
        }
    }

    #[test]
    fn noise_and_sharpness_are_drawn_with_all_their_values() {
        let results = planted();
        let findings = analyse(&results, &mut generator(1));
        let (figures, missing) = draw(&Study { results: &results, findings: &findings });
        let file = |name: &str| {
            figures
                .iter()
                .find(|figure| figure.name == name)
                .unwrap_or_else(|| panic!("{name}"))
                .file()
        };
        let titles = |file: &str| -> Vec<String> {
            let read = roxmltree::Document::parse(file).unwrap();
            let titles = read.descendants().filter(|node| node.has_tag_name("title"));
            titles.filter_map(|node| Some(node.text()?.to_owned())).collect()
        };
        let noise = titles(&file("noise"));
        for part in ["seed 0, update 100: 90 (63 to 144)", "update 400: more than 900", "270 (189"]
        {
            assert!(noise.iter().any(|says| says.contains(part)), "{part}: {noise:?}");
        }
        let sharpness = titles(&file("sharpness"));
        for part in [
            "batch-256, seed 1: 7",
            "batch-32, seed 0: 0.4",
            "training, 0.5: 0.45 on average, seeds 0.35 to 0.55",
        ] {
            assert!(sharpness.iter().any(|says| says.contains(part)), "{part}: {sharpness:?}");
        }
        assert!(!missing.iter().any(|needs| needs.contains("noise") || needs.contains("minima")));
    }
}
