//! Every engine against PyTorch's own numbers (`fixtures/torch_trajectory.py`), and against itself.

use batchscope::kernels::{
    self, AdamUpdate, Arrays, Device, Engine, EngineKind, Examples, Input, Sequences, Shape, Split,
    Splits, State,
};
use serde::Deserialize;
use std::sync::Once;

#[derive(Deserialize)]
struct Fixture {
    units: usize,
    dim: usize,
    vocabulary: usize,
    features: usize,
    steps: usize,
    lr: f64,
    labels: Vec<f32>,
    token_rows: Vec<Vec<i32>>,
    feature_values: Vec<f32>,
    tokens: Trajectory,
    arrays: Trajectory,
}

#[derive(Deserialize)]
struct Trajectory {
    first_weights: Arrays,
    losses: Vec<f64>,
    final_logits: Vec<f64>,
    final_weights: Vec<Vec<f64>>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/torch_trajectory.json")).unwrap()
}

/// The fixture's rows as ragged tokens.
struct Ragged {
    tokens: Vec<i32>,
    offsets: Vec<u64>,
}

impl Ragged {
    fn new(rows: &[Vec<i32>]) -> Self {
        let mut offsets = vec![0];
        for row in rows {
            offsets.push(offsets[offsets.len() - 1] + row.len() as u64);
        }
        Self { tokens: rows.concat(), offsets }
    }

    fn sequences(&self) -> Sequences<'_> {
        Sequences::Tokens { tokens: &self.tokens, offsets: &self.offsets }
    }
}

fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| assert_eq!(kernels::start_libtorch().unwrap(), None));
}

fn engine<'d>(
    device: Device,
    shape: Shape,
    sequences: Sequences<'d>,
    labels: &'d [f32],
) -> Box<dyn Engine + 'd> {
    start();
    let examples = Examples { sequences, labels };
    let splits = Splits { train: examples, validation: examples, test: examples };
    kernels::engine(EngineKind::Libtorch, device, shape, splits).unwrap()
}

/// The engine of the fixture's model for tokens.
fn token_engine<'d>(
    device: Device,
    fixture: &'d Fixture,
    ragged: &'d Ragged,
) -> Box<dyn Engine + 'd> {
    let input = Input::Tokens { vocabulary: fixture.vocabulary, dim: fixture.dim };
    let shape = Shape { input, units: fixture.units };
    engine(device, shape, ragged.sequences(), &fixture.labels)
}

const BATCHES: [&[u32]; 3] = [&[0, 1, 2], &[3, 4, 5], &[6, 7]];
const ALL: [u32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

fn update(lr: f64) -> AdamUpdate {
    AdamUpdate { lr, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8 }
}

/// Ten steps lose about three digits of f32's seven to rounding, since Adam divides small numbers:
/// |found - expected| <= 1e-5 (1 + |expected|).
#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= 1e-5 * (1.0 + expected.abs()), "{what}[{at}]: {found} for {expected}");
    }
}

fn follows(engine: &mut dyn Engine, fixture: &Fixture, expected: &Trajectory) {
    engine.set_state(&State::new(expected.first_weights.clone())).unwrap();
    let mut losses = Vec::new();
    for step in 0..expected.losses.len() {
        let rows = BATCHES[step % 3];
        engine.train_step(rows, &update(fixture.lr)).unwrap();
        let logits = engine.take_logits().unwrap();
        let pairs = logits.iter().zip(rows);
        let sum: f64 = pairs
            .map(|(z, row)| {
                let (z, y) = (f64::from(*z), f64::from(fixture.labels[*row as usize]));
                (1.0 + z.exp()).ln() - y * z
            })
            .sum();
        losses.push((sum / rows.len() as f64) as f32);
    }
    assert_close("losses", &losses, &expected.losses);
    assert_close("logits", &engine.predict(Split::Test, &ALL).unwrap(), &expected.final_logits);
    let weights = engine.state().unwrap().parameters;
    for (index, (found, expected)) in weights.iter().zip(&expected.final_weights).enumerate() {
        assert_close(&format!("weights of parameter {index}"), found, expected);
    }
}

