//! What a verdict is about: the data, how the arms were compared, and how far apart they came out.

use crate::analysis::words::{label, list, percent, points};
use crate::analysis::{ArmFinding, Comparison, Rate, Results};
use crate::format::{count, counted};
use crate::stats::Standing;
use std::collections::BTreeSet;

/// `None` where no arm has an accuracy.
pub(super) fn about(results: &Results, comparison: &Comparison) -> Option<String> {
    let split = results.reported_split();
    let compared = || comparison.arms.iter().filter(|arm| arm.competes());
    let known = || compared().filter_map(|arm| Some((arm, arm.accuracy(split)?.summary.mean)));
    let lowest = known().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let highest = known().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let told = |(arm, mean): (&ArmFinding, f64)| format!("{} with {}", percent(mean), label(arm));
    let range = match lowest.0.name == highest.0.name {
        true => format!("{split} accuracy is {}", told(highest)),
        false => format!("{split} accuracy goes from {} to {}", told(lowest), told(highest)),
    };
    let seeds = counted(comparison.seeds.len(), "seed");
    let (data, rates) = (data(results), rates(results));
    let within = match results.declared_target {
        None => within(comparison),
        Some(_) => String::new(),
    };
    Some(format!("On these data ({data}), {rates} and {seeds}, {range}.{within}"))
}

/// ` 2 of 3, the best among them, are shown to be within 0.5 percentage points of it ...`
fn within(comparison: &Comparison) -> String {
    let all = comparison.arms.iter().filter(|arm| arm.competes()).count();
    let within = 1 + comparison.standing(Standing::Within).len();
    if all < 2 || comparison.seeds.len() < 2 {
        return String::new();
    }
    let margin = points(comparison.margin);
    match within {
        1 => format!(
            " None of the others is shown to be within {margin} percentage points of the best on \
             validation."
        ),
        _ => format!(
            " {within} of {all}, the best among them, are shown to be within {margin} percentage points \
             of it on validation (one-sided 95 %)."
        ),
    }
}

/// `15,000 examples for training, 5,000 for validation, ... of at most 200 steps; ...`
fn data(results: &Results) -> String {
    let [train, validation, test] = results.examples.texts();
    let mut parts = vec![format!(
        "{train} examples for training, {validation} for validation and {test} for the test"
    )];
    let features = results
        .features
        .map_or(String::new(), |features| format!(" with {}", counted(features, "feature")));
    parts.extend(
        results.longest.map(|steps| format!("at most {}{features}", counted(steps, "step"))),
    );
    let majority =
        |share| format!("{} of the validation rows with the more frequent label", percent(share));
    parts.extend(results.majority.map(majority));
    parts.join(", ")
}

/// How the arms came by their learning rates.
fn rates(results: &Results) -> String {
    if results.arms.iter().any(|arm| arm.rate != Rate::Tuned) {
        let rates: BTreeSet<String> =
            results.arms.iter().map(|arm| arm.learning_rate.to_string()).collect();
        return match rates.len() {
            1 => format!("with learning rate {}", list(&rates.into_iter().collect::<Vec<_>>())),
            _ => "with learning rates that were given".into(),
        };
    }
    let is_here = |name: &str| results.arms.iter().any(|arm| arm.name == name);
    let trials = results.tunings.iter().filter(|of| is_here(&of.arm)).map(|of| of.trials.len());
    let (least, most) = (trials.clone().min().unwrap_or(0), trials.max().unwrap_or(0));
    let each = match least == most {
        true => format!("{} each", count(most as u64)),
        false => format!("{least} to {most} each"),
    };
    format!("with the best of several learning rates for each batch size ({each})")
}
