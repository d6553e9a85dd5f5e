//! A finished run that is put to use: measured on a split, asked for predictions, exported.
//!
//! Everything comes from the study's folder: the run's record and weights, the resolved file, and
//! the copies that the study keeps of its vocabulary and classes. Measuring needs the prepared
//! examples too, from the cache or, if that is gone, prepared again from the source.

use super::folder::resolved;
use super::record::{Definition, Record, RunFolder, Status};
use crate::config::Study;
use crate::data::{self, Dataset, Encoder, Inputs, Prepared, Scaling};
use crate::error::UserError;
use crate::kernels::{self, Arrays, Device, Engine, Examples, Sequences, Split, Splits};
use crate::spec::{self, Metrics, Objective, Task};
use crate::train;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A finished run with its weights. Its engines work on the processor; call
/// [`kernels::start_libtorch`] before the first.
pub struct TrainedRun {
    /// What defines the run.
    pub definition: Definition,
    /// The weights after the last epoch, or those of the best one if they were restored.
    pub weights: Arrays,
    study: Study,
    study_folder: PathBuf,
}

/// What a run measured on a split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// N
    pub examples: usize,
    /// As in the run's records.
    pub metrics: Metrics,
}

/// What a run says of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Its place in the input, from 0.
    pub index: u64,
    /// Its line in a table, or its row (from 0) in an array.
    pub row: u64,
    /// What is predicted.
    pub answer: Answer,
}

/// What is predicted of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// One of two classes.
    Binary {
        /// That it belongs to class 1.
        probability: f64,
        /// The name of the class, which is class 1 for a probability above 0.5.
        class: String,
    },
    /// One of several classes.
    Class {
        /// The name of the most probable one.
        class: String,
        /// Of each class, in the order of the facts of the data.
        probabilities: Vec<f64>,
    },
    /// A number.
    Number(f64),
}

