//! Which kernels a step is made of, with their grids, threads and shared memory.

use super::super::layout::Layout;
use super::super::tile::{GROUP, PANEL};
use super::gpu::Gpu;
use super::step::{BLOCK, StepArguments};
use anyhow::Result;

/// As `step.h` has it.
const TILE: usize = 64;
const ROWS: usize = GROUP;
const CHUNK: usize = 4;
const TOKEN_CHUNK: usize = 128;
/// The gates of a panel, and room that keeps two panels in different banks.
const GATES_PITCH: usize = PANEL + GROUP;
/// Memory in bytes for sums that are added up afterwards, at most.
pub(super) const MOST_SUMS: usize = 256 << 20;
const FLOAT: usize = size_of::<f32>();
/// As `project.cu` has it: columns of inputs at a time.
const TERMS: usize = 32;
/// Two stages of columns of inputs and of two panels' weights, with the origins of the rows.
const PROJECT_TILES: usize = FLOAT * (2 * (TILE * (TERMS + 4) + TERMS * 2 * PANEL) + TILE * 3);
/// A tile of inputs and of two panels' gates, with the origins of its rows and of the next tile's.
const WEIGHTS_TILES: usize = FLOAT * (TILE * TILE + TILE * 2 * PANEL + 2 * TILE * 3);
/// A tile of gates, and one of weights, exchanged.
const BACK_TILES: usize = FLOAT * (PANEL * ROWS + PANEL * (TILE + 1));
/// Threads that read ahead for the one that sums squares.
const NORM_THREADS: usize = 256;

/// A kernel that goes through time, of blocks with some rows of a slab each.
#[derive(Clone, Copy)]
struct Through {
    name: &'static str,
    rows: usize,
    /// Sets of four weights that each thread has in shared memory, because its registers are full.
    shared_weights: usize,
}

const fn through(name: &'static str, rows: usize, shared_weights: usize) -> Through {
    Through { name, rows, shared_weights }
}

/// By the number of panels. Most registers of a multiprocessor hold weights, so blocks of many panels have few rows.
const FORWARD: [&[Through]; 7] = [
    &[through("forward_1_by_2", 2, 0), through("forward_1_by_4", 4, 0)],
    &[through("forward_2_by_2", 2, 0), through("forward_2_by_4", 4, 0)],
    &[through("forward_3_by_2", 2, 0), through("forward_3_by_4", 4, 0)],
    &[through("forward_4_by_2", 2, 0), through("forward_4_by_4", 4, 1)],
    &[through("forward_5_by_2", 2, 0)],
    &[through("forward_6_by_2", 2, 0)],
    &[through("forward_7_by_2", 2, 12)],
];
/// The same where the last panel has fewer than sixteen units.
const FORWARD_ODD: [Through; 7] = [
    through("forward_1_odd", 2, 0),
    through("forward_2_odd", 2, 0),
    through("forward_3_odd", 2, 0),
    through("forward_4_odd", 2, 0),
    through("forward_5_odd", 2, 0),
    through("forward_6_odd", 2, 0),
    through("forward_7_odd", 2, 12),
];
/// With seven panels the weights that are not in registers stay in the GPU's memory.
const BACKWARD: [&[Through]; 7] = [
    &[through("backward_1_by_2", 2, 0), through("backward_1_by_4", 4, 0)],
    &[through("backward_2_by_2", 2, 0), through("backward_2_by_4", 4, 0)],
    &[through("backward_3_by_2", 2, 0), through("backward_3_by_4", 4, 2)],
    &[through("backward_4_by_2", 2, 0), through("backward_4_by_4", 4, 2)],
    &[through("backward_5_by_2", 2, 2)],
    &[through("backward_6_by_2", 2, 5)],
    &[through("backward_7_by_2", 2, 0)],
];

/// The most units that the kernels serve.
pub(super) const MOST_UNITS: usize = BACKWARD.len() * GROUP;

/// Which of some kernels: that of small blocks if the GPU has room for them (`spread`), else that of large ones.
fn chosen(kernels: &[Through], spread: bool) -> Through {
    if spread { kernels[0] } else { kernels[kernels.len() - 1] }
}

/// The kernel of the way forward, with its threads and the bytes of shared memory of a block.
fn forward_kernel(layout: &Layout, masked: bool, spread: bool) -> (Through, usize, usize) {
    let at = layout.panels - 1;
    let is_odd = !layout.units.is_multiple_of(GROUP);
    let kernel = if is_odd { FORWARD_ODD[at] } else { chosen(FORWARD[at], spread) };
    let threads = PANEL * layout.panels;
    let states = kernel.rows * layout.width() * if masked { 8 } else { 2 };
    let gates = kernel.rows * layout.width() * 4;
    (kernel, threads, FLOAT * (states + gates + 4 * kernel.shared_weights * threads))
}

/// The same of the way back.
fn backward_kernel(layout: &Layout, masked: bool, spread: bool) -> (Through, usize, usize) {
    let (panels, width) = (layout.panels, layout.width());
    let kernel = chosen(BACKWARD[panels - 1], spread);
    let threads = panels * width;
    let gates = kernel.rows * panels * GATES_PITCH;
    let parts = kernel.rows * panels * width * if masked { 4 } else { 1 };
    (kernel, threads, FLOAT * (gates + parts + 4 * kernel.shared_weights * threads))
}

