//! What was found beside the comparison of arms.

use super::{mean_score, over_seeds, word};
use crate::analysis::{
    AtBest, BudgetFinding, Claim, Confounder, Findings, MORE_STEPS, RateFinding, Tuning, Weight,
};
use crate::report::answer::from_best;
use crate::report::block::{Cell, Table};
use crate::report::words::{self, Scale};
use crate::stats::{Trial, summarise};

/// `decomposition.csv`: one row a part of the gap and split.
pub(in crate::report) fn decomposition(findings: &Findings) -> Table {
    let scale = Scale::from(findings);
    let rows = findings.decomposition.iter().flat_map(|found| {
        let on = [("validation", &found.validation), ("validation, best measurement", &found.best)];
        let on = on.into_iter().chain(found.test.iter().map(|parts| ("test", parts)));
        on.flat_map(move |(split, parts)| {
            let parts = words::PARTS.into_iter().zip(parts.all());
            parts.map(move |(name, part)| (found, split, name, part))
        })
    });
    Table::of(rows)
        .data("small", |(found, ..)| found.small)
        .data("large", |(found, ..)| found.large)
        .data("split", |(_, split, ..)| split)
        .data("part", |(_, _, name, _)| name)
        .data("small_minus_large", |(.., part)| Cell::Difference(scale, Some(part.estimate)))
        .data("p", |(.., part)| part.p)
        .data("over_seeds_alone", |(.., part)| over_seeds(scale, &part.estimate))
        .table
}

/// `learning_rates.csv`: one row a learning rate that was tried for an arm.
pub(in crate::report) fn learning_rates(findings: &Findings) -> Table {
    let scale = Scale::from(findings);
    let is_chosen = |(tuning, trial): (&Tuning, &Trial)| {
        trial.learning_rate.to_bits() == tuning.chosen.to_bits()
    };
    let tunings = findings.tunings.iter();
    Table::of(tunings.flat_map(|tuning| tuning.trials.iter().map(move |trial| (tuning, trial))))
        .data("arm", |(tuning, _)| &tuning.arm)
        .data("batch_size", |(tuning, _)| tuning.batch_size)
        .data("learning_rate", |(_, trial)| Cell::Exact(trial.learning_rate))
        .data(&scale.column("validation"), |(_, trial)| {
            let score = summarise(&trial.validation);
            Cell::Natural(scale, score.map(|score| scale.natural(score.mean)))
        })
        .data("steps_to_target", |(_, trial)| trial.typical_steps())
        .data("runs_finished", |(_, trial)| trial.validation.len())
        .data("runs_missing_target", |(_, trial)| trial.missed())
        .data("runs_diverged", |(_, trial)| trial.diverged)
        .data("chosen", |row| is_chosen(row).to_string())
        .data("at_edge", |row| word(row.0.edge.filter(|_| is_chosen(row))))
        .table
}

/// `best_learning_rates.csv`: one row a batch size.
pub(in crate::report) fn best_learning_rates(found: Option<&RateFinding>) -> Table {
    let good = match found.is_some_and(RateFinding::is_to_target) {
        true => format!("with at most {MORE_STEPS} times the steps"),
        false => "within the margin".into(),
    };
    Table::of(found.iter().flat_map(|found| &found.sizes))
        .both("batch size", "batch_size", |size| size.batch_size)
        .both("best tried", "best", |size| Cell::Number(size.best, rate))
        .shown("where it lies", |size| words::edge(size.edge))
        .both("estimated optimum", "optimum", |size| Cell::Number(size.optimum, rate))
        .data("good_from", |size| size.good[0])
        .data("good_to", |size| size.good[1])
        .shown(&good, |size| rates(size.good))
        .data("at_edge", |size| word(size.edge))
        .table
}

