//! Every sentence once, as it is read: `said.txt` holds what all of them say of planted facts. Where a
//! template is changed, the test shows the new text, which then goes into that file.

// What to beware of.
mod cautions;
// Sentences about what was probed.
mod probed;

use super::*;
use crate::analysis::tests::{arm as arm_of, results};
use crate::analysis::{
    Agreed, Agreement, At, AtBest, Axis, Barrier, Because, BudgetFinding, Claim, ClaimKind,
    Comparison, Confounder, Decomposition, Estimate, Finding, Fit, GapArm, Given, Known, Median,
    Missing, NoDecomposition, NoScaling, NoTradeOff, NoiseArm, NoiseFinding, NoiseMedian, OddSeed,
    Part, Parts, RankCorrelation, RateScaling, Remainder, Sharper, SharpnessFinding, Silence,
    Split, Target, TradeOff, Updates, compare,
};
use crate::spec::{Metric, StudyObjective};
use crate::stats::RowNoise;
use cautions::all_cautions;
use probed::{lines_and_curves, noise_scales, sharpness};

const ACCURACY: Metric = Metric::Accuracy;

fn scale(metric: Metric) -> Scale {
    Scale::new(metric.info(), Some(0.005))
}

fn estimate(mean: f64, sd: f64) -> Estimate {
    Estimate::from(Summary { count: 5, mean, sd: Some(sd), rows: None })
}

fn part(mean: f64) -> Part {
    Part { estimate: estimate(mean, 0.01), p: None }
}

/// Total, learning rate, updates and residual.
fn parts(means: [f64; 4]) -> Parts {
    let [total, learning_rate, updates, residual] = means.map(part);
    Parts { total, learning_rate, updates, residual }
}

fn decomposition(remainder: Remainder, means: [f64; 4]) -> Decomposition {
    let gap_arm = |name: &str, batch_size: usize, learning_rate: f64, updates: f64, mean: f64| {
        let validation = estimate(mean, 0.004);
        let name = name.to_owned();
        GapArm { name, batch_size, learning_rate, updates, validation, test: None }
    };
    Decomposition {
        small: 32,
        large: 256,
        arms: [
            gap_arm("batch-32", 32, 1e-3, 400.0, 0.85),
            gap_arm("batch-256", 256, 1e-3, 50.0, 0.82),
            gap_arm("tuned-32", 32, 1e-3, 400.0, 0.851),
            gap_arm("tuned-256", 256, 4e-3, 50.0, 0.83),
            gap_arm("longer-256", 256, 4e-3, 400.0, 0.845),
        ],
        seeds: (0..5).collect(),
        odd_seed: None,
        validation: parts(means),
        best: parts(means),
        overfitting: estimate(0.03, 0.005),
        test: None,
        remainder,
        seeds_needed: None,
        rows_needed: None,
    }
}

fn gaps(metric: Metric) -> Vec<String> {
    let worse = decomposition(Remainder::LargeWorse, [0.03, 0.02, 0.015, 0.03]);
    let mut stopped = decomposition(Remainder::Open, [0.0, -0.02, -0.02, 0.0]);
    (stopped.arms[4].updates, stopped.seeds_needed) = (120.0, Some(40));
    stopped.odd_seed = Some(OddSeed { seed: 3, batch_size: 256, score: 0.7, others: [0.81, 0.83] });
    let mut overfitted = decomposition(Remainder::AtTheEndAlone, [0.03, 0.0, 0.0, 0.03]);
    overfitted.best = parts([0.001, 0.0, 0.0, 0.001]);
    let mut same = decomposition(Remainder::Immaterial, [-0.03, 0.0, 0.0, 0.0]);
    for (copy, of) in [(2, 0), (3, 1), (4, 1)] {
        same.arms[copy] = GapArm { name: same.arms[copy].name.clone(), ..same.arms[of].clone() };
    }
    let mut few_rows = decomposition(Remainder::Open, [0.0; 4]);
    few_rows.rows_needed = Some(9000);
    let noise = RowNoise { error: 0.01, rows: 2000, block: 1 };
    few_rows.validation.total.estimate.summary.rows = Some(noise);
    let better = decomposition(Remainder::LargeBetter, [0.0, 0.0, 0.0, -0.03]);
    let all = [worse, stopped, overfitted, same, few_rows, better];
    let gap = |found| gap::gap(found, 0.005, scale(metric));
    let mut said: Vec<String> = all.iter().flat_map(gap).collect();
    let (rate, budget) = (Rate::Tuned, Budget::Steps);
    let missing = [
        NoDecomposition::Diverged("large".into()),
        NoDecomposition::NoCommonSeed,
        NoDecomposition::Arms { count: 0, batch_size: 256, rate, budget },
    ];
    said.extend(missing.iter().map(gap::no_gap));
    said
}

