//! The whole trainer against Keras 3's `model.fit` over three epochs (`fixtures/keras_training.py`), and of
//! models with other recurrent layers (`fixtures/keras_layers.py`).
//!
//! The fixture names the order of the rows in each epoch. So each epoch is trained on its own, on
//! rows in that order and without shuffling, from the checkpoint of the one before.

use super::recorded::Sizes;
use super::updates::{Penalised, penalties};
use super::{Path, Ragged, assert_close, assert_weights, start};
use batchscope::config::{
    Arm, ClassWeight, Exponential, LayerSection, ModelSection, Per, RecurrentSection, Schedule,
    TrainSection,
};
use batchscope::kernels::{Arrays, Examples, Splits, State};
use batchscope::spec::{
    Adam, Form, Loss, Metric, Metrics, Optimizer, Shape, Stack, Task, probabilities,
};
use batchscope::train::{
    self, Callback, EpochMetrics, EpochTimes, Job, Outcome, Position, Trained,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    #[serde(flatten)]
    sizes: Sizes,
    batch_size: usize,
    epochs: u64,
    orders: Vec<Vec<usize>>,
    training: Part,
    validation: Part,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Part {
    labels: Vec<f32>,
    classes: Vec<f32>,
    numbers: Vec<f32>,
    feature_values: Vec<f32>,
    token_rows: Vec<Vec<i32>>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    input: String,
    padding: Option<String>,
    mask: bool,
    penalties: Vec<Penalised>,
    /// Of the one LSTM that the cases have which name none.
    layers: Option<Vec<LayerSection>>,
    class_weights: Option<[f64; 2]>,
    schedule: bool,
    outputs: usize,
    loss: Loss,
    #[serde(default)]
    optimizer: Option<Optimizer>,
    learning_rates: Vec<f64>,
    first_weights: Arrays,
    losses: Vec<f64>,
    accuracies: Vec<f64>,
    validation_losses: Vec<f64>,
    validation_accuracies: Vec<f64>,
    logits: Vec<f64>,
    final_weights: Vec<Vec<f64>>,
}

/// Rows of one split in an order of ours.
struct Rows {
    labels: Vec<f32>,
    features: Vec<f32>,
    tokens: Ragged,
}

impl Rows {
    fn new(part: &Part, order: &[usize], case: &Case, steps: usize) -> Self {
        let targets = match case.loss.task() {
            Task::Binary => &part.labels,
            Task::Multiclass => &part.classes,
            Task::Regression => &part.numbers,
        };
        let size = part.feature_values.len() / part.labels.len();
        let features = order.iter().flat_map(|row| &part.feature_values[row * size..][..size]);
        let tokens: Vec<Vec<i32>> =
            order.iter().map(|row| padded(&part.token_rows[*row], case, steps)).collect();
        Self {
            labels: order.iter().map(|row| targets[*row]).collect(),
            features: features.copied().collect(),
            tokens: Ragged::new(&tokens),
        }
    }

    fn examples(&self, fixture: &Fixture, case: &Case) -> Examples<'_> {
        let sequences = match case.input.as_str() {
            "features" => fixture.sizes.sequences(&self.features),
            _ => self.tokens.sequences(),
        };
        Examples { sequences, labels: &self.labels }
    }
}

/// Masked padding is left out; without a mask it is a token as any other.
fn padded(row: &[i32], case: &Case, steps: usize) -> Vec<i32> {
    let padding = vec![0; steps - row.len()];
    match (case.mask, case.padding.as_deref()) {
        (true, _) => row.to_vec(),
        (false, Some("post")) => [row, &padding].concat(),
        (false, _) => [&padding, row].concat(),
    }
}

fn arm(fixture: &Fixture, case: &Case) -> Arm {
    let adam = Adam { lr: case.learning_rates[0], form: Form::Keras, ..Adam::default() };
    let each = |weights: [f64; 2]| ClassWeight::Each(weights[..].into());
    let mut train = TrainSection {
        shuffle: false,
        optimizer: case.optimizer.clone().unwrap_or(Optimizer::Adam(adam)),
        class_weight: case.class_weights.map(each),
        loss: Some(case.loss),
        ..TrainSection::default()
    };
    if case.schedule {
        train.schedule = Schedule::Exponential(Exponential { gamma: 0.9, per: Per::Epoch });
    }
    let mut model = ModelSection::default();
    model.dense.activation = case.loss.activation();
    let found = penalties(&case.penalties);
    let lstm = RecurrentSection {
        units: fixture.sizes.units as u32,
        kernel_regularizer: found.kernel,
        recurrent_regularizer: found.recurrent,
        bias_regularizer: found.bias,
        ..RecurrentSection::default()
    };
    model.layers = Some(case.layers.clone().unwrap_or(vec![LayerSection::Lstm(lstm)]));
    Arm { name: case.name.clone(), batch_size: fixture.batch_size, model, train }
}

