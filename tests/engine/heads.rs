//! Ten steps with each head and loss, as PyTorch makes them (`fixtures/torch_heads.py`).

use super::{ADAM, ALL, BATCHES, Path, Ragged, assert_close, assert_weights, engine, plain};
use batchscope::kernels::{Arrays, Engine, Sequences, Settings, Split, State};
use batchscope::spec::{Input, Loss, Objective, Shape, Stack};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    units: usize,
    dim: usize,
    vocabulary: usize,
    features: usize,
    steps: usize,
    lr: f64,
    token_rows: Vec<Vec<i32>>,
    feature_values: Vec<f32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    outputs: usize,
    loss: Loss,
    targets: Vec<f32>,
    class_weights: Option<Vec<f32>>,
    tokens: Trajectory,
    arrays: Trajectory,
}

#[derive(Deserialize)]
struct Trajectory {
    first_weights: Arrays,
    losses: Vec<f64>,
    final_weights: Vec<Vec<f64>>,
    final_logits: Vec<f64>,
}

impl Case {
    fn objective(&self) -> Objective {
        let class_weights = self.class_weights.clone().unwrap_or_default();
        Objective { class_weights, ..Objective::new(self.loss, self.outputs) }
    }
}

/// Trains ten steps as the fixture did and compares everything that was recorded.
fn follows(case: &Case, lr: f64, expected: &Trajectory, engine: &mut dyn Engine) {
    const TOLERANCE: f64 = 1e-5;
    let name = &case.name;
    engine.set_state(&State::new(expected.first_weights.clone(), &ADAM)).unwrap();
    let mut losses = Vec::new();
    for step in 0..expected.losses.len() {
        let rows = BATCHES[step % 3];
        engine.train_step(&plain(rows, lr)).unwrap();
        let logits = engine.take_computed().unwrap().logits;
        let targets = rows.iter().map(|row| case.targets[*row as usize]);
        losses.push(case.objective().mean_loss(&logits, targets) as f32);
    }
    assert_close(&format!("{name}, losses"), &losses, &expected.losses, TOLERANCE);
    let logits = engine.predict(Split::Test, &ALL).unwrap();
    assert_close(&format!("{name}, logits"), &logits, &expected.final_logits, TOLERANCE);
    assert_weights(name, &engine.state().unwrap().parameters, &expected.final_weights, TOLERANCE);
}

pub(super) fn every_head_and_loss_follows_torch(path: Path) {
    let fixture: Fixture =
        serde_json::from_str(include_str!("../fixtures/torch_heads.json")).unwrap();
    let ragged = Ragged::new(&fixture.token_rows);
    let tokens = Input::Tokens { vocabulary: fixture.vocabulary, dim: fixture.dim };
    let (steps, features) = (fixture.steps, fixture.features);
    let arrays = Sequences::Features { values: &fixture.feature_values, steps, features };
    assert_eq!(fixture.cases.len(), 6);
    for case in &fixture.cases {
        let models = [
            (tokens, ragged.sequences(), &case.tokens),
            (Input::Features(features), arrays, &case.arrays),
        ];
        for (input, sequences, expected) in models {
            let shape = Shape { input, layers: Stack::lstm(fixture.units), outputs: case.outputs };
            let settings = Settings::plain(case.objective(), ADAM);
            let mut engine = engine(path, shape, sequences, &case.targets, settings);
            follows(case, fixture.lr, expected, engine.as_mut());
        }
    }
}
