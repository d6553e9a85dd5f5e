//! `batchscope`: parse the command line, run it, print what went wrong, give the exit code.

use batchscope::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            cli::print_error(&error);
            ExitCode::from(cli::USAGE_OR_CONFIGURATION)
        }
    }
}
