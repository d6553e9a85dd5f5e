//! The arrays that all contenders read: `x.npy` and `y.npy` of a folder.

use anyhow::{Context, Result, bail};
use batchscope::kernels::{Examples, Sequences};
use npyz::{NpyFile, WriterBuilder};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

pub(crate) struct Arrays {
    x: Values,
    y: Vec<f32>,
}

enum Values {
    /// `[N, T, F]`
    Features { values: Vec<f32>, steps: usize, features: usize },
    /// Rows of token ids without those that Keras masks.
    Tokens { tokens: Vec<i32>, offsets: Vec<u64> },
}

impl Arrays {
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let (x, y) = (open(&folder.join("x.npy"))?, open(&folder.join("y.npy"))?);
        let x = match *x.shape() {
            [_, steps, features] => {
                let (steps, features) = (steps as usize, features as usize);
                Values::Features { values: x.into_vec()?, steps, features }
            }
            [_, steps] => unpadded(&x.into_vec()?, steps as usize),
            _ => bail!("x.npy has neither two axes nor three"),
        };
        Ok(Self { x, y: y.into_vec()? })
    }

    pub(crate) fn examples(&self) -> Examples<'_> {
        let sequences = match &self.x {
            Values::Features { values, steps, features } => {
                Sequences::Features { values, steps: *steps, features: *features }
            }
            Values::Tokens { tokens, offsets } => Sequences::Tokens { tokens, offsets },
        };
        Examples { sequences, labels: &self.y }
    }

    /// A split without rows.
    pub(crate) fn none(&self) -> Examples<'_> {
        let sequences = match &self.x {
            Values::Features { steps, features, .. } => {
                Sequences::Features { values: &[], steps: *steps, features: *features }
            }
            Values::Tokens { .. } => Sequences::Tokens { tokens: &[], offsets: &[0] },
        };
        Examples { sequences, labels: &[] }
    }
}

fn open(path: &Path) -> Result<NpyFile<BufReader<File>>> {
    let place = || path.display().to_string();
    let file = File::open(path).with_context(place)?;
    NpyFile::new(BufReader::new(file)).with_context(place)
}

/// `[N, T]` padded with 0 -> the rows as batchscope's own preparation keeps them.
fn unpadded(padded: &[i32], steps: usize) -> Values {
    let (mut tokens, mut offsets) = (Vec::new(), vec![0]);
    for row in padded.chunks_exact(steps) {
        tokens.extend(row.iter().filter(|token| **token != 0));
        offsets.push(tokens.len() as u64);
    }
    Values::Tokens { tokens, offsets }
}

/// Writes `[2048, 200, 64]` values in [-1, 1) with labels that they tell, for a machine without NumPy.
pub(crate) fn write_random(folder: &Path) -> Result<()> {
    const SHAPE: [u64; 3] = [2048, 200, 64];
    let row = (SHAPE[1] * SHAPE[2]) as usize;
    let draw = |at: u64| {
        // The finaliser of MurmurHash3: numbers without any pattern that a model could learn.
        let mut bits = at.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        ((bits >> 40) as f32) / (1u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..SHAPE.iter().product()).map(draw).collect();
    let label = |values: &[f32]| {
        let last = values.chunks_exact(SHAPE[2] as usize).rev().take(10).map(|step| step[0]);
        f32::from(u8::from(last.sum::<f32>() > 0.0))
    };
    let labels: Vec<f32> = values.chunks_exact(row).map(label).collect();
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    write(&folder.join("x.npy"), &SHAPE, values)?;
    write(&folder.join("y.npy"), &SHAPE[..1], labels)
}

fn write(path: &Path, shape: &[u64], values: Vec<f32>) -> Result<()> {
    let file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(shape).writer(file).begin_nd()?;
    writer.extend(values)?;
    Ok(writer.finish()?)
}
