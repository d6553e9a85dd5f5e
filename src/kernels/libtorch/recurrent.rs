//! One direction of a recurrent layer over a batch, as autograd sees it.
//!
//! Without recurrent dropout it is libtorch's own LSTM or GRU, over oneDNN or cuDNN. A mask between the
//! state and each gate is nothing that these know, so with recurrent dropout the time steps are taken one
//! by one:
//!
//! ```text
//! LSTM   z_k = (x_t * input_k) weight_ih_k + (h * recurrent_k) weight_hh_k + bias_k    for each gate k
//! GRU    a_k = (x_t * input_k) weight_ih_k + bias_k
//!        b_k = (h * recurrent_k) weight_hh_k + recurrent_bias_k
//! ```

use super::super::Masks;
use crate::spec::{Cell, Direction};
use anyhow::Result;
use tch::{Device, Tensor};

/// Dropout masks of one direction and batch on the device.
pub(super) struct DeviceMasks {
    /// `[B, 1, F]` or `[B, G, F]`
    input: Option<Tensor>,
    /// `[B, G, H]`
    recurrent: Option<Tensor>,
}

impl DeviceMasks {
    /// The masks of rows `first .. first + rows` of a step.
    pub(super) fn upload(
        masks: &Masks,
        direction: &Direction,
        (first, rows): (usize, usize),
        device: Device,
    ) -> Result<Self> {
        let part = |values: &[f32], gates: usize, width: usize| -> Result<Option<Tensor>> {
            if values.is_empty() {
                return Ok(None);
            }
            let size = gates * width;
            let values = &values[first * size..(first + rows) * size];
            let dims = [rows, gates, width].map(|dim| dim as i64);
            Ok(Some(Tensor::f_from_slice(values)?.f_reshape(dims)?.f_to_device(device)?))
        };
        let all = direction.cell.gates();
        let gates = if masks.recurrent.is_empty() { 1 } else { all };
        Ok(Self {
            input: part(&masks.input, gates, direction.features)?,
            recurrent: part(&masks.recurrent, all, direction.units)?,
        })
    }
}

/// One direction of a layer and its weights.
pub(super) struct Recurrence<'w> {
    pub(super) direction: Direction,
    /// As torch's own modules order them: of the inputs, of the state, and two biases.
    pub(super) weights: [&'w Tensor; 4],
}

