use crate::util::{STUDY, Scene, python};
use serde_json::Value;

/// The run's curves as TensorBoard's own `EventAccumulator` reads them.
fn read(scene: &Scene, folder: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/read_events.py");
    let output = python().arg(script).arg(scene.path(folder)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "TensorBoard cannot read {folder}; `scripts/setup` installs it:\n{said}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn tensorboard_reads_each_curve_with_one_point_an_epoch() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml"]).expect(0);
    let records: Vec<Value> = scene
        .read("runs/tiny/large/seed-0/metrics.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events = read(&scene, "runs/tiny/large/seed-0");
    for split in ["train", "validation"] {
        for metric in ["loss", "accuracy"] {
            let points = &events[split]["scalars"][format!("epoch_{metric}")];
            let expected: Vec<Value> = records
                .iter()
                .map(|line| {
                    let value = line[split][metric].as_f64().unwrap() as f32;
                    serde_json::json!([line["epoch"], f64::from(value)])
                })
                .collect();
            assert_eq!(points, &Value::from(expected), "{split} {metric}");
        }
    }
    let rates = events["train"]["scalars"]["epoch_learning_rate"].as_array().unwrap();
    let rate = rates[2][1].as_f64().unwrap();
    assert!((rate - 8.1e-4).abs() < 1e-9, "lr of epoch 2: {rate}");
    assert_eq!(
        events["train"]["scalars"]["epoch_examples_per_second"].as_array().unwrap().len(),
        3
    );
    assert_eq!(events["test"]["scalars"]["epoch_accuracy"].as_array().unwrap().len(), 1);
    let text = events["train"]["texts"]["resolved_study"].as_str().unwrap();
    assert!(text.contains("batch_size: 32") && text.contains("gamma: 0.9"), "{text}");
}

#[test]
fn curves_are_drawn_again_from_the_records_after_an_interruption() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("epochs: 3", "epochs: 30"));
    let study = scene.start(&["run", "tiny.yaml", "--workers", "1"]);
    let log = scene.path("runs/tiny/small/seed-0/metrics.jsonl");
    crate::util::wait_until("four epochs", || crate::util::line_count(&log) >= 4);
    crate::util::interrupt(&study);
    study.wait_with_output().unwrap();
    scene.run(&["run", "tiny.yaml"]).expect(0);
    let events = read(&scene, "runs/tiny/small/seed-0");
    let points = events["validation"]["scalars"]["epoch_loss"].as_array().unwrap();
    let epochs: Vec<u64> = points.iter().map(|point| point[0].as_u64().unwrap()).collect();
    assert_eq!(epochs, (0..30).collect::<Vec<_>>());
    let files = std::fs::read_dir(scene.path("runs/tiny/small/seed-0/train")).unwrap().count();
    assert_eq!(files, 1);
}
