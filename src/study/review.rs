//! What settings mean on these data, on this machine: rules that the file alone cannot break, and
//! what is legal but surprising.

use super::examples;
use super::labels::is_told;
use super::plan::Plan;
use crate::config::{
    Arm, DataSection, Exponential, Monitor, Per, Schedule, Study, TrainSection, Watched,
};
use crate::data::Facts;
use crate::error::UserError;
use crate::format::{count, counted, number, points, rate};
use crate::kernels::{self, EngineKind};
use crate::spec::{RowMoves, Unit};
use crate::train::{TrainingLength, warmup_steps};

/// Refuses schedules that would still go on when the run has ended.
pub(super) fn refuse_endless(
    study: &Study,
    arm: &Arm,
    length: &TrainingLength,
) -> Result<(), UserError> {
    let steps = length.steps();
    let warmup = arm.train.warmup.as_ref().map_or(0, |warmup| warmup_steps(warmup, length));
    if warmup > 0 && warmup >= steps {
        let rule = format!("the warm-up takes {warmup} steps, and the whole run {steps}");
        let hint = "shorten `train.warmup`, or train longer";
        return Err(study.placed_in_arm(arm, "train.warmup", UserError::new(rule, hint)));
    }
    let (last, per) = match &arm.train.schedule {
        Schedule::Step(settings) => (settings.every, settings.per),
        Schedule::Multistep(settings) => {
            (settings.at.last().copied().unwrap_or_default(), settings.per)
        }
        Schedule::Cosine(settings) => (settings.over.unwrap_or(1) - 1, settings.per),
        Schedule::Table(settings) => (settings.lr.len() as u64 - 1, settings.per),
        _ => return Ok(()),
    };
    let (whole, unit) = match per {
        Per::Epoch => ((steps - warmup).div_ceil(length.steps_per_epoch().max(1)), "epoch"),
        Per::Step => (steps - warmup, "step"),
    };
    if last < whole {
        return Ok(());
    }
    let rule = format!(
        "its schedule goes on after the run has ended: {unit} {last} after the warm-up, and the last is {}",
        whole - 1
    );
    let hint = "shorten `train.schedule`, or train longer";
    Err(study.placed_in_arm(arm, "train.schedule", UserError::new(rule, hint)))
}

impl Plan {
    /// What is legal but surprising.
    pub fn warnings(&self) -> Vec<String> {
        warnings(self)
    }
}

fn warnings(plan: &Plan) -> Vec<String> {
    let facts = &plan.data.facts;
    let arms = plan.study.arms.iter().flat_map(|arm| arm_warnings(plan, arm));
    let cuda = plan.machine.cuda_trouble.iter().map(|trouble| {
        format!("there is an NVIDIA driver, but libtorch cannot use CUDA here: {trouble}")
    });
    let used = plan.devices.iter().filter_map(|device| plan.gpu(*device));
    let mut unproven = used.filter(|gpu| !kernels::is_proven(gpu));
    let unproven = unproven.next().filter(|_| plan.engine == EngineKind::Fused).map(|gpu| {
        format!(
            "the engine `fused` was not tested on GPUs like the {} of this machine: scripts/gpu_check compares \
             its bits there with the processor's",
            gpu.name
        )
    });
    let cuda = cuda.chain(unproven);
    let arms: Vec<String> = arms.map(|(arm, warning)| format!("arm `{arm}`: {warning}")).collect();
    let uneven = splits_cut_here(&plan.study.experiment.data).and_then(|asked| {
        let sizes = [&facts.train, &facts.validation, &facts.test].map(|split| split.examples);
        uneven(sizes, asked)
    });
    let repaired = plan.data.repaired.iter().cloned();
    let score = plan.study.score().info();
    let of_rows = examples::warnings(facts, &plan.study.experiment.data, score);
    let arms = of_rows.into_iter().chain(arms);
    let stopping = plan.study.arms.iter().find_map(restores_by_another);
    let few = few_validation_rows(&plan.study, facts);
    let untold = untold_on_test(&plan.study, facts);
    let of_data = facts.warnings(score, &pace(&plan.study));
    let of_data = of_data.into_iter().chain(uneven).chain(few).chain(untold);
    repaired.chain(arms).chain(cuda).chain(of_data).chain(stopping).collect()
}

