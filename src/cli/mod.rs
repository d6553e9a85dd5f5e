//! The command line: types for `clap`, one file a command, progress, and how errors are printed.
//!
//! Tables and results go to standard output; progress, warnings and errors to standard error.

mod check;
mod diagnostics;
mod evaluate;
mod export;
mod format;
mod interrupt;
mod predict;
mod progress;
mod run;
mod tables;

pub use diagnostics::print_error;

use crate::config::{Override, Source, Study};
use crate::error::UserError;
use crate::study::{self, Pool, Workers};
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

/// Exit code when the command line or the experiment file is wrong.
pub const USAGE_OR_CONFIGURATION: u8 = 2;
/// Exit code when some runs diverged or failed.
const SOME_FAILED: u8 = 1;
/// Exit code after Ctrl-C, as shells expect it.
const INTERRUPTED: u8 = 130;

/// How does batch size affect the accuracy of my LSTM, on my data?
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  batchscope check experiments/quickstart.yaml
  batchscope run experiments/quickstart.yaml
  batchscope run experiments/seed_small.yaml --set train.epochs=3 --out runs/short
  batchscope evaluate runs/quickstart/batch-32/seed-0 --split test
  batchscope predict runs/quickstart/batch-32/seed-0 --input new.csv --output predictions.csv
  batchscope export runs/quickstart/batch-32/seed-0 --format onnx

Exit codes: 0 all runs finished, 1 some diverged or failed, 2 usage or configuration, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Train every run of an experiment file that is not finished yet
    ///
    /// Ctrl-C saves and ends; the same command goes on. Finished runs are never run again.
    Run(ExperimentArgs),
    /// Validate an experiment file and say what it would cost
    ///
    /// Reads the data, times a few steps of each arm on this machine, and keeps no results.
    Check(ExperimentArgs),
    /// Measure a finished run on a split of its study
    ///
    /// Computed on the processor with the weights of the last epoch, as at the end of training.
    Evaluate(evaluate::EvaluateArgs),
    /// Ask a finished run for the class of new examples
    Predict(predict::PredictArgs),
    /// Write a finished run's model for torch, Keras or ONNX
    Export(export::ExportArgs),
    /// Serve a study (started by `run` and `check`)
    #[command(hide = true)]
    Worker,
}

#[derive(Debug, Args)]
struct ExperimentArgs {
    /// The experiment file
    #[arg(value_name = "FILE.yaml")]
    file: PathBuf,
    /// The folder of the study [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where to train: auto, cpu, cuda or cuda:N; in place of `train.device`
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Change a value of the file, as in `--set train.epochs=3`; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Worker processes [default: one a core, or one a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
}

/// Runs the command line of this process.
pub fn run() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Evaluate(args) => evaluate::evaluate(&args),
        Command::Predict(args) => predict::predict(&args),
        Command::Export(args) => export::export(&args),
        Command::Worker => {
            study::serve(io::BufReader::new(io::stdin()), io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl ExperimentArgs {
    fn study(&self) -> Result<Study> {
        let name = self.file.display().to_string();
        let text = fs::read_to_string(&self.file).map_err(|error| {
            let advice = "give the path of an experiment file; examples are in `experiments/`";
            UserError::new(format!("cannot read {name}: {error}"), advice)
        })?;
        let sets = self.set.iter().map(|set| Override::parse(set));
        let device = self.device.iter().map(|device| Ok(Override::device(device)));
        let overrides = sets.chain(device).collect::<Result<_, UserError>>()?;
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Study::from_source(&Source { name, text, overrides }, &stem)?)
    }

    fn folder(&self, study: &Study) -> Result<PathBuf, UserError> {
        let folder = self.out.clone().unwrap_or_else(|| Path::new("runs").join(&study.name));
        match folder.exists() && !folder.is_dir() {
            true => Err(UserError::new(
                format!("the study's folder {} is a file", folder.display()),
                "name a folder with `--out`; it need not exist yet",
            )),
            false => Ok(folder),
        }
    }

    fn pool(&self) -> Result<Pool> {
        let executable = std::env::current_exe().context("cannot find this program's own file")?;
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = num_cpus::get_physical().min(available);
        let count = self.workers.map(usize::from);
        Pool::start(Workers { executable, cores, count })
    }
}

/// Prepared data lies beside the study folders, for all of them.
fn cache(folder: &Path) -> PathBuf {
    folder.parent().unwrap_or(Path::new("")).join(".cache")
}
