//! What damage to a study's folder, and strangers in it, do to its results: nothing unseen.

use crate::util::{STUDY, Scene};
use batchscope::study::{FinishedRun, RunFolder, StudyStatus, TrainedRun, test_rows};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const RUN: &str = "study/small/seed-0";

/// A finished study with everything that may be recorded.
fn finished(scene: &Scene) {
    let probe = "seeds: 1\n  probe: { noise_scale: {}, sharpness: { rows: 20, steps: 4 }, line: \
                 { points: 4 } }";
    let text = STUDY.replace("seeds: 2", probe).replace(
        "epochs: 3",
        "epochs: 3\n  evaluate_every: { examples: 30 }\n  logging: { every_steps: 1, histograms: true }",
    );
    scene.write("tiny.yaml", &text);
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
}

/// Everything that commands take from the folder of a run.
fn results(study: &Path, run: &Path) -> anyhow::Result<String> {
    let folder = RunFolder::new(run);
    let status = StudyStatus::read(study)?;
    let arm = &status.study.arms[0];
    let finished = FinishedRun::read(&folder, arm)?;
    Ok(format!(
        "{finished:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        test_rows(&folder)?,
        folder.evaluations()?,
        folder.evaluation_timing()?,
        folder.steps()?,
        folder.noise()?,
        folder.histograms()?,
        folder.sharpness()?,
        folder.line()?,
        TrainedRun::open(run)?.weights,
    ))
}

#[test]
fn a_flipped_bit_in_any_file_of_a_finished_run_changes_no_result_and_is_named() {
    let scene = Scene::new();
    finished(&scene);
    let (study, run) = (scene.path("study"), scene.path(RUN));
    let whole = results(&study, &run).unwrap();
    for name in [
        "record.json",
        "metrics.jsonl",
        "timing.jsonl",
        "steps.jsonl",
        "evaluations.jsonl",
        "evaluation_timing.jsonl",
        "noise.jsonl",
        "histograms.jsonl",
        "test_predictions.csv",
        "weights.safetensors",
        "sharpness.json",
    ] {
        let path = run.join(name);
        let written = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let every = (written.len() / 60).max(1);
        let mut seen = 0;
        for at in (0..written.len()).step_by(every) {
            let mut bytes = written.clone();
            bytes[at] ^= 1 << (at % 7);
            fs::write(&path, &bytes).unwrap();
            match results(&study, &run) {
                Ok(found) => assert_eq!(found, whole, "{name}, byte {at}"),
                Err(error) => {
                    let said = format!("{error:#}");
                    assert!(said.contains(&format!("small/seed-0/{name}")), "{name}, {at}: {said}");
                    seen += 1;
                }
            }
        }
        // Cut short at the end of a line, and gone.
        let lines = written.iter().filter(|byte| **byte == b'\n').count();
        if lines > 1 && name.ends_with('l') {
            let half = written.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            fs::write(&path, &written[..half]).unwrap();
            assert!(format!("{:#}", results(&study, &run).unwrap_err()).contains(name), "{name}");
        }
        assert!(seen > 40, "{name}: {seen}");
        fs::write(&path, &written).unwrap();
    }
    assert_eq!(results(&study, &run).unwrap(), whole);
}

