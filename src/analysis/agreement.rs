//! Whether several studies agree on a batch size.
//!
//! ```text
//! good       in a study: shown to be within the margin of whichever arm is truly the best
//! possible   in a study: may be the best (Hsu's comparison with the best)
//! out        in a study: shown to be worse than the best by more than the margin, or diverged
//!
//! agree      some batch size is good in all of them
//! little     in some study, one that not all of them tried is better than all that they did
//! disagree   every batch size that all of them tried is out in some
//! differ     none that all of them tried may be the best in all
//! open       otherwise
//! ```
//!
//! The arm that came out best was chosen after the results: it is good only where no other can be better
//! by more than the margin. A batch size with several arms counts by the best of them. What is shown is
//! shown in each study by itself; nothing is corrected for the number of studies.

use super::{ArmFinding, Comparison, Findings, Outcome, Role};
use crate::stats::Standing;
use serde::Serialize;
use std::collections::BTreeSet;

/// What several studies say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// Some batch size is good in all of them.
    Agree,
    /// Every batch size that all of them tried is out in some.
    Disagree,
    /// None may be the best in all of them; whether that matters is not settled.
    Differ,
    /// Not settled.
    Open,
    /// They tried no batch size in common.
    NothingInCommon,
    /// In some of them, none of those that all tried may be the best.
    TooLittleInCommon,
    /// Fewer than two of them compare batch sizes by one score.
    TooFew,
}

/// What one study says of each batch size that it tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// All of them.
    pub tried: BTreeSet<usize>,
    /// Shown to be within the margin of the best.
    pub good: BTreeSet<usize>,
    /// May be the best.
    pub possible: BTreeSet<usize>,
    /// Shown to be worse by more than the margin, or diverged.
    pub out: BTreeSet<usize>,
}

/// A study as the others hear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voice {
    /// Of the study.
    pub name: String,
    /// What it says, or why it says nothing.
    pub says: Result<Sizes, Silence>,
}

/// Why a study says nothing of batch sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// None of its arms can be compared.
    NothingToCompare,
    /// It has one arm alone.
    OneArm,
    /// Fewer than three seeds are finished in all arms.
    TooFewSeeds,
    /// Its runs were to end at one target, so that it compares what that takes.
    ToTarget,
    /// It is decided by another score than the first study.
    OtherScore,
}

/// What several studies say together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agreed {
    /// In a word.
    pub agreement: Agreement,
    /// Those on which they agree; where that is open, those that may be the best in all; where they have
    /// too little in common, what that is.
    pub batch_sizes: Vec<usize>,
    /// Batch sizes that some of them tried and others did not.
    pub not_everywhere: Vec<usize>,
    /// The studies that say nothing.
    pub silent: Vec<(String, Silence)>,
}

/// What a study says of its batch sizes, or why it says nothing.
pub fn sizes(findings: &Findings) -> Result<Sizes, Silence> {
    match findings.verdict.outcome {
        Outcome::NothingToCompare => Err(Silence::NothingToCompare),
        Outcome::OneArm => Err(Silence::OneArm),
        Outcome::TooFewSeeds => Err(Silence::TooFewSeeds),
        Outcome::ToTarget => Err(Silence::ToTarget),
        Outcome::ClearlyBetter | Outcome::NoDifference | Outcome::Decided | Outcome::Undecided => {
            Ok(of_comparison(&findings.comparison))
        }
    }
}

fn of_comparison(comparison: &Comparison) -> Sizes {
    let arms = || comparison.arms.iter().filter(|arm| arm.finished + arm.diverged > 0);
    let all = |fits: &dyn Fn(&ArmFinding) -> bool| -> BTreeSet<usize> {
        arms().filter(|arm| fits(arm)).map(|arm| arm.batch_size).collect()
    };
    let is_good = |arm: &ArmFinding| arm.standing == Some(Standing::Equivalent);
    let is_out =
        |arm: &ArmFinding| arm.role == Role::Diverged || arm.standing == Some(Standing::Out);
    let not_out = all(&|arm| !is_out(arm));
    Sizes {
        tried: all(&|_| true),
        good: all(&is_good),
        possible: all(&|arm| arm.may_be_best() == Some(true)),
        out: all(&is_out).difference(&not_out).copied().collect(),
    }
}

