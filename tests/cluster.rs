//! Several equal workers on one study folder: the bits of one `run`, whatever happens to them.

use crate::util::{Ended, FIRST_RUN, STUDY, Scene, line_count, send, wait_for, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

/// Workers of one process each, that are known to be dead after a third of a second.
const QUICK: [&str; 6] = ["--workers", "1", "--beat", "100", "--poll", "100"];

/// Quiet: nobody reads what several say of each epoch, and a full pipe would stop them.
fn start(scene: &Scene, study: &str) -> Child {
    scene.start(&[&["work", study], &QUICK[..], &["--quiet"]].concat())
}

fn work(scene: &Scene, study: &str) -> Ended {
    scene.run(&[&["work", study], &QUICK[..]].concat())
}

fn ended(child: Child) -> Ended {
    Ended::from(child.wait_with_output().unwrap())
}

/// What runs leave behind that repeats to the bit, by run and file.
fn results(study: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut folders, mut found) = (vec![study.to_owned()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != ".work" {
                folders.push(path);
            } else if [
                "record.json",
                "metrics.jsonl",
                "steps.jsonl",
                "evaluations.jsonl",
                "weights.safetensors",
                "test_predictions.csv",
                "sharpness.json",
                "line.json",
                "tuning.json",
            ]
            .contains(&name)
            {
                found
                    .insert(path.strip_prefix(study).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[track_caller]
fn assert_same(scene: &Scene, [one, other]: [&str; 2]) {
    let [one, other] = [one, other].map(|study| results(&scene.path(study)));
    assert!(one.keys().eq(other.keys()), "{:?} and {:?}", one.keys(), other.keys());
    for (name, bytes) in &one {
        assert!(other[name] == *bytes, "{}", name.display());
    }
}

#[test]
fn workers_that_start_at_once_and_later_end_a_study_with_the_bits_of_one_run() {
    let scene = Scene::new();
    let text = STUDY.replace("seeds: 2", "seeds: 5").replace("epochs: 3", "epochs: 20");
    let probes = "  probe: { sharpness: { rows: 40 }, line: {} }\n  arms:";
    scene.write("tiny.yaml", &text.replace("  arms:", probes));
    scene.run(&["run", "tiny.yaml", "--out", "alone"]).expect(0);
    let first: Vec<Child> = (0..2).map(|_| start(&scene, "tiny.yaml")).collect();
    wait_until("the folder", || scene.path("runs/tiny/.work/session.json").exists());
    let said = work(&scene, "runs/tiny").expect(0).stdout;
    assert!(said.contains("nothing is left to do"), "{said}");
    let all: Vec<Ended> = first.into_iter().map(|child| ended(child).expect(0)).collect();
    let texts = all.iter().map(|of| &of.stdout).chain([&said]);
    let drawn = texts.filter(|text| text.contains("runs/tiny/report/index.html")).count();
    assert_eq!(drawn, 1, "one draws the report: {said}");
    assert_same(&scene, ["alone", "runs/tiny"]);
    assert_eq!(scene.read("alone/study.yaml"), scene.read("runs/tiny/study.yaml"));
    // Nothing is left to do for one more, and the study is a plain one for whoever reads it.
    let again = work(&scene, "runs/tiny").expect(0).stdout;
    assert!(again.contains("this worker ended 0 runs"), "{again}");
    let sessions: Value = serde_json::from_str(&scene.read("runs/tiny/environment.json")).unwrap();
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    let status = scene.run(&["status", "runs/tiny"]).expect(0).stdout;
    assert!(status.contains("10 of 10 runs finished; finished"), "{status}");
    scene.run(&["run", "tiny.yaml"]).expect(0);
    assert_same(&scene, ["alone", "runs/tiny"]);
}

#[test]
fn kills_and_pauses_of_workers_change_no_bit_and_lose_no_run() {
    let scene = Scene::new();
    let text = STUDY.replace("seeds: 2", "seeds: 12").replace("epochs: 3", "epochs: 1000");
    scene.write("tiny.yaml", &text);
    scene.run(&["run", "tiny.yaml", "--out", "alone"]).expect(0);
    let done = || {
        let arms = ["small", "large"].map(|arm| scene.path(&format!("runs/tiny/{arm}")));
        arms.iter().map(|arm| fs::read_dir(arm).map_or(0, Iterator::count)).sum::<usize>()
    };
    let mut workers: Vec<Child> = (0..3).map(|_| start(&scene, "tiny.yaml")).collect();
    wait_until("an attempt", || scene.path("runs/tiny/.work/runs").exists());
    let mut blows = 0;
    while done() < 24 && blows < 60 {
        let worker = &mut workers[blows % 3];
        if blows % 2 == 0 {
            worker.kill().unwrap();
            worker.wait().unwrap();
            *worker = start(&scene, "runs/tiny");
        } else {
            // For longer than it takes to be thought dead.
            send(Signal::SIGSTOP, worker.id());
            sleep(Duration::from_millis(500));
            send(Signal::SIGCONT, worker.id());
        }
        blows += 1;
        sleep(Duration::from_millis(400));
    }
    assert!(blows > 1, "the study was too fast");
    for worker in workers {
        ended(worker).expect(0);
    }
    assert_same(&scene, ["alone", "runs/tiny"]);
    assert_eq!(fs::read_dir(scene.path("runs/tiny/.work/runs")).unwrap().count(), 0);
}

#[test]
fn a_worker_takes_over_what_a_dead_one_has_saved() {
    let scene = Scene::new();
    let text = STUDY.replace("seeds: 2", "seeds: 1").replace("epochs: 3", "epochs: 12000");
    // The other run is short, so that no worker is at it for long.
    scene.write("tiny.yaml", &text.replace("batch_size: 32,", "batch_size: 32, epochs: 1,"));
    let attempt = |generation: u32| {
        scene.path(&format!("runs/tiny/.work/runs/{}.{generation:04}", FIRST_RUN.replace('/', "@")))
    };
    // On a busy machine a worker may be silent for a while.
    let patient = ["work", "tiny.yaml", "--quiet", "--workers", "1", "--beat", "1000"];
    let first = scene.start(&patient);
    let epochs = || line_count(&attempt(1).join("metrics.jsonl"));
    let stands = || -> Value {
        serde_json::from_str(&scene.run(&["status", "runs/tiny", "--json"]).expect(0).stdout)
            .unwrap()
    };
    wait_for(&first, "epochs", || epochs() > 20 && stands()["seconds_left"].is_f64());
    let status = scene.run(&["status", "runs/tiny"]).expect(0).stdout;
    let worker = status.lines().find(|line| line.contains(&format!("({})", first.id())));
    let worker = worker.unwrap_or_else(|| panic!("{status}"));
    assert!(worker.contains(" cpu ") && worker.contains(" small/seed-0 "), "{status}");
    assert!(worker.contains(" ago "), "{status}");
    let stands = stands();
    let progress = &stands["workers"][0]["progress"][0];
    assert_eq!((&progress["run"], &progress["all_examples"]), (&FIRST_RUN.into(), &864_000.into()));
    for known in [&progress["examples_per_second"], &progress["seconds_left"]] {
        assert!(known.as_f64().unwrap() > 0.0, "{stands}");
    }
    assert!(stands["seconds_left"].as_f64().unwrap() > 0.0, "{stands}");
    assert!(status.contains("left for all runs, at the speed of these workers"), "{status}");
    assert!(status.contains("small/seed-0: running,"), "{status}");
    send(Signal::SIGKILL, first.id());
    ended(first);
    let before = epochs();
    let second = start(&scene, "runs/tiny");
    wait_for(&second, "the second attempt", || attempt(2).join("record.json").exists());
    wait_for(&second, "its logs", || line_count(&attempt(2).join("metrics.jsonl")) >= before);
    send(Signal::SIGTERM, second.id());
    let said = ended(second).expect(130);
    assert!(said.stdout.contains("stopped; this worker ended "), "{}", said.stdout);
    // Who said that it ended is not waited for, and what it saved on its way out is gone on with.
    let third = start(&scene, "runs/tiny");
    wait_for(&third, "the third attempt", || attempt(3).join("record.json").exists());
    ended(third).expect(0);
    scene.run(&["run", "tiny.yaml", "--out", "alone"]).expect(0);
    assert_same(&scene, ["alone", "runs/tiny"]);
    // All three attempts were made on this machine.
    let places = scene.read(&format!("runs/tiny/{FIRST_RUN}/ran_on.jsonl"));
    assert_eq!(places.lines().count(), 1, "{places}");
}

#[test]
fn runs_on_a_local_disk_are_saved_in_time_and_when_they_are_stopped() {
    let scene = Scene::new();
    let text = STUDY.replace("seeds: 2", "seeds: 1").replace("epochs: 3", "epochs: 12000");
    scene.write("tiny.yaml", &text.replace("batch_size: 32,", "batch_size: 32, epochs: 1,"));
    let local = ["--scratch", "disk", "--save", "100"];
    let start =
        |study: &str| scene.start(&[&["work", study, "--quiet"], &QUICK[..], &local[..]].concat());
    let attempt = |generation: u32| {
        scene.path(&format!("runs/tiny/.work/runs/{}.{generation:04}", FIRST_RUN.replace('/', "@")))
    };
    let saved = |generation: u32| line_count(&attempt(generation).join("metrics.jsonl"));
    let on_disk = || fs::read_dir(scene.path("disk")).map_or(0, Iterator::count);
    let first = start("tiny.yaml");
    wait_for(&first, "what is saved once", || saved(1) > 0);
    let once = saved(1);
    wait_for(&first, "what is saved later", || saved(1) > once);
    assert!(attempt(1).join("checkpoint/state.safetensors").exists());
    let curves = fs::read_dir(attempt(1).join("validation")).unwrap().count();
    assert_eq!((on_disk(), curves), (1, 1));
    send(Signal::SIGKILL, first.id());
    ended(first);
    let before = saved(1);
    let second = start("runs/tiny");
    wait_for(&second, "the second attempt", || saved(2) > before);
    assert_eq!(on_disk(), 1, "that of the dead worker is removed");
    send(Signal::SIGTERM, second.id());
    ended(second).expect(130);
    assert_eq!(on_disk(), 0);
    // What was saved on the way out holds all that was recorded; another goes on in the study's folder.
    let stopped_at = saved(2);
    let third = scene.start(&[&["work", "runs/tiny", "--quiet"], &QUICK[..]].concat());
    wait_for(&third, "the third attempt", || saved(3) >= stopped_at);
    send(Signal::SIGTERM, third.id());
    ended(third).expect(130);
    ended(start("runs/tiny")).expect(0);
    let run = scene.path(&format!("runs/tiny/{FIRST_RUN}"));
    assert!(!run.join("checkpoint").exists() && run.join("ran_on.jsonl").exists());
    // TensorBoard's table of hyperparameters names the study, wherever the run was trained.
    let curves = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path());
    let curves = curves.filter(|path| path.to_string_lossy().contains(".tfevents."));
    let bytes = fs::read(curves.last().unwrap()).unwrap();
    assert!(bytes.windows(10).any(|at| at == b"tiny/small"));
    assert!(fs::read_dir(scene.path("runs/tiny/.work/runs")).unwrap().next().is_none());
    scene.run(&["run", "tiny.yaml", "--out", "alone"]).expect(0);
    assert_same(&scene, ["alone", "runs/tiny"]);
}

#[test]
fn a_run_and_workers_refuse_each_others_study_and_go_on_with_it_afterwards() {
    let scene = Scene::new();
    let text = STUDY.replace("seeds: 2", "seeds: 1").replace("epochs: 3", "epochs: 8000");
    scene.write("tiny.yaml", &text);
    let log = scene.path(&format!("runs/tiny/{FIRST_RUN}/metrics.jsonl"));
    let alone = scene.start(&["run", "tiny.yaml", "--workers", "1"]);
    wait_for(&alone, "an epoch", || line_count(&log) > 3);
    let refused = work(&scene, "runs/tiny").expect(2).stderr;
    assert!(
        refused.contains("a `batchscope run` has the study in runs/tiny for itself"),
        "{refused}"
    );
    send(Signal::SIGTERM, alone.id());
    ended(alone).expect(130);

    let worker = start(&scene, "runs/tiny");
    let attempts = scene.path("runs/tiny/.work/runs");
    wait_for(&worker, "an attempt", || attempts.exists() && !log.exists());
    let refused = scene.run(&["run", "tiny.yaml"]).expect(2).stderr;
    assert!(refused.contains("a worker is at work on the study in runs/tiny"), "{refused}");
    assert!(refused.contains("`batchscope work runs/tiny` joins them"), "{refused}");
    wait_for(&worker, "the checkpoint", || {
        attempts.join(format!("{}.0001/checkpoint", FIRST_RUN.replace('/', "@"))).exists()
    });
    let asked = scene.run(&["stop", "runs/tiny"]).expect(0).stdout;
    assert!(asked.contains("1 worker asked to save and end"), "{asked}");
    ended(worker).expect(130);
    // A worker that starts later ends at once; a `run` goes on from what is saved, in its place.
    let undo = "batchscope stop runs/tiny --undo";
    assert!(asked.contains(undo), "{asked}");
    let said = work(&scene, "runs/tiny").expect(130).stdout;
    assert!(said.contains("Stopped by `batchscope stop`") && said.contains(undo), "{said}");
    let status = scene.run(&["status", "runs/tiny"]).expect(0).stdout;
    assert!(status.contains("Stopped by `batchscope stop`") && status.contains(undo), "{status}");
    let status = scene.run(&["status", "runs/tiny", "--json"]).expect(0).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["stop_asked"], true);
    scene.run(&["run", "tiny.yaml"]).expect(0);
    assert!(!scene.path("runs/tiny/.work").exists());
    scene.run(&["run", "tiny.yaml", "--out", "alone"]).expect(0);
    assert_same(&scene, ["alone", "runs/tiny"]);
}

#[test]
fn workers_find_learning_rates_and_add_seeds_as_one_run_does() {
    let scene = Scene::new();
    let until = "study:\n  name: tiny\n  margin: 0.06\n  until: settled\n  seeds: 3\n  max_seeds: 7\n  \
                 learning_rate: { tuned: { rates: [0.002, 0.02], seeds: 1, extend: 1 } }\n  arms:\n    \
                 - { name: small, batch_size: 8 }\n    - { name: large, batch_size: 24 }\n";
    let rest = STUDY.split_once("data:").unwrap().1.replace("epochs: 3", "epochs: 15");
    scene.write("tiny.yaml", &format!("{until}data:{rest}"));
    scene.run(&["run", "tiny.yaml", "--out", "alone"]).expect(0);
    let workers: Vec<Child> = (0..3).map(|_| start(&scene, "tiny.yaml")).collect();
    for worker in workers {
        ended(worker).expect(0);
    }
    assert_same(&scene, ["alone", "runs/tiny"]);
    assert_eq!(scene.read("alone/study.yaml"), scene.read("runs/tiny/study.yaml"));
    let until = |study: &str| {
        let sessions: Value =
            serde_json::from_str(&scene.read(&format!("{study}/environment.json"))).unwrap();
        sessions[0]["until"].clone()
    };
    assert_eq!(until("alone"), until("runs/tiny"));
}

#[test]
fn another_study_and_a_worker_that_would_train_other_bits_are_refused() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    work(&scene, "tiny.yaml").expect(0);
    let refused = scene.run(&["work", "tiny.yaml", "--set", "train.epochs=4"]).expect(2).stderr;
    assert!(refused.contains("share another study than this one"), "{refused}");
    let shared = scene.read("runs/tiny/.work/shared.json");
    scene.write("runs/tiny/.work/shared.json", &shared.replace("\"cpu\"", "\"cuda\""));
    let refused = work(&scene, "runs/tiny").expect(2).stderr;
    assert!(refused.contains("device: \"cuda\" -> \"cpu\""), "{refused}");
    let refused = scene.run(&["stop", "nothere"]).expect(2).stderr;
    assert!(refused.contains("there is no folder nothere"), "{refused}");
    fs::create_dir(scene.path("alone")).unwrap();
    let refused = scene.run(&["stop", "alone"]).expect(2).stderr;
    assert!(refused.contains("no equal workers were ever at work"), "{refused}");
}
