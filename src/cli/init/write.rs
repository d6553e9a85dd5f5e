//! The text of an experiment file, with a comment for every key.

use super::guess::{ArraysGuess, BREAK, Guess, KnownArrays, TableGuess};
use super::sizes::{batch_sizes, cost_of_row, tuning, why_small};
use crate::cli::format::{count, number};
use crate::cli::labels::of_found;
use crate::data::{Found, Labelled, Scale};
use std::path::Path;

/// The file for what was guessed of `data`; it will be called `out`, if it has a name yet.
pub(super) fn experiment(data: &str, guess: &Guess, out: Option<&Path>) -> String {
    let file = out.map_or("FILE.yaml".to_owned(), |path| path.display().to_string());
    let (rows, section, embedding, class_weight) = match guess {
        Guess::Table(table) => {
            let (section, weight) = (table_section(data, table), class_weight(&table.found));
            (table.rows * 6 / 10, section, EMBEDDING, weight)
        }
        Guess::Arrays(known) => {
            let (section, weight) = (arrays_section(data, known), class_weight(&known.train.found));
            (training_rows(&known.arrays), section, "", weight)
        }
    };
    let sizes = batch_sizes(rows);
    let Head { quality, dense, loss, metric } = head(guess.taken().found, has_columns(guess));
    format!(
        "# Question: how does batch size affect the {quality} of an LSTM on {data}?\n\
         # Look through it, then:  batchscope check {file}\n\
         #                         batchscope run {file}\n\
         # For completion of keys in your editor: `batchscope schema > batchscope.schema.json`, and put\n\
         # the line `# yaml-language-server: $schema=batchscope.schema.json` at the top of this file.\n\
         study:\n{name}  \
         seeds: 5                   # runs per batch size; more seeds show smaller differences\n  \
         # until: settled           # adds seeds until it is settled, at most 40 (max_seeds: 40, max_time: 2h)\n  \
         grid: {{ batch_size: {sizes:?} }}   # what is compared: examples per step{why}\n\
         {tuning}  \
         # decompose: {{ small: {small}, large: {large} }}   # in place of the grid: why these two differ\n\
         {section}\
         model:\n{embedding}  \
         lstm: {{ units: 64 }}        # size of the LSTM's state\n  \
         dense: {dense}\n\
         train:\n  \
         epochs: 10                 # passes over the training split\n  \
         optimizer: {{ adam: {{ lr: 1.0e-3 }} }}\n  \
         schedule: constant         # or {{ exponential: {{ gamma: 0.9 }} }}: lr * 0.9^epoch\n  \
         loss: {loss}\n\
         {class_weight}  \
         metrics: [{metric}]\n  \
         device: auto               # auto, cpu, cuda or cuda:N\n",
        data = comment(data),
        name = study_name(out),
        small = sizes[0],
        large = sizes[2],
        why = why_small(rows, sizes),
        tuning = tuning(rows as f64 * cost_of_row(guess), sizes.len()),
    )
}

/// Whether there are two columns, one a class: a sigmoid has one.
fn has_columns(guess: &Guess) -> bool {
    let Guess::Arrays(known) = guess else { return false };
    let of_two = matches!(&known.train.found, Found::Classes(classes) if classes.len() == 2);
    known.train.has_columns && of_two
}

/// What the labels ask for.
struct Head {
    /// What differs between batch sizes.
    quality: &'static str,
    dense: String,
    loss: &'static str,
    metric: &'static str,
}

fn head(found: &Found, has_columns: bool) -> Head {
    let (quality, metric) = ("accuracy", "accuracy");
    match found {
        Found::Classes(_) if has_columns => Head {
            quality,
            dense: "{ units: 2, activation: softmax }   # one a column. With labels 0 and 1 in one column: \
                    { units: 1, activation: sigmoid }, for auc, f1, precision and recall"
                .to_owned(),
            loss: "categorical_crossentropy",
            metric,
        },
        Found::Classes(classes) if classes.len() == 2 => Head {
            quality,
            dense: "{ units: 1, activation: sigmoid }".to_owned(),
            loss: "binary_crossentropy",
            metric,
        },
        Found::Classes(classes) => Head {
            quality,
            dense: format!(
                "{{ units: {}, activation: softmax }}   # a probability for each class{}",
                classes.len(),
                match classes.iter().all(|(class, _)| class.parse::<f32>().is_ok()) {
                    true => "; { units: 1, activation: linear } predicts the number",
                    false => "",
                }
            ),
            loss: "categorical_crossentropy",
            metric,
        },
        Found::Numbers { .. } => Head {
            quality: "error",
            dense: "{ units: 1, activation: linear }   # the number itself".to_owned(),
            loss: "mse",
            metric: "rmse",
        },
    }
}

