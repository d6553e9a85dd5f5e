//! What a run has on its GPU, and the room in which steps are computed.

use super::super::layout::Layout;
use super::gpu::{Buffer, Gpu};
use super::launches::{MOST_SUMS, chunks, pieces, token_chunks};
use super::step::{Address, BLOCK, StepArguments};
use crate::kernels::{Input, Shape, Workload};
use anyhow::Result;
use std::rc::Rc;

/// Memory that grows when more is needed. What it held is lost then.
#[derive(Default)]
pub(super) struct Room(Option<Buffer>);

impl Room {
    /// Room for so many bytes; where it lies.
    pub(super) fn hold(&mut self, gpu: &Rc<Gpu>, bytes: usize) -> Result<Address> {
        if self.0.as_ref().is_none_or(|buffer| buffer.bytes() < bytes) {
            // The old memory goes first.
            self.0 = None;
            self.0 = Some(gpu.allocate(bytes)?);
        }
        Ok(self.address())
    }

    /// The same, and puts these values there.
    pub(super) fn put<T: bytemuck::NoUninit>(
        &mut self,
        gpu: &Rc<Gpu>,
        values: &[T],
    ) -> Result<Address> {
        let address = self.hold(gpu, size_of_val(values))?;
        if let Some(buffer) = &self.0 {
            buffer.upload(values)?;
        }
        Ok(address)
    }

    /// The first values that it holds.
    pub(super) fn get<T: bytemuck::Pod>(&self, count: usize) -> Result<Vec<T>> {
        match &self.0 {
            Some(buffer) if count > 0 => buffer.download(count),
            _ => Ok(Vec::new()),
        }
    }

    /// Where it lies; 0 for nowhere.
    pub(super) fn address(&self) -> Address {
        self.0.as_ref().map_or(0, Buffer::address)
    }

    /// Its size.
    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, Buffer::bytes)
    }
}

/// The weights with what the optimizer keeps.
#[derive(Default)]
pub(super) struct Kept {
    /// As [`Layout`] says.
    pub(super) packed: Room,
    pub(super) moments: Vec<Room>,
    /// `[V, F]`
    pub(super) embedding: Room,
    pub(super) embedding_moments: Vec<Room>,
    /// For each token of the vocabulary the last update that had it, and its number there; 0 at first.
    pub(super) slots: Room,
}

impl Kept {
    /// Tells a step where all of it lies.
    pub(super) fn tell(&self, step: &mut StepArguments) {
        let both = |rooms: &[Room]| [0, 1].map(|at| rooms.get(at).map_or(0, Room::address));
        step.packed = self.packed.address();
        step.moments = both(&self.moments);
        step.embedding = self.embedding.address();
        step.embedding_moments = both(&self.embedding_moments);
        step.slots = self.slots.address();
    }
}

/// The room of a step, kept from step to step.
#[derive(Default)]
pub(super) struct Workspace {
    /// Tokens and masks of the step.
    pub(super) step: Room,
    /// The slabs of a launch.
    pub(super) wave: Room,
    gates: Room,
    cells: Room,
    states: Room,
    last: Room,
    d_logits: Room,
    slab_gradients: Room,
    pub(super) gradient: Room,
    products: Room,
    d_products: Room,
    pub(super) d_vectors: Room,
    d_inputs: Room,
    chunk_sums: Room,
    squares: Room,
}

const FLOAT: usize = size_of::<f32>();

/// Bytes that a slab needs, with so many row-steps.
pub(super) fn slab_bytes(layout: &Layout, row_steps: usize, wants_inputs: bool) -> usize {
    let inputs = if wants_inputs { layout.input_width() } else { 0 };
    FLOAT * (row_steps * (6 * layout.width() + inputs) + layout.len())
}

/// How much a launch computes.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) slabs: usize,
    pub(super) row_steps: usize,
    /// Time steps of the longest slab.
    pub(super) steps: usize,
}

