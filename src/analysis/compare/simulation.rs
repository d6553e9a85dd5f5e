//! The decisions as they ship, on studies with known truth: how often they are wrong, how often they
//! come to an end, and whether as many seeds as are asked for are enough.
//!
//! ```text
//! wrong   an arm the margin or more behind the best is recommended, or the best arm is out
//! once    five or ten seeds, one look
//! until   `until: settled`: from five seeds on, looks after 5, 6, 7, ... seeds, arms that are out get no
//!         more; stopped by the cap
//! asked   five seeds and a look; then as many as are asked for, and a second one; and again
//! ```
//!
//! The short version is part of the tests; `cargo test --lib all_cells -- --ignored` writes all
//! cells, with more studies, to target/simulation.txt.

use crate::analysis::tests::{arm, results, run};
use crate::analysis::verdict::{Decision, decide};
use crate::analysis::{ArmResults, Looks, Results};
use crate::stats::tests::generator;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, StudentT};
use rayon::prelude::*;
use std::fs::File;
use std::io::Write;
use std::sync::Mutex;

/// In the unit of the score.
const MARGIN: f64 = 0.005;

/// How scores vary between seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Noise {
    Normal,
    /// t with three degrees of freedom.
    Heavy,
    /// Normal, counted in steps of half a point.
    Tied,
}

/// A study that can be given more seeds.
struct Simulated {
    truth: Vec<f64>,
    sd: f64,
    noise: Noise,
    study: Results,
}

impl Simulated {
    /// Arms with these true scores; `sd` is that of a paired difference, in margins. The last arm
    /// is the fastest.
    fn new(truth: &[f64], sd: f64, noise: Noise, looks: Looks) -> Self {
        let arms = truth
            .iter()
            .enumerate()
            .map(|(at, _)| ArmResults { name: format!("arm-{at}"), ..arm(32 << at, &[]) });
        let study = Results { looks, margin: MARGIN, ..results(arms.collect()) };
        Self { truth: truth.to_vec(), sd, noise, study }
    }

    /// Runs of the arms that are not out with this seed.
    fn add_seed(&mut self, seed: u64, out: &[String], rng: &mut ChaCha8Rng) {
        let common: f64 = StandardNormal.sample(rng);
        let heavy = StudentT::new(3.0).unwrap();
        let sd = self.sd * MARGIN / 2f64.sqrt();
        for (at, arm) in self.study.arms.iter_mut().enumerate() {
            let z: f64 = match self.noise {
                Noise::Normal | Noise::Tied => StandardNormal.sample(rng),
                Noise::Heavy => heavy.sample(rng) / 3f64.sqrt(),
            };
            if out.contains(&arm.name) {
                continue;
            }
            let value = 0.8 + MARGIN * self.truth[at] + 0.01 * common + sd * z;
            let value = match self.noise {
                Noise::Tied => (value / 0.005).round() * 0.005,
                _ => value,
            };
            let mut run = run(value);
            run.seconds = 10.0 - at as f64;
            arm.runs.insert(seed, run);
            arm.planned = arm.runs.len();
        }
    }

    /// Whether what was decided is wrong.
    fn is_wrong(&self, decision: &Decision) -> bool {
        let best = self.truth.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let of = |name: &String| -> f64 {
            self.study
                .arms
                .iter()
                .position(|arm| arm.name == *name)
                .map_or(best, |at| self.truth[at])
        };
        let recommended = decision.recommended.as_ref().filter(|_| decision.settled);
        let far = recommended.is_some_and(|name| of(name) <= best - 1.0 + 1e-9);
        // With equal arms each is the best.
        let alone = self.truth.iter().filter(|truth| **truth > best - 1e-9).count() == 1;
        let lost = decision.out.iter().any(|name| of(name) > best - 1e-9);
        far || (lost && alone)
    }
}

/// How a study came to its end.
struct End {
    settled: bool,
    wrong: bool,
    seeds: usize,
}

