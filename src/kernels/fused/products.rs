//! The products of matrices, each over one panel.
//!
//! ```text
//! project   out[row][64]    = start + sum over k of values[starts[row] + k] * weights[k][64]
//! back      out[row][width] = sum over panels p of (sum over q of gates[p][row][q] * weights[p][q][width])
//! outer     sum[k][64]     += sum over rows, from the last to the first, of inputs[row][k] * gates[row][64]
//! ```
//!
//! The orders of `back` and `outer` are those that a GPU can follow at full speed: its warps compute one
//! panel each, whose sums are added up afterwards, and it meets the rows of later time steps first.

use super::tile::{GROUP, PANEL, blocks, holds, multiply, with_rows, zeros};
use super::vector::Vector;

/// Which of the four groups of a panel take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gates {
    /// All of them.
    All,
    /// One: each gate has inputs of its own, as masks make them.
    One(usize),
}

impl Gates {
    /// Whether there is such a gate.
    #[inline(always)]
    fn exist(self) -> bool {
        !matches!(self, Self::One(4..))
    }
}

/// Rows times a panel of weights.
pub(super) struct Project<'a> {
    /// Where the rows lie.
    pub(super) values: &'a [f32],
    /// Where each row begins.
    pub(super) starts: &'a [usize],
    /// `[terms][64]`
    pub(super) weights: &'a [f32],
    /// The length of a row.
    pub(super) terms: usize,
    /// What the products are added to: these 64 values, or what `out` holds.
    pub(super) start: Option<&'a [f32]>,
    /// Which gates.
    pub(super) gates: Gates,
    /// `[rows][64]`
    pub(super) out: &'a mut [f32],
}

