//! Gradients against finite differences of the model written down once more, in f64 and without any
//! library: the mathematics at the top of `kernels`, row by row and step by step.
//!
//! An engine shows its gradient g by a step of plain descent with rate 1: w - g.

use super::{Path, Ragged, engine};
use batchscope::kernels::{
    Arrays, Device, Examples, LossSurface, Masks, Penalties, Sequences, Settings, State, Step,
};
use batchscope::spec::{
    Cell, Direction, Huber, Input, LabelSmoothing, Layer, Loss, Objective, Param, Penalty,
    Recurrent, Role, Shape, Stack, UpdateRule,
};

/// The model in f64.
struct Reference<'r> {
    shape: Shape,
    settings: &'r Settings,
    /// The input vectors of each row.
    rows: Vec<Row<'r>>,
    labels: &'r [f32],
    /// One each direction, or none.
    masks: &'r [Masks],
}

enum Row<'r> {
    Tokens(&'r [i32]),
    Features(&'r [f32]),
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// The loss of a row.
fn loss_of(loss: Loss, z: &[f64], target: f64) -> f64 {
    let error = (z[0] - target).abs();
    match loss {
        Loss::BinaryCrossentropy => z[0].max(0.0) - z[0] * target + (-z[0].abs()).exp().ln_1p(),
        Loss::CategoricalCrossentropy(LabelSmoothing { label_smoothing: s }) => {
            let sum: f64 = z.iter().map(|z| z.exp()).sum();
            let share =
                |k: usize| s / z.len() as f64 + if k == target as usize { 1.0 - s } else { 0.0 };
            -(0..z.len()).map(|k| share(k) * (z[k].exp() / sum).ln()).sum::<f64>()
        }
        Loss::Mse => error * error,
        Loss::Mae => error,
        Loss::Huber(Huber { delta }) if error <= delta => error * error / 2.0,
        Loss::Huber(Huber { delta }) => delta * (error - delta / 2.0),
    }
}

impl Reference<'_> {
    /// The loss that a step on all rows minimises.
    fn loss(&self, parameters: &[Vec<f64>]) -> f64 {
        let n = self.rows.len() as f64;
        let losses = (0..self.rows.len()).map(|row| {
            let objective = &self.settings.objective;
            let label = self.labels[row];
            let weight = objective.class_weights.get(label as usize).map_or(1.0, |w| f64::from(*w));
            weight * loss_of(objective.loss, &self.logits(parameters, row), f64::from(label))
        });
        let of_shape = self.shape.parameters();
        let penalties = of_shape.iter().zip(parameters).map(|(parameter, weights)| {
            let Penalty { l1, l2 } = self.penalty_on(parameter);
            weights.iter().map(|w| l1 * w.abs() + l2 * w * w).sum::<f64>()
        });
        losses.sum::<f64>() / n + penalties.sum::<f64>()
    }

    fn penalty_on(&self, parameter: &Param) -> Penalty {
        let Layer::Recurrent { index, .. } = parameter.layer else { return Penalty::default() };
        let found = self.settings.penalties.get(index).copied().unwrap_or_default();
        match parameter.role {
            Role::Kernel => found.kernel,
            Role::Recurrent => found.recurrent,
            _ => found.bias,
        }
    }

    fn logits(&self, parameters: &[Vec<f64>], row: usize) -> Vec<f64> {
        let mut values: Vec<Vec<f64>> =
            (0..self.steps(row)).map(|step| self.input(parameters, row, step)).collect();
        let mut at = usize::from(matches!(self.shape.input, Input::Tokens { .. }));
        let (mut number, mut last) = (0, Vec::new());
        for layer in self.shape.layers.iter() {
            let mut sides = Vec::new();
            last.clear();
            for reverse in [false, true].into_iter().take(layer.directions()) {
                let arrays = if layer.cell == Cell::Lstm { 3 } else { 4 };
                let weights = &parameters[at..at + arrays];
                (at, number) = (at + arrays, number + 1);
                if reverse {
                    values.reverse();
                }
                let mask = Mask { of: self.masks.get(number - 1), row, gates: layer.cell.gates() };
                let mut states = run(layer, weights, &values, &mask);
                last.extend(states.last().cloned().unwrap_or(vec![0.0; layer.units]));
                if reverse {
                    values.reverse();
                    states.reverse();
                }
                sides.push(states);
            }
            let beside = |step: usize| sides.iter().flat_map(|side| side[step].clone()).collect();
            values = (0..values.len()).map(beside).collect();
        }
        let [.., dense, dense_bias] = parameters else { panic!() };
        let dot = |weights: &[f64]| last.iter().zip(weights).map(|(a, b)| a * b).sum::<f64>();
        dense
            .chunks(last.len())
            .zip(dense_bias)
            .map(|(weights, bias)| dot(weights) + bias)
            .collect()
    }

    fn steps(&self, row: usize) -> usize {
        match self.rows[row] {
            Row::Tokens(tokens) => tokens.len(),
            Row::Features(values) => values.len() / self.shape.features(),
        }
    }

    fn input(&self, parameters: &[Vec<f64>], row: usize, step: usize) -> Vec<f64> {
        let f = self.shape.features();
        match self.rows[row] {
            Row::Tokens(tokens) => parameters[0][tokens[step] as usize * f..][..f].to_vec(),
            Row::Features(values) => {
                values[step * f..][..f].iter().map(|value| f64::from(*value)).collect()
            }
        }
    }

    /// Central differences, whose error is of the order of 1e-10.
    fn gradient(&self, parameters: &[Vec<f64>]) -> Vec<Vec<f64>> {
        const H: f64 = 1e-5;
        let mut moved = parameters.to_vec();
        let mut gradient = Vec::new();
        for array in 0..parameters.len() {
            let mut slopes = Vec::new();
            for at in 0..parameters[array].len() {
                let middle = parameters[array][at];
                moved[array][at] = middle + H;
                let above = self.loss(&moved);
                moved[array][at] = middle - H;
                slopes.push((above - self.loss(&moved)) / (2.0 * H));
                moved[array][at] = middle;
            }
            gradient.push(slopes);
        }
        gradient
    }
}

/// The masks of one row and direction.
struct Mask<'m> {
    of: Option<&'m Masks>,
    row: usize,
    gates: usize,
}

