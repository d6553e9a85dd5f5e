//! What a slab reads, and the memory in which it is computed.
//!
//! Gates, cells and states of all time steps are kept for the way back, where gates turn into
//! their gradients in place. The memory is kept from slab to slab; its size depends on the longest
//! row, not on the batch.

use super::super::{Masks, Sequences};
use super::batch::Slab;
use super::instructions::Instructions;
use super::layout::Layout;
use super::tile::PANEL;

/// Time steps whose inputs, and whose gradients of weights, are computed together: 64 row-steps
/// of a full slab, whose gates of a panel fill half a first-level cache.
pub(super) const CHUNK: usize = 4;

/// The weights, in the forms that a slab needs.
#[derive(Clone, Copy)]
pub(super) struct Weights<'m> {
    pub(super) instructions: Instructions,
    pub(super) layout: Layout,
    /// As [`Layout`] says.
    pub(super) packed: &'m [f32],
    /// weight_hh, `[P][64][width]`
    pub(super) back_states: &'m [f32],
    /// weight_ih, `[P][64][input_width]`; empty without an embedding
    pub(super) back_inputs: &'m [f32],
}

/// What a slab reads.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'s> {
    pub(super) slab: &'s Slab,
    pub(super) source: Source<'s>,
    /// The number of each row-step's token among those of the step; empty for features.
    pub(super) numbers: &'s [u32],
    pub(super) masks: &'s Masks,
}

impl Inputs<'_> {
    /// Only an embedding that is not a table needs the gradients of its vectors.
    pub(super) fn wants_vectors(&self) -> bool {
        matches!(self.source, Source::Vectors { .. }) && !self.numbers.is_empty()
    }
}

/// Where input vectors come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'s> {
    /// Vectors of `values`: features, or an embedding's rows.
    Vectors { values: &'s [f32], sequences: Sequences<'s> },
    /// Products of different tokens with weight_ih that are there already, `[P][tokens][64]`.
    Table { products: &'s [f32], tokens: usize },
}

/// The memory of one thread.
#[derive(Default)]
pub(super) struct Workspace {
    /// i f g o, then their gradients: `[P][row-steps][64]`.
    pub(super) gates: Vec<f32>,
    /// `[row-steps][width]`
    pub(super) cells: Vec<f32>,
    /// `[row-steps][width]`
    pub(super) states: Vec<f32>,
    /// Each row's last state, `[rows][width]`.
    pub(super) last: Vec<f32>,
    /// `[rows][width]`
    pub(super) d_states: Vec<f32>,
    /// `[rows][width]`
    pub(super) d_cells: Vec<f32>,
    /// `[rows][width]`
    pub(super) zeros: Vec<f32>,
    /// Where each row-step's input vector begins.
    pub(super) starts: Vec<usize>,
    /// Inputs and states of a chunk, masked or put together.
    pub(super) scratch: Vec<f32>,
    /// Gradients of one gate's states or inputs.
    pub(super) part: Vec<f32>,
    /// `[rows][K]`
    pub(super) logits: Vec<f32>,
    /// `[rows][K]`
    pub(super) d_logits: Vec<f32>,
    /// As [`Layout`] says.
    pub(super) gradient: Vec<f32>,
    /// Gradients of the input vectors, `[row-steps][input_width]`.
    pub(super) d_inputs: Vec<f32>,
    /// The first time step whose gradients were computed; before it they are 0.
    pub(super) reached: usize,
}

impl Workspace {
    /// Makes room for a slab.
    pub(super) fn prepare(&mut self, layout: &Layout, inputs: &Inputs<'_>) {
        let (row_steps, width) = (inputs.slab.row_steps(), layout.width());
        let rows = inputs.slab.rows.len();
        grow(&mut self.gates, layout.panels * row_steps * PANEL);
        grow(&mut self.cells, row_steps * width);
        grow(&mut self.states, row_steps * width);
        grow(&mut self.zeros, rows * width);
        for each in [&mut self.last, &mut self.d_states, &mut self.d_cells] {
            refill(each, rows * width);
        }
        refill(&mut self.logits, rows * layout.outputs);
        refill(&mut self.d_logits, rows * layout.outputs);
        self.starts.clear();
        if let Source::Vectors { sequences, .. } = inputs.source {
            let (features, rows) = (layout.features, &inputs.slab.rows);
            self.starts.extend(inputs.slab.each().map(|(step, row)| match sequences {
                Sequences::Features { steps, .. } => (rows[row] as usize * steps + step) * features,
                Sequences::Tokens { tokens, offsets } => {
                    tokens[offsets[rows[row] as usize] as usize + step] as usize * features
                }
            }));
        }
    }
}

/// At least so many values, whatever they are.
pub(super) fn grow(vector: &mut Vec<f32>, count: usize) {
    if vector.len() < count {
        vector.resize(count, 0.0);
    }
}

/// Exactly so many zeros.
pub(super) fn refill(vector: &mut Vec<f32>, count: usize) {
    vector.clear();
    vector.resize(count, 0.0);
}
