//! The parts of `verdict.md` beside the arms and their comparison.

use super::markdown::{comparisons, difference_of, table};
use crate::analysis::{
    Claim, Confounder, Decomposition, Edge, Findings, GroupFinding, Trial, Tuning, Weight, percent,
};
use crate::format::count;
use crate::stats::summarise;

/// Where the gap comes from: a table of its parts on both splits.
pub(super) fn gap(findings: &Findings) -> Option<String> {
    if let Some(reason) = &findings.no_decomposition {
        return Some(format!("The gap cannot be taken apart yet: {reason}."));
    }
    let found = findings.decomposition.as_ref()?;
    Some([parts(found), GAP.to_owned()].join("\n\n"))
}

const GAP: &str = "\
Small minus large in percentage points, seed by seed, with 95 % t intervals: a positive part is accuracy \
that the large batch lacks. The parts add up to the total. *Learning rate* is what tuning gives the large \
batch more than the small one, *updates* what as many updates as the small batch makes add, *residual* \
what remains. Learning rates were chosen on validation with seeds of their own. *At the best measurement* \
takes each run where it was best on validation, in place of its end.";

fn parts(found: &Decomposition) -> String {
    let on_test = found.test.as_ref().map(|parts| parts.named());
    let rows = found.validation.named().into_iter().enumerate().map(|(at, (name, part))| {
        let test = on_test.as_ref().map(|parts| parts[at].1);
        vec![
            name.to_owned(),
            difference_of(Some(&part.estimate)),
            difference_of(Some(&found.best.named()[at].1.estimate)),
            difference_of(test.map(|part| &part.estimate)),
        ]
    });
    let header = ["part", "on validation", "at the best measurement", "on the test split"];
    table(&header, rows)
}

/// How learning rates were tuned.
pub(super) fn learning_rates(tunings: &[Tuning]) -> Option<String> {
    if tunings.is_empty() {
        return None;
    }
    let tried = |tuning: &Tuning| {
        let trial = |trial: &Trial| match (trial.diverged, summarise(&trial.validation)) {
            (0, Some(summary)) => {
                format!("{}: {}", trial.learning_rate, percent(summary.mean))
            }
            _ => format!("{}: diverged", trial.learning_rate),
        };
        tuning.trials.iter().map(trial).collect::<Vec<_>>().join(", ")
    };
    let edge = |edge: Option<Edge>| match edge {
        None => "inside",
        Some(Edge::Lowest) => "at the lower end: a smaller one may be better",
        Some(Edge::Highest) => "at the upper end: a larger one may be better",
    };
    let rows = tunings.iter().map(|tuning| {
        vec![
            tuning.arm.clone(),
            count(tuning.batch_size as u64),
            tuning.chosen.to_string(),
            edge(tuning.edge).to_owned(),
            tried(tuning),
        ]
    });
    let header = ["arm", "batch size", "chosen", "where it lies", "validation accuracy of each"];
    Some(table(&header, rows))
}

/// The groups of arms beside the one that the verdict rests on.
pub(super) fn others(groups: &[GroupFinding]) -> Option<String> {
    let compared = |group: &&GroupFinding| group.comparison.arms.len() > 1;
    let said: Vec<String> = groups
        .iter()
        .filter(compared)
        .map(|group| {
            let best = group.comparison.best().map_or("none", |best| best.name.as_str());
            let title = group.title;
            format!("With {title} (best: {best}):\n\n{}", comparisons(&group.comparison))
        })
        .collect();
    (!said.is_empty()).then(|| said.join("\n\n"))
}

/// What else can be behind a difference.
pub(super) fn audit(found: &[Confounder]) -> Option<String> {
    let weight = |weight: Weight| match weight {
        Weight::Confounds => "can be taken for the batch size",
        Weight::Notice => "to be known",
        Weight::Harmless => "does no harm",
    };
    let row = |c: &Confounder| vec![c.name.to_owned(), weight(c.weight).to_owned(), c.said.clone()];
    (!found.is_empty()).then(|| table(&["what", "", "here"], found.iter().map(row)))
}

/// What is commonly claimed.
pub(super) fn claims(claims: &[Claim]) -> String {
    let row = |claim: &Claim| {
        vec![
            claim.claim.to_owned(),
            format!("**{}**", claim.finding.word()),
            claim.because.clone(),
            claim.detectable_text(),
        ]
    };
    table(&["claim", "here", "because", "detectable (points)"], claims.iter().map(row))
}
