//! The gap between a small and a large batch in sentences.

use super::decomposition::{Part, Remainder};
use super::words::{points, points_range, signed_points};
use super::{Decomposition, Estimate};
use crate::format::{count, counted};

/// What the gap is, where it comes from, and what is left of it.
pub(super) fn sentences(found: &Decomposition, margin: f64) -> Vec<String> {
    let mut said = vec![total(found), parts(found), remainder(found, margin)];
    said.extend(overfitting(found, margin));
    said
}

fn total(found: &Decomposition) -> String {
    let total = &found.parts().total.estimate;
    let (small, large) = (count(found.small as u64), count(found.large as u64));
    let (mean, seeds) = (total.summary.mean, counted(total.summary.count, "seed"));
    let says = match mean >= 0.0 {
        true => "costs",
        false => "gains",
    };
    let size = points((mean.abs() * 1e4).round() / 1e4);
    let interval = interval(total);
    format!(
        "At the file's learning rate and budget, going from batch size {small} to {large} {says} \
         {size} percentage points of {} accuracy ({small} minus {large}: {}{interval}, {seeds}).",
        found.split(),
        signed_points(mean)
    )
}

fn parts(found: &Decomposition) -> String {
    let parts = found.parts();
    let said = |part: &Part| {
        let estimate = &part.estimate;
        format!("{}{}", signed_points(estimate.summary.mean), interval(estimate))
    };
    format!(
        "Of this, {} is the learning rate (what tuning gives batch size {} more than {}), {} is the \
         number of updates (what as many updates as the small batch makes add), and {} remains as \
         the batch size itself.",
        said(&parts.learning_rate),
        count(found.large as u64),
        count(found.small as u64),
        said(&parts.updates),
        said(&parts.residual)
    )
}

/// Whether the long run's last measurement hides what it had reached.
fn overfitting(found: &Decomposition, margin: f64) -> Option<String> {
    let (last, best) = (&found.validation.residual, &found.best.residual);
    let hidden = last.estimate.summary.mean - best.estimate.summary.mean;
    (hidden.abs() > margin).then(|| {
        format!(
            "The runs overfit, and the longest the most: at each run's best measurement on validation \
             the residual is {}{} instead of {}, so early stopping would leave that much of it.",
            signed_points(best.estimate.summary.mean),
            interval(&best.estimate),
            signed_points(last.estimate.summary.mean)
        )
    })
}

fn remainder(found: &Decomposition, margin: f64) -> String {
    let margin = points(margin);
    let (small, large) = (count(found.small as u64), count(found.large as u64));
    match found.remainder {
        Remainder::Immaterial => format!(
            "With its own learning rate and as many updates, batch size {large} is as accurate as \
             {small}, to within {margin} percentage points: no material effect of the batch size \
             itself."
        ),
        Remainder::LargeWorse => format!(
            "Batch size {large} generalises worse here by more than {margin} percentage points even \
             with its own learning rate and as many updates."
        ),
        Remainder::LargeBetter => format!(
            "With its own learning rate and as many updates, batch size {large} is better than \
             {small} by more than {margin} percentage points."
        ),
        Remainder::Open => {
            let seen = found.seeds.len();
            let more = found.seeds_needed.map(|needed| counted(needed - seen, "more seed"));
            let more = more.map_or("no feasible number of seeds would tell".to_owned(), |more| {
                format!("about {more} would tell")
            });
            format!(
                "Whether what remains matters (by more than {margin} percentage points) is not \
                 settled: {more}."
            )
        }
    }
}

/// ` (95 % interval -0.10 to +0.52)`
fn interval(estimate: &Estimate) -> String {
    let interval = estimate.interval;
    interval.map_or(String::new(), |ends| format!(" (95 % interval {})", points_range(ends)))
}
