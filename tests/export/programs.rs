//! Exported models in the programs that they are for, beside `batchscope predict`: in torch always, in
//! Keras and ONNX Runtime by `scripts/compare_exports`, which installs them first.
//!
//! One study for each kind of data and head; each of its arms is a model.

use super::{TEXTS, json, write_texts};
use crate::util::{Scene, python};
use npyz::WriterBuilder;
use npyz::npz::NpzWriter;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The checkout's torch, or what `scripts/compare_exports` installed.
fn interpreter(format: &str) -> Command {
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv-exports/bin/python");
    match format {
        "torch" => python(),
        _ if other.exists() => Command::new(other),
        _ => panic!("Keras and ONNX Runtime are not installed: run `scripts/compare_exports`"),
    }
}

/// A finished study, with inputs to compare the predictions of its runs on.
struct Finished {
    scene: Scene,
    /// What its models read and answer.
    about: &'static str,
    /// The models, each an arm.
    arms: &'static [(&'static str, &'static str)],
    /// The inputs for `batchscope predict`.
    input: &'static str,
    /// The same inputs for `fixtures/run_export.py`.
    given: Value,
    /// Where predictions have what the model answers.
    answers: &'static [&'static str],
}

const LSTM: (&str, &str) = ("lstm", "lstm: { units: 5 }");
const GRU: (&str, &str) = ("gru", "layers: [{ gru: { units: 5 } }]");
const STACKED: (&str, &str) =
    ("stacked", "layers: [{ lstm: { units: 6 } }, { gru: { units: 4 } }, { lstm: { units: 5 } }]");
const DEEP: (&str, &str) = ("deep", "layers: [{ gru: { units: 4 } }, { gru: { units: 4 } }]");
const BOTH_WAYS: (&str, &str) =
    ("both-ways", "layers: [{ bidirectional: { lstm: { units: 4 } } }]");
const BOTH_WAYS_GRU: (&str, &str) =
    ("both-ways-gru", "layers: [{ bidirectional: { gru: { units: 4 } } }]");
const BOTH_WAYS_DEEP: (&str, &str) = (
    "both-ways-deep",
    "layers: [{ bidirectional: { lstm: { units: 4 } } }, { bidirectional: { lstm: { units: 4 } } }]",
);
const BOTH_WAYS_UNDER: (&str, &str) = (
    "both-ways-under",
    "layers: [{ bidirectional: { gru: { units: 3 } } }, { lstm: { units: 4 } }]",
);

const ALL: &[(&str, &str)] =
    &[LSTM, GRU, STACKED, DEEP, BOTH_WAYS, BOTH_WAYS_GRU, BOTH_WAYS_DEEP, BOTH_WAYS_UNDER];

/// Trains one run of each arm, in the engine that serves them all.
fn train(scene: &Scene, arms: &[(&str, &str)], data: &str, dense: &str) {
    let arm = |(name, model): &(&str, &str)| {
        format!("    - {{ name: {name}, batch_size: 16, model: {{ {model} }} }}\n")
    };
    let arms: String = arms.iter().map(arm).collect();
    let study = format!(
        "study:\n  name: tiny\n  seeds: 1\n  arms:\n{arms}data: {data}\nmodel: {{ {dense} }}\n\
         train: {{ epochs: 6, device: cpu, optimizer: {{ adam: {{ lr: 0.02 }} }} }}\n"
    );
    scene.write("tiny.yaml", &study);
    scene.run(&["run", "tiny.yaml"]).expect(0);
}

/// Texts with two labels, three subjects and a number; rows differ in length, with empty ones among the
/// new ones. With `mask_zero` their padding is skipped, else read as a word.
fn texts(
    about: &'static str,
    arms: &'static [(&'static str, &'static str)],
    (label, mask, scale): (&str, bool, &str),
    (dense, answers): (&str, &'static [&'static str]),
) -> Finished {
    let scene = Scene::new();
    let table = scene.read("reviews.csv");
    let mut rows = String::from("text,label,subject,price\n");
    for (at, row) in table.lines().skip(1).enumerate() {
        let subject = ["art", "law", "sport"][at % 3];
        rows += &format!("{row},{subject},{}\n", (at * 37 % 90) as f32 * 4.0 - 100.0);
    }
    scene.write("reviews.csv", &rows);
    write_texts(&scene);
    let data = format!(
        "{{ table: {{ path: reviews.csv, label: {label} }}, text: {{ max_tokens: 100, length: 12 }}{scale} }}"
    );
    let model = format!("embedding: {{ dim: 6, mask_zero: {mask} }}, dense: {dense}");
    train(&scene, arms, &data, &model);
    let given = json!({ "texts": TEXTS, "length": 12, "mask": mask });
    Finished { scene, about, arms, input: "new.csv", given, answers }
}

const STEPS: usize = 5;
const FEATURES: usize = 3;

