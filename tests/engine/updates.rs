//! Ten steps with each optimizer, clipping, penalties, weights of labels and dropout, as PyTorch
//! makes them (`fixtures/torch_updates.py`).

use super::recorded::{Recorded, Sizes, TOLERANCE};
use super::{ADAM, BATCHES, Path, Ragged, assert_close, engine};
use batchscope::kernels::{Arrays, Masks, Penalties, Settings, State, Step};
use batchscope::spec::{Clip, Objective, Penalty, UpdateRule};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    #[serde(flatten)]
    sizes: Sizes,
    labels: Vec<f32>,
    token_rows: Vec<Vec<i32>>,
    feature_values: Vec<f32>,
    first_weights: FirstWeights,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct FirstWeights {
    tokens: Arrays,
    arrays: Arrays,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    optimizer: Rule,
    clip: Option<Clipping>,
    penalties: Vec<Penalised>,
    class_weights: Option<[f32; 2]>,
    tokens: Trajectory,
    arrays: Trajectory,
}

#[derive(Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
enum Rule {
    Adam { lr: f64 },
    Adamw { lr: f64, weight_decay: f64 },
    Sgd { lr: f64, momentum: f64, nesterov: bool },
    Rmsprop { lr: f64, alpha: f64, momentum: f64 },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Clipping {
    Norm(f64),
    Value(f64),
}

#[derive(Deserialize)]
pub(super) struct Penalised {
    parameter: String,
    l1: f64,
    l2: f64,
}

#[derive(Deserialize)]
struct Trajectory {
    #[serde(flatten)]
    recorded: Recorded,
    penalized_losses: Vec<f64>,
    gradient_norms: Vec<f64>,
    input_masks: Option<Vec<Vec<f32>>>,
    recurrent_masks: Option<Vec<Vec<f32>>>,
}

/// The fixture's list.
pub(super) fn penalties(list: &[Penalised]) -> Penalties {
    let of = |name: &str| {
        let found = list.iter().find(|penalised| penalised.parameter == name);
        found.map_or(Penalty::default(), |p| Penalty { l1: p.l1, l2: p.l2 })
    };
    Penalties { kernel: of("weight_ih"), recurrent: of("weight_hh"), bias: of("bias") }
}

fn settings(case: &Case) -> (Settings, f64) {
    let UpdateRule::Adam { beta_1, beta_2, epsilon, epsilon_hat, .. } = ADAM else {
        unreachable!()
    };
    let (optimizer, lr) = match case.optimizer {
        Rule::Adam { lr } => (ADAM, lr),
        Rule::Adamw { lr, weight_decay } => {
            (UpdateRule::Adam { beta_1, beta_2, epsilon, epsilon_hat, weight_decay }, lr)
        }
        Rule::Sgd { lr, momentum, nesterov } => (UpdateRule::Sgd { momentum, nesterov }, lr),
        Rule::Rmsprop { lr, alpha: rho, momentum } => {
            (UpdateRule::RmsProp { rho, epsilon: 1e-8, momentum, is_keras: false }, lr)
        }
    };
    let clip = case.clip.as_ref().map(|clip| match clip {
        Clipping::Norm(most) => Clip::Norm(*most),
        Clipping::Value(most) => Clip::Value(*most),
    });
    let class_weights = case.class_weights.map_or(Vec::new(), Vec::from);
    let objective = Objective { class_weights, ..Objective::binary() };
    let penalties = vec![penalties(&case.penalties)];
    (Settings { objective, optimizer, clip, penalties, micro_batch: None }, lr)
}

/// Trains ten steps as the fixture did and compares everything that was recorded.
fn follows(
    path: Path,
    case: &Case,
    expected: &Trajectory,
    first: &Arrays,
    labels: &[f32],
    engine: &mut dyn batchscope::kernels::Engine,
) {
    let (settings, lr) = settings(case);
    engine.set_state(&State::new(first.clone(), &settings.optimizer)).unwrap();
    let (mut losses, mut penalized, mut norms) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..expected.recorded.losses.len() {
        let rows = BATCHES[step % 3];
        let at = |masks: &Option<Vec<Vec<f32>>>| {
            masks.as_ref().map_or_else(Vec::new, |masks| masks[step].clone())
        };
        let masks =
            Masks { input: at(&expected.input_masks), recurrent: at(&expected.recurrent_masks) };
        engine.train_step(&Step { rows, lr, masks: Some(&[masks]) }).unwrap();
        let computed = engine.take_computed().unwrap();
        let labels = rows.iter().map(|row| labels[*row as usize]);
        let loss = settings.objective.mean_loss(&computed.logits, labels);
        losses.push(loss as f32);
        penalized.push((loss + computed.penalties[0]) as f32);
        norms.push(computed.gradient_norms[0]);
    }
    let (name, within) = (&case.name, TOLERANCE * path.roughness());
    assert_close(&format!("{name}, penalized"), &penalized, &expected.penalized_losses, within);
    assert_close(&format!("{name}, norms"), &norms, &expected.gradient_norms, within);
    expected.recorded.compare(name, path, &losses, engine);
}

pub(super) fn every_update_follows_torch(path: Path) {
    let fixture: Fixture =
        serde_json::from_str(include_str!("../fixtures/torch_updates.json")).unwrap();
    let ragged = Ragged::new(&fixture.token_rows);
    let (sizes, labels) = (&fixture.sizes, &fixture.labels);
    let arrays = sizes.sequences(&fixture.feature_values);
    assert_eq!(fixture.cases.len(), 13);
    for case in &fixture.cases {
        let (settings, _) = settings(case);
        let shape = sizes.shape(sizes.tokens(), 1);
        let mut engine = engine(path, shape, ragged.sequences(), labels, settings.clone());
        follows(path, case, &case.tokens, &fixture.first_weights.tokens, labels, engine.as_mut());
        let shape = sizes.shape(sizes.features(), 1);
        let mut engine = super::engine(path, shape, arrays, labels, settings);
        follows(path, case, &case.arrays, &fixture.first_weights.arrays, labels, engine.as_mut());
    }
}
