use crate::util::{STUDY, Scene};
use batchscope::kernels::EngineKind;
use batchscope::spec::{Input, Shape, Stack};
use npyz::WriterBuilder;
use npyz::npz::NpzWriter;
use std::fs;

const RUNS: [&str; 4] = ["small/seed-0", "small/seed-1", "large/seed-0", "large/seed-1"];

#[test]
fn the_same_file_gives_the_same_bits_whatever_the_workers_threads_and_instructions() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    // A single worker has all cores as threads.
    for (workers, set) in [("1", None), ("2", Some("portable")), ("3", None)] {
        let mut arguments = vec!["run", "tiny.yaml", "--workers", workers, "--out", workers];
        arguments.extend(set.iter().flat_map(|set| ["--instructions", set]));
        scene.run(&arguments).expect(0);
    }
    for run in RUNS {
        for file in ["metrics.jsonl", "record.json"] {
            let one = scene.read(&format!("1/{run}/{file}"));
            assert!(one.lines().count() >= 3);
            assert_eq!(one, scene.read(&format!("2/{run}/{file}")), "{run}/{file}");
            assert_eq!(one, scene.read(&format!("3/{run}/{file}")), "{run}/{file}");
        }
        let weights = |study: &str| {
            fs::read(scene.path(&format!("{study}/{run}/weights.safetensors"))).unwrap()
        };
        assert_eq!(weights("1"), weights("2"), "{run}");
    }
}

#[test]
fn the_engine_that_serves_is_recorded_and_a_study_never_changes_it() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--instructions", "portable"]).expect(0);
    let plain = Shape { input: Input::Features(3), layers: Stack::lstm(5), outputs: 1 };
    let served = EngineKind::best_for_processor(&plain).name();
    let record = json(&scene.read(&format!("runs/tiny/{}/record.json", RUNS[0])));
    assert_eq!(record["definition"]["engine"], served);
    assert!(scene.read("runs/tiny/study.yaml").contains(&format!("engine: {served}")));
    let session = &json(&scene.read("runs/tiny/environment.json"))[0];
    assert_eq!(session["engine"], served);
    let other = if served == "fused" { "libtorch" } else { "fused" };
    let set = format!("train.engine={other}");
    let refused = scene.run(&["run", "tiny.yaml", "--set", &set]).expect(2);
    assert!(refused.stderr.contains("engine"), "{}", refused.stderr);
    assert!(refused.stderr.contains(other), "{}", refused.stderr);
}

#[test]
fn the_resolved_file_gives_the_same_study() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--set", "train.epochs=2"]).expect(0);
    scene.run(&["run", "runs/tiny/study.yaml", "--out", "again"]).expect(0);
    for run in RUNS {
        let first = scene.read(&format!("runs/tiny/{run}/metrics.jsonl"));
        assert_eq!(first, scene.read(&format!("again/{run}/metrics.jsonl")));
    }
    assert_eq!(scene.read("runs/tiny/study.yaml"), scene.read("again/study.yaml"));
}

#[test]
fn arms_of_one_seed_share_their_first_weights_and_seeds_do_not() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    // One step on all examples: what differs between runs can come from the first weights only.
    let sets = ["--set", "study.arms.0.batch_size=72", "--set", "study.arms.1.batch_size=72"];
    let arguments = [&["run", "tiny.yaml", "--set", "train.epochs=1"][..], &sets].concat();
    scene.run(&arguments).expect(0);
    let metrics = |run: &str| scene.read(&format!("runs/tiny/{run}/metrics.jsonl"));
    assert_eq!(metrics("small/seed-0"), metrics("large/seed-0"));
    assert_ne!(metrics("small/seed-0"), metrics("small/seed-1"));
}

