//! Measurements of finished runs: how sharp their minima are, and what lies between two of them.
//!
//! They come after all training, need the weights alone (and Adam's second moment, which a run keeps
//! when sharpness is asked for), and are recorded in the folder of the run. What is recorded under the
//! settings of the file is not measured again, so that they go on at any moment, and can be asked for
//! after a study has finished.

use super::control::RunControl;
use super::exec::Job;
use super::folder::StudyFolder;
use super::plan::Plan;
use super::protocol::{Measure, RunEnd, Task};
use super::record::{RunFolder, Status};
use super::run::{Run, Stage};
use super::selection::Selection;
use crate::data::Dataset;
use crate::kernels::{self, Device, EngineKind, LossSurface, State};
use crate::model;
use crate::probe::{self, AdamStep, LineRecord};
use crate::spec::UpdateRule;
use crate::train;
use anyhow::{Context, Result};
use std::sync::atomic::Ordering;

/// What is asked for of finished runs and not recorded.
pub(super) fn pending(
    plan: &Plan,
    folder: &StudyFolder,
    selection: &Selection,
) -> Result<Vec<Job>> {
    let probe = &plan.study.experiment.study.probe;
    let is_finished = |run: &Run| -> Result<bool> {
        let record = folder.run(run).record()?;
        Ok(record.is_some_and(|record| record.status == Status::Finished))
    };
    let ends = plan.study.line_ends();
    let mut jobs = Vec::new();
    for run in plan.runs.iter().filter(|run| selection.covers(run)) {
        if !is_finished(run)? {
            continue;
        }
        let files = folder.run(run);
        let mut add = |measurement| {
            jobs.push(Job { run: run.clone(), measurement: Some(measurement) });
        };
        if let Some(section) = probe.sharpness
            && files.sharpness()?.is_none_or(|found| found.measured != section)
        {
            add(Measure::Sharpness);
        }
        if let (Some(section), Some([small, large])) = (&probe.line, ends)
            && run.arm.name == large.name
        {
            let from = Run { arm: small.clone(), seed: run.seed, stage: Stage::Report };
            let is_it = |found: &LineRecord| found.measured == *section && found.from == from.id();
            if is_finished(&from)? && !files.line()?.is_some_and(|found| is_it(&found)) {
                add(Measure::Line(from.id(), folder.run(&from).path().to_owned()));
            }
        }
    }
    Ok(jobs)
}

/// Keeps what sharpness asks for beside the weights. Weights of an earlier epoch have no moments of
/// their own.
pub(super) fn keep_second_moment(task: &Task, folder: &RunFolder, state: &State) -> Result<()> {
    match state.moments.get(1) {
        Some(second) if !task.definition.arm.train.restores_best() => {
            model::write_sealed_weights(&folder.second_moment(), &task.definition.model, second)
        }
        _ => Ok(()),
    }
}

/// A worker's part: measures a finished run, and records it.
pub(super) fn measure(task: &Task, what: &Measure, control: &RunControl) -> Result<RunEnd> {
    let folder = RunFolder::new(&task.folder);
    // Without its lock: of two that measure the same run both write the same, each whole.
    folder.refuse_links()?;
    let stop = || control.stop.load(Ordering::Relaxed);
    let done = match what {
        Measure::Sharpness => sharpness(task, &folder, &stop)?,
        Measure::Line(from, path) => line(task, &folder, (from, &RunFolder::new(path)), &stop)?,
    };
    Ok(if done { RunEnd::Finished } else { RunEnd::Stopped })
}

/// Whether it was measured, and not stopped.
fn sharpness(task: &Task, folder: &RunFolder, stop: &dyn Fn() -> bool) -> Result<bool> {
    let section = task.probe.sharpness.context("the study asks for no sharpness")?;
    let definition = &task.definition;
    let dataset = Dataset::open(&task.dataset)?;
    let train = dataset.splits()?.train;
    let objective = train::objective(&definition.arm, &definition.model, train.labels);
    let rows = probe::rows(train.len(), section.rows as usize);
    // Where results do not depend on the device, they are those of the processor.
    let device = match definition.engine {
        EngineKind::Libtorch => task.place.device,
        EngineKind::Fused => Device::Cpu,
    };
    let surface = LossSurface::new(device, definition.model, &train, &rows, &objective)?;
    let weights = folder.read_weights(&definition.model)?;
    let weights: Vec<f64> = weights.iter().flatten().map(|value| f64::from(*value)).collect();
    let adam = adam_step(task, folder)?;
    match probe::sharpness(&surface, &weights, adam.as_ref(), &section, stop)? {
        None => Ok(false),
        Some(record) => folder.write_sharpness(&record).map(|()| true),
    }
}

/// What Adam would do next; `None` for other optimizers, and for runs that did not keep it.
fn adam_step(task: &Task, folder: &RunFolder) -> Result<Option<AdamStep>> {
    let optimizer = task.definition.arm.train.optimizer.rule();
    let UpdateRule::Adam { beta_1, .. } = optimizer else { return Ok(None) };
    let Some(second) = folder.read_second_moment(&task.definition.model)? else { return Ok(None) };
    let Some(last) = folder.metrics()?.pop() else { return Ok(None) };
    let factors = probe::adam_factors(&second, last.step, &optimizer);
    let learning_rate = last.learning_rate;
    Ok(factors.map(|factors| AdamStep { factors, learning_rate, beta_1 }))
}

/// Whether it was measured, and not stopped.
fn line(
    task: &Task,
    folder: &RunFolder,
    (from, other): (&str, &RunFolder),
    stop: &dyn Fn() -> bool,
) -> Result<bool> {
    let section = task.probe.line.clone().context("the study asks for no line")?;
    let definition = &task.definition;
    let dataset = Dataset::open(&task.dataset)?;
    let splits = dataset.splits()?;
    let settings = train::settings(&definition.arm, &definition.model, splits.train.labels);
    let objective = settings.objective.clone().in_unit(dataset.unit());
    let ends = [other, folder].map(|run| run.read_weights(&definition.model));
    let [small, large] = ends;
    let (small, large) = (small?, large?);
    let mut engine =
        kernels::engine(definition.engine, task.place, definition.model, splits, settings)?;
    let examples = [&splits.train, &splits.validation];
    match probe::line(engine.as_mut(), [&small, &large], examples, &objective, &section, stop)? {
        None => Ok(false),
        Some(points) => {
            let record = LineRecord { measured: section, from: from.to_owned(), points };
            folder.write_line(&record).map(|()| true)
        }
    }
}
