//! The engine `fused` on a GPU, with the processor's bits.
//!
//! What is computed, and in which order, is that of the processor's engine, kernel by kernel: `kernels/*.cu`
//! say so, and `tests/engine/emulated.rs` compares all bits. One block of threads takes a slab of sixteen
//! rows through all time steps and back (`forward.cu`, `backward.cu`); whatever does not wait for the step
//! before is a kernel of its own, so that one run fills more of the GPU.
//!
//! The host cuts rows into slabs, numbers the tokens and says where each occurs (`tables`); the rest stays
//! on the GPU until somebody asks. All vectors of an embedding are updated in each step, which gives the
//! bits of the processor's updates that are put off.
//!
//! The kernels are compiled by `build.rs`, without a GPU (`images`). At run time only the driver is needed
//! (`driver`, `gpu`). Tests load an emulated GPU in its place, which compiles the same kernels for the
//! processor (`kernels/libcuda.cpp`).
//!
//! Memory does not grow with the batch: slabs are computed in waves of [`WORKSPACE`] bytes at most. Where
//! the GPU has less, waves become smaller. No bit depends on that.

mod driver;
mod gpu;
mod images;
mod launches;
mod memory;
mod step;
mod tables;
mod waiting;

use self::driver::{LIBRARY, NoDriver, NoRoom};
use self::gpu::Gpu;
pub(in crate::kernels) use self::gpu::peak_memory;
use self::images::Images;
use self::launches::{Launches, MOST_UNITS};
pub(in crate::kernels) use self::memory::most_needed;
use self::memory::{Kept, Room, Sizes, Workspace, slab_bytes};
use self::step::StepArguments;
use self::tables::{Wave, Words};
use self::waiting::Waiting;
use super::batch::{self, SLAB, Slab, Unique};
use super::elementwise::Rule;
use super::layout::Layout;
use super::{optimizer, split_arrays};
use crate::kernels::{
    Arrays, Computed, CudaDevice, Engine, Input, Masks, Sequences, Settings, Shape, Split, Splits,
    State, Step,
};
use anyhow::{Context, Result, ensure};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

/// Bytes of the slabs of a launch, at most; one slab may need more.
const WORKSPACE: usize = 1 << 30;

/// Slabs of a launch, at most: a grid's second size is a 16-bit number.
const MOST_SLABS: usize = 1 << 15;

/// Whether the engine can train this model on a GPU.
///
/// # Errors
/// Says why it cannot, as the end of a sentence about it.
pub(in crate::kernels) fn serves(shape: &Shape) -> Result<(), String> {
    images::are_built()?;
    match shape.lstm() {
        None => {
            let title = shape.layers.title();
            Err(format!("computes one LSTM in one direction, and the model has {title}"))
        }
        Some(units) if units > MOST_UNITS => Err(format!(
            "has kernels for up to {MOST_UNITS} units on a GPU, and the model has {units}"
        )),
        Some(_) => Ok(()),
    }
}

/// Architectures on a GPU of which all stages of `scripts/gpu_check` have passed; docs/gpu.md has the records.
const PROVEN: [u32; 1] = [90];

/// Whether this engine was tested on GPUs of this architecture.
pub(in crate::kernels) fn is_proven(architecture: u32) -> bool {
    PROVEN.contains(&architecture)
}

/// The GPUs that the driver has: none without a driver.
///
/// # Errors
/// Says why a driver that is there cannot be used.
pub(in crate::kernels) fn devices() -> Result<Vec<CudaDevice>> {
    match gpu::list(Path::new(LIBRARY)) {
        Err(error) if error.is::<NoDriver>() => Ok(Vec::new()),
        answer => answer,
    }
}

/// One run on a GPU.
pub(in crate::kernels) struct FusedCuda<'d> {
    gpu: Rc<Gpu>,
    shape: Shape,
    layout: Layout,
    splits: Splits<'d>,
    settings: Settings,
    /// Updates made so far.
    updates: u64,
    unique: Unique,
    /// The features of each split that was used.
    features: [Room; 3],
    kept: Kept,
    workspace: Workspace,
    waiting: Waiting,
    predicted: Room,
    /// Slabs of a launch, at most: fewer after the memory did not suffice.
    most_slabs: usize,
}

