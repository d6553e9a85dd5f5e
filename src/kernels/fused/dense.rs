//! The dense layer on a slab's last states, and its gradient.
//!
//! ```text
//! logit[r][k] = dense[k] . state[r] + bias[k]    sixteen chains over the groups, then a fixed tree
//! d_dense[k]  = sum over r of d_logit[r][k] * state[r]
//! ```
//!
//! The gradients of the logits come from the loss (`head`).

use super::tile::{GROUP, holds};
use super::vector::Vector;

/// The logits of a slab.
pub(super) struct Logits<'a> {
    /// `[rows][width]`
    pub(super) states: &'a [f32],
    /// `[K][width]`
    pub(super) dense: &'a [f32],
    /// The dense layer's bias, `[K]`.
    pub(super) bias: &'a [f32],
    /// `[rows][K]`
    pub(super) out: &'a mut [f32],
}

/// See [`Logits`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn logits<V: Vector>(p: Logits<'_>) {
    let outputs = p.bias.len();
    let (rows, width) = (p.out.len() / outputs, p.dense.len() / outputs);
    assert!(p.out.len() == rows * outputs && p.dense.len() == outputs * width);
    assert!(width.is_multiple_of(GROUP) && holds(p.states, [rows, width]));
    for (at, logit) in p.out.iter_mut().enumerate() {
        let (row, output) = (at / outputs, at % outputs);
        let mut lanes = [0f32; GROUP];
        for lane in (0..GROUP).step_by(V::LANES) {
            // SAFETY: the caller's promise; groups lie within rows.
            unsafe {
                let mut sum = V::splat(0.0);
                for group in (0..width).step_by(GROUP) {
                    let state = V::load(p.states.as_ptr().add(row * width + group + lane));
                    let weight = V::load(p.dense.as_ptr().add(output * width + group + lane));
                    sum = state.fma(weight, sum);
                }
                sum.store(lanes.as_mut_ptr().add(lane));
            }
        }
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        *logit = lanes[0] + p.bias[output];
    }
}

/// The gradient of the dense layer's weights.
pub(super) struct Gradient<'a> {
    /// The gradients of the logits, `[rows][K]`.
    pub(super) d_logits: &'a [f32],
    /// `[rows][width]`
    pub(super) states: &'a [f32],
    /// K
    pub(super) outputs: usize,
    /// `[K][width]`; added to.
    pub(super) d_dense: &'a mut [f32],
}

/// See [`Gradient`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn gradient<V: Vector>(p: Gradient<'_>) {
    let outputs = p.outputs;
    let (rows, width) = (p.d_logits.len() / outputs, p.d_dense.len() / outputs);
    assert!(p.d_logits.len() == rows * outputs && p.d_dense.len() == outputs * width);
    assert!(width.is_multiple_of(GROUP) && holds(p.states, [rows, width]));
    for output in 0..outputs {
        for column in (0..width).step_by(V::LANES) {
            // SAFETY: the caller's promise; `width` is a multiple of the lanes.
            unsafe {
                let to = p.d_dense.as_mut_ptr().add(output * width + column);
                let mut sum = V::load(to);
                for row in 0..rows {
                    let state = V::load(p.states.as_ptr().add(row * width + column));
                    sum = V::splat(p.d_logits[row * outputs + output]).fma(state, sum);
                }
                sum.store(to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::instructions::tests::{
        assert_close, noise, on_each_set, refuses, same_bits, wide,
    };
    use super::super::instructions::{InstructionSet, Instructions};
    use super::*;

    on_each_set! { logits_and_the_gradient_are_the_formula }

    fn logits_and_the_gradient_are_the_formula(set: Instructions) {
        let sizes = (1..=16).flat_map(|rows| [1, 2, 5, 17].map(|outputs| (rows, outputs)));
        for (rows, outputs) in sizes {
            let width = (1 + rows % 9) * GROUP;
            let (states, dense) = (noise(rows * width, 1), noise(outputs * width, 2));
            let (bias, d_logits) = (noise(outputs, 3), noise(rows * outputs, 4));
            let before = noise(outputs * width, 5);
            let dot = |at: usize| -> f64 {
                let (row, output) = (at / outputs, at % outputs);
                let pairs = states[row * width..][..width].iter().zip(&dense[output * width..]);
                pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
                    + f64::from(bias[output])
            };
            let logits: Vec<f64> = (0..rows * outputs).map(dot).collect();
            let mut d_dense = wide(&before);
            for (at, sum) in d_dense.iter_mut().enumerate() {
                let (output, column) = (at / width, at % width);
                for row in 0..rows {
                    let state = f64::from(states[row * width + column]);
                    *sum += f64::from(d_logits[row * outputs + output]) * state;
                }
            }
            let found = same_bits(set, |set| {
                let (mut out, mut d_dense) = (vec![0.0; rows * outputs], before.clone());
                set.logits(Logits { states: &states, dense: &dense, bias: &bias, out: &mut out });
                set.dense_gradient(Gradient {
                    d_logits: &d_logits,
                    states: &states,
                    outputs,
                    d_dense: &mut d_dense,
                });
                [out, d_dense].concat()
            });
            assert_close(&found, &[logits, d_dense].concat(), 1e-5);
        }
    }

    /// A width that is no multiple of the lanes was read and written beyond its end once.
    #[test]
    fn a_width_of_parts_of_groups_is_refused() {
        let set = Instructions::new(InstructionSet::best()).unwrap();
        let gradient = |width: usize| {
            let mut d_dense = vec![0.0; width];
            refuses(|| {
                set.dense_gradient(Gradient {
                    d_logits: &[1.0],
                    states: &vec![0.0; width],
                    outputs: 1,
                    d_dense: &mut d_dense,
                });
            })
        };
        assert!(gradient(5) && gradient(17) && !gradient(GROUP));
    }
}
