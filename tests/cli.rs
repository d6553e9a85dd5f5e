use crate::util::{Ended, STUDY, Scene};
use serde_json::Value;
use std::fs::{self, File};
use std::process::Stdio;

#[test]
fn a_wrong_key_is_an_error_with_its_place_and_the_right_key() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("batch_size: 8", "bach_size: 8"));
    for command in ["run", "check"] {
        let ended = scene.run(&[command, "tiny.yaml"]).expect(2);
        assert_eq!(
            ended.stderr,
            "error: tiny.yaml, line 5: unknown key `bach_size` (at `study.arms[0].bach_size`)\n\n\
             hint: did you mean `batch_size`?\n"
        );
    }
    assert!(!scene.path("runs").exists(), "nothing is written for a wrong file");
}

#[test]
fn what_the_user_gets_wrong_ends_with_code_2_and_advice() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let cases: [(&[&str], &str); 6] = [
        (&["run", "none.yaml"], "cannot read none.yaml"),
        (&["run", "tiny.yaml", "--set", "train.epochs=0"], "from `--set`: must be from 1 to"),
        (&["run", "tiny.yaml", "--set", "train.epochs"], "has no `=`"),
        (&["run", "tiny.yaml", "--device", "gpu"], "unknown device `gpu`"),
        (
            &["run", "tiny.yaml", "--set", "data.table.path=no.csv"],
            "cannot read the data file no.csv",
        ),
        (&["run", "tiny.yaml", "--set", "data.table.label=stars"], "there is no column `stars`"),
    ];
    for (arguments, expected) in cases {
        let ended = scene.run(arguments).expect(2);
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("\nhint: ") || arguments[3] == "train.epochs=0",
            "{arguments:?}"
        );
    }
    scene.run(&["fly"]).expect(2);
}

#[test]
fn a_gpu_that_is_not_there_is_an_error_and_no_fallback() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let ended = scene.run(&["check", "tiny.yaml", "--device", "cuda:63"]).expect(2);
    assert!(ended.stderr.contains("the device `cuda:63` was asked for"), "{}", ended.stderr);
}

#[test]
fn check_tells_the_runs_the_sizes_and_the_cost_and_trains_nothing() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let said = scene.run(&["check", "tiny.yaml"]).expect(0).stdout;
    for expected in [
        "2 arms x 2 seeds = 4 runs on cpu",
        "72 training (36 with label `1`), 24 validation",
        "Embedding(86, 6) -> LSTM(5) -> Dense(1, sigmoid), 762 parameters",
        "schedule of the learning rate of large: lr * 0.9^epoch",
        "time/run",
        "on disk in runs/tiny",
    ] {
        assert!(said.contains(expected), "`{expected}` is missing in:\n{said}");
    }
    assert!(!scene.path("runs/tiny").exists());
}

#[test]
fn check_counts_what_is_finished_already() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml"]).expect(0);
    let left = |more: &[&str]| -> Value {
        let ended = scene.run(&[&["check", "tiny.yaml", "--json"], more].concat()).expect(0);
        serde_json::from_str(&ended.stdout).unwrap()
    };
    let all = left(&[]);
    assert_eq!(
        (&all["runs"], &all["unfinished"], &all["seconds"]),
        (&4.into(), &0.into(), &0.0.into())
    );
    let more = left(&["--seeds", "3"]);
    assert_eq!((&more["runs"], &more["unfinished"]), (&6.into(), &2.into()));
    assert!(more["seconds"].as_f64().unwrap() > 0.0);
    let said = scene.run(&["check", "tiny.yaml", "--seeds", "3"]).expect(0).stdout;
    assert!(said.contains("4 of 6 runs are finished; about "), "{said}");
}

#[test]
fn a_batch_larger_than_the_training_split_is_a_warning() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let arguments = ["check", "tiny.yaml", "--set", "study.arms.1.batch_size=5000"];
    let ended = scene.run(&arguments).expect(0);
    assert!(ended.stderr.contains("warning: arm `large`: its batch size 5000 exceeds the 72"));
}

#[test]
fn a_very_large_learning_rate_is_a_warning_and_is_shown_short() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let ended = scene.run(&["check", "tiny.yaml", "--set", "study.arms.0.lr=1e30"]).expect(0);
    let said =
        "warning: arm `small`: its learning rate 1e30 is 1 or more, and usual ones lie between";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert!(
        ended.stdout.contains(" 1e30 ") && !ended.stdout.contains("000000"),
        "{}",
        ended.stdout
    );
    let usual = scene.run(&["check", "tiny.yaml"]).expect(0);
    assert!(!usual.stderr.contains("its learning rate"), "{}", usual.stderr);
}

