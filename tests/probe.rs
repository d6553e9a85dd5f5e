use crate::util::{STUDY, Scene, disturb, interrupt, send, wait_for};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;

/// The small study with everything measured.
fn scene() -> Scene {
    let scene = Scene::new();
    let probe = "seeds: 3\n  probe:\n    noise_scale: {}\n    sharpness: { rows: 60, vectors: 5 }\n    \
                 line: { points: 13 }";
    let study = STUDY.replace("seeds: 2", probe);
    scene.write("tiny.yaml", &study.replace("epochs: 3", "epochs: 12"));
    scene.write(
        "plain.yaml",
        &STUDY.replace("epochs: 3", "epochs: 12").replace("seeds: 2", "seeds: 3"),
    );
    scene
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn last_validation(scene: &Scene, run: &str) -> [f64; 2] {
    let text = scene.read(&format!("{run}/metrics.jsonl"));
    let found = &json(text.lines().last().unwrap())["validation"];
    [number(&found["loss"]), number(&found["accuracy"])]
}

#[test]
fn noise_sharpness_and_lines_are_measured_recorded_and_reported_and_change_no_training() {
    let scene = scene();
    let ended = scene.run(&["run", "tiny.yaml", "--out", "measured"]).expect(0);
    assert!(ended.stderr.contains("measuring solutions: 9 of 9"), "{}", ended.stderr);
    scene.run(&["run", "plain.yaml", "--out", "plain"]).expect(0);
    for run in ["small/seed-0", "large/seed-2"] {
        for file in ["weights.safetensors", "metrics.jsonl", "test_predictions.csv"] {
            let bits =
                |study: &str| fs::read(scene.path(&format!("{study}/{run}/{file}"))).unwrap();
            assert_eq!(bits("measured"), bits("plain"), "{run}/{file}");
        }
        let found = json(&scene.read(&format!("measured/{run}/sharpness.json")));
        let of = |key: &str| number(&found[key]);
        assert_eq!(found["rows"], 60);
        // The largest of the eigenvalues is at most their sum where none is far below 0.
        assert!(of("top_eigenvalue") > 0.0 && of("trace") > 0.5 * of("top_eigenvalue"), "{found}");
        assert!(of("trace_se") > 0.0 && of("edge_of_stability") > 0.0, "{found}");
        // Uphill is up, and a step of 0.05 rises by what slope and curvature allow.
        assert!(of("ball") > 0.0 && of("adaptive") > 0.0 && of("keskar") > 0.0, "{found}");
        let noise = scene.read(&format!("measured/{run}/noise.jsonl"));
        let of = |key: &str| -> Vec<u64> {
            noise.lines().map(|line| json(line)[key].as_u64().unwrap()).collect()
        };
        // Of 12 epochs of 72 rows, after 9, 19, 41, 87, 187, 402 and 864 of them.
        let (steps, examples, epochs) = match run.starts_with("small") {
            true => (
                vec![0, 2, 3, 6, 11, 24, 51, 108],
                vec![0, 16, 24, 48, 88, 192, 408, 864],
                vec![0, 0, 0, 0, 1, 2, 5, 12],
            ),
            false => (
                vec![0, 1, 2, 4, 8, 17, 36],
                vec![0, 32, 64, 104, 208, 424, 864],
                vec![0, 0, 0, 1, 2, 5, 12],
            ),
        };
        assert_eq!((of("step"), of("examples"), of("epochs")), (steps, examples, epochs), "{run}");
    }
    // All validation rows are on the line, so its ends are where the runs ended.
    let line = json(&scene.read("measured/large/seed-1/line.json"));
    assert_eq!(
        (&line["from"], line["points"].as_array().unwrap().len()),
        (&"small/seed-1".into(), 13)
    );
    for (alpha, run) in [(0.0, "small/seed-1"), (1.0, "large/seed-1")] {
        let points = line["points"].as_array().unwrap();
        let point = points.iter().find(|point| point["alpha"] == alpha).unwrap();
        let [loss, accuracy] = last_validation(&scene, &format!("measured/{run}"));
        assert!((number(&point["validation"][0]) - loss).abs() < 1e-6, "{point}");
        assert_eq!(point["validation"][1], accuracy, "{point}");
    }
    assert!(!scene.path("measured/small/seed-1/line.json").exists());
    let tables = ["noise_scale", "sharpness", "sharpness_and_score", "lines"];
    let rows = tables
        .map(|name| scene.read(&format!("measured/report/tables/{name}.csv")).lines().count());
    assert_eq!(rows, [1 + 3 * (8 + 7), 1 + 6, 1 + 4, 1 + 3 * 13]);
    let verdict = scene.read("measured/report/verdict.md");
    for said in ["## Sharpness of the minima", "Kendall's tau", "On the line from"] {
        assert!(verdict.contains(said), "{said}:\n{verdict}");
    }
    assert!(scene.path("measured/report/figures/sharpness.svg").exists());
    assert!(scene.path("measured/report/figures/noise.svg").exists());
}

#[test]
fn solutions_can_be_measured_after_a_study_and_are_not_measured_twice() {
    let scene = scene();
    scene.run(&["run", "plain.yaml"]).expect(0);
    let sharp = ["run", "plain.yaml", "--set", "study.probe.sharpness={ rows: 40, vectors: 2 }"];
    let ended = scene.run(&sharp).expect(0);
    assert!(ended.stderr.contains("6 of 6 runs are already finished"), "{}", ended.stderr);
    assert!(ended.stderr.contains("measuring solutions: 6 of 6"), "{}", ended.stderr);
    let file = "runs/tiny/small/seed-0/sharpness.json";
    let found = json(&scene.read(file));
    // Adam's second moment was not kept, since nobody had asked for it.
    assert!(found["edge_of_stability"].is_null() && found["top_eigenvalue"].is_number());
    let ended = scene.run(&sharp).expect(0);
    assert!(!ended.stderr.contains("measuring"), "{}", ended.stderr);
    let other = ["run", "plain.yaml", "--set", "study.probe.sharpness={ rows: 41, vectors: 2 }"];
    let ended = scene.run(&other).expect(0);
    assert!(ended.stderr.contains("measuring solutions: 6 of 6"), "{}", ended.stderr);
    assert_eq!(json(&scene.read(file))["rows"], 41);
}

#[test]
fn measurements_that_were_interrupted_go_on_to_the_same_bits() {
    let scene = scene();
    scene.run(&["run", "tiny.yaml", "--out", "undisturbed"]).expect(0);
    let slow = ["run", "tiny.yaml", "--out", "disturbed", "--workers", "1"];
    let study = scene.start(&slow);
    let measured = |run: &str, file: &str| scene.path(&format!("disturbed/{run}/{file}"));
    wait_for(&study, "a solution is measured", || {
        measured("small/seed-0", "sharpness.json").exists()
    });
    interrupt(&study);
    let ended = study.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    scene.run(&slow).expect(0);
    for run in ["small/seed-0", "large/seed-0", "small/seed-2", "large/seed-2"] {
        for file in ["sharpness.json", "noise.jsonl", "second_moment.safetensors"] {
            let bits =
                |study: &str| fs::read(scene.path(&format!("{study}/{run}/{file}"))).unwrap();
            assert_eq!(bits("disturbed"), bits("undisturbed"), "{run}/{file}");
        }
    }
    let report = |study: &str, name: &str| scene.read(&format!("{study}/report/tables/{name}.csv"));
    for table in ["sharpness", "lines", "noise_scale", "sharpness_and_score"] {
        assert_eq!(report("disturbed", table), report("undisturbed", table), "{table}");
    }
}

/// Stopped after six epochs, and killed, a run goes on to the same lines.
#[test]
fn noise_within_epochs_is_the_same_after_a_stop_and_a_crash() {
    let scene = Scene::new();
    let noise = "seeds: 2\n  probe: { noise_scale: { checkpoints: 40 } }";
    let study = STUDY.replace("seeds: 2", noise);
    let file = "small/seed-0/noise.jsonl";
    for (name, crash) in [("stopped", false), ("killed", true)] {
        let (epochs, _) =
            disturb(&scene, &study.replace("epochs: 3", "epochs: EPOCHS"), name, |program| {
                match crash {
                    true => send(Signal::SIGKILL, program.id()),
                    false => interrupt(program),
                }
            });
        let plain = format!("undisturbed-{name}");
        scene.run(&["run", "tiny.yaml", "--out", &plain]).expect(0);
        scene.run(&["run", "tiny.yaml", "--out", name]).expect(0);
        let lines = |study: &str| scene.read(&format!("{study}/{file}"));
        assert_eq!(lines(name), lines(&plain), "{epochs} epochs");
        let within = |line: &&str| {
            let line = json(line);
            number(&line["step"]) % 9.0 > 0.0
        };
        assert!(lines(name).lines().filter(within).count() > 9, "{}", lines(name));
    }
}

#[test]
fn what_measuring_takes_on_disk_is_told_before() {
    let scene = scene();
    let told = |setting: &str| {
        let check = ["check", "plain.yaml", "--json", "--set", setting];
        json(&scene.run(&check).expect(0).stdout)
    };
    let (without, with) = (told("study.probe={}"), told("study.probe.sharpness={}"));
    // Adam's second moment is as large as the weights, and each of six runs keeps it.
    let parameters = number(&with["arms"][0]["parameters"]);
    let more = number(&with["disk_bytes"]) - number(&without["disk_bytes"]);
    assert!((more - 6.0 * 4.0 * parameters).abs() < 0.5, "{more} for {parameters}");
}

#[test]
fn what_cannot_be_measured_is_refused_with_the_place_in_the_file() {
    let scene = scene();
    let refused =
        |setting: &str| scene.run(&["check", "tiny.yaml", "--set", setting]).expect(2).stderr;
    let said = refused("study.probe.line={ between: [small, huge] }");
    assert!(said.contains("there is no arm `small` or no arm `huge`"), "{said}");
    assert!(said.contains("name two of `small`, `large` under `between`"), "{said}");
    let said = refused("study.probe.line={ between: [small, small] }");
    assert!(said.contains("the arms `small` and `small` are one"), "{said}");
    let said = refused("study.probe.line={ points: 12 }");
    assert!(said.contains("one more than a multiple of 3"), "{said}");
    let said = refused("study.probe.sharpness={ rows: 0 }");
    assert!(said.contains("study.probe.sharpness.rows"), "{said}");
    let said = refused("study.probe.sharpnes={}");
    assert!(said.contains("sharpness"), "{said}");
    let one = "study.grid={ batch_size: [8] }";
    let study = scene.read("tiny.yaml");
    let (begin, end) = (study.find("  arms:").unwrap(), study.find("data:").unwrap());
    scene.write(
        "one.yaml",
        &format!("{}  grid: {{ batch_size: [8] }}\n{}", &study[..begin], &study[end..]),
    );
    let said = scene.run(&["check", "one.yaml", "--set", one]).expect(2).stderr;
    assert!(said.contains("all arms have one batch size"), "{said}");
}
