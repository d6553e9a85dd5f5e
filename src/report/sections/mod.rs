//! The parts of `verdict.md` beside the arms and their comparison.

mod minima;

pub(super) use minima::minima;

use super::answer::standing;
use super::markdown::{accuracy, comparisons, difference_of, table};
use crate::analysis::{
    ArmFinding, Claim, Comparison, Confounder, Decomposition, Effect, Factor, Findings, Front,
    GapArm, GroupFinding, MORE_STEPS, Price, RateFinding, Split, Tuning, Weight, percent,
};
use crate::format::count;
use crate::stats::{Edge, Trial, summarise};

/// What was found beside the comparison, under its titles; what is empty is left out.
pub(super) fn found(findings: &Findings) -> impl Iterator<Item = (&'static str, &[String])> {
    let all = [("Where the gap comes from", &findings.gap[..]), ("Also found", &findings.besides)];
    all.into_iter().filter(|(_, lines)| !lines.is_empty())
}

/// The gap in numbers: a table of its parts on both splits.
pub(super) fn gap(findings: &Findings) -> Option<String> {
    if findings.no_decomposition.is_some() {
        return Some(findings.gap.join(" "));
    }
    let found = findings.decomposition.as_ref()?;
    Some([gap_arms(found), parts(found), GAP.to_owned()].join("\n\n"))
}

fn gap_arms(found: &Decomposition) -> String {
    let row = |arm: &GapArm| {
        vec![
            arm.name.clone(),
            count(arm.batch_size as u64),
            arm.learning_rate.to_string(),
            count(arm.updates.round() as u64),
            accuracy(Some(&arm.validation)),
            accuracy(arm.test.as_ref()),
        ]
    };
    let header =
        ["arm", "batch size", "learning rate", "updates", "validation accuracy", "test accuracy"];
    table(&header, found.arms.iter().map(row))
}

const GAP: &str = "\
Small minus large in percentage points, seed by seed, with 95 % t intervals, on the test split for other \
test rows too: a positive part is accuracy that the large batch lacks. The parts add up to the \
total. *Learning rate* is what tuning gives the large batch more than the small one, *updates* what a \
budget of as many updates as the small batch has adds, *residual* what remains. Learning rates were chosen on validation with seeds of their own. *At the best measurement* \
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
        let trial = |trial: &Trial| format!("{}: {}", trial.learning_rate, outcome(trial));
        tuning.trials.iter().map(trial).collect::<Vec<_>>().join(", ")
    };
    let to_target = tunings.iter().flat_map(|of| &of.trials).any(Trial::ends_at_target);
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
    let each =
        if to_target { "steps to the target with each" } else { "validation accuracy of each" };
    let header = ["arm", "batch size", "chosen", "where it lies", each];
    Some(table(&header, rows))
}

