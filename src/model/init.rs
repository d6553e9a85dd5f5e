//! First weights as Keras draws them, and as torch does.
//!
//! ```text
//!                    Keras
//! embedding.weight   uniform in +-0.05
//! *.weight_ih        Glorot uniform over the whole [F, G H]: +-sqrt(6 / (F + G H))
//! *.weight_hh        orthogonal over the whole [H, G H]: its H rows are orthonormal
//! *.bias             0, and 1 for the forget gate of an LSTM
//! *.recurrent_bias   0
//! dense.weight       Glorot uniform over [H, K]
//! dense.bias         0
//!                    torch
//! embedding.weight   normal, mean 0 and variance 1
//! *.weight_ih        uniform in +-1/sqrt(H), as all of a recurrent layer
//! lstm.bias          the sum of two such values: torch has two bias vectors; a GRU's stay two
//! dense.*            uniform in +-1/sqrt of its inputs
//! ```
//!
//! G is 4 for an LSTM and 3 for a GRU. Sources: `keras/src/layers/rnn/{lstm,gru,bidirectional}.py`, `keras/src/initializers/random_initializers.py`;
//! `torch/nn/modules/{rnn,linear,sparse}.py`. Each array is drawn in the order of
//! [`Shape::parameters`] from one stream of the seed.

use crate::kernels::Arrays;
use crate::rng::{Purpose, stream};
use crate::spec::{Cell, Layer, Param, Role, Shape};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// First weights as Keras draws them.
pub fn keras(shape: &Shape, seed: u64) -> Arrays {
    let mut rng = stream(seed, Purpose::Initialisation, 0);
    let parameters = shape.parameters();
    parameters.iter().map(|parameter| array(shape, parameter, &mut rng)).collect()
}

/// First weights as torch draws them.
pub fn torch(shape: &Shape, seed: u64) -> Arrays {
    let mut rng = stream(seed, Purpose::Initialisation, 0);
    let array = |parameter: Param| {
        let count = parameter.count();
        let width = match parameter.layer {
            Layer::Recurrent { index, .. } => shape.layers[index].units,
            Layer::Embedding | Layer::Dense => shape.state_width(),
        };
        let limit = 1.0 / (width as f64).sqrt();
        match (parameter.layer, parameter.role) {
            (Layer::Embedding, _) => {
                (0..count).map(|_| rng.sample::<f32, _>(StandardNormal)).collect()
            }
            (Layer::Recurrent { index, .. }, Role::Bias)
                if shape.layers[index].cell == Cell::Lstm =>
            {
                let (first, second) =
                    (uniform(count, limit, &mut rng), uniform(count, limit, &mut rng));
                first.iter().zip(second).map(|(a, b)| a + b).collect()
            }
            _ => uniform(count, limit, &mut rng),
        }
    };
    shape.parameters().into_iter().map(array).collect()
}

fn array(shape: &Shape, parameter: &Param, rng: &mut impl Rng) -> Vec<f32> {
    let (count, dims) = (parameter.count(), &parameter.dims);
    match (parameter.layer, parameter.role) {
        (_, Role::Embedding) => uniform(count, 0.05, rng),
        (_, Role::Kernel) => uniform(count, (6.0 / (dims[0] + dims[1]) as f64).sqrt(), rng),
        (_, Role::Recurrent) => orthonormal_columns(dims[0], dims[1], rng),
        (Layer::Recurrent { index, .. }, Role::Bias) if shape.layers[index].cell == Cell::Lstm => {
            let units = count / 4;
            (0..count).map(|at| f32::from(u8::from(at / units == 1))).collect()
        }
        (_, Role::Bias | Role::RecurrentBias) => vec![0.0; count],
    }
}

/// `count` values, uniform in [-limit, limit).
fn uniform(count: usize, limit: f64, rng: &mut impl Rng) -> Vec<f32> {
    (0..count).map(|_| ((2.0 * rng.random::<f64>() - 1.0) * limit) as f32).collect()
}

