//! The Hessian of a loss, seen through its products with vectors.
//!
//! A product is the difference of two gradients, g being one in f64 (Pearlmutter 1994 has it exactly;
//! libtorch's LSTMs have no second derivative):
//!
//! ```text
//! H v = |v| (g(w + r u) - g(w - r u)) / (2 r),   u = v / |v|,   r = 1e-5 (1 + |w|)
//! ```
//!
//! The largest eigenvalue (not the largest in size: far from a minimum they differ) by Lanczos's
//! method with full reorthogonalisation, after Golub and Van Loan, "Matrix Computations", 10.1 and
//! 10.3; the trace by Hutchinson 1989: the mean of v'Hv over random signs v.

use crate::stats::summarise;
use anyhow::Result;
use rand::{Rng, RngExt};

/// A symmetric matrix by its products; `None` when a stop was asked for.
pub(super) type Product<'p> = dyn FnMut(&[f64]) -> Result<Option<Vec<f64>>> + 'p;

/// Gradients as a function of the weights; `None` when a stop was asked for.
pub(super) type Gradient<'g> = dyn FnMut(&[f64]) -> Result<Option<Vec<f64>>> + 'g;

/// H v at these weights.
pub(super) fn hessian_product(
    gradient: &mut Gradient<'_>,
    weights: &[f64],
    vector: &[f64],
) -> Result<Option<Vec<f64>>> {
    let length = norm(vector);
    if length <= 0.0 {
        return Ok(Some(vec![0.0; vector.len()]));
    }
    let step = 1e-5 * (1.0 + norm(weights));
    let mut beside = |sign: f64| gradient(&plus(weights, sign * step / length, vector));
    let (Some(ahead), Some(behind)) = (beside(1.0)?, beside(-1.0)?) else { return Ok(None) };
    let slope = |(ahead, behind): (&f64, &f64)| length * (ahead - behind) / (2.0 * step);
    Ok(Some(ahead.iter().zip(&behind).map(slope).collect()))
}

/// The largest eigenvalue of a symmetric matrix, from at most `steps` products; fewer when it has
/// settled to a part in ten thousand. `first` is where it begins: it must not be 0.
pub(super) fn top_eigenvalue(
    product: &mut Product<'_>,
    first: Vec<f64>,
    steps: usize,
) -> Result<Option<f64>> {
    const SETTLED: f64 = 1e-4;
    let (mut diagonal, mut beside): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut basis = vec![scaled(first)];
    let mut top = f64::NEG_INFINITY;
    while diagonal.len() < steps {
        let last = &basis[basis.len() - 1];
        let Some(mut next) = product(last)? else { return Ok(None) };
        diagonal.push(dot(&next, last));
        // Twice is enough (Parlett 1980, 6.9).
        for _ in 0..2 {
            for vector in &basis {
                let share = dot(&next, vector);
                add(&mut next, -share, vector);
            }
        }
        let before = top;
        top = top_of_tridiagonal(&diagonal, &beside);
        let rest = norm(&next);
        let size = top.abs().max(f64::MIN_POSITIVE);
        if rest <= 1e-9 * size || (top - before).abs() <= SETTLED * size {
            break;
        }
        beside.push(rest);
        basis.push(scaled(next));
    }
    Ok(Some(top))
}

/// The largest eigenvalue of the symmetric matrix with this diagonal and, beside it, these values:
/// halving an interval, with Sturm's count of eigenvalues below a number (Golub and Van Loan, 8.4).
fn top_of_tridiagonal(diagonal: &[f64], beside: &[f64]) -> f64 {
    let at = |index: Option<usize>| index.and_then(|i| beside.get(i)).map_or(0.0, |b| b.abs());
    let reach = |index: usize| at(index.checked_sub(1)) + at(Some(index));
    let ends = diagonal.iter().enumerate().map(|(index, a)| (a - reach(index), a + reach(index)));
    // Gershgorin's circles.
    let (mut low, mut high) = ends
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (a, b)| (low.min(a), high.max(b)));
    let all_below = |value: f64| {
        let mut pivot = 1.0;
        diagonal.iter().enumerate().all(|(index, a)| {
            let b = at(index.checked_sub(1));
            pivot = a - value - b * b / pivot;
            pivot < 0.0
        })
    };
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        match all_below(middle) {
            true => high = middle,
            false => low = middle,
        }
    }
    (low + high) / 2.0
}

/// A trace as far as random vectors tell it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trace {
    /// The mean over the vectors.
    pub(super) mean: f64,
    /// Its standard error.
    pub(super) se: f64,
}

/// The trace of a symmetric matrix of this size, from so many products.
pub(super) fn trace(
    product: &mut Product<'_>,
    size: usize,
    vectors: usize,
    rng: &mut impl Rng,
) -> Result<Option<Trace>> {
    let mut values = Vec::with_capacity(vectors);
    for _ in 0..vectors {
        let signs: Vec<f64> =
            (0..size).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 }).collect();
        let Some(image) = product(&signs)? else { return Ok(None) };
        values.push(dot(&signs, &image));
    }
    Ok(summarise(&values).map(|found| Trace {
        mean: found.mean,
        se: found.standard_error().unwrap_or(f64::INFINITY),
    }))
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

