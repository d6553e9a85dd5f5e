//! The model: optional embedding -> recurrent layers -> Dense(outputs).
//!
//! This layer turns the `model` section into sizes and first weights, and reads and writes weights
//! files; the mathematics is in [`crate::kernels`].

mod init;
// What torch calls the parameters of recurrent layers.
mod torch_names;
mod weights;

pub use init::{keras, torch};
pub use weights::{
    Names, parse_weights, read_sealed_weights, read_weights, write_sealed_weights, write_weights,
};

use crate::config::{Init, LayerSection, ModelSection};
use crate::kernels::Arrays;
use crate::spec::{Input, Recurrent, Shape, Stack};
use anyhow::Result;

/// The sizes of the model for data with this vocabulary (text) or this many features (arrays).
///
/// A softmax whose outputs the file leaves out has one for each of `classes`.
pub fn shape(
    section: &ModelSection,
    vocabulary: Option<usize>,
    features: Option<usize>,
    classes: usize,
) -> Shape {
    let input = match (vocabulary, &section.embedding) {
        (Some(vocabulary), Some(embedding)) => {
            Input::Tokens { vocabulary, dim: embedding.dim as usize }
        }
        _ => Input::Features(features.unwrap_or_default()),
    };
    let outputs = section.dense.units.map_or(classes, |units| units as usize);
    let layers: Vec<Recurrent> = section.recurrent().iter().map(LayerSection::sizes).collect();
    let layers = Stack::new(&layers).expect("rules of the file: one to eight layers");
    Shape { input, layers, outputs }
}

/// The first weights of every run with this seed.
pub fn first_weights(init: &Init, shape: &Shape, seed: u64) -> Result<Arrays> {
    match init {
        Init::Keras => Ok(keras(shape, seed)),
        Init::Torch => Ok(torch(shape, seed)),
        Init::Weights(path) => read_weights(path, shape),
    }
}
