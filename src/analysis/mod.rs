//! What the results of a study say: pure functions of plain numbers.
//!
//! ```text
//! split          on which examples a score is reported
//! estimate       means over seeds with their uncertainty, over the rows of the test split too
//! groups         which arms answer the same question
//! compare        which arm of a group is the best on validation, and how the others stand to it
//! decomposition  the gap between two batch sizes = learning rate + updates + residual
//! target         the first step, example and second at which each run reaches a score
//! trade_off      S(B) = Smin + Emin / B through them: the critical batch size
//! audit          what else than the batch size can be behind a difference
//! claims         what is commonly claimed, one by one
//! tuning         how learning rates that were tuned were found
//! rates          which learning rate suits which batch size
//! budgets        the same curves at equal passes, equal updates, equal seconds
//! at_best        each run where it was best
//! factors        what else was varied, and whether it matters more for some batch sizes
//! robust         scores of arms that one failed seed does not move
//! pareto         the arms that no other beats in both score and cost
//! noise          how noisy gradients are, beside the critical batch size
//! minima         whether large batches end in sharper minima, and what that tells
//! objective      what counts among the arms that are good enough
//! verdict        what to use and why, in sentences that a newcomer understands
//! findings       all of it
//! agreement      whether several studies agree on a batch size
//! ```
//!
//! Decisions (the best arm, who is within the margin, what to use) are made on the validation split
//! alone; the test split is looked at once, for what is reported. Runs of the same seed are pairs:
//! they began with the same weights and saw the same order of examples.
//!
//! The score is the metric that the study names: accuracy, F1, RMSE. Every score here is *turned*
//! ([`MetricInfo::turned`]), so that more is better: of a metric that should fall the sign is changed. The
//! report turns it back before anyone reads it.

mod agreement;
mod at_best;
mod audit;
mod budgets;
mod claims;
mod compare;
mod decomposition;
mod estimate;
mod factors;
mod findings;
mod groups;
mod minima;
mod noise;
mod objective;
mod pareto;
mod rates;
mod robust;
mod split;
mod target;
mod trade_off;
mod tuning;
mod verdict;

pub use agreement::{Agreed, Agreement, Silence, Sizes, Voice, agree, sizes};
pub use at_best::{AtBest, at_best};
pub use audit::{ArmFacts, At, Confounder, Given, Updates, Weight, audit};
pub use budgets::{Axis, BudgetFinding, Flip, budgets, flips};
pub use claims::{Because, Claim, ClaimKind, Finding, Known, Missing, claims};
pub use compare::{ArmFinding, Comparison, Difference, Looks, Role, compare};
pub use decomposition::{
    Decomposition, GapArm, NoDecomposition, OddSeed, Part, Parts, Remainder, decompose,
};
pub use estimate::{Estimate, Ratio};
pub use factors::{Effect, Factor, factors};
pub use findings::{Findings, GroupFinding, GroupView, analyse};
pub use groups::{Group, Way, groups};
pub use minima::{
    Barrier, LIKE_LOSSES, Line, LinePoint, MeasuredArm, RankCorrelation, Sharper, Sharpness,
    SharpnessFinding, SharpnessRun, sharpness,
};
pub use noise::{
    Fit, Median, NoiseArm, NoiseFinding, NoiseMedian, NoisePoint, NoiseRun, NoiseScale, noise,
};
pub use objective::NEGLIGIBLE_RATIO;
pub use pareto::{Front, Price, fronts};
pub use rates::{MORE_STEPS, NoScaling, RateFinding, RateOptimum, RateRule, RateScaling, rates};
pub use split::{ClassesMissing, Examples, InTraining, SharedSteps, Split};
pub use target::{
    ArmTarget, Cost, InBudget, Reach, Target, TargetFinding, default_target, reach, target,
};
pub use trade_off::{NoTradeOff, Observation, Observed, TradeOff, fit};
pub use tuning::Tuning;
pub use verdict::{
    Caution, Decision, Guessing, MoreSeeds, OtherRows, Outcome, Peak, Rival, Seen, Strays, Verdict,
    decide, verdict,
};

use crate::spec::{MetricInfo, StudyObjective};
use serde::Serialize;
use std::collections::BTreeMap;

/// How sure intervals and bounds are.
pub const CONFIDENCE: f64 = 0.95;