#[test]
fn a_run_that_diverges_is_recorded_and_the_study_goes_on() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("batch_size: 8", "batch_size: 8, lr: 1.0e38"));
    let ended = scene.run(&["run", "tiny.yaml"]).expect(1);
    assert!(
        ended.stdout.contains("not finished: small/seed-0: diverged: the loss of step"),
        "{}",
        ended.stdout
    );
    let record: serde_json::Value =
        serde_json::from_str(&scene.read("runs/tiny/small/seed-0/record.json")).unwrap();
    assert!(record["status"]["diverged"]["step"].as_u64().unwrap() >= 2, "{record}");
    assert!(scene.read("runs/tiny/large/seed-1/record.json").contains("\"finished\""));
    let again = scene.run(&["run", "tiny.yaml"]).expect(1);
    assert!(again.stderr.contains("4 of 4 runs are already finished"), "{}", again.stderr);
    // A study of nothing else is told of, too.
    let only = ["run", "tiny.yaml", "--out", "wild", "--set", "study.arms.1.lr=1.0e38"];
    let wild = scene.run(&only).expect(1).stdout;
    assert!(wild.contains("Of 4 runs: 4 diverged."), "{wild}");
    assert!(wild.contains("report  wild/report/index.html"), "{wild}");
    assert!(!scene.path("wild/report/tables/runs.csv").exists());
}

#[test]
fn a_finished_run_is_never_run_again_and_new_seeds_are_added() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--set", "study.seeds=1"]).expect(0);
    let file = scene.path("runs/tiny/small/seed-0/weights.safetensors");
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    let ended = scene.run(&["run", "tiny.yaml"]).expect(0);
    assert!(ended.stderr.contains("2 of 4 runs are already finished"), "{}", ended.stderr);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
    assert!(scene.path("runs/tiny/small/seed-1/weights.safetensors").exists());
}