impl Mask<'_> {
    fn input(&self, gate: usize, k: usize, width: usize) -> f64 {
        let Some(masks) = self.of else { return 1.0 };
        let gates = if masks.recurrent.is_empty() { 1 } else { self.gates };
        let at = (self.row * gates + gate % gates) * width + k;
        masks.input.get(at).map_or(1.0, |value| f64::from(*value))
    }

    fn state(&self, gate: usize, k: usize, units: usize) -> f64 {
        let Some(masks) = self.of else { return 1.0 };
        let at = (self.row * self.gates + gate) * units + k;
        masks.recurrent.get(at).map_or(1.0, |value| f64::from(*value))
    }
}

/// The states of one direction at each step, from inputs in the order in which it reads them.
fn run(layer: &Recurrent, weights: &[Vec<f64>], inputs: &[Vec<f64>], mask: &Mask) -> Vec<Vec<f64>> {
    let (g, h) = (layer.cell.gates(), layer.units);
    let (mut state, mut carry) = (vec![0.0; h], vec![0.0; h]);
    let mut states = Vec::new();
    for x in inputs {
        let f = x.len();
        let of_input = |row: usize| {
            let terms = (0..f).map(|k| x[k] * mask.input(row / h, k, f) * weights[0][row * f + k]);
            terms.sum::<f64>() + weights[2][row]
        };
        let of_state = |row: usize| {
            let terms =
                (0..h).map(|k| state[k] * mask.state(row / h, k, h) * weights[1][row * h + k]);
            terms.sum::<f64>() + weights.get(3).map_or(0.0, |bias| bias[row])
        };
        let a: Vec<f64> = (0..g * h).map(of_input).collect();
        let b: Vec<f64> = (0..g * h).map(of_state).collect();
        for unit in 0..h {
            let sum = |gate: usize| a[gate * h + unit] + b[gate * h + unit];
            match layer.cell {
                Cell::Lstm => {
                    let [i, forget, o] = [0, 1, 3].map(|gate| sigmoid(sum(gate)));
                    carry[unit] = forget * carry[unit] + i * sum(2).tanh();
                    state[unit] = o * carry[unit].tanh();
                }
                Cell::Gru => {
                    let (r, z) = (sigmoid(sum(0)), sigmoid(sum(1)));
                    let n = (a[2 * h + unit] + r * b[2 * h + unit]).tanh();
                    state[unit] = (1.0 - z) * n + z * state[unit];
                }
            }
        }
        states.push(state.clone());
    }
    states
}

