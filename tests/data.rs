use crate::util::npy;
use batchscope::config::{DataSection, EmbeddingSection};
use batchscope::data::{Dataset, Encoder, Inputs, Prepared, prepare};
use batchscope::error::UserError;
use batchscope::kernels::{Sequences, Split};
use batchscope::spec::{Metric, Task};
use std::fs;
use std::path::Path;

/// A folder with files in it.
struct Files(tempfile::TempDir);

impl Files {
    fn of(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The section, in which `@` stands for the folder.
    fn section(&self, yaml: &str) -> DataSection {
        let yaml = yaml.replace('@', &format!("{}/", self.path().display()));
        serde_yaml::from_str(&yaml).unwrap()
    }

    fn prepare(&self, yaml: &str, embedding: Option<bool>) -> anyhow::Result<Prepared> {
        self.prepare_for(Task::Binary, yaml, embedding)
    }

    fn prepare_for(
        &self,
        task: Task,
        yaml: &str,
        embedding: Option<bool>,
    ) -> anyhow::Result<Prepared> {
        let embedding = embedding.map(|mask_zero| EmbeddingSection { dim: 4, mask_zero });
        let cache = self.path().join("cache");
        prepare(&self.section(yaml), embedding.as_ref(), task, &cache, &mut |_| ())
    }

    /// What is said of these files, without the folder.
    fn refusal(&self, yaml: &str, embedding: Option<bool>) -> String {
        self.refusal_for(Task::Binary, yaml, embedding)
    }

    fn refusal_for(&self, task: Task, yaml: &str, embedding: Option<bool>) -> String {
        let error = self.prepare_for(task, yaml, embedding).unwrap_err();
        let error = error.downcast_ref::<UserError>().unwrap_or_else(|| panic!("{error:#}"));
        assert!(error.hint.is_some(), "{} has no hint", error.message);
        error.message.replace(&format!("{}/", self.path().display()), "")
    }
}

fn rows(prepared: &Prepared) -> [Vec<u64>; 3] {
    let dataset = Dataset::open(&prepared.path).unwrap();
    [Split::Train, Split::Validation, Split::Test]
        .map(|split| dataset.rows(split).unwrap().to_vec())
}

/// 20 rows of two words, four authors, dates that run backwards, labels by turns.
fn table() -> String {
    let row = |at: usize| {
        let (word, label) = [("good", "yes"), ("bad", "no")][at % 2];
        format!("{word} w{at},{label},author {},2024-01-{:02}\n", at / 2 % 4, 28 - at)
    };
    (0..20).fold("text,label,who,when\n".to_owned(), |text, at| text + &row(at))
}

#[test]
fn a_group_never_crosses_a_split() {
    let files = Files::of(&[("t.csv", table().as_bytes())]);
    let yaml = "{ table: { path: @t.csv, group: who }, split: { validation: 0.25, test: 0.25 } }";
    let prepared = files.prepare(yaml, Some(true)).unwrap();
    let author = |line: &u64| (line - 2) / 2 % 4;
    let authors = rows(&prepared).map(|rows| rows.iter().map(author).collect::<Vec<u64>>());
    assert_eq!(authors.iter().map(Vec::len).sum::<usize>(), 20);
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        assert!(authors[a].iter().all(|author| !authors[b].contains(author)), "{authors:?}");
    }
}

#[test]
fn the_latest_rows_test_and_the_last_rows_of_the_file_validate() {
    let files = Files::of(&[("t.csv", table().as_bytes())]);
    let by_time = files.prepare("{ table: { path: @t.csv, time: when } }", Some(true)).unwrap();
    assert_eq!(rows(&by_time)[2], [2, 3, 4, 5], "dates run backwards, line 2 is the latest");
    let yaml = "{ table: { path: @t.csv }, split: { by: order, validation: 0.2, test: 0 } }";
    let by_order = files.prepare(yaml, Some(true)).unwrap();
    assert_eq!(rows(&by_order)[1..], [vec![18, 19, 20, 21], vec![]]);
}

