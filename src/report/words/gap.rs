//! The gap between a small and a large batch size.

use super::{difference, named, sample, size, whole};
use crate::analysis::{
    Budget, Decomposition, GapArm, NoDecomposition, Part, Rate, Remainder, percent, percent_range,
    points,
};
use crate::format::{count, counted};
use crate::stats::{Interval, side};
use std::cmp::Ordering;

/// The names of the parts, in the order of the sum.
pub(in crate::report) const PARTS: [&str; 4] = ["total", "learning rate", "updates", "residual"];

/// What is shown to matter, then the numbers, then what would tell more.
pub(super) fn gap(found: &Decomposition, margin: f64) -> Vec<String> {
    let mut said = Vec::new();
    if found.seeds.len() > 1 {
        said.push(
            [total(found, margin), rate(found), steps(found), residual(found, margin)].join(" "),
        );
    }
    said.push(total_in_numbers(found));
    said.extend(odd_seed(found));
    said.push(rate_in_numbers(found));
    said.push(steps_in_numbers(found));
    said.push(residual_in_numbers(found));
    said.extend(at_best(found));
    said.extend(what_would_tell(found, margin));
    said
}

/// Why there are no parts.
pub(super) fn no_gap(reason: &NoDecomposition) -> String {
    let why = match reason {
        NoDecomposition::Diverged(name) => format!("runs of `{name}` diverged"),
        NoDecomposition::NoCommonSeed => "no seed has finished runs of all five arms yet".into(),
        NoDecomposition::Arms { count, batch_size, rate, budget } => {
            let rate =
                if *rate == Rate::Tuned { "a tuned learning rate" } else { "the file's rate" };
            let budget = if *budget == Budget::Steps { " and equal steps" } else { "" };
            format!(
                "it takes one arm with batch size {}, {rate}{budget}, and there are {count}",
                size(*batch_size)
            )
        }
    };
    format!("The gap cannot be taken apart: {why}.")
}

/// Which side of 0 a part is shown to lie on.
fn shown(part: &Part) -> Ordering {
    side(part.estimate.interval)
}

fn sizes(found: &Decomposition) -> [String; 2] {
    [found.small, found.large].map(size)
}

fn total(found: &Decomposition, margin: f64) -> String {
    let [small, large] = sizes(found);
    match shown(&found.parts().total) {
        _ if found.is_total_immaterial(margin) => format!(
            "With the file's settings {small} and {large} are equivalent within {} points.",
            points(margin)
        ),
        Ordering::Greater => {
            format!("With the file's settings {small} is more accurate than {large}.")
        }
        Ordering::Less => {
            format!("With the file's settings {large} is more accurate than {small}.")
        }
        Ordering::Equal => {
            format!("With the file's settings {small} and {large} do not differ significantly.")
        }
    }
}

fn rate(found: &Decomposition) -> String {
    let [small, large] = sizes(found);
    match shown(&found.parts().learning_rate) {
        _ if found.kept_rates() => "Tuning the learning rate changed nothing.".into(),
        Ordering::Greater => format!("Tuning the learning rate helps {large} more."),
        Ordering::Less => format!("Tuning the learning rate helps {small} more."),
        Ordering::Equal => "The learning rate has no significant part in it.".into(),
    }
}

fn steps(found: &Decomposition) -> String {
    let [small, large] = sizes(found);
    match shown(&found.parts().updates) {
        _ if found.kept_updates() => format!("{large} did not use more steps."),
        Ordering::Greater => format!("As many steps as {small} makes help {large}."),
        Ordering::Less => format!("As many steps as {small} makes harm {large}."),
        Ordering::Equal => "The number of steps has no significant part in it.".into(),
    }
}

fn residual(found: &Decomposition, margin: f64) -> String {
    let [small, large] = sizes(found);
    let equal = match found.unequal_updates() {
        None => "its own learning rate and as many steps",
        Some(_) => "its own learning rate and a budget of as many steps",
    };
    match found.remainder {
        Remainder::Immaterial => "The batch size itself has no material effect.".into(),
        Remainder::LargeWorse => format!("{large} is less accurate than {small} even with {equal}."),
        Remainder::LargeBetter => format!("{large} is more accurate than {small} with {equal}."),
        Remainder::AtTheEndAlone if found.is_immaterial_at_best(margin) => {
            "The rest is overfitting of the longest runs, not the batch size itself.".into()
        }
        Remainder::AtTheEndAlone => {
            "The rest is mostly overfitting of the longest runs; the batch size itself is undecided."
                .into()
        }
        Remainder::Open => "The effect of the batch size itself is undecided.".into(),
    }
}

fn accuracy(found: &Decomposition, arm: &GapArm) -> String {
    percent(arm.accuracy(found.split()).summary.mean)
}

