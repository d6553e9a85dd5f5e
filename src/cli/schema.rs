//! `batchscope schema`: the JSON Schema of experiment files, with which editors complete and check
//! them.

use super::diagnostics::Output;
use crate::config;
use std::process::ExitCode;

pub(super) fn schema(output: Output) -> ExitCode {
    let schema = config::schema();
    output.answer(&schema, &format!("{schema:#}"));
    ExitCode::SUCCESS
}