impl<'d> FusedCuda<'d> {
    /// On the GPU with this number.
    pub(in crate::kernels) fn new(
        index: usize,
        shape: Shape,
        splits: Splits<'d>,
        settings: Settings,
    ) -> Result<Self> {
        Self::on(Gpu::open(Path::new(LIBRARY), index, &Images::Built)?, shape, splits, settings)
    }

    /// On the first GPU of this driver, or of a library that emulates one.
    pub(in crate::kernels) fn on_driver(
        library: &Path,
        shape: Shape,
        splits: Splits<'d>,
        settings: Settings,
    ) -> Result<Self> {
        let is_driver = library == Path::new(LIBRARY);
        let images = if is_driver { Images::Built } else { Images::Emulated };
        Self::on(Gpu::open(library, 0, &images)?, shape, splits, settings)
    }

    fn on(gpu: Rc<Gpu>, shape: Shape, splits: Splits<'d>, settings: Settings) -> Result<Self> {
        let layout = Layout::new(&shape).context("the engine `fused` computes one LSTM")?;
        ensure!(layout.units <= MOST_UNITS, "the engine `fused` has no kernels for so many units");
        let zeros: Arrays =
            shape.parameters().iter().map(|parameter| vec![0.0; parameter.count()]).collect();
        let optimizer = settings.optimizer;
        let mut engine = Self {
            waiting: Waiting::new(&gpu)?,
            gpu,
            shape,
            layout,
            splits,
            settings,
            updates: 0,
            unique: Unique::default(),
            features: Default::default(),
            kept: Kept::default(),
            workspace: Workspace::default(),
            predicted: Room::default(),
            most_slabs: MOST_SLABS,
        };
        engine.set_state(&State::new(zeros, &optimizer))?;
        Ok(engine)
    }

    fn vocabulary(&self) -> usize {
        match self.shape.input {
            Input::Tokens { vocabulary, .. } => vocabulary,
            Input::Features(_) => 0,
        }
    }

