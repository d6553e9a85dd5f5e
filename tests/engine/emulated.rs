//! The engine `fused` on CUDA, on the emulated GPU: every bit is the processor's, whatever the model, the
//! step and the memory; and what a driver may answer, with what to do.

use super::fused::Examples;
use super::{ADAM, emulated_gpu, fused, optimizers};
use batchscope::kernels::{
    self, Computed, Device, Engine, InstructionSet, Masks, Penalties, Settings, Split, State, Step,
    Workload,
};
use batchscope::spec::{Clip, Huber, LabelSmoothing, Loss, Objective, Penalty};
use std::path::{Path as FilePath, PathBuf};
use tempfile::TempDir;

/// All that an engine gives.
#[derive(PartialEq)]
struct Given {
    state: State,
    computed: Computed,
    predicted: Vec<f32>,
    gradient: Vec<Vec<f32>>,
    penalty: f64,
}

/// Two epochs of batches, with what validation sees after each.
fn trained(scene: &Examples, engine: &mut dyn Engine, batch: usize, masks: [usize; 2]) -> Given {
    let all: Vec<u32> = (0..scene.len() as u32).rev().collect();
    let mut predicted = Vec::new();
    for _ in 0..2 {
        for rows in all.chunks(batch) {
            let masks = [scene.masks(rows.len(), masks[0], masks[1])];
            let masks = (masks[0] != Masks::default()).then_some(&masks[..]);
            engine.train_step(&Step { rows, lr: 0.01, masks }).unwrap();
        }
        predicted.extend(engine.predict(Split::Validation, &all).unwrap());
    }
    Given {
        gradient: engine.gradient(&all[..all.len().min(19)]).unwrap(),
        penalty: engine.penalty().unwrap(),
        computed: engine.take_computed().unwrap(),
        state: engine.state().unwrap(),
        predicted,
    }
}

#[track_caller]
fn same_bits(what: &str, scene: &Examples, settings: &Settings, batch: usize, masks: [usize; 2]) {
    same_bits_on(&emulated_gpu(), what, scene, settings, batch, masks);
    // A GPU is what it is; the emulated one also plays one with a single multiprocessor, which has no room for
    // blocks of two rows.
    if emulated_gpu() == FilePath::new(env!("BATCHSCOPE_EMULATED_GPU")) {
        let folder = TempDir::new().unwrap();
        same_bits_on(&playing(&folder, "narrow"), what, scene, settings, batch, masks);
    }
}

#[track_caller]
fn same_bits_on(
    library: &FilePath,
    what: &str,
    scene: &Examples,
    settings: &Settings,
    batch: usize,
    masks: [usize; 2],
) {
    let mut engine = scene.engine(fused(InstructionSet::best()), settings.clone());
    let processor = trained(scene, engine.as_mut(), batch, masks);
    let mut engine = scene.on_library(library, settings.clone()).unwrap();
    let gpu = trained(scene, engine.as_mut(), batch, masks);
    let Given { state, computed, predicted, gradient, penalty } = processor;
    assert!(computed.logits == gpu.computed.logits, "{what}: logits");
    assert!(computed.gradient_norms == gpu.computed.gradient_norms, "{what}: norms");
    assert!(computed.penalties == gpu.computed.penalties, "{what}: penalties");
    assert!(predicted == gpu.predicted, "{what}: predictions");
    assert!(gradient == gpu.gradient, "{what}: gradients");
    assert!(penalty.to_bits() == gpu.penalty.to_bits(), "{what}: penalty");
    let bits = |state: &State| -> Vec<u32> {
        let all = state.moments.iter().flatten().chain(&state.parameters);
        all.flatten().map(|value| value.to_bits()).collect()
    };
    assert!(bits(&state) == bits(&gpu.state) && state.step == gpu.state.step, "{what}: state");
}