#[test]
fn a_folder_that_holds_other_runs_is_refused_with_the_difference() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml"]).expect(0);
    let ended = scene.run(&["run", "tiny.yaml", "--set", "study.arms.0.batch_size=16"]).expect(2);
    assert!(ended.stderr.contains("arm.batch_size: 8 -> 16"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: give the changed study another name"), "{}", ended.stderr);
}

/// Writes `arrays.npz` with 60 examples for training and 20 for validation.
pub(crate) fn arrays(scene: &Scene) {
    let mut npz = NpzWriter::new(fs::File::create(scene.path("arrays.npz")).unwrap());
    for (split, n) in [("train", 60u64), ("val", 20)] {
        let values = (0..n * 4 * 2).map(|at| {
            let (row, noise) = (at / 8, (at * 37 % 101) as f32 / 101.0);
            noise + (row % 2) as f32
        });
        let mut x = npz
            .array(&format!("X_{split}"), Default::default())
            .unwrap()
            .default_dtype()
            .shape(&[n, 4, 2])
            .begin_nd()
            .unwrap();
        x.extend(values).unwrap();
        x.finish().unwrap();
        let mut y = npz
            .array(&format!("y_{split}"), Default::default())
            .unwrap()
            .default_dtype()
            .shape(&[n])
            .begin_nd()
            .unwrap();
        y.extend((0..n).map(|row| (row % 2) as i64)).unwrap();
        y.finish().unwrap();
    }
    drop(npz);
}

/// Writes `X_<split> [n, steps, 2]` and `y_<split> [n]`, whose labels can be learned.
fn write_arrays(scene: &Scene, splits: &[(&str, u64)], steps: u64) {
    let mut npz = NpzWriter::new(fs::File::create(scene.path("arrays.npz")).unwrap());
    for (split, n) in splits {
        let size = steps * 2;
        let values = (0..n * size).map(|at| {
            let (row, noise) = (at / size, (at * 37 % 101) as f32 / 101.0);
            noise + (row % 2) as f32
        });
        let mut x = npz
            .array(&format!("X_{split}"), Default::default())
            .unwrap()
            .default_dtype()
            .shape(&[*n, steps, 2])
            .begin_nd()
            .unwrap();
        x.extend(values).unwrap();
        x.finish().unwrap();
        let mut y = npz
            .array(&format!("y_{split}"), Default::default())
            .unwrap()
            .default_dtype()
            .shape(&[*n])
            .begin_nd()
            .unwrap();
        y.extend((0..*n).map(|row| (row % 2) as i64)).unwrap();
        y.finish().unwrap();
    }
}

#[test]
fn arrays_are_trained_as_the_seed_code_names_them() {
    let scene = Scene::new();
    write_arrays(&scene, &[("train", 60), ("val", 20)], 4);
    scene.write(
        "arrays.yaml",
        "study: { seeds: 1, grid: { batch_size: [8] } }\n\
         data: { arrays: { path: arrays.npz, x_val: X_val, y_val: y_val } }\n\
         train: { epochs: 12, device: cpu, optimizer: { adam: { lr: 0.01 } } }\n",
    );
    scene.run(&["run", "arrays.yaml"]).expect(0);
    let last: serde_json::Value = scene
        .read("runs/arrays/batch-8/seed-0/metrics.jsonl")
        .lines()
        .last()
        .map(|line| serde_json::from_str(line).unwrap())
        .unwrap();
    assert!(last["validation"]["accuracy"].as_f64().unwrap() > 0.95, "{last}");
    assert_eq!(last["step"], 12 * 8, "60 rows in batches of 8 are 8 steps, the last of 4 rows");

    let wrong = ["run", "arrays.yaml", "--set", "data.arrays.x_train=X"];
    let ended = scene.run(&wrong).expect(2);
    assert!(ended.stderr.contains("there is no array `X`"), "{}", ended.stderr);
    assert!(ended.stderr.contains("`X_train`"), "{}", ended.stderr);
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_arm_may_change_any_key_of_model_and_train() {
    let scene = Scene::new();
    scene.write(
        "arms.yaml",
        &STUDY.replace("{ name: small, batch_size: 8 }", "{ name: small, batch_size: 8, steps: 7, \
         model: { lstm: { units: 3, dropout: 0.2, recurrent_dropout: 0.1, kernel_regularizer: { l2: 0.01 } } }, \
         train: { optimizer: { sgd: { momentum: 0.9 } }, clip: { norm: 1.0 }, class_weight: balanced, \
         warmup: { examples: 24 }, schedule: { cosine: { per: step } } } }"),
    );
    scene.run(&["run", "arms.yaml"]).expect(0);
    let record = json(&scene.read("runs/tiny/small/seed-0/record.json"));
    assert_eq!(record["definition"]["model"]["units"], 3);
    assert_eq!(record["definition"]["arm"]["train"]["optimizer"]["sgd"]["momentum"], 0.9);
    let lines = scene.read("runs/tiny/small/seed-0/metrics.jsonl");
    let last = json(lines.lines().last().unwrap());
    assert_eq!((last["step"].as_u64(), last["examples"].as_u64()), (Some(7), Some(56)));
    let other = json(&scene.read("runs/tiny/large/seed-0/record.json"));
    assert_eq!(other["definition"]["model"]["units"], 5);
    assert!(other["definition"]["arm"]["train"]["clip"].is_null(), "{other}");
    assert!(scene.read("runs/tiny/study.yaml").contains("sgd:"));
    // What was resolved is the same study.
    scene.run(&["run", "runs/tiny/study.yaml", "--out", "again"]).expect(0);
    assert_eq!(lines, scene.read("again/small/seed-0/metrics.jsonl"));
}

#[test]
fn early_stopping_measures_the_test_split_with_the_best_weights() {
    let scene = Scene::new();
    let stopping = "epochs: 40\n  optimizer: { adam: { lr: 0.05 } }\n  early_stopping: { patience: 3, restore_best_weights: true }";
    scene.write("tiny.yaml", &STUDY.replace("epochs: 3", stopping));
    scene.run(&["run", "tiny.yaml", "--only", "small/seed-0"]).expect(0);
    let record = json(&scene.read("runs/tiny/small/seed-0/record.json"));
    let result = &record["result"];
    let lines = scene.read("runs/tiny/small/seed-0/metrics.jsonl");
    let losses: Vec<f64> =
        lines.lines().map(|line| json(line)["validation"]["loss"].as_f64().unwrap()).collect();
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    assert!(result["stopped_early"].as_bool().unwrap() && losses.len() < 40, "{result}");
    assert_eq!(result["best_epoch"].as_u64(), Some(best as u64));
    assert_eq!(losses.len(), best + 4);
    let measured =
        scene.run(&["evaluate", "runs/tiny/small/seed-0", "--split", "validation", "--json"]);
    let loss = json(&measured.expect(0).stdout)["metrics"]["loss"].as_f64().unwrap();
    assert_eq!(loss.to_bits(), losses[best].to_bits());
}

#[test]
fn predictions_of_the_test_split_are_kept_row_by_row() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--only", "small/seed-0"]).expect(0);
    let table = scene.read("runs/tiny/small/seed-0/test_predictions.csv");
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("row,label,logit,probability"));
    let source = scene.read("reviews.csv");
    let (mut right, mut count) = (0, 0);
    for line in lines {
        let fields: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
        let [row, label, logit, probability] = fields[..] else { panic!("{line}") };
        let text = source.lines().nth(row as usize - 1).unwrap();
        assert!(text.ends_with(&format!(",{label}")), "line {row}: {text}");
        assert!((1.0 / (1.0 + (-logit).exp()) - probability).abs() < 1e-6);
        right += u32::from((probability > 0.5) == (label > 0.5));
        count += 1;
    }
    let record = json(&scene.read("runs/tiny/small/seed-0/record.json"));
    let accuracy = record["result"]["test"]["accuracy"].as_f64().unwrap();
    assert!((accuracy - f64::from(right) / f64::from(count)).abs() < 1e-12);
}