/// How many pieces of a slab have their gradients of weights summed at the same time: its chunks of time
/// steps, if the GPU has room for the blocks and the sums fit into [`MOST_SUMS`], else 1. `steps`: those of
/// the longest slab.
pub(super) fn pieces(gpu: &Gpu, layout: &Layout, slabs: usize, steps: usize) -> usize {
    let (pairs, tiles) = (layout.panels.div_ceil(2), layout.columns().div_ceil(TILE));
    let chunks = chunks(steps);
    let bytes = slabs * chunks * layout.len() * FLOAT;
    let has_room = gpu.has_room_for(slabs * pairs * tiles, 2) && bytes <= MOST_SUMS;
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
    /// Whether blocks are small: where the GPU has room for two of them a multiprocessor.
    fn spreads(&self, step: &StepArguments) -> bool {
        self.gpu.has_room_for(step.slab_count as usize * ROWS / 2, 2)
    }

    /// Slabs through time, forward or back.
    fn through(
        &self,
        (kernel, threads, shared): (Through, usize, usize),
        step: &StepArguments,
    ) -> Result<()> {
        let blocks = step.slab_count as usize * ROWS / kernel.rows;
        self.gpu.launch(kernel.name, [blocks, 1, 1], threads, shared, step)
    }

    /// Two panels each; the last may be alone.
    fn pairs(&self) -> usize {
        self.layout.panels.div_ceil(2)
    }

    /// Products with the different tokens.
    pub(super) fn project_tokens(&self, step: &StepArguments) -> Result<()> {
        let grid = [(step.tokens_count as usize).div_ceil(TILE), 1, self.pairs()];
        self.gpu.launch("project_tokens", grid, 128, PROJECT_TILES, step)
    }

    /// The logits of slabs; in training also the gradients of the dense layer.
    pub(super) fn forward(&self, step: &StepArguments, steps: usize) -> Result<()> {
        let slabs = step.slab_count as usize;
        if step.table == 0 {
            let grid = [steps.div_ceil(CHUNK), slabs, self.pairs()];
            self.gpu.launch("project_rows", grid, 128, PROJECT_TILES, step)?;
        }
        let (masked, spread) = (step.state_gates > 0, self.spreads(step));
        self.through(forward_kernel(&self.layout, masked, spread), step)?;
        self.gpu.launch("head", [slabs, 1, 1], ROWS * GROUP, 0, step)
    }

    /// The gradients of slabs, added to those of the step.
    pub(super) fn backward(&self, step: &StepArguments, steps: usize) -> Result<()> {
        let slabs = step.slab_count as usize;
        let (width, columns) = (self.layout.width(), self.layout.columns());
        let (masked, spread) = (step.state_gates > 0, self.spreads(step));
        self.through(backward_kernel(&self.layout, masked, spread), step)?;
        let columns = if step.table == 1 { columns - self.layout.features } else { columns };
        let (pieces, tiles) = (step.pieces as usize, columns.div_ceil(TILE));
        let gates = step.state_gates.max(1) as usize;
        let name = match (gates > 1, pieces > 1) {
            (false, false) => "weights_rows",
            (false, true) => "weights_pieces",
            (true, false) => "weights_rows_masked",
            (true, true) => "weights_pieces_masked",
        };
        let grid = [slabs * (pieces + 1), self.pairs() * gates, tiles];
        self.gpu.launch(name, grid, 128, WEIGHTS_TILES, step)?;
        self.gpu.launch("add_up", [self.layout.len().div_ceil(256), 1, 1], 256, 0, step)?;
        let tokens = [step.tokens_count as usize, 1, 1];
        match (step.table, step.tokens_count) {
            (1, _) => self.gpu.launch("scatter_gates", tokens, 4 * width, 0, step),
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
        self.gpu.launch(
            "weights_tokens",
            [chunks, self.pairs(), tiles],
            128,
            WEIGHTS_TILES,
            step,
        )?;
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
        let ahead = NORM_THREADS * size_of::<f64>();
        let marking = [1 + tokens.div_ceil(NORM_THREADS), 1, 1];
        self.gpu.launch("gradient_norm", marking, NORM_THREADS, ahead, step)?;
        let values = step.vocabulary as usize * self.layout.features;
        let blocks = self.layout.len().div_ceil(256) + values.div_ceil(256);
        self.gpu.launch("update", [blocks, 1, 1], 256, 0, step)
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
                    for (Through { name, rows, .. }, threads, shared) in [
                        forward_kernel(&layout, masked, spread),
                        backward_kernel(&layout, masked, spread),
                    ] {
                        assert!(shared <= limit, "{name} on sm_{arch}: {shared} bytes");
                        assert!(threads <= 1024 && ROWS.is_multiple_of(rows), "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn two_blocks_of_64_units_share_a_multiprocessor_everywhere() {
        let layout = Layout { features: 64, units: 64, panels: 4, outputs: 1 };
        for (_, limit) in LIMITS {
            for spread in [false, true] {
                let (forward, _, shared) = forward_kernel(&layout, true, spread);
                assert_eq!(forward.rows, if spread { 2 } else { 4 });
                assert!(2 * shared <= limit);
                let (_, _, shared) = backward_kernel(&layout, true, spread);
                assert!(2 * shared <= limit);
            }
        }
    }
}
