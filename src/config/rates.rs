//! `study.learning_rate`: how the learning rate of an arm follows from its batch size.
//!
//! With k = batch size / base, and lr the optimizer's rate, which holds at the batch size `base`:
//!
//! ```text
//! linear   lr * k                                  Goyal et al. 2017, arXiv:1706.02677, for SGD
//! sqrt     lr * sqrt(k)                            Malladi et al. 2022, arXiv:2205.10287, for Adam
//!          with betas: 1 - beta -> k (1 - beta), epsilon -> epsilon / sqrt(k)
//! tuned    the best of several on the validation split, found by `study::drive`: the most accurate, or
//!          the one with the fewest steps to the target at which runs end
//! ```

use super::TrainSection;
use super::rules::{Violation, broken};
use crate::spec::Optimizer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rules for learning rates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LearningRate {
    /// The optimizer's rate at every batch size.
    #[default]
    Given,
    /// The optimizer's rate at the batch size `base`, and in proportion to the batch size.
    Linear(Linear),
    /// The optimizer's rate at the batch size `base`, and in proportion to the root of the batch
    /// size.
    Sqrt(Sqrt),
    /// The best of several for each arm, with runs of their own: by their mean validation accuracy, or by
    /// their steps to the target of `train.stop_at`.
    Tuned(Tuned),
}

impl LearningRate {
    pub(super) fn is_given(&self) -> bool {
        *self == Self::Given
    }
}

/// `learning_rate.linear`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// The batch size at which the optimizer's rate holds.
    pub base: u32,
}

/// `learning_rate.sqrt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sqrt {
    /// The batch size at which the optimizer's rate holds.
    pub base: u32,
    /// Scale Adam's decays and epsilon too.
    #[serde(default)]
    pub betas: bool,
}

/// `learning_rate.tuned`: which rates are tried for each arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tuned {
    /// The rates; when left out, five from a tenth of the arm's own rate to ten times it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    /// Runs for each rate, with seeds 1000, 1001, ..., which no other run has.
    pub seeds: u32,
    /// How many more rates are tried, one after the other, while the best one lies at an end of
    /// those that were tried.
    pub extend: u32,
    /// How rates are taken from a range.
    pub sampling: Sampling,
}

impl Default for Tuned {
    fn default() -> Self {
        Self { rates: None, seeds: 2, extend: 3, sampling: Sampling::Grid }
    }
}

impl Tuned {
    /// The rates to try around an arm's own one.
    pub fn rates(&self, own: f64) -> Rates {
        let around = RateRange { from: rounded(own / 10.0), to: rounded(own * 10.0), count: 5 };
        self.rates.clone().unwrap_or(Rates::Range(around))
    }

    /// How many rates are tried for each arm at first.
    pub fn count(&self) -> usize {
        match self.rates(1.0) {
            Rates::List(rates) => rates.len(),
            Rates::Range(range) => range.count as usize,
        }
    }
}

/// How rates are taken from a range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// In equal steps of the logarithm, both ends included; extended when an end is the best.
    #[default]
    Grid,
    /// A van der Corput sequence over the logarithm, shifted at random; never extended.
    QuasiRandom,
}

/// The seed of the first tuning run.
pub const FIRST_TUNING_SEED: u64 = 1000;

/// Learning rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a list of rates, or a range: { from: 1.0e-4, to: 1.0e-2, count: 5 }"
)]
pub enum Rates {
    /// One by one.
    List(Vec<f64>),
    /// From one to another.
    Range(RateRange),
}

/// Learning rates in equal steps of the logarithm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateRange {
    /// The smallest.
    pub from: f64,
    /// The largest.
    pub to: f64,
    /// How many, both ends among them.
    pub count: u32,
}

impl RateRange {
    /// The rate at a share of the way, in equal steps of the logarithm, to three digits.
    pub fn at(&self, share: f64) -> f64 {
        rounded(self.from * (self.to / self.from).powf(share))
    }
}

impl Rates {
    /// The rates, those of a range in ascending order and between its ends rounded to three digits.
    pub fn values(&self) -> Vec<f64> {
        match self {
            Self::List(rates) => rates.clone(),
            Self::Range(range) => {
                let last = range.count.saturating_sub(1);
                let rate = |index: u32| match index {
                    0 => range.from,
                    _ if index == last => range.to,
                    _ => range.at(f64::from(index) / f64::from(last)),
                };
                (0..range.count).map(rate).collect()
            }
        }
    }
}

