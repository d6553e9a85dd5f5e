//! What a worker does with an order: it trains a run, times one, or measures one.

use super::control::RunControl;
use super::curves::draw_test;
use super::killed::in_short;
use super::measure;
use super::peak_memory::{PeakMemory, peak_memory, reset_peak_memory};
use super::predictions;
use super::protocol::{NoRoom, Order, Report, RunEnd, StepTimes, Task};
use super::record::{Definition, Record, RunFolder, RunResult, Status};
use super::recorder::Recorder;
use super::run::Stage;
use crate::data::Dataset;
use crate::files;
use crate::kernels::{self, CudaDevice, Engine, Split, State, Step};
use crate::model::{self, Names};
use crate::rng;
use crate::spec::Objective;
use crate::train::{self, Dropout, Job, Outcome, Position, Trained, TrainingLength};
use anyhow::{Context, Result};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Does an order, of a lane that hears `control`, and tells of it. A run that fails is told of like one
/// that ends: the lane goes on.
pub(super) fn obey(
    order: Order,
    control: &RunControl,
    gpus: &[CudaDevice],
    tell: &mut dyn FnMut(Report) -> Result<()>,
) -> Result<()> {
    match order {
        Order::Stop | Order::Threads(_) => Ok(()),
        Order::Time(task) => tell(Report::Timed(time(&task)?)),
        Order::Measure(task, what) => tell(report(measure::measure(&task, &what, control))),
        Order::Train(task) => {
            // If nobody hears the reports, the study is gone: save and end, as on a stop.
            let mut emit = |report| {
                if tell(report).is_err() {
                    control.stop.store(true, Ordering::Relaxed);
                }
            };
            let ended = train_recorded((&task, gpus), control, &mut emit);
            emit(report(ended));
            Ok(())
        }
    }
}

/// What is told of the end of a run, or of a measurement.
fn report(ended: Result<RunEnd>) -> Report {
    match ended {
        Ok(end) => Report::Ended(end),
        Err(error) => {
            let message = in_short(&format!("{error:#}"));
            match files::no_room(&error) {
                Some(why) => Report::NoRoom(NoRoom { message, hint: why.hint().into() }),
                None => Report::Ended(RunEnd::Failed { message }),
            }
        }
    }
}

type Tell<'t> = &'t mut dyn FnMut(Report);

/// Trains a run; how it ended is in its record before this returns.
fn train_recorded(
    (task, gpus): (&Task, &[CudaDevice]),
    control: &RunControl,
    emit: Tell<'_>,
) -> Result<RunEnd> {
    let folder = RunFolder::new(&task.folder);
    fs::create_dir_all(folder.path())
        .with_context(|| format!("cannot make {}", folder.path().display()))?;
    // A worker of a study that was killed may still be saving this run.
    let _lock = folder.lock()?;
    let record = |status: Status, result: Option<RunResult>| {
        let record = Record::new(status, task.definition.clone())?;
        let checksums = match record.status {
            Status::Finished => folder.checksums()?,
            _ => record.checksums,
        };
        folder.write_record(&Record { result, checksums, ..record })
    };
    record(Status::Running, None)?;
    folder.write_ran_on(task.place, gpus)?;
    let end = match train_run(task, &folder, control, emit) {
        Ok((Outcome::Finished(trained), micro_batch)) => {
            save_outputs(task, &folder, &trained)?;
            let Trained { test, epochs, best_epoch, stopped_early, .. } = *trained;
            let reached_target = task.definition.arm.train.stop_at.map(|_| trained.reached_target);
            let result =
                RunResult { test, epochs, best_epoch, stopped_early, reached_target, micro_batch };
            record(Status::Finished, Some(result))?;
            RunEnd::Finished
        }
        Ok((Outcome::Diverged { step }, _)) => {
            record(Status::Diverged { step }, None)?;
            RunEnd::Diverged { step }
        }
        Ok((Outcome::Stopped, _)) => return Ok(RunEnd::Stopped),
        // Nothing is wrong with the run: it goes on when there is room.
        Err(error) if files::no_room(&error).is_some() => return Err(error),
        Err(error) => {
            let message = in_short(&format!("{error:#}"));
            record(Status::Failed { message: message.clone() }, None)?;
            return Ok(RunEnd::Failed { message });
        }
    };
    folder.remove_checkpoint();
    Ok(end)
}

/// Saves what a finished run leaves behind, apart from its record.
fn save_outputs(task: &Task, folder: &RunFolder, trained: &Trained) -> Result<()> {
    if task.stage == Stage::Tuning {
        // All that is asked of it is in its record.
        folder.remove_best();
        return Ok(());
    }
    let shape = &task.definition.model;
    model::write_weights(&folder.weights(), shape, &trained.weights, Names::Own)?;
    if let Some(test) = &trained.test {
        let dataset = Dataset::open(&task.dataset)?;
        let (task_of_arm, width) = (task.definition.arm.task(), task.definition.model.outputs);
        let objective = Objective::new(task.definition.arm.loss(), width).in_unit(dataset.unit());
        let logits = (&objective.natural(&trained.test_logits)[..], width);
        predictions::write(&folder.test_predictions(), &dataset, task_of_arm, logits)?;
        draw_test(folder, test, &task.metrics, trained.epochs)?;
    }
    Ok(())
}

