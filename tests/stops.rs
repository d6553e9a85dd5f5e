//! Signals that end a study, as terminals, schedulers and service managers send them, and workers
//! that something else kills.

use crate::util::{
    Ended, FIRST_RUN, STUDY, Scene, children, disturb, has_ended, line_count, send, wait_for,
    workers,
};
use nix::sys::signal::Signal;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// What is sent to end a job, or to warn it of its end.
const STOPS: [Signal; 5] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGXCPU];

fn study() -> String {
    STUDY.replace("seeds: 2", "seeds: 1").replace("epochs: 3", "epochs: EPOCHS")
}

#[test]
fn a_signal_to_every_process_of_a_job_saves_its_runs_which_go_on_to_the_same_bits() {
    let scene = Scene::new();
    for signal in STOPS.into_iter().chain([Signal::SIGHUP]) {
        let name = signal.as_str();
        // The workers first: they must not die of it.
        let (_, ended) = disturb(&scene, &study(), name, |study| {
            workers(study)
                .into_iter()
                .chain([study.id()])
                .for_each(|process| send(signal, process));
        });
        let ended = ended.expect(130);
        assert!(ended.stderr.contains(&format!("stopping on {name}")), "{}", ended.stderr);
        let said = "not finished: 2 runs; everything so far is saved";
        assert!(
            ended.stdout.contains(said) && !ended.stdout.contains("failed"),
            "{}",
            ended.stdout
        );
        scene.run(&["run", "tiny.yaml", "--out", name]).expect(0);
        scene.run(&["run", "tiny.yaml", "--out", "undisturbed", "--only", FIRST_RUN]).expect(0);
        for file in ["metrics.jsonl", "weights.safetensors", "record.json"] {
            let of = |study| fs::read(scene.path(&format!("{study}/{FIRST_RUN}/{file}"))).unwrap();
            assert_eq!(of(name), of("undisturbed"), "{name}: {file}");
        }
        fs::remove_dir_all(scene.path("undisturbed")).unwrap();
    }
}

#[test]
fn a_worker_ignores_what_ends_jobs_from_its_start_to_its_end() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &study().replace("EPOCHS", "100000"));
    let program = scene.start(&["run", "tiny.yaml", "--workers", "1", "--out", "s"]);
    // As soon as there is a worker, while libtorch is being loaded.
    wait_for(&program, "the worker", || !children(&program).is_empty());
    let worker = children(&program)[0];
    let strike = || STOPS.iter().chain([&Signal::SIGHUP]).for_each(|signal| send(*signal, worker));
    strike();
    let log = scene.path(&format!("s/{FIRST_RUN}/metrics.jsonl"));
    wait_for(&program, "an epoch", || line_count(&log) > 0);
    let before = line_count(&log);
    strike();
    wait_for(&program, "more epochs", || line_count(&log) > before + 3);
    assert_eq!(workers(&program), [worker], "the same one");
    send(Signal::SIGTERM, program.id());
    let ended = Ended::from(program.wait_with_output().unwrap()).expect(130);
    assert!(!ended.stdout.contains("failed"), "{}", ended.stdout);
    assert!(has_ended(worker));
}

#[test]
fn a_signal_while_data_are_prepared_ends_the_study_at_once() {
    let scene = Scene::new();
    let rows = "\"a long text of words that are the same in every row of a large table\",1\n\
                \"another one of them\",0\n";
    scene.write("reviews.csv", &format!("text,label\n{}", rows.repeat(150_000)));
    scene.write("tiny.yaml", STUDY);
    let mut program = scene.start(&["run", "tiny.yaml"]);
    let mut said = BufReader::new(program.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("tokenising 300000 texts") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended");
    }
    send(Signal::SIGTERM, program.id());
    let ended = Ended::from(program.wait_with_output().unwrap()).expect(130);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("error: stopped by SIGTERM before training began"), "{rest}");
    assert!(rest.contains("hint: there was nothing to save"), "{rest}");
    assert!(!rest.contains("2 arms x 2 seeds"), "it went on to its plan: {rest}");
    assert_eq!(ended.stdout, "");
    let cache = fs::read_dir(scene.path("runs/.cache")).into_iter().flatten();
    assert_eq!(cache.count(), 0, "nothing half-written stays");
}

