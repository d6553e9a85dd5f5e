//! The tables that `run`, `check` and `status` print.

use super::format::{bytes, count, counted, duration, list, points, rate, summary};
use super::labels;
use crate::config::{CurvesOf, Schedule, Study};
use crate::data::{Account, SplitFacts, Windows};
use crate::kernels::EngineKind;
use crate::report::{Scale, without_model};
use crate::spec::{Input, Metric, Shape, Unit};
use crate::stats::{Edge, Summary, Trial};
use crate::study::{ArmSummary, Estimate, Plan, Pool, RunState, StudyStatus, Tuning, trained_with};
use anyhow::Result;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use std::collections::BTreeMap;

/// An empty table with this header.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let rule = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(rule)).set_header(header.to_vec());
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// What a study found, one row an arm, within 80 columns where the names of arms are short. `--json`
/// and the report have more.
pub(super) fn results(arms: &[ArmSummary], scale: Scale) -> String {
    let [validation, test] = ["val.", "test"].map(|split| scale.on(split));
    let score = |score: Option<Summary>| {
        summary(score, scale.digits(score.map_or(0.0, |score| score.mean)))
    };
    let mut table =
        table(&["arm", "batch size", "runs", "steps", &validation, &test, "time", "memory"]);
    for arm in arms {
        table.add_row([
            arm.name.clone(),
            count(arm.batch_size as u64),
            match arm.finished == arm.planned {
                true => arm.finished.to_string(),
                false => format!("{} of {}", arm.finished, arm.planned),
            },
            arm.steps.map_or("-".into(), |steps| count(steps.mean.round() as u64)),
            score(arm.validation_score),
            score(arm.test_score),
            arm.seconds.map_or("-".into(), |seconds| duration(seconds.mean)),
            if arm.finished > 0 { bytes(arm.peak_memory) } else { "-".into() },
        ]);
    }
    table.to_string()
}

/// The engine, and with what it works.
fn engine(plan: &Plan, pool: &Pool, parallel: usize) -> String {
    let name = plan.engine.name();
    match (plan.engine, pool.threads(parallel)) {
        (EngineKind::Libtorch, _) => name.to_owned(),
        (EngineKind::Fused, _) if plan.device_kind() == "cuda" => name.to_owned(),
        (EngineKind::Fused, 1) => format!("{name} ({})", pool.instructions().name()),
        (EngineKind::Fused, threads) => {
            format!("{name} ({}, {threads} threads each)", pool.instructions().name())
        }
    }
}

/// What to know of a study whose single runs are not drawn.
pub(super) fn without_curves(plan: &Plan) -> Option<String> {
    let is_of_arms = plan.study.experiment.train.logging.curves == CurvesOf::Arms;
    is_of_arms.then(|| {
        format!(
            "curves  of the arms alone, as bands over their seeds: the study has {}; \
             `train.logging.curves: runs` draws each",
            counted(plan.runs.len(), "run")
        )
    })
}

/// The line under the results that says what they are.
pub(super) fn what_numbers_are(arms: &[ArmSummary], scale: Scale) -> Option<String> {
    let restored = arms.iter().filter(|arm| arm.restored).count();
    let which = match (restored, restored == arms.len()) {
        (0, _) => return None,
        (_, true) => "each run's best epoch",
        _ => "the last epoch, or of the best one for arms that restore it",
    };
    Some(match scale.is_accuracy() {
        true => format!("accuracies are those of {which}"),
        false => format!("{} is that of {which}", scale.title()),
    })
}

/// What to know of runs whose batches did not fit into memory.
pub(super) fn short_of_memory(arms: &[ArmSummary]) -> Vec<String> {
    let short = arms.iter().filter_map(|arm| Some((arm, arm.micro_batch?)));
    let said = |(arm, rows): (&ArmSummary, usize)| {
        format!(
            "arm `{}`: memory was short, so gradients were summed over parts of {rows} rows; each \
             step is still that of {} rows, to rounding",
            arm.name, arm.batch_size
        )
    };
    short.map(said).collect()
}

