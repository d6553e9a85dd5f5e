//! Rules of `study`.

use super::{
    Checked, MOST_ARMS, MOST_ROWS, MOST_RUNS, MOST_SEEDS, Violation, broken, count, not_empty,
    positive,
};
use crate::config::{
    Arm, ArmSection, DecomposeSection, Experiment, FIRST_TUNING_SEED, GridSection, LearningRate,
    Rates, Sampling, Schedule, StudySection, TrainSection,
};
use std::collections::BTreeSet;

pub(super) fn check(experiment: &Experiment) -> Checked {
    let study = &experiment.study;
    count("study.seeds", study.seeds, MOST_SEEDS)?;
    super::until::check(study)?;
    if let Some(name) = &study.name {
        folder_name("study.name", name)?;
    }
    super::probe::check(&study.probe)?;
    not_empty("study.budgets", study.budgets.len())?;
    match &study.learning_rate {
        LearningRate::Linear(rule) => {
            count("study.learning_rate.linear.base", rule.base, MOST_ROWS)?
        }
        LearningRate::Sqrt(rule) => count("study.learning_rate.sqrt.base", rule.base, MOST_ROWS)?,
        LearningRate::Given | LearningRate::Tuned(_) => {}
    }
    let given = [study.arms.is_some(), study.grid.is_some(), study.decompose.is_some()];
    match given {
        [true, true, _] | [_, true, true] => Err(broken(
            "study.grid",
            "give either `grid`, or `arms` or `decompose`, not both",
            "list the arms one by one, or let the grid combine the values",
        )),
        [false, false, false] => Err(broken(
            "study",
            "nothing to compare: neither `arms` nor `grid` nor `decompose` is given",
            "add for example `grid: { batch_size: [32, 128, 256] }`",
        )),
        _ => Ok(()),
    }?;
    study.arms.as_deref().map_or(Ok(()), |arms| arm_sections(study, arms))?;
    study.grid.as_ref().map_or(Ok(()), grid)?;
    study.decompose.as_ref().map_or(Ok(()), |pair| decompose(experiment, pair))
}

fn arm_sections(study: &StudySection, arms: &[ArmSection]) -> Checked {
    if arms.is_empty() {
        return Err(broken(
            "study.arms",
            "the list of arms is empty",
            "add `- { batch_size: 32 }`",
        ));
    }
    if arms.len() as u64 > MOST_ARMS {
        let rule = format!("has at most {MOST_ARMS} arms, received {}", arms.len());
        return Err(broken("study.arms", rule, "make several studies of it"));
    }
    for (index, arm) in arms.iter().enumerate() {
        let at = |key: &str| format!("study.arms[{index}].{key}");
        count(&at("batch_size"), arm.batch_size, MOST_ROWS)?;
        super::until::arm(study, arm, &at("seeds"))?;
        if let Some(parts) = arm.accumulate {
            count(&at("accumulate"), parts, MOST_ROWS)?;
            count(&at("accumulate"), arm.effective_batch_size(), MOST_ROWS).map_err(|broken| {
                let rule = format!("the batch of all parts: {}", broken.rule);
                Violation { rule, ..broken }
            })?;
        }
    }
    Ok(())
}

fn grid(grid: &GridSection) -> Checked {
    let combinations = grid.count();
    if combinations > MOST_ARMS {
        return Err(broken(
            "study.grid",
            format!(
                "its lists combine to {combinations} arms, and a study has at most {MOST_ARMS}"
            ),
            "list fewer values: a few batch sizes, each twice the one before, show what there is to see",
        ));
    }
    not_empty("study.grid.batch_size", grid.batch_size.len())?;
    for (index, size) in grid.batch_size.iter().enumerate() {
        count(&format!("study.grid.batch_size[{index}]"), *size, MOST_ROWS)?;
    }
    grid.lr.as_ref().map_or(Ok(()), |lr| rates("study.grid.lr", lr))?;
    if let Some(schedules) = &grid.schedule {
        not_empty("study.grid.schedule", schedules.len())?;
    }
    if let Some(parts) = &grid.accumulate {
        not_empty("study.grid.accumulate", parts.len())?;
        let largest = grid.batch_size.iter().max().map_or(1, |size| u64::from(*size));
        for (index, parts) in parts.iter().enumerate() {
            let most = u64::from(MOST_ROWS) / largest;
            count(&format!("study.grid.accumulate[{index}]"), *parts, most)?;
        }
    }
    if let Some(variants) = &grid.variants {
        not_empty("study.grid.variants", variants.len())?;
        for (index, variant) in variants.iter().enumerate() {
            folder_name(&format!("study.grid.variants[{index}].name"), &variant.name)?;
        }
    }
    Ok(())
}

