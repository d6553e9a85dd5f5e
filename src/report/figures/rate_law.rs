//! The best learning rate against batch size, beside the rules of thumb.

use super::rates::{Cell, cells};
use super::{Figure, Study};
use crate::report::plot::{Axis, Chart, Spread, Unit, short};

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let cells = cells(study);
    let mut best: Vec<&Cell> = cells.iter().filter(|cell| cell.best).collect();
    best.sort_by_key(|cell| cell.batch_size);
    let [first, .., last] = best[..] else { return None };
    let (from, to) = (first.batch_size as f64, last.batch_size as f64);
    let rule = |power: f64, size: f64| first.learning_rate * (size / from).powf(power);
    let sizes: Vec<usize> = best.iter().map(|cell| cell.batch_size).collect();
    let shown = cells.iter().map(|cell| cell.learning_rate).chain([rule(1.0, to)]);
    let y = Axis::over("learning rate", Spread::Log10, Unit::Plain, shown);
    let mut chart = Chart::new("the best learning rate", Axis::of_batch_sizes(&sizes), y);
    for (power, words) in [(0.0, "the same rate"), (0.5, "square root"), (1.0, "linear")] {
        chart.reference(&[[from, rule(power, from)], [to, rule(power, to)]], words);
        chart.text(to, rule(power, to), [-4.0, -6.0], "end", words);
    }
    for cell in &cells {
        let mark = study.mark_of_size(cell.batch_size, 0);
        let says = format!("batch {}: {} was tried", cell.batch_size, short(cell.learning_rate));
        chart.seed(cell.batch_size as f64, cell.learning_rate, 0.0, mark, &says);
    }
    for cell in &best {
        let mark = study.mark_of_size(cell.batch_size, 0);
        let edge = if cell.edge.is_some() { ", at the end of those tried" } else { "" };
        let rate = short(cell.learning_rate);
        let says = format!("batch {}: {rate} is the best{edge}", cell.batch_size);
        chart.mean(cell.batch_size as f64, cell.learning_rate, 0.0, mark, &says);
        if let Some(edge) = cell.edge {
            let more = edge == crate::analysis::Edge::Highest;
            chart.arrow(cell.batch_size as f64, cell.learning_rate, 0.0, more, mark, &says);
        }
    }
    let caption = "Large marks are the rates with the highest mean validation accuracy, small ones all \
                   that were tried. Dashed: three rules of thumb, starting from the smallest batch size: \
                   leave the rate as it is, let it grow with the square root of the batch size, or in \
                   proportion to it. An arrow: the best rate was the last one tried on that side, so a \
                   better one may lie beyond. The rates that were tried are as coarse as they look; no \
                   interval is drawn.";
    Some(Figure {
        name: "rate-law",
        title: "How the best learning rate moves with the batch size".into(),
        caption: caption.into(),
        panels: vec![chart.finish()],
        legend: Vec::new(),
    })
}
