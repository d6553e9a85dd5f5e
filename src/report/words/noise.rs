//! The gradient noise scale.

use super::{size, whole};
use crate::analysis::{Fit, Median, NoiseArm, NoiseFinding};
use crate::format::{count, counted};

pub(super) fn noise(found: &NoiseFinding) -> Vec<String> {
    let runs = found.at_the_ends().filter_map(over_the_run);
    runs.chain(beside_critical(found)).collect()
}

/// `120`, `more than 120`, `unknown`
fn median(of: Median) -> String {
    match of.at_least {
        true if of.value < 1.0 => "unknown".into(),
        true => format!("more than {}", whole(of.value)),
        false => whole(of.value),
    }
}

fn over_the_run(arm: &NoiseArm) -> Option<String> {
    let [first, last] = arm.first_and_last()?;
    let (from, to) = (first.plain, last.plain);
    let what = format!("Gradient noise scale with batch size {}", size(arm.batch_size));
    let seeds = counted(last.seeds, "seed");
    if last.step == first.step {
        let (scale, seen) = (median(to), count(last.examples));
        return Some(format!("{what}: {scale} after {seen} examples (median over {seeds})."));
    }
    // Two bounds from below show no movement.
    if from.at_least && to.at_least {
        return None;
    }
    let adam = last.adam.map_or(String::new(), |adam| {
        format!(" As Adam scales the gradient: {} in the end.", median(adam))
    });
    Some(format!(
        "{what}: {} after {} examples, {} after {} (medians over {seeds}).{adam}",
        median(from),
        count(first.examples),
        median(to),
        count(last.examples)
    ))
}

fn beside_critical(found: &NoiseFinding) -> Option<String> {
    let (critical, typical, fit) = found.beside_critical()?;
    let numbers =
        format!("critical batch size {}, typical noise scale {}", whole(critical), median(typical));
    Some(match fit {
        Fit::InLine => format!("Noise scale and steps agree within a factor of ten: {numbers}."),
        Fit::Apart => format!(
            "Noise scale and steps disagree: {numbers}. Trust the steps; the noise scale only predicts."
        ),
        Fit::Unknown => format!(
            "Undecided whether noise scale and steps agree: {numbers}. More `rows` would bound the noise \
             scale."
        ),
    })
}