#[test]
fn first_weights_are_read_from_a_file_and_its_content_defines_the_run() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--only", "small/seed-0"]).expect(0);
    let file = "runs/tiny/small/seed-0/weights.safetensors";
    let init = format!("model.init={{ weights: {file} }}");
    let budget = ["--set", "study.seeds=2", "--set", "train.epochs=1"];
    let arguments = [&["run", "tiny.yaml", "--out", "next", "--set", &init][..], &budget].concat();
    scene.run(&arguments).expect(0);
    let last = scene.read("runs/tiny/small/seed-0/metrics.jsonl");
    let last = json(last.lines().last().unwrap())["train"]["loss"].as_f64().unwrap();
    let first = scene.read("next/small/seed-1/metrics.jsonl");
    let first = json(first.lines().next().unwrap())["train"]["loss"].as_f64().unwrap();
    assert!(first < last, "it begins at {first}, where the other ended at {last}");
    let other = fs::read(scene.path("runs/tiny/small/seed-0/weights.safetensors")).unwrap();
    fs::write(scene.path("w.safetensors"), other).unwrap();
    scene.run(&["run", "tiny.yaml", "--only", "small/seed-1"]).expect(0);
    fs::copy(scene.path("runs/tiny/small/seed-1/weights.safetensors"), scene.path(file)).unwrap();
    let ended = scene.run(&arguments).expect(2);
    assert!(ended.stderr.contains("first_weights"), "{}", ended.stderr);
    let ended = scene.run(&["run", "tiny.yaml", "--set", "model.init={ weights: none }"]).expect(2);
    assert!(ended.stderr.contains("cannot read the first weights none"), "{}", ended.stderr);
    let other = ["run", "tiny.yaml", "--set", &init, "--set", "model.lstm.units=4", "--out", "odd"];
    let ended = scene.run(&other).expect(2);
    assert!(ended.stderr.contains("lstm.weight_ih"), "{}", ended.stderr);
    assert!(!scene.path("odd").exists(), "a run was begun with weights that do not fit");
}

/// A batch of 900 rows of 400 steps needs about 800 MB; a limit on the address space of the program
/// and its workers makes it fail as a machine without that memory would. How much libtorch itself
/// takes differs between machines, so limits are tried from large to small.
#[test]
fn a_batch_that_does_not_fit_is_taken_in_parts_and_the_record_says_so() {
    let scene = Scene::new();
    write_arrays(&scene, &[("train", 900), ("val", 30)], 400);
    scene.write(
        "large.yaml",
        "study: { seeds: 1, grid: { batch_size: [900] } }\n\
         data: { arrays: { path: arrays.npz, x_val: X_val, y_val: y_val } }\n\
         train: { epochs: 2, device: cpu, engine: libtorch }\n",
    );
    scene.run(&["run", "large.yaml", "--out", "whole"]).expect(0);
    let short = (2..12).rev().find_map(|tenths| {
        let out = format!("short-{tenths}");
        let run = scene.batchscope(&["run", "large.yaml", "--out", &out]);
        let mut limited = std::process::Command::new("sh");
        limited.current_dir(scene.path("")).arg("-c").arg(format!(
            "ulimit -v {}; exec '{}' run large.yaml --out {out}",
            tenths * 200_000,
            run.get_program().display()
        ));
        let ended = crate::util::Ended::from(limited.output().unwrap());
        let record = fs::read_to_string(scene.path(&format!("{out}/batch-900/seed-0/record.json")));
        let result = json(&record.ok()?)["result"].clone();
        result["micro_batch"].as_u64().map(|rows| (out, rows, ended.expect(0)))
    });
    let (out, rows, ended) = short.expect("no limit made memory short");
    assert!([450, 225, 113, 57].contains(&rows), "{rows}");
    let said = format!("memory was short, so gradients were summed over parts of {rows} rows");
    assert!(ended.stdout.contains(&said), "{}", ended.stdout);
    let loss = |out: &str| {
        let lines = scene.read(&format!("{out}/batch-900/seed-0/metrics.jsonl"));
        json(lines.lines().last().unwrap())["validation"]["loss"].as_f64().unwrap()
    };
    assert!((loss("whole") - loss(&out)).abs() < 1e-5, "{} and {}", loss("whole"), loss(&out));
}