/// How fast outputs move, as the end of a sentence.
fn pace(study: &Study) -> String {
    let Some(first) = study.arms.first().map(|arm| &arm.train.optimizer) else {
        return String::new();
    };
    let is_same = |arm: &Arm| {
        let other = &arm.train.optimizer;
        (other.name(), other.lr().to_bits()) == (first.name(), first.lr().to_bits())
    };
    // The rates of arms that are tuned are not known yet.
    let rate = match study.tuned.is_empty() && study.arms.iter().all(is_same) {
        true => format!(" with a learning rate of {}", rate(first.lr())),
        false => String::new(),
    };
    match first.decay_of_squares() {
        None => "errors of that size make large gradients, so that runs may diverge".into(),
        Some(_) => format!("{}{rate} moves them slowly", first.name()),
    }
}

/// Whether validation has too few rows for the score.
fn few_validation_rows(study: &Study, facts: &Facts) -> Option<String> {
    match study.score().info().row_moves(&facts.validation.rows_of_classes()) {
        Some(found) => row_beyond_margin(study, facts, &found),
        None => below_least_rows(study, facts),
    }
}

/// Whether one validation row can move the score by more than the margin.
fn row_beyond_margin(study: &Study, facts: &Facts, found: &RowMoves) -> Option<String> {
    let score = study.score().info();
    let margin = study.margin(facts.baseline.get(&score.metric).copied())?;
    let label = found.class.and_then(|class| facts.classes.get(class));
    let label = label.map_or(String::new(), |name| format!(" with label `{name}`"));
    let (by, margin_said) = match score.unit {
        Unit::Percent => (points(found.by) + " percentage points", points(margin)),
        _ => (number(found.by), number(margin)),
    };
    // One that is as large as the margin is not beyond it for the digits of a division.
    (found.by > margin * (1.0 + 1e-9)).then(|| {
        format!(
            "validation has {}{label}: one of them can move the {} by up to {by}, more than the margin of \
             {margin_said}. Keep more rows for validation (`data.split`), or set a wider `study.margin`",
            counted(found.rows, "example"),
            score.title
        )
    })
}

/// Fewer validation rows get a warning where it is not known how far one of them can move the score.
const LEAST_ROWS: usize = 30;

/// Whether validation has fewer rows than these.
fn below_least_rows(study: &Study, facts: &Facts) -> Option<String> {
    let rows = facts.validation.examples;
    let left_out = facts.windows.as_ref().filter(|found| found.left_out > rows).map(|found| {
        format!(
            " {} of {} reach from one split into the next and are left out: a shorter `data.series.window` or \
             `horizon` leaves out fewer.",
            count(found.left_out as u64),
            counted(found.windows, "window")
        )
    });
    (rows < LEAST_ROWS).then(|| {
        format!(
            "validation has {}, which is too few to tell batch sizes apart by {}.{} Keep more rows for \
             validation (`data.split`)",
            counted(rows, "example"),
            study.score().info().title,
            left_out.unwrap_or_default()
        )
    })
}

/// Whether the score is not known on the test split, which has rows.
fn untold_on_test(study: &Study, facts: &Facts) -> Option<String> {
    let score = study.score();
    let alike = if facts.are_numbers() { "targets" } else { "labels" };
    (facts.test.examples > 0 && !is_told(score, facts, &facts.test)).then(|| {
        format!(
            "{} is not defined on the test split, whose {alike} are all the same: there will be no column for it",
            score.info().title
        )
    })
}

/// What is watched and never changes on these rows.
fn watched_in_vain(train: &TrainSection, facts: &Facts) -> Vec<String> {
    let monitors = [
        train.early_stopping.as_ref().map(|stopping| stopping.monitor),
        train.stop_at.map(|stop| stop.monitor),
        match &train.schedule {
            Schedule::Plateau(settings) => Some(settings.monitor),
            _ => None,
        },
    ];
    let mut found = Vec::new();
    for monitor in monitors.into_iter().flatten() {
        let Some(metric) = monitor.metric else { continue };
        let (split, name) = match monitor.split {
            Watched::Train => (&facts.train, "training"),
            Watched::Validation => (&facts.validation, "validation"),
        };
        let alike = if facts.are_numbers() { "targets" } else { "labels" };
        let why = match metric.info().is_always_right(facts.classes.len()) && !facts.are_numbers() {
            true => "is always 1 of so few classes".to_owned(),
            false if is_told(metric, facts, split) => continue,
            false => format!("is not defined, since all {alike} of the {name} split are alike"),
        };
        found.push(format!("`{}` {why}: nothing that waits for it will happen", monitor.name()));
    }
    found.dedup();
    found
}

/// The shares for validation and test, where the source brings no split of its own.
fn splits_cut_here(data: &DataSection) -> Option<[f64; 2]> {
    let table = data.table.as_ref().is_some_and(|of| of.path.is_some() && of.split.is_none());
    let arrays = data.arrays.as_ref().is_some_and(|of| of.x_val.is_none() && of.x_test.is_none());
    if data.series.is_some() {
        return None;
    }
    // A gap takes rows out of the shares on purpose.
    (data.split.gap == 0 && (table || arrays)).then_some([data.split.validation, data.split.test])
}

