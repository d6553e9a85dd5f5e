use crate::util::{STUDY, Scene, disturb, interrupt, python};
use batchscope::events::{EventWriter, Histogram, Hyperparameter, SessionEnd};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The run's curves as TensorBoard's own `EventAccumulator` reads them.
fn read(scene: &Scene, folder: &str) -> Value {
    told("read_events.py", &scene.path(folder))
}

/// What a script of `tests/fixtures` says of a folder.
fn told(script: &str, folder: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(script);
    let output = python().arg(script).arg(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "TensorBoard cannot read {}; `scripts/setup` installs it:\n{said}",
        folder.display()
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn where_curves_of_arms_alone_are_wanted_runs_have_no_event_files_and_the_same_records() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "drawn"]).expect(0);
    let arms = ["--set", "train.logging.curves=arms"];
    let said = scene.run(&[&["run", "tiny.yaml"], &arms[..]].concat()).expect(0).stderr;
    assert!(said.contains("curves  of the arms alone"), "{said}");
    let run = scene.path("runs/tiny/small/seed-0");
    let names: Vec<String> = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let is_drawn = |name: &String| {
        name.contains("tfevents") || ["train", "validation", "test"].contains(&name.as_str())
    };
    assert!(!names.iter().any(is_drawn), "{names:?}");
    for file in ["record.json", "metrics.jsonl", "steps.jsonl", "weights.safetensors"] {
        let of =
            |study: &str| fs::read(scene.path(&format!("{study}/small/seed-0/{file}"))).unwrap();
        assert!(of("drawn") == of("runs/tiny"), "{file}");
    }
    assert!(event_file(&scene.path("runs/tiny/small")).1.len() > 100, "the band of the arm");
}

#[test]
fn a_study_of_more_than_200_runs_draws_its_arms_alone_unless_it_is_told() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let check = |seeds: &str, more: &[&str]| {
        let words = [&["check", "tiny.yaml", "--set", seeds], more].concat();
        scene.run(&words).expect(0).stdout
    };
    let said = check("study.seeds=101", &[]);
    assert!(said.contains("the study has 202 runs; `train.logging.curves: runs`"), "{said}");
    assert!(!check("study.seeds=100", &[]).contains("curves  of the arms"));
    let all = check("study.seeds=101", &["--set", "train.logging.curves=runs"]);
    assert!(!all.contains("curves  of the arms"));
    assert!(said.contains(" worker-hours, where each worker trains one run at a time"), "{said}");
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
    let rates = events["run"]["scalars"]["epoch_learning_rate"].as_array().unwrap();
    let rate = rates[2][1].as_f64().unwrap();
    assert!((rate - 8.1e-4).abs() < 1e-9, "lr of epoch 2: {rate}");
    assert_eq!(events["run"]["scalars"]["epoch_examples_per_second"].as_array().unwrap().len(), 3);
    assert_eq!(events["test"]["scalars"]["epoch_accuracy"].as_array().unwrap().len(), 1);
    let text = events["run"]["texts"]["resolved_study"].as_str().unwrap();
    assert!(text.contains("batch_size: 32") && text.contains("gamma: 0.9"), "{text}");
}

#[test]
fn noise_scales_are_drawn_by_examples_where_the_data_bound_them() {
    let scene = Scene::new();
    let probe = "seeds: 2\n  probe: { noise_scale: {} }";
    scene.write("tiny.yaml", &STUDY.replace("seeds: 2", probe));
    scene.run(&["run", "tiny.yaml"]).expect(0);
    let log = scene.read("runs/tiny/small/seed-0/noise.jsonl");
    let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events = read(&scene, "runs/tiny/small/seed-0");
    for (tag, noise) in [("examples_noise_scale", "plain"), ("examples_noise_scale_adam", "adam")] {
        let point = |line: &Value| {
            let scale = line[noise]["scale"]["value"].as_f64()?;
            Some(json!([line["examples"], f64::from(scale as f32)]))
        };
        let expected: Vec<Value> = records.iter().filter_map(point).collect();
        // So few rows tell of the plain gradient what it is at least, and no more.
        let drawn = &events["run"]["scalars"][tag];
        match noise {
            "plain" => assert!(expected.is_empty() && drawn.is_null(), "{drawn}: {log}"),
            _ => assert_eq!((expected.len(), drawn), (2, &Value::from(expected)), "{log}"),
        }
    }
}

