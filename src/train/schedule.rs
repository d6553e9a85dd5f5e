//! Learning rate by step, as torch's schedulers give it.
//!
//! t counts epochs or steps from 0 at the end of the warm-up. During a warm-up of n epochs or steps
//! the rate is that of t = 0 times `start + (1 - start) * t / n` (torch's `LinearLR`, followed by
//! the schedule in a `SequentialLR`).

use super::training_length::TrainingLength;
use crate::config::{OneCycle, Per, Schedule, TrainSection, Warmup};
use std::f64::consts::PI;

/// The learning rate of a step, counted from 0. `plateau` is where [`Schedule::Plateau`] stands.
pub fn learning_rate(
    train: &TrainSection,
    length: &TrainingLength,
    step: u64,
    plateau: Option<f64>,
) -> f64 {
    let whole = length.steps_per_epoch().max(1);
    let begins = train.warmup.as_ref().map_or(0, |warmup| warmup_steps(warmup, length));
    if let Some(warmup) = train.warmup.as_ref().filter(|_| step < begins) {
        let share = match warmup.epochs {
            Some(epochs) => (step / whole) as f64 / epochs as f64,
            None => step as f64 / begins as f64,
        };
        let factor = warmup.start_factor + (1.0 - warmup.start_factor) * share;
        return factor * scheduled(train, length, 0, 0, begins, plateau);
    }
    let t = step - begins;
    scheduled(train, length, t, t / whole, begins, plateau)
}

/// How many steps a warm-up takes.
pub fn warmup_steps(warmup: &Warmup, length: &TrainingLength) -> u64 {
    match (warmup.epochs, warmup.steps, warmup.examples) {
        (Some(epochs), _, _) => epochs * length.steps_per_epoch(),
        (None, Some(steps), _) => steps,
        (None, None, examples) => length.steps_of(examples.unwrap_or_default()),
    }
}

/// The rate `step` steps and `epoch` epochs after the warm-up, which took `begins` steps.
fn scheduled(
    train: &TrainSection,
    length: &TrainingLength,
    step: u64,
    epoch: u64,
    begins: u64,
    plateau: Option<f64>,
) -> f64 {
    let lr = train.optimizer.lr();
    let t = |per: Per| match per {
        Per::Epoch => epoch,
        Per::Step => step,
    };
    let power = |gamma: f64, t: u64| gamma.powi(i32::try_from(t).unwrap_or(i32::MAX));
    match &train.schedule {
        Schedule::Constant => lr,
        Schedule::Exponential(settings) => lr * power(settings.gamma, t(settings.per)),
        Schedule::Step(settings) => lr * power(settings.gamma, t(settings.per) / settings.every),
        Schedule::Multistep(settings) => {
            let passed = settings.at.iter().filter(|at| **at <= t(settings.per)).count();
            lr * power(settings.gamma, passed as u64)
        }
        Schedule::Cosine(settings) => {
            let left = length.steps().saturating_sub(begins);
            let whole = match settings.per {
                Per::Epoch => left.div_ceil(length.steps_per_epoch().max(1)),
                Per::Step => left,
            };
            let share = t(settings.per) as f64 / settings.over.unwrap_or(whole).max(1) as f64;
            settings.min_lr + (lr - settings.min_lr) * (1.0 + (PI * share).cos()) / 2.0
        }
        Schedule::OneCycle(settings) => one_cycle(settings, lr, step, length.steps()),
        Schedule::Table(settings) => {
            let last = settings.lr.len() - 1;
            settings.lr[usize::try_from(t(settings.per)).unwrap_or(last).min(last)]
        }
        Schedule::Plateau(_) => plateau.unwrap_or(lr),
    }
}