/// The labels in a comment.
fn told(found: &Found) -> String {
    let rows = |rows: usize| format!("{} rows", count(rows as u64));
    match found {
        Found::Classes(classes) => match &classes[..] {
            [(zero, zeros), (one, ones)] => format!(
                "{} counts as 0 ({}), {} as 1 ({})",
                comment(zero),
                rows(*zeros),
                comment(one),
                rows(*ones)
            ),
            _ => one_line(&of_found(found)),
        },
        Found::Numbers { .. } => of_found(found),
    }
}

const EMBEDDING: &str =
    "  embedding: { dim: 64, mask_zero: true }   # a vector a word; padding is skipped\n";

fn table_section(data: &str, table: &TableGuess) -> String {
    let alternatives = match table.alternatives[..] {
        [] => String::new(),
        _ => format!("; also possible: {}", comment(&table.alternatives.join(", "))),
    };
    let replace = match table.has_breaks {
        true => format!("    replace: {{ \"{BREAK}\": \" \" }}   # before anything else\n"),
        false => String::new(),
    };
    format!(
        "data:\n  \
         table:\n    \
         path: {path}{read}\n{separator}{quotes}    \
         text: {text}   # {mean:.0} words on average in {rows} rows\n    \
         label: {label}   # {told}{alternatives}\n{split}  \
         text:\n{replace}    \
         max_tokens: 10000        # size of the vocabulary; all rarer words are one unknown word\n    \
         length: {length}   # words of an example; 95 % of the texts have at most {most}; fewer train faster\n    \
         pad: pre                 # shorter texts are filled up at this end\n    \
         truncate: pre            # longer texts are cut at this end\n{scale}{shares}",
        path = scalar(data),
        read = table.read.as_ref().map_or(String::new(), |read| format!("   # {}", one_line(read))),
        quotes = if table.quotes_are_text { QUOTES } else { "" },
        separator = table.separator.map_or(String::new(), |separator| {
            format!("    separator: {}   # between columns\n", scalar(&separator.to_string()))
        }),
        split = table.split.as_ref().map_or(String::new(), |split| {
            format!(
                "    split: {}   # train, validation or test: what each row is for\n",
                scalar(split)
            )
        }),
        scale = scale(&table.found, None),
        shares = match table.split {
            Some(_) => String::new(),
            None => [SHARES, VALIDATION, TEST, at_random(&table.found)].concat(),
        },
        text = scalar(&table.text),
        mean = table.mean_words,
        rows = count(table.rows as u64),
        label = scalar(&table.label),
        told = told(&table.found),
        length = table.length,
        most = table.most_words,
    )
}

const QUOTES: &str = "    quotes: false   # quotes are part of the texts: as enclosing cells, one would take other rows\n";

const SHARES: &str =
    "  split:                     # shares of all examples; the rest is for training\n";
const VALIDATION: &str = "    validation: 0.2          # measured after every epoch\n";
const TEST: &str = "    test: 0.2                # measured once, after the last epoch\n";
const STRATIFIED: &str = "    stratify: true           # each label has the same share in every split\n    \
                          seed: 0                  # one split for all runs\n";
const SEED: &str = "    seed: 0                  # one split for all runs\n";

/// Numbers have no shares.
fn at_random(found: &Found) -> &'static str {
    match found {
        Found::Classes(_) => STRATIFIED,
        Found::Numbers { .. } => SEED,
    }
}

