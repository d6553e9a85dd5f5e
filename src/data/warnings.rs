//! What is legal but surprising in prepared examples.

use super::account::Account;
use super::doubtful::Doubtful;
use super::facts::{Facts, SplitFacts, TargetFacts};
use super::found::Far;
use super::labels::alike;
use super::moment::is_date;
use super::spelling::{AlikeGroups, difference};
use crate::format::{counted, first_few, list_first_few, number};
use crate::spec::MetricInfo;

/// Fewer examples of a class than this say little of it.
const FEW: usize = 10;

impl Facts {
    /// What is legal but surprising in a study of this score, whose outputs an optimizer moves as `pace` says.
    pub fn warnings(&self, score: &MetricInfo, pace: &str) -> Vec<String> {
        let splits = [("validation", &self.validation), ("test", &self.test)];
        let missing = splits.iter().filter_map(|(name, split)| self.missing(name, split, score));
        let rare = splits.iter().filter_map(|(name, split)| self.rare(name, split, score));
        let texts = [("training", &self.train)].into_iter().chain(splits);
        let is_scaled = self.scaling.as_ref().is_some_and(|scaling| scaling.target.is_some());
        let of_targets = self.train.targets.iter();
        // Scaled ones fit, but for those that are all alike.
        let of_targets = of_targets.filter(|found| !is_scaled || found.least >= found.most);
        let of_targets = of_targets.filter_map(|found| targets(found, pace));
        missing
            .chain(rare)
            .chain(self.alike())
            .chain(self.dates())
            .chain(self.alike_groups.iter().map(AlikeGroups::warning))
            .chain(self.doubtful.iter().map(Doubtful::warning))
            .chain(self.accounts.iter().flat_map(Account::warnings))
            .chain(self.holes())
            .chain(of_targets)
            .chain(self.repeated())
            .chain(self.not_read())
            .chain(self.untrained())
            .chain(self.constant_features())
            .chain(texts.flat_map(|(name, split)| split.text_warnings(name)))
            .collect()
    }

    /// Features that are constant in training alone.
    fn constant_features(&self) -> Option<String> {
        let names = &self.constant_features;
        let (are, them) = if names.len() == 1 { ("is", "it") } else { ("are", "them") };
        (!names.is_empty()).then(|| {
            format!(
                "{} {are} constant in the training split, and not in validation or test: a model cannot learn \
                 from {them}. Leave {them} out, or choose another split",
                list_first_few(names, SHOWN)
            )
        })
    }

