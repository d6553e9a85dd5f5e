//! The straight line between two solutions that began with the same weights.
//!
//! ```text
//! w(a) = (1 - a) small + a large,   a from -1 to 2          Goodfellow et al. 2015; Keskar et al. 2017
//! ```
//!
//! Loss (without penalties) and accuracy are measured with nothing dropped, by the run's own engine.

use super::rows;
use crate::config::LineSection;
use crate::kernels::{Arrays, Engine, Examples, Split, State};
use crate::spec::{Metric, Objective};
use crate::train::logits_of;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// What is in `line.json`, in the folder of the run at 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineRecord {
    /// How it was measured.
    pub measured: LineSection,
    /// The run at 0.
    pub from: String,
    /// In ascending order of alpha.
    pub points: Vec<LinePointRecord>,
}

/// One point of the line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LinePointRecord {
    /// 0 at one solution, 1 at the other.
    pub alpha: f64,
    /// Loss and accuracy on a part of the training split.
    pub train: [f64; 2],
    /// On a part of the validation split.
    pub validation: [f64; 2],
}

/// The line between two solutions, both of the engine's shape. `None` when `stop` says so.
pub fn line(
    engine: &mut dyn Engine,
    [small, large]: [&Arrays; 2],
    [train, validation]: [&Examples<'_>; 2],
    objective: &Objective,
    section: &LineSection,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<LinePointRecord>>> {
    let moments = engine.state()?.moments;
    let last = section.points - 1;
    let mut points = Vec::with_capacity(section.points as usize);
    for index in 0..section.points {
        let alpha = f64::from(3 * index) / f64::from(last) - 1.0;
        let parameters = between(small, large, alpha);
        engine.set_state(&State { parameters, moments: moments.clone(), step: 0 })?;
        let mut measure =
            |split, examples| measure(engine, split, examples, objective, section, stop);
        let found = (measure(Split::Train, train)?, measure(Split::Validation, validation)?);
        let (Some(train), Some(validation)) = found else { return Ok(None) };
        points.push(LinePointRecord { alpha, train, validation });
    }
    Ok(Some(points))
}

/// (1 - alpha) small + alpha large, computed in f64.
fn between(small: &Arrays, large: &Arrays, alpha: f64) -> Arrays {
    let mix = |(a, b): (&f32, &f32)| ((1.0 - alpha) * f64::from(*a) + alpha * f64::from(*b)) as f32;
    let array = |(a, b): (&Vec<f32>, &Vec<f32>)| a.iter().zip(b).map(mix).collect();
    small.iter().zip(large).map(array).collect()
}

/// Loss and accuracy of a part of a split.
fn measure(
    engine: &mut dyn Engine,
    split: Split,
    examples: &Examples<'_>,
    objective: &Objective,
    section: &LineSection,
    stop: &dyn Fn() -> bool,
) -> Result<Option<[f64; 2]>> {
    let rows = rows(examples.len(), section.rows as usize);
    let Some(logits) = logits_of(engine, split, examples, &rows, stop)? else { return Ok(None) };
    let labels: Vec<f32> = rows.iter().map(|row| examples.labels[*row as usize]).collect();
    let loss = objective.unweighted().mean_loss(&logits, labels.iter().copied());
    let score = objective.score(Metric::of_task(objective.task()), &logits, &labels);
    Ok(Some([loss, score.unwrap_or(f64::NAN)]))
}