/// a + factor b
pub(super) fn plus(a: &[f64], factor: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + factor * b).collect()
}

fn add(into: &mut [f64], factor: f64, vector: &[f64]) {
    into.iter_mut().zip(vector).for_each(|(into, value)| *into += factor * value);
}

fn scaled(vector: Vec<f64>) -> Vec<f64> {
    let length = norm(&vector);
    vector.into_iter().map(|value| value / length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    /// A matrix with these eigenvalues and the eigenvectors of a reflection.
    fn product_of(eigenvalues: &[f64]) -> impl FnMut(&[f64]) -> Result<Option<Vec<f64>>> + '_ {
        let n = eigenvalues.len();
        let mirror: Vec<f64> = scaled((1..=n).map(|index| index as f64).collect());
        let reflect = move |vector: &[f64]| plus(vector, -2.0 * dot(&mirror, vector), &mirror);
        move |vector| {
            let inside = reflect(vector);
            let stretched: Vec<f64> =
                inside.iter().zip(eigenvalues).map(|(value, by)| value * by).collect();
            Ok(Some(reflect(&stretched)))
        }
    }

    fn any(n: usize) -> Vec<f64> {
        let mut rng = stream(0, Purpose::Probe, 9);
        (0..n).map(|_| rng.random::<f64>() - 0.5).collect()
    }

    #[test]
    fn the_largest_eigenvalue_is_found_and_not_the_largest_in_size() {
        let eigenvalues: Vec<f64> = (0..60).map(|index| -90.0 + index as f64 * 2.0).collect();
        let found = top_eigenvalue(&mut product_of(&eigenvalues), any(60), 60).unwrap().unwrap();
        assert!((found / 28.0 - 1.0).abs() < 1e-3, "{found}");
        let spiked = [vec![0.01; 99], vec![5.0]].concat();
        let found = top_eigenvalue(&mut product_of(&spiked), any(100), 20).unwrap().unwrap();
        assert!((found / 5.0 - 1.0).abs() < 1e-9, "{found}");
        let flat = top_eigenvalue(&mut product_of(&[0.0; 5]), any(5), 20).unwrap().unwrap();
        assert!(flat.abs() < 1e-200, "{flat}");
        let falling = top_eigenvalue(&mut product_of(&[-3.0, -2.0, -7.0]), any(3), 20).unwrap();
        assert!((falling.unwrap() + 2.0).abs() < 1e-6);
    }

    #[test]
    fn the_trace_lies_within_its_errors_and_is_exact_for_a_multiple_of_the_identity() {
        let eigenvalues: Vec<f64> = (0..200).map(|index| f64::from(index % 7) - 1.0).collect();
        let truth: f64 = eigenvalues.iter().sum();
        let mut rng = stream(0, Purpose::Probe, 1);
        let found = trace(&mut product_of(&eigenvalues), 200, 50, &mut rng).unwrap().unwrap();
        assert!(found.se > 0.0 && (found.mean - truth).abs() < 4.0 * found.se, "{found:?}");
        let same = trace(&mut product_of(&[2.0; 10]), 10, 3, &mut rng).unwrap().unwrap();
        assert!((same.mean - 20.0).abs() < 1e-12 && same.se < 1e-12, "{same:?}");
    }

    #[test]
    fn products_are_those_of_a_known_hessian() {
        // f = w0^4 + w0 w1 + 3 w1^2 + cos w2
        let mut gradient =
            |w: &[f64]| Ok(Some(vec![4.0 * w[0].powi(3) + w[1], w[0] + 6.0 * w[1], -w[2].sin()]));
        let w = [0.7, -0.2, 1.1];
        let hessian = [[12.0 * 0.49, 1.0, 0.0], [1.0, 6.0, 0.0], [0.0, 0.0, -(1.1f64.cos())]];
        let vector = [0.3, -2.0, 5.0];
        let found = hessian_product(&mut gradient, &w, &vector).unwrap().unwrap();
        for (found, row) in found.iter().zip(hessian) {
            assert!((found - dot(&row, &vector)).abs() < 1e-7, "{found}");
        }
        let none = hessian_product(&mut gradient, &w, &[0.0; 3]).unwrap().unwrap();
        assert_eq!(none, [0.0; 3]);
    }

    #[test]
    fn a_stop_ends_everything() {
        let mut stopped = |_: &[f64]| Ok(None);
        assert_eq!(top_eigenvalue(&mut stopped, vec![1.0], 3).unwrap(), None);
        assert_eq!(hessian_product(&mut stopped, &[1.0], &[1.0]).unwrap(), None);
        let mut rng = stream(0, Purpose::Probe, 1);
        assert!(trace(&mut stopped, 1, 3, &mut rng).unwrap().is_none());
    }
}
