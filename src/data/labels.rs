//! Labels of a table as people write them -> the numbers of classes, or the numbers that are predicted.

use super::coarse::Written;
use super::doubtful::Doubtful;
use super::spelling::{are_one, are_with_commas, difference, has_thousands, key};
use crate::error::UserError;
use crate::format::{count, counted};
use crate::spec::Task;
use std::collections::BTreeMap;

/// The target of each row, and what the classes are called: none where numbers are predicted.
pub(super) type Targets = (Vec<f32>, Vec<String>);

/// How often each label comes.
pub(super) type Counts = BTreeMap<String, usize>;

/// More classes than this are taken for something else.
pub(super) const MOST_CLASSES: usize = 10_000;

/// More different numbers than this look like measurements.
pub const FEW_NUMBERS: usize = 20;

/// The cells of a label column, without blanks around them.
#[derive(Clone, Copy)]
pub(super) struct Cells<'c> {
    pub(super) values: &'c [String],
    /// How messages call the column.
    pub(super) column: &'c str,
    /// Where a row stands.
    pub(super) place: &'c dyn Fn(usize) -> String,
}

/// What a task makes of them. Of two classes `positive` counts as 1.
pub(super) fn read(
    cells: Cells<'_>,
    task: Task,
    positive: Option<&str>,
) -> Result<Targets, UserError> {
    match task {
        Task::Binary => binary(cells, positive),
        Task::Multiclass => several(cells),
        Task::Regression => Ok((numbers(cells)?, Vec::new())),
    }
}

/// Cells that may mean something else.
pub(super) fn doubtful(cells: Cells<'_>, task: Task) -> Option<Doubtful> {
    let values = cells.values.iter().map(String::as_str);
    match task {
        Task::Regression => Doubtful::numbers(cells.column, values),
        Task::Binary | Task::Multiclass => Doubtful::classes(cells.column, values),
    }
}

/// Two distinct values become 0 and 1: `positive` is 1 when it is given, else the later one in
/// sorted order. Of more than two `positive` is 1, and all others are 0.
fn binary(cells: Cells<'_>, positive: Option<&str>) -> Result<Targets, UserError> {
    let Cells { values, column, .. } = cells;
    let counts = counts(values);
    let classes: Vec<&str> = counts.keys().map(String::as_str).collect();
    let [zero, one] = match (&classes[..], positive.map(str::trim)) {
        ([] | [_], _) => return Err(not_two(cells, &counts)),
        (_, Some(positive)) => one_against_others(column, &counts, positive, "positive")?,
        ([a, b], None) => [(*a).to_owned(), (*b).to_owned()],
        (_, None) => return Err(not_two(cells, &counts)),
    };
    let labels = values.iter().map(|value| f32::from(u8::from(*value == one))).collect();
    Ok((labels, vec![zero, one]))
}

/// What the class that counts as 0 and the one that counts as 1 are called, where `positive` is the latter.
pub(super) fn one_against_others(
    column: &str,
    counts: &Counts,
    positive: &str,
    key: &str,
) -> Result<[String; 2], UserError> {
    if !counts.contains_key(positive) {
        let classes: Vec<&str> = counts.keys().map(String::as_str).collect();
        let alike = classes.into_iter().find(|class| are_one(class, positive));
        let alike = alike.map_or(String::new(), |class| {
            format!(": `{class}` and `{positive}` {}", difference(class, positive))
        });
        return Err(UserError::new(
            format!("{column} never holds `{positive}`, which should count as 1"),
            format!(
                "its labels are {}, compared as text; name one of them as `{key}`{alike}",
                shown(counts)
            ),
        ));
    }
    refuse_spellings(column, counts, positive)?;
    let mut others = counts.keys().filter(|class| *class != positive);
    let zero = match (others.next(), others.next()) {
        (Some(other), None) => other.clone(),
        _ => format!("not {positive}"),
    };
    Ok([zero, positive.to_owned()])
}

/// Other spellings of the label that counts as 1 would count as 0. Of just two labels this may be meant.
fn refuse_spellings(column: &str, counts: &Counts, positive: &str) -> Result<(), UserError> {
    let is_spelling = |class: &str| class != positive && are_one(class, positive);
    let mut others = counts.clone();
    others.retain(|class, _| is_spelling(class));
    let Some(first) = others.keys().next().filter(|_| counts.len() > 2) else { return Ok(()) };
    Err(UserError::new(
        format!(
            "{column} holds `{positive}` ({}), which counts as 1, and {}, which would count as 0",
            counted(counts[positive], "row"),
            shown(&others)
        ),
        format!(
            "`{positive}` and `{first}` {}, and labels are compared as text: write them in one way; where they \
             are different labels give one of them another name",
            difference(positive, first)
        ),
    ))
}

