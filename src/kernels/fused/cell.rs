//! The LSTM's cell, forward and backward, for one panel (sixteen units) at one time step.
//!
//! ```text
//! z      = start + sum over k of state_{t-1}[k] * weights[k]       i, f, o = sigmoid, g = tanh of z
//! carry  = f * carry_{t-1} + i * g                                 state = o * tanh(carry)
//!
//! d_carry += d_state * o * (1 - tanh(carry)^2)
//! d_i = d_carry * g * i (1 - i)      d_f = d_carry * carry_{t-1} * f (1 - f)
//! d_g = d_carry * i * (1 - g^2)      d_o = d_state * tanh(carry) * o (1 - o)
//! d_carry_{t-1} = d_carry * f
//! ```
//!
//! Gradients that travel far back become subnormal, which costs some processors a hundred cycles for
//! each operation: below 2^-96 they are 0.

use super::activation::{sigmoid, tanh};
use super::tile::{GROUP, PANEL, blocks, multiply, with_rows, zeros};
use super::vector::Vector;

/// Gradients below this are 0: 2^-96.
const LEAST: f32 = 1.262_177_4e-29;

/// What the product with the state is added to.
#[derive(Clone, Copy)]
pub(super) enum Start<'a> {
    /// What the gates hold.
    Gates,
    /// Rows of a table `[..][64]`, one for each row.
    Table(&'a [f32], &'a [u32]),
}

/// One step forward.
pub(super) struct Forward<'a> {
    /// See [`Start`].
    pub(super) start: Start<'a>,
    /// `[terms][64]`
    pub(super) weights: &'a [f32],
    /// H, or 0 when there is no product to add.
    pub(super) terms: usize,
    /// The states before, `[rows][width]`; not read when `terms` is 0.
    pub(super) states_before: &'a [f32],
    /// The carries before, `[rows][width]`.
    pub(super) carries_before: &'a [f32],
    /// H, rounded up to whole groups.
    pub(super) width: usize,
    /// The first of the sixteen units.
    pub(super) unit: usize,
    /// How many rows.
    pub(super) rows: usize,
    /// Becomes i f g o, `[rows][64]`.
    pub(super) gates: &'a mut [f32],
    /// `[rows][width]`, of which the sixteen units are written.
    pub(super) carries: &'a mut [f32],
    /// As `carries`.
    pub(super) states: &'a mut [f32],
}

/// See [`Forward`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn forward<V: Vector>(mut p: Forward<'_>) {
    let (all, units) = (p.rows * p.width, p.unit + GROUP);
    assert!(units <= p.width && p.weights.len() >= p.terms * PANEL && p.terms <= p.width);
    assert!(p.terms == 0 || p.states_before.len() >= all);
    assert!(p.carries_before.len() >= all && p.carries.len() >= all && p.states.len() >= all);
    assert!(p.gates.len() >= p.rows * PANEL);
    if let Start::Table(table, index) = p.start {
        assert!(index.len() >= p.rows);
        assert!(index[..p.rows].iter().all(|at| (*at as usize + 1) * PANEL <= table.len()));
    }
    // SAFETY: the caller's promise, and the lengths asserted.
    unsafe {
        for lane in (0..GROUP).step_by(V::LANES) {
            for (first, rows) in blocks(p.rows, V::ROWS) {
                with_rows!(rows, forward_block::<V>(&mut p, first, lane));
            }
        }
    }
}

