//! Row numbers -> time-major tensors on the device.
//!
//! On CPU a batch is copied out of the mapped file. On CUDA the splits lie on the device from the
//! start, `[N, T]` tokens or `[N, T, F]` features, and only row numbers travel.

use super::super::{Examples, Sequences, Split, Splits};
use anyhow::{Result, bail};
use tch::{Device, Kind, Tensor};

/// One batch of B rows, trimmed to T, the steps of its longest row.
pub(super) struct Batch {
    /// Token ids `[T, B]` i32, or features `[T, B, F]` f32.
    pub(super) inputs: Tensor,
    /// Where in the flattened outputs `[T * B]` each row ends, `[B]` i64; `None` when all rows have
    /// T steps.
    pub(super) ends: Option<Tensor>,
    /// `[B, 1]`, 0 for rows without any step, 1 for others; `None` when there are no such rows.
    pub(super) not_empty: Option<Tensor>,
    /// Where in the flattened inputs `[T * B]` each step's counterpart from the other end of its row lies,
    /// `[T * B]` i64; for models that read rows in reverse.
    reversed: Option<Tensor>,
}

impl Batch {
    /// The same on a device, features in f64.
    pub(super) fn in_f64(self, device: Device) -> Result<Self> {
        let is_features = self.inputs.kind() == Kind::Float;
        let kind = if is_features { Kind::Double } else { self.inputs.kind() };
        let to = |tensor: Tensor| tensor.f_to_device(device);
        let not_empty = self.not_empty.map(|ones| to(ones)?.f_to_kind(Kind::Double));
        Ok(Self {
            inputs: to(self.inputs)?.f_to_kind(kind)?,
            ends: self.ends.map(to).transpose()?,
            not_empty: not_empty.transpose()?,
            reversed: self.reversed.map(to).transpose()?,
        })
    }

    /// Values `[T, B, F]` with each row's steps in the opposite order; what lies after its end stays there.
    pub(super) fn reverse(&self, values: &Tensor) -> Result<Tensor> {
        let Some(reversed) = &self.reversed else {
            bail!("a batch without an order in reverse is read in reverse")
        };
        let [t, b, f] = values.size()[..] else {
            bail!("values are not steps by rows by features")
        };
        Ok(values.f_reshape([-1, f])?.f_index_select(0, reversed)?.f_reshape([t, b, f])?)
    }
}

/// What lies on the device for the whole run.
pub(super) struct Resident {
    device: Device,
    /// Inputs and labels of the three splits, on CUDA only.
    splits: Option<[(Tensor, Tensor); 3]>,
}

