use crate::util::{Ended, STUDY, Scene, interrupt, line_count, wait_for};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The gap between 8 and 24 taken apart, with two rates to try first.
fn scene() -> Scene {
    let scene = Scene::new();
    let begin = STUDY.find("  seeds: 2").unwrap();
    let end = STUDY.find("data:").unwrap();
    let decompose = "  seeds: 2\n  decompose: { small: 8, large: 24 }\n  \
                     learning_rate: { tuned: { rates: [1.0e-3, 1.0e-2], seeds: 1, extend: 1 } }\n";
    let study = format!("{}{decompose}{}", &STUDY[..begin], &STUDY[end..]);
    scene.write("gap.yaml", &study.replace("epochs: 3", "epochs: 12"));
    scene
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The files of a folder and below, as paths in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// What repeats to the bit of two studies.
fn assert_same_bits(scene: &Scene, one: &str, other: &str) {
    let kept = ["record.json", "metrics.jsonl", "weights.safetensors", "test_predictions.csv"];
    let of = |study: &str| -> Vec<PathBuf> {
        let is_kept = |path: &PathBuf| kept.iter().any(|name| path.ends_with(name));
        let mut found: Vec<_> = files(&scene.path(study)).into_iter().filter(is_kept).collect();
        found.push("tuning.json".into());
        found
    };
    assert_eq!(of(one), of(other));
    assert!(of(one).len() > 2 * 6 + 4 * 10, "{:?}", of(one));
    for file in of(one) {
        let bits = |study: &str| fs::read(scene.path(study).join(&file)).unwrap();
        assert_eq!(bits(one), bits(other), "{}", file.display());
    }
}

#[test]
fn a_gap_is_taken_apart_with_tuned_rates_and_goes_on_from_any_moment_to_the_same_bits() {
    let scene = scene();
    let ended = scene.run(&["run", "gap.yaml", "--out", "undisturbed"]).expect(0);
    // The first epoch of a round is told before a run of that round has ended.
    for begun in ["(tuning 0 of 6 runs", "(tuning 6 of 9 runs"] {
        assert!(ended.stderr.contains(begun), "{}", ended.stderr);
    }
    let tunings = json(&scene.read("undisturbed/tuning.json"));
    for tuning in tunings.as_array().unwrap() {
        let (arm, chosen) = (tuning["arm"].as_str().unwrap(), &tuning["chosen"]);
        let trials = tuning["trials"].as_array().unwrap();
        let score = |trial: &&Value| trial["validation"][0].as_f64().unwrap();
        let best = trials.iter().map(|trial| score(&trial)).fold(0.0, f64::max);
        let found = trials.iter().find(|trial| trial["learning_rate"] == *chosen).unwrap();
        assert_eq!(score(&found).to_bits(), best.to_bits(), "{arm}: {tuning}");
        // The best of two is at an end, so one more was tried.
        assert_eq!(trials.len(), 3, "{arm}");
        for seed in ["seed-0", "seed-1"] {
            let record = json(&scene.read(&format!("undisturbed/{arm}/{seed}/record.json")));
            assert_eq!(record["definition"]["arm"]["train"]["optimizer"]["adam"]["lr"], *chosen);
        }
    }
    let arms: Vec<&str> =
        tunings.as_array().unwrap().iter().map(|tuning| tuning["arm"].as_str().unwrap()).collect();
    assert_eq!(arms, ["small-tuned", "large-tuned", "large-tuned-equal-steps"]);
    // 72 training rows: as many steps as twelve epochs of 9.
    let steps = scene.read("undisturbed/large-tuned-equal-steps/seed-0/metrics.jsonl");
    assert_eq!(json(steps.lines().last().unwrap())["step"], 108);

    let study = scene.start(&["run", "gap.yaml", "--workers", "1", "--out", "stopped"]);
    let second = scene.path("stopped/tuning/small-tuned/lr-0.01/seed-1000/metrics.jsonl");
    wait_for(&study, "the second trial", || line_count(&second) >= 2);
    interrupt(&study);
    let ended = Ended::from(study.wait_with_output().unwrap()).expect(130);
    // Four or five trials that are known, and the runs of the three arms that wait for them; the
    // others were not begun either.
    assert!(ended.stdout.contains("everything so far is saved"), "{}", ended.stdout);
    assert!(!scene.path("stopped/small").exists());
    let said = scene.run(&["status", "stopped"]).expect(0).stdout;
    let is_over = |rate: &str| {
        let record = format!("stopped/tuning/small-tuned/lr-{rate}/seed-1000/record.json");
        scene.read(&record).contains("\"finished\"")
    };
    // Once both of its first rates are known, one more is.
    let known = 6 + usize::from(is_over("0.001") && is_over("0.01"));
    assert!(
        said.contains("tuning: ") && said.contains(&format!(" of {known} runs are over")),
        "{said}"
    );
    scene.run(&["run", "gap.yaml", "--out", "stopped"]).expect(0);
    assert_same_bits(&scene, "undisturbed", "stopped");
    let again = scene.run(&["run", "gap.yaml", "--out", "stopped"]).expect(0);
    assert!(again.stderr.contains("10 of 10 runs are already finished"), "{}", again.stderr);
    assert!(!again.stderr.contains("tuning "), "{}", again.stderr);
    // The resolved file says the same.
    scene.run(&["run", "stopped/study.yaml", "--out", "again"]).expect(0);
    assert_same_bits(&scene, "undisturbed", "again");
}

#[test]
fn a_damaged_trial_is_named_and_the_study_is_shown_with_the_rates_that_it_trained_with() {
    let scene = scene();
    let shorter = scene.read("gap.yaml").replace("epochs: 12", "epochs: 2");
    scene.write("gap.yaml", &shorter);
    scene.run(&["run", "gap.yaml", "--out", "study"]).expect(0);
    let shown = |code: u8| -> Value {
        json(&scene.run(&["status", "study", "--json"]).expect(code.into()).stdout)
    };
    let whole = shown(0);
    let trial = "study/tuning/small-tuned/lr-0.001/seed-1000";
    for name in ["record.json", "metrics.jsonl", "timing.jsonl"] {
        let path = scene.path(&format!("{trial}/{name}"));
        let written = fs::read(&path).unwrap();
        let mut damaged = written.clone();
        damaged[written.len() / 2] ^= 4;
        fs::write(&path, &damaged).unwrap();
        let status = shown(1);
        assert_eq!(status["arms"], whole["arms"], "{name}");
        assert_eq!(status["tunings"][0]["chosen"], whole["tunings"][0]["chosen"], "{name}");
        let ended = scene.run(&["report", "study"]).expect(1);
        let file = format!("tuning/small-tuned/lr-0.001/seed-1000/{name} is damaged");
        assert!(ended.stderr.contains(&file), "{}", ended.stderr);
        let ended = scene.run(&["run", "gap.yaml", "--out", "study"]).expect(2);
        assert!(ended.stderr.contains(&file), "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("remove the folder of this run, {trial}")));
        fs::write(&path, &written).unwrap();
    }
    assert_eq!(shown(0), whole);
}

#[test]
fn tuning_runs_see_no_test_split_and_leave_nothing_that_tensorboard_reads() {
    let scene = scene();
    let only = ["run", "gap.yaml", "--only", "large-tuned/seed-0"];
    let ended = scene.run(&only).expect(0);
    assert!(
        ended.stdout.contains("tuning: `large-tuned` takes learning rate "),
        "{}",
        ended.stdout
    );
    // `--only` is about report runs: the arm is tuned first, other arms are not.
    let tuning = scene.path("runs/tiny/tuning");
    let of_tuning = files(&tuning);
    assert!(of_tuning.iter().all(|path| path.starts_with("large-tuned")));
    for path in &of_tuning {
        let name = path.file_name().unwrap().to_string_lossy();
        let wanted = [
            "record.json",
            "metrics.jsonl",
            "steps.jsonl",
            "timing.jsonl",
            "ran_on.jsonl",
            ".lock",
        ];
        assert!(wanted.contains(&&*name), "{}", path.display());
        if name == "record.json" {
            let record = json(&fs::read_to_string(tuning.join(path)).unwrap());
            assert!(record["result"]["epochs"] == 12 && record["result"]["test"].is_null());
        }
    }
    assert_eq!(of_tuning.len(), 3 * 6);
    let record = json(&scene.read("runs/tiny/large-tuned/seed-0/record.json"));
    assert!(record["result"]["test"]["accuracy"].is_number());
}

#[test]
fn the_cost_of_tuning_is_told_before_it_is_paid() {
    let scene = scene();
    let said = json(&scene.run(&["check", "gap.yaml", "--json"]).expect(0).stdout);
    assert_eq!((&said["runs"], &said["tuning_runs"]), (&10.into(), &6.into()));
    let seconds = |arm: &Value| {
        let runs = 2.0 + arm["tuning_runs"].as_f64().unwrap();
        arm["seconds"].as_f64().unwrap() * runs
    };
    let all: f64 = said["arms"].as_array().unwrap().iter().map(seconds).sum();
    let parallel = said["parallel"].as_f64().unwrap();
    assert!(said["seconds"].as_f64().unwrap() >= all / parallel);
    let text = scene.run(&["check", "gap.yaml"]).expect(0).stdout;
    assert!(text.contains("10 runs after 6 runs that tune learning rates"), "{text}");
    assert!(text.contains("tuned") && text.contains("2 + 2"), "{text}");
}

#[test]
fn an_arm_of_which_every_rate_diverges_is_told_and_the_others_are_trained() {
    let scene = scene();
    let wild = "study.learning_rate.tuned={ rates: [1.0e30, 1.0e31], seeds: 1, extend: 1 }";
    let ended = scene.run(&["run", "gap.yaml", "--set", wild, "--set", "train.epochs=2"]).expect(1);
    let told = "tuning: `small-tuned` has no learning rate: a run diverged with each of the 3";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
    assert!(scene.path("runs/tiny/large/seed-1/weights.safetensors").exists());
    assert!(!scene.path("runs/tiny/small-tuned").exists());
}

#[test]
fn a_batch_in_parts_makes_the_same_steps_as_the_batch_at_once() {
    let scene = Scene::new();
    let begin = STUDY.find("  arms:").unwrap();
    let end = STUDY.find("data:").unwrap();
    let grid = "  grid: { batch_size: [6], accumulate: [1, 4] }\n";
    scene.write("parts.yaml", &format!("{}{grid}{}", &STUDY[..begin], &STUDY[end..]));
    scene.run(&["run", "parts.yaml", "--out", "parts"]).expect(0);
    let whole = ["--set", "study.grid={ batch_size: [24] }", "--out", "whole"];
    scene.run(&[&["run", "parts.yaml"][..], &whole].concat()).expect(0);
    let last = |run: &str| {
        let text = scene.read(&format!("{run}/seed-0/metrics.jsonl"));
        json(text.lines().last().unwrap())
    };
    let (parts, whole) = (last("parts/batch-24-accumulate-4"), last("whole/batch-24"));
    assert_eq!((&parts["step"], &parts["examples"]), (&whole["step"], &whole["examples"]));
    let loss = |line: &Value| line["validation"]["loss"].as_f64().unwrap();
    assert!((loss(&parts) - loss(&whole)).abs() < 1e-5, "{parts} and {whole}");
    let table = scene.read("parts/report/tables/arms.csv");
    assert!(table.contains("batch-24-accumulate-4,24,"), "{table}");
}

#[test]
fn rates_of_runs_that_end_at_a_target_are_chosen_by_the_steps_to_it() {
    let scene = Scene::new();
    let tuned = "study:\n  seeds: 2\n  \
                 learning_rate: { tuned: { rates: [1.0e-4, 1.0e-2, 3.0e-2], seeds: 2, extend: 0 } }\n";
    let study = STUDY.replace("study:\n  seeds", "study:\n").replace("  seeds: 2\n", "");
    let study = study.replace("study:\n", tuned).replace("epochs: 3", "epochs: 12");
    let target = "train:\n  evaluate_every: { steps: 1 }\n  stop_at: { val_accuracy: 0.75 }";
    scene.write("target.yaml", &study.replace("train:", target));
    scene.run(&["run", "target.yaml", "--out", "out"]).expect(0);
    let tunings = json(&scene.read("out/tuning.json"));
    // By their accuracies another rate would have been taken, of one of the two at least.
    let accuracy = |trial: &Value| -> f64 {
        trial["validation"].as_array().unwrap().iter().map(|of| of.as_f64().unwrap()).sum()
    };
    let overshoots = |tuning: &Value| {
        let trials = tuning["trials"].as_array().unwrap();
        let chosen = trials.iter().find(|t| t["learning_rate"] == tuning["chosen"]).unwrap();
        trials.iter().any(|trial| accuracy(trial) > accuracy(chosen))
    };
    assert!(tunings.as_array().unwrap().iter().any(overshoots), "{tunings}");
    for tuning in tunings.as_array().unwrap() {
        let steps = |trial: &Value| -> Option<f64> {
            let steps = trial["steps_to_target"].as_array().unwrap().iter();
            steps.map(|steps| steps.as_f64().map(f64::ln)).sum()
        };
        let trials = tuning["trials"].as_array().unwrap();
        // The slowest rate does not get there at all, so it cannot have been chosen by accuracy alone.
        assert_eq!(steps(&trials[0]), None, "{tuning}");
        let fewest = trials.iter().filter_map(steps).reduce(f64::min).unwrap();
        let chosen = trials.iter().find(|t| t["learning_rate"] == tuning["chosen"]).unwrap();
        assert_eq!(steps(chosen).map(f64::to_bits), Some(fewest.to_bits()), "{tuning}");
        for (seed, told) in (1000..).zip(chosen["steps_to_target"].as_array().unwrap()) {
            let arm = tuning["arm"].as_str().unwrap();
            let rate = &tuning["chosen"];
            let run = format!("out/tuning/{arm}/lr-{rate}/seed-{seed}/metrics.jsonl");
            let last = json(scene.read(&run).lines().last().unwrap());
            assert_eq!(last["step"].as_f64(), told.as_f64(), "{arm}");
        }
    }
    let said = scene.read("out/report/verdict.md");
    assert!(said.contains("steps to the target with each"), "{said}");
    assert!(said.contains(" of 2 did not get there"), "{said}");
}

/// Rows whose label is that of a word among others, in turn.
fn many_rows(rows: usize) -> String {
    let fillers = ["plot", "actor", "scene", "music", "story", "it", "was", "the", "long", "film"];
    let mut text = String::from("text,label\n");
    for row in 0..rows {
        let mut words: Vec<&str> =
            (0..2 + row * 7 % 9).map(|at| fillers[(row * 3 + at * at) % 10]).collect();
        let telling = if row % 2 == 0 { "splendid" } else { "dreadful" };
        words.insert(row % words.len(), telling);
        text += &format!("\"{} {row}\",{}\n", words.join(" "), u8::from(row % 2 == 0));
    }
    text
}

/// A planted effect, trained from the file to the report: a batch size that is as large as the training
/// split makes six updates in six epochs and learns nothing; with as many as the small one it learns.
#[test]
fn what_too_few_updates_cost_is_put_down_to_the_updates() {
    let scene = Scene::new();
    scene.write("many.csv", &many_rows(600));
    scene.write(
        "planted.yaml",
        "study:\n  seeds: 4\n  decompose: { small: 12, large: 360 }\n  \
         learning_rate: { tuned: { rates: [3.0e-3, 1.0e-2], seeds: 1, extend: 0 } }\n\
         data:\n  table: { path: many.csv }\n  text: { max_tokens: 100, length: 12 }\n\
         model:\n  embedding: { dim: 6 }\n  lstm: { units: 5 }\n\
         train:\n  epochs: 6\n  device: cpu\n  optimizer: { adam: { lr: 1.0e-2 } }\n",
    );
    scene.run(&["run", "planted.yaml", "--out", "out"]).expect(0);
    let report = json(&scene.run(&["report", "out", "--json"]).expect(0).stdout);
    let found = &report["reports"][0]["decomposition"];
    let parts = &found["test"];
    let mean = |part: &str| parts[part]["mean"].as_f64().unwrap_or_else(|| panic!("{found}"));
    let interval = |part: &str| {
        let ends = &parts[part]["interval"];
        [ends["low"].as_f64().unwrap(), ends["high"].as_f64().unwrap()]
    };
    assert!(mean("total") > 0.2 && interval("total")[0] > 0.0, "{parts}");
    assert!(interval("updates")[0] > 0.0 && mean("updates") > 0.8 * mean("total"), "{parts}");
    assert!(mean("residual").abs() < 0.2 * mean("total"), "{parts}");
    assert!(mean("learning_rate").abs() < 0.2 * mean("total"), "{parts}");
    let verdict = scene.read("out/report/verdict.md");
    assert!(verdict.contains("As many steps as 12 makes help 360"), "{verdict}");
    assert!(verdict.contains("12 is more accurate than 360"), "{verdict}");
}
