//! What is commonly claimed of batch sizes.

use super::{Scale, ratio, size};
use crate::analysis::{Because, Claim, ClaimKind, Finding, Known, Missing};
use crate::format::bytes;

/// The claim.
pub(in crate::report) fn claim(kind: ClaimKind, scale: Scale) -> String {
    let said = match kind {
        ClaimKind::NoiseGeneralises => {
            "the noise of small batches leads to solutions that generalise better"
        }
        ClaimKind::SmoothGradients => "gradients of large batches are smoother",
        ClaimKind::SharpMinima => "large batches end in sharper minima, which generalise worse",
        ClaimKind::FewerUpdates => "larger batches converge in fewer updates",
        ClaimKind::MoreMemory => "larger batches need more memory",
        ClaimKind::FasterEpochs => "larger batches make an epoch faster",
        ClaimKind::FallingRateAt256 => {
            let improves = scale.improves(false);
            return format!(
                "a falling learning rate (1e-3 * 0.9^epoch) {improves} at batch size 256"
            );
        }
        ClaimKind::FallingRate => {
            let improves = scale.improves(false);
            return format!("a falling learning rate {improves} at large batch sizes");
        }
        ClaimKind::Dropout => return format!("dropout {}", scale.improves(false)),
        ClaimKind::Penalties => return format!("L1 or L2 penalties {}", scale.improves(true)),
    };
    said.to_owned()
}

/// What the study says of it.
pub(in crate::report) fn finding(finding: Finding) -> &'static str {
    match finding {
        Finding::Supported => "supported",
        Finding::Contradicted => "contradicted",
        Finding::Inconclusive => "inconclusive",
        Finding::NotTested => "not tested",
    }
}

/// On what that rests, or what would test it; a clause without a stop.
pub(in crate::report) fn because(claim: &Claim, scale: Scale) -> String {
    match &claim.because {
        Because::Missing(missing) => self::missing(missing).into(),
        Because::Minima { sharper, better } => minima(*sharper, *better, scale),
        Because::Residual { .. } | Because::Setting { .. } => effect(claim, scale),
        Because::Noise { .. } | Because::Memory { .. } | Because::Speed { .. } => of_ratio(claim),
        Because::Updates { target, sizes, times, known, inexact, seeds } => {
            let [small, large] = sizes.map(size);
            let least = match known {
                Known::Exactly => "",
                Known::AtLeast => "at least ",
                Known::AtMost => "at most ",
            };
            let rest = match (inexact, known) {
                (0, _) => String::new(),
                (some, Known::Exactly) => format!("; {some} of {seeds} seeds left out"),
                (some, _) => format!("; of {some} of {seeds} seeds only a bound is known"),
            };
            let (to, ratio) = (super::target(target, scale), ratio(times));
            format!("to {to}: ratio of steps, {small} over {large}, {least}{ratio}{rest}")
        }
    }
}

/// An effect on the score.
fn effect(claim: &Claim, scale: Scale) -> String {
    let difference = |of| scale.difference_with_ci(of);
    let effect = claim.effect.as_ref().map_or("unknown".to_owned(), difference);
    let small = |is_small: bool| if is_small { ", shown to be within the margin" } else { "" };
    match &claim.because {
        Because::Residual { split, sizes, equal_updates, at_best, is_small } => {
            let steps =
                if *equal_updates { "equal steps" } else { "unequal steps (early stopping)" };
            let best = at_best.as_ref().map_or(String::new(), |best| {
                format!("; mostly overfitting: {} at each run's best", difference(best))
            });
            format!(
                "{} of {} minus {} with tuned rates and {steps}: {effect}{best}{}",
                scale.on(split),
                size(sizes[0]),
                size(sizes[1]),
                small(*is_small)
            )
        }
        Because::Setting { batch_size, settings, of_many, is_small } => {
            let set: Vec<String> =
                settings.iter().map(|[path, value]| format!("{path} = {value}")).collect();
            let picked = match of_many {
                1 => String::new(),
                many => format!("; the best of {many}, interval widened for that"),
            };
            format!(
                "{} with batch size {}: {effect}{picked}{}",
                set.join(", "),
                size(*batch_size),
                small(*is_small)
            )
        }
        _ => effect,
    }
}

/// A ratio of two batch sizes.
fn of_ratio(claim: &Claim) -> String {
    let found = claim.ratio.as_ref().map_or("unknown".to_owned(), ratio);
    let equal = |is_equal: bool| if is_equal { ", less than 5 % either way" } else { "" };
    match &claim.because {
        Because::Noise { sizes, left_out, seeds } => {
            let [small, large] = sizes.map(size);
            let bounded = match left_out {
                0 => String::new(),
                some => format!("; {some} of {seeds} seeds left out, known from below alone"),
            };
            format!("gradient noise of {small} over {large}: ratio of variances {found}{bounded}")
        }
        Because::Memory { sizes: [small, large], bytes: [of_small, of_large], is_equal } => {
            format!(
                "peak memory {} with {}, {} with {}: ratio {found}{}",
                bytes(*of_small),
                size(*small),
                bytes(*of_large),
                size(*large),
                equal(*is_equal)
            )
        }
        Because::Speed { sizes: [small, large], is_equal } => format!(
            "examples per second, {} over {}: ratio {found}{}",
            size(*large),
            size(*small),
            equal(*is_equal)
        ),
        _ => found,
    }
}

fn minima(sharper: Option<bool>, better: Option<bool>, scale: Scale) -> String {
    let first = match sharper {
        Some(true) => "the largest batch size ended in sharper minima",
        Some(false) => "the largest batch size ended in flatter minima",
        None => "no significant difference in sharpness",
    };
    let second = match better {
        Some(better) => format!("sharper minima {}", scale.were(better)),
        None => format!("sharpness does not tell {}", scale.title()),
    };
    format!("{first}; {second}")
}

fn missing(missing: &Missing) -> &'static str {
    match missing {
        Missing::Decomposition => {
            "a small batch also makes more steps; `study.decompose` tells them apart"
        }
        Missing::NoiseScales => {
            "needs `study.probe.noise_scale` and two batch sizes that differ in nothing else"
        }
        Missing::BoundedNoise => "noise scales are known from below alone; more `rows` would tell",
        Missing::Sharpness => {
            "needs `study.probe.sharpness` and two batch sizes that differ in nothing else"
        }
        Missing::Curves => "needs learning curves of two batch sizes",
        Missing::TwoSizes => "needs two batch sizes that differ in nothing else",
        Missing::CommonSeed => "no seed has finished runs of both batch sizes",
        Missing::Passing => "no seed passes the target between measurements with both",
        Missing::TwoArms => "needs two arms that differ in this alone, none diverged",
    }
}
