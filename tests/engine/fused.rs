//! What the engine `fused` promises beyond the battery: one result whatever the instructions and the
//! threads, updates of an embedding that are put off and change nothing, and libtorch's length.

use super::{ADAM, LIBTORCH, Path, Ragged, engine, fused, optimizers};
use batchscope::kernels::{
    self, Engine, InstructionSet, Masks, Penalties, Sequences, Settings, Split, Splits, State, Step,
};
use batchscope::model;
use batchscope::spec::{Clip, Input, Objective, Penalty, Shape, Stack, UpdateRule};

/// Examples of one kind.
pub(super) struct Examples {
    pub(super) shape: Shape,
    ragged: Ragged,
    values: Vec<f32>,
    steps: usize,
    labels: Vec<f32>,
}

/// Noise in [-1, 1) from a linear congruential generator.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32) / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

impl Examples {
    /// Rows of 0 to 40 tokens; a row's label says whether it has many small ones.
    pub(super) fn tokens(rows: usize, dim: usize, units: usize) -> Self {
        let draws = noise(rows * 41, 7);
        let row = |draws: &[f32]| -> Vec<i32> {
            let length = ((draws[0] + 1.0) * 20.4) as usize;
            draws[1..=length].iter().map(|draw| (draw.abs().powi(2) * 50.0) as i32).collect()
        };
        let rows: Vec<Vec<i32>> = draws.chunks(41).map(row).collect();
        let small = |row: &Vec<i32>| row.iter().filter(|token| **token < 9).count() * 2 > row.len();
        let labels = rows.iter().map(|row| f32::from(u8::from(small(row)))).collect();
        let shape = Shape {
            input: Input::Tokens { vocabulary: 50, dim },
            layers: Stack::lstm(units),
            outputs: 1,
        };
        Self { shape, ragged: Ragged::new(&rows), values: vec![], steps: 0, labels }
    }

    pub(super) fn features(rows: usize, steps: usize, features: usize, units: usize) -> Self {
        let values = noise(rows * steps * features, 3);
        let label = |row: &[f32]| f32::from(u8::from(row.iter().sum::<f32>() > 0.0));
        let labels = values.chunks(steps * features).map(label).collect();
        let shape =
            Shape { input: Input::Features(features), layers: Stack::lstm(units), outputs: 1 };
        Self { shape, ragged: Ragged::new(&[]), values, steps, labels }
    }

    /// The same for a model with several outputs.
    pub(super) fn with_outputs(mut self, outputs: usize) -> Self {
        self.shape.outputs = outputs;
        let classes = |row: usize| (row * 7 % outputs) as f32;
        if outputs > 1 {
            self.labels = (0..self.len()).map(classes).collect();
        }
        self
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    fn sequences(&self) -> Sequences<'_> {
        match self.shape.input {
            Input::Tokens { .. } => self.ragged.sequences(),
            Input::Features(features) => {
                Sequences::Features { values: &self.values, steps: self.steps, features }
            }
        }
    }

    fn first_state(&self, optimizer: &UpdateRule) -> State {
        State::new(model::keras(&self.shape, 5), optimizer)
    }

    pub(super) fn engine(&self, path: Path, settings: Settings) -> Box<dyn Engine + '_> {
        let first = self.first_state(&settings.optimizer);
        let mut engine = engine(path, self.shape, self.sequences(), &self.labels, settings);
        engine.set_state(&first).unwrap();
        engine
    }

    /// An engine on the emulated GPU that this library holds, if it serves.
    pub(super) fn on_library(
        &self,
        library: &std::path::Path,
        settings: Settings,
    ) -> anyhow::Result<Box<dyn Engine + '_>> {
        let examples = kernels::Examples { sequences: self.sequences(), labels: &self.labels };
        let splits = Splits { train: examples, validation: examples, test: examples };
        let first = self.first_state(&settings.optimizer);
        let mut engine = kernels::engine_on_driver(library, self.shape, splits, settings)?;
        engine.set_state(&first)?;
        Ok(engine)
    }

    /// Masks that drop a fifth of everything.
    pub(super) fn masks(&self, rows: usize, input: usize, recurrent: usize) -> Masks {
        let draw = |count: usize, seed| -> Vec<f32> {
            let keep = |draw: f32| if draw < -0.6 { 0.0 } else { 1.25 };
            noise(count, seed).into_iter().map(keep).collect()
        };
        let (f, h) = (self.shape.features(), self.shape.lstm().unwrap());
        Masks { input: draw(rows * input * f, 11), recurrent: draw(rows * recurrent * h, 12) }
    }

    /// Trains some steps of `batch` rows; the state, the logits of all rows, and of each step.
    fn trained(&self, engine: &mut dyn Engine, batch: usize, steps: usize) -> Trained {
        let all: Vec<u32> = (0..self.labels.len() as u32).collect();
        let batches: Vec<&[u32]> = all.chunks(batch).collect();
        for step in 0..steps {
            let rows = batches[step % batches.len()];
            engine.train_step(&Step { rows, lr: 0.01, masks: None }).unwrap();
        }
        let predicted = engine.predict(Split::Test, &all).unwrap();
        (engine.state().unwrap(), predicted, engine.take_computed().unwrap().logits)
    }
}