impl Workspace {
    /// Allocates what a step with this many different tokens needs.
    pub(super) fn begin(
        &mut self,
        gpu: &Rc<Gpu>,
        layout: &Layout,
        tokens: usize,
        step: &mut StepArguments,
    ) -> Result<()> {
        let (products, vectors) = (tokens * layout.width() * 4, tokens * layout.input_width());
        if step.table == 1 {
            step.products = self.products.hold(gpu, FLOAT * products)?;
        }
        if step.training == 1 {
            step.gradient = self.gradient.hold(gpu, FLOAT * layout.len())?;
            step.d_vectors = self.d_vectors.hold(gpu, FLOAT * vectors)?;
            if step.table == 1 {
                step.d_products = self.d_products.hold(gpu, FLOAT * products)?;
                let sums = token_chunks(tokens) * layout.len();
                step.chunk_sums = self.chunk_sums.hold(gpu, FLOAT * sums)?;
            }
            let blocks = layout.len().div_ceil(BLOCK) + vectors.div_ceil(BLOCK);
            step.squares = self.squares.hold(gpu, size_of::<f64>() * blocks)?;
        }
        Ok(())
    }

    /// Makes room for the slabs of a launch.
    pub(super) fn slabs(
        &mut self,
        gpu: &Rc<Gpu>,
        layout: &Layout,
        Sizes { slabs, row_steps, steps }: Sizes,
        step: &mut StepArguments,
    ) -> Result<()> {
        let (width, rows) = (layout.width(), slabs * super::SLAB);
        step.gates = self.gates.hold(gpu, FLOAT * row_steps * width * 4)?;
        step.cells = self.cells.hold(gpu, FLOAT * row_steps * width)?;
        step.states = self.states.hold(gpu, FLOAT * row_steps * width)?;
        step.last = self.last.hold(gpu, FLOAT * rows * width)?;
        if step.training == 1 {
            step.d_logits = self.d_logits.hold(gpu, FLOAT * rows * layout.outputs)?;
            step.slab_gradients = self.slab_gradients.hold(gpu, FLOAT * slabs * layout.len())?;
            let pieces = pieces(gpu, layout, slabs, steps);
            step.pieces = pieces as u32;
            if pieces > 1 {
                let sums = slabs * pieces * layout.len();
                step.chunk_sums = self.chunk_sums.hold(gpu, FLOAT * sums)?;
            }
            if step.input_gates > 0 && step.tokens_count > 0 {
                step.d_inputs =
                    self.d_inputs.hold(gpu, FLOAT * row_steps * layout.input_width())?;
            }
        }
        Ok(())
    }
}

/// The most memory in bytes that a run takes on a GPU.
pub(in crate::kernels) fn most_needed(shape: &Shape, load: &Workload) -> u64 {
    let Some(layout) = Layout::new(shape) else { return 0 };
    let [rows, examples, steps] =
        [load.rows_together, load.examples, load.longest].map(|n| n as u64);
    let [features, width, len] = [layout.features, layout.width(), layout.len()].map(|n| n as u64);
    let (float, row_steps) = (FLOAT as u64, rows * steps);
    let (vocabulary, values) = match shape.input {
        Input::Tokens { vocabulary, .. } => (vocabulary as u64, 0),
        Input::Features(_) => (0, examples.saturating_mul(steps * features)),
    };
    // The gradient, the weights, and the moments of the optimizer.
    let state = len + (len + vocabulary * features) * (1 + load.moments as u64) + vocabulary;
    let tokens = vocabulary.min(row_steps);
    // Products of the tokens of a batch with their gradients, and the gradients of their vectors.
    let of_tokens = tokens * (8 * width + layout.input_width() as u64);
    // Numbers of rows, of row-steps and of tokens; masks.
    let told = 4 * (row_steps + tokens + rows) + rows * 4 * (features + width);
    let slabs = load.rows_together.div_ceil(super::SLAB);
    let of_slab = slab_bytes(&layout, super::SLAB * load.longest, true) as u64;
    let wave = (slabs as u64 * of_slab).min(super::WORKSPACE as u64 + of_slab);
    let pieces = (float * (slabs * chunks(load.longest)) as u64 * len).min(MOST_SUMS as u64);
    let sums = pieces.max(float * token_chunks(tokens as usize) as u64 * len);
    let values = float.saturating_mul(values.saturating_add(state + of_tokens + told));
    values.saturating_add(wave + sums + RESULTS)
}

/// Memory in bytes for results that wait to be fetched, and for what is rounded up.
const RESULTS: u64 = 1 << 20;
