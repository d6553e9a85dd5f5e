//! YAML text and `--set key=value` overrides -> [`Experiment`].
//!
//! Unknown keys and wrong types are errors that name the file, the line, the path of the key and
//! the nearest known key. Line numbers are those of the file, also when an override changed a
//! value.

use super::keras_words::{key_hint, value_hint};
use super::locate::{KeyPath, Segment, is_written, line_of, text_at};
use super::schema::usage_of;
use super::{Experiment, sizes, yaml};
use crate::error::UserError;
use serde_yaml::{Mapping, Value};

/// The deepest key that `--set` may name: deeper ones would only fill the stack.
const DEEPEST: usize = 32;

/// One `--set key=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    path: KeyPath,
    value: Value,
    /// The value as it was typed.
    text: String,
    /// The flag that was typed, for messages.
    flag: &'static str,
}

impl Override {
    /// Reads `train.epochs=3`; the value is YAML.
    pub fn parse(argument: &str) -> Result<Self, UserError> {
        let usage = "write `--set train.epochs=3`, with the path of the key before the `=`";
        let (key, value) = argument.split_once('=').ok_or_else(|| {
            UserError::new(format!("`--set {argument}` has no `=` between key and value"), usage)
        })?;
        let path = KeyPath::parse(key.trim());
        if path.0.is_empty() {
            return Err(UserError::new(format!("`--set {argument}` names no key"), usage));
        }
        if path.0.len() > DEEPEST {
            let rule = format!(
                "`--set` names a key within {} others, and none lies deeper than {DEEPEST}",
                path.0.len() - 1
            );
            return Err(UserError::new(rule, usage));
        }
        if value.trim().is_empty() {
            return Err(UserError::new(
                format!("`--set {argument}` gives no value"),
                "write the value after the `=`; `null` takes a key out",
            ));
        }
        yaml::refuse_brackets(&format!("`--set {key}`"), value)?;
        let text = value.to_owned();
        let value = serde_yaml::from_str(value).map_err(|error| {
            UserError::new(format!("the value of `--set {argument}` is not YAML: {error}"), usage)
        })?;
        Ok(Self { path, value, text, flag: "--set" })
    }

    /// A flag that stands for `--set KEY=VALUE`.
    pub fn flag(flag: &'static str, key: &str, value: Value) -> Self {
        let text = match &value {
            Value::String(text) => text.clone(),
            _ => String::new(),
        };
        Self { path: KeyPath::parse(key), value, text, flag }
    }

    /// `--batch-sizes 32,128`: those of the grid, also in place of arms that say nothing but theirs.
    pub fn batch_sizes(sizes: &[u32]) -> Self {
        let sizes = sizes.iter().map(|size| Value::from(*size)).collect();
        Self::flag(sizes::FLAG, sizes::KEY, Value::Sequence(sizes))
    }
}

/// An experiment file as it was typed, kept so that every later error can point into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// How messages call the file.
    pub name: String,
    /// Its content.
    pub text: String,
    /// What the command line changed.
    pub overrides: Vec<Override>,
}

impl Source {
    /// The content without the byte order mark that some editors put before it.
    fn yaml(&self) -> &str {
        self.text.strip_prefix('\u{feff}').unwrap_or(&self.text)
    }

    /// Whether the value at `path` stands in the file or on the command line.
    pub(super) fn has(&self, path: &KeyPath) -> bool {
        self.overridden(path).is_some() || is_written(self.yaml(), path)
    }

    /// What the command line says of the value at `path`.
    fn overridden(&self, path: &KeyPath) -> Option<&Override> {
        self.overrides.iter().rev().find(|set| path.0.starts_with(&set.path.0))
    }

    /// An error about the value at `path`, with the place where it was written.
    pub(super) fn error(&self, path: &KeyPath, rule: &str, hint: Option<String>) -> UserError {
        let place = match (self.overridden(path), line_of(self.yaml(), path)) {
            (Some(set), _) => format!("from `{}`", set.flag),
            (None, Some(line)) => format!("{}, line {line}", self.name),
            (None, None) => self.name.clone(),
        };
        let key = if path.0.is_empty() { String::new() } else { format!(" (at `{path}`)") };
        UserError { message: format!("{place}: {rule}{key}"), hint }
    }
}