#[test]
fn a_damaged_run_is_named_with_the_way_to_repeat_it_which_gives_the_same() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    let metrics = scene.read(&format!("{RUN}/metrics.jsonl"));
    let record = scene.read(&format!("{RUN}/record.json"));
    let changed = metrics.replacen("\"accuracy\":0.", "\"accuracy\":1.", 1);
    assert_ne!(changed, metrics);
    scene.write(&format!("{RUN}/metrics.jsonl"), &changed);
    for (command, code) in [
        (&["report", "study"][..], 1),
        (&["status", "study"], 1),
        (&["run", "tiny.yaml", "--out", "study"], 2),
        (&["run", "tiny.yaml", "--out", "study", "--only", "large"], 2),
    ] {
        let ended = scene.run(command).expect(code);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("small/seed-0/metrics.jsonl is damaged"), "{said}");
        assert!(said.contains("remove the folder of this run, study/small/seed-0"), "{said}");
    }
    fs::remove_dir_all(scene.path(RUN)).unwrap();
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    assert_eq!(scene.read(&format!("{RUN}/metrics.jsonl")), metrics);
    assert_eq!(scene.read(&format!("{RUN}/record.json")), record);
    let blank = format!("\n{}\n\n", metrics.replace('\n', "\n\n"));
    scene.write(&format!("{RUN}/metrics.jsonl"), &blank);
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    // The kept vocabulary decides what texts mean.
    let words = scene.read("study/data/vocabulary.txt");
    scene.write("study/data/vocabulary.txt", &words.replacen("splendid", "splendor", 1));
    let predict = ["predict", RUN, "--input", "reviews.csv", "--output", "p.csv"];
    let ended = scene.run(&predict).expect(2);
    assert!(ended.stderr.contains("data/vocabulary.txt is damaged"), "{}", ended.stderr);
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    scene.run(&predict).expect(0);
}

#[test]
fn a_study_with_a_damaged_run_is_shown_without_it() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    for name in ["record.json", "timing.jsonl", "test_predictions.csv", "weights.safetensors"] {
        let path = scene.path(&format!("{RUN}/{name}"));
        let written = fs::read(&path).unwrap();
        let mut damaged = written.clone();
        damaged[written.len() / 2] ^= 4;
        fs::write(&path, &damaged).unwrap();
        let ended = scene.run(&["status", "study", "--json"]).expect(1);
        let status: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(status["state"], "damaged", "{name}");
        let run = &status["runs"][0];
        assert_eq!((&run["run"], &run["state"]), (&"small/seed-0".into(), &"damaged".into()));
        assert!(run["message"].as_str().unwrap().contains(&format!("{name} is damaged: ")));
        assert!(run["hint"].as_str().unwrap().starts_with("remove the folder of this run, study/"));
        let counts = |arm: &Value| (arm["finished"].as_u64(), arm["planned"].as_u64());
        assert_eq!(counts(&status["arms"][0]), (Some(1), Some(2)), "{name}");
        assert_eq!(counts(&status["arms"][1]), (Some(2), Some(2)), "{name}");

        let ended = scene.run(&["report", "study", "--json"]).expect(1);
        let said = format!("warning: small/seed-0: damaged, and left out: study/{RUN}/{name}");
        let said = said.replace("study/study", "study");
        assert!(ended.stderr.contains(&said), "{said}: {}", ended.stderr);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["damaged"].as_array().unwrap().len(), 1, "{name}");
        let arms = &report["reports"][0]["comparison"]["arms"];
        let finished = |at: usize| arms[at]["finished"].as_u64();
        assert_eq!((finished(0), finished(1)), (Some(1), Some(2)), "{name}");
        fs::write(&path, &written).unwrap();
    }
    scene.run(&["report", "study"]).expect(0);
    scene.run(&["status", "study"]).expect(0);
}

#[test]
fn a_file_of_a_finished_run_that_is_gone_is_missing_and_not_damaged() {
    let scene = Scene::new();
    let best = "epochs: 3\n  early_stopping: { monitor: val_loss, patience: 2, restore_best_weights: \
                true }";
    scene.write("tiny.yaml", &STUDY.replace("epochs: 3", best).replace("seeds: 2", "seeds: 1"));
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    for name in [
        "weights.safetensors",
        "best/weights.safetensors",
        "metrics.jsonl",
        "timing.jsonl",
        "steps.jsonl",
        "test_predictions.csv",
    ] {
        let path = scene.path(&format!("{RUN}/{name}"));
        let Ok(written) = fs::read(&path) else {
            assert_eq!(name, "steps.jsonl", "no steps are recorded unless asked for");
            continue;
        };
        let mut half = written.clone();
        half.truncate(written.len() / 2);
        for (what, content) in [("is missing", None), ("is damaged: ", Some(half))] {
            match content {
                None => fs::remove_file(&path).unwrap(),
                Some(content) => fs::write(&path, content).unwrap(),
            }
            let said = format!("{RUN}/{name} {what}");
            let ended = scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(2);
            assert!(ended.stderr.contains(&format!("error: {said}")), "{said}: {}", ended.stderr);
            let hint = "hint: remove the folder of this run, study/small/seed-0, and repeat";
            assert!(ended.stderr.contains(hint), "{}", ended.stderr);
            assert!(scene.run(&["report", "study"]).expect(1).stderr.contains(&said), "{said}");
        }
        fs::write(&path, &written).unwrap();
    }
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
}

