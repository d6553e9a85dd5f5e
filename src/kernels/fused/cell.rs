//! The LSTM's cell, forward and backward, for one panel (sixteen units) at one time step.
//!
//! ```text
//! z      = start + sum over k of state_{t-1}[k] * weights[k]       i, f, o = sigmoid, g = tanh of z
//! cell  = f * cell_{t-1} + i * g                                 state = o * tanh(cell)
//!
//! d_cell += d_state * o * (1 - tanh(cell)^2)
//! d_i = d_cell * g * i (1 - i)      d_f = d_cell * cell_{t-1} * f (1 - f)
//! d_g = d_cell * i * (1 - g^2)      d_o = d_state * tanh(cell) * o (1 - o)
//! d_cell_{t-1} = d_cell * f
//! ```
//!
//! Gradients that travel far back become subnormal, which costs some processors a hundred cycles for
//! each operation: below 2^-96 they are 0.

use super::activation::{sigmoid, tanh};
use super::tile::{GROUP, PANEL, blocks, holds, multiply, with_rows, zeros};
use super::vector::{Vector, prefetch};

/// Gradients below this are 0: 2^-96.
const FLUSH_THRESHOLD: f32 = 1.262_177_4e-29;

/// What the product with the state is added to.
#[derive(Clone, Copy)]
pub(super) enum Start<'a> {
    /// What the gates hold.
    Gates,
    /// Rows of a table `[..][64]`, one for each row; what follows are those of the next step, which
    /// are asked for ahead.
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
    /// The cells before, `[rows][width]`.
    pub(super) cells_before: &'a [f32],
    /// H, rounded up to whole groups.
    pub(super) width: usize,
    /// The first of the sixteen units.
    pub(super) unit: usize,
    /// How many rows.
    pub(super) rows: usize,
    /// Becomes i f g o, `[rows][64]`.
    pub(super) gates: &'a mut [f32],
    /// `[rows][width]`, of which the sixteen units are written.
    pub(super) cells: &'a mut [f32],
    /// As `cells`.
    pub(super) states: &'a mut [f32],
}