    fn launches(&self) -> Launches<'_> {
        Launches { gpu: &self.gpu, layout: self.layout }
    }

    /// What a step on these slabs is told before its first launch.
    fn begin(
        &mut self,
        split: Split,
        slabs: &[Slab],
        masks: &Masks,
        training: bool,
    ) -> Result<StepArguments> {
        let examples = self.splits.get(split);
        let mut step = StepArguments::of_run(&self.layout, self.vocabulary(), &self.settings);
        self.kept.tell(&mut step);
        step.training = u32::from(training);
        step.state_gates = if masks.recurrent.is_empty() { 0 } else { 4 };
        step.input_gates = match (masks.input.is_empty(), step.state_gates) {
            (true, _) => 0,
            (false, 0) => 1,
            (false, gates) => gates,
        };
        let mut words = Words::default();
        let input_masks = words.put_floats(&masks.input);
        let state_masks = words.put_floats(&masks.recurrent);
        let mut tokens = 0;
        let mut places = None;
        match examples.sequences {
            Sequences::Tokens { .. } => {
                self.unique.find(self.vocabulary(), &examples, slabs);
                tokens = self.unique.tokens.len();
                places = Some(words.put(self.unique.tokens.iter().copied()));
                step.table = u32::from(masks.input.is_empty());
                step.values = step.embedding;
            }
            Sequences::Features { values, steps, .. } => {
                let room = &mut self.features[split as usize];
                step.values = match room.address() {
                    0 => room.put(&self.gpu, values)?,
                    there => there,
                };
                step.steps = steps as u32;
            }
        }
        step.tokens_count = tokens as u32;
        let piece = self.workspace.step.put(&self.gpu, words.all())?;
        (step.input_masks, step.state_masks) = (input_masks.at(piece), state_masks.at(piece));
        step.tokens = places.map_or(0, |place| place.at(piece));
        self.workspace.begin(&self.gpu, &self.layout, tokens, &mut step)?;
        if step.table == 1 {
            self.launches().project_tokens(&step)?;
        }
        Ok(step)
    }

    /// Slabs that are launched together: as many as fit.
    fn waves(&self, slabs: &[Slab], wants_inputs: bool) -> Vec<Range<usize>> {
        let (mut waves, mut start, mut bytes) = (Vec::new(), 0, 0);
        for (at, slab) in slabs.iter().enumerate() {
            let more = slab_bytes(&self.layout, slab.row_steps(), wants_inputs);
            if at > start && (bytes + more > WORKSPACE || at - start == self.most_slabs) {
                waves.push(start..at);
                (start, bytes) = (at, 0);
            }
            bytes += more;
        }
        waves.push(start..slabs.len());
        waves
    }

    /// Computes slabs in waves: their logits, and in training their gradients. Row r's logits begin at
    /// `logits + 4 K position`.
    fn compute(
        &mut self,
        split: Split,
        slabs: &[Slab],
        step: &mut StepArguments,
        rows: usize,
    ) -> Result<()> {
        let (examples, share) = (self.splits.get(split), 1.0 / rows as f32);
        step.is_first = 1;
        for range in self.waves(slabs, step.input_gates > 0 && step.tokens_count > 0) {
            let objective = &self.settings.objective;
            let target = |row: u32| {
                let target = examples.labels[row as usize];
                (target, objective.weight(target) * share)
            };
            let tokens = step.tokens_count as usize;
            let numbers = if tokens > 0 { &self.unique.numbers[range.clone()] } else { &[] };
            let wave = Wave::new(&slabs[range], numbers, tokens, target);
            let piece = self.workspace.wave.put(&self.gpu, wave.words.all())?;
            wave.tell(step, piece);
            let sizes = Sizes { slabs: wave.slabs, row_steps: wave.row_steps, steps: wave.steps };
            self.workspace.slabs(&self.gpu, &self.layout, sizes, step)?;
            self.launches().forward(step, wave.steps)?;
            if step.training == 1 {
                self.launches().backward(step, wave.steps)?;
            }
            step.is_first = 0;
        }
        Ok(())
    }

    /// The gradient of these rows' mean loss, in the workspace; their logits begin at `logits`. Where the
    /// memory does not suffice, again with half the slabs at a time.
    fn gradients(&mut self, step: &Step<'_>, logits: u64) -> Result<StepArguments> {
        let none = Masks::default();
        let masks = step.masks.and_then(<[Masks]>::first).unwrap_or(&none);
        let most = self.settings.micro_batch.unwrap_or(SLAB);
        let slabs = batch::slabs(&self.splits.train, step.rows, most);
        self.that_fits(&slabs, |engine| {
            let mut told = engine.begin(Split::Train, &slabs, masks, true)?;
            told.logits = logits;
            engine.compute(Split::Train, &slabs, &mut told, step.rows.len())?;
            engine.launches().back_tokens(&told)?;
            Ok(told)
        })
    }

    /// Does something with slabs; when the memory does not suffice, again with fewer of them at a time.
    fn that_fits<T>(
        &mut self,
        slabs: &[Slab],
        mut work: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<T> {
        loop {
            let error = match work(self) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let at_a_time = self.most_slabs.min(slabs.len());
            if at_a_time <= 1 || !error.is::<NoRoom>() {
                return Err(error);
            }
            self.workspace = Workspace::default();
            self.most_slabs = at_a_time.div_ceil(2);
        }
    }
}