/// A list that is not empty, or a range that goes up.
fn rates(path: &str, rates: &Rates) -> Checked {
    const MOST_RATES: u32 = 1000;
    match rates {
        Rates::List(rates) => {
            not_empty(path, rates.len())?;
            let mut each = rates.iter().enumerate();
            each.try_for_each(|(index, lr)| positive(&format!("{path}[{index}]"), *lr))
        }
        Rates::Range(range) => {
            positive(&format!("{path}.from"), range.from)?;
            positive(&format!("{path}.to"), range.to)?;
            count(&format!("{path}.count"), range.count, MOST_RATES)?;
            match range.from < range.to && range.count >= 2 {
                true => Ok(()),
                false => Err(broken(
                    path,
                    format!(
                        "a range goes up, from {} to {}, with at least 2 rates",
                        range.from, range.to
                    ),
                    "write `{ from: 1.0e-4, to: 1.0e-2, count: 5 }`",
                )),
            }
        }
    }
}

fn decompose(experiment: &Experiment, pair: &DecomposeSection) -> Checked {
    count("study.decompose.small", pair.small, MOST_ROWS)?;
    count("study.decompose.large", pair.large, MOST_ROWS)?;
    let study = &experiment.study;
    if pair.small >= pair.large {
        let rule =
            format!("`small` must be below `large`, received {} and {}", pair.small, pair.large);
        return Err(broken("study.decompose", rule, "for example `{ small: 32, large: 256 }`"));
    }
    if let Some(arms) = &study.arms {
        let there =
            |size: u32| arms.iter().any(|arm| arm.effective_batch_size() == u64::from(size));
        let absent = [pair.small, pair.large].into_iter().find(|size| !there(*size));
        return absent.map_or(Ok(()), |size| {
            let rule = format!("names batch size {size}, which no arm has");
            let hint =
                "add such an arm, or remove `arms`: `decompose` makes the arms that it needs";
            Err(broken("study.decompose", rule, hint))
        });
    }
    if matches!(study.learning_rate, LearningRate::Linear(_) | LearningRate::Sqrt(_)) {
        return Err(broken(
            "study.learning_rate",
            "`decompose` compares the file's rate with tuned ones, and a rule gives another",
            "remove it, or say here how rates are `tuned`",
        ));
    }
    match experiment.train.epochs.is_none() && gives_other_budget(&experiment.train) {
        true => Err(broken(
            "study.decompose",
            "`decompose` compares equal epochs with equal steps, and `train` has another budget",
            "give the budget as `train: { epochs: 10 }`",
        )),
        false => Ok(()),
    }
}

fn gives_other_budget(train: &TrainSection) -> bool {
    train.steps.or(train.examples).is_some() || train.steps_of.is_some()
}

/// The rules of tuning, where any arm is tuned.
pub(in crate::config) fn tuning(study: &StudySection) -> Checked {
    const PATH: &str = "study.learning_rate.tuned";
    const MOST_EXTENSIONS: u32 = 100;
    let at = |key: &str| format!("{PATH}.{key}");
    let LearningRate::Tuned(tuned) = &study.learning_rate else { return Ok(()) };
    count(&at("seeds"), tuned.seeds, MOST_SEEDS)?;
    if tuned.extend > MOST_EXTENSIONS {
        let rule = format!("must be at most {MOST_EXTENSIONS}, received {}", tuned.extend);
        return Err(broken(&at("extend"), rule, "each tries one rate more"));
    }
    let (key, seeds) = most_seeds(study);
    if seeds > FIRST_TUNING_SEED {
        let rule = format!(
            "tuning has the seeds from {FIRST_TUNING_SEED} on, and {seeds} runs an arm would have them too"
        );
        return Err(broken(key, rule, "take at most 1000 seeds"));
    }
    let Some(given) = &tuned.rates else { return Ok(()) };
    rates(&at("rates"), given)?;
    if let (Rates::List(_), Sampling::QuasiRandom) = (given, tuned.sampling) {
        let rule = "`quasi_random` takes rates from a range, and `rates` is a list";
        return Err(broken(&at("rates"), rule, "write `{ from: 1.0e-4, to: 1.0e-2, count: 5 }`"));
    }
    let mut values = given.values();
    values.sort_by(f64::total_cmp);
    let alike = values.windows(2).any(|pair| pair[0] >= pair[1]);
    match values.len() < 2 || alike {
        true => Err(broken(
            &at("rates"),
            "at least 2 different rates are tried",
            "`{ from: 1.0e-4, to: 1.0e-2, count: 5 }` tries five; those of a range have three digits",
        )),
        false => Ok(()),
    }
}

