//! Trains with one of this project's engines under the benchmark's protocol, or multiplies matrices.
//!
//! ```text
//! contender DATA BATCH_SIZE THREADS --engine libtorch    trains on the processor
//! contender DATA BATCH_SIZE RUNS --cuda fused            trains RUNS runs at a time on the first GPU
//! contender DATA BATCH_SIZE THREADS --sgemm              multiplies 2048 x 2048 matrices by MKL
//! contender FOLDER --prepare EXPERIMENT                  prepares its data in the folder, says where
//! contender FOLDER --random                              writes random float features to the folder
//! ```

#![allow(
    missing_docs,
    clippy::print_stdout,
    reason = "a program of its own, which speaks on standard output"
)]

mod arrays;
mod protocol;

use anyhow::{Context, Result, anyhow, bail, ensure};
use arrays::Arrays;
use batchscope::config::{Source, Study};
use batchscope::data;
use batchscope::kernels::{
    self, Device, Engine, EngineKind, Examples, Place, Sequences, Settings, Splits, State, Step,
};
use batchscope::model;
use batchscope::spec::{Input, Objective, Shape, Stack, Task, UpdateRule};
use serde_json::json;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use tch::{Kind, Tensor};

const UNITS: usize = 64;
const VOCABULARY: usize = 10_000;
const EMBEDDING: usize = 64;
const LR: f64 = 1e-3;
/// torch's Adam.
const ADAM: UpdateRule = UpdateRule::Adam {
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    epsilon_hat: false,
    weight_decay: 0.0,
};
/// The side of the square matrices whose product is the yardstick.
const SIDE: i64 = 2048;

fn main() -> Result<()> {
    // cargo adds `--bench` at the end.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [folder, "--prepare", experiment] => prepare(Path::new(folder), experiment),
        [folder, "--random"] => arrays::write_random(Path::new(folder)),
        [data, batch_size, threads, device @ ("--engine" | "--cuda"), engine] => {
            let kind = serde_json::from_value(json!(engine))
                .with_context(|| format!("this build has no engine `{engine}`"))?;
            let (data, batch_size, count) =
                (Arrays::read(Path::new(data))?, batch_size.parse()?, threads.parse()?);
            match device {
                "--cuda" => train_together(&data, batch_size, count, kind),
                _ => {
                    start((kind, Device::Cpu), count)?;
                    let mut run = TrainedRun::new(&data, batch_size, count, (kind, Device::Cpu))?;
                    protocol::serve(|steps| run.train(steps))
                }
            }
        }
        [_, _, threads, "--sgemm"] => sgemm(threads.parse()?),
        _ => bail!("this program is started by scripts/bench"),
    }
}

/// Starts libtorch, once.
fn start((kind, device): (EngineKind, Device), threads: usize) -> Result<()> {
    let trouble = kernels::start_libtorch()?;
    tch::set_num_threads(threads as i32);
    match (kind, device, trouble) {
        (EngineKind::Libtorch, Device::Cuda(_), Some(trouble)) => bail!("{trouble}"),
        _ => Ok(()),
    }
}

/// All that an engine is told, apart from its steps: what differs between engines stands here.
fn engine<'d>(
    (kind, device): (EngineKind, Device),
    threads: usize,
    shape: Shape,
    splits: Splits<'d>,
) -> Result<Box<dyn Engine + 'd>> {
    let place = Place { threads: threads.max(1), ..Place::from(device) };
    kernels::engine(kind, place, shape, splits, Settings::plain(Objective::binary(), ADAM))
}

/// Steps after which results are fetched from the device, about as often as batchscope itself does it.
const WAIT: u64 = 64;

/// A run that is trained step by step.
struct TrainedRun<'d> {
    engine: Box<dyn Engine + 'd>,
    examples: Examples<'d>,
    rows: Vec<u32>,
    batch_size: usize,
    /// The batch that comes next.
    next: usize,
}