/// The results of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// What decides; all scores are its values, turned.
    pub score: &'static MetricInfo,
    /// A difference in the score up to this does not matter: declared before the results.
    pub margin: f64,
    /// Of the arms within it, which one is to be used.
    pub objective: StudyObjective,
    /// Other margins that earlier sessions of the study declared.
    pub earlier_margins: Vec<f64>,
    /// How they were come by.
    pub looks: Looks,
    /// The seeds of the first look, where more were added after it.
    pub first_look: Option<u64>,
    /// How many examples the splits have.
    pub examples: Examples,
    /// Steps of the longest training row, if it is known.
    pub longest: Option<usize>,
    /// Numbers at each step, of rows that are numbers.
    pub features: Option<usize>,
    /// What rows of the splits share with each other.
    pub shared: SharedSteps,
    /// Splits that have no example of some class.
    pub missing: Vec<ClassesMissing>,
    /// The validation score of a model that always gives the same answer, if it is known: the more frequent
    /// class, or the mean of the training targets.
    pub baseline: Option<f64>,
    /// What that score says of models that do no better.
    pub constant: Bar,
    /// The validation score of the forecast that a series keeps its last value; `None` for other data.
    pub last_value: Option<f64>,
    /// In the order of the file.
    pub arms: Vec<ArmResults>,
    /// That at which all runs of all arms end, if the file says so.
    pub declared_target: Option<Target>,
    /// How the learning rates of arms that were tuned were found.
    pub tunings: Vec<Tuning>,
    /// The two batch sizes, small and large, between which the study takes the gap apart.
    pub decompose: Option<[usize; 2]>,
    /// Gradient noise scales, of the runs in which they were measured.
    pub noise: Vec<NoiseRun>,
    /// Sharpness, of the runs in which it was measured.
    pub sharpness: Vec<SharpnessRun>,
    /// Losses and metrics on the line between two solutions.
    pub lines: Vec<Line>,
}

/// What the score of a model that always gives the same answer says of models that do no better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// They are not shown to have learned anything.
    ToBeat,
    /// Nothing is known of what they learned: they aim at something that the score does not count.
    AimedElsewhere,
    /// Nothing: that model scores well.
    Nothing,
}

/// How an arm came by its learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// The file says it, or a rule that the file names.
    Given,
    /// It was the best of several on validation, with seeds of their own.
    Tuned,
}

/// What an arm's runs have in common with those of other batch sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// The passes over the data, or whatever else the file gives every arm.
    Epochs,
    /// The updates: as many as another batch size makes.
    Steps,
}

/// One arm.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmResults {
    /// Its name.
    pub name: String,
    /// Examples per step.
    pub batch_size: usize,
    /// Before the schedule.
    pub learning_rate: f64,
    /// How it came by that.
    pub rate: Rate,
    /// What its runs have in common with those of other batch sizes.
    pub budget: Budget,
    /// What its settings mean for the audit.
    pub facts: ArmFacts,
    /// What else differs between the arms, by its path in the file.
    pub settings: BTreeMap<String, String>,
    /// Runs that the study asks for.
    pub planned: usize,
    /// Seeds whose loss was not finite.
    pub diverged: Vec<u64>,
    /// Finished runs whose score is not defined, which are left out: AUC where all rows have one label.
    pub unscored: usize,
    /// Runs that an error ended.
    pub failed: usize,
    /// The finished runs, by seed.
    pub runs: BTreeMap<u64, RunResults>,
}

impl ArmResults {
    /// Validation scores minus those of another arm, of each seed that both have.
    pub fn minus(&self, other: &Self) -> Vec<(u64, f64)> {
        let pair = |(seed, run): (&u64, &RunResults)| {
            Some((*seed, run.validation - other.runs.get(seed)?.validation))
        };
        self.runs.iter().filter_map(pair).collect()
    }
}

/// One finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunResults {
    /// Validation score of the weights that it ended with.
    pub validation: f64,
    /// Their test score.
    pub test: Option<f64>,
    /// What each example of the test split contributes to that: their mean is the score, or nearly so
    /// ([`MetricInfo::row_values`]). Empty if not known.
    pub rows: Vec<f32>,
    /// Updates.
    pub steps: u64,
    /// Training rows seen.
    pub examples: u64,
    /// Of training and validation.
    pub seconds: f64,
    /// Of training alone.
    pub train_seconds: f64,
    /// In bytes.
    pub peak_memory: u64,
    /// After each epoch, and within epochs if that was asked for.
    pub curve: Vec<Point>,
}

