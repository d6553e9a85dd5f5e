//! What was found beside the comparison of arms.

use super::{Row, csv, number, word};
use crate::analysis::{Claim, Confounder, Findings, Parts, Trial, Tuning};
use anyhow::Result;

/// `decomposition.csv`: one row a part of the gap and split.
pub(in crate::report) fn decomposition(findings: &Findings) -> Result<String> {
    let rows = findings.decomposition.iter().flat_map(|found| {
        let of = move |split: &'static str, parts: &Parts| -> Vec<Row> {
            let rows = parts.named().map(|(name, part)| {
                let mut row = Row::default();
                row.text("small", &found.small.to_string());
                row.text("large", &found.large.to_string());
                row.text("split", split);
                row.text("part", name);
                row.estimate("small_minus_large", Some(&part.estimate));
                row.text("p", &number(part.p));
                let others = part.for_other_examples;
                row.text("low_other_examples", &number(others.map(|ends| ends.low)));
                row.text("high_other_examples", &number(others.map(|ends| ends.high)));
                row
            });
            rows.into()
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
        row.text("batch_size", &tuning.batch_size.to_string());
        row.text("learning_rate", &trial.learning_rate.to_string());
        let mean = crate::stats::summarise(&trial.validation).map(|summary| summary.mean);
        row.text("validation_accuracy", &number(mean));
        row.text("runs_finished", &trial.validation.len().to_string());
        row.text("runs_diverged", &trial.diverged.to_string());
        let chosen = trial.learning_rate.to_bits() == tuning.chosen.to_bits();
        row.text("chosen", &chosen.to_string());
        let edge = tuning.edge.filter(|_| chosen).map(|edge| word(&edge));
        row.text("at_edge", &edge.unwrap_or_default());
        row
    };
    let of = |tuning: &Tuning| tuning.trials.iter().map(|trial| row(tuning, trial)).collect();
    csv(findings.tunings.iter().flat_map(|tuning| -> Vec<Row> { of(tuning) }))
}

/// `audit.csv`: one row a thing that can be taken for an effect of the batch size, or cannot.
pub(in crate::report) fn audit(findings: &Findings) -> Result<String> {
    let row = |confounder: &Confounder| {
        let mut row = Row::default();
        row.text("name", confounder.name);
        row.text("weight", &word(&confounder.weight));
        row.text("said", &confounder.said);
        row
    };
    csv(findings.audit.iter().map(row))
}

/// `claims.csv`: one row a claim.
pub(in crate::report) fn claims(findings: &Findings) -> Result<String> {
    let row = |claim: &Claim| {
        let mut row = Row::default();
        row.text("claim", claim.claim);
        row.text("finding", &word(&claim.finding));
        row.text("because", &claim.because);
        row.estimate("effect", claim.effect.as_ref());
        row.text("detectable", &number(claim.detectable));
        row
    };
    csv(findings.claims.iter().map(row))
}
