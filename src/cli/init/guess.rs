//! Which column holds the texts, which the labels, and what sizes suit them.

use super::target::{Target, likely, look};
use crate::cli::labels::of_found;
use crate::data::{
    ArrayShape, Column, Found, Labelled, are_with_commas, is_split, is_time, word_counts,
};
use crate::error::UserError;
use crate::format::{counted, first_few};

/// What is guessed of a data file.
#[derive(Debug)]
pub(super) enum Guess {
    Table(Box<TableGuess>),
    Arrays(Box<KnownArrays>),
}

/// Which columns or arrays were taken, for the terminal.
#[derive(Debug, PartialEq)]
pub(super) struct Taken<'a> {
    /// What holds the texts or the sequences.
    pub(super) examples: &'a str,
    /// What holds the labels.
    pub(super) labels: &'a str,
    /// Other columns that could hold the labels.
    pub(super) alternatives: &'a [String],
    /// What the labels are.
    pub(super) found: &'a Found,
    /// What they are called in a file of this kind.
    kind: &'static str,
}

impl Guess {
    /// Which columns or arrays were taken.
    pub(super) fn taken(&self) -> Taken<'_> {
        match self {
            Self::Table(table) => Taken {
                examples: &table.text,
                labels: &table.label,
                alternatives: &table.alternatives,
                found: &table.found,
                kind: "column",
            },
            Self::Arrays(known) => {
                let (x, y) = &known.arrays.train;
                Taken {
                    examples: &x.name,
                    labels: y,
                    alternatives: &[],
                    found: &known.train.found,
                    kind: "array",
                }
            }
        }
    }

    /// How many lines and rows of a table there are, where they differ.
    pub(super) fn read(&self) -> Option<&str> {
        match self {
            Self::Table(table) => table.read.as_deref(),
            Self::Arrays(_) => None,
        }
    }
}

impl Taken<'_> {
    /// The line on the terminal.
    pub(super) fn said(&self) -> String {
        let Self { examples, labels, alternatives, found, kind } = self;
        let what = if *kind == "column" { "texts" } else { "sequences" };
        let others = match alternatives {
            [] => String::new(),
            _ => {
                const SHOWN: usize = 20;
                let names: Vec<String> =
                    alternatives.iter().map(|name| format!("`{name}`")).collect();
                let names = first_few(&names, SHOWN);
                format!("; labels could also be {names}: choose with `--label`")
            }
        };
        // Two labels are named in the file; several, and numbers, decide the head.
        let which = match found {
            Found::Classes(classes) if classes.len() == 2 => String::new(),
            found => format!(": {}", of_found(found)),
        };
        format!("took  the {kind} `{examples}` for {what} and `{labels}` for labels{which}{others}")
    }
}

/// Columns that the user named.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    pub(super) text: Option<&'a str>,
    pub(super) label: Option<&'a str>,
}

/// A table of texts.
#[derive(Debug, PartialEq)]
pub(super) struct TableGuess {
    pub(super) rows: usize,
    pub(super) text: String,
    /// Words of a text on average.
    pub(super) mean_words: f64,
    /// Words that 95 % of the texts do not exceed.
    pub(super) most_words: usize,
    /// `most_words`, rounded up.
    pub(super) length: usize,
    /// Whether line breaks of HTML are among the words.
    pub(super) has_breaks: bool,
    pub(super) label: String,
    /// What the labels are.
    pub(super) found: Found,
    /// Other columns that could be the label.
    pub(super) alternatives: Vec<String>,
    /// How many lines and rows there are, where they differ.
    pub(super) read: Option<String>,
    /// Whether quotes would take rows if they enclosed cells.
    pub(super) quotes_are_text: bool,
    /// What separates columns, where that is no comma.
    pub(super) separator: Option<char>,
    /// A column that says which split a row belongs to.
    pub(super) split: Option<String>,
}

