//! What users of Keras write, and what to write here: the hints of errors about unknown keys and values.
//!
//! Where Keras's word has arguments, the hint shows where they go: nothing that was asked for is dropped.

const NO_SUCH_SETTING: &str = "there is no equivalent: leave it out, which is Keras's default";
const NO_EFFECT: &str = "leave it out: it changes no result";
const INITIAL: &str = "weights begin as Keras's defaults do, or as torch's with `model: { init: torch }`: there are no others";

/// Hints for keys of Keras, by the key without capitals and underscores.
const KEYS: [(&str, &str); 72] = [
    ("activation", "it belongs in `model: { dense: { activation: sigmoid } }`"),
    (
        "activityregularizer",
        "there is no equivalent; penalties on weights are `kernel_regularizer` and its like",
    ),
    ("alpha", "torch's `alpha` is called `rho`, as in Keras"),
    ("amsgrad", NO_SUCH_SETTING),
    (
        "batchsize",
        "it belongs in `study: { grid: { batch_size: [32] } }`, or in `arms: [{ batch_size: 32 }]`",
    ),
    ("biasconstraint", NO_SUCH_SETTING),
    ("biasinitializer", INITIAL),
    ("callbacks", "`early_stopping`, `schedule` and `clip` are keys of `train` themselves"),
    ("centered", "there is no equivalent: leave it out, which is the default"),
    (
        "clipnorm",
        "Keras clips each variable by it; `train: { clip: { norm: 1.0 } }` clips all together, as its `global_clipnorm`",
    ),
    ("clipvalue", "it belongs in `train: { clip: { value: 0.5 } }`"),
    ("decay", "write `train: { schedule: { exponential: { gamma: 0.9 } } }`"),
    ("dropout", "set it in the layer that follows: `lstm: { units: 64, dropout: 0.2 }`"),
    ("earlystopping", "here it is called `early_stopping`, in `train`"),
    ("emamomentum", NO_SUCH_SETTING),
    ("embeddingsinitializer", INITIAL),
    ("epochs", "it belongs in `train: { epochs: 10 }`"),
    ("globalclipnorm", "it belongs in `train: { clip: { norm: 1.0 } }`"),
    (
        "gobackwards",
        "there is no equivalent for one direction; `layers: [{ bidirectional: { lstm: { units: 64 } } }]` reads both",
    ),
    ("gru", "write `layers: [{ gru: { units: 64 } }]`"),
    ("implementation", NO_EFFECT),
    ("initialepoch", "leave it out: the same `batchscope run` goes on with what was interrupted"),
    ("input", "leave it out: it is read from the data"),
    (
        "inputdim",
        "leave it out: it follows from `data: { text: { max_tokens: 10000 } }`, or from the tokens",
    ),
    (
        "inputlength",
        "leave it out: it follows from `data: { text: { length: 200 } }`, or from the arrays",
    ),
    ("inputshape", "leave it out: it is read from the data"),
    ("jitcompile", NO_EFFECT),
    ("kernelconstraint", NO_SUCH_SETTING),
    ("kernelinitializer", INITIAL),
    (
        "learningrate",
        "it is `lr` in `train: { optimizer: { adam: { lr: 1.0e-3 } } }`, or in an arm",
    ),
    ("learningratescheduler", "here it is called `schedule`, in `train`"),
    ("lr", "it belongs in `train: { optimizer: { adam: { lr: 1.0e-3 } } }`, or in an arm"),
    ("mergemode", "leave it out: both directions are concatenated, as with Keras's default"),
    ("mindelta", "a plateau schedule calls it `threshold`"),
    ("mode", "leave it out: whether more is better follows from the metric"),
    (
        "modelcheckpoint",
        "write `early_stopping: { patience: 1000, restore_best_weights: true }`, in `train`",
    ),
    ("monitor", "it belongs in `train: { early_stopping: { monitor: val_loss, patience: 3 } }`"),
    ("outputdim", "here it is called `dim`"),
    ("outputsequencelength", "here it is called `length`"),
    ("patience", "it belongs in `train: { early_stopping: { patience: 3 } }`"),
    ("per", "it belongs inside the schedule: `exponential: { gamma: 0.9, per: step }`"),
    ("recurrentactivation", "it is always sigmoid, Keras's default: there are no others"),
    ("recurrentconstraint", NO_SUCH_SETTING),
    ("recurrentinitializer", INITIAL),
    (
        "reducelronplateau",
        "write `schedule: { plateau: { rule: keras, factor: 0.1, patience: 10 } }`, in `train`",
    ),
    ("resetafter", "leave it out: a GRU is always Keras's default, `reset_after=True`"),
    (
        "restorebestweights",
        "it belongs in `train: { early_stopping: { patience: 3, restore_best_weights: true } }`",
    ),
    ("returnsequences", "leave it out: it is true for every layer but the last"),
    ("returnstate", "leave it out: the head reads the last output alone"),
    ("sampleweight", "there is no equivalent; `class_weight` weighs classes"),
    ("samplingrate", "leave it out: every row of the window is read"),
    ("seed", "it belongs in `study: { seeds: 5 }`: each number from 0 on is a run of its own"),
    ("sequencelength", "here it is called `window`"),
    ("sequencestride", "here it is called `stride`"),
    (
        "spatialdropout1d",
        "set `dropout` in the layer that follows: `lstm: { units: 64, dropout: 0.2 }`",
    ),
    ("stateful", "leave it out: the state is zero at the start of each row"),
    ("stepsperepoch", "leave it out: an epoch is one pass over the training split"),
    ("unitforgetbias", INITIAL),
    ("units", "it belongs in `model: { lstm: { units: 64 } }`"),
    ("unroll", NO_EFFECT),
    ("usebias", "leave it out: every layer has biases, as Keras's defaults do"),
    ("useema", NO_SUCH_SETTING),
    ("validationbatchsize", NO_EFFECT),
    (
        "validationdata",
        "it is `x_val` and `y_val` in `data.arrays`, or a share: `data: { split: { by: order, validation: 0.2, test: 0 } }`",
    ),
    ("validationfreq", "leave it out: validation is measured after every epoch"),
    (
        "validationsplit",
        "Keras's is `data: { split: { by: order, validation: 0.2, test: 0 } }`; of a `series` without `by`",
    ),
    ("validationsteps", "leave it out: all of the validation split is measured"),
    ("verbose", "leave it out: `--quiet` prints the end alone"),
    ("vocabsize", "it belongs in `data: { text: { max_tokens: 10000 } }`"),
    ("weightdecay", "it belongs in `train: { optimizer: { adamw: { weight_decay: 0.01 } } }`"),
    ("x", "here it is called `x_train`"),
    ("y", "here it is called `y_train`"),
];

