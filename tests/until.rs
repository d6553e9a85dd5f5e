//! Studies that add seeds until it is settled which batch size to use, or something else ends them.

use crate::util::{Ended, Scene, has_ended, send, wait_for, wait_until, workers};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Two arms that learn, with spread, and one that stands still.
const STUDY: &str = "\
study:
  name: tiny
  margin: 0.06
  until: settled
  arms:
    - { name: small, batch_size: 8 }
    - { name: large, batch_size: 24 }
    - { name: still, batch_size: 24, lr: 1.0e-9 }
data:
  table: { path: reviews.csv }
  text: { max_tokens: 100, length: 12 }
model:
  embedding: { dim: 6 }
  lstm: { units: 5 }
train:
  epochs: 40
  optimizer: { adam: { lr: 0.02 } }
  device: cpu
";

/// No number of seeds settles it.
fn open() -> String {
    STUDY.replace("margin: 0.06", "margin: 0.0001")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// What a study's last session wrote down of its looks.
fn last_session(scene: &Scene, study: &str) -> Value {
    json(&scene.read(&format!("{study}/environment.json")))
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone()
}

fn looks(session: &Value) -> Vec<u64> {
    let looks = session["until"]["looks"].as_array().unwrap();
    looks.iter().map(|look| look["seeds"].as_u64().unwrap()).collect()
}

/// The seeds of an arm that are finished.
fn seeds(scene: &Scene, study: &str, arm: &str) -> Vec<u64> {
    let folders = fs::read_dir(scene.path(&format!("{study}/{arm}"))).unwrap();
    let mut seeds: Vec<u64> = folders
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let record = fs::read_to_string(entry.path().join("record.json")).ok()?;
            let seed = entry.file_name().to_str()?.strip_prefix("seed-")?.parse().ok()?;
            record.contains("\"finished\"").then_some(seed)
        })
        .collect();
    seeds.sort_unstable();
    seeds
}

/// That two studies have the same runs, to the bit.
#[track_caller]
fn assert_same_runs(scene: &Scene, [one, other]: [&str; 2]) {
    for arm in ["small", "large", "still"] {
        assert_eq!(seeds(scene, one, arm), seeds(scene, other, arm), "{arm}");
        for seed in seeds(scene, one, arm) {
            for file in ["metrics.jsonl", "record.json", "weights.safetensors"] {
                let of = |study: &str| {
                    fs::read(scene.path(&format!("{study}/{arm}/seed-{seed}/{file}"))).unwrap()
                };
                assert_eq!(of(one), of(other), "{arm}/seed-{seed}/{file}");
            }
        }
    }
}

#[test]
fn seeds_are_added_until_it_is_settled_and_an_arm_that_is_out_gets_no_more() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let ended = scene.run(&["run", "tiny.yaml", "--json"]).expect(0);
    assert!(
        ended.stderr.contains("until  settled: seeds are added, up to 40 in each arm (120 runs)")
    );
    let found = json(&ended.stdout);
    let until = &found["until"];
    assert_eq!((&until["stopped"], &until["first"]), (&"settled".into(), &5.into()), "{until}");
    let session = last_session(&scene, "runs/tiny");
    assert_eq!(&session["until"], until);
    let looks = looks(&session);
    let schedule = [5, 6, 7, 8, 9, 10, 12, 14, 16, 19, 22, 26, 31, 37, 40];
    assert!(looks.len() > 1, "the seeds to begin with do not settle it");
    assert_eq!(looks, schedule[..looks.len()]);
    let last = *looks.last().unwrap();
    assert_eq!((&session["seeds"], &until["seeds"]), (&last.into(), &last.into()));
    for arm in ["small", "large"] {
        assert_eq!(seeds(&scene, "runs/tiny", arm), (0..last).collect::<Vec<_>>());
    }
    let still = seeds(&scene, "runs/tiny", "still").len() as u64;
    assert!(still < last && looks.contains(&still), "{still} seeds of the arm that is out");
    assert!(ended.stderr.contains(&format!("{last} seeds: settled; no more seeds for still")));
    let said = scene.run(&["status", "runs/tiny"]).expect(0).stdout;
    let line = format!("settled after {last} seeds; no more seeds for still after {still}\n");
    assert!(said.contains(&line) && said.contains("runs finished; finished"), "{said}");

    // The resolved file trains exactly these.
    scene.run(&["run", "runs/tiny/study.yaml", "--out", "again"]).expect(0);
    assert_eq!(scene.read("runs/tiny/study.yaml"), scene.read("again/study.yaml"));
    assert_same_runs(&scene, ["runs/tiny", "again"]);
    // So does the same command a second time, which trains nothing.
    let again = scene.run(&["run", "tiny.yaml"]).expect(0);
    let all = 2 * last + still;
    assert!(again.stderr.contains(&format!("{all} of {all} runs are already finished")));
    assert!(!again.stderr.contains("warning"), "{}", again.stderr);
    assert_eq!(last_session(&scene, "runs/tiny")["until"]["stopped"], "settled");
    // What is finished counts without `until`, too.
    let plain = ["run", "tiny.yaml", "--set", "study.until=null"];
    let said = scene.run(&plain).expect(0).stderr;
    assert!(said.contains(&format!("small/seed-5 to seed-{}", last - 1)), "{said}");
    assert!(said.contains(&format!("{all} of {all} runs are already finished")), "{said}");
}

