use super::*;
use crate::analysis::Target;
use crate::analysis::tests::{arm, point, results};
use crate::stats::summarise;
use crate::stats::tests::{generator, near, normals};
use rand_chacha::ChaCha8Rng;

const RATES: [f64; 7] = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];

/// Accuracy falls by 0.01 for each factor e^2 from lr* = 1e-3 (B / 16)^s, with a seed's own noise
/// in all trials and some in each.
fn planted(exponent: f64, noise: f64, rng: &mut ChaCha8Rng) -> Results {
    let common = normals(rng, 5, 0.0, 0.02);
    let tuning = |size: usize| {
        let optimum = 1e-3 * (size as f64 / 16.0).powf(exponent);
        let mut trial = |rate: &f64| {
            let own = normals(rng, 5, 0.0, noise);
            let mean = 0.9 - 0.01 * ((rate / optimum).ln() / 2.0).powi(2);
            let validation = common.iter().zip(own).map(|(a, b)| mean + a + b).collect();
            Trial { learning_rate: *rate, validation, ..Trial::default() }
        };
        let trials: Vec<Trial> = RATES.iter().map(&mut trial).collect();
        let (arm, chosen) = (format!("batch-{size}"), 1e-3);
        Tuning { arm, batch_size: size, trials, chosen, edge: None }
    };
    let tunings = [16, 64, 256, 1024].map(tuning).to_vec();
    Results { tunings, ..results(Vec::new()) }
}

#[test]
fn without_noise_the_planted_optimum_and_exponent_are_found() {
    for exponent in [0.0, 0.5, 0.9] {
        let study = planted(exponent, 0.0, &mut generator(1));
        let found = rates(&study, &mut generator(2)).unwrap();
        let line = found.scaling.unwrap();
        near(line.exponent, exponent, 1e-6);
        near(line.rate(64.0), 1e-3 * 4f64.powf(exponent), 1e-9);
        for size in &found.sizes {
            let true_one = 1e-3 * (size.batch_size as f64 / 16.0).powf(exponent);
            near(size.optimum / true_one, 1.0, 1e-6);
        }
    }
}

#[test]
fn the_interval_holds_the_true_exponent_in_most_studies() {
    let mut rng = generator(3);
    let (mut covered, mut width, mut found_in) = (0, 0.0, Vec::new());
    for _ in 0..100 {
        let found = rates(&planted(0.5, 0.001, &mut rng), &mut rng).unwrap().scaling.unwrap();
        let interval = found.interval.unwrap();
        covered += usize::from(interval.contains(0.5));
        width += (interval.high - interval.low) / 100.0;
        found_in.push(found.exponent);
    }
    assert!(covered >= 90, "{covered} of 100");
    let needed = 4.0 * summarise(&found_in).unwrap().sd.unwrap();
    assert!(width < 2.0 * needed, "{width} where {needed} would do");
}

#[test]
fn the_good_range_is_what_comes_within_the_margin() {
    let study = planted(0.0, 0.0, &mut generator(4));
    let first = &rates(&study, &mut generator(5)).unwrap().sizes[0];
    // 0.005 lower at a factor of e^(2 sqrt(0.5)) = 4.1 to both sides.
    near(first.good[0], 3e-4, 1e-12);
    near(first.good[1], 3e-3, 1e-12);
    assert_eq!(first.edge, None);
}

#[test]
fn a_best_rate_at_the_end_is_flagged_and_left_out_of_the_line() {
    let mut study = planted(0.5, 0.0, &mut generator(6));
    study.tunings.truncate(3);
    study.tunings[2].trials.truncate(3);
    let found = rates(&study, &mut generator(7)).unwrap();
    assert_eq!(found.sizes[2].edge, Some(Edge::Highest));
    assert_eq!(found.no_scaling, Some(NoScaling::BatchSizes(2)));
    // When the next one diverged the end is no end.
    study.tunings[2].trials.push(Trial { learning_rate: 3e-3, diverged: 1, ..Trial::default() });
    let found = rates(&study, &mut generator(7)).unwrap();
    assert_eq!((found.sizes[2].edge, &found.sizes[2].diverged[..]), (None, &[3e-3][..]));
}

#[test]
fn a_grid_is_read_as_trials_and_one_rate_alone_is_none() {
    let with = |size: usize, rate: f64, accuracy: f64| ArmResults {
        learning_rate: rate,
        ..arm(size, &[accuracy, accuracy + 0.01])
    };
    let grid = |size| [with(size, 1e-3, 0.8), with(size, 1e-2, 0.85), with(size, 1e-1, 0.8)];
    let study = results([16, 64, 256].map(grid).concat());
    let found = rates(&study, &mut generator(8)).unwrap();
    near(found.scaling.unwrap().exponent, 0.0, 1e-9);
    near(found.sizes[1].optimum, 1e-2, 1e-9);
    let plain = results(vec![arm(32, &[0.8, 0.8]), arm(64, &[0.8, 0.8])]);
    assert_eq!(rates(&plain, &mut generator(9)), None);
}

#[test]
fn in_a_grid_whose_runs_end_at_a_target_the_fewest_steps_tell_which_rate_suits() {
    let with = |size: usize, rate: f64, steps: Option<u64>| {
        let mut arm = ArmResults { learning_rate: rate, ..arm(size, &[0.7, 0.9]) };
        for run in arm.runs.values_mut() {
            let last = steps.map_or(point(900, 0.65), |steps| point(steps, 0.7));
            run.curve = vec![point(1, 0.5), last];
        }
        arm
    };
    let grid = |(size, best): (usize, usize)| {
        let rates = [1e-3, 2e-3, 4e-3, 8e-3];
        let steps = [110, 100, 115, 130];
        let at = |place: usize| (place + 1).checked_sub(best).and_then(|at| steps.get(at).copied());
        (0..4).map(|place| with(size, rates[place], at(place))).collect::<Vec<_>>()
    };
    let study = Results {
        declared_target: Some(Target::of_accuracy(0.7)),
        ..results([(16, 1), (64, 2)].map(grid).concat())
    };
    let found = rates(&study, &mut generator(10)).unwrap();
    assert!(found.is_to_target());
    let best: Vec<f64> = found.sizes.iter().map(|size| size.best).collect();
    assert_eq!(best, [2e-3, 4e-3]);
    // Within 1.2 times the steps; the rate below of the second never got there.
    near(found.sizes[0].good[0], 1e-3, 1e-12);
    near(found.sizes[0].good[1], 4e-3, 1e-12);
    assert_eq!(found.sizes[1].edge, None);
}
