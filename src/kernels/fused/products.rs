//! The products of matrices, each over one panel.
//!
//! ```text
//! project   out[row][64]    = start + sum over k of values[starts[row] + k] * weights[k][64]
//! back      out[row][width] = sum over panels p and q of gates[p][row][q] * weights[p][q][width]
//! outer     sum[k][64]     += sum over rows of inputs[row][k] * gates[row][64]
//! ```

use super::tile::{GROUP, PANEL, blocks, multiply, with_rows, zeros};
use super::vector::Vector;

/// Which of the four groups of a panel take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gates {
    /// All of them.
    All,
    /// One: each gate has inputs of its own, as masks make them.
    One(usize),
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
    assert!(p.starts.iter().all(|start| start + p.terms <= p.values.len()));
    assert!(p.weights.len() >= p.terms * PANEL && p.out.len() >= p.starts.len() * PANEL);
    assert!(p.start.is_none_or(|start| start.len() >= PANEL));
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
        let b = p.weights.as_ptr().add(column);
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
    let panels = p.weights.len() / (PANEL * p.width);
    assert!(p.width.is_multiple_of(GROUP) && p.first + p.rows <= p.panel_rows);
    assert!(p.gates.len() >= panels * p.panel_rows * PANEL && p.out.len() >= p.rows * p.width);
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
        let mut sums = zeros::<V, M, N>();
        let (from, terms) = match p.of {
            Gates::All => (0, PANEL),
            Gates::One(gate) => (gate * GROUP, GROUP),
        };
        for panel in 0..panels {
            let row = panel * p.panel_rows + p.first + first;
            let mut a = [p.gates.as_ptr().add(row * PANEL + from); M];
            for (m, a) in a.iter_mut().enumerate() {
                *a = a.add(m * PANEL);
            }
            let b = p.weights.as_ptr().add((panel * PANEL + from) * p.width + column);
            multiply::<V, M, N>(&mut sums, (a, 1), (b, p.width), terms);
        }
        for (m, row) in sums.iter().enumerate() {
            for (n, sum) in row.iter().enumerate() {
                sum.store(p.out.as_mut_ptr().add((first + m) * p.width + column + n * GROUP));
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
    assert!(p.inputs.len() >= rows * p.stride && p.columns <= p.stride);
    assert!(p.sum.len() >= p.columns * PANEL);
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
        let mut a = [p.inputs.as_ptr().add(first); M];
        for (m, a) in a.iter_mut().enumerate() {
            *a = a.add(m);
        }
        let b = p.gates.as_ptr().add(lane);
        multiply::<V, M, N>(&mut sums, (a, p.stride), (b, PANEL), rows);
        for (m, row) in sums.iter().enumerate() {
            for (n, sum) in row.iter().enumerate() {
                let to = p.sum.as_mut_ptr().add((first + m) * PANEL + lane + n * GROUP);
                V::load(to).add(*sum).store(to);
            }
        }
    }
}