impl Engine for FusedCuda<'_> {
    fn set_state(&mut self, state: &State) -> Result<()> {
        ensure!(
            state.moments.len() == self.settings.optimizer.moments(),
            "the state belongs to another optimizer"
        );
        let (vectors, others) = split_arrays(&self.shape, &state.parameters)?;
        let gpu = &self.gpu;
        let room = |values: &[f32]| -> Result<Room> {
            let mut room = Room::default();
            room.put(gpu, values)?;
            Ok(room)
        };
        let mut kept = Kept {
            packed: room(&self.layout.pack(others))?,
            embedding: room(vectors)?,
            ..Kept::default()
        };
        for arrays in &state.moments {
            let (vectors, others) = split_arrays(&self.shape, arrays)?;
            kept.moments.push(room(&self.layout.pack(others))?);
            kept.embedding_moments.push(room(vectors)?);
        }
        kept.slots.put(gpu, &vec![0u64; self.vocabulary()])?;
        self.kept = kept;
        self.updates = state.step;
        self.waiting.forget();
        Ok(())
    }

    fn state(&self) -> Result<State> {
        let (len, vectors) = (self.layout.len(), self.vocabulary() * self.layout.features);
        let join = |packed: &Room, embedding: &Room| -> Result<Arrays> {
            let vectors = (vectors > 0).then(|| embedding.get(vectors)).transpose()?;
            let others = self.layout.unpack(&packed.get(len)?);
            Ok(vectors.into_iter().chain(others).collect())
        };
        let moments = self.kept.moments.iter().zip(&self.kept.embedding_moments);
        Ok(State {
            parameters: join(&self.kept.packed, &self.kept.embedding)?,
            moments: moments
                .map(|(packed, vectors)| join(packed, vectors))
                .collect::<Result<_>>()?,
            step: self.updates,
        })
    }

    fn train_step(&mut self, step: &Step<'_>) -> Result<()> {
        let logits = self.waiting.reserve(&self.gpu, step.rows.len() * self.shape.outputs)?;
        let mut told = self.gradients(step, logits)?;
        self.updates += 1;
        told.set_rule(&Rule::new(&self.settings.optimizer, self.updates, step.lr));
        told.stamp = self.updates as u32;
        self.waiting.tell(&mut told);
        self.launches().update(&told)?;
        self.waiting.add(step.rows.len() * self.shape.outputs, told.penalises());
        Ok(())
    }

    fn take_computed(&mut self) -> Result<Computed> {
        self.waiting.take()
    }

    fn predict(&mut self, split: Split, rows: &[u32]) -> Result<Vec<f32>> {
        let slabs = batch::slabs(&self.splits.get(split), rows, SLAB);
        let count = rows.len() * self.shape.outputs;
        let logits = self.predicted.hold(&self.gpu, count * size_of::<f32>())?;
        self.that_fits(&slabs, |engine| {
            let mut told = engine.begin(split, &slabs, &Masks::default(), false)?;
            told.logits = logits;
            engine.compute(split, &slabs, &mut told, rows.len())
        })?;
        self.predicted.get(count)
    }

    fn gradient(&mut self, rows: &[u32]) -> Result<Arrays> {
        let bytes = rows.len() * self.shape.outputs * size_of::<f32>();
        let logits = self.predicted.hold(&self.gpu, bytes)?;
        self.gradients(&Step { rows, lr: 0.0, masks: None }, logits)?;
        let (f, width) = (self.layout.features, self.layout.input_width());
        let others = self.layout.unpack(&self.workspace.gradient.get(self.layout.len())?);
        let mut vectors = vec![0.0; self.vocabulary() * f];
        if self.vocabulary() > 0 {
            let tokens = &self.unique.tokens;
            let found: Vec<f32> = self.workspace.d_vectors.get(tokens.len() * width)?;
            for (token, gradient) in tokens.iter().zip(found.chunks_exact(width)) {
                vectors[*token as usize * f..][..f].copy_from_slice(&gradient[..f]);
            }
        }
        let vectors = (self.vocabulary() > 0).then_some(vectors);
        Ok(vectors.into_iter().chain(others).collect())
    }

    fn penalty(&self) -> Result<f64> {
        let packed: Vec<f32> = self.kept.packed.get(self.layout.len())?;
        let each = super::penalised(self.layout, &self.settings);
        Ok(each.map(|(range, by)| optimizer::penalty(&packed[range], by)).sum())
    }

    fn micro_batch(&self) -> Option<usize> {
        self.settings.micro_batch
    }
}