fn once(mut study: Simulated, seeds: u64, rng: &mut ChaCha8Rng) -> End {
    (0..seeds).for_each(|seed| study.add_seed(seed, &[], rng));
    let decision = decide(&study.study);
    End { settled: decision.settled, wrong: study.is_wrong(&decision), seeds: seeds as usize }
}

fn until_settled(mut study: Simulated, cap: u64, rng: &mut ChaCha8Rng) -> End {
    let mut out = Vec::new();
    let mut decision = None;
    for seed in 0..cap {
        study.add_seed(seed, &out, rng);
        if seed < 4 {
            continue;
        }
        let found = decide(&study.study);
        out.clone_from(&found.out);
        let settled = found.settled;
        decision = Some((found, seed as usize + 1));
        if settled {
            break;
        }
    }
    let (decision, seeds) = decision.unwrap();
    End { settled: decision.settled, wrong: study.is_wrong(&decision), seeds }
}

/// Takes the seeds that are asked for, as often as they are.
fn as_asked(mut study: Simulated, looks: usize, rng: &mut ChaCha8Rng) -> End {
    (0..5).for_each(|seed| study.add_seed(seed, &[], rng));
    let mut decision = decide(&study.study);
    for _ in 1..looks {
        let Some(more) = decision.more else { break };
        let seeds = decision.common_seeds as u64;
        (seeds..seeds + more.more as u64).for_each(|seed| study.add_seed(seed, &[], rng));
        study.study.looks = Looks::SeedsAdded;
        decision = decide(&study.study);
    }
    let (settled, seeds) = (decision.settled, decision.common_seeds);
    End { settled, wrong: study.is_wrong(&decision), seeds }
}

/// Shares of studies: wrong, settled; and the mean number of seeds.
fn shares(studies: usize, mut of: impl FnMut(&mut ChaCha8Rng) -> End) -> [f64; 3] {
    let mut rng = generator(41);
    let mut sums = [0.0; 3];
    for _ in 0..studies {
        let end = of(&mut rng);
        sums[0] += f64::from(u8::from(end.wrong));
        sums[1] += f64::from(u8::from(end.settled));
        sums[2] += end.seeds as f64;
    }
    sums.map(|sum| sum / studies as f64)
}

/// A share above this is more than 5 %, with 99.5 % confidence.
fn limit(studies: usize) -> f64 {
    0.05 + 2.58 * (0.05 * 0.95 / studies as f64).sqrt()
}

/// The best arm first and the others behind it by this, in margins.
fn behind(arms: usize, by: f64) -> Vec<f64> {
    let mut truth = vec![-by; arms];
    truth[0] = 0.0;
    truth
}

const PROCEDURES: [&str; 4] = ["once, 5 seeds", "once, 10 seeds", "until settled", "as asked"];

fn cell(procedure: usize, truth: &[f64], sd: f64, noise: Noise, studies: usize) -> [f64; 3] {
    let looks = if procedure == 2 { Looks::UntilSettled } else { Looks::Once };
    shares(studies, |rng| {
        let study = Simulated::new(truth, sd, noise, looks);
        match procedure {
            0 => once(study, 5, rng),
            1 => once(study, 10, rng),
            2 => until_settled(study, 40, rng),
            _ => as_asked(study, 4, rng),
        }
    })
}

#[test]
fn at_most_5_percent_of_studies_decide_wrongly_however_they_are_looked_at() {
    let studies = 200;
    for (procedure, name) in PROCEDURES.iter().enumerate() {
        for (arms, sd, noise) in [
            (2, 1.0, Noise::Normal),
            (3, 0.5, Noise::Normal),
            (3, 1.0, Noise::Tied),
            (6, 1.0, Noise::Heavy),
        ] {
            let [wrong, ..] = cell(procedure, &behind(arms, 1.0), sd, noise, studies);
            assert!(wrong <= limit(studies), "{name}, {arms} arms, sd {sd}, {noise:?}: {wrong}");
        }
    }
}

