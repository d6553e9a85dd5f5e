//! A worker process: takes orders on its input, trains one run at a time, reports on its output.

use super::protocol::{Hello, Order, Probe, Report, Task, WorkerEnd};
use super::record::{Definition, Record, RunFolder, Status};
use super::recorder::{Recorder, draw_test};
use crate::data::Dataset;
use crate::kernels::{self, Device, Engine, Split, State, cuda_devices, libtorch_version};
use crate::train::{self, Job, Outcome};
use crate::{model, rng};
use anyhow::{Context, Result};
use std::fs;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Serves orders until the input ends. A run that fails is reported; the worker goes on.
pub fn serve(input: impl BufRead + Send + 'static, mut output: impl Write) -> Result<()> {
    kernels::start_libtorch()?;
    let mut send = |report: Report| -> Result<()> {
        serde_json::to_writer(&mut output, &report)?;
        output.write_all(b"\n")?;
        Ok(output.flush()?)
    };
    send(Report::Hello(Hello { libtorch: libtorch_version(), cuda: cuda_devices()? }))?;
    let stop = Arc::new(AtomicBool::new(false));
    for order in listen(input, Arc::clone(&stop)) {
        match order {
            Order::Stop => {}
            Order::Probe(task) => {
                let report = probe(&task)?;
                send(Report::Probed(report))?;
            }
            Order::Train(task) => {
                let end = train_recorded(&task, &stop, &mut send)?;
                send(Report::Ended(end))?;
            }
        }
    }
    Ok(())
}

/// Reads orders in a thread of its own, so that a stop, or the end of the input because the study is
/// gone, is heard while a run is being trained.
fn listen(input: impl BufRead + Send + 'static, stop: Arc<AtomicBool>) -> Receiver<Order> {
    let (orders, received) = channel();
    thread::spawn(move || {
        for line in input.lines().map_while(Result::ok) {
            let Ok(order) = serde_json::from_str::<Order>(&line) else { break };
            if matches!(order, Order::Stop) {
                stop.store(true, Ordering::Relaxed);
            }
            if orders.send(order).is_err() {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    received
}

type SendReport<'s> = &'s mut dyn FnMut(Report) -> Result<()>;

/// Trains a run; whatever happens to it is in its record afterwards.
fn train_recorded(task: &Task, stop: &AtomicBool, send: SendReport<'_>) -> Result<WorkerEnd> {
    let folder = RunFolder::new(&task.folder);
    fs::create_dir_all(folder.path())
        .with_context(|| format!("cannot make {}", folder.path().display()))?;
    let dataset = Dataset::open(&task.dataset)?;
    let definition = Definition {
        arm: task.arm.clone(),
        seed: task.seed,
        model: task.shape,
        data: dataset.facts().hash.clone(),
        engine: task.engine,
        device: if task.device == Device::Cpu { "cpu" } else { "cuda" }.to_owned(),
    };
    let record = |status: Status, test| Record { status, test, definition: definition.clone() };
    folder.write_record(&record(Status::Running, None))?;
    match train_run(task, &folder, &dataset, stop, send) {
        Ok(Outcome::Finished { test, state }) => {
            train::save_weights(&folder.weights(), &task.shape, &state.parameters)?;
            if let Some(test) = &test {
                draw_test(&folder, test, task.arm.epochs)?;
            }
            folder.write_record(&record(Status::Finished, test))?;
            remove_checkpoint(&folder)?;
            Ok(WorkerEnd::Finished)
        }
        Ok(Outcome::Diverged { step }) => {
            folder.write_record(&record(Status::Diverged { step }, None))?;
            remove_checkpoint(&folder)?;
            Ok(WorkerEnd::Diverged { step })
        }
        Ok(Outcome::Stopped) => Ok(WorkerEnd::Stopped),
        Err(error) => {
            let message = format!("{error:#}");
            folder.write_record(&record(Status::Failed { message: message.clone() }, None))?;
            Ok(WorkerEnd::Failed { message })
        }
    }
}

fn remove_checkpoint(folder: &RunFolder) -> Result<()> {
    let path = folder.checkpoint();
    match path.parent().filter(|parent| parent.exists()) {
        Some(parent) => Ok(fs::remove_dir_all(parent)?),
        None => Ok(()),
    }
}

fn train_run(
    task: &Task,
    folder: &RunFolder,
    dataset: &Dataset,
    stop: &AtomicBool,
    send: SendReport<'_>,
) -> Result<Outcome> {
    reset_peak_memory();
    let splits = dataset.splits()?;
    let mut engine = kernels::engine(task.engine, task.device, task.shape, splits)?;
    let device = task.device;
    let peak_memory = move || peak_memory(device);
    let checkpoint = folder.checkpoint();
    let epochs = train::load_checkpoint(&checkpoint, &task.shape)?.map_or(0, |(_, at)| at.epoch);
    let mut recorder = Recorder::resume(folder, epochs, &task.resolved, &peak_memory, send, stop)?;
    let job =
        Job { arm: &task.arm, seed: task.seed, shape: task.shape, splits, checkpoint: &checkpoint };
    train::train(&job, engine.as_mut(), &mut recorder)
}

/// Times steps for about this long.
const PROBE: Duration = Duration::from_millis(400);

/// Trains a few steps of a run and measures them; keeps nothing.
fn probe(task: &Task) -> Result<Probe> {
    reset_peak_memory();
    let dataset = Dataset::open(&task.dataset)?;
    let splits = dataset.splits()?;
    let mut engine = kernels::engine(task.engine, task.device, task.shape, splits)?;
    engine.set_state(&State::new(model::keras(&task.shape, task.seed)))?;
    let order = rng::permutation(task.seed, 0, splits.train.len());
    let rows: Vec<u32> = (0..splits.validation.len().min(256) as u32).collect();
    engine.predict(Split::Validation, &rows)?;
    let started = Instant::now();
    engine.predict(Split::Validation, &rows)?;
    let seconds_per_validation_row = started.elapsed().as_secs_f64() / rows.len() as f64;
    let seconds_per_step = time_steps(engine.as_mut(), task, &order)?;
    Ok(Probe {
        seconds_per_step,
        seconds_per_validation_row,
        peak_memory: peak_memory(task.device)?,
    })
}

fn time_steps(engine: &mut dyn Engine, task: &Task, order: &[u32]) -> Result<f64> {
    let adam = &task.arm.optimizer;
    let (beta_1, beta_2, epsilon) = (adam.beta_1, adam.beta_2, adam.epsilon);
    let update = kernels::AdamUpdate { lr: adam.lr, beta_1, beta_2, epsilon };
    let mut batches = order.chunks(task.arm.batch_size).cycle();
    let mut step = || -> Result<()> {
        engine.train_step(batches.next().unwrap_or_default(), &update)?;
        engine.take_logits().map(drop)
    };
    step()?;
    let started = Instant::now();
    let mut steps = 0;
    while steps == 0 || started.elapsed() < PROBE {
        step()?;
        steps += 1;
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(steps))
}

/// The most memory since the run began: of the device on CUDA, else of this process.
fn peak_memory(device: Device) -> Result<u64> {
    match kernels::peak_device_memory(device)? {
        Some(bytes) => Ok(bytes),
        None => Ok(resident_peak().unwrap_or(0)),
    }
}

/// Begins a new measurement of this process's peak memory (Linux: `proc(5)`, `clear_refs`).
fn reset_peak_memory() {
    // Elsewhere than on Linux there is no such file, and no peak to read either.
    fs::write("/proc/self/clear_refs", "5").ok();
}

/// `VmHWM`, the peak of resident memory, in bytes.
fn resident_peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
