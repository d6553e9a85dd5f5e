//! Validation accuracy of each learning rate and batch size, as a map.

use super::{Figure, Study};
use crate::analysis::{Edge, percent};
use crate::report::plot::{Axis, Chart, Spread, Unit, short};

/// Shades of the style sheet, from the lowest accuracy to the highest.
const SHADES: usize = 8;

/// A learning rate with a batch size.
pub(super) struct Cell {
    pub(super) batch_size: usize,
    pub(super) learning_rate: f64,
    /// The mean over seeds; `None` when no run finished.
    pub(super) accuracy: Option<f64>,
    /// Finished runs.
    seeds: usize,
    diverged: usize,
    /// Whether it is the best of its batch size, and whether that lies at an end of the rates.
    pub(super) best: bool,
    pub(super) edge: Option<Edge>,
}

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let cells = cells(study);
    if cells.is_empty() {
        return None;
    }
    let mut sizes: Vec<usize> = cells.iter().map(|cell| cell.batch_size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut rates: Vec<f64> = cells.iter().map(|cell| cell.learning_rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let place = |at: usize, label: String| (at as f64, label);
    let axis = |label: &str, labels: Vec<(f64, String)>| {
        let ends = [-0.5, labels.len() as f64 - 0.5];
        let axis = Axis::over(label, Spread::Linear, Unit::Plain, ends);
        axis.within(ends[0], ends[1]).with_ticks(labels)
    };
    let named = |(at, size): (usize, &usize)| place(at, size.to_string());
    let x = axis("batch size", sizes.iter().enumerate().map(named).collect());
    let named = |(at, rate): (usize, &f64)| place(at, short(*rate));
    let y = axis("learning rate", rates.iter().enumerate().map(named).collect());
    let mut chart = Chart::new("mean validation accuracy", x, y);
    let means = || cells.iter().filter_map(|cell| cell.accuracy);
    let (low, high) = (means().fold(1.0, f64::min), means().fold(0.0, f64::max));
    for cell in &cells {
        let x = sizes.iter().position(|size| *size == cell.batch_size).unwrap_or(0) as f64;
        let y = rates.iter().position(|rate| rate.to_bits() == cell.learning_rate.to_bits());
        cell.draw(&mut chart, [x, y.unwrap_or(0) as f64], [low, high]);
    }
    for cell in cells.iter().filter(|cell| cell.best) {
        let x = sizes.iter().position(|size| *size == cell.batch_size).unwrap_or(0) as f64;
        let y = rates.iter().position(|rate| rate.to_bits() == cell.learning_rate.to_bits());
        let y = y.unwrap_or(0) as f64;
        let says = format!("the best learning rate of batch size {}", cell.batch_size);
        chart.area([x - 0.5, x + 0.5], [y - 0.5, y + 0.5], "box", &says);
    }
    Some(Figure {
        name: "rates",
        title: "Which learning rate suits which batch size".into(),
        caption: caption(study, &cells),
        panels: vec![chart.finish()],
        legend: Vec::new(),
    })
}

impl Cell {
    fn draw(&self, chart: &mut Chart, [x, y]: [f64; 2], [low, high]: [f64; 2]) {
        let (across, up) = ([x - 0.5, x + 0.5], [y - 0.5, y + 0.5]);
        let about = format!("batch {}, rate {}", self.batch_size, short(self.learning_rate));
        let Some(accuracy) = self.accuracy.filter(|_| self.diverged == 0) else {
            let says = format!("{about}: {} diverged, {} finished", self.diverged, self.seeds);
            chart.hatched(across, up, &says);
            chart.text(x, y, [0.0, 4.0], "onlow", "diverged");
            return;
        };
        let share = (accuracy - low) / (high - low).max(1e-9);
        let shade = ((share * SHADES as f64) as usize).min(SHADES - 1);
        let says = format!("{about}: {} on average, n = {}", percent(accuracy), self.seeds);
        chart.area(across, up, &format!("h{shade}"), &says);
        let class = if shade >= SHADES / 2 { "onhigh" } else { "onlow" };
        let lift = if self.edge.is_some() { -3.0 } else { 4.0 };
        chart.text(x, y, [0.0, lift], class, &format!("{:.1}", 100.0 * accuracy));
        if self.edge.is_some() {
            chart.text(x, y, [0.0, 11.0], class, "edge");
        }
    }
}

fn caption(study: &Study, cells: &[Cell]) -> String {
    let counts = cells.iter().filter(|cell| cell.seeds > 0).map(|cell| cell.seeds);
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    let seeds = if least == most { most.to_string() } else { format!("{least} to {most}") };
    let whose = match study.results.tunings.is_empty() {
        true => "the seeds of the report",
        false => "seeds of their own, which the report's results do not use",
    };
    let edge = match cells.iter().any(|cell| cell.edge.is_some()) {
        true => {
            " \"edge\" marks a best rate at the end of those that were tried: a better one may lie \
             beyond it."
        }
        false => "",
    };
    let diverged = match cells.iter().any(|cell| cell.diverged > 0) {
        true => " Hatched: the loss of some run was no longer a number.",
        false => "",
    };
    format!(
        "Each cell is the mean validation accuracy in percent over n = {seeds} seeds ({whose}); darker \
         is better. The frame marks the best rate of each batch size. If it moves from column to \
         column, one rate for all would be unfair to some.{edge}{diverged} No intervals are drawn \
         here: neighbours may well be equal."
    )
}

/// The trials of tuned arms; of a study without, the arms of a grid with several learning rates.
pub(super) fn cells(study: &Study) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut done: Vec<usize> = Vec::new();
    for tuning in &study.results.tunings {
        // Arms of the same batch size in other groups were tuned too: the first stands for them.
        if done.contains(&tuning.batch_size) {
            continue;
        }
        done.push(tuning.batch_size);
        for trial in &tuning.trials {
            let best = trial.learning_rate.to_bits() == tuning.chosen.to_bits();
            cells.push(Cell {
                batch_size: tuning.batch_size,
                learning_rate: trial.learning_rate,
                accuracy: mean(&trial.validation),
                seeds: trial.validation.len(),
                diverged: trial.diverged,
                best,
                edge: tuning.edge.filter(|_| best),
            });
        }
    }
    if cells.is_empty() { of_grid(study) } else { cells }
}

