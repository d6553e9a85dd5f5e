use crate::util::{
    Ended, FIRST_RUN, STUDY, Scene, disturb, has_ended, interrupt, line_count, send, wait_until,
    workers,
};
use nix::sys::signal::Signal;
use std::fs;
use std::path::Path;
use std::process::Child;

/// One seed, and everything that is recorded in the course of a run.
fn study() -> String {
    let train = "epochs: EPOCHS\n  evaluate_every: { examples: 30 }\n  \
                 logging: { every_steps: 1, histograms: true }";
    STUDY.replace("seeds: 2", "seeds: 1\n  probe: { noise_scale: {} }").replace("epochs: 3", train)
}

/// The study is dealt a blow in the middle of its first run.
fn disturbed(scene: &Scene, name: &str, blow: impl Fn(&Child)) -> Ended {
    disturb(scene, &study(), name, blow).1
}

/// Both runs of two studies, to the bit; `undisturbed` is run here.
fn assert_like_undisturbed(scene: &Scene, study: &str) {
    scene.run(&["run", "tiny.yaml", "--out", "undisturbed"]).expect(0);
    for run in [FIRST_RUN, "large/seed-0"] {
        for file in [
            "metrics.jsonl",
            "evaluations.jsonl",
            "steps.jsonl",
            "histograms.jsonl",
            "noise.jsonl",
            "record.json",
            "test_predictions.csv",
            "weights.safetensors",
        ] {
            let of = |study: &str| fs::read(scene.path(&format!("{study}/{run}/{file}"))).unwrap();
            assert_eq!(of(study), of("undisturbed"), "{run}/{file}");
        }
        let times = |study: &str| line_count(&scene.path(&format!("{study}/{run}/timing.jsonl")));
        assert_eq!(times(study), times("undisturbed"));
    }
}

/// Sends a signal to all workers of a study.
fn strike(study: &Child, signal: Signal) {
    workers(study).into_iter().for_each(|worker| send(signal, worker));
}

#[test]
fn a_killed_worker_costs_one_run_which_goes_on_to_the_same_bits() {
    let scene = Scene::new();
    let ended = disturbed(&scene, "killed", |study| strike(study, Signal::SIGKILL)).expect(1);
    assert!(ended.stdout.contains("not finished: small/seed-0: failed: the worker process ended"));
    assert!(scene.read("killed/large/seed-0/record.json").contains("\"finished\""));
    // Nothing is known against the run: it goes on without `--retry-failed`.
    assert!(scene.read("killed/small/seed-0/record.json").contains("\"running\""));

    let again = scene.run(&["run", "tiny.yaml", "--out", "killed"]).expect(0);
    assert!(again.stderr.contains("1 of 2 runs are already finished"), "{}", again.stderr);
    // Counts are those of the study, also of what is left to do.
    assert!(again.stderr.contains("(1 of 2 runs"), "{}", again.stderr);
    assert!(!again.stderr.contains(" of 1 runs"), "{}", again.stderr);
    assert!(again.stderr.contains("small/seed-0  resumes at epoch "), "{}", again.stderr);
    assert!(!again.stderr.contains("small/seed-0  epoch 1/"), "it began anew:\n{}", again.stderr);
    assert_like_undisturbed(&scene, "killed");
}

#[test]
fn a_worker_that_crashes_leaves_a_failed_run_which_is_tried_again_on_request() {
    let scene = Scene::new();
    // What a fault in the program itself raises, unlike the signals that people and systems send.
    disturbed(&scene, "crash", |study| strike(study, Signal::SIGABRT)).expect(1);
    assert!(scene.read("crash/small/seed-0/record.json").contains("signal: 6 (SIGABRT)"));
    let again = scene.run(&["run", "tiny.yaml", "--out", "crash"]).expect(1);
    assert!(again.stderr.contains("1 run failed before"), "{}", again.stderr);

    scene.run(&["run", "tiny.yaml", "--out", "crash", "--retry-failed"]).expect(0);
    assert_like_undisturbed(&scene, "crash");
}