#[test]
fn settings_that_only_the_data_can_show_to_be_wrong_or_odd_are_said() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let refused = |set: &str, message: &str| {
        let ended = scene.run(&["run", "tiny.yaml", "--set", set]).expect(2);
        assert!(ended.stderr.contains(message), "{set}: {}", ended.stderr);
    };
    refused(
        "train.warmup={ steps: 27 }",
        "from `--set`: arm `small`: the warm-up takes 27 steps, and the whole run 27 (at `train.warmup`)",
    );
    refused(
        "study.arms.1.schedule={ multistep: { at: [4, 9], per: step } }",
        "from `--set`: arm `large`: its schedule goes on after the run has ended: step 9 after the warm-up, and \
         the last is 8 (at `study.arms[1].schedule`)",
    );
    let ended =
        scene.run(&["check", "tiny.yaml", "--set", "study.arms.1.batch_size=400"]).expect(0);
    assert!(ended.stderr.contains("warning: arm `large`: its batch size 400 exceeds the 72"));
    // Sorted by label: half of the rows, then the other half.
    let table = scene.read("reviews.csv");
    let (header, rows) = table.split_once('\n').unwrap();
    let (ones, zeros): (Vec<&str>, Vec<&str>) = rows.lines().partition(|row| row.ends_with('1'));
    scene.write("reviews.csv", &[&[header][..], &zeros, &ones].concat().join("\n"));
    let ended = scene.run(&["check", "tiny.yaml", "--set", "train.shuffle=false"]).expect(0);
    assert!(
        ended.stderr.contains("warning: arm `small`: with `shuffle: false`"),
        "{}",
        ended.stderr
    );
    let ended = scene.run(&["check", "tiny.yaml"]).expect(0);
    // Of the machine, such as its CUDA, something may be said.
    assert!(!ended.stderr.contains("warning: arm"), "{}", ended.stderr);
}

/// What the verdict's JSON and the seeds of a study say.
fn seeds_of(scene: &Scene, study: &str) -> (serde_json::Value, Vec<u64>) {
    let report = json(&scene.run(&["report", study, "--json"]).expect(0).stdout);
    let planned = report["reports"][0]["comparison"]["arms"].as_array().unwrap().iter();
    let planned: Vec<u64> = planned.map(|arm| arm["planned"].as_u64().unwrap()).collect();
    (report["reports"][0]["verdict"].clone(), planned)
}

#[test]
fn finished_seeds_count_whatever_number_the_file_says() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("seeds: 2", "seeds: 3"));
    scene.run(&["run", "tiny.yaml", "--set", "study.seeds=4"]).expect(0);
    let (verdict, _) = seeds_of(&scene, "runs/tiny");
    let resolved = scene.read("runs/tiny/study.yaml");
    let runs = |scene: &Scene| scene.read("runs/tiny/report/tables/runs.csv");
    let told = runs(&scene);

    let again = scene.run(&["run", "tiny.yaml"]).expect(0);
    let said = "4 seeds are finished where the file says 3: all 4 are used";
    assert!(again.stderr.contains(said), "{}", again.stderr);
    assert!(again.stderr.contains("8 of 8 runs are already finished"), "{}", again.stderr);
    assert_eq!(scene.read("runs/tiny/study.yaml"), resolved);
    assert_eq!((seeds_of(&scene, "runs/tiny"), runs(&scene)), ((verdict, vec![4, 4]), told));
    assert!(scene.run(&["report", "runs/tiny"]).expect(0).stderr.contains(said));
    assert!(scene.run(&["status", "runs/tiny"]).expect(0).stdout.contains(said));

    // An earlier version had written the file's number.
    let (_, below) = resolved.split_once('\n').unwrap();
    let earlier = below.replace("seeds: 4", "seeds: 3");
    assert_ne!(earlier, below);
    scene.write("runs/tiny/study.yaml", &earlier);
    fs::remove_file(scene.path("runs/tiny/environment.json")).unwrap();
    assert_eq!(seeds_of(&scene, "runs/tiny").1, [4, 4]);
}

