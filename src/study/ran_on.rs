//! On what a run was trained: `ran_on.jsonl`, beside its records and outside its identity. A run that moved
//! from one machine to another has a line for each.

use super::environment::{cpu_model, host_name};
use super::record::{RunFolder, wall_clock};
use crate::files;
use crate::kernels::{CudaDevice, Device, InstructionSet, Place};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// One line of `ran_on.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RanOn {
    /// When it was written, in seconds since 1970.
    wall_time: f64,
    /// The name of the machine.
    host: String,
    /// The processor.
    cpu: Option<String>,
    /// The GPU, if it was one.
    gpu: Option<String>,
    /// What the engine `fused` was to compute with.
    instructions: InstructionSet,
}

impl RanOn {
    fn here(place: Place, gpus: &[CudaDevice]) -> Self {
        let name = |index: usize| gpus.iter().find(|gpu| gpu.index == index);
        Self {
            wall_time: wall_clock(),
            host: host_name(),
            cpu: cpu_model(),
            gpu: match place.device {
                Device::Cpu => None,
                Device::Cuda(index) => name(index).map(|gpu| gpu.name.clone()),
            },
            instructions: place.instructions,
        }
    }

    /// Whether it names another place than this.
    fn differs(&self, other: &Self) -> bool {
        Self { wall_time: other.wall_time, ..self.clone() } != *other
    }
}

impl RunFolder {
    pub(super) fn ran_on_log(&self) -> PathBuf {
        self.path().join("ran_on.jsonl")
    }

    /// Writes down that the run is trained here from now on.
    pub(super) fn write_ran_on(&self, place: Place, gpus: &[CudaDevice]) -> Result<()> {
        let here = RanOn::here(place, gpus);
        let path = self.ran_on_log();
        // What cannot be read of it is no reason not to train.
        match self.places().last().is_none_or(|last| here.differs(last)) {
            true => files::append_sealed_line(&path, &here),
            false => Ok(()),
        }
    }

    /// Where it was trained; nothing where that cannot be read.
    fn places(&self) -> Vec<RanOn> {
        files::read_sealed_lines(&self.ran_on_log()).unwrap_or_default()
    }

    /// The GPUs on which the run was trained, as far as it was on GPUs.
    pub(super) fn gpus(&self) -> BTreeSet<String> {
        self.places().into_iter().filter_map(|place| place.gpu).collect()
    }

    /// The processors or GPUs on which the run was trained; none where that is not known.
    pub fn hardware(&self) -> BTreeSet<String> {
        self.places().into_iter().filter_map(|place| place.gpu.or(place.cpu)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_run_that_moves_has_a_line_for_each_place_and_damage_changes_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(temporary.path());
        assert!(folder.hardware().is_empty());
        let place = |device| Place { device, threads: 1, instructions: InstructionSet::best() };
        let gpu = |index, name: &str| CudaDevice {
            index,
            name: name.into(),
            memory: 1,
            architecture: None,
        };
        let gpus = [gpu(0, "A100"), gpu(1, "H100")];
        for index in [0, 0, 1, 1] {
            folder.write_ran_on(place(Device::Cuda(index)), &gpus).unwrap();
        }
        let text = fs::read_to_string(folder.ran_on_log()).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert_eq!(folder.hardware(), BTreeSet::from(["A100".to_owned(), "H100".to_owned()]));
        fs::write(folder.ran_on_log(), text.replace("A100", "B100")).unwrap();
        assert!(folder.hardware().is_empty());
        folder.write_ran_on(place(Device::Cpu), &gpus).unwrap();
    }
}
