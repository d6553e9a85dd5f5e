//! `batchscope export RUN_DIR --format FORMAT`: a finished run's model for other programs.

use super::diagnostics::Output;
use super::recommended::run_of;
use crate::error::UserError;
use crate::export::{self, Format, Model};
use crate::files;
use crate::study::TrainedRun;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_long_help = USE)]
pub(super) struct ExportArgs {
    /// The folder of a finished run, such as runs/quickstart/batch-32/seed-0, or of a study
    ///
    /// Of a study, the best run by validation of the recommended arm is taken.
    #[arg(value_name = "RUN_DIR")]
    run: PathBuf,
    /// For which program
    #[arg(long, value_enum)]
    format: FormatName,
    /// The folder that the files are written to [default: RUN_DIR/export]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    /// model.safetensors, with the names of torch.nn modules
    Torch,
    /// model.keras, for Keras 3
    Keras,
    /// model.onnx, opset 17
    Onnx,
}

const USE: &str = "\
Beside a model of classes lies classes.json: their names. Of two, the model answers with the
probability of the second one; of several, with a probability for each, in this order. Beside one
whose numbers were scaled lies scaling.json, with offsets and factors.

Beside the model of a text study lies vocabulary.txt: line n is the word of id n - 1, the first two
are padding (0) and unknown words (1); or tokenizer.json, where the study has one. Texts become ids
as `data.text` in study.yaml says.

torch:
  class Classifier(torch.nn.Module):
      def __init__(self, vocabulary, dim, units):
          super().__init__()
          self.embedding = torch.nn.Embedding(vocabulary, dim)   # for text only
          self.lstm = torch.nn.LSTM(dim, units, batch_first=True)
          self.dense = torch.nn.Linear(units, 1)
      def forward(self, tokens, lengths):                        # 0 after each row's last token
          states, _ = self.lstm(self.embedding(tokens))
          last = states[torch.arange(len(tokens)), (lengths - 1).clamp(min=0)]
          return torch.sigmoid(self.dense(last * (lengths > 0).unsqueeze(1)))
  model.load_state_dict(safetensors.torch.load_file('model.safetensors'))
  Layers of `model.layers` that are all alike are one torch.nn.LSTM `lstm` or torch.nn.GRU `gru`, with
  num_layers and bidirectional; others a torch.nn.ModuleList `rnn` of modules with one layer each. Those
  with two directions need torch.nn.utils.rnn.pack_padded_sequence where rows differ in length.
keras:
  model = keras.models.load_model('model.keras')                 # tokens [B, T], 0 is padding
onnx:
  session = onnxruntime.InferenceSession('model.onnx')           # for text, int64 [B, T] and [B]:
  session.run(None, {'tokens': tokens, 'lengths': lengths})      # no lengths if mask_zero is false
  session.run(None, {'features': features})                      # for arrays, float32 [B, T, F]";

/// Makes the folder of the model's files, unless something else has its name.
fn make_folder(folder: &Path) -> Result<()> {
    if folder.exists() && !folder.is_dir() {
        return Err(UserError::new(
            format!(
                "`--output {}` is a file, and the model's files need a folder",
                folder.display()
            ),
            "name a folder, which need not exist yet",
        )
        .into());
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

const SCALING: &str = "scaling.json";
const CLASSES: &str = "classes.json";

/// What may lie beside a model.
const BESIDE: [&str; 4] = [SCALING, CLASSES, "vocabulary.txt", "tokenizer.json"];

/// Refuses a folder with files beside the model that this one does not have: an earlier export left them, and
/// they would be taken for its own.
fn refuse_of_another(folder: &Path, own: &[Option<&str>]) -> Result<(), UserError> {
    let strange = |name: &&&str| !own.contains(&Some(**name)) && folder.join(name).exists();
    match BESIDE.iter().find(strange) {
        None => Ok(()),
        Some(name) => Err(UserError::new(
            format!("{} holds a {name}, which does not belong to this model", folder.display()),
            "name another folder with `--output`, or remove what an earlier export left there",
        )),
    }
}

pub(super) fn export(args: &ExportArgs, output: Output) -> Result<ExitCode> {
    let folder_of_run = run_of(&args.run, output)?;
    let run = TrainedRun::open(&folder_of_run)?;
    let format = match args.format {
        FormatName::Torch => Format::Torch,
        FormatName::Keras => Format::Keras,
        FormatName::Onnx => Format::Onnx,
    };
    // Before anything is written.
    let (vocabulary, classes) = (run.vocabulary()?, run.classes()?);
    let own = folder_of_run.join("export");
    let folder = args.output.clone().unwrap_or_else(|| own.clone());
    if folder == own {
        files::refuse_no_folder(&folder)?;
    }
    make_folder(&folder)?;
    let scaling = run.scaling()?;
    let beside = [
        scaling.as_ref().map(|_| SCALING),
        (!classes.is_empty()).then_some(CLASSES),
        vocabulary.as_ref().map(|(name, _)| *name),
    ];
    refuse_of_another(&folder, &beside)?;
    let path = folder.join(format.file_name());
    let (shape, masked) = (run.definition.model, run.is_masked());
    let head = run.definition.arm.model.dense.activation;
    export::write(format, &Model { shape, masked, head, weights: &run.weights }, &path)?;
    let mut written = vec![path];
    if let Some(scaling) = scaling {
        let beside = folder.join(SCALING);
        files::write_json(&beside, &scaling)?;
        output.note(
            "the model reads scaled numbers and answers in scaled ones: a value is `offset + factor * scaled`, as \
             scaling.json has it for each feature and for the target",
        );
        written.push(beside);
    }
    if !classes.is_empty() {
        let beside = folder.join(CLASSES);
        files::write_json(&beside, &classes)?;
        written.push(beside);
    }
    if let Some((name, bytes)) = vocabulary {
        let copy = folder.join(name);
        files::write_atomic(&copy, |file| Ok(file.write_all(&bytes)?))?;
        written.push(copy);
    }
    let lines: Vec<String> = written.iter().map(|file| file.display().to_string()).collect();
    output.answer(&json!({ "files": written }), &lines.join("\n"))?;
    output.note("how to load it: batchscope export --help");
    Ok(ExitCode::SUCCESS)
}
