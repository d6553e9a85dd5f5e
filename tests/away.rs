//! Workers whose shared folder is away now and then, as on a network file system: a small library stands
//! between the program and libc.

use crate::util::{Ended, STUDY, Scene};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Compiles the library.
fn library(scene: &Scene) -> PathBuf {
    let (source, library) = ("tests/fixtures/away.c", scene.path("away.so"));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
    compiler.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(source)).arg("-ldl");
    assert!(compiler.status().unwrap().success(), "`cc` cannot compile {source}");
    library
}

/// One worker, of whose calls for files with `part` in their path every `every`th fails.
fn work(scene: &Scene, part: &str, every: u32) -> Ended {
    let mut command = scene.batchscope(&["work", "tiny.yaml", "--workers", "1", "--poll", "100"]);
    command.env("LD_PRELOAD", library(scene)).env("AWAY_PART", part);
    Ended::from(command.env("AWAY_EVERY", every.to_string()).output().unwrap())
}

#[test]
fn a_folder_that_is_away_now_and_then_changes_no_bit_and_fails_no_run() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "alone"]).expect(0);
    work(&scene, ".work/", 13).expect(0);
    for run in ["small/seed-0", "small/seed-1", "large/seed-0", "large/seed-1"] {
        for file in ["record.json", "metrics.jsonl", "steps.jsonl", "weights.safetensors"] {
            let of = |study: &str| fs::read(scene.path(&format!("{study}/{run}/{file}"))).unwrap();
            assert!(of("alone") == of("runs/tiny"), "{run}/{file}");
        }
        let attempts = scene.path(&format!("runs/tiny/.work/claims/{}", run.replace('/', "@")));
        assert_eq!(fs::read_dir(attempts).unwrap().count(), 1, "{run} was trained once");
    }
}

#[test]
fn a_folder_that_stays_away_ends_the_worker_with_the_file_the_tries_and_what_to_do() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let said = work(&scene, ".work/claims/", 1).expect(2).stderr;
    assert!(said.contains("@seed-0/0001 failed 6 times within 14 s: Stale file handle"), "{said}");
    assert!(said.contains("hint: see whether the network and the file server are well"), "{said}");
    // Nothing is held against its runs.
    scene.run(&["work", "tiny.yaml", "--workers", "1", "--poll", "100"]).expect(0);
}

#[test]
fn a_run_whose_files_stay_away_is_not_failed_and_goes_on_later() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let said = work(&scene, "checkpoint/", 1).expect(2).stderr;
    assert!(said.contains("the study in runs/tiny stopped, since its disk is away: "), "{said}");
    assert!(said.contains("checkpoint/state.safetensors failed 6 times within 14 s"), "{said}");
    scene.run(&["work", "tiny.yaml", "--workers", "1", "--poll", "100"]).expect(0);
    let stands = scene.run(&["status", "runs/tiny"]).expect(0).stdout;
    assert!(stands.contains("4 of 4 runs finished"), "{stands}");
}