fn at(batch_size: usize, count: u64) -> At {
    At { batch_size, count }
}

fn all_confounders() -> Vec<Confounder> {
    let updates =
        |name: &str, batch_size, steps| Updates { arm: name.to_owned(), batch_size, steps };
    let few = updates("large", 256, 50);
    vec![
        Confounder::Updates { fewest: few.clone(), most: updates("batch-32", 32, 400) },
        Confounder::Updates { fewest: few.clone(), most: few },
        Confounder::TunedRates { trials: [5, 5] },
        Confounder::TunedRates { trials: [5, 8] },
        Confounder::GivenRates { rates: vec![1e-3], given: Given::ToAll },
        Confounder::GivenRates { rates: vec![1e-3, 1e-2], given: Given::AsGrid },
        Confounder::GivenRates { rates: vec![1e-3, 1e-2], given: Given::ByArm },
        Confounder::Settings { paths: vec!["train.schedule".into()] },
        Confounder::OptimizerMemory {
            small: at(32, 32_000),
            large: at(1024, 1_024_000),
            rows: Some(6000),
        },
        Confounder::Penalties { sizes: [32, 1024] },
        Confounder::Patience { steps: vec![at(64, 188), at(256, 48)], some_without: true },
        Confounder::Schedule { small: at(32, 188), large: at(1024, 1) },
        Confounder::WholeData { sizes: vec![8000], rows: 6401 },
        Confounder::MuchData { sizes: vec![1024, 2048], rows: 6000 },
        Confounder::ShortLastBatch { rows: vec![at(32, 1), at(64, 10)] },
        Confounder::LastBatch { rows: at(32, 16) },
        Confounder::Accumulation { parts: vec![[256, 64]] },
        Confounder::Hardware { kinds: vec!["A100".into(), "H100".into()] },
        Confounder::SharedGpu { runs: 32 },
        Confounder::Padding { is_read: true },
        Confounder::Padding { is_read: false },
        Confounder::RunningMeans { drops: true },
    ]
}

fn all_claims(metric: Metric) -> Vec<String> {
    let sizes = [32, 256];
    let target = Target::of_score(metric.info(), 0.8);
    let ratio = estimate(0.7, 0.1).exp();
    let updates = |known, inexact| Because::Updates {
        target: target.clone(),
        sizes,
        times: ratio,
        known,
        inexact,
        seeds: 3,
    };
    let residual = |equal_updates, at_best| Because::Residual {
        split: Split::Test,
        sizes,
        equal_updates,
        at_best,
        is_small: equal_updates,
    };
    let settings = vec![["model.lstm.dropout", "0.2"].map(String::from)];
    let missing = [
        Missing::Decomposition,
        Missing::NoiseScales,
        Missing::BoundedNoise,
        Missing::Sharpness,
        Missing::Curves,
        Missing::TwoSizes,
        Missing::CommonSeed,
        Missing::Passing,
        Missing::TwoArms,
    ];
    let mut all = vec![
        residual(true, None),
        residual(false, Some(estimate(0.001, 0.001))),
        Because::Noise { sizes, left_out: 1, seeds: 3 },
        Because::Minima { sharper: Some(true), better: Some(false) },
        Because::Minima { sharper: Some(false), better: Some(true) },
        Because::Minima { sharper: None, better: None },
        updates(Known::Exactly, 1),
        updates(Known::AtLeast, 1),
        updates(Known::AtMost, 0),
        Because::Memory { sizes, bytes: [200_000_000, 201_000_000], is_equal: true },
        Because::Speed { sizes, is_equal: false },
        Because::Setting { batch_size: 64, settings, of_many: 3, is_small: true },
    ];
    all.extend(missing.map(Because::Missing));
    let of = |because| Claim {
        claim: ClaimKind::Dropout,
        finding: Finding::Supported,
        arms: None,
        because,
        effect: Some(estimate(0.01, 0.002)),
        ratio: Some(ratio),
        detectable: None,
    };
    all.into_iter().map(|because| claims::because(&of(because), scale(metric))).collect()
}

