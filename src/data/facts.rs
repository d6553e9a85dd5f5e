//! What is known of prepared examples: counts of each split, and what was noticed about them.

use super::account::Account;
use super::scale::Scale;
use crate::format::counted;
use serde::{Deserialize, Serialize};

/// What is known of the examples without reading them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Hash of the source and of all settings that the prepared examples depend on.
    pub hash: String,
    /// V for token ids.
    pub vocabulary: Option<usize>,
    /// F for arrays of floats.
    pub features: Option<usize>,
    /// What the labels 0 and 1 are called in the source.
    pub classes: [String; 2],
    /// Whether the training examples, in their order, have all of one label before all of the
    /// other: without shuffling, whole batches would then hold one label.
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
    /// Features of very different scale; as for `overlap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
}

impl Facts {
    /// What is legal but surprising.
    pub fn warnings(&self) -> Vec<String> {
        let splits = [("validation", &self.validation), ("test", &self.test)];
        let of_one = splits.iter().filter(|(_, s)| s.examples > 0 && !s.has_both_labels());
        let warning = |(name, split): &(&str, &SplitFacts)| {
            let class = &self.classes[usize::from(split.positives > 0)];
            format!(
                "all {} examples of the {name} split have the label `{class}`, so its accuracy says \
                 nothing of the other",
                split.examples
            )
        };
        let texts = [("training", &self.train)].into_iter().chain(splits);
        let rare = splits.iter().filter_map(|(name, split)| self.rare(name, split));
        of_one
            .map(warning)
            .chain(rare)
            .chain(texts.flat_map(|(name, split)| split.text_warnings(name)))
            .collect()
    }
}

impl Facts {
    /// A label of which a split has so few examples that its accuracy is that of the other.
    fn rare(&self, name: &str, split: &SplitFacts) -> Option<String> {
        const FEW: usize = 10;
        let negatives = split.examples - split.positives;
        let (rare, class) = match split.positives < negatives {
            true => (split.positives, &self.classes[1]),
            false => (negatives, &self.classes[0]),
        };
        (rare > 0 && rare < FEW && FEW * rare < split.examples).then(|| {
            format!(
                "{} of the {} of the {name} split {} the label `{class}`: its accuracy is nearly that of \
                 always giving the other",
                rare,
                counted(split.examples, "example"),
                if rare == 1 { "has" } else { "have" }
            )
        })
    }
}

/// Counts of one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitFacts {
    /// N
    pub examples: usize,
    /// Examples with label 1.
    pub positives: usize,
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
    fn text_warnings(&self, name: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.unknown * 2 > self.tokens {
            warnings.push(format!(
                "{:.0} % of the words of the {name} split are unknown: the vocabulary has the words \
                 of the training split, at most `data.text.max_tokens`. Texts without blanks between \
                 words, as in Chinese, need `data.text.tokenizer`, a `tokenizer.json`",
                100.0 * self.unknown as f64 / self.tokens as f64
            ));
        }
        if self.empty > 0 {
            warnings.push(format!(
                "{} of the {name} split {} no words",
                counted(self.empty, "text"),
                if self.empty == 1 { "has" } else { "have" }
            ));
        }
        warnings
    }

    /// Whether there are examples with label 0 and some with label 1.
    pub fn has_both_labels(&self) -> bool {
        (1..self.examples).contains(&self.positives)
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
    fn a_label_of_a_few_examples_among_many_is_told() {
        let split = |examples, positives| SplitFacts {
            examples,
            positives,
            steps: 0,
            longest: 0,
            tokens: 0,
            unknown: 0,
            empty: 0,
        };
        let told = |validation| -> Vec<String> {
            let (train, test) = (split(600, 300), split(200, 100));
            let classes = ["no".to_owned(), "yes".to_owned()];
            let facts = Facts {
                hash: String::new(),
                vocabulary: None,
                features: None,
                classes,
                sorted_by_label: false,
                accounts: Vec::new(),
                train,
                validation,
                test,
                overlap: None,
                scale: None,
            };
            facts.warnings()
        };
        let said = "1 of the 100 examples of the validation split has the label `yes`: its accuracy is \
                    nearly that of always giving the other";
        assert_eq!(told(split(100, 1)), [said]);
        assert!(told(split(100, 92))[0].starts_with("8 of the 100 examples"));
        assert!(told(split(100, 10)).is_empty() && told(split(12, 2)).is_empty());
    }
}
