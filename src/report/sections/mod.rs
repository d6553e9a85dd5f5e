//! The sections behind the answer, in the order in which they are read: what `verdict.md` and the page
//! have in common.
//!
//! ```text
//! arms     the arms, what they cost, and how they compare
//! target   what it takes them to a target
//! gap      where the gap between two batch sizes comes from
//! rates    learning rates: how they were tuned, which suits which batch size
//! ```

mod arms;
mod gap;
mod rates;
mod target;

pub(super) use arms::standings;

use super::block::{Block, Cell, Section, Table};
use super::words::{Scale, is_never_folded};
use super::{Report, tables, words};
use crate::analysis::{Claim, Effect, Factor, Finding, Findings, Front, Price, Results, Split};
use crate::format::{count, list};

/// All of them; those that the study has no data for are empty.
pub(super) fn sections(results: &Results, report: &Report) -> Vec<Section> {
    let findings = &report.findings;
    let scale = Scale::from(results);
    let score = scale.capital();
    let all: [(String, &[_], _); 18] = [
        ("Caveats".into(), &[], caveats(report)),
        ("Findings".into(), &[], found(report)),
        (
            format!("{score} and cost"),
            &["accuracy", "cost"],
            arms::score_and_cost(results, findings),
        ),
        ("Statistics".into(), &[], arms::statistics(&findings.comparison)),
        (
            "Steps to the target".into(),
            &["target"],
            target::steps(results, findings.target.as_ref()),
        ),
        ("The gap in numbers".into(), &["gap"], gap::gap(report)),
        ("Other groups of arms".into(), &[], arms::others(&findings.others)),
        ("Tuned learning rates".into(), &[], rates::tuned(&findings.tunings, scale)),
        (
            "Learning rate by batch size".into(),
            &["rates", "rate-law"],
            rates::rates(findings.rates.as_ref()),
        ),
        ("Equal epochs, steps and time".into(), &[], budgets(findings)),
        ("Other factors".into(), &[], factors(&findings.factors, scale)),
        (
            format!("{score} against cost (Pareto front)"),
            &["pareto"],
            fronts(&findings.fronts, scale),
        ),
        ("Sharpness of the minima".into(), &["sharpness"], minima(results, findings)),
        ("Confounders".into(), &[], audit(findings)),
        ("Common claims".into(), &[], claims(&findings.claims, scale)),
        ("Learning curves".into(), &["curves"], Vec::new()),
        ("Generalization gap".into(), &["generalisation"], Vec::new()),
        ("Gradient noise".into(), &["noise"], Vec::new()),
    ];
    all.into_iter().map(|(title, figures, blocks)| Section { title, figures, blocks }).collect()
}

/// Blocks of this, if there is any.
fn some<B>(found: &[B], blocks: impl FnOnce() -> Vec<Block>) -> Vec<Block> {
    if found.is_empty() { Vec::new() } else { blocks() }
}

/// Those that do not stand above everything that can be folded.
fn caveats(report: &Report) -> Vec<Block> {
    let folded = report.findings.verdict.cautions.iter().zip(&report.cautions);
    let folded = folded.filter(|(caution, _)| !is_never_folded(caution));
    let folded: Vec<String> = folded.map(|(_, said)| said.clone()).collect();
    some(&folded, || vec![Block::Bullets(folded.clone())])
}

/// What was found beside the comparison, under its titles; what is empty is left out.
fn found(report: &Report) -> Vec<Block> {
    let all = [("Where the gap comes from", &report.gap), ("Also found", &report.besides)];
    let all = all.into_iter().filter(|(_, lines)| !lines.is_empty());
    all.flat_map(|(title, lines)| [Block::Heading(title), Block::Bullets(lines.clone())]).collect()
}

/// The arms with equal passes, updates and seconds, and each run where it was best.
fn budgets(findings: &Findings) -> Vec<Block> {
    let equal = || findings.budgets.iter().filter(|found| found.compares());
    let unread = equal().filter(|found| !found.unread.is_empty()).map(|found| {
        format!("Not measured so early with {}: {}.", words::equal(found.axis), list(&found.unread))
    });
    let mut about: Vec<String> = unread.collect();
    about.extend(equal().next().map(|_| BUDGETS.into()));
    about.extend(findings.at_best.as_ref().map(|_| AT_BEST.into()));
    some(&about, || {
        let table = tables::budgets(equal(), findings.at_best.as_ref(), findings.into());
        vec![Block::Table(table), Block::Paragraph(about.join(" "))]
    })
}

