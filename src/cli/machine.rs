//! What this machine gives a study: the command line, cores, instructions, worker processes.

use super::ExperimentArgs;
use crate::error::UserError;
use crate::kernels::InstructionSet;
use crate::study::{Pool, Workers};
use anyhow::{Context, Result};

/// What a scheduler says of this process's job.
#[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The command line of this process, as records have it.
pub(super) fn command_line() -> Vec<String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect()
}

impl ExperimentArgs {
    pub(super) fn pool(&self) -> Result<Pool> {
        let executable = std::env::current_exe().context("cannot find this program's own file")?;
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        // Slurm may count processors without keeping processes from others.
        let given = variable("SLURM_CPUS_PER_TASK").and_then(|text| text.parse().ok());
        let cores = num_cpus::get_physical().min(available).min(given.unwrap_or(usize::MAX)).max(1);
        let count = self.workers.map(usize::from);
        let instructions = self.instruction_set()?;
        Pool::start(Workers { executable, cores, count, instructions })
    }

    fn instruction_set(&self) -> Result<InstructionSet, UserError> {
        let best = InstructionSet::best();
        let Some(name) = &self.instructions else { return Ok(best) };
        let named = InstructionSet::ALL.into_iter().find(|set| set.name() == name);
        match named.filter(|set| set.is_available()) {
            Some(set) => Ok(set),
            None => Err(UserError::new(
                format!("this processor lacks the instructions `{name}`"),
                format!("leave `--instructions` out: the best it has are `{}`", best.name()),
            )),
        }
    }
}
