//! Rules of `train.schedule` and `train.warmup`: values, and that nothing is set for a time after
//! the end of the run.

use super::{Checked, MOST_UPDATES, broken, count, fraction, not_empty, not_negative, positive};
use crate::config::{OneCycle, Per, Plateau, PlateauRule, Schedule, TrainSection, Warmup};

pub(super) fn check(train: &TrainSection) -> Checked {
    train.warmup.as_ref().map_or(Ok(()), |warmup| self::warmup(train, warmup))?;
    let at = |key: &str| format!("train.schedule.{key}");
    match &train.schedule {
        Schedule::Constant => Ok(()),
        Schedule::Exponential(settings) => positive(&at("exponential.gamma"), settings.gamma),
        Schedule::Step(settings) => {
            positive(&at("step.gamma"), settings.gamma)?;
            count(&at("step.every"), settings.every, MOST_UPDATES)?;
            within(train, &at("step.every"), settings.every, settings.per)
        }
        Schedule::Multistep(settings) => {
            positive(&at("multistep.gamma"), settings.gamma)?;
            not_empty(&at("multistep.at"), settings.at.len())?;
            let unsorted = settings.at.windows(2).position(|pair| pair[0] >= pair[1]);
            if let Some(index) = unsorted {
                let rule = format!(
                    "{} does not come after {}",
                    settings.at[index + 1],
                    settings.at[index]
                );
                let path = at(&format!("multistep.at[{}]", index + 1));
                return Err(broken(&path, rule, "list the milestones in ascending order"));
            }
            settings.at.iter().enumerate().try_for_each(|(index, milestone)| {
                within(train, &at(&format!("multistep.at[{index}]")), *milestone, settings.per)
            })
        }
        Schedule::Cosine(settings) => {
            not_negative(&at("cosine.min_lr"), settings.min_lr)?;
            settings.over.map_or(Ok(()), |over| {
                count(&at("cosine.over"), over, MOST_UPDATES)?;
                within(train, &at("cosine.over"), over.saturating_sub(1), settings.per)
            })
        }
        Schedule::OneCycle(settings) => one_cycle(train, settings),
        Schedule::Table(settings) => {
            not_empty(&at("table.lr"), settings.lr.len())?;
            for (index, lr) in settings.lr.iter().enumerate() {
                positive(&at(&format!("table.lr[{index}]")), *lr)?;
            }
            within(train, &at("table.lr"), settings.lr.len() as u64 - 1, settings.per)
        }
        Schedule::Plateau(settings) => plateau(settings),
    }
}

/// A time at which the schedule does something must come before the end of the run, as far as the
/// file alone can tell.
fn within(train: &TrainSection, path: &str, t: u64, per: Per) -> Checked {
    let warmup = train.warmup.as_ref();
    let (budget, before, unit) = match per {
        Per::Epoch => (train.epochs, warmup.and_then(|warmup| warmup.epochs), "epoch"),
        Per::Step => (train.steps, warmup.and_then(|warmup| warmup.steps), "step"),
    };
    let at = t + before.unwrap_or(0);
    match budget {
        Some(budget) if at >= budget => {
            let after = if before.is_some() { " after the warm-up" } else { "" };
            Err(broken(
                path,
                format!(
                    "the schedule goes on after the run has ended: {unit} {t}{after}, and the last \
                     {unit} is {}",
                    budget - 1
                ),
                "shorten the schedule, or train longer",
            ))
        }
        _ => Ok(()),
    }
}

fn one_cycle(train: &TrainSection, settings: &OneCycle) -> Checked {
    let at = |key: &str| format!("train.schedule.one_cycle.{key}");
    fraction(&at("rising"), settings.rising, "0.3 rises during the first 30 % of the steps")?;
    positive(&at("div_factor"), settings.div_factor)?;
    positive(&at("final_div_factor"), settings.final_div_factor)?;
    match train.warmup {
        Some(_) => Err(broken(
            "train.warmup",
            "one_cycle begins with a warm-up of its own",
            "remove `warmup`, or take another schedule",
        )),
        None => Ok(()),
    }
}

fn plateau(settings: &Plateau) -> Checked {
    let at = |key: &str| format!("train.schedule.plateau.{key}");
    positive(&at("factor"), settings.factor)?;
    if settings.factor >= 1.0 {
        let rule = format!("must be below 1, received {}", settings.factor);
        return Err(broken(&at("factor"), rule, "0.1 divides the learning rate by ten"));
    }
    not_negative(&at("threshold"), settings.threshold)?;
    if settings.rule == PlateauRule::Torch && settings.threshold >= 1.0 {
        let rule = format!("torch's threshold is a share, received {}", settings.threshold);
        return Err(broken(&at("threshold"), rule, "0.0001 asks for 0.01 % less"));
    }
    not_negative(&at("min_lr"), settings.min_lr)
}

fn warmup(train: &TrainSection, warmup: &Warmup) -> Checked {
    let at = |key: &str| format!("train.warmup.{key}");
    let lengths = [
        ("epochs", warmup.epochs, train.epochs),
        ("steps", warmup.steps, train.steps),
        ("examples", warmup.examples, train.examples),
    ];
    if lengths.iter().filter(|(_, length, _)| length.is_some()).count() != 1 {
        return Err(broken(
            "train.warmup",
            "give its length once, as `epochs`, `steps` or `examples`",
            "write for example `warmup: { examples: 10000 }`",
        ));
    }
    for (key, length, budget) in lengths {
        let Some(length) = length else { continue };
        count(&at(key), length, MOST_UPDATES)?;
        if budget.is_some_and(|budget| length >= budget) {
            let rule = format!("the warm-up of {length} {key} takes the whole run");
            return Err(broken(&at(key), rule, "shorten it, or train longer"));
        }
    }
    positive(&at("start_factor"), warmup.start_factor)?;
    match warmup.start_factor <= 1.0 {
        true => Ok(()),
        false => {
            let rule = format!("must be at most 1, received {}", warmup.start_factor);
            Err(broken(&at("start_factor"), rule, "the learning rate rises from this share of it"))
        }
    }
}