/// Any number of classes from two on, numbered in sorted order.
fn several(cells: Cells<'_>) -> Result<Targets, UserError> {
    let counts = counts(cells.values);
    let classes = in_order(&counts, cells.column)?;
    let number: BTreeMap<&str, usize> =
        classes.iter().enumerate().map(|(number, class)| (class.as_str(), number)).collect();
    let labels = cells.values.iter().map(|value| number[value.as_str()] as f32).collect();
    Ok((labels, classes))
}

fn counts(values: &[String]) -> Counts {
    let mut counts = Counts::new();
    for value in values {
        match counts.get_mut(value) {
            Some(count) => *count += 1,
            None => drop(counts.insert(value.clone(), 1)),
        }
    }
    counts
}

/// The classes in the order in which they are numbered: numbers by their size, else as text.
pub(super) fn in_order(counts: &Counts, column: &str) -> Result<Vec<String>, UserError> {
    if counts.len() < 2 {
        return Err(UserError::new(
            format!(
                "{column} must hold at least two different labels, received {}: {}",
                counts.len(),
                shown(counts)
            ),
            ALL_ALIKE,
        ));
    }
    if counts.len() > MOST_CLASSES || are_hardly_repeated(counts) {
        return Err(too_many(counts, column));
    }
    let mut classes: Vec<String> = counts.keys().cloned().collect();
    let Some(mut numbers) = as_numbers(counts) else { return Ok(classes) };
    // Whole numbers beyond 2^53 are equal as floats.
    let whole = |label: &str| label.parse::<i128>().ok();
    let exactly = |label: &str| (whole(label).is_none(), whole(label));
    numbers.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| exactly(a.1).cmp(&exactly(b.1))));
    let differ = |[a, b]: [&str; 2]| whole(a).zip(whole(b)).is_some_and(|(a, b)| a != b);
    #[expect(clippy::float_cmp, reason = "one number, written in two ways")]
    let are_one = |pair: &&[(f64, &str)]| pair[0].0 == pair[1].0 && !differ([pair[0].1, pair[1].1]);
    if let Some(pair) = numbers.windows(2).find(are_one) {
        return Err(UserError::new(
            format!("{column} holds `{}` and `{}`, which are one number", pair[0].1, pair[1].1),
            "labels are compared as text, so these would be two classes: write it in one way",
        ));
    }
    classes = numbers.into_iter().map(|(_, class)| class.to_owned()).collect();
    Ok(classes)
}

const ALL_ALIKE: &str =
    "where all labels are alike there is nothing to learn: name the labels of several classes";

/// Whether most of many labels come once, as measurements, texts and names do.
fn are_hardly_repeated(counts: &Counts) -> bool {
    counts.len() > FEW_NUMBERS && counts.values().sum::<usize>() < 2 * counts.len()
}

const TEXTS: &str = "these look like texts or names: let another column be the label";

/// What labels that are hardly repeated and no numbers look like.
fn look_like_texts(counts: &Counts) -> &'static str {
    match are_with_commas(counts.keys().map(String::as_str)) {
        true => "these look like numbers with decimal commas: write them with a point",
        false => TEXTS,
    }
}

/// Labels that are measurements, texts or names.
fn too_many(counts: &Counts, column: &str) -> UserError {
    UserError::new(
        format!(
            "{column} holds {} different labels in {}: there may be {} classes, and most need several \
             rows",
            count(counts.len() as u64),
            counted(counts.values().sum(), "row"),
            count(MOST_CLASSES as u64)
        ),
        match as_numbers(counts) {
            Some(_) => format!("to predict the number itself use {LINEAR}"),
            None => look_like_texts(counts).to_owned(),
        },
    )
}

/// The labels as finite numbers, where all of them are.
fn as_numbers(counts: &Counts) -> Option<Vec<(f64, &str)>> {
    let number = |label: &str| label.parse().ok().filter(|number: &f64| number.is_finite());
    // Adding 0 makes -0 a 0.
    counts.keys().map(|label| Some((number(label)? + 0.0, label.as_str()))).collect()
}

