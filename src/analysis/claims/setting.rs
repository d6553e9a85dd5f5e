//! Claims about settings that some arms have and others have not: schedules, dropout, penalties.

use super::{Because, Claim, ClaimKind, Missing, is_small};
use crate::analysis::estimate::Term;
use crate::analysis::groups::{are_alike_but_for, have_one_rate, is_off};
use crate::analysis::{ArmResults, CONFIDENCE, Estimate, Results};

/// As reports have `1e-3 * 0.9^epoch`.
const FALLING: (&str, f64) = ("lr * 0.9^epoch", 1e-3);
/// The batch size of which it is claimed.
const LARGE: usize = 256;

/// An arm with the setting, the one without, and what it does.
type Pair<'a> = (&'a ArmResults, &'a ArmResults, Estimate);

/// The schedule and batch size of the claim if the study has them, else whatever schedule there is at
/// the largest batch size, under its own name.
pub(super) fn schedule(results: &Results) -> Claim {
    const KEY: &str = "schedule";
    let is_claimed = |(arm, ..): &Pair| {
        let falls =
            arm.settings.get("train.schedule").is_some_and(|schedule| schedule == FALLING.0);
        falls && (arm.learning_rate - FALLING.1).abs() < 1e-9 && arm.batch_size == LARGE
    };
    let (claimed, others): (Vec<Pair>, Vec<Pair>) =
        pairs(results, &[KEY]).into_iter().partition(is_claimed);
    let (claim, pairs) = match claimed.is_empty() {
        false => (ClaimKind::FallingRateAt256, claimed),
        true => (ClaimKind::FallingRate, others),
    };
    judge(results, claim, &[KEY], pairs)
}

pub(super) fn setting(results: &Results, claim: ClaimKind, keys: &[&str]) -> Claim {
    judge(results, claim, keys, pairs(results, keys))
}

/// Whether a setting is that of the training or of any layer of the model which has one of these keys.
fn is_of(path: &str, keys: &[&str]) -> bool {
    let sections = ["train.", "model."];
    let path = sections.iter().find_map(|section| path.strip_prefix(section));
    path.is_some_and(|path| path.split('.').any(|part| keys.contains(&part)))
}

/// Arms that differ in these settings alone, of which one has none of them; those of which a run
/// diverged are left out, since what survived is no fair sample.
fn pairs<'a>(results: &'a Results, keys: &[&str]) -> Vec<Pair<'a>> {
    let is = |path: &str| is_of(path, keys);
    let off = |arm: &ArmResults| {
        let values = arm.settings.iter().filter(|(path, _)| is(path));
        values.into_iter().all(|(_, value)| is_off(value))
    };
    let alike = |a: &ArmResults, b: &ArmResults| have_one_rate(a, b) && are_alike_but_for(a, b, is);
    let split = results.reported_split();
    let arms = || results.arms.iter().filter(|arm| arm.diverged.is_empty());
    let mut pairs: Vec<Pair> = Vec::new();
    for with in arms().filter(|arm| !off(arm)) {
        for without in arms().filter(|arm| off(arm) && alike(with, arm)) {
            let of_seed = |(seed, run)| Some([(1.0, run), (-1.0, without.runs.get(seed)?)]);
            let sums: Vec<[Term; 2]> = with.runs.iter().filter_map(of_seed).collect();
            let effect = results.estimate(split, &sums);
            pairs.extend(effect.map(|effect| (with, without, effect)));
        }
    }
    pairs
}

/// Of several batch sizes the largest.
fn judge(results: &Results, claim: ClaimKind, keys: &[&str], mut pairs: Vec<Pair>) -> Claim {
    let largest = pairs.iter().map(|(with, ..)| with.batch_size).max();
    pairs.retain(|(with, ..)| Some(with.batch_size) == largest);
    // Of several at that size, the one with the largest effect is named; its interval is as wide as it
    // must be for all of them to hold at once (Bonferroni).
    let of_many = pairs.len();
    let best = pairs.into_iter().max_by(|a, b| a.2.summary.mean.total_cmp(&b.2.summary.mean));
    let Some((with, without, mut effect)) = best else {
        return Claim::untested(claim, Missing::TwoArms);
    };
    effect.interval = effect.summary.interval(1.0 - (1.0 - CONFIDENCE) / of_many as f64);
    let has = with.settings.iter().filter(|(path, value)| is_of(path, keys) && !is_off(value));
    let is_small = is_small(&effect, results.margin);
    let because = Because::Setting {
        batch_size: with.batch_size,
        settings: has.map(|(path, value)| [path.clone(), value.clone()]).collect(),
        of_many,
        is_small,
    };
    let finding = super::judge(&effect, results.margin);
    Claim::of_effect(claim, finding, effect, because).on([&with.name, &without.name])
}