/// Arms that differ in batch size and learning rate alone.
fn of_grid(study: &Study) -> Vec<Cell> {
    let arms = &study.results.arms;
    let twice = |a: usize| {
        arms[..a].iter().any(|b| {
            b.batch_size == arms[a].batch_size
                && b.learning_rate.to_bits() == arms[a].learning_rate.to_bits()
        })
    };
    let several = arms.iter().any(|a| {
        arms.iter().any(|b| {
            a.batch_size == b.batch_size && a.learning_rate.to_bits() != b.learning_rate.to_bits()
        })
    });
    if !several || arms.iter().any(|arm| !arm.settings.is_empty()) || (0..arms.len()).any(twice) {
        return Vec::new();
    }
    let mut cells: Vec<Cell> = Vec::new();
    for arm in arms.iter().filter(|arm| !arm.runs.is_empty() || !arm.diverged.is_empty()) {
        let values: Vec<f64> = arm.runs.values().map(|run| run.validation).collect();
        cells.push(Cell {
            batch_size: arm.batch_size,
            learning_rate: arm.learning_rate,
            accuracy: mean(&values),
            seeds: values.len(),
            diverged: arm.diverged.len(),
            best: false,
            edge: None,
        });
    }
    for size in study.sizes() {
        mark_best(&mut cells, size);
    }
    cells
}

fn mark_best(cells: &mut [Cell], batch_size: usize) {
    let fit = |cell: &&mut Cell| cell.batch_size == batch_size && cell.diverged == 0;
    let rates = || cells.iter().filter(|cell| cell.batch_size == batch_size);
    let lowest = rates().map(|cell| cell.learning_rate).fold(f64::INFINITY, f64::min);
    let highest = rates().map(|cell| cell.learning_rate).fold(0.0, f64::max);
    let best = cells.iter_mut().filter(fit).filter(|cell| cell.accuracy.is_some());
    let best = best.max_by(|a, b| {
        a.accuracy
            .partial_cmp(&b.accuracy)
            .unwrap_or_else(|| unreachable!("accuracies are numbers"))
    });
    if let Some(cell) = best {
        cell.best = true;
        cell.edge = match cell.learning_rate {
            rate if rate <= lowest && lowest < highest => Some(Edge::Lowest),
            rate if rate >= highest && lowest < highest => Some(Edge::Highest),
            _ => None,
        };
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