/// See [`Project`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn project<V: Vector>(p: Project<'_>) {
    let last = p.values.len().checked_sub(p.terms);
    assert!(p.starts.iter().all(|start| last.is_some_and(|last| *start <= last)));
    assert!(holds(p.weights, [p.terms, PANEL]) && holds(p.out, [p.starts.len(), PANEL]));
    assert!(p.gates.exist() && p.start.is_none_or(|start| start.len() >= PANEL));
    // SAFETY: the caller's promise, and the lengths asserted.
    unsafe {
        for lane in (0..GROUP).step_by(V::LANES) {
            for (first, rows) in blocks(p.starts.len(), V::ROWS) {
                let starts = &p.starts[first..first + rows];
                let out = p.out.as_mut_ptr().add(first * PANEL + lane);
                match p.gates {
                    Gates::All => {
                        with_rows!(rows, project_block::<V, 4>(&p, starts, lane, out))
                    }
                    Gates::One(gate) => {
                        let at = lane + gate * GROUP;
                        let out = out.add(gate * GROUP);
                        with_rows!(rows, project_block::<V, 1>(&p, starts, at, out))
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn project_block<V: Vector, const M: usize, const N: usize>(
    p: &Project<'_>,
    starts: &[usize],
    column: usize,
    out: *mut f32,
) {
    // SAFETY: `project` made sure of the lengths.
    unsafe {
        let mut sums = zeros::<V, M, N>();
        let mut a = [p.values.as_ptr(); M];
        for m in 0..M {
            let (start, step) = match p.start {
                Some(start) => (start.as_ptr().add(column), 0),
                None => (out.cast_const(), PANEL),
            };
            for n in 0..N {
                sums[m][n] = V::load(start.add(m * step + n * GROUP));
            }
            a[m] = p.values.as_ptr().add(starts[m]);
        }
        let b = p.weights.as_ptr().wrapping_add(column);
        multiply::<V, M, N>(&mut sums, (a, 1), (b, PANEL), p.terms);
        for (m, row) in sums.iter().enumerate() {
            for (n, sum) in row.iter().enumerate() {
                sum.store(out.add(m * PANEL + n * GROUP));
            }
        }
    }
}

/// Gradients of gates back through weights.
pub(super) struct Back<'a> {
    /// `[panels][panel_rows][64]`, of which rows from `first` on are read.
    pub(super) gates: &'a [f32],
    /// Rows of a panel.
    pub(super) panel_rows: usize,
    /// The first row.
    pub(super) first: usize,
    /// How many.
    pub(super) rows: usize,
    /// `[panels][64][width]`
    pub(super) weights: &'a [f32],
    /// A multiple of 16.
    pub(super) width: usize,
    /// Which gates.
    pub(super) of: Gates,
    /// `[rows][width]`
    pub(super) out: &'a mut [f32],
}

/// See [`Back`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn back<V: Vector>(mut p: Back<'_>) {
    assert!(p.width.is_multiple_of(GROUP) && p.width > 0 && p.of.exist());
    let panels = p.weights.len() / PANEL / p.width;
    assert!(p.first <= p.panel_rows && p.rows <= p.panel_rows - p.first);
    assert!(holds(p.gates, [panels, p.panel_rows, PANEL]) && holds(p.out, [p.rows, p.width]));
    // SAFETY: the caller's promise, and the lengths asserted.
    unsafe {
        for column in (0..p.width).step_by(PANEL) {
            let groups = ((p.width - column) / GROUP).min(4);
            for lane in (0..GROUP).step_by(V::LANES) {
                for (first, rows) in blocks(p.rows, V::ROWS) {
                    let at = column + lane;
                    match groups {
                        1 => with_rows!(rows, back_block::<V, 1>(&mut p, panels, first, at)),
                        2 => with_rows!(rows, back_block::<V, 2>(&mut p, panels, first, at)),
                        3 => with_rows!(rows, back_block::<V, 3>(&mut p, panels, first, at)),
                        _ => with_rows!(rows, back_block::<V, 4>(&mut p, panels, first, at)),
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn back_block<V: Vector, const M: usize, const N: usize>(
    p: &mut Back<'_>,
    panels: usize,
    first: usize,
    column: usize,
) {
    // SAFETY: `back` made sure of the lengths.
    unsafe {
        let (from, terms) = match p.of {
            Gates::All => (0, PANEL),
            Gates::One(gate) => (gate * GROUP, GROUP),
        };
        for panel in 0..panels {
            let mut sums = zeros::<V, M, N>();
            let row = panel * p.panel_rows + p.first + first;
            let mut a = [p.gates.as_ptr().add(row * PANEL + from); M];
            for (m, a) in a.iter_mut().enumerate() {
                *a = a.add(m * PANEL);
            }
            let b = p.weights.as_ptr().add((panel * PANEL + from) * p.width + column);
            multiply::<V, M, N>(&mut sums, (a, 1), (b, p.width), terms);
            for (m, row) in sums.iter().enumerate() {
                for (n, sum) in row.iter().enumerate() {
                    let to = p.out.as_mut_ptr().add((first + m) * p.width + column + n * GROUP);
                    // What `out` held is not read: it may be anything.
                    let total = if panel == 0 { *sum } else { V::load(to).add(*sum) };
                    total.store(to);
                }
            }
        }
    }
}

/// Gradients of a panel of weights.
pub(super) struct Outer<'a> {
    /// `[rows][stride]`
    pub(super) inputs: &'a [f32],
    /// From one row of inputs to the next.
    pub(super) stride: usize,
    /// Columns of the inputs.
    pub(super) columns: usize,
    /// `[rows][64]`
    pub(super) gates: &'a [f32],
    /// Which gates.
    pub(super) of: Gates,
    /// `[columns][64]`
    pub(super) sum: &'a mut [f32],
}

/// See [`Outer`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn outer<V: Vector>(mut p: Outer<'_>) {
    let rows = p.gates.len() / PANEL;
    assert!(holds(p.inputs, [rows, p.stride]) && p.columns <= p.stride && p.of.exist());
    assert!(holds(p.sum, [p.columns, PANEL]));
    // SAFETY: the caller's promise, and the lengths asserted.
    unsafe {
        for lane in (0..GROUP).step_by(V::LANES) {
            for (first, columns) in blocks(p.columns, V::ROWS) {
                match p.of {
                    Gates::All => {
                        with_rows!(columns, outer_block::<V, 4>(&mut p, rows, first, lane))
                    }
                    Gates::One(gate) => {
                        let lane = lane + gate * GROUP;
                        with_rows!(columns, outer_block::<V, 1>(&mut p, rows, first, lane))
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn outer_block<V: Vector, const M: usize, const N: usize>(
    p: &mut Outer<'_>,
    rows: usize,
    first: usize,
    lane: usize,
) {
    // SAFETY: `outer` made sure of the lengths.
    unsafe {
        let mut sums = zeros::<V, M, N>();
        // From the last row backwards. Where there are no rows, nothing is read.
        let last = rows.wrapping_sub(1);
        let inputs =
            p.inputs.as_ptr().wrapping_add(last.wrapping_mul(p.stride)).wrapping_add(first);
        let mut a = [inputs; M];
        for (m, a) in a.iter_mut().enumerate() {
            *a = a.wrapping_add(m);
        }
        let b = p.gates.as_ptr().wrapping_add(last.wrapping_mul(PANEL)).wrapping_add(lane);
        let (a_step, b_step) = (p.stride.wrapping_neg(), PANEL.wrapping_neg());
        multiply::<V, M, N>(&mut sums, (a, a_step), (b, b_step), rows);
        for (m, row) in sums.iter().enumerate() {
            for (n, sum) in row.iter().enumerate() {
                let to = p.sum.as_mut_ptr().add((first + m) * PANEL + lane + n * GROUP);
                V::load(to).add(*sum).store(to);
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
    use std::ops::Range;

    on_each_set! { projecting_is_a_product, going_back_is_a_product, outer_products_are_added }

    const GATES: [Gates; 3] = [Gates::All, Gates::One(0), Gates::One(3)];
    /// Stands behind what a kernel may write.
    const GUARD: [f32; 3] = [7.0; 3];

    /// Columns of a panel that take part.
    fn columns(gates: Gates) -> Range<usize> {
        match gates {
            Gates::All => 0..PANEL,
            Gates::One(gate) => gate * GROUP..(gate + 1) * GROUP,
        }
    }

    /// What a kernel and portable code make of `out`, which must be nearly `expected`.
    fn check(
        set: Instructions,
        out: &[f32],
        expected: &[f64],
        kernel: impl Fn(Instructions, &mut [f32]),
    ) -> Vec<f32> {
        let found = same_bits(set, |set| {
            let mut out = [out, &GUARD].concat();
            let end = out.len() - GUARD.len();
            kernel(set, &mut out[..end]);
            out
        });
        assert_close(&found, &[expected, &wide(&GUARD)].concat(), 1e-5);
        found
    }

    /// That values have the bits of plain loops over f32, which fix the order of each sum.
    #[track_caller]
    fn assert_bits(found: &[f32], expected: &[f32]) {
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found.to_bits(), expected.to_bits(), "[{at}]: {found:e} for {expected:e}");
        }
    }

    fn projecting_is_a_product(set: Instructions) {
        let values = noise(500, 1);
        for (rows, terms) in (1..=13).flat_map(|rows| [0, 1, 7, 40].map(|terms| (rows, terms))) {
            let starts: Vec<usize> = (0..rows).map(|row| 500 - terms - row * 71 % 450).collect();
            let (weights, bias) = (noise(terms * PANEL, 2), noise(PANEL, 3));
            let out = noise(rows * PANEL, 4);
            for (gates, start) in GATES.into_iter().flat_map(|g| [(g, None), (g, Some(&bias[..]))])
            {
                let mut expected = wide(&out);
                for (row, q) in (0..rows).flat_map(|row| columns(gates).map(move |q| (row, q))) {
                    let sum = &mut expected[row * PANEL + q];
                    *sum = start.map_or(*sum, |start| f64::from(start[q]));
                    for k in 0..terms {
                        let weight = f64::from(weights[k * PANEL + q]);
                        *sum += f64::from(values[starts[row] + k]) * weight;
                    }
                }
                check(set, &out, &expected, |set, out| {
                    let (values, starts, weights) = (&values[..], &starts[..], &weights[..]);
                    set.project(Project { values, starts, weights, terms, start, gates, out });
                });
            }
        }
    }

    fn going_back_is_a_product(set: Instructions) {
        for (rows, groups) in (1..=13).flat_map(|rows| (1..=9).map(move |groups| (rows, groups))) {
            let (width, panels, first, panel_rows) = (groups * GROUP, rows % 3 + 1, 2, rows + 3);
            let gates = noise(panels * panel_rows * PANEL, 1);
            let weights = noise(panels * PANEL * width, 2);
            for of in GATES {
                let (mut expected, mut exact) = (vec![0.0; rows * width], vec![0.0; rows * width]);
                for panel in 0..panels {
                    let mut part = vec![0f32; rows * width];
                    for (q, row) in columns(of).flat_map(|q| (0..rows).map(move |row| (q, row))) {
                        let gate = gates[(panel * panel_rows + first + row) * PANEL + q];
                        for column in 0..width {
                            let weight = weights[(panel * PANEL + q) * width + column];
                            let at = row * width + column;
                            expected[at] += f64::from(gate) * f64::from(weight);
                            part[at] = gate.mul_add(weight, part[at]);
                        }
                    }
                    exact.iter_mut().zip(&part).for_each(|(sum, part)| *sum += part);
                }
                let found = check(set, &vec![f32::NAN; rows * width], &expected, |set, out| {
                    let (gates, weights) = (&gates[..], &weights[..]);
                    set.back(Back { gates, panel_rows, first, rows, weights, width, of, out });
                });
                assert_bits(&found, &exact);
            }
        }
    }

    fn outer_products_are_added(set: Instructions) {
        for (rows, columns_) in (0..=13).flat_map(|rows| (1..=40).map(move |of| (rows, of))) {
            let stride = columns_ + rows % 3;
            let (inputs, gates) = (noise(rows * stride, 1), noise(rows * PANEL, 2));
            let before = noise(columns_ * PANEL, 3);
            for of in GATES {
                let (mut expected, mut exact) = (wide(&before), before.clone());
                for (column, q) in (0..columns_).flat_map(|k| columns(of).map(move |q| (k, q))) {
                    let (mut part, at) = (0f32, column * PANEL + q);
                    for row in (0..rows).rev() {
                        let (input, gate) = (inputs[row * stride + column], gates[row * PANEL + q]);
                        expected[at] += f64::from(input) * f64::from(gate);
                        part = input.mul_add(gate, part);
                    }
                    exact[at] += part;
                }
                let found = check(set, &before, &expected, |set, sum| {
                    let (inputs, gates) = (&inputs[..], &gates[..]);
                    set.outer(Outer { inputs, stride, columns: columns_, gates, of, sum });
                });
                assert_bits(&found, &exact);
            }
        }
    }

    /// Refused in any profile, with or without checks of overflow.
    #[test]
    fn what_does_not_fit_is_refused() {
        let set = Instructions::new(InstructionSet::best()).unwrap();
        let values = [0.0; 4 * PANEL];
        let project = |start: usize, terms: usize, rows: usize, gates: Gates| {
            refuses(|| {
                let mut out = vec![0.0; rows * PANEL];
                let (values, weights) = (&values[..2], &values[..]);
                let (starts, out, start) = (&[start][..], &mut out[..], None);
                set.project(Project { values, starts, weights, terms, start, gates, out });
            })
        };
        assert!(!project(0, 2, 1, Gates::All));
        assert!(project(1, 2, 1, Gates::All) && project(usize::MAX, 2, 1, Gates::All));
        assert!(project(0, 2, 0, Gates::All) && project(0, 2, 1, Gates::One(4)));
        let back = |width: usize, rows: usize, panel_rows: usize, of: Gates| {
            refuses(|| {
                let (gates, weights) = (&values[..PANEL], &values[..]);
                let (out, first) = (&mut [0.0; 64][..], 0);
                let weights = if width == GROUP { &vec![0.0; PANEL * GROUP] } else { weights };
                set.back(Back { gates, panel_rows, first, rows, weights, width, of, out });
            })
        };
        assert!(!back(GROUP, 1, 1, Gates::All));
        assert!(back(0, 1, 1, Gates::All) && back(5, 1, 1, Gates::All));
        assert!(back(GROUP, 2, 1, Gates::All) && back(GROUP, 2, 2, Gates::All));
        assert!(back(GROUP, 1 << 58, 1 << 58, Gates::All) && back(GROUP, 1, 1, Gates::One(4)));
        let outer = |stride: usize, columns: usize, of: Gates| {
            refuses(|| {
                let (inputs, gates, sum) = (&values[..8], &values[..2 * PANEL], &mut [0.0; 256]);
                set.outer(Outer { inputs, stride, columns, gates, of, sum });
            })
        };
        assert!(!outer(4, 4, Gates::All));
        assert!(outer(4, 5, Gates::All) && outer(5, 4, Gates::All) && outer(4, 4, Gates::One(4)));
        assert!(outer(1 << 63, 4, Gates::All));
    }
}
