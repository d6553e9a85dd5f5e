use super::*;
use crate::analysis::tests::{arm, gap_arms, point, results, sharpness};
use crate::analysis::{
    Line, LinePoint, NoisePoint, NoiseRun, NoiseScale, Point, SharpnessRun, Target, analyse,
};
use crate::report::plot::Panel;
use crate::spec::Metric;
use crate::stats::Interval;
use crate::stats::tests::generator;

/// Two batch sizes with noise scales and sharpness.
fn planted() -> Results {
    let scale = |value: f64| NoiseScale {
        value: Some(value),
        interval: Some(Interval { low: 0.7 * value, high: 1.6 * value }),
        at_least: None,
    };
    let point = |step: u64, value: f64| NoisePoint {
        step,
        examples: 32 * step,
        plain: scale(value),
        adam: (step > 1).then(|| scale(3.0 * value)),
    };
    let bound = NoiseScale { value: None, interval: None, at_least: Some(900.0) };
    let last = NoisePoint { plain: bound, ..point(400, 1.0) };
    let noise = |batch_size: usize| NoiseRun {
        arm: format!("batch-{batch_size}"),
        batch_size,
        seed: 0,
        points: vec![point(1, 20.0), point(100, 90.0), last],
    };
    let minimum = |batch_size: usize, seed: u64| SharpnessRun {
        arm: format!("batch-{batch_size}"),
        batch_size,
        learning_rate: 1e-3,
        seed,
        score: 0.8 + 0.01 * seed as f64,
        sharpness: sharpness(3.0 + batch_size as f64 / 64.0, 0.2 + seed as f64),
    };
    let at = |alpha: f64| LinePoint {
        alpha,
        train: [0.1 + (alpha * (1.0 - alpha)).abs(), 0.9],
        validation: [0.4 + (alpha - 0.5).powi(2), 0.8],
    };
    let line = |seed: u64, shift: f64| Line {
        small: "batch-32".into(),
        large: "batch-256".into(),
        seed,
        metric: Metric::Accuracy.info(),
        points: [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0]
            .map(|alpha| {
                let LinePoint { train: [loss, accuracy], .. } = at(alpha);
                LinePoint { train: [loss + shift, accuracy], ..at(alpha) }
            })
            .to_vec(),
    };
    let sizes = [(32, 0), (32, 1), (256, 0), (256, 1)];
    Results {
        noise: vec![noise(32), noise(256)],
        sharpness: sizes.map(|(size, seed)| minimum(size, seed)).to_vec(),
        lines: vec![line(0, 0.0), line(1, 0.2)],
        ..results(vec![arm(32, &[0.8, 0.81]), arm(256, &[0.79, 0.8])])
    }
}

#[test]
fn noise_and_sharpness_are_drawn_with_all_their_values() {
    let results = planted();
    let findings = analyse(&results, &mut generator(1));
    let figures = draw(&Study { results: &results, findings: &findings });
    let file = |name: &str| {
        figures.iter().find(|figure| figure.name == name).unwrap_or_else(|| panic!("{name}")).file()
    };
    let titles = |file: &str| -> Vec<String> {
        let read = roxmltree::Document::parse(file).unwrap();
        let titles = read.descendants().filter(|node| node.has_tag_name("title"));
        titles.filter_map(|node| Some(node.text()?.to_owned())).collect()
    };
    let noise = titles(&file("noise"));
    for part in ["seed 0, step 100: 90 (63 to 144)", "step 400: more than 900", "270 (189"] {
        assert!(noise.iter().any(|says| says.contains(part)), "{part}: {noise:?}");
    }
    let sharpness = titles(&file("sharpness"));
    for part in [
        "batch-256, seed 1: 7",
        "batch-32, seed 0: 0.4",
        "training, 0.5: 0.45 on average, seeds 0.35 to 0.55",
    ] {
        assert!(sharpness.iter().any(|says| says.contains(part)), "{part}: {sharpness:?}");
    }
}

/// A panel as a reader sees it.
struct Read {
    /// Class, x, y and what it says.
    marks: Vec<(String, f64, f64, String)>,
    /// Class, y and text.
    texts: Vec<(String, f64, String)>,
    /// Classes and paths of all lines.
    paths: Vec<(String, String)>,
}

