//! Good files, one for each reader, and who reads them.

use super::mutate::mutate;
use crate::util::npy;
use anyhow::Result;
use batchscope::config::{DataSection, EmbeddingSection, Source, Study};
use batchscope::data::{Encoder, peek, prepare};
use batchscope::spec::{Input, Shape, Stack, Task};

use batchscope::model::{self, Names};
use batchscope::{report, study};
use flate2::{Compression, write::GzEncoder};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A kind of file and its reader.
pub(super) struct Target {
    pub(super) name: &'static str,
    /// The file that is damaged, below the scene's folder.
    pub(super) file: &'static str,
    /// Inputs that `scripts/test` tries.
    pub(super) quick: u64,
    pub(super) read: fn(&Scene) -> Result<()>,
}

const fn target(
    name: &'static str,
    file: &'static str,
    quick: u64,
    read: fn(&Scene) -> Result<()>,
) -> Target {
    Target { name, file, quick, read }
}

pub(super) const TARGETS: &[Target] = &[
    target("csv", "t.csv", 150, |scene| scene.table("csv", "t.csv")),
    target("tsv", "t.tsv", 100, |scene| scene.table("tsv", "t.tsv")),
    target("jsonl", "t.jsonl", 100, |scene| scene.table("jsonl", "t.jsonl")),
    target("gzip", "t.csv.gz", 60, |scene| scene.table("csv", "t.csv.gz")),
    target("parquet", "t.parquet", 150, |scene| scene.table("parquet", "t.parquet")),
    target("tokenizer", "tokenizer.json", 60, Scene::tokenizer),
    target("npz", "a.npz", 100, |scene| scene.arrays("{ arrays: { path: @a.npz } }", None)),
    target("npy", "x.npy", 200, |scene| {
        scene.arrays("{ arrays: { x_train: @x.npy, y_train: @y.npy } }", None)
    }),
    target("token npy", "tokens.npy", 150, |scene| {
        scene.arrays("{ arrays: { x_train: @tokens.npy, y_train: @y.npy } }", Some(true))
    }),
    target("labels npy", "y.npy", 100, |scene| {
        scene.arrays("{ arrays: { x_train: @x.npy, y_train: @y.npy } }", None)
    }),
    target("one-hot npy", "one_hot.npy", 60, |scene| {
        scene.arrays("{ arrays: { x_train: @x.npy, y_train: @one_hot.npy } }", None)
    }),
    target("series", "series.csv", 100, Scene::series),
    target("yaml", "study.yaml", 150, |scene| scene.yaml("study.yaml")),
    target("layers", "layers.yaml", 100, |scene| scene.yaml("layers.yaml")),
    target("weights", "w.safetensors", 150, |scene| {
        model::read_weights(&scene.path().join("w.safetensors"), &SHAPE).map(drop)
    }),
    target("kept data", "kept/vocabulary.txt", 40, Scene::kept),
    target("record", "study/batch-8/seed-0/record.json", 40, Scene::records),
    target("metrics", "study/batch-8/seed-0/metrics.jsonl", 40, Scene::records),
    target("timing", "study/batch-8/seed-0/timing.jsonl", 30, Scene::records),
    target("environment", "study/environment.json", 30, Scene::records),
    target("resolved study", "study/study.yaml", 30, Scene::records),
];

const SHAPE: Shape =
    Shape { input: Input::Tokens { vocabulary: 9, dim: 3 }, layers: Stack::lstm(4), outputs: 1 };

const YAML: &str = "\
study:
  seeds: 2
  grid: { batch_size: [8, 16], lr: [1.0e-3, 1.0e-2] }