/// What the studies say together.
pub fn agree(voices: &[Voice]) -> Agreed {
    let heard: Vec<(&str, &Sizes)> =
        voices.iter().filter_map(|v| Some((v.name.as_str(), v.says.as_ref().ok()?))).collect();
    let common = shared(&heard, |sizes| &sizes.tried);
    let good = shared(&heard, |sizes| &sizes.good);
    let possible: BTreeSet<usize> =
        shared(&heard, |sizes| &sizes.possible).intersection(&common).copied().collect();
    let is_beside = |sizes: &Sizes| common.is_disjoint(&sizes.possible);
    let is_out = |size: &usize| heard.iter().any(|(_, sizes)| sizes.out.contains(size));
    let (agreement, batch_sizes) = match heard.len() {
        0 | 1 => (Agreement::TooFew, BTreeSet::new()),
        _ if common.is_empty() => (Agreement::NothingInCommon, BTreeSet::new()),
        _ if !good.is_empty() => (Agreement::Agree, good),
        _ if heard.iter().any(|(_, sizes)| is_beside(sizes)) => {
            (Agreement::TooLittleInCommon, common.clone())
        }
        _ if common.iter().all(is_out) => (Agreement::Disagree, BTreeSet::new()),
        _ if possible.is_empty() => (Agreement::Differ, BTreeSet::new()),
        _ => (Agreement::Open, possible),
    };
    let batch_sizes: Vec<usize> = batch_sizes.into_iter().collect();
    let tried: BTreeSet<usize> =
        heard.iter().flat_map(|(_, sizes)| sizes.tried.iter().copied()).collect();
    let not_everywhere = match heard.len() > 1 && !common.is_empty() {
        true => tried.difference(&common).copied().collect(),
        false => Vec::new(),
    };
    let silent = voices.iter().filter_map(|of| Some((of.name.clone(), of.says.as_ref().err()?)));
    let silent = silent.map(|(name, why)| (name, *why)).collect();
    Agreed { agreement, batch_sizes, not_everywhere, silent }
}

