//! Claims that need more than scores: `study.probe` measures what they are about.

use super::{Because, Claim, ClaimKind, Finding, Missing};
use crate::analysis::groups::{have_one_rate, smallest_and_largest};
use crate::analysis::{ArmResults, Estimate, NoiseRun, Results, SharpnessFinding};
use std::cmp::Ordering;

/// The share of noise in a gradient is the noise scale over the batch size; each batch size has its
/// own weights, and thereby a noise scale of its own, so that one over the batch size is not all.
pub(super) fn smooth_gradients(results: &Results, of_main: &Results) -> Claim {
    const CLAIM: ClaimKind = ClaimKind::SmoothGradients;
    let measured = |arm: &&ArmResults| results.noise.iter().any(|run| run.arm == arm.name);
    let Some([small, large]) =
        smallest_and_largest(of_main.arms.iter().filter(measured), have_one_rate)
    else {
        return Claim::untested(CLAIM, Missing::NoiseScales);
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
        return Claim::untested(CLAIM, Missing::BoundedNoise);
    };
    let sizes = [small.batch_size, large.batch_size];
    let because = Because::Noise { sizes, left_out: seeds - told, seeds };
    // Seeds that are bounded from below alone might have changed the sign.
    let finding = match told == seeds {
        true => Finding::of_sign(effect.interval),
        false => Finding::Inconclusive,
    };
    Claim::of_ratio(CLAIM, finding, Some(&effect), because).on([&small.name, &large.name])
}

/// Both halves must hold: sharper, and worse for it.
pub(super) fn sharp_minima(found: Option<&SharpnessFinding>) -> Claim {
    const CLAIM: ClaimKind = ClaimKind::SharpMinima;
    let Some(found) = found.filter(|found| !found.sharper.is_empty()) else {
        return Claim::untested(CLAIM, Missing::Sharpness);
    };
    let (sharper, better) = (found.larger_is_sharper(), found.sharper_is_better());
    let finding = match (sharper, better) {
        (Ordering::Greater, Ordering::Less) => Finding::Supported,
        (Ordering::Less, _) | (_, Ordering::Greater) => Finding::Contradicted,
        _ => Finding::Inconclusive,
    };
    let shown = |side: Ordering| (side != Ordering::Equal).then_some(side == Ordering::Greater);
    let because = Because::Minima { sharper: shown(sharper), better: shown(better) };
    let sharper = found.ratio("top_eigenvalue");
    let claim = Claim::of_ratio(CLAIM, finding, sharper.map(|found| &found.log_ratio), because);
    match sharper {
        Some(of) => claim.on([&of.large, &of.small]),
        None => claim,
    }
}