/// Arrays of numbers: for each split, the sequences and their labels.
#[derive(Debug, PartialEq)]
pub(super) struct ArraysGuess {
    pub(super) train: (ArrayShape, String),
    pub(super) validation: Option<(ArrayShape, String)>,
    pub(super) test: Option<(ArrayShape, String)>,
    /// The array of groups or of times that divides the training rows, if there is one and they are divided.
    pub(super) groups: Option<String>,
    pub(super) times: Option<String>,
}

/// Arrays whose training rows and labels were looked at.
#[derive(Debug, PartialEq)]
pub(super) struct KnownArrays {
    pub(super) arrays: ArraysGuess,
    pub(super) train: Labelled,
}

/// The text is the column with the most words in a row; the label is the likeliest of those that could be.
pub(super) fn table(
    file: &str,
    columns: &[Column],
    wanted: Wanted<'_>,
) -> Result<TableGuess, UserError> {
    let named = |name: &str| {
        columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            UserError::new(
                format!("{file}: there is no column `{name}`"),
                format!("its columns are {}", known[..known.len().min(30)].join(", ")),
            )
        })
    };
    let wanted_label = wanted.label.map(named).transpose()?;
    let text = match wanted.text {
        Some(name) => named(name)?,
        None => text_column(file, columns, wanted_label)?,
    };
    refuse_absent(text)?;
    let candidates: Vec<&Column> = match wanted_label {
        Some(column) => vec![column],
        None => columns.iter().filter(|of| of.name != text.name && !is_split(of)).collect(),
    };
    let targets: Vec<Target<'_>> =
        candidates.iter().filter_map(|column| look(column, wanted_label.is_some())).collect();
    let Target { column: label, found } = likely(&targets).ok_or_else(|| match wanted_label {
        Some(column) => unfit_label(file, column, &candidates),
        None => no_label(file, &candidates),
    })?;
    if matches!(found, Found::Numbers { .. }) {
        label.refuse_coarse(file)?;
    }
    let breaks = text.values.iter().filter(|value| value.contains(BREAK)).count();
    let has_breaks = breaks * 100 >= text.values.len();
    let mut words = match has_breaks {
        false => word_counts(&text.values),
        true => {
            let replaced = text.values.iter().map(|value| value.replace(BREAK, " "));
            word_counts(&replaced.collect::<Vec<_>>())
        }
    };
    words.sort_unstable();
    let most_words = words[(words.len() * 95).div_ceil(100) - 1];
    Ok(TableGuess {
        rows: words.len(),
        text: text.name.clone(),
        mean_words: words.iter().sum::<usize>() as f64 / words.len() as f64,
        most_words,
        length: rounded_up(most_words),
        has_breaks,
        label: label.name.clone(),
        found: found.clone(),
        alternatives: targets
            .iter()
            .filter(|target| target.column.name != label.name)
            .map(|target| target.column.name.clone())
            .collect(),
        read: None,
        quotes_are_text: false,
        separator: None,
        split: columns.iter().find(|column| is_split(column)).map(|column| column.name.clone()),
    })
}

/// A line break in HTML, which stands in texts that were taken from pages.
pub(super) const BREAK: &str = "<br />";

/// A text that is null or missing is no text.
fn refuse_absent(text: &Column) -> Result<(), UserError> {
    text.absent.as_ref().map_or(Ok(()), |place| {
        Err(UserError::new(
            format!("{place}: `{}` is missing or null", text.name),
            "fill it in, or remove the row; or name another column with `--text`",
        ))
    })
}

