//! What is told of the examples before a study begins: rows that splits share, and features of very
//! different scale.

use crate::config::{DataSection, SplitBy};
use crate::data::{Facts, InTraining, Overlap, Range, Scale};
use crate::spec::MetricInfo;

/// Warnings of what was found in the rows.
pub(super) fn warnings(facts: &Facts, section: &DataSection, score: &MetricInfo) -> Vec<String> {
    let overlap = facts.overlap.iter().filter_map(|found| shared(found, facts, section, score));
    overlap
        .chain(facts.scale.iter().map(scale))
        .chain(smaller_is_positive(facts, section))
        .collect()
}

/// Two labels that are numbers, of which the smaller one counts as 1, since labels are sorted as texts.
fn smaller_is_positive(facts: &Facts, section: &DataSection) -> Option<String> {
    let [zero, one] = &facts.classes[..] else { return None };
    let table = section.table.as_ref()?;
    let is_smaller = one.parse::<f64>().ok()? < zero.parse::<f64>().ok()?;
    (is_smaller && table.positive.is_none()).then(|| {
        format!(
            "the label `{one}` counts as 1 and `{zero}` as 0, since labels are sorted as texts: where that is \
             not meant, add `positive: \"{zero}\"` to `data.table`"
        )
    })
}

/// Whether so many of these rows weigh enough to be told: one in a hundred.
fn matters(count: usize, rows: usize) -> bool {
    count > 0 && 100 * count >= rows
}

fn shared(
    found: &Overlap,
    facts: &Facts,
    section: &DataSection,
    score: &MetricInfo,
) -> Option<String> {
    let splits = [
        ("test", &found.test, facts.test.examples),
        ("validation", &found.validation, facts.validation.examples),
    ];
    let place =
        if section.table.is_some() || section.series.is_some() { in_table } else { in_arrays };
    let told: Vec<(bool, String)> = splits
        .into_iter()
        .filter_map(|(name, of, rows)| in_training(name, of, rows, found.steps, place))
        .collect();
    let overlapping = told.iter().any(|(overlapping, _)| *overlapping);
    let clauses: Vec<String> = told.into_iter().map(|(_, clause)| clause).collect();
    let advice = match overlapping {
        true => advice_on_windows(found, section),
        false => advice_on_repeats(section),
    };
    (!clauses.is_empty()).then(|| {
        format!(
            "{}: the models see in training what they are judged on, so {} on new data will be {} than here; \
             {advice}",
            clauses.join(", and "),
            score.title,
            if score.falls() { "higher" } else { "lower" }
        )
    })
}

/// Where a row and a training row stand.
type Place = fn([u64; 2]) -> String;

fn in_arrays([row, training]: [u64; 2]) -> String {
    format!(" (row {row} with row {training}, from 0)")
}

/// In a file that has lines, else by their rows from 0; the two may stand in different files.
fn in_table([row, training]: [u64; 2]) -> String {
    format!(" (line {row} with line {training} of the training split)")
}

/// What is told of one split, and whether it is that its rows overlap.
fn in_training(
    name: &str,
    of: &InTraining,
    rows: usize,
    steps: usize,
    place: Place,
) -> Option<(bool, String)> {
    let example = of.example.map_or(String::new(), place);
    if matters(of.overlapping, rows) {
        let clause = format!(
            "{} of {rows} {name} rows share up to {} of {steps} time steps with a training row{example}",
            of.overlapping, of.most_steps
        );
        return Some((true, clause));
    }
    matters(of.repeated, rows).then(|| {
        (false, format!("{} of {rows} {name} rows equal a training row{example}", of.repeated))
    })
}