#[test]
fn curves_are_drawn_again_from_the_records_after_an_interruption() {
    let scene = Scene::new();
    let logging = "epochs: EPOCHS\n  logging: { every_steps: 1, histograms: true }";
    let study = STUDY.replace("epochs: 3", logging);
    let probe = "seeds: 2\n  probe: { noise_scale: {} }";
    let study = study.replace("seeds: 2", probe);
    let (count, ended) = disturb(&scene, &study, "runs/tiny", interrupt);
    ended.expect(130);
    scene.run(&["run", "tiny.yaml"]).expect(0);
    let events = read(&scene, "runs/tiny/small/seed-0");
    let points = events["validation"]["scalars"]["epoch_loss"].as_array().unwrap();
    let epochs: Vec<u64> = points.iter().map(|point| point[0].as_u64().unwrap()).collect();
    assert_eq!(epochs, (0..count as u64).collect::<Vec<_>>());
    let files = fs::read_dir(scene.path("runs/tiny/small/seed-0/train")).unwrap().count();
    assert_eq!(files, 1);
    let steps = |split: &str, tag: &str| -> Vec<u64> {
        let points = events[split]["scalars"][tag].as_array().unwrap();
        points.iter().map(|point| point[0].as_u64().unwrap()).collect()
    };
    assert_eq!(steps("train", "step_loss"), (1..=count as u64 * 9).collect::<Vec<_>>());
    assert_eq!(steps("run", "step_gradient_norm"), (1..=count as u64 * 9).collect::<Vec<_>>());
    let noise = scene.read("runs/tiny/small/seed-0/noise.jsonl");
    let measured = noise.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["adam"]["scale"]["value"].as_f64()?;
        line["examples"].as_u64()
    });
    let measured: Vec<u64> = measured.collect();
    assert!(measured.len() > 2, "{noise}");
    assert_eq!(steps("run", "examples_noise_scale_adam"), measured);
    let shown = told("read_plugins.py", &scene.path("runs/tiny"));
    let points = shown["histograms"]["small/seed-0"]["weights/lstm.bias"].as_array().unwrap();
    let epochs: Vec<u64> = points.iter().map(|point| point[1].as_u64().unwrap()).collect();
    assert_eq!(epochs, (0..count as u64).collect::<Vec<_>>());
}

#[test]
fn the_hparams_tab_shows_the_arms_of_a_study_with_their_final_metrics() {
    let scene = Scene::new();
    let metrics = "epochs: 3\n  metrics: [accuracy, auc]";
    scene.write("tiny.yaml", &STUDY.replace("epochs: 3", metrics));
    scene.run(&["run", "tiny.yaml"]).expect(0);
    let shown = told("read_plugins.py", &scene.path("runs/tiny"));
    let groups = shown["session_groups"].as_array().unwrap();
    let names: Vec<&str> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["tiny/large", "tiny/small"]);
    let large = &groups[0];
    assert_eq!(large["hparams"]["batch_size"], json!(32.0));
    assert_eq!(large["hparams"]["schedule"], json!("lr * 0.9^epoch"));
    assert_eq!(large["sessions"]["large/seed-1"], json!("STATUS_SUCCESS"));
    let last = |seed: u32| -> f64 {
        let lines = scene.read(&format!("runs/tiny/large/seed-{seed}/metrics.jsonl"));
        let line: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        line["validation"]["auc"].as_f64().unwrap()
    };
    let shown = large["metrics"]["validation/epoch_auc"].as_f64().unwrap();
    let mean = (last(0) + last(1)) / 2.0;
    assert!((shown - mean).abs() < 1e-6, "{shown} for {mean}");
}

