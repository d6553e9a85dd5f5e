//! Claims about what batch sizes cost: memory and time.

use super::{Claim, Finding};
use crate::analysis::estimate::paired;
use crate::analysis::groups::smallest_and_largest;
use crate::analysis::objective::NO_MATTER;
use crate::analysis::{ArmResults, Estimate, Ratio, Results, RunResults};
use crate::format::{bytes, count};

const NO_SIZES: &str = "there are no two batch sizes with equal settings";
const NO_PAIR: &str = "no seed has finished runs of both batch sizes";

/// Arms with finished runs.
pub(super) fn finished(results: &Results) -> impl Iterator<Item = &ArmResults> + Clone {
    results.arms.iter().filter(|arm| !arm.runs.is_empty())
}

pub(super) fn memory(results: &Results) -> Claim {
    const CLAIM: &str = "larger batches need more memory";
    let Some([small, large]) = smallest_and_largest(finished(results), |_, _| true) else {
        return Claim::untested(CLAIM, NO_SIZES);
    };
    let memory = |run: &RunResults| (run.peak_memory > 0).then(|| (run.peak_memory as f64).ln());
    let Some(effect) = Estimate::of(&paired(large, small, memory), 0.0) else {
        return Claim::untested(CLAIM, NO_PAIR);
    };
    let mean = |arm: &ArmResults| {
        arm.runs.values().map(|run| run.peak_memory).sum::<u64>() / arm.runs.len().max(1) as u64
    };
    let because = format!(
        "mean peak memory of a run: {} at batch size {}, {} at {}, {} times as much",
        bytes(mean(small)),
        count(small.batch_size as u64),
        bytes(mean(large)),
        count(large.batch_size as u64),
        times(&effect)
    );
    Claim::of_ratio(CLAIM, judge(&effect), Some(&effect), because + because_equal(&effect))
        .on([&large.name, &small.name])
}

pub(super) fn epochs(results: &Results) -> Claim {
    const CLAIM: &str = "larger batches make an epoch faster";
    let Some([small, large]) = smallest_and_largest(finished(results), |_, _| true) else {
        return Claim::untested(CLAIM, NO_SIZES);
    };
    let speed = |run: &RunResults| run.examples_per_second().map(f64::ln);
    let Some(effect) = Estimate::of(&paired(large, small, speed), 0.0) else {
        return Claim::untested(CLAIM, NO_PAIR);
    };
    let because = format!(
        "batch size {} trains {} times as many examples a second as {}, with this machine's load",
        count(large.batch_size as u64),
        times(&effect),
        count(small.batch_size as u64)
    );
    Claim::of_ratio(CLAIM, judge(&effect), Some(&effect), because + because_equal(&effect))
        .on([&large.name, &small.name])
}

/// Of a logarithm that the claim has above 0.
fn judge(effect: &Estimate) -> Finding {
    match is_equal(effect) {
        true => Finding::Contradicted,
        false => Finding::of_sign(effect.interval),
    }
}

fn is_equal(effect: &Estimate) -> bool {
    let limit = NO_MATTER.ln();
    effect.interval.is_some_and(|ends| ends.low > -limit && ends.high < limit)
}

fn because_equal(effect: &Estimate) -> &'static str {
    if is_equal(effect) { ", less than 5 % either way" } else { "" }
}

/// `1.30 (95 % interval 1.20 to 1.41)`, of a difference of logarithms.
pub(super) fn times(effect: &Estimate) -> String {
    let Ratio { value, interval } = effect.exp();
    let interval = interval.map_or(" (one seed)".to_owned(), |interval| {
        format!(" (95 % interval {:.2} to {:.2})", interval.low, interval.high)
    });
    format!("{value:.2}{interval}")
}
