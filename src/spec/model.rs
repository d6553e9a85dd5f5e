//! The sizes that define a model, and its parameters.

use super::stack::{Cell, Stack};
use serde::{Deserialize, Serialize};

/// The sizes that define a model: recurrent layers -> Dense(outputs), with an embedding before them for
/// tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Shape {
    /// What the first recurrent layer reads.
    pub input: Input,
    /// The recurrent layers.
    pub layers: Stack,
    /// K, the outputs of the dense layer.
    pub outputs: usize,
}

/// As records have it: one LSTM by its units alone, as when there was no other model.
#[derive(Serialize, Deserialize)]
struct Written {
    input: Input,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    units: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layers: Option<Stack>,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    outputs: usize,
}

impl From<Shape> for Written {
    fn from(Shape { input, layers, outputs }: Shape) -> Self {
        let units = layers.plain();
        let layers = units.is_none().then_some(layers);
        Self { input, units, layers, outputs }
    }
}

impl TryFrom<Written> for Shape {
    type Error = &'static str;

    fn try_from(Written { input, units, layers, outputs }: Written) -> Result<Self, Self::Error> {
        let layers = match (units, layers) {
            (Some(units), None) => Stack::lstm(units),
            (None, Some(layers)) => layers,
            _ => return Err("a model has `units` or `layers`"),
        };
        Ok(Self { input, layers, outputs })
    }
}

/// What records say that were written when there was one output.
fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(outputs: &usize) -> bool {
    *outputs == 1
}

/// What the first recurrent layer reads.
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
    /// What is added; in a GRU, to what its inputs give.
    Bias,
    /// What a GRU adds to what its state gives, before the reset gate.
    RecurrentBias,
}

/// A layer that has parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Token ids -> vectors.
    Embedding,
    /// A recurrent layer in one of its directions.
    Recurrent {
        /// Its place in [`Shape::layers`].
        index: usize,
        /// Whether it reads each row from its last step to its first.
        reverse: bool,
    },
    /// The head.
    Dense,
}

/// One parameter of a model: a row-major array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name in weights files, such as `lstm.weight_ih` or `gru_1.reverse.bias`.
    pub path: String,
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

/// One direction of a recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Direction {
    /// The place of its layer in [`Shape::layers`].
    pub index: usize,
    /// Whether it reads each row from its last step to its first.
    pub reverse: bool,
    /// What it computes.
    pub cell: Cell,
    /// H
    pub units: usize,
    /// F, the size of what it reads at a time step.
    pub features: usize,
}

impl Direction {
    /// The layer to which its parameters belong.
    pub fn layer(&self) -> Layer {
        Layer::Recurrent { index: self.index, reverse: self.reverse }
    }

    /// What the names of its parameters begin with, such as `lstm` or `gru_1.reverse`.
    fn prefix(&self) -> String {
        let number = if self.index > 0 { format!("_{}", self.index) } else { String::new() };
        format!("{}{number}{}", self.cell.name(), if self.reverse { ".reverse" } else { "" })
    }

    fn parameters(&self) -> Vec<Param> {
        let (rows, prefix) = (self.cell.gates() * self.units, self.prefix());
        let param = |name: &str, role, dims: &[usize]| Param {
            path: format!("{prefix}.{name}"),
            dims: dims.to_vec(),
            layer: self.layer(),
            role,
        };
        let mut all = vec![
            param("weight_ih", Role::Kernel, &[rows, self.features]),
            param("weight_hh", Role::Recurrent, &[rows, self.units]),
            param("bias", Role::Bias, &[rows]),
        ];
        if self.cell == Cell::Gru {
            all.push(param("recurrent_bias", Role::RecurrentBias, &[rows]));
        }
        all
    }
}

impl Shape {
    /// F, the size of the vectors that the first recurrent layer reads.
    pub fn features(&self) -> usize {
        match self.input {
            Input::Tokens { dim, .. } => dim,
            Input::Features(features) => features,
        }
    }

    /// The units of the model that is one LSTM in one direction, and nothing else.
    pub fn lstm(&self) -> Option<usize> {
        self.layers.plain()
    }

    /// Whether a layer reads rows from their last step to their first.
    pub fn reads_in_reverse(&self) -> bool {
        self.layers.iter().any(|layer| layer.bidirectional)
    }

    /// The size of the state that the dense layer reads.
    pub fn state_width(&self) -> usize {
        self.layers[self.layers.len() - 1].width()
    }

