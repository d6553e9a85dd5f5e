//! The command line: types for `clap`, one file a command, progress, and how errors are printed.
//!
//! Tables and results go to standard output; progress, warnings and errors to standard error.

mod affordable;
mod browser;
mod check;
mod completions;
mod diagnostics;
mod evaluate;
mod export;
mod format;
mod growth;
mod init;
mod interrupt;
mod jobs;
mod labels;
mod machine;
mod outcome;
mod predict;
mod progress;
mod quick;
mod recommended;
mod report;
mod run;
mod schema;
mod script;
mod sink;
mod status;
mod stop;
mod submit;
mod tables;
mod work;
mod wrap;

use diagnostics::Output;
use sink::Undelivered;

use crate::config::{Override, Source, Study, Time};
use crate::error::UserError;
use crate::files;
use crate::kernels::{InstructionSet, signals};
use crate::study;
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{
    fs,
    io::{self, Write},
};

/// Exit code when the command line or the experiment file is wrong.
const USAGE_OR_CONFIGURATION: u8 = 2;
/// Exit code when some runs diverged or failed, or are damaged.
const SOME_FAILED: u8 = 1;
/// Exit code after Ctrl-C, as shells expect it, and after every other signal that ends a study.
const INTERRUPTED: u8 = 130;
/// Exit code when nobody reads the answer any more: what shells give for programs that SIGPIPE ends.
const UNREAD: u8 = 141;

/// How does batch size affect the accuracy of my LSTM, on my data?
#[derive(Debug, Parser)]
#[command(name = "batchscope", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: Output,
}

