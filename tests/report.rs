use crate::util::{STUDY, Scene};
use std::fs;

#[test]
fn the_report_is_one_page_that_loads_nothing_and_comes_out_the_same_again() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let ended = scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    assert!(ended.stdout.contains("study/report/index.html"), "{}", ended.stdout);
    let page = scene.read("study/report/index.html");
    for loads in ["src=\"http", "href=\"http", "url(http", "@import", "<link"] {
        assert!(!page.contains(loads), "the page loads something: {loads}");
    }
    assert!(page.contains("<svg") && page.contains("class=\"panels first\""));
    let files = || {
        let figures = fs::read_dir(scene.path("study/report/figures")).unwrap();
        let mut names: Vec<_> = figures.map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names.into_iter().map(|path| (fs::read_to_string(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    let drawn = files();
    assert!(drawn.len() >= 4, "{drawn:?}");
    for (figure, path) in &drawn {
        let read = roxmltree::Document::parse(figure);
        let read = read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let marks = read.descendants().filter(|node| node.has_tag_name("title")).count();
        assert!(marks > 1, "{} shows no values", path.display());
        // Rasterisers know no variables of CSS.
        assert!(!figure.contains("var("), "{}", path.display());
    }
    let accuracy = scene.read("study/report/figures/accuracy.svg");
    // With equal epochs these are the same runs as at their ends; with equal time an arm may not have been
    // measured yet.
    assert!(accuracy.contains("equal steps (") && !accuracy.contains("equal epochs ("), "panels");
    assert!(
        accuracy.contains("95 % t intervals (n = 2 seeds, over test rows too)"),
        "n and the kind of interval"
    );
    let curves = scene.read("study/report/figures/curves.svg");
    assert!(curves.contains("(n = 2 seeds)") && curves.contains("3 measurements a run"), "caption");
    // What an earlier report had rows for, and this one has none for, goes.
    let old = ["study/report/tables/decomposition.csv", "study/report/figures/gap.svg"];
    old.iter().for_each(|name| scene.write(name, "old"));
    scene.run(&["report", "study"]).expect(0);
    assert!(old.iter().all(|name| !scene.path(name).exists()), "{old:?}");
    assert_eq!(scene.read("study/report/index.html"), page);
    assert_eq!(files(), drawn);
}

#[test]
fn the_next_command_of_a_study_that_was_moved_names_its_new_place() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "first"]).expect(0);
    fs::rename(scene.path("first"), scene.path("second")).unwrap();
    let next = |folder: &str| {
        let json = scene.run(&["report", folder, "--json"]).expect(0).stdout;
        let report: serde_json::Value = serde_json::from_str(&json).unwrap();
        report["reports"][0]["answer"]["next"]["command"].as_str().unwrap().to_owned()
    };
    assert_eq!(next("second"), "batchscope run tiny.yaml --out second --seeds 5");
}

#[test]
fn several_studies_stand_on_one_page_that_loads_nothing_and_comes_out_the_same_again() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "runs/first"]).expect(0);
    let schedule =
        "{ table: { lr: [0.0011, 0.0012, 0.0013, 0.0014, 0.0015, 0.0016, 0.0017], per: step } }";
    let schedule = format!("train.schedule={schedule}");
    let changed = ["--set", "train.epochs=2", "--set", "data.split.seed=7", "--set", &schedule];
    let arguments = [&["run", "tiny.yaml", "--out", "runs/second study"], &changed[..]].concat();
    scene.run(&arguments).expect(0);
    let ended = scene.run(&["report", "runs/first", "runs/second study"]).expect(0);
    assert!(ended.stdout.contains("runs/comparison/index.html"), "{}", ended.stdout);
    let page = scene.read("runs/comparison/index.html");
    for loads in ["src=\"http", "href=\"http", "url(http", "@import", "<link"] {
        assert!(!page.contains(loads), "the page loads something: {loads}");
    }
    for part in [
        "Do they agree on a batch size?",
        "href=\"../first/report/index.html\"",
        "href=\"../second%20study/report/index.html\"",
        // Studies of the same name are told apart, and what sets them apart is listed.
        "tiny (runs/first)",
        "differ in their data",
        "fewer than three seeds",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
    let drawn = scene.read("runs/comparison/figures/differences.svg");
    // Each batch size of each study, the best of it among them, with its difference.
    let read = roxmltree::Document::parse(&drawn).unwrap();
    let means = read
        .descendants()
        .filter(|node| node.attribute("class").is_some_and(|c| c.starts_with("mean")));
    let said: Vec<&str> =
        means.filter_map(|mean| mean.descendants().find_map(|n| n.text())).collect();
    assert_eq!(said.len(), 4, "{said:?}");
    assert_eq!(said.iter().filter(|said| said.ends_with(": best")).count(), 2, "{said:?}");
    let table = scene.read("runs/comparison/tables/studies.csv");
    assert_eq!(table.lines().count(), 3, "{table}");
    assert_eq!(scene.read("runs/comparison/tables/differences.csv").lines().count(), 5);
    let settings = scene.read("runs/comparison/tables/settings.csv");
    assert!(settings.contains("0.0015,0.0016,0.0017]"), "{settings}");
    assert!(
        settings.contains("data.split.seed") && settings.contains("train.epochs"),
        "{settings}"
    );
    // A folder of studies stands for those in it, the page about them aside.
    scene.run(&["report", "runs"]).expect(0);
    assert_eq!(scene.read("runs/comparison/index.html"), page);
}