#[test]
fn the_hparams_tab_shows_a_row_an_arm_with_the_mean_of_its_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let arms = [("small", 32.0, [0.5, 0.75]), ("large", 256.0, [0.25, 0.5])];
    for (arm, batch_size, accuracies) in arms {
        for (seed, accuracy) in accuracies.into_iter().enumerate() {
            let run = folder.path().join(format!("{arm}/seed-{seed}"));
            let mut session = EventWriter::replace(&run, 5.0).unwrap();
            let values = [
                ("arm", Hyperparameter::Text(arm.into())),
                ("batch_size", Hyperparameter::Number(batch_size)),
                ("masked", Hyperparameter::Flag(true)),
            ];
            session.hparams_session(arm, &values, 5.0).unwrap();
            if seed == 0 {
                session.hparams_session_end(SessionEnd::Success, 9.0).unwrap();
            }
            for split in ["train", "validation"] {
                let mut curves = EventWriter::replace(&run.join(split), 5.0).unwrap();
                curves.scalars(&[("epoch_accuracy", 0.125)], 0, 6.0).unwrap();
                curves.scalars(&[("epoch_accuracy", accuracy)], 1, 7.0).unwrap();
            }
        }
    }
    let shown = told("read_plugins.py", folder.path());
    let row = |arm: &str, batch_size: f64, accuracy: f64| {
        json!({
            "name": arm,
            "hparams": { "arm": arm, "batch_size": batch_size, "masked": true },
            "metrics": { "train/epoch_accuracy": accuracy, "validation/epoch_accuracy": accuracy },
            "sessions": {
                (format!("{arm}/seed-0")): "STATUS_SUCCESS",
                (format!("{arm}/seed-1")): "STATUS_UNKNOWN",
            },
        })
    };
    assert_eq!(
        shown["session_groups"],
        json!([row("large", 256.0, 0.375), row("small", 32.0, 0.625)])
    );
}

#[test]
fn histograms_are_read_by_both_of_the_tabs_that_show_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::replace(&folder.path().join("train"), 5.0).unwrap();
    let values: Vec<f32> = (0..=60).map(|value| value as f32).collect();
    let mut draw = |values: &[f32], step, at| {
        let histogram = Histogram::of(values).unwrap();
        writer.histogram("lstm.weight_ih", &histogram, step, at).unwrap();
    };
    draw(&values, 0, 6.0);
    draw(&[1.5; 4], 1, 7.0);
    let shown = told("read_plugins.py", folder.path());

    let points = &shown["histograms"]["train"]["lstm.weight_ih"];
    assert_eq!((&points[0][0], &points[0][1]), (&json!(6.0), &json!(0)), "{points}");
    let buckets = points[0][2].as_array().unwrap();
    assert_eq!(buckets.len(), 30);
    assert_eq!(buckets[0], json!([0.0, 2.0, 2.0]));
    assert_eq!(buckets[29], json!([58.0, 60.0, 3.0]));
    assert_eq!(points[1][2][29], json!([1.5, 1.5, 4.0]));

    // Pairs of a share of the values (in hundredths of a percent) and the value below which it
    // lies.
    let shares = &shown["distributions"]["train"]["lstm.weight_ih"][0][2];
    assert_eq!((&shares[0], &shares[8]), (&json!([0, 0.0]), &json!([10000, 60.0])), "{shares}");
    assert!((shares[4][1].as_f64().unwrap() - 30.0).abs() < 2.0, "the median: {shares}");
}

