//! All sentences about what `analysis` found, each in one template: typed facts -> short plain lines.
//!
//! ```text
//! scale        the score: its name, how values are written, how one is better
//! baseline     what needs no model scores
//! cautions     what to beware of
//! gap          a gap between two batch sizes, taken apart
//! confounders  what else than the batch size can be behind a difference
//! claims       what is commonly claimed
//! budgets      what is held equal: epochs, steps, time; each run at its best
//! rates        which learning rate suits which batch size
//! target       what it takes to a target, and the critical batch size
//! noise        the gradient noise scale
//! minima       sharpness, and what lies between two solutions
//! agreement    what several studies say together
//! ```
//!
//! Numbers are tested where they are computed. Here one test reads every sentence at once (`tests`).

mod agreement;
mod baseline;
mod bound;
mod budgets;
mod cautions;
mod claims;
mod confounders;
mod gap;
mod minima;
mod noise;
mod rates;
mod scale;
mod target;
#[cfg(test)]
mod tests;

pub(super) use agreement::{agreement, silence, sizes};
pub use baseline::without_model;
pub(super) use budgets::{amount, equal};
pub(super) use cautions::{caution, is_never_folded};
pub(super) use claims::{because, claim, finding};
pub(super) use confounders::{confounder, name as confounder_name};
pub(super) use gap::PARTS;
pub(super) use rates::{no_scaling, power};
pub use scale::Scale;
pub(super) use target::{critical_batch, no_trade_off, reached, target, to_target};

use crate::analysis::{
    ArmFinding, Budget, Findings, Outcome, Rate, Ratio, Results, Role, Tuning, Way,
};
use crate::format::{count, counted};
use crate::spec::StudyObjective;
use crate::stats::{Edge, Interval, Standing, Summary, tied_end};

/// The gap between two batch sizes, a line a part; why it could not be taken apart, where it was asked for.
pub(super) fn gap_lines(findings: &Findings, margin: f64) -> Vec<String> {
    match (&findings.decomposition, &findings.no_decomposition) {
        (Some(found), _) => gap::gap(found, margin, findings.into()),
        (None, Some(reason)) => vec![gap::no_gap(reason)],
        (None, None) => Vec::new(),
    }
}

/// What was found beside the comparison.
pub(super) fn besides(results: &Results, findings: &Findings) -> Vec<String> {
    let mut besides = match findings.verdict.outcome {
        Outcome::TooFewSeeds => Vec::new(),
        _ => beside_the_comparison(results, findings),
    };
    besides.extend(findings.noise.iter().flat_map(noise::noise));
    let scale = Scale::from(findings);
    besides.extend(findings.sharpness.iter().flat_map(|found| minima::minima(found, scale)));
    besides
}

fn beside_the_comparison(results: &Results, findings: &Findings) -> Vec<String> {
    let curve = findings.target.as_ref().and_then(|target| target.trade_off.as_ref());
    let curve = curve.filter(|curve| curve.straddled && results.declared_target.is_none());
    let scaling = findings.rates.as_ref().and_then(|rates| rates.scaling.as_ref());
    let mut said: Vec<String> = curve.map(critical_batch).into_iter().collect();
    said.extend(scaling.map(rates::scaling));
    let scale = Scale::from(findings);
    said.extend(budgets::budgets(&findings.budgets, scale));
    said.extend(findings.at_best.as_ref().and_then(|found| budgets::at_best(found, scale)));
    said
}

/// `the one is recommended that ...`
pub(super) fn objective(objective: StudyObjective) -> &'static str {
    match objective {
        StudyObjective::Time => "takes the least time",
        StudyObjective::Memory => "needs the least memory",
        StudyObjective::Examples => "sees the fewest examples",
        StudyObjective::LargestBatch => "has the largest batches",
    }
}

/// What the arms of a group have in common: `tuned learning rates, equal steps`.
pub(super) fn way(way: Way) -> &'static str {
    match (way.rate, way.budget) {
        (Rate::Given, Budget::Epochs) => "the file's learning rates, the file's budget",
        (Rate::Given, Budget::Steps) => "the file's learning rates, equal steps",
        (Rate::Tuned, Budget::Epochs) => "tuned learning rates, the file's budget",
        (Rate::Tuned, Budget::Steps) => "tuned learning rates, equal steps",
    }
}

