//! The part of `verdict.md` about the sharpness of minima.

use crate::analysis::{
    Findings, MeasuredArm, RankCorrelation, Results, SharpnessFinding, SharpnessRun,
};
use crate::format::count;
use crate::report::markdown::table;
use crate::stats::Interval;

/// Means over the runs of each arm, and how they were come by.
pub(in crate::report) fn minima(results: &Results, findings: &Findings) -> Option<String> {
    let found = findings.sharpness.as_ref().filter(|found| found.runs > 0)?;
    let row = |of: MeasuredArm| {
        let mean = |measure: fn(&SharpnessRun) -> Option<f64>| {
            of.mean(measure).map_or("-".to_owned(), short)
        };
        vec![
            of.arm.name.clone(),
            count(of.arm.batch_size as u64),
            of.runs.len().to_string(),
            mean(|run| Some(run.sharpness.loss)),
            mean(|run| Some(run.sharpness.top_eigenvalue)),
            mean(|run| Some(run.sharpness.trace)),
            mean(|run| Some(run.sharpness.ball)),
            mean(|run| Some(run.sharpness.adaptive)),
            mean(|run| Some(run.sharpness.keskar)),
            mean(|run| run.sharpness.edge_of_stability),
        ]
    };
    let header = [
        "arm",
        "batch size",
        "runs",
        "training loss",
        "largest curvature",
        "trace",
        "in a ball",
        "adaptive",
        "in a box (%)",
        "edge of stability",
    ];
    let arms = [table(&header, results.measured_arms().map(row)), MEANING.to_owned()];
    Some(arms.into_iter().chain(correlations(found)).collect::<Vec<_>>().join("\n\n"))
}

/// Whether each measure tells accuracy, among all runs and among like ones.
fn correlations(found: &SharpnessFinding) -> Option<String> {
    let tau = |tau: Option<f64>, interval: Option<Interval>| match (tau, interval) {
        (None, _) => "-".to_owned(),
        (Some(tau), None) => format!("{tau:+.2}"),
        (Some(tau), Some(ends)) => format!("{tau:+.2} ({:+.2} to {:+.2})", ends.low, ends.high),
    };
    let row = |of: &RankCorrelation| {
        let name = match of.measure {
            "top_eigenvalue" => "largest curvature",
            "keskar" => "in a box",
            other => other,
        };
        vec![
            name.to_owned(),
            tau(Some(of.tau), of.interval),
            tau(of.tau_within_rates, of.interval_within_rates),
            tau(of.tau_at_like_losses, of.interval_at_like_losses),
        ]
    };
    let header = ["measure", "all runs", "of one learning rate", "at like training losses"];
    (!found.rank_correlations.is_empty()).then(|| {
        let rows = table(&header, found.rank_correlations.iter().map(row));
        format!(
            "Rank correlation (Kendall's tau) with {} accuracy, 95 % CI by bootstrap over seeds:\n\n{rows}",
            found.split
        )
    })
}

const MEANING: &str = "\
Means over runs, of the loss on a fixed part of the training examples, without dropout and penalties. *Largest \
curvature* and *trace*: of the Hessian. *In a ball*: rise of the loss 0.05 up the gradient (SAM). *Adaptive*: \
the same in proportion to each weight (ASAM, 0.5). *In a box*: the largest rise found within a thousandth of \
each weight plus one, in percent of one plus the loss (Keskar). *Edge of stability*: near 1 curvature limits \
Adam's steps. Curvature falls with the loss and changes with the learning rate: compare at like losses.";

/// Three digits.
fn short(value: f64) -> String {
    match value.abs() {
        size if size <= 0.0 => "0".into(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.2e}"),
        size => {
            let digits = (2.0 - size.max(1e-3).log10().floor()).clamp(0.0, 5.0) as usize;
            format!("{value:.digits$}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let said = [12.345, 0.012345, 1234.5, -0.5, 0.0, 1.5e-6].map(short);
        assert_eq!(said, ["12.3", "0.0123", "1234", "-0.500", "0", "1.50e-6"]);
    }
}
