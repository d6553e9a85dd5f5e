//! The study as a whole in TensorBoard, beside its runs.
//!
//! ```text
//! <arm>    scalars of the arm: the mean over its seeds and the ends of its 95 % t interval, by
//!          training examples
//! report   CUSTOM SCALARS  a chart a quantity, a band an arm
//!          TEXT            `answer`: verdict.md
//!          IMAGES          the figure beside the answer
//! ```
//!
//! These are the folders of the event files, and thereby the runs that TensorBoard lists. An arm is a
//! run, since TensorBoard gives each run one colour, and a chart with several series tells of missing
//! tags in every run that has none of them. Seeds of an arm are put together where all of its finished
//! runs were measured, so that a mean never changes because a run ended.
//!
//! The charts stand under the study's name, as do the tags, so that folders of several studies can be
//! looked at together. Times are those of the records, from the begin of the study on: the same records
//! give the same bytes, and TensorBoard, which lists runs by their first event, begins with these.

use super::plot::{Figure, Picture, picture};
use super::words::Scale;
use crate::analysis::{ArmResults, CONFIDENCE, Point, Results};
use crate::events::{Band, BandChart, EventWriter};
use crate::stats::{Summary, summarise};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// What is drawn of each run.
struct Quantity {
    tag: String,
    title: String,
    of: fn(&Point, Scale) -> Option<f64>,
    /// The least and the most that it can be.
    range: [f64; 2],
}

fn quantities(scale: Scale) -> [Quantity; 3] {
    [
        Quantity {
            tag: scale.column("validation"),
            title: scale.on("validation"),
            of: |point, scale| Some(scale.natural(point.score)),
            range: scale.limits(),
        },
        Quantity {
            tag: "validation_loss".into(),
            title: "validation loss".into(),
            of: |point, _| Some(point.loss),
            range: [0.0, f64::INFINITY],
        },
        Quantity {
            tag: "train_loss".into(),
            title: "training loss".into(),
            of: |point, _| point.train.map(|[loss, _]| loss),
            range: [0.0, f64::INFINITY],
        },
    ]
}

/// One point of a band.
#[derive(Clone, Copy)]
struct Moment {
    examples: u64,
    /// Spent so far, on average.
    seconds: f64,
    mean: f64,
    /// With one seed, the mean.
    ends: [f64; 2],
}

/// What is drawn of a study.
pub(super) struct Study<'s> {
    pub(super) name: &'s str,
    pub(super) results: &'s Results,
    /// `verdict.md`
    pub(super) verdict: &'s str,
    pub(super) figures: &'s [Figure],
    /// In seconds since 1970.
    pub(super) begun: f64,
}

/// Writes the event files of a study, in its folder and in that of its report.
pub(super) fn write(folder: &Path, report: &Path, study: &Study) -> Result<()> {
    let title = title(folder, study.name);
    let scale = Scale::from(study.results);
    let quantities = quantities(scale);
    let arms = study.results.arms.iter().enumerate();
    for (place, arm) in arms.filter(|(_, arm)| !arm.runs.is_empty()) {
        // TensorBoard lists runs by their first event: arms in the order of the file.
        let begun = study.begun + 1e-3 * place as f64;
        EventWriter::redraw(&folder.join(&arm.name), begun, |events| {
            let mut draw = |quantity: &Quantity| {
                let moments = moments(arm, quantity, scale);
                draw_band(events, begun, &moments, &band(&title, quantity))
            };
            quantities.iter().try_for_each(&mut draw)
        })?;
    }
    let begun = study.begun + 1e-3 * study.results.arms.len() as f64;
    EventWriter::redraw(report, begun, |events| {
        events.text("answer", study.verdict, 0, begun)?;
        draw_figures(events, study.figures, begun)?;
        // TensorBoard shows them from the last to the first.
        let charts = quantities.iter().rev().map(|quantity| BandChart {
            title: quantity.title.clone(),
            band: band(&title, quantity),
        });
        events.charts(&category(&title, study.results), &charts.collect::<Vec<_>>(), begun)
    })
}

fn draw_figures(events: &mut EventWriter, figures: &[Figure], at: f64) -> Result<()> {
    // One that can be read in the width of a card; the others are on the page.
    for figure in figures.iter().filter(|figure| figure.name == "answer") {
        let drawn = picture(&figure.file());
        let what = || format!("cannot make a picture of the figure `{}`", figure.name);
        let Picture { png, size } = drawn.with_context(what)?;
        // In one group, which does not stand before the curves.
        events.image(&format!("report/{}", figure.name), png, size, 0, at)?;
    }
    Ok(())
}

/// What stands above the charts. Their own titles have room for a few words.
fn category(title: &str, results: &Results) -> String {
    let several = results.arms.iter().any(|arm| arm.runs.len() > 1);
    let shown = if several { "means over seeds with 95 % t intervals" } else { "one seed" };
    format!("{title}: {shown}, against training examples seen")
}

/// What a study is called: its name, and that of its folder where it is another, so that studies of the
/// same name are told apart.
fn title(folder: &Path, name: &str) -> String {
    let path = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    match path.file_name().map(|folder| folder.to_string_lossy()) {
        Some(folder) if folder != name => format!("{name} in {folder}"),
        _ => name.to_owned(),
    }
}

/// The tags of a quantity, the same for all arms. TensorBoard takes what follows the first `(` in the
/// legend for the name of a run, whose colour it looks for.
fn band(title: &str, quantity: &Quantity) -> Band {
    let title = title.replace(['(', ')'], "_");
    let tag = |part: &str| format!("{title}/{}/{part}", quantity.tag);
    Band { value: tag("mean"), lower: tag("low"), upper: tag("high") }
}

fn draw_band(events: &mut EventWriter, begun: f64, moments: &[Moment], band: &Band) -> Result<()> {
    for Moment { examples, seconds, mean, ends: [low, high] } in moments.iter().copied() {
        let points = [(&*band.value, mean), (&*band.lower, low), (&*band.upper, high)];
        events.scalars(&points, examples as i64, begun + seconds)?;
    }
    Ok(())
}

/// Where every finished run of the arm was measured, in the order of the examples.
fn moments(arm: &ArmResults, quantity: &Quantity, scale: Scale) -> Vec<Moment> {
    let Some(first) = arm.runs.values().next() else { return Vec::new() };
    let at = |examples: u64| -> Option<Vec<[f64; 2]>> {
        let of_run = |curve: &[Point]| {
            let point = curve.iter().rfind(|point| point.examples == examples)?;
            Some([point.seconds, (quantity.of)(point, scale)?])
        };
        arm.runs.values().map(|run| of_run(&run.curve)).collect()
    };
    let moment = |point: &Point| {
        let found = at(point.examples)?;
        let seconds = found.iter().map(|[seconds, _]| seconds).sum::<f64>() / found.len() as f64;
        let summary = summarise(&found.iter().map(|[_, value]| *value).collect::<Vec<_>>())?;
        let ends = ends(&summary, quantity);
        Some(Moment { examples: point.examples, seconds, mean: summary.mean, ends })
    };
    let mut found: Vec<Moment> = first.curve.iter().filter_map(moment).collect();
    found.dedup_by_key(|moment| moment.examples);
    found
}

/// The ends of the interval of a mean, cut to what the quantity can be.
fn ends(summary: &Summary, quantity: &Quantity) -> [f64; 2] {
    let [least, most] = quantity.range;
    match summary.interval(CONFIDENCE) {
        Some(interval) => [interval.low.max(least), interval.high.min(most)],
        None => [summary.mean; 2],
    }
}
