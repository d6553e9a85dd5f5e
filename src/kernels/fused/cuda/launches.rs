//! Which kernels a step is made of, with their grids, threads and shared memory.

use super::super::layout::Layout;
use super::super::tile::{GROUP, PANEL};
use super::gpu::Gpu;
use super::memory::BLOCK;
use super::step::StepArguments;
use anyhow::Result;

/// As `step.h` has it.
const TILE: usize = 64;
const PITCH: usize = TILE + 4;
const ROWS: usize = GROUP;
const CHUNK: usize = 4;
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

/// The most units that the kernels serve.
pub(super) const MOST_UNITS: usize = BACKWARD.len() * GROUP;

/// The kernel of the way forward, and its shared memory, where a block may have so much.
fn forward_kernel(layout: &Layout, masked: bool, limit: usize) -> (&'static str, usize) {
    let states = FLOAT * 2 * layout.width() * ROWS * if masked { 4 } else { 1 };
    let weights = FLOAT * 4 * layout.units * layout.width();
    match (states + weights <= limit, masked) {
        (true, false) => ("forward_plain", states + weights),
        (true, true) => ("forward_masked", states + weights),
        (false, false) => ("forward_plain_global", states),
        (false, true) => ("forward_masked_global", states),
    }
}

/// The same of the way back.
fn backward_kernel(layout: &Layout, limit: usize) -> (&'static str, usize) {
    let (panels, width) = (layout.panels, layout.width());
    let own = FLOAT * panels * ROWS * (PANEL + width);
    let weights = FLOAT * (panels * PANEL * (width + 1)).next_multiple_of(4);
    match own + weights <= limit && panels < BACKWARD.len() {
        true => (BACKWARD[panels - 1], own + weights),
        false => (BACKWARD_GLOBAL[panels - 1], own),
    }
}

/// The kernels of one run.
#[derive(Clone, Copy)]
pub(super) struct Launches<'g> {
    pub(super) gpu: &'g Gpu,
    pub(super) layout: Layout,
}

impl Launches<'_> {
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
        let (name, shared) = forward_kernel(&self.layout, step.state_gates > 0, self.gpu.shared);
        self.gpu.launch(name, [slabs, 1, 1], 32 * panels, shared, step)?;
        self.gpu.launch("head", [slabs, 1, 1], ROWS * GROUP, 0, step)
    }

    /// The gradients of slabs, added to those of the step.
    pub(super) fn backward(&self, step: &StepArguments, steps: usize) -> Result<()> {
        let (slabs, panels) = (step.slab_count as usize, self.layout.panels);
        let (width, columns) = (self.layout.width(), self.layout.columns());
        let (name, shared) = backward_kernel(&self.layout, self.gpu.shared);
        self.gpu.launch(name, [slabs, 1, 1], 32 * panels, shared, step)?;
        let columns = if step.table == 1 { columns - self.layout.features } else { columns };
        let tiles = columns.div_ceil(TILE);
        match step.state_gates {
            0 => self.gpu.launch("weights_rows", [slabs, panels, tiles], 128, TILES, step)?,
            gates => {
                let grid = [slabs, panels * gates as usize, tiles];
                self.gpu.launch("weights_rows_masked", grid, 128, TILES, step)?;
            }
        }
        self.gpu.launch("add_up", [self.layout.len().div_ceil(256), 1, 1], 256, 0, step)?;
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
        let grid = [1, self.layout.panels, self.layout.features.div_ceil(TILE)];
        self.gpu.launch("weights_tokens", grid, 128, TILES, step)?;
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
                for masked in [false, true] {
                    let (name, shared) = forward_kernel(&layout, masked, limit);
                    assert!(shared <= limit, "{name} on sm_{arch}: {shared} bytes");
                }
                let (name, shared) = backward_kernel(&layout, limit);
                assert!(
                    !name.is_empty() && shared <= limit,
                    "H = {units} on sm_{arch}: {shared} bytes"
                );
            }
        }
    }

    #[test]
    fn weights_of_64_units_are_in_shared_memory_everywhere() {
        let layout = Layout { features: 64, units: 64, panels: 4, outputs: 1 };
        for (_, limit) in LIMITS {
            assert_eq!(forward_kernel(&layout, false, limit).0, "forward_plain");
            assert_eq!(backward_kernel(&layout, limit).0, "backward_4");
        }
    }
}
