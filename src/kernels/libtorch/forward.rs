//! Logits of a batch: embedding, recurrent layers, dense layer, as autograd sees them.

use super::super::{Input, Masks, Shape};
use super::batch::Batch;
use super::recurrent::{DeviceMasks, Recurrence};
use crate::spec::Cell;
use anyhow::{Result, ensure};
use tch::{Device, Kind, Tensor};

/// The weights of one model.
pub(super) struct Weights<'w> {
    pub(super) shape: Shape,
    /// In the order of [`Shape::parameters`].
    pub(super) parameters: &'w [Tensor],
    /// As [`no_biases`] makes them.
    pub(super) no_biases: &'w [Tensor],
    pub(super) device: Device,
}

/// The second bias vectors that torch's LSTMs have, which stay 0: one each direction, empty for a GRU,
/// whose second one is a parameter.
pub(super) fn no_biases(shape: &Shape, kind: Kind, device: Device) -> Result<Vec<Tensor>> {
    let count = |cell: Cell, units: usize| if cell == Cell::Lstm { 4 * units as i64 } else { 0 };
    let directions = shape.directions().into_iter();
    directions.map(|d| Ok(Tensor::f_zeros([count(d.cell, d.units)], (kind, device))?)).collect()
}

/// The masks of rows `first .. first + rows` of a step, one each direction.
pub(super) fn upload(
    masks: &[Masks],
    shape: &Shape,
    rows: (usize, usize),
    device: Device,
) -> Result<Vec<DeviceMasks>> {
    let directions = shape.directions();
    ensure!(masks.len() == directions.len(), "dropout masks of another model");
    let pairs = masks.iter().zip(&directions);
    pairs.map(|(masks, direction)| DeviceMasks::upload(masks, direction, rows, device)).collect()
}

impl<'w> Weights<'w> {
    /// The directions of all layers with their weights.
    fn recurrences(&self) -> Vec<Recurrence<'w>> {
        let mut rest = match self.shape.input {
            Input::Tokens { .. } => &self.parameters[1..],
            Input::Features(_) => self.parameters,
        };
        let mut all = Vec::new();
        for (direction, no_bias) in self.shape.directions().into_iter().zip(self.no_biases) {
            let second_bias = match direction.cell {
                Cell::Lstm => no_bias,
                Cell::Gru => &rest[3],
            };
            let weights = [&rest[0], &rest[1], &rest[2], second_bias];
            all.push(Recurrence { direction, weights });
            rest = &rest[if direction.cell == Cell::Lstm { 3 } else { 4 }..];
        }
        all
    }

    /// Prepares the recurrent weights for cuDNN; on the processor there is nothing to do.
    pub(super) fn flatten(&self) -> Result<()> {
        if !self.device.is_cuda() {
            return Ok(());
        }
        let _no_grad = tch::no_grad_guard();
        self.recurrences().iter().try_for_each(Recurrence::flatten)
    }

    /// Logits `[B, K]`; masks are one each direction; `training` prepares the backward pass.
    pub(super) fn logits(
        &self,
        batch: &Batch,
        masks: Option<&[DeviceMasks]>,
        training: bool,
    ) -> Result<Tensor> {
        let mut values = match self.shape.input {
            Input::Tokens { .. } => {
                Tensor::f_embedding(&self.parameters[0], &batch.inputs, -1, false, false)?
            }
            Input::Features(_) => batch.inputs.shallow_clone(),
        };
        let recurrences = self.recurrences();
        let mut number = 0;
        for (index, layer) in self.shape.layers.iter().enumerate() {
            let is_last = index + 1 == self.shape.layers.len();
            let mut sides = Vec::with_capacity(layer.directions());
            for recurrence in &recurrences[number..number + layer.directions()] {
                let masks = masks.map(|masks| &masks[number + sides.len()]);
                sides.push(side(recurrence, &values, batch, masks, is_last, training)?);
            }
            number += layer.directions();
            values = match &sides[..] {
                [only] => only.shallow_clone(),
                both => Tensor::f_cat(both, -1)?,
            };
        }
        let state = match &batch.not_empty {
            None => values,
            Some(not_empty) => values.f_mul(not_empty)?,
        };
        let [.., weight, bias] = self.parameters else { unreachable!("a model has a dense layer") };
        Ok(state.f_linear(weight, Some(bias))?)
    }
}

/// What one direction hands on: its states `[T, B, H]` in the order of the steps, or of the last layer the
/// state `[B, H]` after each row's own last step. Steps after a row's end hold no meaning and reach
/// nothing: rows are reversed within their lengths, so those steps come last in both directions.
fn side(
    recurrence: &Recurrence<'_>,
    inputs: &Tensor,
    batch: &Batch,
    masks: Option<&DeviceMasks>,
    is_last: bool,
    training: bool,
) -> Result<Tensor> {
    let reverse = recurrence.direction.reverse;
    let (states, last) = match reverse {
        false => recurrence.states(inputs, masks, training)?,
        true => recurrence.states(&batch.reverse(inputs)?, masks, training)?,
    };
    let h = recurrence.direction.units as i64;
    match (is_last, &batch.ends) {
        (true, None) => Ok(last.f_reshape([-1, h])?),
        (true, Some(ends)) => Ok(states.f_reshape([-1, h])?.f_index_select(0, ends)?),
        (false, _) if reverse => batch.reverse(&states),
        (false, _) => Ok(states),
    }
}
