//! Rules of `train`.

use super::{Checked, MOST_EPOCHS, broken, count, not_empty, positive};
use crate::config::{Optimizer, Schedule, TrainSection};

pub(super) fn check(train: &TrainSection) -> Checked {
    count("train.epochs", train.epochs, MOST_EPOCHS)?;
    let Optimizer::Adam(adam) = &train.optimizer;
    let at = |key: &str| format!("train.optimizer.adam.{key}");
    positive(&at("lr"), adam.lr)?;
    positive(&at("epsilon"), adam.epsilon)?;
    for (key, beta) in [("beta_1", adam.beta_1), ("beta_2", adam.beta_2)] {
        if !(0.0..1.0).contains(&(beta as f32)) {
            let rule = format!("must be from 0 up to, not including, 1 in f32, received {beta}");
            return Err(broken(&at(key), rule, ""));
        }
    }
    schedule("train.schedule", &train.schedule)?;
    not_empty("train.metrics", train.metrics.len())?;
    let device = train.device.as_str();
    let numbered = device.strip_prefix("cuda:").is_some_and(|n| n.parse::<u32>().is_ok());
    match numbered || ["auto", "cpu", "cuda"].contains(&device) {
        true => Ok(()),
        false => Err(broken(
            "train.device",
            format!("unknown device `{device}`"),
            "known devices: auto, cpu, cuda, cuda:N",
        )),
    }
}

pub(super) fn schedule(path: &str, schedule: &Schedule) -> Checked {
    match schedule {
        Schedule::Constant => Ok(()),
        Schedule::Exponential(exponential) => {
            positive(&format!("{path}.exponential.gamma"), exponential.gamma)
        }
    }
}