#[test]
fn a_run_takes_at_most_the_memory_that_is_reckoned_with() {
    for (scene, masks) in [
        (Examples::tokens(300, 5, 64), [0, 0]),
        (Examples::tokens(300, 5, 64), [1, 4]),
        (Examples::features(90, 30, 7, 20), [0, 0]),
        (Examples::features(90, 30, 7, 20), [4, 0]),
    ] {
        let mut engine = scene.on_library(&emulated_gpu(), plain()).unwrap();
        trained(&scene, engine.as_mut(), 32, masks);
        let held = kernels::peak_device_memory(Device::Cuda(0)).unwrap().unwrap();
        let (examples, longest) = (3 * scene.len(), 40);
        let load = Workload { moments: 2, rows_together: scene.len(), examples, longest };
        let most = kernels::memory_on_gpu(&scene.shape, &load);
        assert!(held <= most && most < 6 * held, "{held} bytes of {most}");
    }
}

fn plain() -> Settings {
    Settings::plain(Objective::binary(), ADAM)
}

fn with_everything() -> Settings {
    let penalties = Penalties {
        kernel: Penalty { l1: 1e-4, l2: 1e-3 },
        recurrent: Penalty { l1: 0.0, l2: 1e-2 },
        bias: Penalty { l1: 1e-3, l2: 0.0 },
    };
    let objective = Objective { class_weights: vec![1.0, 2.0], ..Objective::binary() };
    Settings {
        clip: Some(Clip::Norm(0.05)),
        penalties: vec![penalties],
        ..Settings::plain(objective, ADAM)
    }
}

#[test]
fn features_of_odd_sizes_give_the_processors_bits() {
    for (rows, steps, features, units, batch) in [
        (5, 1, 1, 1, 2),
        (19, 3, 17, 16, 7),
        (33, 9, 5, 33, 33),
        (20, 6, 64, 64, 17),
        (3, 11, 130, 20, 1),
    ] {
        let scene = Examples::features(rows, steps, features, units);
        let what = format!("{rows} rows, T = {steps}, F = {features}, H = {units}");
        same_bits(&what, &scene, &plain(), batch, [0, 0]);
    }
}

#[test]
fn ragged_and_empty_rows_of_tokens_give_the_processors_bits() {
    for (rows, dim, units, batch) in [(40, 5, 7, 9), (24, 16, 33, 24), (18, 70, 16, 5)] {
        let scene = Examples::tokens(rows, dim, units);
        same_bits(&format!("{rows} rows, F = {dim}, H = {units}"), &scene, &plain(), batch, [0, 0]);
    }
}

#[test]
fn every_number_of_panels_gives_the_processors_bits() {
    for units in [48, 80, 96, 112] {
        let scene = Examples::features(6, 5, 3, units);
        same_bits(&format!("H = {units}"), &scene, &plain(), 6, [0, 0]);
    }
}

#[test]
fn every_optimizer_gives_the_processors_bits() {
    let scene = Examples::tokens(24, 5, 6);
    for optimizer in optimizers() {
        let settings = Settings::plain(Objective::binary(), optimizer);
        same_bits(&format!("{optimizer:?}"), &scene, &settings, 7, [0, 0]);
    }
}

#[test]
fn clipping_penalties_and_weights_of_labels_give_the_processors_bits() {
    let scenes = [Examples::tokens(30, 5, 7), Examples::features(20, 6, 17, 20)];
    for scene in &scenes {
        same_bits("all of them", scene, &with_everything(), 8, [0, 0]);
        let settings = Settings { clip: Some(Clip::Value(1e-3)), ..plain() };
        same_bits("clipped by value", scene, &settings, 8, [0, 0]);
    }
}

#[test]
fn dropout_gives_the_processors_bits() {
    for masks in [[1, 0], [0, 4], [4, 4]] {
        for scene in [Examples::tokens(30, 5, 20), Examples::features(20, 6, 17, 36)] {
            same_bits(&format!("masks {masks:?}"), &scene, &with_everything(), 18, masks);
        }
    }
}