#[test]
fn studies_that_are_named_twice_count_once_and_those_without_runs_are_left_out() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--out", "a", "--only", "seed-0"]).expect(0);
    scene.run(&["run", "tiny.yaml", "--out", "b", "--set", "study.margin=0.01"]).expect(0);
    fs::create_dir(scene.path("empty")).unwrap();
    fs::copy(scene.path("a/study.yaml"), scene.path("empty/study.yaml")).unwrap();
    let ended = scene.run(&["report", "a", "b", "./a", "empty", "--out", "page"]).expect(0);
    for warning in ["./a is the same study as a", "empty: no run of this study is finished"] {
        assert!(ended.stderr.contains(warning), "{}", ended.stderr);
    }
    let page = scene.read("page/index.html");
    for part in
        ["2 studies", "fewer than three seeds", "Unfinished, so this may change", "margins differ"]
    {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(page.contains("Same rows in the same splits"), "the data are the same");
    let ended = scene.run(&["report", "a", "empty"]).expect(0);
    assert!(ended.stderr.contains("nothing to compare it with"), "{}", ended.stderr);
    let ended = scene.run(&["report", "a", "--out", "page"]).expect(2);
    assert!(ended.stderr.contains("leave `--out` out"), "{}", ended.stderr);
    let ended = scene.run(&["report", "a", "b", "--out", "b"]).expect(2);
    assert!(ended.stderr.contains("is the folder of a study"), "{}", ended.stderr);
    let ended = scene.run(&["report", "empty"]).expect(2);
    assert!(ended.stderr.contains("no run of this study is finished yet"), "{}", ended.stderr);
}

#[test]
fn a_study_whose_runs_end_at_a_target_is_judged_by_what_it_takes_to_get_there() {
    let scene = Scene::new();
    scene.write(
        "tiny.yaml",
        &STUDY
            .replace("seeds: 2", "seeds: 3")
            .replace("epochs: 3", "epochs: 60\n  stop_at: { val_loss: 0.69 }"),
    );
    let ended =
        scene.run(&["run", "tiny.yaml", "--out", "s", "--set", "train.optimizer.adam.lr=0.01"]);
    let said = ended.expect(0).stdout;
    assert!(said.contains("Reaches val_loss 0.69 after "), "{said}");
    let json = scene.run(&["report", "s", "--json"]).expect(0).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let report = &report["reports"][0];
    assert_eq!(report["verdict"]["outcome"], "to_target");
    assert_eq!(report["target"]["metric"], "val_loss");
    let arm = &report["target"]["arms"][1];
    // At the last measurement it is there, at the one before it was not.
    let metrics = scene.read("s/large/seed-0/metrics.jsonl");
    let losses: Vec<f64> = metrics
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["validation"]["loss"].as_f64().unwrap())
        .collect();
    assert_eq!(losses.iter().filter(|loss| **loss <= 0.69).count(), 1, "{losses:?}");
    assert!(losses[losses.len() - 1] <= 0.69 && losses.len() < 60, "{losses:?}");
    assert_eq!((&arm["name"], &arm["reached"]), (&"large".into(), &3.into()));
    // What counts is a matter of the finished study's report alone.
    let counts = ["--set", "study.objective=largest_batch"];
    let same = ["run", "tiny.yaml", "--out", "s", "--set", "train.optimizer.adam.lr=0.01"];
    let ended = scene.run(&[&same[..], &counts].concat()).expect(0);
    assert!(ended.stderr.contains("6 of 6 runs are already finished"), "{}", ended.stderr);
    assert!(ended.stdout.contains("Use large (batch size 32)"), "{}", ended.stdout);
    let page = scene.read("s/report/index.html");
    assert!(page.contains("Use large (batch size 32)"), "the headline");
    assert!(scene.read("s/report/verdict.md").contains("recommended that has the largest batches"));
}

#[test]
fn several_studies_and_a_recommended_run_say_that_nothing_was_learned() {
    let scene = Scene::new();
    let study = STUDY.replace("seeds: 2", "seeds: 3").replace("epochs: 3", "epochs: 1");
    let still =
        study.replace("  device: cpu", "  optimizer: { adam: { lr: 1.0e-9 } }\n  device: cpu");
    scene.write("tiny.yaml", &still);
    for name in ["one", "two"] {
        scene.run(&["run", "tiny.yaml", "--out", name]).expect(0);
    }
    let told = "not reliable: not shown to have learned anything";
    let said = scene.run(&["report", "one", "two", "--out", "both"]).expect(0).stdout;
    assert!(said.contains(told), "{said}");
    let page = scene.read("both/index.html");
    assert!(page.matches(told).count() >= 4, "in the sentences and in the table: {page}");
    assert!(scene.read("both/tables/studies.csv").contains(told));
    let ended = scene.run(&["evaluate", "one", "--split", "test"]).expect(0);
    assert!(ended.stderr.contains(&format!("recommended, but {told}")), "{}", ended.stderr);
}
