//! Trains Burn's own `Lstm` under the protocol of `benches/README.md`.
//!
//! Usage: burn-contender DATA BATCH_SIZE (threads: RAYON_NUM_THREADS)
//!
//! The backend is chosen by a feature. `flex` is the one that Burn's documentation recommends for
//! processors; its predecessor `ndarray` and the libtorch backend are deprecated (0.22). Rows of text
//! begin at the first step, a batch is cut to its longest row, and each row's state is read at its
//! own last step, which is what a mask amounts to; Burn's LSTM has none.

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::nn::loss::{BinaryCrossEntropyLoss, BinaryCrossEntropyLossConfig};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig};
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
            (Inputs::Tokens { ids, last }, Some(embedding)) => {
                let (outputs, _) = self.lstm.forward(embedding.forward(ids.clone()), None);
                let [rows, steps, units] = outputs.dims();
                outputs.reshape([rows * steps, units]).select(0, last.clone())
            }
            (Inputs::Features(values), _) => self.lstm.forward(values.clone(), None).1.hidden,
            (Inputs::Tokens { .. }, None) => unreachable!("a model for tokens has an embedding"),
        };
        self.dense.forward(state).flatten(0, 1)
    }
}

struct Batch {
    inputs: Inputs,
    labels: Tensor<1, Int>,
}

enum Inputs {
    /// `[B, T, F]`
    Features(Tensor<3>),
    /// `[B, T]`, and where each row ends in the flattened outputs `[B * T, H]`.
    Tokens { ids: Tensor<2, Int>, last: Tensor<1, Int> },
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
    let mut ids = vec![0i64; rows.len() * longest];
    for (into, row) in ids.chunks_exact_mut(longest).zip(rows) {
        into[..row.len()].copy_from_slice(row);
    }
    let last =
        rows.iter().enumerate().map(|(at, row)| (at * longest + row.len().max(1) - 1) as i64);
    let last: Vec<i64> = last.collect();
    Inputs::Tokens {
        ids: Tensor::from_data(TensorData::new(ids, [rows.len(), longest]), device),
        last: Tensor::from_data(TensorData::new(last, [rows.len()]), device),
    }
}

fn open(path: &Path) -> Result<NpyFile<BufReader<File>>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(NpyFile::new(BufReader::new(file))?)
}
