//! How sharp a solution is: how fast the loss rises around its weights.
//!
//! f is the mean training loss of fixed rows, in f64, with nothing dropped and without penalties; g is
//! its gradient and H its Hessian at the weights w.
//!
//! ```text
//! top eigenvalue   of H                                                        [curvature]
//! trace            of H
//! ball             f(w + d) - f(w),  d = rho g / |g|,          rho = 0.05      Foret et al. 2021 (SAM)
//! adaptive         f(w + d) - f(w),  d = rho T^2 g / |T g|,    rho = 0.5       Kwon et al. 2021 (ASAM)
//!                  with T = diag |w|, so that rescaled weights of the same function are as sharp
//! box              100 (max f(w + d) - f(w)) / (1 + f(w)),  |d_i| <= 1e-3 (|w_i| + 1)
//!                  Keskar et al. 2017, whose L-BFGS-B is replaced by ascent along the gradient's signs
//! edge             (1 - b1) lr lambda / (2 + 2 b1),  lambda the top eigenvalue of D^1/2 H D^1/2,
//!                  D being Adam's factors: near 1 where curvature limits the steps
//!                  Cohen et al. 2022, "Adaptive gradient methods at the edge of stability"
//! ```
//!
//! The Hessian of cross-entropy goes to 0 as the loss does, whatever the batch size, so the loss
//! stands beside all of these.

use super::curvature::{
    Gradient, Product, Trace, dot, hessian_product, norm, plus, top_eigenvalue, trace,
};
use crate::config::SharpnessSection;
use crate::kernels::LossSurface;
use crate::rng::{Purpose, stream};
use anyhow::Result;
use rand::RngExt;
use serde::{Deserialize, Serialize};

const BALL: f64 = 0.05;
const ADAPTIVE_BALL: f64 = 0.5;
const BOX: f64 = 1e-3;
const BOX_STEPS: usize = 10;

/// What is in `sharpness.json`: the same bits whenever it is repeated on the same kind of machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SharpnessRecord {
    /// How it was measured.
    pub measured: SharpnessSection,
    /// Rows that were measured: fewer than asked for if there are no more.
    pub rows: usize,
    /// Their loss.
    pub loss: f64,
    /// Of the Hessian.
    pub top_eigenvalue: f64,
    /// Of the Hessian.
    pub trace: f64,
    /// Its standard error over the random vectors.
    pub trace_se: f64,
    /// The rise of the loss at the edge of a ball.
    pub ball: f64,
    /// The same where each weight moves in proportion to its size.
    pub adaptive: f64,
    /// The rise of the loss in a box, in percent of 1 + loss.
    pub keskar: f64,
    /// How near Adam is to the edge of stability; `None` for other optimizers.
    pub edge_of_stability: Option<f64>,
}

/// What Adam does with a gradient at the end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamStep {
    /// D, weight by weight.
    pub factors: Vec<f64>,
    /// Of the last step.
    pub learning_rate: f64,
    /// The decay of the mean of gradients.
    pub beta_1: f64,
}

/// Measures the solution with these weights. `None` when `stop` says so.
pub fn sharpness(
    surface: &LossSurface,
    weights: &[f64],
    adam: Option<&AdamStep>,
    section: &SharpnessSection,
    stop: &dyn Fn() -> bool,
) -> Result<Option<SharpnessRecord>> {
    let mut gradient = |weights: &[f64]| match stop() {
        true => Ok(None),
        false => surface.gradient(weights).map(|(_, gradient)| Some(gradient)),
    };
    let (loss, slope) = surface.gradient(weights)?;
    let rise = |weights: &[f64]| Ok::<f64, anyhow::Error>(surface.loss(weights)? - loss);
    let Some(highest) = in_box(&mut gradient, &rise, weights, &slope)? else { return Ok(None) };

    let mut product = |vector: &[f64]| hessian_product(&mut gradient, weights, vector);
    let steps = section.steps as usize;
    let Some(top) = top_eigenvalue(&mut product, direction(weights.len()), steps)? else {
        return Ok(None);
    };
    let mut signs = stream(0, Purpose::Probe, 2);
    let vectors = section.vectors as usize;
    let Some(Trace { mean, se }) = trace(&mut product, weights.len(), vectors, &mut signs)? else {
        return Ok(None);
    };
    let edge = match adam {
        None => None,
        Some(adam) => match edge_of_stability(&mut product, adam, steps)? {
            None => return Ok(None),
            Some(edge) => Some(edge),
        },
    };
    Ok(Some(SharpnessRecord {
        measured: *section,
        rows: surface.rows(),
        loss,
        top_eigenvalue: top,
        trace: mean,
        trace_se: se,
        ball: rise(&plus(weights, BALL / norm(&slope).max(f64::MIN_POSITIVE), &slope))?,
        adaptive: rise(&adaptive_step(weights, &slope))?,
        keskar: 100.0 * highest / (1.0 + loss),
        edge_of_stability: edge,
    }))
}