fn rates([low, high]: [f64; 2]) -> String {
    match low.to_bits() == high.to_bits() {
        true => format!("{} alone", rate(low)),
        false => format!("{} to {} (a factor of {})", rate(low), rate(high), rate(high / low)),
    }
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

/// `rate_law.csv`: how the best learning rate goes with the batch size, `factor * batch size ^ exponent`.
pub(in crate::report) fn rate_law(findings: &Findings) -> Table {
    Table::of(findings.rates.iter().filter_map(|rates| rates.scaling.as_ref()))
        .data("exponent", |line| Cell::Value(Some(line.exponent), line.interval))
        .data("factor", |line| Cell::Exact(line.factor))
        .data("batch_sizes", |line| spaced(&line.batch_sizes))
        .table
}

fn spaced(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
}

/// `trade_off.csv`: the curve of steps against batch size, `smallest_steps + least_examples / B`, one
/// row a group of arms that has one.
pub(in crate::report) fn trade_off(findings: &Findings) -> Table {
    let curves = findings
        .groups()
        .filter_map(|of| Some((of.way, &of.target?.target, of.target?.trade_off.as_ref()?)));
    Table::of(curves)
        .data("group", |(way, ..)| words::way(way))
        .data("target_metric", |(_, target, _)| &target.metric)
        .data("target", |(_, target, _)| target.value)
        .data("smallest_steps", |(.., curve)| curve.smallest_steps)
        .data("least_examples", |(.., curve)| curve.least_examples)
        .data("critical_batch_size", |(.., curve)| {
            Cell::Value(Some(curve.critical), curve.interval)
        })
        .data("inside_batch_sizes", |(.., curve)| curve.straddled.to_string())
        .data("runs_known_by_a_bound", |(.., curve)| curve.bounds)
        .table
}

/// `budgets.csv`: one row an arm and what is held equal, and one an arm at its best measurements.
pub(in crate::report) fn budgets<'f>(
    equal: impl IntoIterator<Item = &'f BudgetFinding>,
    at_best: Option<&'f AtBest>,
    scale: Scale,
) -> Table {
    let equal = equal.into_iter().map(|found| (Some(found), &found.comparison));
    let all = equal.chain(at_best.map(|found| (None, &found.comparison)));
    Table::of(all.flat_map(|(equal, of)| of.arms.iter().map(move |arm| (equal, of, arm))))
        .shown("held equal", |(equal, ..)| match equal {
            Some(BudgetFinding { axis, amount, .. }) => {
                format!("{} ({})", words::equal(*axis), words::amount(*axis, *amount))
            }
            None => "nothing: each run at its best".into(),
        })
        .data("equal", |(equal, ..)| match equal {
            Some(budget) => word(budget.axis),
            None => Some("nothing: each run where it was best".into()),
        })
        .data("amount", |(equal, ..)| Some(equal?.amount))
        .both("arm", "arm", |(.., arm)| &arm.name)
        .data("batch_size", |(.., arm)| arm.batch_size)
        .data(&scale.column("validation"), |(.., arm)| Cell::Score(scale, arm.validation))
        .shown(&scale.on("validation"), |(.., arm)| mean_score(scale, arm.validation))
        .data("role", |(.., arm)| word(arm.role))
        .shown("vs best", |(_, of, arm)| from_best(of, arm, 2))
        .data("difference", |(.., arm)| {
            Cell::Difference(scale, arm.difference.map(|found| found.estimate))
        })
        .data("p_worse", |(.., arm)| arm.p_worse)
        .data("standing", |(.., arm)| word(arm.standing))
        .shown("result", |(.., arm)| words::result(arm, scale))
        .table
}

/// `factors.csv`: one row an effect of a setting, or how it changes with the batch size.
pub(in crate::report) fn factors(findings: &Findings) -> Table {
    let scale = Scale::from(findings);
    let rows = findings.factors.iter().flat_map(|factor| {
        let more = factor.interaction.iter().map(move |effect| (factor, "interaction", effect));
        [(factor, "main", &factor.main)].into_iter().chain(more)
    });
    Table::of(rows)
        .data("setting", |(factor, ..)| &factor.path)
        .data("value", |(factor, ..)| &factor.value)
        .data("reference", |(factor, ..)| &factor.reference)
        .data("batch_sizes", |(factor, ..)| spaced(&factor.batch_sizes))
        .data("split", |(factor, ..)| factor.split.to_string())
        .data("effect", |(_, kind, _)| kind)
        .data("difference", |(.., effect)| Cell::Difference(scale, Some(effect.estimate)))
        .data("p", |(.., effect)| effect.p)
        .data("p_holm", |(.., effect)| effect.p_holm)
        .data("detectable", |(.., effect)| Cell::Natural(scale, effect.detectable))
        .table
}

/// `pareto.csv`: one row an arm on the front of a cost.
pub(in crate::report) fn pareto(findings: &Findings) -> Table {
    let fronts = findings.fronts.iter();
    Table::of(fronts.flat_map(|front| front.arms.iter().map(move |arm| (front.price, arm))))
        .data("cost", |(price, _)| word(price))
        .data("arm", |(_, arm)| arm)
        .table
}

/// `audit.csv`: one row a thing that can be taken for an effect of the batch size, or cannot.
pub(in crate::report) fn audit(found: &[Confounder]) -> Table {
    Table::of(found)
        .both("what", "name", words::confounder_name)
        .data("weight", |found| word(found.weight()))
        .shown("", |found| match found.weight() {
            Weight::Confounds => "confounder",
            Weight::Notice => "note",
            Weight::Harmless => "harmless",
        })
        .both("here", "said", |found| Cell::Sentence(words::confounder(found)))
        .table
}

/// `claims.csv`: one row a claim.
pub(in crate::report) fn claims<'c>(
    claims: impl IntoIterator<Item = &'c Claim>,
    scale: Scale,
) -> Table {
    let arm = |claim: &'c Claim, at: usize| Some(&claim.arms.as_ref()?[at]);
    Table::of(claims)
        .both("claim", "claim", |claim| words::claim(claim.claim, scale))
        .data("finding", |claim| word(claim.finding))
        .shown("here", |claim| Cell::Sentence(format!("**{}**", words::finding(claim.finding))))
        .data("arm", |claim| arm(claim, 0))
        .data("against", |claim| arm(claim, 1))
        .shown("arms", |claim| claim.arms.as_ref().map(|arms| arms.join(", ")))
        .both("because", "because", |claim| Cell::Sentence(words::because(claim, scale)))
        .data("effect", |claim| Cell::Difference(scale, claim.effect))
        .data("ratio", |claim| {
            let ratio = claim.ratio;
            Cell::Value(ratio.map(|of| of.value), ratio.and_then(|of| of.interval))
        })
        // Upwards, so that what is named would be found.
        .data("detectable", |claim| Cell::Natural(scale, claim.detectable))
        .shown(&format!("detectable{}", scale.unit_of_column()), |claim| {
            Some(scale.size(scale.upwards(claim.detectable?)))
        })
        .table
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
