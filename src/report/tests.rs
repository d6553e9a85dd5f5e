//! A whole study of another score than accuracy, from its numbers to everything that is said of it.

use super::*;
use crate::analysis::tests::{gap_arms, point, results, sharpness};
use crate::analysis::{
    ArmFinding, ArmResults, Line, LinePoint, Point, SharpnessRun, Target, Tuning,
};
use crate::config::{Source as File, Study};
use crate::spec::{MetricInfo, Unit};
use crate::stats::Trial;

/// A score that is as good as this accuracy, turned: errors are ten times the share of wrong rows.
fn score(info: &MetricInfo, accuracy: f64) -> f64 {
    let error = if info.unit == Unit::Target { 10.0 } else { 1.0 };
    if info.falls() { -error * (1.0 - accuracy) } else { accuracy }
}

/// With curves and answers to test rows, and scores of a metric in place of accuracies.
fn measured(info: &MetricInfo, mut arm: ArmResults) -> ArmResults {
    for (seed, run) in &mut arm.runs {
        let point = |at: u64| Point {
            examples: 10 * at * arm.batch_size as u64,
            seconds: at as f64,
            train: Some([0.4, score(info, run.validation + 0.02)]),
            ..point(10 * at, score(info, run.validation - 0.01 * at.abs_diff(6) as f64))
        };
        run.curve = (1..=7).map(point).collect();
        run.rows = (0..60).map(|row| ((row + seed) % 5) as f32).collect();
        run.validation = score(info, run.validation);
        run.test = run.test.map(|test| score(info, test));
    }
    arm
}

fn one_minimum(arm: &ArmResults, seed: u64) -> SharpnessRun {
    SharpnessRun {
        arm: arm.name.clone(),
        batch_size: arm.batch_size,
        learning_rate: 1e-3,
        seed,
        score: arm.runs[&seed].validation,
        sharpness: sharpness(
            3.0 + arm.batch_size as f64 / 64.0 + 0.1 * seed as f64,
            0.2 + seed as f64,
        ),
    }
}

/// The five arms of a gap, with curves, answers of test rows, sharpness and lines.
fn study(metric: Metric) -> Results {
    let info = metric.info();
    let arms = gap_arms(|place| {
        let (accuracy, own) = ([0.85, 0.80, 0.86, 0.83, 0.84][place], 1e-3 * place as f64);
        vec![accuracy, accuracy + 0.01 + own, accuracy - 0.01 - own]
    });
    let arms: Vec<ArmResults> = arms.into_iter().map(|arm| measured(info, arm)).collect();
    let minimum = |(place, seed): (usize, u64)| one_minimum(&arms[place], seed);
    let at = |alpha: f64| LinePoint {
        alpha,
        train: [0.1 + (alpha * (1.0 - alpha)).abs(), score(info, 0.9 - alpha * (1.0 - alpha))],
        validation: [0.4, score(info, 0.8)],
    };
    let line = |seed: u64| Line {
        small: "a2".into(),
        large: "a3".into(),
        seed,
        metric: info,
        points: [0.0, 0.5, 1.0].map(at).to_vec(),
    };
    let tuning = |place: usize| Tuning {
        arm: format!("a{place}"),
        batch_size: arms[place].batch_size,
        trials: [(1e-3, 0.8), (1e-2, 0.85), (1e-1, 0.7)]
            .map(|(learning_rate, accuracy)| Trial {
                learning_rate,
                validation: vec![score(info, accuracy), score(info, accuracy + 0.01)],
                ..Trial::default()
            })
            .to_vec(),
        chosen: 1e-2,
        edge: None,
    };
    Results {
        score: info,
        margin: if info.unit == Unit::Target { 0.05 } else { 0.005 },
        baseline: Some(score(info, 0.5)),
        earlier_margins: vec![0.01],
        decompose: Some([32, 256]),
        tunings: [2, 3].map(tuning).to_vec(),
        sharpness: [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)].map(minimum).to_vec(),
        lines: vec![line(0), line(1), line(2)],
        ..results(arms.clone())
    }
}

