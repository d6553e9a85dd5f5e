//! Ten steps with each head and loss, as PyTorch makes them (`fixtures/torch_heads.py`).

use super::recorded::{Recorded, Sizes};
use super::{ADAM, BATCHES, Path, Ragged, engine, plain};
use batchscope::kernels::{Arrays, Engine, Settings, State};
use batchscope::spec::{Loss, Objective};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    #[serde(flatten)]
    sizes: Sizes,
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
    #[serde(flatten)]
    recorded: Recorded,
}

impl Case {
    fn objective(&self) -> Objective {
        let class_weights = self.class_weights.clone().unwrap_or_default();
        Objective { class_weights, ..Objective::new(self.loss, self.outputs) }
    }
}

/// Trains ten steps as the fixture did and compares everything that was recorded.
fn follows(case: &Case, path: Path, lr: f64, expected: &Trajectory, engine: &mut dyn Engine) {
    engine.set_state(&State::new(expected.first_weights.clone(), &ADAM)).unwrap();
    let mut losses = Vec::new();
    for step in 0..expected.recorded.losses.len() {
        let rows = BATCHES[step % 3];
        engine.train_step(&plain(rows, lr)).unwrap();
        let logits = engine.take_computed().unwrap().logits;
        let targets = rows.iter().map(|row| case.targets[*row as usize]);
        losses.push(case.objective().mean_loss(&logits, targets) as f32);
    }
    expected.recorded.compare(&case.name, path, &losses, engine);
}

pub(super) fn every_head_and_loss_follows_torch(path: Path) {
    let fixture: Fixture =
        serde_json::from_str(include_str!("../fixtures/torch_heads.json")).unwrap();
    let ragged = Ragged::new(&fixture.token_rows);
    let (sizes, values) = (&fixture.sizes, &fixture.feature_values);
    assert_eq!(fixture.cases.len(), 6);
    for case in &fixture.cases {
        let models = [
            (sizes.tokens(), ragged.sequences(), &case.tokens),
            (sizes.features(), sizes.sequences(values), &case.arrays),
        ];
        for (input, sequences, expected) in models {
            let shape = sizes.shape(input, case.outputs);
            let settings = Settings::plain(case.objective(), ADAM);
            let mut engine = engine(path, shape, sequences, &case.targets, settings);
            follows(case, path, fixture.lr, expected, engine.as_mut());
        }
    }
}