impl Read {
    fn of(panel: &Panel) -> Self {
        let file = format!("<svg>{}</svg>", panel.body);
        let read = roxmltree::Document::parse(&file).unwrap();
        let class = |node: &roxmltree::Node| node.attribute("class").unwrap_or_default().to_owned();
        let number = |node: &roxmltree::Node, name: &str| -> Option<f64> {
            node.attribute(name)?.parse().ok()
        };
        let (mut marks, mut texts, mut paths) = (Vec::new(), Vec::new(), Vec::new());
        for node in read.descendants() {
            if node.has_tag_name("g") {
                let shape = node.first_element_child().unwrap();
                let radius = if class(&node).starts_with("mean") { 5.0 } else { 3.1 };
                let [x, y] = centre(&shape, radius);
                let says = node.last_element_child().unwrap().text().unwrap();
                marks.push((class(&node), x, y, says.to_owned()));
            }
            if node.has_tag_name("text") {
                let y = number(&node, "y").unwrap_or(f64::NAN);
                texts.push((class(&node), y, node.text().unwrap_or_default().to_owned()));
            }
            if node.has_tag_name("path") {
                paths.push((class(&node), node.attribute("d").unwrap().to_owned()));
            }
        }
        Self { marks, texts, paths }
    }

    /// The value that stands at this height, by the ticks beside the axis.
    fn value(&self, y: f64, is_log: bool) -> f64 {
        let number = |text: &str| -> f64 {
            let text = text.trim_end_matches(" %").trim_end_matches(" MB").trim_start_matches('+');
            text.strip_suffix('k')
                .map_or_else(|| text.parse().unwrap(), |text| 1e3 * text.parse::<f64>().unwrap())
        };
        let scaled = |value: f64| if is_log { value.ln() } else { value };
        // Labels stand 4 below their ticks.
        let ticks: Vec<(f64, f64)> = self
            .texts
            .iter()
            .filter(|(class, ..)| class == "end")
            .map(|(_, y, text)| (y - 4.0, scaled(number(text))))
            .collect();
        let ((from, low), (to, high)) = (ticks[0], ticks[ticks.len() - 1]);
        let value = low + (high - low) * (y - from) / (to - from);
        if is_log { value.exp() } else { value }
    }

    /// Of the means, in the order in which they were drawn.
    fn means(&self, is_log: bool) -> Vec<f64> {
        let means = self.marks.iter().filter(|(class, ..)| class.starts_with("mean"));
        means.map(|(_, _, y, _)| self.value(*y, is_log)).collect()
    }
}

fn centre(shape: &roxmltree::Node, radius: f64) -> [f64; 2] {
    let number = |name: &str| -> f64 { shape.attribute(name).unwrap().parse().unwrap() };
    match shape.tag_name().name() {
        "circle" => [number("cx"), number("cy")],
        "rect" => [number("x") + number("width") / 2.0, number("y") + number("height") / 2.0],
        // Triangles and diamonds begin at their tips.
        _ => {
            let tip = shape.attribute("d").unwrap()[1..].split('L').next().unwrap();
            let tip: Vec<f64> = tip.split(' ').map(|text| text.parse().unwrap()).collect();
            [tip[0], tip[1] + 1.25 * radius]
        }
    }
}

fn drawn(results: &Results, name: &str) -> Option<Figure> {
    let findings = analyse(results, &mut generator(1));
    let figures = draw(&Study { results, findings: &findings });
    figures.into_iter().find(|figure| figure.name == name)
}

fn titles(figure: &Figure) -> Vec<&str> {
    figure.panels.iter().map(|panel| panel.title.as_str()).collect()
}

/// Within what a tenth of a unit of the drawing makes.
fn near_all(found: &[f64], expected: &[f64], by: f64) {
    let is_near = |(a, b): (&f64, &f64)| (a - b).abs() <= by;
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(is_near),
        "{found:?} where {expected:?} was expected"
    );
}

/// Two epochs of 6,400 rows, measured sixteen times, each step of two milliseconds.
fn with_curve(mut arm: ArmResults) -> ArmResults {
    for run in arm.runs.values_mut() {
        let point = |at: u64| {
            let (examples, step) = (800 * at, 800 * at / arm.batch_size as u64);
            let score = run.validation - 0.01 * (16 - at) as f64;
            Point { examples, seconds: 2e-3 * step as f64, ..point(step, score) }
        };
        run.curve = (1..=16).map(point).collect();
        (run.steps, run.examples) = (run.curve[15].step, 12_800);
    }
    arm
}

