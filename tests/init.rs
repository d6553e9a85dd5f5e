use crate::study::arrays;
use crate::util::Scene;
use npyz::WriterBuilder;
use npyz::npz::NpzWriter;
use std::fs;

#[test]
fn a_file_written_for_a_table_is_accepted_and_runs_as_it_is() {
    let scene = Scene::new();
    let said = scene.run(&["init", "reviews.csv", "--out", "mine.yaml"]).expect(0).stdout;
    assert_eq!(said, "wrote mine.yaml; now: batchscope check mine.yaml\n");
    let yaml = scene.read("mine.yaml");
    for expected in [
        "    text: text   # 10 words on average in 120 rows\n",
        "    label: label   # `0` counts as 0 (60 rows), `1` as 1 (60 rows)\n",
        "    length: 20   # words of an example; 95 % of the texts have at most 17; fewer train faster\n",
        "  grid: { batch_size: [2, 4, 8] }",
    ] {
        assert!(yaml.contains(expected), "`{expected}` is missing in:\n{yaml}");
    }
    scene.run(&["check", "mine.yaml"]).expect(0);
    assert!(yaml.contains("\n  learning_rate: { tuned: {} }\n"), "it is affordable here: {yaml}");
    // What stands in comments is accepted, too.
    let tuned = yaml.replace("  # until:", "  until:");
    let taken_apart =
        yaml.replace("  # decompose:", "  decompose:").replace("  grid:", "  # grid:");
    for (text, arms) in
        [(tuned, "for the 5 seeds to begin with"), (taken_apart, "large-tuned-equal-steps")]
    {
        scene.write("other.yaml", &text);
        let said = scene.run(&["check", "other.yaml"]).expect(0).stdout;
        assert!(said.contains(arms), "{said}");
    }
    let short = ["--set", "train.epochs=1", "--set", "study.seeds=1", "--device", "cpu"];
    scene.run(&[&["run", "mine.yaml"][..], &short].concat()).expect(0);
    assert!(scene.path("runs/mine/batch-8/seed-0/weights.safetensors").exists());
}

#[test]
fn without_out_it_is_printed_and_an_existing_file_is_left_alone() {
    let scene = Scene::new();
    let yaml = scene.run(&["init", "reviews.csv"]).expect(0).stdout;
    scene.write("mine.yaml", &yaml);
    scene.run(&["check", "mine.yaml"]).expect(0);
    let ended = scene.run(&["init", "reviews.csv", "--out", "mine.yaml"]).expect(2);
    assert!(ended.stderr.contains("mine.yaml exists already"), "{}", ended.stderr);
    assert_eq!(scene.read("mine.yaml"), yaml);
    let printed = scene.run(&["init", "reviews.csv", "--out", "-"]).expect(0).stdout;
    assert_eq!(printed, yaml);
    assert!(!scene.path("-").exists());
}

#[test]
fn odd_names_and_labels_survive() {
    let scene = Scene::new();
    let table =
        scene.read("reviews.csv").replace(",1\n", ",\"yes, sir\"\n").replace(",0\n", ",no\n");
    scene.write("my data.csv", &table.replace("text,label\n", "\"what: # they said\",\"no\"\n"));
    scene.run(&["init", "my data.csv", "--out", "my study.yaml"]).expect(0);
    let yaml = scene.read("my study.yaml");
    assert!(yaml.contains("  name: my-study "), "{yaml}");
    let said = scene.run(&["check", "my study.yaml"]).expect(0).stdout;
    assert!(said.contains("(36 with label `yes, sir`)"), "{said}");
}