#[test]
fn every_head_and_loss_gives_the_processors_bits() {
    let smoothed = Loss::CategoricalCrossentropy(LabelSmoothing { label_smoothing: 0.1 });
    let losses = [
        (Loss::CategoricalCrossentropy(LabelSmoothing::default()), 3),
        (smoothed, 37),
        (Loss::Mse, 1),
        (Loss::Mae, 1),
        (Loss::Huber(Huber { delta: 0.7 }), 1),
    ];
    for (loss, outputs) in losses {
        let objective = Objective { loss, ..Objective::binary() };
        let settings = Settings::plain(objective, ADAM);
        let scene = Examples::tokens(30, 5, 7).with_outputs(outputs);
        same_bits(&format!("{loss:?}"), &scene, &settings, 11, [0, 0]);
    }
}

#[test]
fn parts_of_a_batch_give_the_processors_bits() {
    let scene = Examples::tokens(40, 5, 7);
    for micro in [1, 8, 33] {
        let settings = Settings { micro_batch: Some(micro), ..with_everything() };
        same_bits(&format!("{micro} at a time"), &scene, &settings, 40, [1, 0]);
    }
}

/// The emulated GPU in a file of its own, whose name says what it plays (`kernels/libcuda.cpp`).
fn playing(folder: &TempDir, part: &str) -> PathBuf {
    let path = folder.path().join(format!("libcuda-{part}.so"));
    std::fs::copy(env!("BATCHSCOPE_EMULATED_GPU"), &path).unwrap();
    path
}

#[test]
fn little_shared_memory_changes_no_bit() {
    let folder = TempDir::new().unwrap();
    let small = playing(&folder, "small");
    for units in [64, 80, 96, 112] {
        let scene = Examples::features(6, 5, 3, units);
        same_bits_on(&small, &format!("H = {units}"), &scene, &with_everything(), 6, [0, 4]);
        same_bits_on(&small, &format!("H = {units}"), &scene, &plain(), 6, [0, 0]);
    }
}

#[test]
fn little_memory_changes_no_bit() {
    let folder = TempDir::new().unwrap();
    let tight = playing(&folder, "tight");
    for scene in [Examples::tokens(200, 5, 16), Examples::features(200, 20, 5, 16)] {
        for masks in [[0, 0], [1, 0]] {
            same_bits_on(&tight, "2 MB", &scene, &plain(), 200, masks);
        }
    }
}

#[test]
fn too_little_memory_for_one_slab_is_an_error_about_memory() {
    let folder = TempDir::new().unwrap();
    let scene = Examples::features(16, 400, 5, 16);
    let mut engine = scene.on_library(&playing(&folder, "tight"), plain()).unwrap();
    let rows: Vec<u32> = (0..16).collect();
    let error = engine.train_step(&Step { rows: &rows, lr: 0.01, masks: None }).unwrap_err();
    assert!(kernels::is_about_memory(&format!("{error:#}")), "{error:#}");
}

#[test]
fn a_driver_that_cannot_serve_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let scene = Examples::features(2, 2, 2, 2);
    let answer = |library: PathBuf| match scene.on_library(&library, plain()) {
        Ok(_) => panic!("{} served", library.display()),
        Err(error) => format!("{error:#}"),
    };
    let absent = answer(folder.path().join("libcuda.so.1"));
    assert!(absent.contains("no NVIDIA driver") && absent.contains("580"), "{absent}");
    for (part, expected) in [
        ("none", ["finds no GPU", "nvidia-smi"]),
        ("old", ["CUDA 12.4", "version 580 or later"]),
        ("turing", ["sm_75", "use the engine `libtorch`"]),
        ("refuses", ["load the engine's kernels", "device kernel image is invalid"]),
    ] {
        let answer = answer(playing(&folder, part));
        assert!(expected.iter().all(|words| answer.contains(words)), "{part}: {answer}");
    }
}
