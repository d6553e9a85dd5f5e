//! `batchscope submit slurm STUDY`: gives Slurm what `script slurm` prints, and notes its job in the folder of the
//! study.

use super::diagnostics::Output;
use super::format;
use super::jobs::{Jobs, SlurmJobs};
use super::script::slurm;
use crate::error::UserError;
use crate::study::{note_job, prepare_submission, refuse_stopped};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

#[derive(Debug, Args)]
pub(super) struct SubmitArgs {
    #[command(subcommand)]
    scheduler: Scheduler,
}

/// Who starts workers.
#[derive(Debug, Subcommand)]
enum Scheduler {
    /// Slurm, with `sbatch`
    Slurm(SlurmJobs),
}

#[derive(Serialize)]
struct Document<'s> {
    study: &'s str,
    script: &'s str,
    /// The name of the job that Slurm has taken.
    job: &'s str,
}

pub(super) fn submit(args: &SubmitArgs, output: Output) -> Result<ExitCode> {
    let Scheduler::Slurm(jobs) = &args.scheduler;
    let (plan, study) = jobs.read()?;
    refuse_stopped(&plan.folder)?;
    let script = slurm(&plan)?;
    sbatch(&["--test-only"], &script)?;
    prepare_submission(&plan.folder, &study)?;
    let job = sbatch(&["--parsable"], &script)?;
    let job = job.trim().split(';').next().unwrap_or_default().to_owned();
    let noted = note_job(&plan.folder, &job, plan.workers);
    noted.with_context(|| format!("job {job} is submitted, and cannot be noted"))?;
    let folder = plan.folder.display().to_string();
    let said = format!(
        "job {job}: {} of the study {}\nstatus  {}\nstop    {}",
        format::counted(usize::from(plan.workers), "worker"),
        plan.name,
        format::command(&["batchscope", "status", &folder]),
        format::command(&["batchscope", "stop", &folder, "--cancel"])
    );
    output.answer(&Document { study: &plan.name, script: &script, job: &job }, &said)?;
    Ok(ExitCode::SUCCESS)
}

/// Gives Slurm a script; what it answers.
fn sbatch(options: &[&str], script: &str) -> Result<String> {
    let mut command = Command::new("sbatch");
    command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        UserError::new(
            format!("`sbatch` cannot be started: {error}"),
            "submit where Slurm is installed, or print the script with `batchscope script slurm`",
        )
    })?;
    if let Some(mut input) = child.stdin.take() {
        // Where it does not listen, it says why.
        input.write_all(script.as_bytes()).ok();
    }
    let ended = child.wait_with_output().context("`sbatch` is lost")?;
    match ended.status.success() {
        true => Ok(String::from_utf8_lossy(&ended.stdout).into_owned()),
        false => Err(refusal(String::from_utf8_lossy(&ended.stderr).trim()).into()),
    }
}

/// What `sbatch` says where it does not come as far as asking for the job.
const UNREACHABLE: [&str; 7] = [
    "failed to fetch config",
    "Unable to contact slurm controller",
    "Unable to establish configuration source",
    "Could not establish a configuration source",
    "Connection refused",
    "Connection timed out",
    "Socket timed out",
];

fn refusal(said: &str) -> UserError {
    match UNREACHABLE.iter().any(|of| said.contains(of)) {
        true => UserError::new(
            format!("Slurm cannot be reached from here: {said}"),
            "submit on a machine of the cluster, such as its login node; `sinfo` shows whether Slurm answers",
        ),
        false => UserError::new(
            format!("Slurm refuses the job: {said}"),
            "change what the job asks for; options of `sbatch` stand after `--`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slurm_that_cannot_be_reached_has_refused_nothing() {
        let lost = "sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n\
                    sbatch: error: fetch_config: DNS SRV lookup failed\n\
                    sbatch: error: _establish_config_source: failed to fetch config\n\
                    sbatch: fatal: Could not establish a configuration source";
        assert!(refusal(lost).message.starts_with("Slurm cannot be reached from here: "));
        let invalid = "sbatch: error: Batch job submission failed: Invalid account";
        assert!(refusal(invalid).message.starts_with("Slurm refuses the job: "));
    }
}