/// How the runs of a study stand, one row an arm.
pub(super) fn stand(status: &StudyStatus) -> String {
    type Column = (&'static str, fn(&RunState) -> bool);
    let mut columns: Vec<Column> = vec![
        ("finished", |state| matches!(state, RunState::Finished)),
        ("running", |state| matches!(state, RunState::Running)),
        ("interrupted", |state| matches!(state, RunState::Interrupted)),
        ("not started", |state| matches!(state, RunState::NotStarted)),
        ("diverged", |state| matches!(state, RunState::Diverged { .. })),
        ("failed", |state| matches!(state, RunState::Failed { .. })),
    ];
    if !status.damaged().is_empty() {
        columns.push(("damaged", |state| matches!(state, RunState::Damaged { .. })));
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut table = table(&[&["arm", "runs"], &names[..]].concat());
    for arm in &status.arms {
        let counts = columns.iter().map(|(_, of)| match status.count(&arm.name, of) {
            0 => "-".to_owned(),
            some => some.to_string(),
        });
        let begin = [arm.name.clone(), arm.planned.to_string()];
        table.add_row(begin.into_iter().chain(counts).collect::<Vec<_>>());
    }
    table.to_string()
}

/// Which learning rate an arm was given by tuning, once it is known.
pub(super) fn tuned(tuning: &Tuning) -> Option<String> {
    let (arm, tried) = (&tuning.arm, tuning.trials.len());
    if tuning.all_diverged() {
        return Some(format!(
            "tuning: `{arm}` has no learning rate: a run diverged with each of the {tried} that were \
             tried; name smaller ones in `study.learning_rate.tuned.rates`"
        ));
    }
    let lr = tuning.chosen?;
    let edge = match tuning.edge {
        None => "",
        Some(Edge::Lowest) => ", the smallest of them: a smaller one may be better",
        Some(Edge::Highest) => ", the largest of them: a larger one may be better",
    };
    let chosen = tuning.trials.iter().find(|trial| trial.learning_rate.to_bits() == lr.to_bits());
    if let Some(missed) = chosen.map(Trial::missed).filter(|missed| *missed > 0) {
        return Some(format!(
            "tuning: `{arm}` takes learning rate {}, although {} with it did not get to the target: \
             with none of the {tried} that were tried all did{edge}",
            rate(lr),
            counted(missed, "run")
        ));
    }
    let by = match tuning.trials.iter().any(Trial::ends_at_target) {
        true => "by steps to the target",
        false => "on validation",
    };
    Some(format!(
        "tuning: `{arm}` takes learning rate {}, the best of {tried} {by}{edge}",
        rate(lr)
    ))
}

/// What a study would cost, one row an arm, within 80 columns where the names of arms are short.
/// Schedules that are not constant stand below.
pub(super) fn costs(plan: &Plan, estimates: &[Estimate]) -> String {
    let header = ["arm", "batch size", "lr", "runs", "epochs", "steps", "memory", "time/run"];
    let mut table = table(&header);
    for (arm, estimate) in plan.study.arms.iter().zip(estimates) {
        let length = plan.training_length(arm);
        table.add_row([
            arm.name.clone(),
            count(arm.batch_size as u64),
            match plan.study.tuned.contains(&arm.name) {
                true => "tuned".into(),
                false => rate(arm.train.optimizer.lr()),
            },
            match plan.tuning_runs(arm) {
                0 => plan.study.seeds_of(&arm.name).count().to_string(),
                tuning => format!("{tuning} + {}", plan.study.seeds_of(&arm.name).count()),
            },
            length.epochs().to_string(),
            count(length.steps()),
            bytes(estimate.memory),
            duration(estimate.seconds),
        ]);
    }
    [table.to_string()].into_iter().chain(schedules(plan)).collect::<Vec<_>>().join("\n")
}

/// A line for each schedule that changes the learning rate, with its arms.
fn schedules(plan: &Plan) -> Vec<String> {
    let mut arms: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let scheduled = plan.study.arms.iter().filter(|arm| arm.train.schedule != Schedule::Constant);
    for arm in scheduled {
        arms.entry(arm.train.schedule.to_string()).or_default().push(arm.name.clone());
    }
    let all = plan.study.arms.len();
    let line = |(schedule, arms): (String, Vec<String>)| match arms.len() == all {
        true => format!("schedule of the learning rate: {schedule}"),
        false => format!("schedule of the learning rate of {}: {schedule}", list(&arms)),
    };
    arms.into_iter().map(line).collect()
}

/// `2 arms x 5 seeds = 10 runs`, or `2 arms with up to 5 seeds: 8 runs`
fn arms_and_seeds(plan: &Plan) -> String {
    let (arms, seeds) = (plan.study.arms.len(), plan.study.all_seeds().len());
    let all = counted(plan.runs.len(), "run");
    match arms * seeds == plan.runs.len() {
        true => format!("{} x {} = {all}", counted(arms, "arm"), counted(seeds, "seed")),
        false => format!("{} with up to {}: {all}", counted(arms, "arm"), counted(seeds, "seed")),
    }
}

/// `0.5 percentage points of accuracy`, `0.3 in RMSE`; a share of a baseline that is not known as such.
fn margin(plan: &Plan) -> String {
    let score = plan.study.score().info();
    let Ok(margin) = plan.margin() else {
        return format!("a share of the baseline's {}", score.title);
    };
    match score.unit {
        Unit::Percent => format!("{} percentage points of {}", points(margin), score.title),
        _ => format!("{} in {}", Scale::new(score, Some(margin)).amount(margin), score.title),
    }
}

/// What became of the rows of a series.
fn windows(found: &Windows) -> String {
    let Windows { series, too_short, windows, left_out, steps, .. } = *found;
    let short = match too_short {
        0 => String::new(),
        short => format!(" ({} too short for a window)", count(short as u64)),
    };
    let out = match left_out {
        0 => String::new(),
        out => format!(
            ", {} left out since they reach from one split into the next",
            count(out as u64)
        ),
    };
    let series = match series {
        1 => "1 series".to_owned(),
        many => format!("{} series", count(many as u64)),
    };
    format!("{series}{short}: {} of {steps} steps{out}", counted(windows, "window"))
}

/// What needs no model scores on validation.
fn baselines(plan: &Plan) -> Option<String> {
    let facts = &plan.data.facts;
    let score = plan.study.score().info();
    let known = |of: &BTreeMap<Metric, f64>| of.get(&score.metric).copied();
    let constant = known(&facts.baseline);
    let scale = Scale::new(score, plan.study.margin(constant));
    let turned = |score: f64| scale.natural(score);
    let found = without_model(scale, constant.map(turned), known(&facts.last_value).map(turned))?;
    Some(format!("{} without a model: {found}", scale.on("validation")))
}

/// The study in a few lines: what runs where, on which data, with which model, trained how.
pub(super) fn headline(plan: &Plan, pool: &Pool, parallel: usize) -> Result<String> {
    let study: &Study = &plan.study;
    let facts = &plan.data.facts;
    let split = |name: &str, split: &SplitFacts| labels::of_split(name, split, &facts.classes);
    let mean = facts.train.steps as f64 / facts.train.examples.max(1) as f64;
    let shapes: Vec<Shape> = study.arms.iter().map(|arm| plan.shape(arm)).collect();
    let shape = shapes[0];
    let differ = if shapes.iter().any(|other| *other != shape) { " (first arm)" } else { "" };
    let (vocabulary, embedding) = match shape.input {
        Input::Tokens { vocabulary, dim } => (
            format!("; vocabulary {}", count(vocabulary as u64)),
            format!("Embedding({}, {dim}) -> ", count(vocabulary as u64)),
        ),
        Input::Features(features) => (format!("; {features} features"), String::new()),
    };
    let read = facts.accounts.iter().filter_map(Account::differences);
    let read = read.chain(facts.windows.iter().map(windows)).chain(baselines(plan));
    let read: String = read.map(|said| format!("read   {said}\n")).collect();
    Ok(format!(
        "study  {}: {}{} on {} by {}, {parallel} at a time{}\n{read}\
         data   {}, {}, {}{vocabulary}; rows of {mean:.0} steps on average, {} at most\n\
         model  {embedding}{} -> Dense({}, {}), {} parameters{differ}\n\
         train  {}\n\
         margin {}: smaller differences do not matter",
        study.name,
        arms_and_seeds(plan),
        match study.arms.iter().map(|arm| plan.tuning_runs(arm)).sum() {
            0 => String::new(),
            runs => format!(" after {} that tune learning rates,", counted(runs, "run")),
        },
        plan.device_kind(),
        engine(plan, pool, parallel),
        pool.could_share(plan, plan.runs.len()).map_or(String::new(), |most| {
            format!("\n       `--workers {most}` trains {most} at a time on this GPU: faster, with the same results")
        }),
        split("training", &facts.train),
        split("validation", &facts.validation),
        split("test", &facts.test),
        facts.train.longest,
        shape.layers.title(),
        shape.outputs,
        study.arms[0].model.dense.activation.name(),
        count(shape.parameter_count() as u64),
        trained_with(study)?,
        margin(plan),
    ))
}