#[test]
fn ctrl_c_saves_says_how_to_go_on_and_the_same_command_does() {
    let scene = Scene::new();
    let ended = disturbed(&scene, "stopped", interrupt).expect(130);
    assert!(ended.stdout.contains("not finished: 2 runs; everything so far is saved"));
    assert!(ended.stdout.contains("run tiny.yaml --workers 1 --out stopped"), "{}", ended.stdout);
    assert!(scene.path("stopped/small/seed-0/checkpoint/state.safetensors").exists());

    scene.run(&["run", "tiny.yaml", "--out", "stopped"]).expect(0);
    assert!(!scene.path("stopped/small/seed-0/checkpoint").exists());
    assert_like_undisturbed(&scene, "stopped");
}

#[test]
fn a_study_that_is_killed_leaves_no_workers_behind_and_goes_on() {
    let scene = Scene::new();
    disturbed(&scene, "crashed", |study| {
        let workers = workers(study);
        send(Signal::SIGKILL, study.id());
        for worker in workers {
            wait_until("the worker's end", || has_ended(worker));
        }
    });
    let record = scene.read("crashed/small/seed-0/record.json");
    assert!(record.contains("\"running\""), "a worker without a study saves and leaves: {record}");
    let said = scene.run(&["status", "crashed"]).expect(0).stdout;
    assert!(said.contains("small/seed-0: interrupted, "), "{said}");
    scene.run(&["run", "tiny.yaml", "--out", "crashed"]).expect(0);
    assert_like_undisturbed(&scene, "crashed");
}