/// Whether training, validation and test have sizes far from what was asked for.
fn uneven(sizes: [usize; 3], asked: [f64; 2]) -> Option<String> {
    const FAR: f64 = 0.05;
    // Of fewer examples a single one is a large share.
    const LEAST: usize = 50;
    let [train, validation, test] = sizes;
    let whole = train + validation + test;
    let share = |size: usize| size as f64 / whole.max(1) as f64;
    let far = (share(validation) - asked[0]).abs().max((share(test) - asked[1]).abs());
    (whole >= LEAST && far > FAR).then(|| {
        format!(
            "of {whole} examples, {validation} are for validation and {test} for the test, where shares of \
             {} and {} were asked for: identical texts (empty ones too) and whole groups are never parted",
            asked[0], asked[1]
        )
    })
}

/// Learning rates from here on are told: steps are so large that hardly any loss falls.
const LARGE_RATE: f64 = 1.0;

fn arm_warnings<'p>(plan: &'p Plan, arm: &'p Arm) -> Vec<(&'p str, String)> {
    let (facts, train) = (&plan.data.facts, &arm.train);
    let rows = facts.train.examples;
    let mut found = Vec::new();
    if arm.batch_size > rows {
        found.push(format!(
            "its batch size {} exceeds the {rows} training examples, so every epoch is one step on \
             all of them",
            arm.batch_size
        ));
    }
    let lr = train.optimizer.lr();
    if lr >= LARGE_RATE {
        found.push(format!(
            "its learning rate {} is {LARGE_RATE} or more, and usual ones lie between 0.0001 and 0.1: \
             runs with larger ones mostly diverge",
            rate(lr)
        ));
    }
    if let Schedule::Exponential(Exponential { gamma, .. }) = &train.schedule
        && *gamma > 1.0
    {
        found.push(format!(
            "its learning rate grows by a factor of {gamma} again and again (`schedule.exponential.gamma`); \
             usual factors are below 1"
        ));
    }
    if !train.shuffle && facts.sorted_by_label && arm.batch_size < rows {
        let label = if facts.are_numbers() { "target" } else { "label" };
        found.push(format!(
            "with `shuffle: false` and training rows that are sorted by {label}, most batches hold \
             {}",
            if facts.are_numbers() { "targets that are nearly alike" } else { "one label alone" }
        ));
    }
    found.extend(watched_in_vain(train, facts));
    if train.micro_batch.is_some_and(|rows| rows as usize >= arm.batch_size) {
        found.push("its `micro_batch` holds the whole batch and changes nothing".to_owned());
    }
    found.into_iter().map(|warning| (arm.name.as_str(), warning)).collect()
}