#[inline(always)]
unsafe fn forward_block<V: Vector, const M: usize>(p: &mut Forward<'_>, first: usize, lane: usize) {
    // SAFETY: `forward` made sure of the lengths.
    unsafe {
        let gates = p.gates.as_mut_ptr().add(first * PANEL + lane);
        let mut sums = zeros::<V, M, 4>();
        let mut a = [p.states_before.as_ptr(); M];
        for m in 0..M {
            let from = match p.start {
                Start::Gates => gates.cast_const().add(m * PANEL),
                Start::Table(table, index) => {
                    table.as_ptr().add(*index.get_unchecked(first + m) as usize * PANEL + lane)
                }
            };
            for n in 0..4 {
                sums[m][n] = V::load(from.add(n * GROUP));
            }
            a[m] = a[m].wrapping_add((first + m) * p.width);
        }
        let b = p.weights.as_ptr().wrapping_add(lane);
        multiply::<V, M, 4>(&mut sums, (a, 1), (b, PANEL), p.terms);
        for (m, z) in sums.iter().enumerate() {
            let at = (first + m) * p.width + p.unit + lane;
            let (i, f) = (sigmoid(z[0]), sigmoid(z[1]));
            let (g, o) = (tanh(z[2]), sigmoid(z[3]));
            let carry = f.fma(V::load(p.carries_before.as_ptr().add(at)), i.mul(g));
            carry.store(p.carries.as_mut_ptr().add(at));
            o.mul(tanh(carry)).store(p.states.as_mut_ptr().add(at));
            for (n, gate) in [i, f, g, o].into_iter().enumerate() {
                gate.store(gates.add(m * PANEL + n * GROUP));
            }
        }
    }
}

/// Four vectors, one a group.
#[inline(always)]
unsafe fn load4<V: Vector>(from: *const f32) -> [V; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        [
            V::load(from),
            V::load(from.add(GROUP)),
            V::load(from.add(2 * GROUP)),
            V::load(from.add(3 * GROUP)),
        ]
    }
}

/// One step back.
pub(super) struct Backward<'a> {
    /// i f g o, `[rows][64]`; becomes their gradients.
    pub(super) gates: &'a mut [f32],
    /// `[rows][width]`
    pub(super) carries: &'a [f32],
    /// The carries before, `[rows][width]`.
    pub(super) carries_before: &'a [f32],
    /// `[rows][width]`
    pub(super) d_states: &'a [f32],
    /// `[rows][width]`; becomes that of the step before.
    pub(super) d_carries: &'a mut [f32],
    /// H, rounded up to whole groups.
    pub(super) width: usize,
    /// The first of the sixteen units.
    pub(super) unit: usize,
    /// How many rows.
    pub(super) rows: usize,
    /// The sum of the gates' gradients over rows is added to these 64 values.
    pub(super) d_bias: &'a mut [f32],
}

/// See [`Backward`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn backward<V: Vector>(p: Backward<'_>) {
    let all = p.rows * p.width;
    assert!(p.unit + GROUP <= p.width && p.gates.len() >= p.rows * PANEL);
    assert!(p.carries.len() >= all && p.carries_before.len() >= all);
    assert!(p.d_states.len() >= all && p.d_carries.len() >= all && p.d_bias.len() >= PANEL);
    // SAFETY: the caller's promise, and the lengths asserted.
    unsafe {
        let (one, least) = (V::splat(1.0), V::splat(LEAST));
        for lane in (0..GROUP).step_by(V::LANES) {
            let bias = p.d_bias.as_mut_ptr().add(lane);
            let mut d_bias = load4::<V>(bias);
            for row in 0..p.rows {
                let gates = p.gates.as_mut_ptr().add(row * PANEL + lane);
                let [i, f, g, o] = load4::<V>(gates);
                let at = row * p.width + p.unit + lane;
                let squashed = tanh(V::load(p.carries.as_ptr().add(at)));
                let d_state = V::load(p.d_states.as_ptr().add(at));
                let d_carry = p.d_carries.as_mut_ptr().add(at);
                let slope = one.sub(squashed.mul(squashed));
                let dc = d_state.mul(o).fma(slope, V::load(d_carry));
                let before = V::load(p.carries_before.as_ptr().add(at));
                let gradients = [
                    dc.mul(g).mul(i.mul(one.sub(i))),
                    dc.mul(before).mul(f.mul(one.sub(f))),
                    dc.mul(i).mul(one.sub(g.mul(g))),
                    d_state.mul(squashed).mul(o.mul(one.sub(o))),
                ];
                for (n, gradient) in gradients.into_iter().enumerate() {
                    let gradient = gradient.flush(least);
                    gradient.store(gates.add(n * GROUP));
                    d_bias[n] = d_bias[n].add(gradient);
                }
                dc.mul(f).flush(least).store(d_carry);
            }
            for (n, sum) in d_bias.into_iter().enumerate() {
                sum.store(bias.add(n * GROUP));
            }
        }
    }
}
