//! Claims about what batch sizes cost: memory, time, and updates to convergence.

use super::{Claim, Finding};
use crate::analysis::estimate::paired;
use crate::analysis::groups::{have_one_rate, smallest_and_largest};
use crate::analysis::{ArmResults, Estimate, Ratio, Reach, Results, RunResults, Target, reach};
use crate::format::{bytes, count};
use std::collections::BTreeSet;

const NO_SIZES: &str = "there are no two batch sizes with equal settings";
const NO_PAIR: &str = "no seed has finished runs of both batch sizes";

/// Arms with finished runs.
fn finished(results: &Results) -> impl Iterator<Item = &ArmResults> + Clone {
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
}

/// A ratio up to this, or down to one over it, does not matter: a few pages of memory more are shown
/// with any number of seeds.
const NO_MATTER: f64 = 1.05;

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
fn times(effect: &Estimate) -> String {
    let Ratio { value, interval } = effect.exp();
    let interval = interval.map_or(" (one seed)".to_owned(), |interval| {
        format!(" (95 % interval {:.2} to {:.2})", interval.low, interval.high)
    });
    format!("{value:.2}{interval}")
}

/// Of the seeds of which both batch sizes come to the target.
pub(super) fn convergence(results: &Results, target: Option<&Target>) -> Claim {
    const CLAIM: &str = "larger batches converge in fewer updates";
    let Some(target) = target else {
        return Claim::untested(CLAIM, "it takes curves of two batch sizes");
    };
    let Some([small, large]) = smallest_and_largest(finished(results), have_one_rate) else {
        return Claim::untested(
            CLAIM,
            "there are no two batch sizes with equal rates and settings",
        );
    };
    let steps = |run: &RunResults| match reach(&run.curve, target)? {
        Reach::At(cost) => Some(cost.steps.max(1.0).ln()),
        Reach::Before(_) | Reach::Never(_) => None,
    };
    // Runs that diverged never got there.
    let diverged = small.diverged.iter().chain(&large.diverged).collect::<BTreeSet<_>>().len();
    let seeds = paired(large, small, |_| Some(0.0)).len() + diverged;
    let saved = paired(small, large, steps);
    let Some(effect) = Estimate::of(&saved, 0.0) else {
        let because = format!("no seed passes {} with both between measurements", target.words());
        return Claim::untested(CLAIM, because);
    };
    let left_out = match seeds - saved.len() {
        0 => String::new(),
        some => format!(
            "; {some} of {seeds} seeds are left out, since one of the two diverged, never got there or \
             was there when first measured"
        ),
    };
    let because = format!(
        "to {} batch size {} takes {} times as many updates as {}{left_out}",
        target.words(),
        count(small.batch_size as u64),
        times(&effect),
        count(large.batch_size as u64)
    );
    // Those that are left out might have changed the sign.
    let finding = match saved.len() == seeds {
        true => Finding::of_sign(effect.interval),
        false => Finding::Inconclusive,
    };
    Claim::of_ratio(CLAIM, finding, Some(&effect), because)
}
