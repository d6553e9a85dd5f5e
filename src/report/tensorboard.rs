//! The study as a whole in TensorBoard, beside its runs.
//!
//! ```text
//! <arm>    scalars of the arm: the mean over its seeds, the lowest and the highest, by training examples
//! report   CUSTOM SCALARS  a chart a quantity, a band an arm
//!          TEXT            `answer`: verdict.md
//!          IMAGES          the figures
//! ```
//!
//! These are the folders of the event files, and thereby the runs that TensorBoard lists, which gives each
//! run a colour. Seeds of an arm are put together where all of its finished runs were measured, so that a
//! mean never changes because a run ended. The charts stand under the study's name, as do the tags, so
//! that folders of several studies can be looked at together. All events have the time at which the study
//! began: the same records give the same bytes, and TensorBoard lists these runs first.

use super::plot::{Figure, Picture, picture};
use crate::analysis::{ArmResults, Point, Results};
use crate::events::{Band, BandChart, EventWriter};
use anyhow::Result;
use std::path::Path;

/// What is drawn of each run.
struct Quantity {
    tag: &'static str,
    title: &'static str,
    of: fn(&Point) -> Option<f64>,
}

const QUANTITIES: [Quantity; 3] = [
    Quantity {
        tag: "validation_accuracy",
        title: "validation accuracy",
        of: |point| Some(point.accuracy),
    },
    Quantity { tag: "validation_loss", title: "validation loss", of: |point| Some(point.loss) },
    Quantity {
        tag: "train_loss",
        title: "training loss",
        of: |point| point.train.map(|[loss, _]| loss),
    },
];

/// One point of a band.
struct Moment {
    examples: u64,
    mean: f64,
    low: f64,
    high: f64,
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
    for arm in study.results.arms.iter().filter(|arm| !arm.runs.is_empty()) {
        let mut events = EventWriter::replace(&folder.join(&arm.name), study.begun)?;
        for quantity in &QUANTITIES {
            draw_band(&mut events, study, arm, quantity)?;
        }
    }
    let mut events = EventWriter::replace(report, study.begun)?;
    events.text("answer", study.verdict, 0, study.begun)?;
    for figure in study.figures {
        let Picture { png, size } = picture(&figure.file())?;
        events.image(figure.name, png, size, 0, study.begun)?;
    }
    let chart = |quantity: &Quantity| BandChart {
        title: format!("{} by training examples: mean, lowest and highest seed", quantity.title),
        band: band(study.name, quantity),
    };
    // TensorBoard shows them from the last to the first.
    let charts: Vec<BandChart> = QUANTITIES.iter().rev().map(chart).collect();
    events.charts(study.name, &charts, study.begun)
}

fn draw_band(
    events: &mut EventWriter,
    study: &Study,
    arm: &ArmResults,
    quantity: &Quantity,
) -> Result<()> {
    let band = band(study.name, quantity);
    for moment in moments(arm, quantity) {
        let points =
            [(&*band.value, moment.mean), (&*band.lower, moment.low), (&*band.upper, moment.high)];
        events.scalars(&points, moment.examples as i64, study.begun)?;
    }
    Ok(())
}

fn band(study: &str, quantity: &Quantity) -> Band {
    let tag = |part: &str| format!("{study}/{}/{part}", quantity.tag);
    Band { value: tag("mean"), lower: tag("lowest"), upper: tag("highest") }
}

/// Where every finished run of the arm was measured, in the order of the examples.
fn moments(arm: &ArmResults, quantity: &Quantity) -> Vec<Moment> {
    let Some(first) = arm.runs.values().next() else { return Vec::new() };
    let at = |examples: u64| -> Option<Vec<f64>> {
        let value = |curve: &[Point]| {
            let point = curve.iter().rfind(|point| point.examples == examples);
            point.and_then(quantity.of)
        };
        arm.runs.values().map(|run| value(&run.curve)).collect()
    };
    let moment = |point: &Point| {
        let values = at(point.examples)?;
        Some(Moment {
            examples: point.examples,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    };
    let mut found: Vec<Moment> = first.curve.iter().filter_map(moment).collect();
    found.dedup_by_key(|moment| moment.examples);
    found
}
