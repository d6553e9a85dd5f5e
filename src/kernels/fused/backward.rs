//! A slab's gradients.
//!
//! Time steps go back one by one. Where all gradients have become 0 on the way, all earlier ones are 0
//! too, and the slab is done. The gradients of weights follow from those of all steps (`weights`).

use super::super::Loss;
use super::cell::Backward;
use super::dense::Gradient;
use super::head::Errors;
use super::masks::RowMasks;
use super::products::{Back, Gates};
use super::slab::{CHUNK, Inputs, Weights, Workspace, grow, refill};
use super::threads::Threads;
use super::tile::{GROUP, PANEL};
use std::ops::Range;

impl Workspace {
    /// The gradients of a slab whose forward pass was the last; `targets` and `shares` (what a row
    /// counts) are one a row.
    pub(super) fn backward(
        &mut self,
        weights: &Weights<'_>,
        inputs: &Inputs<'_>,
        loss: Loss,
        (targets, shares): (&[f32], &[f32]),
        threads: &Threads,
    ) {
        let (layout, slab) = (&weights.layout, inputs.slab);
        refill(&mut self.gradient, layout.len());
        self.head(weights, loss, targets, shares);
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

    fn head(&mut self, weights: &Weights<'_>, loss: Loss, targets: &[f32], shares: &[f32]) {
        let layout = &weights.layout;
        weights.instructions.errors(Errors {
            loss,
            logits: &self.logits,
            targets,
            shares,
            out: &mut self.d_logits,
        });
        weights.instructions.dense_gradient(Gradient {
            d_logits: &self.d_logits,
            states: &self.last,
            outputs: layout.outputs,
            d_dense: &mut self.gradient[layout.dense()],
        });
        for (output, sum) in self.gradient[layout.dense_bias()].iter_mut().enumerate() {
            *sum = self.d_logits.iter().skip(output).step_by(layout.outputs).sum();
        }
    }

    /// The gradient of a row's last state: that of each logit through the dense layer.
    fn last_state(&mut self, weights: &Weights<'_>, row: usize) {
        let (width, outputs) = (weights.layout.width(), weights.layout.outputs);
        let d_states = &mut self.d_states[row * width..][..width];
        let dense = weights.packed[weights.layout.dense()].chunks_exact(width);
        for (output, dense) in dense.enumerate() {
            let d_logit = self.d_logits[row * outputs + output];
            for (d_state, weight) in d_states.iter_mut().zip(dense) {
                *d_state = match output {
                    0 => d_logit * weight,
                    _ => d_logit.mul_add(*weight, *d_state),
                };
            }
        }
    }

    /// One time step of all panels; `d_states` becomes that of the step before.
    fn backward_step(&mut self, weights: &Weights<'_>, inputs: &Inputs<'_>, step: usize) {
        let (layout, slab) = (&weights.layout, inputs.slab);
        let (width, rows, row_steps) = (layout.width(), slab.active(step), slab.row_steps());
        for row in slab.active(step + 1)..rows {
            self.last_state(weights, row);
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
