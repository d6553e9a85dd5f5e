//! What is known of prepared examples: counts of each split, and what was noticed about them.

use super::account::Account;
use super::doubtful::Doubtful;
use super::found::Far;
use super::scale::Scale;
use super::scaling::Scaling;
use super::series::Windows;
use super::spelling::AlikeGroups;
use crate::spec::{Affine, Metric};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known of the examples without reading them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Hash of the source and of all settings that the prepared examples depend on.
    pub hash: String,
    /// V for token ids.
    pub vocabulary: Option<usize>,
    /// F for arrays of floats.
    pub features: Option<usize>,
    /// What the classes are called in the source, in the order of their numbers; none where numbers are
    /// predicted.
    pub classes: Vec<String>,
    /// Whether the training examples, in their order, have all of one label before all of another
    /// one, or targets that only rise or fall: without shuffling, whole batches would then hold one label.
    pub sorted_by_label: bool,
    /// What became of the lines and rows of each table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Account>,
    /// The training split.
    pub train: SplitFacts,
    /// The validation split.
    pub validation: SplitFacts,
    /// The test split.
    pub test: SplitFacts,
    /// What rows share with each other, of tables whether they are equal; not part of the prepared file,
    /// since it follows from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// Of token ids in arrays, for validation and test: the share of tokens whose id the training split
    /// never has. Not part of the prepared file, as `overlap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untrained: Option<[f64; 2]>,
    /// Names of the features that are constant in training and vary in validation or test. Not part of the
    /// prepared file, as `overlap`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constant_features: Vec<String>,
    /// Arrays in the file that the experiment does not name. Not part of the prepared file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unnamed: Vec<String>,
    /// What became of the rows of a series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
    /// The validation scores of the forecast that a series keeps its last value. Not part of the prepared
    /// file, as `overlap`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub last_value: BTreeMap<Metric, f64>,
    /// Rows of examples that come so often that a random split trains on all of them; `None` in files of
    /// earlier versions, whose splits had them anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heavy: Option<usize>,
    /// Groups that are one but for their spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alike_groups: Option<AlikeGroups>,
    /// Cells that may mean something else than they are read as.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<Doubtful>,
    /// How the numbers were scaled; counts and ranges of targets are of numbers as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// Features of very different scale; as for `overlap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// The validation scores of a model that gives every row the same answer, the best one for the
    /// training split. Not part of the prepared file, as `overlap`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baseline: BTreeMap<Metric, f64>,
}

impl Facts {
    /// Whether numbers are predicted.
    pub fn are_numbers(&self) -> bool {
        self.classes.is_empty()
    }

    /// From targets as they are trained to those that they stand for.
    pub fn unit(&self) -> Affine {
        self.scaling.as_ref().and_then(|scaling| scaling.target).unwrap_or(Affine::NONE)
    }
}

/// Counts of one split.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SplitFacts {
    /// N
    pub examples: usize,
    /// Of two classes: examples with label 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positives: Option<usize>,
    /// Of more classes: examples of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<usize>,
    /// Of numbers that are predicted: where they lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<TargetFacts>,
    /// Time steps of all rows together.
    pub steps: u64,
    /// Time steps of the longest row.
    pub longest: usize,
    /// Tokens of texts, without padding.
    #[serde(default)]
    pub tokens: u64,
    /// Tokens of texts that stand for words which the vocabulary does not have.
    #[serde(default)]
    pub unknown: u64,
    /// Texts without a token.
    #[serde(default)]
    pub empty: usize,
}

impl SplitFacts {
    /// Examples of each class; empty where numbers are predicted.
    pub fn rows_of_classes(&self) -> Vec<usize> {
        match self.positives {
            Some(positives) => vec![self.examples - positives, positives],
            None => self.counts.clone(),
        }
    }

    /// The classes of which there is no example, where there are examples.
    pub fn lacking(&self, classes: &[String]) -> Vec<String> {
        let none = self.rows_of_classes().into_iter().zip(classes).filter(|(rows, _)| *rows == 0);
        if self.examples == 0 { Vec::new() } else { none.map(|(_, class)| class.clone()).collect() }
    }

    /// Whether there are examples of every class.
    pub fn has_all_classes(&self) -> bool {
        self.rows_of_classes().iter().all(|rows| *rows > 0)
    }
}

/// The targets of one split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, of these rows alone (divided by N).
    pub sd: f64,
    /// The smallest.
    #[serde(rename = "min")]
    pub least: f32,
    /// The largest.
    #[serde(rename = "max")]
    pub most: f32,
}

impl TargetFacts {
    /// Whether they differ by about as much as a model's first outputs do, and lie near them.
    pub fn is_near_outputs(&self) -> bool {
        Far::of(self.mean, self.sd).is_none()
    }

    /// Of these targets; `None` where there are none.
    pub(super) fn of(targets: &[f32]) -> Option<Self> {
        let n = targets.len() as f64;
        let wide = || targets.iter().map(|target| f64::from(*target));
        let mean = wide().sum::<f64>() / n;
        let sd = (wide().map(|target| (target - mean).powi(2)).sum::<f64>() / n).sqrt();
        let least = targets.iter().copied().reduce(f32::min)?;
        let most = targets.iter().copied().reduce(f32::max)?;
        Some(Self { mean, sd, least, most })
    }
}

/// What rows share with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Overlap {
    /// Time steps of a row.
    pub steps: usize,
    /// So many steps after its neighbour in the source a row begins, where the two share the rest.
    pub stride: Option<usize>,
    /// Whether they share them but for the scale of each row.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rescaled: bool,
    /// Rows of the validation split that are in the training split.
    pub validation: InTraining,
    /// Rows of the test split that are in the training split.
    pub test: InTraining,
    /// Pairs of equal rows of the test split, each row with itself too: as many as rows where all differ.
    /// 0 where that was not looked at.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub test_pairs: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Rows of a split of which the training split holds all steps or at least half of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InTraining {
    /// Those that equal a training row.
    pub repeated: usize,
    /// Those that share steps with a training row.
    pub overlapping: usize,
    /// The most steps that one of these shares.
    pub most_steps: usize,
    /// One of them, and a training row that it shares the most steps with, by their rows in the source.
    pub example: Option<[u64; 2]>,
}

impl Overlap {
    /// Rows that a window spans: one begins this many rows later, and shares nothing with it.
    pub fn span(&self) -> Option<usize> {
        self.stride.map(|stride| self.steps.div_ceil(stride))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_two_classes_keep_their_bytes() {
        let split = SplitFacts { examples: 5, positives: Some(0), ..SplitFacts::default() };
        let text = serde_json::to_string(&split).unwrap();
        assert_eq!(
            text,
            "{\"examples\":5,\"positives\":0,\"steps\":0,\"longest\":0,\"tokens\":0,\"unknown\":0,\
             \"empty\":0}"
        );
        assert_eq!(serde_json::from_str::<SplitFacts>(&text).unwrap(), split);
        let facts = Facts { classes: vec!["no".into(), "yes".into()], ..Facts::default() };
        let text = serde_json::to_string(&facts).unwrap();
        assert!(text.contains("\"classes\":[\"no\",\"yes\"],\"sorted_by_label\""), "{text}");
        assert!(!text.contains("baseline"), "{text}");
    }

    #[test]
    fn targets_are_told_by_mean_spread_and_range() {
        let found = TargetFacts::of(&[1.0, 3.0, 5.0, 7.0]).unwrap();
        assert_eq!(found, TargetFacts { mean: 4.0, sd: 5f64.sqrt(), least: 1.0, most: 7.0 });
        assert_eq!(TargetFacts::of(&[]), None);
    }
}