const EXAMPLES: &str = include_str!("after_help.txt");

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the question for a data file: write an experiment file, train, and report
    ///
    /// As `init`, then `run --until-settled`, then `report`, within ten minutes or --max-time. The
    /// experiment file lies in the current folder, called like the data; one that is there is used as it
    /// is. The same command goes on where it ended, after Ctrl-C too.
    ///
    /// Learning rates are tuned where that takes at most half of the time.
    ///
    /// With --json: as `run`, and file, the experiment file.
    Quick(quick::QuickArgs),
    /// Write an experiment file for your own data, to begin with
    ///
    /// Looks at the columns and rows of the file, guesses which hold the texts and the labels, and
    /// writes YAML with a comment for every key. `batchscope check` accepts it as it is.
    ///
    /// With --json: file, read (lines and rows, where they differ, else null), examples and labels (the
    /// columns or arrays that were taken), also_possible (other columns for the labels) and yaml.
    Init(init::InitArgs),
    /// Validate an experiment file and say what it would cost
    ///
    /// Reads the data, times a few steps of each arm on this machine, and keeps no results. Runs that
    /// the study's folder holds already cost nothing.
    ///
    /// With --json: study, folder, device, parallel, runs, tuning_runs, data, arms (name, batch_size,
    /// optimizer, tuning_runs, schedule, parameters, epochs, steps_per_epoch, and steps, seconds and
    /// memory of one run), unfinished (runs), seconds (of these), disk_bytes, warnings.
    Check(ExperimentArgs),
    /// Train every run of an experiment file that is not finished yet
    ///
    /// Ctrl-C saves and ends; the same command goes on. So do SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and
    /// SIGXCPU, also when a scheduler sends them to every process of the job. Before training begins
    /// there is nothing to save. A second Ctrl-C or SIGTERM ends at once. Finished runs are never run
    /// again.
    ///
    /// With --until-settled (or `until: settled` in the file) seeds are added: to begin with as many as
    /// the file says, then a fifth more each time, until it is settled which batch size to use. A batch
    /// size that cannot be the best any more gets no more seeds. --max-seeds and --max-time end it
    /// earlier: no run begins after that time, those in training end, and the same command goes on.
    ///
    /// With --json: study, folder, arms (name, batch_size, finished, planned, peak_memory, restored,
    /// micro_batch, and count, mean and sd of steps, validation_score, test_score, seconds and
    /// examples_per_second), failures (run, state, step or message), unfinished, not_retried, tunings
    /// (arm, batch_size, trials, finished, chosen, edge), unmeasured (run and reason, of solutions that
    /// could not be measured), measurements_left, until (first, max_seeds, max_time, looks (seeds,
    /// settled, out, expected_seeds), seeds, stopped; null when no seeds are added), report (as in
    /// `report`, or null when no run is finished), and error (message, hint) when the report could not
    /// be written.
    Run(run::RunArgs),
    /// Train a study together with other workers, on all machines that share its folder
    ///
    /// Start as many as you like, at any time. Each trains runs that no other worker has, continues those of
    /// workers that died, and ends when nothing is left to do. The last one writes the report. While workers
    /// train a study, `batchscope run` refuses it.
    ///
    /// Exit code 0: nothing is left to do; 1: some runs failed or diverged; 2: cannot work here; 130: stopped.
    ///
    /// With --json: study, folder, end (over, stopped or late), trained (runs that this worker ended),
    /// arms, failures, tunings, until and report as in `run`.
    Work(work::WorkArgs),
    /// Print a file with which Slurm, Kubernetes or Compose starts workers of a study
    ///
    /// Options of `sbatch` stand after `--`, as `--account=abc`. With --json: study and script.
    Script(script::ScriptArgs),
    /// Have Slurm start workers of a study
    ///
    /// Gives the file of `script slurm` to `sbatch`, and notes the job in the study's folder: `status` shows it while
    /// it waits, and `stop --cancel` cancels it.
    ///
    /// With --json: study, script and job, its number.
    Submit(submit::SubmitArgs),
    /// Have all workers of a study save and end
    ///
    /// Workers that start later end at once, until `--undo` or a `batchscope run` of the study.
    ///
    /// With --json: folder, workers (host, process, job and runs of those that live), and with --cancel jobs (job,
    /// error).
    Stop(stop::StopArgs),
    /// Say how a study stands: runs finished and unfinished, results so far, what went wrong
    ///
    /// Reads the study's folder alone, also while the study is running.
    ///
    /// A run with a damaged or missing file is left out, named with the way to repeat it, and makes the
    /// exit code 1.
    ///
    /// With --json: study, folder, state (running, damaged, out_of_time, interrupted, ended or finished),
    /// workers (of `batchscope work`), stop_asked (by `stop`), jobs (job, workers, submitted, begun; of `submit`),
    /// seconds_left, arms as in `run`, runs, tuning_runs and others (run,
    /// state, epochs, planned_epochs, and step, or message and hint), where others are runs in the folder
    /// that the study has no more, and tunings and until as in `run`.
    Status(status::StatusArgs),
    /// Say what a study shows, how surely, and which batch size to use
    ///
    /// Compares the arms by their validation scores (`study.score`), seed by seed, against the margin that
    /// the experiment file declares (`study.margin`). Reads the records alone, also while the study is
    /// running, and writes report/index.html, verdict.md, figures and tables in its folder. `run` does
    /// the same at its end.
    ///
    /// For several studies, or a folder that holds several, one more page stands beside the first of
    /// them, comparison/index.html: whether they agree on a batch size, and what about them can be
    /// compared. A study without finished runs is left out with a warning, and so is a damaged run,
    /// which makes the exit code 1.
    Report(report::ReportArgs),
    /// Measure a finished run on a split of its study
    ///
    /// Computed on the processor with the weights that the run kept, as at the end of training.
    ///
    /// With --json: run, split, examples, metrics as in record.json.
    Evaluate(evaluate::EvaluateArgs),
    /// Ask a finished run for the class of new examples
    ///
    /// With --json: a list of index, row, probability, prediction; with --output: output, predictions
    /// (how many).
    Predict(predict::PredictArgs),
    /// Write a finished run's model for torch, Keras or ONNX
    ///
    /// With --json: files, their paths.
    Export(export::ExportArgs),
    /// Print the JSON Schema of experiment files, for completion in editors
    ///
    /// `batchscope schema > batchscope.schema.json`, then begin the YAML file with the line
    /// `# yaml-language-server: $schema=batchscope.schema.json`.
    Schema,
    /// Print a completion script for a shell
    ///
    /// For bash: `batchscope completions bash > ~/.local/share/bash-completion/completions/batchscope`.
    Completions(completions::CompletionsArgs),
    /// Serve a study (started by `run` and `check`)
    #[command(hide = true)]
    Worker,
}