    /// Token ids of validation or test that are hardly ever those of training, as where each split was numbered for
    /// itself.
    fn untrained(&self) -> Vec<String> {
        let shares = self.untrained.unwrap_or_default();
        let many = ["validation", "test"].into_iter().zip(shares).filter(|(_, share)| *share > 0.2);
        let said = |(name, share): (&str, f64)| {
            format!(
                "{:.0} % of the tokens of the {name} split have ids that the training split never has, so that their \
                 vectors are never trained: number the tokens of all splits by one vocabulary, of the training split",
                100.0 * share
            )
        };
        many.map(said).collect()
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
    fn missing(&self, name: &str, split: &SplitFacts, score: &MetricInfo) -> Option<String> {
        let title = score.title;
        let lacks = split.lacking(&self.classes);
        if let ([a, b], [lacking]) = (&self.classes[..], &lacks[..]) {
            return Some(format!(
                "all {} examples of the {name} split have the label `{}`, so its {title} says \
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
            "no example of the {name} split has the label{s} {names}, so its {title} says nothing of {it}"
        ))
    }

    /// Labels of which a split has so few examples that its score is nearly that of the others; where a score
    /// does not count all rows alike, these few weigh more.
    fn rare(&self, name: &str, split: &SplitFacts, score: &MetricInfo) -> Option<String> {
        if !score.counts_rows_alike() {
            return None;
        }
        let rows = split.rows_of_classes();
        // Of two classes: less than a tenth of the rows.
        let is_rare = |count: usize| {
            (1..FEW).contains(&count) && FEW * rows.len() * count < 2 * split.examples
        };
        let rare: Vec<usize> = (0..rows.len()).filter(|class| is_rare(rows[*class])).collect();
        let title = score.title;
        match (&rare[..], rows.len()) {
            ([], _) => None,
            ([class], 2) => Some(format!(
                "{} of the {} of the {name} split {} the label `{}`: its {title} hardly depends on {}; \
                 `balanced_accuracy` counts both labels alike",
                rows[*class],
                counted(split.examples, "example"),
                if rows[*class] == 1 { "has" } else { "have" },
                self.classes[*class],
                if rows[*class] == 1 { "it" } else { "them" },
            )),
            _ => {
                let one = |class: &usize| format!("`{}` ({})", self.classes[*class], rows[*class]);
                Some(format!(
                    "the {name} split has few examples of {}: its {title} hardly depends on them; \
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

/// Names that a warning has room for.
const SHOWN: usize = 5;

/// The first of several names.
fn named(names: impl Iterator<Item = String>) -> String {
    first_few(&names.collect::<Vec<_>>(), SHOWN)
}

/// Targets of the training split that a model cannot learn, or learns slowly.
fn targets(found: &TargetFacts, pace: &str) -> Option<String> {
    let TargetFacts { mean, sd, least, most } = *found;
    if least >= most {
        return Some(format!(
            "all targets of the training split are {least}: there is nothing to learn from them"
        ));
    }
    let why = match Far::of(mean, sd)? {
        Far::Large => format!("the model's outputs start near 0, and {pace}"),
        Far::Small => "the model's first outputs are much larger than these differences".to_owned(),
    };
    Some(format!(
        "the targets of the training split have the mean {} and the standard deviation {}: {why}; \
         add `scale: standard` to `data`",
        number(mean),
        number(sd)
    ))
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
    use crate::spec::Metric;

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

    fn warnings(facts: &Facts) -> Vec<String> {
        facts.warnings(Metric::Accuracy.info(), PACE)
    }

    const PACE: &str = "adam with a learning rate of 0.01 moves them slowly";

    #[test]
    fn warnings_name_the_score_and_advise_no_other_to_who_has_one_that_counts_labels_alike() {
        let rows: [&[usize]; 3] = [&[300, 300], &[99, 1], &[0, 100]];
        let told = |metric: Metric| facts(&["no", "yes"], rows).warnings(metric.info(), PACE);
        let [missing, rare] = &told(Metric::Brier)[..] else { panic!("two are expected") };
        assert!(missing.ends_with("so its Brier score says nothing of the other"), "{missing}");
        assert!(rare.contains("`yes`: its Brier score hardly depends on it"), "{rare}");
        assert_eq!(told(Metric::BalancedAccuracy).len(), 1, "it depends on that row");
    }

    #[test]
    fn a_label_of_a_few_examples_among_many_is_told() {
        let told = |validation: [usize; 2]| {
            warnings(&facts(&["no", "yes"], [&[300, 300], &validation, &[100, 100]]))
        };
        let said = "1 of the 100 examples of the validation split has the label `yes`: its accuracy hardly \
                    depends on it; `balanced_accuracy` counts both labels alike";
        assert_eq!(told([99, 1]), [said]);
        assert!(told([8, 92])[0].starts_with("8 of the 100 examples"));
        assert!(told([90, 10]).is_empty() && told([10, 2]).is_empty());
    }

    #[test]
    fn rare_and_missing_labels_of_several_are_told_with_their_counts() {
        let told = |validation: [usize; 3]| {
            warnings(&facts(&["a", "b", "c"], [&[50, 50, 50], &validation, &[20, 20, 20]]))
        };
        assert!(told([20, 20, 20]).is_empty() && told([10, 10, 9]).is_empty());
        let said = "the validation split has few examples of `c` (2): its accuracy hardly depends on \
                    them; `macro_f1` counts all labels alike";
        assert_eq!(told([40, 40, 2]), [said]);
        let said = "no example of the validation split has the labels `a`, `b`, so its accuracy says \
                    nothing of them";
        assert_eq!(told([0, 0, 20]), [said]);
        let rows: [&[usize]; 3] = [&[50, 50, 50], &[20, 20, 20], &[20, 20, 20]];
        let alike = warnings(&facts(&["A", "a", "b"], rows));
        assert!(alike[0].starts_with("the labels `A` and `a` differ by capital letters alone"));
        let two = warnings(&facts(&["Yes", "yes"], [&[50, 50], &[20, 20], &[20, 20]]));
        assert!(two[0].starts_with("the labels `Yes` and `yes` differ by capital"), "{two:?}");
    }

    #[test]
    fn features_that_are_constant_in_training_alone_are_told() {
        let told = |names: &[&str]| {
            let constant_features = names.iter().map(|name| (*name).to_owned()).collect();
            warnings(&Facts { constant_features, ..Facts::default() })
        };
        assert!(told(&[]).is_empty());
        let one = "`x` is constant in the training split, and not in validation or test: a model cannot learn from \
                   it. Leave it out, or choose another split";
        assert_eq!(told(&["`x`"]), [one]);
        let six = told(&["a", "b", "c", "d", "e", "f"]).remove(0);
        assert!(six.starts_with("a, b, c, d, e and 1 more are constant in"), "{six}");
    }

    #[test]
    fn labels_that_are_dates_are_told() {
        let rows: [&[usize]; 3] = [&[50, 50, 50], &[20, 20, 20], &[20, 20, 20]];
        let told = warnings(&facts(&["2024-01-01", "2024-01-02", "2024-01-03T10:00"], rows));
        assert!(told[0].starts_with("the labels are 3 dates, such as `2024-01-01`"), "{told:?}");
        assert!(warnings(&facts(&["2024", "2025", "2026"], rows)).is_empty(), "as stars may be");
        assert!(warnings(&facts(&["2024-01-01", "2024-01-02", "none"], rows)).is_empty());
    }

    #[test]
    fn targets_that_are_alike_or_far_from_1_are_told() {
        let of = |mean, sd, least, most| targets(&TargetFacts { mean, sd, least, most }, PACE);
        assert_eq!(of(0.3, 1.2, -2.0, 4.0), None);
        assert!(
            of(3.0, 0.0, 3.0, 3.0).unwrap().starts_with("all targets of the training split are 3:")
        );
        let said = of(350.25, 120.0, 10.0, 900.0).unwrap();
        assert!(said.contains("the mean 350.2 and the standard deviation 120:"), "{said}");
        assert!(said.contains("add `scale: standard`"), "{said}");
        assert!(said.contains("start near 0, and adam with a learning rate of 0.01 moves them"));
        assert!(of(50.0, 1.0, 48.0, 52.0).unwrap().contains("start near 0"));
        let small = of(0.0, 0.01, -0.1, 0.1).unwrap();
        assert!(
            small.contains("first outputs are much larger") && !small.contains("adam"),
            "{small}"
        );
    }
}
