//! What was found beside the comparison of arms.

use super::{Row, csv, word};
use crate::analysis::{
    ArmFinding, BudgetFinding, Claim, Confounder, Effect, Factor, Findings, Front, Part, Parts,
    RateOptimum, RateScaling, TargetFinding, Tuning,
};
use crate::report::words;
use crate::stats::Trial;
use anyhow::Result;

/// `decomposition.csv`: one row a part of the gap and split.
pub(in crate::report) fn decomposition(findings: &Findings) -> Result<String> {
    let rows = findings.decomposition.iter().flat_map(|found| {
        let of = move |split: &'static str, parts: &Parts| -> Vec<Row> {
            let row = |(name, part): (&str, &Part)| {
                let mut row = Row::default();
                row.text("small", found.small);
                row.text("large", found.large);
                row.text("split", split);
                row.text("part", name);
                row.estimate("small_minus_large", Some(&part.estimate));
                row.number("p", part.p);
                row.over_seeds(&part.estimate);
                row
            };
            words::PARTS.into_iter().zip(parts.all()).map(row).collect()
        };
        let mut rows = of("validation", &found.validation);
        rows.extend(of("validation, best measurement", &found.best));
        rows.extend(found.test.iter().flat_map(|parts| of("test", parts)));
        rows
    });
    csv(rows)
}

/// `learning_rates.csv`: one row a learning rate that was tried for an arm.
pub(in crate::report) fn learning_rates(findings: &Findings) -> Result<String> {
    let row = |tuning: &Tuning, trial: &Trial| {
        let mut row = Row::default();
        row.text("arm", &tuning.arm);
        row.text("batch_size", tuning.batch_size);
        row.text("learning_rate", trial.learning_rate);
        let mean = crate::stats::summarise(&trial.validation).map(|summary| summary.mean);
        row.number("validation_accuracy", mean);
        row.number("steps_to_target", trial.typical_steps());
        row.text("runs_finished", trial.validation.len().to_string());
        row.text("runs_missing_target", trial.missed());
        row.text("runs_diverged", trial.diverged);
        let chosen = trial.learning_rate.to_bits() == tuning.chosen.to_bits();
        row.text("chosen", chosen);
        let edge = tuning.edge.filter(|_| chosen).map(|edge| word(&edge));
        row.text("at_edge", edge.unwrap_or_default());
        row
    };
    let of = |tuning: &Tuning| tuning.trials.iter().map(|trial| row(tuning, trial)).collect();
    csv(findings.tunings.iter().flat_map(|tuning| -> Vec<Row> { of(tuning) }))
}

/// `best_learning_rates.csv`: one row a batch size.
pub(in crate::report) fn best_learning_rates(findings: &Findings) -> Result<String> {
    let row = |size: &RateOptimum| {
        let mut row = Row::default();
        row.text("batch_size", size.batch_size);
        row.number("best", Some(size.best));
        row.number("optimum", Some(size.optimum));
        row.number("good_from", Some(size.good[0]));
        row.number("good_to", Some(size.good[1]));
        row.text("at_edge", size.edge.map(|edge| word(&edge)).unwrap_or_default());
        row
    };
    csv(findings.rates.iter().flat_map(|rates| &rates.sizes).map(row))
}

/// `rate_law.csv`: how the best learning rate goes with the batch size, `factor * batch size ^ exponent`.
pub(in crate::report) fn rate_law(findings: &Findings) -> Result<String> {
    let row = |line: &RateScaling| {
        let sizes: Vec<String> = line.batch_sizes.iter().map(usize::to_string).collect();
        let mut row = Row::default();
        row.number("exponent", Some(line.exponent));
        row.interval("exponent", line.interval);
        row.text("factor", line.factor);
        row.text("batch_sizes", sizes.join(" "));
        row
    };
    csv(findings.rates.iter().filter_map(|rates| rates.scaling.as_ref()).map(row))
}

/// `trade_off.csv`: the curve of steps against batch size, `smallest_steps + least_examples / B`, one
/// row a group of arms that has one.
pub(in crate::report) fn trade_off(findings: &Findings) -> Result<String> {
    let row = |(group, target): (&str, &TargetFinding)| {
        let curve = target.trade_off.as_ref()?;
        let mut row = Row::default();
        row.text("group", group);
        row.text("target_metric", &target.target.metric);
        row.number("target", Some(target.target.value));
        row.number("smallest_steps", Some(curve.smallest_steps));
        row.number("least_examples", Some(curve.least_examples));
        row.number("critical_batch_size", Some(curve.critical));
        row.interval("critical_batch_size", curve.interval);
        row.text("inside_batch_sizes", curve.straddled);
        row.text("runs_known_by_a_bound", curve.bounds);
        Some(row)
    };
    let groups = findings.groups().filter_map(|of| Some((words::way(of.way), of.target?)));
    csv(groups.filter_map(row))
}

