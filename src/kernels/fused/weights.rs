//! The gradients of a slab's weights.
//!
//! ```text
//! d_weight_ih  = sum over row-steps of d_gates x input
//! d_weight_hh  = sum over row-steps of d_gates x the state before
//! ```
//!
//! They are computed for several time steps at a time, and added up from 0 within them, which rounds
//! less than one long sum. The slabs of a step seldom have the same size: a thread that has none left
//! takes some of the panels of a slab that another thread has just brought back to its first step.

use super::masks::RowMasks;
use super::products::{Gates, Outer};
use super::slab::{CHUNK, Inputs, Source, Weights, Workspace};
use super::threads::Threads;
use super::tile::{GROUP, PANEL};
use std::ops::Range;

/// What the gradients of weights are made of.
struct Factors<'a> {
    weights: &'a Weights<'a>,
    inputs: &'a Inputs<'a>,
    /// The gates' gradients, `[P][row-steps][64]`.
    d_gates: &'a [f32],
    /// `[row-steps][width]`
    states: &'a [f32],
    /// The states before the first step.
    zeros: &'a [f32],
    /// Where each row-step's input vector begins.
    starts: &'a [usize],
}

impl Workspace {
    /// The gradients of the weights, from all time steps back to the one that was reached.
    pub(super) fn weights(
        &mut self,
        weights: &Weights<'_>,
        inputs: &Inputs<'_>,
        threads: &Threads,
    ) {
        let layout = &weights.layout;
        let Self { gates: d_gates, states, zeros, starts, gradient, .. } = self;
        let factors = Factors { weights, inputs, d_gates, states, zeros, starts };
        let steps = self.reached..inputs.slab.steps();
        let share = layout.panels.div_ceil(threads.count());
        let sums = gradient[layout.weights()].chunks_mut(share * layout.columns() * PANEL);
        threads.each(&mut sums.collect::<Vec<_>>(), |piece, sums| {
            factors.add(piece * share, sums, steps.clone());
        });
    }
}

impl Factors<'_> {
    /// Adds some panels' gradients, `[panels][F + H][64]`, from the last time step to the first.
    fn add(&self, first: usize, sums: &mut [f32], steps: Range<usize>) {
        let layout = &self.weights.layout;
        let of_states = layout.features..layout.columns();
        let has_inputs = matches!(self.inputs.source, Source::Vectors { .. });
        let mut scratch = Vec::new();
        let mut end = steps.end;
        while end > steps.start {
            let chunk = (end - 1) / CHUNK * CHUNK..end;
            end = chunk.start;
            let mut left = if has_inputs { 0..layout.columns() } else { of_states.clone() };
            if let Some(states) = self.states_in_place(&chunk) {
                let states = (states, layout.width());
                self.add_product(first, sums, &chunk, states, &of_states, Gates::All);
                left.end = layout.features;
            }
            if left.is_empty() {
                continue;
            }
            // Masks of states come for each gate, and those of inputs then too.
            for of in RowMasks::states(self.inputs.masks, layout).passes() {
                let stride = self.put_together(&mut scratch, &chunk, &left, *of);
                self.add_product(first, sums, &chunk, (&scratch, stride), &left, *of);
            }
        }
    }

    /// The states before each row-step, where they lie one after the other: unmasked, of steps at
    /// which no row ends.
    fn states_in_place(&self, steps: &Range<usize>) -> Option<&[f32]> {
        let Inputs { slab, masks, .. } = self.inputs;
        let before = steps.start.checked_sub(1)?;
        let start = slab.offsets[before] * self.weights.layout.width();
        let together = slab.active(before) == slab.active(steps.end - 1);
        (together && masks.recurrent.is_empty()).then(|| &self.states[start..])
    }

    /// Puts these columns of each row-step's input and state together; the number of values from one
    /// row-step to the next.
    fn put_together(
        &self,
        to: &mut Vec<f32>,
        steps: &Range<usize>,
        columns: &Range<usize>,
        of: Gates,
    ) -> usize {
        let (Inputs { slab, source, masks, .. }, layout) = (self.inputs, &self.weights.layout);
        let stride = odd_lines(columns.len());
        let (of_inputs, of_states) =
            (RowMasks::inputs(masks, layout), RowMasks::states(masks, layout));
        to.clear();
        for (step, row) in slab.within(steps.clone()) {
            let position = slab.positions[row];
            if let (Source::Vectors { values, .. }, 0) = (source, columns.start) {
                let from = &values[self.starts[slab.offsets[step] + row]..][..layout.features];
                of_inputs.push(to, from, position, of);
            }
            if columns.end > layout.features {
                let state = match step {
                    0 => self.zeros,
                    _ => &self.states[(slab.offsets[step - 1] + row) * layout.width()..],
                };
                of_states.push(to, &state[..layout.units], position, of);
            }
            to.resize(to.len() + stride - columns.len(), 0.0);
        }
        stride
    }

    /// Adds the products of some time steps: inputs `[row-steps][stride]`, which belong to these
    /// columns, with the gates.
    fn add_product(
        &self,
        first: usize,
        sums: &mut [f32],
        steps: &Range<usize>,
        (inputs, stride): (&[f32], usize),
        columns: &Range<usize>,
        of: Gates,
    ) {
        let slab = self.inputs.slab;
        let size = self.weights.layout.columns() * PANEL;
        for (panel, sum) in sums.chunks_exact_mut(size).enumerate() {
            let row = (first + panel) * slab.row_steps();
            let rows = row + slab.offsets[steps.start]..row + slab.offsets[steps.end];
            self.weights.instructions.outer(Outer {
                inputs,
                stride,
                columns: columns.len(),
                gates: &self.d_gates[rows.start * PANEL..rows.end * PANEL],
                of,
                sum: &mut sum[columns.start * PANEL..columns.end * PANEL],
            });
        }
    }
}

/// At least so many values, in an odd number of cache lines: rows that are a power of two apart would
/// all fall into the same few places of the first-level cache.
fn odd_lines(columns: usize) -> usize {
    columns.next_multiple_of(GROUP) | GROUP
}