const AT_BEST: &str = "\
Each run at its best: runs that were measured more often had more chances to be lucky, so this decides nothing.";

const BUDGETS: &str = "\
Equal amounts are read off the curves where the shortest run ends, by linear interpolation between evaluations. \
A run that had been planned so short would have ended elsewhere in its schedule. Bounds are those that decide.";

/// What else was varied.
fn factors(found: &[Factor], scale: Scale) -> Vec<Block> {
    let effect = |effect: &Effect| {
        let p = effect.p_holm.map_or(String::new(), |p| format!(", p (Holm) = {p:.3}"));
        Cell::Difference(scale, Some(effect.estimate)).shown() + &p
    };
    let sizes = |factor: &Factor| {
        let sizes = factor.batch_sizes.iter().map(|size| count(*size as u64));
        sizes.collect::<Vec<_>>().join(", ")
    };
    let Some(first) = found.first() else { return Vec::new() };
    let rows = if first.split == Split::Test { scale.over_rows("") } else { String::new() };
    let about = format!(
        "{}, paired by seed, with 95 % t intervals{rows}; p values by Holm.",
        scale.differences_on(first.split)
    );
    let table = Table::of(found)
        .shown("what", |of| format!("{}: {} minus {}", of.path, of.value, of.reference))
        .shown("batch sizes", sizes)
        .shown("effect", |of| effect(&of.main))
        .shown("more at the largest than at the smallest", |of| of.interaction.as_ref().map(effect))
        .table;
    vec![Block::Table(table), Block::text(about)]
}

/// The arms that no other beats in both.
fn fronts(found: &[Front], scale: Scale) -> Vec<Block> {
    let price = |front: &Front| match front.price {
        Price::Seconds => "seconds of a run",
        Price::Steps => "steps",
        Price::Examples => "examples",
        Price::Memory => "memory",
        Price::SecondsToTarget => "seconds to the target",
    };
    let score = scale.on("validation");
    let about = format!("Arms that no other beats in both mean {score} and cost.");
    let table = Table::of(found)
        .shown("cost", price)
        .shown(&format!("from the cheapest to the {}", scale.best()), |front| front.arms.join(", "))
        .table;
    some(found, || vec![Block::Table(table), Block::text(about)])
}

/// How sharp minima are: means over the runs of each arm, how they were come by, and whether they tell
/// the score.
fn minima(results: &Results, findings: &Findings) -> Vec<Block> {
    let Some(found) = findings.sharpness.as_ref().filter(|found| found.runs > 0) else {
        return Vec::new();
    };
    let mut blocks = vec![Block::Table(tables::sharpness_arms(results)), Block::text(MINIMA)];
    if !found.rank_correlations.is_empty() {
        blocks.push(Block::Paragraph(format!(
            "Rank correlation (Kendall's tau) with {}, 95 % CI by bootstrap over seeds:",
            Scale::from(results).on(found.split)
        )));
        blocks.push(Block::Table(tables::sharpness_and_score(Some(found), results.into())));
    }
    blocks
}

const MINIMA: &str = "\
Means over runs, of the loss on a fixed part of the training examples, without dropout and penalties. *Largest \
curvature* and *trace*: of the Hessian. *In a ball*: rise of the loss 0.05 up the gradient (SAM). *Adaptive*: \
the same in proportion to each weight (ASAM, 0.5). *In a box*: the largest rise found within a thousandth of \
each weight plus one, in percent of one plus the loss (Keskar). *Edge of stability*: near 1 curvature limits \
Adam's steps. Curvature falls with the loss and changes with the learning rate: compare at like losses.";

/// What else can be behind a difference.
fn audit(findings: &Findings) -> Vec<Block> {
    some(&findings.audit, || vec![Block::Table(tables::audit(&findings.audit))])
}

/// What is commonly claimed: those claims that this study tests, and the names of the others.
fn claims(claims: &[Claim], scale: Scale) -> Vec<Block> {
    let is_tested = |claim: &&Claim| claim.finding != Finding::NotTested;
    let (tested, others): (Vec<&Claim>, Vec<&Claim>) = claims.iter().partition(is_tested);
    let others: Vec<String> =
        others.into_iter().map(|claim| words::claim(claim.claim, scale)).collect();
    let mut blocks =
        some(&tested, || vec![Block::Table(tables::claims(tested.iter().copied(), scale))]);
    blocks.extend(some(&others, || {
        let others = others.join("; ");
        vec![Block::text(format!("Not tested here (`tables/claims.csv` says why): {others}."))]
    }));
    blocks
}
