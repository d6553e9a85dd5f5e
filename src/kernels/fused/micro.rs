//! Kernels one by one, for `benches/kernels.rs` alone.
//!
//! Sizes are those of a slab of sixteen rows with F = H = 64; a kernel of one panel is measured on
//! one. What a kernel would spoil by being repeated is copied anew each time.

use super::cell::{Backward, Forward, Start};
use super::elementwise::{Replay, Rule, Update};
use super::instructions::{InstructionSet, Instructions};
use super::products::{Back, Gates, Outer, Project};
use super::tile::{GROUP, PANEL};
use crate::spec::UpdateRule;
use anyhow::Result;

/// A kernel with its arguments.
pub struct Micro {
    /// The kernel.
    pub name: &'static str,
    /// Floating-point operations where there is a product; else values.
    pub elements: usize,
    /// Calls it once.
    pub call: Box<dyn FnMut()>,
}

const ROWS: usize = GROUP;
const ROW_STEPS: usize = 128;
const WIDTH: usize = 64;
const PANELS: usize = WIDTH / GROUP;

/// All kernels that matter.
pub fn kernels(set: InstructionSet) -> Result<Vec<Micro>> {
    let set = Instructions::new(set)?;
    Ok(vec![
        project(set),
        cell_forward(set),
        back(set),
        outer(set),
        cell_backward(set),
        update(set),
        replay(set, "replay_100", 100),
        replay(set, "replay_3000", 3000),
    ])
}

fn kernel(name: &'static str, elements: usize, call: impl FnMut() + 'static) -> Micro {
    Micro { name, elements, call: Box::new(call) }
}

/// Values between 0 and 1.
fn values(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at * 7919 % 1009) as f32 / 1009.0).collect()
}

fn project(set: Instructions) -> Micro {
    let (inputs, weights, bias) = (values(ROW_STEPS * WIDTH), values(WIDTH * PANEL), values(PANEL));
    let starts: Vec<usize> = (0..ROW_STEPS).map(|row| row * WIDTH).collect();
    let mut out = vec![0.0; ROW_STEPS * PANEL];
    kernel("project", 2 * ROW_STEPS * WIDTH * PANEL, move || {
        set.project(Project {
            values: &inputs,
            starts: &starts,
            weights: &weights,
            terms: WIDTH,
            start: Some(&bias),
            gates: Gates::All,
            out: &mut out,
        });
    })
}

fn cell_forward(set: Instructions) -> Micro {
    let (table, weights, before) =
        (values(ROWS * PANEL), values(WIDTH * PANEL), values(ROWS * WIDTH));
    let index: Vec<u32> = (0..ROWS as u32).collect();
    let mut gates = vec![0.0; ROWS * PANEL];
    let (mut cells, mut states) = (before.clone(), before.clone());
    kernel("cell_forward", 2 * ROWS * WIDTH * PANEL, move || {
        set.cell_forward(Forward {
            start: Start::Table(&table, &index),
            weights: &weights,
            terms: WIDTH,
            states_before: &before,
            cells_before: &before,
            width: WIDTH,
            unit: 0,
            rows: ROWS,
            gates: &mut gates,
            cells: &mut cells,
            states: &mut states,
        });
    })
}

fn back(set: Instructions) -> Micro {
    let (gates, weights) = (values(PANELS * ROWS * PANEL), values(PANELS * PANEL * WIDTH));
    let mut out = vec![0.0; ROWS * WIDTH];
    kernel("back", 2 * ROWS * PANELS * PANEL * WIDTH, move || {
        set.back(Back {
            gates: &gates,
            panel_rows: ROWS,
            first: 0,
            rows: ROWS,
            weights: &weights,
            width: WIDTH,
            of: Gates::All,
            out: &mut out,
        });
    })
}

fn outer(set: Instructions) -> Micro {
    // In an odd number of cache lines, as `backward` puts them together.
    let (columns, stride) = (2 * WIDTH, 2 * WIDTH + GROUP);
    let (inputs, gates) = (values(ROW_STEPS * stride), values(ROW_STEPS * PANEL));
    let mut sum = vec![0.0; columns * PANEL];
    kernel("outer", 2 * ROW_STEPS * columns * PANEL, move || {
        sum.fill(0.0);
        set.outer(Outer {
            inputs: &inputs,
            stride,
            columns,
            gates: &gates,
            of: Gates::All,
            sum: &mut sum,
        });
    })
}

fn cell_backward(set: Instructions) -> Micro {
    let (first, cells) = (values(ROWS * PANEL), values(ROWS * WIDTH));
    let (mut gates, mut d_cells, mut d_bias) = (first.clone(), cells.clone(), vec![0.0; PANEL]);
    kernel("cell_backward", ROWS * GROUP, move || {
        gates.copy_from_slice(&first);
        d_cells.copy_from_slice(&cells);
        set.cell_backward(Backward {
            gates: &mut gates,
            cells: &cells,
            cells_before: &cells,
            d_states: &cells,
            d_cells: &mut d_cells,
            width: WIDTH,
            unit: 0,
            rows: ROWS,
            d_bias: &mut d_bias,
        });
    })
}

/// Adam's rules of the first updates.
fn rules(count: usize) -> Vec<Rule> {
    let (beta_1, beta_2, epsilon) = (0.9, 0.999, 1e-8);
    let adam = UpdateRule::Adam { beta_1, beta_2, epsilon, epsilon_hat: false, weight_decay: 0.0 };
    (1..=count as u64).map(|t| Rule::new(&adam, t, 1e-3)).collect()
}

fn update(set: Instructions) -> Micro {
    let (count, rule) = (PANELS * 2 * WIDTH * PANEL, rules(1)[0]);
    let gradients = values(count);
    let [mut weights, mut first, mut second] = [(); 3].map(|()| values(count));
    kernel("update", count, move || {
        set.update(Update {
            rule: &rule,
            weights: &mut weights,
            gradients: &gradients,
            first: &mut first,
            second: &mut second,
        });
    })
}

/// A token's vector that was not needed for a while.
fn replay(set: Instructions, name: &'static str, updates: usize) -> Micro {
    let (rules, before) = (rules(updates), values(WIDTH));
    let [mut weights, mut first, mut second] = [(); 3].map(|()| before.clone());
    kernel(name, updates * WIDTH, move || {
        for each in [&mut weights, &mut first, &mut second] {
            each.copy_from_slice(&before);
        }
        set.replay(Replay {
            rules: &rules,
            weights: &mut weights,
            first: &mut first,
            second: &mut second,
        });
    })
}