impl TrainedRun {
    /// Opens the folder of a finished run, inside the folder of its study.
    ///
    /// # Errors
    /// A [`UserError`] where the run is not finished, and where a file of it is damaged or missing.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = RunFolder::new(path);
        let record = folder.record()?.ok_or_else(|| not_a_run(path))?;
        refuse_unfinished(path, &record, &folder)?;
        let shape = &record.definition.model;
        let weights = folder.read_weights(shape)?;
        let whole = fs::canonicalize(path)
            .with_context(|| format!("cannot find the folder {}", path.display()))?;
        let study_folder = whole.ancestors().nth(2).unwrap_or(&whole).to_owned();
        let study = resolved(&study_folder)?;
        refuse_other_place(&whole, &record.definition)?;
        Ok(Self { definition: record.definition, weights, study, study_folder })
    }

    /// The folder of its study.
    pub fn study_folder(&self) -> &Path {
        &self.study_folder
    }

    /// Whether padding is skipped, so that rows may differ in length.
    pub fn is_masked(&self) -> bool {
        self.definition.arm.model.embedding.as_ref().is_some_and(|section| section.mask_zero)
    }

    /// What numbers the words of a text study, as the study keeps it: `vocabulary.txt`, or the
    /// `tokenizer.json` that it was given; with its bytes. `None` for arrays.
    ///
    /// # Errors
    /// Where it is missing, is no plain file, or does not fit its checksum.
    pub fn vocabulary(&self) -> Result<Option<(&'static str, Vec<u8>)>> {
        if self.study.experiment.data.table.is_none() {
            return Ok(None);
        }
        // That it is of the run's own data is seen there.
        self.encoder()?;
        data::kept_vocabulary(&self.kept()).map(Some)
    }

    /// What turns new examples into sequences for this run.
    ///
    /// # Errors
    /// Where a copy of the study is missing, is damaged, or is of other data.
    pub fn encoder(&self) -> Result<Encoder> {
        let encoder = Encoder::open(&self.kept(), &self.study.experiment.data, self.is_masked())?;
        self.refuse_other_data(&encoder.facts().hash, &self.kept())?;
        Ok(encoder)
    }

    /// Loss and metrics over a split of the study, computed as at the end of training. `cache`
    /// holds prepared data; `report` hears what is being done.
    pub fn measure(
        &self,
        split: Split,
        cache: &Path,
        report: &mut dyn FnMut(&str),
    ) -> Result<Measurement> {
        let prepared = self.prepared(cache, report)?;
        let dataset = Dataset::open(&prepared.path)?;
        let splits = dataset.splits()?;
        let examples = splits.get(split);
        let mut engine = self.engine(splits)?;
        let logits = train::logits(engine.as_mut(), split, &examples, &|| false)?;
        let asked = &self.definition.arm.train.metrics;
        let objective = self.objective().in_unit(dataset.unit());
        let logits = logits.unwrap_or_default();
        match train::measure(&objective, asked, &logits, &examples, engine.penalty()?) {
            Some(metrics) => Ok(Measurement { examples: examples.len(), metrics }),
            None => Err(UserError::new(
                "the test split of this study is empty",
                "evaluate `train` or `validation`; `data.split.test`, or `x_test` and `y_test`, give a \
                 study a test split",
            )
            .into()),
        }
    }

    /// A prediction for each example, in their order.
    pub fn predict(&self, encoder: &Encoder, inputs: &Inputs) -> Result<Vec<Prediction>> {
        let encoded = encoder.encode(inputs)?;
        let logits = self.logits(encoded.sequences(), encoded.len())?;
        let (classes, task) = (&encoder.facts().classes, self.task());
        let unit = encoder.facts().unit();
        let predict = |(index, (row, outputs)): (u64, (&u64, &[f32]))| {
            let class = || classes[spec::predicted_class(outputs)].clone();
            let answer = match task {
                Task::Binary => {
                    Answer::Binary { probability: spec::probability(outputs[0]), class: class() }
                }
                Task::Multiclass => {
                    let probabilities = spec::probabilities(outputs);
                    Answer::Class { class: class(), probabilities }
                }
                Task::Regression => Answer::Number(f64::from(unit.natural(outputs[0]))),
            };
            Prediction { index, row: *row, answer }
        };
        let outputs = logits.chunks_exact(self.definition.model.outputs);
        Ok((0..).zip(inputs.rows().iter().zip(outputs)).map(predict).collect())
    }

    /// How the numbers were scaled that the model reads and answers; `None` where they were not.
    ///
    /// # Errors
    /// Where the study's copy of it is missing or damaged.
    pub fn scaling(&self) -> Result<Option<Scaling>> {
        match self.study.experiment.data.scale {
            None => Ok(None),
            Some(_) => Ok(self.encoder()?.facts().scaling.clone()),
        }
    }

    /// The names of the classes, in the order of their numbers; none where numbers are predicted.
    ///
    /// # Errors
    /// Where the study's copy of what is known of its data is missing, damaged, or of other data.
    pub fn classes(&self) -> Result<Vec<String>> {
        Ok(self.encoder()?.facts().classes.clone())
    }

    /// What is asked of the model.
    pub fn task(&self) -> Task {
        self.definition.arm.task()
    }

    /// The logits of these rows, computed in the order of their lengths, so that little is computed
    /// for padding.
    fn logits(&self, sequences: Sequences<'_>, count: usize) -> Result<Vec<f32>> {
        let labels = vec![0.0; count];
        let test = Examples { sequences, labels: &labels };
        let none = match sequences {
            Sequences::Tokens { .. } => Sequences::Tokens { tokens: &[], offsets: &[0] },
            Sequences::Features { steps, features, .. } => {
                Sequences::Features { values: &[], steps, features }
            }
        };
        let none = Examples { sequences: none, labels: &[] };
        let mut engine = self.engine(Splits { train: none, validation: none, test })?;
        let logits = train::logits(engine.as_mut(), Split::Test, &test, &|| false)?;
        Ok(logits.unwrap_or_default())
    }

    /// The loss, every row counting the same.
    fn objective(&self) -> Objective {
        Objective::new(self.definition.arm.loss(), self.definition.model.outputs)
    }

    fn engine<'d>(&self, splits: Splits<'d>) -> Result<Box<dyn Engine + 'd>> {
        let Definition { engine, model, .. } = self.definition;
        let settings = train::settings(&self.definition.arm, &model, splits.train.labels);
        let optimizer = settings.optimizer;
        let mut engine = kernels::engine(engine, Device::Cpu.into(), model, splits, settings)?;
        engine.set_state(&kernels::State::new(self.weights.clone(), &optimizer))?;
        Ok(engine)
    }

    /// The study's copies of what its data decided.
    fn kept(&self) -> PathBuf {
        self.study_folder.join("data")
    }

    /// The examples that the run was trained on.
    fn prepared(&self, cache: &Path, report: &mut dyn FnMut(&str)) -> Result<Prepared> {
        if let Some(found) = data::find(cache, &self.definition.data)? {
            return Ok(found);
        }
        let section = &self.study.experiment.data;
        let Definition { arm, .. } = &self.definition;
        let embedding = arm.model.embedding.as_ref();
        let prepared = data::prepare(section, embedding, arm.task(), cache, report)?;
        self.refuse_other_data(&prepared.facts.hash, &self.study_folder.join("study.yaml"))?;
        Ok(prepared)
    }

    fn refuse_other_data(&self, hash: &str, place: &Path) -> Result<(), UserError> {
        match hash == self.definition.data {
            true => Ok(()),
            false => Err(UserError::new(
                format!(
                    "the run was trained on the data {}, and {} gives {hash}",
                    self.definition.data,
                    place.display()
                ),
                "the source or its settings have changed since: put the file back that the study \
                 was run with",
            )),
        }
    }
}