#[test]
fn splits_may_be_files_or_a_column() {
    let text = |fold: &str, count: usize| {
        let row = |at| format!("{{\"text\":\"w{at}\",\"label\":{},\"fold\":\"{fold}\"}}\n", at % 2);
        (0..count).map(row).collect::<String>()
    };
    let (train, validation, test) = (text("train", 6), text("val", 4), text("test", 2));
    let all = [test.as_str(), &train, &validation].concat();
    let files = Files::of(&[
        ("a.jsonl", train.as_bytes()),
        ("b.jsonl", validation.as_bytes()),
        ("c.jsonl", test.as_bytes()),
        ("all.jsonl", all.as_bytes()),
    ]);
    let yaml = "{ table: { train: @a.jsonl, validation: @b.jsonl, test: @c.jsonl } }";
    let by_file = files.prepare(yaml, Some(false)).unwrap();
    let by_column =
        files.prepare("{ table: { path: @all.jsonl, split: fold } }", Some(false)).unwrap();
    assert_eq!(rows(&by_file)[2], [1, 2]);
    assert_eq!(rows(&by_column), [(3..9).collect(), (9..13).collect::<Vec<u64>>(), vec![1, 2]]);
    let sizes = |prepared: &Prepared| {
        let facts = &prepared.facts;
        (facts.train.clone(), facts.validation.clone(), facts.test.clone())
    };
    assert_eq!(sizes(&by_file), sizes(&by_column));
}

#[test]
fn token_ids_are_read_from_npy_files_and_a_mask_skips_every_0() {
    let ids: Vec<i32> = (0..20).flat_map(|row| [0, row + 1, 0, 3]).collect();
    let labels: Vec<i64> = (0..20).map(|row| row % 2).collect();
    let files = Files::of(&[("x.npy", &npy(&[20, 4], &ids)), ("y.npy", &npy(&[20, 1], &labels))]);
    let yaml = "{ arrays: { x_train: @x.npy, y_train: @y.npy } }";
    let tokens = |masked| {
        let prepared = files.prepare(yaml, Some(masked)).unwrap();
        assert_eq!(prepared.facts.vocabulary, Some(21));
        let dataset = Dataset::open(&prepared.path).unwrap();
        let Sequences::Tokens { tokens, .. } = dataset.splits().unwrap().train.sequences else {
            panic!("ids are tokens")
        };
        (tokens.len(), tokens.contains(&0))
    };
    assert_eq!(tokens(true), (24, false));
    assert_eq!(tokens(false), (48, true));
    assert!(files.refusal(yaml, None).contains("x.npy holds token ids"));
    let small = "{ arrays: { x_train: @x.npy, y_train: @y.npy, vocabulary: 20 } }";
    assert_eq!(
        files.refusal(small, Some(true)),
        "x.npy holds the token id 20 in row 19, step 1 (from 0), beyond the vocabulary"
    );
}

#[test]
fn a_tokenizer_file_is_kept_with_the_study_and_encodes_new_texts_without_it() {
    let numbered: String = (0..20).map(|at| format!(",\"w{at}\":{}", at + 3)).collect();
    let tokenizer = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
        "normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"Whitespace"},
        "post_processor":null,"decoder":null,
        "model":{"type":"WordLevel","vocab":{"[UNK]":0,"good":1,"bad":2@},"unk_token":"[UNK]"}}"#
        .replace('@', &numbered);
    let files =
        Files::of(&[("t.csv", table().as_bytes()), ("tokenizer.json", tokenizer.as_bytes())]);
    let yaml =
        "{ table: { path: @t.csv }, text: { tokenizer: { file: @tokenizer.json }, length: 3 } }";
    let prepared = files.prepare(yaml, Some(false)).unwrap();
    assert_eq!(prepared.facts.vocabulary, Some(24), "its id 0 is no padding, so ids are raised");
    let kept = files.path().join("data");
    prepared.keep(&kept).unwrap();
    fs::remove_file(files.path().join("tokenizer.json")).unwrap();
    fs::remove_file(&prepared.path).unwrap();
    let encoder = Encoder::open(&kept, &files.section(yaml), false).unwrap();
    let encoded = encoder.encode(&Inputs::texts(vec!["Bad thing, good".into()])).unwrap();
    let Sequences::Tokens { tokens, .. } = encoded.sequences() else { panic!("text") };
    assert_eq!(tokens, [1, 1, 2], "three tokens of four are left, cut at the beginning");
    assert!(!kept.join("vocabulary.txt").exists());
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    let cases: [(&str, &[u8], &str, &str); 8] = [
        ("t.csv", b"text,label\na,1\nb,0\nc,x\n", "", "`x` first comes in t.csv, line 4"),
        ("t.csv", b"text,label\na,1\nb\n", "", "t.csv, line 3: the row has 1 fields"),
        ("t.csv", b"text;label\na;1\n", "", "t.csv: there is no column `text`"),
        ("t.csv", b"text,label\na,1\nb,0\n", "positive: 2", "never holds `2`"),
        ("t.csv", b"text,label\na,1\nb,0\n", "", "the validation split is empty"),
        (
            "t.jsonl",
            b"{\"text\":\"a\",\"label\":1}\n{\"text\":1",
            "",
            "t.jsonl, line 2: this is not",
        ),
        (
            "t.jsonl",
            b"{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\"}",
            "",
            "line 2: `label` is missing",
        ),
        ("t.parquet", b"text,label\n", "", "cannot read t.parquet"),
    ];
    for (name, bytes, more, expected) in cases {
        let files = Files::of(&[(name, bytes)]);
        let said = files.refusal(&format!("{{ table: {{ path: @{name}, {more} }} }}"), Some(true));
        assert!(said.contains(expected), "`{said}` lacks `{expected}`");
    }
}