/// See [`Forward`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn forward<V: Vector>(mut p: Forward<'_>) {
    let all = [p.rows, p.width];
    assert!(p.width >= GROUP && p.unit <= p.width - GROUP);
    assert!(holds(p.weights, [p.terms, PANEL]) && p.terms <= p.width);
    assert!(p.terms == 0 || holds(p.states_before, all));
    assert!(holds(p.cells_before, all) && holds(p.cells, all) && holds(p.states, all));
    assert!(holds(p.gates, [p.rows, PANEL]));
    if let Start::Table(table, index) = p.start {
        assert!(index.len() >= p.rows);
        assert!(index[..p.rows].iter().all(|at| (*at as usize + 1) * PANEL <= table.len()));
    }
    // SAFETY: the caller's promise, and the lengths asserted.
    unsafe {
        for lane in (0..GROUP).step_by(V::LANES) {
            for (first, rows) in blocks(p.rows, V::ROWS) {
                if let (Start::Table(table, index), 0) = (p.start, lane) {
                    for soon in index.iter().skip(p.rows + first).take(rows) {
                        prefetch(&table[*soon as usize * PANEL..][..PANEL]);
                    }
                }
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
            let cell = f.fma(V::load(p.cells_before.as_ptr().add(at)), i.mul(g));
            cell.store(p.cells.as_mut_ptr().add(at));
            o.mul(tanh(cell)).store(p.states.as_mut_ptr().add(at));
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
    pub(super) cells: &'a [f32],
    /// The cells before, `[rows][width]`.
    pub(super) cells_before: &'a [f32],
    /// `[rows][width]`
    pub(super) d_states: &'a [f32],
    /// `[rows][width]`; becomes that of the step before.
    pub(super) d_cells: &'a mut [f32],
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
    let all = [p.rows, p.width];
    assert!(p.width >= GROUP && p.unit <= p.width - GROUP && holds(p.gates, [p.rows, PANEL]));
    assert!(holds(p.cells, all) && holds(p.cells_before, all));
    assert!(holds(p.d_states, all) && holds(p.d_cells, all) && p.d_bias.len() >= PANEL);
    // SAFETY: the caller's promise, and the lengths asserted.
    unsafe {
        let (one, least) = (V::splat(1.0), V::splat(FLUSH_THRESHOLD));
        for lane in (0..GROUP).step_by(V::LANES) {
            let bias = p.d_bias.as_mut_ptr().add(lane);
            let mut d_bias = load4::<V>(bias);
            for row in 0..p.rows {
                let gates = p.gates.as_mut_ptr().add(row * PANEL + lane);
                let [i, f, g, o] = load4::<V>(gates);
                let at = row * p.width + p.unit + lane;
                let tanh_c = tanh(V::load(p.cells.as_ptr().add(at)));
                let d_state = V::load(p.d_states.as_ptr().add(at));
                let d_cell = p.d_cells.as_mut_ptr().add(at);
                let slope = one.sub(tanh_c.mul(tanh_c));
                let dc = d_state.mul(o).fma(slope, V::load(d_cell));
                let before = V::load(p.cells_before.as_ptr().add(at));
                let gradients = [
                    dc.mul(g).mul(i.mul(one.sub(i))),
                    dc.mul(before).mul(f.mul(one.sub(f))),
                    dc.mul(i).mul(one.sub(g.mul(g))),
                    d_state.mul(tanh_c).mul(o.mul(one.sub(o))),
                ];
                for (n, gradient) in gradients.into_iter().enumerate() {
                    let gradient = gradient.flush(least);
                    gradient.store(gates.add(n * GROUP));
                    d_bias[n] = d_bias[n].add(gradient);
                }
                dc.mul(f).flush(least).store(d_cell);
            }
            for (n, sum) in d_bias.into_iter().enumerate() {
                sum.store(bias.add(n * GROUP));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::instructions::tests::refuses;
    use super::super::instructions::tests::{assert_close, noise, on_each_set, same_bits, wide};
    use super::super::instructions::{InstructionSet, Instructions};
    use super::*;

    on_each_set! { a_step_forward_is_the_formula, a_step_back_is_the_formula }

    /// Rows, width and first unit of a panel.
    fn sizes() -> impl Iterator<Item = (usize, usize, usize)> {
        let each = (1..=13).flat_map(|rows| (1..=9).map(move |groups| (rows, groups)));
        each.map(|(rows, groups)| (rows, groups * GROUP, (rows * 5 + groups) % groups * GROUP))
    }

    /// Each row and lane of a panel: the row, the place of gate i, that of a cell.
    fn places(rows: usize, width: usize, unit: usize) -> impl Iterator<Item = [usize; 3]> {
        let each = (0..rows).flat_map(|row| (0..GROUP).map(move |lane| (row, lane)));
        each.map(move |(row, lane)| [row, row * PANEL + lane, row * width + unit + lane])
    }

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    fn a_step_forward_is_the_formula(set: Instructions) {
        for (rows, width, unit) in sizes() {
            let all = rows * width;
            let (states_before, cells_before) = (noise(all, 1), noise(all, 2));
            let (table, before) = (noise(5 * PANEL, 4), noise(rows * PANEL, 5));
            let index: Vec<u32> = (0..rows as u32).map(|row| row * 3 % 5).collect();
            let starts = [Start::Gates, Start::Table(&table, &index)];
            for (start, terms) in starts.into_iter().zip([width - 3, 0]).chain([(starts[1], 1)]) {
                let weights = noise(terms * PANEL, 3);
                let mut expected = [wide(&before), vec![9.0; all], vec![9.0; all]];
                for [row, gate, at] in places(rows, width, unit) {
                    let z = |n: usize| {
                        let lane = gate % PANEL + n * GROUP;
                        let start = match start {
                            Start::Gates => before[row * PANEL + lane],
                            Start::Table(table, index) => table[index[row] as usize * PANEL + lane],
                        };
                        let product = |k| {
                            f64::from(states_before[row * width + k])
                                * f64::from(weights[k * PANEL + lane])
                        };
                        f64::from(start) + (0..terms).map(product).sum::<f64>()
                    };
                    let [i, f, g, o] = [sigmoid(z(0)), sigmoid(z(1)), z(2).tanh(), sigmoid(z(3))];
                    let cell = f * f64::from(cells_before[at]) + i * g;
                    for (n, value) in [i, f, g, o].into_iter().enumerate() {
                        expected[0][gate + n * GROUP] = value;
                    }
                    (expected[1][at], expected[2][at]) = (cell, o * cell.tanh());
                }
                let found = same_bits(set, |set| {
                    let mut gates = before.clone();
                    let (mut cells, mut states) = (vec![9.0; all], vec![9.0; all]);
                    set.cell_forward(Forward {
                        start,
                        weights: &weights,
                        terms,
                        states_before: if terms == 0 { &[] } else { &states_before },
                        cells_before: &cells_before,
                        width,
                        unit,
                        rows,
                        gates: &mut gates,
                        cells: &mut cells,
                        states: &mut states,
                    });
                    [gates, cells, states].concat()
                });
                assert_close(&found, &expected.concat(), 3e-6);
            }
        }
    }

    fn a_step_back_is_the_formula(set: Instructions) {
        for (rows, width, unit) in sizes() {
            let all = rows * width;
            let gates: Vec<f32> = noise(rows * PANEL, 1).iter().map(|x| x.abs()).collect();
            let [cells, cells_before, d_states, d_cells] = [2, 3, 4, 5].map(|s| noise(all, s));
            let d_bias = noise(PANEL, 6);
            let mut expected = [wide(&gates), wide(&d_cells), wide(&d_bias)];
            for [_, gate, at] in places(rows, width, unit) {
                let [i, f, g, o] = [0, 1, 2, 3].map(|n| f64::from(gates[gate + n * GROUP]));
                let tanh_c = f64::from(cells[at]).tanh();
                let d_state = f64::from(d_states[at]);
                let dc = f64::from(d_cells[at]) + d_state * o * (1.0 - tanh_c * tanh_c);
                let gradients = [
                    dc * g * i * (1.0 - i),
                    dc * f64::from(cells_before[at]) * f * (1.0 - f),
                    dc * i * (1.0 - g * g),
                    d_state * tanh_c * o * (1.0 - o),
                ];
                for (n, gradient) in gradients.into_iter().enumerate() {
                    expected[0][gate + n * GROUP] = gradient;
                    expected[2][gate % PANEL + n * GROUP] += gradient;
                }
                expected[1][at] = dc * f;
            }
            let found = same_bits(set, |set| {
                let (mut gates, mut d_cells) = (gates.clone(), d_cells.clone());
                let mut d_bias = d_bias.clone();
                set.cell_backward(Backward {
                    gates: &mut gates,
                    cells: &cells,
                    cells_before: &cells_before,
                    d_states: &d_states,
                    d_cells: &mut d_cells,
                    width,
                    unit,
                    rows,
                    d_bias: &mut d_bias,
                });
                [gates, d_cells, d_bias].concat()
            });
            assert_close(&found, &expected.concat(), 3e-6);
        }
    }

    #[test]
    fn a_row_that_is_not_in_the_table_or_a_unit_beyond_the_last_is_refused() {
        let set = Instructions::new(InstructionSet::best()).unwrap();
        let refused = |at: u32, unit: usize, terms: usize, rows: usize| {
            let zeros = [0.0; 4 * PANEL];
            let mut out = [[0.0; PANEL]; 3];
            let [gates, cells, states] = &mut out;
            let start = Start::Table(&zeros[..2 * PANEL], &[at]);
            let (weights, width) = (&zeros[..], 2 * GROUP);
            let (states_before, cells_before) = (&zeros[..PANEL], &zeros[..PANEL]);
            refuses(|| {
                set.cell_forward(Forward {
                    start,
                    weights,
                    terms,
                    states_before,
                    cells_before,
                    width,
                    unit,
                    rows,
                    gates,
                    cells,
                    states,
                });
            })
        };
        assert!(!refused(1, GROUP, 4, 1));
        assert!(refused(2, 0, 4, 1) && refused(u32::MAX, 0, 4, 1));
        assert!(refused(1, GROUP + 1, 4, 1) && refused(1, usize::MAX, 4, 1));
        assert!(refused(1, 0, 5, 1) && refused(1, 0, 4, 2) && refused(1, 0, 4, 1 << 59));
    }
}