/// What came of a learning rate that was tried.
fn outcome(trial: &Trial) -> String {
    match (trial.diverged, trial.missed(), summarise(&trial.validation)) {
        (0, 0, Some(accuracy)) => match trial.typical_steps() {
            Some(steps) => count(steps.round() as u64),
            None => percent(accuracy.mean),
        },
        (0, missed, Some(runs)) => format!("{missed} of {} did not get there", runs.count),
        _ => "diverged".into(),
    }
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

/// Which learning rate suits which batch size.
pub(super) fn rates(found: Option<&RateFinding>) -> Option<String> {
    let found = found?;
    let rows = found.sizes.iter().map(|size| {
        let [low, high] = size.good;
        let edge = size.edge.map_or("inside", |edge| match edge {
            Edge::Lowest => "the lowest that was tried",
            Edge::Highest => "the highest that was tried",
        });
        vec![
            count(size.batch_size as u64),
            rate(size.best),
            edge.to_owned(),
            rate(size.optimum),
            match low.to_bits() == high.to_bits() {
                true => format!("{} alone", rate(low)),
                false => {
                    format!("{} to {} (a factor of {})", rate(low), rate(high), rate(high / low))
                }
            },
        ]
    });
    let good = match found.is_to_target() {
        true => format!("with at most {MORE_STEPS} times the steps"),
        false => "within the margin".into(),
    };
    let header = ["batch size", "best tried", "where it lies", "estimated optimum", &good];
    let line = match (&found.scaling, &found.no_scaling) {
        (Some(_), _) => "The optimum between the rates that were tried is the top of a parabola \
                         through the best one and its neighbours; a line through these, in \
                         logarithms, gives the power that is told above."
            .to_owned(),
        (None, reason) => {
            format!("No line was put through them: {}.", reason.as_deref().unwrap_or("none"))
        }
    };
    Some([table(&header, rows), line].join("\n\n"))
}

/// Three digits.
fn rate(value: f64) -> String {
    match value > 0.0 {
        true => {
            let unit = 10f64.powi(2 - value.log10().floor() as i32);
            let decimals = (2 - value.log10().floor() as i32).max(0) as usize;
            let text = format!("{:.decimals$}", (value * unit).round() / unit);
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        false => value.to_string(),
    }
}

/// The arms with equal passes, updates and seconds, and each run where it was best.
pub(super) fn budgets(findings: &Findings) -> Option<String> {
    let equal = findings.budgets.iter().filter(|found| found.compares()).map(|found| {
        let unread = match found.unread.is_empty() {
            true => String::new(),
            false => format!("; not measured so early: {}", found.unread.join(", ")),
        };
        let amount = found.axis.amount(found.amount);
        let rows = against_the_best(&found.comparison);
        format!("Equal {} ({amount}{unread}):\n\n{rows}", found.axis.name())
    });
    let equal: Vec<String> = equal.collect();
    let at_best = findings.at_best.as_ref().map(|found| {
        let rows = against_the_best(&found.comparison);
        format!("Each run where it was best on validation:\n\n{rows}\n\n{AT_BEST}")
    });
    let about = (!equal.is_empty()).then(|| BUDGETS.to_owned());
    let all: Vec<String> = equal.into_iter().chain(about).chain(at_best).collect();
    (!all.is_empty()).then(|| all.join("\n\n"))
}

fn against_the_best(comparison: &Comparison) -> String {
    let row = |arm: &ArmFinding| {
        let standing = standing(comparison, arm);
        let accuracy = arm.validation.map(|v| percent(v.summary.mean));
        vec![
            arm.name.clone(),
            accuracy.unwrap_or("-".into()),
            difference_of(arm.difference.as_ref().map(|d| &d.estimate)),
            standing.to_owned(),
        ]
    };
    let header = ["arm", "validation accuracy", "minus the best", "standing"];
    table(&header, comparison.arms.iter().map(row))
}

const AT_BEST: &str = "\
What each batch size can come to when nothing ends it too early or too late. A run that was measured more \
often has more chances to have been lucky: this decides nothing.";

const BUDGETS: &str = "\
Read off the runs' curves where the shortest of them ends, straight between two measurements. A run that had \
been planned so short would have ended at another point of its learning-rate schedule.";

/// What else was varied.
pub(super) fn factors(found: &[Factor]) -> Option<String> {
    let effect = |effect: &Effect| {
        let p = effect.p_holm.map_or(String::new(), |p| format!(", p (Holm) = {p:.3}"));
        format!("{}{p}", difference_of(Some(&effect.estimate)))
    };
    let row = |factor: &Factor| {
        let sizes: Vec<String> = factor.batch_sizes.iter().map(|b| count(*b as u64)).collect();
        vec![
            format!("{}: {} minus {}", factor.path, factor.value, factor.reference),
            sizes.join(", "),
            effect(&factor.main),
            factor.interaction.as_ref().map_or("-".into(), effect),
        ]
    };
    let header = ["what", "batch sizes", "effect", "more at the largest than at the smallest"];
    (!found.is_empty()).then(|| {
        let split = found[0].split;
        let rows = if split == Split::Test { ", for other test rows too" } else { "" };
        let about = format!(
            "Percentage points of {split} accuracy, seed by seed, with 95 % t intervals{rows}; p values \
             are corrected for their number."
        );
        [table(&header, found.iter().map(row)), about].join("\n\n")
    })
}

/// The arms that no other beats in both.
pub(super) fn fronts(found: &[Front]) -> Option<String> {
    let price = |price: Price| match price {
        Price::Seconds => "seconds of a run",
        Price::Steps => "steps",
        Price::Examples => "examples",
        Price::Memory => "memory",
        Price::SecondsToTarget => "seconds to the target",
    };
    let row = |front: &Front| vec![price(front.price).to_owned(), front.arms.join(", ")];
    (!found.is_empty()).then(|| {
        let header = ["cost", "from the cheapest to the most accurate"];
        let about = "Arms that no other one beats in both mean validation accuracy and cost.";
        [table(&header, found.iter().map(row)), about.to_owned()].join("\n\n")
    })
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
            claim.arms.as_ref().map_or("-".into(), |arms| arms.join(", ")),
            claim.because.clone(),
            claim.detectable_text(),
        ]
    };
    let header = ["claim", "here", "arms", "because", "detectable (points)"];
    table(&header, claims.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rates_have_three_digits() {
        let said = [1e-3, 0.00316227, 12.345, 1234.5, 0.0].map(rate);
        assert_eq!(said, ["0.001", "0.00316", "12.3", "1230", "0"]);
    }
}
