//! A CPU engine that computes a slab of rows from the first step to the last gradient at once.
//!
//! What makes it fast, from the largest to the smallest:
//!
//! - Rows are sorted by length and cut into slabs of sixteen ([`batch`]): nothing is computed for
//!   padding, and a thread owns its slab, so there is nothing to wait for between time steps.
//! - The product with an embedded token is computed once for each different token of a step
//!   (`table`); its gradients are added up before they go back through the weights.
//! - Four gates of sixteen units make a panel ([`layout`]). The sums of six rows and a panel stay in
//!   registers until they have become states ([`cell`]).
//! - Gradients below 2^-96 are 0: subnormal numbers cost some processors a hundred times as much.
//! - Vectors of tokens are updated when they are read ([`embedding`]).
//! - Threads share all of a step that takes long: slabs, panels of their weights' gradients
//!   ([`weights`]), and tokens' vectors by parts of the vocabulary.
//!
//! What makes it repeat to the bit: every sum is one chain, or chains added up, in an order that
//! depends on the rows of the step alone. Slabs are fixed, their gradients are added in order, so
//! the number of threads changes nothing; operations are exact to rounding in every set of
//! instructions ([`vector`]), so that changes nothing either.
//!
//! Shapes: `B` rows of a step, `P = ceil(H / 16)` panels, `R` row-steps of a slab.

mod activation;
mod backward;
mod batch;
mod cell;
pub(super) mod cuda;
mod dense;
mod elementwise;
mod embedding;
mod forward;
mod head;
mod instructions;
mod layout;
mod masks;
#[doc(hidden)]
pub mod micro;
mod optimizer;
mod parameters;
mod products;
mod slab;
mod table;
mod threads;
mod tile;
mod vector;
mod weights;

pub use instructions::InstructionSet;

use self::batch::{SLAB, Slab, Unique};
use self::elementwise::Rule;
use self::embedding::Embedding;
use self::instructions::Instructions;
use self::layout::Layout;
use self::parameters::Parameters;
use self::slab::{Inputs, Source, Workspace, refill};
use self::table::Table;
use self::threads::Threads;
use super::{
    Arrays, Computed, Engine, Examples, Input, Masks, Penalties, Penalty, Place, Sequences,
    Settings, Shape, Split, Splits, State, Step,
};
use crate::spec::{Layer, Role};
use anyhow::{Context, Result, ensure};
use std::ops::Range;

/// The one recurrent layer of its models.
const LSTM: Layer = Layer::Recurrent { index: 0, reverse: false };

/// One run's parameters, optimizer state and memory.
pub(super) struct Fused<'d> {
    shape: Shape,
    splits: Splits<'d>,
    settings: Settings,
    instructions: Instructions,
    threads: Threads,
    parameters: Parameters,
    embedding: Embedding,
    /// Updates made so far.
    updates: u64,
    /// One for each thread.
    workspaces: Vec<Workspace>,
    unique: Unique,
    table: Table,
    gradient: Vec<f32>,
    computed: Computed,
}

impl<'d> Fused<'d> {
    pub(super) fn new(
        place: Place,
        shape: Shape,
        splits: Splits<'d>,
        settings: Settings,
    ) -> Result<Self> {
        let instructions = Instructions::new(place.instructions)?;
        let layout = Layout::new(&shape).context("the engine `fused` computes one LSTM")?;
        let has_embedding = matches!(shape.input, Input::Tokens { .. });
        let zeros: Arrays =
            shape.parameters().iter().map(|parameter| vec![0.0; parameter.count()]).collect();
        let optimizer = settings.optimizer;
        let mut engine = Self {
            shape,
            splits,
            settings,
            parameters: Parameters::new(instructions, layout, has_embedding),
            instructions,
            workspaces: Vec::new(),
            threads: Threads::new(1)?,
            embedding: Embedding::default(),
            updates: 0,
            unique: Unique::default(),
            table: Table::default(),
            gradient: Vec::new(),
            computed: Computed::default(),
        };
        engine.set_state(&State::new(zeros, &optimizer))?;
        engine.set_threads(place.threads)?;
        Ok(engine)
    }