/// Where Lanczos's method begins, the same for all runs.
fn direction(size: usize) -> Vec<f64> {
    let mut rng = stream(0, Purpose::Probe, 1);
    (0..size).map(|_| rng.random::<f64>() - 0.5).collect()
}

fn adaptive_step(weights: &[f64], slope: &[f64]) -> Vec<f64> {
    let by_size: Vec<f64> = weights.iter().zip(slope).map(|(w, g)| w.abs() * g).collect();
    let length = norm(&by_size).max(f64::MIN_POSITIVE);
    let step = |(w, scaled): (&f64, &f64)| w + ADAPTIVE_BALL * w.abs() * scaled / length;
    weights.iter().zip(&by_size).map(step).collect()
}

/// The largest rise that steps along the gradient's signs find in the box: first into a corner, then
/// shorter and shorter ones.
fn in_box(
    gradient: &mut Gradient<'_>,
    rise: &dyn Fn(&[f64]) -> Result<f64>,
    weights: &[f64],
    slope: &[f64],
) -> Result<Option<f64>> {
    let bounds: Vec<f64> = weights.iter().map(|w| BOX * (w.abs() + 1.0)).collect();
    let (mut at, mut slope) = (weights.to_vec(), slope.to_vec());
    let mut highest: f64 = 0.0;
    for step in 0..BOX_STEPS {
        let share = 1.0 / (1.0 + step as f64);
        for (index, value) in at.iter_mut().enumerate() {
            let sign = if slope[index].abs() > 0.0 { slope[index].signum() } else { 0.0 };
            let (center, bound) = (weights[index], bounds[index]);
            *value = (*value + 2.0 * share * bound * sign).clamp(center - bound, center + bound);
        }
        highest = highest.max(rise(&at)?);
        match gradient(&at)? {
            None => return Ok(None),
            Some(found) => slope = found,
        }
    }
    Ok(Some(highest))
}

