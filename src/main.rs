//! `batchscope`: run the command line, give the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    batchscope::cli::run()
}