/// Numbers whose size differs from feature to feature.
fn values(rows: usize) -> Vec<f32> {
    let value = |at: usize| {
        let unit = [1.0, 10.0, 0.1][at % FEATURES];
        unit * ((at * 37 % 101) as f32 / 101.0 + (at / (STEPS * FEATURES) % 3) as f32)
    };
    (0..rows * STEPS * FEATURES).map(value).collect()
}

/// Rows `[N][T][F]` as JSON has them.
fn nested(values: &[f32]) -> Vec<Vec<Vec<f32>>> {
    let row = |row: &[f32]| row.chunks(FEATURES).map(<[f32]>::to_vec).collect();
    values.chunks(STEPS * FEATURES).map(row).collect()
}

fn write_arrays(scene: &Scene, file: &str, arrays: &[(&str, &[u64], Vec<f32>)]) {
    let mut npz = NpzWriter::new(fs::File::create(scene.path(file)).unwrap());
    for (name, shape, values) in arrays {
        let array = npz.array(name, Default::default()).unwrap().default_dtype().shape(shape);
        let mut array = array.begin_nd().unwrap();
        array.extend(values.iter().copied()).unwrap();
        array.finish().unwrap();
    }
}

/// Sequences of numbers with a label each.
fn arrays(
    about: &'static str,
    arms: &'static [(&'static str, &'static str)],
    (label, scale): (fn(usize) -> f32, &str),
    (dense, answers): (&str, &'static [&'static str]),
) -> Finished {
    let scene = Scene::new();
    let (rows, new, steps) = (90, 9, [STEPS as u64, FEATURES as u64]);
    let shape = |rows: usize| [rows as u64, steps[0], steps[1]];
    let y = (0..rows).map(label).collect();
    let train_arrays =
        [("X_train", &shape(rows)[..], values(rows)), ("y_train", &[rows as u64], y)];
    write_arrays(&scene, "arrays.npz", &train_arrays);
    write_arrays(&scene, "new.npz", &[("X", &shape(new), values(new))]);
    let data = format!("{{ arrays: {{ path: arrays.npz }}{scale} }}");
    train(&scene, arms, &data, &format!("dense: {dense}"));
    let given = json!({ "features": nested(&values(new)) });
    Finished { scene, about, arms, input: "new.npz", given, answers }
}

/// A series of two columns, scaled, whose next value is predicted.
fn series() -> Finished {
    let scene = Scene::new();
    let row = |at: usize| [(at * at % 29) as f32 * 3.0 + 200.0, (at % 7) as f32 / 70.0, at as f32];
    let table = |rows: std::ops::Range<usize>| {
        rows.fold("a,b,c\n".to_owned(), |text, at| {
            let [a, b, c] = row(at);
            text + &format!("{a},{b},{c}\n")
        })
    };
    scene.write("series.csv", &table(0..120));
    scene.write("new.csv", &table(40..40 + STEPS + 8));
    let data =
        "{ series: { path: series.csv, inputs: [a, b, c], target: a, window: 5 }, scale: minmax }";
    let arms = &[LSTM, BOTH_WAYS_UNDER];
    train(&scene, arms, data, "dense: { units: 1, activation: linear }");
    let windows = (40..40 + 9).flat_map(|first| (first..first + STEPS).flat_map(row));
    let given = json!({ "features": nested(&windows.collect::<Vec<f32>>()) });
    let about = "series, minmax, linear";
    Finished { scene, about, arms, input: "new.csv", given, answers: NUMBER }
}

const SIGMOID: (&str, &[&str]) = ("{ units: 1, activation: sigmoid }", &["probability"]);
const SOFTMAX: (&str, &[&str]) = ("{ activation: softmax }", &["p_art", "p_law", "p_sport"]);
const SOFTMAX_OF_NUMBERS: (&str, &[&str]) = ("{ activation: softmax }", &["p_0", "p_1", "p_2"]);
const NUMBER: &[&str] = &["prediction"];
const LINEAR: (&str, &[&str]) = ("{ units: 1, activation: linear }", NUMBER);

/// Every combination, in as few studies as have them all.
fn finished() -> Vec<Finished> {
    let two = |row: usize| (row % 2) as f32;
    let three = |row: usize| (row % 3) as f32;
    let number = |row: usize| (row % 3) as f32 * 500.0 - 3000.0;
    vec![
        texts("masked texts, sigmoid, fused", &[LSTM], ("label", true, ""), SIGMOID),
        texts("masked texts, sigmoid", ALL, ("label", true, ""), SIGMOID),
        texts("masked texts, softmax", &[LSTM, BOTH_WAYS], ("subject", true, ""), SOFTMAX),
        texts("masked texts, linear", &[LSTM, GRU], ("price", true, ", scale: standard"), LINEAR),
        texts("padded texts, sigmoid", &[LSTM], ("label", false, ""), SIGMOID),
        texts("padded texts, softmax", &[GRU, BOTH_WAYS_DEEP], ("subject", false, ""), SOFTMAX),
        arrays("arrays, sigmoid", &[("wide", "lstm: { units: 64 }")], (two, ""), SIGMOID),
        arrays("arrays, softmax", &[LSTM, BOTH_WAYS_GRU], (three, ""), SOFTMAX_OF_NUMBERS),
        arrays(
            "arrays, standard, linear",
            &[GRU, STACKED, BOTH_WAYS_DEEP],
            (number, ", scale: standard"),
            LINEAR,
        ),
        arrays("arrays, minmax, softmax", &[LSTM], (three, ", scale: minmax"), SOFTMAX_OF_NUMBERS),
        series(),
    ]
}

