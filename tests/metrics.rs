//! Metrics beside scikit-learn's own numbers (`fixtures/sklearn_metrics.py`).

use batchscope::spec::{Metric, Rows, Task};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    task: String,
    width: usize,
    outputs: Vec<f32>,
    targets: Vec<f32>,
    expected: BTreeMap<String, Option<f64>>,
}

fn cases() -> Vec<Case> {
    let text = include_str!("fixtures/sklearn_metrics.json");
    serde_json::from_str::<Fixture>(text).unwrap().cases
}

fn task(case: &Case) -> Task {
    match case.task.as_str() {
        "binary" => Task::Binary,
        "multiclass" => Task::Multiclass,
        _ => Task::Regression,
    }
}

#[test]
fn every_metric_is_scikit_learn_s() {
    let cases = cases();
    assert_eq!(cases.len(), 29);
    for case in &cases {
        let rows = Rows::new(&case.outputs, case.width, &case.targets);
        for (name, expected) in &case.expected {
            let metric = Metric::all().find(|metric| metric.name() == name).unwrap();
            assert!(metric.judges(task(case)), "{name}");
            let found = metric.info().of(&rows);
            let close = match (found, expected) {
                (Some(found), Some(expected)) => {
                    (found - expected).abs() <= 1e-12 * expected.abs().max(1.0)
                }
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(close, "{name} of {}: {found:?} for {expected:?}", case.name);
        }
    }
}

/// But the calibration error, which scikit-learn has not.
#[test]
fn no_metric_of_a_task_is_left_out() {
    for wanted in [Task::Binary, Task::Multiclass, Task::Regression] {
        let cases = cases();
        let compared: BTreeSet<&str> = cases
            .iter()
            .filter(|case| task(case) == wanted)
            .flat_map(|case| case.expected.keys().map(String::as_str))
            .collect();
        let all = Metric::all().filter(|metric| metric.judges(wanted)).map(Metric::name);
        let missing: Vec<&str> = all.filter(|name| !compared.contains(name)).collect();
        let known: &[&str] = if wanted == Task::Binary { &["calibration_error"] } else { &[] };
        assert_eq!(missing, known, "{wanted:?}");
    }
}