#[test]
fn a_resolved_study_that_was_cut_short_is_refused_by_all_that_read_it_and_written_again() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("seeds: 2", "seeds: 1"));
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    let whole = scene.read("study/study.yaml");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    // Cut between lines it is YAML as before, with defaults for what is gone.
    for count in [0, 1, lines.len() / 2, lines.len() - 1] {
        scene.write("study/study.yaml", &lines[..count].concat());
        for command in [
            &["status", "study"][..],
            &["report", "study"],
            &["evaluate", RUN],
            &["predict", RUN, "--input", "reviews.csv"],
            &["export", RUN, "--format", "torch"],
        ] {
            let said = scene.run(command).expect(2).stderr;
            assert!(said.contains("study/study.yaml is damaged: "), "{command:?}: {said}");
            let hint = "hint: repeat the same `batchscope run` of your own file: it writes this file \
                        again";
            assert!(said.contains(hint), "{command:?}: {said}");
        }
    }
    // As an experiment file of its own it is told.
    let said = scene.run(&["check", "study/study.yaml"]).stderr;
    assert!(said.contains("study/study.yaml is not as batchscope wrote it"), "{said}");
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    assert_eq!(scene.read("study/study.yaml"), whole);
    scene.run(&["status", "study"]).expect(0);
}

#[test]
fn damaged_notes_on_sessions_are_put_aside_and_written_anew() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("seeds: 2", "seeds: 1"));
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    scene.run(&["run", "tiny.yaml", "--out", "study", "--set", "study.margin=0.02"]).expect(0);
    let whole = scene.read("study/environment.json");
    let half = whole[..whole.len() / 2].to_owned();
    let changed = whole.replace("\"margin\": 0.02", "\"margin\": 0.03");
    assert_ne!(changed, whole);
    for (damaged, sessions) in [(half, 1), (changed, 2), ("{}".into(), 1)] {
        scene.write("study/environment.json", &damaged);
        for command in [&["status", "study"][..], &["report", "study"]] {
            let said = scene.run(command).expect(2).stderr;
            assert!(said.contains("study/environment.json is damaged: "), "{said}");
            assert!(
                said.contains("hint: repeat the same `batchscope run`: it puts this file aside")
            );
        }
        let ended = scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
        let said =
            "it holds no result, and is put aside as study/environment.json.damaged and written";
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert_eq!(scene.read("study/environment.json.damaged"), damaged);
        let found: Value = serde_json::from_str(&scene.read("study/environment.json")).unwrap();
        assert_eq!(found.as_array().unwrap().len(), sessions);
        scene.run(&["report", "study"]).expect(0);
    }
}

#[test]
fn without_the_notes_on_sessions_no_bound_is_narrower_than_with_them() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("seeds: 2", "seeds: 3"));
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    scene.run(&["run", "tiny.yaml", "--out", "study", "--seeds", "4"]).expect(0);
    let bounds = |what: &str| {
        let ended = scene.run(&["report", "study", "--json"]).expect(0);
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        let comparison = found["reports"][0]["comparison"].clone();
        assert!(comparison["arms"].is_array(), "{what}: {found}");
        (comparison, format!("{what}: {}", ended.stderr))
    };
    let (with, _) = bounds("with");
    fs::remove_file(scene.path("study/environment.json")).unwrap();
    let (without, said) = bounds("without");
    assert!(said.contains("`environment.json` is missing or was damaged"), "{said}");
    assert_eq!(with["arms"], without["arms"], "bounds of a sequence both times");
    // A later session does not make it known again.
    scene.run(&["run", "tiny.yaml", "--out", "study", "--seeds", "4"]).expect(0);
    let (after, said) = bounds("after");
    assert!(said.contains("is missing or was damaged"), "{said}");
    assert_eq!(with["arms"], after["arms"]);
}

