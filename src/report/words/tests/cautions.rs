//! Sentences of what to beware of.

use super::*;
use crate::analysis::{Caution, ClassesMissing, Guessing, OtherRows, Peak, Results, Seen, Strays};

pub(super) fn all_cautions(metric: Metric) -> Vec<String> {
    let results = Results { score: metric.info(), ..results(Vec::new()) };
    let told = |of: Caution| match is_never_folded(&of) {
        true => format!("warning: {}", caution(&of, &results)),
        false => caution(&of, &results),
    };
    [data(), runs(), results_of_it()].concat().into_iter().map(told).collect()
}

/// Of the rows.
fn data() -> Vec<Caution> {
    let missing = |split, classes: &[&str], alone: Option<&str>| {
        let classes = classes.iter().map(|class| (*class).to_owned()).collect();
        ClassesMissing { split, classes, alone: alone.map(str::to_owned) }
    };
    let test =
        Seen { split: Split::Test, rows: 1200, overlapping: 600, most_steps: 19, repeated: 0 };
    let validation = Seen { split: Split::Validation, overlapping: 0, repeated: 12, ..test };
    let interval = Some(Interval { low: 0.7, high: 0.9 });
    let other = |block, equal, interval| {
        Caution::OtherRows(OtherRows { rows: 2000, block, equal, interval })
    };
    vec![
        Caution::SeenInTraining { splits: vec![test, validation], gap: Some(20), steps: 20 },
        Caution::SeenInTraining { splits: vec![validation], gap: None, steps: 20 },
        Caution::ClassesMissing(vec![
            missing(Split::Validation, &["yes"], Some("no")),
            missing(Split::Test, &["a", "b"], None),
        ]),
        Caution::FewValidationRows { rows: 400, noise: 0.0123 },
        other(Some(1), None, interval),
        other(Some(20), None, interval),
        other(Some(1), Some(500), interval),
        other(Some(1), None, None),
        other(None, None, None),
    ]
}

/// Of how runs ended.
fn runs() -> Vec<Caution> {
    let strays = |failed, others: u64| {
        let all = (0..others).map(|seed| ("batch-256".to_owned(), seed)).collect();
        let share = Interval { low: 0.0, high: 0.45 };
        Caution::Strays(Strays { arm: "batch-32".into(), failed, runs: 5, share, all, below: 0.77 })
    };
    vec![
        Caution::NoTestScore { rows: 2000 },
        Caution::FailedRuns { planned: 9, diverged: 1, failed: 2, unscored: 1, unfinished: 3 },
        strays(0, 0),
        strays(1, 2),
        strays(0, 7),
        Caution::RestoredByAnother { monitors: ["val_loss".to_owned()].into() },
    ]
}

/// Of what they show.
fn results_of_it() -> Vec<Caution> {
    vec![
        Caution::NoBetterThanGuessing(Guessing { score: 0.81, is_last_value: false }),
        Caution::NoBetterThanGuessing(Guessing { score: 0.81, is_last_value: true }),
        Caution::AimedElsewhere(Guessing { score: 0.81, is_last_value: false }),
        Caution::Confounded(all_confounders()[..2].to_vec()),
        Caution::FellAtTheEnd(vec![
            Peak { arm: "batch-32".into(), epoch: 2, score: 0.8, end: 0.775 },
            Peak { arm: "batch-256".into(), epoch: 3, score: 0.79, end: 0.77 },
        ]),
        Caution::TestDisagrees(vec!["batch-64".into()]),
        Caution::NoSpread,
        Caution::Reopened { seeds: 5, recommended: Some("batch-32".into()) },
        Caution::Reopened { seeds: 5, recommended: None },
        Caution::MarginChanged { earlier: vec![0.01] },
    ]
}
