//! Arrays from the file to the report: windows that overlap, labels, what cannot fit.

use crate::util::{Ended, Scene};
use npyz::WriterBuilder;
use npyz::npz::NpzWriter;
use std::fs::{self, File};

/// Arrays to put into an npz file.
struct Npz(NpzWriter<std::io::BufWriter<File>>);

impl Npz {
    fn new(scene: &Scene, name: &str) -> Self {
        Self(NpzWriter::create(scene.path(name)).unwrap())
    }

    fn add<T: npyz::AutoSerialize + Clone>(&mut self, name: &str, dims: &[u64], values: &[T]) {
        let array = self.0.array(name, Default::default()).unwrap();
        let mut array = array.default_dtype().shape(dims).begin_nd().unwrap();
        array.extend(values.iter().cloned()).unwrap();
        array.finish().unwrap();
    }
}

const ROWS: usize = 120;
const STEPS: usize = 10;

/// 120 windows of 10 steps and two features of a random walk, at a stride.
fn windows(stride: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let series: Vec<f32> = (0..2 * (ROWS * stride + STEPS)).map(|_| noise()).collect();
    (0..ROWS).flat_map(|row| series[2 * row * stride..][..2 * STEPS].to_vec()).collect()
}

/// Labels that change every few rows.
fn labels() -> Vec<i64> {
    (0..ROWS as i64).map(|row| row / 3 % 2).collect()
}

fn write(scene: &Scene, x: &[f32], y: &[i64]) {
    let mut npz = Npz::new(scene, "w.npz");
    npz.add("X_train", &[ROWS as u64, STEPS as u64, 2], x);
    npz.add("y_train", &[ROWS as u64], y);
}

#[test]
fn arrays_that_the_file_does_not_name_are_told() {
    let scene = Scene::new();
    let mut npz = Npz::new(&scene, "w.npz");
    npz.add("X_train", &[ROWS as u64, STEPS as u64, 2], &windows(STEPS));
    npz.add("y_train", &[ROWS as u64], &labels());
    npz.add("X_val", &[10, STEPS as u64, 2], &windows(STEPS)[..20 * STEPS]);
    npz.add("y_val", &[10], &labels()[..10]);
    drop(npz);
    let warnings = check(&scene, "{ by: order }")["warnings"].to_string();
    let said = "the file also holds `X_val`, `y_val`, which `data.arrays` does not name: not read";
    assert!(warnings.contains(said), "{warnings}");
}