impl<'d> TrainedRun<'d> {
    fn new(
        data: &'d Arrays,
        batch_size: usize,
        threads: usize,
        by: (EngineKind, Device),
    ) -> Result<Self> {
        let examples = data.examples();
        let input = match examples.sequences {
            Sequences::Tokens { .. } => Input::Tokens { vocabulary: VOCABULARY, dim: EMBEDDING },
            Sequences::Features { features, .. } => Input::Features(features),
        };
        let shape = Shape { input, layers: Stack::lstm(UNITS), outputs: 1 };
        let splits = Splits { train: examples, validation: data.none(), test: data.none() };
        let mut engine = engine(by, threads, shape, splits)?;
        engine.set_state(&State::new(model::keras(&shape, 0), &ADAM))?;
        let rows: Vec<u32> = (0..examples.len() as u32).collect();
        ensure!((1..=rows.len()).contains(&batch_size), "{} rows do not make a batch", rows.len());
        Ok(Self { engine, examples, rows, batch_size, next: 0 })
    }

    /// Trains `steps` steps; gives the loss of the last one.
    fn train(&mut self, steps: u64) -> Result<f64> {
        let mut logits = Vec::new();
        let mut last = 0..0;
        for step in 1..=steps {
            let start = self.next % (self.rows.len() / self.batch_size) * self.batch_size;
            (last, self.next) = (start..start + self.batch_size, self.next + 1);
            let rows = &self.rows[last.clone()];
            self.engine.train_step(&Step { rows, lr: LR, masks: None })?;
            if step % WAIT == 0 || step == steps {
                logits = self.engine.take_computed()?.logits;
            }
        }
        let logits = &logits[logits.len() - last.len()..];
        let labels = self.rows[last.clone()].iter().map(|row| self.examples.labels[*row as usize]);
        let losses = logits.iter().zip(labels).map(|(z, y)| cross_entropy(*z, y));
        Ok(losses.sum::<f64>() / last.len() as f64)
    }
}

/// Trains runs at a time on the first GPU, a thread each; each makes the steps that are asked for.
fn train_together(data: &Arrays, batch_size: usize, count: usize, kind: EngineKind) -> Result<()> {
    let by = (kind, Device::Cuda(0));
    start(by, 1)?;
    thread::scope(|scope| {
        let (told, said) = channel();
        let orders: Vec<Sender<u64>> = (0..count)
            .map(|_| {
                let (order, orders) = channel();
                let told = told.clone();
                scope.spawn(move || {
                    let mut run = TrainedRun::new(data, batch_size, 1, by);
                    for steps in orders {
                        let loss = match &mut run {
                            Ok(run) => run.train(steps),
                            Err(error) => Err(anyhow!("{error:#}")),
                        };
                        told.send(loss).ok();
                    }
                });
                order
            })
            .collect();
        protocol::serve(|steps| {
            orders.iter().try_for_each(|order| order.send(steps))?;
            let mut last = f64::NAN;
            for _ in 0..count {
                last = said.recv()??;
            }
            Ok(last)
        })
    })
}

fn cross_entropy(logit: f32, label: f32) -> f64 {
    let (z, y) = (f64::from(logit), f64::from(label));
    z.max(0.0) - z * y + (-z.abs()).exp().ln_1p()
}

fn sgemm(threads: i32) -> Result<()> {
    kernels::start_libtorch()?;
    tch::set_num_threads(threads);
    let _no_grad = tch::no_grad_guard();
    let ones = || Tensor::f_ones([SIDE, SIDE], (Kind::Float, tch::Device::Cpu));
    let (a, b, product) = (ones()?, ones()?, ones()?);
    protocol::serve(|products| {
        let mut value = f64::NAN;
        for _ in 0..products {
            value = product.f_mm_out(&a, &b)?.f_double_value(&[0, 0])?;
        }
        Ok(value)
    })
}

/// Prepares the data of an experiment as `batchscope run` does.
fn prepare(folder: &Path, experiment: &str) -> Result<()> {
    let text = std::fs::read_to_string(experiment).with_context(|| experiment.to_owned())?;
    let source = Source { name: experiment.to_owned(), text, overrides: Vec::new() };
    let experiment = Study::from_source(&source, "bench")?.experiment;
    let embedding = experiment.model.embedding.as_ref();
    let prepared = data::prepare(&experiment.data, embedding, Task::Binary, folder, &mut |_| {})?;
    println!("{}", prepared.path.display());
    Ok(())
}
