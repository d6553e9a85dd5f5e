//! The gap between a small and a large batch in sentences.

use super::in_short::in_short;
use super::{Decomposition, GapArm, Part, Remainder};
use crate::analysis::words::{
    percent, percent_range, points, points_interval, sample, signed_points,
};
use crate::analysis::{Estimate, Split};
use crate::format::{count, counted};
use crate::stats::{Interval, side};
use std::cmp::Ordering;

/// What the gap is, where it comes from, and what is left of it.
pub(in crate::analysis) fn sentences(found: &Decomposition, margin: f64) -> Vec<String> {
    let all = [
        in_short(found, margin),
        Some(total(found)),
        odd_seed(found),
        at_best(found),
        Some(learning_rate(found)),
        Some(updates(found)),
        Some(format!("{} {}", remains(found), remainder(found, margin))),
    ];
    all.into_iter().flatten().collect()
}

/// `32`
fn size(arm: &GapArm) -> String {
    count(arm.batch_size as u64)
}

impl GapArm {
    fn accuracy(&self, split: Split) -> String {
        let estimate = match split {
            Split::Test => self.test.unwrap_or(self.validation),
            Split::Validation => self.validation,
        };
        percent(estimate.summary.mean)
    }

    fn updates(&self) -> String {
        count(self.updates.round() as u64)
    }

    /// Whether the runs of the two are the same, as far as can be seen.
    fn ran_like(&self, other: &GapArm) -> bool {
        let of = |arm: &GapArm| (arm.learning_rate.to_bits(), arm.updates.to_bits());
        (of(self), self.validation, self.test) == (of(other), other.validation, other.test)
    }
}

impl Decomposition {
    /// Whether tuning took the file's rates, so that runs with tuned ones are the same.
    pub(super) fn kept_rates(&self) -> bool {
        let [small, large, small_tuned, large_tuned, _] = &self.arms;
        small.ran_like(small_tuned) && large.ran_like(large_tuned)
    }

    /// Whether early stopping left the updates unused that the large batch was given more.
    pub(super) fn kept_updates(&self) -> bool {
        let [.., large, longer] = &self.arms;
        large.ran_like(longer)
    }
}

/// `-2.27 (95 % interval -8.61 to +4.07)`
fn difference(estimate: &Estimate) -> String {
    signed_points(estimate.summary.mean) + &estimate.interval.map_or(String::new(), points_interval)
}

fn part(part: &Part) -> String {
    difference(&part.estimate)
}

fn total(found: &Decomposition) -> String {
    let (split, total) = (found.split(), &found.parts().total.estimate);
    let [small, large, ..] = &found.arms;
    let rates = match small.learning_rate.to_bits() == large.learning_rate.to_bits() {
        true => format!("learning rate ({})", small.learning_rate),
        false => format!("learning rates ({} and {})", small.learning_rate, large.learning_rate),
    };
    let shown = match side(total.interval) {
        Ordering::Greater => format!("batch size {} is better", size(small)),
        Ordering::Less => format!("batch size {} is better", size(large)),
        Ordering::Equal if total.summary.count < 2 => "from one seed nothing can be said".into(),
        Ordering::Equal => "no gap is shown".into(),
    };
    format!(
        "With the file's {rates}, batch size {} comes to {} {split} accuracy in {} updates and {} to {} \
         in {}. {} minus {}, in percentage points, is {} over {}: {shown}.",
        size(small),
        small.accuracy(split),
        small.updates(),
        size(large),
        large.accuracy(split),
        large.updates(),
        size(small),
        size(large),
        difference(total),
        sample(&total.summary)
    )
}

fn odd_seed(found: &Decomposition) -> Option<String> {
    let odd = found.odd_seed.as_ref()?;
    let [low, high] = odd.others;
    Some(format!(
        "One seed makes this as uncertain as it is: with seed {}, batch size {} ends at {}, with the \
         others at {} %. Without it the gap is {}.",
        odd.seed,
        count(odd.batch_size as u64),
        percent(odd.accuracy),
        percent_range(Interval { low, high }),
        difference(&odd.without)
    ))
}

/// Not where each run ended at its best.
fn at_best(found: &Decomposition) -> Option<String> {
    let mean = |part: &Part| part.estimate.summary.mean.to_bits();
    let (best, end) = (found.best.named(), found.validation.named());
    if best.iter().zip(&end).all(|((_, best), (_, end))| mean(best) == mean(end)) {
        return None;
    }
    let parts = &found.best;
    Some(format!(
        "On validation, with each run taken where its accuracy was highest there in place of its end, the gap \
         is {}: {} by the learning rate, {} by the number of updates, and {} remains.",
        part(&parts.total),
        part(&parts.learning_rate),
        part(&parts.updates),
        part(&parts.residual)
    ))
}