#[test]
fn seeds_beyond_the_file_count_where_they_are_finished_and_are_not_trained_where_not() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml"]).expect(0);
    let more = ["run", "tiny.yaml", "--set", "study.seeds=4", "--only", "small/seed-3"];
    scene.run(&more).expect(0);
    let ended = scene.run(&["run", "tiny.yaml"]).expect(0);
    let said = "finished beyond the 2 seeds that the file says, and used too: small/seed-3";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert!(ended.stderr.contains("5 of 5 runs are already finished"), "{}", ended.stderr);
    assert!(!scene.path("runs/tiny/large/seed-3/record.json").exists());
    assert!(scene.read("runs/tiny/study.yaml").contains("seeds: 4"));
    let status = json(&scene.run(&["status", "runs/tiny", "--json"]).expect(0).stdout);
    assert_eq!(status["state"], "finished");
    assert_eq!(status["runs"].as_array().unwrap().len(), 5);
    assert_eq!(seeds_of(&scene, "runs/tiny").1, [3, 2]);
}

#[test]
fn finished_arms_that_the_file_names_no_more_stay_and_are_told_of_before_anything_is_written() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml"]).expect(0);
    scene.write(
        "tiny.yaml",
        &STUDY
            .replace("{ name: large, batch_size: 24 }", "")
            .replace("{ name: large", "{ name: other"),
    );
    let ended = scene.run(&["run", "tiny.yaml", "--only", "small"]).expect(0);
    let said = "left out, since the file does not name them: large (2 finished runs)";
    let at = ended.stderr.find(said).unwrap_or_else(|| panic!("{}", ended.stderr));
    assert!(at < ended.stderr.find("study  tiny").unwrap(), "{}", ended.stderr);
    assert!(scene.path("runs/tiny/large/seed-1/weights.safetensors").exists());
    assert!(scene.run(&["report", "runs/tiny"]).expect(0).stderr.contains(said));
    // Another definition of the same arm is no seed of it.
    scene.write("tiny.yaml", &STUDY.replace("seeds: 2", "seeds: 1"));
    let other = ["--out", "o", "--set", "train.epochs=2"];
    scene.run(&[&["run", "tiny.yaml", "--set", "study.seeds=2"][..], &other].concat()).expect(0);
    ["small/seed-0", "large"].iter().for_each(|folder| {
        fs::remove_dir_all(scene.path(&format!("o/{folder}"))).unwrap();
    });
    let ended = scene.run(&["run", "tiny.yaml", "--out", "o"]).expect(0);
    assert!(ended.stderr.contains("small/seed-1 (other settings)"), "{}", ended.stderr);
}

#[test]
fn a_study_that_was_interrupted_names_no_winner() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("seeds: 2", "seeds: 3"));
    let ended = scene.run(&["run", "tiny.yaml", "--only", "small/seed-0"]).expect(0);
    for text in [&ended.stdout, &scene.read("runs/tiny/report/verdict.md")] {
        assert!(text.contains("1 of 6 runs finished: no comparison yet"), "{text}");
        assert!(!text.contains("Use ") && !text.contains("highest mean"), "{text}");
    }
    assert!(scene.read("runs/tiny/report/index.html").contains("no comparison yet"));
    let (verdict, _) = seeds_of(&scene, "runs/tiny");
    assert_eq!(
        (&verdict["outcome"], &verdict["recommended"]),
        (&"too_few_seeds".into(), &serde_json::Value::Null)
    );
    scene.run(&["run", "tiny.yaml"]).expect(0);
    assert_ne!(seeds_of(&scene, "runs/tiny").0["recommended"], serde_json::Value::Null);
}