fn text_column<'c>(
    file: &str,
    columns: &'c [Column],
    label: Option<&Column>,
) -> Result<&'c Column, UserError> {
    let mean = |column: &Column| {
        let counts = word_counts(&column.values);
        counts.iter().sum::<usize>() as f64 / counts.len() as f64
    };
    let is_label = |column: &Column| label.is_some_and(|label| label.name == column.name);
    let others = columns.iter().filter(|column| !is_label(column) && !is_numbers(column));
    let best = others.map(|column| (column, mean(column))).max_by(|a, b| a.1.total_cmp(&b.1));
    match best {
        Some((column, words)) if words > 1.0 => Ok(column),
        _ => Err(UserError::new(
            format!("{file}: no text column found (cells of more than one word)"),
            "name the column with `--text COLUMN`; a table of measurements is read with `data.series` in an \
             experiment file, which cuts the windows (docs/experiment-files.md#series); windows [examples, \
             time steps, features] that are cut already are saved with `numpy.savez(\"windows.npz\", \
             X_train=X, y_train=y)` and given to `init`",
        )),
    }
}

/// Whether a column holds numbers, dates or times: one of a few words, maybe, but no texts.
fn is_numbers(column: &Column) -> bool {
    let mut filled = column.values.iter().filter(|value| !value.trim().is_empty()).peekable();
    filled.peek().is_some() && filled.all(|value| is_time(value))
}

/// Why the column that was named is no label.
fn unfit_label(file: &str, column: &Column, candidates: &[&Column]) -> UserError {
    let values = || column.values.iter().map(|value| value.trim());
    let name = &column.name;
    let empty = values().filter(|value| value.is_empty()).count();
    if empty > 0 {
        return UserError::new(
            format!("{file}: `{name}` is no label: {} empty", counted(empty, "cell")),
            "fill these cells, or remove their rows",
        );
    }
    let is_number = |value: &&str| value.parse::<f64>().is_ok_and(f64::is_finite);
    let numbers = values().filter(is_number).count();
    match values().find(|value| !is_number(value)) {
        Some(other) if 2 * numbers > column.values.len() => UserError::new(
            format!("{file}: `{name}` is no label: it holds numbers, and `{other}`"),
            "write a number in its place, or remove such rows",
        ),
        _ => no_label(file, candidates),
    }
}

fn no_label(file: &str, candidates: &[&Column]) -> UserError {
    let distinct = |column: &&Column| {
        let values: std::collections::BTreeSet<&str> =
            column.values.iter().map(|value| value.trim()).collect();
        let empty = if values.contains("") { ", empty ones among them" } else { "" };
        let filled = values.iter().filter(|value| !value.is_empty()).take(6);
        let named: Vec<String> = filled.map(|value| format!("`{value}`")).collect();
        let few = if named.len() <= 5 { format!(" ({})", named.join(", ")) } else { String::new() };
        format!("`{}` has {}{empty}{few}", column.name, values.len())
    };
    const SHOWN: usize = 20;
    let mut counts: Vec<String> = candidates.iter().take(SHOWN).map(distinct).collect();
    if let Some(more) = candidates.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        counts.push(format!("{more} more columns"));
    }
    let commas = candidates.iter().find(|column| {
        let values = column.values.iter().map(|value| value.trim());
        are_with_commas(values.filter(|value| !value.is_empty()))
    });
    let commas = commas.map_or(String::new(), |column| {
        format!("; `{}` has numbers with decimal commas: write them with a point", column.name)
    });
    UserError::new(
        format!(
            "{file}: no label column found (a few different values, or numbers, and no blanks)"
        ),
        format!(
            "different values: {}. A class needs several rows; name the column with `--label`{commas}",
            counts.join("; ")
        ),
    )
}

/// To a length that reads like a choice: at most 10 % more.
fn rounded_up(words: usize) -> usize {
    let unit = match words {
        0..50 => 5,
        50..200 => 10,
        _ => 50,
    };
    words.next_multiple_of(unit).max(unit)
}

/// Whether a part of a name begins with one of these words: `sentiment` has a `time` in it.
fn says(shape: &ArrayShape, words: &[&str]) -> bool {
    let name = shape.name.to_lowercase();
    let mut parts = name.split(|c: char| !c.is_alphabetic());
    parts.any(|part| words.iter().any(|word| part.starts_with(word)))
}

fn is_groups(shape: &ArrayShape) -> bool {
    says(shape, &["group", "subject", "person", "user"])
}