/// How a run ended, and how many rows its engine took at a time in the end if not whole batches.
fn train_run(
    task: &Task,
    folder: &RunFolder,
    control: &RunControl,
    emit: Tell<'_>,
) -> Result<(Outcome, Option<usize>)> {
    reset_peak_memory();
    let dataset = Dataset::open(&task.dataset)?;
    let splits = match task.stage {
        Stage::Report => dataset.splits()?,
        Stage::Tuning => dataset.splits()?.without_test(),
    };
    let run = &task.definition;
    let mut settings = train::settings(&run.arm, &run.model, splits.train.labels);
    let (path, best) = (folder.checkpoint(), folder.best());
    let checkpoint = train::load_checkpoint(&path, &run.model, settings.optimizer.moments())?;
    let position = checkpoint.as_ref().map_or_else(Position::default, |(_, at)| at.clone());
    settings.micro_batch = position.micro_batch.or(settings.micro_batch);
    let objective = settings.objective.clone().in_unit(dataset.unit());
    let mut engine = kernels::engine(run.engine, task.place, run.model, splits, settings)?;
    let peak_memory = PeakMemory::of(task.place.device);
    let mut recorder = Recorder::resume(
        task,
        folder,
        (splits.train.len(), &position),
        &peak_memory,
        emit,
        control,
    )?;
    let job = Job {
        arm: &run.arm,
        seed: run.seed,
        shape: run.model,
        splits,
        objective: &objective,
        every_steps: task.logging.every_steps,
        checkpoint: &path,
        best: &best,
    };
    let outcome = train::train(&job, checkpoint, engine.as_mut(), &mut recorder)?;
    recorder.end(&outcome)?;
    if matches!(outcome, Outcome::Finished(_)) && task.probe.sharpness.is_some() {
        measure::keep_second_moment(task, folder, &engine.state()?)?;
    }
    let smaller = engine.micro_batch().filter(|rows| *rows < run.arm.batch_size);
    Ok((outcome, smaller))
}

/// Times steps for about this long.
const TIMED: Duration = Duration::from_millis(400);

/// Trains a few steps of a run and measures them; keeps nothing.
fn time(task: &Task) -> Result<StepTimes> {
    reset_peak_memory();
    let dataset = Dataset::open(&task.dataset)?;
    let splits = dataset.splits()?;
    let run = &task.definition;
    let settings = train::settings(&run.arm, &run.model, splits.train.labels);
    let optimizer = settings.optimizer;
    let mut engine = kernels::engine(run.engine, task.place, run.model, splits, settings)?;
    let weights = model::first_weights(&run.arm.model.init, &run.model, run.seed)?;
    engine.set_state(&State::new(weights, &optimizer))?;
    let rows: Vec<u32> = (0..splits.validation.len().min(256) as u32).collect();
    engine.predict(Split::Validation, &rows)?;
    let started = Instant::now();
    engine.predict(Split::Validation, &rows)?;
    let seconds_per_validation_row = started.elapsed().as_secs_f64() / rows.len() as f64;
    let order = rng::permutation(run.seed, 0, splits.train.len());
    let seconds_per_step = time_steps(engine.as_mut(), run, &order)?;
    let peak_memory = peak_memory(task.place.device)?;
    // That nothing can be written there is told when the study runs.
    let seconds_per_epoch = time_writing(&task.dataset, engine.as_ref()).unwrap_or(0.0);
    Ok(StepTimes { seconds_per_step, seconds_per_validation_row, seconds_per_epoch, peak_memory })
}

/// Seconds of what an epoch writes and makes last: a checkpoint, and lines of four logs. Written beside
/// the prepared data, which lie on the study's disk, and removed.
fn time_writing(dataset: &Path, engine: &dyn Engine) -> Result<f64> {
    const LINE: &[u8] = &[b' '; 500];
    let folder = dataset.parent().context("the prepared data lie in no folder")?;
    let mut file = files::temporary(folder, "timing")?;
    let started = Instant::now();
    let State { parameters, moments, .. } = engine.state()?;
    for array in moments.iter().chain([&parameters]).flatten() {
        file.write_all(bytemuck::cast_slice(array))?;
    }
    file.as_file().sync_all()?;
    for _ in 0..4 {
        file.write_all(LINE)?;
        file.as_file().sync_data()?;
    }
    Ok(started.elapsed().as_secs_f64())
}

fn time_steps(engine: &mut dyn Engine, run: &Definition, order: &[u32]) -> Result<f64> {
    let arm = &run.arm;
    let lr = train::learning_rate(&arm.train, &TrainingLength::new(arm, order.len()), 0, None);
    let dropout = Dropout::of(&arm.model, &run.model);
    let mut batches = order.chunks(arm.batch_size).cycle();
    let mut step = || -> Result<()> {
        let rows = batches.next().unwrap_or_default();
        let masks = dropout.masks(run.seed, 0, rows);
        engine.train_step(&Step { rows, lr, masks: masks.as_deref() })?;
        engine.take_computed().map(drop)
    };
    step()?;
    let started = Instant::now();
    let mut steps = 0;
    while steps == 0 || started.elapsed() < TIMED {
        step()?;
        steps += 1;
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(steps))
}
