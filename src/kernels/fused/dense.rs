//! The dense layer on a slab's last states, and the loss's gradient.
//!
//! ```text
//! logit[r]   = dense . state[r] + bias         sixteen chains over the groups, then a fixed tree
//! d_logit[r] = weight[r] / B * (sigmoid(logit[r]) - label[r])
//! d_dense    = sum over r of d_logit[r] * state[r]
//! ```

use super::activation::sigmoid;
use super::tile::{GROUP, holds};
use super::vector::Vector;

/// The logits of a slab.
pub(super) struct Logits<'a> {
    /// `[rows][width]`
    pub(super) states: &'a [f32],
    /// `[width]`
    pub(super) dense: &'a [f32],
    /// The dense layer's bias.
    pub(super) bias: f32,
    /// `[rows]`
    pub(super) out: &'a mut [f32],
}

/// See [`Logits`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn logits<V: Vector>(p: Logits<'_>) {
    let width = p.dense.len();
    assert!(width.is_multiple_of(GROUP) && holds(p.states, [p.out.len(), width]));
    for (row, logit) in p.out.iter_mut().enumerate() {
        let mut lanes = [0f32; GROUP];
        for lane in (0..GROUP).step_by(V::LANES) {
            // SAFETY: the caller's promise; groups lie within rows.
            unsafe {
                let mut sum = V::splat(0.0);
                for group in (0..width).step_by(GROUP) {
                    let state = V::load(p.states.as_ptr().add(row * width + group + lane));
                    sum = state.fma(V::load(p.dense.as_ptr().add(group + lane)), sum);
                }
                sum.store(lanes.as_mut_ptr().add(lane));
            }
        }
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        *logit = lanes[0] + p.bias;
    }
}

/// The gradient of the loss, and of the dense layer.
pub(super) struct Loss<'a> {
    /// `[rows]`, at most sixteen.
    pub(super) logits: &'a [f32],
    /// 0 or 1, `[rows]`.
    pub(super) labels: &'a [f32],
    /// What each row counts: its weight over B.
    pub(super) shares: &'a [f32],
    /// `[rows][width]`
    pub(super) states: &'a [f32],
    /// The gradients of the logits, `[rows]`.
    pub(super) d_logits: &'a mut [f32],
    /// `[width]`; added to.
    pub(super) d_dense: &'a mut [f32],
}

/// See [`Loss`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn loss<V: Vector>(p: Loss<'_>) {
    let (rows, width) = (p.logits.len(), p.d_dense.len());
    assert!(rows <= GROUP && p.labels.len() >= rows && p.shares.len() >= rows);
    assert!(width.is_multiple_of(GROUP) && holds(p.states, [rows, width]));
    assert!(p.d_logits.len() >= rows);
    // sigmoid(z) - 1 = -sigmoid(-z), which loses nothing where sigmoid(z) is nearly 1.
    let mut towards = [0f32; GROUP];
    for row in 0..rows {
        let logit = p.logits[row];
        towards[row] = if p.labels[row] > 0.5 { -logit } else { logit };
    }
    for lane in (0..GROUP).step_by(V::LANES) {
        // SAFETY: the caller's promise.
        unsafe {
            let at = towards.as_mut_ptr().add(lane);
            sigmoid(V::load(at)).store(at);
        }
    }
    for row in 0..rows {
        let sign = if p.labels[row] > 0.5 { -1.0 } else { 1.0 };
        p.d_logits[row] = sign * towards[row] * p.shares[row];
    }
    for column in (0..width).step_by(V::LANES) {
        // SAFETY: the caller's promise; `width` is a multiple of the lanes.
        unsafe {
            let to = p.d_dense.as_mut_ptr().add(column);
            let mut sum = V::load(to);
            for row in 0..rows {
                let state = V::load(p.states.as_ptr().add(row * width + column));
                sum = V::splat(p.d_logits[row]).fma(state, sum);
            }
            sum.store(to);
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

    on_each_set! { logits_and_their_gradients_are_the_formula }

    fn logits_and_their_gradients_are_the_formula(set: Instructions) {
        for (rows, groups) in (1..=16).flat_map(|rows| (1..=9).map(move |groups| (rows, groups))) {
            let width = groups * GROUP;
            let (states, dense, bias) = (noise(rows * width, 1), noise(width, 2), 0.25);
            let (labels, shares) = (noise(rows, 3), noise(rows, 4));
            let labels: Vec<f32> = labels.iter().map(|x| f32::from(u8::from(*x > 0.0))).collect();
            let before = noise(width, 5);
            let dot = |row: &[f32]| -> f64 {
                let each = row.iter().zip(&dense).map(|(a, b)| f64::from(*a) * f64::from(*b));
                each.sum::<f64>() + f64::from(bias)
            };
            let logits: Vec<f64> = states.chunks_exact(width).map(dot).collect();
            let d_logit = |row: usize| {
                let sigmoid = 1.0 / (1.0 + (-logits[row]).exp());
                f64::from(shares[row]) * (sigmoid - f64::from(labels[row]))
            };
            let d_logits: Vec<f64> = (0..rows).map(d_logit).collect();
            let mut d_dense = wide(&before);
            for (row, d_logit) in d_logits.iter().enumerate() {
                for (sum, state) in d_dense.iter_mut().zip(&states[row * width..]) {
                    *sum += d_logit * f64::from(*state);
                }
            }
            let found = same_bits(set, |set| {
                let (mut logits, mut d_logits) = (vec![0.0; rows], vec![0.0; rows]);
                let mut d_dense = before.clone();
                set.logits(Logits { states: &states, dense: &dense, bias, out: &mut logits });
                set.loss(Loss {
                    logits: &logits,
                    labels: &labels,
                    shares: &shares,
                    states: &states,
                    d_logits: &mut d_logits,
                    d_dense: &mut d_dense,
                });
                [logits, d_logits, d_dense].concat()
            });
            assert_close(&found, &[logits, d_logits, d_dense].concat(), 1e-5);
        }
    }

    /// A width that is no multiple of the lanes was read and written beyond its end once.
    #[test]
    fn a_width_of_parts_of_groups_is_refused() {
        let set = Instructions::new(InstructionSet::best()).unwrap();
        let loss = |width: usize| {
            let (mut d_logits, mut d_dense) = ([0.0], vec![0.0; width]);
            refuses(|| {
                set.loss(Loss {
                    logits: &[0.0],
                    labels: &[1.0],
                    shares: &[1.0],
                    states: &vec![0.0; width],
                    d_logits: &mut d_logits,
                    d_dense: &mut d_dense,
                });
            })
        };
        assert!(loss(5) && loss(17) && !loss(GROUP));
    }
}
