//! The gradient noise scale of a run, with its weights as they are at one moment.
//!
//! A fixed part of the training rows is cut into tiles, each of which gives the gradient of its mean
//! loss; what follows from them is in [`crate::stats::gradient_noise`]. Nothing is dropped, and
//! penalties are left out: they have no noise. Rows count by their labels as in training.
//!
//! With Adam a step is not the gradient but D times (a mean of) it, so there is a second scale, of
//! D g instead of g:
//!
//! ```text
//! D = 1 / (sqrt(v / (1 - b2^t)) + epsilon)        with epsilon hat: epsilon / sqrt(1 - b2^t)
//! ```
//!
//! v being the second moment of the run's own optimizer, which has the noise of the run's own batch
//! size in it. A weight whose v is 0 has had no gradient yet (a token that did not occur): Adam does
//! not know its scale, and it is left out of the second one.

use super::rows::rows;
use crate::config::NoiseScaleSection;
use crate::kernels::{Arrays, Engine};
use crate::spec::UpdateRule;
use crate::stats::{GradientNoise, NoiseBlock, gradient_noise};
use crate::train::TrainingLength;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Rows of a tile; fewer where there would be fewer than [`BLOCKS`] tiles.
const TILE: usize = 32;
/// Blocks of tiles for the jackknife.
const BLOCKS: usize = 20;

/// One line of `noise.jsonl`: the same bits whenever it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NoiseLine {
    /// Epochs that are done; 0 before the first step.
    pub epochs: u64,
    /// Updates made so far.
    pub step: u64,
    /// Training rows seen so far.
    pub examples: u64,
    /// Rows that were measured.
    pub rows: usize,
    /// Of the gradient.
    pub plain: GradientNoise,
    /// Of the gradient as Adam scales it; `None` for other optimizers and before the first step.
    pub adam: Option<GradientNoise>,
}

/// After how many steps of a run it is measured: 0, and from a hundredth of the run's examples to all
/// of them at equal distances on a logarithmic scale, as far as they are different steps.
pub fn checkpoints(section: &NoiseScaleSection, length: &TrainingLength) -> BTreeSet<u64> {
    const SPAN: f64 = 100.0;
    let after_first = section.checkpoints.saturating_sub(1);
    // A single one stands at the end.
    let share = |index: u32| match after_first {
        1 => 1.0,
        _ => f64::from(index) / f64::from(after_first - 1),
    };
    let examples = |index: u32| length.examples() as f64 * SPAN.powf(share(index) - 1.0);
    let step = |index: u32| match index + 1 == after_first {
        true => length.steps(),
        false => length.steps_of(examples(index).ceil() as u64),
    };
    (0..after_first).map(step).chain([0]).collect()
}

/// Noise and gradient of `engine`'s weights on `n` training rows, or as many as the section says:
/// plain, and as Adam scales them. `None` when `stop` says so, and when there are fewer than two
/// rows. The state of the engine is the same afterwards.
pub fn noise(
    engine: &mut dyn Engine,
    optimizer: &UpdateRule,
    section: &NoiseScaleSection,
    n: usize,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Noise>> {
    let rows = rows(n, section.rows as usize);
    let state = engine.state()?;
    let factors = state.moments.get(1).and_then(|v| adam_factors(v, state.step, optimizer));
    let size = TILE.min((rows.len() / BLOCKS).max(1));
    let tiles: Vec<&[u32]> = rows.chunks(size).collect();
    let (mut plain, mut scaled) = (Vec::new(), Vec::new());
    for block in blocks(tiles.len()) {
        let tiles = &tiles[block];
        let mut found = NoiseBlock { tiles: tiles.len(), examples: 0.0, squares: 0.0, sum: vec![] };
        let mut squares_scaled = 0.0;
        for tile in tiles {
            if stop() {
                return Ok(None);
            }
            let gradient = engine.gradient(tile)?.concat();
            let examples = tile.len() as f64;
            found.examples += examples;
            found.squares += examples * squares(&gradient, None);
            if let Some(factors) = &factors {
                squares_scaled += examples * squares(&gradient, Some(factors));
            }
            add(&mut found.sum, &gradient, tile.len() as f32);
        }
        scaled.push(squares_scaled);
        plain.push(found);
    }
    let Some(of_plain) = gradient_noise(&plain, None) else { return Ok(None) };
    let adam = factors.and_then(|factors| {
        plain.iter_mut().zip(scaled).for_each(|(block, squares)| block.squares = squares);
        gradient_noise(&plain, Some(&factors))
    });
    Ok(Some(Noise { rows: rows.len(), plain: of_plain, adam }))
}

/// What [`noise`] found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Rows that were measured.
    pub rows: usize,
    /// Of the gradient.
    pub plain: GradientNoise,
    /// Of the gradient as Adam scales it.
    pub adam: Option<GradientNoise>,
}

