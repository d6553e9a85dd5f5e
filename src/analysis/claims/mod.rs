//! What is commonly claimed of batch sizes, one by one, against this study.
//!
//! A claim is *supported* when the 95 % interval of the effect that it speaks of lies on its side of
//! 0, *contradicted* when it lies on the other side or is shown to be smaller than the margin,
//! *inconclusive* when neither holds, and *not tested* when the study has no arms that could tell.
//! Accuracies are those of the test split if there is one: nothing is chosen here.

mod probed;

use super::decomposition::Remainder;
use super::estimate::Term;
use super::groups::{are_alike_but_for, have_one_rate, is_off, smallest_and_largest};
use super::words::{points, points_interval, signed_points};
use super::{
    ArmResults, CONFIDENCE, Decomposition, Estimate, Results, RunResults, SharpnessFinding,
};
use crate::format::{bytes, count};
use crate::stats::{Interval, equivalence_p, side};
use serde::Serialize;
use std::cmp::Ordering;

/// What the study says of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It holds here.
    Supported,
    /// It does not.
    Contradicted,
    /// This study cannot tell.
    Inconclusive,
    /// This study has no arms for it.
    NotTested,
}

impl Finding {
    /// Of an effect that a claim has above 0.
    fn of_sign(interval: Option<Interval>) -> Self {
        match side(interval) {
            Ordering::Greater => Self::Supported,
            Ordering::Less => Self::Contradicted,
            Ordering::Equal => Self::Inconclusive,
        }
    }

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Contradicted => "contradicted",
            Self::Inconclusive => "inconclusive",
            Self::NotTested => "not tested",
        }
    }
}

/// A claim and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// The claim.
    pub claim: &'static str,
    /// What the study says.
    pub finding: Finding,
    /// On what that rests, or what would test it.
    pub because: String,
    /// The effect where it is one of accuracy, as a share of 1, and what it is shown to be.
    pub effect: Option<Estimate>,
    /// The effect where it is one of something else, as a ratio.
    pub ratio: Option<Ratio>,
    /// The smallest effect on accuracy that these seeds would find in 80 of 100 studies.
    pub detectable: Option<f64>,
}

/// How many times as much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// The geometric mean over the seeds.
    pub value: f64,
    /// Its 95 % interval; `None` for one seed.
    pub interval: Option<Interval>,
}

impl Ratio {
    /// Of differences of logarithms.
    fn of(logarithms: &Estimate) -> Self {
        let interval = logarithms.interval;
        Self {
            value: logarithms.summary.mean.exp(),
            interval: interval.map(|of| Interval { low: of.low.exp(), high: of.high.exp() }),
        }
    }
}

impl Claim {
    fn untested(claim: &'static str, because: impl Into<String>) -> Self {
        Self::of_ratio(claim, Finding::NotTested, None, because.into())
    }

    /// That rests on something else than accuracy.
    fn of_ratio(
        claim: &'static str,
        finding: Finding,
        logarithms: Option<&Estimate>,
        because: String,
    ) -> Self {
        let ratio = logarithms.map(Ratio::of);
        Self { claim, finding, because, effect: None, ratio, detectable: None }
    }

    /// With the effect on accuracy that it rests on.
    fn told(claim: &'static str, finding: Finding, effect: Estimate, because: String) -> Self {
        let detectable = effect.detectable();
        Self { claim, finding, because, effect: Some(effect), ratio: None, detectable }
    }

    /// Of an effect on accuracy that the claim says to be positive.
    fn of(claim: &'static str, effect: Estimate, margin: f64, because: String) -> Self {
        Self::told(claim, judge(&effect, margin), effect, because)
    }
}

/// Whether an effect is positive, as a claim has it.
fn judge(effect: &Estimate, margin: f64) -> Finding {
    match equivalence_p(&effect.summary, margin) {
        Some(p) if p < 1.0 - CONFIDENCE => Finding::Contradicted,
        _ => Finding::of_sign(effect.interval),
    }
}

