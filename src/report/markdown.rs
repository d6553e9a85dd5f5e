//! `verdict.md`: the answer, the numbers behind it, and how they were come by.

use super::answer::{Next, from_best, short, standing};
use super::cautions::is_never_folded;
use super::words::{self, percent_range, points_range};
use super::{Report, sections};
use crate::analysis::{
    ArmFinding, ArmTarget, CONFIDENCE, Comparison, Difference, Estimate, Findings, Looks, Results,
    TargetFinding,
};
use crate::format::{bytes, count, duration, percent, points, signed_points};
use crate::stats::{Interval, Standing, Summary};

pub(super) fn page(results: &Results, report: &Report) -> String {
    let (findings, answer) = (&report.findings, &report.answer);
    let comparison = &findings.comparison;
    let mut parts = vec![
        format!("# {}: {}", report.study, answer.headline),
        format!("**{}.** {}", sentence_case(&answer.label), answer.reason),
    ];
    parts.extend(answer.caveat.iter().map(|caveat| format!("Caveat: {caveat}")));
    parts.extend(answer.next.as_ref().map(next));
    let read = report.rows.iter().map(|said| format!("Data: {said}"));
    let warnings: Vec<String> = report.warnings().map(String::from).chain(read).collect();
    parts.extend((!warnings.is_empty()).then(|| bullets(&warnings)));
    parts.push("## Batch sizes".into());
    parts.push(standings(comparison));
    parts.extend(rest(results, report));
    parts.join("\n\n") + "\n"
}

fn next(next: &Next) -> String {
    match &next.command {
        Some(command) => format!("Next: `{command}` {}.", next.what),
        None => format!("Next: {}", next.what),
    }
}

fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// A title of a section, and the section; what the study has no data for is absent.
type Section = (&'static str, Option<String>);

/// What follows the answer.
fn rest(results: &Results, report: &Report) -> Vec<String> {
    sections(results, report)
        .into_iter()
        .filter_map(|(title, text)| Some([format!("## {title}"), text?]))
        .flatten()
        .collect()
}

/// The sections behind the answer, in the order in which they are read.
pub(super) fn sections(results: &Results, report: &Report) -> Vec<Section> {
    let findings = &report.findings;
    let folded = findings.verdict.cautions.iter().zip(&report.cautions);
    let folded = folded.filter(|(caution, _)| !is_never_folded(caution));
    let folded: Vec<String> = folded.map(|(_, said)| said.clone()).collect();
    let found =
        sections::found(report).flat_map(|(title, lines)| [format!("### {title}"), bullets(lines)]);
    let found: Vec<String> = found.collect();
    let has = |lines: &[String]| !lines.is_empty();
    vec![
        ("Caveats", has(&folded).then(|| bullets(&folded))),
        ("Findings", has(&found).then(|| found.join("\n\n"))),
        ("Accuracy and cost", Some(accuracy_and_cost(results, findings))),
        ("Statistics", statistics(&findings.comparison)),
        (
            "Steps to the target",
            findings.target.as_ref().map(|target| {
                format!(
                    "Target: {}.\n\n{}",
                    words::target(&target.target),
                    to_target(results, target)
                )
            }),
        ),
        ("The gap in numbers", sections::gap(report)),
        ("Other groups of arms", sections::others(&findings.others)),
        ("Tuned learning rates", sections::learning_rates(&findings.tunings)),
        ("Learning rate by batch size", sections::rates(findings.rates.as_ref())),
        ("Equal epochs, steps and time", sections::budgets(findings)),
        ("Other factors", sections::factors(&findings.factors)),
        ("Accuracy against cost (Pareto front)", sections::fronts(&findings.fronts)),
        ("Sharpness of the minima", sections::minima(results, findings)),
        ("Confounders", sections::audit(&findings.audit)),
        ("Common claims", Some(sections::claims(&findings.claims))),
    ]
}

fn accuracy_and_cost(results: &Results, findings: &Findings) -> String {
    let comparison = &findings.comparison;
    let mut parts = vec![data(results), arms(comparison)];
    parts.extend(has_iqm(comparison).then(|| IQM.to_owned()));
    parts.join("\n\n")
}

fn statistics(comparison: &Comparison) -> Option<String> {
    let compared = comparison.arms.iter().any(|arm| arm.difference.is_some());
    compared.then(|| [meaning(comparison), comparisons(comparison)].join("\n\n"))
}

/// One row an arm: the table beside the answer.
fn standings(comparison: &Comparison) -> String {
    let rows = comparison.arms.iter().map(|arm| standings_row(comparison, arm).to_vec());
    table(&STANDINGS, rows)
}

/// Above [`standings_row`].
pub(super) const STANDINGS: [&str; 6] = [
    "batch size",
    "test accuracy",
    "validation accuracy",
    "time per run",
    "vs best (points)",
    "result",
];

/// The cells of an arm beside the answer.
pub(super) fn standings_row(comparison: &Comparison, arm: &ArmFinding) -> [String; 6] {
    let mean = |of: Option<&Estimate>| of.map_or("-".into(), |of| percent(of.summary.mean));
    [
        short(arm),
        mean(arm.test.as_ref()),
        mean(arm.validation.as_ref()),
        arm.seconds.map_or("-".into(), |seconds| duration(seconds.mean)),
        from_best(comparison, arm, 2),
        standing(comparison, arm).to_owned(),
    ]
}

/// How it was decided.
fn meaning(comparison: &Comparison) -> String {
    let bounds = match comparison.looks {
        Looks::Once => "t bounds of a study that is looked at once",
        Looks::SeedsAdded | Looks::UntilSettled => {
            "bounds of a t confidence sequence, which hold however often seeds are added"
        }
    };
    format!(
        "Differences are paired by seed, on validation. An arm is *out* when some other arm is shown to be \
         better. It is *equivalent* when no arm that may be the best is better by the margin of {} points. \
         Else it is *undecided*. Both are decided by {bounds}: each bound is one-sided at {:.1} %, so that \
         at most 5 in 100 studies decide wrongly. *Seeds needed* would show an arm to be equivalent in 80 \
         of 100 studies in which it is equal to the others. The test split decided nothing. The runs that \
         won by luck are the ones reported: expect a little less of new seeds.",
        points(comparison.margin),
        100.0 * comparison.level
    )
}

const IQM: &str = "\
*Interquartile mean*: the mean test accuracy without the lowest and the highest quarter of the seeds (validation \
accuracy without a test split), with a 95 % bootstrap interval over seeds. Seeds that failed to converge pull it \
less than the plain mean, by which the arms are compared.";

fn has_iqm(comparison: &Comparison) -> bool {
    comparison.arms.iter().any(|arm| arm.validation_iqm.is_some())
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
}

fn data(results: &Results) -> String {
    let [train, validation, test] = results.examples.texts();
    let enough = match results.declared_target {
        None => "Of the equivalent arms",
        Some(_) => "Of those that always reach the target",
    };
    format!(
        "{train} training, {validation} validation and {test} test examples. Margin: {} points. {enough} \
         the one is recommended that {} (`study.objective`).",
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
        header.insert(6, "interquartile mean");
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
        "between",
        "result",
        "could be best",
        "seeds needed",
        "test difference",
    ];
    let row = |arm: &ArmFinding| {
        let compared = arm.difference.as_ref()?;
        let undecided = arm.standing == Some(Standing::Undecided);
        let needed = match arm.seeds_needed {
            Some(seeds) => seeds.to_string(),
            None if undecided => "not feasible".into(),
            None => "-".into(),
        };
        Some(vec![
            arm.name.clone(),
            signed_points(compared.estimate.summary.mean),
            arm.from_best.map_or("-".into(), points_range),
            words::result(arm).to_owned(),
            arm.may_be_best().map_or("-", |may| if may { "yes" } else { "no" }).to_owned(),
            needed,
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
