//! What is done to each value alone: sums, norms and updates of weights.
//!
//! Plain Rust, which the compiler turns into each set of instructions; it never contracts a product
//! and a sum, so all sets give the same bits.

use super::tile::{GROUP, PANEL};

/// `sum += other`
#[inline(always)]
pub(super) fn add((sum, other): (&mut [f32], &[f32])) {
    for (sum, other) in sum.iter_mut().zip(other) {
        *sum += other;
    }
}

/// Adds rows of 64 values to the rows of a table that they name, in their order.
pub(super) struct Scatter<'a> {
    /// `[..][64]`
    pub(super) table: &'a mut [f32],
    /// A row of the table for each row.
    pub(super) index: &'a [u32],
    /// `[rows][64]`
    pub(super) rows: &'a [f32],
}

/// See [`Scatter`].
#[inline(always)]
pub(super) fn scatter(p: Scatter<'_>) {
    for (row, at) in p.rows.chunks_exact(PANEL).zip(p.index) {
        let sum = &mut p.table[*at as usize * PANEL..][..PANEL];
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value;
        }
    }
}

/// The sum of squares, in f64.
#[inline(always)]
pub(super) fn squares((values, sum): (&[f32], &mut f64)) {
    let mut lanes = [0f64; 16];
    let chunks = values.chunks_exact(16);
    for (lane, value) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane += f64::from(*value) * f64::from(*value);
    }
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*value) * f64::from(*value);
        }
    }
    *sum += lanes.iter().sum::<f64>();
}

/// An optimizer's rule with the numbers of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`,
    /// `w = decay w - rate m / (root sqrt(v) + epsilon)`; b and 1-b in pairs.
    Adam { beta_1: [f32; 2], beta_2: [f32; 2], decay: f32, rate: f32, root: f32, epsilon: f32 },
    /// `w = w - rate g`
    Descent { rate: f32 },
    /// `v = momentum v + g`, `w = w - rate v`, or `w - rate (g + momentum v)`.
    Momentum { rate: f32, momentum: f32, nesterov: bool },
}

/// One update of some values.
pub(super) struct Update<'a> {
    /// The rule.
    pub(super) rule: &'a Rule,
    /// w
    pub(super) weights: &'a mut [f32],
    /// g
    pub(super) gradients: &'a [f32],
    /// m, or the velocity; empty when the rule keeps none.
    pub(super) first: &'a mut [f32],
    /// v; empty when the rule keeps none.
    pub(super) second: &'a mut [f32],
}

/// Several updates of some values whose gradients are 0.
pub(super) struct Replay<'a> {
    /// The rules, in order; all of one kind.
    pub(super) rules: &'a [Rule],
    /// As [`Update`] has it.
    pub(super) weights: &'a mut [f32],
    /// As [`Update`] has it.
    pub(super) first: &'a mut [f32],
    /// As [`Update`] has it.
    pub(super) second: &'a mut [f32],
}

/// Subnormal numbers are 0, as in libtorch once it is told so.
#[inline(always)]
fn normal(value: f32) -> f32 {
    if value.abs() < f32::MIN_POSITIVE { 0.0 } else { value }
}

impl Rule {
    /// The new (w, m, v) or (w, velocity, 0).
    #[inline(always)]
    fn apply(&self, w: f32, g: f32, first: f32, second: f32) -> (f32, f32, f32) {
        match *self {
            Self::Adam { beta_1, beta_2, decay, rate, root, epsilon } => {
                let m = normal(beta_1[0] * first + beta_1[1] * g);
                let v = normal(beta_2[0] * second + beta_2[1] * (g * g));
                (w * decay - rate * m / (v.sqrt() * root + epsilon), m, v)
            }
            Self::Descent { rate } => (w - rate * g, 0.0, 0.0),
            Self::Momentum { rate, momentum, nesterov } => {
                let velocity = normal(momentum * first + g);
                let direction = if nesterov { g + momentum * velocity } else { velocity };
                (w - rate * direction, velocity, 0.0)
            }
        }
    }
}

/// See [`Update`].
#[inline(always)]
pub(super) fn update(p: Update<'_>) {
    let count = p.weights.len();
    let g = &p.gradients[..count];
    match p.rule {
        Rule::Adam { .. } => {
            let (first, second) = (&mut p.first[..count], &mut p.second[..count]);
            for at in 0..count {
                (p.weights[at], first[at], second[at]) =
                    p.rule.apply(p.weights[at], g[at], first[at], second[at]);
            }
        }
        Rule::Descent { .. } => {
            for at in 0..count {
                (p.weights[at], ..) = p.rule.apply(p.weights[at], g[at], 0.0, 0.0);
            }
        }
        Rule::Momentum { .. } => {
            let first = &mut p.first[..count];
            for at in 0..count {
                (p.weights[at], first[at], _) = p.rule.apply(p.weights[at], g[at], first[at], 0.0);
            }
        }
    }
}

/// See [`Replay`]. Sixteen values at a time go through all rules in registers.
#[inline(always)]
pub(super) fn replay(p: Replay<'_>) {
    let Replay { rules, weights, first, second } = p;
    if matches!(rules.first(), None | Some(Rule::Descent { .. })) {
        return;
    }
    for start in (0..weights.len()).step_by(GROUP) {
        let range = start..(start + GROUP).min(weights.len());
        let (mut w, mut m, mut v) = ([0f32; GROUP], [0f32; GROUP], [0f32; GROUP]);
        let count = range.len();
        w[..count].copy_from_slice(&weights[range.clone()]);
        m[..count].copy_from_slice(&first[range.clone()]);
        if !second.is_empty() {
            v[..count].copy_from_slice(&second[range.clone()]);
        }
        for rule in rules {
            for lane in 0..GROUP {
                (w[lane], m[lane], v[lane]) = rule.apply(w[lane], 0.0, m[lane], v[lane]);
            }
        }
        weights[range.clone()].copy_from_slice(&w[..count]);
        first[range.clone()].copy_from_slice(&m[..count]);
        if !second.is_empty() {
            second[range].copy_from_slice(&v[..count]);
        }
    }
}