/// Reads the file with its overrides; every key that was left out has its default.
///
/// # Errors
/// The first rule that is broken, with file, line and key, and what to write.
pub fn load(source: &Source) -> Result<Experiment, UserError> {
    let mut document = yaml::parse(&source.name, source.yaml())?;
    document.apply_merge().map_err(|error| UserError {
        message: format!("{}: a `<<` merge key cannot be applied: {error}", source.name),
        hint: None,
    })?;
    if !document.is_mapping() {
        return Err(UserError::new(
            format!("{} is not an experiment file: it has no keys", source.name),
            "an experiment file is YAML with the keys `study` and `data`; see `experiments/`",
        ));
    }
    keep_texts(&mut document, source.yaml(), &[]);
    for set in &source.overrides {
        let mut value = set.value.clone();
        keep_texts(&mut value, &set.text, &set.path.0);
        if set.flag == sizes::FLAG {
            sizes::make_room(&mut document, &source.name)?;
        }
        apply(&mut document, set, value)?;
    }
    serde_path_to_error::deserialize(document.clone()).map_err(|error| {
        let (mut rule, unknown, hint) = explain(&error.inner().to_string());
        let path = KeyPath::parse(&error.path().to_string()).with_key(unknown);
        if let Some(received) = received(&document, &path).filter(|_| rule.starts_with("expected "))
        {
            rule += &format!("; received {received}");
        }
        let is_in_bidirectional = path.0.last() == Some(&Segment::Key("bidirectional".into()));
        let hint =
            if is_in_bidirectional && rule == NOT_ONE { Some(TWO_WAYS.into()) } else { hint };
        source.error(&path, &rule, hint)
    })
}

/// What a document has at a path, in a few words.
fn received(document: &Value, path: &KeyPath) -> Option<String> {
    let found = path.0.iter().try_fold(document, |place, segment| match segment {
        Segment::Key(key) => place.get(key.as_str()),
        Segment::Index(index) => place.get(*index),
    })?;
    Some(match found {
        Value::Mapping(_) => "a mapping".into(),
        Value::Sequence(_) => "a list".into(),
        Value::Null => "nothing".into(),
        scalar => format!("`{}`", serde_yaml::to_string(scalar).ok()?.trim_end()),
    })
}

/// The values that columns of a table are compared with, as text.
const COMPARED: [&[&str]; 2] = [&["data", "table", "positive"], &["data", "table", "where"]];

/// Puts the text as it was written in place of numbers and flags that are compared as text: `2.50`
/// is not 2.5 in a column of versions. `value` was read from `text` and stands at `path`.
fn keep_texts(value: &mut Value, text: &str, path: &[Segment]) {
    for compared in COMPARED {
        let compared: Vec<Segment> =
            compared.iter().map(|key| Segment::Key((*key).to_owned())).collect();
        let below = match (compared.strip_prefix(path), path.starts_with(&compared)) {
            (Some(below), _) => below.to_vec(),
            (None, true) => Vec::new(),
            (None, false) => continue,
        };
        let place = below.iter().try_fold(&mut *value, |place, segment| match segment {
            Segment::Key(key) => place.get_mut(key.as_str()),
            Segment::Index(_) => None,
        });
        match place {
            Some(Value::Mapping(values)) => {
                for (key, one) in values.iter_mut() {
                    let Some(key) = key.as_str() else { continue };
                    let inner = [&below[..], &[Segment::Key(key.to_owned())]].concat();
                    keep_text(one, text, &inner);
                }
            }
            Some(one) => keep_text(one, text, &below),
            None => {}
        }
    }
}

fn keep_text(value: &mut Value, text: &str, path: &[Segment]) {
    if let Value::Number(_) | Value::Bool(_) = value
        && let Some(written) = text_at(text, path)
    {
        *value = Value::String(written);
    }
}

/// Puts an override's value at its path, making mappings on the way.
fn apply(document: &mut Value, set: &Override, value: Value) -> Result<(), UserError> {
    let mut place = document;
    for (depth, segment) in set.path.0.iter().enumerate() {
        let parent = KeyPath(set.path.0[..depth].to_vec());
        if place.is_null() {
            *place = Value::Mapping(Mapping::new());
        }
        let next = match (place, segment) {
            (Value::Mapping(map), Segment::Key(key)) => {
                Some(map.entry(key.as_str().into()).or_insert(Value::Null))
            }
            (Value::Sequence(items), Segment::Index(index)) => items.get_mut(*index),
            _ => None,
        };
        place = next.ok_or_else(|| {
            UserError::new(
                format!("`{} {}`: there is no such place in `{parent}`", set.flag, set.path),
                "a list takes a position that it has (`study.arms.0`), a mapping takes a key",
            )
        })?;
    }
    *place = value;
    Ok(())
}