/// Everything that is said of results, by where.
fn said(results: &Results) -> Vec<(String, String)> {
    let command = ["batchscope", "run", "x.yaml"].map(String::from).to_vec();
    let source = Source { folder: "runs/x".into(), command, ..Source::default() };
    let report = told("x", results, &source, "runs/x/report/index.html".into());
    let sections = sections::sections(results, &report);
    let figures = figures::draw(&figures::Study { results, findings: &report.findings });
    let name = results.score.name;
    let head = if name == "rmse" { "dense: { activation: linear }" } else { "dense: {}" };
    let text = format!(
        "study: {{ score: {name}, margin: 0.05, arms: [{{ batch_size: 32 }}, {{ batch_size: 256 }}] }}\n\
         data: {{ table: {{ path: a.csv }} }}\nmodel: {{ embedding: {{}}, {head} }}\n"
    );
    let study = Study::from_source(&File { name: "x".into(), text, overrides: vec![] }, "x");
    let parts = page::Parts {
        report: &report,
        results,
        sections: &sections,
        figures: &figures,
        tables: &[],
        study: &study.unwrap(),
        sessions: &[],
    };
    let mut all = vec![
        ("verdict.md".to_owned(), verdict::page(&report, &sections)),
        ("page".to_owned(), page::page(&parts).unwrap()),
        ("terminal".to_owned(), report.text()),
    ];
    for (name, table) in tables::files(results, &report.findings) {
        all.push((name.to_owned(), csv(&table).unwrap()));
    }
    all.extend(figures.iter().map(|figure| (figure.name.to_owned(), figure.file())));
    all
}

/// Letters of one another's neighbourhood, for a message.
fn around(text: &str, word: &str) -> Option<String> {
    let at = text.to_lowercase().find(word)?;
    let letters = |from: usize, to: usize| text.get(from..to).map(str::to_owned);
    Some(
        (0..8)
            .find_map(|shift| letters(at.saturating_sub(80 + shift), at + 40))
            .unwrap_or_default(),
    )
}

#[test]
fn a_study_of_another_score_speaks_of_that_score_alone() {
    for (metric, title, column) in
        [(Metric::F1, "F1", "validation_f1"), (Metric::Rmse, "RMSE", "validation_rmse")]
    {
        let said = said(&study(metric));
        for (place, text) in &said {
            // The names of a figure and of its place.
            let text = text.replace("id=\"accuracy\"", "").replace("accuracy.svg", "");
            assert_eq!(around(&text, "accura"), None, "{metric:?}, {place}");
            for word in ["nan ", ">nan", " points", "+inf"] {
                assert_eq!(around(&text, word), None, "{metric:?}, {place}");
            }
        }
        let text = |wanted: &str| &said.iter().find(|(place, _)| place == wanted).unwrap().1;
        for place in ["verdict.md", "page", "terminal", "accuracy", "curves", "gap", "sharpness"] {
            assert!(text(place).contains(title), "{metric:?}, {place}");
        }
        for place in ["runs.csv", "arms.csv", "learning_rates.csv", "budgets.csv"] {
            assert!(text(place).contains(column), "{metric:?}, {place}: {}", text(place));
        }
    }
}

#[test]
fn an_error_is_shown_as_it_is_and_the_lowest_is_the_best() {
    let said = said(&study(Metric::Rmse));
    let text = |wanted: &str| &said.iter().find(|(place, _)| place == wanted).unwrap().1;
    let verdict = text("verdict.md");
    // Tuned arms decide: errors of 10 (1 - 0.86) and 10 (1 - 0.83), on test 0.1 more.
    for part in ["Use a2", "| 1.50 | 1.40 |", "| 1.80 | 1.70 |", "+0.300", "lowest mean", "RMSE"] {
        assert!(verdict.contains(part), "{part}: {verdict}");
    }
    let runs = text("runs.csv");
    assert!(runs.lines().any(|line| line.starts_with("a2,32,0.001,0,1.4,")), "{runs}");
    // The margin lies above the best mean, and natural values stand beside the axis.
    assert!(
        text("accuracy").contains("above the best mean") || text("page").contains("above the best")
    );
    let comparisons = text("comparisons.csv");
    let row = comparisons.lines().find(|line| line.contains("a3,a2,validation")).unwrap();
    let numbers: Vec<f64> = row.split(',').filter_map(|cell| cell.parse().ok()).collect();
    // The mean, its spread, and the ends of its interval, from low to high.
    assert!((numbers[0] - 0.3).abs() < 1e-6 && numbers[2] < 0.3 && 0.3 < numbers[3], "{row}");
}