#[test]
fn the_run_that_ends_shows_a_row_for_each_arm() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let ended = scene.run(&["run", "tiny.yaml"]).expect(0);
    let rows: Vec<&str> = ended.stdout.lines().collect();
    assert!(rows[0].contains("val. accuracy") && rows[0].contains("vs best"), "{}", rows[0]);
    assert!(rows[1].contains("small") && rows[1].contains("±"), "{}", rows[1]);
    assert!(rows[2].contains("large"), "{}", rows[2]);
    let width = rows.iter().take(6).map(|row| row.chars().count()).max();
    assert!(width <= Some(80), "{width:?}: {}", ended.stdout);
    assert!(ended.stderr.contains("small/seed-1  epoch 3/3  loss "), "{}", ended.stderr);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/tensorboard");
    let curves = format!("curves  {script} runs/tiny\n");
    assert!(ended.stdout.ends_with(&curves), "{}", ended.stdout);
}

#[test]
fn quiet_leaves_the_results_and_the_warnings() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("batch_size: 8", "batch_size: 100"));
    let ended = scene.run(&["run", "tiny.yaml", "--quiet"]).expect(0);
    let noise: Vec<&str> =
        ended.stderr.lines().filter(|line| !line.starts_with("warning: ")).collect();
    assert_eq!(noise, Vec::<&str>::new());
    assert!(ended.stderr.contains("warning: arm `small`"), "{}", ended.stderr);
    assert!(ended.stdout.contains("val. accuracy"), "{}", ended.stdout);
    let ended = scene.run(&["--quiet", "check", "none.yaml"]).expect(2);
    assert!(ended.stderr.starts_with("error: cannot read none.yaml"), "{}", ended.stderr);
}

#[test]
fn with_json_standard_output_is_one_document() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let json = |arguments: &[&str], code: i32| -> Value {
        let said = scene.run(arguments).expect(code).stdout;
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}:\n{said}"))
    };
    let check = json(&["check", "tiny.yaml", "--json"], 0);
    assert_eq!(check["runs"], 4, "{check}");
    assert_eq!(check["arms"][0]["parameters"], 762, "{check}");
    assert_eq!(check["arms"][1]["schedule"]["exponential"]["gamma"], 0.9, "{check}");
    assert!(check["seconds"].as_f64().unwrap() > 0.0 && check["data"]["train"]["examples"] == 72);

    let run = json(&["--json", "run", "tiny.yaml"], 0);
    let arm = &run["arms"][0];
    assert_eq!(
        (&arm["name"], &arm["finished"], &arm["planned"]),
        (&"small".into(), &2.into(), &2.into())
    );
    assert_eq!(arm["steps"]["mean"], 27.0, "3 epochs of 9 steps");
    assert!(arm["test_score"]["sd"].is_number(), "{run}");
    assert_eq!((&run["folder"], &run["unfinished"]), (&"runs/tiny".into(), &0.into()));
    assert_eq!(run["failures"], Value::Array(vec![]));

    let wrong = json(&["run", "none.yaml", "--json"], 2);
    assert!(wrong["error"]["message"].as_str().unwrap().starts_with("cannot read none.yaml"));
    assert!(wrong["error"]["hint"].is_string());
    let usage = json(&["fly", "--json"], 2);
    assert!(usage["error"]["message"].as_str().unwrap().contains("fly"), "{usage}");
}

#[test]
fn completions_name_the_commands_and_help_is_an_answer() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = scene.run(&["completions", shell]).expect(0).stdout;
        assert!(script.contains("retry-failed") && script.contains("batchscope"), "{shell}");
        assert!(script.contains("status"), "{shell}");
    }
    assert!(scene.run(&["--help"]).expect(0).stdout.contains("Exit codes"));
    assert!(scene.run(&["--version"]).expect(0).stdout.starts_with("batchscope "));
}

