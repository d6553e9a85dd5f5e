//! One whole study of two classes, whose records are kept: what defines its runs, and all their bits.
//!
//! The engine is `fused` with portable instructions. Its results are the same with others, and with any
//! number of threads and workers. Elsewhere the last digits come from the exp and ln of the machine's
//! libm, so a processor without FMA does not run this. libtorch's version is part of each record.
//!
//! To renew the files in `fixtures/records` after a change that should change results:
//!
//! ```text
//! BATCHSCOPE_RENEW_RECORDS=1 cargo test --test tests records::
//! ```
//!
//! Users' finished studies then no longer go on with new seeds, so such a change needs an entry in
//! CHANGELOG.md: that results change, which, and why.

use crate::util::Scene;
use std::path::Path;
use std::{env, fs};

/// Most of what a study of two classes can ask for, and the defaults of all else.
const STUDY: &str = "\
study:
  seeds: 2
  arms:
    - { name: plain, batch_size: 8 }
    - name: rich
      batch_size: 32
      schedule: { exponential: { gamma: 0.9 } }
      model: { lstm: { dropout: 0.2, recurrent_dropout: 0.1, kernel_regularizer: { l2: 0.001 } } }
      train:
        clip: { norm: 1.0 }
        class_weight: { 0: 1.0, 1: 1.5 }
        early_stopping: { patience: 2, restore_best_weights: true }
        warmup: { steps: 2 }
data:
  table: { path: reviews.csv }
  text: { max_tokens: 100, length: 12 }
model:
  embedding: { dim: 6 }
  lstm: { units: 5 }
train:
  epochs: 4
  optimizer: { adam: { lr: 0.01 } }
  metrics: [accuracy, mcc]
  logging: { every_steps: 3 }
  device: cpu
  engine: fused
";

#[test]
#[cfg_attr(lacks_avx2, ignore = "NOT TESTED: this processor lacks AVX2 or FMA")]
fn a_study_of_two_classes_keeps_its_records_to_the_byte() {
    let scene = Scene::new();
    scene.write("kept.yaml", STUDY);
    scene.run(&["run", "kept.yaml", "--instructions", "portable"]).expect(0);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records");
    let renew = env::var_os("BATCHSCOPE_RENEW_RECORDS").is_some();
    for run in ["plain/seed-0", "plain/seed-1", "rich/seed-0", "rich/seed-1"] {
        for file in ["metrics.jsonl", "steps.jsonl", "record.json"] {
            let found = scene.read(&format!("runs/kept/{run}/{file}"));
            let path = kept.join(run).join(file);
            if renew {
                fs::create_dir_all(kept.join(run)).unwrap();
                fs::write(&path, &found).unwrap();
            }
            let expected = fs::read_to_string(&path).unwrap();
            let lines = found.lines().zip(expected.lines()).enumerate();
            let first = lines.into_iter().find(|(_, (found, expected))| found != expected);
            assert!(
                found == expected,
                "{run}/{file} differs, first in line {first:#?}: the head of tests/records.rs says what to do"
            );
        }
    }
}