/// serde's message in the words of this program: the rule, the unknown key if that was the fault,
/// and advice.
pub(super) fn explain(message: &str) -> (String, Option<String>, Option<String>) {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field") {
        let key = quoted[0];
        let rule = format!("unknown key `{key}`");
        let known = &quoted[1..];
        let hint = key_hint(key, known).unwrap_or_else(|| suggest(key, known, "keys"));
        return (rule, Some(key.to_owned()), Some(hint));
    }
    if message.starts_with("unknown variant") {
        let rule = format!("unknown value `{}`", quoted[0]);
        let (value, known) = (quoted[0], &quoted[1..]);
        let hint = value_hint(value, known).unwrap_or_else(|| suggest(value, known, "values"));
        return (rule, None, Some(hint));
    }
    if message.starts_with("missing field") {
        let rule = format!("the key `{}` is missing", quoted[0]);
        return (rule, None, Some(format!("add `{}: ...` here", quoted[0])));
    }
    if message.contains("unit variant, expected newtype variant") {
        let rule = "this choice has settings, and only its name is given".to_owned();
        let hint = "write its settings after the name: `adam: {}`, `tuned: {}` for the defaults, \
                    `exponential: { gamma: 0.9 }`";
        return (rule, None, Some(hint.into()));
    }
    if message.contains("expected map with a single key") {
        let rule = NOT_ONE.to_owned();
        let hint = "keep one name with its settings; where the file has made another choice, `--set` has to \
                    replace all of it: `--set 'train.optimizer={ sgd: { lr: 0.1 } }'`";
        return (rule, None, Some(hint.into()));
    }
    let plain = [
        ("unit value", "nothing"),
        ("invalid type: ", "wrong type: received "),
        ("invalid value: ", "wrong value: received "),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected u64", "expected a whole number, not negative"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected a mapping"),
    ];
    let rule = plain.iter().fold(message.to_owned(), |text, (from, to)| text.replace(from, to));
    if let Some((received, type_name)) = rule.split_once("expected struct ") {
        return (format!("{received}expected a mapping"), None, usage_of(type_name));
    }
    let hint = rule.ends_with("expected a list").then(|| "write `[..]`, also for one".into());
    (rule, None, hint)
}

const NOT_ONE: &str = "one of several choices is made here, and not exactly one was given";

const TWO_WAYS: &str = "write `bidirectional: { lstm: { units: 64 } }`, or `gru`; both directions are \
                        concatenated, as with Keras's default `merge_mode`";

/// The nearest known word when one is near, else all of them.
fn suggest(word: &str, known: &[&str], kind: &str) -> String {
    let nearest =
        known.iter().max_by(|a, b| similarity(word, a).total_cmp(&similarity(word, b))).copied();
    match nearest {
        Some(candidate) if similarity(word, candidate) > 0.75 => {
            format!("did you mean `{candidate}`?")
        }
        Some(_) => format!("known {kind} here: {}", known.join(", ")),
        None => format!("there are no {kind} here"),
    }
}

