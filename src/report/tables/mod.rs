//! The tables, each defined once: their columns with a name are a CSV file, those with a title stand in the
//! report.

mod arms;
mod findings;
mod probes;
mod runs;

pub(super) use arms::{arms, comparisons};
pub(super) use findings::{
    audit, best_learning_rates, budgets, claims, decomposition, factors, learning_rates, pareto,
    rate_law, trade_off,
};
pub(super) use probes::{lines, noise_scale, sharpness, sharpness_and_score, sharpness_arms};
pub(super) use runs::runs;

use super::block::{Cell, Table};
use super::words::Scale;
use crate::analysis::{CONFIDENCE, Estimate, Findings, Results};
use crate::stats::Summary;
use serde::Serialize;

/// The name of a choice as JSON has it.
pub(super) fn word(value: impl Serialize) -> Option<String> {
    Some(serde_json::to_value(value).ok()?.as_str()?.to_owned())
}

fn mean(summary: Option<Summary>) -> Option<f64> {
    summary.map(|summary| summary.mean)
}

/// Its mean.
pub(super) fn mean_score(scale: Scale, score: Option<Estimate>) -> Cell {
    score.map(|score| scale.value(score.summary.mean)).into()
}

/// The interval without the noise of the test rows.
fn over_seeds(scale: Scale, estimate: &Estimate) -> Cell {
    Cell::Between(scale, estimate.summary.over_seeds().interval(CONFIDENCE))
}

/// All CSV files of a study by name; those without rows have none.
pub(super) fn files(results: &Results, findings: &Findings) -> [(&'static str, Table); 18] {
    [
        ("runs.csv", runs(results, findings.target.as_ref().map(|of| &of.target))),
        ("arms.csv", arms(results, findings.groups())),
        ("comparisons.csv", comparisons(findings)),
        ("decomposition.csv", decomposition(findings)),
        ("learning_rates.csv", learning_rates(findings)),
        ("best_learning_rates.csv", best_learning_rates(findings.rates.as_ref())),
        ("rate_law.csv", rate_law(findings)),
        ("trade_off.csv", trade_off(findings)),
        ("budgets.csv", budgets(&findings.budgets, findings.at_best.as_ref(), results.into())),
        ("factors.csv", factors(findings)),
        ("pareto.csv", pareto(findings)),
        ("audit.csv", audit(&findings.audit)),
        ("claims.csv", claims(&findings.claims, results.into())),
        ("noise_scale.csv", noise_scale(results)),
        ("sharpness.csv", sharpness(results)),
        ("sharpness_arms.csv", sharpness_arms(results)),
        (
            "sharpness_and_score.csv",
            sharpness_and_score(findings.sharpness.as_ref(), results.into()),
        ),
        ("lines.csv", lines(results)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Standing;

    #[test]
    fn choices_are_words() {
        assert_eq!(word(Standing::Out).as_deref(), Some("out"));
        assert_eq!(word(None::<Standing>), None);
    }
}
