//! What was measured beside the score, as plain numbers.

use crate::analysis::{Line, LinePoint, NoisePoint, NoiseRun, Sharpness, SharpnessRun};
use crate::probe::{LinePointRecord, NoiseLine};
use crate::spec::Metric;
use crate::study::{Run, RunFolder};
use anyhow::Result;

/// The noise of a run's gradients; `None` if it was not measured.
pub(super) fn noise(run: &Run, files: &RunFolder) -> Result<Option<NoiseRun>> {
    let point = |line: &NoiseLine| NoisePoint {
        step: line.step,
        examples: line.examples,
        plain: line.plain.scale,
        adam: line.adam.map(|adam| adam.scale),
    };
    let points: Vec<NoisePoint> = files.noise()?.iter().map(point).collect();
    let (arm, batch_size) = (run.arm.name.clone(), run.arm.batch_size);
    Ok((!points.is_empty()).then_some(NoiseRun { arm, batch_size, seed: run.seed, points }))
}

/// How sharp the minimum of a run with this score is; `None` if it was not measured.
pub(super) fn sharpness(run: &Run, files: &RunFolder, score: f64) -> Result<Option<SharpnessRun>> {
    let (arm, batch_size) = (run.arm.name.clone(), run.arm.batch_size);
    let learning_rate = run.arm.train.optimizer.lr();
    Ok(files.sharpness()?.map(|found| SharpnessRun {
        arm,
        batch_size,
        learning_rate,
        seed: run.seed,
        score,
        sharpness: Sharpness {
            loss: found.loss,
            top_eigenvalue: found.top_eigenvalue,
            trace: found.trace,
            trace_se: found.trace_se,
            ball: found.ball,
            adaptive: found.adaptive,
            keskar: found.keskar,
            edge_of_stability: found.edge_of_stability,
        },
    }))
}

/// The line that ends in a run's minimum; `None` if it was not measured.
pub(super) fn line(run: &Run, files: &RunFolder) -> Result<Option<Line>> {
    // `probe::line` measures the default score of the task.
    let metric = Metric::of_task(run.arm.task()).info();
    let turned = |[loss, value]: [f64; 2]| [loss, metric.turned(value)];
    let point = |found: &LinePointRecord| LinePoint {
        alpha: found.alpha,
        train: turned(found.train),
        validation: turned(found.validation),
    };
    Ok(files.line()?.map(|found| Line {
        // `<arm>/seed-<seed>`
        small: found.from.split('/').next().unwrap_or(&found.from).to_owned(),
        large: run.arm.name.clone(),
        seed: run.seed,
        metric,
        points: found.points.iter().map(point).collect(),
    }))
}