/// Batch sizes that are in a set of every study.
fn shared(heard: &[(&str, &Sizes)], of: fn(&Sizes) -> &BTreeSet<usize>) -> BTreeSet<usize> {
    let sets = heard.iter().map(|(_, sizes)| of(sizes).clone());
    sets.reduce(|a, b| a.intersection(&b).copied().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arm, results};
    use super::*;
    use crate::analysis::{ArmResults, Results, Target, analyse};
    use crate::stats::tests::generator;

    fn voice(name: &str, arms: Vec<ArmResults>) -> Voice {
        let findings = analyse(&results(arms), &mut generator(1));
        Voice { name: name.into(), says: sizes(&findings) }
    }

    /// Seeds that differ in the same way in every arm, around this accuracy.
    fn around(batch_size: usize, accuracy: f64) -> ArmResults {
        let seeds = [0.010, -0.008, 0.003, -0.006, 0.001].map(|d| accuracy + d);
        let wobble = batch_size as f64 * 1e-6;
        let seeds: Vec<f64> =
            seeds.iter().enumerate().map(|(i, a)| a + wobble * (i % 2) as f64).collect();
        arm(batch_size, &seeds)
    }

    #[test]
    fn a_size_that_is_shown_to_be_good_everywhere_is_agreed_on() {
        let a = voice("a", vec![around(32, 0.80), around(64, 0.801), around(256, 0.77)]);
        let b = voice("b", vec![around(32, 0.90), around(64, 0.902), around(512, 0.85)]);
        let found = agree(&[a, b]);
        assert_eq!((found.agreement, &found.batch_sizes[..]), (Agreement::Agree, &[32, 64][..]));
        assert_eq!(found.not_everywhere, [256, 512]);
    }

    #[test]
    fn sizes_that_are_each_worse_somewhere_are_disagreed_on() {
        let a = voice("a", vec![around(32, 0.80), around(256, 0.77)]);
        let b = voice("b", vec![around(32, 0.80), around(256, 0.83)]);
        assert_eq!(agree(&[a, b]).agreement, Agreement::Disagree);
    }

    #[test]
    fn sizes_that_another_beats_in_one_study_alone_are_too_little_to_disagree_on() {
        let a = voice("a", vec![around(32, 0.80), around(64, 0.77)]);
        let b = voice("b", vec![around(64, 0.80), around(128, 0.77)]);
        let found = agree(&[a, b]);
        let little = (Agreement::TooLittleInCommon, &[64][..]);
        assert_eq!((found.agreement, &found.batch_sizes[..]), little);
    }

    #[test]
    fn bests_that_differ_within_the_margin_or_beyond_what_is_known_are_called_so() {
        // Certainly different, by less than the margin of 0.005: both are good enough everywhere.
        let a = voice("a", vec![around(32, 0.803), around(64, 0.800)]);
        let b = voice("b", vec![around(32, 0.800), around(64, 0.803)]);
        assert_eq!(agree(&[a, b]).batch_sizes, [32, 64]);
        // One study shows a size to be worse by more than the margin, the other the other one.
        let a = voice("a", vec![around(32, 0.806), around(64, 0.799)]);
        let b = voice("b", vec![around(32, 0.799), around(64, 0.806)]);
        assert_eq!(agree(&[a, b]).agreement, Agreement::Disagree);
    }

    #[test]
    fn what_is_open_in_the_studies_is_open_together() {
        let wide = |size: usize, by: f64| arm(size, &[0.8 + by, 0.84 - by, 0.76 + 2.0 * by]);
        let of = |name: &str| voice(name, vec![wide(32, 0.01), wide(64, -0.01)]);
        let found = agree(&[of("a"), of("b")]);
        assert_eq!(found.agreement, Agreement::Open);
        // The best of an open comparison is good in name only.
        assert!(of("a").says.unwrap().good.is_empty());
    }

    #[test]
    fn one_seed_one_arm_and_runs_to_a_target_say_nothing_and_strangers_share_nothing() {
        let one = voice("one", vec![arm(32, &[0.8]), arm(64, &[0.7])]);
        let alone = voice("alone", vec![around(32, 0.8)]);
        let many = voice("many", vec![around(32, 0.80), around(64, 0.77)]);
        let other = voice("other", vec![around(16, 0.80), around(128, 0.77)]);
        let found = agree(&[one, alone, many.clone()]);
        assert_eq!(found.agreement, Agreement::TooFew);
        let silent = [("one", Silence::TooFewSeeds), ("alone", Silence::OneArm)];
        assert_eq!(found.silent, silent.map(|(name, why)| (name.to_owned(), why)));
        assert_eq!(agree(&[many, other]).agreement, Agreement::NothingInCommon);
        let arms = vec![around(32, 0.8), around(64, 0.7)];
        let target = Results { declared_target: Some(Target::of_accuracy(0.75)), ..results(arms) };
        let findings = analyse(&target, &mut generator(1));
        assert_eq!(sizes(&findings), Err(Silence::ToTarget));
    }

    #[test]
    fn a_size_that_diverges_is_out_unless_another_arm_of_it_is_not() {
        let mut wild = around(64, 0.9);
        wild.diverged = vec![9];
        let says = voice("a", vec![around(32, 0.8), wild.clone()]).says.unwrap();
        assert_eq!(says.out, BTreeSet::from([64]));
        let tame = ArmResults { name: "tame".into(), ..around(64, 0.8) };
        let says = voice("a", vec![around(32, 0.8), wild, tame]).says.unwrap();
        assert!(says.out.is_empty() && says.good.contains(&64), "{says:?}");
    }
}
