use crate::util::{Ended, STUDY, Scene, interrupt, line_count, signal, wait_until};
use std::fs;
use std::process::Child;

/// One run of 40 epochs, long enough to be disturbed.
fn scene() -> Scene {
    let scene = Scene::new();
    let train = "epochs: 40\n  evaluate_every: { examples: 30 }\n  \
                 logging: { every_steps: 1, histograms: true }";
    let study = STUDY
        .replace("seeds: 2", "seeds: 1\n  probe: { noise_scale: {} }")
        .replace("epochs: 3", train);
    scene.write("tiny.yaml", &study);
    scene
}

const RUN: &str = "small/seed-0";

/// Starts the study, and lets it reach the sixth epoch of its first run.
fn disturbed(scene: &Scene, study: &str) -> Child {
    let child = scene.start(&["run", "tiny.yaml", "--workers", "1", "--out", study]);
    let log = scene.path(&format!("{study}/{RUN}/metrics.jsonl"));
    wait_until("six epochs", || line_count(&log) >= 6);
    child
}

/// Both runs of two studies, to the bit; `undisturbed` is run here.
fn assert_like_undisturbed(scene: &Scene, study: &str) {
    scene.run(&["run", "tiny.yaml", "--out", "undisturbed"]).expect(0);
    for run in [RUN, "large/seed-0"] {
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
        assert_eq!(line_count(&scene.path(&format!("{study}/{run}/timing.jsonl"))), 40);
    }
}

/// The worker processes of a study.
fn workers(study: &Child) -> Vec<u32> {
    let id = study.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    children.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

#[test]
fn a_killed_worker_costs_one_run_which_goes_on_to_the_same_bits() {
    let scene = scene();
    let study = disturbed(&scene, "killed");
    let workers = workers(&study);
    assert_eq!(workers.len(), 1);
    signal("KILL", workers[0]);
    let ended = Ended::from(study.wait_with_output().unwrap()).expect(1);
    assert!(ended.stdout.contains("not finished: small/seed-0: failed: the worker process ended"));
    assert!(scene.read("killed/large/seed-0/record.json").contains("\"finished\""));
    assert!(line_count(&scene.path("killed/small/seed-0/metrics.jsonl")) < 40);
    // Nothing is known against the run: it goes on without `--retry-failed`.
    assert!(scene.read("killed/small/seed-0/record.json").contains("\"running\""));

    let again = scene.run(&["run", "tiny.yaml", "--out", "killed"]).expect(0);
    assert!(again.stderr.contains("1 of 2 runs are done already"), "{}", again.stderr);
    assert!(again.stderr.contains("small/seed-0  goes on at epoch "), "{}", again.stderr);
    assert!(!again.stderr.contains("epoch 1/40"), "it began anew:\n{}", again.stderr);
    assert_like_undisturbed(&scene, "killed");
}

#[test]
fn a_worker_that_crashes_leaves_a_failed_run_which_is_tried_again_on_request() {
    let scene = scene();
    let study = disturbed(&scene, "crash");
    // What a fault in the program itself raises, unlike the signals that people and systems send.
    signal("ABRT", workers(&study)[0]);
    Ended::from(study.wait_with_output().unwrap()).expect(1);
    assert!(scene.read("crash/small/seed-0/record.json").contains("signal: 6 (SIGABRT)"));
    let again = scene.run(&["run", "tiny.yaml", "--out", "crash"]).expect(1);
    assert!(again.stderr.contains("1 run failed before"), "{}", again.stderr);

    scene.run(&["run", "tiny.yaml", "--out", "crash", "--retry-failed"]).expect(0);
    assert_like_undisturbed(&scene, "crash");
}

#[test]
fn ctrl_c_saves_says_how_to_go_on_and_the_same_command_does() {
    let scene = scene();
    let study = disturbed(&scene, "stopped");
    interrupt(&study);
    let ended = Ended::from(study.wait_with_output().unwrap()).expect(130);
    assert!(ended.stdout.contains("not finished: 2 runs; everything so far is saved"));
    assert!(ended.stdout.contains("run tiny.yaml --workers 1 --out stopped"), "{}", ended.stdout);
    assert!(scene.path("stopped/small/seed-0/checkpoint/state.safetensors").exists());

    scene.run(&["run", "tiny.yaml", "--out", "stopped"]).expect(0);
    assert!(!scene.path("stopped/small/seed-0/checkpoint").exists());
    assert_like_undisturbed(&scene, "stopped");
}

#[test]
fn a_study_that_is_killed_leaves_no_workers_behind_and_goes_on() {
    let scene = scene();
    let mut study = disturbed(&scene, "crashed");
    let workers = workers(&study);
    study.kill().unwrap();
    study.wait().unwrap();
    for worker in workers {
        let gone = || {
            let status = fs::read_to_string(format!("/proc/{worker}/status"));
            status.map_or(true, |text| text.contains("State:\tZ"))
        };
        wait_until("the worker's end", gone);
    }
    let record = scene.read("crashed/small/seed-0/record.json");
    assert!(record.contains("\"running\""), "a worker without a study saves and leaves: {record}");
    let said = scene.run(&["status", "crashed"]).expect(0).stdout;
    assert!(said.contains("small/seed-0: interrupted, "), "{said}");
    scene.run(&["run", "tiny.yaml", "--out", "crashed"]).expect(0);
    assert_like_undisturbed(&scene, "crashed");
}

#[test]
fn an_epoch_that_was_recorded_but_not_saved_is_taken_back() {
    let scene = scene();
    let study = disturbed(&scene, "torn");
    interrupt(&study);
    study.wait_with_output().unwrap();
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
    let scene = scene();
    scene.run(&["run", "tiny.yaml", "--out", "s", "--set", "train.epochs=2"]).expect(0);
    let record = scene.path("s/small/seed-0/record.json");
    let failed = r#"{ "failed": { "message": "no memory" } }"#;
    let text = fs::read_to_string(&record).unwrap().replace("\"finished\"", failed);
    let other = ["run", "tiny.yaml", "--out", "s", "--set", "train.epochs=3", "--only", "small"];
    // As long as there are records of it, it is another run.
    fs::write(&record, &text).unwrap();
    assert!(scene.run(&other).expect(2).stderr.contains("small/seed-0` with another definition"));

    fs::remove_dir_all(scene.path("s/large")).unwrap();
    fs::remove_dir_all(scene.path("s/small/seed-0")).unwrap();
    fs::create_dir_all(scene.path("s/small/seed-0")).unwrap();
    fs::write(&record, &text).unwrap();
    scene.run(&other).expect(0);
    assert_eq!(line_count(&scene.path("s/small/seed-0/metrics.jsonl")), 3);
}
