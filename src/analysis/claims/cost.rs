//! Claims about what batch sizes cost: memory and time.

use super::{Because, Claim, ClaimKind, Finding, Missing};
use crate::analysis::estimate::paired;
use crate::analysis::groups::smallest_and_largest;
use crate::analysis::objective::NEGLIGIBLE_RATIO;
use crate::analysis::{ArmResults, Estimate, Results, RunResults};

/// Arms with finished runs.
pub(super) fn finished(results: &Results) -> impl Iterator<Item = &ArmResults> + Clone {
    results.arms.iter().filter(|arm| !arm.runs.is_empty())
}

pub(super) fn memory(results: &Results) -> Claim {
    let memory = |run: &RunResults| (run.peak_memory > 0).then(|| (run.peak_memory as f64).ln());
    let mean = |arm: &ArmResults| {
        arm.runs.values().map(|run| run.peak_memory).sum::<u64>() / arm.runs.len().max(1) as u64
    };
    of_cost(results, ClaimKind::MoreMemory, memory, |arms, is_equal| Because::Memory {
        sizes: arms.map(|arm| arm.batch_size),
        bytes: arms.map(mean),
        is_equal,
    })
}

pub(super) fn epochs(results: &Results) -> Claim {
    let speed = |run: &RunResults| run.examples_per_second().map(f64::ln);
    of_cost(results, ClaimKind::FasterEpochs, speed, |arms, is_equal| Because::Speed {
        sizes: arms.map(|arm| arm.batch_size),
        is_equal,
    })
}

/// The logarithm of the largest batch size minus that of the smallest, seed by seed.
fn of_cost(
    results: &Results,
    claim: ClaimKind,
    logarithm: impl Fn(&RunResults) -> Option<f64>,
    because: impl Fn([&ArmResults; 2], bool) -> Because,
) -> Claim {
    let Some([small, large]) = smallest_and_largest(finished(results), |_, _| true) else {
        return Claim::untested(claim, Missing::TwoSizes);
    };
    let Some(effect) = Estimate::of(&paired(large, small, logarithm), 0.0) else {
        return Claim::untested(claim, Missing::CommonSeed);
    };
    let because = because([small, large], is_equal(&effect));
    Claim::of_ratio(claim, judge(&effect), Some(&effect), because).on([&large.name, &small.name])
}

/// Of a logarithm that the claim has above 0.
fn judge(effect: &Estimate) -> Finding {
    match is_equal(effect) {
        true => Finding::Contradicted,
        false => Finding::of_sign(effect.interval),
    }
}

fn is_equal(effect: &Estimate) -> bool {
    let limit = NEGLIGIBLE_RATIO.ln();
    effect.interval.is_some_and(|ends| ends.low > -limit && ends.high < limit)
}