#[test]
fn rows_sorted_by_label_and_splits_of_one_label_are_told() {
    let sorted: String = (0..20).map(|at| format!("w{at},{}\n", u8::from(at >= 10))).collect();
    let files = Files::of(&[
        ("sorted.csv", format!("text,label\n{sorted}").as_bytes()),
        ("t.csv", table().as_bytes()),
    ]);
    let facts = |yaml: &str| files.prepare(yaml, Some(true)).unwrap().facts;
    assert!(facts("{ table: { path: @sorted.csv } }").sorted_by_label);
    assert!(!facts("{ table: { path: @t.csv } }").sorted_by_label);
    let warnings = facts("{ table: { path: @sorted.csv }, split: { by: order, test: 0 } }")
        .warnings(Metric::Accuracy.info(), "");
    assert_eq!(warnings.len(), 2, "each text is one word of its own: {warnings:?}");
    assert!(warnings[1].starts_with("100 % of the words of the validation split are unknown"));
    assert!(warnings[0].starts_with("all 4 examples of the validation split have the label `1`"));
}

/// Sixty rows of which two texts begin with a quote of their own.
fn raw_quotes(separator: char) -> String {
    let row = |line: usize| {
        let quote = if [7, 14].contains(&line) { "\"" } else { "" };
        format!("{quote}word w{line}{separator}{}\n", line % 2)
    };
    (2..62).fold(format!("text{separator}label\n"), |text, line| text + &row(line))
}

#[test]
fn no_row_vanishes_behind_a_quote() {
    let (csv, tsv) = (raw_quotes(','), raw_quotes('\t'));
    let files = Files::of(&[("t.csv", csv.as_bytes()), ("t.tsv", tsv.as_bytes())]);
    let said = files.refusal("{ table: { path: @t.csv } }", Some(true));
    let expected = "line 7: a quote opens a cell that goes on to line 14, where text follows";
    assert!(said.contains(expected), "{said}");
    for yaml in ["{ table: { path: @t.csv, quotes: false } }", "{ table: { path: @t.tsv } }"] {
        let prepared = files.prepare(yaml, Some(true)).unwrap();
        let mut rows = rows(&prepared).concat();
        rows.sort_unstable();
        assert_eq!(rows, (2..62).collect::<Vec<u64>>());
        assert_eq!(prepared.facts.accounts[0].differences(), None);
    }
}

