//! A trained model in the formats of other programs, in which its weights load unchanged.
//!
//! | format | file | reads it |
//! |---|---|---|
//! | torch | `model.safetensors` | `model.load_state_dict(safetensors.torch.load_file(path))` |
//! | keras | `model.keras` | `keras.models.load_model(path)`, Keras 3 with any backend |
//! | onnx | `model.onnx` | ONNX Runtime and everything else that reads opset 17 |
//!
//! The same model always gives the same bytes. `scripts/compare_exports` runs all three and compares
//! their predictions.

mod keras;
mod onnx;
mod proto;

use crate::kernels::Arrays;
use crate::model::{Names, write_weights};
use crate::spec::{Activation, Input, Param, Shape};
use anyhow::Result;
use std::path::Path;

/// A trained model.
#[derive(Debug, Clone, Copy)]
pub struct Model<'w> {
    /// Its sizes.
    pub shape: Shape,
    /// What is made of its outputs.
    pub head: Activation,
    /// Whether padding, token 0, is skipped, so that rows may differ in length.
    pub masked: bool,
    /// Its weights, in the order of [`Shape::parameters`].
    pub weights: &'w Arrays,
}

/// What a trained model can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Weights under the names of `torch.nn` modules.
    Torch,
    /// Architecture and weights as Keras 3 saves them.
    Keras,
    /// A computation graph.
    Onnx,
}

impl Format {
    /// The usual name of such a file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Torch => "model.safetensors",
            Self::Keras => "model.keras",
            Self::Onnx => "model.onnx",
        }
    }
}

/// Writes a model; the file is replaced as a whole.
pub fn write(format: Format, model: &Model<'_>, path: &Path) -> Result<()> {
    match format {
        Format::Torch => write_weights(path, &model.shape, model.weights, Names::Torch),
        Format::Keras => keras::write(model, path),
        Format::Onnx => onnx::write(model, path),
    }
}

impl Model<'_> {
    /// The parameters and their values, in the order of [`Shape::parameters`].
    fn parameters(&self) -> impl Iterator<Item = (Param, &[f32])> {
        self.shape.parameters().into_iter().zip(self.weights.iter().map(Vec::as_slice))
    }

    fn reads_tokens(&self) -> bool {
        matches!(self.shape.input, Input::Tokens { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Stack;
    use std::fs;

    pub(super) const TEXT: Shape = Shape {
        input: Input::Tokens { vocabulary: 7, dim: 3 },
        layers: Stack::lstm(2),
        outputs: 1,
    };
    pub(super) const ARRAYS: Shape =
        Shape { input: Input::Features(3), layers: Stack::lstm(2), outputs: 1 };

    #[test]
    fn the_same_model_gives_the_same_bytes_in_every_format() {
        let folder = tempfile::tempdir().unwrap();
        for shape in [TEXT, ARRAYS] {
            let weights = crate::model::keras(&shape, 4);
            let model = Model { shape, masked: true, head: Activation::Sigmoid, weights: &weights };
            for format in [Format::Torch, Format::Keras, Format::Onnx] {
                let written = |name: &str| {
                    let path = folder.path().join(name).with_file_name(format.file_name());
                    write(format, &model, &path).unwrap();
                    fs::read(path).unwrap()
                };
                assert!(written("a") == written("b"), "{format:?}");
            }
        }
    }
}