impl Finished {
    fn run(&self, arm: &str) -> String {
        format!("runs/tiny/{arm}/seed-0")
    }

    /// What `fixtures/run_export.py` is told of a run: its inputs, layers and head.
    fn told(&self, arm: &str) -> Value {
        let record = json(&self.scene.read(&format!("{}/record.json", self.run(arm))));
        let definition = &record["definition"];
        let model = &definition["model"];
        let alone = json!([{ "cell": "lstm", "units": model["units"] }]);
        let mut told = self.given.clone();
        told["layers"] = model.get("layers").cloned().unwrap_or(alone);
        told["head"] = definition["arm"]["model"]["dense"]["activation"].clone();
        told
    }

    /// What `batchscope predict` answers.
    fn predictions(&self, arm: &str) -> Vec<Vec<f64>> {
        let run = self.run(arm);
        let arguments = ["predict", &run, "--input", self.input, "--format", "jsonl"];
        let said = self.scene.run(&arguments).expect(0).stdout;
        let row = |line: &str| {
            let row = json(line);
            self.answers.iter().map(|name| row[*name].as_f64().unwrap()).collect()
        };
        said.lines().map(row).collect()
    }

    /// How far 1 of a scaled target is from 0: 1 where nothing is scaled.
    fn unit(&self, exported: &str) -> f64 {
        let scaling = fs::read_to_string(self.scene.path(&format!("{exported}/scaling.json")));
        scaling.map_or(1.0, |text| json(&text)["target"]["factor"].as_f64().unwrap_or(1.0))
    }
}

/// Exports each run and compares what the other program predicts with `batchscope predict`.
#[expect(clippy::print_stdout, reason = "`scripts/compare_exports` shows how close they are")]
fn all_models_agree_in(format: &str) {
    let finished = finished();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/run_export.py");
    let mut other = interpreter(format);
    other.arg(script).arg(format);
    for study in &finished {
        for (arm, _) in study.arms {
            let (run, folder) = (study.run(arm), format!("exported-{arm}"));
            let export = ["export", &run, "--format", format, "--output", &folder];
            let said = study.scene.run(&export).expect(0).stdout;
            assert!(said.starts_with(&format!("{folder}/model.")), "{said}");
            study.scene.write(&format!("given-{arm}.json"), &study.told(arm).to_string());
            other.arg(study.scene.path(&folder));
            other.arg(study.scene.path(&format!("given-{arm}.json")));
        }
    }
    let output = other.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{format} cannot run the exports:\n{said}");
    let said = String::from_utf8(output.stdout).unwrap();
    let mut lines = said.lines();
    println!("{}", lines.next().unwrap());
    for study in &finished {
        for (arm, _) in study.arms {
            let about = format!("{format}: {}, {arm}", study.about);
            let found: Vec<Vec<f64>> = serde_json::from_str(lines.next().unwrap()).unwrap();
            let unit = study.unit(&format!("exported-{arm}"));
            let largest = largest_difference(&about, &study.predictions(arm), &found) / unit;
            println!("{about}: {} rows, largest difference {largest:.1e}", found.len());
            assert!(largest <= 1e-5, "{about}: {found:?}");
        }
    }
    assert_eq!(lines.next(), None);
}

/// Between the answers of two programs, of which the first ones are not all alike.
fn largest_difference(about: &str, ours: &[Vec<f64>], found: &[Vec<f64>]) -> f64 {
    assert_eq!(ours.len(), found.len(), "{about}");
    let first = ours.iter().map(|row| row[0]);
    let (least, most) = first.fold((f64::MAX, f64::MIN), |(a, b), p| (a.min(p), b.max(p)));
    assert!(most - least > 0.01, "{about}: all predictions are alike: {ours:?}");
    let mut largest = 0f64;
    for (ours, found) in ours.iter().zip(found) {
        assert_eq!(ours.len(), found.len(), "{about}");
        let errors = ours.iter().zip(found).map(|(ours, found)| (ours - found).abs());
        largest = errors.fold(largest, f64::max);
    }
    largest
}

#[test]
fn torch_predicts_the_same_from_exported_weights() {
    all_models_agree_in("torch");
}

#[test]
#[ignore = "needs Keras 3: run scripts/compare_exports"]
fn keras_predicts_the_same_from_an_exported_model() {
    all_models_agree_in("keras");
}

#[test]
#[ignore = "needs ONNX Runtime: run scripts/compare_exports"]
fn onnx_runtime_predicts_the_same_from_an_exported_model() {
    all_models_agree_in("onnx");
}