/// A run's folder may have been copied to another run's place, which would answer for that one.
fn refuse_other_place(folder: &Path, of: &Definition) -> Result<(), UserError> {
    let own = format!("{}/seed-{}", of.arm.name, of.seed);
    match folder.ends_with(&own) {
        true => Ok(()),
        false => Err(UserError::new(
            format!("{} holds the run {own} of its study", folder.display()),
            "name that run, or remove the copy: `batchscope run` then trains what belongs there",
        )),
    }
}

fn not_a_run(path: &Path) -> UserError {
    let hint = match path.join("study.yaml").exists() {
        true => "this is the folder of a study: name one of its runs, such as",
        false => "name the folder of one run, such as",
    };
    UserError::new(
        format!("{} is not the folder of a run: it holds no record.json", path.display()),
        format!("{hint} {}", example(path).display()),
    )
}

/// The first run in a study's folder, or how one would be called.
fn example(study: &Path) -> PathBuf {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        folders.sort();
        folders
    };
    let runs = folders(study).into_iter().flat_map(|arm| folders(&arm));
    let mut runs = runs.filter(|run| run.join("record.json").exists());
    runs.next().unwrap_or_else(|| PathBuf::from("runs/quickstart/batch-32/seed-0"))
}

fn refuse_unfinished(path: &Path, record: &Record, folder: &RunFolder) -> Result<()> {
    let run = path.display();
    let (message, hint) = match &record.status {
        Status::Finished => return Ok(()),
        Status::Running => {
            let done = folder.epochs()?;
            (
                format!("the run {run} is not finished: {done} epochs are done"),
                "`batchscope run` with the study's file goes on with it",
            )
        }
        Status::Diverged { step } => (
            format!("the run {run} diverged at step {step} and has no weights"),
            "choose another run, or lower the learning rate of its arm, under another arm name",
        ),
        Status::Failed { message } => (
            format!("the run {run} failed and has no weights: {message}"),
            "`batchscope run` with the study's file tries it again",
        ),
    };
    Err(UserError::new(message, hint).into())
}