/// `budgets.csv`: one row an arm and what is held equal, and one an arm at its best measurements.
pub(in crate::report) fn budgets(findings: &Findings) -> Result<String> {
    let row = |equal: &str, amount: Option<f64>, arm: &ArmFinding| {
        let mut row = Row::default();
        row.text("equal", equal);
        row.number("amount", amount);
        row.text("arm", &arm.name);
        row.text("batch_size", arm.batch_size);
        row.estimate("validation_accuracy", arm.validation.as_ref());
        row.text("role", word(&arm.role));
        row.estimate("difference", arm.difference.as_ref().map(|found| &found.estimate));
        row.number("p_worse", arm.p_worse);
        row.text("standing", arm.standing.map(|standing| word(&standing)).unwrap_or_default());
        row
    };
    let of = |budget: &BudgetFinding| -> Vec<Row> {
        let (axis, amount) = (word(&budget.axis), Some(budget.amount));
        budget.comparison.arms.iter().map(|arm| row(&axis, amount, arm)).collect()
    };
    let at_best = findings.at_best.iter().flat_map(|found| &found.comparison.arms);
    let at_best = at_best.map(|arm| row("nothing: each run where it was best", None, arm));
    csv(findings.budgets.iter().flat_map(of).chain(at_best))
}

/// `factors.csv`: one row an effect of a setting, or how it changes with the batch size.
pub(in crate::report) fn factors(findings: &Findings) -> Result<String> {
    let row = |factor: &Factor, kind: &str, effect: &Effect| {
        let sizes: Vec<String> = factor.batch_sizes.iter().map(usize::to_string).collect();
        let mut row = Row::default();
        row.text("setting", &factor.path);
        row.text("value", &factor.value);
        row.text("reference", &factor.reference);
        row.text("batch_sizes", sizes.join(" "));
        row.text("split", factor.split);
        row.text("effect", kind);
        row.estimate("difference", Some(&effect.estimate));
        row.number("p", effect.p);
        row.number("p_holm", effect.p_holm);
        row.number("detectable", effect.detectable);
        row
    };
    let of = |factor: &Factor| -> Vec<Row> {
        let more = factor.interaction.as_ref().map(|effect| row(factor, "interaction", effect));
        [row(factor, "main", &factor.main)].into_iter().chain(more).collect()
    };
    csv(findings.factors.iter().flat_map(of))
}

/// `pareto.csv`: one row an arm on the front of a cost.
pub(in crate::report) fn pareto(findings: &Findings) -> Result<String> {
    let of = |front: &Front| -> Vec<Row> {
        let row = |arm: &String| {
            let mut row = Row::default();
            row.text("cost", word(&front.price));
            row.text("arm", arm);
            row
        };
        front.arms.iter().map(row).collect()
    };
    csv(findings.fronts.iter().flat_map(of))
}

/// `audit.csv`: one row a thing that can be taken for an effect of the batch size, or cannot.
pub(in crate::report) fn audit(findings: &Findings) -> Result<String> {
    let row = |confounder: &Confounder| {
        let mut row = Row::default();
        row.text("name", words::confounder_name(confounder));
        row.text("weight", word(&confounder.weight()));
        row.text("said", words::confounder(confounder));
        row
    };
    csv(findings.audit.iter().map(row))
}

/// `claims.csv`: one row a claim.
pub(in crate::report) fn claims(findings: &Findings) -> Result<String> {
    let row = |claim: &Claim| {
        let mut row = Row::default();
        row.text("claim", words::claim(claim.claim));
        row.text("finding", word(&claim.finding));
        let [arm, against] = claim.arms.clone().unwrap_or_default();
        row.text("arm", arm);
        row.text("against", against);
        row.text("because", words::because(claim));
        row.estimate("effect", claim.effect.as_ref());
        row.number("ratio", claim.ratio.map(|ratio| ratio.value));
        row.interval("ratio", claim.ratio.and_then(|ratio| ratio.interval));
        row.number("detectable", claim.detectable);
        row
    };
    csv(findings.claims.iter().map(row))
}
