//! `batchscope quick DATA`: an experiment file for the data, a study that goes on until it is settled or
//! the time is over, and its report.

use super::ExperimentArgs;
use super::affordable::Quick;
use super::diagnostics::Output;
use super::init::{self, DataArgs};
use super::run::{RunArgs, carry_out};
use crate::config::{Source, Study, Time};
use crate::error::UserError;
use anyhow::{Context, Result};
use clap::Args;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct QuickArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The experiment file, which is written unless it is there [default: DATA's name in the current
    /// folder]
    #[arg(long, value_name = "FILE.yaml")]
    out: Option<PathBuf>,
    /// Begin no run after this time, such as 90s, 10m or 2h
    #[arg(long, value_name = "TIME", default_value = "10m")]
    max_time: Time,
    /// The most seeds of a batch size [default: 40]
    #[arg(long, value_name = "N")]
    max_seeds: Option<u32>,
    /// Compare these batch sizes, as in `--batch-sizes 32,128`
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    batch_sizes: Vec<u32>,
    /// Where to train: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Runs that are trained at a time [default: one a core, or one a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Open the report in a browser
    #[arg(long)]
    open: bool,
}

pub(super) fn quick(args: &QuickArgs, output: Output) -> Result<ExitCode> {
    let file = args.out.clone().unwrap_or_else(|| file_of(&args.data.path));
    let yaml = init::experiment(&args.data, &file, output)?;
    let mut is_new = false;
    match written(&file)? {
        None => {
            init::create(&file, &yaml)?;
            output.note(&format!("wrote {}", file.display()));
            is_new = true;
        }
        Some(text) if text == yaml || text == init::untuned(&yaml) => {
            output.note(&format!("{} is there already, as it would be written", file.display()));
        }
        Some(text) => {
            refuse_other_data(&file, text, &args.data.path)?;
            if args.data.names_a_column() {
                return Err(UserError::new(
                    format!("{} exists already and says which columns are taken", file.display()),
                    "leave `--text` and `--label` out, change the file, or name another with `--out`",
                )
                .into());
            }
            let said = "exists already, is used as it is and is not overwritten";
            output.note(&format!("{} {said}", file.display()));
        }
    }
    let experiment = args.experiment(file);
    let quick = Quick { time: args.max_time, draft: is_new.then_some(&*yaml) };
    carry_out(&RunArgs::new(experiment, args.open), Some(quick), output)
}

impl QuickArgs {
    fn experiment(&self, file: PathBuf) -> ExperimentArgs {
        ExperimentArgs {
            file,
            until_settled: true,
            max_time: Some(self.max_time),
            max_seeds: self.max_seeds,
            // The file that is written begins with five.
            seeds: self.max_seeds.filter(|most| *most < 5),
            batch_sizes: self.batch_sizes.clone(),
            device: self.device.clone(),
            workers: self.workers,
            ..ExperimentArgs::default()
        }
    }
}

/// `tickets.yaml` for `data/tickets.csv.gz`.
fn file_of(data: &Path) -> PathBuf {
    let name = data.file_name().unwrap_or_default();
    let mut name = PathBuf::from(name);
    if name.extension().is_some_and(|end| end == "gz") {
        name.set_extension("");
    }
    name.set_extension("yaml");
    name
}

/// What stands in a file, if it is there.
fn written(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// A file that was there before has to be about the same data.
fn refuse_other_data(file: &Path, text: String, data: &Path) -> Result<()> {
    let source = Source { name: file.display().to_string(), text, overrides: Vec::new() };
    let study = Study::from_source(&source, "quick")?;
    let of_file = &study.experiment.data;
    let table = of_file.table.as_ref().and_then(|table| table.path.as_ref());
    let arrays = of_file.arrays.as_ref().and_then(|arrays| arrays.path.as_ref());
    let same = |path: &PathBuf| {
        path == data
            || path.canonicalize().ok().is_some_and(|path| data.canonicalize().ok() == Some(path))
    };
    match table.or(arrays).is_some_and(same) {
        true => Ok(()),
        false => Err(UserError::new(
            format!("{} exists already, and is about other data", file.display()),
            "it is left as it is: name another file with `--out`",
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_experiment_file_lies_in_the_current_folder_and_is_called_like_the_data() {
        let cases = [
            ("data/tickets.csv", "tickets.yaml"),
            ("tickets.jsonl.gz", "tickets.yaml"),
            ("my.data.npz", "my.data.yaml"),
            ("plain", "plain.yaml"),
        ];
        for (data, file) in cases {
            assert_eq!(file_of(Path::new(data)), Path::new(file));
        }
    }
}