const NO_OPTIMIZER: &str = "there is no equivalent; the nearest is `adam: { lr: 1.0e-3 }`, and others are `adamw`, \
                            `rmsprop`, and `sgd`, with `momentum` or without";
const NO_LOSS: &str = "there is no equivalent; losses of numbers are `mse`, `mae` and `huber`";
const NO_RELATIVE: &str = "there is no equivalent; the nearest is `mae`, and of the logarithms of the targets it is \
                           about relative errors too";
const NO_LOGARITHM: &str =
    "there is no equivalent; `mse` of targets that are saved as `log1p(y)` is the same";
const NO_PR_CURVE: &str = "there is no area under the curve of precision and recall; the nearest are `auc`, of the \
                           ROC curve, and `f1`";
const TOP_K: &str =
    "write `top_3_accuracy` or `top_5_accuracy`, Keras's default; there are no others";

/// Hints for values of Keras, by the value without capitals and underscores.
const VALUES: [(&str, &str); 44] = [
    ("adadelta", NO_OPTIMIZER),
    ("adafactor", NO_OPTIMIZER),
    ("adagrad", NO_OPTIMIZER),
    ("adamax", NO_OPTIMIZER),
    ("amsgrad", NO_OPTIMIZER),
    ("cosinesimilarity", NO_LOSS),
    ("ftrl", NO_OPTIMIZER),
    ("hinge", "there is no equivalent; the nearest is `binary_crossentropy`"),
    ("kldivergence", "there is no equivalent; the nearest is `categorical_crossentropy`"),
    ("lion", NO_OPTIMIZER),
    ("logcosh", "there is no equivalent; the nearest is `huber`"),
    ("mape", NO_RELATIVE),
    ("meanabsolutepercentageerror", NO_RELATIVE),
    ("meansquaredlogarithmicerror", NO_LOGARITHM),
    ("msle", NO_LOGARITHM),
    ("nadam", NO_OPTIMIZER),
    ("poisson", "there is no equivalent; the nearest is `mse` of the logarithms of the targets"),
    ("squaredhinge", "there is no equivalent; the nearest is `binary_crossentropy`"),
    ("topkaccuracy", TOP_K),
    ("auprc", NO_PR_CURVE),
    ("averageprecision", NO_PR_CURVE),
    ("binaryaccuracy", "write `accuracy`"),
    ("binarycrossentropy", "write `binary_crossentropy`; as a metric `log_loss`"),
    ("brierscore", "write `brier`"),
    ("categoricalaccuracy", "write `accuracy`"),
    (
        "categoricalcrossentropy",
        "write `categorical_crossentropy`; with smoothing `categorical_crossentropy: { label_smoothing: 0.1 }`; as a metric `log_loss`",
    ),
    ("dense", "the last layer is `model: { dense: ... }`"),
    ("dropout", "set `dropout` in the layer that follows: `lstm: { units: 64, dropout: 0.2 }`"),
    ("exponentialdecay", "write `exponential: { gamma: 0.9 }`"),
    ("f1score", "write `f1` for two classes, `macro_f1` for several"),
    ("f1macro", "write `macro_f1`"),
    ("learningratescheduler", "write `exponential: { gamma: 0.9 }` for `lr * 0.9**epoch`"),
    ("meanabsoluteerror", "write `mae`"),
    ("meansquarederror", "write `mse`"),
    ("prauc", NO_PR_CURVE),
    ("r2score", "write `r2`"),
    ("reducelronplateau", "write `plateau: { rule: keras, factor: 0.1, patience: 10 }`"),
    ("rocauc", "write `auc`"),
    ("rootmeansquarederror", "write `rmse`"),
    ("sparsecategoricalaccuracy", "write `accuracy`"),
    ("sparsecategoricalcrossentropy", "write `categorical_crossentropy`; as a metric `log_loss`"),
    ("sparsetopkcategoricalaccuracy", TOP_K),
    (
        "spatialdropout1d",
        "set `dropout` in the layer that follows: `lstm: { units: 64, dropout: 0.2 }`",
    ),
    ("topkcategoricalaccuracy", TOP_K),
];

