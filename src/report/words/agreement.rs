//! What several studies say together.

use super::Scale;
use crate::analysis::{Agreed, Agreement, Silence};
use crate::format::{count, list};

/// The answer first, then what was not counted.
/// `unreliable` names studies that are not to be relied on, and says why.
pub(in crate::report) fn agreement(
    agreed: &Agreed,
    unreliable: &[(&str, &str)],
    scale: Scale,
) -> Vec<String> {
    let mut said = vec![answer(agreed, scale)];
    said.extend(unreliable.iter().map(|(name, why)| format!("{name} is {why}.")));
    if !agreed.not_everywhere.is_empty() {
        said.push(format!("Not tried in all, so left out: {}.", sizes(&agreed.not_everywhere)));
    }
    let silent = agreed.silent.iter();
    said.extend(silent.map(|(name, why)| format!("{name} is not counted: {}.", silence(*why))));
    said
}

/// `batch size 32`, `batch sizes 32 and 64`
pub(in crate::report) fn sizes(sizes: &[usize]) -> String {
    let words: Vec<String> = sizes.iter().map(|size| count(*size as u64)).collect();
    let plural = if sizes.len() == 1 { "" } else { "s" };
    format!("batch size{plural} {}", list(&words))
}

fn answer(agreed: &Agreed, scale: Scale) -> String {
    let named = sizes(&agreed.batch_sizes);
    match agreed.agreement {
        Agreement::Agree => {
            format!("The studies agree on {named}: equivalent to the best in every one.")
        }
        Agreement::Disagree => {
            "The studies disagree: every batch size that all tried is out in at least one.".into()
        }
        Agreement::Differ => {
            "No batch size could be best in all studies; undecided whether the differences matter."
                .into()
        }
        Agreement::Open => format!("Undecided: {named} could be best in all studies."),
        Agreement::NothingInCommon => "No batch size was tried in all studies.".into(),
        Agreement::TooLittleInCommon => format!(
            "Too little in common: all tried only {named}, and in at least one another is {}.",
            scale.better()
        ),
        Agreement::TooFew => {
            let score = scale.title();
            format!("Fewer than two studies compare batch sizes by {score} over several seeds.")
        }
    }
}

/// Why a study says nothing of batch sizes.
pub(in crate::report) fn silence(why: Silence) -> &'static str {
    match why {
        Silence::NothingToCompare => "none of its arms can be compared",
        Silence::OneArm => "it has one arm alone",
        Silence::TooFewSeeds => "it has fewer than three seeds",
        Silence::ToTarget => "its runs end at one target",
        Silence::OtherScore => "it is decided by another score than the first study",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Metric;

    #[test]
    fn studies_that_are_not_to_be_relied_on_are_named_after_the_answer() {
        let agreed = Agreed {
            agreement: Agreement::Agree,
            batch_sizes: vec![32],
            not_everywhere: vec![],
            silent: vec![],
        };
        let why = "not reliable: rows leak between the splits";
        let scale = Scale::new(Metric::Accuracy.info(), None);
        let said = agreement(&agreed, &[("a", why)], scale);
        assert_eq!(said[1], "a is not reliable: rows leak between the splits.");
    }
}
