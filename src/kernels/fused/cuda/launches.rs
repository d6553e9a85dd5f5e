//! Which kernels a step is made of, with their grids, threads and shared memory.

use super::super::layout::Layout;
use super::super::tile::{GROUP, PANEL};
use super::gpu::Gpu;
use super::step::{BLOCK, StepArguments};
use anyhow::Result;

/// As `step.h` has it.
const TILE: usize = 64;
const PITCH: usize = TILE + 4;
const ROWS: usize = GROUP;
const CHUNK: usize = 4;
const TOKEN_CHUNK: usize = 128;
/// Blocks among which a slab is shared where the GPU has room for them.
const PARTS: usize = 4;
/// Memory in bytes for sums that are added up afterwards, at most.
pub(super) const MOST_SUMS: usize = 256 << 20;
const FLOAT: usize = size_of::<f32>();
/// A tile of inputs with the origins of its rows, and one of gates or weights.
const TILES: usize = FLOAT * (TILE * PITCH + TILE * PANEL + TILE * 3);
/// A tile of gates, and one of weights, exchanged.
const BACK_TILES: usize = FLOAT * (PANEL * ROWS + PANEL * (TILE + 1));

/// Kernels by the number of panels; what does not fit into shared memory reads its weights from the GPU's.
const BACKWARD: [&str; 7] =
    ["backward_1", "backward_2", "backward_3", "backward_4", "backward_5", "backward_6", ""];
const BACKWARD_GLOBAL: [&str; 7] =
    ["", "", "", "", "backward_5_global", "backward_6_global", "backward_7_global"];
/// Those whose blocks have a quarter of a slab.
const BACKWARD_QUARTER: [&str; 7] = [
    "backward_1_quarter",
    "backward_2_quarter",
    "backward_3_quarter",
    "backward_4_quarter",
    "backward_5_quarter",
    "backward_6_quarter",
    "",
];

/// The most units that the kernels serve.
pub(super) const MOST_UNITS: usize = BACKWARD.len() * GROUP;

/// A kernel with its shared memory, and the blocks that take a slab.
#[derive(Clone, Copy)]
struct Through {
    name: &'static str,
    shared: usize,
    parts: usize,
}

/// The kernel of the way forward, for blocks with at most `limit` bytes of shared memory. `spread`: a block
/// takes a quarter of a slab, if weights and states fit into that memory.
fn forward_kernel(layout: &Layout, masked: bool, spread: bool, limit: usize) -> Through {
    let states = |rows: usize| FLOAT * 2 * layout.width() * rows * if masked { 4 } else { 1 };
    let weights = FLOAT * 4 * layout.units * layout.width();
    let whole = states(ROWS) + weights;
    if whole > limit {
        let name = if masked { "forward_masked_global" } else { "forward_plain_global" };
        return Through { name, shared: states(ROWS), parts: 1 };
    }
    if spread {
        let name = if masked { "forward_masked_quarter" } else { "forward_plain_quarter" };
        return Through { name, shared: states(ROWS / PARTS) + weights, parts: PARTS };
    }
    let name = if masked { "forward_masked" } else { "forward_plain" };
    Through { name, shared: whole, parts: 1 }
}

/// The same of the way back.
fn backward_kernel(layout: &Layout, spread: bool, limit: usize) -> Through {
    let (panels, width) = (layout.panels, layout.width());
    let own = |rows: usize| FLOAT * panels * rows * (PANEL + width);
    let weights = FLOAT * (panels * PANEL * (width + 1)).next_multiple_of(4);
    let at = panels - 1;
    if own(ROWS) + weights > limit || panels == BACKWARD.len() {
        return Through { name: BACKWARD_GLOBAL[at], shared: own(ROWS), parts: 1 };
    }
    if spread {
        let shared = own(ROWS / PARTS) + weights;
        return Through { name: BACKWARD_QUARTER[at], shared, parts: PARTS };
    }
    Through { name: BACKWARD[at], shared: own(ROWS) + weights, parts: 1 }
}