/// A name without arguments, underscores and capitals: `f1score` for `F1Score(average="macro")`.
fn plain(word: &str) -> String {
    let name = word.split('(').next().unwrap_or(word);
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

fn find<'h>(table: &[(&str, &'h str)], word: &str) -> Option<&'h str> {
    let word = plain(word);
    table.iter().find(|(name, _)| *name == word).map(|(_, hint)| *hint)
}

/// The hint for an unknown key, if it is one of Keras's; `known` are the keys that are allowed there.
pub(super) fn key_hint(key: &str, known: &[&str]) -> Option<String> {
    let hint = match key {
        "lr" | "learning_rate" if known.contains(&"rates") => "here it is called `rates`",
        // Only a plateau schedule has another name for it.
        "min_delta" if !known.contains(&"threshold") => return None,
        // Of a recurrent layer.
        "activation" if known.contains(&"recurrent_dropout") => {
            "it is always tanh, Keras's default: there are no others"
        }
        "name" if known.contains(&"recurrent_dropout") => "leave it out: layers have no names",
        // Only where examples come from.
        "x" | "y" if !known.contains(&"x_train") => return None,
        _ => find(&KEYS, key)?,
    };
    Some(hint.to_owned())
}

/// The hint for an unknown value, if it is one of Keras's; `known` are the values that are allowed there.
pub(super) fn value_hint(value: &str, known: &[&str]) -> Option<String> {
    if let Some(score) = value.strip_prefix("val_").filter(|score| known.contains(score)) {
        return Some(format!("write `{score}`: it is always of the validation split"));
    }
    let arguments = value.split_once('(').map_or("", |(_, arguments)| arguments);
    if plain(value) == "auc" && arguments.to_lowercase().contains("pr") {
        return Some(NO_PR_CURVE.to_owned());
    }
    // `top_7_accuracy`, of whatever number.
    let k = value.strip_prefix("top_").and_then(|rest| rest.strip_suffix("_accuracy"));
    if k.is_some_and(|k| !k.is_empty() && k.bytes().all(|b| b.is_ascii_digit())) {
        return Some(TOP_K.to_owned());
    }
    find(&VALUES, value).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_known_however_they_are_written() {
        for word in ["F1Score", "f1_score", "F1Score(average=\"macro\")"] {
            assert!(
                value_hint(word, &[]).is_some_and(|hint| hint.contains("`macro_f1` for several"))
            );
        }
        assert_eq!(
            value_hint("val_mae", &["mae"]).unwrap(),
            "write `mae`: it is always of the validation split"
        );
        assert_eq!(value_hint("val_mae", &["min", "max"]), None);
        assert!(key_hint("GlobalClipnorm", &[]).is_some_and(|hint| hint.contains("clip: { norm")));
        assert_eq!(key_hint("lr", &["rates", "seeds"]).unwrap(), "here it is called `rates`");
        let of_layer = key_hint("activation", &["units", "recurrent_dropout"]).unwrap();
        assert_eq!(of_layer, "it is always tanh, Keras's default: there are no others");
        assert!(key_hint("activation", &["lstm", "dense"]).unwrap().contains("dense: {"));
        assert!(key_hint("kernel_initializer", &["kernel_regularizer"]).unwrap().contains("begin"));
        assert_eq!([key_hint("min_delta", &["lr"]), key_hint("x", &["lr"])], [None, None]);
    }

    #[test]
    fn what_has_no_equivalent_is_said_to_have_none() {
        for word in ["nadam", "Adamax", "Adagrad(0.01)", "msle", "mape", "log_cosh"] {
            let hint = value_hint(word, &[]).unwrap();
            assert!(hint.starts_with("there is no equivalent; "), "{word}: {hint}");
        }
        assert!(value_hint("AUC(curve='PR')", &[]).unwrap().starts_with("there is no area"));
        assert_eq!(value_hint("AUC", &[]), None, "it is known here");
        assert!(key_hint("amsgrad", &["lr"]).unwrap().starts_with("there is no equivalent"));
        for word in ["top_10_accuracy", "SparseTopKCategoricalAccuracy(k=5)"] {
            assert!(value_hint(word, &[]).unwrap().contains("`top_5_accuracy`, Keras's default"));
        }
    }

    #[test]
    fn names_in_the_tables_are_plain_and_stand_there_once() {
        for table in [&KEYS[..], &VALUES[..]] {
            assert!(table.iter().all(|(name, _)| plain(name) == *name));
            let names: BTreeSet<&str> = table.iter().map(|(name, _)| *name).collect();
            assert_eq!(names.len(), table.len());
        }
    }
}