/// lambda of D^1/2 H D^1/2, as a share of the largest at which Adam's steps stay stable.
fn edge_of_stability(
    product: &mut Product<'_>,
    adam: &AdamStep,
    steps: usize,
) -> Result<Option<f64>> {
    let roots: Vec<f64> = adam.factors.iter().map(|factor| factor.sqrt()).collect();
    let scale = |vector: &[f64]| -> Vec<f64> {
        vector.iter().zip(&roots).map(|(value, root)| value * root).collect()
    };
    let mut scaled = |vector: &[f64]| Ok(product(&scale(vector))?.map(|image| scale(&image)));
    // A weight that Adam has not seen is no part of this.
    let mut first = direction(roots.len());
    first.iter_mut().zip(&roots).filter(|(_, root)| **root <= 0.0).for_each(|(v, _)| *v = 0.0);
    if dot(&first, &first) <= 0.0 {
        return Ok(Some(0.0));
    }
    let top = top_eigenvalue(&mut scaled, first, steps)?;
    let stable = (2.0 + 2.0 * adam.beta_1) / (1.0 - adam.beta_1);
    Ok(top.map(|top| adam.learning_rate * top / stable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{self, Device, Examples, Sequences};
    use crate::spec::{Input, Objective, Shape, Stack};

    /// Every measure from its definition, with the whole Hessian of a model of 14 weights.
    #[test]
    fn all_measures_are_those_of_their_definitions() {
        kernels::tests::start_libtorch_once();
        let shape = Shape { input: Input::Features(1), layers: Stack::lstm(1), outputs: 1 };
        let values: Vec<f32> = (0..60).map(|at| (1.3 * at as f32).sin()).collect();
        let labels: Vec<f32> = (0..20).map(|at| (at % 2) as f32).collect();
        let sequences = Sequences::Features { values: &values, steps: 3, features: 1 };
        let train = Examples { sequences, labels: &labels };
        let rows: Vec<u32> = (0..20).collect();
        let surface =
            LossSurface::new(Device::Cpu, shape, &train, &rows, &Objective::binary()).unwrap();
        let n = shape.parameter_count();
        let at: Vec<f64> = (0..n).map(|index| (0.9 * index as f64 + 0.4).cos()).collect();
        let (loss, slope) = surface.gradient(&at).unwrap();
        let hessian: Vec<Vec<f64>> =
            (0..n).map(|row| second_derivatives(&surface, &at, row)).collect();

        let factors: Vec<f64> = (0..n).map(|index| 0.5 + index as f64).collect();
        let adam = AdamStep { factors: factors.clone(), learning_rate: 0.02, beta_1: 0.8 };
        let section = SharpnessSection { rows: 20, steps: 14, vectors: 400 };
        let found = sharpness(&surface, &at, Some(&adam), &section, &|| false).unwrap().unwrap();
        assert!((found.loss - loss).abs() < 1e-14 && found.rows == 20);
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-3 * expected.abs(), "{found} for {expected}");
        };
        close(found.top_eigenvalue, top_of(&hessian));
        let trace: f64 = (0..n).map(|index| hessian[index][index]).sum();
        assert!((found.trace - trace).abs() < 4.0 * found.trace_se, "{found:?} for {trace}");
        let scaled = |row: usize| {
            let entry =
                |column: usize| (factors[row] * factors[column]).sqrt() * hessian[row][column];
            (0..n).map(entry).collect::<Vec<_>>()
        };
        // With b1 = 0.8 steps are stable up to 3.6 / 0.2 / lr.
        let top = top_of(&(0..n).map(scaled).collect::<Vec<_>>());
        close(found.edge_of_stability.unwrap(), 0.02 * top / 18.0);

        let moved = |by: &dyn Fn(usize) -> f64| {
            let weights: Vec<f64> = (0..n).map(|index| at[index] + by(index)).collect();
            surface.loss(&weights).unwrap() - loss
        };
        let length = slope.iter().map(|g| g * g).sum::<f64>().sqrt();
        close(found.ball, moved(&|index| 0.05 * slope[index] / length));
        let length = (0..n).map(|index| (at[index] * slope[index]).powi(2)).sum::<f64>().sqrt();
        close(found.adaptive, moved(&|index| 0.5 * at[index].powi(2) * slope[index] / length));
        let corner = moved(&|index| 1e-3 * (at[index].abs() + 1.0) * slope[index].signum());
        let box_rise = found.keskar * (1.0 + loss) / 100.0;
        assert!(box_rise >= corner * (1.0 - 1e-9), "{box_rise} is less than {corner}");
        // In so small a box the loss is all but linear, and the corner all but the highest.
        close(box_rise, corner);

        let plain = sharpness(&surface, &at, None, &section, &|| false).unwrap().unwrap();
        assert_eq!((plain.edge_of_stability, plain.top_eigenvalue), (None, found.top_eigenvalue));
        assert_eq!(sharpness(&surface, &at, None, &section, &|| true).unwrap(), None);
    }

    /// A row of the Hessian, from losses alone.
    fn second_derivatives(surface: &LossSurface, at: &[f64], row: usize) -> Vec<f64> {
        const H: f64 = 1e-3;
        let loss = |a: f64, column: usize, b: f64| {
            let mut weights = at.to_vec();
            weights[row] += a * H;
            weights[column] += b * H;
            surface.loss(&weights).unwrap()
        };
        let entry = |column: usize| {
            let [pp, pm, mp, mm] = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]
                .map(|[a, b]| loss(a, column, b));
            (pp - pm - mp + mm) / (4.0 * H * H)
        };
        (0..at.len()).map(entry).collect()
    }

    /// The largest eigenvalue by power iteration, shifted so that it is the largest in size too.
    fn top_of(matrix: &[Vec<f64>]) -> f64 {
        let shift: f64 = matrix.iter().flatten().map(|value| value.abs()).sum();
        let mut vector: Vec<f64> =
            (0..matrix.len()).map(|index| 1.0 + 0.1 * index as f64).collect();
        let mut length = 0.0;
        for _ in 0..20_000 {
            let image: Vec<f64> = matrix
                .iter()
                .zip(&vector)
                .map(|(row, value)| dot(row, &vector) + shift * value)
                .collect();
            length = norm(&image);
            vector = image.iter().map(|value| value / length).collect();
        }
        length - shift
    }
}