/// Tiles in blocks of nearly the same size.
fn blocks(tiles: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let count = BLOCKS.min(tiles);
    (0..count).map(move |block| block * tiles / count..(block + 1) * tiles / count)
}

/// sum (factor g)^2
fn squares(gradient: &[f32], factors: Option<&[f64]>) -> f64 {
    let square = |(at, value): (usize, &f32)| {
        let factor = factors.map_or(1.0, |factors| factors[at]);
        (factor * f64::from(*value)).powi(2)
    };
    gradient.iter().enumerate().map(square).sum()
}

fn add(sum: &mut Vec<f32>, gradient: &[f32], times: f32) {
    sum.resize(gradient.len(), 0.0);
    sum.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += times * value);
}

/// D, weight by weight, from the second moment after so many steps; `None` for other optimizers and
/// before the first step. 0 for weights that have had no gradient.
pub fn adam_factors(second: &Arrays, step: u64, optimizer: &UpdateRule) -> Option<Vec<f64>> {
    let UpdateRule::Adam { beta_2, epsilon, epsilon_hat, .. } = *optimizer else { return None };
    if step == 0 {
        return None;
    }
    let correction = 1.0 - beta_2.powi(i32::try_from(step).unwrap_or(i32::MAX));
    let epsilon = if epsilon_hat { epsilon / correction.sqrt() } else { epsilon };
    let factor = |value: &f32| match *value > 0.0 {
        true => 1.0 / ((f64::from(*value) / correction).sqrt() + epsilon),
        false => 0.0,
    };
    Some(second.iter().flatten().map(factor).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, Study};
    use crate::kernels::{
        self, Device, EngineKind, Examples, Sequences, Settings, Split, Splits, State, Step,
    };
    use crate::model;
    use crate::spec::{Input, Objective, Shape, Stack};

    const SECTION: NoiseScaleSection = NoiseScaleSection { rows: 4096, checkpoints: 8 };
    const ADAM: UpdateRule = UpdateRule::Adam {
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        epsilon_hat: false,
        weight_decay: 0.0,
    };

    #[test]
    fn checkpoints_are_spread_over_a_run_and_include_its_beginning_and_its_end() {
        // Two epochs of 1,000 rows: after 20, 43.1, 92.8, 200, 430.9, 928.3 and 2,000 of them.
        let of = |batch_size: usize, count: u32| -> Vec<u64> {
            let text = format!(
                "study: {{ arms: [{{ batch_size: {batch_size} }}] }}\n\
                 data: {{ arrays: {{ path: a.npz }} }}\ntrain: {{ epochs: 2 }}\n"
            );
            let source = Source { name: "f".into(), text, overrides: vec![] };
            let study = Study::from_source(&source, "f").unwrap();
            let section = NoiseScaleSection { checkpoints: count, ..SECTION };
            let length = TrainingLength::new(&study.arms[0], 1000);
            checkpoints(&section, &length).into_iter().collect()
        };
        assert_eq!(of(1, 8), [0, 20, 44, 93, 200, 431, 929, 2000]);
        assert_eq!(of(32, 8), [0, 1, 2, 3, 7, 14, 30, 64]);
        // One step an epoch.
        assert_eq!(of(1000, 8), [0, 1, 2]);
        assert_eq!([of(1, 1), of(1, 2), of(1, 3)], [vec![0], vec![0, 2000], vec![0, 20, 2000]]);
    }

    /// Rows of tokens and of different lengths, in which token 1 and 2 tell the label.
    fn with_engine<T>(kind: EngineKind, test: impl FnOnce(&mut dyn Engine, &[f32]) -> T) -> T {
        kernels::tests::start_libtorch_once();
        let (mut tokens, mut offsets, mut labels) = (Vec::new(), vec![0u64], Vec::new());
        for row in 0..200i32 {
            labels.push((row % 2) as f32);
            tokens.extend((0..3 + row % 5).map(|at| 3 + (row * 7 + at * at) % 9));
            tokens.push(1 + row % 2);
            offsets.push(tokens.len() as u64);
        }
        let sequences = Sequences::Tokens { tokens: &tokens, offsets: &offsets };
        let examples = Examples { sequences, labels: &labels };
        let splits = Splits { train: examples, validation: examples, test: examples };
        let shape = Shape {
            input: Input::Tokens { vocabulary: 14, dim: 4 },
            layers: Stack::lstm(5),
            outputs: 1,
        };
        let place = Device::Cpu.into();
        let mut engine =
            kernels::engine(kind, place, shape, splits, Settings::plain(Objective::binary(), ADAM))
                .unwrap();
        engine.set_state(&State::new(model::keras(&shape, 1), &ADAM)).unwrap();
        test(engine.as_mut(), &labels)
    }

    fn step(engine: &mut dyn Engine, rows: std::ops::Range<u32>) {
        let rows: Vec<u32> = rows.collect();
        engine.train_step(&Step { rows: &rows, lr: 0.01, masks: None }).unwrap();
    }

    /// tr(Sigma) and |G|^2 from the definition, with the gradients of single rows.
    fn by_definition(engine: &mut dyn Engine, factors: Option<&[f64]>, n: u32) -> [f64; 2] {
        let gradients: Vec<Vec<f32>> =
            (0..n).map(|row| engine.gradient(&[row]).unwrap().concat()).collect();
        let n = f64::from(n);
        let (mut trace, mut square) = (0.0, 0.0);
        for at in 0..gradients[0].len() {
            let factor = factors.map_or(1.0, |factors| factors[at]);
            let values = || gradients.iter().map(|gradient| factor * f64::from(gradient[at]));
            let mean = values().sum::<f64>() / n;
            trace += values().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
            square += mean * mean;
        }
        [trace, square - trace / n]
    }

    #[test]
    fn noise_is_that_of_the_definition_with_both_engines_and_measuring_changes_no_training() {
        for kind in [EngineKind::Libtorch, EngineKind::Fused] {
            with_engine(kind, |engine, labels| {
                for first in [0, 50, 100] {
                    step(engine, first..first + 50);
                }
                let before = engine.state().unwrap();
                let never = || false;
                let found = noise(engine, &ADAM, &SECTION, labels.len(), &never).unwrap().unwrap();
                let again = noise(engine, &ADAM, &SECTION, labels.len(), &never).unwrap().unwrap();
                assert_eq!(found, again);
                assert_eq!(engine.state().unwrap(), before);
                let factors = adam_factors(&before.moments[1], before.step, &ADAM).unwrap();
                let adam = found.adam.unwrap();
                for (found, factors) in [(found.plain, None), (adam, Some(&factors[..]))] {
                    // Whatever the tiles, the square of the whole gradient is the same.
                    let [trace, square] = by_definition(engine, factors, 200);
                    let whole = square + trace / 200.0;
                    assert!((found.square + found.trace / 200.0 - whole).abs() < 1e-4 * whole);
                }
                // So few rows are tiles of one row each.
                let few = noise(engine, &ADAM, &SECTION, 30, &never).unwrap().unwrap();
                let adam = few.adam.unwrap();
                for (found, factors) in [(few.plain, None), (adam, Some(&factors[..]))] {
                    let [trace, square] = by_definition(engine, factors, 30);
                    assert!((found.trace / trace - 1.0).abs() < 1e-4, "{} {trace}", found.trace);
                    let scale = square.abs() + trace / 30.0;
                    assert!((found.square - square).abs() < 1e-4 * scale, "{found:?} {square}");
                }
            });
        }
    }

    #[test]
    fn engines_agree_and_a_stop_is_heard() {
        let [a, b] = [EngineKind::Libtorch, EngineKind::Fused].map(|kind| {
            with_engine(kind, |engine, labels| {
                assert_eq!(noise(engine, &ADAM, &SECTION, labels.len(), &|| true).unwrap(), None);
                noise(engine, &ADAM, &SECTION, labels.len(), &|| false).unwrap().unwrap()
            })
        });
        assert_eq!((a.rows, a.adam, b.adam), (200, None, None));
        assert!((a.plain.trace / b.plain.trace - 1.0).abs() < 1e-4, "{a:?} {b:?}");
        assert!((a.plain.square - b.plain.square).abs() < 1e-4 * a.plain.square.abs());
    }

    #[test]
    fn a_measurement_in_between_leaves_the_bits_of_what_follows() {
        let train = |measured: bool| {
            with_engine(EngineKind::Fused, |engine, labels| {
                for first in [0, 40, 80, 120] {
                    step(engine, first..first + 40);
                    if measured {
                        noise(engine, &ADAM, &SECTION, labels.len(), &|| false).unwrap();
                    }
                }
                let computed = engine.take_computed().unwrap();
                (engine.state().unwrap(), computed, engine.predict(Split::Test, &[0, 7]).unwrap())
            })
        };
        assert_eq!(train(true), train(false));
    }

    #[test]
    fn weights_that_adam_has_not_seen_do_not_count() {
        let second = vec![vec![0.0, 0.001 * 4.0, 0.001 * 0.25]];
        assert_eq!(adam_factors(&second, 0, &ADAM), None);
        let factors = adam_factors(&second, 1, &ADAM).unwrap();
        let expected = [0.0, 0.5, 2.0];
        for (found, expected) in factors.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{factors:?}");
        }
        let plain = UpdateRule::Sgd { momentum: 0.9, nesterov: false };
        assert_eq!(adam_factors(&second, 1, &plain), None);
    }
}
