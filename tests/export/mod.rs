//! What `evaluate`, `predict` and `export` make of finished runs.

// Exports in torch, Keras and ONNX Runtime beside predictions.
mod programs;

use crate::util::{Ended, STUDY, Scene};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

const RUN: &str = "runs/tiny/large/seed-0";

/// A scene with one finished run, [`RUN`], of a study with these changes.
fn trained(changes: &[(&str, &str)]) -> Scene {
    trained_in(Scene::new(), changes)
}

fn trained_in(scene: Scene, changes: &[(&str, &str)]) -> Scene {
    let study = STUDY.replace("seeds: 2", "seeds: 1");
    let study = study.replace("    - { name: small, batch_size: 8 }\n", "");
    let study = changes.iter().fold(study, |study, (from, to)| {
        assert!(study.contains(from), "{from}");
        study.replace(from, to)
    });
    scene.write("tiny.yaml", &study);
    scene.run(&["run", "tiny.yaml"]).expect(0);
    scene
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Short, long, empty and unknown texts, and one with other letters and spaces than ASCII's.
const TEXTS: [&str; 8] = [
    "a splendid film",
    "",
    "dreadful plot!",
    "?!",
    "zebra xylophone",
    "the long story was the music and the actor was splendid and it was the long film it was 7",
    "Splendid; it was 12",
    "naïve\u{a0}film, ÉTÉ",
];

fn write_texts(scene: &Scene) {
    let rows: Vec<String> = TEXTS.iter().map(|text| format!("7,\"{text}\"\n")).collect();
    scene.write("new.csv", &format!("stars,text\n{}", rows.concat()));
}

#[test]
fn evaluate_gives_the_numbers_of_the_records_with_and_without_the_cache() {
    let scene = trained(&[]);
    let record = json(&scene.read(&format!("{RUN}/record.json")));
    let epochs = scene.read(&format!("{RUN}/metrics.jsonl"));
    let last = json(epochs.lines().last().unwrap());
    for _ in 0..2 {
        let test = json(&scene.run(&["evaluate", RUN, "--json"]).expect(0).stdout);
        assert_eq!(test["metrics"], record["result"]["test"]);
        assert_eq!((&test["split"], &test["examples"]), (&json!("test"), &json!(24)));
        let arguments = ["evaluate", RUN, "--split", "validation", "--json"];
        let validation = json(&scene.run(&arguments).expect(0).stdout);
        assert_eq!(validation["metrics"], last["validation"]);
        fs::remove_dir_all(scene.path("runs/.cache")).unwrap();
    }
    let train = scene.run(&["evaluate", RUN, "--split", "train"]).expect(0).stdout;
    assert!(
        train.contains("accuracy") && train.contains("train") && train.contains("72"),
        "{train}"
    );
}

#[test]
fn a_source_that_has_changed_is_no_substitute_for_the_cache() {
    let scene = trained(&[]);
    fs::remove_dir_all(scene.path("runs/.cache")).unwrap();
    let table = scene.read("reviews.csv").replace("splendid", "superb");
    scene.write("reviews.csv", &table);
    let ended = scene.run(&["evaluate", RUN]).expect(2);
    assert!(ended.stderr.contains("the run was trained on the data"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: the source or its settings have changed"));
}

#[test]
fn what_is_not_a_finished_run_is_refused_with_advice() {
    let scene = trained(&[]);
    let refused = |arguments: &[&str], message: &str, hint: &str| {
        let said = scene.run(arguments).expect(2).stderr;
        assert!(said.contains(message) && said.contains(hint), "{arguments:?}: {said}");
    };
    // A study stands for the best run of the arm that it recommends; an arm stands for none.
    scene.run(&["evaluate", "runs/tiny"]).expect(0);
    refused(
        &["evaluate", "runs/tiny/large"],
        "runs/tiny/large is not the folder of a run",
        "such as runs/",
    );
    refused(&["export", "none", "--format", "onnx"], "none is not", "runs/quickstart/batch-32");
    refused(
        &["predict", RUN, "--input", "none.csv"],
        "cannot read the data file none.csv",
        "hint: ",
    );
    scene.write("wrong.csv", "review\nfine\n");
    refused(&["predict", RUN, "--input", "wrong.csv"], "no column `text`", "`review`");

    let record = scene.read(&format!("{RUN}/record.json"));
    for (status, message) in [
        (json!("running"), "is not finished: 3 epochs"),
        (json!({ "diverged": { "step": 4 } }), "diverged at step 4 and has no weights"),
        (json!({ "failed": { "message": "no disk" } }), "has no weights: no disk"),
    ] {
        let mut other = json(&record);
        other["status"] = status;
        // As an earlier version wrote it.
        other.as_object_mut().unwrap().remove("checksum").unwrap();
        scene.write(&format!("{RUN}/record.json"), &other.to_string());
        refused(&["evaluate", RUN], message, "hint: ");
    }
    scene.write(&format!("{RUN}/record.json"), &record);
    fs::rename(scene.path(RUN), scene.path("alone")).unwrap();
    refused(&["predict", "alone", "--input", "new.csv"], "study.yaml", "copy the whole folder");
}

#[test]
fn predictions_come_in_the_order_of_the_input_whatever_their_format() {
    let scene = Scene::new();
    let table =
        scene.read("reviews.csv").replace(",1\n", ",liked\n").replace(",0\n", ",disliked\n");
    scene.write("reviews.csv", &table);
    let scene = trained_in(scene, &[("epochs: 3", "epochs: 12")]);
    write_texts(&scene);
    let csv = scene.run(&["predict", RUN, "--input", "new.csv"]).expect(0).stdout;
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("index,row,probability,prediction"));
    let rows: Vec<(&str, Vec<&str>)> = lines
        .map(|line| line.split_once(',').unwrap())
        .map(|(index, rest)| (index, rest.split(',').collect()))
        .collect();
    assert!(rows.iter().enumerate().all(|(at, (index, _))| *index == at.to_string()), "{csv}");
    let rows: Vec<Vec<&str>> = rows.into_iter().map(|(_, rest)| rest).collect();
    assert_eq!(
        rows.iter().map(|row| row[0]).collect::<Vec<_>>(),
        ["2", "3", "4", "5", "6", "7", "8", "9"]
    );
    let probability = |row: usize| rows[row][1].parse::<f64>().unwrap();
    assert!(probability(0) > probability(2), "the model learned nothing: {csv}");
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row[2], if probability(at) > 0.5 { "liked" } else { "disliked" });
    }
    assert_eq!(rows[1][1], rows[3][1], "texts without words are alike");

    scene.run(&["predict", RUN, "--input", "new.csv", "--output", "out.jsonl"]).expect(0);
    let objects: Vec<Value> = scene.read("out.jsonl").lines().map(json).collect();
    assert_eq!(objects.len(), 8);
    for (object, row) in objects.iter().zip(&rows) {
        assert_eq!(object["row"].to_string(), row[0]);
        let probability = object["probability"].as_f64().unwrap();
        assert_eq!(probability.to_bits(), row[1].parse::<f64>().unwrap().to_bits());
        assert_eq!(object["prediction"], row[2]);
    }

    let mut command = scene.batchscope(&["predict", RUN, "--input", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(TEXTS.join("\n").as_bytes()).unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let by_line: Vec<&str> = said.lines().skip(1).collect();
    assert_eq!(by_line.len(), 8, "{said}");
    assert!(by_line[0].starts_with(&format!("0,1,{},", rows[0][1])), "{said}");
}

#[test]
fn predictions_on_the_test_split_have_the_accuracy_of_the_record() {
    let scene = trained(&[]);
    let splits = scene.read("runs/tiny/data/splits.csv");
    let test: Vec<&str> = splits.lines().filter_map(|line| line.strip_prefix("test,")).collect();
    let said = scene.run(&["predict", RUN, "--input", "reviews.csv"]).expect(0).stdout;
    let table = scene.read("reviews.csv");
    let label = |line: usize| table.lines().nth(line - 1).unwrap().rsplit(',').next().unwrap();
    let mut correct = 0;
    for prediction in said.lines().skip(1) {
        let fields: Vec<&str> = prediction.split(',').collect();
        let right = label(fields[1].parse().unwrap()) == fields[3];
        correct += usize::from(test.contains(&fields[1]) && right);
    }
    let record = json(&scene.read(&format!("{RUN}/record.json")));
    let accuracy = record["result"]["test"]["accuracy"].as_f64().unwrap();
    assert!((correct as f64 / test.len() as f64 - accuracy).abs() < 1e-12, "{correct} {accuracy}");
}

#[test]
fn probabilities_of_a_row_are_the_same_in_every_file() {
    let scene = trained(&[]);
    scene.run(&["predict", RUN, "--input", "reviews.csv", "--output", "p.csv"]).expect(0);
    let predicted = scene.read("p.csv");
    let of_row = |row: &str| {
        let mut lines = predicted.lines().map(|line| line.split(',').collect::<Vec<_>>());
        lines.find(|fields| fields[1] == row).unwrap()[2].to_owned()
    };
    let kept = scene.read(&format!("{RUN}/test_predictions.csv"));
    let (mut rows, mut squares) = (0, 0.0);
    for line in kept.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(of_row(fields[0]), fields[3], "{line}");
        let (label, probability): (f64, f64) =
            (fields[1].parse().unwrap(), fields[3].parse().unwrap());
        squares += (probability - label).powi(2);
        rows += 1;
    }
    assert_eq!(rows, 24);
    let record = json(&scene.read(&format!("{RUN}/record.json")));
    let brier = record["result"]["test"]["brier"].as_f64().unwrap();
    let mean = squares / f64::from(rows);
    assert_eq!(mean.to_bits(), brier.to_bits(), "metrics are made of the same probabilities");
}

#[test]
fn predictions_go_through_whatever_the_output_names() {
    let scene = trained(&[]);
    let predict = |output: &str| {
        scene.batchscope(&["predict", RUN, "--input", "reviews.csv", "--output", output])
    };
    let expected = scene.run(&["predict", RUN, "--input", "reviews.csv"]).expect(0).stdout;

    let full = Ended::from(predict("/dev/full").output().unwrap()).expect(2);
    let reason = "error: cannot write the predictions to /dev/full: No space left on device";
    assert!(full.stderr.contains(reason), "{}", full.stderr);

    // A link stays a link, and what it leads to is replaced.
    fs::create_dir(scene.path("far")).unwrap();
    scene.write("far/kept.csv", "old");
    std::os::unix::fs::symlink("far/kept.csv", scene.path("link.csv")).unwrap();
    Ended::from(predict("link.csv").output().unwrap()).expect(0);
    assert!(scene.path("link.csv").is_symlink());
    assert_eq!(scene.read("far/kept.csv"), expected);
    assert_eq!(fs::read_dir(scene.path("far")).unwrap().count(), 1);

    // Standard output has other names, and what stands in a file that is open stays there.
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert_eq!(
            Ended::from(predict(name).output().unwrap()).expect(0).stdout,
            expected,
            "{name}"
        );
        let mut log = fs::File::create(scene.path("log")).unwrap();
        log.write_all(b"before\n").unwrap();
        assert!(predict(name).stdout(log).status().unwrap().success());
        assert_eq!(scene.read("log"), format!("before\n{expected}"), "{name}");
    }

    assert!(Command::new("mkfifo").arg(scene.path("fifo")).status().unwrap().success());
    let program = predict("fifo").stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(scene.read("fifo"), expected);
    let said = Ended::from(program.wait_with_output().unwrap()).expect(0).stdout;
    assert_eq!(said, "fifo: 120 predictions\n");
}

