//! `batchscope schema`: the JSON Schema of experiment files, with which editors complete and check
//! them.

use super::diagnostics::Output;
use crate::config;
use anyhow::Result;
use std::process::ExitCode;

pub(super) fn schema(output: Output) -> Result<ExitCode> {
    let schema = config::schema();
    output.data(&schema, &format!("{schema:#}"))?;
    Ok(ExitCode::SUCCESS)
}