#[derive(Debug, Clone, Default, Args)]
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
    /// Runs of each arm, with the seeds 0, 1, 2, ...; in place of `study.seeds`
    #[arg(long, value_name = "N")]
    seeds: Option<u32>,
    /// Compare these batch sizes, as in `--batch-sizes 32,128`; in place of those of the grid
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    batch_sizes: Vec<u32>,
    /// Add seeds until it is settled which batch size to use
    #[arg(long)]
    until_settled: bool,
    /// When seeds are added: the most seeds of an arm [default: 40]
    #[arg(long, value_name = "N")]
    max_seeds: Option<u32>,
    /// When seeds are added: begin no run after this time, such as 90s, 10m or 2h
    #[arg(long, value_name = "TIME")]
    max_time: Option<Time>,
    /// Runs that are trained at a time [default: one a core, or one a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// What the engine `fused` computes with; results do not depend on it [default: the best there is]
    #[arg(long, value_name = "SET", value_parser = InstructionSet::ALL.map(InstructionSet::name))]
    instructions: Option<String>,
}

/// Runs the command line of this process, prints what went wrong, and gives the exit code.
pub fn run() -> ExitCode {
    // Before anything is printed.
    let ready = signals::ignore_file_size_limit();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    let ended = ready.and_then(|()| dispatch(&cli.command, cli.output));
    ended.unwrap_or_else(|error| {
        match error.downcast_ref::<Undelivered>() {
            Some(lost) => return undelivered(cli.output, cli.command.answer(), lost),
            None => cli.output.error(&error),
        }
        ExitCode::from(USAGE_OR_CONFIGURATION)
    })
}

/// What was asked for could not be written, or nobody reads it.
fn undelivered(output: Output, what: &str, lost: &Undelivered) -> ExitCode {
    if lost.is_unread() {
        return ExitCode::from(UNREAD);
    }
    let hint = lost.hint();
    let message = format!("cannot write {what} to {lost}");
    match lost.is_standard() {
        // A document would go the same way.
        true => diagnostics::complain(&message, Some(hint)),
        false => output.fault(&message, Some(hint)),
    }
    ExitCode::from(USAGE_OR_CONFIGURATION)
}

