//! What each learning rate and batch size came to, as a map: the validation score, or the steps to the
//! target at which runs end.

use super::{Figure, Study, range};
use crate::analysis::{RateFinding, RateOptimum};
use crate::format::count;
use crate::report::plot::{Axis, Chart, Spread, Unit, short};
use crate::report::words::Scale;
use crate::stats::{Trial, summarise};

/// Shades of the style sheet, from the worst to the best.
const SHADES: usize = 8;
/// Words have room in a cell up to so many columns.
const WIDE: usize = 6;

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let found = study.findings.rates.as_ref()?;
    let mut rates: Vec<f64> = trials(found).map(|trial| trial.learning_rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let x = places("batch size", found.tried.iter().map(|of| of.batch_size.to_string()));
    let y = places("learning rate", rates.iter().map(|rate| short(*rate)));
    let scale = study.scale();
    let title = match found.is_to_target() {
        true => "typical steps to the target".to_owned(),
        false => format!("mean {}{}", scale.on("validation"), scale.in_percent()),
    };
    let mut chart = Chart::new(&title, x, y);
    let ends = range(trials(found).filter_map(mean));
    let words = found.tried.len() <= WIDE;
    let row = |rate: f64| rates.iter().take_while(|other| **other < rate).count() as f64;
    for (column, tuning) in found.tried.iter().enumerate() {
        let best = found.sizes.iter().find(|best| best.batch_size == tuning.batch_size);
        for trial in &tuning.trials {
            let at = [column as f64, row(trial.learning_rate)];
            let about = format!("batch {}, rate {}", tuning.batch_size, short(trial.learning_rate));
            let at_edge = best.is_some_and(|best| is_best(best, trial) && best.edge.is_some());
            draw_cell(&mut chart, trial, scale, (at, ends), &about, [at_edge, words]);
        }
        if let Some(best) = best {
            let (x, y) = (column as f64, row(best.best));
            let says = format!("the best learning rate of batch size {}", best.batch_size);
            chart.area([x - 0.5, x + 0.5], [y - 0.5, y + 0.5], "box", &says);
        }
    }
    Some(Figure {
        name: "rates",
        title: "Which learning rate suits which batch size".into(),
        caption: caption(study, found),
        panels: vec![chart.finish()],
        legend: Vec::new(),
    })
}

fn trials(found: &RateFinding) -> impl Iterator<Item = &Trial> + Clone {
    found.tried.iter().flat_map(|of| &of.trials)
}

/// Of the scores; `None` where a run diverged, missed the target, or none is finished.
fn mean(trial: &Trial) -> Option<f64> {
    summarise(&trial.scores()?).map(|summary| summary.mean)
}

fn is_best(best: &RateOptimum, trial: &Trial) -> bool {
    best.best.to_bits() == trial.learning_rate.to_bits()
}

/// An axis with these names at 0, 1, 2, ...
fn places(label: &str, names: impl Iterator<Item = String>) -> Axis {
    let names: Vec<(f64, String)> = (0u32..).map(f64::from).zip(names).collect();
    let ends = [-0.5, names.len() as f64 - 0.5];
    Axis::over(label, Spread::Linear, Unit::Plain, ends).within(ends[0], ends[1]).with_ticks(names)
}

fn draw_cell(
    chart: &mut Chart,
    trial: &Trial,
    scale: Scale,
    ([x, y], [low, high]): ([f64; 2], [f64; 2]),
    about: &str,
    [at_edge, words]: [bool; 2],
) {
    let (across, up) = ([x - 0.5, x + 0.5], [y - 0.5, y + 0.5]);
    let Some(mean) = mean(trial) else {
        let (wild, missed, done) = (trial.diverged, trial.missed(), trial.validation.len());
        let (word, says) = match wild {
            0 => ("missed", format!("{about}: {missed} of {done} missed the target")),
            _ => ("diverged", format!("{about}: {wild} diverged, {done} finished")),
        };
        chart.hatched(across, up, &says);
        if words {
            chart.text(x, y, [0.0, 4.0], "onlow", word);
        }
        return;
    };
    let share = (mean - low) / (high - low).max(1e-9);
    let shade = ((share * SHADES as f64) as usize).min(SHADES - 1);
    let (number, told) = match trial.typical_steps() {
        Some(steps) => (count(steps.round() as u64), "steps, typically"),
        None => scale.number_and_unit(mean),
    };
    let says = format!("{about}: {number} {told}, n = {}", trial.validation.len());
    chart.area(across, up, &format!("h{shade}"), &says);
    let class = if shade >= SHADES / 2 { "onhigh" } else { "onlow" };
    let number = if at_edge { format!("{number} edge") } else { number };
    chart.text(x, y, [0.0, 4.0], class, &number);
}

fn caption(study: &Study, found: &RateFinding) -> String {
    let counts = trials(found).map(|trial| trial.validation.len()).filter(|count| *count > 0);
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    let seeds = if least == most { most.to_string() } else { format!("{least} to {most}") };
    let whose = match study.results.tunings.is_empty() {
        true => "those of the report",
        false => "those of tuning",
    };
    let kind = if found.is_to_target() { "geometric " } else { "" };
    let edge = match found.sizes.iter().any(|best| best.edge.is_some()) {
        true => " \"edge\": the best rate was the last one tried on that side.",
        false => "",
    };
    let diverged = trials(found).any(|trial| trial.diverged > 0);
    let missed = trials(found).any(|trial| trial.missed() > 0);
    let hatched = match (diverged, missed) {
        (false, false) => "",
        (true, false) => " Hatched: a run diverged.",
        (false, true) => " Hatched: a run missed the target.",
        (true, true) => " Hatched: a run diverged or missed the target.",
    };
    format!(
        "Each cell is a {kind}mean over n = {seeds} seeds ({whose}); darker is better. Frame: the best rate \
         of each batch size. No intervals are drawn: neighbours may well be equal.{edge}{hatched}"
    )
}