data:
  table: { path: t.csv, text: text, label: label, positive: 1, where: { source: a } }
  text: { replace: { \"<br />\": \" \" }, max_tokens: 100, length: 12 }
  split: { validation: 0.25, test: 0.25 }
model:
  embedding: { dim: 6 }
  lstm: { units: 5, dropout: 0.1 }
train:
  epochs: 3
  schedule: { cosine: { over: 3 } }
  early_stopping: { patience: 1 }
  device: cpu
";

const LAYERS: &str = "\
study: { seeds: 2, score: rmse, margin: { relative: 0.02 }, grid: { batch_size: [8, 16] } }
data:
  series: { path: series.csv, time: day, inputs: [a, b], target: a, group: site, window: 4, horizon: 2 }
  scale: minmax
model:
  layers:
    - bidirectional: { lstm: { units: 3, dropout: 0.1 } }
    - gru: { units: 4, recurrent_dropout: 0.2, kernel_regularizer: { l2: 0.01 } }
  dense: { units: 1, activation: linear }
train: { epochs: 3, loss: { huber: { delta: 0.5 } }, stop_at: { val_mae: 0.1 } }
";

/// The folder in which one file at a time is damaged.
pub(super) struct Scene {
    folder: PathBuf,
    /// The files as they should be.
    good: Vec<(&'static str, Vec<u8>)>,
    /// The one that is damaged now.
    damaged: Option<&'static str>,
}

impl Scene {
    pub(super) fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut scene = Self { folder: folder.to_owned(), good: Vec::new(), damaged: None };
        let table = |separator: &str| -> String {
            let row = |row: usize| {
                format!("{} word {row}{separator}{}\n", ["good", "bad"][row % 2], row % 2)
            };
            format!("text{separator}label\n{}", (0..40).map(row).collect::<String>())
        };
        let lines = (0..40).map(|row| {
            format!(
                "{{\"text\": \"{} word {row}\", \"label\": {}}}\n",
                ["good", "bad"][row % 2],
                row % 2
            )
        });
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(table(",").as_bytes()).unwrap();
        let (x, y) = (npy(&[40, 3, 2], &floats(240)), npy(&[40], &labels()));
        let tokens: Vec<i32> = (0..160).map(|at| at % 7 + 1).collect();
        let files: Vec<(&'static str, Vec<u8>)> = vec![
            ("t.csv", table(",").into_bytes()),
            ("t.tsv", table("\t").into_bytes()),
            ("t.jsonl", lines.collect::<String>().into_bytes()),
            ("t.csv.gz", gzip.finish().unwrap()),
            ("t.parquet", parquet()),
            ("tokenizer.json", tokenizer().into_bytes()),
            ("a.npz", npz(&[("X_train", &x), ("y_train", &y)])),
            ("x.npy", x),
            ("y.npy", y),
            ("tokens.npy", npy(&[40, 4], &tokens)),
            ("one_hot.npy", npy(&[40, 2], &one_hot())),
            ("series.csv", series().into_bytes()),
            ("study.yaml", YAML.into()),
            ("layers.yaml", LAYERS.into()),
        ];
        for (name, bytes) in files {
            scene.keep(name, bytes);
        }
        let weights = folder.join("w.safetensors");
        model::write_weights(&weights, &SHAPE, &model::keras(&SHAPE, 0), Names::Own).unwrap();
        scene.keep("w.safetensors", fs::read(weights).unwrap());
        scene.keep_data();
        scene.study();
        scene
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    fn keep(&mut self, name: &'static str, bytes: Vec<u8>) {
        fs::write(self.folder.join(name), &bytes).unwrap();
        self.good.push((name, bytes));
    }

    /// The file of a target as it should be, and the one that was damaged last too.
    pub(super) fn lay_good(&mut self, target: &Target) {
        for name in self.damaged.take().into_iter().chain([target.file]) {
            let (_, bytes) = self.good.iter().find(|(known, _)| *known == name).unwrap();
            fs::write(self.folder.join(name), bytes).unwrap();
        }
    }

    /// The file of a target, damaged.
    pub(super) fn lay(&mut self, target: &Target, seed: u64) {
        self.lay_good(target);
        let (_, bytes) = self.good.iter().find(|(known, _)| *known == target.file).unwrap();
        let (mut bytes, mut rng) = (bytes.clone(), StdRng::seed_from_u64(seed));
        mutate(&mut bytes, &mut rng);
        fs::write(self.folder.join(target.file), bytes).unwrap();
        self.damaged = Some(target.file);
    }

    fn section(&self, yaml: &str) -> DataSection {
        let yaml = yaml.replace('@', &format!("{}/", self.folder.display()));
        serde_yaml::from_str(&yaml).unwrap()
    }

    fn prepare(&self, yaml: &str, embedding: Option<bool>) -> Result<()> {
        let embedding = embedding.map(|mask_zero| EmbeddingSection { dim: 4, mask_zero });
        let cache = self.folder.join("cache");
        let mut read = Vec::new();
        for task in [Task::Multiclass, Task::Regression, Task::Binary] {
            let (section, embedding) = (self.section(yaml), embedding.as_ref());
            read.push(prepare(&section, embedding, task, &cache, &mut |_| ()).map(drop));
            fs::remove_dir_all(&cache).ok();
        }
        // A good file is one that fits some task.
        read.into_iter().reduce(Result::or).unwrap_or(Ok(()))
    }

    fn table(&self, format: &str, file: &str) -> Result<()> {
        // What `init` reads; its own refusal is as good.
        peek(&self.folder.join(file)).ok();
        let yaml =
            format!("{{ table: {{ path: @{file}, format: {format} }}, text: {{ length: 4 }} }}");
        self.prepare(&yaml, Some(true))
    }

    fn tokenizer(&self) -> Result<()> {
        let text = "{ tokenizer: { file: @tokenizer.json }, length: 4 }";
        self.prepare(&format!("{{ table: {{ path: @t.csv }}, text: {text} }}"), Some(false))
    }

    fn arrays(&self, yaml: &str, embedding: Option<bool>) -> Result<()> {
        peek(&self.folder.join("a.npz")).ok();
        self.prepare(yaml, embedding)
    }

    fn series(&self) -> Result<()> {
        peek(&self.folder.join("series.csv")).ok();
        let series =
            "{ path: @series.csv, time: day, inputs: [a, b], target: a, group: site, window: 3 }";
        self.prepare(&format!("{{ series: {series}, scale: standard }}"), None)
    }

    fn yaml(&self, name: &str) -> Result<()> {
        let bytes = fs::read(self.folder.join(name))?;
        // A file that is no text is refused before this.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let source = Source { name: name.into(), text, overrides: Vec::new() };
        Ok(Study::from_source(&source, "fuzz").map(drop)?)
    }

    /// What a study keeps to read new inputs.
    fn keep_data(&mut self) {
        let yaml = "{ table: { path: @t.csv }, text: { length: 4 } }";
        let embedding = EmbeddingSection { dim: 4, mask_zero: true };
        let cache = self.folder.join("cache");
        let prepared =
            prepare(&self.section(yaml), Some(&embedding), Task::Binary, &cache, &mut |_| ())
                .unwrap();
        prepared.keep(&self.folder.join("kept")).unwrap();
        fs::remove_dir_all(&cache).unwrap();
        let bytes = fs::read(self.folder.join("kept/vocabulary.txt")).unwrap();
        self.keep("kept/vocabulary.txt", bytes);
    }

    fn kept(&self) -> Result<()> {
        let section = self.section("{ table: { path: @t.csv }, text: { length: 4 } }");
        Encoder::open(&self.folder.join("kept"), &section, true).map(drop)
    }

    /// A finished study, run by the program itself.
    fn study(&mut self) {
        let file = "study: { seeds: 1, arms: [{ batch_size: 8 }, { batch_size: 16 }] }\n\
                    data: { table: { path: t.csv }, text: { length: 4 } }\n\
                    model: { embedding: { dim: 2 }, lstm: { units: 2 } }\n\
                    train: { epochs: 2, device: cpu }\n";
        fs::write(self.folder.join("run.yaml"), file).unwrap();
        let ended = std::process::Command::new(env!("CARGO_BIN_EXE_batchscope"))
            .current_dir(&self.folder)
            .args(["run", "run.yaml", "--out", "study", "--workers", "1"])
            .output()
            .unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        for target in TARGETS.iter().filter(|target| target.file.starts_with("study/")) {
            let bytes = fs::read(self.folder.join(target.file)).unwrap();
            self.good.push((target.file, bytes));
        }
    }

    fn records(&self) -> Result<()> {
        let folder = self.folder.join("study");
        study::StudyStatus::read(&folder)?;
        report::write(&folder).map(drop)
    }
}

fn floats(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at * 7919 % 1009) as f32 / 1009.0).collect()
}

fn labels() -> Vec<f32> {
    (0..40).map(|row| (row % 2) as f32).collect()
}

fn one_hot() -> Vec<f32> {
    (0..80).map(|at| f32::from(u8::from(at / 2 % 2 == at % 2))).collect()
}

/// Two sites, a line for each day.
fn series() -> String {
    let line = |at: usize| {
        let (day, site) = (at / 2 + 1, ["north", "south"][at % 2]);
        format!("2024-03-{day:02},{site},{},{}\n", at * 7919 % 101, at * 31 % 17)
    };
    format!("day,site,a,b\n{}", (0..60).map(line).collect::<String>())
}

fn npz(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn parquet() -> Vec<u8> {
    let schema = "message schema { required binary text (UTF8); required binary label (UTF8); }";
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let text = |row: usize| format!("{} word {row}", ["good", "bad"][row % 2]);
    let label = |row: usize| (row % 2).to_string();
    for value in [&text as &dyn Fn(usize) -> String, &label] {
        let column: Vec<ByteArray> =
            (0..40).map(|row| ByteArray::from(value(row).into_bytes())).collect();
        let mut into = group.next_column().unwrap().unwrap();
        into.typed::<ByteArrayType>().write_batch(&column, None, None).unwrap();
        into.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

fn tokenizer() -> String {
    let numbers: String = (0..40).map(|row| format!(",\"{row}\":{}", row + 4)).collect();
    r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
    "normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"Whitespace"},
    "post_processor":null,"decoder":{"type":"WordPiece","prefix":"x","cleanup":true},
    "model":{"type":"WordLevel","vocab":{"[UNK]":0,"good":1,"bad":2,"word":3@},"unk_token":"[UNK]"}}"#
        .replace('@', &numbers)
}
