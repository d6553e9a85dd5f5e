//! The parts of `verdict.md` beside the arms and their comparison.

mod minima;

pub(super) use minima::minima;

use super::Report;
use super::markdown::{accuracy, comparisons, difference_of, table};
use super::words;
use crate::analysis::{
    ArmFinding, Claim, Comparison, Confounder, Decomposition, Effect, Factor, Finding, Findings,
    Front, GapArm, GroupFinding, MORE_STEPS, Parts, Price, RateFinding, Split, Tuning, Weight,
};
use crate::format::{count, percent, points};
use crate::stats::{Trial, summarise};

/// What was found beside the comparison, under its titles; what is empty is left out.
pub(super) fn found(report: &Report) -> impl Iterator<Item = (&'static str, &[String])> {
    let all = [("Where the gap comes from", &report.gap[..]), ("Also found", &report.besides)];
    all.into_iter().filter(|(_, lines)| !lines.is_empty())
}

/// The gap in numbers: a table of its parts on both splits.
pub(super) fn gap(report: &Report) -> Option<String> {
    let findings = &report.findings;
    if findings.no_decomposition.is_some() {
        return Some(report.gap.join(" "));
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
Small minus large in points of accuracy, paired by seed, with 95 % t intervals; on the test split over test \
rows too. Total = learning rate + updates + residual. *Learning rate*: what tuning gives the large batch more \
than the small one. *Updates*: what a budget of as many steps adds. *Residual*: the rest. Rates were tuned on \
validation with separate seeds.";

fn parts(found: &Decomposition) -> String {
    let of = |parts: &Parts, at: usize| difference_of(Some(&parts.all()[at].estimate));
    let rows = words::PARTS.into_iter().enumerate().map(|(at, name)| {
        let test = found.test.as_ref().map_or("-".into(), |parts| of(parts, at));
        vec![name.to_owned(), of(&found.validation, at), of(&found.best, at), test]
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
    let rows = tunings.iter().map(|tuning| {
        vec![
            tuning.arm.clone(),
            count(tuning.batch_size as u64),
            tuning.chosen.to_string(),
            words::edge(tuning.edge).to_owned(),
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
            let title = words::way(group.way);
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
        vec![
            count(size.batch_size as u64),
            rate(size.best),
            words::edge(size.edge).to_owned(),
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
        (Some(_), _) => {
            "Estimated optimum: the top of a parabola through the best rate tried and its \
                         neighbours. A line through these, in logarithms, gives the power above."
                .to_owned()
        }
        (None, reason) => {
            let reason = reason.map_or("there are none".into(), words::no_scaling);
            format!("No line was fitted: {reason}.")
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
        let amount = words::amount(found.axis, found.amount);
        let rows = against_the_best(&found.comparison);
        format!("With {} ({amount}{unread}):\n\n{rows}", words::equal(found.axis))
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
        let accuracy = arm.validation.map(|v| percent(v.summary.mean));
        vec![
            arm.name.clone(),
            accuracy.unwrap_or("-".into()),
            difference_of(arm.difference.as_ref().map(|d| &d.estimate)),
            words::result(arm).to_owned(),
        ]
    };
    let header = ["arm", "validation accuracy", "minus the best", "standing"];
    table(&header, comparison.arms.iter().map(row))
}

const AT_BEST: &str = "\
Runs that were measured more often had more chances to be lucky: this decides nothing.";

const BUDGETS: &str = "\
Read off the curves where the shortest run ends, by linear interpolation between evaluations. A run that had \
been planned so short would have ended elsewhere in its schedule.";

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
        let rows = if split == Split::Test { " over test rows too" } else { "" };
        let about = format!(
            "Points of {split} accuracy, paired by seed, with 95 % t intervals{rows}; p values by Holm."
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
        let about = "Arms that no other beats in both mean validation accuracy and cost.";
        [table(&header, found.iter().map(row)), about.to_owned()].join("\n\n")
    })
}

/// What else can be behind a difference.
pub(super) fn audit(found: &[Confounder]) -> Option<String> {
    let weight = |weight: Weight| match weight {
        Weight::Confounds => "confounder",
        Weight::Notice => "note",
        Weight::Harmless => "harmless",
    };
    let row = |found: &Confounder| {
        let (name, weight) = (words::confounder_name(found), weight(found.weight()));
        vec![name.to_owned(), weight.to_owned(), words::confounder(found)]
    };
    (!found.is_empty()).then(|| table(&["what", "", "here"], found.iter().map(row)))
}

/// What is commonly claimed: those claims that this study tests, and the names of the others.
pub(super) fn claims(claims: &[Claim]) -> String {
    let is_tested = |claim: &&Claim| claim.finding != Finding::NotTested;
    // Upwards, so that what is named would be found.
    let detectable = |claim: &Claim| {
        claim.detectable.map_or("-".into(), |least| points((least * 1e4).ceil() / 1e4))
    };
    let row = |claim: &Claim| {
        vec![
            words::claim(claim.claim).to_owned(),
            format!("**{}**", words::finding(claim.finding)),
            claim.arms.as_ref().map_or("-".into(), |arms| arms.join(", ")),
            words::because(claim),
            detectable(claim),
        ]
    };
    let header = ["claim", "here", "arms", "because", "detectable (points)"];
    let rows: Vec<Vec<String>> = claims.iter().filter(is_tested).map(row).collect();
    let tested = (!rows.is_empty()).then(|| table(&header, rows.into_iter()));
    let others = claims.iter().filter(|claim| !is_tested(claim));
    let others: Vec<&str> = others.map(|claim| words::claim(claim.claim)).collect();
    let untested = (!others.is_empty())
        .then(|| format!("Not tested here (`tables/claims.csv` says why): {}.", others.join("; ")));
    tested.into_iter().chain(untested).collect::<Vec<_>>().join("\n\n")
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