    fn vocabulary(&self) -> usize {
        match self.shape.input {
            Input::Tokens { vocabulary, .. } => vocabulary,
            Input::Features(_) => 0,
        }
    }

    /// Brings the vectors of a step's tokens up to date; whether products with them are computed
    /// once for each token, which masks of inputs forbid.
    fn look_up(&mut self, examples: &Examples<'_>, slabs: &[Slab], masks: &Masks) -> bool {
        if self.vocabulary() == 0 {
            return false;
        }
        self.unique.find(self.vocabulary(), examples, slabs);
        let (tokens, threads) = (&self.unique.tokens, &self.threads);
        self.embedding.apply_deferred_updates(self.instructions, threads, tokens);
        let once = masks.input.is_empty();
        let vectors = &self.embedding.vectors;
        self.table.reset(&self.parameters.layout, threads, vectors, tokens, once);
        if once {
            self.table.project(&self.parameters.weights(), &self.threads);
        }
        once
    }

    /// What each slab reads.
    fn inputs<'s>(
        &'s self,
        examples: &Examples<'s>,
        slabs: &'s [Slab],
        masks: &'s Masks,
        once: bool,
    ) -> Vec<Inputs<'s>> {
        let source = match (once, examples.sequences) {
            (true, _) => {
                Source::Table { products: &self.table.products, tokens: self.unique.tokens.len() }
            }
            (false, sequences @ Sequences::Features { values, .. }) => {
                Source::Vectors { values, sequences }
            }
            (false, sequences @ Sequences::Tokens { .. }) => {
                Source::Vectors { values: &self.embedding.vectors, sequences }
            }
        };
        let numbers = |index: usize| match examples.sequences {
            Sequences::Tokens { .. } => &self.unique.numbers[index][..],
            Sequences::Features { .. } => &[],
        };
        let each = slabs.iter().enumerate();
        each.map(|(index, slab)| Inputs { slab, source, numbers: numbers(index), masks }).collect()
    }

    /// Logits in the order of `rows`, and the gradient in `gradient` and `table`.
    fn gradients(&mut self, step: &Step<'_>) -> Vec<f32> {
        let none = Masks::default();
        let masks = step.masks.and_then(<[Masks]>::first).unwrap_or(&none);
        let examples = self.splits.train;
        let slabs = batch::slabs(&examples, step.rows, self.settings.micro_batch.unwrap_or(SLAB));
        let once = self.look_up(&examples, &slabs, masks);
        let mut workspaces = std::mem::take(&mut self.workspaces);
        let mut table = std::mem::take(&mut self.table.gradients);
        let mut gradient = std::mem::take(&mut self.gradient);
        refill(&mut gradient, self.parameters.layout.len());
        let mut logits = vec![0.0; step.rows.len() * self.shape.outputs];
        let inputs = self.inputs(&examples, &slabs, masks, once);
        let weights = self.parameters.weights();
        let share = 1.0 / step.rows.len() as f32;
        let objective = &self.settings.objective;
        for wave in inputs.chunks(self.threads.count()) {
            self.threads.each(&mut workspaces[..wave.len()], |index, workspace| {
                let inputs = &wave[index];
                let target = |row: &u32| examples.labels[*row as usize];
                let targets: Vec<f32> = inputs.slab.rows.iter().map(target).collect();
                let shares = targets.iter().map(|target| objective.weight(*target) * share);
                let shares: Vec<f32> = shares.collect();
                workspace.forward(&weights, inputs);
                let rows = (&targets[..], &shares[..]);
                workspace.backward(&weights, inputs, objective.loss, rows, &self.threads);
            });
            self.add_up(&mut gradient, &workspaces[..wave.len()]);
            self.place(&mut logits, &workspaces, wave);
            table.add(&weights, &self.threads, &workspaces, wave);
        }
        drop(inputs);
        (self.workspaces, self.table.gradients, self.gradient) = (workspaces, table, gradient);
        logits
    }

    /// Puts the logits of slabs where their rows stand among those that were asked for.
    fn place(&self, logits: &mut [f32], slabs: &[Workspace], wave: &[Inputs<'_>]) {
        let width = self.shape.outputs;
        for (workspace, inputs) in slabs.iter().zip(wave) {
            let rows = workspace.logits.chunks_exact(width);
            for (position, found) in inputs.slab.positions.iter().zip(rows) {
                logits[position * width..][..width].copy_from_slice(found);
            }
        }
    }

    /// Adds the slabs' gradients, in their order.
    fn add_up(&self, gradient: &mut [f32], slabs: &[Workspace]) {
        let share = gradient.len().div_ceil(self.threads.count());
        let mut parts: Vec<&mut [f32]> = gradient.chunks_mut(share).collect();
        self.threads.each(&mut parts, |part, sum| {
            for slab in slabs {
                self.instructions.add((sum, &slab.gradient[part * share..]));
            }
        });
    }

    /// Penalties, norm, clipping, update.
    fn update(&mut self, lr: f64) {
        for (range, by) in penalised(self.parameters.layout, &self.settings) {
            optimizer::penalise(
                &mut self.gradient[range.clone()],
                &self.parameters.packed[range],
                by,
            );
        }
        let mut squares = 0.0;
        self.instructions.squares((&self.gradient, &mut squares));
        self.instructions.squares((self.table.vector_gradients(), &mut squares));
        let norm = squares.sqrt() as f32;
        self.computed.gradient_norms.push(norm);
        if let Some(clip) = self.settings.clip {
            let gradients = [&mut self.gradient[..], self.table.vector_gradients_mut()];
            optimizer::clip(gradients, norm, clip);
        }
        self.updates += 1;
        let rule = Rule::new(&self.settings.optimizer, self.updates, lr);
        self.parameters.update(&rule, &self.gradient);
        if self.vocabulary() > 0 {
            let gradients = (self.table.vector_gradients(), self.parameters.layout.input_width());
            let (tokens, threads) = (&self.unique.tokens, &self.threads);
            self.embedding.update(self.instructions, threads, &rule, tokens, gradients);
        }
    }
}

