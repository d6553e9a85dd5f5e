//! `batchscope init DATA.csv`: an experiment file for the user's own data, with a comment for every
//! key, which `check` accepts as it is.

mod guess;
mod sizes;
mod target;
mod write;

pub(super) use sizes::untuned;

use super::diagnostics::{self, Output};
use super::sink::refuse_missing_folder;
use crate::data::{Contents, labelled, peek};
use crate::error::UserError;
use crate::files;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The user's data, and which columns of it to take.
#[derive(Debug, Args)]
pub(super) struct DataArgs {
    /// The data: a table with a text and a label column (CSV, TSV, JSON Lines or Parquet), or an npz
    /// file with arrays
    #[arg(value_name = "DATA")]
    pub(super) path: PathBuf,
    /// The column that holds the texts, when the guess is wrong
    #[arg(long, value_name = "COLUMN")]
    text: Option<String>,
    /// The column that holds the labels, when the guess is wrong
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
}

impl DataArgs {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether a column is not left to be guessed.
    pub(super) fn names_a_column(&self) -> bool {
        self.text.is_some() || self.label.is_some()
    }
}

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The file to write, which must not exist yet [default: standard output]
    #[arg(long, value_name = "FILE.yaml")]
    out: Option<PathBuf>,
}

pub(super) fn init(args: &InitArgs, output: Output) -> Result<ExitCode> {
    let found = look_at(&args.data, output)?;
    let taken = found.taken();
    // As other programs name standard output.
    let out = args.out.as_deref().filter(|path| *path != Path::new("-"));
    let yaml = write::experiment(&args.data.name(), &found, out);
    let document = json!({
        "file": out,
        "read": found.read(),
        "examples": taken.examples,
        "labels": taken.labels,
        "also_possible": taken.alternatives,
        "yaml": yaml,
    });
    match out {
        None => output.data(&document, yaml.trim_end())?,
        Some(path) => {
            create(path, &yaml)?;
            let next = format!("batchscope check {}", path.display());
            output.answer(&document, &format!("wrote {}; now: {next}", path.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The text of an experiment file for these data, which will be called `out`.
pub(super) fn experiment(data: &DataArgs, out: &Path, output: Output) -> Result<String> {
    let found = look_at(data, output)?;
    Ok(write::experiment(&data.name(), &found, Some(out)))
}

/// What the data hold, and which columns or arrays are taken, which is told.
fn look_at(data: &DataArgs, output: Output) -> Result<guess::Guess> {
    let name = data.name();
    let found = match peek(&data.path)? {
        Contents::Table(table) => {
            let (text, label) = (data.text.as_deref(), data.label.as_deref());
            let wanted = guess::Wanted { text, label };
            let read = table.account.differences();
            read.iter().for_each(|said| output.note(&format!("read {said}")));
            if let Some(why) = &table.quotes_are_text {
                diagnostics::print_warnings(&[format!("{why}; quotes are read as text")]);
            }
            let guess = guess::table(&name, &table.columns, wanted)?;
            let (quotes_are_text, separator) = (table.quotes_are_text.is_some(), table.separator);
            let guess = guess::TableGuess { read, quotes_are_text, separator, ..guess };
            guess::Guess::Table(Box::new(guess))
        }
        Contents::Arrays(shapes, unreadable) => {
            // What cannot be read may be what is missing.
            let arrays = guess::arrays(&name, &shapes).map_err(|e| unreadable.unwrap_or(e))?;
            let train = labelled(&data.path, &arrays.train.0, &arrays.train.1)?;
            guess::Guess::Arrays(Box::new(guess::KnownArrays { arrays, train }))
        }
    };
    output.note(&found.taken().said());
    Ok(found)
}

/// Writes a file that is not there yet.
pub(super) fn create(path: &Path, text: &str) -> Result<()> {
    refuse_missing_folder(path)?;
    files::write_new(path, text).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow::Error::new(UserError::new(
            format!("{} exists already and is left as it is", path.display()),
            "name another file with `--out`, or remove this one",
        )),
        _ => anyhow::Error::new(error).context(format!("cannot write {}", path.display())),
    })
}
