//! A slab's logits.
//!
//! What comes from the inputs is computed for several time steps at a time, which makes large
//! products of it; what comes from the state follows step by step.

use super::cell::{Forward, Start};
use super::dense::Logits;
use super::masks::RowMasks;
use super::products::Project;
use super::slab::{CHUNK, Inputs, Source, Weights, Workspace};
use super::tile::PANEL;
use std::ops::Range;

impl Workspace {
    /// The logits of a slab, in `logits`.
    pub(super) fn forward(&mut self, weights: &Weights<'_>, inputs: &Inputs<'_>) {
        self.prepare(&weights.layout, inputs);
        let steps = inputs.slab.steps();
        for step in 0..steps {
            if step.is_multiple_of(CHUNK) {
                self.project(weights, inputs, step..(step + CHUNK).min(steps));
            }
            self.forward_step(weights, inputs, step);
        }
        self.finish(weights, inputs);
    }

    /// What comes from the inputs of some time steps, written where the gates will be.
    fn project(&mut self, weights: &Weights<'_>, inputs: &Inputs<'_>, steps: Range<usize>) {
        let Source::Vectors { values, .. } = inputs.source else { return };
        let (layout, slab) = (&weights.layout, inputs.slab);
        let chunk = slab.offsets[steps.start]..slab.offsets[steps.end];
        let masks = RowMasks::inputs(inputs.masks, layout);
        let in_scratch: Vec<usize> = match masks.is_none() {
            true => Vec::new(),
            false => (0..chunk.len()).map(|row| row * layout.features).collect(),
        };
        for gates in masks.passes() {
            let (values, starts) = match masks.is_none() {
                true => (values, &self.starts[chunk.clone()]),
                false => {
                    self.scratch.clear();
                    for (step, row) in slab.within(steps.clone()) {
                        let start = self.starts[slab.offsets[step] + row];
                        let from = &values[start..][..layout.features];
                        masks.push(&mut self.scratch, from, slab.positions[row], *gates);
                    }
                    (&self.scratch[..], &in_scratch[..])
                }
            };
            let panels = self.gates.chunks_exact_mut(slab.row_steps() * PANEL);
            for (panel, out) in panels.take(layout.panels).enumerate() {
                weights.instructions.project(Project {
                    values,
                    starts,
                    weights: &weights.packed[layout.input_weights(panel)],
                    terms: layout.features,
                    start: Some(&weights.packed[layout.panel_bias(panel)]),
                    gates: *gates,
                    out: &mut out[chunk.start * PANEL..chunk.end * PANEL],
                });
            }
        }
    }

    /// One time step of all panels.
    fn forward_step(&mut self, weights: &Weights<'_>, inputs: &Inputs<'_>, step: usize) {
        let (layout, slab) = (&weights.layout, inputs.slab);
        let (width, rows, row_steps) = (layout.width(), slab.active(step), slab.row_steps());
        let masked = !inputs.masks.recurrent.is_empty();
        if masked {
            self.project_states(weights, inputs, step);
        }
        let at = slab.offsets[step];
        let before = slab.offsets[step.saturating_sub(1)] * width;
        let (states_before, states) = self.states.split_at_mut(at * width);
        let (cells_before, cells) = self.cells.split_at_mut(at * width);
        let (states_before, cells_before) = match step {
            0 => (&self.zeros[..], &self.zeros[..]),
            _ => (&states_before[before..], &cells_before[before..]),
        };
        let panels = self.gates.chunks_exact_mut(row_steps * PANEL).take(layout.panels);
        for (panel, gates) in panels.enumerate() {
            let start = match inputs.source {
                Source::Table { products, tokens } if !masked => {
                    let products = &products[panel * tokens * PANEL..][..tokens * PANEL];
                    Start::Table(products, &inputs.numbers[at..])
                }
                _ => Start::Gates,
            };
            weights.instructions.cell_forward(Forward {
                start,
                weights: &weights.packed[layout.state_weights(panel)],
                terms: if step == 0 || masked { 0 } else { layout.units },
                states_before,
                cells_before,
                width,
                unit: panel * super::tile::GROUP,
                rows,
                gates: &mut gates[at * PANEL..(at + rows) * PANEL],
                cells,
                states,
            });
        }
    }

    /// What comes from the states when each gate has masks of its own: gate by gate, written where
    /// the gates will be.
    fn project_states(&mut self, weights: &Weights<'_>, inputs: &Inputs<'_>, step: usize) {
        let (layout, slab) = (&weights.layout, inputs.slab);
        let (at, rows, row_steps) = (slab.offsets[step], slab.active(step), slab.row_steps());
        if let Source::Table { products, tokens } = inputs.source {
            let panels = self.gates.chunks_exact_mut(row_steps * PANEL).take(layout.panels);
            for (panel, gates) in panels.enumerate() {
                let gates = gates[at * PANEL..].chunks_exact_mut(PANEL);
                for (gates, number) in gates.zip(&inputs.numbers[at..at + rows]) {
                    let from = (panel * tokens + *number as usize) * PANEL;
                    gates.copy_from_slice(&products[from..from + PANEL]);
                }
            }
        }
        if step == 0 {
            return;
        }
        let masks = RowMasks::states(inputs.masks, layout);
        let starts: Vec<usize> = (0..rows).map(|row| row * layout.units).collect();
        let before = slab.offsets[step - 1];
        for gates in masks.passes() {
            self.scratch.clear();
            for row in 0..rows {
                let state = &self.states[(before + row) * layout.width()..][..layout.units];
                masks.push(&mut self.scratch, state, slab.positions[row], *gates);
            }
            let panels = self.gates.chunks_exact_mut(row_steps * PANEL).take(layout.panels);
            for (panel, out) in panels.enumerate() {
                weights.instructions.project(Project {
                    values: &self.scratch,
                    starts: &starts,
                    weights: &weights.packed[layout.state_weights(panel)],
                    terms: layout.units,
                    start: None,
                    gates: *gates,
                    out: &mut out[at * PANEL..(at + rows) * PANEL],
                });
            }
        }
    }

    /// Each row's last state, and its logit.
    fn finish(&mut self, weights: &Weights<'_>, inputs: &Inputs<'_>) {
        let (layout, slab) = (&weights.layout, inputs.slab);
        let width = layout.width();
        for (row, length) in slab.lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let from = (slab.offsets[length - 1] + row) * width;
            self.last[row * width..][..width].copy_from_slice(&self.states[from..from + width]);
        }
        weights.instructions.logits(Logits {
            states: &self.last,
            dense: &weights.packed[layout.dense()],
            bias: &weights.packed[layout.dense_bias()],
            out: &mut self.logits,
        });
    }
}