#[test]
fn a_second_signal_ends_at_once() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &study().replace("EPOCHS", "100000"));
    let mut program = scene.start(&["run", "tiny.yaml", "--workers", "1", "--out", "s"]);
    let log = scene.path(&format!("s/{FIRST_RUN}/metrics.jsonl"));
    wait_for(&program, "an epoch", || line_count(&log) > 0);
    // Its worker is held, so that the study waits for it.
    let worker = workers(&program)[0];
    send(Signal::SIGSTOP, worker);
    send(Signal::SIGTERM, program.id());
    let mut said = BufReader::new(program.stderr.take().unwrap()).lines();
    let stopping = said.find(|line| line.as_ref().unwrap().starts_with("stopping on SIGTERM"));
    assert!(stopping.is_some());
    // A terminal that closes sends this more than once; it is no second wish.
    send(Signal::SIGHUP, program.id());
    send(Signal::SIGINT, program.id());
    assert_eq!(program.wait().unwrap().code(), Some(130));
    send(Signal::SIGCONT, worker);
    wait_for(&program, "the worker's end", || has_ended(worker));
    assert!(scene.read(&format!("s/{FIRST_RUN}/record.json")).contains("\"running\""));
}

#[test]
fn under_nohup_a_study_outlives_its_terminal() {
    let scene = Scene::new();
    scene.write("tiny.yaml", &study().replace("EPOCHS", "100000"));
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_batchscope")).current_dir(scene.path(""));
    command.args(["run", "tiny.yaml", "--workers", "1", "--out", "s"]);
    let program = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let log = scene.path(&format!("s/{FIRST_RUN}/metrics.jsonl"));
    wait_for(&program, "an epoch", || line_count(&log) > 0);
    send(Signal::SIGHUP, program.id());
    let before = line_count(&log);
    wait_for(&program, "more epochs", || line_count(&log) > before + 3);
    send(Signal::SIGTERM, program.id());
    let ended = Ended::from(program.wait_with_output().unwrap()).expect(130);
    assert!(ended.stderr.contains("stopping on SIGTERM"), "{}", ended.stderr);
}

#[test]
fn a_worker_that_somebody_kills_is_reported_as_such_and_its_run_goes_on() {
    let scene = Scene::new();
    let (_, ended) = disturb(&scene, &study(), "killed", |study| {
        workers(study).into_iter().for_each(|worker| send(Signal::SIGKILL, worker));
    });
    let said = ended.expect(1).stdout;
    assert!(said.contains("small/seed-0: failed: the worker process ended (signal: 9 (SIGKILL))"));
    // Where Linux counts what it kills for want of memory, it is known that this was not such a kill.
    let somebody =
        said.contains(": somebody killed it, and memory had not run out; the same command");
    let unknown =
        said.contains(": somebody killed it, or Linux did because memory ran out; the same");
    assert!(somebody || unknown, "{said}");
    scene.run(&["run", "tiny.yaml", "--out", "killed"]).expect(0);
}

/// What a run leaves behind that repeats to the bit.
fn repeats(scene: &Scene, study: &str) -> Vec<Vec<u8>> {
    let of = |name| fs::read(scene.path(&format!("{study}/{FIRST_RUN}/{name}"))).unwrap();
    ["metrics.jsonl", "weights.safetensors", "record.json", "steps.jsonl"].map(of).into()
}

#[test]
fn a_disk_that_takes_no_more_stops_the_study_whichever_file_meets_it_and_it_goes_on_later() {
    let scene = Scene::new();
    let text = study().replace("EPOCHS", "60\n  logging: { every_steps: 1 }");
    // Logs and event files meet the limit; a checkpoint does; the record of the run does.
    let large = text.replace("dim: 6", "dim: 80");
    for (name, text, limit) in
        [("logs", &text, 40), ("checkpoint", &large, 40), ("record", &text, 1)]
    {
        scene.write("tiny.yaml", text);
        scene.run(&["check", "tiny.yaml", "--out", name]).expect(0);
        let ended = scene.run_within(limit, &["run", "tiny.yaml", "--out", name]).expect(2);
        let said = &ended.stderr;
        if limit > 1 {
            let why = format!("error: the study in {name} stopped, since its disk takes no more: ");
            assert!(said.contains(&why), "{name}: {said}");
            assert!(scene.read(&format!("{name}/{FIRST_RUN}/record.json")).contains("\"running\""));
        }
        assert!(
            said.contains("File too large") && said.contains("hint: raise the limit"),
            "{said}"
        );
        assert!(!said.contains("failed:") && ended.stdout.is_empty(), "{said}");
        scene.run(&["run", "tiny.yaml", "--out", name]).expect(0);
        scene.run(&["run", "tiny.yaml", "--out", "undisturbed", "--only", FIRST_RUN]).expect(0);
        assert_eq!(repeats(&scene, name), repeats(&scene, "undisturbed"), "{name}");
        fs::remove_dir_all(scene.path("undisturbed")).unwrap();
    }
}

#[test]
fn prepared_data_that_find_no_room_are_an_error_with_advice() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let ended = scene.run_within(1, &["check", "tiny.yaml"]).expect(2);
    assert!(ended.stderr.contains("cannot write runs/.cache/"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: raise the limit of file sizes"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(scene.path("runs/.cache")).unwrap().count(), 0);
}