/// A rate that is tuned (`None`) or follows from a rule must be one that the schedule starts from.
pub(in crate::config) fn rate_is_used(how: Option<&LearningRate>, train: &TrainSection) -> Checked {
    match (how, &train.schedule) {
        (None | Some(LearningRate::Linear(_) | LearningRate::Sqrt(_)), Schedule::Table(_)) => {
            Err(broken(
                "train.schedule.table",
                "a table holds every learning rate itself, so there is none to tune or to scale",
                "choose another schedule, or `learning_rate: given`",
            ))
        }
        _ => Ok(()),
    }
}

/// How many seeds an arm may come to, and the key that says so.
fn most_seeds(study: &StudySection) -> (&'static str, u64) {
    match study.growth() {
        Some(growth) if growth.most > growth.first => ("study.max_seeds", growth.most),
        _ => ("study.seeds", u64::from(study.seeds)),
    }
}

/// The rules between arms.
pub(in crate::config) fn arms(arms: &[Arm], study: &StudySection, from_grid: bool) -> Checked {
    let (key, seeds) = most_seeds(study);
    let runs = arms.len() as u64 * seeds;
    if runs > MOST_RUNS {
        return Err(broken(
            key,
            format!(
                "{} arms with {seeds} seeds each are {runs} runs, and a study has at most {MOST_RUNS}",
                arms.len()
            ),
            "compare fewer arms, or take fewer seeds",
        ));
    }
    names(arms, from_grid)?;
    let mask = |arm: &Arm| arm.model.embedding.as_ref().map(|embedding| embedding.mask_zero);
    let other = arms.iter().position(|arm| mask(arm) != mask(&arms[0]));
    other.map_or(Ok(()), |index| {
        Err(broken(
            &format!("study.arms[{index}].model.embedding"),
            "whether there is an embedding, and its `mask_zero`, are the same for all arms",
            "the arms share one prepared data set: make two studies of it",
        ))
    })
}

/// Arm names are folders in the study's folder, so no two may be alike and none may be one of the
/// names that the study uses itself.
fn names(arms: &[Arm], from_grid: bool) -> Checked {
    const TAKEN: [&str; 6] =
        ["study.yaml", "environment.json", "report", "data", "tuning", "tuning.json"];
    let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
    for (index, name) in names.iter().enumerate() {
        let path = if from_grid { "study.grid".into() } else { format!("study.arms[{index}]") };
        folder_name(&path, name)?;
        if TAKEN.contains(name) {
            let rule = format!("`{name}` is the name of something else in the study's folder");
            return Err(broken(&path, rule, "choose another name"));
        }
    }
    let mut seen = BTreeSet::new();
    match names.iter().position(|name| !seen.insert(name)) {
        None => Ok(()),
        Some(_) if from_grid => Err(broken(
            "study.grid",
            "the grid holds the same value twice",
            "each value makes an arm with a folder of its own: remove the second one",
        )),
        Some(index) => Err(broken(
            &format!("study.arms[{index}]"),
            format!("two arms are called `{}`", names[index]),
            "give each arm a `name` of its own: it names the folder of its runs",
        )),
    }
}

/// Characters of a name: file systems take 255, and names of files are made of it.
const LONGEST_NAME: usize = 100;

