//! What was found around minima, in sentences.

use super::rank::LIKE_LOSSES;
use super::{Barrier, RankCorrelation, Sharper, SharpnessFinding};
use crate::analysis::words::percent;
use crate::analysis::{Estimate, Ratio};
use crate::format::counted;
use crate::stats::{Interval, side};
use std::cmp::Ordering;

/// What three decimals show.
const ROUNDING: f64 = 5e-4;
/// A rise of the loss up to this is no barrier.
const LOW_BARRIER: f64 = 0.05;

impl SharpnessFinding {
    /// In words.
    pub fn sentences(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        all.extend(self.ratio("top_eigenvalue").map(ratio_sentence));
        all.extend(self.at_other_losses());
        all.extend(self.explains());
        all.extend(self.edges.map(edge_sentence));
        all.extend(self.barriers.iter().map(barrier_sentence));
        all
    }

    fn at_other_losses(&self) -> Option<String> {
        let [small, large] = self.losses?;
        let apart = (small / large).max(large / small);
        (apart > LIKE_LOSSES).then(|| {
            format!(
                "Those runs ended at different training losses ({small:.4} and {large:.4}). Curvature \
                 falls with the loss whatever the batch size is, so this shows how far the training \
                 has come as well."
            )
        })
    }

    /// Where runs ended at very different training losses, which move curvature too.
    fn range_of_losses(&self) -> String {
        match self.all_losses {
            Some([low, high]) if high > LIKE_LOSSES * low => {
                format!(", which ended at training losses from {low:.4} to {high:.4}")
            }
            _ => String::new(),
        }
    }

    fn explains(&self) -> Option<String> {
        let top = self.rank_correlation("top_eigenvalue")?;
        let adaptive = self.rank_correlation("adaptive")?;
        let numbers = format!(
            "rank correlation (Kendall's tau) with {} accuracy over {}{}: {} by the largest curvature, {} \
             by adaptive sharpness",
            self.split,
            counted(self.runs, "run"),
            self.range_of_losses(),
            tau_text(top),
            tau_text(adaptive)
        );
        Some(match self.sharper_is_better() {
            Ordering::Less => format!(
                "Runs that ended in sharper minima were less accurate; {numbers}. This is a relation, not \
                 a cause."
            ),
            Ordering::Greater => {
                format!("Runs that ended in sharper minima were more accurate; {numbers}.")
            }
            Ordering::Equal => format!(
                "There is no evidence that sharpness explains the differences in accuracy; {numbers}."
            ),
        })
    }
}

/// `-0.31 (95 % interval -0.62 to +0.01; among runs of one learning rate -0.05, -0.40 to +0.30)`
fn tau_text(found: &RankCorrelation) -> String {
    let range = |interval: Interval| format!("{:+.2} to {:+.2}", interval.low, interval.high);
    let interval = match found.interval {
        Some(interval) => format!("95 % interval {}", range(interval)),
        None => "too few seeds for an interval".into(),
    };
    let among = |which: &str, tau: Option<f64>, interval: Option<Interval>| {
        let interval = interval.map(range).map_or(String::new(), |range| format!(", {range}"));
        tau.map_or(format!("; no runs {which} to compare"), |tau| {
            format!("; among runs {which} {tau:+.2}{interval}")
        })
    };
    let rates = among("of one learning rate", found.tau_within_rates, found.interval_within_rates);
    let losses =
        among("at like training losses", found.tau_at_like_losses, found.interval_at_like_losses);
    format!("{:+.2} ({interval}{rates}{losses})", found.tau)
}

fn ratio_sentence(found: &Sharper) -> String {
    let Ratio { value, interval } = found.log_ratio.exp();
    let seeds = counted(found.log_ratio.summary.count, "seed");
    let range = interval.map_or("one seed, no interval".into(), |Interval { low, high }| {
        format!("95 % interval {low:.2} to {high:.2}, {seeds}")
    });
    let shown = match side(found.log_ratio.interval) {
        Ordering::Greater => "ended in sharper minima than",
        Ordering::Less => "ended in flatter minima than",
        Ordering::Equal => "did not clearly end in sharper or flatter minima than",
    };
    format!(
        "{} {shown} {}: the largest curvature of the training loss was {value:.2} times as large ({range}).",
        found.large, found.small
    )
}

fn edge_sentence([small, large]: [f64; 2]) -> String {
    format!(
        "Curvature limits Adam's steps where its largest value comes near what the learning rate can \
         bear (1): it stood at {small:.2} for the smallest batch size and at {large:.2} for the largest."
    )
}

fn barrier_sentence(found: &Barrier) -> String {
    let Estimate { summary, interval } = found.loss;
    let meaning = match interval {
        Some(interval) if interval.low > LOW_BARRIER => "they lie in separate valleys",
        Some(interval) if interval.high < LOW_BARRIER => "they lie in one valley",
        _ => "whether they lie in separate valleys is open",
    };
    let range = interval.map_or(String::new(), |interval| {
        format!("95 % interval {:.3} to {:.3}, ", interval.low, interval.high)
    });
    let seeds = counted(summary.count, "seed");
    let rises = match summary.mean < ROUNDING {
        true => format!("does not rise above its ends ({seeds})"),
        false => format!("rises by up to {:.3} above its ends ({range}{seeds})", summary.mean),
    };
    let (lowest, [from, to]) = (found.accuracy.summary.mean, found.ends);
    let accuracy = match lowest < from.min(to) - ROUNDING {
        true => format!("falls to {} there", percent(lowest)),
        false => format!("goes from {} to {}", percent(from), percent(to)),
    };
    format!(
        "On the straight line between the solutions of {} and {} the training loss {rises}: {meaning}. The \
         training accuracy {accuracy}.",
        found.small, found.large
    )
}