fn is_times(shape: &ArrayShape) -> bool {
    says(shape, &["time", "date", "day"])
}

fn without_labels(file: &str, alone: &ArrayShape, known: &str) -> UserError {
    UserError::new(
        format!(
            "{file}: `{}` {:?} has no labels [{}] beside it",
            alone.name, alone.dims, alone.dims[0]
        ),
        format!("its arrays are {known}: add the labels, or save the file without it"),
    )
}

/// Sequences have three axes and labels one; what belongs together has as many rows, and says
/// `train`, `val` or `test` in its name.
pub(super) fn arrays(file: &str, shapes: &[ArrayShape]) -> Result<ArraysGuess, UserError> {
    let is_sequences = |shape: &&ArrayShape| shape.dims.len() == 3;
    let is_labels = |shape: &&ArrayShape| {
        matches!(shape.dims[..], [_] | [_, 1]) && !is_groups(shape) && !is_times(shape)
    };
    // One column a class.
    let has_columns = |shape: &&ArrayShape| matches!(shape.dims[..], [_, classes] if (2..=1000).contains(&classes));
    let split_of = |name: &str| {
        let name = name.to_lowercase();
        ["train", "val", "test"].into_iter().find(|split| name.contains(split))
    };
    let pair = |split: &str| {
        let belongs = |shape: &&ArrayShape| split_of(&shape.name).unwrap_or("train") == split;
        let x = shapes.iter().filter(is_sequences).find(belongs)?;
        let fits = |labels: &&ArrayShape| labels.dims[0] == x.dims[0];
        let of = |kind: &dyn Fn(&&ArrayShape) -> bool| {
            let fitting = || shapes.iter().filter(kind).filter(belongs).filter(fits);
            let named = |shape: &&ArrayShape| says(shape, &["y", "label", "target"]);
            let is_number_of_row = |shape: &&ArrayShape| says(shape, &["id", "index", "row"]);
            let others = || fitting().find(|shape| !is_number_of_row(shape));
            fitting().find(named).or_else(others).or_else(|| fitting().next())
        };
        let y = of(&is_labels).or_else(|| of(&has_columns))?;
        Some((x.clone(), y.name.clone()))
    };
    let known = || {
        let shape = |shape: &ArrayShape| format!("`{}` {:?}", shape.name, shape.dims);
        shapes.iter().map(shape).collect::<Vec<_>>().join(", ")
    };
    let train = pair("train").ok_or_else(|| {
        UserError::new(
            format!(
                "{file}: no X [examples, time steps, features] with matching y [examples] found"
            ),
            format!(
                "its arrays are {}. Of one number at each step, `x[..., None]` makes [examples, time steps, \
                 1]; token ids [examples, time steps] need an experiment file with `model.embedding` \
                 (docs/experiment-files.md)",
                known()
            ),
        )
    })?;
    let (validation, test) = (pair("val"), pair("test"));
    let paired = [Some(&train), validation.as_ref(), test.as_ref()];
    let is_paired = |shape: &&ArrayShape| paired.iter().flatten().any(|(x, _)| x == *shape);
    if let Some(alone) = shapes.iter().filter(is_sequences).find(|shape| !is_paired(shape)) {
        return Err(without_labels(file, alone, &known()));
    }
    // Where the file brings splits, the training rows are not divided by them.
    let of_rows = |is: &dyn Fn(&ArrayShape) -> bool| {
        let fits = |shape: &&ArrayShape| shape.dims[..] == [train.0.dims[0]] && is(shape);
        let found = shapes.iter().find(fits).filter(|_| validation.is_none() && test.is_none());
        found.map(|shape| shape.name.clone())
    };
    let groups = of_rows(&is_groups);
    let times = of_rows(&is_times).filter(|_| groups.is_none());
    Ok(ArraysGuess { train, validation, test, groups, times })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, values: &[&str]) -> Column {
        let values = values.iter().map(|v| v.to_string()).collect();
        Column { name: name.into(), values, absent: None }
    }

    fn tickets() -> Vec<Column> {
        vec![
            column("id", &["1", "2", "3", "4"]),
            column("seen", &["yes", "no", "no", "no"]),
            column("body", &["it burns", "a<br />b c d", "where is it now", "fine thanks"]),
            column("urgent", &["yes", "no", "yes", " no"]),
            column("language", &["en", "de", "fr", "en"]),
        ]
    }

    #[test]
    fn the_text_has_the_most_words_and_the_label_two_values() {
        let guess = table("t.csv", &tickets(), Wanted::default()).unwrap();
        assert_eq!((guess.text.as_str(), guess.label.as_str()), ("body", "urgent"));
        let two = vec![("no".to_owned(), 2), ("yes".to_owned(), 2)];
        assert_eq!(guess.found, Found::Classes(two));
        assert_eq!(guess.alternatives, ["seen"]);
        assert_eq!(
            Guess::Table(Box::new(guess)).taken().said(),
            "took  the column `body` for texts and `urgent` for labels; labels could also be `seen`: \
             choose with `--label`"
        );
        let guess = table("t.csv", &tickets(), Wanted::default()).unwrap();
        assert_eq!((guess.rows, guess.most_words, guess.length), (4, 4, 5));
        assert!(guess.has_breaks);
        let mut named = tickets();
        named[1].name = "Label".into();
        assert_eq!(table("t.csv", &named, Wanted::default()).unwrap().label, "Label");
    }

    #[test]
    fn a_guess_can_be_corrected_and_a_wrong_name_is_refused() {
        let wanted = |text, label| table("t.csv", &tickets(), Wanted { text, label });
        assert_eq!(wanted(None, Some("seen")).unwrap().label, "seen");
        assert_eq!(wanted(Some("language"), None).unwrap().text, "language");
        assert!(wanted(Some("nody"), None).unwrap_err().message.contains("no column `nody`"));
        let error = wanted(None, Some("language")).unwrap_err();
        let hint = error.hint.unwrap();
        assert!(hint.starts_with("different values: `language` has 3 (`"), "{hint}");
        assert!(hint.contains("A class needs several rows"), "{hint}");
    }

    #[test]
    fn what_keeps_a_named_column_from_being_the_label_is_said() {
        let said = |other: &str| {
            let texts = (0..60).map(|at| format!("good film {at}")).collect();
            let values = (0..60).map(|at| if at == 7 { other.into() } else { format!("{at}.5") });
            let text = Column { name: "text".into(), values: texts, absent: None };
            let label = Column { name: "kind".into(), values: values.collect(), absent: None };
            let wanted = Wanted { text: None, label: Some("kind") };
            table("t.csv", &[text, label], wanted).unwrap_err().message
        };
        assert_eq!(said("n/a"), "t.csv: `kind` is no label: it holds numbers, and `n/a`");
        assert_eq!(said(" "), "t.csv: `kind` is no label: 1 cell empty");
    }

    #[test]
    fn targets_that_32_bits_take_for_one_are_refused_and_large_counters_are_no_labels() {
        let of = |name: &str, number: &dyn Fn(usize) -> String| {
            let texts = (0..60).map(|at| format!("good film {at}")).collect();
            let values = (0..60).map(number).collect();
            let text = Column { name: "text".into(), values: texts, absent: None };
            let label = Column { name: name.into(), values, absent: None };
            table("t.csv", &[text, label], Wanted::default()).unwrap_err().message
        };
        let said = of("y", &|at| format!("{}.5", 1_700_000_000 + at * at));
        assert!(said.starts_with("t.csv: column `y` holds 60 different values from 17"), "{said}");
        let said = of("id", &|at| (1_700_000_000 + at).to_string());
        assert!(said.starts_with("t.csv: no label column found"), "{said}");
    }

    #[test]
    fn numbers_with_decimal_commas_are_told_and_are_no_classes() {
        for most in [5, 60] {
            let texts = (0..60).map(|at| format!("good film {at}")).collect();
            let values = (0..60).map(|at| format!("{},5", at % most)).collect();
            let text = Column { name: "text".into(), values: texts, absent: None };
            let label = Column { name: "price".into(), values, absent: None };
            let error = table("t.csv", &[text, label], Wanted::default()).unwrap_err();
            let hint = error.hint.unwrap();
            let said = "; `price` has numbers with decimal commas: write them with a point";
            assert!(hint.ends_with(said), "{hint}");
        }
    }

    #[test]
    fn a_table_without_texts_or_labels_is_refused() {
        let numbers = [column("a", &["1", "2"]), column("b", &["0", "1"])];
        let error = table("t.csv", &numbers, Wanted::default()).unwrap_err();
        assert!(error.message.contains("no text column found"), "{error}");
        let dated = [
            column("when", &["2024-03-01 00:00:00", "2024-03-01 01:00:00", ""]),
            column("light", &["8.4 1", "15.7 2", "18"]),
            column("occupied", &["0", "1", "1"]),
        ];
        let error = table("t.csv", &dated, Wanted::default()).unwrap_err();
        assert!(error.message.contains("no text column found"), "{error}");
        assert!(error.hint.unwrap().contains("windows"));
        let gaps = [column("a", &["x y", "z w", "u v"]), column("b", &["0", "1", ""])];
        let error = table("t.csv", &gaps, Wanted::default()).unwrap_err();
        assert!(error.hint.unwrap().contains("`b` has 3, empty ones among them"));
    }

    #[test]
    fn lengths_are_rounded_up_by_little() {
        assert_eq!([0, 3, 48, 51, 200, 201].map(rounded_up), [5, 5, 50, 60, 200, 250]);
    }

    #[test]
    fn arrays_are_paired_by_their_rows_and_names() {
        let shape = |name: &str, dims: &[usize]| ArrayShape {
            name: name.into(),
            dims: dims.into(),
            whole: false,
        };
        let shapes = [
            shape("X_train", &[60, 4, 2]),
            shape("y_train", &[60]),
            shape("X_val", &[20, 4, 2]),
            shape("y_val", &[20, 1]),
            shape("notes", &[3]),
        ];
        let guess = arrays("a.npz", &shapes).unwrap();
        assert_eq!(guess.train, (shapes[0].clone(), "y_train".to_owned()));
        assert_eq!(guess.validation, Some((shapes[2].clone(), "y_val".to_owned())));
        assert_eq!(guess.test, None);
        let plain = [shape("x", &[9, 1, 1]), shape("y", &[9])];
        assert_eq!(arrays("a.npz", &plain).unwrap().train.1, "y");
        let with = |names: [&str; 2]| {
            let all = [shape("Xtr", &[9, 1, 1]), shape(names[0], &[9]), shape(names[1], &[9])];
            arrays("a.npz", &all).unwrap().train.1
        };
        assert_eq!(with(["ids", "ytr"]), "ytr", "the name says so");
        assert_eq!(with(["ids", "kind"]), "kind", "numbers of rows are no labels");
        assert!(arrays("a.npz", &plain[..1]).unwrap_err().hint.unwrap().contains("`x` [9, 1, 1]"));
        let divided = [
            shape("X_train", &[60, 4, 2]),
            shape("groups_train", &[60]),
            shape("times_train", &[60]),
            shape("sentiment", &[60]),
        ];
        let guess = arrays("a.npz", &divided).unwrap();
        assert_eq!(
            (guess.train.1.as_str(), guess.groups.as_deref()),
            ("sentiment", Some("groups_train"))
        );
        assert_eq!(guess.times, None, "groups go first");
        let alone = [shapes[0].clone(), shapes[1].clone(), shapes[2].clone()];
        let said = arrays("a.npz", &alone).unwrap_err().message;
        assert!(said.contains("`X_val` [20, 4, 2] has no labels [20] beside it"), "{said}");
    }
}
