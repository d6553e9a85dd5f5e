use crate::util::{
    Ended, FIRST_RUN, STUDY, Scene, disturb, has_ended, interrupt, line_count, send, wait_until,
    workers,
};
use nix::sys::signal::Signal;
use std::fs;
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
    assert!(again.stderr.contains("1 of 2 runs are done already"), "{}", again.stderr);
    assert!(again.stderr.contains("small/seed-0  goes on at epoch "), "{}", again.stderr);
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