/// The claims that this study started from.
pub fn claims(
    results: &Results,
    of_main: &Results,
    decomposition: Option<&Decomposition>,
    sharpness: Option<&SharpnessFinding>,
) -> Vec<Claim> {
    vec![
        noise_generalises(decomposition),
        probed::smooth_gradients(results, of_main),
        probed::sharp_minima(sharpness),
        memory(results),
        epochs(results),
        schedule(results),
        setting(
            results,
            "dropout raises accuracy",
            &["model.lstm.dropout", "model.lstm.recurrent_dropout"],
        ),
        setting(
            results,
            "L1 or L2 penalties raise accuracy",
            &[
                "model.lstm.kernel_regularizer",
                "model.lstm.recurrent_regularizer",
                "model.lstm.bias_regularizer",
            ],
        ),
    ]
}

fn noise_generalises(decomposition: Option<&Decomposition>) -> Claim {
    const CLAIM: &str = "the noise of small batches leads to solutions that generalise better";
    let Some(found) = decomposition else {
        return Claim::untested(
            CLAIM,
            "with equal epochs and one learning rate a small batch also makes more updates; \
             `study.decompose` tells them apart",
        );
    };
    let unequal = found.unequal_updates().is_some();
    let finding = match found.remainder {
        _ if unequal => Finding::Inconclusive,
        Remainder::LargeWorse => Finding::Supported,
        Remainder::Immaterial | Remainder::LargeBetter => Finding::Contradicted,
        Remainder::AtTheEndAlone | Remainder::Open => Finding::Inconclusive,
    };
    let effect = found.parts().residual.estimate;
    let updates = match unequal {
        false => "equal updates",
        true => "equal budgets of updates, of which early stopping left some unused",
    };
    let overfitting = match found.remainder {
        Remainder::AtTheEndAlone => format!(
            ", much of it overfitting: where each run was best on validation, {}",
            effect_text(&found.best.residual.estimate)
        ),
        _ => String::new(),
    };
    let because = format!(
        "{} accuracy of batch size {} minus {}, both with tuned learning rates and {updates}: \
         {}{overfitting}",
        found.split(),
        count(found.small as u64),
        count(found.large as u64),
        effect_text(&effect)
    );
    Claim::told(CLAIM, finding, effect, because)
}

fn paired(a: &ArmResults, b: &ArmResults, of: impl Fn(&RunResults) -> Option<f64>) -> Vec<f64> {
    let pair = |(seed, run): (&u64, &RunResults)| Some(of(run)? - of(b.runs.get(seed)?)?);
    a.runs.iter().filter_map(pair).collect()
}

const NO_PAIR: &str = "no seed has finished runs of both batch sizes";

/// Arms with finished runs.
fn finished(results: &Results) -> impl Iterator<Item = &ArmResults> + Clone {
    results.arms.iter().filter(|arm| !arm.runs.is_empty())
}