fn follows_torch_on(device: Device) {
    let fixture = fixture();
    let ragged = Ragged::new(&fixture.token_rows);
    let mut tokens = token_engine(device, &fixture, &ragged);
    follows(tokens.as_mut(), &fixture, &fixture.tokens);

    let (steps, features) = (fixture.steps, fixture.features);
    let sequences = Sequences::Features { values: &fixture.feature_values, steps, features };
    let shape = Shape { input: Input::Features(features), units: fixture.units };
    let mut arrays = engine(device, shape, sequences, &fixture.labels);
    follows(arrays.as_mut(), &fixture, &fixture.arrays);
}

fn continues_to_the_bit_on(device: Device) {
    let fixture = fixture();
    let ragged = Ragged::new(&fixture.token_rows);
    let new = || token_engine(device, &fixture, &ragged);
    let steps = |engine: &mut dyn Engine, range: std::ops::Range<usize>| {
        for step in range {
            engine.train_step(BATCHES[step % 3], &update(0.01)).unwrap();
        }
        engine.state().unwrap()
    };
    let first = State::new(fixture.tokens.first_weights.clone());
    let mut whole = new();
    whole.set_state(&first).unwrap();
    let expected = steps(whole.as_mut(), 0..9);

    let mut before = new();
    before.set_state(&first).unwrap();
    let halfway = steps(before.as_mut(), 0..4);
    assert_eq!(halfway.step, 4);
    let mut after = new();
    after.set_state(&halfway).unwrap();
    assert_eq!(steps(after.as_mut(), 4..9), expected);
}

#[test]
fn ten_steps_on_cpu_follow_torch() {
    follows_torch_on(Device::Cpu);
}

#[test]
fn a_state_that_is_set_again_continues_to_the_bit_on_cpu() {
    continues_to_the_bit_on(Device::Cpu);
}

#[test]
#[ignore = "needs a CUDA device"]
fn ten_steps_on_cuda_follow_torch() {
    follows_torch_on(Device::Cuda(0));
}

#[test]
#[ignore = "needs a CUDA device"]
fn a_state_that_is_set_again_continues_to_the_bit_on_cuda() {
    continues_to_the_bit_on(Device::Cuda(0));
}

#[test]
fn subnormal_numbers_are_flushed_around_libtorchs_work_and_nowhere_else() {
    let fixture = fixture();
    let ragged = Ragged::new(&fixture.token_rows);
    let mut engine = token_engine(Device::Cpu, &fixture, &ragged);
    let mut state = State::new(fixture.tokens.first_weights.clone());
    // No row of the data holds token 0, so its moments only decay.
    let subnormal = 1e-39f32;
    assert!(subnormal.is_subnormal());
    state.first_moment[0][0] = subnormal;
    engine.set_state(&state).unwrap();
    engine.train_step(BATCHES[0], &update(0.01)).unwrap();
    assert_eq!(engine.state().unwrap().first_moment[0][0].to_bits(), 0);
    assert!((std::hint::black_box(subnormal) * 0.9).is_subnormal(), "Rust code runs with the flag");
}

#[test]
fn logits_wait_in_the_order_of_their_steps() {
    let fixture = fixture();
    let ragged = Ragged::new(&fixture.token_rows);
    let mut engine = token_engine(Device::Cpu, &fixture, &ragged);
    engine.set_state(&State::new(fixture.tokens.first_weights.clone())).unwrap();
    let untrained = engine.predict(Split::Train, BATCHES[0]).unwrap();
    assert!(engine.take_logits().unwrap().is_empty());
    engine.train_step(BATCHES[0], &update(0.01)).unwrap();
    engine.train_step(BATCHES[2], &update(0.01)).unwrap();
    let logits = engine.take_logits().unwrap();
    assert_eq!(logits.len(), 5);
    assert_eq!(logits[..3], untrained, "logits are those before the update");
}

#[test]
fn a_row_has_the_same_logit_alone_and_beside_longer_rows() {
    let fixture = fixture();
    let ragged = Ragged::new(&fixture.token_rows);
    let mut engine = token_engine(Device::Cpu, &fixture, &ragged);
    engine.set_state(&State::new(fixture.tokens.first_weights.clone())).unwrap();
    let together = engine.predict(Split::Test, &ALL).unwrap();
    for row in ALL {
        let alone = engine.predict(Split::Test, &[row]).unwrap()[0];
        let error = (alone - together[row as usize]).abs();
        assert!(error < 1e-6, "row {row}: {alone} alone, {} together", together[row as usize]);
    }
}