/// A name that is one plain folder on every system.
fn folder_name(path: &str, name: &str) -> Checked {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+=".contains(c);
    let good = !name.is_empty() && name.chars().all(plain) && !name.starts_with('.');
    if good && name.len() > LONGEST_NAME {
        let begin = &name[..20];
        return Err(broken(
            path,
            format!(
                "a name has at most {LONGEST_NAME} characters, received {} (`{begin}...`)",
                name.len()
            ),
            "it names a folder, and file systems take no longer ones: choose a shorter name",
        ));
    }
    match good {
        true => Ok(()),
        false => Err(broken(
            path,
            format!("`{name}` cannot name a folder"),
            "use letters, digits, `-`, `_`, `.`, `+` and `=`, and do not begin with a dot",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Source, Study};

    /// What breaks a rule, and what is said of it.
    const BROKEN: [(&str, &str); 33] = [
        (
            "study:\n  grid: { batch_size: [1, 2, 3, 4, 5], lr: { from: 1.0e-5, to: 1, count: 1000 }, \
             accumulate: [1, 2, 3] }",
            "line 2: its lists combine to 15000 arms, and a study has at most 10000 (at `study.grid`)",
        ),
        (
            "study: { seeds: 10000, grid: { batch_size: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] } }",
            "11 arms with 10000 seeds each are 110000 runs, and a study has at most 100000 (at \
             `study.seeds`)",
        ),
        ("study: { grid: { batch_size: [8, 8] } }", "same value twice"),
        (
            "study: { arms: [{ batch_size: 8, lr: tuned }] }\ntrain: { schedule: { table: { lr: [0.1] } } }",
            "line 2: a table holds every learning rate itself",
        ),
        (
            "study: { learning_rate: { linear: { base: 8 } }, arms: [{ batch_size: 8, schedule: { table: \
             { lr: [0.1] } } }] }",
            "none to tune or to scale (at `study.arms[0].schedule.table`)",
        ),
        ("study: { seeds: 2 }", "neither `arms` nor `grid` nor `decompose`"),
        (
            "study: { margin: 5, grid: { batch_size: [8] } }",
            "must be above 0 and at most 0.5, received 5 (at `study.margin`)",
        ),
        ("study: { budgets: [], grid: { batch_size: [8] } }", "empty (at `study.budgets`)"),
        (
            "study: { grid: { batch_size: [8] }, decompose: { small: 8, large: 16 } }",
            "give either `grid`, or `arms` or `decompose`, not both",
        ),
        (
            "study: { decompose: { small: 32, large: 16 } }",
            "line 1: `small` must be below `large`, received 32 and 16 (at `study.decompose`)",
        ),
        (
            "study: { decompose: { small: 8, large: 16 } }\ntrain: { steps: 9 }",
            "`train` has another budget (at `study.decompose`)",
        ),
        (
            "study: { decompose: { small: 8, large: 16 }, arms: [{ batch_size: 8 }] }",
            "names batch size 16, which no arm has (at `study.decompose`)",
        ),
        (
            "study: { learning_rate: { sqrt: { base: 8 } }, decompose: { small: 8, large: 16 } }",
            "a rule gives another (at `study.learning_rate`)",
        ),
        (
            "study: { learning_rate: { linear: { base: 0 } }, grid: { batch_size: [8] } }",
            "received 0 (at `study.learning_rate.linear.base`)",
        ),
        (
            "study:\n  learning_rate: { sqrt: { base: 8, betas: true } }\n  grid: { batch_size: [8, 128] }",
            "line 2: at batch size 128, 16 times the base, the rule cannot scale beta_1 = 0.9",
        ),
        (
            "study: { learning_rate: { sqrt: { base: 8, betas: true } }, grid: { batch_size: [8] } }\n\
             train: { optimizer: { sgd: {} } }",
            "`sgd`, which has no betas (at `study.learning_rate.sqrt.betas`)",
        ),
        (
            "study:\n  arms:\n    - batch_size: 8\n      lr: tuned\n  seeds: 1001",
            "line 5: tuning has the seeds from 1000 on",
        ),
        (
            "study: { arms: [{ batch_size: 8, lr: fast }] }",
            "line 1: expected a number, or `tuned`; received `fast` (at `study.arms[0].lr`)",
        ),
        (
            "study: { arms: [{ batch_size: 8, lr: tuned, train: { optimizer: { adam: { lr: 1 } } } }] }",
            "the arm gives lr twice",
        ),
        (
            "study:\n  learning_rate: { tuned: { rates: [0.1] } }\n  grid: { batch_size: [8] }",
            "line 2: at least 2 different rates are tried (at `study.learning_rate.tuned.rates`)",
        ),
        (
            "study:\n  learning_rate: { tuned: { extend: 101 } }\n  grid: { batch_size: [8] }",
            "line 2: must be at most 100, received 101 (at `study.learning_rate.tuned.extend`)",
        ),
        (
            "study:\n  learning_rate: { tuned: { rates: [0.1, 0.2], sampling: quasi_random } }\n  \
             grid: { batch_size: [8] }",
            "takes rates from a range",
        ),
        (
            "study:\n  grid:\n    batch_size: [8]\n    lr: { from: 1, to: 0.1, count: 3 }",
            "line 4: a range goes up, from 1 to 0.1",
        ),
        (
            "study:\n  grid:\n    batch_size: [8]\n    lr: 0.1",
            "line 4: expected a list of rates, or a range",
        ),
        (
            "study:\n  grid:\n    batch_size: [8]\n    schedule:\n      - constant\n      - \
             exponential: { gamma: -1 }",
            "line 6: must be above 0 and finite, received -1 (at \
             `study.grid.schedule[1].exponential.gamma`)",
        ),
        (
            "study:\n  grid:\n    batch_size: [8]\n    variants:\n      - name: a\n        model: { lstm: { dropout: 2 } }",
            "line 6: must be at least 0 and below 1 in f32, received 2 (at \
             `study.grid.variants[0].model.lstm.dropout`)",
        ),
        (
            "study: { grid: { batch_size: [8], variants: [{ name: a/b }] } }",
            "`a/b` cannot name a folder (at `study.grid.variants[0].name`)",
        ),
        (
            "study: { arms: [{ batch_size: 8, accumulate: 0 }] }",
            "received 0 (at `study.arms[0].accumulate`)",
        ),
        (
            "study: { arms: [{ batch_size: 65536, accumulate: 65536 }] }",
            "the batch of all parts: must be from 1 to 16777216, received 4294967296",
        ),
        (
            "study: { arms: [{ batch_size: 8, accumulate: 2, train: { micro_batch: 4 } }] }",
            "the arm gives how many rows are computed at a time twice",
        ),
        (
            "study: { arms: [{ batch_size: 8, steps_of: { batch_size: 0, epochs: 1 } }] }",
            "received 0 (at `study.arms[0].steps_of.batch_size`)",
        ),
        (
            "study: { budgets: [steps], arms: [{ batch_size: 8, steps: 3 }] }",
            "`steps` needs the epochs of the smallest batch size, 8 (at `study.budgets`)",
        ),
        (
            "study: { arms: [{ name: tuning, batch_size: 8 }] }",
            "`tuning` is the name of something else",
        ),
    ];

    #[test]
    fn a_name_that_is_too_long_for_a_folder_is_refused_with_the_limit() {
        let long = "a".repeat(260);
        for text in [
            format!("study: {{ arms: [{{ batch_size: 8, name: {long} }}] }}"),
            format!("study: {{ name: {long}, grid: {{ batch_size: [8] }} }}"),
        ] {
            let text = format!("{text}\ndata: {{ arrays: {{ path: a.npz }} }}\n");
            let source = Source { name: "f".into(), text, overrides: vec![] };
            let error = Study::from_source(&source, "f").unwrap_err();
            let said =
                "a name has at most 100 characters, received 260 (`aaaaaaaaaaaaaaaaaaaa...`)";
            assert!(error.message.contains(said), "{error}");
            assert!(error.hint.unwrap().contains("choose a shorter name"));
        }
    }

    #[test]
    fn every_rule_names_the_line_the_key_and_what_was_received() {
        for (text, expected) in BROKEN {
            let rest = "data: { table: { path: a.csv } }\nmodel: { embedding: { dim: 8 } }";
            let text = format!("{text}\n{rest}\n");
            let source = Source { name: "f.yaml".into(), text, overrides: vec![] };
            let said = match Study::from_source(&source, "f") {
                Ok(_) => panic!("accepted:\n{}", source.text),
                Err(error) => error.message,
            };
            assert!(said.contains(expected), "{said}\nlacks\n{expected}");
        }
    }
}