#[test]
fn features_that_32_bits_take_for_one_are_refused_by_init_and_check() {
    let scene = Scene::new();
    // The second feature has nine values one second apart, as floats and as integers.
    let whole: Vec<i64> = (0..20 * ROWS as i64)
        .map(|at| if at % 2 == 0 { at % 7 } else { 1_700_000_000 + at % 9 })
        .collect();
    let floats: Vec<f64> = whole.iter().map(|value| *value as f64).collect();
    let dims = [ROWS as u64, STEPS as u64, 2];
    for is_whole in [false, true] {
        let mut npz = Npz::new(&scene, "w.npz");
        match is_whole {
            true => npz.add("X_train", &dims, &whole),
            false => npz.add("X_train", &dims, &floats),
        }
        npz.add("y_train", &[ROWS as u64], &labels());
        drop(npz);
        let said = "`X_train`, feature 1 (from 0) holds 9 different values from 1700000000 to 1700000008, \
                    of which 32 bits leave 1";
        let ended = scene.run(&["init", "w.npz"]).expect(2);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        scene.write(
            "w.yaml",
            "study: { seeds: 2, grid: { batch_size: [16, 32] } }\n\
             data: { scale: standard, arrays: { path: w.npz } }\n\
             model: { lstm: { units: 3 } }\ntrain: { epochs: 2, device: cpu }\n",
        );
        let ended = scene.run(&["check", "w.yaml"]).expect(2);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

#[test]
fn predictions_for_another_number_of_time_steps_are_made_with_a_warning() {
    let scene = Scene::new();
    write(&scene, &windows(STEPS), &labels());
    scene.write(
        "w.yaml",
        "study: { seeds: 1, grid: { batch_size: [16] } }\ndata: { arrays: { path: w.npz } }\n\
         model: { lstm: { units: 3 } }\ntrain: { epochs: 1, device: cpu }\n",
    );
    scene.run(&["run", "w.yaml"]).expect(0);
    let mut npz = Npz::new(&scene, "new.npz");
    npz.add("X_train", &[4, STEPS as u64 + 2, 2], &windows(STEPS)[..8 * (STEPS + 2)]);
    drop(npz);
    let predict = |file: &str| scene.run(&["predict", "runs/w", "--input", file]).expect(0).stderr;
    let said = "the new rows have 12 time steps, and the study's models were trained with 10";
    assert!(predict("new.npz").contains(said), "{}", predict("new.npz"));
    assert!(!predict("w.npz").contains("time steps"));
}

/// The output of `check --json` for a split.
fn check(scene: &Scene, split: &str) -> serde_json::Value {
    scene.write(
        "w.yaml",
        &format!(
            "study: {{ seeds: 2, grid: {{ batch_size: [16, 32] }} }}\n\
             data:\n  arrays: {{ path: w.npz }}\n  split: {split}\n\
             model: {{ lstm: {{ units: 3 }} }}\ntrain: {{ epochs: 2, device: cpu }}\n"
        ),
    );
    let Ended { stdout, .. } = scene.run(&["check", "w.yaml", "--json"]).expect(0);
    serde_json::from_str(&stdout).unwrap()
}

fn warnings(document: &serde_json::Value) -> String {
    let list = document["warnings"].as_array().unwrap();
    list.iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn windows_that_overlap_are_told_and_a_gap_ends_it() {
    let scene = Scene::new();
    write(&scene, &windows(2), &labels());
    let random = check(&scene, "{ seed: 1 }");
    let told = warnings(&random);
    assert!(told.contains("22 of 24 test rows share up to 8 of 10 time steps"), "{told}");
    assert!(told.contains("write `split: { by: order, gap: 5 }`"), "{told}");
    assert_eq!(random["data"]["overlap"]["stride"], 2);

    let near = check(&scene, "{ by: order }");
    assert!(warnings(&near).contains("write `gap: 5` in `data.split`"), "{}", warnings(&near));
    let apart = check(&scene, "{ by: order, gap: 5 }");
    assert!(!warnings(&apart).contains("time steps"), "{}", warnings(&apart));
    let sizes =
        ["train", "validation", "test"].map(|split| apart["data"][split]["examples"].clone());
    assert_eq!(sizes, [67, 19, 24]);
    scene.run(&["run", "w.yaml"]).expect(0);
    let report = scene.run(&["report", "runs/w", "--json"]).expect(0).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let rows = &report["reports"][0]["rows"];
    assert_eq!(rows[0], "5 rows before each cut between two splits are left out (`gap`)");
}

#[test]
fn the_report_says_first_that_test_rows_were_seen_and_counts_blocks_of_rows() {
    let scene = Scene::new();
    write(&scene, &windows(1), &labels());
    check(&scene, "{ seed: 1 }");
    let said = scene.run(&["run", "w.yaml"]).expect(0);
    assert!(said.stderr.contains("share up to 9 of 10 time steps"), "{}", said.stderr);
    let report = scene.run(&["report", "runs/w", "--json"]).expect(0).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let first = report["reports"][0]["caution_texts"][0].as_str().unwrap();
    assert!(first.starts_with("Rows leak: all 24 test rows"), "{first}");
    assert_eq!(report["reports"][0]["answer"]["certainty"], "none", "two seeds decide nothing");
    assert!(first.contains("{ by: order, gap: 10 }"), "{first}");
    let arms = report["reports"][0]["comparison"]["arms"].as_array().unwrap();
    let blocks: Vec<_> =
        arms.iter().filter_map(|arm| arm["test"]["rows"]["block"].as_u64()).collect();
    assert!(!blocks.is_empty() && blocks.iter().all(|block| *block == 10), "{arms:?}");
    let sessions: serde_json::Value =
        serde_json::from_str(&scene.read("runs/w/environment.json")).unwrap();
    assert_eq!(sessions[0]["data"]["overlap"]["test"]["most_steps"], 9);
}

#[test]
fn repeated_rows_stay_in_one_part_of_a_random_split_and_are_told_in_another() {
    let scene = Scene::new();
    let mut x = windows(STEPS);
    // The last twelve rows repeat the first ones.
    let size = 2 * STEPS;
    for row in 0..12 {
        let first = x[row * size..(row + 1) * size].to_vec();
        x[(108 + row) * size..(109 + row) * size].copy_from_slice(&first);
    }
    write(&scene, &x, &labels());
    let order = warnings(&check(&scene, "{ by: order }"));
    assert!(
        order.contains("12 of 24 test rows equal a training row (row 108 with row 0"),
        "{order}"
    );
    assert!(order.contains("or write `split: { by: random }`"), "{order}");
    for seed in 0..3 {
        let random = check(&scene, &format!("{{ seed: {seed} }}"));
        assert_eq!(random["data"]["overlap"]["test"]["repeated"], 0);
        assert_eq!(random["data"]["overlap"]["validation"]["repeated"], 0);
    }
}

#[test]
fn features_of_very_different_scale_are_named() {
    let scene = Scene::new();
    let mut x = windows(STEPS);
    x.iter_mut().step_by(2).for_each(|value| *value = *value * 1000.0 + 2000.0);
    write(&scene, &x, &labels());
    let told = warnings(&check(&scene, "{ seed: 0 }"));
    assert!(told.contains("feature 0 ranges from 15"), "{told}");
    assert!(told.contains("feature 1 ranges from -0."), "{told}");
}

#[test]
fn init_divides_windows_in_order_with_a_gap_and_its_file_warns_of_nothing() {
    let scene = Scene::new();
    write(&scene, &windows(2), &labels());
    let yaml = scene.run(&["init", "w.npz"]).expect(0).stdout;
    assert!(yaml.contains("# Neighbouring rows share 8 of 10 time steps"), "{yaml}");
    assert!(yaml.contains("    by: order ") && yaml.contains("    gap: 5 "), "{yaml}");
    assert!(!yaml.contains("stratify"), "{yaml}");
    assert!(yaml.contains("small, since only about 72 train"), "{yaml}");
    scene.write("mine.yaml", &yaml);
    let said = scene.run(&["check", "mine.yaml"]).expect(0);
    // But that 19 rows are few.
    let is_other = |line: &&str| line.contains("warning") && !line.contains("validation has 19 ");
    assert_eq!(said.stderr.lines().find(is_other), None, "{}", said.stderr);
}

#[test]
fn init_looks_at_the_labels() {
    let scene = Scene::new();
    let init = |y: &dyn Fn(i64) -> i64| {
        let y: Vec<i64> =
            labels().iter().enumerate().map(|(row, l)| y(l + 2 * (row as i64 / 60))).collect();
        write(&scene, &windows(STEPS), &y);
        scene.run(&["init", "w.npz"])
    };
    let minus = init(&|label| 2 * (label % 2) - 1).expect(0).stdout;
    assert!(minus.contains("labels: `-1` counts as 0 (60 rows), `1` as 1 (60 rows)"), "{minus}");
    assert!(!minus.contains("positive"), "{minus}");
    let other = init(&|label| label % 2 + 1).expect(0).stdout;
    assert!(other.contains("    positive: \"2\"   # the label that counts as 1"), "{other}");
    scene.write("mine.yaml", &other);
    let said = scene.run(&["check", "mine.yaml"]).expect(0).stdout;
    assert!(said.contains("with label `2`"), "{said}");
    let three = init(&|label| label.min(2)).expect(0);
    let said = "for labels: 3 classes (`0` 30, `1` 30, `2` 60)";
    assert!(three.stderr.contains(said), "{}", three.stderr);
    let head = "  dense: { units: 3, activation: softmax }";
    assert!(three.stdout.contains(head), "{}", three.stdout);
    scene.write("mine.yaml", &three.stdout);
    let said = scene.run(&["check", "mine.yaml"]).expect(0).stdout;
    assert!(said.contains("72 training (`0` 18, `1` 18, `2` 36)"), "{said}");

    let mut npz = Npz::new(&scene, "f.npz");
    npz.add("X_train", &[ROWS as u64, STEPS as u64, 2], &windows(STEPS));
    let targets: Vec<f32> = (0..ROWS).map(|row| row as f32 / 7.0).collect();
    npz.add("y_train", &[ROWS as u64], &targets);
    drop(npz);
    let init = scene.run(&["init", "f.npz"]).expect(0);
    assert!(
        init.stderr.contains("for labels: numbers (120 different ones from 0 to 17, mean 8.5)"),
        "{}",
        init.stderr
    );
    let yaml = init.stdout;
    assert!(yaml.contains("dense: { units: 1, activation: linear }"), "{yaml}");
    assert!(yaml.contains("  loss: mse\n") && yaml.contains("metrics: [rmse]"), "{yaml}");
    assert!(!yaml.contains("accuracy"), "{yaml}");
    scene.write("numbers.yaml", &yaml);
    let said = scene.run(&["check", "numbers.yaml"]).expect(0).stdout;
    assert!(said.contains("72 training (from "), "{said}");
}

#[test]
fn init_writes_no_share_for_a_test_split_that_is_there() {
    let scene = Scene::new();
    let mut npz = Npz::new(&scene, "t.npz");
    let x = windows(STEPS);
    for (split, rows) in [("train", 100), ("test", 20)] {
        npz.add(&format!("X_{split}"), &[rows, STEPS as u64, 2], &x[..rows as usize * 2 * STEPS]);
        npz.add(&format!("y_{split}"), &[rows], &labels()[..rows as usize]);
    }
    drop(npz);
    let yaml = scene.run(&["init", "t.npz"]).expect(0).stdout;
    assert!(yaml.contains("x_test: X_test") && yaml.contains("validation: 0.2"), "{yaml}");
    assert!(!yaml.contains("    test: 0.2"), "{yaml}");
    scene.write("mine.yaml", &yaml);
    let said = scene.run(&["check", "mine.yaml"]).expect(0);
    // The test rows are the first training rows, as far as these do not validate, which is told for splits that a file brings, too.
    assert!(said.stderr.contains("of 20 test rows equal a training row"), "{}", said.stderr);
}

#[test]
fn a_model_that_no_machine_can_hold_is_refused_before_it_is_made() {
    let scene = Scene::new();
    let ids: Vec<i64> = (0..ROWS as i64 * 4).map(|at| at % 50).collect();
    let mut npz = Npz::new(&scene, "i.npz");
    npz.add("X_train", &[ROWS as u64, 4], &ids);
    npz.add("y_train", &[ROWS as u64], &labels());
    drop(npz);
    scene.write(
        "i.yaml",
        "study: { seeds: 1, grid: { batch_size: [8] } }\n\
         data: { arrays: { path: i.npz, vocabulary: 2147483647 } }\n\
         model: { embedding: { dim: 65536 }, lstm: { units: 4 } }\ntrain: { epochs: 1, device: cpu }\n",
    );
    for command in ["check", "run"] {
        let said = scene.run(&[command, "i.yaml"]).expect(2).stderr;
        assert!(said.contains("arm `batch-8`: its model has 140,737,"), "{said}");
        assert!(said.contains("has 2,147,483,647 vectors of 65,536"), "{said}");
    }
}

#[test]
fn token_ids_that_training_never_has_are_told() {
    let scene = Scene::new();
    let ids = |from: i64| -> Vec<i64> { (0..ROWS as i64 * 4).map(|at| from + at % 20).collect() };
    let mut npz = Npz::new(&scene, "i.npz");
    for (split, from) in [("train", 1), ("val", 16), ("test", 1)] {
        npz.add(&format!("X_{split}"), &[ROWS as u64, 4], &ids(from));
        npz.add(&format!("y_{split}"), &[ROWS as u64], &labels());
    }
    drop(npz);
    scene.write(
        "i.yaml",
        "study: { grid: { batch_size: [8] } }\n\
         data: { arrays: { path: i.npz, x_val: X_val, y_val: y_val, x_test: X_test, y_test: y_test } }\n\
         model: { embedding: { dim: 4 }, lstm: { units: 4 } }\ntrain: { epochs: 1, device: cpu }\n",
    );
    let said = scene.run(&["check", "i.yaml"]).expect(0).stderr;
    assert!(
        said.contains("75 % of the tokens of the validation split have ids that the"),
        "{said}"
    );
    assert!(!said.contains("tokens of the test split"), "{said}");
}

#[test]
fn a_grid_that_would_not_end_is_refused_at_once() {
    let scene = Scene::new();
    let sizes: Vec<String> = (1..=2000).map(|size| size.to_string()).collect();
    let sizes = sizes.join(", ");
    scene.write(
        "g.yaml",
        &format!(
            "study:\n  grid:\n    batch_size: [{sizes}]\n    accumulate: [{sizes}]\n    \
             lr: {{ from: 1.0e-5, to: 1, count: 1000 }}\ndata: {{ arrays: {{ path: none.npz }} }}\n"
        ),
    );
    let started = std::time::Instant::now();
    let said = scene.run(&["check", "g.yaml"]).expect(2).stderr;
    assert!(said.contains("combine to 4000000000 arms, and a study has at most 10000"), "{said}");
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn times_of_numpy_divide_the_rows() {
    let scene = Scene::new();
    write(&scene, &windows(STEPS), &labels());
    let days: Vec<u8> =
        (0..ROWS as i64).rev().flat_map(|day| (19_000 + day).to_le_bytes()).collect();
    let head =
        format!("{:<117}\n", "{'descr': '<M8[D]', 'fortran_order': False, 'shape': (120,), }");
    let npy = [b"\x93NUMPY\x01\x00\x76\x00", head.as_bytes(), &days].concat();
    fs::write(scene.path("t.npy"), npy).unwrap();
    for name in ["X_train", "y_train"] {
        let bytes = fs::read(scene.path("w.npz")).unwrap();
        let mut archive = npyz::npz::NpzArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut entry = archive.zip_archive().by_name(&format!("{name}.npy")).unwrap();
        let mut file = File::create(scene.path(&format!("{name}.npy"))).unwrap();
        std::io::copy(&mut entry, &mut file).unwrap();
    }
    scene.write(
        "t.yaml",
        "study: { seeds: 1, grid: { batch_size: [16] } }\n\
         data: { arrays: { x_train: X_train.npy, y_train: y_train.npy, times_train: t.npy } }\n\
         model: { lstm: { units: 3 } }\ntrain: { epochs: 1, device: cpu }\n",
    );
    scene.run(&["run", "t.yaml"]).expect(0);
    let splits = scene.read("runs/t/data/splits.csv");
    let test: Vec<&str> = splits.lines().filter_map(|line| line.strip_prefix("test,")).collect();
    assert_eq!(test.first(), Some(&"0"), "the days run backwards, so the first row is the latest");
}

#[test]
fn an_array_that_unpacks_out_of_proportion_is_named_by_init_too() {
    let scene = Scene::new();
    let mut npz = NpzWriter::create(scene.path("b.npz")).unwrap();
    let array = npz.array("X_train", Default::default()).unwrap();
    let mut array = array.default_dtype().shape(&[1 << 12, 64, 64]).begin_nd().unwrap();
    array.extend((0..1 << 24).map(|_| 0.0f32)).unwrap();
    array.finish().unwrap();
    drop(npz);
    let ended = scene.run(&["init", "b.npz"]).expect(2);
    assert!(ended.stderr.contains("`X_train`") && ended.stderr.contains("claims to unpack"));
}