    /// The directions of all recurrent layers, in the order of their parameters.
    pub fn directions(&self) -> Vec<Direction> {
        let mut features = self.features();
        let mut all = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let (cell, units) = (layer.cell, layer.units);
            let each = (0..layer.directions()).map(|number| number == 1);
            all.extend(each.map(|reverse| Direction { index, reverse, cell, units, features }));
            features = layer.width();
        }
        all
    }

    /// The parameters in their canonical order.
    pub fn parameters(&self) -> Vec<Param> {
        let param = |path: &str, layer, role, dims: &[usize]| Param {
            path: path.to_owned(),
            dims: dims.to_vec(),
            layer,
            role,
        };
        let mut all = Vec::new();
        if let Input::Tokens { vocabulary, dim } = self.input {
            let dims = [vocabulary, dim];
            all.push(param("embedding.weight", Layer::Embedding, Role::Embedding, &dims));
        }
        all.extend(self.directions().iter().flat_map(Direction::parameters));
        let (k, h) = (self.outputs, self.state_width());
        all.push(param("dense.weight", Layer::Dense, Role::Kernel, &[k, h]));
        all.push(param("dense.bias", Layer::Dense, Role::Bias, &[k]));
        all
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

#[cfg(test)]
mod tests {
    use super::super::stack::Recurrent;
    use super::*;

    fn shape(layers: &[Recurrent]) -> Shape {
        let input = Input::Tokens { vocabulary: 7, dim: 3 };
        Shape { input, layers: Stack::new(layers).unwrap(), outputs: 1 }
    }

    #[test]
    fn one_lstm_is_written_as_before_there_were_other_models() {
        let plain = shape(&[Recurrent::lstm(64)]);
        let text = serde_json::to_string(&plain).unwrap();
        assert_eq!(text, r#"{"input":{"tokens":{"vocabulary":7,"dim":3}},"units":64}"#);
        assert_eq!(serde_json::from_str::<Shape>(&text).unwrap(), plain);
        let paths: Vec<String> = plain.parameters().into_iter().map(|p| p.path).collect();
        let expected = [
            "embedding.weight",
            "lstm.weight_ih",
            "lstm.weight_hh",
            "lstm.bias",
            "dense.weight",
            "dense.bias",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn other_models_are_written_layer_by_layer_and_read_back() {
        let deep = shape(&[Recurrent::gru(4).both_ways(), Recurrent::lstm(5)]);
        let text = serde_json::to_string(&deep).unwrap();
        let layers =
            r#""layers":[{"cell":"gru","units":4,"bidirectional":true},{"cell":"lstm","units":5}]"#;
        assert!(text.contains(layers), "{text}");
        assert_eq!(serde_json::from_str::<Shape>(&text).unwrap(), deep);
        for wrong in [
            r#"{"input":{"features":3}}"#,
            r#"{"input":{"features":3},"layers":[]}"#,
            r#"{"input":{"features":3},"units":2,"layers":[{"cell":"gru","units":4}]}"#,
        ] {
            assert!(serde_json::from_str::<Shape>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_direction_has_parameters_of_its_own_and_a_layer_reads_both_of_the_one_before() {
        let deep = shape(&[Recurrent::gru(4).both_ways(), Recurrent::lstm(5)]);
        let found: Vec<(String, Vec<usize>)> =
            deep.parameters().into_iter().map(|p| (p.path, p.dims)).collect();
        let expected: [(&str, &[usize]); 14] = [
            ("embedding.weight", &[7, 3]),
            ("gru.weight_ih", &[12, 3]),
            ("gru.weight_hh", &[12, 4]),
            ("gru.bias", &[12]),
            ("gru.recurrent_bias", &[12]),
            ("gru.reverse.weight_ih", &[12, 3]),
            ("gru.reverse.weight_hh", &[12, 4]),
            ("gru.reverse.bias", &[12]),
            ("gru.reverse.recurrent_bias", &[12]),
            ("lstm_1.weight_ih", &[20, 8]),
            ("lstm_1.weight_hh", &[20, 5]),
            ("lstm_1.bias", &[20]),
            ("dense.weight", &[1, 5]),
            ("dense.bias", &[1]),
        ];
        assert_eq!(found, expected.map(|(path, dims)| (path.to_owned(), dims.to_vec())));
        assert_eq!(deep.place(Layer::Recurrent { index: 0, reverse: true }, Role::Bias), 7);
    }
}