#[test]
fn a_true_difference_of_twice_the_margin_and_none_are_both_settled_by_a_study_that_goes_on() {
    let equal = cell(2, &[0.0, 0.0], 1.0, Noise::Normal, 200);
    assert!(equal[1] > 0.6 && equal[2] < 40.0, "{equal:?}");
    let far = cell(2, &behind(3, 2.0), 1.0, Noise::Normal, 200);
    assert!(far[1] > 0.97 && far[2] < 22.0, "{far:?}");
}

/// Two looks: the first after five seeds, the second with the number that it asks for.
fn settled_as_promised(arms: usize, sd: f64, studies: usize) -> [f64; 2] {
    let mut rng = generator(43);
    let (mut asked, mut settled) = (0usize, 0usize);
    for _ in 0..studies {
        let mut study = Simulated::new(&vec![0.0; arms], sd, Noise::Normal, Looks::Once);
        (0..5).for_each(|seed| study.add_seed(seed, &[], &mut rng));
        let Some(more) = decide(&study.study).more else { continue };
        (5..more.seeds as u64).for_each(|seed| study.add_seed(seed, &[], &mut rng));
        study.study.looks = Looks::SeedsAdded;
        asked += 1;
        settled += usize::from(decide(&study.study).settled);
    }
    [settled as f64 / asked.max(1) as f64, asked as f64 / studies as f64]
}

#[test]
fn as_many_seeds_as_are_asked_for_settle_80_of_100_studies_of_equal_arms() {
    for (arms, sd) in [(2, 1.2), (3, 1.0), (6, 0.8)] {
        let [settled, asked] = settled_as_promised(arms, sd, 200);
        assert!((0.72..=0.95).contains(&settled), "{arms} arms: {settled} of {asked}");
    }
}

/// All cells: arms, standard deviation, how far the others are behind in margins, noise, procedure.
fn cells() -> Vec<(usize, f64, f64, Noise, usize)> {
    let mut cells = Vec::new();
    for arms in [2, 3, 6] {
        for sd in [0.5, 1.0, 2.0] {
            for by in [0.0, 0.5, 1.0, 2.0] {
                for noise in [Noise::Normal, Noise::Heavy, Noise::Tied] {
                    cells.extend((0..PROCEDURES.len()).map(|which| (arms, sd, by, noise, which)));
                }
            }
        }
    }
    cells
}

#[test]
#[ignore = "all cells with 500 studies each take more than 45 minutes of one core"]
fn all_cells() {
    let studies = 500;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/simulation.txt");
    // Each line as soon as it is known.
    let file = Mutex::new(File::create(path).unwrap());
    let write = |line: String| writeln!(file.lock().unwrap(), "{line}").unwrap();
    let wrong = cells().into_par_iter().map(|(arms, sd, by, noise, which)| {
        let [wrong, settled, seeds] = cell(which, &behind(arms, by), sd, noise, studies);
        write(format!(
            "{arms} arms, sd {sd}, behind by {by}, {noise:?}, {}: wrong {wrong:.4}, settled {settled:.3}, \
             {seeds:.1} seeds",
            PROCEDURES[which]
        ));
        wrong
    });
    let worst = wrong.reduce(|| 0.0, f64::max);
    for (arms, sd) in [2, 3, 6].iter().flat_map(|arms| [0.5, 1.0, 2.0].map(|sd| (*arms, sd))) {
        let [settled, asked] = settled_as_promised(arms, sd, studies);
        write(format!(
            "{arms} arms, sd {sd}: asked in {asked:.3}, settled as asked in {settled:.3}"
        ));
    }
    assert!(worst <= limit(studies), "{worst}");
}

/// Stopping at any time is one of the looks: the bounds hold at all of them, so a stop changes nothing.
#[test]
fn a_stop_at_a_random_time_decides_wrongly_in_at_most_5_percent() {
    let studies = 200;
    let [wrong, ..] = shares(studies, |rng| {
        let cap = rng.random_range(5..40);
        let study = Simulated::new(&behind(3, 1.0), 0.5, Noise::Normal, Looks::UntilSettled);
        until_settled(study, cap, rng)
    });
    assert!(wrong <= limit(studies), "{wrong}");
}
