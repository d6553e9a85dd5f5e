//! `verdict.md`: the verdict, the numbers behind it, and how they were come by.

use super::{Report, sections, words};
use crate::analysis::{
    ArmFinding, ArmTarget, CONFIDENCE, Comparison, Difference, Estimate, Results, Role,
    TargetFinding, percent, percent_range, points, points_range, signed_points,
};
use crate::format::{bytes, count, duration};
use crate::stats::{Interval, Standing, Summary};

pub(super) fn page(results: &Results, report: &Report) -> String {
    let (findings, verdict) = (&report.findings, &report.findings.verdict);
    let mut parts = vec![format!("# Verdict: {}", report.study), verdict.advice.clone()];
    parts.extend(verdict.about.clone());
    let found = sections::found(verdict);
    parts.extend(found.flat_map(|(title, lines)| [format!("### {title}"), bullets(lines)]));
    if !verdict.cautions.is_empty() {
        parts.push("## To beware of".into());
        parts.push(bullets(&verdict.cautions));
    }
    parts.push("## What this study does not show".into());
    parts.push(verdict.not_shown.clone());
    parts.push("## The arms".into());
    parts.push(data(results));
    parts.push(arms(&report.findings.comparison));
    parts.extend(has_iqm(&report.findings.comparison).then(|| IQM.to_owned()));
    if report.findings.comparison.arms.iter().any(|arm| arm.difference.is_some()) {
        parts.push("## Compared with the best".into());
        parts.push(comparisons(&report.findings.comparison));
        parts.push(MEANING.into());
    }
    if let Some(target) = &report.findings.target {
        parts.push(format!("## To reach {}", target.target.words()));
        parts.push(to_target(results, target));
    }
    let rest = [
        ("## The gap in numbers", sections::gap(findings)),
        ("## The other arms", sections::others(&findings.others)),
        ("## Learning rates", sections::learning_rates(&findings.tunings)),
        ("## Which learning rate suits which batch size", sections::rates(findings.rates.as_ref())),
        ("## With equal passes, updates and time", sections::budgets(findings)),
        ("## What else was varied", sections::factors(&findings.factors)),
        ("## What accuracy costs", sections::fronts(&findings.fronts)),
        ("## How sharp the minima are", sections::minima(results, findings)),
        ("## What else differs between batch sizes", sections::audit(&findings.audit)),
        ("## What is commonly claimed", Some(sections::claims(&findings.claims))),
    ];
    for (title, section) in rest {
        parts.extend(section.into_iter().flat_map(|section| [title.to_owned(), section]));
    }
    let has_runs = results.arms.iter().any(|arm| !arm.runs.is_empty());
    let runs = if has_runs { "; one line a run is in `tables/runs.csv`" } else { "" };
    parts.push(format!("More digits are in `tables/*.csv`{runs}."));
    parts.join("\n\n") + "\n"
}

const MEANING: &str = "\
Differences are the arm minus the best one in percentage points, seed by seed, with 95 % t intervals. \
An arm is *within* the margin when the one-sided 95 % lower bound of its validation difference exceeds \
minus the margin, *beyond* it when the upper end of its 95 % interval is below that, else *open*. *May be best* takes into \
account that the best one was chosen among all (Hsu's comparison with the best, 95 % together). Seeds to \
settle is the number with which an arm that is truly as good as the best would be shown to be within the \
margin in 80 % of studies, judged by the spread of the differences so far: with three seeds a rough guess. \
p (Holm) is that of the paired t test, corrected for all pairs of arms, since the best was picked. The arms \
were compared, and the \
best chosen, on validation; the test differences decided nothing. Their intervals are for other test rows \
too, not for other seeds alone.";

const IQM: &str = "\
*Middle half* is the interquartile mean of the test accuracy (of validation without a test split): the mean \
without the lowest and the highest quarter of the seeds, with a 95 % interval from a bootstrap over seeds. \
Read it where single seeds went astray and pull the mean; the comparison rests on means all the same.";

fn has_iqm(comparison: &Comparison) -> bool {
    comparison.arms.iter().any(|arm| arm.validation_iqm.is_some())
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
}