#[test]
fn a_run_that_was_copied_into_another_place_counts_for_nothing() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    scene.write("other.yaml", &STUDY.replace("epochs: 3", "epochs: 4"));
    scene.run(&["run", "other.yaml", "--out", "other"]).expect(0);
    let more = "text: { max_tokens: 100, length: 11 }";
    scene.write("data.yaml", &STUDY.replace("text: { max_tokens: 100, length: 12 }", more));
    scene.run(&["run", "data.yaml", "--out", "of_data"]).expect(0);
    let cases = [
        ("study/large/seed-0", "holds the run large/seed-0"),
        ("study/small/seed-1", "holds the run small/seed-1"),
        ("other/small/seed-0", "was trained with other settings than the study has"),
        ("of_data/small/seed-0", "was trained on other data than the study keeps"),
    ];
    fs::rename(scene.path(RUN), scene.path("own")).unwrap();
    for (from, said) in cases {
        copy(&scene.path(from), &scene.path(RUN));
        for command in ["status", "report"] {
            let ended = scene.run(&[command, "study"]);
            let all = format!("{}{}", ended.stdout, ended.stderr);
            assert!(all.contains(&format!("{RUN} {said}")), "{command}: {all}");
        }
        fs::remove_dir_all(scene.path(RUN)).unwrap();
    }
}

/// A folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(fs::copy(&path, &to).unwrap()),
        }
    }
}

#[test]
fn a_file_in_the_place_of_a_runs_folder_is_named() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "study", "--only", "large"]).expect(0);
    for name in ["study/small", RUN] {
        let path = scene.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let ended = scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(2);
        let said = format!("error: {name} is a file, and a folder is wanted there: move it");
        assert!(ended.stderr.contains(&said), "{}", ended.stderr);
        if name == RUN {
            let said = scene.run(&["status", "study"]).expect(1).stdout;
            assert!(said.contains(&format!("{RUN} is a file")), "{said}");
        }
        fs::remove_file(&path).unwrap();
    }
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
}

/// A study as the version before checksums left it.
fn without_checksums(scene: &Scene) {
    for run in ["small/seed-0", "large/seed-0"] {
        let path = format!("study/{run}/record.json");
        let mut record: Value = serde_json::from_str(&scene.read(&path)).unwrap();
        let object = record.as_object_mut().unwrap();
        object.remove("checksums").unwrap();
        object.remove("checksum").unwrap();
        scene.write(&path, &serde_json::to_string_pretty(&record).unwrap());
    }
}

/// All numbers of a value that are no counts take this one, which need not be a number of JSON.
fn set_numbers(value: &mut Value, to: f64) {
    match value {
        Value::Number(number) if number.is_f64() => *value = to.into(),
        Value::Array(values) => values.iter_mut().for_each(|value| set_numbers(value, to)),
        Value::Object(values) => values
            .iter_mut()
            .filter(|(key, _)| !["measured", "definition", "checksum"].contains(&key.as_str()))
            .for_each(|(_, value)| set_numbers(value, to)),
        _ => {}
    }
}

#[test]
fn absurd_numbers_in_the_records_of_an_earlier_version_do_not_stop_the_report() {
    let scene = Scene::new();
    finished(&scene);
    without_checksums(&scene);
    scene.run(&["report", "study"]).expect(0);
    for number in [1e-310, 1e300, -1e300] {
        let names = [
            "sharpness.json",
            "noise.jsonl",
            "timing.jsonl",
            "evaluations.jsonl",
            "metrics.jsonl",
            "evaluation_timing.jsonl",
            "record.json",
        ];
        for name in names {
            let path = format!("{RUN}/{name}");
            let written = scene.read(&path);
            let change = |text: &str| {
                let mut value: Value = serde_json::from_str(text).unwrap();
                set_numbers(&mut value, number);
                value.as_object_mut().unwrap().remove("checksum");
                value.to_string()
            };
            let changed = match name.ends_with('l') {
                true => written.lines().map(|line| change(line) + "\n").collect(),
                false => change(&written),
            };
            scene.write(&path, &changed);
            let ended = scene.run(&["report", "study"]);
            assert_eq!(ended.code, Some(0), "{name}, {number:e}: {}", ended.stderr);
            if name != "sharpness.json" {
                scene.write(&path, &written);
            }
        }
    }
}