/// A scene with a study of one arm that is finished.
fn finished() -> Scene {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    scene.run(&["run", "tiny.yaml", "--set", "study.seeds=1"]).expect(0);
    scene
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error_of_every_command() {
    let scene = finished();
    let run = "runs/tiny/small/seed-0";
    let commands: [(&[&str], &str); 16] = [
        (&["predict", run, "--input", "reviews.csv"], "the predictions"),
        (&["predict", run, "--input", "reviews.csv", "--json"], "the predictions"),
        (&["evaluate", run], "the metrics"),
        (&["evaluate", run, "--json"], "the metrics"),
        (&["export", run, "--format", "torch"], "the names of the exported files"),
        (&["report", "runs/tiny", "--json"], "the verdict"),
        (&["status", "runs/tiny"], "the status"),
        (&["status", "runs/tiny", "--json"], "the status"),
        (&["schema"], "the schema"),
        (&["init", "reviews.csv"], "the experiment file"),
        (&["completions", "bash"], "the script"),
        (&["report", "runs/tiny"], "the verdict"),
        (&["run", "tiny.yaml", "--set", "study.seeds=1"], "the results"),
        (&["check", "tiny.yaml", "--json"], "the estimate"),
        (&["--help"], "the help"),
        (&["--version"], "the help"),
    ];
    for (arguments, what) in commands {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = Ended::from(scene.batchscope(arguments).stdout(full).output().unwrap());
        let ended = ended.expect(2);
        let reason =
            format!("error: cannot write {what} to standard output: No space left on device");
        assert!(ended.stderr.contains(&reason), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("\nhint: make room there"), "{arguments:?}");

        // Nobody reads: no word, and the code that shells give for SIGPIPE.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = Ended::from(scene.batchscope(arguments).stdout(writer).output().unwrap());
        let ended = ended.expect(141);
        assert!(!ended.stderr.contains("error"), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn input_that_has_no_end_is_refused() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &STUDY.replace("reviews.csv", "/dev/zero"));
    for command in
        [&["run", "/dev/zero"][..], &["run", "tiny.yaml", "--set", "data.table.format=csv"]]
    {
        let ended = scene.run(command).expect(2);
        assert!(ended.stderr.contains("/dev/zero is a device, and a file is wanted"));
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error_with_its_reason() {
    let scene = Scene::new();
    // Shells count in blocks of 512 bytes or more; the schema is larger than one.
    let program = env!("CARGO_BIN_EXE_batchscope");
    let limited = format!("ulimit -f 1; exec '{program}' schema > schema.json");
    let mut shell = std::process::Command::new("sh");
    let ended = shell.current_dir(scene.path("")).args(["-c", &limited]).output().unwrap();
    let ended = Ended::from(ended).expect(2);
    let reason = "error: cannot write the schema to standard output: File too large";
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_after_all_results_are_saved() {
    let scene = finished();
    fs::remove_dir_all(scene.path("runs/tiny/report")).unwrap();
    scene.write("runs/tiny/report", "a file where the folder should be");
    let arguments = ["run", "tiny.yaml", "--set", "study.seeds=1"];
    let ended = scene.run(&arguments).expect(2);
    assert!(ended.stderr.contains("error: the report could not be written: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("all results are saved"), "{}", ended.stderr);
    assert!(ended.stderr.contains("`batchscope report runs/tiny` writes the report"));
    assert!(ended.stdout.contains("test accuracy"), "the table is shown: {}", ended.stdout);
    let ended = scene.run(&[&arguments[..], &["--json"]].concat()).expect(2);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(document["report"].is_null() && document["arms"][0]["finished"] == 1, "{document}");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("the report could not be written"), "{message}");
    fs::remove_file(scene.path("runs/tiny/report")).unwrap();
    scene.run(&["report", "runs/tiny"]).expect(0);
}

#[test]
fn what_a_terminal_would_act_on_is_shown_in_messages() {
    let scene = Scene::new();
    let hidden = "\u{1b}[2Ja\r\u{202e}.yaml";
    let shown = r"\u{1b}[2Ja\u{d}\u{202e}.yaml";
    for arguments in [&["check", hidden][..], &["status", hidden], &["fly", hidden]] {
        let ended = scene.run(arguments).expect(2);
        assert!(!ended.stderr.contains(['\u{1b}', '\r', '\u{202e}']), "{:?}", ended.stderr);
        assert!(arguments[0] == "fly" || ended.stderr.contains(shown), "{}", ended.stderr);
    }
    let ended = scene.run(&[hidden]).expect(2);
    assert!(ended.stderr.contains(r"unrecognized subcommand 'a\u{d}\u{202e}.yaml'"), "{ended:?}");
    assert!(!ended.stderr.contains(['\u{1b}', '\r', '\u{202e}']), "{:?}", ended.stderr);
    let ended = scene.run(&["check", hidden, "--json"]).expect(2);
    assert!(!ended.stdout.contains(['\u{1b}', '\r', '\u{202e}']), "{:?}", ended.stdout);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(document["error"]["message"].as_str().unwrap().contains(hidden), "{document}");
}

#[test]
fn a_folder_whose_name_is_no_text_is_refused_before_anything_is_trained() {
    use std::os::unix::ffi::OsStrExt;
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let mut command = scene.batchscope(&["run", "tiny.yaml", "--set", "study.seeds=1", "--out"]);
    command.arg(std::ffi::OsStr::from_bytes(b"s\xff")).stdout(Stdio::piped());
    let ended = Ended::from(command.output().unwrap()).expect(2);
    assert!(ended.stderr.contains("is not UTF-8\n\nhint: name another folder"), "{}", ended.stderr);
}
