//! First weights as Keras draws them, and as torch does.
//!
//! ```text
//!                    Keras
//! embedding.weight   uniform in +-0.05
//! lstm.weight_ih     Glorot uniform over the whole [F, 4H]: +-sqrt(6 / (F + 4H))
//! lstm.weight_hh     orthogonal over the whole [H, 4H]: its H rows are orthonormal
//! lstm.bias          0, and 1 for the forget gate
//! dense.weight       Glorot uniform over [H, K]
//! dense.bias         0
//!                    torch
//! embedding.weight   normal, mean 0 and variance 1
//! lstm.weight_ih     uniform in +-1/sqrt(H), as all of the LSTM and the dense layer
//! lstm.bias          the sum of two such values: torch has two bias vectors
//! ```
//!
//! Sources: `keras/src/layers/rnn/lstm.py`, `keras/src/initializers/random_initializers.py`;
//! `torch/nn/modules/{rnn,linear,sparse}.py`. Each array is drawn in the order of
//! [`Shape::parameters`] from one stream of the seed.

use crate::kernels::Arrays;
use crate::rng::{Purpose, stream};
use crate::spec::{Layer, Param, Role, Shape};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// First weights as Keras draws them.
pub fn keras(shape: &Shape, seed: u64) -> Arrays {
    let mut rng = stream(seed, Purpose::Initialisation, 0);
    let parameters = shape.parameters();
    parameters.iter().map(|parameter| array(parameter, &mut rng)).collect()
}

/// First weights as torch draws them.
pub fn torch(shape: &Shape, seed: u64) -> Arrays {
    let mut rng = stream(seed, Purpose::Initialisation, 0);
    let limit = 1.0 / (shape.units as f64).sqrt();
    let array = |parameter: Param| {
        let count = parameter.count();
        match (parameter.layer, parameter.role) {
            (Layer::Embedding, _) => {
                (0..count).map(|_| rng.sample::<f32, _>(StandardNormal)).collect()
            }
            (Layer::Lstm, Role::Bias) => {
                let (first, second) =
                    (uniform(count, limit, &mut rng), uniform(count, limit, &mut rng));
                first.iter().zip(second).map(|(a, b)| a + b).collect()
            }
            _ => uniform(count, limit, &mut rng),
        }
    };
    shape.parameters().into_iter().map(array).collect()
}

fn array(parameter: &Param, rng: &mut impl Rng) -> Vec<f32> {
    let (count, dims) = (parameter.count(), &parameter.dims);
    match (parameter.layer, parameter.role) {
        (_, Role::Embedding) => uniform(count, 0.05, rng),
        (_, Role::Kernel) => uniform(count, (6.0 / (dims[0] + dims[1]) as f64).sqrt(), rng),
        (_, Role::Recurrent) => orthonormal_columns(dims[0], dims[1], rng),
        (Layer::Lstm, Role::Bias) => {
            let units = count / 4;
            (0..count).map(|at| f32::from(u8::from(at / units == 1))).collect()
        }
        (_, Role::Bias) => vec![0.0; count],
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
    use crate::spec::Input;

    const SHAPE: Shape =
        Shape { input: Input::Tokens { vocabulary: 50, dim: 8 }, units: 6, outputs: 1 };

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
    fn a_seed_has_its_own_weights_and_always_the_same() {
        assert_eq!(keras(&SHAPE, 1), keras(&SHAPE, 1));
        assert_ne!(keras(&SHAPE, 1), keras(&SHAPE, 2));
    }
}