/// Of two words, whatever their capitals: Keras has `AUC` and `Precision`.
fn similarity(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(&a.to_lowercase(), &b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, sets: &[&str]) -> String {
        let overrides = sets.iter().map(|set| Override::parse(set).unwrap()).collect();
        let source = Source { name: "file.yaml".into(), text: text.into(), overrides };
        match load(&source) {
            Ok(experiment) => format!("accepted: {experiment:?}"),
            Err(error) => format!("{error} | {}", error.hint.clone().unwrap_or_default()),
        }
    }

    #[test]
    fn a_key_that_lies_absurdly_deep_is_refused() {
        let deep = vec!["a"; 10_000].join(".");
        let error = Override::parse(&format!("{deep}=1")).unwrap_err();
        assert_eq!(
            error.message,
            "`--set` names a key within 9999 others, and none lies deeper than 32"
        );
    }

    const HEAD: &str = "study:\n  arms:\n    - batch_size: 32\ndata:\n  table: { path: a.csv }\n";

    #[test]
    fn an_unknown_key_is_named_with_its_line_its_path_and_the_nearest_known_key() {
        let text = "study:\n  arms:\n    - name: a\n      bach_size: 32\ndata: {}\n";
        assert_eq!(
            message(text, &[]),
            "file.yaml, line 4: unknown key `bach_size` (at `study.arms[0].bach_size`) \
             | did you mean `batch_size`?"
        );
    }

    #[test]
    fn a_key_unlike_any_known_one_lists_those_that_are_known() {
        let text = format!("{HEAD}model:\n  dense: {{ zzz: 1 }}\n");
        assert_eq!(
            message(&text, &[]),
            "file.yaml, line 7: unknown key `zzz` (at `model.dense.zzz`) \
             | known keys here: units, activation"
        );
    }

    #[test]
    fn what_stands_where_one_of_several_types_is_expected_is_named() {
        let text =
            |margin: &str| HEAD.replace("study:\n", &format!("study:\n  margin: {margin}\n"));
        let expected = |line: u32, received: &str| {
            format!(
                "file.yaml, line {line}: expected a number in the unit of the score, or {{ relative: 0.02 }}; \
                 received {received} (at `study.margin`) | "
            )
        };
        assert_eq!(message(&text("2%"), &[]), expected(2, "`2%`"));
        assert_eq!(message(&text("{ relativ: 0.02 }"), &[]), expected(2, "a mapping"));
        assert_eq!(message(&text("[a]"), &[]), expected(2, "a list"));
    }

    #[test]
    fn a_wrong_type_is_named_with_what_was_received_and_what_is_expected() {
        let text = format!("{HEAD}train:\n  epochs: ten\n");
        assert_eq!(
            message(&text, &[]),
            "file.yaml, line 7: wrong type: received string \"ten\", expected a whole number, not negative \
             (at `train.epochs`) | "
        );
    }

    #[test]
    fn a_wrong_key_inside_a_choice_has_its_path_too() {
        let text = format!("{HEAD}train:\n  optimizer:\n    adam: {{ lrr: 1 }}\n");
        assert_eq!(
            message(&text, &[]),
            "file.yaml, line 8: unknown key `lrr` (at `train.optimizer.adam.lrr`) \
             | did you mean `lr`?"
        );
        let text = format!("{HEAD}train:\n  optimizer: {{ adem: {{}} }}\n");
        assert!(message(&text, &[]).contains("line 7: unknown value `adem`"), "{text}");
    }

    #[test]
    fn names_of_keras_are_led_to_those_that_are_used_here() {
        for (written, hint) in [
            ("train: { metrics: [AUC] }", "did you mean `auc`?"),
            ("train: { metrics: [binary_accuracy] }", "write `accuracy`"),
            ("train: { metrics: [F1Score] }", "write `f1` for two classes, `macro_f1` for several"),
            (
                "train: { loss: 'CategoricalCrossentropy(label_smoothing=0.05)' }",
                "{ label_smoothing: 0.1 }",
            ),
            ("train: { schedule: ReduceLROnPlateau }", "`plateau: { rule: keras,"),
            ("train: { callbacks: [] }", "are keys of `train` themselves"),
            (
                "train: { optimizer: { adam: { global_clipnorm: 1 } } }",
                "train: { clip: { norm: 1.0 } }",
            ),
            ("model: { gru: { units: 64 } }", "write `layers: [{ gru: { units: 64 } }]`"),
            ("model: { layers: [{ dense: { units: 1 } }] }", "the last layer is `model: { dense:"),
            (
                "model: { lstm: { return_sequences: true } }",
                "it is true for every layer but the last",
            ),
            ("model: { lstm: { kernel_regularizer: l2 } }", "`{ l1: ..., l2: ... }`"),
            (
                "model: { layers: [{ bidirectional: { lstm: { units: 8 }, merge_mode: sum } }] }",
                "both directions are concatenated, as with Keras's default",
            ),
        ] {
            let said = message(&format!("{HEAD}{written}\n"), &[]);
            assert!(said.contains(hint), "{written}: {said}");
        }
        let said = message(&HEAD.replace("study:", "study:\n  learning_rate: tuned"), &[]);
        assert!(said.contains("`tuned: {}`"), "{said}");
    }

    #[test]
    fn common_slips_are_led_to_the_right_place() {
        let text = format!("{HEAD}train: {{ batch_size: 32 }}\n");
        assert!(message(&text, &[]).contains("| it belongs in `study:"));
        let text = format!("{HEAD}train: {{ optimizer: adam }}\n");
        assert!(
            message(&text, &[]).contains("`adam: {}`, `tuned: {}` for the defaults"),
            "{}",
            message(&text, &[])
        );
        assert!(message("a,b\n1,2\n", &[]).contains("is not an experiment file"));
        let two = format!("{HEAD}train: {{ optimizer: {{ adam: {{}}, sgd: {{ lr: 1 }} }} }}\n");
        assert!(message(&two, &[]).contains("not exactly one was given"), "{}", message(&two, &[]));
    }

    #[test]
    fn a_value_in_place_of_a_mapping_is_told_how_that_is_written() {
        let of = |train: &str| message(&format!("{HEAD}train: {{ {train} }}\n"), &[]);
        let gamma = of("schedule: { exponential: 0.9 }");
        assert!(gamma.contains("received floating point `0.9`, expected a mapping"), "{gamma}");
        assert!(gamma.contains("| write `{ gamma: ... }`; its keys are gamma, per"), "{gamma}");
        let patience = of("early_stopping: 3");
        assert!(
            patience.contains("| write `{ monitor: ... }`; its keys are monitor, "),
            "{patience}"
        );
        let one = message("study: { grid: { batch_size: 32 } }\ndata: {}\n", &[]);
        assert!(one.contains("expected a list") && one.contains("| write `[..]`"), "{one}");
    }

    #[test]
    fn a_missing_key_is_placed_at_its_parent() {
        assert_eq!(
            message("study:\n  arms:\n    - name: a\ndata: {}\n", &[]),
            "file.yaml, line 3: the key `batch_size` is missing (at `study.arms[0]`) \
             | add `batch_size: ...` here"
        );
    }

    #[test]
    fn an_override_replaces_a_value_and_is_named_when_it_is_wrong() {
        assert!(message(HEAD, &["train.epochs=3"]).contains("epochs: Some(3)"));
        assert!(message(HEAD, &["study.arms.0.batch_size=64"]).contains("batch_size: 64"));
        assert_eq!(
            message(HEAD, &["train.epochs=many"]),
            "from `--set`: wrong type: received string \"many\", expected a whole number, not negative \
             (at `train.epochs`) | "
        );
        assert!(message(HEAD, &["study.arms.5.name=x"]).contains("no such place"));
        assert!(Override::parse("train.epochs").is_err());
    }

    #[test]
    fn values_that_are_compared_with_columns_stay_as_they_were_written() {
        let table = |text: &str, sets: &[&str]| {
            let overrides = sets.iter().map(|set| Override::parse(set).unwrap()).collect();
            let source = Source { name: "file.yaml".into(), text: text.into(), overrides };
            let table = load(&source).unwrap().data.table.unwrap();
            let values: Vec<String> = table.filter.into_values().collect();
            (table.positive.unwrap_or_default(), values.join(" "))
        };
        let text = "study: {}\ndata:\n  table:\n    positive: +1\n    \
                    where: { a: 2.50, b: True, c: 2e3, d: \"007\", e: x }\n";
        let expected = |positive: &str, values: &str| (positive.to_owned(), values.to_owned());
        assert_eq!(table(text, &[]), expected("+1", "2.50 True 2e3 007 x"));
        let sets =
            ["data.table.positive=1.0", "data.table.where.a=1_0.10", "data.table.where.b=-0"];
        assert_eq!(table(text, &sets), expected("1.0", "1_0.10 -0 2e3 007 x"));
        let whole = ["data.table={ positive: 0x1, where: { z: 1e0 } }"];
        assert_eq!(table(text, &whole), expected("0x1", "1e0"));
        assert_eq!(table(text, &["data.table.where={ v: 3.0 }"]).1, "3.0");
    }

    #[test]
    fn a_byte_order_mark_before_the_file_is_no_part_of_it() {
        assert!(message(&format!("\u{feff}{HEAD}"), &[]).starts_with("accepted"));
        let text = format!("\u{feff}{HEAD}train: {{ epochz: 3 }}\n");
        assert!(message(&text, &[]).starts_with("file.yaml, line 6: unknown key `epochz`"));
    }

    #[test]
    fn text_that_is_not_yaml_is_refused_with_the_line() {
        assert!(message("study:\n  arms: [\n", &[]).contains("this is not YAML"));
        assert!(message("a: 1\na: 2\n", &[]).contains("duplicate"));
    }
}