#[test]
fn links_and_pipes_in_a_study_are_refused_by_name_and_nothing_is_written_through_them() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    scene.write("target", "kept");
    // The folder of the study itself may be a link.
    symlink(scene.path("study"), scene.path("link")).unwrap();
    scene.run(&["status", "link"]).expect(0);
    scene.run(&["run", "tiny.yaml", "--out", "link"]).expect(0);
    for name in [
        ".lock",
        "study.yaml",
        "environment.json",
        "small/seed-0/record.json",
        "small/seed-0/metrics.jsonl",
        "small/seed-0/timing.jsonl",
    ] {
        let path = scene.path(&format!("study/{name}"));
        let written = fs::read(&path).unwrap();
        for what in ["a symbolic link", "a named pipe"] {
            fs::remove_file(&path).unwrap();
            match what {
                "a named pipe" => mkfifo(&path, Mode::S_IRWXU).unwrap(),
                _ => symlink(scene.path("target"), &path).unwrap(),
            }
            let ended = scene.run(&["run", "tiny.yaml", "--out", "study"]);
            let replaced = name == "study.yaml";
            assert_eq!(ended.code, Some(if replaced { 0 } else { 2 }), "{name}: {}", ended.stderr);
            let said = format!("study/{name} is {what}");
            assert!(replaced || ended.stderr.contains(&said), "{said}: {}", ended.stderr);
            assert_eq!(scene.read("target"), "kept", "{name}");
            fs::remove_file(&path).unwrap();
            fs::write(&path, &written).unwrap();
        }
    }
    // Folders of a study that lead elsewhere.
    for name in ["report", "data", "small", "small/seed-0"] {
        let (path, away) = (scene.path(&format!("study/{name}")), scene.path("away"));
        fs::rename(&path, &away).unwrap();
        symlink(&away, &path).unwrap();
        let ended = scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(2);
        assert!(
            ended.stderr.contains(&format!("study/{name} is a symbolic link")),
            "{}",
            ended.stderr
        );
        fs::remove_file(&path).unwrap();
        fs::rename(&away, &path).unwrap();
    }
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    symlink(scene.path("away"), scene.path("study/small/seed-0/export")).unwrap();
    let ended = scene.run(&["export", RUN, "--format", "onnx"]).expect(2);
    assert!(ended.stderr.contains("seed-0/export is a symbolic link"), "{}", ended.stderr);
    assert!(!scene.path("away").exists());
}

#[test]
fn a_pipe_in_one_run_hides_nothing_of_the_others() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    let record = scene.path("study/small/seed-0/record.json");
    let written = fs::read(&record).unwrap();
    fs::remove_file(&record).unwrap();
    mkfifo(&record, Mode::S_IRWXU).unwrap();
    for command in [["status", "study"], ["report", "study"]] {
        let ended = scene.run(&command).expect(1);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("record.json is a named pipe"), "{said}");
        assert!(said.contains("make it a plain file that can be read; or remove the folder"));
    }
    fs::remove_file(&record).unwrap();
    fs::write(&record, &written).unwrap();
    scene.run(&["status", "study"]).expect(0);
}

#[test]
fn the_folders_of_tuning_runs_are_no_links_either() {
    let scene = Scene::new();
    let tuned =
        "  learning_rate: { tuned: { rates: [1.0e-3, 1.0e-2], seeds: 1, extend: 0 } }\ndata:";
    let yaml = STUDY.replacen("data:", tuned, 1).replace("lr: ", "# lr: ");
    scene.write("tiny.yaml", &yaml.replace("epochs: 3", "epochs: 1"));
    let run = ["run", "tiny.yaml", "--out", "study"];
    scene.run(&run).expect(0);
    let arm = scene.path("study/tuning/small");
    let rate = fs::read_dir(&arm).unwrap().next().unwrap().unwrap().path();
    for path in [scene.path("study/tuning"), arm, rate.clone(), rate.join("seed-1000")] {
        let away = scene.path("away");
        fs::rename(&path, &away).unwrap();
        symlink(&away, &path).unwrap();
        let ended = scene.run(&run).expect(2);
        assert!(ended.stderr.contains("is a symbolic link"), "{}", ended.stderr);
        fs::remove_file(&path).unwrap();
        fs::rename(&away, &path).unwrap();
    }
    scene.run(&run).expect(0);
}