/// A matrix `[rows, columns]`, rows >= columns, with orthonormal columns, uniform among all such:
/// the Q of a normal matrix whose R has a positive diagonal. Gram-Schmidt in f64, each column
/// orthogonalised twice, which leaves errors of the order of rounding.
fn orthonormal_columns(rows: usize, columns: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(columns);
    for _ in 0..columns {
        let mut column: Vec<f64> = (0..rows).map(|_| rng.sample(StandardNormal)).collect();
        for other in basis.iter().chain(&basis) {
            let along = dot(&column, other);
            column.iter_mut().zip(other).for_each(|(value, unit)| *value -= along * unit);
        }
        let norm = dot(&column, &column).sqrt();
        column.iter_mut().for_each(|value| *value /= norm);
        basis.push(column);
    }
    let at = |index: usize| basis[index % columns][index / columns] as f32;
    (0..rows * columns).map(at).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Input, Recurrent, Stack};

    const SHAPE: Shape = Shape {
        input: Input::Tokens { vocabulary: 50, dim: 8 },
        layers: Stack::lstm(6),
        outputs: 1,
    };

    #[test]
    fn recurrent_weights_have_orthonormal_rows_in_keras_layout() {
        let weights = &keras(&SHAPE, 1)[2];
        let column =
            |c: usize| -> Vec<f64> { (0..24).map(|r| f64::from(weights[r * 6 + c])).collect() };
        for a in 0..6 {
            for b in 0..6 {
                let expected = if a == b { 1.0 } else { 0.0 };
                let found = dot(&column(a), &column(b));
                assert!((found - expected).abs() < 1e-6, "columns {a} and {b}: {found}");
            }
        }
    }

    #[test]
    fn uniform_weights_fill_the_range_that_keras_gives_them() {
        let weights = keras(&SHAPE, 1);
        for (index, limit) in [(0, 0.05), (1, (6.0f32 / (8.0 + 24.0)).sqrt())] {
            let largest = weights[index].iter().fold(0f32, |max, value| max.max(value.abs()));
            assert!(largest <= limit && largest > 0.9 * limit, "array {index}: {largest}");
            let mean = weights[index].iter().sum::<f32>() / weights[index].len() as f32;
            assert!(mean.abs() < 0.2 * limit, "array {index}: mean {mean}");
        }
    }

    #[test]
    fn only_the_forget_gates_have_a_bias_at_first() {
        let bias = &keras(&SHAPE, 1)[3];
        let expected: Vec<f32> = [[0.0; 6], [1.0; 6], [0.0; 6], [0.0; 6]].concat();
        assert_eq!(bias, &expected);
    }

    #[test]
    fn each_layer_and_direction_is_drawn_as_its_own_sizes_say() {
        let layers = [Recurrent::gru(6).both_ways(), Recurrent::lstm(4)];
        let shape = Shape { layers: Stack::new(&layers).unwrap(), ..SHAPE };
        let by_path = |weights: Arrays| -> std::collections::BTreeMap<String, Vec<f32>> {
            shape.parameters().into_iter().map(|p| p.path).zip(weights).collect()
        };
        let largest = |array: &[f32]| array.iter().fold(0f32, |max, value| max.max(value.abs()));
        let drawn = by_path(keras(&shape, 1));
        for (path, limit) in [
            ("gru.weight_ih", (6.0f32 / (8.0 + 18.0)).sqrt()),
            ("gru.reverse.weight_ih", (6.0f32 / (8.0 + 18.0)).sqrt()),
            ("lstm_1.weight_ih", (6.0f32 / (12.0 + 16.0)).sqrt()),
        ] {
            let largest = largest(&drawn[path]);
            assert!(largest <= limit && largest > 0.9 * limit, "{path}: {largest}");
        }
        assert_ne!(drawn["gru.weight_hh"], drawn["gru.reverse.weight_hh"]);
        assert_eq!(drawn["gru.bias"], [0.0; 18]);
        assert_eq!(drawn["gru.recurrent_bias"], [0.0; 18]);
        assert_eq!(drawn["lstm_1.bias"][4..8], [1.0; 4]);
        let drawn = by_path(torch(&shape, 1));
        for path in ["gru.weight_hh", "gru.bias", "gru.reverse.recurrent_bias"] {
            let largest = largest(&drawn[path]);
            assert!(largest <= 1.0 / 6f32.sqrt() && largest > 0.3, "{path}: {largest}");
        }
        assert!(largest(&drawn["dense.weight"]) <= 0.5);
        assert!(largest(&drawn["lstm_1.bias"]) > 0.5, "two values are summed");
    }

    #[test]
    fn a_seed_has_its_own_weights_and_always_the_same() {
        assert_eq!(keras(&SHAPE, 1), keras(&SHAPE, 1));
        assert_ne!(keras(&SHAPE, 1), keras(&SHAPE, 2));
    }
}