#[derive(Default)]
struct Listener(Vec<EpochMetrics>);

impl Callback for Listener {
    fn on_epoch_end(&mut self, metrics: &EpochMetrics, _: &EpochTimes) -> anyhow::Result<()> {
        self.0.push(*metrics);
        Ok(())
    }
}

/// Trains a case epoch by epoch; gives what was recorded and what was left behind.
fn trained(path: Path, fixture: &Fixture, case: &Case) -> (Vec<EpochMetrics>, Trained) {
    start(path.place.device);
    let input = match case.input.as_str() {
        "features" => fixture.sizes.features(),
        _ => fixture.sizes.tokens(),
    };
    let mut arm = arm(fixture, case);
    let layers: Vec<_> = arm.model.recurrent().iter().map(LayerSection::sizes).collect();
    let shape = Shape { input, layers: Stack::new(&layers).unwrap(), outputs: case.outputs };
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, best) = (folder.path().join("state"), folder.path().join("best"));
    let in_order: Vec<usize> = (0..fixture.validation.labels.len()).collect();
    let validation = Rows::new(&fixture.validation, &in_order, case, fixture.sizes.steps);
    let (mut listener, mut end) = (Listener::default(), None);
    for epoch in 0..fixture.epochs {
        arm.train.epochs = Some(epoch + 1);
        let order = &fixture.orders[epoch as usize];
        let rows = Rows::new(&fixture.training, order, case, fixture.sizes.steps);
        let measured = validation.examples(fixture, case);
        let splits =
            Splits { train: rows.examples(fixture, case), validation: measured, test: measured };
        let settings = train::settings(&arm, &shape, &rows.labels);
        let (objective, optimizer) = (settings.objective.clone(), settings.optimizer);
        let job = Job {
            arm: &arm,
            seed: 0,
            shape,
            splits,
            objective: &objective,
            every_steps: 1,
            checkpoint: &checkpoint,
            best: &best,
        };
        let mut engine = path.engine(shape, splits, settings);
        let saved = train::load_checkpoint(&checkpoint, &shape, optimizer.moments()).unwrap();
        let first = State::new(case.first_weights.clone(), &optimizer);
        let from = saved.unwrap_or((first, Position::default()));
        let outcome = train::train(&job, Some(from), engine.as_mut(), &mut listener).unwrap();
        let Outcome::Finished(trained) = outcome else { panic!("{}: {outcome:?}", case.name) };
        end = Some(*trained);
    }
    (listener.0, end.unwrap())
}

/// Accuracy, or of numbers the mean absolute error.
fn score(metrics: &Metrics) -> f64 {
    metrics.get(Metric::Accuracy).or(metrics.get(Metric::Mae)).unwrap()
}

/// As the fixture has them: of a softmax the logs of the probabilities.
fn logits(case: &Case, found: &[f32]) -> Vec<f32> {
    match case.loss.task() {
        Task::Multiclass => {
            let of_row = |row: &[f32]| probabilities(row).into_iter().map(|p| p.ln() as f32);
            found.chunks(case.outputs).flat_map(of_row).collect()
        }
        _ => found.to_vec(),
    }
}

pub(super) fn three_epochs_follow_keras(path: Path) {
    all_follow(path, include_str!("../fixtures/keras_training.json"), 28);
}

pub(super) fn three_epochs_of_several_layers_follow_keras(path: Path) {
    all_follow(path, include_str!("../fixtures/keras_layers.json"), 13);
}

fn all_follow(path: Path, fixture: &str, cases: usize) {
    const TOLERANCE: f64 = 1e-4;
    let fixture: Fixture = serde_json::from_str(fixture).unwrap();
    assert_eq!(fixture.cases.len(), cases);
    for case in &fixture.cases {
        let (epochs, end) = trained(path, &fixture, case);
        let compare = |what: &str, expected: &[f64], found: fn(&EpochMetrics) -> f64| {
            let found: Vec<f32> = epochs.iter().map(|epoch| found(epoch) as f32).collect();
            assert_close(&format!("{}, {what}", case.name), &found, expected, TOLERANCE);
        };
        compare("learning rate", &case.learning_rates, |epoch| epoch.learning_rate);
        compare("loss", &case.losses, |epoch| epoch.train.loss);
        compare("accuracy or error", &case.accuracies, |epoch| score(&epoch.train));
        compare("val_loss", &case.validation_losses, |epoch| epoch.validation.loss);
        compare("that of validation", &case.validation_accuracies, |epoch| {
            score(&epoch.validation)
        });
        assert_close(&case.name, &logits(case, &end.test_logits), &case.logits, TOLERANCE);
        assert_weights(&case.name, &end.weights, &case.final_weights, TOLERANCE);
    }
}