impl RunResults {
    /// In all.
    pub(crate) fn spent(&self) -> Cost {
        Cost { steps: self.steps as f64, examples: self.examples as f64, seconds: self.seconds }
    }
}

/// Where a run stood when validation was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Updates so far.
    pub step: u64,
    /// Training rows so far.
    pub examples: u64,
    /// Seconds of training and validation so far.
    pub seconds: f64,
    /// On validation.
    pub score: f64,
    /// On validation.
    pub loss: f64,
    /// Loss and score over the training rows since the epoch began, while training; `None` where it was
    /// measured within an epoch.
    pub train: Option<[f64; 2]>,
    /// The metric at which the run ends, if there is one and it was measured here.
    pub watched: Option<f64>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::spec::Metric;

    /// A run with this score and nothing else of interest.
    pub(crate) fn run(validation: f64) -> RunResults {
        RunResults {
            validation,
            test: Some(validation - 0.01),
            rows: Vec::new(),
            steps: 100,
            examples: 1000,
            seconds: 2.0,
            train_seconds: 1.5,
            peak_memory: 200_000_000,
            curve: Vec::new(),
        }
    }

    /// A measurement after so many steps, of one row each, with nothing else of interest.
    pub(crate) fn point(step: u64, score: f64) -> Point {
        Point { step, examples: step, seconds: 1.0, score, loss: 0.5, train: None, watched: None }
    }

    /// A minimum of this curvature and adaptive sharpness, with nothing else of interest.
    pub(crate) fn sharpness(top_eigenvalue: f64, adaptive: f64) -> Sharpness {
        Sharpness {
            loss: 0.1,
            top_eigenvalue,
            trace: 40.0,
            trace_se: 2.0,
            ball: 0.1,
            adaptive,
            keskar: 12.0,
            edge_of_stability: Some(0.4),
        }
    }

    /// An arm whose seeds 0, 1, ... have these scores.
    pub(crate) fn arm(batch_size: usize, scores: &[f64]) -> ArmResults {
        let mut runs: BTreeMap<u64, RunResults> =
            (0..).zip(scores.iter().map(|a| run(*a))).collect();
        for run in runs.values_mut() {
            run.steps = 12_800 / batch_size as u64;
            run.seconds = 1.0 + 64.0 / batch_size as f64;
        }
        ArmResults {
            name: format!("batch-{batch_size}"),
            batch_size,
            learning_rate: 1e-3,
            rate: Rate::Given,
            budget: Budget::Epochs,
            facts: ArmFacts::default(),
            settings: BTreeMap::new(),
            planned: scores.len(),
            diverged: Vec::new(),
            unscored: 0,
            failed: 0,
            runs,
        }
    }

    /// The five arms of a gap between batch sizes 32 and 256, whose seeds have these scores.
    pub(crate) fn gap_arms(mut scores: impl FnMut(usize) -> Vec<f64>) -> Vec<ArmResults> {
        let kinds = [
            (32, Rate::Given, Budget::Epochs),
            (256, Rate::Given, Budget::Epochs),
            (32, Rate::Tuned, Budget::Epochs),
            (256, Rate::Tuned, Budget::Epochs),
            (256, Rate::Tuned, Budget::Steps),
        ];
        let of = |(place, (size, rate, budget))| {
            let name = format!("a{place}");
            ArmResults { name, rate, budget, ..arm(size, &scores(place)) }
        };
        kinds.into_iter().enumerate().map(of).collect()
    }

    /// A study of accuracy of these arms with the margin 0.005.
    pub(crate) fn results(arms: Vec<ArmResults>) -> Results {
        let examples = Examples { train: Some(6000), validation: Some(2000), test: Some(2000) };
        Results {
            score: Metric::Accuracy.info(),
            margin: 0.005,
            objective: StudyObjective::Time,
            earlier_margins: Vec::new(),
            looks: Looks::Once,
            first_look: None,
            examples,
            longest: None,
            features: None,
            shared: SharedSteps::default(),
            missing: Vec::new(),
            baseline: None,
            constant: Bar::ToBeat,
            last_value: None,
            arms,
            declared_target: None,
            tunings: Vec::new(),
            decompose: None,
            noise: Vec::new(),
            sharpness: Vec::new(),
            lines: Vec::new(),
        }
    }
}