#[test]
fn a_study_ends_at_the_most_seeds_that_are_allowed_and_says_so() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &open().replace("  until: settled\n", ""));
    let command = ["run", "tiny.yaml", "--until-settled", "--seeds", "3", "--max-seeds", "5"];
    let ended = scene.run(&command).expect(0);
    let said = "stopped after 5 seeds, the most that were allowed: it is not settled";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    let session = last_session(&scene, "runs/tiny");
    assert_eq!(
        (looks(&session), &session["until"]["stopped"]),
        (vec![3, 4, 5], &"max_seeds".into())
    );
    let resolved = scene.read("runs/tiny/study.yaml");
    assert!(resolved.contains("  seeds: 5\n  until: settled\n  max_seeds: 5\n"), "{resolved}");
    assert_eq!(seeds(&scene, "runs/tiny", "small"), [0, 1, 2, 3, 4]);
    // A larger limit goes on from there.
    let more = ["run", "tiny.yaml", "--until-settled", "--seeds", "3", "--max-seeds", "6"];
    scene.run(&more).expect(0);
    assert_eq!(seeds(&scene, "runs/tiny", "small"), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn the_time_ends_a_study_between_runs_and_the_same_command_goes_on_to_the_same_runs() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &open().replace("epochs: 40", "epochs: 250"));
    let limited = ["run", "tiny.yaml", "--max-seeds", "6", "--max-time", "1s", "--workers", "1"];
    let ended = scene.run(&limited).expect(0);
    let session = last_session(&scene, "runs/tiny");
    assert_eq!(session["until"]["stopped"], "max_time", "{}", ended.stderr);
    assert!(ended.stdout.contains("since the time of 1s is over"), "{}", ended.stdout);
    let status = json(&scene.run(&["status", "runs/tiny", "--json"]).expect(0).stdout);
    assert_eq!(status["state"], "out_of_time");
    // An arm that came further than another when the time was over is no arm that gets more.
    let resolved: serde_yaml::Value =
        serde_yaml::from_str(&scene.read("runs/tiny/study.yaml")).unwrap();
    let arms = resolved["study"]["arms"].as_sequence().unwrap();
    assert!(arms.iter().all(|arm| arm.get("seeds").is_none()), "{arms:?}");
    let over = |run: &Value| run["state"] == "finished" || run["state"] == "not_started";
    assert!(status["runs"].as_array().unwrap().iter().all(over), "no run was broken off: {status}");
    let whole = session["until"]["seeds"].as_u64().unwrap();
    assert!(whole < 6);
    let small = seeds(&scene, "runs/tiny", "small").len() as u64;
    assert!(small == whole || small == whole + 1, "{small} of {whole}");

    scene.run(&["run", "tiny.yaml", "--max-seeds", "6"]).expect(0);
    scene.run(&["run", "tiny.yaml", "--max-seeds", "6", "--out", "whole"]).expect(0);
    assert_eq!(last_session(&scene, "runs/tiny")["until"]["stopped"], "max_seeds");
    assert_eq!(scene.read("runs/tiny/study.yaml"), scene.read("whole/study.yaml"));
    assert_same_runs(&scene, ["runs/tiny", "whole"]);
}

#[test]
fn a_study_that_is_killed_between_two_looks_decides_the_same_with_any_workers() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &open().replace("epochs: 40", "epochs: 150"));
    let limit = ["run", "tiny.yaml", "--max-seeds", "7"];
    let with = |more: &[&'static str]| [&limit[..], more].concat();
    scene.run(&with(&["--workers", "3", "--out", "whole"])).expect(0);
    // Nobody reads what it says.
    let program = scene.start(&with(&["--workers", "1", "--out", "killed", "--quiet"]));
    let metrics = scene.path("killed/small/seed-5/metrics.jsonl");
    wait_for(&program, "a run beyond the first look", || metrics.exists());
    let left = workers(&program);
    send(Signal::SIGKILL, program.id());
    let ended = Ended::from(program.wait_with_output().unwrap());
    assert_eq!(ended.code, None, "it was over before it was killed");
    left.into_iter().for_each(|worker| wait_until("the worker's end", || has_ended(worker)));
    let status = json(&scene.run(&["status", "killed", "--json"]).expect(0).stdout);
    assert_eq!(status["state"], "interrupted");
    assert_eq!(status["until"]["stopped"], Value::Null);

    let again = scene.run(&with(&["--workers", "2", "--out", "killed"])).expect(0);
    // But that 24 rows are few.
    let is_other = |line: &&str| line.contains("warning") && !line.contains("validation has 24 ");
    assert_eq!(again.stderr.lines().find(is_other), None, "{}", again.stderr);
    assert_eq!(scene.read("killed/study.yaml"), scene.read("whole/study.yaml"));
    assert_same_runs(&scene, ["killed", "whole"]);
    let [one, other] = ["killed", "whole"].map(|study| last_session(&scene, study));
    assert_eq!(
        one["until"]["looks"].as_array().unwrap().last(),
        other["until"]["looks"].as_array().unwrap().last()
    );
    assert_eq!((looks(&other), seeds(&scene, "whole", "still").len()), (vec![5, 6, 7], 5));
}