/// Examples, mean and ends of the 95 % interval of a value in the records of three seeds, after each epoch.
fn band_of(scene: &Scene, arm: &str, split: &str, value: &str) -> Vec<[f64; 4]> {
    let of_seed = |seed: u32| -> Vec<[f64; 2]> {
        let lines = scene.read(&format!("runs/tiny/{arm}/seed-{seed}/metrics.jsonl"));
        let read = |line: &str| -> [f64; 2] {
            let line: Value = serde_json::from_str(line).unwrap();
            [line["examples"].as_f64().unwrap(), line[split][value].as_f64().unwrap()]
        };
        lines.lines().map(read).collect()
    };
    let seeds = [0, 1, 2].map(of_seed);
    let moment = |epoch: usize| {
        let values = [0, 1, 2].map(|seed: usize| seeds[seed][epoch][1]);
        let mean = values.iter().sum::<f64>() / 3.0;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        // Student's t for 97.5 % with two degrees of freedom, from a table.
        let reach = 4.302_652_73 * (squares / 2.0 / 3.0).sqrt();
        let most = if value == "accuracy" { 1.0 } else { f64::INFINITY };
        [seeds[0][epoch][0], mean, (mean - reach).max(0.0), (mean + reach).min(most)]
    };
    (0..seeds[0].len()).map(moment).collect()
}

/// The tags of the charts of a study: of the line and of the ends of its band.
fn charts(layout: &Value, study: &str) -> Vec<[String; 3]> {
    let categories = layout["category"].as_array().unwrap();
    let of_study =
        |category: &&Value| category["title"].as_str().unwrap().starts_with(&format!("{study}: "));
    let found = categories.iter().find(of_study);
    let found = found.unwrap_or_else(|| panic!("{study} is missing: {layout}"));
    let tags = |chart: &Value| {
        let series = chart["margin"]["series"].as_array().unwrap();
        assert_eq!(series.len(), 1, "with more, TensorBoard tells of tags that other runs lack");
        ["value", "lower", "upper"].map(|part| series[0][part].as_str().unwrap().to_owned())
    };
    found["chart"].as_array().unwrap().iter().map(tags).collect()
}