/// To three digits: rates name folders.
pub fn rounded(rate: f64) -> f64 {
    format!("{rate:.2e}").parse().unwrap_or(rate)
}

/// An arm's `lr`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number, or `tuned`")]
pub enum ArmRate {
    /// The rate itself.
    Value(f64),
    /// How it is found.
    Rule(ArmRateRule),
}

/// How an arm's learning rate is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArmRateRule {
    /// As `study.learning_rate.tuned` says.
    Tuned,
}

impl ArmRate {
    /// `lr: tuned`
    pub const TUNED: Self = Self::Rule(ArmRateRule::Tuned);
}

/// Changes an arm's optimizer as the rule says for its batch size.
pub(super) fn apply(
    rule: &LearningRate,
    batch_size: u64,
    train: &mut TrainSection,
) -> Result<(), Violation> {
    let times = |base: u32| batch_size as f64 / f64::from(base);
    let lr = train.optimizer.lr();
    match rule {
        LearningRate::Given | LearningRate::Tuned(_) => {}
        LearningRate::Linear(linear) => train.optimizer.set_lr(lr * times(linear.base)),
        LearningRate::Sqrt(sqrt) => {
            let k = times(sqrt.base);
            train.optimizer.set_lr(lr * k.sqrt());
            if sqrt.betas {
                scale_betas(k, batch_size, &mut train.optimizer)?;
            }
        }
    }
    Ok(())
}

fn scale_betas(k: f64, batch_size: u64, optimizer: &mut Optimizer) -> Result<(), Violation> {
    const PATH: &str = "study.learning_rate.sqrt.betas";
    let name = optimizer.name();
    let (betas, epsilon) = optimizer.betas_mut().ok_or_else(|| {
        broken(
            PATH,
            format!("an arm's optimizer is `{name}`, which has no betas"),
            "remove `betas`, or use `adam` or `adamw`",
        )
    })?;
    *epsilon /= k.sqrt();
    for (name, beta) in ["beta_1", "beta_2"].into_iter().zip(betas) {
        let scaled = k * (1.0 - *beta);
        if scaled >= 1.0 {
            let rule = format!(
                "at batch size {batch_size}, {k} times the base, the rule cannot scale {name} = \
                 {beta}: {k} * (1 - {beta}) must stay below 1"
            );
            let hint = "take a larger `base`, a smaller batch size, or leave `betas` out";
            return Err(broken(PATH, rule, hint));
        }
        *beta = 1.0 - scaled;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Adam;

    fn scaled(rule: &str, batch_size: u64) -> Result<Adam, String> {
        let rule: LearningRate =
            serde_yaml::with::singleton_map::deserialize(serde_yaml::Deserializer::from_str(rule))
                .unwrap();
        let mut train = TrainSection::default();
        apply(&rule, batch_size, &mut train).map_err(|broken| broken.rule)?;
        match train.optimizer {
            Optimizer::Adam(adam) => Ok(adam),
            _ => unreachable!("the default is Adam"),
        }
    }

    #[test]
    fn a_range_has_its_ends_and_equal_steps_of_the_logarithm_to_three_digits() {
        let range = RateRange { from: 1e-4, to: 1e-2, count: 5 };
        assert_eq!(Rates::Range(range).values(), [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]);
        let default = Tuned::default();
        assert_eq!(default.rates(1e-3).values(), [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]);
        assert_eq!(default.count(), 5);
    }

    #[test]
    fn the_rules_scale_as_their_papers_say() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-15 * b, "{a} is not {b}");
        close(scaled("{ linear: { base: 32 } }", 256).unwrap().lr, 8e-3);
        close(scaled("{ linear: { base: 32 } }", 8).unwrap().lr, 2.5e-4);
        let plain = scaled("{ sqrt: { base: 32 } }", 128).unwrap();
        close(plain.lr, 2e-3);
        assert_eq!((plain.beta_1, plain.epsilon), (0.9, None));
        let all = scaled("{ sqrt: { base: 32, betas: true } }", 128).unwrap();
        close(all.lr, 2e-3);
        close(all.beta_1, 0.6);
        close(all.beta_2, 0.996);
        close(all.epsilon.unwrap(), 5e-9);
    }

    #[test]
    fn betas_that_would_leave_their_range_are_refused() {
        let rule = scaled("{ sqrt: { base: 32, betas: true } }", 512).unwrap_err();
        assert!(rule.contains("batch size 512, 16 times the base") && rule.contains("beta_1"));
    }
}
