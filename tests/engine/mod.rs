//! Every engine against PyTorch's and Keras's own numbers, against finite differences, and against
//! itself.

// Gradients against finite differences of an independent model in f64.
mod gradients;
// Whole trainings as Keras does them.
mod keras;
// Memory that does not suffice, and gradients summed over parts of a batch.
mod micro_batches;
// Ten steps of the plain model; states, order, subnormal numbers.
mod trajectory;
// Ten steps with each optimizer, clipping, penalties, weights of labels, dropout.
mod updates;

use batchscope::kernels::{
    self, Arrays, Device, Engine, EngineKind, Examples, Optimizer, Sequences, Settings, Shape,
    Splits, Step,
};
use std::sync::Once;

/// Rows of tokens as an engine takes them.
pub(crate) struct Ragged {
    tokens: Vec<i32>,
    offsets: Vec<u64>,
}

impl Ragged {
    pub(crate) fn new(rows: &[Vec<i32>]) -> Self {
        let mut offsets = vec![0];
        for row in rows {
            offsets.push(offsets[offsets.len() - 1] + row.len() as u64);
        }
        Self { tokens: rows.concat(), offsets }
    }

    pub(crate) fn sequences(&self) -> Sequences<'_> {
        Sequences::Tokens { tokens: &self.tokens, offsets: &self.offsets }
    }
}

pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| assert_eq!(kernels::start_libtorch().unwrap(), None));
}

/// An engine whose three splits are the same examples.
fn engine<'d>(
    device: Device,
    shape: Shape,
    sequences: Sequences<'d>,
    labels: &'d [f32],
    settings: Settings,
) -> Box<dyn Engine + 'd> {
    start();
    let examples = Examples { sequences, labels };
    let splits = Splits { train: examples, validation: examples, test: examples };
    kernels::engine(EngineKind::Libtorch, device, shape, splits, settings).unwrap()
}

const BATCHES: [&[u32]; 3] = [&[0, 1, 2], &[3, 4, 5], &[6, 7]];
const ALL: [u32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

/// torch's Adam with its defaults.
const ADAM: Optimizer = Optimizer::Adam {
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    epsilon_hat: false,
    weight_decay: 0.0,
};

fn plain(rows: &[u32], lr: f64) -> Step<'_> {
    Step { rows, lr, masks: None }
}

/// |found - expected| <= tolerance * (1 + |expected|).
#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(
            error <= tolerance * (1.0 + expected.abs()),
            "{what}[{at}]: {found} for {expected}"
        );
    }
}

#[track_caller]
fn assert_weights(what: &str, found: &Arrays, expected: &[Vec<f64>], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_close(&format!("{what}, weights of parameter {index}"), found, expected, tolerance);
    }
}