#[test]
fn spellings_that_split_groups_and_leave_rows_out_are_told_also_from_the_cache() {
    let shout = |text: &str| text.replace("w3,no,author 1", "w3,no,Author 1");
    let text = shout(&table());
    let jsonl: String = text.lines().skip(1).fold(String::new(), |all, line| {
        let cells: Vec<&str> = line.split(',').collect();
        let [text, label, who, _] = cells[..] else { panic!("{line}") };
        all + &format!("{{\"text\":\"{text}\",\"label\":\"{label}\",\"who\":\"{who}\"}}\n")
    });
    let series: String = (0..40).fold("day,x,y,who\n".into(), |text: String, at| {
        let who = if at < 20 { "pump" } else { "Pump" };
        text + &format!("{at},{},{},{who}\n", at % 7, at % 5)
    });
    let files = Files::of(&[
        ("t.csv", text.as_bytes()),
        ("t.jsonl", jsonl.as_bytes()),
        ("s.csv", series.as_bytes()),
    ]);
    for file in ["t.csv", "t.jsonl"] {
        let grouped = format!(
            "{{ table: {{ path: @{file}, group: who }}, split: {{ validation: 0.25, test: 0.25 }} }}"
        );
        let kept = format!(
            "{{ table: {{ path: @{file}, where: {{ who: author 1 }} }}, split: {{ validation: 0.4, test: 0 }} }}"
        );
        for _ in 0..2 {
            let said = files
                .prepare(&grouped, Some(true))
                .unwrap()
                .facts
                .warnings(Metric::Accuracy.info(), "")
                .join("\n");
            let expected = "the groups `Author 1` and `author 1` differ by capital letters alone";
            assert!(said.contains(expected), "{said}");
            let said = files
                .prepare(&kept, Some(true))
                .unwrap()
                .facts
                .warnings(Metric::Accuracy.info(), "")
                .join("\n");
            let expected =
                "`where` left out 1 row whose `who` is `Author 1`: `Author 1` and `author 1`";
            assert!(said.contains(expected), "{said}");
        }
    }
    let yaml =
        "{ series: { path: @s.csv, time: day, group: who, inputs: [x], target: y, window: 2 } }";
    let prepared = files.prepare_for(Task::Regression, yaml, None).unwrap();
    let said = prepared.facts.warnings(Metric::Accuracy.info(), "").join("\n");
    assert!(
        said.contains("the groups `Pump` and `pump` differ by capital letters alone"),
        "{said}"
    );
}

#[test]
fn lines_rows_and_examples_are_told_where_they_differ_also_from_the_cache() {
    let text = table()
        .replace("author 1", " author 1 ")
        .replace("w3,", "w3\n,")
        .replace("bad w3\n", "\"bad\nw3\"");
    let files = Files::of(&[("t.csv", format!("{text}\n\n").as_bytes())]);
    let yaml = "{ table: { path: @t.csv, where: { who: author 1 } }, split: { validation: 0.4, test: 0 } }";
    for _ in 0..2 {
        let account = &files.prepare(yaml, Some(true)).unwrap().facts.accounts[0];
        assert_eq!((account.lines, account.rows, account.filtered), (Some(23), 20, 14));
        let said = account.differences().unwrap();
        let expected = "t.csv: 23 lines after the header, 20 rows (1 line break inside quoted cells, \
                        2 blank lines), 14 left out by `where`, 6 examples";
        assert!(said.ends_with(expected), "{said}");
    }
}

#[test]
fn a_class_that_training_lacks_is_an_error_whose_cure_fits_the_source() {
    let row = |at: usize| {
        let late = ["up", "down", "flat"][if at < 75 { at % 2 } else { at % 3 }];
        let part = ["train", "validation", "test"][(at / 25).saturating_sub(1).min(2)];
        let trend = if at < 75 { "up" } else { "down" };
        format!("{at},a text {at},{late},{part},{trend}\n")
    };
    let table = (0..100).fold("day,text,late,part,trend\n".to_owned(), |csv, at| csv + &row(at));
    let files = Files::of(&[("t.csv", table.as_bytes())]);
    let of = |task, yaml: &str, embedding| {
        let error = files.prepare_for(task, yaml, embedding).unwrap_err();
        let error = error.downcast::<UserError>().unwrap();
        (error.message, error.hint.unwrap())
    };
    let given = "{ table: { path: @t.csv, label: late, split: part } }";
    let (message, hint) = of(Task::Multiclass, given, Some(true));
    let said = "none of the 50 training examples has the label `flat`, which 0 of validation and 8 of the test have";
    assert_eq!(message, said);
    assert!(hint.ends_with("or move some of its rows into the training examples"), "{hint}");
    let by_order = "{ table: { path: @t.csv, label: late }, split: { by: order } }";
    let (_, hint) = of(Task::Multiclass, by_order, Some(true));
    assert!(hint.contains("`data.split: { by: random, stratify: true }`"), "{hint}");
    let series = "{ series: { path: @t.csv, time: day, inputs: [day], target: trend, window: 3 } }";
    let (message, hint) = of(Task::Binary, series, None);
    assert!(message.ends_with("examples, all of one label"), "{message}");
    assert!(hint.ends_with("a series is cut by time") && !hint.contains("random"), "{hint}");
}