fn arrays_section(data: &str, known: &KnownArrays) -> String {
    let KnownArrays { arrays, train } = known;
    let mut text = format!("data:\n  arrays:\n    path: {}\n", scalar(data));
    let splits = [
        ("train", Some(&arrays.train)),
        ("val", arrays.validation.as_ref()),
        ("test", arrays.test.as_ref()),
    ];
    for (split, pair) in splits {
        let Some((x, y)) = pair else { continue };
        let shape =
            format!("{} examples, {} time steps, {} features", x.dims[0], x.dims[1], x.dims[2]);
        let labels = match split {
            "train" => format!("labels: {}", told(&train.found)),
            _ => "labels".to_owned(),
        };
        text += &format!("    x_{split}: {}   # {shape}\n", scalar(&x.name));
        text += &format!("    y_{split}: {}   # {labels}\n", scalar(y));
    }
    if let Some(groups) = &arrays.groups {
        text += &format!("    groups_train: {}   # no group is in two splits\n", scalar(groups));
    }
    if let Some(times) = &arrays.times {
        text += &format!("    times_train: {}   # the latest rows test\n", scalar(times));
    }
    if let Some(positive) = &train.positive {
        text += &format!("    positive: {}   # the label that counts as 1\n", scalar(positive));
    }
    text + &scale(&train.found, train.scale.as_ref()) + &arrays_split(arrays, train)
}

/// `data.scale`, where targets or features are far from what a model starts with.
fn scale(found: &Found, features: Option<&Scale>) -> String {
    let of_features = features.map(|Scale { widest, .. }| {
        format!(
            "feature {} ranges from {} to {}",
            widest.feature,
            number(f64::from(widest.least)),
            number(f64::from(widest.most))
        )
    });
    let of_targets = match found {
        Found::Numbers { mean, sd, .. } if found.are_far() => Some(format!(
            "the numbers have the mean {} and the standard deviation {}",
            number(*mean),
            number(*sd)
        )),
        _ => None,
    };
    let why: Vec<String> = of_targets.into_iter().chain(of_features).collect();
    match why.is_empty() {
        true => String::new(),
        false => format!(
            "  # {}: scaled to mean 0 and standard\n  # deviation 1 for training; scores and predictions stay in the \
             unit of the data\n  scale: standard\n",
            why.join(", and ")
        ),
    }
}

/// How arrays are divided: windows that overlap in the order of the file, others at random. Validation
/// arrays of the file's own are used as they are.
fn arrays_split(arrays: &ArraysGuess, train: &Labelled) -> String {
    if arrays.validation.is_some() {
        return String::new();
    }
    let test = match arrays.test {
        Some(_) => String::new(),
        None => TEST.to_owned(),
    };
    let (overlap, sorted, at_random) = (&train.overlap, train.sorted, at_random(&train.found));
    if arrays.groups.is_some() {
        return format!("{SHARES}{VALIDATION}{test}{at_random}");
    }
    if arrays.times.is_some() {
        return format!("{SHARES}{VALIDATION}{test}");
    }
    let Some((gap, stride)) = overlap.span().zip(overlap.stride) else {
        return format!("{SHARES}{VALIDATION}{test}{at_random}");
    };
    let shared = format!("{} of {} time steps", overlap.steps - stride, overlap.steps);
    if sorted {
        return format!(
            "  # Neighbouring rows share {shared}, so a split at random would test what was trained on.\n  \
             # The rows are sorted by label, so that they cannot be divided in order: name the recording\n  \
             # of each row as `groups_train`.\n{SHARES}{VALIDATION}{test}{at_random}"
        );
    }
    format!(
        "  # Neighbouring rows share {shared}: dealt out at random, test rows would be known from\n  \
         # training, and the test would tell nothing of new data.\n{SHARES}    \
         by: order                # the first rows train, the last ones test\n    \
         gap: {gap:<19} # rows left out between the splits: as many as a window spans\n{VALIDATION}{test}"
    )
}

/// About how many rows of arrays train.
fn training_rows(arrays: &ArraysGuess) -> usize {
    let rows = arrays.train.0.dims[0];
    match (&arrays.validation, &arrays.test) {
        (Some(_), _) => rows,
        (None, Some(_)) => rows * 8 / 10,
        (None, None) => rows * 6 / 10,
    }
}