#[test]
fn a_place_that_cannot_hold_the_answer_is_refused_with_advice() {
    let scene = trained(&[]);
    let predict = ["predict", RUN, "--input", "reviews.csv", "--output", "none/p.csv"];
    let said = scene.run(&predict).expect(2).stderr;
    assert!(said.contains("error: cannot write none/p.csv: none does not exist"), "{said}");
    assert!(said.contains("hint: make it first (`mkdir -p none`)"), "{said}");
    assert!(!scene.path("none").exists());
    let export = ["export", RUN, "--format", "torch", "--output", "reviews.csv"];
    let said = scene.run(&export).expect(2).stderr;
    assert!(said.contains("error: `--output reviews.csv` is a file"), "{said}");
    assert!(said.contains("hint: name a folder"), "{said}");
}

#[test]
fn a_class_that_a_spreadsheet_would_run_is_a_text_in_csv_and_itself_in_json() {
    let scene = Scene::new();
    let table = scene.read("reviews.csv").replace(",1\n", ",=A1\n").replace(",0\n", ",\u{1b}[1m\n");
    scene.write("reviews.csv", &table);
    let scene = trained_in(scene, &[]);
    let of = |format: &str| {
        let arguments = ["predict", RUN, "--input", "reviews.csv", "--format", format];
        scene.run(&arguments).expect(0).stdout
    };
    let csv = of("csv");
    let classes = csv.lines().skip(1).map(|line| line.rsplit(',').next().unwrap());
    assert!(classes.clone().all(|class| ["'=A1", "\u{1b}[1m"].contains(&class)), "{csv}");
    let jsonl = of("jsonl");
    let objects: Vec<Value> = jsonl.lines().map(json).collect();
    for (object, class) in objects.iter().zip(classes) {
        assert_eq!(object["prediction"], class.trim_start_matches('\''));
    }
    // What people read shows what is hidden.
    let said = scene.run(&["check", "tiny.yaml"]).expect(0);
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(!all.contains('\u{1b}'), "{all}");
    assert!(all.contains(r"with label `=A1`") || all.contains(r"with label `\u{1b}[1m`"), "{all}");
}

