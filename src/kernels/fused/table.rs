//! Products with the vectors of a step's different tokens, and the gradients of those vectors.
//!
//! ```text
//! products[u]    = weight_ih vector[u] + bias                   once for each different token u
//! gradients[u]   = sum over the row-steps with token u of the gates' gradients
//! d_weight_ih    = sum over u of gradients[u] x vector[u]       d_vector[u] = gradients[u] weight_ih
//! ```
//!
//! With masks of inputs a token's vector differs from row to row. Then there are no products, and
//! gradients of vectors come from the slabs.

use super::elementwise::Scatter;
use super::layout::Layout;
use super::products::{Back, Gates, Outer, Project};
use super::slab::{Inputs, Source, Weights, Workspace, refill};
use super::threads::Threads;
use super::tile::PANEL;

/// Tokens whose gradients of weights are added up from 0.
const CHUNK: usize = 128;

/// The different tokens of a step.
#[derive(Default)]
pub(super) struct Table {
    /// Their vectors, `[tokens][F]`.
    vectors: Vec<f32>,
    /// Where each begins.
    starts: Vec<usize>,
    /// `[P][tokens][64]`
    pub(super) products: Vec<f32>,
    pub(super) gradients: Gradients,
}

/// What slabs say of the tokens' vectors.
#[derive(Default)]
pub(super) struct Gradients {
    /// Of the products, `[P][tokens][64]`.
    products: Vec<f32>,
    /// Of the vectors, `[tokens][input_width]`.
    vectors: Vec<f32>,
}

impl Table {
    /// Takes the vectors of these tokens; `once` makes room for their products.
    pub(super) fn reset(
        &mut self,
        layout: &Layout,
        threads: &Threads,
        embedding: &[f32],
        tokens: &[u32],
        once: bool,
    ) {
        let features = layout.features;
        let share = tokens.len().div_ceil(threads.count()).max(1);
        self.vectors.resize(tokens.len() * features, 0.0);
        let mut parts: Vec<&mut [f32]> = self.vectors.chunks_mut(share * features).collect();
        threads.each(&mut parts, |part, vectors| {
            let tokens = &tokens[part * share..];
            for (vector, token) in vectors.chunks_exact_mut(features).zip(tokens) {
                let from = *token as usize * features;
                vector.copy_from_slice(&embedding[from..from + features]);
            }
        });
        self.starts.clear();
        self.starts.extend((0..tokens.len()).map(|token| token * features));
        let (products, vectors) = (tokens.len() * PANEL, tokens.len() * layout.input_width());
        // What is written before it is read is not cleared.
        match once {
            true => self.gradients.vectors.resize(vectors, 0.0),
            false => refill(&mut self.gradients.vectors, vectors),
        }
        let products = if once { layout.panels * products } else { 0 };
        self.products.resize(products, 0.0);
        self.gradients.products.resize(products, 0.0);
    }

    /// The products, panel by panel; their gradients become 0.
    pub(super) fn project(&mut self, weights: &Weights<'_>, threads: &Threads) {
        let (layout, count) = (&weights.layout, self.starts.len() * PANEL);
        if count == 0 {
            return;
        }
        let products = self.products.chunks_exact_mut(count);
        let mut panels: Vec<_> =
            products.zip(self.gradients.products.chunks_exact_mut(count)).collect();
        threads.each(&mut panels, |panel, (out, gradients)| {
            gradients.fill(0.0);
            weights.instructions.project(Project {
                values: &self.vectors,
                starts: &self.starts,
                weights: &weights.packed[layout.input_weights(panel)],
                terms: layout.features,
                start: Some(&weights.packed[layout.panel_bias(panel)]),
                gates: Gates::All,
                out,
            });
        });
    }

    /// Back through weight_ih: adds its gradient to `gradient`, and finds those of the vectors.
    pub(super) fn back(&mut self, weights: &Weights<'_>, threads: &Threads, gradient: &mut [f32]) {
        let (layout, tokens) = (&weights.layout, self.starts.len());
        let products = &self.gradients.products;
        if products.is_empty() {
            return;
        }
        let columns = layout.columns() * PANEL;
        let mut panels: Vec<&mut [f32]> =
            gradient[layout.weights()].chunks_exact_mut(columns).collect();
        threads.each(&mut panels, |panel, sum| {
            let products = &products[panel * tokens * PANEL..][..tokens * PANEL];
            let inputs = self.vectors.chunks(CHUNK * layout.features);
            for (inputs, gates) in inputs.zip(products.chunks(CHUNK * PANEL)) {
                weights.instructions.outer(Outer {
                    inputs,
                    stride: layout.features,
                    columns: layout.features,
                    gates,
                    of: Gates::All,
                    sum,
                });
            }
        });
        let width = layout.input_width();
        let share = tokens.div_ceil(threads.count());
        let mut parts: Vec<&mut [f32]> = self.gradients.vectors.chunks_mut(share * width).collect();
        threads.each(&mut parts, |part, out| {
            weights.instructions.back(Back {
                gates: products,
                panel_rows: tokens,
                first: part * share,
                rows: out.len() / width,
                weights: weights.back_inputs,
                width,
                of: Gates::All,
                out,
            });
        });
    }

    /// `[tokens][input_width]`
    pub(super) fn vector_gradients(&self) -> &[f32] {
        &self.gradients.vectors
    }

    /// The same, to be changed.
    pub(super) fn vector_gradients_mut(&mut self) -> &mut [f32] {
        &mut self.gradients.vectors
    }
}

impl Gradients {
    /// Adds what slabs found, in their order.
    pub(super) fn add(
        &mut self,
        weights: &Weights<'_>,
        threads: &Threads,
        workspaces: &[Workspace],
        slabs: &[Inputs<'_>],
    ) {
        let found: Vec<_> = workspaces.iter().zip(slabs).collect();
        let from = |workspace: &Workspace, inputs: &Inputs<'_>| {
            inputs.slab.offsets[workspace.reached]..inputs.slab.row_steps()
        };
        if let Some(Source::Table { tokens, .. }) = slabs.first().map(|inputs| inputs.source) {
            let size = (tokens * PANEL).max(1);
            let mut panels: Vec<&mut [f32]> = self.products.chunks_exact_mut(size).collect();
            threads.each(&mut panels, |panel, table| {
                for (workspace, inputs) in &found {
                    let range = from(workspace, inputs);
                    let first = panel * inputs.slab.row_steps();
                    let (start, end) = (first + range.start, first + range.end);
                    weights.instructions.scatter(Scatter {
                        table,
                        index: &inputs.numbers[range],
                        rows: &workspace.gates[start * PANEL..end * PANEL],
                    });
                }
            });
            return;
        }
        let width = weights.layout.input_width();
        for (workspace, inputs) in found.iter().filter(|(_, inputs)| inputs.wants_vectors()) {
            let range = from(workspace, inputs);
            let rows = workspace.d_inputs[range.start * width..].chunks_exact(width);
            for (number, row) in inputs.numbers[range].iter().zip(rows) {
                let sum = &mut self.vectors[*number as usize * width..][..width];
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}