/// A hint where one label is rare: accuracy tells little of it.
fn class_weight(found: &Found) -> String {
    let Found::Classes(classes) = found else { return String::new() };
    let rows = |(_, rows): &&(String, usize)| *rows;
    let (Some((rare, fewest)), Some((common, most))) =
        (classes.iter().min_by_key(rows), classes.iter().max_by_key(rows))
    else {
        return String::new();
    };
    let all: usize = classes.iter().map(|(_, rows)| rows).sum();
    let share = |rows: usize| rows as f64 / all as f64;
    if share(*fewest) * classes.len() as f64 >= 2.0 * RARE {
        return String::new();
    }
    format!(
        "  # class_weight: balanced   # {} is rare: always giving {} is right for {:.1} % of the rows\n",
        comment(rare),
        comment(common),
        100.0 * share(*most),
    )
}

/// Of two labels, the share of rows below which one is called rare; of more, its share of an equal part.
const RARE: f64 = 0.2;

/// A study is called like its file; a file name that cannot be a folder needs a name beside it.
fn study_name(out: Option<&Path>) -> String {
    let stem = out.and_then(Path::file_stem).unwrap_or_default().to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+=".contains(c);
    if stem.chars().all(plain) && !stem.starts_with('.') {
        return String::new();
    }
    let name: String = stem.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    format!("  name: {}   # of the study and its folder\n", scalar(name.trim_start_matches('.')))
}

/// A text as a YAML value: plain where that cannot be read as anything else, else in quotes.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_text = matches!(serde_yaml::from_str(text), Ok(serde_yaml::Value::String(_)));
    // YAML 1.1, which many editors still read, takes these for true and false.
    let flag = ["y", "n", "yes", "no", "on", "off"].contains(&text.to_lowercase().as_str());
    match is_text && !flag && text.chars().all(plain) && text.starts_with(char::is_alphanumeric) {
        true => text.to_owned(),
        false => serde_json::Value::from(text).to_string(),
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text of the user's inside a comment: on one line, and not too long.
fn comment(text: &str) -> String {
    let one_line = one_line(text);
    match one_line.char_indices().nth(60) {
        Some((end, _)) => format!("`{}...`", &one_line[..end]),
        None => format!("`{one_line}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_yaml_would_read_as_something_else_are_quoted() {
        let cases = [
            ("body", "body"),
            ("data/t.csv", "data/t.csv"),
            ("1", "\"1\""),
            ("no", "\"no\""),
            ("null", "\"null\""),
            ("a: b", "\"a: b\""),
            ("-x", "\"-x\""),
            ("say \"hi\"", "\"say \\\"hi\\\"\""),
            ("größe", "\"größe\""),
        ];
        for (text, written) in cases {
            assert_eq!(scalar(text), written);
            assert_eq!(serde_yaml::from_str::<String>(written).unwrap(), text);
        }
    }

    #[test]
    fn a_rare_label_is_told_with_what_the_other_one_would_be_right_for() {
        let classes =
            |zeros, ones| Found::Classes(vec![("no".to_owned(), zeros), ("yes".to_owned(), ones)]);
        assert_eq!(class_weight(&classes(30, 70)), "");
        let told = class_weight(&classes(965, 35));
        assert!(told.contains("`yes` is rare: always giving `no` is right for 96.5 %"), "{told}");
        assert!(class_weight(&classes(1, 99)).contains("`no` is rare: always giving `yes`"));
    }

    #[test]
    fn what_the_user_wrote_cannot_break_a_comment() {
        assert_eq!(comment("a\nb: c"), "`a b: c`");
        assert!(comment(&"x".repeat(100)).ends_with("x...`"));
    }

    #[test]
    fn learning_rates_are_tuned_where_that_is_affordable_and_the_cost_is_said() {
        let cheap = tuning(6_000.0, 3);
        assert!(cheap.contains("30 runs more, about 1.3 s on two cores"), "{cheap}");
        assert!(cheap.contains("\n  learning_rate: { tuned: {} }\n"), "{cheap}");
        let dear = tuning(15_000.0 * 230.0, 3);
        assert!(dear.contains("30 runs more, about 12 min on two cores"), "{dear}");
        assert!(dear.ends_with("\n  # learning_rate: { tuned: {} }\n"), "{dear}");
    }

    #[test]
    fn a_file_name_that_cannot_be_a_folder_gets_a_study_name() {
        assert_eq!(study_name(Some(Path::new("runs/tickets.yaml"))), "");
        assert!(study_name(Some(Path::new("my tickets.yaml"))).contains("name: my-tickets "));
        assert_eq!(study_name(None), "");
    }
}