#[test]
fn arms_that_differ_in_their_schedules_stand_in_one_panel_under_their_names() {
    let with = |name: &str, size: usize, schedule: &str, accuracy: f64| {
        let arm = arm(size, &[accuracy, accuracy + 0.01, accuracy - 0.01]);
        let settings = [("train.schedule".to_owned(), schedule.to_owned())].into();
        ArmResults { name: name.into(), settings, ..arm }
    };
    let study = results(vec![
        with("small", 32, "constant", 0.80),
        with("medium", 64, "lr * 0.9^epoch", 0.84),
        with("large", 256, "lr * 0.8^epoch", 0.82),
    ]);
    let figure = drawn(&study, "accuracy").unwrap();
    assert_eq!(titles(&figure), ["at the end of the runs"]);
    let names: Vec<&str> = figure.legend.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["small (batch 32)", "medium (batch 64)", "large (batch 256)"]);
    // On the test split, where each is a point lower.
    near_all(&Read::of(&figure.panels[0]).means(false), &[79.0, 83.0, 81.0], 0.05);
}

#[test]
fn the_caption_says_what_the_results_in_the_figure_mean() {
    let seeds = [0.80, 0.801, 0.80, 0.801];
    let open = [0.79, 0.815, 0.78, 0.81];
    let caption = |other: &[f64]| {
        drawn(&results(vec![arm(32, &seeds), arm(64, other)]), "answer").unwrap().caption
    };
    assert!(
        caption(&seeds.map(|score| score - 0.1)).ends_with(" Out: shown to be worse than another.")
    );
    assert!(
        caption(&seeds.map(|score| score - 0.001))
            .ends_with(" Equivalent: shown to be as good as the best, within the margin.")
    );
    assert!(caption(&open).ends_with(" Undecided: not shown to be worse, nor as good."));
}

#[test]
fn runs_that_end_after_equal_epochs_are_drawn_once() {
    let arms = [arm(32, &[0.80, 0.81, 0.79]), arm(256, &[0.70, 0.71, 0.69])].map(with_curve);
    let figure = drawn(&results(arms.to_vec()), "accuracy").unwrap();
    let titles = titles(&figure);
    assert_eq!(titles, ["at the end of the runs", "equal steps (50 steps)", "equal time (0.1 s)"]);
    // After 50 of 400 steps, an eighth of the way, the small batch is at 66 %.
    near_all(&Read::of(&figure.panels[1]).means(false), &[66.0, 70.0], 0.1);
    assert!(figure.legend.is_empty());
}

#[test]
fn what_a_batch_size_costs_has_a_mean_and_room_for_its_bar() {
    let mut arms = vec![arm(32, &[0.8; 3]), arm(256, &[0.8; 3])];
    for (place, arm) in arms.iter_mut().enumerate() {
        for (seed, run) in &mut arm.runs {
            run.train_seconds = 2.0 + place as f64 + 0.1 * *seed as f64;
            (run.examples, run.steps) = (12_000, 100);
            run.peak_memory = 150_000_000 + 10_000_000 * seed;
        }
    }
    let figure = drawn(&results(arms), "cost").unwrap();
    let read: Vec<Read> = figure.panels.iter().map(Read::of).collect();
    // Milliseconds of a step, on a logarithmic axis, and seconds of an epoch of 6,000 rows.
    near_all(&read[0].means(true), &[21.0, 31.0], 0.1);
    near_all(&read[1].means(false), &[1.05, 1.55], 0.01);
    near_all(&read[3].means(false), &[160.0, 160.0], 1.0);
    for (panel, read) in figure.panels.iter().zip(&read) {
        let bars: Vec<&String> = read
            .paths
            .iter()
            .filter(|(class, _)| class.starts_with("line c"))
            .map(|(_, path)| path)
            .collect();
        assert_eq!(bars.len(), 2, "{}", panel.title);
        assert!(bars.iter().all(|bar| bar.matches("h8").count() == 2), "{}: {bars:?}", panel.title);
        assert!(!panel.body.contains("0 kB"), "{}", panel.title);
    }
}

