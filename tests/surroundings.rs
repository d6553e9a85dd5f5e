//! What surrounds the program and changes no result: environment, clock, current folder, folders that vanish,
//! a disk without inodes, and how many runs there are.

use crate::util::{Ended, STUDY, Scene, line_count, wait_for};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What repeats to the bit of the first run.
fn bits(scene: &Scene, study: &str) -> Vec<Vec<u8>> {
    let of = |file: &str| fs::read(scene.path(&format!("{study}/small/seed-0/{file}"))).unwrap();
    ["record.json", "metrics.jsonl", "weights.safetensors", "test_predictions.csv"].map(of).into()
}

#[test]
fn odd_environments_change_no_bit() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let train = |out: &str, environment: &[(&str, &str)], clear: bool| {
        let mut program =
            scene.batchscope(&["run", "tiny.yaml", "--out", out, "--only", "small/seed-0"]);
        if clear {
            program.env_clear();
        }
        program.envs(environment.iter().copied());
        Ended::from(program.output().unwrap()).expect(0);
        bits(&scene, out)
    };
    let plain = train("plain", &[], false);
    assert_eq!(train("bare", &[], true), plain, "no environment at all");
    let none = scene.path("none").display().to_string();
    let odd: [&[(&str, &str)]; 5] = [
        &[("LC_ALL", "tr_TR.UTF-8"), ("LANG", "de_DE"), ("TZ", "Pacific/Kiritimati")],
        &[("OMP_NUM_THREADS", "7"), ("MKL_NUM_THREADS", "3"), ("ATEN_CPU_CAPABILITY", "default")],
        &[("TMPDIR", &none), ("HOME", &none), ("XDG_CACHE_HOME", &none), ("PATH", &none)],
        &[("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full"), ("DNNL_VERBOSE", "2")],
        &[("COLUMNS", "3"), ("TERM", "dumb"), ("NO_COLOR", "1"), ("CUDA_VISIBLE_DEVICES", "9")],
    ];
    for (at, environment) in odd.into_iter().enumerate() {
        assert_eq!(train(&format!("odd-{at}"), environment, false), plain, "{environment:?}");
    }
}

/// Builds `tests/fixtures/surroundings.c` and runs the program on top of it.
fn run_on_a_fake(scene: &Scene, variable: (&str, &str), arguments: &[&str]) -> Ended {
    let library = scene.path("surroundings.so");
    if !library.exists() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/surroundings.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).args([source, "-ldl"]);
        assert!(compiler.status().unwrap().success());
    }
    let mut program = scene.batchscope(arguments);
    program.env("LD_PRELOAD", library).env(variable.0, variable.1);
    Ended::from(program.output().unwrap())
}

#[test]
fn a_clock_that_is_set_back_changes_no_bit() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("epochs: 3", "epochs: 40"));
    let one = |out| ["run", "tiny.yaml", "--only", "small/seed-0", "--out", out];
    scene.run(&one("plain")).expect(0);
    let mut program = scene.start(&one("study"));
    let log = scene.path("study/small/seed-0/metrics.jsonl");
    wait_for(&program, "three epochs", || line_count(&log) >= 3);
    program.kill().unwrap();
    program.wait().unwrap();
    run_on_a_fake(&scene, ("FAKE_CLOCK", "1"), &one("study")).expect(0);
    assert_eq!(bits(&scene, "study"), bits(&scene, "plain"));
    let summary = scene.run(&["report", "study"]).expect(0);
    assert!(!summary.stdout.contains("-1"), "no time is negative: {}", summary.stdout);
    assert!(!scene.read("study/small/seed-0/timing.jsonl").contains(":-"));
}

#[test]
fn a_disk_without_inodes_is_an_error_with_its_reason_and_the_command_goes_on_later() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let one = |out| ["run", "tiny.yaml", "--only", "small/seed-0", "--workers", "1", "--out", out];
    scene.run(&one("plain")).expect(0);
    // Each time a few more files: it ends at another place, the last time at none.
    let mut stopped = 0;
    let finished = (0..60).step_by(3).any(|inodes| {
        let ended = run_on_a_fake(&scene, ("FREE_INODES", &inodes.to_string()), &one("study"));
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        if ended.code == Some(0) {
            return true;
        }
        stopped += 1;
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("No space left on device"), "{inodes} inodes: {ended:?}");
        false
    });
    assert!(finished && stopped > 2, "stopped {stopped} times");
    assert_eq!(bits(&scene, "study"), bits(&scene, "plain"));
}

#[test]
fn a_folder_that_is_removed_during_training_is_an_error_and_the_command_begins_anew() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("epochs: 3", "epochs: 100000"));
    let one = ["run", "tiny.yaml", "--out", "study", "--only", "small/seed-0"];
    let program = scene.start(&one);
    let log = scene.path("study/small/seed-0/metrics.jsonl");
    wait_for(&program, "an epoch", || line_count(&log) > 0);
    fs::remove_dir_all(scene.path("study")).ok();
    // What is written meanwhile may be there again.
    fs::remove_dir_all(scene.path("study")).ok();
    let ended = Ended::from(program.wait_with_output().unwrap());
    // Not the whole text: a study that went on would have written a hundred thousand lines.
    let end = |text: &str| text.lines().rev().take(8).collect::<Vec<_>>().join("\n");
    let said = format!("{}\n{}", end(&ended.stdout), end(&ended.stderr));
    assert!(matches!(ended.code, Some(1 | 2)), "{said}");
    assert!(said.contains("No such file"), "{said}");
    fs::remove_dir_all(scene.path("study")).ok();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
}

#[test]
fn a_current_folder_that_is_gone_is_an_error_and_no_panic() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let gone = scene.path("gone");
    fs::create_dir(&gone).unwrap();
    let file = scene.path("tiny.yaml").display().to_string();
    let mut program = scene.batchscope(&["run", &file]);
    program.current_dir(&gone);
    let path = gone.clone();
    // Safety: the folder is removed by the child alone, between fork and exec.
    unsafe {
        program.pre_exec(move || fs::remove_dir(&path));
    }
    let ended = Ended::from(program.output().unwrap()).expect(2);
    // MKL ends it while it is being loaded, before the program begins.
    assert!(!ended.stderr.is_empty() && !ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn two_hundred_runs_take_no_more_memory_than_a_few() {
    let scene = Scene::new();
    let one = STUDY.replace("epochs: 3", "epochs: 1").replace("seeds: 2", "seeds: 100");
    scene.write("tiny.yaml", &one);
    let program = scene.start(&["run", "tiny.yaml", "--out", "study", "--quiet"]);
    let status = format!("/proc/{}/status", program.id());
    let resident = || -> u64 {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
    };
    let finished = |arm: &str, seed: usize| {
        scene.path(&format!("study/{arm}/seed-{seed}/weights.safetensors")).exists()
    };
    wait_for(&program, "a few runs", || finished("small", 5));
    let few = resident();
    wait_for(&program, "nearly all runs", || finished("large", 90));
    let many = resident();
    assert!(few > 0 && many < few + 32 * 1024, "{few} kB, then {many} kB");
    Ended::from(program.wait_with_output().unwrap()).expect(0);
}
