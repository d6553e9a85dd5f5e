//! What is legal but surprising in prepared examples.

use super::account::Account;
use super::facts::{Facts, SplitFacts, TargetFacts};
use super::labels::alike;
use super::moment::is_date;
use super::spelling::{AlikeGroups, difference};
use crate::format::{counted, number};

/// Fewer examples of a class than this say little of it.
const FEW: usize = 10;

impl Facts {
    /// What is legal but surprising.
    pub fn warnings(&self) -> Vec<String> {
        let splits = [("validation", &self.validation), ("test", &self.test)];
        let missing = splits.iter().filter_map(|(name, split)| self.missing(name, split));
        let rare = splits.iter().filter_map(|(name, split)| self.rare(name, split));
        let texts = [("training", &self.train)].into_iter().chain(splits);
        let is_scaled = self.scaling.as_ref().is_some_and(|scaling| scaling.target.is_some());
        let of_targets = self.train.targets.iter();
        // Scaled ones fit, but for those that are all alike.
        let of_targets = of_targets.filter(|found| !is_scaled || found.least >= found.most);
        let of_targets = of_targets.filter_map(targets);
        missing
            .chain(rare)
            .chain(self.alike())
            .chain(self.dates())
            .chain(self.alike_groups.iter().map(AlikeGroups::warning))
            .chain(self.accounts.iter().flat_map(Account::warnings))
            .chain(self.holes())
            .chain(of_targets)
            .chain(self.repeated())
            .chain(self.not_read())
            .chain(texts.flat_map(|(name, split)| split.text_warnings(name)))
            .collect()
    }

    /// Arrays that nobody asked for: a validation split may be among them.
    fn not_read(&self) -> Option<String> {
        let names = named(self.unnamed.iter().map(|name| format!("`{name}`")));
        (!self.unnamed.is_empty()).then(|| {
            format!("the file also holds {names}, which `data.arrays` does not name: not read")
        })
    }

    /// Rows that are missing in a series.
    fn holes(&self) -> Option<String> {
        let windows = self.windows.as_ref()?;
        // Only Parquet has no lines.
        let has_lines = self.accounts.first().is_none_or(|account| account.lines.is_some());
        let unit = if has_lines { "line" } else { "row" };
        windows.holes.as_ref().map(|holes| holes.warning(unit, windows.windows))
    }

    /// Examples that come again and again.
    fn repeated(&self) -> Option<String> {
        let heavy = self.heavy.filter(|heavy| *heavy > 0)?;
        Some(format!(
            "{} are the same few again and again, each a hundredth of all or more: they are all in the \
             training split, so that none fills another",
            counted(heavy, "example")
        ))
    }

    /// Labels that a split lacks.
    fn missing(&self, name: &str, split: &SplitFacts) -> Option<String> {
        let lacks = split.lacking(&self.classes);
        if let ([a, b], [lacking]) = (&self.classes[..], &lacks[..]) {
            return Some(format!(
                "all {} examples of the {name} split have the label `{}`, so its accuracy says \
                 nothing of the other",
                split.examples,
                if a == lacking { b } else { a }
            ));
        }
        if lacks.is_empty() {
            return None;
        }
        let (s, it) = if lacks.len() == 1 { ("", "it") } else { ("s", "them") };
        let names = named(lacks.iter().map(|class| format!("`{class}`")));
        Some(format!(
            "no example of the {name} split has the label{s} {names}, so its accuracy says nothing of {it}"
        ))
    }

    /// Labels of which a split has so few examples that its accuracy is nearly that of the others.
    fn rare(&self, name: &str, split: &SplitFacts) -> Option<String> {
        let rows = split.rows_of_classes();
        // Of two classes: less than a tenth of the rows.
        let is_rare = |count: usize| {
            (1..FEW).contains(&count) && FEW * rows.len() * count < 2 * split.examples
        };
        let rare: Vec<usize> = (0..rows.len()).filter(|class| is_rare(rows[*class])).collect();
        match (&rare[..], rows.len()) {
            ([], _) => None,
            ([class], 2) => Some(format!(
                "{} of the {} of the {name} split {} the label `{}`: its accuracy is nearly that of \
                 always giving the other",
                rows[*class],
                counted(split.examples, "example"),
                if rows[*class] == 1 { "has" } else { "have" },
                self.classes[*class]
            )),
            _ => {
                let one = |class: &usize| format!("`{}` ({})", self.classes[*class], rows[*class]);
                Some(format!(
                    "the {name} split has few examples of {}: its accuracy hardly depends on them; \
                     `macro_f1` counts all labels alike",
                    named(rare.iter().map(one))
                ))
            }
        }
    }

    /// A softmax takes each date for a class of its own.
    fn dates(&self) -> Option<String> {
        let are_dates = self.classes.len() > 2 && self.classes.iter().all(|class| is_date(class));
        are_dates.then(|| {
            format!(
                "the labels are {} dates, such as `{}`, and each counts as a class of its own: is another \
                 column the label?",
                self.classes.len(),
                self.classes[0]
            )
        })
    }