fn data(results: &Results) -> String {
    let [train, validation, test] = results.examples.texts();
    let enough = match results.declared_target {
        None => "Of the best and those within it",
        Some(_) => "Of those that always reach the target",
    };
    format!(
        "{train} examples for training, {validation} for validation, {test} for the test. The margin \
         is {} percentage points of accuracy. {enough} the one is recommended that {} \
         (`study.objective`).",
        points(results.margin),
        words::objective(results.objective)
    )
}

/// A table of Markdown.
pub(super) fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let head = line(header.iter().map(|cell| (*cell).to_owned()).collect());
    let rule = line(header.iter().map(|_| "---".to_owned()).collect());
    [head, rule].into_iter().chain(rows.map(line)).collect::<Vec<_>>().join("\n")
}

fn arms(comparison: &Comparison) -> String {
    let mut header = vec![
        "arm",
        "batch size",
        "learning rate",
        "runs",
        "validation accuracy",
        "test accuracy",
        "steps",
        "seconds",
        "examples a second",
        "peak memory",
    ];
    let with_iqm = has_iqm(comparison);
    if with_iqm {
        header.insert(6, "middle half");
    }
    let row = |arm: &ArmFinding| {
        let runs = match arm.diverged {
            0 => format!("{} of {}", arm.finished, arm.planned),
            some => format!("{} of {}, {some} diverged", arm.finished, arm.planned),
        };
        let mut cells = vec![
            arm.name.clone(),
            count(arm.batch_size as u64),
            arm.learning_rate.to_string(),
            runs,
            accuracy(arm.validation.as_ref()),
            accuracy(arm.test.as_ref()),
            whole(arm.steps),
            arm.seconds.map_or("-".into(), |seconds| format!("{:.1}", seconds.mean)),
            whole(arm.examples_per_second),
            if arm.finished > 0 { bytes(arm.peak_memory) } else { "-".into() },
        ];
        if with_iqm {
            cells.insert(6, middle_half(arm));
        }
        cells
    };
    table(&header, comparison.arms.iter().map(row))
}

pub(super) fn accuracy(estimate: Option<&Estimate>) -> String {
    let Some(estimate) = estimate else { return "-".into() };
    of_seeds(estimate.summary.mean, estimate.interval, estimate.summary.count)
}

fn middle_half(arm: &ArmFinding) -> String {
    let iqm = if arm.test.is_some() { arm.test_iqm } else { arm.validation_iqm };
    iqm.map_or("-".into(), |iqm| of_seeds(iqm.value, iqm.interval, iqm.count))
}

/// `72.6 % (71.0 to 74.2, n = 3)`
fn of_seeds(value: f64, interval: Option<Interval>, count: usize) -> String {
    let value = percent(value);
    match interval {
        Some(interval) => format!("{value} ({}, n = {count})", percent_range(interval)),
        None => format!("{value} (n = {count})"),
    }
}

fn whole(summary: Option<Summary>) -> String {
    summary.map_or("-".into(), |summary| count(summary.mean.round() as u64))
}

pub(super) fn comparisons(comparison: &Comparison) -> String {
    let header = [
        "arm",
        "validation difference",
        "standing",
        "may be best",
        "seeds to settle",
        "p (Holm)",
        "test difference",
    ];
    let row = |arm: &ArmFinding| {
        let compared = arm.difference.as_ref()?;
        let standing = match (arm.role, arm.standing) {
            (Role::Diverged, _) => "diverged",
            (Role::Apart, _) => "too few seeds",
            (_, Some(Standing::Within)) => "within",
            (_, Some(Standing::Beyond)) => "beyond",
            _ => "open",
        };
        let open = arm.standing == Some(Standing::Open) && compared.p.is_some();
        let needed = match arm.seeds_needed {
            Some(seeds) => seeds.to_string(),
            None if open => "not feasible".into(),
            None => "-".into(),
        };
        Some(vec![
            arm.name.clone(),
            difference(Some(compared)),
            standing.to_owned(),
            arm.may_be_best.map_or("-", |may| if may { "yes" } else { "no" }).to_owned(),
            needed,
            compared.p_holm.map_or("-".into(), |p| format!("{p:.3}")),
            difference(arm.test_difference.as_ref()),
        ])
    };
    table(&header, comparison.arms.iter().filter_map(row))
}