impl Resident {
    pub(super) fn new(device: Device, splits: &Splits<'_>) -> Result<Self> {
        let lay = |examples: &Examples<'_>| -> Result<(Tensor, Tensor)> {
            let inputs = whole(examples)?.f_to_device(device)?;
            Ok((inputs, Tensor::f_from_slice(examples.labels)?.f_to_device(device)?))
        };
        let splits = match device.is_cuda() {
            true => Some([lay(&splits.train)?, lay(&splits.validation)?, lay(&splits.test)?]),
            false => None,
        };
        Ok(Self { device, splits })
    }

    /// Nothing: batches are copied out of host memory, and stay there.
    pub(super) fn on_host() -> Self {
        Self { device: Device::Cpu, splits: None }
    }

    /// Labels `[B]` of rows of the training split.
    pub(super) fn labels(&self, train: &Examples<'_>, rows: &[u32]) -> Result<Tensor> {
        match &self.splits {
            Some([(_, labels), ..]) => Ok(labels.f_index_select(0, &self.indices(rows)?)?),
            None => {
                let labels: Vec<f32> = rows.iter().map(|row| train.labels[*row as usize]).collect();
                Ok(Tensor::f_from_slice(&labels)?)
            }
        }
    }

    pub(super) fn batch(
        &self,
        split: Split,
        examples: &Examples<'_>,
        rows: &[u32],
        in_reverse: bool,
    ) -> Result<Batch> {
        let lengths: Vec<usize> = rows.iter().map(|row| examples.steps(*row)).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0).max(1);
        let inputs = match &self.splits {
            Some(splits) => {
                let (resident, _) = &splits[split as usize];
                let rows = resident.f_index_select(0, &self.indices(rows)?)?;
                rows.f_narrow(1, 0, longest as i64)?.f_transpose(0, 1)?.f_contiguous()?
            }
            None => gather(examples, rows, longest)?,
        };
        Ok(Batch {
            inputs,
            ends: self.ends(&lengths, longest)?,
            not_empty: self.not_empty(&lengths)?,
            reversed: in_reverse.then(|| self.reversed(&lengths, longest)).transpose()?,
        })
    }

    fn reversed(&self, lengths: &[usize], longest: usize) -> Result<Tensor> {
        let b = lengths.len();
        let mut places = Vec::with_capacity(longest * b);
        for step in 0..longest {
            let from = |length: &usize| if step < *length { length - 1 - step } else { step };
            let row = lengths.iter().enumerate();
            places.extend(row.map(|(column, length)| (from(length) * b + column) as i64));
        }
        Ok(Tensor::f_from_slice(&places)?.f_to_device(self.device)?)
    }

    fn ends(&self, lengths: &[usize], longest: usize) -> Result<Option<Tensor>> {
        if lengths.iter().all(|length| *length == longest) {
            return Ok(None);
        }
        let b = lengths.len();
        let end = |(column, length): (usize, &usize)| (length.max(&1) - 1) * b + column;
        let ends: Vec<i64> = lengths.iter().enumerate().map(|pair| end(pair) as i64).collect();
        Ok(Some(Tensor::f_from_slice(&ends)?.f_to_device(self.device)?))
    }

    fn not_empty(&self, lengths: &[usize]) -> Result<Option<Tensor>> {
        if lengths.iter().all(|length| *length > 0) {
            return Ok(None);
        }
        let ones: Vec<f32> =
            lengths.iter().map(|length| f32::from(u8::from(*length > 0))).collect();
        Ok(Some(Tensor::f_from_slice(&ones)?.f_reshape([-1, 1])?.f_to_device(self.device)?))
    }

    fn indices(&self, rows: &[u32]) -> Result<Tensor> {
        let rows: Vec<i64> = rows.iter().map(|row| i64::from(*row)).collect();
        Ok(Tensor::f_from_slice(&rows)?.f_to_device(self.device)?)
    }
}

/// A whole split, rows first: `[N, T]` i32 padded with 0 at the end, or `[N, T, F]`.
fn whole(examples: &Examples<'_>) -> Result<Tensor> {
    let n = examples.len();
    match examples.sequences {
        Sequences::Tokens { tokens, offsets } => {
            let longest = (0..n as u32).map(|row| examples.steps(row)).max().unwrap_or(0).max(1);
            let mut padded = vec![0i32; n * longest];
            for (row, into) in padded.chunks_exact_mut(longest).enumerate() {
                let from = &tokens[offsets[row] as usize..offsets[row + 1] as usize];
                into[..from.len()].copy_from_slice(from);
            }
            Ok(Tensor::f_from_slice(&padded)?.f_reshape([n as i64, longest as i64])?)
        }
        Sequences::Features { values, steps, features } => {
            let dims = [n as i64, steps as i64, features as i64];
            Ok(Tensor::f_from_slice(values)?.f_reshape(dims)?)
        }
    }
}

/// Rows copied out of host memory, time first.
fn gather(examples: &Examples<'_>, rows: &[u32], longest: usize) -> Result<Tensor> {
    let b = rows.len();
    match examples.sequences {
        Sequences::Tokens { tokens, offsets } => {
            let mut inputs = vec![0i32; longest * b];
            for (column, row) in rows.iter().map(|row| *row as usize).enumerate() {
                let row = &tokens[offsets[row] as usize..offsets[row + 1] as usize];
                for (step, token) in row.iter().enumerate() {
                    inputs[step * b + column] = *token;
                }
            }
            Ok(Tensor::f_from_slice(&inputs)?.f_reshape([longest as i64, b as i64])?)
        }
        Sequences::Features { values, steps, features } => {
            let mut inputs = vec![0f32; steps * b * features];
            for (column, row) in rows.iter().map(|row| *row as usize).enumerate() {
                let row = &values[row * steps * features..(row + 1) * steps * features];
                for (step, from) in row.chunks_exact(features).enumerate() {
                    let at = (step * b + column) * features;
                    inputs[at..at + features].copy_from_slice(from);
                }
            }
            let dims = [steps as i64, b as i64, features as i64];
            Ok(Tensor::f_from_slice(&inputs)?.f_reshape(dims)?.f_to_kind(Kind::Float)?)
        }
    }
}
