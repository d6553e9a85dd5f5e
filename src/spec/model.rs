//! The sizes that define a model, and its parameters.

use serde::{Deserialize, Serialize};

/// The sizes that define a model: LSTM(units) -> Dense(outputs), with an embedding before it for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// What the LSTM reads.
    pub input: Input,
    /// H, the size of the LSTM's state.
    pub units: usize,
    /// K, the outputs of the dense layer.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub outputs: usize,
}

/// What records say that were written when there was one output.
fn one() -> usize {
    1
}

fn is_one(outputs: &usize) -> bool {
    *outputs == 1
}

/// What the LSTM reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Token ids below `vocabulary`, each turned into a vector of `dim` values.
    Tokens {
        /// V, the number of token ids.
        vocabulary: usize,
        /// F, the size of a token's vector.
        dim: usize,
    },
    /// Vectors of F values.
    Features(usize),
}

/// What a parameter is for: penalties and first weights depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The vectors of tokens.
    Embedding,
    /// Weights of a layer's inputs.
    Kernel,
    /// Weights of a layer's own state.
    Recurrent,
    /// What is added.
    Bias,
}

/// A layer that has parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Token ids -> vectors.
    Embedding,
    /// The recurrent layer.
    Lstm,
    /// The head.
    Dense,
}

/// One parameter of a model: a row-major array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name in weights files, such as `lstm.weight_ih`.
    pub path: &'static str,
    /// Its dimensions.
    pub dims: Vec<usize>,
    /// Of which layer it is.
    pub layer: Layer,
    /// What it is for.
    pub role: Role,
}

impl Param {
    /// The number of its values.
    pub fn count(&self) -> usize {
        self.dims.iter().product()
    }
}

impl Shape {
    /// F, the size of the LSTM's input.
    pub fn features(&self) -> usize {
        match self.input {
            Input::Tokens { dim, .. } => dim,
            Input::Features(features) => features,
        }
    }

    /// The parameters in their canonical order.
    pub fn parameters(&self) -> Vec<Param> {
        let (f, h, k) = (self.features(), self.units, self.outputs);
        let param =
            |path, layer, role, dims: &[usize]| Param { path, dims: dims.to_vec(), layer, role };
        let embedding = match self.input {
            Input::Tokens { vocabulary, dim } => Some(param(
                "embedding.weight",
                Layer::Embedding,
                Role::Embedding,
                &[vocabulary, dim],
            )),
            Input::Features(_) => None,
        };
        let rest = [
            param("lstm.weight_ih", Layer::Lstm, Role::Kernel, &[4 * h, f]),
            param("lstm.weight_hh", Layer::Lstm, Role::Recurrent, &[4 * h, h]),
            param("lstm.bias", Layer::Lstm, Role::Bias, &[4 * h]),
            param("dense.weight", Layer::Dense, Role::Kernel, &[k, h]),
            param("dense.bias", Layer::Dense, Role::Bias, &[k]),
        ];
        embedding.into_iter().chain(rest).collect()
    }

    /// Where a parameter stands among [`Shape::parameters`].
    ///
    /// # Panics
    /// Where the model has no such parameter, as one without tokens has no embedding.
    pub fn place(&self, layer: Layer, role: Role) -> usize {
        let found = self.parameters().iter().position(|p| (p.layer, p.role) == (layer, role));
        found.unwrap_or_else(|| panic!("the model has no {role:?} of a layer {layer:?}"))
    }

    /// The number of trained values.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(Param::count).sum()
    }
}