/// Numbers that look like noise and need no generator.
fn noise(count: usize, salt: f64, scale: f64) -> Vec<f32> {
    (0..count).map(|i| ((1.7 * i as f64 + salt).sin() * scale) as f32).collect()
}

fn weights(shape: &Shape) -> Arrays {
    let parameters = shape.parameters().into_iter().enumerate();
    parameters.map(|(salt, parameter)| noise(parameter.count(), salt as f64, 0.5)).collect()
}

fn mask(count: usize, share: f32) -> Vec<f32> {
    let keep = |value: f32| if value.abs() < share { 0.0 } else { 1.0 / (1.0 - share) };
    noise(count, 3.3, 1.0).into_iter().map(keep).collect()
}

/// One way to fill the model.
struct Scene {
    shape: Shape,
    ragged: Ragged,
    token_rows: Vec<Vec<i32>>,
    values: Vec<f32>,
    steps: usize,
    labels: Vec<f32>,
}

impl Scene {
    /// Rows of these lengths.
    fn tokens(lengths: &[usize], dim: usize, units: usize) -> Self {
        let row = |(row, length): (usize, &usize)| {
            (0..*length).map(|step| ((3 * row + 5 * step) % 11) as i32).collect()
        };
        let token_rows: Vec<Vec<i32>> = lengths.iter().enumerate().map(row).collect();
        let shape = Shape {
            input: Input::Tokens { vocabulary: 11, dim },
            layers: Stack::lstm(units),
            outputs: 1,
        };
        let ragged = Ragged::new(&token_rows);
        let labels = (0..lengths.len()).map(|row| (row % 2) as f32).collect();
        Self { shape, ragged, token_rows, values: vec![], steps: 0, labels }
    }

    fn features(rows: usize, steps: usize, features: usize, units: usize, scale: f64) -> Self {
        let shape =
            Shape { input: Input::Features(features), layers: Stack::lstm(units), outputs: 1 };
        let values = noise(rows * steps * features, 9.0, scale);
        let labels = (0..rows).map(|row| (row % 2) as f32).collect();
        Self { shape, ragged: Ragged::new(&[]), token_rows: vec![], values, steps, labels }
    }

    /// The same rows with targets for this loss, of a model with so many outputs.
    fn with_head(mut self, loss: Loss, outputs: usize) -> Self {
        self.shape.outputs = outputs;
        let row = |row: usize| match loss {
            Loss::BinaryCrossentropy => (row % 2) as f32,
            Loss::CategoricalCrossentropy(_) => ((5 * row + 1) % outputs) as f32,
            // Some errors below and some above what a Huber loss squares; none near 0 or its edge.
            _ => [-1.5, 0.9, 2.5][row % 3],
        };
        self.labels = (0..self.labels.len()).map(row).collect();
        self
    }

    fn sequences(&self) -> Sequences<'_> {
        match self.shape.input {
            Input::Tokens { .. } => self.ragged.sequences(),
            Input::Features(features) => {
                Sequences::Features { values: &self.values, steps: self.steps, features }
            }
        }
    }

    fn rows(&self) -> Vec<Row<'_>> {
        match self.shape.input {
            Input::Tokens { .. } => self.token_rows.iter().map(|row| Row::Tokens(row)).collect(),
            Input::Features(features) => {
                self.values.chunks(self.steps * features).map(Row::Features).collect()
            }
        }
    }
}

#[track_caller]
fn assert_same(found: &Arrays, expected: &[Vec<f64>], within: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= within * (1.0 + expected.abs()), "{found} for {expected}");
    }
}

