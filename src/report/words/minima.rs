//! Sharpness of minima, and what lies between two solutions.

use super::{Scale, ci, ci_of, ratio};
use crate::analysis::{Barrier, RankCorrelation, Sharper, SharpnessFinding};
use crate::format::counted;
use crate::stats::side;
use std::cmp::Ordering;

/// What three decimals show.
const ROUNDING: f64 = 5e-4;

pub(super) fn minima(found: &SharpnessFinding, scale: Scale) -> Vec<String> {
    let mut said: Vec<String> = found.ratio("top_eigenvalue").map(sharper).into_iter().collect();
    said.extend(found.unlike_losses().map(|[small, large]| {
        format!(
            "Their training losses differ ({small:.4} and {large:.4}), and curvature falls with the loss \
             whatever the batch size."
        )
    }));
    said.extend(tells_score(found, scale));
    said.extend(found.edges.map(|[small, large]| {
        format!(
            "Edge of stability (at 1 curvature limits Adam's steps): {small:.2} with the smallest batch \
             size, {large:.2} with the largest."
        )
    }));
    said.extend(found.barriers.iter().map(barrier));
    said
}

fn sharper(found: &Sharper) -> String {
    let ended = match side(found.log_ratio.interval) {
        Ordering::Greater => "ended in sharper minima than",
        Ordering::Less => "ended in flatter minima than",
        Ordering::Equal => {
            "ended in minima that are not significantly sharper or flatter than those of"
        }
    };
    format!(
        "{} {ended} {}: ratio of the largest curvatures {}, {}.",
        found.large,
        found.small,
        ratio(&found.log_ratio.exp()),
        counted(found.log_ratio.summary.count, "seed")
    )
}

fn tells_score(found: &SharpnessFinding, scale: Scale) -> Option<String> {
    let tau = |of: &RankCorrelation| {
        let range = |ends: crate::stats::Interval| format!("{:+.2} to {:+.2}", ends.low, ends.high);
        let ends = of.interval.map(|ends| ci(&range(scale.natural_ends(ends))));
        // Adding 0 makes -0 a 0.
        format!("{:+.2}{}", scale.natural(of.tau) + 0.0, ends.unwrap_or_default())
    };
    let top = tau(found.rank_correlation("top_eigenvalue")?);
    let adaptive = tau(found.rank_correlation("adaptive")?);
    let shown = match found.sharper_is_better() {
        Ordering::Equal => format!("No evidence that sharpness explains {}", scale.title()),
        side => format!("Sharper minima {} (a relation, not a cause)", scale.were(side.is_gt())),
    };
    Some(format!(
        "{shown}: Kendall's tau {top} by largest curvature, {adaptive} by adaptive sharpness, over {}.",
        counted(found.runs, "run")
    ))
}

fn barrier(found: &Barrier) -> String {
    let summary = found.loss.summary;
    let seeds = counted(summary.count, "seed");
    let rise = match summary.mean < ROUNDING {
        true => "does not rise".to_owned(),
        false => format!("rises by up to {:.3}{}", summary.mean, ci_of(found.loss.interval, 3)),
    };
    let meaning = match found.is_shown() {
        Some(true) => "separate valleys",
        Some(false) => "one valley",
        None => "undecided whether these are separate valleys",
    };
    let (worst, [from, to]) = (found.worst.summary.mean, found.ends);
    let scale = Scale::new(found.metric, None);
    let course = match worst < from.min(to) - ROUNDING {
        true if found.metric.falls() => format!("rises to {}", scale.value(worst)),
        true => format!("falls to {}", scale.value(worst)),
        false => format!("goes from {} to {}", scale.value(from), scale.value(to)),
    };
    format!(
        "On the line from {} to {} the training loss {rise}, {seeds}: {meaning}. {} {course}.",
        found.small,
        found.large,
        scale.on("Training")
    )
}
