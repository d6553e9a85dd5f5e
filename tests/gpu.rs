//! Studies on a GPU, as a user runs them. The GPU is emulated: the program finds a library that stands in for
//! NVIDIA's driver, and goes through every call of it.

use crate::util::{Ended, STUDY, Scene};
use std::fs;

/// The emulated GPU under the driver's name, in a folder where the loader looks first. `part` is what it
/// plays (`kernels/libcuda.cpp`); empty for a GPU that serves.
fn run_on_gpu(scene: &Scene, part: &str, arguments: &[&str]) -> Ended {
    let folder = scene.path(&format!("driver{part}"));
    fs::create_dir_all(&folder).unwrap();
    let library = folder.join(format!("libcuda{part}.so"));
    if !library.exists() {
        fs::copy(env!("BATCHSCOPE_EMULATED_GPU"), &library).unwrap();
        std::os::unix::fs::symlink(&library, folder.join("libcuda.so.1")).unwrap();
    }
    Ended::from(scene.batchscope(arguments).env("LD_LIBRARY_PATH", folder).output().unwrap())
}

const FUSED: [&str; 4] = ["--device", "cuda", "--set", "train.engine=fused"];

fn run(study: &str, more: &[&'static str]) -> Vec<String> {
    of_workers(study, &["--workers", "1"], more)
}

fn of_workers(study: &str, workers: &[&str], more: &[&str]) -> Vec<String> {
    let all = ["run", "tiny.yaml", "--out", study];
    let all = all.iter().chain(workers).chain(more);
    all.map(|argument| (*argument).to_owned()).collect()
}

fn of(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

const FILES: [&str; 4] =
    ["metrics.jsonl", "steps.jsonl", "test_predictions.csv", "weights.safetensors"];

#[test]
#[cfg_attr(lacks_nvrtc, ignore = "NOT TESTED: this build found no NVRTC")]
fn a_study_on_a_gpu_repeats_the_processors_records_and_goes_on_there() {
    let scene = Scene::new();
    let logging = STUDY.replace("  device: cpu\n", "  logging: { every_steps: 1 }\n");
    scene.write("tiny.yaml", &logging);
    let processor = run("processor", &["--device", "cpu", "--set", "train.engine=fused"]);
    scene.run(&of(&processor)).expect(0);
    let gpu = run("gpu", &FUSED);
    let ended = run_on_gpu(&scene, "", &of(&gpu)).expect(0);
    assert!(!ended.stderr.contains("was not tested"), "{}", ended.stderr);
    for arm in ["small", "large"] {
        for seed in 0..2 {
            for file in FILES {
                let of = |study: &str| {
                    fs::read(scene.path(&format!("{study}/{arm}/seed-{seed}/{file}")))
                };
                assert_eq!(
                    of("gpu").unwrap(),
                    of("processor").unwrap(),
                    "{arm}/seed-{seed}/{file}"
                );
            }
        }
    }
    // The device is not part of what a run is.
    let again = run_on_gpu(&scene, "", &of(&run("processor", &FUSED))).expect(0);
    assert!(again.stderr.contains("4 of 4 runs are already finished"), "{}", again.stderr);
    let timing = scene.read("gpu/small/seed-0/timing.jsonl");
    assert!(timing.contains("\"peak_memory\":"), "{timing}");
}

#[test]
#[cfg_attr(lacks_nvrtc, ignore = "NOT TESTED: this build found no NVRTC")]
fn auto_takes_the_gpu_where_the_engine_was_tested_and_else_says_so() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("  device: cpu\n", ""));
    let check = |part, more: &[&str]| {
        let arguments: Vec<&str> = ["check", "tiny.yaml"].iter().chain(more).copied().collect();
        let ended = run_on_gpu(&scene, part, &arguments).expect(0);
        ended.stdout + &ended.stderr
    };
    let warning = "was not tested on GPUs like the emulated GPU";
    let tested = check("", &[]);
    assert!(tested.contains("on cuda by fused") && !tested.contains(warning), "{tested}");
    assert!(tested.contains("`--workers 4` trains 4 at a time on this GPU"), "{tested}");
    let other = check("-small", &[]);
    assert!(other.contains("on cpu by fused") && !other.contains(warning), "{other}");
    let asked = check("-small", &FUSED);
    assert!(asked.contains("on cuda by fused") && asked.contains(warning), "{asked}");
}