#[test]
fn an_epoch_that_was_recorded_but_not_saved_is_taken_back() {
    let scene = Scene::new();
    disturbed(&scene, "torn", interrupt).expect(130);
    // As if the machine had died between the record of an epoch and its checkpoint.
    let log = scene.path("torn/small/seed-0/metrics.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    let last = text.lines().last().unwrap();
    fs::write(&log, format!("{text}{last}\n{}", &last[..20])).unwrap();

    scene.run(&["run", "tiny.yaml", "--out", "torn"]).expect(0);
    assert_like_undisturbed(&scene, "torn");
}

#[test]
fn a_run_that_failed_before_anything_was_kept_of_it_is_run_as_it_is_defined_now() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let one = "study.seeds=1";
    scene
        .run(&["run", "tiny.yaml", "--out", "s", "--set", one, "--set", "train.epochs=2"])
        .expect(0);
    let record = scene.path("s/small/seed-0/record.json");
    let text = fs::read_to_string(&record).unwrap();
    let mut failed: serde_json::Value = serde_json::from_str(&text).unwrap();
    failed["status"] = serde_json::json!({ "failed": { "message": "no memory" } });
    // As an earlier version wrote it.
    for key in ["checksum", "checksums"] {
        failed.as_object_mut().unwrap().remove(key).unwrap();
    }
    let text = failed.to_string();
    let other = ["run", "tiny.yaml", "--out", "s", "--set", "train.epochs=3", "--only", "small"];
    // As long as there are records of it, it is another run.
    fs::write(&record, &text).unwrap();
    assert!(
        scene.run(&other).expect(2).stderr.contains("small/seed-0` trained with other settings")
    );

    fs::remove_dir_all(scene.path("s/large")).unwrap();
    fs::remove_dir_all(scene.path("s/small/seed-0")).unwrap();
    fs::create_dir_all(scene.path("s/small/seed-0")).unwrap();
    fs::write(&record, &text).unwrap();
    scene.run(&other).expect(0);
    assert_eq!(line_count(&scene.path("s/small/seed-0/metrics.jsonl")), 3);
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// That the first run of a study has every bit of an undisturbed one.
#[track_caller]
fn assert_same_run(scene: &Scene, study: &str, what: &str) {
    for file in [
        "metrics.jsonl",
        "steps.jsonl",
        "record.json",
        "weights.safetensors",
        "evaluations.jsonl",
        "histograms.jsonl",
        "test_predictions.csv",
    ] {
        let of =
            |study: &str| fs::read(scene.path(&format!("{study}/{FIRST_RUN}/{file}"))).unwrap();
        assert_eq!(of(study), of("whole"), "{what}: {file}");
    }
}

#[test]
fn an_interrupted_run_whose_files_are_damaged_or_cut_comes_to_the_same_results() {
    let scene = Scene::new();
    disturbed(&scene, "stopped", interrupt).expect(130);
    scene.run(&["run", "tiny.yaml", "--out", "whole", "--only", FIRST_RUN]).expect(0);
    type Damage = fn(&mut Vec<u8>);
    let flip: Damage = |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
    };
    let early: Damage = |bytes| bytes[20] ^= 1;
    let cut: Damage = |bytes| bytes.truncate(bytes.len() / 3);
    let empty: Damage = |bytes| bytes.clear();
    let blank: Damage = |bytes| {
        bytes.splice(0..0, *b"\n  \n");
        bytes.extend(b"\n\n");
    };
    let mut cases = vec![("checkpoint/state.safetensors", flip, true)];
    cases.push(("checkpoint/state.safetensors", cut, true));
    // Emptied: it is removed below.
    cases.push(("checkpoint/state.safetensors", empty, true));
    for name in [
        "metrics.jsonl",
        "timing.jsonl",
        "steps.jsonl",
        "evaluations.jsonl",
        "evaluation_timing.jsonl",
        "histograms.jsonl",
    ] {
        cases.extend([(name, early, true), (name, cut, true), (name, blank, false)]);
    }
    cases.push(("metrics.jsonl", empty, true));
    for (number, (name, damage, anew)) in cases.into_iter().enumerate() {
        let study = format!("damaged-{number}");
        copy(&scene.path("stopped"), &scene.path(&study));
        let path = scene.path(&format!("{study}/{FIRST_RUN}/{name}"));
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        match bytes.is_empty() && name.starts_with("checkpoint") {
            true => fs::remove_file(&path).unwrap(),
            false => fs::write(&path, bytes).unwrap(),
        }
        // The warning is there without anything else, too.
        let command = ["run", "tiny.yaml", "--out", &study, "--only", FIRST_RUN, "--quiet"];
        let ended = scene.run(&command);
        let ended = ended.expect(0);
        let begins = ended.stderr.contains("the run begins again with its first epoch");
        assert_eq!(begins, anew, "{name}, {number}: {}", ended.stderr);
        assert!(
            !begins || ended.stderr.contains(&format!("{FIRST_RUN}/{name}")),
            "{}",
            ended.stderr
        );
        assert_same_run(&scene, &study, &format!("{name}, {number}"));
        fs::remove_dir_all(scene.path(&study)).unwrap();
    }
}

#[test]
fn the_best_weights_of_an_interrupted_run_are_not_used_when_they_are_damaged() {
    let scene = Scene::new();
    let stopping =
        "epochs: EPOCHS\n  early_stopping: { patience: 1000000, restore_best_weights: true }";
    let text = STUDY.replace("seeds: 2", "seeds: 1").replace("epochs: 3", stopping);
    disturb(&scene, &text, "stopped", interrupt);
    let path = scene.path("stopped/small/seed-0/best/weights.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let ended = scene.run(&["run", "tiny.yaml", "--out", "stopped", "--only", FIRST_RUN]).expect(0);
    assert!(ended.stderr.contains("best/weights.safetensors is damaged"), "{}", ended.stderr);
    scene.run(&["run", "tiny.yaml", "--out", "whole", "--only", FIRST_RUN]).expect(0);
    for file in ["metrics.jsonl", "record.json", "weights.safetensors"] {
        let of =
            |study: &str| fs::read(scene.path(&format!("{study}/{FIRST_RUN}/{file}"))).unwrap();
        assert_eq!(of("stopped"), of("whole"), "{file}");
    }
}