/// Whether the kept epoch is the best by something else than the score: then arms are compared as that metric
/// stops them.
fn restores_by_another(arm: &Arm) -> Option<String> {
    let stopping = arm.train.early_stopping.as_ref()?;
    let score = Monitor::val(arm.score());
    (stopping.restore_best_weights && stopping.monitor != score).then(|| {
        format!(
            "`early_stopping` keeps the epoch with the best `{}`, and `{}` decides: which batch size is best \
             may depend on that; `monitor: {1}` watches the score",
            stopping.monitor.name(),
            score.name()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;
    use crate::data::{SplitFacts, TargetFacts, Windows};

    #[test]
    fn weights_of_the_epoch_that_is_best_by_another_metric_are_told() {
        let of = |stopping: &str| {
            let text = format!(
                "study: {{ arms: [{{ batch_size: 8 }}] }}\ndata: {{ table: {{ path: t.csv }} }}\n\
                 model: {{ embedding: {{}} }}\ntrain: {{ early_stopping: {stopping} }}\n"
            );
            let source = Source { name: "f".into(), text, overrides: vec![] };
            restores_by_another(&Study::from_source(&source, "f").unwrap().arms[0])
        };
        let said = of("{ restore_best_weights: true }").unwrap();
        assert!(
            said.starts_with("`early_stopping` keeps the epoch with the best `val_loss`"),
            "{said}"
        );
        assert_eq!(of("{ restore_best_weights: true, monitor: val_accuracy }"), None);
        assert_eq!(of("{ patience: 2 }"), None);
    }

    #[test]
    fn a_validation_split_of_a_few_targets_is_told_with_the_windows_that_are_left_out() {
        let text = "study: { score: rmse, arms: [{ batch_size: 8 }] }\ndata: { arrays: { path: a.npz } }\n\
                    model: { dense: { activation: linear } }\n";
        let source = Source { name: "f".into(), text: text.into(), overrides: vec![] };
        let study = Study::from_source(&source, "f").unwrap();
        let said = |examples: usize, left_out: usize| {
            let validation = SplitFacts { examples, ..SplitFacts::default() };
            let windows = Some(Windows { left_out, windows: 127, ..Windows::default() });
            few_validation_rows(&study, &Facts { validation, windows, ..Facts::default() })
        };
        let expected = "validation has 2 examples, which is too few to tell batch sizes apart by RMSE. 46 of 127 \
                        windows reach from one split into the next and are left out: a shorter \
                        `data.series.window` or `horizon` leaves out fewer. Keep more rows for validation \
                        (`data.split`)";
        assert_eq!(said(2, 46).unwrap(), expected);
        assert!(said(20, 4).unwrap().contains("RMSE. Keep more"));
        assert_eq!(said(30, 46), None);
    }

    #[test]
    fn a_class_of_few_validation_rows_is_told_where_the_score_hangs_on_it() {
        let said = |score: &str, positives: usize| {
            let text = format!(
                "study: {{ score: {score}, arms: [{{ batch_size: 8 }}] }}\ndata: {{ arrays: {{ path: a.npz }} }}\n"
            );
            let source = Source { name: "f".into(), text, overrides: vec![] };
            let validation =
                SplitFacts { examples: 2000, positives: Some(positives), ..SplitFacts::default() };
            let classes = vec!["no".into(), "yes".into()];
            let facts = Facts { validation, classes, ..Facts::default() };
            few_validation_rows(&Study::from_source(&source, "f").unwrap(), &facts)
        };
        let warning = said("f1", 13).unwrap();
        assert!(
            warning.contains(
                "13 examples with label `yes`: one of them can move the F1 by up to 0.07692, more"
            ),
            "{warning}"
        );
        let warning = said("balanced_accuracy", 1990).unwrap();
        assert!(
            warning.contains("10 examples with label `no`")
                && warning.contains("by up to 5 percentage points, more than the margin of 0.5."),
            "{warning}"
        );
        assert!(said("auc", 1990).unwrap().contains("10 examples with label `no`"));
        assert!(said("mcc", 13).unwrap().contains("13 examples with label `yes`"));
        assert_eq!([said("f1", 1000), said("accuracy", 13), said("recall", 0)], [None, None, None]);
        // As much as the margin is not more.
        assert_eq!([said("f1", 200), said("brier", 3)], [None, None]);
    }

    #[test]
    fn what_is_watched_or_tested_on_rows_that_do_not_define_it_is_told() {
        let facts = |[validation, test]: [f32; 2]| {
            let targets = |most: f32| TargetFacts { mean: 1.0, sd: 1.0, least: 0.0, most };
            let split = |most| SplitFacts {
                examples: 9,
                targets: Some(targets(most)),
                ..SplitFacts::default()
            };
            let (train, validation, test) = (split(1.0), split(validation), split(test));
            Facts { train, validation, test, ..Facts::default() }
        };
        let study = |train: &str| {
            let text = format!(
                "study: {{ score: r2, arms: [{{ batch_size: 8 }}] }}\ndata: {{ arrays: {{ path: a.npz }} }}\n\
                 model: {{ dense: {{ units: 1, activation: linear }} }}\ntrain: {{ {train} }}\n"
            );
            Study::from_source(&Source { name: "f".into(), text, overrides: vec![] }, "f").unwrap()
        };
        let stopping = study("early_stopping: { monitor: val_r2 }");
        let said = |facts: &Facts| watched_in_vain(&stopping.arms[0].train, facts);
        assert_eq!(said(&facts([1.0, 1.0])), Vec::<String>::new());
        assert_eq!(
            said(&facts([0.0, 1.0])),
            [
                "`val_r2` is not defined, since all targets of the validation split are alike: nothing that waits \
              for it will happen"
            ]
        );
        let told = untold_on_test(&stopping, &facts([1.0, 0.0])).unwrap();
        assert!(
            told.starts_with("R² is not defined on the test split, whose targets are all"),
            "{told}"
        );
        assert_eq!(untold_on_test(&stopping, &facts([0.0, 1.0])), None);
    }

    #[test]
    fn splits_far_from_what_was_asked_for_are_told() {
        let warning = uneven([98, 60, 142], [0.2, 0.2]).unwrap();
        assert!(warning.contains("60 are for validation and 142 for the test"), "{warning}");
        assert_eq!(uneven([180, 60, 60], [0.2, 0.2]), None);
        assert_eq!(uneven([179, 61, 60], [0.2, 0.2]), None);
        assert_eq!(uneven([10, 1, 9], [0.2, 0.2]), None);
    }
}