fn total_in_numbers(found: &Decomposition) -> String {
    let ([small, large, ..], total) = (&found.arms, &found.parts().total.estimate);
    format!(
        "Gap in {} accuracy, {} minus {}: {}, {}. {} after {} steps, {} after {}.",
        found.split(),
        size(small.batch_size),
        size(large.batch_size),
        difference(total),
        sample(&total.summary),
        accuracy(found, small),
        whole(small.updates),
        accuracy(found, large),
        whole(large.updates)
    )
}

fn odd_seed(found: &Decomposition) -> Option<String> {
    let odd = found.odd_seed.as_ref()?;
    let [low, high] = odd.others;
    Some(format!(
        "One outlier: with seed {}, {} reaches {}, with the other seeds {} %. Without it the gap is {}.",
        odd.seed,
        size(odd.batch_size),
        percent(odd.accuracy),
        percent_range(Interval { low, high }),
        difference(&odd.without)
    ))
}

fn rate_in_numbers(found: &Decomposition) -> String {
    let [small, large, small_tuned, large_tuned, _] = &found.arms;
    if found.kept_rates() {
        return "Learning rate: no part, since tuning kept the file's for both.".into();
    }
    let tuned = |from: &GapArm, to: &GapArm| {
        let (before, after) = (accuracy(found, from), accuracy(found, to));
        match from.learning_rate.to_bits() == to.learning_rate.to_bits() {
            true => format!("{} keeps {}", size(to.batch_size), to.learning_rate),
            false => {
                let size = size(to.batch_size);
                format!("{size} goes from {before} to {after} (with {})", to.learning_rate)
            }
        }
    };
    format!(
        "Learning rate: {}. Tuned, {}; {}.",
        difference(&found.parts().learning_rate.estimate),
        tuned(small, small_tuned),
        tuned(large, large_tuned)
    )
}

fn steps_in_numbers(found: &Decomposition) -> String {
    let [.., small, large, longer] = &found.arms;
    if found.kept_updates() {
        return format!(
            "Steps: no part; early stopping ended {} after {}, {} after {}.",
            size(large.batch_size),
            whole(large.updates),
            size(small.batch_size),
            whole(small.updates)
        );
    }
    let stopped = match found.unequal_updates() {
        None => String::new(),
        Some([of_small, _]) => {
            format!("; early stopping ended {} after {}", size(small.batch_size), whole(of_small))
        }
    };
    format!(
        "Steps: {}. {} goes from {} to {} with {} in place of {}{stopped}.",
        difference(&found.parts().updates.estimate),
        size(large.batch_size),
        accuracy(found, large),
        accuracy(found, longer),
        whole(longer.updates),
        whole(large.updates)
    )
}

fn residual_in_numbers(found: &Decomposition) -> String {
    let [.., small, _, longer] = &found.arms;
    format!(
        "Residual: {}. {} with {}, {} with {}.",
        difference(&found.parts().residual.estimate),
        accuracy(found, small),
        named(&small.name, small.batch_size),
        accuracy(found, longer),
        named(&longer.name, longer.batch_size)
    )
}

/// Not where each run ended at its best.
fn at_best(found: &Decomposition) -> Option<String> {
    let [total, rate, steps, residual] = found.best.all().map(|part| difference(&part.estimate));
    (!found.is_best_at_end()).then(|| {
        format!(
            "At each run's best validation accuracy: gap {total}; learning rate {rate}; steps {steps}; \
             residual {residual}."
        )
    })
}

/// Where the residual is open, or overfitting.
fn what_would_tell(found: &Decomposition, margin: f64) -> Option<String> {
    match found.remainder {
        Remainder::AtTheEndAlone => Some(format!(
            "Overfitting after each run's best makes {} of the residual on validation. \
             `train.early_stopping: {{ patience: 2, restore_best_weights: true }}` prevents it.",
            difference(&found.overfitting)
        )),
        Remainder::Open => Some(undecided(found, margin)),
        Remainder::Immaterial | Remainder::LargeWorse | Remainder::LargeBetter => None,
    }
}

fn undecided(found: &Decomposition, margin: f64) -> String {
    let needed = match (found.seeds_needed, found.rows_needed) {
        _ if found.seeds.len() < 2 => "one seed cannot tell".to_owned(),
        (None, Some(rows)) => format!(
            "no number of seeds would tell with so few test rows; it takes at least {}",
            count(rows as u64)
        ),
        (None, None) => "no feasible number of seeds would tell".to_owned(),
        (Some(needed), _) => format!("about {} in all would tell", counted(needed, "seed")),
    };
    let margin = points(margin);
    format!("Undecided whether the residual exceeds {margin} points: {needed}.")
}
