//! What is commonly claimed of batch sizes.

use super::{ci_of, difference, ratio, size};
use crate::analysis::{Because, Claim, ClaimKind, Finding, Known, Missing};
use crate::format::bytes;

/// The claim.
pub(in crate::report) fn claim(kind: ClaimKind) -> &'static str {
    match kind {
        ClaimKind::NoiseGeneralises => {
            "the noise of small batches leads to solutions that generalise better"
        }
        ClaimKind::SmoothGradients => "gradients of large batches are smoother",
        ClaimKind::SharpMinima => "large batches end in sharper minima, which generalise worse",
        ClaimKind::FewerUpdates => "larger batches converge in fewer updates",
        ClaimKind::MoreMemory => "larger batches need more memory",
        ClaimKind::FasterEpochs => "larger batches make an epoch faster",
        ClaimKind::FallingRateAt256 => {
            "a falling learning rate (1e-3 * 0.9^epoch) raises accuracy at batch size 256"
        }
        ClaimKind::FallingRate => "a falling learning rate raises accuracy at large batch sizes",
        ClaimKind::Dropout => "dropout raises accuracy",
        ClaimKind::Penalties => "L1 or L2 penalties raise accuracy",
    }
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
pub(in crate::report) fn because(claim: &Claim) -> String {
    let of_ratio = || claim.ratio.as_ref().map_or("unknown".to_owned(), ratio);
    let effect = || claim.effect.as_ref().map_or("unknown".to_owned(), difference);
    match &claim.because {
        Because::Missing(missing) => self::missing(missing),
        Because::Residual { split, sizes, equal_updates, at_best, is_small } => {
            let [small, large] = sizes.map(size);
            let steps =
                if *equal_updates { "equal steps" } else { "unequal steps (early stopping)" };
            let best = at_best.as_ref().map_or(String::new(), |best| {
                format!("; mostly overfitting: {} at each run's best", difference(best))
            });
            format!(
                "{split} accuracy of {small} minus {large} with tuned rates and {steps}: {}{best}{}",
                effect(),
                small_effect(*is_small)
            )
        }
        Because::Noise { sizes, left_out, seeds } => {
            let [small, large] = sizes.map(size);
            let value = claim.ratio.map_or(String::new(), |found| {
                format!("{:.1}{}", found.value, ci_of(found.interval, 1))
            });
            let bounded = match left_out {
                0 => String::new(),
                some => format!("; {some} of {seeds} seeds left out, known from below alone"),
            };
            format!("gradient noise of {small} over {large}: ratio of variances {value}{bounded}")
        }
        Because::Minima { sharper, better } => minima(*sharper, *better),
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
            let (to, ratio) = (target.words(), ratio(times));
            format!("to {to}: ratio of steps, {small} over {large}, {least}{ratio}{rest}")
        }
        Because::Memory { sizes: [small, large], bytes: [of_small, of_large], is_equal } => {
            format!(
                "peak memory {} with {}, {} with {}: ratio {}{}",
                bytes(*of_small),
                size(*small),
                bytes(*of_large),
                size(*large),
                of_ratio(),
                equal(*is_equal)
            )
        }
        Because::Speed { sizes: [small, large], is_equal } => format!(
            "examples per second, {} over {}: ratio {}{}",
            size(*large),
            size(*small),
            of_ratio(),
            equal(*is_equal)
        ),
        Because::Setting { batch_size, settings, of_many, is_small } => {
            let set: Vec<String> =
                settings.iter().map(|[path, value]| format!("{path} = {value}")).collect();
            let picked = match of_many {
                1 => String::new(),
                many => format!("; the best of {many}, interval widened for that"),
            };
            format!(
                "{} with batch size {}: {}{picked}{}",
                set.join(", "),
                size(*batch_size),
                effect(),
                small_effect(*is_small)
            )
        }
    }
}

fn small_effect(is_small: bool) -> &'static str {
    if is_small { ", shown to be within the margin" } else { "" }
}

fn equal(is_equal: bool) -> &'static str {
    if is_equal { ", less than 5 % either way" } else { "" }
}

fn minima(sharper: Option<bool>, better: Option<bool>) -> String {
    let first = match sharper {
        Some(true) => "the largest batch size ended in sharper minima",
        Some(false) => "the largest batch size ended in flatter minima",
        None => "no significant difference in sharpness",
    };
    let second = match better {
        Some(false) => "sharper minima were less accurate",
        Some(true) => "sharper minima were more accurate",
        None => "sharpness does not tell accuracy",
    };
    format!("{first}; {second}")
}

fn missing(missing: &Missing) -> String {
    match missing {
        Missing::Decomposition => {
            "a small batch also makes more steps; `study.decompose` tells them apart".into()
        }
        Missing::NoiseScales => {
            "needs `study.probe.noise_scale` and two batch sizes that differ in nothing else".into()
        }
        Missing::BoundedNoise => {
            "noise scales are known from below alone; more `rows` would tell".into()
        }
        Missing::Sharpness => {
            "needs `study.probe.sharpness` and two batch sizes that differ in nothing else".into()
        }
        Missing::Curves => "needs learning curves of two batch sizes".into(),
        Missing::TwoSizes => "needs two batch sizes that differ in nothing else".into(),
        Missing::CommonSeed => "no seed has finished runs of both batch sizes".into(),
        Missing::Passing(target) => {
            format!("no seed passes {} between measurements with both", target.words())
        }
        Missing::TwoArms => "needs two arms that differ in this alone, none diverged".into(),
    }
}