    /// Labels that are one but for their spelling.
    fn alike(&self) -> Option<String> {
        let classes: Vec<&str> = self.classes.iter().map(String::as_str).collect();
        let [a, b] = alike(&classes)?;
        Some(format!("the labels `{a}` and `{b}` {}, and count as two classes", difference(a, b)))
    }
}

/// The first of several names.
fn named(names: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// Targets of the training split that a model cannot learn, or learns slowly.
fn targets(found: &TargetFacts) -> Option<String> {
    let TargetFacts { mean, sd, least, most } = *found;
    if least >= most {
        return Some(format!(
            "all targets of the training split are {least}: there is nothing to learn from them"
        ));
    }
    (!found.is_near_outputs()).then(|| {
        format!(
            "the targets of the training split have the mean {} and the standard deviation {}: the \
             model's outputs start near 0, and Adam with a learning rate of 0.001 moves them slowly; \
             add `scale: standard` to `data`",
            number(mean),
            number(sd)
        )
    })
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facts of three splits with these rows of each class.
    fn facts(classes: &[&str], splits: [&[usize]; 3]) -> Facts {
        let split = |rows: &[usize]| SplitFacts {
            examples: rows.iter().sum(),
            positives: (rows.len() == 2).then(|| rows[1]),
            counts: if rows.len() > 2 { rows.to_vec() } else { Vec::new() },
            ..SplitFacts::default()
        };
        let [train, validation, test] = splits.map(split);
        let classes = classes.iter().map(|class| class.to_string()).collect();
        Facts { classes, train, validation, test, ..Facts::default() }
    }

    #[test]
    fn a_label_of_a_few_examples_among_many_is_told() {
        let told = |validation: [usize; 2]| {
            facts(&["no", "yes"], [&[300, 300], &validation, &[100, 100]]).warnings()
        };
        let said = "1 of the 100 examples of the validation split has the label `yes`: its accuracy is \
                    nearly that of always giving the other";
        assert_eq!(told([99, 1]), [said]);
        assert!(told([8, 92])[0].starts_with("8 of the 100 examples"));
        assert!(told([90, 10]).is_empty() && told([10, 2]).is_empty());
    }

    #[test]
    fn rare_and_missing_labels_of_several_are_told_with_their_counts() {
        let told = |validation: [usize; 3]| {
            facts(&["a", "b", "c"], [&[50, 50, 50], &validation, &[20, 20, 20]]).warnings()
        };
        assert!(told([20, 20, 20]).is_empty() && told([10, 10, 9]).is_empty());
        let said = "the validation split has few examples of `c` (2): its accuracy hardly depends on \
                    them; `macro_f1` counts all labels alike";
        assert_eq!(told([40, 40, 2]), [said]);
        let said = "no example of the validation split has the labels `a`, `b`, so its accuracy says \
                    nothing of them";
        assert_eq!(told([0, 0, 20]), [said]);
        let alike =
            facts(&["A", "a", "b"], [&[50, 50, 50], &[20, 20, 20], &[20, 20, 20]]).warnings();
        assert!(alike[0].starts_with("the labels `A` and `a` differ by capital letters alone"));
        let two = facts(&["Yes", "yes"], [&[50, 50], &[20, 20], &[20, 20]]).warnings();
        assert!(two[0].starts_with("the labels `Yes` and `yes` differ by capital"), "{two:?}");
    }

    #[test]
    fn labels_that_are_dates_are_told() {
        let rows: [&[usize]; 3] = [&[50, 50, 50], &[20, 20, 20], &[20, 20, 20]];
        let told = facts(&["2024-01-01", "2024-01-02", "2024-01-03T10:00"], rows).warnings();
        assert!(told[0].starts_with("the labels are 3 dates, such as `2024-01-01`"), "{told:?}");
        assert!(facts(&["2024", "2025", "2026"], rows).warnings().is_empty(), "as stars may be");
        assert!(facts(&["2024-01-01", "2024-01-02", "none"], rows).warnings().is_empty());
    }

    #[test]
    fn targets_that_are_alike_or_far_from_1_are_told() {
        let of = |mean, sd, least, most| targets(&TargetFacts { mean, sd, least, most });
        assert_eq!(of(0.3, 1.2, -2.0, 4.0), None);
        assert!(
            of(3.0, 0.0, 3.0, 3.0).unwrap().starts_with("all targets of the training split are 3:")
        );
        let said = of(350.25, 120.0, 10.0, 900.0).unwrap();
        assert!(said.contains("the mean 350.2 and the standard deviation 120:"), "{said}");
        assert!(said.contains("add `scale: standard`"), "{said}");
        assert!(of(50.0, 1.0, 48.0, 52.0).is_some() && of(0.0, 0.01, -0.1, 0.1).is_some());
    }
}
