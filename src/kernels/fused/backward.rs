//! A slab's gradients.
//!
//! Time steps go back one by one. Where all gradients have become 0 on the way, all earlier ones are 0
//! too, and the slab is done. The gradients of weights follow from those of all steps (`weights`).

use super::cell::Backward;
use super::dense::Loss;
use super::masks::RowMasks;
use super::products::{Back, Gates};
use super::slab::{CHUNK, Inputs, Weights, Workspace, grow, refill};
use super::threads::Threads;
use super::tile::{GROUP, PANEL};
use std::ops::Range;

impl Workspace {
    /// The gradients of a slab whose forward pass was the last; `labels` and `shares` (what a row
    /// counts) are one a row.
    pub(super) fn backward(
        &mut self,
        weights: &Weights<'_>,
        inputs: &Inputs<'_>,
        labels: &[f32],
        shares: &[f32],
        threads: &Threads,
    ) {
        let (layout, slab) = (&weights.layout, inputs.slab);
        refill(&mut self.gradient, layout.len());
        self.dense(weights, labels, shares);
        self.reached = slab.steps();
        while self.reached > 0 {
            let steps = (self.reached - 1) / CHUNK * CHUNK..self.reached;
            for step in steps.clone().rev() {
                self.backward_step(weights, inputs, step);
            }
            if inputs.wants_vectors() {
                self.inputs(weights, inputs, steps.clone());
            }
            self.reached = steps.start;
            if self.is_spent(inputs, steps.start) {
                break;
            }
        }
        self.weights(weights, inputs, threads);
    }

    /// Whether nothing is left to go further back.
    fn is_spent(&self, inputs: &Inputs<'_>, step: usize) -> bool {
        let zero = |values: &[f32]| values.iter().all(|value| value.to_bits() << 1 == 0);
        let all_joined = inputs.slab.active(step) == inputs.slab.active(0);
        all_joined && zero(&self.d_states) && zero(&self.d_cells)
    }

    fn dense(&mut self, weights: &Weights<'_>, labels: &[f32], shares: &[f32]) {
        let layout = &weights.layout;
        weights.instructions.loss(Loss {
            logits: &self.logits,
            labels,
            shares,
            states: &self.last,
            d_logits: &mut self.d_logits,
            d_dense: &mut self.gradient[layout.dense()],
        });
        self.gradient[layout.dense_bias()] = self.d_logits.iter().sum();
    }

    /// One time step of all panels; `d_states` becomes that of the step before.
    fn backward_step(&mut self, weights: &Weights<'_>, inputs: &Inputs<'_>, step: usize) {
        let (layout, slab) = (&weights.layout, inputs.slab);
        let (width, rows, row_steps) = (layout.width(), slab.active(step), slab.row_steps());
        let dense = &weights.packed[layout.dense()];
        for row in slab.active(step + 1)..rows {
            let d_states = &mut self.d_states[row * width..][..width];
            for (d_state, weight) in d_states.iter_mut().zip(dense) {
                *d_state = self.d_logits[row] * weight;
            }
        }
        let at = slab.offsets[step];
        let cells_before = match step {
            0 => &self.zeros[..],
            _ => &self.cells[slab.offsets[step - 1] * width..],
        };
        let panels = self.gates.chunks_exact_mut(row_steps * PANEL).take(layout.panels);
        for (panel, gates) in panels.enumerate() {
            weights.instructions.cell_backward(Backward {
                gates: &mut gates[at * PANEL..(at + rows) * PANEL],
                cells: &self.cells[at * width..],
                cells_before,
                d_states: &self.d_states,
                d_cells: &mut self.d_cells,
                width,
                unit: panel * GROUP,
                rows,
                d_bias: &mut self.gradient[layout.panel_bias(panel)],
            });
        }
        let masks = RowMasks::states(inputs.masks, layout);
        let back = |of: Gates, out: &mut [f32]| {
            weights.instructions.back(Back {
                gates: &self.gates,
                panel_rows: row_steps,
                first: at,
                rows,
                weights: weights.back_states,
                width,
                of,
                out,
            });
        };
        match masks.passes() {
            [all] => back(*all, &mut self.d_states),
            each => {
                self.d_states[..rows * width].fill(0.0);
                grow(&mut self.part, rows * width);
                for of in each {
                    back(*of, &mut self.part);
                    for row in 0..rows {
                        let to = &mut self.d_states[row * width..][..width];
                        masks.add(to, &self.part[row * width..], slab.positions[row], *of);
                    }
                }
            }
        }
    }

    /// The gradients of the input vectors of some time steps.
    fn inputs(&mut self, weights: &Weights<'_>, inputs: &Inputs<'_>, steps: Range<usize>) {
        let (layout, slab) = (&weights.layout, inputs.slab);
        let (width, row_steps) = (layout.input_width(), slab.row_steps());
        let masks = RowMasks::inputs(inputs.masks, layout);
        grow(&mut self.d_inputs, row_steps * width);
        for step in steps {
            let (at, rows) = (slab.offsets[step], slab.active(step));
            let to = &mut self.d_inputs[at * width..(at + rows) * width];
            to.fill(0.0);
            grow(&mut self.part, rows * width);
            for of in masks.passes() {
                weights.instructions.back(Back {
                    gates: &self.gates,
                    panel_rows: row_steps,
                    first: at,
                    rows,
                    weights: weights.back_inputs,
                    width,
                    of: *of,
                    out: &mut self.part,
                });
                for (row, to) in to.chunks_exact_mut(width).enumerate() {
                    masks.add(to, &self.part[row * width..][..width], slab.positions[row], *of);
                }
            }
        }
    }
}