/// The head that predicts numbers, as messages name it.
pub(super) const LINEAR: &str = "`dense: { units: 1, activation: linear }`";

/// The labels with how often each comes, the first ones in sorted order.
pub(super) fn shown(counts: &Counts) -> String {
    const SHOWN: usize = 8;
    let one = |(value, count): (&String, &usize)| format!("`{value}` ({})", counted(*count, "row"));
    let mut each: Vec<String> = counts.iter().take(SHOWN).map(one).collect();
    if counts.len() > SHOWN {
        each.push("...".into());
    }
    each.join(", ")
}

/// That a sigmoid needs two labels, what was received, and which head takes these.
pub(super) fn other_than_two(column: &str, counts: &Counts) -> UserError {
    let n = counts.len();
    let rule = format!("{column} must hold two different labels for a sigmoid, received {n}");
    let softmax = format!("`dense: {{ units: {n}, activation: softmax }}`");
    let numbers = as_numbers(counts).filter(|_| n > FEW_NUMBERS);
    let Some(mut numbers) = numbers else {
        let hint = match n {
            0 | 1 => ALL_ALIKE.to_owned(),
            _ if are_hardly_repeated(counts) => look_like_texts(counts).to_owned(),
            _ => format!(
                "for {n} classes use {softmax}, for one against all others name it as `positive`"
            ),
        };
        return UserError::new(format!("{rule}: {}", shown(counts)), hint);
    };
    numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (least, most) = (numbers[0].1, numbers[n - 1].1);
    let or = match numbers.iter().all(|(number, _)| number.fract() == 0.0) && n <= MOST_CLASSES {
        true => format!("; for {n} classes use {softmax}"),
        false => String::new(),
    };
    UserError::new(
        format!("{rule} from {least} to {most}: these look like measurements"),
        format!("to predict the number itself use {LINEAR}{or}"),
    )
}

/// The latest to appear is the likeliest slip, so its row is shown too.
fn not_two(cells: Cells<'_>, counts: &Counts) -> UserError {
    let UserError { mut message, hint, .. } = other_than_two(cells.column, counts);
    let first = |class: &String| cells.values.iter().position(|value| value == class);
    let few = (3..=FEW_NUMBERS).contains(&counts.len());
    let last = counts.keys().filter(|_| few).filter_map(|class| Some((first(class)?, class))).max();
    if let Some((row, class)) = last {
        message += &format!("; `{class}` first comes in {}", (cells.place)(row));
    }
    let classes: Vec<&str> = counts.keys().map(String::as_str).collect();
    let alike = alike(&classes)
        .map_or(String::new(), |[a, b]| format!("`{a}` and `{b}` {}; ", difference(a, b)));
    UserError::new(message, alike + &hint.unwrap_or_default())
}

/// The first two classes that are one but for their spelling.
pub(super) fn alike<'c>(classes: &[&'c str]) -> Option<[&'c str; 2]> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    classes.iter().find_map(|class| {
        let before = seen.insert(key(class), class);
        before.map(|before| [before, *class])
    })
}

fn numbers(cells: Cells<'_>) -> Result<Vec<f32>, UserError> {
    let number = |(row, value): (usize, &String)| match value.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        read => {
            let place = (cells.place)(row);
            Err(not_a_number(&place, cells.column, value, read.is_ok()))
        }
    };
    let numbers = cells.values.iter().enumerate().map(number).collect::<Result<_, _>>()?;
    let mut written = Written::new();
    cells.values.iter().for_each(|value| written.push(value));
    written.refuse(cells.column)?;
    Ok(numbers)
}

