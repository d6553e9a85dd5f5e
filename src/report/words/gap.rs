//! The gap between a small and a large batch size.

use super::{Scale, sample, size, whole};
use crate::analysis::{
    Budget, Decomposition, GapArm, NoDecomposition, Part, Rate, Remainder, Split,
};
use crate::format::{count, counted};
use crate::stats::{Interval, side};
use std::cmp::Ordering;

/// The names of the parts, in the order of the sum.
pub(in crate::report) const PARTS: [&str; 4] = ["total", "learning rate", "updates", "residual"];

/// The gap, then each of its parts, then what would tell more.
pub(super) fn gap(found: &Decomposition, margin: f64, scale: Scale) -> Vec<String> {
    let parts = found.parts();
    let with = |said: String, part: &Part| {
        format!("{said}: {}.", scale.difference_with_ci(&part.estimate))
    };
    let mut said = vec![total(found, margin, scale)];
    said.push(with(rate(found), &parts.learning_rate));
    said.push(with(steps(found), &parts.updates));
    said.push(with(residual(found, margin, scale), &parts.residual));
    said.extend(odd_seed(found, scale));
    said.extend(what_would_tell(found, margin, scale));
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

fn total(found: &Decomposition, margin: f64, scale: Scale) -> String {
    let ([small, large], total) = (sizes(found), &found.parts().total);
    let shown = match shown(total) {
        _ if found.is_total_immaterial(margin) => {
            format!("{small} and {large} are equivalent within {}", scale.amount(margin))
        }
        Ordering::Greater => format!("{small} {} {large}", scale.stands(true)),
        Ordering::Less => format!("{large} {} {small}", scale.stands(true)),
        Ordering::Equal => format!("{small} and {large} do not differ significantly"),
    };
    let score = |arm: &GapArm| {
        let mean = scale.value(arm.score(found.split()).summary.mean);
        format!("{mean} after {} steps", whole(arm.updates))
    };
    let [of_small, of_large, ..] = &found.arms;
    format!(
        "With the file's settings {shown} ({} and {}). {}, {small} minus {large}: {}, {}.",
        score(of_small),
        score(of_large),
        scale.on(if found.split() == Split::Test { "Test" } else { "Validation" }),
        scale.difference_with_ci(&total.estimate),
        sample(&total.estimate.summary)
    )
}

fn rate(found: &Decomposition) -> String {
    let [small, large] = sizes(found);
    match shown(&found.parts().learning_rate) {
        _ if found.kept_rates() => "Tuning kept the learning rates".into(),
        Ordering::Greater => format!("Tuning the learning rate helps {large} more"),
        Ordering::Less => format!("Tuning the learning rate helps {small} more"),
        Ordering::Equal => "The learning rate has no significant part in it".into(),
    }
}

fn steps(found: &Decomposition) -> String {
    let [small, large] = sizes(found);
    match shown(&found.parts().updates) {
        _ if found.kept_updates() => format!("Early stopping let {large} make no more steps"),
        Ordering::Greater => format!("As many steps as {small} makes help {large}"),
        Ordering::Less => format!("As many steps as {small} makes harm {large}"),
        Ordering::Equal => "The number of steps has no significant part in it".into(),
    }
}

fn residual(found: &Decomposition, margin: f64, scale: Scale) -> String {
    let [small, large] = sizes(found);
    let equal = match found.unequal_updates() {
        None => "its own learning rate and as many steps",
        Some(_) => "its own learning rate and a budget of as many steps",
    };
    match found.remainder {
        Remainder::Immaterial => "The batch size itself has no material effect".into(),
        Remainder::LargeWorse => {
            format!("{large} {} {small} even with {equal}", scale.stands(false))
        }
        Remainder::LargeBetter => {
            format!("{large} {} {small} with {equal}", scale.stands(true))
        }
        Remainder::AtTheEndAlone if found.is_immaterial_at_best(margin) => {
            "The rest is overfitting of the longest runs, not the batch size itself".into()
        }
        Remainder::AtTheEndAlone => {
            "The rest is mostly overfitting of the longest runs; the batch size itself is undecided"
                .into()
        }
        Remainder::Open => "The effect of the batch size itself is undecided".into(),
    }
}

fn odd_seed(found: &Decomposition, scale: Scale) -> Option<String> {
    let odd = found.odd_seed.as_ref()?;
    let [low, high] = odd.others;
    Some(format!(
        "One outlier: with seed {}, {} reaches {}, with the other seeds {}.",
        odd.seed,
        size(odd.batch_size),
        scale.value(odd.score),
        scale.range_with_unit(Interval { low, high })
    ))
}

/// Where the residual is open, or overfitting.
fn what_would_tell(found: &Decomposition, margin: f64, scale: Scale) -> Option<String> {
    match found.remainder {
        Remainder::AtTheEndAlone => Some(format!(
            "Overfitting after each run's best makes {} of the residual on validation. \
             `train.early_stopping: {{ patience: 2, restore_best_weights: true }}` prevents it.",
            scale.difference_with_ci(&found.overfitting)
        )),
        Remainder::Open => Some(undecided(found, margin, scale)),
        Remainder::Immaterial | Remainder::LargeWorse | Remainder::LargeBetter => None,
    }
}

fn undecided(found: &Decomposition, margin: f64, scale: Scale) -> String {
    let needed = match (found.seeds_needed, found.rows_needed) {
        _ if found.seeds.len() < 2 => "one seed cannot tell".to_owned(),
        (None, Some(rows)) => format!(
            "no number of seeds would tell with so few test rows; it takes at least {}",
            count(rows as u64)
        ),
        (None, None) => "no feasible number of seeds would tell".to_owned(),
        (Some(needed), _) => format!("about {} in all would tell", counted(needed, "seed")),
    };
    format!("Undecided whether the residual exceeds {}: {needed}.", scale.amount(margin))
}
