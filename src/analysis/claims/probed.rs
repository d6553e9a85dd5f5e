//! Claims that need more than accuracies: `study.probe` measures what they are about.

use super::{Claim, Finding};
use crate::analysis::groups::ends;
use crate::analysis::{ArmResults, Estimate, NoiseRun, Results, SharpnessFinding};
use crate::format::count;
use crate::stats::Interval;
use std::cmp::Ordering;

/// The share of noise in a gradient is the noise scale over the batch size; each batch size has its
/// own weights, and thereby a noise scale of its own, so that one over the batch size is not all.
pub(super) fn smooth_gradients(results: &Results, of_main: &Results) -> Claim {
    const CLAIM: &str = "gradients of large batches are smoother";
    let measured = |arm: &&ArmResults| results.noise.iter().any(|run| run.arm == arm.name);
    let Some([small, large]) = ends(of_main.arms.iter().filter(measured)) else {
        return Claim::untested(
            CLAIM,
            "it takes `study.probe.noise_scale` and two batch sizes with equal settings",
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
    let Some(Estimate { summary, interval }) = Estimate::of(&falls, 0.0) else {
        return Claim::untested(
            CLAIM,
            "the noise scales are known from below alone: more `rows` would tell",
        );
    };
    let times = |log: f64| format!("{:.1}", log.exp());
    let range = interval.map_or("one seed".to_owned(), |Interval { low, high }| {
        format!("95 % interval {} to {}", times(low), times(high))
    });
    let because = format!(
        "at the end of the runs the noise of a gradient of {} examples, as a share of the gradient, had {} \
         times the variance of one of {} ({range})",
        count(small.batch_size as u64),
        times(summary.mean),
        count(large.batch_size as u64)
    );
    let finding = match interval {
        Some(interval) if interval.low > 0.0 => Finding::Supported,
        Some(interval) if interval.high < 0.0 => Finding::Contradicted,
        _ => Finding::Inconclusive,
    };
    Claim { claim: CLAIM, finding, because, effect: None, detectable: None }
}

/// Both halves must hold: sharper, and worse for it.
pub(super) fn sharp_minima(found: Option<&SharpnessFinding>) -> Claim {
    const CLAIM: &str = "large batches end in sharper minima, which generalise worse";
    let Some(found) = found.filter(|found| !found.sharper.is_empty()) else {
        return Claim::untested(
            CLAIM,
            "it takes `study.probe.sharpness` and two batch sizes with equal settings",
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
    Claim { claim: CLAIM, finding, because, effect: None, detectable: None }
}
