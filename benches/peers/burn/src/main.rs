//! Trains Burn's own `Lstm` under the protocol of `benches/README.md`.
//!
//! Usage: burn-contender DATA BATCH_SIZE (threads: RAYON_NUM_THREADS)
//!
//! The backend is chosen by a feature. `flex` is the one that Burn's documentation recommends for
//! processors; its predecessor `ndarray` and the libtorch backend are deprecated (0.22).
//!
//! Burn's LSTM knows no mask. For text it is called a step at a time, and where a row has ended its
//! state is held. (One call over the whole embedded batch, with the state gathered at each row's last
//! step, was tried: as fast at batch size 32, four times slower at 256.)

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::nn::loss::{BinaryCrossEntropyLoss, BinaryCrossEntropyLossConfig};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig, LstmState};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use npyz::NpyFile;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufReader, Write, stdin, stdout};
use std::path::Path;
use std::time::Instant;

const VOCABULARY: usize = 10_000;
const EMBEDDING: usize = 64;
const UNITS: usize = 64;
const LR: f64 = 1e-3;

#[derive(Module, Debug)]
struct Classifier {
    embedding: Option<Embedding>,
    lstm: Lstm,
    dense: Linear,
}

impl Classifier {
    fn new(features: Option<usize>, device: &Device) -> Self {
        let embedding = match features {
            Some(_) => None,
            None => Some(EmbeddingConfig::new(VOCABULARY, EMBEDDING).init(device)),
        };
        Self {
            embedding,
            lstm: LstmConfig::new(features.unwrap_or(EMBEDDING), UNITS, true).init(device),
            dense: LinearConfig::new(UNITS, 1).init(device),
        }
    }

    /// Logits `[B]`
    fn forward(&self, batch: &Batch) -> Tensor<1> {
        let state = match (&batch.inputs, &self.embedding) {
            (Inputs::Tokens { ids, held }, Some(embedding)) => self.masked(embedding, ids, held),
            (Inputs::Features(values), _) => self.lstm.forward(values.clone(), None).1.hidden,
            (Inputs::Tokens { .. }, None) => unreachable!("a model for tokens has an embedding"),
        };
        self.dense.forward(state).flatten(0, 1)
    }

    /// The last state `[B, H]`, step by step; where a row has ended, its state is held.
    fn masked(&self, embedding: &Embedding, ids: &[Tensor<2, Int>], held: &[Tensor<2>]) -> Tensor<2> {
        let step = |state: Option<LstmState<2>>, (ids, held): (&Tensor<2, Int>, &Tensor<2>)| {
            let (_, next) = self.lstm.forward(embedding.forward(ids.clone()), state.clone());
            let Some(old) = state else { return Some(next) };
            let hold = |new: Tensor<2>, old: Tensor<2>| (old - new.clone()) * held.clone() + new;
            Some(LstmState::new(hold(next.cell, old.cell), hold(next.hidden, old.hidden)))
        };
        let last = ids.iter().zip(held).fold(None, step);
        last.map(|state| state.hidden).unwrap_or_else(|| unreachable!("a batch has a step"))
    }
}

struct Batch {
    inputs: Inputs,
    labels: Tensor<1, Int>,
}

enum Inputs {
    /// `[B, T, F]`
    Features(Tensor<3>),
    /// For each step `[B, 1]` token ids, and `[B, 1]` 1 where the row has ended.
    Tokens { ids: Vec<Tensor<2, Int>>, held: Vec<Tensor<2>> },
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, batch_size] = &arguments[..] else {
        bail!("this program is started by scripts/bench")
    };
    let device = device().autodiff();
    let (batches, features) = batches(Path::new(data), batch_size.parse()?, &device)?;
    let mut model = Classifier::new(features, &device);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    let loss_of: BinaryCrossEntropyLoss =
        BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device);
    let mut cycle = batches.iter().cycle();
    let mut step = || -> Result<f64> {
        let batch = cycle.next().context("the data has fewer rows than a batch")?;
        let loss = loss_of.forward(model.forward(batch), batch.labels.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(LR, model.clone(), gradients);
        Ok(f64::from(loss.into_scalar::<f32>()))
    };
    step()?;
    let mut first = run(2, &mut step)?;
    first["versions"] = json!({ "burn": "0.22.1" });
    say(&first)?;
    for line in stdin().lines() {
        say(&run(line?.trim().parse()?, &mut step)?)?;
    }
    Ok(())
}

fn run(steps: u64, step: &mut dyn FnMut() -> Result<f64>) -> Result<Value> {
    let started = Instant::now();
    let mut loss = f64::NAN;
    for _ in 0..steps {
        loss = step()?;
    }
    Ok(json!({ "steps": steps, "seconds": started.elapsed().as_secs_f64(), "loss": loss }))
}

fn say(line: &Value) -> Result<()> {
    println!("{line}");
    Ok(stdout().flush()?)
}

#[cfg(not(feature = "cpu"))]
fn device() -> Device {
    Device::flex()
}

#[cfg(feature = "cpu")]
fn device() -> Device {
    Device::cpu()
}

/// All whole batches of the data, and F if it is features.
fn batches(folder: &Path, size: usize, device: &Device) -> Result<(Vec<Batch>, Option<usize>)> {
    let (x, y) = (open(&folder.join("x.npy"))?, open(&folder.join("y.npy"))?);
    let labels: Vec<f32> = y.into_vec()?;
    let labels = |at: usize| {
        let labels: Vec<i64> = labels[at * size..][..size].iter().map(|y| *y as i64).collect();
        Tensor::from_data(TensorData::new(labels, [size]), device)
    };
    match *x.shape() {
        [_, steps, features] => {
            let (steps, features) = (steps as usize, features as usize);
            let values: Vec<f32> = x.into_vec()?;
            let parts = values.chunks_exact(size * steps * features).enumerate();
            let batch = |(at, part): (usize, &[f32])| {
                let values = TensorData::new(part.to_vec(), [size, steps, features]);
                let inputs = Inputs::Features(Tensor::from_data(values, device));
                Batch { inputs, labels: labels(at) }
            };
            Ok((parts.map(batch).collect(), Some(features)))
        }
        [_, steps] => {
            let padded: Vec<i32> = x.into_vec()?;
            let rows: Vec<Vec<i64>> = padded.chunks_exact(steps as usize).map(unpadded).collect();
            let parts = rows.chunks_exact(size).enumerate();
            let batch = |(at, rows)| Batch { inputs: tokens(rows, device), labels: labels(at) };
            Ok((parts.map(batch).collect(), None))
        }
        _ => bail!("x.npy has neither two axes nor three"),
    }
}

fn unpadded(row: &[i32]) -> Vec<i64> {
    row.iter().filter(|token| **token != 0).map(|token| i64::from(*token)).collect()
}

fn tokens(rows: &[Vec<i64>], device: &Device) -> Inputs {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let column = |step: usize| {
        let ids: Vec<i64> = rows.iter().map(|row| row.get(step).copied().unwrap_or(0)).collect();
        Tensor::from_data(TensorData::new(ids, [rows.len(), 1]), device)
    };
    let ended = |step: usize| {
        let ended: Vec<f32> = rows.iter().map(|row| f32::from(u8::from(row.len() <= step))).collect();
        Tensor::from_data(TensorData::new(ended, [rows.len(), 1]), device)
    };
    Inputs::Tokens {
        ids: (0..longest).map(column).collect(),
        held: (0..longest).map(ended).collect(),
    }
}

fn open(path: &Path) -> Result<NpyFile<BufReader<File>>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(NpyFile::new(BufReader::new(file))?)
}