#[test]
fn bands_are_the_means_over_seeds_with_their_intervals_against_examples() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("seeds: 2", "seeds: 3"));
    scene.run(&["run", "tiny.yaml"]).expect(0);
    let shown = told("read_plugins.py", &scene.path("runs/tiny"));
    let charts = charts(&shown["layout"], "tiny");
    // TensorBoard shows them from the last to the first.
    let quantities = [("train", "loss"), ("validation", "loss"), ("validation", "accuracy")];
    assert_eq!(charts.len(), quantities.len());
    for arm in ["small", "large"] {
        let events = read(&scene, &format!("runs/tiny/{arm}"));
        for (tags, (split, value)) in charts.iter().zip(quantities) {
            let expected = band_of(&scene, arm, split, value);
            for (at, tag) in tags.iter().enumerate() {
                let points = events["run"]["scalars"][tag].as_array();
                let points = points.unwrap_or_else(|| panic!("{arm} lacks {tag}"));
                assert_eq!(points.len(), 3, "{tag}");
                for (point, expected) in points.iter().zip(&expected) {
                    let [step, found] = [0, 1].map(|part| point[part].as_f64().unwrap());
                    let near = (found - expected[1 + at]).abs() < 1e-6;
                    assert!(
                        near && step as u64 == expected[0] as u64,
                        "{tag}: {point}, {expected:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_study_as_a_whole_has_bands_over_seeds_its_answer_and_its_figures() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml"]).expect(0);
    scene.run(&["run", "tiny.yaml", "--set", "study.name=other"]).expect(0);
    let arm = read(&scene, "runs/tiny/large");

    // Folders of several studies side by side: a category a study, whose tags its arms have.
    let shown = told("read_plugins.py", &scene.path("runs"));
    let categories = shown["layout"]["category"].as_array().unwrap();
    let titles: Vec<&str> = categories.iter().map(|c| c["title"].as_str().unwrap()).collect();
    let band = "means over seeds with 95 % t intervals, against training examples seen";
    assert_eq!(titles, ["other", "tiny"].map(|study| format!("{study}: {band}")));
    let charts = categories[1]["chart"].as_array().unwrap();
    assert_eq!(charts.len(), 3);
    for chart in charts {
        let series = &chart["margin"]["series"][0];
        for end in ["value", "lower", "upper"] {
            let tag = series[end].as_str().unwrap();
            assert!(arm["run"]["scalars"][tag].is_array(), "no run has {tag}");
        }
    }
    // One run a folder of events, and no other.
    let runs: Vec<&str> =
        shown["runs"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(runs.len(), 2 * (1 + 2 + 4 * 4), "{runs:?}");
    assert!(runs.contains(&"tiny/report") && runs.contains(&"tiny/small"), "{runs:?}");

    let report = read(&scene, "runs/tiny/report");
    let answer = report["run"]["texts"]["answer"].as_str().unwrap();
    assert_eq!(answer, scene.read("runs/tiny/report/verdict.md"));
    let images = report["run"]["images"].as_object().unwrap();
    let names: Vec<&String> = images.keys().collect();
    assert_eq!(names, ["report/answer"]);
    for (name, image) in images {
        assert_eq!(image[2], "89504e470d0a1a0a", "{name}");
        assert!(image[0].as_u64().unwrap() > 400 && image[1].as_u64().unwrap() > 200, "{name}");
    }
}

/// The name and the bytes of the only event file in a folder.
fn event_file(folder: &Path) -> (String, Vec<u8>) {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_events = |path: &std::path::PathBuf| {
        path.is_file() && path.file_name().unwrap().to_string_lossy().contains("events")
    };
    let mut found: Vec<_> = paths.filter(is_events).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let path = found.pop().unwrap();
    (path.display().to_string(), fs::read(path).unwrap())
}

#[test]
fn events_of_the_study_stay_as_they_are_until_its_records_change() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let files = || ["report", "small"].map(|run| event_file(&scene.path("runs/tiny").join(run)));
    scene.run(&["run", "tiny.yaml", "--only", "seed-0"]).expect(0);
    let with_one = files();
    scene.run(&["report", "runs/tiny"]).expect(0);
    assert_eq!(files(), with_one, "the same records");
    let tags = |arm: &str| -> Vec<[Value; 3]> {
        let shown = told("read_plugins.py", &scene.path("runs/tiny"));
        let events = read(&scene, &format!("runs/tiny/{arm}"));
        let points = |tag: &String| events["run"]["scalars"][tag].clone();
        charts(&shown["layout"], "tiny").iter().map(|tags| tags.each_ref().map(points)).collect()
    };
    let shown = told("read_plugins.py", &scene.path("runs/tiny"));
    assert_eq!(
        shown["layout"]["category"][0]["title"],
        "tiny: one seed, against training examples seen"
    );
    for [mean, low, high] in tags("small") {
        assert_eq!(mean.as_array().unwrap().len(), 3);
        assert_eq!([&low, &high], [&mean, &mean], "one seed has no band");
    }
    scene.run(&["run", "tiny.yaml"]).expect(0);
    for ((before, _), (after, _)) in with_one.iter().zip(&files()) {
        assert!(after > before, "a TensorBoard that watches goes on to the later name: {after}");
    }
    for [mean, low, high] in tags("small") {
        assert!(low != mean && high != mean, "two seeds have one");
    }
}

#[test]
fn studies_of_the_same_name_have_charts_and_tags_of_their_own() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let first = ["run", "tiny.yaml", "--only", "seed-0"];
    scene.run(&first).expect(0);
    scene.run(&[&first[..], &["--out", "runs/again (2)"]].concat()).expect(0);
    let shown = told("read_plugins.py", &scene.path("runs"));
    let (tiny, again) =
        (charts(&shown["layout"], "tiny"), charts(&shown["layout"], "tiny in again (2)"));
    let groups = shown["session_groups"].as_array().unwrap();
    let names: Vec<&str> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
    let rows = ["again (2)/large", "again (2)/small", "tiny/large", "tiny/small"];
    assert_eq!(names, rows, "a row an arm of each study");
    let events = read(&scene, "runs/again (2)/small");
    for (tags, others) in again.iter().zip(&tiny) {
        for (tag, other) in tags.iter().zip(others) {
            assert!(tag != other && !tag.contains('('), "{tag}");
            assert!(events["run"]["scalars"][tag].is_array(), "{tag}: {events}");
        }
    }
}