#[test]
fn values_are_compared_with_columns_without_blanks_around_them_and_as_written() {
    let text = table().replace(",yes,", ", +1 ,").replace(",no,", ",-1,");
    let files = Files::of(&[("t.csv", text.as_bytes())]);
    let of = |yaml: &str| files.prepare(yaml, Some(true)).unwrap().facts;
    let facts = of("{ table: { path: @t.csv, positive: \"+1\" } }");
    assert_eq!((facts.classes[1].as_str(), facts.train.positives), ("+1", Some(6)));
    let same = of("{ table: { path: @t.csv, positive: \" +1\" } }");
    assert_eq!(same.train, facts.train);
    let said = files.refusal("{ table: { path: @t.csv, positive: \"1\" } }", Some(true));
    assert!(said.contains("never holds `1`"), "{said}");
}

#[test]
fn texts_whose_words_are_unknown_or_missing_are_told() {
    let row = |at: usize| format!("好看的电影{at}号,{}\n", at % 2);
    let unspaced = (0..20).fold("text,label\n".to_owned(), |text, at| text + &row(at));
    let empty = table().replace("good w0", "").replace("bad w1,", "?!,");
    let files = Files::of(&[("a.csv", unspaced.as_bytes()), ("b.csv", empty.as_bytes())]);
    let warnings = |yaml: &str| {
        files.prepare(yaml, Some(true)).unwrap().facts.warnings(Metric::Accuracy.info(), "")
    };
    let said = warnings("{ table: { path: @a.csv } }");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("100 % of the words of the validation split are unknown"),
        "{said:?}"
    );
    let said = warnings("{ table: { path: @b.csv }, split: { by: order } }");
    assert_eq!(said, ["2 texts of the training split have no words"]);
}

#[test]
fn texts_that_stand_in_two_splits_are_counted_and_a_random_split_keeps_them_in_one() {
    let row = |at: usize| format!("word{} and word{},{}\n", at % 30, at % 30 + 40, at % 2);
    let rows =
        |from: usize, to: usize| (from..to).fold("text,label\n".to_owned(), |t, at| t + &row(at));
    let (train, test) = (rows(0, 30), rows(28, 38));
    let parts = (0..60).fold("text,label,part\n".to_owned(), |text, at| {
        let part = if at < 40 { "train" } else { "test" };
        text + row(at).trim_end() + "," + part + "\n"
    });
    let files = Files::of(&[
        ("train.csv", train.as_bytes()),
        ("test.csv", test.as_bytes()),
        ("parts.csv", parts.as_bytes()),
    ]);
    let repeated = |yaml: &str| {
        let overlap = files.prepare(yaml, Some(true)).unwrap().facts.overlap.unwrap();
        (overlap.validation.repeated, overlap.test.repeated, overlap.test.example)
    };
    let of_files = "{ table: { train: @train.csv, test: @test.csv }, split: { by: order } }";
    let (_, test, example) = repeated(of_files);
    // Texts with words that the training part lacks are not compared.
    assert!(test > 0 && example.is_some(), "{test}");
    assert!(repeated("{ table: { path: @parts.csv, split: part } }").1 > 0);
    assert_eq!(repeated("{ table: { path: @parts.csv } }"), (0, 0, None));
}

/// 60 rows of three words, by turns of one of three subjects, with a number of stars.
fn subjects() -> String {
    let row = |at: usize| {
        let subject = ["sport", "art", "law"][at % 3];
        let stars = [9, 10, 2, 7][at / 3 % 4];
        format!("about {subject} w{at},{subject},{stars},{}\n", at as f32 / 4.0 - 5.0)
    };
    (0..60).fold("text,subject,stars,price\n".to_owned(), |text, at| text + &row(at))
}