const DESCENT: UpdateRule = UpdateRule::Sgd { momentum: 0.0, nesterov: false };

/// Compares the gradients of both sides, entry by entry.
#[track_caller]
fn assert_gradient(path: Path, scene: &Scene, masks: &[Masks], change: impl Fn(&mut Settings)) {
    let mut settings = Settings::plain(Objective::binary(), DESCENT);
    change(&mut settings);
    let within = 1e-6 * path.roughness();
    let first = weights(&scene.shape);
    let in_f64: Vec<Vec<f64>> =
        first.iter().map(|array| array.iter().map(|w| f64::from(*w)).collect()).collect();
    let (rows, labels) = (scene.rows(), &scene.labels);
    let reference = Reference { shape: scene.shape, settings: &settings, rows, labels, masks };
    let expected = reference.gradient(&in_f64);

    let mut engine = engine(path, scene.shape, scene.sequences(), labels, settings.clone());
    engine.set_state(&State::new(first.clone(), &settings.optimizer)).unwrap();
    let all: Vec<u32> = (0..labels.len() as u32).collect();
    if masks.is_empty() && settings.penalties.is_empty() {
        assert_same(&engine.gradient(&all).unwrap(), &expected, within);
        assert_eq!(engine.state().unwrap().parameters, first, "the weights moved");
    }
    engine
        .train_step(&Step { rows: &all, lr: 1.0, masks: (!masks.is_empty()).then_some(masks) })
        .unwrap();
    let computed = engine.take_computed().unwrap();
    let after = engine.state().unwrap().parameters;
    let mut squares = 0.0;
    for (array, expected) in expected.iter().enumerate() {
        for (at, expected) in expected.iter().enumerate() {
            let found = f64::from(first[array][at]) - f64::from(after[array][at]);
            let error = (found - expected).abs();
            assert!(
                error <= within * (1.0 + expected.abs()),
                "parameter {array}[{at}]: {found} for {expected}"
            );
            squares += expected * expected;
        }
    }
    assert!(squares > 1e-6, "the gradient is nothing");
    let norm = f64::from(computed.gradient_norms[0]);
    assert!(
        (norm - squares.sqrt()).abs() <= 10.0 * within * norm,
        "norm {norm} for {}",
        squares.sqrt()
    );
}

pub(super) fn gradients_of_ragged_tokens_agree_with_finite_differences(path: Path) {
    assert_gradient(path, &Scene::tokens(&[7, 3, 1, 5, 0, 7, 2], 4, 5), &[], |_| ());
    assert_gradient(path, &Scene::tokens(&[1], 3, 7), &[], |_| ());
    assert_gradient(path, &Scene::tokens(&[0, 0, 4], 1, 1), &[], |_| ());
}

pub(super) fn gradients_of_features_agree_with_finite_differences(path: Path) {
    assert_gradient(path, &Scene::features(5, 6, 3, 5, 1.0), &[], |_| ());
    assert_gradient(path, &Scene::features(1, 1, 1, 1, 1.0), &[], |_| ());
    assert_gradient(path, &Scene::features(3, 9, 17, 16, 1.0), &[], |_| ());
}

pub(super) fn gradients_of_saturated_gates_agree_with_finite_differences(path: Path) {
    assert_gradient(path, &Scene::features(4, 5, 3, 4, 60.0), &[], |_| ());
}

const PENALTIES: Penalties = Penalties {
    kernel: Penalty { l1: 0.01, l2: 0.0 },
    recurrent: Penalty { l1: 0.0, l2: 0.02 },
    bias: Penalty { l1: 0.03, l2: 0.01 },
};

pub(super) fn gradients_with_penalties_and_weights_of_labels_agree(path: Path) {
    let weighted = |settings: &mut Settings| settings.objective.class_weights = vec![0.5, 3.0];
    assert_gradient(path, &Scene::tokens(&[4, 2, 5], 3, 4), &[], weighted);
    assert_gradient(path, &Scene::tokens(&[4, 2, 5], 3, 4), &[], |settings| {
        settings.penalties = vec![PENALTIES];
        settings.objective.class_weights = vec![0.5, 3.0];
    });
}