#[test]
fn the_terminal_has_the_caveat_where_no_warning_is_worse() {
    let text = |earlier: &[f64]| {
        let earlier_margins = earlier.to_vec();
        let results = Results { earlier_margins, baseline: None, ..study(Metric::Accuracy) };
        let source = Source { folder: "x".into(), command: vec![], ..Source::default() };
        told("x", &results, &source, "x/report/index.html".into()).text()
    };
    let (plain, warned) = (text(&[]), text(&[0.01]));
    assert!(plain.contains("Caveat: ") && !plain.contains("Warning: "), "{plain}");
    assert!(warned.contains("Warning: The margin was") && !warned.contains("Caveat: "), "{warned}");
}

#[test]
fn for_other_programs_more_is_better_and_an_arm_that_is_worse_lies_below_0() {
    let source = Source { folder: "x".into(), command: vec![], ..Source::default() };
    let of = |results: &Results| {
        let report = told("x", results, &source, "x/report/index.html".into());
        serde_json::to_value(report).unwrap()
    };
    let json = of(&study(Metric::Rmse));
    assert_eq!(json["score"]["metric"], "rmse");
    assert_eq!(json["score"]["sign_is_changed"], true);
    assert_eq!(
        [&json["score"]["better"], &json["score"]["unit"]],
        ["lower", "that of the targets"]
    );
    assert_eq!(json["score"]["range"], serde_json::json!([0.0, null]));
    assert!(json["score"]["values"].as_str().unwrap().starts_with("with the other sign"));
    for (pointer, expected) in [
        // Errors of 1.4 and 1.7, where 0.05 does not matter.
        ("/comparison/arms/0/validation/mean", -1.4),
        ("/comparison/arms/1/validation/mean", -1.7),
        ("/comparison/arms/1/difference/mean", -0.3),
        ("/comparison/arms/1/test_difference/mean", -0.3),
        ("/comparison/margin", 0.05),
        // Small minus large: the small batch size is better by 0.5.
        ("/decomposition/validation/total/mean", 0.5),
        ("/tunings/0/trials/0/validation/0", -2.0),
        // What each arm's runs come to at their best, less the margin.
        ("/target/target", -1.75),
        ("/sharpness/barriers/0/ends/0", -1.0),
        ("/sharpness/barriers/0/worst/mean", -3.5),
    ] {
        let found = json.pointer(pointer).and_then(Value::as_f64).unwrap();
        assert!((found - expected).abs() < 1e-6, "{pointer}: {found}");
    }
    for ends in ["validation/interval", "difference/interval", "from_best"] {
        let end = |end: &str| {
            let found = json.pointer(&format!("/comparison/arms/1/{ends}/{end}"));
            found.and_then(Value::as_f64).unwrap()
        };
        assert!(end("low") < end("high") && end("high") < 0.0, "{ends}");
    }
    // A loss is no metric: it is as it was measured.
    let target = |metric: &str, falls| {
        let target = Target { metric: metric.into(), value: 0.7, falls, is_score: false };
        let declared_target = Some(target);
        of(&Results { declared_target, ..study(Metric::Rmse) })["target"]["target"].clone()
    };
    assert_eq!([target("val_loss", true), target("val_mae", true)], [0.7, -0.7].map(Value::from));
    assert_eq!(target("val_r2", false), 0.7);
}

#[test]
fn a_metric_that_falls_decides_as_its_mirror_image_that_rises() {
    let rising = findings(&study(Metric::F1));
    // A Brier score of 1 - F1, seed by seed.
    let falling = findings(&study(Metric::Brier));
    assert_eq!(rising.verdict.recommended, falling.verdict.recommended);
    assert_eq!(rising.verdict.outcome, falling.verdict.outcome);
    assert_eq!(rising.verdict.more, falling.verdict.more);
    for (a, b) in rising.comparison.arms.iter().zip(&falling.comparison.arms) {
        assert_eq!((a.standing, a.role, a.seeds_needed), (b.standing, b.role, b.seeds_needed));
        let low = |of: &ArmFinding| of.from_best.map_or(0.0, |ends| ends.low);
        assert!((low(a) - low(b)).abs() < 1e-9);
    }
    let kinds = |of: &Findings| -> Vec<_> {
        of.claims.iter().map(|claim| (claim.claim, claim.finding)).collect()
    };
    assert_eq!(kinds(&rising), kinds(&falling));
}