fn names_of_claims(metric: Metric) -> Vec<String> {
    let kinds = [
        ClaimKind::NoiseGeneralises,
        ClaimKind::SmoothGradients,
        ClaimKind::SharpMinima,
        ClaimKind::FewerUpdates,
        ClaimKind::MoreMemory,
        ClaimKind::FasterEpochs,
        ClaimKind::FallingRateAt256,
        ClaimKind::FallingRate,
        ClaimKind::Dropout,
        ClaimKind::Penalties,
    ];
    kinds.map(|kind| claim(kind, scale(metric))).to_vec()
}

/// The first is the best where these are the scores.
fn comparison(first: f64, second: f64) -> Comparison {
    let seeds = |mean: f64, own: f64| [mean, mean + 0.001 + own, mean - 0.001];
    let arms = vec![arm_of(32, &seeds(first, 1e-4)), arm_of(256, &seeds(second, 0.0))];
    compare(&results(arms))
}

fn what_is_held_equal(metric: Metric) -> Vec<String> {
    let budgets = |found: &[BudgetFinding]| budgets::budgets(found, scale(metric));
    let of = |axis, amount, comparison| BudgetFinding {
        axis,
        amount,
        comparison,
        unread: Vec::new(),
        arms: Vec::new(),
    };
    let epochs = of(Axis::Examples, 51_200.0, comparison(0.85, 0.80));
    let mut steps = of(Axis::Steps, 400.0, comparison(0.85, 0.84));
    let flipped = of(Axis::Seconds, 12.0, comparison(0.80, 0.85));
    let mut said = budgets(&[epochs.clone(), steps.clone()]);
    said.extend(budgets(&[epochs.clone(), flipped]));
    steps.unread = vec!["batch-32".into()];
    said.extend(budgets(&[epochs.clone(), steps.clone()]));
    steps.comparison.arms.truncate(1);
    said.extend(budgets(&[epochs.clone(), steps]));
    assert!(budgets(&[epochs]).is_empty());
    let best = AtBest { comparison: comparison(0.80, 0.85), arms: Vec::new() };
    said.extend(budgets::at_best(&best, scale(metric)));
    said
}

fn agreements(metric: Metric) -> Vec<String> {
    let of = |agreement, batch_sizes: &[usize]| Agreed {
        agreement,
        batch_sizes: batch_sizes.to_vec(),
        not_everywhere: Vec::new(),
        silent: Vec::new(),
    };
    let silent = [
        ("a", Silence::NothingToCompare),
        ("b", Silence::OneArm),
        ("c", Silence::TooFewSeeds),
        ("d", Silence::ToTarget),
        ("e", Silence::OtherScore),
    ];
    let silent = silent.map(|(name, why)| (name.to_owned(), why)).to_vec();
    let all = [
        Agreed { not_everywhere: vec![512], ..of(Agreement::Agree, &[32, 64]) },
        of(Agreement::Disagree, &[]),
        of(Agreement::Differ, &[]),
        of(Agreement::Open, &[32, 1024]),
        of(Agreement::NothingInCommon, &[]),
        of(Agreement::TooLittleInCommon, &[64]),
        Agreed { silent, ..of(Agreement::TooFew, &[]) },
    ];
    all.iter().flat_map(|found| agreement(found, &[], scale(metric))).collect()
}