#[test]
fn a_vocabulary_that_is_damaged_or_no_plain_file_is_not_exported() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "study", "--only", "small/seed-0"]).expect(0);
    let path = scene.path("study/data/vocabulary.txt");
    let words = fs::read_to_string(&path).unwrap();
    let export = || scene.run(&["export", RUN, "--format", "onnx"]);
    let refused = |said: &str| {
        let ended = export().expect(2);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert!(ended.stderr.contains("hint: the same `batchscope run` writes"));
        assert!(!scene.path("study/small/seed-0/export").exists(), "{said}");
    };
    fs::write(&path, words.replacen('s', "z", 1)).unwrap();
    refused("data/vocabulary.txt is damaged: its content does not fit its checksum");
    fs::remove_file(&path).unwrap();
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    refused("is a named pipe");
    fs::remove_file(&path).unwrap();
    scene.write("words", &words);
    symlink(scene.path("words"), &path).unwrap();
    refused("is a symbolic link");
    fs::remove_file(&path).unwrap();
    fs::write(&path, &words).unwrap();
    export().expect(0);
    assert_eq!(scene.read("study/small/seed-0/export/vocabulary.txt"), words);
}

#[test]
fn a_study_that_this_user_may_only_read_is_shown_and_put_to_use() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    let all = files_and_folders(&scene.path("study"));
    all.iter().for_each(|path| set_writable(path, false));
    let run = |arguments: &[&str]| scene.run_without_override(arguments);
    run(&["status", "study"]).expect(0);
    let first = run(&["evaluate", RUN]).expect(0);
    run(&["predict", RUN, "--input", "reviews.csv"]).expect(0);
    // Prepared data that are gone are prepared elsewhere, for this time.
    fs::remove_dir_all(scene.path(".cache")).unwrap();
    set_writable(&scene.path(""), false);
    let measured = run(&["evaluate", RUN]);
    set_writable(&scene.path(""), true);
    assert_eq!(measured.expect(0).stdout, first.stdout);
    for command in
        [&["run", "tiny.yaml", "--out", "study"][..], &["export", RUN, "--format", "onnx"]]
    {
        let ended = run(command).expect(2);
        assert!(ended.stderr.contains("Permission denied"), "{}", ended.stderr);
        assert!(ended.stderr.contains("hint: this user may not"), "{}", ended.stderr);
    }
    // The verdict is told, though its page cannot be written.
    let ended = run(&["report", "study"]).expect(2);
    assert!(ended.stdout.contains("val. accuracy"), "{}", ended.stdout);
    assert!(ended.stderr.contains("Permission denied"), "{}", ended.stderr);
    all.iter().for_each(|path| set_writable(path, true));
}

/// All below a folder, and the folder.
fn files_and_folders(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files_and_folders(&path)),
            false => all.push(path),
        }
    }
    all
}

fn set_writable(path: &Path, writable: bool) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    let mode = permissions.mode();
    permissions.set_mode(if writable { mode | 0o200 } else { mode & !0o222 });
    fs::set_permissions(path, permissions).unwrap();
}

#[test]
fn what_a_killed_report_left_half_written_is_swept_by_the_next() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("seeds: 2", "seeds: 1"));
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    let left = [
        "report/.index.html.71.tmp",
        "report/tables/.runs.csv.abcdefABCDEF.tmp",
        "report/figures/.cost.svg.71.tmp",
    ];
    for command in [&["report", "study"][..], &["run", "tiny.yaml", "--out", "study"]] {
        left.iter().for_each(|name| scene.write(&format!("study/{name}"), ""));
        scene.run(command).expect(0);
        assert!(left.iter().all(|name| !scene.path(&format!("study/{name}")).exists()));
    }
}