#[test]
fn memory_that_hardly_differs_has_no_panel() {
    let of = |large: u64| {
        let mut arms = vec![arm(32, &[0.80, 0.81, 0.79]), arm(256, &[0.83, 0.84, 0.82])];
        arms[0].runs.values_mut().for_each(|run| run.peak_memory = 160_000_000);
        arms[1].runs.values_mut().for_each(|run| run.peak_memory = large);
        drawn(&results(arms), "pareto").unwrap()
    };
    assert!(!titles(&of(164_000_000)).contains(&"against memory"));
    let wide = of(400_000_000);
    let at = titles(&wide).iter().position(|title| *title == "against memory").unwrap();
    near_all(&Read::of(&wide.panels[at]).means(false), &[80.0, 83.0], 0.05);
}

#[test]
fn the_parts_of_a_gap_are_bars_with_their_values_in_a_row_below_the_axis() {
    let arms = gap_arms(|place| {
        let (accuracy, own) = ([0.85, 0.82, 0.86, 0.84, 0.85][place], 1e-3 * place as f64);
        vec![accuracy, accuracy + 0.01 + own, accuracy - 0.01 - own]
    });
    let study = Results { decompose: Some([32, 256]), ..results(arms) };
    let figure = drawn(&study, "gap").unwrap();
    assert_eq!(figure.panels.len(), 3);
    let read = Read::of(&figure.panels[0]);
    // Beside the names of the bars there is one row of values, and nothing else stands there.
    let lowest = read.texts.iter().map(|(_, y, _)| *y).fold(0.0, f64::max);
    let row: Vec<&str> = read
        .texts
        .iter()
        .filter(|(class, y, text)| class == "mid" && !text.is_empty() && lowest - y < 8.0)
        .map(|(.., text)| text.as_str())
        .collect();
    assert_eq!(row, ["+3.00", "+1.00", "+1.00", "+1.00"]);
}

#[test]
fn a_curve_of_steps_is_drawn_where_the_critical_batch_size_is_known() {
    let of = |steps: fn(f64) -> f64| {
        let arms = [16, 32, 64, 128, 256, 512].map(|size: usize| {
            let mut arm = arm(size, &[0.85, 0.85, 0.85]);
            let takes = steps(size as f64);
            for run in arm.runs.values_mut() {
                let point = |(share, score): (f64, f64)| {
                    let point = point((takes * share) as u64, score);
                    Point { examples: point.step * size as u64, seconds: takes * share, ..point }
                };
                // 0.8 is a third of the way from half of the steps to twice as many.
                run.curve = [(0.5, 0.7), (2.0, 1.0)].map(point).to_vec();
            }
            arm
        });
        let declared_target = Some(Target::of_accuracy(0.8));
        let figure =
            drawn(&Results { declared_target, ..results(arms.to_vec()) }, "target").unwrap();
        let read = Read::of(&figure.panels[0]);
        let curves = read.paths.iter().filter(|(class, _)| class.starts_with("line ink")).count();
        (curves, read.means(true))
    };
    let (curves, means) = of(|size| 50.0 + 6400.0 / size);
    assert_eq!((curves, means.len()), (1, 18));
    near_all(&[means[0], means[17]], &[450.0, 62.5], 4.0);
    // Perfect scaling throughout: the critical batch size lies beyond all of them.
    assert_eq!(of(|size| 6400.0 / size).0, 0);
}

#[test]
fn the_best_learning_rates_stand_where_they_are_and_each_rule_has_its_name() {
    let with = |size: usize, rate: f64, accuracy: f64| ArmResults {
        learning_rate: rate,
        ..arm(size, &[accuracy, accuracy + 0.01])
    };
    let grid = |size| [with(size, 1e-3, 0.8), with(size, 1e-2, 0.85), with(size, 1e-1, 0.8)];
    let figure = drawn(&results([16, 64, 256].map(grid).concat()), "rate-law").unwrap();
    let read = Read::of(&figure.panels[0]);
    near_all(&read.means(true), &[1e-2; 3], 3e-4);
    let names = read.texts.iter().filter(|(class, ..)| class == "label");
    let names: Vec<&str> = names.map(|(.., text)| text.as_str()).collect();
    assert_eq!(names, ["the same rate", "square root", "linear"]);
    // Within the panel, below its title.
    assert!(
        read.texts.iter().all(|(class, y, _)| class != "label" || *y > 30.0),
        "{:?}",
        read.texts
    );
}