fn advice_on_windows(found: &Overlap, section: &DataSection) -> String {
    let given = section.arrays.as_ref().is_some_and(|arrays| arrays.x_val.is_some());
    let cut = match found.stride {
        Some(1) => "windows were cut at every step".to_owned(),
        Some(stride) => format!("windows were cut every {stride} steps"),
        None => "these are windows of one series in another order".to_owned(),
    };
    let scaled = if found.rescaled { ", and each was scaled by itself" } else { "" };
    let gap = found.span();
    let todo = match (section.split_by(), gap) {
        (_, _) if given => {
            "divide the series first and cut each part into windows of its own".to_owned()
        }
        (SplitBy::Order | SplitBy::Time, Some(gap)) => {
            format!("write `gap: {gap}` in `data.split`, as many rows as a window spans")
        }
        (SplitBy::Group, _) => {
            "let `groups_train` name the recordings that windows were cut from".to_owned()
        }
        (_, Some(gap)) => format!(
            "write `split: {{ by: order, gap: {gap} }}`, or name the recordings as `groups_train`"
        ),
        (_, None) => {
            "save them in the order of time and write `split: { by: order, gap: N }`, N being \
                      the rows that a window spans, or name the recordings as `groups_train`"
                .to_owned()
        }
    };
    format!("{cut}{scaled}: {todo}")
}

fn advice_on_repeats(section: &DataSection) -> String {
    let of_arrays = section.arrays.as_ref();
    let of_table = section.table.as_ref();
    let brings = of_arrays.is_some_and(|arrays| arrays.x_val.is_some() || arrays.x_test.is_some())
        || of_table.is_some_and(|table| table.split.is_some() || table.validation.is_some())
        || of_table.is_some_and(|table| table.test.is_some());
    match (brings, section.split_by()) {
        (true, _) => "remove the repeated rows".to_owned(),
        // Such a split keeps rows together that are equal in the file.
        (false, SplitBy::Random) => {
            "remove these rows, or raise `data.text.length`: they are equal only as far as the model reads them"
                .to_owned()
        }
        (false, _) => {
            "remove the repeated rows, or write `split: { by: random }`, which keeps equal rows in \
                  one split"
                .to_owned()
        }
    }
}