#[test]
fn a_run_in_the_place_of_another_and_the_data_of_another_study_are_refused() {
    let scene = trained(&[]);
    write_texts(&scene);
    let copy = |from: &str, to: &str| {
        let places = [from, to].map(|place| scene.path(place));
        assert!(Command::new("cp").arg("-r").args(&places).status().unwrap().success());
    };
    let place = "runs/tiny/large/seed-7";
    copy(RUN, place);
    let commands: [&[&str]; 3] = [
        &["evaluate", place],
        &["predict", place, "--input", "new.csv"],
        &["export", place, "--format", "onnx"],
    ];
    for command in commands {
        let said = scene.run(command).expect(2).stderr;
        assert!(said.contains("large/seed-7 holds the run large/seed-0 of its study"), "{said}");
    }
    scene.run(&["run", "tiny.yaml", "--out", "runs/other", "--set", "data.split.seed=5"]).expect(0);
    fs::remove_dir_all(scene.path("runs/tiny/data")).unwrap();
    copy("runs/other/data", "runs/tiny/data");
    let said = scene.run(&["export", RUN, "--format", "keras"]).expect(2).stderr;
    assert!(said.contains("the run was trained on the data"), "{said}");
    assert!(!scene.path(&format!("{RUN}/export")).exists(), "nothing is written");
}

#[test]
fn vocabulary_and_classes_lie_beside_the_model_of_a_text_study() {
    let scene = trained(&[]);
    for format in ["torch", "keras", "onnx"] {
        scene.run(&["export", RUN, "--format", format]).expect(0);
    }
    let folder = format!("{RUN}/export");
    let words = scene.read(&format!("{folder}/vocabulary.txt"));
    assert!(words.starts_with("\n[UNK]\n"), "{words}");
    assert_eq!(words.lines().count(), 86, "the first test of `check` names the same size");
    assert_eq!(json(&scene.read(&format!("{folder}/classes.json"))), json!(["0", "1"]));
    for file in ["model.safetensors", "model.keras", "model.onnx"] {
        assert!(fs::metadata(scene.path(&format!("{folder}/{file}"))).unwrap().len() > 1000);
    }
}