/// torch's `OneCycleLR` with two phases and cosines.
fn one_cycle(settings: &OneCycle, peak: f64, step: u64, steps: u64) -> f64 {
    let first = peak / settings.div_factor;
    let last = first / settings.final_div_factor;
    let (step, top, end) = (step as f64, settings.rising * steps as f64 - 1.0, steps as f64 - 1.0);
    let (from, to, share) = match step <= top {
        true => (first, peak, step / top),
        false => (peak, last, (step - top) / (end - top)),
    };
    let share = if share.is_finite() { share } else { 1.0 };
    to + (from - to) / 2.0 * ((PI * share).cos() + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Arm, Cosine, Exponential, Multistep, StepDecay, Table};
    use crate::spec::{Adam, Optimizer};
    use serde::Deserialize;
    use serde_json::Value;

    #[derive(Deserialize)]
    struct Fixture {
        base_lr: f64,
        positions: u64,
        schedules: Vec<Case>,
    }

    /// One scheduler as torch ran it; `fixtures/torch_schedulers.py` says more.
    #[derive(Deserialize)]
    struct Case {
        name: String,
        scheduler: String,
        settings: Value,
        warmup: Option<Value>,
        learning_rates: Vec<f64>,
    }

    /// The case in our words; `None` for a form that there is not.
    fn schedule(case: &Case, per: Per) -> Option<Schedule> {
        let number = |key: &str| case.settings[key].as_f64().unwrap();
        let count = |key: &str| case.settings[key].as_u64().unwrap();
        Some(match case.scheduler.as_str() {
            "ExponentialLR" => Schedule::Exponential(Exponential { gamma: number("gamma"), per }),
            "StepLR" => {
                let (every, gamma) = (count("step_size"), number("gamma"));
                Schedule::Step(StepDecay { every, gamma, per })
            }
            "MultiStepLR" => {
                let at = serde_json::from_value(case.settings["milestones"].clone()).unwrap();
                Schedule::Multistep(Multistep { at, gamma: number("gamma"), per })
            }
            "CosineAnnealingLR" => {
                let (over, min_lr) = (Some(count("T_max")), number("eta_min"));
                Schedule::Cosine(Cosine { over, min_lr, per })
            }
            "OneCycleLR" if case.settings["anneal_strategy"] == "cos" => {
                Schedule::OneCycle(OneCycle {
                    rising: number("pct_start"),
                    div_factor: number("div_factor"),
                    final_div_factor: number("final_div_factor"),
                })
            }
            _ => return None,
        })
    }

    fn section(schedule: Schedule, lr: f64, epochs: u64) -> TrainSection {
        let optimizer = Optimizer::Adam(Adam { lr, ..Adam::default() });
        TrainSection { epochs: Some(epochs), optimizer, schedule, ..TrainSection::default() }
    }

    fn training_length(train: &TrainSection, batch_size: usize, rows: usize) -> TrainingLength {
        let (name, model) = (String::new(), Default::default());
        TrainingLength::new(&Arm { name, batch_size, model, train: train.clone() }, rows)
    }

    #[test]
    fn every_schedule_gives_the_rates_that_torch_gives() {
        let text = include_str!("../../tests/fixtures/torch_schedulers.json");
        let fixture: Fixture = serde_json::from_str(text).unwrap();
        let mut checked = 0;
        for (case, per) in
            fixture.schedules.iter().flat_map(|case| [(case, Per::Epoch), (case, Per::Step)])
        {
            let Some(schedule) = schedule(case, per) else { continue };
            let peak = case.settings["max_lr"].as_f64();
            let mut train = section(schedule, peak.unwrap_or(fixture.base_lr), fixture.positions);
            train.warmup = case.warmup.as_ref().map(|warmup| {
                let (length, start_factor) =
                    (warmup["total_iters"].as_u64(), warmup["start_factor"].as_f64());
                let (epochs, steps) = match per {
                    Per::Epoch => (length, None),
                    Per::Step => (None, length),
                };
                Warmup { epochs, steps, examples: None, start_factor: start_factor.unwrap() }
            });
            // One step an epoch, so that both units count the same.
            let length = training_length(&train, 4, 4);
            for (t, expected) in case.learning_rates.iter().enumerate() {
                let found = learning_rate(&train, &length, t as u64, None);
                let error = (found - expected).abs() / expected;
                assert!(error < 1e-10, "{} {per:?} at {t}: {found} for {expected}", case.name);
            }
            checked += 1;
        }
        assert_eq!(checked, 2 * (fixture.schedules.len() - 1), "all but the linear cycle");
    }

    #[test]
    fn the_seeds_schedule_is_a_thousandth_times_nine_tenths_to_the_epoch() {
        let exponential = Exponential { gamma: 0.9, per: Per::Epoch };
        let train = section(Schedule::Exponential(exponential), 1e-3, 10);
        let length = training_length(&train, 4, 10);
        for (step, expected) in [(0, 1e-3), (2, 1e-3), (3, 9e-4), (8, 8.1e-4), (29, 3.87420489e-4)]
        {
            let found = learning_rate(&train, &length, step, None);
            assert!((found - expected).abs() < 1e-15, "step {step}: {found}");
        }
    }

    #[test]
    fn a_table_holds_its_last_rate() {
        let table = Table { lr: vec![0.3, 0.2], per: Per::Epoch };
        let train = section(Schedule::Table(table), 1.0, 5);
        let length = training_length(&train, 4, 8);
        let rates: Vec<f64> = (0..6).map(|s| learning_rate(&train, &length, s, None)).collect();
        assert_eq!(rates, [0.3, 0.3, 0.2, 0.2, 0.2, 0.2]);
    }

    #[test]
    fn a_warm_up_in_examples_takes_as_many_rows_at_every_batch_size() {
        let mut train = section(Schedule::Constant, 1.0, 9);
        train.warmup = Some(Warmup { examples: Some(64), ..Warmup::default() });
        for (batch_size, steps) in [(8, 8), (32, 2), (100, 1)] {
            let length = training_length(&train, batch_size, 1000);
            let rate = |step| learning_rate(&train, &length, step, None);
            assert!(rate(steps - 1) < 1.0 && (rate(steps) - 1.0).abs() < 1e-15, "{batch_size}");
            assert!((rate(0) - 1.0 / 3.0).abs() < 1e-15);
        }
    }

    #[test]
    fn without_an_end_of_its_own_a_cosine_ends_with_the_run() {
        let cosine = Cosine { min_lr: 0.1, per: Per::Step, ..Cosine::default() };
        let train = section(Schedule::Cosine(cosine), 1.0, 10);
        let length = training_length(&train, 10, 100);
        let last = learning_rate(&train, &length, 99, None);
        assert!((0.1..0.101).contains(&last), "{last}");
    }
}