impl Recurrence<'_> {
    /// Puts the weights one after the other in a GPU's memory, as cuDNN wants them; without this it copies
    /// them on every use, and warns.
    pub(super) fn flatten(&self) -> Result<()> {
        let mode = match self.direction.cell {
            Cell::Lstm => 2,
            Cell::Gru => 3,
        };
        let (features, units) = self.sizes();
        let _buffer = Tensor::f_internal_cudnn_rnn_flatten_weight(
            &self.weights,
            4,
            features,
            mode,
            units,
            0,
            1,
            false,
            false,
        )?;
        Ok(())
    }

    fn sizes(&self) -> (i64, i64) {
        (self.direction.features as i64, self.direction.units as i64)
    }

    /// The states `[T, B, H]` of inputs `[T, B, F]` and the last of them `[.., B, H]`; `training` prepares
    /// the backward pass.
    pub(super) fn states(
        &self,
        inputs: &Tensor,
        masks: Option<&DeviceMasks>,
        training: bool,
    ) -> Result<(Tensor, Tensor)> {
        match masks {
            Some(DeviceMasks { input, recurrent: Some(recurrent) }) => {
                self.gate_by_gate(inputs, input.as_ref(), recurrent)
            }
            Some(DeviceMasks { input: Some(mask), recurrent: None }) => {
                self.whole(&inputs.f_mul(&mask.f_transpose(0, 1)?)?, training)
            }
            _ => self.whole(inputs, training),
        }
    }

    /// By libtorch's LSTM or GRU.
    fn whole(&self, inputs: &Tensor, training: bool) -> Result<(Tensor, Tensor)> {
        let (b, units) = (inputs.size()[1], self.sizes().1);
        let zero = Tensor::f_zeros([1, b, units], (inputs.kind(), inputs.device()))?;
        let weights = &self.weights;
        match self.direction.cell {
            Cell::Lstm => {
                let first = [&zero, &zero];
                let (outputs, last, _) =
                    inputs.f_lstm(&first, weights, true, 1, 0.0, training, false, false)?;
                Ok((outputs, last))
            }
            Cell::Gru => Ok(inputs.f_gru(&zero, weights, true, 1, 0.0, training, false, false)?),
        }
    }

    /// The same with a mask between the state and each gate.
    fn gate_by_gate(
        &self,
        inputs: &Tensor,
        input_mask: Option<&Tensor>,
        recurrent_mask: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let h = self.sizes().1;
        let gates = self.direction.cell.gates() as i64;
        let (t, b) = (inputs.size()[0], inputs.size()[1]);
        let projected = self.projected(inputs, input_mask)?;
        let recurrent = recurrent_mask.f_transpose(0, 1)?.f_contiguous()?;
        let [_, weight_hh, _, second_bias] = self.weights;
        let weight_hh = weight_hh.f_reshape([gates, h, h])?.f_transpose(1, 2)?;
        let second_bias = second_bias.f_reshape([gates, 1, h])?;
        let mut state = Tensor::f_zeros([b, h], (inputs.kind(), inputs.device()))?;
        let mut carry = state.shallow_clone();
        let mut outputs = Vec::with_capacity(t as usize);
        for step in 0..t {
            let of_state = recurrent.f_mul(&state)?.f_bmm(&weight_hh)?;
            let of_input = projected.f_select(1, step)?;
            match self.direction.cell {
                Cell::Lstm => {
                    let z = of_state.f_add(&of_input)?;
                    (state, carry) = lstm_step(&z, &carry)?;
                }
                Cell::Gru => {
                    state = gru_step(&of_input, &of_state.f_add(&second_bias)?, &state)?;
                }
            }
            outputs.push(state.shallow_clone());
        }
        Ok((Tensor::f_stack(&outputs, 0)?, state))
    }

    /// What the inputs of all steps and the first bias give each gate: `[G, T, B, H]`.
    fn projected(&self, inputs: &Tensor, input_mask: Option<&Tensor>) -> Result<Tensor> {
        let (f, h) = self.sizes();
        let gates = self.direction.cell.gates() as i64;
        let (t, b) = (inputs.size()[0], inputs.size()[1]);
        let [weight_ih, _, bias, _] = self.weights;
        // Each gate has a mask of its own.
        let masked = match input_mask {
            None => inputs.f_reshape([1, t * b, f])?.f_expand([gates, t * b, f], false)?,
            Some(mask) => {
                let by_gate = mask.f_transpose(0, 1)?.f_unsqueeze(1)?;
                inputs.f_unsqueeze(0)?.f_mul(&by_gate)?.f_reshape([gates, t * b, f])?
            }
        };
        Ok(masked
            .f_bmm(&weight_ih.f_reshape([gates, h, f])?.f_transpose(1, 2)?)?
            .f_add(&bias.f_reshape([gates, 1, h])?)?
            .f_reshape([gates, t, b, h])?)
    }
}

/// State and carry after the sums `[4, B, H]` of the gates.
fn lstm_step(z: &Tensor, carry: &Tensor) -> Result<(Tensor, Tensor)> {
    let gate = |k: i64| z.f_select(0, k);
    let (i, f, o) = (gate(0)?.f_sigmoid()?, gate(1)?.f_sigmoid()?, gate(3)?.f_sigmoid()?);
    let carry = f.f_mul(carry)?.f_add(&i.f_mul(&gate(2)?.f_tanh()?)?)?;
    Ok((o.f_mul(&carry.f_tanh()?)?, carry))
}

/// The state after what inputs and state give each gate, `[3, B, H]` each.
fn gru_step(of_input: &Tensor, of_state: &Tensor, state: &Tensor) -> Result<Tensor> {
    let sum = |k: i64| -> Result<Tensor> {
        Ok(of_input.f_select(0, k)?.f_add(&of_state.f_select(0, k)?)?.f_sigmoid()?)
    };
    let (r, z) = (sum(0)?, sum(1)?);
    let n = of_input.f_select(0, 2)?.f_add(&r.f_mul(&of_state.f_select(0, 2)?)?)?.f_tanh()?;
    Ok(n.f_add(&z.f_mul(&state.f_sub(&n)?)?)?)
}
