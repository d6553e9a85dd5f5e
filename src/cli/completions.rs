//! `batchscope completions SHELL`: the script with which a shell completes the command line.

use super::{Cli, diagnostics::Output};
use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs, output: Output) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "batchscope", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    output.data(&json!({ "shell": args.shell.to_string(), "script": script }), &script)?;
    Ok(ExitCode::SUCCESS)
}