#[test]
fn several_classes_are_counted_in_every_split_and_kept_by_name() {
    let files = Files::of(&[("t.csv", subjects().as_bytes())]);
    let of = |label: &str| {
        let yaml = format!("{{ table: {{ path: @t.csv, label: {label} }} }}");
        files.prepare_for(Task::Multiclass, &yaml, Some(true)).unwrap()
    };
    let prepared = of("subject");
    let facts = &prepared.facts;
    assert_eq!(facts.classes, ["art", "law", "sport"]);
    assert_eq!((&facts.train.counts[..], &facts.test.counts[..]), (&[12; 3][..], &[4; 3][..]));
    assert_eq!((facts.train.positives, facts.train.targets), (None, None));
    assert!(!facts.sorted_by_label);
    assert_eq!(of("stars").facts.classes, ["2", "7", "9", "10"], "in the order of numbers");
    let kept = files.path().join("data");
    prepared.keep(&kept).unwrap();
    let labels: serde_json::Value =
        serde_json::from_slice(&fs::read(kept.join("labels.json")).unwrap()).unwrap();
    assert_eq!(labels, serde_json::json!({ "0": "art", "1": "law", "2": "sport" }));
    // The same answer to every row: one of three classes, and ln 3.
    let score = |metric| facts.baseline[&metric];
    assert!((score(Metric::LogLoss) - 3f64.ln()).abs() < 1e-6);
    assert!((score(Metric::Accuracy) - 1.0 / 3.0).abs() < 1e-12);
    assert!(!facts.baseline.contains_key(&Metric::Auc), "it judges two classes");
}

#[test]
fn numbers_are_prepared_as_they_are_and_as_another_data_set_than_classes() {
    let files = Files::of(&[("t.csv", subjects().as_bytes())]);
    let yaml = "{ table: { path: @t.csv, label: stars } }";
    let as_classes = files.prepare_for(Task::Multiclass, yaml, Some(true)).unwrap();
    let as_numbers = files.prepare_for(Task::Regression, yaml, Some(true)).unwrap();
    assert_ne!(as_classes.facts.hash, as_numbers.facts.hash);
    let facts = &as_numbers.facts;
    assert!(facts.are_numbers() && facts.train.counts.is_empty());
    let targets = facts.train.targets.unwrap();
    assert_eq!((targets.least, targets.most), (2.0, 10.0));
    let dataset = Dataset::open(&as_numbers.path).unwrap();
    let splits = dataset.splits().unwrap();
    let n = splits.train.labels.len() as f64;
    let mean = splits.train.labels.iter().map(|y| f64::from(*y)).sum::<f64>() / n;
    assert!((targets.mean - mean).abs() < 1e-12);
    let of_validation = splits.validation.labels;
    let squares = of_validation.iter().map(|y| (f64::from(*y) - mean).powi(2)).sum::<f64>();
    let mse = squares / of_validation.len() as f64;
    assert!((facts.baseline[&Metric::Mse] - mse).abs() < 1e-4);
    assert!((facts.baseline[&Metric::Rmse] - mse.sqrt()).abs() < 1e-4);
    let kept = files.path().join("data");
    as_numbers.keep(&kept).unwrap();
    assert!(!kept.join("labels.json").exists(), "numbers have no names");
}

#[test]
fn two_classes_keep_their_facts_and_have_a_baseline() {
    let files = Files::of(&[("t.csv", table().as_bytes())]);
    let prepared = files.prepare("{ table: { path: @t.csv } }", Some(true)).unwrap();
    let facts = &prepared.facts;
    assert_eq!(facts.baseline[&Metric::Accuracy].to_bits(), 0.5f64.to_bits());
    assert_eq!(facts.baseline[&Metric::Auc].to_bits(), 0.5f64.to_bits());
    assert!((facts.baseline[&Metric::LogLoss] - 2f64.ln()).abs() < 1e-6);
    let dataset = Dataset::open(&prepared.path).unwrap();
    let written = serde_json::to_value(dataset.facts()).unwrap();
    let keys: Vec<&String> = written["train"].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["examples", "positives", "steps", "longest", "tokens", "unknown", "empty"],
        "as the first version wrote them"
    );
    assert!(written.get("baseline").is_none(), "it follows from the rows");
    let softmax = files.prepare_for(Task::Multiclass, "{ table: { path: @t.csv } }", Some(true));
    let softmax = softmax.unwrap().facts;
    assert_eq!(softmax.classes, facts.classes);
    assert_ne!(softmax.hash, facts.hash);
}

