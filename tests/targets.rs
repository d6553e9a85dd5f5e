//! Several classes and numbers from the file to the records: what `init`, `check` and `run` make of them.

use crate::util::Scene;
use serde_json::Value;
use std::fs;

/// 90 texts of three subjects, each with a price, and a column of two values.
fn table() -> String {
    let row = |at: usize| {
        let subject = ["sport", "art", "law"][at % 3];
        let price = (at * 37 % 90) as f32 / 9.0 - 5.0;
        format!("a text about {subject} and w{at},{subject},{price},{}\n", at / 3 % 2)
    };
    (0..90).fold("text,label,price,seen\n".to_owned(), |text, at| text + &row(at))
}

fn study(label: &str, dense: &str, train: &str) -> String {
    format!(
        "study: {{ seeds: 2, grid: {{ batch_size: [8, 16] }} }}\n\
         data: {{ table: {{ path: t.csv, label: {label} }}, text: {{ length: 6 }} }}\n\
         model: {{ embedding: {{ dim: 4 }}, lstm: {{ units: 4 }}, dense: {dense} }}\n\
         train: {{ epochs: 2, device: cpu{train} }}\n"
    )
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("t.csv", &table());
    scene
}

#[test]
fn a_study_of_three_classes_is_checked_and_run_on_both_engines() {
    let scene = scene();
    scene.write("k.yaml", &study("label", "{ activation: softmax }", ""));
    let said = scene.run(&["check", "k.yaml"]).expect(0).stdout;
    assert!(said.contains("data   54 training (`art` 18, `law` 18, `sport` 18)"), "{said}");
    assert!(said.contains("-> Dense(3, softmax)"), "{said}");
    for engine in ["fused", "libtorch"] {
        let out = format!("runs/{engine}");
        let engine = format!("train.engine={engine}");
        scene.run(&["run", "k.yaml", "--out", &out, "--set", &engine]).expect(0);
        let sessions = json(&scene.read(&format!("{out}/environment.json")));
        let data = &sessions[0]["data"];
        assert_eq!(data["classes"], serde_json::json!(["art", "law", "sport"]));
        assert_eq!(data["train"]["counts"], serde_json::json!([18, 18, 18]));
        assert!((data["baseline"]["accuracy"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-9);
        let labels = json(&scene.read(&format!("{out}/data/labels.json")));
        assert_eq!(labels["2"], "sport");
        let predictions = scene.read(&format!("{out}/batch-8/seed-0/test_predictions.csv"));
        assert!(predictions.starts_with("row,label,prediction,logit_0,logit_1,logit_2\n"));
        let said =
            scene.run(&["check", "k.yaml", "--out", &out, "--set", &engine]).expect(0).stdout;
        assert!(said.contains("all runs are finished"), "{said}");
    }
}

#[test]
fn a_study_of_numbers_is_checked_and_run_on_both_engines() {
    let scene = scene();
    scene.write("n.yaml", &study("price", "{ units: 1, activation: linear }", ""));
    let said = scene.run(&["check", "n.yaml"]).expect(0).stdout;
    assert!(said.contains("data   54 training (from -"), "{said}");
    assert!(said.contains("-> Dense(1, linear)"), "{said}");
    for engine in ["fused", "libtorch"] {
        let out = format!("runs/{engine}");
        let engine = format!("train.engine={engine}");
        scene.run(&["run", "n.yaml", "--out", &out, "--set", &engine]).expect(0);
        let sessions = json(&scene.read(&format!("{out}/environment.json")));
        let data = &sessions[0]["data"];
        assert_eq!(data["classes"], serde_json::json!([]));
        assert!(data["train"]["targets"]["sd"].as_f64().unwrap() > 1.0);
        let baseline = |metric: &str| data["baseline"][metric].as_f64().unwrap();
        assert!((baseline("rmse").powi(2) - baseline("mse")).abs() < 1e-9);
        assert!(!scene.path(&format!("{out}/data/labels.json")).exists());
        let predictions = scene.read(&format!("{out}/batch-8/seed-0/test_predictions.csv"));
        assert!(predictions.starts_with("row,target,prediction\n"));
        let said =
            scene.run(&["check", "n.yaml", "--out", &out, "--set", &engine]).expect(0).stdout;
        assert!(said.contains("all runs are finished"), "{said}");
    }
}

#[test]
fn what_does_not_fit_the_head_is_an_error_that_names_the_head_for_it() {
    let scene = scene();
    let refused = |label: &str, dense: &str, train: &str| {
        scene.write("e.yaml", &study(label, dense, train));
        scene.run(&["check", "e.yaml"]).expect(2).stderr
    };
    let said = refused("label", "{ units: 1, activation: sigmoid }", "");
    assert!(said.contains("received 3: `art` (30 rows), `law` (30 rows)"), "{said}");
    assert!(said.contains("use `dense: { units: 3, activation: softmax }`"), "{said}");
    let said = refused("price", "{ units: 1, activation: sigmoid }", "");
    assert!(said.contains("use `dense: { units: 1, activation: linear }`"), "{said}");
    let said = refused("label", "{ activation: linear }", "");
    assert!(said.contains("t.csv, line 2: `sport` is no number"), "{said}");
    let said = refused("label", "{ units: 4, activation: softmax }", "");
    assert!(said.contains("has 4 outputs, and the data have 3 classes: `art`"), "{said}");
    let said = refused("label", "{ activation: softmax }", ", class_weight: { 0: 1, 1: 2 }");
    assert!(said.contains("`class_weight` has 2 weights, and the data have 3 classes"), "{said}");
    let said = refused("price", "{ activation: linear }", ", class_weight: balanced");
    assert!(said.contains("predicts numbers (at `train.class_weight`)"), "{said}");
    let positive = "label, positive: art";
    let said = refused(positive, "{ activation: softmax }", "");
    assert!(said.contains("e.yaml, line 2:") && said.contains("data.table.positive"), "{said}");
}

#[test]
fn a_score_that_validation_does_not_define_is_refused_before_anything_is_trained() {
    let scene = scene();
    let row = |at: usize| {
        let (late, level) = if at < 50 { (at % 2, at) } else { (1, 7) };
        format!("a text of w{at},{late},{level}\n")
    };
    scene.write("t.csv", &(0..90).fold("text,label,level\n".to_owned(), |t, at| t + &row(at)));
    for (label, dense, score, said) in [
        (
            "label",
            "{ units: 1, activation: sigmoid }",
            "auc",
            "AUC is not defined on the validation split, whose labels",
        ),
        (
            "level",
            "{ activation: linear }",
            "r2",
            "R² is not defined on the validation split, whose targets",
        ),
    ] {
        let order = "split: { by: order }, text:";
        let text = study(label, dense, "").replace("text:", order);
        scene.write("u.yaml", &text.replace("seeds: 2,", &format!("seeds: 2, score: {score},")));
        let refused = scene.run(&["run", "u.yaml"]).expect(2).stderr;
        assert!(refused.contains(said), "{refused}");
        assert!(!scene.path("runs/u/batch-8").exists());
        scene.write("u.yaml", &text);
        scene.run(&["check", "u.yaml"]).expect(0);
    }
}

#[test]
fn weights_of_three_classes_and_a_softmax_of_two_are_trained() {
    let scene = scene();
    let weights = ", class_weight: { 0: 1, 1: 2.5, 2: 1 }";
    scene.write("w.yaml", &study("label", "{ activation: softmax }", weights));
    scene.run(&["run", "w.yaml", "--only", "batch-8/seed-0"]).expect(0);
    scene.write("two.yaml", &study("seen", "{ activation: softmax }", ""));
    scene.run(&["run", "two.yaml", "--only", "batch-8/seed-0"]).expect(0);
    let record = json(&scene.read("runs/two/batch-8/seed-0/record.json"));
    assert_eq!(record["definition"]["model"]["outputs"], 2);
}

#[test]
fn init_writes_the_head_for_what_it_finds_and_its_file_runs() {
    let scene = scene();
    let ended = scene.run(&["init", "t.csv", "--out", "several.yaml"]).expect(0);
    let said = "took  the column `text` for texts and `label` for labels: 3 classes (`art` 30, `law` 30, \
                `sport` 30); labels could also be `price`, `seen`: choose with `--label`";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert!(scene.read("several.yaml").contains("dense: { units: 3, activation: softmax }"));
    let ended =
        scene.run(&["init", "t.csv", "--label", "price", "--out", "numbers.yaml"]).expect(0);
    assert!(
        ended.stderr.contains("`price` for labels: numbers (90 different ones from -5 to 4."),
        "{}",
        ended.stderr
    );
    let yaml = scene.read("numbers.yaml");
    assert!(yaml.contains("activation: linear") && !yaml.contains("stratify"), "{yaml}");
    assert!(!yaml.contains("accuracy"), "{yaml}");
    let renamed = table().replace("text,label,price", "text,subject,price");
    scene.write("two.csv", &renamed);
    let yaml = scene.run(&["init", "two.csv"]).expect(0).stdout;
    assert!(
        yaml.contains("    label: seen   # `0` counts as 0 (45 rows)"),
        "two classes first: {yaml}"
    );
    let short = ["--set", "train.epochs=1", "--set", "study.seeds=1", "--device", "cpu"];
    for file in ["several.yaml", "numbers.yaml"] {
        scene.run(&["check", file]).expect(0);
        let given = ["--set", "study.learning_rate=given"];
        scene.run(&[&["run", file][..], &short, &given].concat()).expect(0);
    }
    assert!(fs::exists(scene.path("runs/several/batch-8/seed-0/weights.safetensors")).unwrap());
}