fn names() -> Vec<String> {
    let ways = [Rate::Given, Rate::Tuned]
        .into_iter()
        .flat_map(|rate| [Budget::Epochs, Budget::Steps].map(|budget| way(Way { rate, budget })));
    let edges = [None, Some(Edge::Lowest), Some(Edge::Highest)].map(edge);
    let objectives = [
        StudyObjective::Time,
        StudyObjective::Memory,
        StudyObjective::Examples,
        StudyObjective::LargestBatch,
    ];
    let findings =
        [Finding::Supported, Finding::Contradicted, Finding::Inconclusive, Finding::NotTested];
    let all = ways.chain(edges).chain(objectives.map(objective)).chain(findings.map(finding));
    all.map(str::to_owned).collect()
}

#[test]
fn all_sentences_read_as_in_the_file() {
    let named = |found: &Confounder| format!("{}: {}", confounder_name(found), confounder(found));
    let topics: [(&str, Vec<String>); 10] = [
        ("gap", gaps(ACCURACY)),
        ("confounders", all_confounders().iter().map(named).collect()),
        ("claims", [names_of_claims(ACCURACY), all_claims(ACCURACY)].concat()),
        ("budgets", what_is_held_equal(ACCURACY)),
        ("noise", noise_scales()),
        ("minima", sharpness(ACCURACY)),
        ("rates and target", lines_and_curves()),
        ("agreement", agreements(ACCURACY)),
        ("cautions", all_cautions(ACCURACY)),
        ("names", names()),
    ];
    let text: Vec<String> = topics
        .iter()
        .map(|(title, lines)| format!("{title}\n  {}\n", lines.join("\n  ")))
        .collect();
    let text = text.join("\n");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/words/said.txt");
    assert!(text == std::fs::read_to_string(file).unwrap(), "{text}");
}

/// Everything that names the score.
fn about(metric: Metric) -> String {
    let all = [
        all_cautions(metric),
        gaps(metric),
        names_of_claims(metric),
        all_claims(metric),
        what_is_held_equal(metric),
        sharpness(metric),
        agreements(metric),
    ];
    all.concat().join("\n")
}

#[test]
fn no_sentence_of_another_score_speaks_of_accuracy_or_of_points() {
    for metric in [Metric::F1, Metric::Rmse, Metric::LogLoss, Metric::BalancedAccuracy] {
        let said = about(metric).to_lowercase();
        let said = said.replace("balanced accuracy", "").replace("balanced_accuracy", "");
        let is_percent = metric == Metric::BalancedAccuracy;
        for word in ["accura", " points"].iter().take(if is_percent { 1 } else { 2 }) {
            let found: Vec<&str> = said.lines().filter(|line| line.contains(word)).collect();
            assert!(found.is_empty(), "{metric:?}: {found:#?}");
        }
    }
    // The same runs, whose scores fall: sharper minima go with a higher RMSE where accuracy is lower.
    let [of_accuracy, of_rmse] =
        [Metric::Accuracy, Metric::Rmse].map(|of| sharpness(of).join("\n"));
    assert!(
        of_accuracy.contains("were less accurate (a relation, not a cause): Kendall's tau -0.50")
    );
    let said =
        "had a higher RMSE (a relation, not a cause): Kendall's tau +0.50 (95 % CI +0.20 to +0.80)";
    assert!(of_rmse.contains(said), "{of_rmse}");
    for said in ["32 has a lower RMSE than 256", "dropout lowers RMSE", "Training RMSE rises to"] {
        assert!(about(Metric::Rmse).contains(said), "{said}: {}", about(Metric::Rmse));
    }
}

#[test]
fn no_clause_is_longer_than_25_words() {
    let said = [
        all_cautions(ACCURACY),
        gaps(ACCURACY),
        all_claims(ACCURACY),
        what_is_held_equal(ACCURACY),
        noise_scales(),
        sharpness(ACCURACY),
    ]
    .concat();
    let all = said.iter().flat_map(|text| text.split_inclusive(['.', ';', ':']));
    // Numbers in brackets are looked up, not read.
    let words = |part: &str| {
        let mut depth = 0i32;
        let read: String = part
            .chars()
            .filter(|c| {
                depth += i32::from(*c == '(') - i32::from(*c == ')');
                depth == 0
            })
            .collect();
        read.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count()
    };
    let long: Vec<&str> = all.filter(|part| words(part) > 25).collect();
    assert!(long.is_empty(), "{long:#?}");
}
