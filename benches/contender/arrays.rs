//! The arrays that all contenders read: `x.npy` and `y.npy` of a folder.

use anyhow::{Context, Result, bail};
use batchscope::kernels::{Examples, Sequences};
use npyz::NpyFile;
use std::fs::File;
use std::io::BufReader;
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