fn scale(found: &Scale) -> String {
    let range =
        |of: &Range| format!("feature {} ranges from {} to {}", of.feature, of.least, of.most);
    let told = match found.widest.feature == found.narrowest.feature {
        true => format!("{}: such values saturate the gates of an LSTM", range(&found.widest)),
        false => format!(
            "{} and {} (from 0): beside the one an LSTM hardly sees the other",
            range(&found.widest),
            range(&found.narrowest)
        ),
    };
    format!(
        "{told}; add `scale: standard` to `data`, which brings each feature to the mean 0 and the \
         standard deviation 1 of the training rows"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Metric;

    fn section(yaml: &str) -> DataSection {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn overlap(stride: Option<usize>) -> Overlap {
        let in_training =
            InTraining { repeated: 0, overlapping: 40, most_steps: 29, example: Some([11, 10]) };
        let validation = InTraining::default();
        let overlap = Overlap { steps: 30, stride, validation, ..Overlap::default() };
        Overlap { test: in_training, ..overlap }
    }

    #[test]
    fn a_smaller_number_that_counts_as_1_is_told_unless_the_file_says_so() {
        let told = |classes: [&str; 2], more: &str| {
            let facts = Facts { classes: classes.map(String::from).to_vec(), ..Facts::default() };
            let section = section(&format!("{{ table: {{ path: a.csv{more} }} }}"));
            warnings(&facts, &section, Metric::Accuracy.info())
        };
        let said = told(["+1", "-1"], "").concat();
        assert!(said.starts_with("the label `-1` counts as 1 and `+1` as 0"), "{said}");
        assert!(said.ends_with("add `positive: \"+1\"` to `data.table`"), "{said}");
        assert!(told(["10", "2"], ", positive: \"2\"").is_empty());
        assert!(told(["0", "1"], "").is_empty() && told(["no", "yes"], "").is_empty());
    }

    #[test]
    fn rows_that_are_seen_in_training_make_the_score_look_better_whichever_way_that_is() {
        let facts = Facts { overlap: Some(overlap(Some(1))), ..Facts::default() };
        let told = |metric: Metric| {
            warnings(&facts, &section("{ arrays: { path: a.npz } }"), metric.info()).concat()
        };
        let accuracy = told(Metric::Accuracy);
        assert!(
            accuracy.contains("so accuracy on new data will be lower than here;"),
            "{accuracy}"
        );
        let rmse = told(Metric::Rmse);
        assert!(rmse.contains("so RMSE on new data will be higher than here;"), "{rmse}");
    }

    #[test]
    fn windows_are_told_with_what_to_write_for_each_kind_of_split() {
        let told = |stride, yaml: &str| advice_on_windows(&overlap(stride), &section(yaml));
        let random = told(Some(1), "{ arrays: { path: a.npz } }");
        assert!(random.contains("write `split: { by: order, gap: 30 }`"), "{random}");
        let order = told(Some(4), "{ arrays: { path: a.npz }, split: { by: order } }");
        assert!(order.contains("every 4 steps: write `gap: 8`"), "{order}");
        let given = told(Some(1), "{ arrays: { path: a.npz, x_val: X, y_val: y } }");
        assert!(given.contains("divide the series first"), "{given}");
        assert!(told(None, "{ arrays: { path: a.npz } }").contains("in the order of time"));
        let rescaled = Overlap { rescaled: true, ..overlap(Some(1)) };
        let told = advice_on_windows(&rescaled, &section("{ arrays: { path: a.npz } }"));
        assert!(
            told.starts_with("windows were cut at every step, and each was scaled by itself: ")
        );
    }

    #[test]
    fn rows_are_told_where_they_are_one_in_a_hundred() {
        let clause = |rows| in_training("test", &overlap(None).test, rows, 30, in_arrays);
        assert_eq!(
            clause(40).unwrap().1,
            "40 of 40 test rows share up to 29 of 30 time steps with a training row (row 11 with row \
             10, from 0)"
        );
        assert!(clause(4000).is_some() && clause(4001).is_none());
        let repeated = InTraining { repeated: 2, ..InTraining::default() };
        let (overlaps, told) = in_training("test", &repeated, 20, 30, in_table).unwrap();
        assert_eq!((overlaps, told.as_str()), (false, "2 of 20 test rows equal a training row"));
    }

    #[test]
    fn equal_texts_are_told_by_their_lines_with_what_to_do() {
        let repeated = InTraining { repeated: 2, example: Some([7, 3]), ..InTraining::default() };
        let (_, told) = in_training("test", &repeated, 20, 30, in_table).unwrap();
        let said =
            "2 of 20 test rows equal a training row (line 7 with line 3 of the training split)";
        assert_eq!(told, said);
        let advice = |yaml: &str| advice_on_repeats(&section(yaml));
        let random = "remove the repeated rows, or write `split: { by: random }`, which keeps equal \
                      rows in one split";
        assert_eq!(advice("{ table: { path: a.csv }, split: { by: order } }"), random);
        // A random split keeps equal texts together: these are equal only as the model reads them.
        assert!(advice("{ table: { path: a.csv } }").contains("or raise `data.text.length`"));
        for given in
            ["{ table: { path: a.csv, split: part } }", "{ table: { train: a.csv, test: b.csv } }"]
        {
            assert_eq!(advice(given), "remove the repeated rows");
        }
    }

    #[test]
    fn features_of_different_scale_are_named_with_their_ranges() {
        let range = |feature, least, most| Range { feature, least, most };
        let found = Scale { widest: range(0, 1000.0, 2000.0), narrowest: range(1, 0.001, 0.005) };
        let told = scale(&found);
        assert!(told.starts_with(
            "feature 0 ranges from 1000 to 2000 and feature 1 ranges from 0.001 to 0.005 (from 0): "
        ));
        assert!(told.contains("add `scale: standard` to `data`"), "{told}");
    }
}