#[test]
fn flags_stand_for_keys_and_single_runs_add_no_seeds() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("  until: settled\n", ""));
    let grid = STUDY.find("  arms:").unwrap()..STUDY.find("data:").unwrap();
    let mut text = STUDY.to_owned();
    text.replace_range(grid, "  grid: { batch_size: [8, 24] }\n");
    scene.write("grid.yaml", &text);
    let flags = ["--batch-sizes", "12,36", "--seeds", "2", "--only", "seed-0", "--out", "g"];
    let ended = scene.run(&[&["run", "grid.yaml"][..], &flags].concat()).expect(0);
    assert!(ended.stderr.contains("`--only` trains what it names: no seeds are added"));
    assert_eq!([seeds(&scene, "g", "batch-12"), seeds(&scene, "g", "batch-36")], [[0], [0]]);
    let said = scene.run(&["check", "grid.yaml", "--max-time", "90s"]).expect(0).stdout;
    assert!(said.contains("for the 5 seeds to begin with, at most about "), "{said}");
    let cases: [(&[&str], &str); 4] = [
        (&["--batch-sizes", "8"], "tiny.yaml lists arms with settings of their own"),
        (&["--max-seeds", "9"], "from `--max-seeds`: limits a study that adds seeds"),
        (&["--max-time", "10"], "expected a time such as `90s`, `10m` or `1h30m`, received `10`"),
        (&["--until-settled", "--only", "small"], "cannot be used with"),
    ];
    for (flags, expected) in cases {
        let ended = scene.run(&[&["run", "tiny.yaml"][..], flags].concat()).expect(2);
        assert!(ended.stderr.contains(expected), "{flags:?}: {}", ended.stderr);
    }
}

