//! Logits of a batch: embedding, LSTM, dense layer, as autograd sees them.
//!
//! Without recurrent dropout the LSTM is libtorch's own, over oneDNN or cuDNN. A mask between the
//! state and each gate is nothing that these know, so with recurrent dropout the time steps are
//! taken one by one:
//!
//! ```text
//! z_k = (x_t * input_k) weight_ih_k + (h * recurrent_k) weight_hh_k + bias_k    for each gate k
//! ```

use super::super::{Input, Masks, Shape};
use super::batch::Batch;
use crate::spec::{Layer, Role};
use anyhow::Result;
use tch::{Device, Kind, Tensor};

/// The weights of one model.
pub(super) struct Weights<'w> {
    pub(super) shape: Shape,
    /// In the order of [`Shape::parameters`].
    pub(super) parameters: &'w [Tensor],
    /// torch's second bias vector, which stays 0.
    pub(super) no_bias: &'w Tensor,
    pub(super) device: Device,
}

/// Dropout masks of one batch on the device.
pub(super) struct DeviceMasks {
    /// `[B, 1, F]` or `[B, 4, F]`
    input: Option<Tensor>,
    /// `[B, 4, H]`
    recurrent: Option<Tensor>,
}

impl DeviceMasks {
    /// The masks of rows `first .. first + rows` of a step.
    pub(super) fn upload(
        masks: &Masks,
        shape: &Shape,
        first: usize,
        rows: usize,
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
        let gates = if masks.recurrent.is_empty() { 1 } else { 4 };
        Ok(Self {
            input: part(&masks.input, gates, shape.features())?,
            recurrent: part(&masks.recurrent, 4, shape.units)?,
        })
    }
}

impl Weights<'_> {
    /// The four tensors of the LSTM, as torch's own `nn.LSTM` orders them.
    pub(super) fn lstm(&self) -> [&Tensor; 4] {
        let at = self.shape.place(Layer::Lstm, Role::Kernel);
        [&self.parameters[at], &self.parameters[at + 1], &self.parameters[at + 2], self.no_bias]
    }

    /// Puts the LSTM's weights one after the other in a GPU's memory, as cuDNN wants them; without this
    /// it copies them on every use, and warns. On the processor there is nothing to do.
    pub(super) fn flatten(&self) -> Result<()> {
        const CUDNN_LSTM: i64 = 2;
        if !self.device.is_cuda() {
            return Ok(());
        }
        let _no_grad = tch::no_grad_guard();
        let (features, units) = (self.shape.features() as i64, self.shape.units as i64);
        let _buffer = Tensor::f_internal_cudnn_rnn_flatten_weight(
            &self.lstm(),
            4,
            features,
            CUDNN_LSTM,
            units,
            0,
            1,
            false,
            false,
        )?;
        Ok(())
    }

    /// Logits `[B, K]`; `training` prepares the backward pass.
    pub(super) fn logits(
        &self,
        batch: Batch,
        rows: usize,
        masks: Option<&DeviceMasks>,
        training: bool,
    ) -> Result<Tensor> {
        let inputs = match self.shape.input {
            Input::Tokens { .. } => {
                Tensor::f_embedding(&self.parameters[0], &batch.inputs, -1, false, false)?
            }
            Input::Features(_) => batch.inputs,
        };
        let (b, h) = (rows as i64, self.shape.units as i64);
        let (outputs, last) = match masks {
            Some(DeviceMasks { input, recurrent: Some(recurrent) }) => {
                self.gate_by_gate(&inputs, input.as_ref(), recurrent)?
            }
            Some(DeviceMasks { input: Some(mask), recurrent: None }) => {
                let inputs = inputs.f_mul(&mask.f_transpose(0, 1)?)?;
                self.whole(&inputs, b, training)?
            }
            _ => self.whole(&inputs, b, training)?,
        };
        let state = match &batch.ends {
            None => last.f_reshape([b, h])?,
            Some(ends) => outputs.f_reshape([-1, h])?.f_index_select(0, ends)?,
        };
        let state = match &batch.not_empty {
            None => state,
            Some(not_empty) => state.f_mul(not_empty)?,
        };
        let [.., weight, bias] = self.parameters else { unreachable!("a model has a dense layer") };
        Ok(state.f_linear(weight, Some(bias))?)
    }

    /// Outputs `[T, B, H]` and the last of them, by libtorch's LSTM.
    fn whole(&self, inputs: &Tensor, b: i64, training: bool) -> Result<(Tensor, Tensor)> {
        let units = self.shape.units as i64;
        let zero = Tensor::f_zeros([1, b, units], (self.no_bias.kind(), self.device))?;
        let (outputs, last, _) =
            inputs.f_lstm(&[&zero, &zero], &self.lstm(), true, 1, 0.0, training, false, false)?;
        Ok((outputs, last))
    }

    /// The same with a mask between the state and each gate.
    fn gate_by_gate(
        &self,
        inputs: &Tensor,
        input_mask: Option<&Tensor>,
        recurrent_mask: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let (f, h) = (self.shape.features() as i64, self.shape.units as i64);
        let (t, b) = (inputs.size()[0], inputs.size()[1]);
        let [weight_ih, weight_hh, bias, _] = self.lstm();
        // [1, T * B, F], or [4, T * B, F] when each gate has a mask of its own.
        let masked = match input_mask {
            None => inputs.f_reshape([1, t * b, f])?.f_expand([4, t * b, f], false)?,
            Some(mask) => {
                let by_gate = mask.f_transpose(0, 1)?.f_unsqueeze(1)?;
                inputs.f_unsqueeze(0)?.f_mul(&by_gate)?.f_reshape([4, t * b, f])?
            }
        };
        let projected = masked
            .f_bmm(&weight_ih.f_reshape([4, h, f])?.f_transpose(1, 2)?)?
            .f_add(&bias.f_reshape([4, 1, h])?)?
            .f_reshape([4, t, b, h])?;
        let recurrent = recurrent_mask.f_transpose(0, 1)?.f_contiguous()?;
        let weight_hh = weight_hh.f_reshape([4, h, h])?.f_transpose(1, 2)?;
        let mut state = Tensor::f_zeros([b, h], (Kind::Float, self.device))?;
        let mut cell = state.shallow_clone();
        let mut outputs = Vec::with_capacity(t as usize);
        for step in 0..t {
            let masked = recurrent.f_mul(&state)?;
            let z = masked.f_bmm(&weight_hh)?.f_add(&projected.f_select(1, step)?)?;
            let gate = |k: i64| z.f_select(0, k);
            let (i, f, o) = (gate(0)?.f_sigmoid()?, gate(1)?.f_sigmoid()?, gate(3)?.f_sigmoid()?);
            cell = f.f_mul(&cell)?.f_add(&i.f_mul(&gate(2)?.f_tanh()?)?)?;
            state = o.f_mul(&cell.f_tanh()?)?;
            outputs.push(state.shallow_clone());
        }
        Ok((Tensor::f_stack(&outputs, 0)?, state))
    }
}
