//! Rules of `train`, apart from the schedule's.

use super::schedule;
use super::{
    Checked, MOST_EPOCHS, MOST_ROWS, MOST_UPDATES, broken, count, fraction, not_negative, positive,
};
use crate::config::{EarlyStopping, EvaluateEvery, StepsOf, StopAt, TrainSection};
use crate::spec::{Allowed, Clip, Optimizer, Unit};

pub(super) fn check(train: &TrainSection) -> Checked {
    budget(train)?;
    optimizer(&train.optimizer)?;
    schedule::check(train)?;
    match train.clip {
        Some(Clip::Norm(most)) => positive("train.clip.norm", most)?,
        Some(Clip::Value(most)) => positive("train.clip.value", most)?,
        None => {}
    }
    train.early_stopping.as_ref().map_or(Ok(()), |stopping| early_stopping(train, stopping))?;
    train.stop_at.map_or(Ok(()), stop_at)?;
    match train.evaluate_every {
        Some(EvaluateEvery::Steps(steps)) => {
            count("train.evaluate_every.steps", steps, MOST_UPDATES)?;
        }
        Some(EvaluateEvery::Examples(rows)) => {
            count("train.evaluate_every.examples", rows, MOST_UPDATES)?;
        }
        None => {}
    }
    train.micro_batch.map_or(Ok(()), |rows| count("train.micro_batch", rows, MOST_ROWS))?;
    device(&train.device)
}

fn budget(train: &TrainSection) -> Checked {
    let other = train.steps_of;
    if let Some(StepsOf { batch_size, .. }) = other {
        count("train.steps_of.batch_size", batch_size, MOST_ROWS)?;
    }
    let given = [
        ("epochs", train.epochs, u64::from(MOST_EPOCHS)),
        ("steps", train.steps, MOST_UPDATES),
        ("examples", train.examples, MOST_UPDATES),
        ("steps_of", other.map(|other| other.epochs), u64::from(MOST_EPOCHS)),
    ];
    let mut seen: Option<&str> = None;
    for (key, value, most) in given {
        let Some(value) = value else { continue };
        let path = format!("train.{key}");
        let inner = if key == "steps_of" { ".epochs" } else { "" };
        count(&format!("{path}{inner}"), value, most)?;
        if let Some(other) = seen.replace(key) {
            return Err(broken(
                &path,
                format!("a budget is given twice, as `{other}` and as `{key}`"),
                "keep one of `epochs`, `steps`, `examples` and `steps_of`",
            ));
        }
    }
    Ok(())
}

fn optimizer(optimizer: &Optimizer) -> Checked {
    let at = |key: &str| format!("train.optimizer.{}.{key}", optimizer.name());
    positive(&at("lr"), optimizer.lr())?;
    for (key, value, allowed) in optimizer.settings() {
        match allowed {
            Allowed::Positive => positive(&at(key), value)?,
            Allowed::NotNegative => not_negative(&at(key), value)?,
            Allowed::Share if key == "momentum" => fraction(&at(key), value, "0.9 is usual")?,
            Allowed::Share => fraction(&at(key), value, "")?,
        }
    }
    match optimizer {
        Optimizer::Sgd(sgd) if sgd.nesterov && sgd.momentum <= 0.0 => Err(broken(
            &at("nesterov"),
            "`nesterov` needs a momentum above 0",
            "add `momentum: 0.9`",
        )),
        _ => Ok(()),
    }
}

fn early_stopping(train: &TrainSection, stopping: &EarlyStopping) -> Checked {
    not_negative("train.early_stopping.min_delta", stopping.min_delta)?;
    match train.epochs {
        Some(epochs) if stopping.start_from_epoch >= epochs => Err(broken(
            "train.early_stopping.start_from_epoch",
            format!(
                "no epoch is left to look at: it begins with epoch {}, and the last is {}",
                stopping.start_from_epoch,
                epochs - 1
            ),
            "epochs count from 0",
        )),
        _ => Ok(()),
    }
}

/// A target lies where the metric can get; a loss or an error cannot reach 0.
fn stop_at(stop: StopAt) -> Checked {
    let [low, high] =
        stop.monitor.metric.map_or([0.0, f64::INFINITY], |metric| metric.info().range);
    if stop.value > low && stop.value <= high && stop.value.is_finite() {
        return Ok(());
    }
    let name = stop.monitor.name();
    let (rule, hint) = match stop.monitor.metric.map(|metric| metric.info().unit) {
        Some(Unit::Percent) => (
            format!("the target of `{name}` must be above 0 and at most 1"),
            "a share of 1: 0.84 is 84 %, as in `stop_at: { val_accuracy: 0.84 }`",
        ),
        _ if high.is_finite() && low.is_infinite() => {
            (format!("the target of `{name}` must be at most {high}"), "")
        }
        _ if high.is_finite() => {
            (format!("the target of `{name}` must be above {low} and at most {high}"), "")
        }
        _ => (format!("the target of `{name}` must be a number above {low}"), ""),
    };
    Err(broken("train.stop_at", format!("{rule}, received {}", stop.value), hint))
}

fn device(device: &str) -> Checked {
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