fn not_a_number(place: &str, column: &str, value: &str, is_float: bool) -> UserError {
    let message = format!("{place}: `{value}` is no number that can be predicted");
    let is_large = value.parse().is_ok_and(|wide: f64| wide.is_finite());
    let with_point = value.replace(',', ".").parse::<f64>().is_ok();
    let hint = match (is_float, with_point) {
        (true, _) if is_large => {
            "all is computed with 32 bits, whose numbers end at 3.4e38: scale the targets"
                .to_owned()
        }
        (true, _) if value.parse().is_ok_and(f64::is_nan) => {
            "a target is missing there: fill it in, or remove the row".to_owned()
        }
        (true, _) => "no target can be infinite: write the number that is meant, or remove the row"
            .to_owned(),
        (false, _) if has_thousands(value) => {
            "write it without a mark between thousands, or with a decimal point".to_owned()
        }
        (false, true) => "write it with a decimal point and without other marks".to_owned(),
        (false, false) => format!(
            "a linear head predicts the numbers of {column}; where they are classes use `dense: {{ \
             activation: softmax }}`, or `dense: {{ units: 1, activation: sigmoid }}` for two"
        ),
    };
    UserError::new(message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str], task: Task, positive: Option<&str>) -> Result<Targets, UserError> {
        let values: Vec<String> = values.iter().map(|value| value.to_string()).collect();
        let place = |row| format!("line {}", row + 2);
        super::read(
            Cells { values: &values, column: "the column `label`", place: &place },
            task,
            positive,
        )
    }

    fn two(values: &[&str], positive: Option<&str>) -> Result<Targets, UserError> {
        read(values, Task::Binary, positive)
    }

    fn said(error: UserError) -> (String, String) {
        (error.message, error.hint.unwrap_or_default())
    }

    #[test]
    fn two_values_become_0_and_1_in_sorted_order() {
        let (labels, classes) = two(&["pos", "neg", "pos"], None).unwrap();
        assert_eq!(labels, [1.0, 0.0, 1.0]);
        assert_eq!(classes, ["neg", "pos"]);
        assert_eq!(two(&["9", "10"], None).unwrap().1, ["10", "9"], "of two, as text");
    }

    #[test]
    fn the_positive_value_can_be_named() {
        let (labels, classes) = two(&["spam", "ham"], Some("ham")).unwrap();
        assert_eq!((labels, classes), (vec![0.0, 1.0], vec!["spam".to_owned(), "ham".to_owned()]));
        let (message, hint) = said(two(&["spam", "ham"], Some("Spam")).unwrap_err());
        assert!(message.contains("never holds `Spam`"), "{message}");
        assert!(hint.ends_with("`spam` and `Spam` differ by capital letters alone"));
        assert_eq!(two(&["spam", "ham"], Some(" ham ")).unwrap().1[1], "ham");
    }

    #[test]
    fn of_several_values_the_positive_one_stands_against_all_others() {
        let values = ["walk", "run", "sit", "run"];
        let (labels, classes) = two(&values, Some("run")).unwrap();
        assert_eq!((labels, classes.join(", ")), (vec![0.0, 1.0, 0.0, 1.0], "not run, run".into()));
        let (message, hint) = said(two(&values, Some("Run")).unwrap_err());
        assert!(message.ends_with("never holds `Run`, which should count as 1"), "{message}");
        assert!(hint.starts_with("its labels are `run` (2 rows), `sit` (1 row)"), "{hint}");
        let (message, _) = said(two(&["run", "run"], Some("run")).unwrap_err());
        assert!(message.ends_with("received 1: `run` (2 rows)"), "{message}");
    }

    #[test]
    fn other_spellings_of_the_positive_label_are_refused_with_their_counts() {
        let (message, hint) =
            said(two(&["yes", "no", "Yes", "YES", "no"], Some("yes")).unwrap_err());
        assert_eq!(
            message,
            "the column `label` holds `yes` (1 row), which counts as 1, and `YES` (1 row), `Yes` (1 row), \
             which would count as 0"
        );
        assert!(hint.starts_with("`yes` and `YES` differ by capital letters alone"), "{hint}");
        let (message, hint) = said(two(&["1", "0", "1.0"], Some("1")).unwrap_err());
        assert!(message.contains("and `1.0` (1 row), which would count as 0"), "{message}");
        assert!(hint.starts_with("`1` and `1.0` are one number"), "{hint}");
        assert!(two(&["a", "A"], Some("a")).is_ok(), "of just two labels it may be meant");
    }

    #[test]
    fn a_sigmoid_refuses_one_class_and_three_with_counts_and_names_the_head_for_them() {
        let (message, hint) = said(two(&["a", "a"], None).unwrap_err());
        assert_eq!(
            message,
            "the column `label` must hold two different labels for a sigmoid, received 1: `a` (2 rows)"
        );
        assert!(hint.contains("nothing to learn"), "{hint}");
        let (message, hint) = said(two(&["yes", "no", "yes", "maybe", "no"], None).unwrap_err());
        assert!(
            message.ends_with(
                "received 3: `maybe` (1 row), `no` (2 rows), `yes` (2 rows); `maybe` first comes in \
                 line 5"
            ),
            "{message}"
        );
        assert_eq!(
            hint,
            "for 3 classes use `dense: { units: 3, activation: softmax }`, for one against all others name \
             it as `positive`"
        );
        let (_, hint) = said(two(&["yes", "no", "No"], None).unwrap_err());
        assert!(hint.starts_with("`No` and `no` differ by capital letters alone; for 3"), "{hint}");
    }

    #[test]
    fn many_numbers_under_a_sigmoid_are_told_as_measurements() {
        let of = |number: &dyn Fn(usize) -> String| {
            let values: Vec<String> = (0..50).map(number).collect();
            said(two(&values.iter().map(String::as_str).collect::<Vec<_>>(), None).unwrap_err())
        };
        let (message, hint) = of(&|at| format!("{}", at as f32 / 4.0));
        assert!(message.ends_with("received 50 from 0 to 12.25: these look like measurements"));
        assert_eq!(
            hint,
            "to predict the number itself use `dense: { units: 1, activation: linear }`"
        );
        let (_, hint) = of(&|at| at.to_string());
        assert!(hint.ends_with("for 50 classes use `dense: { units: 50, activation: softmax }`"));
    }

    #[test]
    fn many_numbers_with_decimal_commas_are_told_as_such() {
        let values: Vec<String> = (0..30).map(|at| format!("{at},5")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        for task in [Task::Binary, Task::Multiclass] {
            let (_, hint) = said(read(&values, task, None).unwrap_err());
            assert!(hint.starts_with("these look like numbers with decimal commas"), "{hint}");
        }
    }

    #[test]
    fn several_classes_are_numbered_in_sorted_order_and_numbers_by_their_size() {
        let several = |values: &[&str]| read(values, Task::Multiclass, None);
        let (labels, classes) = several(&["pear", "apple", "fig", "apple"]).unwrap();
        assert_eq!(
            (labels, classes.join(" ")),
            (vec![2.0, 0.0, 1.0, 0.0], "apple fig pear".into())
        );
        let (labels, classes) = several(&["10", "9", "-1", "9"]).unwrap();
        assert_eq!((labels, classes.join(" ")), (vec![2.0, 1.0, 0.0, 1.0], "-1 9 10".into()));
        assert_eq!(several(&["10", "9", "x"]).unwrap().1, ["10", "9", "x"]);
        assert_eq!(several(&["b", "a"]).unwrap().1, ["a", "b"], "two are allowed");
        let (message, hint) = said(several(&["a", "a"]).unwrap_err());
        assert!(message.ends_with("at least two different labels, received 1: `a` (2 rows)"));
        assert!(hint.contains("nothing to learn"));
        let far = ["9007199254740993", "9007199254740992", "9007199254740993"];
        let (labels, classes) = several(&far).unwrap();
        assert_eq!((labels, classes.join(" ")), (vec![1.0, 0.0, 1.0], far[1..].join(" ")));
        let (message, _) = said(several(&["1", "1.0", "2"]).unwrap_err());
        assert!(message.ends_with("holds `1` and `1.0`, which are one number"), "{message}");
    }

    #[test]
    fn numbers_are_read_and_what_is_none_is_named_with_its_line() {
        let numbers = |values: &[&str]| read(values, Task::Regression, None);
        let (targets, classes) = numbers(&["1", "-2.5", "1e3", "+0.5"]).unwrap();
        assert_eq!((targets, classes), (vec![1.0, -2.5, 1000.0, 0.5], vec![]));
        let refusal = |value: &str| said(numbers(&["1", value]).unwrap_err());
        let (message, hint) = refusal("good");
        assert_eq!(message, "line 3: `good` is no number that can be predicted");
        assert!(hint.contains("`dense: { activation: softmax }`"), "{hint}");
        assert!(refusal("NaN").1.starts_with("a target is missing"));
        assert!(refusal("-inf").1.starts_with("no target can be infinite"));
        assert!(refusal("1e39").1.contains("3.4e38"));
        assert!(refusal("1,5").1.contains("decimal point"));
    }

    #[test]
    fn targets_that_32_bits_take_for_one_are_refused() {
        let values: Vec<String> = (0..9).map(|at| format!("1700000000.{at}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let (message, hint) = said(read(&values, Task::Regression, None).unwrap_err());
        assert_eq!(
            message,
            "the column `label` holds 9 different values from 1700000000 to 1700000000.8, of which 32 bits \
             leave 1"
        );
        assert!(hint.contains("`data.scale` comes after that: subtract an offset"), "{hint}");
    }
}
