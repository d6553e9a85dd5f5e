//! Whether intervals on the test split cover the truth where the score is no mean of its rows: F1 and RMSE of
//! simulated runs whose truth is known.
//!
//! ```text
//! F1     z = 0.5 (2 y - 1) + v + u + e, taken for positive above 0; y = 1 for 40 % of the rows
//! RMSE   error = v + 0.8 u + 0.6 e
//!
//! v = +-0.1 of the seed, u of the row, e of both
//! ```
//!
//! u and e lie between -1 and 1, all values alike, so that u + e has the distribution function
//! `(2 + x)^2 / 8` below 0 and `1 - (2 - x)^2 / 8` above.

use super::super::tests::{results, run};
use crate::analysis::{Results, RunResults, Split};
use crate::spec::{Metric, Rows};
use crate::stats::tests::generator;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 150;
const SEEDS: usize = 5;
const STUDIES: usize = 400;
const OF_SEED: f64 = 0.1;
const POSITIVE: f64 = 0.4;

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    2.0 * rng.random::<f64>() - 1.0
}

/// Runs of a study whose arms differ in nothing, seed by seed.
fn study(metric: Metric, arms: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<RunResults>> {
    let of_row: Vec<f64> = (0..ROWS).map(|_| uniform(rng)).collect();
    let is_positive: Vec<bool> = (0..ROWS).map(|_| rng.random::<f64>() < POSITIVE).collect();
    let mut of_seed = |_| {
        let v = if rng.random::<f64>() < 0.5 { OF_SEED } else { -OF_SEED };
        (0..arms).map(|_| one_run(metric, v, &of_row, &is_positive, rng)).collect()
    };
    (0..SEEDS).map(&mut of_seed).collect()
}

fn one_run(
    metric: Metric,
    v: f64,
    of_row: &[f64],
    is_positive: &[bool],
    rng: &mut ChaCha8Rng,
) -> RunResults {
    let mut outputs = Vec::new();
    let mut targets = Vec::new();
    for (u, positive) in of_row.iter().zip(is_positive) {
        let e = uniform(rng);
        let (output, target) = match metric {
            Metric::F1 if *positive => (0.5 + v + u + e, 1.0),
            Metric::F1 => (-0.5 + v + u + e, 0.0),
            _ => (v + 0.8 * u + 0.6 * e, 0.0),
        };
        outputs.push(output as f32);
        targets.push(target);
    }
    let (info, rows) = (metric.info(), Rows::new(&outputs, 1, &targets));
    let values = info.row_values(&rows).unwrap();
    RunResults {
        test: info.of(&rows).map(|score| info.turned(score)),
        rows: values.into_iter().map(|value| info.turned(value) as f32).collect(),
        ..run(0.8)
    }
}

/// Turned, of new seeds and new rows.
fn truth(metric: Metric) -> f64 {
    let below = |x: f64| match x < 0.0 {
        true => (2.0 + x).powi(2) / 8.0,
        false => 1.0 - (2.0 - x).powi(2) / 8.0,
    };
    let f1 = |v: f64| {
        let (hits, false_alarms) = (POSITIVE * below(0.5 + v), (1.0 - POSITIVE) * below(v - 0.5));
        2.0 * hits / (POSITIVE + hits + false_alarms)
    };
    match metric {
        Metric::F1 => (f1(OF_SEED) + f1(-OF_SEED)) / 2.0,
        _ => -(OF_SEED.powi(2) + (0.64 + 0.36) / 3.0).sqrt(),
    }
}

#[test]
fn intervals_of_f1_and_rmse_cover_the_truth_of_other_seeds_and_rows() {
    for metric in [Metric::F1, Metric::Rmse] {
        let mut rng = generator(3);
        let of = Results { score: metric.info(), ..results(Vec::new()) };
        let (mut covered, mut alone) = (0, 0);
        for _ in 0..STUDIES {
            let runs = study(metric, 1, &mut rng);
            let sums: Vec<_> = runs.iter().map(|arms| [(1.0, &arms[0])]).collect();
            let found = of.estimate(Split::Test, &sums).unwrap();
            covered += usize::from(found.interval.unwrap().contains(truth(metric)));
            let of_seeds = found.summary.over_seeds().interval(0.95).unwrap();
            alone += usize::from(of_seeds.contains(truth(metric)));
        }
        assert!((370..=395).contains(&covered), "{metric:?}: {covered}");
        assert!(alone < 350, "{metric:?}: {alone}");
    }
}

#[test]
fn arms_that_differ_in_nothing_are_seldom_told_apart_by_f1_or_rmse() {
    for metric in [Metric::F1, Metric::Rmse] {
        let mut rng = generator(5);
        let of = Results { score: metric.info(), ..results(Vec::new()) };
        let mut rejected = 0;
        for _ in 0..STUDIES {
            let runs = study(metric, 2, &mut rng);
            let sums: Vec<_> =
                runs.iter().map(|arms| [(1.0, &arms[0]), (-1.0, &arms[1])]).collect();
            let found = of.estimate(Split::Test, &sums).unwrap();
            rejected += usize::from(!found.interval.unwrap().contains(0.0));
        }
        assert!((3..=32).contains(&rejected), "{metric:?}: {rejected}");
    }
}