/// Splits canonical arrays into the embedding's and all others.
fn split_arrays<'a>(shape: &Shape, arrays: &'a Arrays) -> Result<(&'a [f32], &'a [Vec<f32>])> {
    let shapes = shape.parameters();
    ensure!(arrays.len() == shapes.len(), "the state holds another model's parameters");
    for (array, parameter) in arrays.iter().zip(&shapes) {
        ensure!(array.len() == parameter.count(), "`{}` has another size", parameter.path);
    }
    let first = shape.place(LSTM, Role::Kernel);
    Ok((arrays[..first].first().map_or(&[], Vec::as_slice), &arrays[first..]))
}

/// The arrays that are penalised: where they lie, piece by piece.
fn penalised(
    layout: Layout,
    settings: &Settings,
) -> impl Iterator<Item = (Range<usize>, Penalty)> + use<> {
    let penalties = settings.penalties.first().copied().unwrap_or_default();
    let Penalties { kernel: input, recurrent: state, bias } = penalties;
    let panels = (0..layout.panels).flat_map(move |panel| {
        [(layout.input_weights(panel), input), (layout.state_weights(panel), state)]
    });
    panels.chain([(layout.bias(), bias)]).filter(|(_, penalty)| !penalty.is_none())
}

impl Engine for Fused<'_> {
    fn set_state(&mut self, state: &State) -> Result<()> {
        ensure!(
            state.moments.len() == self.settings.optimizer.moments(),
            "the state belongs to another optimizer"
        );
        let (vectors, others) = split_arrays(&self.shape, &state.parameters)?;
        let split = state.moments.iter().map(|arrays| split_arrays(&self.shape, arrays));
        let (of_vectors, of_others): (Vec<_>, Vec<_>) =
            split.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let of_vectors = of_vectors.into_iter().map(<[f32]>::to_vec).collect();
        self.embedding =
            Embedding::new(self.parameters.layout.features, vectors.to_vec(), of_vectors);
        self.parameters.set(others, &of_others);
        self.updates = state.step;
        self.computed = Computed::default();
        Ok(())
    }

    fn state(&self) -> Result<State> {
        let mut embedding = self.embedding.clone();
        embedding.apply_all_deferred_updates(self.instructions, &self.threads);
        let (vectors, of_vectors) = embedding.into_parts();
        let join = |vectors: Vec<f32>, packed: &Vec<f32>| -> Arrays {
            let vectors = (self.vocabulary() > 0).then_some(vectors);
            vectors.into_iter().chain(self.parameters.layout.unpack(packed)).collect()
        };
        let moments = of_vectors.into_iter().zip(&self.parameters.moments);
        Ok(State {
            parameters: join(vectors, &self.parameters.packed),
            moments: moments.map(|(vectors, packed)| join(vectors, packed)).collect(),
            step: self.updates,
        })
    }

    fn train_step(&mut self, step: &Step<'_>) -> Result<()> {
        self.threads.clone().within(|| {
            let logits = self.gradients(step);
            self.computed.logits.extend(logits);
            self.computed.penalties.push(self.penalty()?);
            if self.vocabulary() > 0 {
                let weights = self.parameters.weights();
                self.table.back(&weights, &self.threads, &mut self.gradient);
            }
            self.update(step.lr);
            Ok(())
        })
    }

    fn take_computed(&mut self) -> Result<Computed> {
        Ok(std::mem::take(&mut self.computed))
    }

    fn predict(&mut self, split: Split, rows: &[u32]) -> Result<Vec<f32>> {
        let (examples, none) = (self.splits.get(split), Masks::default());
        let slabs = batch::slabs(&examples, rows, SLAB);
        self.embedding.apply_all_deferred_updates(self.instructions, &self.threads);
        let once = self.look_up(&examples, &slabs, &none);
        let mut workspaces = std::mem::take(&mut self.workspaces);
        let inputs = self.inputs(&examples, &slabs, &none, once);
        let weights = self.parameters.weights();
        let mut logits = vec![0.0; rows.len() * self.shape.outputs];
        for wave in inputs.chunks(self.threads.count()) {
            self.threads.each(&mut workspaces[..wave.len()], |index, workspace| {
                workspace.forward(&weights, &wave[index]);
            });
            self.place(&mut logits, &workspaces, wave);
        }
        drop(inputs);
        self.workspaces = workspaces;
        Ok(logits)
    }

    fn gradient(&mut self, rows: &[u32]) -> Result<Arrays> {
        self.gradients(&Step { rows, lr: 0.0, masks: None });
        let layout = self.parameters.layout;
        let mut vectors = vec![0.0; self.vocabulary() * layout.features];
        if self.vocabulary() > 0 {
            let weights = self.parameters.weights();
            self.table.back(&weights, &self.threads, &mut self.gradient);
            let found = self.table.vector_gradients().chunks_exact(layout.input_width());
            for (token, gradient) in self.unique.tokens.iter().zip(found) {
                let into = &mut vectors[*token as usize * layout.features..][..layout.features];
                into.copy_from_slice(&gradient[..layout.features]);
            }
        }
        let vectors = (self.vocabulary() > 0).then_some(vectors);
        Ok(vectors.into_iter().chain(layout.unpack(&self.gradient)).collect())
    }

    fn penalty(&self) -> Result<f64> {
        let each = penalised(self.parameters.layout, &self.settings);
        Ok(each.map(|(range, by)| optimizer::penalty(&self.parameters.packed[range], by)).sum())
    }

    fn set_threads(&mut self, threads: usize) -> Result<()> {
        if self.workspaces.len() != threads.max(1) {
            self.threads = Threads::new(threads)?;
            self.workspaces.resize_with(self.threads.count(), Workspace::default);
        }
        Ok(())
    }

    fn micro_batch(&self) -> Option<usize> {
        self.settings.micro_batch
    }
}
