use crate::util::{STUDY, Scene, interrupt, line_count, wait_for};
use serde_json::Value;
use std::fs;

fn status(scene: &Scene, folder: &str) -> Value {
    let said = scene.run(&["status", folder, "--json"]).expect(0).stdout;
    serde_json::from_str(&said).unwrap()
}

/// The states of the runs, in the order of the plan.
fn states(status: &Value) -> Vec<&str> {
    let runs = status["runs"].as_array().unwrap();
    runs.iter().map(|run| run["state"].as_str().unwrap()).collect()
}

#[test]
fn only_the_runs_that_were_named_are_trained() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let ended = scene.run(&["run", "tiny.yaml", "--only", "large/seed-1"]).expect(0);
    assert!(ended.stderr.contains("3 runs left out by `--only`"), "{}", ended.stderr);
    let stands = status(&scene, "runs/tiny");
    assert_eq!(states(&stands), ["not_started", "not_started", "not_started", "finished"]);
    assert_eq!(stands["state"], "interrupted");

    scene.run(&["run", "tiny.yaml", "--only", "*/seed-0"]).expect(0);
    let stands = status(&scene, "runs/tiny");
    assert_eq!(states(&stands), ["finished", "finished", "not_started", "finished"]);
    let said = scene.run(&["status", "runs/tiny"]).expect(0).stdout;
    assert!(said.starts_with("study  tiny: 3 of 4 runs finished; the same"), "{said}");

    let wrong = scene.run(&["run", "tiny.yaml", "--only", "smal"]).expect(2);
    assert!(wrong.stderr.contains("`--only smal`: the study has no such arm"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("arms: small, large; seeds: seed-0, seed-1"));
}

#[test]
fn a_failed_run_is_tried_again_when_the_user_asks_for_it() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    // The folder of its curves cannot be made.
    let blocked = scene.path("runs/tiny/small/seed-1/train");
    fs::create_dir_all(blocked.parent().unwrap()).unwrap();
    fs::write(&blocked, "").unwrap();
    let ended = scene.run(&["run", "tiny.yaml"]).expect(1);
    assert!(ended.stdout.contains("not finished: small/seed-1: failed: "), "{}", ended.stdout);
    fs::remove_file(&blocked).unwrap();

    let again = scene.run(&["run", "tiny.yaml"]).expect(1);
    assert!(again.stderr.contains("1 run failed before: `--retry-failed`"), "{}", again.stderr);
    assert!(again.stdout.contains("not finished: small/seed-1: failed: "), "{}", again.stdout);
    assert!(again.stdout.contains("run tiny.yaml --retry-failed\n"), "{}", again.stdout);
    let stands = status(&scene, "runs/tiny");
    assert_eq!(
        (&stands["state"], &stands["runs"][2]["state"]),
        (&"ended".into(), &"failed".into())
    );
    assert!(stands["runs"][2]["message"].as_str().unwrap().contains("cannot write event files"));

    scene.run(&["run", "tiny.yaml", "--retry-failed"]).expect(0);
    assert_eq!(status(&scene, "runs/tiny")["state"], "finished");
}

#[test]
fn a_study_is_seen_at_work_then_interrupted_with_the_epochs_of_its_runs() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("epochs: 3", "epochs: 1000000"));
    let study = scene.start(&["run", "tiny.yaml", "--workers", "1"]);
    let log = scene.path("runs/tiny/small/seed-0/metrics.jsonl");
    wait_for(&study, "two epochs", || line_count(&log) >= 2);
    let stands = status(&scene, "runs/tiny");
    assert_eq!(
        (&stands["state"], &stands["runs"][0]["state"]),
        (&"running".into(), &"running".into())
    );
    let is_told = || {
        let stands = status(&scene, "runs/tiny");
        let progress = &stands["workers"][0]["progress"][0];
        let is_rate = |value: &Value| value.as_f64().is_some_and(|value| value > 0.0);
        progress["run"] == "small/seed-0"
            && [&progress["examples_per_second"], &stands["seconds_left"]].into_iter().all(is_rate)
    };
    wait_for(&study, "its run with a rate", is_told);
    let said = scene.run(&["status", "runs/tiny"]).expect(0).stdout;
    assert!(said.contains(" left for all runs, at the speed of these workers"), "{said}");
    interrupt(&study);
    let ended = study.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));

    let stands = status(&scene, "runs/tiny");
    assert_eq!(stands["state"], "interrupted");
    assert_eq!(states(&stands), ["interrupted", "not_started", "not_started", "not_started"]);
    let epochs = stands["runs"][0]["epochs"].as_u64().unwrap();
    assert_eq!(epochs as usize, line_count(&log));
    let said = scene.run(&["status", "runs/tiny"]).expect(0).stdout;
    let line = format!("small/seed-0: interrupted, {epochs} of 1000000 epochs done\n");
    assert!(said.contains(&line), "`{line}` is missing in:\n{said}");
}

#[test]
fn runs_of_arms_that_are_gone_are_told_apart() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--only", "seed-0"]).expect(0);
    scene.write("tiny.yaml", &STUDY.replace("name: large", "name: other"));
    scene.run(&["run", "tiny.yaml", "--only", "other/seed-0"]).expect(0);
    let stands = status(&scene, "runs/tiny");
    assert_eq!(stands["others"][0]["run"], "large/seed-0");
    assert_eq!(states(&stands), ["finished", "finished", "not_started", "not_started"]);
    let said = scene.run(&["status", "runs/tiny"]).expect(0).stdout;
    assert!(said.contains("large/seed-0: not in the current study"), "{said}");
    assert!(said.contains("other") && said.contains("test accuracy"), "{said}");
}

#[test]
fn a_folder_without_a_study_is_an_error() {
    let scene = Scene::new();
    for folder in [".", "nowhere", "reviews.csv"] {
        let ended = scene.run(&["status", folder]).expect(2);
        assert!(ended.stderr.contains("holds no study"), "{}", ended.stderr);
    }
}