fn memory(results: &Results) -> Claim {
    const CLAIM: &str = "larger batches need more memory";
    let Some([small, large]) = smallest_and_largest(finished(results), |_, _| true) else {
        return Claim::untested(CLAIM, "there are no two batch sizes with equal settings");
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
    Claim::of_ratio(CLAIM, Finding::of_sign(effect.interval), Some(&effect), because)
}

fn epochs(results: &Results) -> Claim {
    const CLAIM: &str = "larger batches make an epoch faster";
    let Some([small, large]) = smallest_and_largest(finished(results), |_, _| true) else {
        return Claim::untested(CLAIM, "there are no two batch sizes with equal settings");
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
    Claim::of_ratio(CLAIM, Finding::of_sign(effect.interval), Some(&effect), because)
}

/// `1.30 (95 % interval 1.20 to 1.41)`, of a difference of logarithms.
fn times(effect: &Estimate) -> String {
    let times = |log: f64| format!("{:.2}", log.exp());
    let interval = effect.interval.map_or(" (one seed)".to_owned(), |interval| {
        format!(" (95 % interval {} to {})", times(interval.low), times(interval.high))
    });
    times(effect.summary.mean) + &interval
}

/// The seed's schedule at its batch size, or else whatever schedule there is at the largest one.
fn schedule(results: &Results) -> Claim {
    setting(
        results,
        "a falling learning rate (1e-3 * 0.9^epoch) raises accuracy at large batch sizes",
        &["train.schedule"],
    )
}

/// Arms that differ in these settings alone; of several batch sizes the largest.
fn setting(results: &Results, claim: &'static str, prefixes: &[&str]) -> Claim {
    let is = |path: &str| prefixes.iter().any(|prefix| path.starts_with(prefix));
    let off = |arm: &ArmResults| {
        let values = arm.settings.iter().filter(|(path, _)| is(path));
        values.into_iter().all(|(_, value)| is_off(value))
    };
    let alike = |a: &ArmResults, b: &ArmResults| have_one_rate(a, b) && are_alike_but_for(a, b, is);
    let split = results.reported_split();
    let mut pairs: Vec<(&ArmResults, &ArmResults, Estimate)> = Vec::new();
    for with in results.arms.iter().filter(|arm| !off(arm)) {
        for without in results.arms.iter().filter(|arm| off(arm) && alike(with, arm)) {
            let of_seed = |(seed, run)| Some([(1.0, run), (-1.0, without.runs.get(seed)?)]);
            let sums: Vec<[Term; 2]> = with.runs.iter().filter_map(of_seed).collect();
            let effect = results.estimate(split, &sums);
            pairs.extend(effect.map(|effect| (with, without, effect)));
        }
    }
    let largest = pairs.iter().map(|(with, ..)| with.batch_size).max();
    pairs.retain(|(with, ..)| Some(with.batch_size) == largest);
    // Of several at that size, the one with the largest effect is named; its interval is as wide as it
    // must be for all of them to hold at once (Bonferroni).
    let of_many = pairs.len();
    let best = pairs.into_iter().max_by(|a, b| a.2.summary.mean.total_cmp(&b.2.summary.mean));
    let Some((with, without, mut effect)) = best else {
        return Claim::untested(claim, "there are no two arms that differ in this alone");
    };
    effect.interval = effect.summary.interval(1.0 - (1.0 - CONFIDENCE) / of_many as f64);
    let picked = match of_many {
        1 => String::new(),
        many => format!("; the best of {many}, so its interval is widened for as many"),
    };
    let because = format!(
        "`{}` minus `{}` (batch size {}): {}{picked}",
        with.name,
        without.name,
        count(with.batch_size as u64),
        effect_text(&effect)
    );
    Claim::of(claim, effect, results.margin, because)
}

fn effect_text(effect: &Estimate) -> String {
    let mean = signed_points(effect.summary.mean);
    let interval = effect.interval.map_or(" (one seed)".to_owned(), points_interval);
    format!("{mean} percentage points{interval}")
}

impl Claim {
    /// `found with 0.8 points or more`, for tables.
    pub fn detectable_text(&self) -> String {
        self.detectable.map_or("-".into(), |least| points((least * 1e4).ceil() / 1e4))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rate;
    use super::super::tests::{arm, results};
    use super::*;

    fn of<'c>(claims: &'c [Claim], part: &str) -> &'c Claim {
        claims.iter().find(|claim| claim.claim.contains(part)).unwrap()
    }

    fn with(
        batch_size: usize,
        name: &str,
        accuracies: &[f64],
        set: [(&str, &str); 1],
    ) -> ArmResults {
        let settings = set.map(|(path, value)| (path.to_owned(), value.to_owned()));
        ArmResults {
            name: name.into(),
            settings: settings.into_iter().collect(),
            ..arm(batch_size, accuracies)
        }
    }

    #[test]
    fn arms_that_differ_in_one_setting_test_the_claim_about_it() {
        let plain = [0.80, 0.81, 0.79, 0.80, 0.82];
        let better = plain.map(|accuracy| accuracy + 0.02);
        let worse = [0.78, 0.80, 0.77, 0.785, 0.80];
        for (accuracies, expected) in [
            (better, Finding::Supported),
            (worse, Finding::Contradicted),
            (plain, Finding::Contradicted),
        ] {
            let study = results(vec![
                with(256, "plain", &plain, [("train.schedule", "constant")]),
                with(256, "falling", &accuracies, [("train.schedule", "lr * 0.9^epoch")]),
            ]);
            let claims = claims(&study, &study, None, None);
            let found = of(&claims, "falling");
            assert_eq!(found.finding, expected, "{}", found.because);
            assert!(found.because.starts_with("`falling` minus `plain` (batch size 256)"));
            assert_eq!(of(&claims, "dropout").finding, Finding::NotTested);
        }
    }

    #[test]
    fn arms_with_their_own_tuned_rates_are_alike_and_those_with_other_given_ones_are_not() {
        let plain = [0.80, 0.81, 0.79, 0.80, 0.82];
        let better = plain.map(|accuracy| accuracy + 0.02);
        for (rate, expected) in
            [(Rate::Tuned, Finding::Supported), (Rate::Given, Finding::NotTested)]
        {
            let with = |accuracies, dropout, learning_rate| ArmResults {
                rate,
                learning_rate,
                ..with(64, dropout, accuracies, [("model.lstm.dropout", dropout)])
            };
            let study = results(vec![with(&plain, "0.0", 1e-3), with(&better, "0.2", 3e-3)]);
            assert_eq!(of(&claims(&study, &study, None, None), "dropout").finding, expected);
        }
    }

    #[test]
    fn a_noisy_effect_is_inconclusive_and_says_what_could_have_been_found() {
        let study = results(vec![
            with(64, "plain", &[0.80, 0.83, 0.78], [("model.lstm.dropout", "0.0")]),
            with(64, "dropped", &[0.82, 0.80, 0.81], [("model.lstm.dropout", "0.2")]),
        ]);
        let claims = claims(&study, &study, None, None);
        let found = of(&claims, "dropout");
        assert_eq!(found.finding, Finding::Inconclusive);
        assert!(found.detectable.unwrap() > 0.02);
    }

    #[test]
    fn memory_and_speed_are_read_off_the_runs() {
        let mut study = results(vec![arm(32, &[0.8, 0.8]), arm(1024, &[0.8, 0.8])]);
        for (seed, run) in &mut study.arms[1].runs {
            run.peak_memory = 800_000_000;
            run.train_seconds = 0.5 + 0.01 * *seed as f64;
        }
        let claims = claims(&study, &study, None, None);
        assert_eq!(of(&claims, "memory").finding, Finding::Supported);
        let faster = of(&claims, "faster");
        assert_eq!(faster.finding, Finding::Supported, "{}", faster.because);
        assert_eq!(of(&claims, "noise of small").finding, Finding::NotTested);
    }

    #[test]
    fn the_best_of_several_kinds_is_judged_as_the_best_of_several() {
        let plain = [0.80, 0.81, 0.79, 0.80, 0.82];
        // By itself the interval of this effect ends just above 0.
        let better = [0.808, 0.812, 0.799, 0.806, 0.822];
        let kinds = |count: usize| {
            let mut arms = vec![with(64, "plain", &plain, [("model.lstm.dropout", "0.0")])];
            for kind in 1..=count {
                let accuracies = if kind == 1 { better } else { plain };
                let dropout = format!("0.{kind}");
                let settings = [("model.lstm.dropout", dropout.as_str())];
                arms.push(with(64, &format!("dropped-{kind}"), &accuracies, settings));
            }
            of(&claims(&results(arms.clone()), &results(arms), None, None), "dropout").clone()
        };
        assert_eq!(kinds(1).finding, Finding::Supported, "{}", kinds(1).because);
        assert_eq!(kinds(3).finding, Finding::Inconclusive, "{}", kinds(3).because);
        assert!(kinds(3).because.contains("the best of 3"), "{}", kinds(3).because);
    }

    #[test]
    fn without_a_test_split_effects_are_those_on_validation_with_its_rounding() {
        let mut study = results(vec![
            with(64, "plain", &[0.80, 0.81, 0.79], [("model.lstm.dropout", "0.0")]),
            with(64, "dropped", &[0.82, 0.83, 0.81], [("model.lstm.dropout", "0.2")]),
        ]);
        for run in study.arms.iter_mut().flat_map(|arm| arm.runs.values_mut()) {
            run.test = None;
        }
        study.examples.test = None;
        let found = of(&claims(&study, &study, None, None), "dropout").clone();
        assert_eq!(found.finding, Finding::Supported, "{}", found.because);
        let interval = found.effect.unwrap().interval.unwrap();
        assert!(interval.high - interval.low < 0.01, "{interval:?}");
    }
}