fn learning_rate(found: &Decomposition) -> String {
    let split = found.split();
    let [small, large, small_tuned, large_tuned, _] = &found.arms;
    if found.kept_rates() {
        return "The learning rate is no part of the gap: tuning kept the file's for both batch sizes, so \
                that the runs are the same."
            .into();
    }
    let tuned = |from: &GapArm, to: &GapArm| {
        let (before, after) = (from.accuracy(split), to.accuracy(split));
        match from.learning_rate.to_bits() == to.learning_rate.to_bits() {
            true => format!("{} keeps {} and its {after}", size(to), to.learning_rate),
            false => {
                format!("{} goes from {before} to {after} (with {})", size(to), to.learning_rate)
            }
        }
    };
    format!(
        "The learning rate is {} of the gap: when it is tuned for each, batch size {} and {}.",
        part(&found.parts().learning_rate),
        tuned(small, small_tuned),
        tuned(large, large_tuned)
    )
}

fn updates(found: &Decomposition) -> String {
    let split = found.split();
    let [.., small, large, longer] = &found.arms;
    if found.kept_updates() {
        return format!(
            "The number of updates is no part of it: early stopping ended the runs of batch size {} after \
             {} on average, also where more were allowed; those of {} made {}.",
            size(large),
            large.updates(),
            size(small),
            small.updates()
        );
    }
    let goes = format!(
        "batch size {} goes from {} to {}",
        size(large),
        large.accuracy(split),
        longer.accuracy(split)
    );
    let said = match found.unequal_updates() {
        None => format!(
            "with as many as {} makes, {} in place of {}, {goes}",
            size(small),
            longer.updates(),
            large.updates()
        ),
        Some(_) => format!(
            "allowed as many as {}, {goes}; early stopping ended its runs after {} on average, those of {} \
             after {}",
            size(small),
            longer.updates(),
            size(small),
            small.updates()
        ),
    };
    format!("The number of updates is {} of it: {said}.", part(&found.parts().updates))
}

fn remains(found: &Decomposition) -> String {
    let split = found.split();
    let [.., small, _, longer] = &found.arms;
    format!(
        "{} remains: {} at batch size {} against {} at {}.",
        part(&found.parts().residual),
        small.accuracy(split),
        size(small),
        longer.accuracy(split),
        size(longer)
    )
}

fn remainder(found: &Decomposition, margin: f64) -> String {
    let points_of_margin = points(margin);
    let (small, large) = (count(found.small as u64), count(found.large as u64));
    let updates = match found.unequal_updates() {
        None => "as many updates",
        Some(_) => "a budget of as many updates",
    };
    match found.remainder {
        Remainder::Immaterial => format!(
            "With its own learning rate and {updates}, batch size {large} is as accurate as {small}, \
             to within {points_of_margin} percentage points: no material effect of the batch size \
             itself."
        ),
        Remainder::LargeWorse => format!(
            "Batch size {large} generalises worse here by more than {points_of_margin} percentage \
             points even with its own learning rate and {updates}."
        ),
        Remainder::LargeBetter => format!(
            "With its own learning rate and {updates}, batch size {large} is better than {small} by \
             more than {points_of_margin} percentage points."
        ),
        Remainder::AtTheEndAlone => overfitted(found, margin),
        Remainder::Open => open(found, margin),
    }
}

fn overfitted(found: &Decomposition, margin: f64) -> String {
    let matters = match found.is_immaterial_at_best(margin) {
        true => "which is within the margin: no material effect of the batch size itself",
        false => "of which it is not settled whether it matters",
    };
    format!(
        "Overfitting of the longest runs, rather than the batch size, is behind it: on validation {} remains \
         at the end, {} of it is lost after each run was best, and {} remains there, {matters}. \
         `train.early_stopping: {{ patience: 2, restore_best_weights: true }}` keeps each run at its \
         best.",
        part(&found.validation.residual),
        difference(&found.overfitting),
        part(&found.best.residual)
    )
}

fn open(found: &Decomposition, margin: f64) -> String {
    let seen = found.seeds.len();
    let needed = match (found.seeds_needed, found.rows_needed) {
        _ if seen < 2 => "one seed cannot tell".to_owned(),
        (None, Some(rows)) => format!(
            "no number of seeds would tell with so few test rows; it takes at least {}",
            count(rows as u64)
        ),
        (None, None) => "no feasible number of seeds would tell".to_owned(),
        (Some(needed), _) => format!("about {} in all would tell", counted(needed, "seed")),
    };
    let at_best = match found.remains_at_the_end(margin) {
        true => format!(
            ", since where each run was best on validation it is {}",
            part(&found.best.residual)
        ),
        false => String::new(),
    };
    format!(
        "Whether it matters (by more than {} percentage points) is not settled{at_best}: {needed}.",
        points(margin)
    )
}