/// How many pieces of a slab have their gradients of weights summed at the same time: its chunks of time
/// steps, if the GPU has room for the blocks and the sums fit into [`MOST_SUMS`], else 1. `steps`: those of
/// the longest slab.
pub(super) fn pieces(gpu: &Gpu, layout: &Layout, slabs: usize, steps: usize) -> usize {
    let tiles = layout.columns().div_ceil(TILE) + 1;
    let chunks = chunks(steps);
    let bytes = slabs * chunks * layout.len() * FLOAT;
    let has_room = gpu.has_room_for(slabs * layout.panels * tiles, 4) && bytes <= MOST_SUMS;
    if has_room { chunks } else { 1 }
}

/// Chunks of time steps of a slab.
pub(super) fn chunks(steps: usize) -> usize {
    steps.div_ceil(CHUNK).max(1)
}

/// Chunks of the different tokens of a step.
pub(super) fn token_chunks(tokens: usize) -> usize {
    tokens.div_ceil(TOKEN_CHUNK)
}

/// The kernels of one run.
#[derive(Clone, Copy)]
pub(super) struct Launches<'g> {
    pub(super) gpu: &'g Gpu,
    pub(super) layout: Layout,
}

impl Launches<'_> {
    /// Whether a block takes a quarter of a slab: where the GPU has room for two such blocks a multiprocessor.
    fn spreads(&self, step: &StepArguments) -> bool {
        self.gpu.has_room_for(step.slab_count as usize * PARTS, 2)
    }

    /// Slabs through time, forward or back.
    fn through(&self, kernel: Through, step: &StepArguments) -> Result<()> {
        let grid = [step.slab_count as usize * kernel.parts, 1, 1];
        self.gpu.launch(kernel.name, grid, 32 * self.layout.panels, kernel.shared, step)
    }

    /// Products with the different tokens.
    pub(super) fn project_tokens(&self, step: &StepArguments) -> Result<()> {
        let grid = [(step.tokens_count as usize).div_ceil(TILE), 1, self.layout.panels];
        self.gpu.launch("project_tokens", grid, 128, TILES, step)
    }

    /// The logits of slabs; in training also the gradients of the dense layer.
    pub(super) fn forward(&self, step: &StepArguments, steps: usize) -> Result<()> {
        let (slabs, panels) = (step.slab_count as usize, self.layout.panels);
        if step.table == 0 {
            let grid = [steps.div_ceil(CHUNK), slabs, panels];
            self.gpu.launch("project_rows", grid, 128, TILES, step)?;
        }
        let (masked, spread) = (step.state_gates > 0, self.spreads(step));
        self.through(forward_kernel(&self.layout, masked, spread, self.gpu.shared), step)?;
        self.gpu.launch("head", [slabs, 1, 1], ROWS * GROUP, 0, step)
    }

    /// The gradients of slabs, added to those of the step.
    pub(super) fn backward(&self, step: &StepArguments, steps: usize) -> Result<()> {
        let (slabs, panels) = (step.slab_count as usize, self.layout.panels);
        let (width, columns) = (self.layout.width(), self.layout.columns());
        self.through(backward_kernel(&self.layout, self.spreads(step), self.gpu.shared), step)?;
        let columns = if step.table == 1 { columns - self.layout.features } else { columns };
        let (pieces, tiles) = (step.pieces as usize, columns.div_ceil(TILE));
        let (name, gates) = match step.state_gates {
            0 => ("weights_rows", 1),
            gates => ("weights_rows_masked", gates as usize),
        };
        let grid = [slabs * pieces, panels * gates, tiles + 1];
        self.gpu.launch(name, grid, 128, TILES, step)?;
        let all = self.layout.len().div_ceil(256);
        if pieces > 1 {
            self.gpu.launch("add_pieces", [all, slabs, 1], 256, 0, step)?;
        }
        self.gpu.launch("add_up", [all, 1, 1], 256, 0, step)?;
        let tokens = [step.tokens_count as usize, 1, 1];
        match (step.table, step.tokens_count) {
            (1, _) => self.gpu.launch("scatter_gates", tokens, width, 0, step),
            (_, 0) => Ok(()),
            _ => {
                let tiles = self.layout.input_width().div_ceil(TILE);
                let grid = [steps.div_ceil(CHUNK) * 4, slabs, tiles];
                self.gpu.launch("back_rows", grid, 128, BACK_TILES, step)?;
                self.gpu.launch("scatter_inputs", tokens, 64, 0, step)
            }
        }
    }

    /// From the products of tokens back to weight_ih and to the tokens' vectors.
    pub(super) fn back_tokens(&self, step: &StepArguments) -> Result<()> {
        let tokens = step.tokens_count as usize;
        if step.table == 0 || tokens == 0 {
            return Ok(());
        }
        let (chunks, tiles) = (token_chunks(tokens), self.layout.features.div_ceil(TILE));
        self.gpu.launch("weights_tokens", [chunks, self.layout.panels, tiles], 128, TILES, step)?;
        let all = [self.layout.len().div_ceil(256), 1, 1];
        self.gpu.launch("add_tokens", all, 256, 0, step)?;
        let grid = [tokens.div_ceil(ROWS), self.layout.input_width().div_ceil(TILE), 1];
        self.gpu.launch("back_tokens", grid, 128, BACK_TILES, step)
    }

    /// Penalties, norm and update.
    pub(super) fn update(&self, step: &StepArguments) -> Result<()> {
        let all = [self.layout.len().div_ceil(256), 1, 1];
        if step.penalises() {
            let parts = [2 * self.layout.panels + 1, 1, 1];
            self.gpu.launch("penalty_parts", parts, 32, 0, step)?;
            self.gpu.launch("penalty_sum", [1; 3], 32, 0, step)?;
            self.gpu.launch("penalise", all, 256, 0, step)?;
        }
        let tokens = step.tokens_count as usize;
        let vectors = tokens * self.layout.input_width();
        let blocks = [self.layout.len().div_ceil(BLOCK) + vectors.div_ceil(BLOCK), 1, 1];
        self.gpu.launch("squares", blocks, 32, 32 * size_of::<f64>(), step)?;
        self.gpu.launch("gradient_norm", [1; 3], 32, 0, step)?;
        self.gpu.launch("update", all, 256, 0, step)?;
        if step.vocabulary == 0 {
            return Ok(());
        }
        let tokens = [tokens.div_ceil(256), 1, 1];
        let values = step.vocabulary as usize * self.layout.features;
        self.gpu.launch("mark_tokens", tokens, 256, 0, step)?;
        self.gpu.launch("update_embedding", [values.div_ceil(256), 1, 1], 256, 0, step)?;
        self.gpu.launch("unmark_tokens", tokens, 256, 0, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shared memory that a block may have, in bytes, by architecture (CUDA C++ Programming Guide 13.0, "Technical
    /// Specifications per Compute Capability").
    const LIMITS: [(u32, usize); 6] = [
        (80, 163 << 10),
        (86, 99 << 10),
        (89, 99 << 10),
        (90, 227 << 10),
        (100, 227 << 10),
        (120, 99 << 10),
    ];

    #[test]
    fn every_size_has_kernels_that_fit_each_architecture() {
        for (arch, limit) in LIMITS {
            for units in 1..=MOST_UNITS {
                let layout =
                    Layout { features: 64, units, panels: units.div_ceil(GROUP), outputs: 1 };
                for (masked, spread) in [(false, false), (false, true), (true, false), (true, true)]
                {
                    let Through { name, shared, .. } =
                        forward_kernel(&layout, masked, spread, limit);
                    assert!(shared <= limit, "{name} on sm_{arch}: {shared} bytes");
                    let Through { name, shared, .. } = backward_kernel(&layout, spread, limit);
                    assert!(
                        !name.is_empty() && shared <= limit,
                        "H = {units} on sm_{arch}: {shared} bytes"
                    );
                }
            }
        }
    }

    #[test]
    fn weights_of_64_units_are_in_shared_memory_everywhere() {
        let layout = Layout { features: 64, units: 64, panels: 4, outputs: 1 };
        for (_, limit) in LIMITS {
            assert_eq!(forward_kernel(&layout, false, false, limit).name, "forward_plain");
            assert_eq!(backward_kernel(&layout, false, limit).name, "backward_4");
        }
    }
}