#[test]
fn a_table_without_a_label_is_refused_with_what_there_is() {
    let scene = Scene::new();
    scene.write("t.csv", "text,stars\na b,1\nb c,2\nc d,3\n");
    let ended = scene.run(&["init", "t.csv"]).expect(2);
    assert!(ended.stderr.contains("no label column found"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: different values: `stars` has 3"), "{}", ended.stderr);
}

#[test]
fn a_file_written_for_arrays_is_accepted_as_it_is() {
    let scene = Scene::new();
    arrays(&scene);
    let yaml = scene.run(&["init", "arrays.npz"]).expect(0).stdout;
    assert!(yaml.contains("x_val: X_val   # 20 examples, 4 time steps, 2 features"), "{yaml}");
    scene.write("mine.yaml", &yaml);
    let said = scene.run(&["check", "mine.yaml"]).expect(0).stdout;
    assert!(said.contains("60 training (30 with label `1`), 20 validation"), "{said}");
}

#[test]
fn a_csv_file_with_raw_quotes_is_told_and_read_with_its_quotes_as_text() {
    let scene = Scene::new();
    let row = |line: usize| {
        let quote = if [7, 14].contains(&line) { "\"" } else { "" };
        format!("{quote}word w{line}{}\n", if line.is_multiple_of(2) { ",0" } else { ",1" })
    };
    scene.write("t.csv", &(2..62).fold("text,label\n".to_owned(), |text, line| text + &row(line)));
    let ended = scene.run(&["init", "t.csv", "--out", "mine.yaml"]).expect(0);
    assert!(ended.stderr.contains("t.csv, line 7: a quote opens a cell"), "{}", ended.stderr);
    assert!(scene.read("mine.yaml").contains("    quotes: false"));
    let said = scene.run(&["check", "mine.yaml"]).expect(0).stdout;
    assert!(said.contains("36 training") && said.contains("12 test"), "{said}");
}

#[test]
fn lines_and_rows_that_differ_are_told_by_init_and_check() {
    let scene = Scene::new();
    let table = scene.read("reviews.csv");
    scene.write("t.csv", &format!("{table}\n\n"));
    let ended = scene.run(&["init", "t.csv", "--out", "mine.yaml"]).expect(0);
    let expected = "t.csv: 122 lines after the header, 120 rows (2 blank lines)";
    assert!(ended.stderr.contains(&format!("read {expected}")), "{}", ended.stderr);
    assert!(scene.read("mine.yaml").contains(&format!("path: t.csv   # {expected}")));
    let said = scene.run(&["check", "mine.yaml"]).expect(0).stdout;
    assert!(said.contains(&format!("read   {expected}\n")), "{said}");
}

#[test]
fn series_of_numbers_with_dates_are_no_texts_and_a_million_columns_end_at_once() {
    let scene = Scene::new();
    let row = |at: usize| format!("2024-03-01 {at:02}:00:00,{}.5,{}\n", 20 + at, at % 2);
    scene.write("t.csv", &(0..20).fold("date,light,used\n".to_owned(), |text, at| text + &row(at)));
    let ended = scene.run(&["init", "t.csv"]).expect(2);
    assert!(ended.stderr.contains("no text column found"), "{}", ended.stderr);
    assert!(ended.stderr.contains("`data.series` in an experiment file"), "{}", ended.stderr);
    let header: Vec<String> = (0..1_000_000).map(|at| format!("c{at}")).collect();
    scene.write("wide.csv", &format!("{}\n{}1\n", header.join(","), "1,".repeat(999_999)));
    let ended = scene.run(&["init", "wide.csv"]).expect(2);
    assert!(ended.stderr.contains("wide.csv has 1,000,000 columns"), "{}", ended.stderr);
}

#[test]
fn a_file_that_finds_no_room_is_not_written_in_part() {
    let scene = Scene::new();
    let ended = scene.run_within(1, &["init", "reviews.csv", "--out", "mine.yaml"]).expect(2);
    assert!(ended.stderr.contains("error: cannot write mine.yaml"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: raise the limit of file sizes"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(scene.path("")).unwrap().count(), 1, "the table alone");
    let ended = scene.run(&["init", "reviews.csv", "--out", "none/mine.yaml"]).expect(2);
    assert!(ended.stderr.contains("error: cannot write none/mine.yaml: none does not exist"));
    assert!(ended.stderr.contains("hint: make it first (`mkdir -p none`)"), "{}", ended.stderr);
}

#[test]
fn the_columns_that_were_taken_and_other_possible_labels_are_told() {
    let scene = Scene::new();
    let row =
        |row: usize| format!("a text of words {row},{},{}\n", row % 2, ["en", "de"][row / 2 % 2]);
    let rows: String = (0..40).map(row).collect();
    // A column of line breaks, so that lines and rows differ.
    scene.write("t.csv", &format!("body,urgent,language\n{rows}\"two\nlines of text\",1,en\n"));
    let ended = scene.run(&["init", "t.csv", "--json"]).expect(0);
    let said = "took  the column `body` for texts and `language` for labels; labels could also be \
                `urgent`: choose with `--label`";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["examples"], "body");
    assert_eq!(document["labels"], "language");
    assert_eq!(document["also_possible"], serde_json::json!(["urgent"]));
    let read = document["read"].as_str().unwrap();
    assert!(ended.stderr.contains(&format!("read {read}")), "{read}: {}", ended.stderr);
    arrays(&scene);
    let ended = scene.run(&["init", "arrays.npz"]).expect(0);
    let said = "took  the array `X_train` for sequences and `y_train` for labels\n";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

#[test]
fn other_separators_and_a_column_of_splits_are_seen() {
    let scene = Scene::new();
    let part = |row: usize| ["train", "train", "train", "val", "test"][row % 5];
    for separator in [';', '\t', '|', ','] {
        let row = |row: usize| {
            let texts = format!("words number {row} here");
            [texts, (row % 2).to_string(), part(row / 2).to_owned()].join(&separator.to_string())
        };
        let header = ["text", "label", "fold"].join(&separator.to_string());
        let rows: Vec<String> = (0..60).map(row).collect();
        scene.write("t.csv", &format!("{header}\n{}\n", rows.join("\n")));
        let yaml = scene.run(&["init", "t.csv"]).expect(0).stdout;
        assert!(yaml.contains("    split: fold   # "), "{yaml}");
        assert!(!yaml.contains("stratify") && yaml.contains("separator: ") == (separator != ','));
        scene.write("t.yaml", &yaml);
        let found = scene.run(&["check", "t.yaml", "--json"]).expect(0).stdout;
        let found: serde_json::Value = serde_json::from_str(&found).unwrap();
        let count = |split: &str| found["data"][split]["examples"].as_u64().unwrap();
        assert_eq!([count("train"), count("validation"), count("test")], [36, 12, 12]);
    }
}

#[test]
fn a_text_that_is_null_is_refused_with_its_line_as_check_does() {
    let scene = Scene::new();
    let row = |row: usize| match row {
        3 => "{\"body\": null, \"label\": 1}\n".to_owned(),
        _ => format!("{{\"body\": \"words number {row}\", \"label\": {}}}\n", row % 2),
    };
    scene.write("t.jsonl", &(0..40).map(row).collect::<String>());
    let ended = scene.run(&["init", "t.jsonl"]).expect(2);
    assert!(
        ended.stderr.contains("t.jsonl, line 4: `body` is missing or null"),
        "{}",
        ended.stderr
    );
}

/// Sixty sequences with these labels of so many columns.
fn labelled(scene: &Scene, name: &str, columns: u64, label: impl Fn(u64, u64) -> f32) {
    let mut npz = NpzWriter::new(fs::File::create(scene.path(name)).unwrap());
    let values = (0..60 * 4 * 2).map(|at: u64| (at * 37 % 101) as f32 / 101.0);
    let labels = (0..60 * columns).map(|at| label(at / columns, at % columns));
    let arrays: [(&str, &[u64], Vec<f32>); 2] =
        [("X_train", &[60, 4, 2], values.collect()), ("y_train", &[60, columns], labels.collect())];
    for (name, shape, values) in arrays {
        let array = npz.array(name, Default::default()).unwrap().default_dtype();
        let mut array = array.shape(shape).begin_nd().unwrap();
        array.extend(values).unwrap();
        array.finish().unwrap();
    }
}

#[test]
fn two_columns_of_labels_get_a_softmax_and_far_numbers_a_scale_that_check_accepts() {
    let scene = Scene::new();
    labelled(&scene, "two.npz", 2, |row, column| f32::from(u8::from(row * 7 % 5 % 2 == column)));
    let yaml = scene.run(&["init", "two.npz"]).expect(0).stdout;
    assert!(yaml.contains("  dense: { units: 2, activation: softmax }   # one a column"), "{yaml}");
    scene.write("two.yaml", &yaml);
    scene.run(&["check", "two.yaml"]).expect(0);
    let ended = scene.run(&["check", "two.yaml", "--set", "study.score=f1"]).expect(2);
    let said = "give the labels as 0 and 1 in one column and use `dense: { units: 1, activation: sigmoid }`";
    assert!(ended.stderr.replace("\n", " ").contains(said), "{}", ended.stderr);

    labelled(&scene, "far.npz", 1, |row, _| 300.0 + (row * row % 89) as f32 * 7.5);
    let yaml = scene.run(&["init", "far.npz"]).expect(0).stdout;
    assert!(yaml.contains("\n  scale: standard\n"), "{yaml}");
    scene.write("far.yaml", &yaml);
    let ended = scene.run(&["check", "far.yaml"]).expect(0);
    assert!(!ended.stderr.contains("warning: the targets"), "{}", ended.stderr);
    let ended = scene.run(&["check", "far.yaml", "--set", "data.scale=none"]).expect(0);
    let stderr = ended.stderr.replace("\n", " ");
    assert!(stderr.contains("warning: the targets of the training split"), "{stderr}");
    assert!(stderr.contains("start near 0, and adam moves them slowly; add"), "{stderr}");
}
