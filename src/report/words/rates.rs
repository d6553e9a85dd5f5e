//! Which learning rate suits which batch size.

use super::ci_of;
use crate::analysis::{NoScaling, RateRule, RateScaling};

/// `0.52 (95 % CI 0.31 to 0.74)`
pub(in crate::report) fn power(found: &RateScaling) -> String {
    format!("{:.2}{}", found.exponent, ci_of(found.interval, 2))
}

/// How the best rate goes with the batch size.
pub(super) fn scaling(found: &RateScaling) -> String {
    let rule = |rule: RateRule| match rule {
        RateRule::Constant => "one rate for all",
        RateRule::SquareRoot => "the square-root rule",
        RateRule::Linear => "the linear rule",
    };
    let rules: Vec<&str> = found.rules().into_iter().map(rule).collect();
    let fits = match (found.interval, &rules[..]) {
        (None, _) => String::new(),
        (Some(_), []) => ": none of the common rules fits".into(),
        (Some(_), rules) => format!(": consistent with {}", rules.join(" or ")),
    };
    format!("The best learning rate grows as batch size to the power {}{fits}.", power(found))
}

/// Why there is no such line.
pub(in crate::report) fn no_scaling(reason: NoScaling) -> String {
    match reason {
        NoScaling::BatchSizes(found) => format!(
            "it takes three batch sizes whose best learning rate lies between two others that went well, \
             and there are {found}"
        ),
        NoScaling::Alike => "the batch sizes are alike".into(),
    }
}
