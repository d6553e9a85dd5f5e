//! Ten steps of the plain model (`fixtures/torch_trajectory.py`), and what every engine keeps to.

use super::recorded::{Recorded, Sizes};
use super::{ADAM, ALL, BATCHES, Path, Ragged, engine, plain};
use batchscope::kernels::{Arrays, Engine, EngineKind, Settings, Split, State};
use batchscope::spec::Objective;
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    #[serde(flatten)]
    sizes: Sizes,
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
    #[serde(flatten)]
    recorded: Recorded,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/torch_trajectory.json")).unwrap()
}

/// The engine of the fixture's model for tokens.
fn token_engine<'d>(path: Path, fixture: &'d Fixture, ragged: &'d Ragged) -> Box<dyn Engine + 'd> {
    let shape = fixture.sizes.shape(fixture.sizes.tokens(), 1);
    engine(
        path,
        shape,
        ragged.sequences(),
        &fixture.labels,
        Settings::plain(Objective::binary(), ADAM),
    )
}

fn follows(path: Path, engine: &mut dyn Engine, fixture: &Fixture, expected: &Trajectory) {
    engine.set_state(&State::new(expected.first_weights.clone(), &ADAM)).unwrap();
    let mut losses = Vec::new();
    for step in 0..expected.recorded.losses.len() {
        let rows = BATCHES[step % 3];
        engine.train_step(&plain(rows, fixture.lr)).unwrap();
        let logits = engine.take_computed().unwrap().logits;
        let pairs = logits.iter().zip(rows);
        let sum: f64 = pairs
            .map(|(z, row)| {
                let (z, y) = (f64::from(*z), f64::from(fixture.labels[*row as usize]));
                (1.0 + z.exp()).ln() - y * z
            })
            .sum();
        losses.push((sum / rows.len() as f64) as f32);
    }
    expected.recorded.compare("the plain model", path, &losses, engine);
}

pub(super) fn ten_steps_follow_torch(path: Path) {
    let fixture = fixture();
    let ragged = Ragged::new(&fixture.token_rows);
    let mut tokens = token_engine(path, &fixture, &ragged);
    follows(path, tokens.as_mut(), &fixture, &fixture.tokens);

    let sequences = fixture.sizes.sequences(&fixture.feature_values);
    let shape = fixture.sizes.shape(fixture.sizes.features(), 1);
    let mut arrays =
        engine(path, shape, sequences, &fixture.labels, Settings::plain(Objective::binary(), ADAM));
    follows(path, arrays.as_mut(), &fixture, &fixture.arrays);
}

pub(super) fn a_state_that_is_set_again_continues_to_the_bit(path: Path) {
    let fixture = fixture();
    let ragged = Ragged::new(&fixture.token_rows);
    let new = || token_engine(path, &fixture, &ragged);
    let steps = |engine: &mut dyn Engine, range: std::ops::Range<usize>| {
        for step in range {
            engine.train_step(&plain(BATCHES[step % 3], 0.01)).unwrap();
        }
        engine.state().unwrap()
    };
    let first = State::new(fixture.tokens.first_weights.clone(), &ADAM);
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

pub(super) fn subnormal_numbers_are_flushed_and_nowhere_else(path: Path) {
    let fixture = fixture();
    let ragged = Ragged::new(&fixture.token_rows);
    let mut engine = token_engine(path, &fixture, &ragged);
    let mut state = State::new(fixture.tokens.first_weights.clone(), &ADAM);
    // No row of the data holds token 0, so its moments only decay.
    let subnormal = 1e-39f32;
    assert!(subnormal.is_subnormal());
    state.moments[0][0][0] = subnormal;
    engine.set_state(&state).unwrap();
    engine.train_step(&plain(BATCHES[0], 0.01)).unwrap();
    // GPUs compute with subnormal numbers at full speed, and libtorch has them do so.
    let is_kept =
        path.kind == EngineKind::Libtorch && path.place.device != batchscope::kernels::Device::Cpu;
    let expected = if is_kept { std::hint::black_box(subnormal) * 0.9 } else { 0.0 };
    assert_eq!(engine.state().unwrap().moments[0][0][0].to_bits(), expected.to_bits());
    assert!((std::hint::black_box(subnormal) * 0.9).is_subnormal(), "Rust code runs with the flag");
}

pub(super) fn logits_wait_in_the_order_of_their_steps(path: Path) {
    let fixture = fixture();
    let ragged = Ragged::new(&fixture.token_rows);
    let mut engine = token_engine(path, &fixture, &ragged);
    engine.set_state(&State::new(fixture.tokens.first_weights.clone(), &ADAM)).unwrap();
    let untrained = engine.predict(Split::Train, BATCHES[0]).unwrap();
    assert!(engine.take_computed().unwrap().logits.is_empty());
    engine.train_step(&plain(BATCHES[0], 0.01)).unwrap();
    engine.train_step(&plain(BATCHES[2], 0.01)).unwrap();
    let logits = engine.take_computed().unwrap().logits;
    assert_eq!((logits.len(), untrained.len()), (5, 3));
    for (logit, untrained) in logits.iter().zip(&untrained) {
        // libtorch may multiply in another way where it keeps what the gradient needs.
        let tolerance = if path.kind == EngineKind::Libtorch { 1e-6 } else { 0.0 };
        let error = (logit - untrained).abs();
        assert!(error <= tolerance, "{logit} is not that before the update, {untrained}");
    }
}

pub(super) fn a_row_has_the_same_logit_alone_and_beside_longer_rows(path: Path) {
    let fixture = fixture();
    let ragged = Ragged::new(&fixture.token_rows);
    let mut engine = token_engine(path, &fixture, &ragged);
    engine.set_state(&State::new(fixture.tokens.first_weights.clone(), &ADAM)).unwrap();
    let together = engine.predict(Split::Test, &ALL).unwrap();
    for row in ALL {
        let alone = engine.predict(Split::Test, &[row]).unwrap()[0];
        let error = (alone - together[row as usize]).abs();
        assert!(error < 1e-6, "row {row}: {alone} alone, {} together", together[row as usize]);
    }
}
