//! What the fixtures of several tests hold alike: the sizes of a model, and what ten steps came to.

use super::{ALL, Path, assert_close, assert_weights};
use batchscope::kernels::{Engine, Sequences, Split};
use batchscope::spec::{Input, Shape, Stack};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Sizes {
    pub(super) units: usize,
    dim: usize,
    vocabulary: usize,
    features: usize,
    /// Of rows of features, and of the longest row of tokens.
    pub(super) steps: usize,
}

impl Sizes {
    pub(super) fn tokens(&self) -> Input {
        Input::Tokens { vocabulary: self.vocabulary, dim: self.dim }
    }

    pub(super) fn features(&self) -> Input {
        Input::Features(self.features)
    }

    /// Of the model with one LSTM.
    pub(super) fn shape(&self, input: Input, outputs: usize) -> Shape {
        Shape { input, layers: Stack::lstm(self.units), outputs }
    }

    /// Rows of features.
    pub(super) fn sequences<'v>(&self, values: &'v [f32]) -> Sequences<'v> {
        Sequences::Features { values, steps: self.steps, features: self.features }
    }
}

/// What PyTorch's steps came to.
#[derive(Deserialize)]
pub(super) struct Recorded {
    pub(super) losses: Vec<f64>,
    final_weights: Vec<Vec<f64>>,
    final_logits: Vec<f64>,
}

/// Ten steps lose about three digits of f32's seven to rounding, since Adam divides small numbers.
pub(super) const TOLERANCE: f64 = 1e-5;

impl Recorded {
    /// Compares the losses of an engine's steps, and the engine as the steps left it.
    #[track_caller]
    pub(super) fn compare(&self, name: &str, path: Path, losses: &[f32], engine: &mut dyn Engine) {
        let within = TOLERANCE * path.roughness();
        assert_close(&format!("{name}, losses"), losses, &self.losses, within);
        let logits = engine.predict(Split::Test, &ALL).unwrap();
        assert_close(&format!("{name}, logits"), &logits, &self.final_logits, within);
        assert_weights(name, &engine.state().unwrap().parameters, &self.final_weights, within);
    }
}