pub(super) fn gradients_of_each_head_and_loss_agree(path: Path) {
    for (loss, outputs) in HEADS {
        let objective = |settings: &mut Settings| {
            settings.objective = Objective::new(loss, outputs);
        };
        let tokens = Scene::tokens(&[4, 2, 0, 5, 7], 3, 4).with_head(loss, outputs);
        assert_gradient(path, &tokens, &[], objective);
        let features = Scene::features(19, 3, 2, 5, 1.0).with_head(loss, outputs);
        assert_gradient(path, &features, &[], objective);
    }
    let (loss, outputs) = HEADS[1];
    let scene = Scene::features(6, 3, 2, 5, 1.0).with_head(loss, outputs);
    assert_gradient(path, &scene, &[], |settings| {
        settings.objective = Objective::new(loss, outputs);
        settings.objective.class_weights = vec![0.5, 2.0, 1.0];
    });
}

/// Losses, and the outputs of the models that they train.
const HEADS: [(Loss, usize); 6] = [
    (Loss::CategoricalCrossentropy(LabelSmoothing { label_smoothing: 0.0 }), 2),
    (Loss::CategoricalCrossentropy(LabelSmoothing { label_smoothing: 0.1 }), 3),
    (Loss::CategoricalCrossentropy(LabelSmoothing { label_smoothing: 0.1 }), 18),
    (Loss::Mse, 1),
    (Loss::Mae, 1),
    (Loss::Huber(Huber { delta: 1.0 }), 1),
];

pub(super) fn gradients_through_dropout_agree_with_finite_differences(path: Path) {
    for scene in [Scene::tokens(&[5, 0, 2, 4], 3, 4), Scene::features(3, 4, 5, 6, 1.0)] {
        let (b, f, h) = (scene.labels.len(), scene.shape.features(), scene.shape.state_width());
        let masks = |input: usize, recurrent: usize| {
            [Masks { input: mask(b * input * f, 0.3), recurrent: mask(b * recurrent * h, 0.4) }]
        };
        assert_gradient(path, &scene, &masks(1, 0), |_| ());
        assert_gradient(path, &scene, &masks(0, 4), |_| ());
        assert_gradient(path, &scene, &masks(4, 4), |_| ());
    }
}

/// Models that are not one LSTM.
fn stacks() -> Vec<Stack> {
    let (lstm, gru) = (Recurrent::lstm(3), Recurrent::gru(4));
    let all: [&[Recurrent]; 6] = [
        &[gru],
        &[lstm, Recurrent::lstm(4)],
        &[lstm.both_ways()],
        &[gru.both_ways()],
        &[gru.both_ways(), lstm],
        &[lstm.both_ways(), gru, lstm.both_ways()],
    ];
    all.iter().map(|layers| Stack::new(layers).unwrap()).collect()
}

/// Ragged tokens and features for each of [`stacks`].
fn deep_scenes() -> Vec<Scene> {
    let scenes = stacks().into_iter().flat_map(|layers| {
        let scenes = [Scene::tokens(&[5, 3, 1, 0, 5], 3, 1), Scene::features(3, 4, 3, 1, 1.0)];
        scenes.map(|scene| Scene { shape: Shape { layers, ..scene.shape }, ..scene })
    });
    scenes.collect()
}

pub(super) fn gradients_of_several_layers_agree_with_finite_differences(path: Path) {
    for scene in deep_scenes() {
        assert_gradient(path, &scene, &[], |_| ());
        assert_gradient(path, &scene, &[], |settings| settings.micro_batch = Some(2));
    }
}