fn difference(difference: Option<&Difference>) -> String {
    difference_of(difference.map(|difference| &difference.estimate))
}

/// `-0.63 (-3.10 to +1.90, n = 3)`
pub(super) fn difference_of(estimate: Option<&Estimate>) -> String {
    let Some(estimate) = estimate else { return "-".into() };
    let mean = signed_points(estimate.summary.mean);
    match estimate.interval {
        Some(interval) => {
            format!("{mean} ({}, n = {})", points_range(interval), estimate.summary.count)
        }
        None => format!("{mean} (n = 1)"),
    }
}

fn to_target(results: &Results, target: &TargetFinding) -> String {
    let row = |arm: &ArmTarget| {
        let reached = match (arm.reached, arm.at_first) {
            (reached, 0) => format!("{reached} of {}", arm.runs),
            (reached, first) => {
                format!("{reached} of {}, {first} before the first measurement", arm.runs)
            }
        };
        vec![
            arm.name.clone(),
            count(arm.batch_size as u64),
            reached,
            with_interval(arm.steps),
            whole(arm.examples),
            epochs(results, arm.examples),
            arm.seconds.map_or("-".into(), |seconds| duration(seconds.mean)),
        ]
    };
    let header =
        ["arm", "batch size", "runs that reached it", "steps", "examples", "epochs", "time"];
    let source = match results.declared_target.is_some() {
        true => "The target is the one at which the file ends all runs.",
        false => {
            "The target is the accuracy to which each arm's runs come at their best, on average, less the margin; \
             it was chosen from the results, so this describes them and decides nothing."
        }
    };
    let rates = match target.of_several_rates {
        true => {
            " The curve takes the learning rate with the fewest steps of each batch size, which was chosen \
             from these runs and therefore flatters a little."
        }
        false => "",
    };
    let about = format!(
        "{source} Between two measurements a run is taken to go straight. Means are over the runs \
         that reached it, with 95 % t intervals of the steps.{rates}"
    );
    [about, table(&header, target.arms.iter().map(row)), trade_off(target)].join("\n\n")
}

/// `189 (171 to 207)`
fn with_interval(summary: Option<Summary>) -> String {
    let interval = summary.and_then(|summary| summary.interval(CONFIDENCE));
    let end = |value: f64| count(value.max(0.0).round() as u64);
    let ends = interval.map(|ends| format!(" ({} to {})", end(ends.low), end(ends.high)));
    whole(summary) + &ends.unwrap_or_default()
}

fn epochs(results: &Results, examples: Option<Summary>) -> String {
    let epochs = examples.and_then(|examples| results.examples.epochs(examples.mean));
    epochs.map_or("-".into(), |epochs| format!("{epochs:.2}"))
}

fn trade_off(target: &TargetFinding) -> String {
    let Some(curve) = &target.trade_off else {
        let why = target.no_trade_off.as_ref().map(words::no_trade_off);
        let why = why.unwrap_or("there are no runs".into());
        return format!("No curve of steps against batch size was fitted: {why}.");
    };
    let steps = |value: f64| count(value.round() as u64);
    let bounds = match curve.bounds {
        0 => String::new(),
        1 => " Of 1 run only a bound is known, and it counts as such.".into(),
        runs => format!(" Of {runs} runs only a bound is known, and they count as such."),
    };
    let fastest = target.fastest.map_or(String::new(), |batch_size| {
        format!(
            " By the curve and the time that a step took here, batch size {} reaches it first; single \
             runs may differ, as the table shows.",
            count(batch_size as u64)
        )
    });
    if !curve.straddled {
        return format!(
            "These runs do not tell from which batch size on doubling it saves few steps: try smaller \
             and larger ones, or more seeds.{bounds}{fastest}"
        );
    }
    let in_budget = target.in_budget.map_or(String::new(), |found| {
        format!(
            " With the {} examples that every run saw, batch sizes above about {} do not get there.",
            steps(found.examples),
            steps(found.batch_size)
        )
    });
    format!(
        "Steps = {} + {} / B fit these. {} A batch of {} needs 20 % more examples than a very small \
         one would.{in_budget}{bounds}{fastest}",
        steps(curve.smallest_steps),
        steps(curve.least_examples),
        words::critical_batch(curve),
        steps(curve.with_overhead(0.2)),
    )
}