/// A word for how an arm came out.
pub(super) fn result(arm: &ArmFinding, scale: Scale) -> &'static str {
    match (arm.role, arm.standing) {
        (Role::Best, _) if scale.falls() => "lowest mean",
        (Role::Best, _) => "highest mean",
        (Role::Diverged, _) => "diverged",
        (Role::Unfinished, _) => "no finished run",
        (_, Some(Standing::Equivalent)) => "equivalent",
        (_, Some(Standing::Out)) => "out",
        (Role::Apart, _) => "too few seeds",
        (Role::Candidate, _) => "undecided",
    }
}

/// What [`result`] means, where the word alone does not say it.
pub(super) fn meaning(arm: &ArmFinding) -> Option<&'static str> {
    match (arm.role, arm.standing) {
        (Role::Best | Role::Diverged | Role::Unfinished, _) => None,
        (_, Some(Standing::Out)) => Some("Out: shown to be worse than another."),
        (_, Some(Standing::Equivalent)) => {
            Some("Equivalent: shown to be as good as the best, within the margin.")
        }
        (Role::Apart, _) => None,
        (Role::Candidate, _) => Some("Undecided: not shown to be worse, nor as good."),
    }
}

/// Where the best of the learning rates that were tried lies among them.
pub(super) fn edge(edge: Option<Edge>) -> &'static str {
    match edge {
        None => "inside",
        Some(Edge::Lowest) => "lowest tried: a lower one may be better",
        Some(Edge::Highest) => "highest tried: a higher one may be better",
    }
}

/// The same for a tuning, where the rate that was chosen may be as good as those up to an end.
pub(super) fn place_of(tuning: &Tuning) -> &'static str {
    match (tuning.edge, tied_end(&tuning.trials)) {
        (None, Some(Edge::Lowest)) => "as good as the lowest tried",
        (None, Some(Edge::Highest)) => "as good as the highest tried",
        (edge, _) => self::edge(edge),
    }
}

/// `256` for an arm that has no name of its own, else `small (256)`.
pub(super) fn arm(arm: &ArmFinding) -> String {
    named(&arm.name, arm.batch_size, size(arm.batch_size))
}

/// What is said of a batch size, after the name of an arm that has one of its own.
pub(super) fn named(name: &str, batch_size: usize, said: String) -> String {
    match own_name(name, batch_size) {
        None => said,
        Some(name) => format!("{name} ({said})"),
    }
}

/// The name of an arm, where it says more than the batch size.
pub(super) fn own_name(name: &str, batch_size: usize) -> Option<&str> {
    let size = name.strip_prefix("batch-").unwrap_or(name);
    (size != batch_size.to_string()).then_some(name)
}

/// `1,024`
fn size(batch_size: usize) -> String {
    count(batch_size as u64)
}

/// `400`
pub(super) fn whole(value: f64) -> String {
    count(value.max(0.0).round() as u64)
}

/// ` (95 % CI -8.61 to +4.07)`
fn ci(range: &str) -> String {
    format!(" (95 % CI {range})")
}

/// ` (95 % CI 0.31 to 0.74)` with so many digits after the point.
fn ci_of(interval: Option<Interval>, digits: usize) -> String {
    interval.map_or(String::new(), |Interval { low, high }| {
        ci(&format!("{low:.digits$} to {high:.digits$}"))
    })
}

/// `1.30 (95 % CI 1.20 to 1.41)`
fn ratio(ratio: &Ratio) -> String {
    format!("{:.2}{}", ratio.value, ci_of(ratio.interval, 2))
}

/// `3 seeds`, `3 seeds, 5,000 rows`: over what an interval is.
fn sample(summary: &Summary) -> String {
    let seeds = counted(summary.count, "seed");
    summary.rows.map_or(seeds.clone(), |noise| match noise.block {
        1 => format!("{seeds}, {}", counted(noise.rows, "row")),
        block => format!("{seeds}, {} of {block} rows", counted(noise.rows, "block")),
    })
}
