//! Claims that need more than accuracies: `study.probe` measures what they are about.

use super::{Claim, Finding};
use crate::analysis::groups::{have_one_rate, smallest_and_largest};
use crate::analysis::{ArmResults, Estimate, NoiseRun, Ratio, Results, SharpnessFinding};
use crate::format::count;
use crate::stats::Interval;
use std::cmp::Ordering;

/// The share of noise in a gradient is the noise scale over the batch size; each batch size has its
/// own weights, and thereby a noise scale of its own, so that one over the batch size is not all.
pub(super) fn smooth_gradients(results: &Results, of_main: &Results) -> Claim {
    const CLAIM: &str = "gradients of large batches are smoother";
    let measured = |arm: &&ArmResults| results.noise.iter().any(|run| run.arm == arm.name);
    let Some([small, large]) =
        smallest_and_largest(of_main.arms.iter().filter(measured), have_one_rate)
    else {
        return Claim::untested(
            CLAIM,
            "it takes `study.probe.noise_scale` and two batch sizes with equal learning rates and settings",
        );
    };
    // Logarithms, seed by seed; "more than" is no number.
    let share = |arm: &ArmResults, seed: u64| {
        let is_it = |run: &&NoiseRun| run.arm == arm.name && run.seed == seed;
        let last = results.noise.iter().find(is_it)?.points.last()?;
        let noise = last.plain.value.filter(|value| *value > 0.0)?;
        Some((noise / arm.batch_size as f64).ln())
    };
    let pairs =
        small.runs.keys().filter_map(|seed| Some([share(small, *seed)?, share(large, *seed)?]));
    let falls: Vec<f64> = pairs.map(|[small, large]| small - large).collect();
    let (told, seeds) =
        (falls.len(), small.runs.keys().filter(|s| large.runs.contains_key(s)).count());
    let Some(effect) = Estimate::of(&falls, 0.0) else {
        return Claim::untested(
            CLAIM,
            "the noise scales are known from below alone: more `rows`, or more training examples, would tell",
        );
    };
    let Ratio { value, interval } = effect.exp();
    let range = interval.map_or("one seed".to_owned(), |Interval { low, high }| {
        format!("95 % interval {low:.1} to {high:.1}")
    });
    let bounded = match seeds - told {
        0 => String::new(),
        some => format!("; {some} of {seeds} seeds are known from below alone and left out"),
    };
    let because = format!(
        "at the end of the runs the noise of a gradient of {} examples, as a share of the gradient, \
         had {value:.1} times the variance of one of {} ({range}{bounded})",
        count(small.batch_size as u64),
        count(large.batch_size as u64)
    );
    // Seeds that are bounded from below alone might have changed the sign.
    let finding = match told == seeds {
        true => Finding::of_sign(effect.interval),
        false => Finding::Inconclusive,
    };
    Claim::of_ratio(CLAIM, finding, Some(&effect), because).on([&small.name, &large.name])
}

/// Both halves must hold: sharper, and worse for it.
pub(super) fn sharp_minima(found: Option<&SharpnessFinding>) -> Claim {
    const CLAIM: &str = "large batches end in sharper minima, which generalise worse";
    let Some(found) = found.filter(|found| !found.sharper.is_empty()) else {
        return Claim::untested(
            CLAIM,
            "it takes `study.probe.sharpness` and two batch sizes with equal learning rates and settings",
        );
    };
    let (sharper, better) = (found.larger_is_sharper(), found.sharper_is_better());
    let finding = match (sharper, better) {
        (Ordering::Greater, Ordering::Less) => Finding::Supported,
        (Ordering::Less, _) | (_, Ordering::Greater) => Finding::Contradicted,
        _ => Finding::Inconclusive,
    };
    let first = match sharper {
        Ordering::Greater => "the largest batch size ended in sharper minima",
        Ordering::Less => "the largest batch size ended in flatter minima",
        Ordering::Equal => "neither end of the batch sizes is shown to end in sharper minima",
    };
    let second = match better {
        Ordering::Less => "runs in sharper minima were less accurate",
        Ordering::Greater => "runs in sharper minima were more accurate",
        Ordering::Equal => "sharpness is not shown to tell accuracy",
    };
    let because = format!("{first}; {second}");
    let sharper = found.ratio("top_eigenvalue");
    let claim = Claim::of_ratio(CLAIM, finding, sharper.map(|found| &found.log_ratio), because);
    match sharper {
        Some(of) => claim.on([&of.large, &of.small]),
        None => claim,
    }
}