fn dispatch(command: &Command, output: Output) -> Result<ExitCode> {
    match command {
        Command::Quick(args) => quick::quick(args, output),
        Command::Init(args) => init::init(args, output),
        Command::Check(args) => check::check(args, output),
        Command::Run(args) => run::run(args, output),
        Command::Work(args) => work::work(args, output),
        Command::Script(args) => script::script(args, output),
        Command::Submit(args) => submit::submit(args, output),
        Command::Stop(args) => stop::stop(args, output),
        Command::Status(args) => status::status(args, output),
        Command::Report(args) => report::report(args, output),
        Command::Evaluate(args) => evaluate::evaluate(args, output),
        Command::Predict(args) => predict::predict(args, output),
        Command::Export(args) => export::export(args, output),
        Command::Schema => schema::schema(output),
        Command::Completions(args) => completions::completions(args, output),
        Command::Worker => {
            study::serve(io::BufReader::new(io::stdin()), io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A command line that is wrong, or that asks for help or the version.
fn unparsed(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Help and version.
        let printed = error.print().and_then(|()| io::stdout().flush());
        return match printed {
            Ok(()) => ExitCode::SUCCESS,
            Err(cause) => undelivered(Output::default(), "the help", &Undelivered::standard(cause)),
        };
    }
    let json = std::env::args_os().any(|argument| argument == "--json");
    let is_plain =
        |argument: OsString| !argument.to_string_lossy().contains(crate::format::is_hidden);
    if json || !std::env::args_os().all(is_plain) {
        let text = error.render().to_string();
        let message = text.trim().trim_start_matches("error: ");
        Output { quiet: false, json }.fault(message, None);
    } else {
        // In colour; nobody can be told that this failed.
        error.print().ok();
    }
    ExitCode::from(USAGE_OR_CONFIGURATION)
}

impl Command {
    /// What it prints, in the words of an error.
    fn answer(&self) -> &'static str {
        match self {
            Self::Init(_) => "the experiment file",
            Self::Check(_) => "the estimate",
            Self::Quick(_) | Self::Run(_) | Self::Work(_) => "the results",
            Self::Stop(_) | Self::Submit(_) => "the workers",
            Self::Status(_) => "the status",
            Self::Report(_) => "the verdict",
            Self::Evaluate(_) => "the metrics",
            Self::Predict(_) => "the predictions",
            Self::Export(_) => "the names of the exported files",
            Self::Schema => "the schema",
            Self::Completions(_) | Self::Script(_) => "the script",
            Self::Worker => "a report",
        }
    }
}

impl ExperimentArgs {
    fn study(&self) -> Result<Study> {
        self.study_with(Vec::new())
    }

    /// The study of the file, with further changes after those of the command line.
    fn study_with(&self, more: Vec<Override>) -> Result<Study> {
        let name = self.file.display().to_string();
        files::refuse_device(&self.file)?;
        let text = fs::read_to_string(&self.file).map_err(|error| {
            let advice = "give the path of an experiment file; examples are in `experiments/`";
            UserError::new(format!("cannot read {name}: {error}"), advice)
        })?;
        if files::is_whole_text(&text) == Some(false) {
            diagnostics::print_warnings(&[format!(
                "{name} is not as batchscope wrote it: it was changed, or cut short; its first line, \
                 the checksum, may be taken out"
            )]);
        }
        let sets = self.set.iter().map(|set| Override::parse(set));
        let overrides = sets
            .chain(self.flags().into_iter().chain(more).map(Ok))
            .collect::<Result<_, UserError>>()?;
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Study::from_source(&Source { name, text, overrides }, &stem)?)
    }

    /// The flags that stand for keys of the file.
    fn flags(&self) -> Vec<Override> {
        let device = self
            .device
            .as_ref()
            .map(|name| Override::flag("--device", "train.device", name.as_str().into()));
        let seeds = self.seeds.map(|n| Override::flag("--seeds", "study.seeds", n.into()));
        let sizes =
            (!self.batch_sizes.is_empty()).then(|| Override::batch_sizes(&self.batch_sizes));
        let until = self
            .until_settled
            .then(|| Override::flag("--until-settled", "study.until", "settled".into()));
        let most =
            self.max_seeds.map(|n| Override::flag("--max-seeds", "study.max_seeds", n.into()));
        let time = self
            .max_time
            .map(|time| Override::flag("--max-time", "study.max_time", time.to_string().into()));
        [device, seeds, sizes, until, most, time].into_iter().flatten().collect()
    }

    fn folder(&self, study: &Study) -> Result<PathBuf, UserError> {
        let folder = self.out.clone().unwrap_or_else(|| Path::new("runs").join(&study.name));
        if folder.to_str().is_none() {
            return Err(UserError::new(
                format!("the name of the study's folder {} is not UTF-8", folder.display()),
                "name another folder with `--out`",
            ));
        }
        match folder.exists() && !folder.is_dir() {
            true => Err(UserError::new(
                format!("the study's folder {} is a file", folder.display()),
                "name a folder with `--out`; it need not exist yet",
            )),
            false => Ok(folder),
        }
    }
}

/// Prepared data lies beside the study folders, for all of them.
fn cache(folder: &Path) -> PathBuf {
    folder.parent().unwrap_or(Path::new("")).join(".cache")
}
