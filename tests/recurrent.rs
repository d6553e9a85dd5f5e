//! Studies of stacked, bidirectional and GRU layers from the file to records, asked and exported.

use crate::util::{FIRST_RUN, STUDY, Scene, disturb, send, workers};
use batchscope::kernels::EngineKind;
use batchscope::spec::{Input, Recurrent, Shape, Stack};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;

const DEEP: &str = "layers: [{ bidirectional: { gru: { units: 3, dropout: 0.2, recurrent_dropout: \
                    0.1 } } }, { lstm: { units: 4, kernel_regularizer: { l2: 0.01 } } }]";

fn study(layers: &str) -> String {
    STUDY.replace("lstm: { units: 5 }", layers).replace("seeds: 2", "seeds: 1")
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

const RUN: &str = "runs/tiny/large/seed-0";

#[test]
fn a_study_of_layers_is_run_by_libtorch_recorded_and_put_to_use() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &study(DEEP));
    let said = scene.run(&["run", "tiny.yaml"]).expect(0);
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(said.contains("Bidirectional(GRU(3)) -> LSTM(4) -> Dense(1, sigmoid)"), "{said}");
    let record = read(&scene.read(&format!("{RUN}/record.json")));
    let definition = &record["definition"];
    assert_eq!(definition["engine"], "libtorch");
    let layers = json!([
        { "cell": "gru", "units": 3, "bidirectional": true },
        { "cell": "lstm", "units": 4 },
    ]);
    assert_eq!(definition["model"]["layers"], layers);
    assert_eq!(definition["arm"]["model"]["lstm"], Value::Null);
    // The resolved file gives the same runs, so nothing is left to do.
    scene.run(&["run", "runs/tiny/study.yaml"]).expect(0);
    assert_eq!(read(&scene.read(&format!("{RUN}/record.json"))), record);
    scene.run(&["evaluate", RUN]).expect(0);
    scene.run(&["predict", RUN, "--input", "reviews.csv"]).expect(0);
    for format in ["torch", "keras", "onnx"] {
        scene.run(&["export", RUN, "--format", format]).expect(0);
    }
}

#[test]
fn a_run_of_layers_that_is_killed_goes_on_to_the_same_bits() {
    let scene = Scene::new();
    let text = study(DEEP).replace("epochs: 3", "epochs: EPOCHS");
    disturb(&scene, &text, "killed", |study| {
        workers(study).into_iter().for_each(|worker| send(Signal::SIGKILL, worker));
    });
    for folder in ["killed", "whole"] {
        scene.run(&["run", "tiny.yaml", "--out", folder, "--only", FIRST_RUN]).expect(0);
    }
    for file in ["metrics.jsonl", "record.json", "weights.safetensors"] {
        let of =
            |study: &str| fs::read(scene.path(&format!("{study}/{FIRST_RUN}/{file}"))).unwrap();
        assert!(of("killed") == of("whole"), "{file}");
    }
}

#[test]
fn a_run_of_layers_repeats_to_the_bit() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &study(DEEP));
    let weights = |folder: &str| {
        fs::read(scene.path(&format!("{folder}/large/seed-0/weights.safetensors"))).unwrap()
    };
    for folder in ["once", "again"] {
        scene.run(&["run", "tiny.yaml", "--out", folder]).expect(0);
    }
    assert!(weights("once") == weights("again"));
}

#[test]
fn one_lstm_among_layers_is_the_model_that_lstm_alone_names() {
    let scene = Scene::new();
    scene.write("alone.yaml", &study("lstm: { units: 5 }"));
    scene.write("listed.yaml", &study("layers: [{ lstm: { units: 5 } }]"));
    let mut definitions = Vec::new();
    for name in ["alone", "listed"] {
        scene.run(&["run", &format!("{name}.yaml"), "--out", name]).expect(0);
        definitions.push(read(&scene.read(&format!("{name}/large/seed-0/record.json"))));
    }
    let [alone, listed] = &definitions[..] else { panic!() };
    assert_eq!(alone["definition"], listed["definition"]);
    assert_eq!(alone["definition"]["model"]["units"], 5);
}

#[test]
fn what_cannot_be_a_model_is_an_error_that_says_what_can() {
    let scene = Scene::new();
    let refused = |layers: &str, rest: &[&str]| {
        scene.write("tiny.yaml", &study(layers));
        scene.run(&[&["check", "tiny.yaml"], rest].concat()).expect(2).stderr
    };
    let nine = format!("layers: [{}]", ["{ gru: { units: 2 } }"; 9].join(", "));
    for (layers, expected) in [
        (nine.as_str(), "must list one to 8 layers, received 9"),
        ("layers: []", "must list one to 8 layers, received 0"),
        (
            "lstm: { units: 5 }\n  layers: [{ lstm: { units: 5 } }]",
            "the model gives its layers twice, as `lstm` and as `layers`",
        ),
        (
            "layers: [{ bidirectional: { bidirectional: { lstm: {} } } }]",
            "unknown value `bidirectional`",
        ),
        ("layers: [{ gru: { units: 0 } }]", "at `model.layers[0].gru.units`"),
        ("layers: [{ bidirectional: { lstm: { dropout: 2 } } }]", "bidirectional.lstm.dropout"),
    ] {
        let said = refused(layers, &[]);
        assert!(said.contains(expected), "{layers}: {said}");
    }
}

#[test]
fn the_fused_engine_says_that_it_cannot_and_is_not_replaced() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &study(DEEP));
    let said = scene.run(&["run", "tiny.yaml", "--set", "train.engine=fused"]).expect(2).stderr;
    let reason = "the engine `fused` computes one LSTM in one direction, and the model has \
                  Bidirectional(GRU(3)) -> LSTM(4)";
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(reason), "{said}");
    assert!(said.contains("train.engine=auto"), "{said}");
    let input = Input::Features(3);
    let deep = Shape { input, layers: Stack::new(&[Recurrent::lstm(5); 2]).unwrap(), outputs: 1 };
    assert_eq!(EngineKind::best_for_processor(&deep), EngineKind::Libtorch);
}