#[test]
fn quick_goes_from_the_data_to_the_report_and_overwrites_nothing() {
    let scene = Scene::new();
    let quick = ["quick", "reviews.csv", "--max-time", "1h", "--max-seeds", "5"];
    let ended = scene.run(&quick).expect(0);
    let yaml = scene.read("reviews.yaml");
    assert!(ended.stderr.contains("wrote reviews.yaml\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("reviews.yaml:\n\n{yaml}")), "{}", ended.stderr);
    assert!(ended.stdout.contains("experiment file: reviews.yaml\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("takes learning rate"), "{}", ended.stdout);
    assert!(scene.path("runs/reviews/report/index.html").exists());

    let again = scene.run(&[&quick[..], &["--json"]].concat()).expect(0);
    assert!(again.stderr.contains("reviews.yaml is there already"), "{}", again.stderr);
    assert!(again.stderr.contains("15 of 15 runs are already finished"), "{}", again.stderr);
    assert_eq!(json(&again.stdout)["file"], "reviews.yaml");

    let own = yaml.replace("epochs: 10", "epochs: 2");
    scene.write("own.yaml", &own);
    let mine = ["quick", "reviews.csv", "--out", "own.yaml", "--max-time", "1s"];
    let ended = scene.run(&mine).expect(0);
    assert!(ended.stderr.contains("own.yaml exists already, is used as it is"), "{}", ended.stderr);
    assert_eq!(scene.read("own.yaml"), own);
    scene.write("other.csv", &scene.read("reviews.csv"));
    let other = scene.run(&["quick", "other.csv", "--out", "own.yaml"]).expect(2);
    assert!(other.stderr.contains("own.yaml exists already, and is about other data"));
}

#[test]
fn quick_leaves_tuning_out_where_it_would_take_most_of_the_time() {
    let scene = Scene::new();
    let yaml = scene.run(&["init", "reviews.csv"]).expect(0).stdout;
    // Each of the 30 runs takes about a second.
    scene.write("reviews.yaml", &yaml.replace("epochs: 10", "epochs: 300"));
    let quick = ["quick", "reviews.csv", "--max-time", "2s"];
    let ended = scene.run(&quick).expect(0);
    assert!(ended.stderr.contains("learning rates are not tuned: that can take about "));
    assert!(!scene.path("runs/reviews/tuning").exists());
    let again = scene.run(&["quick", "reviews.csv", "--max-time", "3s"]).expect(0);
    assert!(again.stderr.contains("not tuned, as before in this study"), "{}", again.stderr);
    let asks = "reviews.yaml asks for tuned rates and is left as it is";
    assert!(again.stderr.contains(asks), "{}", again.stderr);
}

#[test]
fn the_file_that_quick_writes_says_what_it_did_and_a_clash_is_found_before_anything_is_trained() {
    let scene = Scene::new();
    let quick = ["quick", "reviews.csv", "--max-time", "1s"];
    let ended = scene.run(&quick).expect(0);
    let yaml = scene.read("reviews.yaml");
    assert!(ended.stderr.contains(&format!("reviews.yaml:\n\n{yaml}")), "{}", ended.stderr);
    assert!(yaml.contains("\n  # learning_rate: { tuned: {} }\n"), "{yaml}");
    // Of all that was planned.
    let said = scene.run(&["status", "runs/reviews"]).expect(0).stdout;
    assert!(said.contains(" of 15 runs finished; its time was over"), "{said}");
    let again = scene.run(&quick).expect(0).stderr;
    assert!(again.contains("is there already, as it would be written"), "{again}");
    // One run of an arm, and none of its rates tuned.
    scene.run(&["run", "reviews.yaml", "--only", "batch-8/seed-0"]).expect(0);
    let tuned = yaml.replace("  # learning_rate: {", "  learning_rate: {");
    scene.write("tuned.yaml", &tuned);
    let before = everything(&scene.path("runs/reviews"));
    let commands: [&[&str]; 3] = [
        &["run", "tuned.yaml", "--out", "runs/reviews"],
        &["work", "tuned.yaml", "--out", "runs/reviews"],
        &["work", "reviews.yaml", "--set", "train.epochs=3"],
    ];
    for command in commands {
        let refused = scene.run(command).expect(2).stderr;
        assert!(refused.contains("holds the run `batch-"), "{refused}");
        assert!(everything(&scene.path("runs/reviews")) == before, "{command:?}");
    }
    let refused = scene.run(commands[0]).expect(2).stderr;
    assert!(refused.contains("--set study.learning_rate=given"), "{refused}");
    let given = ["--set", "study.learning_rate=given", "--only", "batch-8/seed-0"];
    scene.run(&[commands[0], &given].concat()).expect(0);
    // A seed beyond those to begin with.
    let out = ["--out", "fresh"];
    let only = ["run", "reviews.yaml", "--seeds", "7", "--only", "batch-8/seed-6"];
    scene.run(&[&only[..], &out].concat()).expect(0);
    let until = ["run", "reviews.yaml", "--until-settled", "--set", "train.epochs=3"];
    let before = everything(&scene.path("fresh"));
    let refused = scene.run(&[&until[..], &out].concat()).expect(2).stderr;
    assert!(
        refused.contains("holds the run `batch-8/seed-6` trained with other settings"),
        "{refused}"
    );
    assert!(everything(&scene.path("fresh")) == before);
}

/// All files of a folder and below, with their content.
fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut folders, mut found) = (vec![folder.to_owned()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.clone(), fs::read(path).unwrap())),
            }
        }
    }
    found
}

#[test]
fn the_page_is_opened_in_a_browser_and_where_there_is_none_that_is_no_error() {
    let scene = Scene::new();
    scene.write(
        "tiny.yaml",
        &STUDY.replace("epochs: 40", "epochs: 1").replace("  until: settled\n", ""),
    );
    fs::create_dir_all(scene.path("bin")).unwrap();
    scene.write("bin/xdg-open", "#!/bin/sh\necho \"$1\" > \"$OPENED\"\n");
    fs::set_permissions(scene.path("bin/xdg-open"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", scene.path("bin").display());
    let with = |arguments: &[&str], display: &str| {
        let mut command = scene.batchscope(arguments);
        command.env("PATH", &path).env("DISPLAY", display).env("OPENED", scene.path("opened"));
        ["WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME"].iter().for_each(|name| {
            command.env_remove(name);
        });
        Ended::from(command.output().unwrap()).expect(0)
    };
    let run = ["run", "tiny.yaml", "--seeds", "1", "--open"];
    let ended = with(&run, "");
    assert!(
        ended.stderr.contains("no browser could be opened here; the page is runs/tiny/report/")
    );
    assert!(!scene.path("opened").exists());
    with(&["report", "runs/tiny", "--open"], ":9");
    assert!(scene.read("opened").trim().ends_with("runs/tiny/report/index.html"));
}
