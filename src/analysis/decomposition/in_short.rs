//! The gap and its parts in one sentence, before any number: what is shown to matter, and what is not.

use super::{Decomposition, Part, Remainder, is_immaterial};
use crate::analysis::words::points;
use crate::format::count;
use crate::stats::side;
use std::cmp::Ordering;

/// `None` where one seed shows nothing.
pub(super) fn in_short(found: &Decomposition, margin: f64) -> Option<String> {
    (found.seeds.len() > 1).then(|| {
        let [gap, rate, updates, rest] =
            [gap(found, margin), rate(found), updates(found), rest(found, margin)];
        format!("In short: with the file's settings {gap}. {rate}, {updates}, and {rest}.")
    })
}

fn sizes(found: &Decomposition) -> [String; 2] {
    [found.small, found.large].map(|size| count(size as u64))
}

/// Which side of 0 a part is shown to lie on.
fn shown(part: &Part) -> Ordering {
    side(part.estimate.interval)
}

fn gap(found: &Decomposition, margin: f64) -> String {
    let ([small, large], total) = (sizes(found), &found.parts().total);
    match shown(total) {
        _ if is_immaterial(&total.estimate.summary, margin) => format!(
            "batch sizes {small} and {large} are equally accurate, to within {} percentage points",
            points(margin)
        ),
        Ordering::Greater => format!("batch size {small} is more accurate than {large}"),
        Ordering::Less => format!("batch size {large} is more accurate than {small}"),
        Ordering::Equal => {
            format!("no difference between batch sizes {small} and {large} is shown")
        }
    }
}

fn rate(found: &Decomposition) -> String {
    let ([small, large], part) = (sizes(found), &found.parts().learning_rate);
    match shown(part) {
        _ if found.kept_rates() => "Tuning the learning rate changed nothing".into(),
        Ordering::Greater => format!("Tuning the learning rate helps {large} more than {small}"),
        Ordering::Less => format!("Tuning the learning rate helps {small} more than {large}"),
        Ordering::Equal => "The learning rate is not shown to matter".into(),
    }
}

fn updates(found: &Decomposition) -> String {
    let ([small, large], part) = (sizes(found), &found.parts().updates);
    match shown(part) {
        _ if found.kept_updates() => format!("{large} did not use more updates"),
        Ordering::Greater => format!("as many updates as {small} makes help {large}"),
        Ordering::Less => format!("as many updates as {small} makes harm {large}"),
        Ordering::Equal => "the number of updates is not shown to matter".into(),
    }
}

fn rest(found: &Decomposition, margin: f64) -> String {
    let [small, large] = sizes(found);
    let equal = match found.unequal_updates() {
        None => "with its own rate and as many updates",
        Some(_) => "with its own rate and a budget of as many updates",
    };
    match found.remainder {
        Remainder::Immaterial => "the batch size itself makes no difference that matters".into(),
        Remainder::LargeWorse => format!("{large} is less accurate than {small} even {equal}"),
        Remainder::LargeBetter => format!("{large} is more accurate than {small} {equal}"),
        Remainder::AtTheEndAlone if found.is_immaterial_at_best(margin) => {
            "what remains is overfitting of the longest runs, not the batch size itself".into()
        }
        Remainder::AtTheEndAlone => "what remains is overfitting of the longest runs for the most \
                                     part: whether the batch size itself matters is not settled"
            .into(),
        Remainder::Open => "whether the batch size itself matters is not settled".into(),
    }
}