pub(super) fn gradients_of_several_layers_through_dropout_agree(path: Path) {
    for scene in deep_scenes() {
        let b = scene.labels.len();
        let masks = |input: bool, recurrent: bool| -> Vec<Masks> {
            let of = |d: Direction| {
                let gates = if recurrent { d.cell.gates() } else { 1 };
                let drop = |wanted: bool, count: usize, share| {
                    if wanted { mask(b * count, share) } else { vec![] }
                };
                // The second direction drops something else than the first.
                let share = if d.reverse { 0.5 } else { 0.3 };
                Masks {
                    input: drop(input, gates * d.features, share),
                    recurrent: drop(recurrent, gates * d.units, share + 0.1),
                }
            };
            scene.shape.directions().into_iter().map(of).collect()
        };
        assert_gradient(path, &scene, &masks(true, false), |_| ());
        assert_gradient(path, &scene, &masks(false, true), |_| ());
        assert_gradient(path, &scene, &masks(true, true), |s| s.micro_batch = Some(2));
    }
}

pub(super) fn gradients_of_several_layers_with_penalties_agree(path: Path) {
    for scene in deep_scenes() {
        assert_gradient(path, &scene, &[], |settings| {
            // None on the first layer where there are three.
            let layers = scene.shape.layers.len();
            settings.penalties = vec![PENALTIES; layers];
            if layers == 3 {
                settings.penalties[0] = Penalties::default();
            }
        });
    }
}

/// The loss surface that curvature is measured on, entry by entry; `rounding` is how far a loss may be
/// from the reference's, and from itself without a gradient.
#[track_caller]
fn assert_surface(device: Device, rounding: [f64; 2], scene: &Scene, objective: &Objective) {
    let settings = Settings::plain(objective.clone(), DESCENT);
    let at: Vec<Vec<f64>> = weights(&scene.shape)
        .iter()
        .map(|array| array.iter().map(|w| f64::from(*w)).collect())
        .collect();
    let (rows, labels) = (scene.rows(), &scene.labels);
    let masks: &[Masks] = &[];
    let reference = Reference { shape: scene.shape, settings: &settings, rows, labels, masks };
    let train = Examples { sequences: scene.sequences(), labels };
    let all: Vec<u32> = (0..labels.len() as u32).rev().collect();
    let surface = LossSurface::new(device, scene.shape, &train, &all, objective).unwrap();
    let (loss, gradient) = surface.gradient(&at.concat()).unwrap();
    let expected = reference.loss(&at);
    assert!((loss - expected).abs() < rounding[0] * expected, "{loss} for {expected}");
    assert!((surface.loss(&at.concat()).unwrap() - loss).abs() < rounding[1] * loss);
    for (found, expected) in gradient.iter().zip(reference.gradient(&at).concat()) {
        assert!((found - expected).abs() < 1e-9 * (1.0 + expected.abs()), "{found}, {expected}");
    }
    assert!(surface.gradient(&at.concat()[1..]).is_err());
}

#[track_caller]
fn assert_surfaces(device: Device, rounding: [f64; 2]) {
    super::start(device);
    let check = |scene, [zero, one]: [f32; 2]| {
        let class_weights = vec![zero, one];
        let objective = Objective { class_weights, ..Objective::binary() };
        assert_surface(device, rounding, &scene, &objective);
    };
    check(Scene::tokens(&[7, 3, 1, 5, 0, 7, 2], 4, 5), [1.0; 2]);
    check(Scene::tokens(&[4, 2, 5], 3, 4), [0.5, 3.0]);
    check(Scene::features(5, 6, 3, 5, 1.0), [1.0; 2]);
    // More rows than are computed at a time.
    check(Scene::features(300, 2, 2, 2, 1.0), [2.0, 1.0]);
    for scene in deep_scenes() {
        check(scene, [1.0, 2.0]);
    }
    for (loss, outputs) in HEADS {
        let scene = Scene::features(5, 4, 3, 5, 1.0).with_head(loss, outputs);
        assert_surface(device, rounding, &scene, &Objective::new(loss, outputs));
    }
}

#[test]
fn the_loss_surface_in_f64_has_the_reference_loss_and_gradient() {
    assert_surfaces(Device::Cpu, [1e-12, 1e-14]);
}

/// cuDNN warns on standard error when weights do not lie one after the other; scripts/gpu_check looks.
#[test]
#[ignore = "needs a CUDA device"]
fn the_loss_surface_on_cuda_has_the_reference_loss_and_gradient() {
    assert_surfaces(Device::Cuda(0), [1e-11, 1e-11]);
}