type Trained = (State, Vec<f32>, Vec<f32>);

fn settings() -> Settings {
    let penalty = Penalty { l1: 1e-4, l2: 1e-3 };
    let penalties = Penalties { kernel: penalty, recurrent: penalty, bias: penalty };
    let clip = Some(Clip::Norm(0.5));
    let objective = Objective { class_weights: vec![1.0, 2.0], ..Objective::binary() };
    Settings { clip, penalties: vec![penalties], ..Settings::plain(objective, ADAM) }
}

/// What every set of instructions and any number of threads must give to the bit.
fn bits(path: Path) -> Vec<Trained> {
    let scenes = [
        Examples::tokens(75, 5, 7),
        Examples::tokens(40, 16, 33),
        Examples::features(50, 9, 17, 16),
        Examples::features(20, 20, 64, 64),
    ];
    let mut found = Vec::new();
    for scene in &scenes {
        for batch in [1, 7, 64] {
            let mut engine = scene.engine(path, settings());
            found.push(scene.trained(engine.as_mut(), batch, 5));
        }
        for (input, recurrent) in [(1, 0), (0, 4), (4, 4)] {
            let mut engine = scene.engine(path, settings());
            let rows: Vec<u32> = (0..20).collect();
            let masks = [scene.masks(rows.len(), input, recurrent)];
            for _ in 0..2 {
                let step = Step { rows: &rows, lr: 0.01, masks: Some(&masks) };
                engine.train_step(&step).unwrap();
            }
            found.push((engine.state().unwrap(), vec![], engine.take_computed().unwrap().logits));
        }
    }
    found
}

fn same_bits_as_portable(set: InstructionSet) {
    assert!(bits(fused(set)) == bits(fused(InstructionSet::Portable)));
}

#[test]
#[cfg_attr(lacks_avx512, ignore = "NOT TESTED: this processor lacks AVX-512")]
fn avx512_gives_the_bits_of_portable_code() {
    same_bits_as_portable(InstructionSet::Avx512);
}

#[test]
#[cfg_attr(lacks_avx2, ignore = "NOT TESTED: this processor lacks AVX2 or FMA")]
fn avx2_gives_the_bits_of_portable_code() {
    same_bits_as_portable(InstructionSet::Avx2);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut path = fused(InstructionSet::best());
    let expected = bits(path);
    for threads in [2, 3, 5] {
        path.place.threads = threads;
        assert!(bits(path) == expected, "{threads} threads");
    }
}

#[test]
fn threads_that_come_and_go_change_no_bit() {
    let scene = Examples::tokens(75, 5, 7);
    let trained = |threads: &[usize]| {
        let mut engine = scene.engine(fused(InstructionSet::best()), settings());
        let (mut states, mut each) = (Vec::new(), threads.iter().cycle());
        for _ in 0..6 {
            engine.set_threads(*each.next().unwrap()).unwrap();
            states.push(scene.trained(engine.as_mut(), 64, 1));
        }
        states
    };
    assert!(trained(&[1]) == trained(&[2, 1, 4]));
}

#[test]
fn updates_of_an_embedding_that_are_put_off_change_no_bit() {
    let scene = Examples::tokens(60, 5, 6);
    for optimizer in optimizers() {
        let settings = Settings::plain(Objective::binary(), optimizer);
        let mut late = scene.engine(fused(InstructionSet::best()), settings.clone());
        let mut prompt = scene.engine(fused(InstructionSet::best()), settings);
        for row in (0..60).cycle().take(150) {
            let lr = 0.01 / f64::from(row + 1);
            late.train_step(&Step { rows: &[row], lr, masks: None }).unwrap();
            prompt.train_step(&Step { rows: &[row], lr, masks: None }).unwrap();
            // Setting a state makes all updates.
            prompt.set_state(&prompt.state().unwrap()).unwrap();
        }
        assert!(late.state().unwrap() == prompt.state().unwrap(), "{optimizer:?}");
    }
}

/// The largest distance between weights, and between logits, after 200 steps on both engines.
fn distance(scene: &Examples, batch: usize) -> (f64, f64) {
    let settings = Settings::plain(Objective::binary(), ADAM);
    let best = fused(InstructionSet::best());
    let trained = |path| {
        let mut engine = scene.engine(path, settings.clone());
        let (state, logits, _) = scene.trained(engine.as_mut(), batch, 200);
        (state.parameters.concat(), logits)
    };
    let (of_libtorch, of_fused) = (trained(LIBTORCH), trained(best));
    let first = model::keras(&scene.shape, 5).concat();
    let largest = |a: &[f32], b: &[f32]| {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
    };
    assert!(largest(&first, &of_fused.0) > 0.1, "nothing was learned");
    (largest(&of_libtorch.0, &of_fused.0), largest(&of_libtorch.1, &of_fused.1))
}

#[test]
fn two_hundred_steps_stay_beside_libtorchs() {
    for (scene, batch) in
        [(Examples::tokens(96, 16, 20), 32), (Examples::features(96, 12, 10, 24), 32)]
    {
        let (weights, logits) = distance(&scene, batch);
        assert!(weights < 1e-3 && logits < 5e-3, "weights {weights:e}, logits {logits:e}");
    }
}