#[test]
fn labels_that_do_not_fit_the_head_are_refused_with_what_does() {
    let files = Files::of(&[("t.csv", subjects().as_bytes())]);
    let of = |task, label: &str| {
        let yaml = format!("{{ table: {{ path: @t.csv, label: {label} }} }}");
        let error = files.prepare_for(task, &yaml, Some(true)).unwrap_err();
        let error = error.downcast::<UserError>().unwrap();
        (error.message, error.hint.unwrap_or_default())
    };
    let (message, hint) = of(Task::Binary, "subject");
    assert!(message.contains("received 3: `art` (20 rows), `law` (20 rows)"), "{message}");
    assert!(hint.starts_with("for 3 classes use `dense: { units: 3, activation: softmax }`"));
    let (message, hint) = of(Task::Binary, "price");
    assert!(message.contains("received 60 from -5 to 9.75"), "{message}");
    assert!(hint.contains("activation: linear"), "{hint}");
    let (message, hint) = of(Task::Regression, "subject");
    assert!(message.ends_with("t.csv, line 2: `sport` is no number that can be predicted"));
    assert!(hint.contains("activation: softmax"), "{hint}");
    let (message, _) = of(Task::Multiclass, "text");
    assert!(message.contains("holds 60 different labels in 60 rows"), "{message}");
    let one = Files::of(&[("t.csv", b"text,label\na,x\nb,x\nc,x\n")]);
    let said = one.refusal_for(Task::Multiclass, "{ table: { path: @t.csv } }", Some(true));
    assert!(said.contains("at least two different labels, received 1: `x` (3 rows)"), "{said}");
}

#[test]
fn targets_that_cannot_be_learned_and_splits_without_a_class_are_told() {
    let rows = |value: &dyn Fn(usize) -> String| {
        (0..60).fold("text,label\n".to_owned(), |t, at| t + &format!("w w{at},{}\n", value(at)))
    };
    let files = Files::of(&[
        ("alike.csv", rows(&|_| "3".into()).as_bytes()),
        ("large.csv", rows(&|at| (at * 37 % 60 * 100).to_string()).as_bytes()),
        (
            "late.csv",
            rows(&|at| ["a", "b", "c"][if at < 40 { at % 3 } else { at % 2 }].into()).as_bytes(),
        ),
    ]);
    let told = |task, file: &str| {
        let yaml = format!("{{ table: {{ path: @{file}.csv }}, split: {{ by: order }} }}");
        let facts = files.prepare_for(task, &yaml, Some(true)).unwrap().facts;
        facts.warnings(Metric::Accuracy.info(), "").remove(0)
    };
    assert!(told(Task::Regression, "alike").starts_with("all targets of the training split are 3"));
    assert!(told(Task::Regression, "large").contains("outputs start near 0"));
    let said = told(Task::Multiclass, "late");
    assert!(said.starts_with("no example of the test split has the label `c`"), "{said}");
}

#[test]
fn labels_of_arrays_are_integers_one_column_a_class_or_numbers() {
    let x: Vec<f32> = (0..160).map(|at| at as f32 * 0.01).collect();
    let classes: Vec<i64> = (0..40).map(|row| [10, 2, 5][row % 3]).collect();
    let hot: Vec<f32> = (0..40)
        .flat_map(|row| (0..3).map(move |class| f32::from(u8::from(row % 3 == class))))
        .collect();
    let numbers: Vec<f64> = (0..40).map(|row| f64::from(row * 7 % 40) / 8.0).collect();
    let mut missing = numbers.clone();
    missing[4] = f64::NAN;
    let files = Files::of(&[
        ("x.npy", &npy(&[40, 2, 2], &x)),
        ("classes.npy", &npy(&[40], &classes)),
        ("hot.npy", &npy(&[40, 3], &hot)),
        ("numbers.npy", &npy(&[40, 1], &numbers)),
        ("missing.npy", &npy(&[40], &missing)),
    ]);
    let yaml = |y: &str| format!("{{ arrays: {{ x_train: @x.npy, y_train: @{y}.npy }} }}");
    let facts = |task, y| files.prepare_for(task, &yaml(y), None).unwrap().facts;
    assert_eq!(facts(Task::Multiclass, "classes").classes, ["2", "5", "10"]);
    assert_eq!(facts(Task::Multiclass, "hot").classes, ["0", "1", "2"]);
    let targets = facts(Task::Regression, "numbers").test.targets.unwrap();
    assert!(targets.least >= 0.0 && targets.most <= 5.0, "{targets:?}");
    let refusal = |task, y| files.refusal_for(task, &yaml(y), None);
    assert_eq!(refusal(Task::Regression, "missing"), "missing.npy holds NaN in row 4 (from 0)");
    assert!(refusal(Task::Binary, "hot").contains("has the shape [40, 3]"));
    assert!(refusal(Task::Multiclass, "numbers").contains("and classes are whole numbers"));
    assert!(refusal(Task::Binary, "classes").contains("received 3: `10`"));
}