#[test]
#[cfg_attr(lacks_nvrtc, ignore = "NOT TESTED: this build found no NVRTC")]
fn a_driver_that_cannot_serve_is_an_error_with_what_to_do() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("  device: cpu\n", ""));
    for (part, reason) in [
        ("-none", "the NVIDIA driver finds no GPU: see what `nvidia-smi` says"),
        (
            "-old",
            "the NVIDIA driver is one of CUDA 12.4: a driver of version 580 or later is needed",
        ),
        ("-turing", "needs sm_80 or later: use the engine `libtorch` there"),
    ] {
        let ended = run_on_gpu(&scene, part, &of(&run("none", &FUSED)));
        assert_ne!(ended.code, Some(0), "{part}");
        let said = format!("{}{}", ended.stderr, ended.stdout)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(said.contains(reason), "{part}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_model_that_the_kernels_do_not_serve_is_refused_with_the_reason() {
    let scene = Scene::new();
    scene.write(
        "tiny.yaml",
        &STUDY.replace("  device: cpu\n", "").replace("units: 5", "units: 113"),
    );
    let ended = run_on_gpu(&scene, "", &of(&run("none", &FUSED))).expect(2);
    let built = ended.stderr.contains("has kernels for up to 112 units on a GPU");
    assert!(
        built || ended.stderr.contains("has no CUDA kernels in this build"),
        "{}",
        ended.stderr
    );
}

/// The same files of every run.
fn assert_same_runs(scene: &Scene, study: &str, other: &str, seeds: usize) {
    for (arm, seed) in ["small", "large"].into_iter().flat_map(|a| (0..seeds).map(move |s| (a, s)))
    {
        for file in FILES {
            let of = |study| fs::read(scene.path(&format!("{study}/{arm}/seed-{seed}/{file}")));
            assert_eq!(of(study).ok(), of(other).ok(), "{arm}/seed-{seed}/{file}");
        }
    }
}

/// The lines of the times of one run of `small`.
fn times(scene: &Scene, study: &str, seed: u64) -> Vec<serde_json::Value> {
    let path = scene.path(&format!("{study}/small/seed-{seed}/timing.jsonl"));
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
#[cfg_attr(lacks_nvrtc, ignore = "NOT TESTED: this build found no NVRTC")]
fn runs_that_share_a_gpu_have_the_records_of_runs_alone() {
    let scene = Scene::new();
    // One of them diverges beside the others.
    let text = STUDY
        .replace("  device: cpu\n", "  logging: { every_steps: 1 }\n")
        .replace("seeds: 2", "seeds: 5")
        .replace("name: large, batch_size: 32,", "name: large, batch_size: 32, lr: 1.0e30,");
    scene.write("tiny.yaml", &text);
    let alone = of_workers("alone", &["--workers", "1"], &FUSED);
    let ended = run_on_gpu(&scene, "", &of(&alone));
    assert!(ended.stderr.contains("= 10 runs on cuda by fused, 1 at a time"), "{}", ended.stderr);
    assert!(times(&scene, "alone", 0).iter().all(|line| line["sharing"].is_null()));
    for (workers, together) in [("3", 3), ("9", 9), ("40", 10)] {
        let study = format!("of {workers}");
        let several = of_workers(&study, &["--workers", workers], &FUSED);
        let ended = run_on_gpu(&scene, "", &of(&several));
        let line = format!("= 10 runs on cuda by fused, {together} at a time");
        assert!(ended.stderr.contains(&line), "{}", ended.stderr);
        assert_same_runs(&scene, "alone", &study, 5);
        // Steps that are counted take as long in every run of an arm.
        let first = times(&scene, &study, 0);
        assert_eq!(first[0]["sharing"], together);
        let seconds = |seed| -> Vec<String> {
            times(&scene, &study, seed).iter().map(|it| it["train_seconds"].to_string()).collect()
        };
        assert!(seconds(0).iter().all(|it| it != "0.0" && *it == seconds(0)[0]), "{study}");
        assert!((1..5).all(|seed| seconds(seed) == seconds(0)), "{study}");
    }
}
