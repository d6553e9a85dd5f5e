//! The loss of fixed training rows as a function of the weights, in f64: what curvature is measured
//! on.
//!
//! Second derivatives are taken as differences of gradients of nearby weights, which f32 is too
//! coarse for. Rows are sorted by their lengths and cut into batches once, so that little is computed
//! for padding. Nothing is dropped and nothing penalised; rows count by their labels as in training.
//!
//! Weights and gradients are flat: the arrays of [`Shape::parameters`], one after the other.

use super::super::{Device, Examples, Loss, Objective, Shape, Split};
use super::batch::{Batch, Resident};
use super::forward::{Weights, no_biases};
use super::{loss, values};
use crate::spec::Param;
use anyhow::{Result, ensure};
use tch::{Kind, Reduction, Tensor};

/// Rows that are computed at a time.
const ROWS: usize = 128;

/// The mean loss of fixed rows, at any weights.
pub struct LossSurface {
    shape: Shape,
    device: tch::Device,
    loss: Loss,
    batches: Vec<FixedBatch>,
    rows: usize,
    no_biases: Vec<Tensor>,
}

struct FixedBatch {
    inputs: Batch,
    labels: Tensor,
    /// How much each row counts.
    weights: Tensor,
}

impl LossSurface {
    /// That of these rows of the training split, each counting by its class.
    pub fn new(
        device: Device,
        shape: Shape,
        train: &Examples<'_>,
        rows: &[u32],
        objective: &Objective,
    ) -> Result<Self> {
        ensure!(!rows.is_empty(), "the loss of no rows is not defined");
        let device = match device {
            Device::Cpu => tch::Device::Cpu,
            Device::Cuda(index) => tch::Device::Cuda(index),
        };
        let mut sorted = rows.to_vec();
        sorted.sort_by_key(|row| (train.steps(*row), *row));
        let host = Resident::on_host();
        let fix = |rows: &[u32]| -> Result<FixedBatch> {
            let inputs = host.batch(Split::Train, train, rows, shape.reads_in_reverse())?;
            let of_rows = |value: &dyn Fn(f32) -> f64| -> Result<Tensor> {
                let values: Vec<f64> =
                    rows.iter().map(|row| value(train.labels[*row as usize])).collect();
                Ok(Tensor::f_from_slice(&values)?.f_to_device(device)?)
            };
            Ok(FixedBatch {
                inputs: inputs.in_f64(device)?,
                labels: of_rows(&|label| f64::from(label))?,
                weights: of_rows(&|target| f64::from(objective.weight(target)))?,
            })
        };
        let batches = sorted.chunks(ROWS).map(fix).collect::<Result<_>>()?;
        let no_biases = no_biases(&shape, Kind::Double, device)?;
        let loss = objective.loss;
        Ok(Self { shape, device, loss, batches, rows: rows.len(), no_biases })
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The loss at these weights.
    pub fn loss(&self, weights: &[f64]) -> Result<f64> {
        let _no_grad = tch::no_grad_guard();
        let parameters = self.upload(weights)?;
        let mut sum = 0.0;
        for batch in &self.batches {
            sum += values::<f64>(&self.summed_loss(&parameters, batch, false)?)?[0];
        }
        Ok(sum / self.rows as f64)
    }

    /// The loss at these weights and its gradient.
    pub fn gradient(&self, weights: &[f64]) -> Result<(f64, Vec<f64>)> {
        let parameters: Vec<Tensor> = self
            .upload(weights)?
            .into_iter()
            .map(|parameter| Ok(parameter.f_set_requires_grad(true)?))
            .collect::<Result<_>>()?;
        let (mut sum, mut gradient) = (0.0, vec![0.0; weights.len()]);
        for batch in &self.batches {
            let loss = self.summed_loss(&parameters, batch, true)?;
            let parts = Tensor::f_run_backward(&[&loss], &parameters, false, false)?;
            sum += values::<f64>(&loss)?[0];
            let mut at = 0;
            for part in &parts {
                let part = values::<f64>(part)?;
                let into = &mut gradient[at..at + part.len()];
                into.iter_mut().zip(&part).for_each(|(into, value)| *into += value);
                at += part.len();
            }
        }
        let rows = self.rows as f64;
        gradient.iter_mut().for_each(|value| *value /= rows);
        Ok((sum / rows, gradient))
    }

    fn weights<'w>(&'w self, parameters: &'w [Tensor]) -> Weights<'w> {
        Weights { shape: self.shape, parameters, no_biases: &self.no_biases, device: self.device }
    }

    fn summed_loss(
        &self,
        parameters: &[Tensor],
        batch: &FixedBatch,
        training: bool,
    ) -> Result<Tensor> {
        let logits = self.weights(parameters).logits(&batch.inputs, None, training)?;
        loss::of(self.loss, &logits, &batch.labels, Some(&batch.weights), Reduction::Sum)
    }

    fn upload(&self, weights: &[f64]) -> Result<Vec<Tensor>> {
        ensure!(
            weights.len() == self.shape.parameter_count(),
            "the weights are those of another model"
        );
        let mut rest = weights;
        let upload = |parameter: Param| {
            let (array, left) = rest.split_at(parameter.count());
            rest = left;
            let dims: Vec<i64> = parameter.dims.iter().map(|dim| *dim as i64).collect();
            Ok(Tensor::f_from_slice(array)?.f_reshape(dims)?.f_to_device(self.device)?)
        };
        let parameters: Vec<Tensor> =
            self.shape.parameters().into_iter().map(upload).collect::<Result<_>>()?;
        self.weights(&parameters).flatten()?;
        Ok(parameters)
    }
}
