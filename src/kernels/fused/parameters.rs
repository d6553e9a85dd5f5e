//! The trained values, apart from the embedding, in the forms that slabs need.

use super::elementwise::{Rule, Update};
use super::embedding::moments;
use super::instructions::Instructions;
use super::layout::Layout;
use super::slab::Weights;

/// Weights and what the optimizer keeps of their gradients.
pub(super) struct Parameters {
    instructions: Instructions,
    pub(super) layout: Layout,
    /// As [`Layout`] says.
    pub(super) packed: Vec<f32>,
    /// The same of each moment of the optimizer.
    pub(super) moments: Vec<Vec<f32>>,
    /// weight_hh, rows and columns exchanged.
    back_states: Vec<f32>,
    /// weight_ih, rows and columns exchanged; empty for features, which have no gradients.
    back_inputs: Vec<f32>,
    has_embedding: bool,
}

impl Parameters {
    pub(super) fn new(instructions: Instructions, layout: Layout, has_embedding: bool) -> Self {
        let (packed, moments) = (Vec::new(), Vec::new());
        let (back_states, back_inputs) = (Vec::new(), Vec::new());
        Self { instructions, layout, packed, moments, back_states, back_inputs, has_embedding }
    }

    /// Takes canonical arrays (without the embedding), and those of the moments.
    pub(super) fn set(&mut self, arrays: &[Vec<f32>], moments: &[&[Vec<f32>]]) {
        self.packed = self.layout.pack(arrays);
        self.moments = moments.iter().map(|arrays| self.layout.pack(arrays)).collect();
        self.turn();
    }

    /// One update of all values.
    pub(super) fn update(&mut self, rule: &Rule, gradients: &[f32]) {
        let [first, second] = moments(&mut self.moments, 0..self.layout.len());
        let weights = &mut self.packed;
        self.instructions.update(Update { rule, weights, gradients, first, second });
        self.turn();
    }

    /// What slabs read.
    pub(super) fn weights(&self) -> Weights<'_> {
        Weights {
            instructions: self.instructions,
            layout: self.layout,
            packed: &self.packed,
            back_states: &self.back_states,
            back_inputs: &self.back_inputs,
        }
    }

    fn turn(&mut self) {
        let Layout { features, units, .. } = self.layout;
        self.layout.turn(&self.packed, features, units, &mut self.back_states);
        if self.has_embedding {
            self.layout.turn(&self.packed, 0, features, &mut self.back_inputs);
        }
    }
}
